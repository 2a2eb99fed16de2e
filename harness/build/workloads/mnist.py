"""MNIST: 60,000 training and 10,000 test images of handwritten digits, 28×28 uint8 (LeCun, Cortes & Burges).

Looked for in this order: the path given, $HARNESS_MNIST, Keras' cache, Keras' download. A path that was given but does
not hold MNIST is an error: nothing else is tried instead.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from harness.build.workloads.idx import read_idx
from harness.data.validation import validate
from harness.errors import DataError, Unreadable, install_extra
from harness.records import Affine, Dataset
from harness.support.foreign import read_npz

COUNTS = {"train": 60_000, "test": 10_000}
IDX_STEMS = {
    "x_train": "train-images{}idx3-ubyte",
    "y_train": "train-labels{}idx1-ubyte",
    "x_test": "t10k-images{}idx3-ubyte",
    "y_test": "t10k-labels{}idx1-ubyte",
}
FORMATS = "an .npz with x_train, y_train, x_test and y_test, or a folder with the four IDX files, plain or .gz"
DOWNLOAD = "import keras; keras.datasets.mnist.load_data()"
DOWNLOAD_TIMEOUT_S = 300
ARRAYS_BYTES = 1 << 30  # they have 55 MB; labels may be wider than a byte
Run = Callable[..., subprocess.CompletedProcess[str]]  # as subprocess.run


class MnistUnavailable(DataError):
    """MNIST is neither given nor cached, and cannot be downloaded. Given but broken is a plain DataError."""


def load(path: Path | None = None, counts: Mapping[str, int] = COUNTS, run: Run = subprocess.run) -> Dataset:
    """MNIST from the first source there is. Raises DataError for a broken one, MnistUnavailable where there is none.

    counts: the images of each split. run: starts the process that downloads.
    """
    if path is None and os.environ.get("HARNESS_MNIST"):
        path = Path(os.environ["HARNESS_MNIST"])
    source = path or _keras_cache(run)
    arrays = _read(source)
    for split, count in counts.items():
        _check_split(source, split, arrays[f"x_{split}"], arrays[f"y_{split}"], count)
    dataset = Dataset(
        name="mnist",
        train_inputs=(arrays["x_train"],),
        train_labels=arrays["y_train"].astype(np.uint8),
        test_inputs=(arrays["x_test"],),
        test_labels=arrays["y_test"].astype(np.uint8),
        affines=(Affine(scale=1 / 255),),
        class_names=tuple("0123456789"),
        source=str(source),
    )
    validate(dataset)
    return dataset


def _keras_cache(run: Run) -> Path:
    """Keras' own mnist.npz, downloaded if it is not there yet."""
    home = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
    cached = home / "datasets" / "mnist.npz"
    if not cached.is_file():
        _download(home, run)
    if not cached.is_file():
        raise _unavailable(f"Keras left no {cached}")
    return cached


def _download(home: Path, run: Run) -> None:
    """Let Keras fetch MNIST in a process of its own: TensorFlow takes ten seconds to import and never leaves."""
    if find_spec("keras") is None:
        raise _unavailable(f"that takes Keras, which is not installed: {install_extra('build')}")
    environment = os.environ | {"KERAS_HOME": str(home), "TF_CPP_MIN_LOG_LEVEL": "3"}
    argv = [sys.executable, "-c", DOWNLOAD]
    try:
        result = run(argv, env=environment, capture_output=True, text=True, timeout=DOWNLOAD_TIMEOUT_S)
    except subprocess.TimeoutExpired as error:
        raise _unavailable(f"Keras' download took over {DOWNLOAD_TIMEOUT_S} s") from error
    if result.returncode != 0:
        raise _unavailable((result.stderr.strip().splitlines() or ["Keras' download failed"])[-1])


def _unavailable(reason: str) -> MnistUnavailable:
    return MnistUnavailable(
        f"MNIST is not on this machine and could not be downloaded: {reason}",
        f"give it with --data PATH or HARNESS_MNIST=PATH: {FORMATS}; "
        "without a network, `harness run digits` uses the digits that come with scikit-learn",
    )


def _read(path: Path) -> dict[str, np.ndarray]:
    """x_train, y_train, x_test, y_test as they are stored."""
    if not path.exists():
        raise _broken(path, "does not exist")
    return _read_folder(path) if path.is_dir() else _read_npz(path)


def _read_npz(path: Path) -> dict[str, np.ndarray]:
    try:
        return read_npz(path, list(IDX_STEMS), ARRAYS_BYTES)
    except KeyError as error:
        raise _broken(path, f"lacks an array: {error.args[0]}") from error
    except (OSError, Unreadable) as error:
        raise _broken(path, f"is not an .npz, or is truncated: {error}") from error


def _read_folder(folder: Path) -> dict[str, np.ndarray]:
    return {name: read_idx(_idx_file(folder, stem)) for name, stem in IDX_STEMS.items()}


def _idx_file(folder: Path, stem: str) -> Path:
    """The file as it is commonly named: with - or . before "idx", plain or .gz."""
    names = [stem.format(separator) + suffix for separator in "-." for suffix in ("", ".gz")]
    found = [folder / name for name in names if (folder / name).is_file()]
    if not found:
        raise _broken(folder, f"holds no {names[0]}")
    return found[0]


def _check_split(path: Path, split: str, images: np.ndarray, labels: np.ndarray, count: int) -> None:
    if images.dtype != np.uint8 or images.shape != (count, 28, 28):
        raise _broken(path, f"has {split} images of {images.dtype} {images.shape}, not uint8 {(count, 28, 28)}")
    if labels.dtype.kind not in "ui" or labels.shape != (count,):
        raise _broken(path, f"has {split} labels of {labels.dtype} {labels.shape}, not integers {(count,)}")
    classes = np.unique(labels).tolist()
    if classes != list(range(10)):
        raise _broken(path, f"has {split} labels {classes[:12]}, not each of 0 to 9")


def _broken(path: Path, what: str) -> DataError:
    return DataError(f"{path} {what}", f"MNIST is {FORMATS}; fix or delete the file, or give another with --data")
