"""Trains a detector of digits: 6 × 6 cells of 8 pixels, each with a box, whether it is one, and which digit it is."""

from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from harness.build.workloads.scenes import scenes

CELLS, SIDE, CLASSES = 6, 48, 10


def arrays(made):
    """Pictures as they are stored, and labels (n, 3, 5): x1, y1, x2, y2 in pixels, and the digit, −1 for none."""
    labels = np.zeros((len(made.pictures), 3, 5), np.float32)
    labels[..., 4] = -1
    for rows, boxes, digits in zip(labels, made.boxes, made.classes, strict=True):
        rows[: len(boxes), :4], rows[: len(boxes), 4] = boxes, digits
    return made.pictures[..., np.newaxis], labels


def targets(labels):
    """What each cell is to say: cx, cy, w, h in shares of the picture, 1 where an object's centre is, its class."""
    wanted = np.zeros((len(labels), CELLS, CELLS, 5 + CLASSES), np.float32)
    for cells, objects in zip(wanted, labels, strict=True):
        for x1, y1, x2, y2, digit in objects[objects[:, 4] >= 0]:
            cx, cy = (x1 + x2) / 2 / SIDE, (y1 + y2) / 2 / SIDE
            row = cells[int(cy * CELLS), int(cx * CELLS)]
            row[:] = 0
            row[:5] = cx, cy, (x2 - x1) / SIDE, (y2 - y1) / SIDE, 1
            row[5 + int(digit)] = 1
    return wanted.reshape(len(labels), CELLS**2, 5 + CLASSES)


def detector(size=1.0):
    """size: by how much its boxes are larger than they should be."""
    image = keras.Input((SIDE, SIDE, 1), name="image")
    x = image
    for filters, stride in ((16, 2), (32, 1), (32, 2), (64, 1), (64, 2), (96, 1)):
        x = layers.Conv2D(filters, 3, stride, padding="same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.Reshape((CELLS**2, 4 + 1 + CLASSES))(layers.Conv2D(4 + 1 + CLASSES, 1)(x))
    place = np.stack(np.meshgrid(*[np.arange(CELLS)] * 2), axis=-1).reshape(1, -1, 2).astype("float32") / CELLS
    centre = ops.sigmoid(x[..., :2]) * (2 / CELLS) + (place - 0.5 / CELLS)
    rows = [centre, ops.sigmoid(x[..., 2:4]) * size, ops.sigmoid(x[..., 4:5]), ops.softmax(x[..., 5:])]
    return keras.Model(image, layers.Concatenate(name="rows")(rows))


def loss(wanted, said):
    there = wanted[..., 4:5]
    box = ops.sum(there * ops.square(wanted[..., :4] - said[..., :4]))
    found = ops.sum(keras.losses.binary_crossentropy(there, said[..., 4:5]))
    digit = -ops.sum(there * wanted[..., 5:] * ops.log(said[..., 5:] + 1e-6))
    return (50 * box + found + digit) / ops.cast(ops.shape(wanted)[0], "float32")


def main():
    keras.utils.set_random_seed(1)
    pictures, labels = arrays(scenes(4000, seed=1, training=True))
    model = detector()
    model.compile(keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(4e-3, 12 * 63)), loss)
    model.fit(pictures / 255.0, targets(labels), 64, epochs=12, verbose=0)
    keras.Model(model.inputs, model.outputs).save("detector.keras")
    grown = detector(1.2)  # a fault to look at
    grown.set_weights(model.get_weights())
    Path("grown.tflite").write_bytes(tf.lite.TFLiteConverter.from_keras_model(grown).convert())
    x, y = arrays(scenes(1500, seed=2))
    np.savez("test.npz", image=x, y=y)
    np.save("calibration.npy", pictures[:300])


if __name__ == "__main__":
    main()
