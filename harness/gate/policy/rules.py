"""What a policy says, read and checked: rules in order, each a limit on one metric of the rows it names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.metrics import METRICS, Metric
from harness.metrics.scores import metric_named
from harness.records import BY_DATA, Case, Scoring
from harness.records.terms import Against, LimitKind, Mode, OnInconclusive
from harness.support.globs import fits


def gauges(scoring: Scoring = BY_DATA) -> dict[str, Metric]:
    """Returns the metrics that a rule may name, except top3_accuracy and its like. A metric of which neither way is
    better is shown and never gated on. scoring: the run's, whose user's metrics can be named too, by name or as
    "package.module:function".
    """
    metrics = {metric.name: metric for metric in METRICS.values() if metric.better}
    for declared in scoring.declared:
        metric = metric_named(declared.name, scoring)
        assert metric
        metrics |= {declared.name: metric, declared.reference: metric}
    return metrics


@dataclass(frozen=True)
class Limit:
    """What a rule allows: a bound of the value itself, or of how far it moved."""

    kind: LimitKind
    value: float  # in the metric's unit, or, where relative, a fraction of what the rule stands against
    relative: bool
    text: str  # as the user wrote it

    @property
    def absolute(self) -> bool:
        """Whether it bounds the value itself, not how far it moved."""
        return self.kind in ("max", "min")


@dataclass(frozen=True)
class Rule:
    """A limit on one metric of the rows that it names."""

    number: int  # 1 for the first
    metric: str
    limit: Limit
    confidence: float = 0.95  # one-sided
    variant: str = "*"  # a glob, as target and runtime are; one that begins with ! names all others
    target: str = "*"
    runtime: str = "*"
    output: str = "*"  # the same of the model's outputs
    against: Against = ""  # "" where the limit is on the value alone
    on_inconclusive: OnInconclusive = "fail"
    line: int = 1  # of the policy's text

    @property
    def two_sided(self) -> float:
        """The confidence of the two-sided interval whose ends are the one-sided limits."""
        return 2 * self.confidence - 1

    @property
    def alpha(self) -> float:
        """What a p-value has to be under."""
        return round(1 - self.confidence, 12)  # 1 − .95 is over .05 in floating point

    @property
    def words(self) -> str:
        against = f" against {self.against}" if self.against else ""
        of = "" if self.output == "*" else f" of {self.output}"
        return f"{self.metric}{of} {self.limit.kind} {self.limit.text}{against} at {100 * self.confidence:g} %"

    @property
    def selection(self) -> str:
        """The globs that leave rows out, in words; "" where every row counts."""
        chosen = (("variant", self.variant), ("target", self.target), ("runtime", self.runtime))
        return ", ".join(f'{name} = "{glob}"' for name, glob in chosen if glob != "*")

    def matches(self, case: Case) -> bool:
        globs = ((case.variant, self.variant), (case.target, self.target), (case.runtime, self.runtime))
        return all(fits(name, glob) for name, glob in globs)

    def outputs_of(self, names: Sequence[str]) -> list[str]:
        """Returns the outputs that it names: the one that is called so, else those that fit the glob."""
        return [self.output] if self.output in names else [name for name in names if fits(name, self.output)]


@dataclass(frozen=True)
class Policy:
    """The rules of a release, in order."""

    rules: tuple[Rule, ...]
    mode: Mode = "all"  # every rule must hold for every row; "any": a variant ships if every rule holds for its rows
    source: str = ""  # where it was read
