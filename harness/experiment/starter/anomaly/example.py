"""A small model and its data, to start from. Replace it by files of your own; then this file is no longer needed."""

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split


def split():
    """Handwritten digits of 8×8 pixels, 0 to 16: training images, and test images."""
    images = load_digits().images.astype(np.uint8)
    return train_test_split(images, test_size=0.4, random_state=0)


def test():
    """What the model is tested on: every second picture has a stroke through one of its rows, which makes it 1."""
    _, x = split()
    y = np.arange(len(x)) % 2
    odd = np.flatnonzero(y)
    x[odd, np.random.default_rng(0).integers(1, 7, len(odd))] = 12
    return x, y


def calibration():
    """What int8 is calibrated with: normal pictures."""
    x, _ = split()
    return x[:500], np.zeros(500, int)


def model():
    """An autoencoder, trained on normal pictures. Its inputs are stored values × scale, as experiment.toml says."""
    import keras

    keras.utils.set_random_seed(1)
    x, _ = split()
    network = keras.Sequential(
        [
            keras.Input((8, 8)),
            keras.layers.Flatten(),
            keras.layers.Dense(32, activation="relu"),
            keras.layers.Dense(16, activation="relu"),
            keras.layers.Dense(32, activation="relu"),
            keras.layers.Dense(64),
            keras.layers.Reshape((8, 8)),
        ]
    )
    network.compile(optimizer=keras.optimizers.Adam(0.003), loss="mse")
    network.fit(x * 0.0625, x * 0.0625, epochs=40, verbose=0)
    return network
