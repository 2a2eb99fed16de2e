"""How numbers and lists are written: one rule a unit, the same in every format.

A value that is missing is written as "–".
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Protocol, TypeGuard

MISSING = "–"
MOST_MORE = 6  # digits; limits that are closer differ by rounding
SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


# --- numbers -------------------------------------------------------------------------------------------------------


def decimals(value: float | None, digits: int) -> str:
    """Write a number with a fixed count of decimals, grouped thousands and a true minus sign."""
    if not is_known(value):
        return MISSING
    text = f"{value:,.{digits}f}"
    return text.replace("-", "−") if float(text.replace(",", "")) else text.replace("-", "")


def significant(value: float | None, digits: int = 3) -> str:
    """Write a number with that many significant digits; powers of ten only where it is very small or large."""
    if not is_known(value):
        return MISSING
    if value == 0:
        return "0"
    exponent = int(f"{value:.{digits - 1}e}".split("e")[1])  # as it is rounded: 99.97 is 100, not 100.0
    if -4 <= exponent < 7:
        return decimals(value, max(0, digits - 1 - exponent))
    mantissa, power = f"{value:.{digits - 1}e}".split("e")
    return f"{mantissa} × 10{str(int(power)).translate(SUPERSCRIPT)}".replace("-", "−")


def is_known(value: float | None) -> TypeGuard[float]:
    """Say whether there is a value: NaN and infinity are as unknown as None."""
    return value is not None and math.isfinite(value)


def signed(text: str) -> str:
    """Put a + before a written number that is positive; 0 and a missing value have no sign."""
    return text if text == MISSING or text.startswith("−") or not text.strip("0.") else f"+{text}"


def percent(fraction: float | None, more: int = 0) -> str:
    """Write a fraction as a percentage with two decimals and so many more, without the sign %."""
    return MISSING if fraction is None else decimals(fraction * 100, 2 + more)


def points(value: float | None, more: int = 0) -> str:
    """Write percentage points with two decimals and so many more."""
    return decimals(value, 2 + more)


def whole(value: float | None, more: int = 0) -> str:
    return decimals(value, more)


class Write(Protocol):
    """Writes a number with so many digits more than it usually has."""

    def __call__(self, value: float | None, more: int = 0, /) -> str: ...


def with_limits(write: Write, value: float | None, low: float | None, high: float | None) -> tuple[str, str, str]:
    """Write a value and its limits with as many digits as it takes that an interval does not look like a point."""
    more = more_digits(write, low, high)
    return write(value, more), write(low, more), write(high, more)


def more_digits(write: Write, low: float | None, high: float | None) -> int:
    """Return how many digits more than usual it takes to tell two limits apart; 0 where only rounding does."""
    return (
        0 if low == high else next((more for more in range(MOST_MORE + 1) if write(low, more) != write(high, more)), 0)
    )


@dataclass(frozen=True)
class Scale:
    """A unit and how many base units go into one of it."""

    name: str
    base: float

    def text(self, value: float | None, more: int = 0) -> str:
        return MISSING if value is None else significant(value / self.base, 3 + more)

    def with_unit(self, value: float | None) -> str:
        return f"{self.text(value)} {self.name}"


MICROSECONDS = Scale("µs", 1)
MILLISECONDS = Scale("ms", 1e3)
KILOBYTES = Scale("kB", 1e3)
MEGABYTES = Scale("MB", 1e6)
GIGABYTES = Scale("GB", 1e9)


def time_scale(values_us: Sequence[float]) -> Scale:
    """Choose µs, or ms where everything takes longer than one."""
    return MILLISECONDS if values_us and min(values_us) >= 1e3 else MICROSECONDS


def size_scale(values_bytes: Sequence[float]) -> Scale:
    """Choose kB, or MB where everything is larger than one; both decimal, as in a policy."""
    return MEGABYTES if values_bytes and min(values_bytes) >= 1e6 else KILOBYTES


# --- words ---------------------------------------------------------------------------------------------------------


def listed(parts: Iterable[str]) -> str:
    """Join names as in a sentence: a, b and c."""
    names = list(parts)
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else ""


def plural(count: float, noun: str, nouns: str = "") -> str:
    """Count a noun: 1 round, 2 rounds. nouns: the plural, where it is not the noun with an s."""
    return f"{whole(count)} {noun if count == 1 else nouns or noun + 's'}"


def nearest(word: object, words: Iterable[str], lead: str) -> str:
    """Return "did you mean …? <lead> a, b, c": the advice for an unknown word."""
    names = list(words)
    near = get_close_matches(str(word), names, 1, 0.5)
    return f"{f'did you mean {near[0]}? ' if near else ''}{lead} {', '.join(names)}"


def in_markdown(text: str) -> str:
    """Escape what Markdown, HTML inside it or GitHub (@names) would read as markup; the text becomes one line."""
    return re.sub(r"([\\`*_\[\]<>|#@~$&])", r"\\\1", " ".join(text.split()))
