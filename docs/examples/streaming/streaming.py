"""A stream of frames: the first frame of a clip says which of three words is meant, and each frame has to know it."""

import keras
import numpy as np

FEATURES, UNITS, WORDS, FRAMES = 8, 16, 3, 12


def clips(count, seed):
    """Returns clips of 4 to 12 frames: the frames, the word of each, and the number of its clip."""
    rng = np.random.default_rng(seed)
    words = np.arange(count) % WORDS
    lengths = rng.integers(FRAMES // 3, FRAMES + 1, count)
    frames = rng.normal(0, 0.3, (lengths.sum(), FEATURES))
    frames[np.cumsum(lengths) - lengths, words] += 2
    return frames.astype(np.float32), np.repeat(words, lengths), np.repeat(np.arange(count), lengths)


def calibration():
    frames, words, clip = clips(90, 1)
    return {"frame": frames, "clip": clip}, words


def test():
    frames, words, clip = clips(210, 2)
    return {"frame": frames, "clip": clip}, words


def model():
    """Returns what the device runs: a frame and a state go in, scores and the next state come out."""
    keras.utils.set_random_seed(1)
    cell = keras.layers.GRUCell(UNITS)
    scores = keras.layers.Dense(WORDS, activation="softmax", name="scores")
    train(cell, scores)
    frame, state = keras.Input((FEATURES,), name="frame"), keras.Input((UNITS,), name="state_in")
    heard, following = cell(frame, [state])
    return keras.Model([frame, state], {"scores": scores(heard), "state_out": following[0]})


def train(cell, scores):
    """Trains both on whole clips of one length, for which Keras carries the state itself."""
    frames, words = keras.Input((FRAMES, FEATURES)), np.arange(600) % WORDS
    x = np.random.default_rng(3).normal(0, 0.3, (len(words), FRAMES, FEATURES))
    x[np.arange(len(words)), 0, words] += 2
    whole = keras.Model(frames, scores(keras.layers.RNN(cell, return_sequences=True, unroll=True)(frames)))
    whole.compile(keras.optimizers.Adam(0.02), "sparse_categorical_crossentropy")
    whole.fit(x, np.repeat(words[:, None], FRAMES, 1), batch_size=100, epochs=6, verbose=0)
