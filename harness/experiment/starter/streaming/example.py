"""A small model and its data, to start from. Replace it by files of your own; then this file is no longer needed."""

import numpy as np

FEATURES, UNITS, WORDS, FRAMES = 8, 16, 3, 12


def clips(count, seed):
    """Clips of 4 to 12 frames. The first frame says which of three words is meant, and each frame has to know it."""
    rng = np.random.default_rng(seed)
    words = np.arange(count) % WORDS
    lengths = rng.integers(FRAMES // 3, FRAMES + 1, count)
    frames = rng.normal(0, 0.3, (lengths.sum(), FEATURES))
    frames[np.cumsum(lengths) - lengths, words] += 2
    clip = np.repeat(np.arange(count), lengths)
    return {"frame": frames.astype(np.float32), "clip": clip}, np.repeat(words, lengths)


def test():
    """What the model is tested on: one sample a frame, the frames of a clip in their order."""
    return clips(210, 2)


def calibration():
    """What int8 is calibrated with: training samples, in clips too, so that it learns the range of the state."""
    return clips(90, 1)


def model():
    """What the device runs: a frame and a state go in, scores and the next state come out."""
    import keras

    keras.utils.set_random_seed(1)
    cell = keras.layers.GRUCell(UNITS)
    scores = keras.layers.Dense(WORDS, activation="softmax", name="scores")
    frames, words = keras.Input((FRAMES, FEATURES)), np.arange(600) % WORDS
    x = np.random.default_rng(3).normal(0, 0.3, (len(words), FRAMES, FEATURES))
    x[np.arange(len(words)), 0, words] += 2
    whole = keras.Model(frames, scores(keras.layers.RNN(cell, return_sequences=True, unroll=True)(frames)))
    whole.compile(keras.optimizers.Adam(0.02), "sparse_categorical_crossentropy")
    whole.fit(x, np.repeat(words[:, None], FRAMES, 1), batch_size=100, epochs=6, verbose=0)
    frame, state = keras.Input((FEATURES,), name="frame"), keras.Input((UNITS,), name="state_in")
    heard, following = cell(frame, [state])
    return keras.Model([frame, state], {"scores": scores(heard), "state_out": following[0]})
