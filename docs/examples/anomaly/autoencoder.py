"""An autoencoder that has seen zeros and ones alone, of scikit-learn's digits: any other digit is an anomaly to it."""

import numpy as np
from sklearn.datasets import load_digits

TRAINING = 200


def pictures_and_labels():
    """Returns 8 × 8 pictures of 0 to 16, 1 for an anomaly, and the places of the training pictures."""
    digits = load_digits()
    anomaly = (digits.target > 1).astype(int)
    shuffled = np.random.default_rng(1).permutation(np.flatnonzero(anomaly == 0))
    return digits.images[..., None].astype("uint8"), anomaly, np.sort(shuffled[:TRAINING])


def samples():
    """The zeros and ones that were not seen in training, and all other digits."""
    pictures, anomaly, training = pictures_and_labels()
    yield np.delete(pictures, training, axis=0), np.delete(anomaly, training)


def calibration():
    pictures, _, training = pictures_and_labels()
    yield pictures[training]


def model():
    import keras

    keras.utils.set_random_seed(1)
    pictures, _, training = pictures_and_labels()
    normal = pictures[training] / 16
    layers = [keras.layers.Dense(n, activation="relu") for n in (32, 4, 32)]
    last = keras.layers.Dense(64, activation="sigmoid")
    shape = keras.layers.Reshape((8, 8, 1))  # the output has the shape of the input
    whole = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), *layers, last, shape])
    whole.compile(optimizer=keras.optimizers.Adam(3e-3), loss="mse")
    whole.fit(normal, normal, epochs=60, batch_size=16, verbose=0)
    return whole
