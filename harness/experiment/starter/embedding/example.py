"""A small model and its data, to start from. Replace it by files of your own; then this file is no longer needed."""

import numpy as np
from sklearn.datasets import load_digits

KNOWN = 6  # digits under it are trained on; the others are those that the vectors are to tell apart


def digits(known):
    """Handwritten digits of 8×8 pixels, 0 to 16, and which digit each is."""
    images, labels = load_digits().images.astype(np.uint8), load_digits().target
    chosen = (labels < KNOWN) == known
    return images[chosen], labels[chosen]


def test():
    """What the model is tested on: digits that it has never seen. Each asks all others for the nearest."""
    return digits(known=False)


def calibration():
    """What int8 is calibrated with: training samples."""
    x, y = digits(known=True)
    return x[:500], y[:500]


def model():
    """The layer before the last of a classifier. Its inputs are stored values × scale, as experiment.toml says."""
    import keras

    keras.utils.set_random_seed(1)
    x, y = digits(known=True)
    inputs = keras.Input((8, 8))
    hidden = keras.layers.Dense(64, activation="relu")(keras.layers.Flatten()(inputs))
    vectors = keras.layers.Dense(32)(hidden)
    classifier = keras.Model(inputs, keras.layers.Dense(KNOWN)(keras.layers.ReLU()(vectors)))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    classifier.compile(optimizer=keras.optimizers.Adam(0.003), loss=loss)
    classifier.fit(x * 0.0625, y, epochs=20, verbose=0)
    return keras.Model(inputs, vectors)
