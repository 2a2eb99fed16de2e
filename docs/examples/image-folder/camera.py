"""How training prepares a photograph for the model, and how the program on the device does it."""

import numpy as np
from PIL import Image

SIZE = (32, 32)


def training(path):
    """As keras.ops.image.resize does it: the four nearest pixels, no antialiasing. The model takes 0 to 255."""
    image = Image.open(path).convert("RGB")
    whole = (0, 0, image.width, image.height)
    bands = [
        band.convert("F").transform(SIZE, Image.Transform.EXTENT, whole, Image.Resampling.BILINEAR)
        for band in image.split()
    ]
    return np.stack([np.asarray(band) for band in bands], axis=-1)


def device(path):
    """As a camera program in C++ may do it: the nearest pixel, and blue first."""
    image = Image.open(path).convert("RGB").resize(SIZE, Image.Resampling.NEAREST)
    return np.asarray(image, np.float32)[..., ::-1]
