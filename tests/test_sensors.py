"""device/sensors.py: what a device says of itself, and None wherever it cannot be known."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from pydantic import TypeAdapter

from harness.device import sensors
from harness.records import DeviceState, Environment

CPUINFO_PI_4 = """processor\t: 0
BogoMIPS\t: 108.00
CPU implementer\t: 0x41
CPU part\t: 0xd08

processor\t: 3
CPU implementer\t: 0x41
CPU part\t: 0xd08

Revision\t: c03114
Serial\t\t: 10000000abcdef01
Model\t\t: Raspberry Pi 4 Model B Rev 1.4
"""


def files(monkeypatch: pytest.MonkeyPatch, known: dict[str, str]) -> None:
    monkeypatch.setattr(sensors, "read", known.get)


def install_vcgencmd(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    command = folder / "vcgencmd"
    command.write_text(f"#!/bin/sh\n{script}\n")
    command.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)


def test_a_raspberry_pi_is_read_from_cpuinfo_where_there_is_no_device_tree(monkeypatch: pytest.MonkeyPatch) -> None:
    files(monkeypatch, {"/proc/cpuinfo": CPUINFO_PI_4})
    assert sensors.board() == "Raspberry Pi 4 Model B Rev 1.4"
    assert sensors.cpuinfo("Revision") == "c03114"
    assert sensors.serial() == "10000000abcdef01"
    assert sensors.cpuinfo("model name") is None


def test_the_serial_leaves_the_device_only_as_a_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    files(monkeypatch, {"/proc/cpuinfo": CPUINFO_PI_4})
    told = json.dumps(sensors.environment())
    assert sensors.hashed("10000000abcdef01") in told
    assert "10000000abcdef01" not in told


def test_the_device_tree_ends_in_a_nul_that_is_not_part_of_the_name(tmp_path: Path) -> None:
    (tmp_path / "model").write_bytes(b"Raspberry Pi 5 Model B Rev 1.0\0")
    assert sensors.read(str(tmp_path / "model")) == "Raspberry Pi 5 Model B Rev 1.0"


@pytest.mark.parametrize(
    ("text", "number"), [("1800000\n", 1_800_000_000), ("-1", -1000), ("<unknown>", None), ("", None)]
)
def test_a_number_that_is_none_is_unknown(tmp_path: Path, text: str, number: int | None) -> None:
    (tmp_path / "file").write_text(text)
    assert sensors.read_int(str(tmp_path / "file"), 1000) == number


def test_vcgencmd_tells_throttling_and_the_real_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = 'get_throttled) echo throttled=0x50005;; "measure_clock arm") echo "frequency(48)=1500398464";;'
    install_vcgencmd(tmp_path, monkeypatch, f'case "$*" in {answers} esac')
    state = sensors.state()
    assert state["throttled"] == "0x50005"
    assert state["frequency_hz"] == 1_500_398_464


@pytest.mark.parametrize("script", ["echo 'VCHI initialization failed' >&2; exit 255", "echo no equals sign", "exit 0"])
def test_a_vcgencmd_that_may_not_or_cannot_answer_is_unknown_never_fine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    install_vcgencmd(tmp_path, monkeypatch, script)
    assert sensors.vcgencmd("get_throttled") is None


def test_a_device_without_vcgencmd_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    assert sensors.state()["throttled"] is None


def test_the_temperature_is_the_cpus_and_not_some_other_zones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    zones = [str(tmp_path / f"thermal_zone{n}") for n in (0, 1)]
    monkeypatch.setattr(sensors.glob, "glob", lambda pattern: zones)
    known = {f"{zones[0]}/type": "wifi", f"{zones[0]}/temp": "91000", f"{zones[1]}/type": "cpu-thermal"}
    files(monkeypatch, known | {f"{zones[1]}/temp": "48312"})
    assert sensors.temperature_c() == 48.312
    files(monkeypatch, known)
    assert sensors.temperature_c() is None


def test_a_machine_that_tells_nothing_is_unknown_throughout(monkeypatch: pytest.MonkeyPatch) -> None:
    files(monkeypatch, {})
    monkeypatch.setattr(sensors.glob, "glob", lambda pattern: [])
    monkeypatch.setattr(sensors, "vcgencmd", lambda *args: None)
    assert set(sensors.state().values()) == {None}
    assert sensors.memory() == {}
    assert sensors.memory_bytes() is None


def test_what_this_machine_says_fits_the_records_as_json() -> None:
    told = json.loads(json.dumps(sensors.environment() | {"runtimes": {}}))
    assert set(told) <= set(Environment.__dataclass_fields__)
    environment = TypeAdapter(Environment).validate_python(told)
    assert environment.python and environment.cores
    assert TypeAdapter(DeviceState).validate_python(json.loads(json.dumps(sensors.state())))


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux")
@pytest.mark.alone
def test_memory_that_is_really_used_is_seen() -> None:
    before = sensors.memory()
    block = np.ones(50 << 20, np.uint8)
    grown = sensors.memory()["RssAnon"] - before["RssAnon"]
    assert 0.9 * block.nbytes < grown < 1.3 * block.nbytes
    assert set(before) == {"VmHWM", "VmRSS", "RssAnon", "RssFile"}
