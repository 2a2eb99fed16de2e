"""What makes two stored runs comparable: the fingerprint, field by field, and where two runs differ in it.

Accuracy needs equal test inputs and labels, size nothing. Latency and memory need every field below marked REFUSE to be
known and equal; one marked WARN is told and no more. Threads and the runtime's name are not here: they are part of a
Case, and cases that differ in them never meet. The delegate and the uptime are not recorded yet.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

import numpy as np

from harness.metrics.task import output_index
from harness.records import Case, DeviceState, Environment, Run
from harness.records.terms import Level
from harness.support.arrays import stretches
from harness.support.format import listed

REFUSE: Level = "refuse"
WARN: Level = "warn"
TEMPERATURE_TOLERANCE_C = 10.0
LOAD_TOLERANCE = 1.0  # one more process that ran all the while
SETTLED_S = 600  # of uptime
HASH_DIGITS = 12  # of 64: enough to tell apart, few enough to read


@dataclass(frozen=True)
class Difference:
    """A field in which two runs are not known to be equal."""

    field: str
    level: Level
    reference: str | None  # its value in words; None: unknown
    candidate: str | None

    @property
    def unknown(self) -> bool:
        """Whether both sides are unknown."""
        return self.reference is None and self.candidate is None

    def __str__(self) -> str:
        one, other = self.reference or "unknown", self.candidate or "unknown"
        values = f"{one} in both" if one == other else f"{one} in the reference, {other} in the candidate"
        return f"{self.field}: {values}"


@dataclass(frozen=True)
class Side:
    """One case in one of the two runs, and what its fields are read from."""

    run: Run
    case: Case

    @property
    def environment(self) -> Environment:
        return self.run.target(self.case.target).environment or Environment()

    @property
    def before(self) -> list[DeviceState]:
        """The device before every usable round: the target's, since the rounds of all cases are shuffled."""
        return [r.before for r in self.run.rounds if r.case.target == self.case.target and r.counts]

    @property
    def emulated(self) -> str:
        """What says so, in words; "" for a real device."""
        declared = self.run.target(self.case.target).target.emulated
        return self.environment.emulation or ("its target file says so" if declared else "")


Value = str | float | None


@dataclass(frozen=True)
class Field:
    """One field of the fingerprint."""

    name: str
    level: Level
    read: Callable[[Side], Value]
    tolerance: float = 0.0  # numbers that differ by no more count as equal
    unknown: Level = WARN  # the level where neither side knows it

    def difference(self, reference: Side, candidate: Side) -> Difference | None:
        """Returns None where both are known and equal. Unknown on both sides does not count as equal."""
        first, second = self.read(reference), self.read(candidate)
        if first is not None and second is not None and close(first, second, self.tolerance):
            return None
        level = self.unknown if first is None and second is None else self.level
        return Difference(self.name, level, words(first), words(second))


def close(first: Value, second: Value, tolerance: float) -> bool:
    if isinstance(first, int | float) and isinstance(second, int | float):
        return abs(first - second) <= tolerance
    return first == second


def words(value: Value) -> str | None:
    return f"{value:,.10g}" if isinstance(value, int | float) else value


# --- how each field is read ----------------------------------------------------------------------------------------


def of_environment(attribute: str) -> Callable[[Side], Value]:
    """Reads an attribute of the device, as one line."""

    def read(side: Side) -> Value:
        value = getattr(side.environment, attribute)
        return " ".join(value.split()) if isinstance(value, str) else value

    return read


def of_plan(attribute: str) -> Callable[[Side], Value]:
    return lambda side: getattr(side.run.plan, attribute)


def short(digest: str | None) -> str | None:
    return digest[:HASH_DIGITS] if digest else None


def device(side: Side) -> str | None:
    return short(side.environment.serial_sha256)


def runtime(side: Side) -> str | None:
    version = side.environment.version_of(side.case.runtime)
    return f"{side.case.runtime} {version}" if version else None


