"""The built-in workloads, without TensorFlow or a network: MNIST is written small, Keras' download is a stub."""

from __future__ import annotations

import gzip
import os
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from harness.build.workloads import WORKLOADS, digits, mnist
from harness.build.workloads.idx import read_idx
from harness.data.calibration import calibration_samples
from harness.errors import ConfigError, DataError
from harness.records import Dataset

COUNTS = {"train": 30, "test": 20}


@pytest.fixture
def arrays() -> dict[str, np.ndarray]:
    """MNIST with 30 training and 20 test images."""
    rng = np.random.default_rng(0)
    images = {f"x_{split}": rng.integers(0, 256, (n, 28, 28), dtype=np.uint8) for split, n in COUNTS.items()}
    return images | {f"y_{split}": (np.arange(n) % 10).astype(np.uint8) for split, n in COUNTS.items()}


@pytest.fixture(autouse=True)
def alone(monkeypatch, tmp_path):
    """No MNIST on this machine."""
    monkeypatch.delenv("HARNESS_MNIST", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))


def no_network(argv: list[str], **_: object) -> subprocess.CompletedProcess[str]:
    return finished(argv, 1, "a warning\nError: no network\n")


def load(path: Path | None = None, run: mnist.Run = no_network) -> Dataset:
    """MNIST, as small as it is here."""
    return mnist.load(path, COUNTS, run)


def finished(argv: list[str], returncode: int, stderr: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.CompletedProcess(argv, returncode, "", stderr)


def write_npz(path: Path, arrays: dict[str, np.ndarray]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, **arrays)
    return path


def idx_bytes(array: np.ndarray) -> bytes:
    return struct.pack(f">4B{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def write_idx_folder(folder: Path, arrays: dict[str, np.ndarray], separator: str = "-", suffix: str = "") -> Path:
    folder.mkdir()
    for name, stem in mnist.IDX_STEMS.items():
        content = idx_bytes(arrays[name])
        file = folder / (stem.format(separator) + suffix)
        file.write_bytes(gzip.compress(content, mtime=0) if suffix else content)
    return folder


# --- IDX -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_idx_round_trip(tmp_path, pack):
    array = np.arange(24, dtype=np.uint8).reshape(4, 3, 2)
    (tmp_path / "file").write_bytes(pack(idx_bytes(array)))
    assert np.array_equal(read_idx(tmp_path / "file"), array)


WHOLE = idx_bytes(np.zeros((5, 4), dtype=np.uint8))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "starts with nothing"),
        (b"\x89PNG....", "starts with 89 50 4e 47"),
        (b"\0\0\x0d\x01" + WHOLE[4:], "not an IDX file of bytes"),  # floats
        (WHOLE[:9], "truncated inside its header"),
        (WHOLE[:-1], r"declares 20 values, shape \(5, 4\), but holds 19"),
        (WHOLE + b"\0", "but holds 21"),
        (b"\0\0\x08\x02" + b"\xff" * 8, "declares 18,446,744,065,119,617,025 values"),
        (gzip.compress(WHOLE, mtime=0)[:-9], "cannot be read"),
        (gzip.compress(WHOLE, mtime=0)[:4], "cannot be read"),
        (gzip.compress(WHOLE, mtime=0)[:-8] + b"\0" * 8, "cannot be read"),  # wrong checksum
    ],
)
def test_broken_idx_files_are_refused(tmp_path, content, message):
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        read_idx(tmp_path / "file")
    assert caught.value.advice


# --- MNIST: what is accepted ---------------------------------------------------------------------------------------


def assert_holds(dataset, arrays):
    assert np.array_equal(dataset.train_inputs[0], arrays["x_train"])
    assert np.array_equal(dataset.test_labels, arrays["y_test"])
    assert dataset.train_labels.dtype == dataset.test_labels.dtype == np.uint8


def test_mnist_from_npz(tmp_path, arrays):
    assert_holds(load(write_npz(tmp_path / "mnist.npz", arrays)), arrays)


@pytest.mark.parametrize("separator", ["-", "."])
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_mnist_from_idx_files(tmp_path, arrays, separator, suffix):
    assert_holds(load(write_idx_folder(tmp_path / "idx", arrays, separator, suffix)), arrays)


def test_mnist_labels_may_be_wider_integers(tmp_path, arrays):
    wide = arrays | {"y_train": arrays["y_train"].astype(np.int64), "y_test": arrays["y_test"].astype(np.int32)}
    assert_holds(load(write_npz(tmp_path / "mnist.npz", wide)), arrays)


# --- MNIST: what is refused ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        (
            "x_train",
            np.zeros((29, 28, 28), np.uint8),
            r"train images of uint8 \(29, 28, 28\), not uint8 \(30, 28, 28\)",
        ),
        ("x_test", np.zeros((20, 784), np.uint8), "test images"),
        ("x_test", np.zeros((20, 28, 28), np.float32), "test images of float32"),
        ("y_train", np.zeros(29, np.uint8), "train labels"),
        ("y_test", np.arange(20) % 10 * 1.0, "test labels of float64"),
        ("y_test", np.arange(20), r"test labels \[0, 1, .*11\], not each of 0 to 9"),
        ("y_test", np.arange(20) % 10 - 1, r"\[-1, 0"),
        ("y_test", np.arange(20) % 9, r"7, 8\], not each"),
        ("y_test", np.array([None] * 20), "of object"),
    ],
)
def test_wrong_arrays_are_refused(tmp_path, arrays, name, array, message):
    path = write_npz(tmp_path / "mnist.npz", arrays | {name: array})
    assert_refused(path, message)


