"""Colour photographs in class folders: model.keras, photos/test/<class>/*.png, photos/calibration/<class>/*.png.

The pictures are patches of the two photographs that come with scikit-learn, a temple and a flower. They overlap, so the
harness remarks that some are nearly equal.
"""

from pathlib import Path

import keras
import numpy as np
from PIL import Image
from sklearn.datasets import load_sample_images

keras.utils.set_random_seed(1)
rng = np.random.default_rng(1)


def patches(photo, rows, count):
    """`count` patches of 48×48 pixels from these rows of a photograph."""
    tops = rng.integers(rows.start, rows.stop - 48, count)
    lefts = rng.integers(0, photo.shape[1] - 48, count)
    return np.stack([photo[top : top + 48, left : left + 48] for top, left in zip(tops, lefts, strict=True)])


def write(folder, pictures):
    folder = Path("photos") / folder
    folder.mkdir(parents=True, exist_ok=True)
    for number, pixels in enumerate(pictures):
        Image.fromarray(pixels).save(folder / f"{number:04d}.png")


temple, flower = load_sample_images().images
train, test = range(300), range(300, 427)  # the upper part to learn from, the lower to be tested on
x = np.concatenate([patches(flower, train, 400), patches(temple, train, 400)])
y = np.repeat([0, 1], 400)  # in the order of the folders' names
for name, photo in (("flower", flower), ("temple", temple)):
    write(f"test/{name}", patches(photo, test, 200))
    write(f"calibration/{name}", patches(photo, train, 100))

model = keras.Sequential(
    [
        keras.Input((32, 32, 3)),
        keras.layers.Rescaling(1 / 127.5, -1),  # the model itself takes pixels of 0 to 255
        keras.layers.Conv2D(32, 3, strides=2, activation="relu"),
        keras.layers.DepthwiseConv2D(3, activation="relu"),
        keras.layers.Conv2D(64, 1, activation="relu"),
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dense(2, activation="softmax"),
    ]
)
model.compile(optimizer=keras.optimizers.Adam(0.01), loss="sparse_categorical_crossentropy")
small = np.asarray(keras.ops.image.resize(x.astype("float32"), (32, 32)))
model.fit(small, y, epochs=20, verbose=0)
model.save("model.keras")
