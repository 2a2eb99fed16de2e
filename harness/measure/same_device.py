"""What began on one device goes on there alone: two devices, or two runtimes, are never mixed in one measurement."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from harness.device.engines import installation, split
from harness.errors import TargetError
from harness.records import Case, Environment

IDENTITY = ("serial_sha256", "board", "machine", "python")  # fields of an Environment

Identity = Mapping[str, object]  # a field of IDENTITY, or the name of a runtime → its value then


def identity_of(then: Environment, cases: Iterable[Case] = ()) -> dict[str, object]:
    """Returns what must still hold. A runtime that was not there when it began may have been installed since, and a
    named release that none of the cases runs on may be gone.
    """
    used = {installation(case.runtime) for case in cases}
    counts = {name: version for name, version in then.runtimes.items() if name in used or not split(name).release}
    present = {name: version for name, version in counts.items() if version}
    return {field: getattr(then, field) for field in IDENTITY} | present


def check_same_device(target: str, what: str, then: Identity, now: Environment) -> None:
    """Checks each value of `then` on the device as it is now. what: what began there, such as "run".

    Raises TargetError, which names the first value that differs.
    """
    for name, before in then.items():
        after = getattr(now, name) if name in IDENTITY else now.version_of(name)
        if before != after:
            told = f"{target} is not what this {what} began on: {name} was {before}, and is {after}"
            raise TargetError(told, f"start a new {what}")
