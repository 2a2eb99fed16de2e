"""A small model and its data, to start from. Replace it by files of your own; then this file is no longer needed."""

import numpy as np
from sklearn.datasets import load_digits

WIDTH, STEPS, LONGEST = 64, 32, 7  # pixels of a strip, steps of the output, characters of a label
ALPHABET = " 0123456789"


def strips(count, digits, rng):
    """Two numbers of up to three handwritten digits, side by side: pictures 8×64, 0 to 16; their labels, places in the
    alphabet, -1 after the end; and the class of each step: 0, the blank, but in the middle of a character.
    """
    images, targets = digits
    of_digit = [np.flatnonzero(targets == n) for n in range(10)]
    x, y, steps = np.zeros((count, 8, WIDTH), np.uint8), np.full((count, LONGEST), -1), np.zeros((count, STEPS), int)
    for strip, label, spoken in zip(x, y, steps, strict=True):
        one, other = rng.integers(0, 10, rng.integers(1, 4)), rng.integers(0, 10, rng.integers(1, 4))
        text, left = [*(one + 1), 0, *(other + 1)], rng.integers(0, 8)
        for place in text:
            if place:
                strip[:, left : left + 8] = images[rng.choice(of_digit[place - 1])]
            spoken[(left + 4) // 2] = place + 1
            left += 8
        label[: len(text)] = text
    return x, y, steps


def digits(training):
    """The digits that strips for training are of, or those for the test."""
    data, some = load_digits(), slice(600, None) if training else slice(600)
    return data.images[some].astype(np.uint8), data.target[some]


def test():
    """What the model is tested on."""
    x, y, _ = strips(1000, digits(training=False), np.random.default_rng(1))
    return x, y


def calibration():
    """What int8 is calibrated with."""
    x, y, _ = strips(300, digits(training=True), np.random.default_rng(2))
    return x, y


def model():
    """A reader of strips. Its inputs are stored values × scale, as experiment.toml says. Where it is not known at which
    step each character stands, loss=keras.losses.CTC() trains it, with labels from 1 and 0 after their end.
    """
    import keras

    keras.utils.set_random_seed(1)
    x, _, steps = strips(3000, digits(training=True), np.random.default_rng(3))
    layers = keras.layers
    network = keras.Sequential(
        [
            keras.Input((8, WIDTH)),
            layers.Permute((2, 1)),  # columns are the steps
            layers.Conv1D(48, 5, strides=2, padding="same", activation="relu"),
            layers.Conv1D(64, 7, padding="same", activation="relu"),
            layers.Conv1D(64, 5, padding="same", activation="relu"),
            layers.Conv1D(len(ALPHABET) + 1, 1),  # logits of each step: the blank, then the alphabet
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    network.compile(optimizer=keras.optimizers.Adam(0.003), loss=loss)
    network.fit(x * 0.0625, steps, epochs=8, batch_size=64, verbose=0)
    return network
