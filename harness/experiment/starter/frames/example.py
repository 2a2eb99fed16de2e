"""A small model and its data, to start from. Replace it by files of your own; then this file is no longer needed."""

import numpy as np

FRAMES, NONE = 64, 255  # frames of a clip, the label of those that have none
PERIODS = (np.inf, 12.0, 5.0)  # frames: at rest, walking, running


def clips(count, seed):
    """What a sensor with three axes sees of somebody who rests, walks and runs: float32 (count, frames, 3), and what is
    done at each frame; at a change nobody can say.
    """
    rng = np.random.default_rng(seed)
    x, y = np.zeros((count, FRAMES, 3), np.float32), np.zeros((count, FRAMES), np.uint8)
    frames = np.arange(FRAMES)
    for signal, label in zip(x, y, strict=True):
        ends = np.sort(rng.choice(np.arange(10, FRAMES - 10), 2, replace=False))
        label[:] = rng.integers(0, 3, 3)[np.searchsorted(ends, frames, side="right")]
        phase = np.cumsum(2 * np.pi / np.array(PERIODS)[label])
        for axis in range(3):
            size = rng.uniform(0.5, 1.0) * (label > 0)
            signal[:, axis] = size * np.sin(phase + rng.uniform(0, 6)) + rng.normal(0, 0.3, FRAMES)
        label[np.flatnonzero(np.diff(label.astype(int)))] = NONE
    return x, y


def test():
    """What the model is tested on."""
    return clips(600, 1)


def calibration():
    """What int8 is calibrated with."""
    return clips(200, 2)


def model():
    """Scores of three classes for each frame."""
    import keras

    keras.utils.set_random_seed(1)
    x, y = clips(2000, 3)
    layers = keras.layers
    network = keras.Sequential(
        [
            keras.Input((FRAMES, 3)),
            layers.Conv1D(24, 9, padding="same", activation="relu"),
            layers.Conv1D(24, 9, padding="same", activation="relu"),
            layers.Conv1D(3, 5, padding="same"),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=NONE)
    network.compile(optimizer=keras.optimizers.Adam(0.004), loss=loss)
    network.fit(x, y, epochs=6, batch_size=64, verbose=0)
    return network