def affinity(side: Side) -> str | None:
    cpus = side.environment.affinity
    return "CPUs " + ", ".join(map(str, cpus)) if cpus else None


def input_shapes(side: Side) -> str | None:
    """Returns the shape of each input of the model: 1×28×28."""
    shapes = ["×".join(map(str, tensor.shape)) for tensor in side.run.variant(side.case.variant).inputs]
    return ", ".join(shapes) or None


def governor(side: Side) -> str | None:
    """Returns the governors that rounds began with; None where one round's is unknown."""
    names = {state.governor for state in side.before}
    return None if not names or None in names else ", ".join(sorted(filter(None, names)))


def start_temperature(side: Side) -> float | None:
    temperatures_c = [state.temperature_c for state in side.before if state.temperature_c is not None]
    return median(temperatures_c) if temperatures_c else None


def load(side: Side) -> float | None:
    loads = [state.load_1m for state in side.before if state.load_1m is not None]
    return median(loads) if loads else None


def uptime(side: Side) -> str | None:
    """Returns whether the device had just started: services are still starting then. Later times are all alike."""
    uptimes_s = [state.uptime_s for state in side.before if state.uptime_s is not None]
    return None if not uptimes_s else f"{'under' if min(uptimes_s) < SETTLED_S else 'over'} {SETTLED_S // 60} minutes"


def scored_output(side: Side) -> str:
    """Returns the name of the scored output. Constant for a single output, so that renaming it is no difference."""
    run = side.run
    return run.scored_output if len(run.baseline) > 1 else "the only one"


def ignored(side: Side) -> Value:
    scoring = side.run.scoring
    return scoring.ignore if scoring.ignore is not None else "NaN" if scoring.holes else "none"


def scored_width(side: Side) -> int:
    output = side.run.baseline[scored_index(side.run)]
    return int(np.prod(output.shape[1:]))


def scored_index(run: Run) -> int:
    return output_index(run.scoring.output, run.output_names)


def detection(side: Side) -> str:
    """Returns how outputs become detections, but for where its own code lies; in short."""
    how = side.run.scoring.detection
    said = repr(replace(how, folder=Path())) if how else ""
    return f"{how.decoder} {hashlib.sha256(said.encode()).hexdigest()[:HASH_DIGITS]}" if how else "none"


def keypoints(side: Side) -> str:
    how = side.run.scoring.keypoints
    return repr(replace(how, folder=Path(), skeleton=())) if how else "none"


def transcription(side: Side) -> str:
    """Returns how an output becomes text, but for where its own code lies; in short."""
    how = side.run.scoring.transcription
    return f"{how.decoder}, blank {how.blank}, alphabet {listed(how.alphabet)}" if how else "none"


def model(side: Side) -> str | None:
    return short(side.run.variant(side.case.variant).sha256)


