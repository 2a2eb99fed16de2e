"""The small models in tests/models/, and what stands in for TensorFlow where a test builds with them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from harness.build.models import Facts
from harness.build.models.feed import Feed
from harness.build.models.predictions import Habits
from harness.build.variants import Recipe
from harness.records import Dataset, Tensor

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


def describe(model_path: Path) -> Facts:
    return Facts((Tensor("images", "float32", (-1, 28, 28)),), (Tensor("scores", "float32", (-1, 10)),), PARAMETERS)


def outputs(
    model_path: Path,
    feeds: Sequence[Feed],
    stored: tuple[np.ndarray, ...],
    one_by_one: bool,
    starts: np.ndarray | None = None,
) -> tuple[np.ndarray, ...]:
    return (dense_8(feeds[0].values(stored)),)


def habits(model_path: Path, feeds: Sequence[Feed], stored: tuple[np.ndarray, ...]) -> Habits:
    return Habits()


def convert(
    model_path: Path,
    make: Recipe,
    feeds: Sequence[Feed],
    calibration: tuple[np.ndarray, ...],
    target: Path,
    select_ops: bool,
) -> None:
    shutil.copyfile(tflite(make.name), target)


def convert_in_trouble(model_path: Path, make: Recipe, *rest: Any) -> None:
    """float16 raises, int8 takes its process with it."""
    if make.name == "float16":
        raise RuntimeError("no kernel for float16\nand a long story")
    if make.name == "int8":
        os._exit(134)
    convert(model_path, make, *rest)
