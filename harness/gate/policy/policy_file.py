"""The text of a policy.toml → Policy. An error names the file, the line and the nearest right word."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from harness.errors import ConfigError
from harness.gate.policy.rules import PAIRINGS, Gauge, Limit, Policy, Rule, gauge_of, gauges
from harness.gate.policy.units import parse_limit
from harness.metrics.scores import TOP_K, top_k
from harness.records import BY_DATA, Scoring
from harness.support.toml import TomlFile, nearest, parse_toml

KINDS = ("max", "min", "max_increase", "max_decrease")
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
    against: Literal["keras", "float32", "reference"] | None = None
    on_inconclusive: Literal["fail", "warn"] = "fail"


class PolicyText(BaseModel):
    """What a policy.toml may hold."""

    model_config = ConfigDict(extra="forbid", strict=True)

    mode: Literal["all", "any"] = "all"
    rule: list[RuleText] = Field(default=[], description="a [[rule]] table with keys")


class Problem(ConfigError):
    """Something wrong with one key of a rule; key "" is the rule as a whole."""

    def __init__(self, key: str, message: str, advice: str) -> None:
        super().__init__(message, advice)
        self.key = key


def parse_policy(text: str, source: str, scoring: Scoring = BY_DATA) -> Policy:
    """Raises ConfigError; a policy without a rule is one, since it would let everything pass. scoring: of the run."""
    file = parse_toml(text, source, PolicyText)
    if not file.content.rule:
        raise ConfigError(f"{source} has no rules, so it would let everything pass", "write a [[rule]] with a metric")
    known = gauges(scoring)
    rules = tuple(checked_rule(index, file, known) for index in range(len(file.content.rule)))
    return Policy(rules, file.content.mode, source)


def checked_rule(index: int, file: TomlFile[PolicyText], known: dict[str, Gauge]) -> Rule:
    try:
        return rule_of(index + 1, file.content.rule[index], file.line_of("rule", index=index), known)
    except Problem as error:
        place = file.where("rule", error.key, index, with_key=False)
        raise ConfigError(f"{place} {error}", error.advice) from error


# --- one rule ------------------------------------------------------------------------------------------------------


def rule_of(number: int, written: RuleText, line: int, known: dict[str, Gauge]) -> Rule:
    gauge = gauge_named(written.metric, known)
    limit = limit_of(gauge, written)
    chosen = written.model_dump(include={"confidence", "variant", "target", "runtime", "on_inconclusive"})
    against = against_of(gauge, limit, written.against)
    return Rule(number, gauge.name, limit, against=against, line=line, **chosen)


def gauge_named(name: str, known: dict[str, Gauge]) -> Gauge:
    if found := TOP_K.fullmatch(name):
        return gauge_of(top_k(int(found[1])))
    if name not in known:
        raise Problem("metric", f"there is no metric {name!r} to gate on", nearest(name, known, "the metrics are"))
    return known[name]


def limit_of(gauge: Gauge, written: RuleText) -> Limit:
    given = [kind for kind in KINDS if getattr(written, kind) is not None]
    if len(given) != 1:
        told = f"has {' and '.join(given)}" if given else "has no limit"
        advice = f"give one of {', '.join(KINDS)}; two limits are two rules"
        raise Problem(given[-1] if given else "", told, advice)
    (kind,) = given
    if (kind in ("max", "max_increase")) != (gauge.better == "lower"):
        fitting = "max or max_increase" if gauge.better == "lower" else "min or max_decrease"
        told = f"of {gauge.name}, {gauge.better} is better: with {kind} an improvement would fail"
        raise Problem(kind, told, f"give {fitting}")
    if gauge.paired and kind == "max_increase":
        raise Problem(kind, f"{gauge.name} is an increase by itself", "give max, and against what")
    try:
        return parse_limit(gauge, kind, getattr(written, kind))
    except ConfigError as error:
        raise Problem(kind, str(error), error.advice) from error


def against_of(gauge: Gauge, limit: Limit, written: str | None) -> str:
    """What the rule stands against. Without a word: Keras for answers, nothing for a value on its own."""
    moved = not limit.absolute
    possible = pairings(gauge, moved)
    if written is None and (moved and not gauge.paired):
        raise Problem(limit.kind, f"{limit.kind} of what?", f"give against = {' or '.join(possible)}")
    if written is not None and written not in possible:
        told = f"stands against {' or '.join(possible)}" if possible else "stands alone"
        advice = "for another run or variant give max_increase or max_decrease"
        raise Problem("against", f"against = {written!r} does not fit: {gauge.name} {limit.kind} {told}", advice)
    return written or (possible[0] if possible else "")


def pairings(gauge: Gauge, moved: bool) -> tuple[str, ...]:
    """What a rule may stand against, the one that is meant without a word first."""
    if gauge.paired and (moved or not gauge.alone):
        return PAIRINGS
    if moved and gauge.against == "float32" and gauge.unit == "ratio":  # a speed-up stands against float32 already
        return ("reference",)
    if moved:
        return tuple(dict.fromkeys(filter(None, (gauge.against, "float32", "reference"))))
    return ("keras",) if gauge.against == "keras" and not gauge.alone else ()
