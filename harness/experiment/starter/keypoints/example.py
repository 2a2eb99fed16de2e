"""A small model and its data, to start from. Replace it by files of your own; then this file is no longer needed."""

import numpy as np
from PIL import Image, ImageDraw

SIDE = 32
ARROW = np.array([[1.0, 0.0], [-0.7, 0.7], [-0.3, 0.0], [-0.7, -0.7]])  # tip, left wing, notch, right wing


def samples(n, seed):
    """Pictures (n, 32, 32, 1) of 0 to 255 with one arrow each, and labels (n, 4, 3): x, y in pixels, 2 for visible."""
    rng = np.random.default_rng(seed)
    pictures = rng.integers(0, 90, (n, SIDE, SIDE, 1)).astype(np.uint8)
    labels = np.full((n, 4, 3), 2.0)
    for picture, label in zip(pictures, labels, strict=True):
        turn, size = rng.uniform(-1.2, 1.2), rng.uniform(6, 11)
        cos, sin = np.cos(turn), np.sin(turn)
        label[:, :2] = size * ARROW @ np.array([[cos, sin], [-sin, cos]]) + rng.uniform(size, SIDE - size, 2)
        drawn = Image.new("L", (4 * SIDE, 4 * SIDE))
        ImageDraw.Draw(drawn).polygon([tuple(4 * point) for point in label[:, :2]], fill=int(rng.integers(100, 165)))
        picture[..., 0] += np.asarray(drawn.resize((SIDE, SIDE), Image.Resampling.BOX))
    return pictures, labels


def test():
    """What the model is tested on: stored values and points."""
    return samples(600, seed=2)


def calibration():
    """What int8 is calibrated with."""
    return samples(200, seed=3)


def model():
    """A small network that gives the points as shares of the picture, trained. Its inputs are stored values × scale."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(1)
    picture = x = keras.Input((SIDE, SIDE, 1))
    for filters in (16, 32, 48):
        x = layers.Conv2D(filters, 3, 2, padding="same", activation="relu")(x)
    x = layers.Dense(96, activation="relu")(layers.Flatten()(x))
    network = keras.Model(picture, layers.Reshape((4, 2), name="points")(layers.Dense(8)(x)))
    network.compile(keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.002, 15 * 94)), "mse")
    pictures, labels = samples(3000, seed=1)
    network.fit(pictures / 255.0, labels[..., :2] / SIDE, 32, epochs=15, verbose=0)
    return network
