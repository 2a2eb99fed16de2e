"""What a model is tested on: inputs as they are stored, the affine that makes them model inputs, and labels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from harness.records.model import Affine

if TYPE_CHECKING:  # imported by everything, so it loads nothing heavy itself
    import numpy as np


@dataclass(frozen=True, eq=False)  # arrays do not compare to one bool; the hashes below do
class Dataset:
    """Training and test samples, one array an input of the model, first axis the sample, dtype as stored.

    Arrays may be memory-mapped, and larger than memory.
    """

    name: str
    train_inputs: tuple[np.ndarray, ...]
    train_labels: np.ndarray | None  # None where the training samples serve calibration alone
    test_inputs: tuple[np.ndarray, ...]
    test_labels: np.ndarray | None  # None where there are none to score by
    affines: tuple[Affine, ...]  # one an input
    class_names: tuple[str, ...]  # () where the labels are not classes
    source: str  # where the samples came from, in words for the report
    input_names: tuple[str, ...] = ()  # the model's, in the order of the arrays; () where that is the model's own
    labels_of: str = ""  # the output that the labels were given for by its name; "" where they were not

    @property
    def test_count(self) -> int:
        return len(self.test_inputs[0])

    @cached_property
    def train_sha256(self) -> str:
        """Hash of the training samples and labels: dtypes, shapes and bytes."""
        from harness.support.arrays import sha256_of

        return sha256_of(*self.train_inputs, self.train_labels)

    @cached_property
    def test_sha256(self) -> str:
        """Hash of the test samples and labels: dtypes, shapes and bytes."""
        from harness.support.arrays import sha256_of

        return sha256_of(*self.test_inputs, self.test_labels)
