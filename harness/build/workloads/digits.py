"""The embedded workload: scikit-learn's 1,797 handwritten digits, brought to MNIST's form. Needs no network.

Source: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits (UCI, 1998), its test half.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from harness.data.validation import validate
from harness.errors import ConfigError
from harness.records import Affine, Dataset

TEST_COUNT = 500
SPLIT_SEED = 20_231


def load(path: Path | None = None) -> Dataset:
    """1,297 training and 500 test images, 28×28 uint8, every class in proportion. Raises ConfigError for a path."""
    if path is not None:
        raise ConfigError("digits comes with scikit-learn and takes no data", "leave --data out, or run mnist")
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    stored = load_digits()
    x_train, x_test, y_train, y_test = train_test_split(
        enlarge(stored.images),
        stored.target.astype(np.uint8),
        test_size=TEST_COUNT,
        random_state=SPLIT_SEED,
        stratify=stored.target,
    )
    dataset = Dataset(
        name="digits",
        train_inputs=(x_train,),
        train_labels=y_train,
        test_inputs=(x_test,),
        test_labels=y_test,
        affines=(Affine(scale=1 / 255),),
        class_names=tuple("0123456789"),
        source="sklearn.datasets.load_digits",
    )
    validate(dataset)
    return dataset


def enlarge(images: np.ndarray) -> np.ndarray:
    """From (n, 8, 8) values 0..16 to (n, 28, 28) uint8 0..255: each pixel three times, then a border of two."""
    pixels = np.rint(images * (255 / 16)).astype(np.uint8)
    return np.pad(pixels.repeat(3, axis=1).repeat(3, axis=2), ((0, 0), (2, 2), (2, 2)))
