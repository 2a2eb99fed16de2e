"""A model with three heads on scikit-learn's digits, and its samples: which digit, whether it is odd, how much is ink.

The weights come from scikit-learn, so nothing is trained here. All heads share one layer. In it the column that the
head parity reads is a ten-thousandth as large as the others: float32 does not mind, and int8, which has one scale for
the whole layer, loses it.
"""

import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LinearRegression, LogisticRegression

TRAINING = 1000
TINY = 1e-4


def pixels_and_digits():
    pixels, digits = load_digits(return_X_y=True)
    return (pixels / 16).astype(np.float32), digits


def labels(x, digit):
    return {"digit": digit, "parity": digit % 2, "ink": (x > 0.25).mean(axis=1)}  # ink: a share of the pixels


def samples():
    x, digit = pixels_and_digits()
    yield x[TRAINING:], labels(x[TRAINING:], digit[TRAINING:])


def calibration():
    yield pixels_and_digits()[0][:300]


def model():
    import keras

    x, digit = pixels_and_digits()
    x, y = x[:TRAINING], labels(x[:TRAINING], digit[:TRAINING])
    which, odd = (LogisticRegression(max_iter=1000).fit(x, y[name]) for name in ("digit", "parity"))
    share = LinearRegression().fit(x, y["ink"])

    pixels = keras.Input((64,), name="pixels")
    shared = keras.layers.Dense(12, name="shared")
    features = shared(pixels)
    heads = {
        "digit": keras.layers.Dense(10, activation="softmax", name="digit"),
        "parity": keras.layers.Dense(1, activation="sigmoid", name="parity"),
        "ink": keras.layers.Dense(1, name="ink"),
    }
    whole = keras.Model(pixels, [head(features) for head in heads.values()])

    columns = [which.coef_.T, TINY * odd.coef_.T, share.coef_[:, None]]
    offsets = [which.intercept_, TINY * odd.intercept_, [share.intercept_]]
    shared.set_weights([np.concatenate(columns, axis=1), np.concatenate(offsets)])
    reads = np.eye(12)
    heads["digit"].set_weights([reads[:, :10], np.zeros(10)])
    heads["parity"].set_weights([reads[:, 10:11] / TINY, np.zeros(1)])
    heads["ink"].set_weights([reads[:, 11:], np.zeros(1)])
    return whole
