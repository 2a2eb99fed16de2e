"""Which release of a TFLite runtime works with which processor, Python and glibc: found by experiment. A combination
that was never published is unsupported, not a failure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from harness.device.engines import ENGINES
from harness.errors import ConfigError

Version = tuple[int, ...]


@dataclass(frozen=True)
class Release:
    """A release of a runtime and where its wheels run, which a wheel's tag does not always say.

    numpy: the requirement beside it, or "" where the processor has no numpy wheel and the system's package is used.
    """

    runtime: str
    version: str
    machines: tuple[str, ...]
    pythons: tuple[Version, Version]  # first and last
    glibc: Version
    numpy: str


RELEASES = (  # the newest first: the first that fits is taken
    Release("ai-edge-litert", "2.3.0", ("x86_64", "aarch64"), ((3, 10), (3, 13)), (2, 34), "numpy"),
    Release("ai-edge-litert", "2.1.0", ("x86_64", "aarch64"), ((3, 9), (3, 13)), (2, 27), "numpy"),
    Release("tflite-runtime", "2.14.0", ("x86_64", "aarch64"), ((3, 9), (3, 11)), (2, 34), "numpy<2"),
    Release("tflite-runtime", "2.13.0", ("x86_64", "aarch64"), ((3, 8), (3, 11)), (2, 17), "numpy<2"),
    Release("tflite-runtime", "2.14.0", ("armv7l",), ((3, 9), (3, 11)), (2, 34), ""),
    Release("tflite-runtime", "2.13.0", ("armv7l",), ((3, 8), (3, 10)), (2, 17), ""),
)


def release_for(runtime: str, machine: str, python: str, glibc: str) -> Release | None:
    """The newest release that runs there, or None where none was ever published."""
    for release in RELEASES:
        first, last = release.pythons
        fits = release.runtime == runtime and machine in release.machines and parse(glibc) >= release.glibc
        if fits and first <= parse(python)[:2] <= last:
            return release
    return None


def exists_for(runtime: str, python: str | None, machine: str | None = None) -> bool:
    """Whether this runtime was ever published for this Python ("3.13.0") and processor; unknown counts as yes."""
    known = {m for release in RELEASES for m in release.machines}
    releases = [r for r in RELEASES if r.runtime == runtime and (machine not in known or machine in r.machines)]
    return any(python is None or r.pythons[0] <= parse(python)[:2] <= r.pythons[1] for r in releases)


def parse(version: str) -> Version:
    """ "3.11.2" → (3, 11, 2); what follows the numbers is ignored."""
    numbers = []
    for part in version.split("."):
        if not part.isdigit():
            break
        numbers.append(int(part))
    return tuple(numbers)


def check_runtimes(names: Iterable[str]) -> tuple[str, ...]:
    """The names, each once, in order. Raises ConfigError for an unknown one."""
    for name in names:
        if name not in ENGINES:
            raise ConfigError(f"there is no runtime {name!r}", f"the runtimes are {', '.join(ENGINES)}")
    return tuple(dict.fromkeys(names))
