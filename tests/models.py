"""The small models in tests/models/, and what stands in for TensorFlow where a test builds with them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np

from harness.dataset import Dataset

FOLDER = Path(__file__).parent / "models"
PARAMETERS = 28 * 28 * 8 + 8 + 8 * 10 + 10


def tflite(name: str) -> Path:
    return FOLDER / f"{name}.tflite"


def dense_8(images: np.ndarray) -> np.ndarray:
    """What the trained model answers, by plain numpy: (n, 28, 28) → (n, 10) probabilities."""
    with np.load(FOLDER / "weights.npz") as w:
        hidden = np.maximum(0, images.reshape(len(images), -1) @ w["hidden_weights"] + w["hidden_bias"])
        logits = hidden @ w["output_weights"] + w["output_bias"]
    scores = np.exp(logits - logits.max(axis=1, keepdims=True))
    return (scores / scores.sum(axis=1, keepdims=True)).astype(np.float32)


# The stand-ins are module-level, so that a process can be sent to call them. They take what the originals take.


def train_to(workload_name: str, dataset: Dataset, seed: int, path: Path) -> None:
    path.write_text(f"the model of seed {seed} and data {dataset.train_sha256}")


def predict_to(model_path: Path, inputs: tuple[tuple[np.ndarray], tuple[np.ndarray]], folder: Path) -> None:
    np.savez(folder / "outputs.npz", test0=dense_8(inputs[0][0]), calibration0=dense_8(inputs[1][0]))


def convert(model_path: Path, name: str, calibration: tuple[np.ndarray, ...], target: Path) -> None:
    shutil.copyfile(tflite(name), target)


def convert_in_trouble(model_path: Path, name: str, calibration: tuple[np.ndarray, ...], target: Path) -> None:
    """float16 raises, int8 takes its process with it."""
    if name == "float16":
        raise RuntimeError("no kernel for float16\nand a long story")
    if name == "int8":
        os._exit(134)
    convert(model_path, name, calibration, target)


def parameter_count(model_path: Path) -> int:
    return PARAMETERS
