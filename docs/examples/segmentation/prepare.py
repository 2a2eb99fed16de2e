"""A small U-Net and scenes with zeros and ones in them, as a user would have them: model.keras, test.npz, …"""

import keras
import numpy as np

from harness.build.workloads.scenes import scenes

keras.utils.set_random_seed(1)
DIGITS = (0, 1)  # masks: 0 for the background, 1 for the ink of a zero, 2 for that of a one
training = scenes(800, seed=1, side=32, most=2, training=True, digits=DIGITS)
test = scenes(400, seed=2, side=32, most=2, digits=DIGITS)


def block(x, filters, **further):
    return keras.layers.Conv2D(filters, 3, padding="same", activation="relu", **further)(x)


picture = keras.Input((32, 32, 1))
near = block(picture, 8)
half = block(near, 16, strides=2)
quarter = block(half, 32, strides=2)
low = block(quarter, 32, strides=2)
for beside, filters in ((quarter, 32), (half, 16), (near, 8)):
    low = block(keras.layers.Concatenate()([keras.layers.UpSampling2D()(low), beside]), filters)
scores = keras.layers.Conv2D(3, 1, activation="softmax")(low)
model = keras.Model(picture, scores)
model.compile(optimizer=keras.optimizers.Adam(3e-3), loss="sparse_categorical_crossentropy")
model.fit(training.pictures[..., None] / 255, training.masks, epochs=10, batch_size=32, verbose=0)

edges = test.masks.copy()  # pixels at the edge of the ink belong to neither side: they are left out
for axis, step in ((1, 1), (1, -1), (2, 1), (2, -1)):
    edges[(np.roll(test.masks, step, axis) > 0) & (test.masks == 0)] = 255

model.save("model.keras")
np.savez("test.npz", x=test.pictures[..., None], y=edges)
np.savez("calibration.npz", x=training.pictures[:300, ..., None])
