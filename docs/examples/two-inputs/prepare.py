"""A model with two inputs, named: model.keras, and .npz files with an array for each. Halves of handwritten digits."""

import keras
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

keras.utils.set_random_seed(1)
digits = load_digits()
images = digits.images.astype(np.uint8)
x, x_test, y, y_test = train_test_split(images, digits.target, test_size=0.4, random_state=0, stratify=digits.target)


def halves(images):
    return {"upper": images[:, :4], "lower": images[:, 4:]}


upper, lower = keras.Input((4, 8), name="upper"), keras.Input((4, 8), name="lower")
seen = [keras.layers.Dense(32, activation="relu")(keras.layers.Flatten()(half)) for half in (upper, lower)]
answer = keras.layers.Dense(10, activation="softmax")(keras.layers.Concatenate()(seen))
model = keras.Model([upper, lower], answer)
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy")
model.fit({name: half / 16 for name, half in halves(x).items()}, y, epochs=30, verbose=0)

model.save("model.keras")
np.savez("test.npz", y=y_test, **halves(x_test))
np.savez("calibration.npz", **halves(x[:500]))
