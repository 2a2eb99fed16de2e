"""What doctor makes of what it sees, which releases a device gets, and the look itself. No board needed."""

from __future__ import annotations

import fcntl
import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.errors import NoPython, TargetError
from harness.measure.connections.device_code import look_script
from harness.measure.connections.link import Link
from harness.measure.provision import enroll
from harness.measure.provision.doctor import Diagnosis, doctor, examine
from harness.measure.provision.install import download, failure_of, install
from harness.measure.provision.probe import Here, Look, Release, Venv, look_at, wanted_releases
from harness.measure.provision.setup import make_venv, set_up_base
from harness.records import DeviceState, Environment, Target
from tests.conftest import Call

NONE = Venv(False, {})
PI = Target("pi", "ssh", host="raspberrypi.local")
RELEASES = {"ai-edge-litert": "2.3.0", "tflite-runtime": "2.14.0", "pip": "23.0.1"}
BOOKWORM = Environment(
    board="Raspberry Pi 5 Model B Rev 1.0", cpu="0xd0b", machine="aarch64", userland_bits=64, python="3.11.2",
    glibc="2.36", os="Debian GNU/Linux 12 (bookworm)",
)  # fmt: skip


def healthy() -> Look:
    """A board that is set up, with nothing in the way."""
    return Look(
        environment=BOOKWORM,
        state=DeviceState(temperature_c=45.0, governor="performance", throttled="0x0"),
        executable="/usr/bin/python3",
        has_venv=True,
        system_numpy=False,
        venv=Venv(True, dict(RELEASES)),
        disk_free_bytes=10 << 30,
        disk_writable=True,
        time_s=time.time(),
        holder=None,
        neighbours=(),
        can_vcgencmd=True,
    )


def with_state(**values: Any) -> Look:
    return replace(healthy(), state=replace(healthy().state, **values))


def finding(look: Look, topic: str, target: Target = PI) -> Diagnosis:
    (found,) = (f for f in doctor(target, look) if f.topic == topic)
    return found


def test_nothing_stands_in_the_way_of_a_healthy_board() -> None:
    assert {f.level for f in doctor(PI, healthy())} == {"ok"}


@pytest.mark.parametrize(
    ("look", "topic", "level", "text", "advice"),
    [
        (replace(healthy(), has_venv=False, venv=NONE), "python", "problem", "cannot make a venv", "python3-venv"),
        (replace(healthy(), disk_writable=False), "disk", "problem", "cannot be written", "another workdir"),
        (replace(healthy(), disk_free_bytes=50 << 20), "disk", "problem", "52 MB free", "make room"),
        (replace(healthy(), holder="ann@desk, run x"), "in use", "problem", "held by ann@desk", "wait"),
        (replace(healthy(), time_s=0.0), "clock", "note", " s off this machine's", "synchronisation"),
        (with_state(temperature_c=81.2), "temperature", "problem", "81 °C, over the 60 °C", "cool"),
        (with_state(temperature_c=None), "temperature", "note", "unknown", "heat"),
        (with_state(throttled=None), "throttling", "note", "group video", "looks like a slow one"),
        (replace(with_state(throttled=None), can_vcgencmd=False), "throttling", "note", "no vcgencmd", "slow one"),
        (with_state(throttled="0x4"), "throttling", "problem", "throttled now (0x4)", "power supply"),
        (with_state(throttled="0x50000"), "throttling", "note", "none now, but there was since", "again"),
        (with_state(undervoltage_alarm=1), "throttling", "problem", "under-voltage now", "power supply"),
        (with_state(throttled="VCHI failed"), "throttling", "note", "unknown: vcgencmd says", "firmware"),
        (with_state(governor="ondemand"), "governor", "note", "ondemand", "performance"),
        (with_state(governor=None), "governor", "note", "unknown", ""),
        (replace(healthy(), neighbours=(("make", 0.9), ("sshd", 0.01))), "neighbours", "problem", "make 90%", "stop"),
        (replace(healthy(), environment=replace(BOOKWORM, emulation="QEMU_CPU is set")), "board", "note", "emulated",
         "no latency claim"),
        (replace(healthy(), venv=NONE), "ai-edge-litert", "problem", "2.3.0 fits", "harness setup pi"),
        (replace(healthy(), venv=Venv(True, RELEASES | {"tflite-runtime": "2.13.0"})), "tflite-runtime", "problem",
         "2.13.0 is installed; 2.14.0 fits", "harness setup pi"),
        (replace(healthy(), environment=replace(BOOKWORM, python="3.13.5", glibc="2.41")), "tflite-runtime", "note",
         "no release exists", "unsupported"),
    ],
)  # fmt: skip
def test_each_finding_comes_with_what_to_do(look: Look, topic: str, level: str, text: str, advice: str) -> None:
    found = finding(look, topic)
    assert found.level == level
    assert text in found.text and advice in found.advice


