"""A limit as a user writes it, "5ms", "0.5pp", "120KB", 3 → a number in the metric's own unit.

KB = 1,000 bytes and KiB = 1,024. % and pp are never mixed up: of an accuracy drop, "1pp" is one point and "1%" one
hundredth of the accuracy it is lost from.
"""

from __future__ import annotations

import math
import re
from difflib import get_close_matches

from harness.errors import ConfigError
from harness.gate.policy.rules import Limit
from harness.metrics import Metric
from harness.records.terms import LimitKind

TIMES_US = {"ns": 1e-3, "us": 1.0, "µs": 1.0, "μs": 1.0, "ms": 1e3, "s": 1e6}  # both signs for micro
BYTES = {"B": 1.0, "kB": 1e3, "KB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 1024.0, "MiB": 1024.0**2, "GiB": 1024.0**3}
FITTING: dict[str, dict[str, float]] = {  # a metric's unit → what may be written, and how much of the unit it is
    "us": TIMES_US,
    "ms": {name: us / 1e3 for name, us in TIMES_US.items()},
    "ns": {name: us * 1e3 for name, us in TIMES_US.items()},
    "bytes": {"": 1.0, **BYTES},
    "pp": {"pp": 1.0},
    "fraction": {"": 1.0, "%": 0.01, "pp": 0.01},
    "%": {"%": 1.0},
    "ratio": {"": 1.0, "x": 1.0, "×": 1.0},
    "dB": {"": 1.0, "dB": 1.0},
    "bits": {"": 1.0, "bits": 1.0},
}
PLAIN = {"": 1.0}
TESTED = ("drop", "class_drop", "flip_rate")  # ways to judge whose test is defined for a limit over 0
NEVER_ZERO = ("us", "ms", "ns", "bytes", "ratio", "pp")
NUMBER = re.compile(r"\s*([+-]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*([^\s\d,.]*)\s*")  # 1,5 is 15 to some


def parse_limit(metric: Metric, kind: LimitKind, written: str | float) -> Limit:
    """Parses a limit. Raises ConfigError where the text is not a number, or its unit does not fit the metric."""
    text = written if isinstance(written, str) else f"{written:g}"
    number, unit = split(text) if isinstance(written, str) else (float(written), "")
    if not math.isfinite(number):
        raise ConfigError(f"{text} is not a limit", "give a finite number")
    if unit == "%" and is_relative(metric, kind):
        return check_limit(metric, Limit(kind, number / 100, True, text))
    fitting = FITTING.get(metric.unit, PLAIN | {metric.unit: 1.0})
    if unit not in fitting:
        raise ConfigError(
            f"{text!r} does not fit {metric.name}, which is in {metric.unit}", units_advice(metric, kind, unit)
        )
    return check_limit(metric, Limit(kind, number * fitting[unit], False, text))


def split(text: str) -> tuple[float, str]:
    match = NUMBER.fullmatch(text)
    if not match:
        raise ConfigError(f"{text!r} is not a limit", 'give a number and its unit, such as "5ms", "0.5pp" or "120KB"')
    return float(match[1].replace("_", "")), match[2]


def is_relative(metric: Metric, kind: LimitKind) -> bool:
    """Returns whether a % of such a limit is a share of what the rule stands against. Growth is in % by itself."""
    return kind.startswith("max_") or (metric.unit == "pp" and metric.paired)


def units_advice(metric: Metric, kind: LimitKind, unit: str) -> str:
    fitting = [name for name in FITTING.get(metric.unit, PLAIN) if name and name != "μs"]
    if is_relative(metric, kind):
        fitting.append("%")
    if unit == "%" and "%" not in fitting:
        moved = "max_increase" if metric.better == "lower" else "max_decrease"
        return f'a % is of something: write {moved} = "…%" and against'
    if not fitting:
        return "give a plain number"
    by_lower = {name.lower(): name for name in fitting}
    near = get_close_matches(unit.lower(), by_lower, 1, 0.5)
    return f"{f'did you mean {by_lower[near[0]]}? ' if near else ''}the units are {', '.join(fitting)}"


def check_limit(metric: Metric, limit: Limit) -> Limit:
    """Returns the limit. Raises ConfigError where it always passes or always fails."""
    if limit.kind.startswith("max_"):
        return check_move(metric, limit)
    if limit.value <= 0 and metric.unit == "fraction" and limit.kind == "min" and metric.bounded:
        raise ConfigError(f"any {metric.name} is over {limit.text}", "give a limit over 0")
    if limit.value <= 0 and (metric.unit in NEVER_ZERO or metric.judged in TESTED):
        nothing = "no" if metric.better == "lower" else "any"
        over = "under" if metric.better == "lower" else "over"
        raise ConfigError(f"{nothing} {metric.name} can be shown to be {over} {limit.text}", "give a limit over 0")
    if limit.value < 0 and metric.unit == "count":
        raise ConfigError(f"no {metric.name} can be under {limit.text}", "give 0 or more")
    share = limit.relative or metric.unit in ("pp", "fraction", "bits")
    whole = 100 if metric.unit == "pp" and not limit.relative else 1
    if share and limit.value >= whole:
        raise ConfigError(f"{metric.name} = {limit.text} is all of it", "a limit is under 100 %, 100 pp or 1")
    return limit


def check_move(metric: Metric, limit: Limit) -> Limit:
    """Returns a limit on how far a metric moves the wrong way. Raises ConfigError as `checked` does."""
    if limit.value < 0:
        raise ConfigError(f"{limit.kind} = {limit.text} demands an improvement", "give 0 or more")
    bounded = metric.unit in ("fraction", "bits") and metric.bounded
    falls = limit.kind == "max_decrease"
    if limit.value >= 1 and ((falls and limit.relative) or (bounded and not limit.relative)):
        advice = 'a limit is under 100 %, 100 pp or 1: for points, write "5pp"'
        raise ConfigError(f"{metric.name} can never move further than {limit.kind} = {limit.text}", advice)
    return limit
