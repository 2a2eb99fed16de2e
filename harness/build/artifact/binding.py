"""Which tensor of a .tflite file is which of the model's: the converter orders them as it likes."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Sequence

from harness.errors import BuildError
from harness.records import Tensor

ADVICE = "convert the model with a signature that has its names"
NUMBERED = re.compile(r"output_(\d+)")


def bound(kind: str, wanted: Sequence[Tensor], given: Sequence[Tensor], named: Sequence[str]) -> tuple[int, ...]:
    """For each of the model's inputs or outputs (`kind`) the place of the file's tensor that it is.

    named: the names that the file's signature gives its tensors, () where it has none. By these names, else by the
    tensors' own, else by their shapes where no two are alike. Raises BuildError where they cannot be told apart.
    """
    found = by_name(kind, wanted, given, named) or by_shape(wanted, given)
    if found is None:
        raise unmatched(kind, wanted, given)
    return found


def by_name(
    kind: str, wanted: Sequence[Tensor], given: Sequence[Tensor], named: Sequence[str]
) -> tuple[int, ...] | None:
    """None where the names do not say it. Raises BuildError where there are more of one than of the other."""
    if len(wanted) != len(given):
        told = f"it has {len(given)} {kind}s ({', '.join(t.name for t in given)}), and the model {len(wanted)}"
        raise BuildError(told, "give a file that was converted from this model")
    if len(wanted) == 1:
        return (0,)
    names = [t.name for t in wanted]
    return placed(names, named) or placed(names, [plain(t.name) for t in given])


def by_count(wanted: Sequence[Tensor], named: Sequence[str]) -> tuple[int, ...] | None:
    """Matches by the numbers of a signature that counts its outputs: only of a file that was made here is it known
    that they stand in the model's own order.
    """
    return placed(list(range(len(wanted))), numbers(named))


def by_shape(wanted: Sequence[Tensor], given: Sequence[Tensor]) -> tuple[int, ...] | None:
    """Matches by shapes that no two share, or by shapes and dtypes; None where some are alike."""
    return by_form(wanted, given, lambda t: t.shape[1:]) or by_form(wanted, given, lambda t: (t.shape[1:], t.dtype))


def unmatched(kind: str, wanted: Sequence[Tensor], given: Sequence[Tensor], why: str = "") -> BuildError:
    names, own = ", ".join(t.name for t in wanted), ", ".join(plain(t.name) for t in given)
    return BuildError(f"its {kind}s {own} cannot be matched with the model's {names}{why}", ADVICE)


def placed(wanted: Sequence[Hashable], given: Sequence[Hashable]) -> tuple[int, ...] | None:
    """For each that is wanted its place among those given; None where they are not the same."""
    if len(set(given)) < len(given) or set(wanted) != set(given):
        return None
    return tuple(given.index(each) for each in wanted)


def plain(name: str) -> str:
    """A tensor's name as the model has it: without what the converter sets before and behind it."""
    return re.sub(r":0$", "", name).removeprefix("serving_default_")


def numbers(names: Sequence[str]) -> list[int]:
    """Where a signature counts the model's outputs, as Keras 3 has it: their numbers; [] where it does not."""
    found = [NUMBERED.fullmatch(name) for name in names]
    return [int(match[1]) for match in found if match] if all(found) else []


def by_form(
    wanted: Sequence[Tensor], given: Sequence[Tensor], form: Callable[[Tensor], Hashable]
) -> tuple[int, ...] | None:
    return placed([form(t) for t in wanted], [form(t) for t in given])