def test_a_release_that_is_named_is_there_however_it_writes_its_version() -> None:
    name = "ai-edge-litert@2.1.6"
    target, look = replace(PI, runtimes=(name,)), replace(healthy(), engines={name: "2.1.6+local"})
    assert finding(look, name, target).level == "ok"
    assert finding(replace(look, engines={name: "2.1.7"}), name, target).text == "2.1.7 is installed; 2.1.6 fits"
    assert finding(replace(look, engines={}), name, target).text == "not installed; 2.1.6 fits"


def test_unknown_is_never_fine() -> None:
    look = replace(healthy(), environment=Environment(), state=DeviceState(), can_vcgencmd=False)
    found = {f.topic: f for f in doctor(PI, look)}
    for topic in ("temperature", "throttling", "governor"):
        assert found[topic].level == "note" and "unknown" in found[topic].text


def test_this_machine_is_asked_for_its_own_runtimes() -> None:
    found = {f.topic: f for f in examine(Here(Target("host", workdir="/nowhere/at/all")))}
    assert found["link"].text == "this machine"
    assert found["ai-edge-litert"].level == "ok" and found["python"].level == "ok"


# Which releases fit: the table of docs and design, found by experiment.


@pytest.mark.parametrize(
    ("machine", "bits", "python", "glibc", "litert", "tflite"),
    [
        ("aarch64", 64, "3.11.2", "2.36", "2.3.0", "2.14.0"),  # Bookworm
        ("aarch64", 64, "3.13.5", "2.41", "2.3.0", None),  # Trixie
        ("aarch64", 64, "3.9.2", "2.31", "2.1.0", "2.13.0"),  # Bullseye
        ("armv7l", 32, "3.11.2", "2.36", None, "2.14.0"),
        ("armv7l", 32, "3.9.2", "2.31", None, "2.13.0"),
        ("aarch64", 32, "3.11.2", "2.36", None, "2.14.0"),  # a 64-bit kernel under a 32-bit userland
        ("armv6l", 32, "3.11.2", "2.36", None, None),
        ("x86_64", 64, "3.11.7", "2.36", "2.3.0", "2.14.0"),
        ("aarch64", 64, "3.11.2", None, None, None),  # musl, or unknown
    ],
)
def test_a_device_gets_the_releases_that_run_on_it(
    machine: str, bits: int, python: str, glibc: str | None, litert: str | None, tflite: str | None
) -> None:
    environment = Environment(machine=machine, userland_bits=bits, python=python, glibc=glibc)
    found = wanted_releases(PI, replace(healthy(), environment=environment))
    assert {name: release and release.version for name, release in found.items()} == {
        "ai-edge-litert": litert,
        "tflite-runtime": tflite,
    }


# The look.


def look_here(workdir: Path, home: Path) -> subprocess.CompletedProcess[bytes]:
    argv = [sys.executable, "-I", "-B", "-", str(workdir)]
    return subprocess.run(
        argv, input=look_script(), capture_output=True, cwd=home, env=os.environ | {"HOME": str(home)}, timeout=60
    )


