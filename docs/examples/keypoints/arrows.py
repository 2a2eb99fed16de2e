"""Pictures of an arrow each, whose tip, wings and notch are known exactly; a model that gives a heat-map a point."""

import numpy as np
from PIL import Image, ImageDraw

SIDE, CELLS = 32, 16
ARROW = np.array([[1.0, 0.0], [-0.7, 0.7], [-0.3, 0.0], [-0.7, -0.7]])  # tip, left wing, notch, right wing


def pictures_and_points(count, seed):
    """Returns pictures (n, 32, 32, 1) of 0 to 255, and labels (n, 4, 3): x and y in pixels, and 2 for "visible"."""
    rng = np.random.default_rng(seed)
    pictures = rng.integers(0, 90, (count, SIDE, SIDE, 1)).astype(np.uint8)
    labels = np.full((count, 4, 3), 2.0)
    for picture, label in zip(pictures, labels, strict=True):
        turn, size = rng.uniform(-1.2, 1.2), rng.uniform(6, 11)
        cos, sin = np.cos(turn), np.sin(turn)
        label[:, :2] = size * ARROW @ np.array([[cos, sin], [-sin, cos]]) + rng.uniform(size, SIDE - size, 2)
        drawn = Image.new("L", (4 * SIDE, 4 * SIDE))
        ImageDraw.Draw(drawn).polygon([tuple(4 * point) for point in label[:, :2]], fill=int(rng.integers(100, 165)))
        picture[..., 0] += np.asarray(drawn.resize((SIDE, SIDE), Image.Resampling.BOX))
    return pictures, labels


def samples():
    yield pictures_and_points(600, seed=2)


def calibration():
    yield pictures_and_points(200, seed=3)


def heat_maps(labels):
    """Returns a Gaussian around each point, (n, 16, 16, 4)."""
    centres = (np.arange(CELLS) + 0.5) * SIDE / CELLS
    x, y = (np.exp(-np.square(centres - labels[..., n, None]) / (2 * 2.0**2)) for n in (0, 1))
    return np.einsum("nky,nkx->nyxk", y, x)


def model():
    import keras

    def block(x, filters, **further):
        return keras.layers.Conv2D(filters, 3, padding="same", activation="relu", **further)(x)

    keras.utils.set_random_seed(1)
    picture = keras.Input((SIDE, SIDE, 1))
    near = block(picture, 12, strides=2)
    low = block(block(block(near, 24, strides=2), 32, strides=2), 32)
    low = block(keras.layers.UpSampling2D()(low), 24)
    low = keras.layers.Concatenate()([keras.layers.UpSampling2D()(low), near])
    maps = keras.layers.Conv2D(4, 3, padding="same", activation="sigmoid", name="maps")(block(low, 16))
    network = keras.Model(picture, maps)
    network.compile(optimizer=keras.optimizers.Adam(4e-3), loss="binary_crossentropy")
    pictures, labels = pictures_and_points(2000, seed=1)
    network.fit(pictures / 255, heat_maps(labels), batch_size=32, epochs=8, verbose=0)
    return network
