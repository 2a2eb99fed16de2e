"""What can be tested out of the box. To add a workload: one file here, and its line in WORKLOADS.

Neither TensorFlow nor scikit-learn is imported before a workload is used.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.build.workloads import digits, mnist
from harness.build.workloads import reference_model as reference
from harness.records import Dataset

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Workload:
    """A built-in experiment's data and model.

    load: from a path of the user's (`--data`; None: wherever the workload looks) to the data; raises HarnessError.
    train: from the data and a seed to a trained model, the same bytes for the same seed on one machine.
    """

    name: str
    load: Callable[[Path | None], Dataset]
    train: Callable[[Dataset, int], keras.Model]


WORKLOADS = {
    workload.name: workload
    for workload in (
        Workload("mnist", mnist.load, reference.train),
        Workload("digits", digits.load, reference.train),
    )
}