def test_a_look_leaves_nothing_behind(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    done = look_here(home / "workdir that is not there", home)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["disk_free_bytes"] > 0
    assert list(home.iterdir()) == []


def test_a_look_takes_no_module_from_the_home_folder(tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('not the one you look for')")
    assert look_here(tmp_path, tmp_path).returncode == 0


def test_doctor_names_a_lock_that_is_a_symlink(tmp_path: Path, own_lock: Path) -> None:
    lock = tmp_path / "device.lock"
    lock.symlink_to("/etc/hostname")
    holder = look_at(Here(Target("host", workdir=str(tmp_path)))).holder
    assert holder is not None and f"{lock}, which cannot be locked" in holder


def test_doctor_names_a_holder_that_is_not_text(tmp_path: Path, own_lock: Path) -> None:
    lock = tmp_path / "device.lock"
    lock.write_bytes(b"ann \xff")
    with lock.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        holder = look_at(Here(Target("host", workdir=str(tmp_path)))).holder
    assert holder is not None and str(os.getpid()) in holder


def make_fake_venv(workdir: Path, lib: str, *packages: str) -> None:
    (workdir / "venv" / "bin").mkdir(parents=True, exist_ok=True)
    (workdir / "venv" / "bin" / "python").symlink_to(sys.executable)
    for package in packages:
        (workdir / "venv" / "lib" / lib / "site-packages" / f"{package}.dist-info").mkdir(parents=True)


def test_a_venvs_packages_are_read_off_their_folders(tmp_path: Path) -> None:
    workdir = tmp_path / "[a] workdir"
    make_fake_venv(
        workdir, f"python{sys.version_info.major}.{sys.version_info.minor}", "ai_edge_litert-2.3.0", "pip-23.0.1"
    )
    venv = look_at(Here(Target("host", workdir=str(workdir)))).venv
    assert venv.packages == {"ai-edge-litert": "2.3.0", "pip": "23.0.1"} and venv.whole


def test_a_venv_of_a_python_that_is_gone_is_not_whole(tmp_path: Path) -> None:
    make_fake_venv(tmp_path, "python3.7", "ai_edge_litert-2.3.0", "pip-23.0.1")
    venv = look_at(Here(Target("host", workdir=str(tmp_path)))).venv
    assert venv.exists and venv.packages == {} and not venv.whole


def test_a_command_here_that_does_not_end_is_told() -> None:
    """As a package index may keep pip waiting."""
    here = Here(Target("host", workdir="/nowhere"))
    with pytest.raises(TargetError, match=r"^host: python3 -c import time.* did not end within 0 s$") as caught:
        here.call(["python3", "-c", "import time; time.sleep(60)"], timeout_s=0.1)
    assert caught.value.exit_code == 3 and "try again" in caught.value.advice


class Device(Link):
    """A device that answers each command with what was prepared, and keeps what it was asked."""

    def __init__(self, *answers: tuple[int, bytes, bytes]) -> None:
        self.target, self.workdir, self.venv_python = PI, "./w", "./w/venv/bin/python"
        self.answers, self.asked = list(answers), list[Sequence[str]]()

    def call(
        self, remote: Sequence[str], data: bytes = b"", timeout_s: float = 60.0
    ) -> subprocess.CompletedProcess[bytes]:
        self.asked.append(list(remote))
        code, out, err = self.answers.pop(0) if self.answers else (0, b"", b"")
        return subprocess.CompletedProcess(list(remote), code, out, err)


def test_no_python_is_a_finding_with_what_to_install() -> None:
    device = Device((127, b"", b"sh: 1: python3: not found"))
    link, python = examine(device)
    assert link.level == "ok"
    assert python.level == "problem" and "not found" in python.text and "apt install python3" in python.advice


def test_a_look_that_fails_cannot_command_the_terminal() -> None:
    with pytest.raises(NoPython) as caught:
        look_at(Device((1, b"", b"\x1b[2Jowned")))
    assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize("answer", [b"Welcome to raspberrypi", b"", b"[]", b'{"environment": 3}', b"\xff\xfe"])
def test_an_answer_that_is_no_look_is_told(answer: bytes) -> None:
    with pytest.raises(TargetError, match="instead of its facts"):
        look_at(Device((0, answer, b"")))


# setup.


def releases(look: Look) -> list[Release]:
    return [r for r in wanted_releases(PI, look).values() if r]


@pytest.mark.parametrize("venv", [NONE, Venv(True, {"ai-edge-litert": "2.3.0"})])
def test_a_venv_that_is_not_whole_is_made_anew(venv: Venv) -> None:
    device, look = Device(), replace(healthy(), venv=venv)
    make_venv(device, look, releases(look), lambda text: None)
    assert device.asked == [["python3", "-I", "-m", "venv", "--clear", "./w/venv"]]


def test_a_whole_venv_is_left_as_it_is() -> None:
    device = Device()
    make_venv(device, healthy(), releases(healthy()), lambda text: None)
    assert device.asked == []


def test_no_module_of_the_devices_home_is_imported(tmp_path: Path) -> None:
    """Each Python that setup runs there, run here as far as its help beside modules of the same names."""
    device, look = Device(), replace(healthy(), venv=NONE)
    make_venv(device, look, releases(look), lambda text: None)
    install(device, look, releases(look), device.venv_python, lambda text: None)
    for name in ("logging", "venv", "pip"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('imported')")
    pythons = [argv for argv in device.asked if "python" in argv[0]]
    assert [argv[argv.index("-m") + 1] for argv in pythons] == ["venv", "pip"]
    for argv in pythons:
        words = [sys.executable, *argv[1 : argv.index("-m") + 2], "--help"]
        done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stderr) == (0, "")


def armv7l() -> Look:
    environment = replace(BOOKWORM, machine="armv7l", userland_bits=32)
    return replace(healthy(), environment=environment, venv=NONE, system_numpy=True)


def test_a_32_bit_board_takes_the_systems_numpy() -> None:
    device = Device()
    make_venv(device, armv7l(), releases(armv7l()), lambda text: None)
    assert "--system-site-packages" in device.asked[0]
    install(device, armv7l(), releases(armv7l()), device.venv_python, lambda text: None)
    assert device.asked[1][-1] == "tflite-runtime==2.14.0"


@pytest.mark.parametrize(
    ("python", "wanted"), [("3.11.2", ["tflite-runtime==2.14.0"]), ("3.14.0", None)], ids=["fits", "none fits"]
)
def test_a_32_bit_board_that_names_releases_alone_gets_what_fits_it(python: str, wanted: list[str] | None) -> None:
    """No requirement is no command for pip; the releases themselves have venvs of their own."""
    fresh = armv7l()
    look, device = replace(fresh, environment=replace(fresh.environment, python=python)), Device()
    set_up_base(device, look, ["tflite-runtime@2.12.0"], lambda text: None)
    assert ("--system-site-packages" in device.asked[0]) == bool(wanted)
    pips = [argv[argv.index("--only-binary=:all:") + 1 :] for argv in device.asked if "pip" in argv]
    assert pips == ([wanted] if wanted else [])


def test_a_32_bit_board_without_numpy_is_told_what_to_install() -> None:
    look = replace(armv7l(), system_numpy=False)
    with pytest.raises(TargetError) as caught:
        make_venv(Device(), look, releases(look), lambda text: None)
    assert "python3-numpy" in caught.value.advice


def test_a_board_without_venv_is_told_what_to_install() -> None:
    look = replace(healthy(), venv=NONE, has_venv=False)
    with pytest.raises(TargetError) as caught:
        make_venv(Device(), look, releases(look), lambda text: None)
    assert "python3-venv" in caught.value.advice


@pytest.mark.parametrize(
    ("environment", "first", "machine", "version"),
    [
        (BOOKWORM, 36, "aarch64", "3.11"),
        (replace(BOOKWORM, python="3.9.2", glibc="2.31"), 31, "aarch64", "3.9"),
        (replace(BOOKWORM, userland_bits=32), 36, "armv7l", "3.11"),
        (replace(BOOKWORM, glibc="2.999999999999"), 99, "aarch64", "3.11"),
    ],
)
def test_wheels_are_asked_for_as_the_device_needs_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, environment: Environment, first: int, machine: str, version: str
) -> None:
    asked: list[str] = []

    def run(argv: list[str], **options: object) -> subprocess.CompletedProcess[str]:
        asked.extend(argv)
        (tmp_path / "x-1-py3-none-any.whl").touch()
        return subprocess.CompletedProcess(argv, 0, "", "")

    monkeypatch.setattr("harness.measure.provision.install.subprocess.run", run)
    assert download(replace(healthy(), environment=environment), ["x==1"], tmp_path) == [
        tmp_path / "x-1-py3-none-any.whl"
    ]
    platforms = [asked[n + 1] for n, word in enumerate(asked) if word == "--platform"]
    assert platforms[0] == f"manylinux_2_{first}_{machine}" and platforms[-1] == f"manylinux2014_{machine}"
    assert asked[asked.index("--python-version") + 1] == version and "--only-binary=:all:" in asked


def test_the_last_line_of_a_command_is_told_and_never_nothing() -> None:
    def done(code: int, out: bytes, err: bytes) -> subprocess.CompletedProcess[bytes]:
        return subprocess.CompletedProcess([], code, out, err)

    assert failure_of(done(1, b"", b"pip\nERROR: no space\n")) == "ERROR: no space"
    assert failure_of(done(1, b"said here\n", b"")) == "said here"
    assert failure_of(done(9, b"", b"")) == "exit code 9"


def test_setup_of_this_machine_is_the_users_mistake() -> None:
    from harness.errors import ConfigError
    from harness.measure.provision.setup import setup

    with pytest.raises(ConfigError, match="behind ssh"):
        setup(Target("host"), print)


def test_link_is_a_caller_as_provision_wants_it() -> None:
    link = Link(PI)
    link.close()
    assert (link.workdir, link.venv_python) == ("./.cache/edge-harness", "./.cache/edge-harness/venv/bin/python")


class Interrupted:
    def fileno(self) -> int:
        raise OSError

    def readline(self, _: int = -1) -> str:
        raise KeyboardInterrupt


@pytest.mark.parametrize(("said", "code"), [(None, 130), ("", 2), ("n\n", 1), ("y\n", 0)])
def test_enroll_records_what_was_agreed_to_and_tells_an_interrupt_from_a_no(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, harness: Call, said: str | None, code: int
) -> None:
    key = enroll.HostKey(("pi ssh-ed25519 AAAA",), "256 SHA256:abc", tmp_path / "known_hosts")
    monkeypatch.setattr(enroll, "already_trusted", lambda _: False)
    monkeypatch.setattr(enroll, "offered_key", lambda _: key)
    monkeypatch.setattr(enroll, "verify", lambda *_: None)
    monkeypatch.setattr("sys.stdin", Interrupted() if said is None else io.StringIO(said))
    found, _, err = harness("enroll", "pi@raspberrypi.local")
    assert found == code and ("--yes" in err) == (code == 2) and "Traceback" not in err
    assert key.known_hosts.exists() == (code == 0)
