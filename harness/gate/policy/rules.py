"""What a policy says, read and checked: rules in order, each a limit on one metric of the rows it names."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from harness.metrics import METRICS
from harness.metrics.scores import SCORES, Score
from harness.records import BY_DATA, Case, Scoring
from harness.records.terms import Against, Better, LimitKind, Mode, OnInconclusive


@dataclass(frozen=True)
class Gauge:
    """What can be gated: its unit, which way is better (lower, higher), what it is measured against ("" for nothing).

    paired: it holds the answers to one test set against other answers to it, so it can stand against any of PAIRINGS.
    alone: max and min bound the value itself, whatever it is measured against.
    """

    name: str
    unit: str
    better: Better
    against: Against
    paired: bool = False
    alone: bool = False


ONLY_GATED = (  # metrics that mean something under a limit alone, beside those of metrics/
    Gauge("error_rate_growth", "%", "lower", "keras", paired=True),
    Gauge("class_accuracy_drop", "pp", "lower", "keras", paired=True),
)
PAIRED = ("accuracy", "accuracy_drop", "flip_rate")


def gauges(scoring: Scoring = BY_DATA) -> dict[str, Gauge]:
    """All that a rule may name, but top3_accuracy and its like. A metric of which neither way is better is shown and
    never gated on. scoring: of the run, whose user's metrics can be named too, as they call themselves or as
    "package.module:function".
    """
    own = [Gauge(m.name, m.unit, m.better, m.against, m.name in PAIRED) for m in METRICS.values() if m.better]
    found = {gauge.name: gauge for gauge in (*own, *map(gauge_of, SCORES.values()), *ONLY_GATED)}
    found["accuracy"] = replace(found["accuracy"], alone=True)
    users = [(d, Gauge(d.name, d.unit, d.better, "keras", alone=True)) for d in scoring.declared]
    return found | {name: gauge for d, gauge in users for name in (d.name, d.reference)}


def gauge_of(score: Score) -> Gauge:
    """How far such a metric moved is paired, but its name says nothing of moving."""
    return Gauge(score.name, score.unit, score.better, "keras" if score.paired else "", alone=True)


@dataclass(frozen=True)
class Limit:
    """kind: max, min, max_increase, max_decrease. value: in the metric's unit, or, where relative, a fraction of what
    the rule stands against. text: as the user wrote it."""

    kind: LimitKind
    value: float
    relative: bool
    text: str

    @property
    def absolute(self) -> bool:
        """Whether it bounds the value itself, not how far it moved."""
        return self.kind in ("max", "min")


@dataclass(frozen=True)
class Rule:
    """number: 1 for the first. confidence: one-sided. variant, target, runtime: globs; one that begins with ! names
    all others. against: keras, float32, reference, "" where the limit is on the value alone."""

    number: int
    metric: str
    limit: Limit
    confidence: float = 0.95
    variant: str = "*"
    target: str = "*"
    runtime: str = "*"
    against: Against = ""
    on_inconclusive: OnInconclusive = "fail"
    line: int = 1

    @property
    def two_sided(self) -> float:
        """The confidence of the two-sided interval whose ends are the one-sided limits."""
        return 2 * self.confidence - 1

    @property
    def words(self) -> str:
        against = f" against {self.against}" if self.against else ""
        return f"{self.metric} {self.limit.kind} {self.limit.text}{against} at {100 * self.confidence:g} %"

    @property
    def selection(self) -> str:
        """The globs that leave rows out, in words; "" where every row counts."""
        chosen = (("variant", self.variant), ("target", self.target), ("runtime", self.runtime))
        return ", ".join(f'{name} = "{glob}"' for name, glob in chosen if glob != "*")

    def matches(self, case: Case) -> bool:
        globs = ((case.variant, self.variant), (case.target, self.target), (case.runtime, self.runtime))
        return all(fits(name, glob) for name, glob in globs)


def fits(name: str, glob: str) -> bool:
    return not fnmatchcase(name, glob[1:]) if glob.startswith("!") else fnmatchcase(name, glob)


@dataclass(frozen=True)
class Policy:
    """mode: all (every rule must hold for every row) or any (a variant ships if every rule holds for its rows)."""

    rules: tuple[Rule, ...]
    mode: Mode = "all"
    source: str = ""
