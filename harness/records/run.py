"""All that one run left behind."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.records.dataset import Carried
from harness.records.measurement import Audit, Environment, Round, Shard
from harness.records.model import KERAS, Affine, Variant
from harness.records.plan import BY_DATA, Case, Declared, Head, Plan, Scoring, Target
from harness.records.terms import Task

if TYPE_CHECKING:  # imported by everything, so it loads nothing heavy itself
    import numpy as np

MOSTLY = 0.95  # of a test set, that is without copies: those of whole numbers may be equal by chance


@dataclass(frozen=True)
class TargetRecord:
    """What a run knows of one of its targets."""

    target: Target
    environment: Environment | None = None
    bytes_sent: dict[str, int] = field(default_factory=dict)  # "blobs", "jobs"

    @property
    def emulated(self) -> bool:
        """Whether its file, or the device itself, says that it is emulated."""
        return self.target.emulated or bool(self.environment and self.environment.emulated)


@dataclass(frozen=True)
class Provenance:
    """What a run was made with; "" and () where that is unknown."""

    created: str = ""  # ISO 8601, UTC
    harness: str = ""
    python: str = ""
    tensorflow: str = ""
    keras: str = ""
    data: str = ""
    seed: int | None = None
    baseline: str = KERAS
    remarks: tuple[str, ...] = ()  # what was odd about the data
    distinct: int | None = None  # how many test samples differ from all before them; None in an older run
    candidate: str = ""  # the ids of the runs that a gate timed side by side in this one
    reference: str = ""

    def repeats(self, samples: int) -> bool:
        """Returns whether many of so many test samples are copies of others."""
        return self.distinct is not None and self.distinct < MOSTLY * samples


@dataclass(frozen=True)
class Run:
    """All that one run left behind. Arrays are in the order of the test set."""

    run_id: str
    experiment: str
    task: Task
    class_names: tuple[str, ...]
    plan: Plan
    variants: tuple[Variant, ...]
    targets: tuple[TargetRecord, ...]
    cases: tuple[Case, ...]
    labels: np.ndarray | None  # None where there are none to score by
    inputs: tuple[np.ndarray, ...]  # as stored, one array an input of the model
    baseline: tuple[np.ndarray, ...]
    rounds: tuple[Round, ...]
    shards: tuple[Shard, ...]
    path: Path
    finished: bool
    provenance: Provenance = Provenance()
    hashes: dict[str, str] = field(default_factory=dict)  # sha256 of "model", "train", "test" (inputs and labels)
    scoring: Scoring = BY_DATA
    output_names: tuple[str, ...] = ()  # of the baseline, one an array
    audits: tuple[Audit, ...] = ()  # none in a run that is older than audits
    affines: tuple[Affine, ...] = ()  # of the inputs, one an array; () where none is scaled
    input_names: tuple[str, ...] = ()  # the model's, one an array; () in a run that is older than this
    clips: np.ndarray | None = None  # as Dataset has them
    groups: np.ndarray | None = None
    queries: np.ndarray | None = None
    pairs: np.ndarray | None = None
    state: tuple[Carried, ...] = ()
    numbers: np.ndarray | None = None
    stopped_of: int | None = None  # of a row that was decided early: how many samples the test set has in all
    heads: dict[str, Head] = field(default_factory=dict)  # by name, of the outputs beside the scored one with labels
    head_labels: dict[str, np.ndarray] = field(default_factory=dict)  # theirs, (samples, …)
    unsealed: str = ""  # why its files cannot be proved to be those that were measured; "" where they were checked

    @property
    def withheld(self) -> tuple[Declared, ...]:
        """Returns the run's own metrics whose code may not be called, since nobody here trusts the run."""
        return () if self.scoring.trusted else self.every_scoring.declared

    @property
    def every_scoring(self) -> Scoring:
        """Returns the scoring, with the users' metrics of every labelled output: a rule may be on any of them."""
        declared = [
            d for scoring in (self.scoring, *(h.scoring for h in self.heads.values())) for d in scoring.declared
        ]
        return replace(self.scoring, declared=tuple(dict.fromkeys(declared)))

    @property
    def outputs(self) -> tuple[str, ...]:
        """Returns the names of the model's outputs, in its order; one without a name goes by its number."""
        return self.output_names or tuple(str(n) for n in range(len(self.baseline)))

    @property
    def scored_output(self) -> str:
        """Returns the name of the output that labels are of, and that a row is judged by first."""
        return self.scoring.output or self.outputs[0]

    @property
    def labelled_outputs(self) -> tuple[str, ...]:
        """Returns the names of the outputs that have labels, the scored one first."""
        return (*(() if self.labels is None else (self.scored_output,)), *self.heads)

    @property
    def tasks(self) -> tuple[Task, ...]:
        """Returns the tasks that the run is judged by, the scored output's first."""
        return tuple(dict.fromkeys((self.task, *(head.task for head in self.heads.values()))))

    @property
    def brought(self) -> tuple[int, ...]:
        """Returns the places of the inputs that hold what each sample brings: the others take a state."""
        return tuple(n for n in range(len(self.inputs)) if n not in {each.fed for each in self.state})

    @property
    def test_count(self) -> int:
        return len(self.inputs[0])

    def number_of(self, sample: int) -> int:
        """Returns the sample's number in the user's own order, which a run until decided does not keep."""
        return sample if self.numbers is None else int(self.numbers[sample])

    def place_of(self, number: int) -> int:
        """Returns the place in the arrays of the sample that has this number in the user's own order."""
        return number if self.numbers is None else int((self.numbers == number).argmax())

    def first(self, samples: int, cases: tuple[Case, ...]) -> Run:
        """Returns the run as if it had only its first samples, and these cases. Only where samples are independent."""
        return replace(
            self,
            inputs=tuple(array[:samples] for array in self.inputs),
            labels=None if self.labels is None else self.labels[:samples],
            baseline=tuple(array[:samples] for array in self.baseline),
            numbers=None if self.numbers is None else self.numbers[:samples],
            head_labels={name: labels[:samples] for name, labels in self.head_labels.items()},
            cases=cases,
            provenance=replace(self.provenance, distinct=None),
            stopped_of=self.test_count,
        )

    def accuracy_case(self, case: Case) -> Case:
        """Returns the case whose outputs stand for this one: the same at the lowest thread count."""
        threads = [c.threads for c in self.cases if replace(c, threads=case.threads) == case]
        return replace(case, threads=min(threads, default=case.threads))

    def usable_rounds(self, case: Case) -> list[Round]:
        """Returns the rounds of the case that count, in order."""
        return sorted((r for r in self.rounds if r.case == case and r.counts), key=lambda r: r.index)

    def first_attempts(self, case: Case) -> list[Round]:
        """Returns the same rounds, each by its first believable attempt: an unsteady one is measured again, and to take
        the later is a selection. Empty where none was measured again for that.
        """
        first: dict[int, Round] = {}
        for piece in sorted((r for r in self.rounds if r.case == case), key=lambda r: r.attempt):
            if piece.counts or piece.status == "repeated":
                first.setdefault(piece.index, piece)
        kept = [first[r.index] for r in self.usable_rounds(case)]
        return kept if any(r.status == "repeated" for r in kept) else []

    def variant(self, name: str) -> Variant:
        return next(v for v in self.variants if v.name == name)

    def target(self, name: str) -> TargetRecord:
        return next(t for t in self.targets if t.target.name == name)