FIELDS = (  # measurement.md, section 2, in its order
    Field("device", REFUSE, device, unknown=REFUSE),  # two boards of a kind differ by as much as a release may
    Field("board", REFUSE, of_environment("board")),
    Field("revision", REFUSE, of_environment("revision")),
    Field("userland bits", REFUSE, of_environment("userland_bits")),
    Field("page size, bytes", REFUSE, of_environment("page_bytes")),
    Field("runtime", REFUSE, runtime),
    Field("affinity", REFUSE, affinity),
    Field("input shapes", REFUSE, input_shapes),
    Field("plan", REFUSE, of_plan("profile")),
    # what a round is; how many there are is in the interval
    *(Field(f"plan {name}", REFUSE, of_plan(name)) for name in ("min_runs", "min_s", "warmup_s")),
    *(Field(f"plan {name}", REFUSE, of_plan(name)) for name in ("warmup_runs", "max_runs")),
    Field("governor", REFUSE, governor),
    Field("minimum frequency, Hz", REFUSE, of_environment("frequency_min_hz")),
    Field("maximum frequency, Hz", REFUSE, of_environment("frequency_max_hz")),
    Field("kernel", WARN, of_environment("kernel")),
    Field("firmware", WARN, of_environment("firmware")),
    Field("OS", WARN, of_environment("os")),
    Field("Python", WARN, of_environment("python")),
    Field("numpy", WARN, of_environment("numpy")),
    Field("start temperature, °C", WARN, start_temperature, TEMPERATURE_TOLERANCE_C),
    Field("uptime", WARN, uptime),
    Field("load", WARN, load, LOAD_TOLERANCE),
)
MODEL = Field("model", REFUSE, model)
TESTED = Field("test inputs and labels", REFUSE, lambda side: short(side.run.hashes.get("test")))
SAMPLES = (
    Field("order of the test samples", REFUSE, lambda side: "as given" if side.run.numbers is None else "shuffled"),
    TESTED,
    Field("clips and groups", REFUSE, lambda side: short(side.run.hashes.get("marks")) or "none"),
    Field("carried state", REFUSE, lambda side: ", ".join(map(str, side.run.state)) or "none"),
    Field("scored output", REFUSE, scored_output),
    Field("detection", REFUSE, detection),
    Field("keypoints", REFUSE, keypoints),
    Field("transcription", REFUSE, transcription),
    Field("task", REFUSE, lambda side: side.run.task),
    Field("ignored label", REFUSE, ignored),
    Field("numbers a sample", REFUSE, scored_width),
)


# --- the questions -------------------------------------------------------------------------------------------------


def differences(
    reference: Run, candidate: Run, case: Case, same_model: bool = False, there: Case | None = None
) -> tuple[Difference, ...]:
    """Returns where the two are not known to be equal for latency and memory, in the order of FIELDS.

    same_model: the same .tflite is claimed in both (A/A, a remeasured reference), so its hash counts too.
    there: the case as the candidate names it, where it has another name.
    """
    one, other = Side(reference, case), Side(candidate, there or case)
    fields = (*FIELDS, MODEL) if same_model else FIELDS
    each = (field.difference(one, other) for field in fields)
    return (*emulation(one, other), *filter(None, each))


def emulation(one: Side, other: Side) -> Iterator[Difference]:
    """Yields a difference where a device is emulated: it has no latency to compare, even with itself."""
    if one.emulated or other.emulated:
        yield Difference("emulated", REFUSE, one.emulated or "no", other.emulated or "no")


def sample_difference(reference: Run, candidate: Run, case: Case) -> Difference | None:
    """Returns why the samples of two runs cannot be paired: not known to be the same, or scored in another way.

    Unknown refuses.
    """
    one, other = Side(reference, case), Side(candidate, case)
    fields = (field for field in SAMPLES if field is not TESTED or not same_samples(reference, candidate))
    first = next(filter(None, (field.difference(one, other) for field in fields)), None)
    return first and Difference(first.field, REFUSE, first.reference, first.candidate)


def same_samples(one: Run, other: Run) -> bool:
    """Returns whether inputs and the labels of the scored output are the same, where models have several outputs and
    the hashes of both runs are known and differ: they are of all labels, and one run may have more.
    """
    hashes = [run.hashes.get("test") for run in (one, other)]
    if None in hashes or hashes[0] == hashes[1] or min(len(run.outputs) for run in (one, other)) < 2:
        return False
    arrays = [(*run.inputs, *(() if run.labels is None else (run.labels,))) for run in (one, other)]
    return len(arrays[0]) == len(arrays[1]) and all(map(same_array, *arrays))


def same_array(one: np.ndarray, other: np.ndarray) -> bool:
    alike = one.shape == other.shape and one.dtype == other.dtype
    both = zip(stretches(one), stretches(other), strict=True)
    return alike and all(np.array_equal(a, b, equal_nan=a.dtype.kind == "f") for a, b in both)


def refusal(diffs: Iterable[Difference]) -> str:
    """Returns every field that forbids the comparison, with both values; "" where nothing does."""
    return "; ".join(str(difference) for difference in diffs if difference.level == REFUSE)
