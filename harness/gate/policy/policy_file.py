"""The text of a policy.toml → Policy. An error names the file, the line and the nearest right word."""

from __future__ import annotations

import re
import tomllib
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.errors import ConfigError
from harness.gate.policy.rules import Limit, Policy, Rule, gauges
from harness.gate.policy.units import parse_limit
from harness.metrics import METRICS, Metric
from harness.metrics.scores import metric_named
from harness.records import BY_DATA, Scoring
from harness.records.terms import LIMIT_KINDS, PAIRINGS, Against, Mode, OnInconclusive
from harness.support.toml import nearest

WANTED = {  # key → what must stand there
    **dict.fromkeys(LIMIT_KINDS, 'a text such as "5ms", or a number'),
    **dict.fromkeys(("variant", "target", "runtime"), "a name or a glob in quotes"),
    "metric": "the name of a metric in quotes",
    "confidence": "a number over 0.5 and under 1, such as 0.95",
    "rule": "a [[rule]] table with keys",
}
WORDS = {"against": PAIRINGS, "on_inconclusive": get_args(OnInconclusive), "mode": get_args(Mode)}
HEADER = re.compile(r"\s*\[\[\s*[\"']?rule[\"']?\s*\]\]")
Written = str | int | float | None
Glob = Annotated[str, Field(min_length=1)]


