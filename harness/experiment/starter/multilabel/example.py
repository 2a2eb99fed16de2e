"""A small model and its data, to start from. Replace it by files of your own; then this file is no longer needed."""

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split


def split():
    """Handwritten digits of 8×8 pixels, 0 to 16, and what each is → training and test samples."""
    digits = load_digits()
    kind = digits.target
    labels = np.stack([kind % 2 == 1, np.isin(kind, (0, 6, 8, 9)), kind > 4], axis=1).astype(np.uint8)
    images = digits.images.astype(np.uint8)
    x_train, x_test, y_train, y_test = train_test_split(images, labels, test_size=0.4, random_state=0, stratify=kind)
    return x_train, y_train, x_test, y_test


def test():
    """What the model is tested on: stored values, and of each sample three labels of 0 or 1."""
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
            keras.layers.Dense(3, activation="sigmoid"),
        ]
    )
    network.compile(optimizer="adam", loss="binary_crossentropy")
    network.fit(x * 0.0625, y, epochs=30, verbose=0)
    return network
