"""A small model and its data, to start from. Replace it by files of your own; then this file is no longer needed."""

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split


def split():
    """Handwritten digits of 8×8 pixels, 0 to 16 → training images and digits, test images and digits."""
    digits = load_digits()
    images, kinds = digits.images.astype(np.uint8), digits.target
    x_train, x_test, y_train, y_test = train_test_split(images, kinds, test_size=0.4, random_state=0, stratify=kinds)
    return x_train, y_train, x_test, y_test


def labels(x, digit):
    """The labels of each output, by its name: two of classes, and the share of the pixels that is ink."""
    return {"digit": digit, "parity": digit % 2, "ink": (x > 4).mean(axis=(1, 2))}


def test():
    """What the model is tested on: stored values, and labels by output."""
    _, _, x, digit = split()
    yield x, labels(x, digit)


def calibration():
    """What int8 is calibrated with."""
    x, digit, _, _ = split()
    yield x[:500], labels(x[:500], digit[:500])


def model():
    """A trained Keras model. Its inputs are stored values × scale, as experiment.toml says."""
    import keras

    keras.utils.set_random_seed(1)
    x, digit, _, _ = split()
    picture = keras.Input((8, 8))
    shared = keras.layers.Dense(64, activation="relu")(keras.layers.Flatten()(picture))
    heads = {
        "digit": keras.layers.Dense(10, activation="softmax", name="digit")(shared),
        "parity": keras.layers.Dense(1, activation="sigmoid", name="parity")(shared),
        "ink": keras.layers.Dense(1, name="ink")(shared),
    }
    network = keras.Model(picture, heads)
    losses = {"digit": "sparse_categorical_crossentropy", "parity": "binary_crossentropy", "ink": "mse"}
    network.compile(optimizer="adam", loss=losses, loss_weights={"digit": 1.0, "parity": 1.0, "ink": 10.0})
    network.fit(x * 0.0625, labels(x, digit), epochs=30, verbose=0)
    return network
