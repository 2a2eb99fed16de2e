"""A small model and its data, to start from. Replace it by files of your own; then this file is no longer needed."""

import numpy as np
from sklearn.datasets import make_friedman1


def samples(n, seed):
    """Ten numbers of 0 to 1 a sample, of which five make the number to predict, of about 0 to 30, with some noise."""
    x, y = make_friedman1(n, noise=1.0, random_state=seed)
    return x.astype(np.float32), y.astype(np.float32)


def test():
    """What the model is tested on: inputs and numbers to predict."""
    return samples(1000, seed=2)


def calibration():
    """What int8 is calibrated with."""
    return samples(500, seed=1)


def model():
    """A trained Keras model. Its inputs are as they are stored, since experiment.toml has no scale."""
    import keras

    keras.utils.set_random_seed(1)
    x, y = samples(3000, seed=1)
    network = keras.Sequential(
        [
            keras.Input((10,)),
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dense(32, activation="relu"),
            keras.layers.Dense(1),
        ]
    )
    network.compile(optimizer=keras.optimizers.Adam(0.005), loss="mse")
    network.fit(x, y, epochs=30, verbose=0)
    return network
