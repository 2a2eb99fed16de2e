"""Which release of a TFLite runtime works with which processor, Python and glibc: found by experiment. A combination
that was never published is unsupported, not a failure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from harness.device.engines import ENGINES
from harness.errors import ConfigError


@dataclass(frozen=True)
class Release:
    """A release of a runtime and where its wheels run, which a wheel's tag does not always say.

    numpy: the requirement beside it, or "" where the processor has no numpy wheel and the system's package is used.
    """

    runtime: str
    version: str
    machines: tuple[str, ...]
    pythons: SpecifierSet
    glibc: Version  # the oldest
    numpy: str

    def takes_python(self, python: str) -> bool:
        return version_of(python) in self.pythons

    def fits(self, machine: str, python: str, glibc: str) -> bool:
        return machine in self.machines and self.takes_python(python) and version_of(glibc) >= self.glibc


def release(runtime: str, version: str, machines: Iterable[str], pythons: str, glibc: str, numpy: str) -> Release:
    return Release(runtime, version, tuple(machines), SpecifierSet(pythons), Version(glibc), numpy)


BOTH_64 = ("x86_64", "aarch64")


RELEASES = (  # the newest first: the first that fits is taken
    release("ai-edge-litert", "2.3.0", BOTH_64, ">=3.10,<3.14", "2.34", "numpy"),
    release("ai-edge-litert", "2.1.0", BOTH_64, ">=3.9,<3.14", "2.27", "numpy"),
    release("tflite-runtime", "2.14.0", BOTH_64, ">=3.9,<3.12", "2.34", "numpy<2"),
    release("tflite-runtime", "2.13.0", BOTH_64, ">=3.8,<3.12", "2.17", "numpy<2"),
    release("tflite-runtime", "2.14.0", ["armv7l"], ">=3.9,<3.12", "2.34", ""),
    release("tflite-runtime", "2.13.0", ["armv7l"], ">=3.8,<3.11", "2.17", ""),
)


def release_for(runtime: str, machine: str, python: str, glibc: str) -> Release | None:
    """The newest release that runs there, or None where none was ever published."""
    return next((r for r in RELEASES if r.runtime == runtime and r.fits(machine, python, glibc)), None)


def exists_for(runtime: str, python: str | None, machine: str | None = None) -> bool:
    """Whether this runtime was ever published for this Python ("3.13.0") and processor; unknown counts as yes."""
    known = {m for each in RELEASES for m in each.machines}
    releases = [r for r in RELEASES if r.runtime == runtime and (machine not in known or machine in r.machines)]
    return any(python is None or each.takes_python(python) for each in releases)


def version_of(text: str) -> Version:
    """A version as a device says it: "3.12.0+" of a Python built from its sources is 3.12.0. 0 where it says none."""
    numbers = re.match(r"\d+(\.\d+)*", text)
    return Version(numbers[0] if numbers else "0")


def check_runtimes(names: Iterable[str]) -> tuple[str, ...]:
    """The names, each once, in order. Raises ConfigError for an unknown one."""
    for name in names:
        if name not in ENGINES:
            raise ConfigError(f"there is no runtime {name!r}", f"the runtimes are {', '.join(ENGINES)}")
    return tuple(dict.fromkeys(names))
