"""harness doctor: what would spoil a measurement, and what to do about it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from harness.device import engines
from harness.errors import NoPython
from harness.measure.connections import kind_of
from harness.measure.provision.probe import Caller, Look, look_at, wanted_releases
from harness.measure.targets import cli_name
from harness.measure.validity import bits, names
from harness.records import Target

ENOUGH_DISK_BYTES = 300 << 20  # a venv with both runtimes and numpy takes about 200 MB
CLOCK_S = 5.0
BUSY_SHARE = 0.2  # of one core


@dataclass(frozen=True)
class Diagnosis:
    """level: ok, note (worth knowing) or problem (would spoil a measurement)."""

    level: str
    topic: str
    text: str
    advice: str = ""


def examine(device: Caller) -> Iterator[Diagnosis]:
    """Looks at the device; without Python on it, that is all that can be said. Raises TargetUnreachable."""
    try:
        yield from doctor(device.target, look_at(device))
    except NoPython as error:
        yield reached(device.target)
        yield Diagnosis("problem", "python", str(error), error.advice)


def reached(target: Target) -> Diagnosis:
    text = "reached over ssh, its host key is known" if kind_of(target).is_remote else "this machine"
    return Diagnosis("ok", "link", text)


def doctor(target: Target, look: Look) -> Iterator[Diagnosis]:
    """One diagnosis a topic, in the order in which they would stop a run."""
    yield reached(target)
    yield from (check(target, look) for check in CHECKS)
    yield from runtime_diagnoses(target, look)


def python_diagnosis(target: Target, look: Look) -> Diagnosis:
    e = look.environment
    text = f"Python {e.python}, {e.machine}, {e.userland_bits}-bit userland, glibc {e.glibc or 'unknown'}"
    if kind_of(target).is_remote and not look.has_venv and not look.venv.whole:
        text += "; it cannot make a venv"
        return Diagnosis("problem", "python", text, "apt install python3-venv on the device")
    return Diagnosis("ok", "python", text)


def board_diagnosis(target: Target, look: Look) -> Diagnosis:
    e = look.environment
    board = e.board or "board unknown"
    if e.emulated or target.emulated:
        why = e.emulation or "its file says so"
        return Diagnosis("note", "board", f"{board}, emulated ({why})", "no latency claim is made for it")
    return Diagnosis("ok", "board", f"{board}, {e.cpu or 'CPU unknown'}, {e.os}")


def disk_diagnosis(target: Target, look: Look) -> Diagnosis:
    free = f"{look.disk_free_bytes / 1e6:,.0f} MB free for {target.workdir}"
    if not look.disk_writable:
        return Diagnosis("problem", "disk", f"{target.workdir} cannot be written", "choose another workdir")
    if look.disk_free_bytes < ENOUGH_DISK_BYTES:
        return Diagnosis("problem", "disk", free, f"make room: at least {ENOUGH_DISK_BYTES / 1e6:,.0f} MB")
    return Diagnosis("ok", "disk", free)


def code_diagnosis(target: Target, look: Look) -> Diagnosis:
    if look.damaged_code:
        text = f"damaged: {', '.join(name[:16] for name in look.damaged_code)}, as a power cut leaves it"
        return Diagnosis("note", "code", text, "the next run sends it again; are other files there damaged, too?")
    return Diagnosis("ok", "code", "what is kept of the device code is whole")


def lock_diagnosis(target: Target, look: Look) -> Diagnosis:
    if look.holder:
        return Diagnosis("problem", "in use", f"held by {look.holder}", "wait until that run has ended")
    return Diagnosis("ok", "in use", "no run holds it")


def clock_diagnosis(target: Target, look: Look) -> Diagnosis:
    ahead = look.time_s - time.time()
    if abs(ahead) > CLOCK_S:
        return Diagnosis("note", "clock", f"{ahead:+.0f} s off this machine's", "switch time synchronisation on")
    return Diagnosis("ok", "clock", "agrees with this machine's")


def temperature_diagnosis(target: Target, look: Look) -> Diagnosis:
    celsius = look.state.temperature_c
    if celsius is None:
        return Diagnosis("note", "temperature", "unknown: no thermal zone of a CPU", "heat would go unnoticed")
    if celsius > target.start_temperature_c:
        text = f"{celsius:.0f} °C, over the {target.start_temperature_c:.0f} °C to start at"
        return Diagnosis("problem", "temperature", text, "let it cool, or give it a fan")
    return Diagnosis("ok", "temperature", f"{celsius:.0f} °C")


def throttle_diagnosis(target: Target, look: Look) -> Diagnosis:
    flags = look.state.throttled
    if flags is None:
        why = "vcgencmd gave no answer (group video?)" if look.can_vcgencmd else "no vcgencmd"
        return Diagnosis("note", "throttling", f"unknown: {why}", "a throttled round looks like a slow one")
    mask = bits(flags)
    if mask is None:
        return Diagnosis("note", "throttling", f"unknown: vcgencmd says {flags!r}", "is its firmware up to date?")
    if names(mask) or look.state.undervoltage_alarm:
        text = f"{names(mask) or 'under-voltage'} now ({flags})"
        return Diagnosis("problem", "throttling", text, "a better power supply, or cooling")
    if mask:
        text = f"none now, but there was since it was switched on ({flags})"
        return Diagnosis("note", "throttling", text, "check again after a run")
    return Diagnosis("ok", "throttling", "none")


def governor_diagnosis(target: Target, look: Look) -> Diagnosis:
    governor = look.state.governor
    if governor is None:
        return Diagnosis("note", "governor", "unknown: no cpufreq")
    if governor != "performance":
        text = f"{governor}: the clock changes with the load"
        return Diagnosis("note", "governor", text, "performance keeps it steady: harness run --tune")
    return Diagnosis("ok", "governor", governor)


def neighbours_diagnosis(target: Target, look: Look) -> Diagnosis:
    busy = [f"{name} {share:.0%}" for name, share in look.neighbours if share >= BUSY_SHARE]
    if busy:
        return Diagnosis("problem", "neighbours", f"other processes are busy: {', '.join(busy)} of a core", "stop them")
    return Diagnosis("ok", "neighbours", "no other process is busy")


CHECKS = (python_diagnosis, board_diagnosis, disk_diagnosis, code_diagnosis, lock_diagnosis, clock_diagnosis,
          temperature_diagnosis, throttle_diagnosis, governor_diagnosis, neighbours_diagnosis)  # fmt: skip


def here(name: str) -> str | None:
    """The version in this very Python, where no release is named."""
    return None if engines.parse(name).release else engines.version(name)


def runtime_diagnoses(target: Target, look: Look) -> Iterator[Diagnosis]:
    """For a device behind a link, what our venv holds; for this machine, what this Python has."""
    is_remote = kind_of(target).is_remote
    for name, release in wanted_releases(target, look).items():
        there = look.engines.get(name) or (look.venv.packages.get(name) if is_remote else here(name))
        if release is None:
            yield Diagnosis("note", name, "no release exists for this device", "its rows will be unsupported")
        elif (is_remote or engines.parse(name).release) and not engines.same_release(there or "", release.version):
            state = f"{there} is installed" if there else "not installed"
            yield Diagnosis("problem", name, f"{state}; {release.version} fits", f"harness setup {cli_name(target)}")
        elif there:
            yield Diagnosis("ok", name, there)
        else:
            yield Diagnosis("problem", name, "not installed", "pip install it")
