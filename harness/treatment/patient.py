"""The row that is to be cured: its samples, the device that asks files, and what builds them."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from harness.build.builder import Built, build
from harness.build.keras_process import KerasProcess
from harness.build.lint import of_calibration, shared
from harness.diagnosis.bench import Bench
from harness.errors import ConfigError, JobFailed
from harness.gate.policy import Policy
from harness.records import CONTROL, Affine, Case, Comparison, Dataset, Experiment, Run, Variant
from harness.support.arrays import pick
from harness.support.cache import Cache
from harness.treatment.half_run import compared, part_of
from harness.treatment.halves import Half, Halves, halves_of
from harness.treatment.remedies import Remedy
from harness.treatment.verdict_on import Judged, judged, strict

MOST_BYTES = 64 << 20  # of inputs that one job is given
NAMED = {"model": "the Keras model is", "train": "the calibration data are", "test": "the test data are"}


@dataclass(frozen=True, eq=False)
class Patient:
    """One row, and what files of it are made and judged with."""

    run: Run
    case: Case
    policy: Policy
    bench: Bench

    @cached_property
    def halves(self) -> Halves:
        return halves_of(self.run)

    @cached_property
    def control(self) -> Case:
        return replace(self.case, variant=CONTROL)

    def part(self, half: Half) -> Run:
        return part_of(self.run, self.halves.of(half), self.case)

    def judge(self, file: Variant, half: Half) -> Judged:
        """What the policy says of a file on one half. One that the engine refuses on the search half is invalid; raises
        JobFailed on the held half, which has then judged nothing.
        """
        places = self.halves.of(half)
        try:
            return judged(self.compared(file, places), self.case, strict(self.policy))
        except JobFailed as error:
            if half == "held":
                raise
            return Judged("invalid", len(places), reason=str(error))

    def judge_all(self, file: Variant) -> Judged:
        """The same on the whole test set."""
        try:
            return self.judged_on_all(file)
        except JobFailed as error:
            return Judged("invalid", self.run.test_count, reason=str(error))

    def judged_on_all(self, file: Variant) -> Judged:
        """Raises JobFailed where the engine refuses it."""
        return judged(self.compared(file, np.arange(self.run.test_count)), self.case, self.policy)

    def compared(self, file: Variant, places: np.ndarray) -> Comparison:
        """The row as if this file had been measured on these samples, beside its float32."""
        rows = [(self.control, self.run.variant(CONTROL)), (self.case, file)]
        answers = [(case, own, self.answers(own, places)) for case, own in rows]
        return compared(part_of(self.run, places, self.case), answers)

    def answers(self, file: Variant, places: np.ndarray) -> list[np.ndarray]:
        """What the device answers with a file, real numbers, one array an output of the file."""
        assert file.path is not None
        content = file.path.read_bytes()
        feeds = file.feeds or range(len(self.run.inputs))
        affines = self.run.affines or (Affine(),) * len(self.run.inputs)
        own = [affines[n] for n in feeds]
        bench = self.bench.of(file.name)
        parts = [
            [numbers.read() for numbers in bench.run(content, [pick(self.run.inputs[n], some) for n in feeds], own)]
            for some in np.array_split(places, self.jobs(len(places)))
        ]
        return [np.concatenate(arrays) for arrays in zip(*parts, strict=True)]

    def jobs(self, samples: int) -> int:
        """How many jobs so many samples take."""
        sample_bytes = sum(array[:1].nbytes for array in self.run.inputs)
        return max(1, -(-samples * sample_bytes // MOST_BYTES))


@dataclass(frozen=True, eq=False)
class Workshop:
    """What builds files of the run's model, in one process of TensorFlow. calibration: where further samples are."""

    experiment: Experiment
    dataset: Dataset
    calibration: Path | None
    cache: Cache
    keras: KerasProcess
    hashes: dict[str, str]

    def build(self, remedy: Remedy) -> Variant:
        """Raises ConfigError where the experiment's model or data are not the run's."""
        one = replace(self.experiment, variants=(remedy.name,), recipes={}, imports={})
        one = replace(one, adjusted={remedy.name: remedy.recipe}, preprocessing=None)
        made = build(one, self.dataset, self.cache, quiet, lambda log: nullcontext(self.keras))
        self.check(made)
        return made.variants[0]

    def check(self, made: Built) -> None:
        own = {"model": made.model_sha256, "train": made.dataset.train_sha256, "test": made.dataset.test_sha256}
        for what, sha256 in own.items():
            if self.hashes.get(what, sha256) != sha256:
                told = f"{NAMED[what]} not what the run was made with"
                raise ConfigError(told, "measure again with harness run, and cure that run")


def quiet(text: str) -> None:
    """What building says of the data was said when the run was made."""


def check_further(experiment: Experiment, dataset: Dataset, further: Path) -> tuple[str, ...]:
    """Returns what is odd about further calibration samples. Raises ConfigError where there are none, or where a cure
    would be judged on what it was calibrated with; DataError.
    """
    if not further.exists():
        raise ConfigError(f"there is no {further}", "name a file or folder of samples with --calibration")
    if experiment.load_with is None or dataset.state:
        told = f"{experiment.name} cannot be calibrated with other samples than its own"
        raise ConfigError(told, "leave --calibration out; an experiment.toml without [state] can")
    given = experiment.load_with(further)
    for leak in shared(given):
        told = f"--calibration {further.name}: {leak.what}"
        raise ConfigError(told, "a cure would be tested on what it was calibrated with; give training samples")
    return tuple(f"{further.name}: {remark}" for remark in of_calibration(given))
