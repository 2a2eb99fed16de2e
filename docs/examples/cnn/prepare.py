"""A small convolutional network and its data, as a user would have them: model.keras, test.npz, calibration.npz."""

import keras
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

keras.utils.set_random_seed(1)
digits = load_digits()
images = (digits.images * (255 / 16)).round().astype(np.uint8)[..., np.newaxis]
x, x_test, y, y_test = train_test_split(images, digits.target, test_size=0.4, random_state=0, stratify=digits.target)

model = keras.Sequential(
    [
        keras.Input((8, 8, 1)),
        keras.layers.Conv2D(16, 3, activation="relu", padding="same"),
        keras.layers.MaxPooling2D(),
        keras.layers.Conv2D(32, 3, activation="relu", padding="same"),
        keras.layers.Flatten(),
        keras.layers.Dense(10, activation="softmax"),
    ]
)
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy")
model.fit(x / 255, y, epochs=20, verbose=0)

model.save("model.keras")
np.savez("test.npz", x=x_test, y=y_test)
np.savez("calibration.npz", x=x[:500], y=y[:500])
