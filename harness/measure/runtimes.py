"""Which release of a TFLite runtime works with which processor, Python and glibc: found by experiment. A combination
that was never published is unsupported, not a failure. How engines are named is in device/engines.py."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from harness.device.engines import FIRST_WITH, Engine, installation, parse, same_release, split
from harness.errors import ConfigError
from harness.records import Case, Environment
from harness.records.terms import RowStatus


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

    @property
    def needed(self) -> tuple[str, ...]:
        """What pip is asked for."""
        return tuple(filter(None, (f"{self.runtime}=={self.version}", self.numpy)))

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
    release("tflite-micro", "0.dev20261023182759", ["x86_64"], ">=3.11,<3.12", "2.28", "numpy"),
)


def release_for(runtime: str, machine: str, python: str, glibc: str) -> Release | None:
    """The newest release that runs there, or None where none was ever published."""
    return next((r for r in RELEASES if r.runtime == runtime and r.fits(machine, python, glibc)), None)


def exists_for(runtime: str, python: str | None, machine: str | None = None) -> bool:
    """Whether this runtime was ever published for this Python ("3.13.0") and processor; unknown counts as yes."""
    known = {m for each in RELEASES for m in each.machines}
    releases = [r for r in RELEASES if r.runtime == runtime and (machine not in known or machine in r.machines)]
    return any(python is None or each.takes_python(python) for each in releases)


def absence(case: Case, environment: Environment) -> tuple[RowStatus, str]:
    """Why a device has not the engine of a case, and whether it can have it."""
    library, named, kernels = split(case.runtime)
    where = f"Python {environment.python}"
    first = FIRST_WITH.get((library, kernels))
    if named and first and version_of(named) < Version(first):
        return "failed", f"{library}:{kernels} needs release {first} or later, and {named} is named"
    listed = releases_named(library, named)
    if named and not listed:
        return "failed", not_installed(case)
    if not exists_for(library, environment.python):
        return "unsupported", f"there is no {library} for {where}"
    if not exists_for(library, environment.python, environment.machine):
        return "unsupported", f"there is no {library} for the processor {environment.machine} with {where}"
    machine, python, glibc = environment.machine or "", environment.python or "", environment.glibc or ""
    if listed and not any(each.fits(machine, python, glibc) for each in listed):
        return "unsupported", f"{library} {named} does not run with {where}, {machine}, glibc {glibc or 'unknown'}"
    return "failed", not_installed(case)


def not_installed(case: Case) -> str:
    name, named = installation(case.runtime), split(case.runtime).release
    advice = f"; harness setup {case.target} --runtime {name} installs it" if named else ""
    return f"{name} is not installed on {case.target}{advice}"


def releases_named(library: str, named: str) -> list[Release]:
    """The rows of one release, of which there is one for each kind of device; none where it is not listed."""
    return [each for each in RELEASES if each.runtime == library and same_release(each.version, named)]


def release_named(name: str, machine: str, python: str, glibc: str) -> Release | None:
    """What an engine needs there: the release that it names, else the newest that runs; None where it is known that
    there is none. One that is not listed above is tried as it is.
    """
    library, named, _ = parse(name)
    if not named:
        return release_for(library, machine, python, glibc)
    listed = releases_named(library, named)
    if not listed:
        beside = next((each.numpy for each in RELEASES if each.runtime == library and machine in each.machines), "")
        return release(library, named, [machine], "", "0", beside)
    return next((each for each in listed if each.fits(machine, python, glibc)), None)


def version_of(text: str) -> Version:
    """A version as a device says it: "3.12.0+" of a Python built from its sources is 3.12.0. 0 where it says none."""
    numbers = re.match(r"\d+(\.\d+)*", text)
    return Version(numbers[0] if numbers else "0")


def spelled(engine: Engine) -> Engine:
    """The engine with its release as the table above writes it, so that 2.3 and 2.3.0 are one engine."""
    listed = releases_named(engine.runtime, engine.release)
    return engine._replace(release=listed[0].version) if listed else engine


def check_runtimes(names: Iterable[str]) -> tuple[str, ...]:
    """The full names of the engines, each once, in order. Raises ConfigError for one that there is not."""
    try:
        return tuple(dict.fromkeys(str(spelled(parse(name))) for name in names))
    except ValueError as error:
        wrong, _, advice = str(error).partition("; ")
        raise ConfigError(wrong, advice) from error
