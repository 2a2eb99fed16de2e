"""A small model and its data, to start from. Replace it by files of your own; then this file is no longer needed."""

from harness.build.workloads.scenes import scenes

DIGITS = (0, 1)  # masks: 0 for the background, 1 for the ink of a zero, 2 for that of a one


def samples(n, seed, training):
    """Pictures (n, 32, 32, 1) of 0 to 255 with one or two digits, and a class for each pixel."""
    made = scenes(n, seed, side=32, most=2, training=training, digits=DIGITS)
    return made.pictures[..., None], made.masks


def test():
    """What the model is tested on: stored values and masks."""
    return samples(400, seed=2, training=False)


def calibration():
    """What int8 is calibrated with."""
    return samples(300, seed=1, training=True)


def model():
    """A small U-Net, trained. Its inputs are stored values × scale, as experiment.toml says."""
    import keras

    def block(x, filters, **further):
        return keras.layers.Conv2D(filters, 3, padding="same", activation="relu", **further)(x)

    keras.utils.set_random_seed(1)
    picture = keras.Input((32, 32, 1))
    near = block(picture, 8)
    half = block(near, 16, strides=2)
    quarter = block(half, 32, strides=2)
    low = block(quarter, 32, strides=2)
    for beside, filters in ((quarter, 32), (half, 16), (near, 8)):
        low = block(keras.layers.Concatenate()([keras.layers.UpSampling2D()(low), beside]), filters)
    network = keras.Model(picture, keras.layers.Conv2D(3, 1, activation="softmax")(low))
    network.compile(optimizer=keras.optimizers.Adam(0.003), loss="sparse_categorical_crossentropy")
    pictures, masks = samples(800, seed=1, training=True)
    network.fit(pictures / 255, masks, epochs=8, verbose=0)
    return network