def test_a_missing_array_is_refused(tmp_path, arrays):
    del arrays["y_test"]
    assert_refused(write_npz(tmp_path / "mnist.npz", arrays), "lacks an array: y_test")


def test_truncated_and_damaged_npz_are_refused(tmp_path, arrays):
    path = write_npz(tmp_path / "mnist.npz", arrays)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    assert_refused(path, "is not an .npz, or is truncated")
    path.write_bytes(content[:2_000] + b"\0" * 500 + content[2_500:])
    assert_refused(path, "cannot be read")


def test_other_files_and_no_file_are_refused(tmp_path):
    np.save(tmp_path / "images.npy", np.zeros(3))
    assert_refused(tmp_path / "images.npy", "is not an .npz")
    assert_refused(tmp_path / "absent.npz", "does not exist")


def test_an_incomplete_folder_is_refused(tmp_path, arrays):
    folder = write_idx_folder(tmp_path / "idx", arrays)
    (folder / "t10k-labels-idx1-ubyte").unlink()
    assert_refused(folder, "holds no t10k-labels-idx1-ubyte")


def assert_refused(path: Path, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        load(path)
    assert not isinstance(caught.value, mnist.MnistUnavailable)
    assert str(path) in str(caught.value)
    assert "x_train, y_train, x_test and y_test" in caught.value.advice


# --- MNIST: where it comes from ------------------------------------------------------------------------------------


def test_sources_in_order(tmp_path, arrays, monkeypatch):
    cached = write_npz(tmp_path / "keras/datasets/mnist.npz", arrays)
    named = write_npz(tmp_path / "named.npz", arrays)
    given = write_npz(tmp_path / "given.npz", arrays)
    assert load().source == str(cached)
    monkeypatch.setenv("HARNESS_MNIST", str(named))
    assert load().source == str(named)
    assert load(given).source == str(given)


@pytest.mark.parametrize("by", ["option", "environment"])
def test_a_wrong_path_does_not_fall_through(tmp_path, arrays, monkeypatch, by):
    write_npz(tmp_path / "keras/datasets/mnist.npz", arrays)
    absent = tmp_path / "absent.npz"
    monkeypatch.setenv("HARNESS_MNIST", str(absent))
    with pytest.raises(DataError, match=r"absent.npz does not exist"):
        load(absent if by == "option" else None)


def test_download_leaves_tensorflow_to_a_child(tmp_path, arrays):
    def download(argv, env, **_):
        assert argv[:2] == [sys.executable, "-c"]
        write_npz(Path(env["KERAS_HOME"]) / "datasets" / "mnist.npz", arrays)
        return finished(argv, 0)

    assert_holds(load(run=download), arrays)


def test_no_mnist_anywhere_says_how_to_get_it():
    with pytest.raises(mnist.MnistUnavailable, match="could not be downloaded: Error: no network") as caught:
        load()
    for words in ("--data", "HARNESS_MNIST", ".npz", "IDX", "harness run digits"):
        assert words in caught.value.advice


def test_a_download_that_hangs_or_leaves_nothing_is_no_mnist():
    with pytest.raises(mnist.MnistUnavailable, match="Keras left no"):
        load(run=lambda argv, **_: finished(argv, 0))

    def hang(argv, timeout, **_):
        raise subprocess.TimeoutExpired(argv, timeout)

    with pytest.raises(mnist.MnistUnavailable, match="took over 300 s"):
        load(run=hang)


# --- the workloads themselves --------------------------------------------------------------------------------------


def test_digits_has_the_form_of_mnist():
    dataset = WORKLOADS["digits"].load(None)
    assert dataset.train_inputs[0].shape == (1_297, 28, 28)
    assert dataset.test_inputs[0].shape == (500, 28, 28)
    assert dataset.test_inputs[0].dtype == dataset.test_labels.dtype == np.uint8
    assert set(np.bincount(dataset.test_labels)) <= set(range(48, 53))
    assert dataset.test_sha256 == digits.load().test_sha256


def test_digits_splits_are_disjoint():
    dataset = digits.load()
    train, test = ({image.tobytes() for image in split[0]} for split in (dataset.train_inputs, dataset.test_inputs))
    assert not train & test


def test_enlarge():
    image = np.zeros((1, 8, 8))
    image[0, 0, 0], image[0, 7, 7] = 16, 8
    large = digits.enlarge(image)
    assert large.shape == (1, 28, 28)
    assert (large[0, 2:5, 2:5] == 255).all()
    assert (large[0, 23:26, 23:26] == 128).all()
    assert large.sum(dtype=int) == 9 * 255 + 9 * 128


def test_digits_takes_no_path(tmp_path):
    with pytest.raises(ConfigError, match="takes no data"):
        digits.load(tmp_path)


def test_importing_the_workloads_is_light():
    heavy = "import sys, harness.build.workloads; print({'tensorflow', 'keras', 'sklearn', 'scipy'} & set(sys.modules))"
    argv = [sys.executable, "-c", heavy]
    assert subprocess.Popen(argv, stdout=subprocess.PIPE, text=True).communicate()[0].strip() == "set()"


REAL_MNIST = os.environ.get("HARNESS_MNIST")  # read before the fixture takes it away


@pytest.mark.skipif(not REAL_MNIST and "CI" not in os.environ, reason="HARNESS_MNIST is not set")
def test_real_mnist():
    assert REAL_MNIST, "CI must set HARNESS_MNIST"
    dataset = mnist.load(Path(REAL_MNIST))
    assert dataset.test_labels[:5].tolist() == [7, 2, 1, 0, 4]
    assert np.bincount(dataset.train_labels).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    (samples,) = calibration_samples(dataset, count=500, seed=1)
    assert samples.shape == (500, 28, 28)