class RuleText(BaseModel):
    """What a [[rule]] may hold; an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", strict=True)

    metric: str
    max: Written = None
    min: Written = None
    max_increase: Written = None
    max_decrease: Written = None
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    variant: Glob = "*"
    target: Glob = "*"
    runtime: Glob = "*"
    against: Literal["keras", "float32", "reference"] | None = None
    on_inconclusive: OnInconclusive = "fail"


class PolicyText(BaseModel):
    """What a policy.toml may hold."""

    model_config = ConfigDict(extra="forbid", strict=True)

    mode: Mode = "all"
    rule: list[RuleText] = []


class Problem(ConfigError):
    """Something wrong with one key of a rule; key "" is the rule as a whole."""

    def __init__(self, key: str, message: str, advice: str) -> None:
        super().__init__(message, advice)
        self.key = key


def parse_policy(text: str, source: str, scoring: Scoring = BY_DATA) -> Policy:
    """Raises ConfigError; a policy without a rule is one, since it would let everything pass. scoring: of the run."""
    try:
        written = PolicyText.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{source} is not TOML: {error}", "fix that line") from error
    except ValidationError as error:
        raise not_valid(error, text, source) from error
    if not written.rule:
        raise ConfigError(f"{source} has no rules, so it would let everything pass", "write a [[rule]] with a metric")
    known = gauges(scoring)
    rules = tuple(checked_rule(n, rule, text, source, known) for n, rule in enumerate(written.rule))
    return Policy(rules, written.mode, source)


def checked_rule(index: int, written: RuleText, text: str, source: str, known: dict[str, Metric]) -> Rule:
    try:
        return rule_of(index + 1, written, line_of(text, index, ""), known)
    except Problem as error:
        place = f"{source}:{line_of(text, index, error.key)}: rule {index + 1}"
        raise ConfigError(f"{place}: {error}", error.advice) from error


# --- one rule ------------------------------------------------------------------------------------------------------


def rule_of(number: int, written: RuleText, line: int, known: dict[str, Metric]) -> Rule:
    metric = metric_of(written.metric, known)
    limit = limit_of(metric, written)
    chosen = written.model_dump(include={"confidence", "variant", "target", "runtime", "on_inconclusive"})
    against = against_of(metric, limit, written.against)
    return Rule(number, metric.name, limit, against=against, line=line, **chosen)


def metric_of(name: str, known: dict[str, Metric]) -> Metric:
    metric = known.get(name) or (metric_named(name) if name not in METRICS else None)
    if metric is None:
        raise Problem("metric", f"there is no metric {name!r} to gate on", nearest(name, known, "the metrics are"))
    return metric


def limit_of(metric: Metric, written: RuleText) -> Limit:
    given = [kind for kind in LIMIT_KINDS if getattr(written, kind) is not None]
    if len(given) != 1:
        told = f"has {' and '.join(given)}" if given else "has no limit"
        advice = f"give one of {', '.join(LIMIT_KINDS)}; two limits are two rules"
        raise Problem(given[-1] if given else "", told, advice)
    (kind,) = given
    if (kind in ("max", "max_increase")) != (metric.better == "lower"):
        fitting = "max or max_increase" if metric.better == "lower" else "min or max_decrease"
        told = f"of {metric.name}, {metric.better} is better: with {kind} an improvement would fail"
        raise Problem(kind, told, f"give {fitting}")
    if metric.paired and kind == "max_increase":
        raise Problem(kind, f"{metric.name} is an increase by itself", "give max, and against what")
    try:
        return parse_limit(metric, kind, getattr(written, kind))
    except ConfigError as error:
        raise Problem(kind, str(error), error.advice) from error


def against_of(metric: Metric, limit: Limit, written: Against | None) -> Against:
    """What the rule stands against. Without a word: Keras for answers, nothing for a value on its own."""
    moved = not limit.absolute
    possible = pairings(metric, moved)
    if written is None and (moved and not metric.paired):
        raise Problem(limit.kind, f"{limit.kind} of what?", f"give against = {' or '.join(possible)}")
    if written is not None and written not in possible:
        told = f"stands against {' or '.join(possible)}" if possible else "stands alone"
        advice = "for another run or variant give max_increase or max_decrease"
        raise Problem("against", f"against = {written!r} does not fit: {metric.name} {limit.kind} {told}", advice)
    return written or (possible[0] if possible else "")


def pairings(metric: Metric, moved: bool) -> tuple[Against, ...]:
    """What a rule may stand against, the one that is meant without a word first."""
    if metric.paired and (moved or not metric.alone):
        return PAIRINGS
    if moved and metric.against == "float32" and metric.unit == "ratio":  # a speed-up stands against float32 already
        return ("reference",)
    if moved:
        own: tuple[Against, ...] = (
            "" if metric.statistic and metric.to_baseline else metric.against,
            "float32",
            "reference",
        )
        return tuple(dict.fromkeys(filter(None, own)))
    return ("keras",) if metric.against == "keras" and not metric.alone else ()


# --- where in the file ---------------------------------------------------------------------------------------------


def not_valid(error: ValidationError, text: str, source: str) -> ConfigError:
    """The first thing that pydantic found wrong, in the user's words."""
    found = error.errors()[0]
    place: tuple[Any, ...] = found["loc"]
    index = place[1] if len(place) > 1 and isinstance(place[1], int) else None
    key = str(place[2]) if len(place) > 2 else "" if index is not None else str(place[0])
    model: type[BaseModel] = PolicyText if index is None else RuleText
    where = f"{source}:{line_of(text, index, key)}" + (f": rule {index + 1}" if index is not None else "")
    if found["type"] == "extra_forbidden":
        return ConfigError(f"{where}: unknown key {key!r}", nearest(key, model.model_fields, "the keys are"))
    if found["type"] == "literal_error":
        advice = nearest(found["input"], WORDS[key], "write one of")
        return ConfigError(f"{where}: {key}: {found['input']!r} cannot be used", advice)
    key = key or "rule"
    told = f"has no {key}" if found["type"] == "missing" else f"{key}: {found['input']!r} cannot be used"
    return ConfigError(f"{where}: {told}", f"write {WANTED.get(key, 'a text in quotes')}")


def line_of(text: str, index: int | None, key: str) -> int:
    """The line, from 1, of a key in the rule of that index (None: above all rules), or where the rule begins."""
    lines = text.splitlines()
    headers = [n for n, line in enumerate(lines) if HEADER.match(line)]
    if index is not None and index >= len(headers):  # rule = [{…}], all in one place
        headers, index = [], None
    first = headers[index] if index is not None else 0
    later = [n for n in headers if n > first] if index is not None else headers
    last = later[0] if later else len(lines)
    pattern = re.compile(rf"""(?:.*[{{,])?\s*["']?{re.escape(key)}["']?\s*=""")
    found = (n for n in range(first, last) if key and pattern.match(lines[n]))
    return 1 + next(found, first)
