"""The text of a policy.toml → Policy. An error names the file, the line and the nearest right word."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from harness.errors import ConfigError
from harness.gate.policy.rules import Limit, Policy, Rule, gauges
from harness.gate.policy.units import parse_limit
from harness.metrics import METRICS, Metric
from harness.metrics.scores import metric_named
from harness.records import BY_DATA, Scoring
from harness.records.terms import LIMIT_KINDS, PAIRINGS, Against, Mode, OnInconclusive
from harness.support.format import nearest
from harness.support.toml import TomlFile, parse_toml

Written = Annotated[str | int | float | None, Field(description='a text such as "5ms", or a number')]
Glob = Annotated[str, Field(min_length=1, description="a name or a glob in quotes")]
Confidence = Annotated[float, Field(gt=0.5, lt=1, description="a number over 0.5 and under 1, such as 0.95")]


class RuleText(BaseModel):
    """What a [[rule]] may hold; an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", strict=True)

    metric: str = Field(description="the name of a metric in quotes")
    max: Written = None
    min: Written = None
    max_increase: Written = None
    max_decrease: Written = None
    confidence: Confidence = 0.95
    variant: Glob = "*"
    target: Glob = "*"
    runtime: Glob = "*"
    output: Glob = "*"
    against: Literal["keras", "float32", "reference"] | None = None
    on_inconclusive: OnInconclusive = "fail"


class PolicyText(BaseModel):
    """What a policy.toml may hold."""

    model_config = ConfigDict(extra="forbid", strict=True)

    mode: Mode = "all"
    rule: list[RuleText] = Field(default=[], description="a [[rule]] table with keys")


class Problem(ConfigError):
    """Something wrong with one key of a rule; key "" is the rule as a whole."""

    def __init__(self, key: str, message: str, advice: str) -> None:
        super().__init__(message, advice)
        self.key = key


def parse_policy(text: str, source: str, scoring: Scoring = BY_DATA) -> Policy:
    """Parses a policy. scoring: the run's.
    Raises ConfigError, also for a policy without a rule: it would let everything pass.
    """
    file = parse_toml(text, source, PolicyText)
    if not file.content.rule:
        raise ConfigError(f"{source} has no rules, so it would let everything pass", "write a [[rule]] with a metric")
    metrics = gauges(scoring)
    rules = tuple(checked_rule(index, file, metrics) for index in range(len(file.content.rule)))
    return Policy(rules, file.content.mode, source)


def checked_rule(index: int, file: TomlFile[PolicyText], metrics: dict[str, Metric]) -> Rule:
    try:
        return rule_of(index + 1, file.content.rule[index], file.line_of("rule", index=index), metrics)
    except Problem as error:
        place = file.where("rule", error.key, index, with_key=False)
        raise ConfigError(f"{place} {error}", error.advice) from error


# --- one rule ------------------------------------------------------------------------------------------------------


def rule_of(number: int, written: RuleText, line: int, metrics: dict[str, Metric]) -> Rule:
    metric = metric_of(written.metric, metrics)
    limit = limit_of(metric, written)
    chosen = written.model_dump(include={"confidence", "variant", "target", "runtime", "output", "on_inconclusive"})
    if metric.about != "answers" and written.output != "*":
        raise Problem("output", f"{metric.name} is not of an output", "leave out output: it is of the whole model")
    against = against_of(metric, limit, written.against)
    return Rule(number, metric.name, limit, against=against, line=line, **chosen)


def metric_of(name: str, metrics: dict[str, Metric]) -> Metric:
    metric = metrics.get(name) or (metric_named(name) if name not in METRICS else None)
    if metric is None:
        raise Problem("metric", f"there is no metric {name!r} to gate on", nearest(name, metrics, "the metrics are"))
    return metric


def limit_of(metric: Metric, written: RuleText) -> Limit:
    kinds = [kind for kind in LIMIT_KINDS if getattr(written, kind) is not None]
    if len(kinds) != 1:
        message = f"has {' and '.join(kinds)}" if kinds else "has no limit"
        advice = f"give one of {', '.join(LIMIT_KINDS)}; two limits are two rules"
        raise Problem(kinds[-1] if kinds else "", message, advice)
    (kind,) = kinds
    if (kind in ("max", "max_increase")) != (metric.better == "lower"):
        fitting = "max or max_increase" if metric.better == "lower" else "min or max_decrease"
        message = f"of {metric.name}, {metric.better} is better: with {kind} an improvement would fail"
        raise Problem(kind, message, f"give {fitting}")
    if metric.paired and kind == "max_increase":
        raise Problem(kind, f"{metric.name} is an increase by itself", "give max, and against what")
    try:
        return parse_limit(metric, kind, getattr(written, kind))
    except ConfigError as error:
        raise Problem(kind, str(error), error.advice) from error


def against_of(metric: Metric, limit: Limit, written: Against | None) -> Against:
    """Returns what the rule stands against.
    By default answers stand against Keras, and a value on its own against nothing.
    """
    moved = not limit.absolute
    possible = pairings(metric, moved)
    if written is None and (moved and not metric.paired):
        raise Problem(limit.kind, f"{limit.kind} of what?", f"give against = {' or '.join(possible)}")
    if written is not None and written not in possible:
        choice = f"stands against {' or '.join(possible)}" if possible else "stands alone"
        advice = "for another run or variant give max_increase or max_decrease"
        raise Problem("against", f"against = {written!r} does not fit: {metric.name} {limit.kind} {choice}", advice)
    return written or (possible[0] if possible else "")


def pairings(metric: Metric, moved: bool) -> tuple[Against, ...]:
    """Returns what a rule may stand against; the default first."""
    if metric.paired and (moved or not metric.alone):
        return PAIRINGS
    if moved and metric.against == "float32" and metric.unit == "ratio":  # a speed-up stands against float32 already
        return ("reference",)
    if moved:
        choices: tuple[Against, ...] = (
            "" if metric.statistic and metric.to_baseline else metric.against,
            "float32",
            "reference",
        )
        return tuple(dict.fromkeys(filter(None, choices)))
    return ("keras",) if metric.against == "keras" and not metric.alone else ()
