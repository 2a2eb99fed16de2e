"""A small model and its data, to start from. Replace it by files of your own; then this file is no longer needed."""

import numpy as np

from harness.build.workloads.scenes import scenes

DIGITS, SIDE, CELLS = (0, 1), 32, 4  # a picture of 32 × 32 pixels has 4 × 4 cells


def samples(n, seed, training):
    """Pictures (n, 32, 32, 1) of 0 to 255, and labels (n, 2, 5): x1, y1, x2, y2 in pixels and a class, -1 for none."""
    made = scenes(n, seed, side=SIDE, most=2, training=training, digits=DIGITS)
    labels = np.zeros((n, 2, 5), np.float32)
    labels[..., 4] = -1
    for rows, boxes, classes in zip(labels, made.boxes, made.classes, strict=True):
        rows[: len(boxes), :4], rows[: len(boxes), 4] = boxes, classes
    return made.pictures[..., None], labels


def test():
    """What the model is tested on: stored values and boxes."""
    return samples(1000, seed=2, training=False)


def calibration():
    """What int8 is calibrated with."""
    return samples(300, seed=1, training=True)


def wanted(labels):
    """What each cell is to say: cx, cy, w, h in shares of the picture, 1 where an object's centre is, its class."""
    cells = np.zeros((len(labels), CELLS, CELLS, 5 + len(DIGITS)), np.float32)
    for cell, objects in zip(cells, labels, strict=True):
        for x1, y1, x2, y2, kind in objects[objects[:, 4] >= 0]:
            cx, cy = (x1 + x2) / 2 / SIDE, (y1 + y2) / 2 / SIDE
            row = cell[int(cy * CELLS), int(cx * CELLS)]
            row[:5], row[5:] = (cx, cy, (x2 - x1) / SIDE, (y2 - y1) / SIDE, 1), 0
            row[5 + int(kind)] = 1
    return cells.reshape(len(labels), CELLS**2, 5 + len(DIGITS))


def loss(wanted, said):
    """Boxes and classes where there is an object, and everywhere whether there is one."""
    from keras import losses, ops

    there = wanted[..., 4:5]
    box = ops.sum(there * ops.square(wanted[..., :4] - said[..., :4]))
    found = ops.sum(losses.binary_crossentropy(there, said[..., 4:5]))
    kind = -ops.sum(there * wanted[..., 5:] * ops.log(said[..., 5:] + 1e-6))
    return (50 * box + found + kind) / ops.cast(ops.shape(wanted)[0], "float32")


def model():
    """A small detector, trained. Its inputs are stored values × scale, as experiment.toml says."""
    import keras
    from keras import layers, ops

    keras.utils.set_random_seed(1)
    picture = x = keras.Input((SIDE, SIDE, 1))
    for filters, stride in ((16, 2), (32, 2), (48, 2), (48, 1)):
        x = layers.Conv2D(filters, 3, stride, padding="same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.Reshape((CELLS**2, 5 + len(DIGITS)))(layers.Conv2D(5 + len(DIGITS), 1)(x))
    place = np.stack(np.meshgrid(*[np.arange(CELLS)] * 2), axis=-1).reshape(1, -1, 2).astype("float32") / CELLS
    centre = ops.sigmoid(x[..., :2]) * (2 / CELLS) + (place - 0.5 / CELLS)
    rows = [centre, ops.sigmoid(x[..., 2:5]), ops.softmax(x[..., 5:])]
    network = keras.Model(picture, layers.Concatenate(name="rows")(rows))
    pictures, labels = samples(3000, seed=1, training=True)
    network.compile(keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.004, 12 * 47)), loss)
    network.fit(pictures / 255.0, wanted(labels), 64, epochs=12, verbose=0)
    return keras.Model(network.inputs, network.outputs)  # without the loss, which is of this file
