"""A small model and its data, to start from. Replace it by files of your own; then this file is no longer needed."""

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split


def split():
    """Handwritten digits of 8×8 pixels, 0 to 16 → training images and labels, test images and labels."""
    digits = load_digits()
    images, labels = digits.images.astype(np.uint8), digits.target
    x_train, x_test, y_train, y_test = train_test_split(images, labels, test_size=0.4, random_state=0, stratify=labels)
    return x_train, y_train, x_test, y_test


def test():
    """What the model is tested on: stored values and labels."""
    _, _, x, y = split()
    return x, y


def calibration():
    """What int8 is calibrated with."""
    x, y, _, _ = split()
    return x[:500], y[:500]


def model():
    """A trained Keras model. Its inputs are stored values × scale, as experiment.toml says."""
    import keras

    keras.utils.set_random_seed(1)
    x, y, _, _ = split()
    network = keras.Sequential(
        [
            keras.Input((8, 8)),
            keras.layers.Flatten(),
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    network.compile(optimizer="adam", loss="sparse_categorical_crossentropy")
    network.fit(x * 0.0625, y, epochs=20, verbose=0)
    return network
