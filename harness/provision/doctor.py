"""harness doctor: what stands in the way of a good measurement, and what to do about it."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass

from harness.device import engines
from harness.errors import NoPython
from harness.provision.look import Caller, Look, look_at, wanted_releases
from harness.records import Target
from harness.targets import typed

ENOUGH_DISK_BYTES = 300 << 20  # a venv with both runtimes and numpy takes about 200 MB
CLOCK_S = 5.0
BUSY_SHARE = 0.2  # of one core
THROTTLE_BITS = {0x1: "under-voltage", 0x2: "frequency capped", 0x4: "throttled", 0x8: "soft temperature limit"}


@dataclass(frozen=True)
class Finding:
    """level: ok, note (worth knowing) or problem (stands in the way)."""

    level: str
    topic: str
    text: str
    advice: str = ""


def examine(device: Caller) -> Iterator[Finding]:
    """Looks at the device; a device without Python can only tell that. Raises TargetUnreachable."""
    try:
        yield from doctor(device.target, look_at(device))
    except NoPython as error:
        yield reached(device.target)
        yield Finding("problem", "python", str(error), error.advice)


def reached(target: Target) -> Finding:
    text = "reached over ssh, its host key is known" if target.kind == "ssh" else "this machine"
    return Finding("ok", "link", text)


def doctor(target: Target, look: Look) -> Iterator[Finding]:
    """One finding a topic, in the order in which they would stop a run."""
    yield reached(target)
    yield from (check(target, look) for check in CHECKS)
    yield from runtime_findings(target, look)


def python_finding(target: Target, look: Look) -> Finding:
    e = look.environment
    text = f"Python {e.python}, {e.machine}, {e.userland_bits}-bit userland, glibc {e.glibc or 'unknown'}"
    if target.kind == "ssh" and not look.has_venv and not look.venv.whole:
        return Finding("problem", "python", f"{text}; it cannot make a venv", "apt install python3-venv on the device")
    return Finding("ok", "python", text)


def board_finding(target: Target, look: Look) -> Finding:
    e = look.environment
    board = e.board or "board unknown"
    if e.emulated or target.emulated:
        why = e.emulation or "its file says so"
        return Finding("note", "board", f"{board}, emulated ({why})", "no latency claim is made for it")
    return Finding("ok", "board", f"{board}, {e.cpu or 'CPU unknown'}, {e.os}")


def disk_finding(target: Target, look: Look) -> Finding:
    free = f"{look.disk_free_bytes / 1e6:,.0f} MB free for {target.workdir}"
    if not look.disk_writable:
        return Finding("problem", "disk", f"{target.workdir} cannot be written", "choose another workdir")
    if look.disk_free_bytes < ENOUGH_DISK_BYTES:
        return Finding("problem", "disk", free, f"make room: at least {ENOUGH_DISK_BYTES / 1e6:,.0f} MB")
    return Finding("ok", "disk", free)


def lock_finding(target: Target, look: Look) -> Finding:
    if look.holder:
        return Finding("problem", "in use", f"held by {look.holder}", "wait until that run is over")
    return Finding("ok", "in use", "no run holds it")


def clock_finding(target: Target, look: Look) -> Finding:
    ahead = look.time_s - time.time()
    if abs(ahead) > CLOCK_S:
        return Finding("note", "clock", f"{ahead:+.0f} s off this machine's", "switch time synchronisation on")
    return Finding("ok", "clock", "agrees with this machine's")


def temperature_finding(target: Target, look: Look) -> Finding:
    celsius = look.state.temperature_c
    if celsius is None:
        return Finding("note", "temperature", "unknown: no thermal zone of a CPU", "heat cannot be told from noise")
    if celsius > target.start_temperature_c:
        text = f"{celsius:.0f} °C, over the {target.start_temperature_c:.0f} °C to start at"
        return Finding("problem", "temperature", text, "let it cool, or give it a fan")
    return Finding("ok", "temperature", f"{celsius:.0f} °C")


def throttle_finding(target: Target, look: Look) -> Finding:
    flags = look.state.throttled
    if flags is None:
        why = "vcgencmd gave no answer (group video?)" if look.can_vcgencmd else "no vcgencmd"
        return Finding("note", "throttling", f"unknown: {why}", "a throttled round cannot be told from a slow one")
    if not re.fullmatch(r"0x[0-9a-fA-F]{1,8}", flags):
        return Finding("note", "throttling", f"unknown: vcgencmd says {flags!r}", "is its firmware up to date?")
    bits = int(flags, 16)
    live = [name for bit, name in THROTTLE_BITS.items() if bits & bit]
    if live or look.state.undervoltage_alarm:
        words = ", ".join(live or ["under-voltage"])
        return Finding("problem", "throttling", f"{words} now ({flags})", "a better power supply, or cooling")
    if bits:
        return Finding(
            "note", "throttling", f"none now, some since it was switched on ({flags})", "look again after a run"
        )
    return Finding("ok", "throttling", "none")


def governor_finding(target: Target, look: Look) -> Finding:
    governor = look.state.governor
    if governor is None:
        return Finding("note", "governor", "unknown: no cpufreq")
    if governor != "performance":
        return Finding("note", "governor", f"{governor}: the clock moves with the load", "performance steadies it")
    return Finding("ok", "governor", governor)


def neighbours_finding(target: Target, look: Look) -> Finding:
    busy = [f"{name} {share:.0%}" for name, share in look.neighbours if share >= BUSY_SHARE]
    if busy:
        return Finding("problem", "neighbours", f"busy beside us: {', '.join(busy)} of a core", "stop them")
    return Finding("ok", "neighbours", "none busy")


CHECKS = (python_finding, board_finding, disk_finding, lock_finding, clock_finding, temperature_finding,
          throttle_finding, governor_finding, neighbours_finding)  # fmt: skip


def runtime_findings(target: Target, look: Look) -> Iterator[Finding]:
    """For a device behind a link, what our venv holds; for this machine, what this Python has."""
    for name, release in wanted_releases(target, look).items():
        there = look.venv.packages.get(name) if target.kind == "ssh" else engines.version(name)
        if release is None:
            yield Finding("note", name, "nobody publishes it for this device", "its rows will be unsupported")
        elif target.kind == "ssh" and there != release.version:
            state = f"{there} is there" if there else "not there"
            yield Finding("problem", name, f"{state}; {release.version} fits", f"harness setup {typed(target)}")
        else:
            yield Finding("ok", name, there) if there else Finding("problem", name, "not installed", "pip install it")
