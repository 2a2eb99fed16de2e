"""Meeting a board for the first time, over real ssh: enroll, doctor, setup."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from harness.measure.connections.link import Link
from harness.measure.provision.install import download
from harness.measure.provision.probe import look_at
from harness.records import Target
from tests.virtual_pi import Board, Desk, PiRun, call

pytestmark = pytest.mark.board


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.fixture
def stranger(fresh_board: Board, tmp_path: Path) -> Target:
    """The fresh board as a target, its key not yet known."""
    return fresh_board.write_target(tmp_path)


@pytest.fixture
def acquaintance(fresh_board: Board, stranger: Target) -> Target:
    fresh_board.do("trust")
    return stranger


def listing(board: Board) -> str:
    """Every file of the board's user and of /tmp, with its size and time of change."""
    return board.ssh("find ~ /tmp /var/tmp -printf '%p %s %T@\\n' | sort")


# The host key.


@pytest.mark.parametrize("command", ["doctor", "setup", "run"])
def test_an_unknown_host_key_is_refused(desk: Desk, stranger: Target, command: str) -> None:
    done = PiRun(desk, stranger).go_on() if command == "run" else desk.harness(command, "pi")
    assert done.returncode == 3
    assert "not known here" in done.stderr and "harness enroll pi" in done.stderr


def test_enroll_records_the_very_key_that_it_shows_once(desk: Desk, stranger: Target, fresh_board: Board) -> None:
    public = fresh_board.home / "ssh_host_ed25519_key.pub"
    fingerprint = call("ssh-keygen", "-lf", public).split()[1]
    known_hosts = fresh_board.home / "known_hosts"
    first = desk.harness("enroll", "pi", "--yes")
    assert first.returncode == 0 and fingerprint in first.stderr
    recorded = known_hosts.read_text()
    assert recorded == f"{fresh_board.address} {' '.join(public.read_text().split()[:2])}\n"
    again = desk.harness("enroll", "pi", "--yes")
    assert again.returncode == 0 and "is enrolled" in again.stderr
    assert known_hosts.read_text() == recorded
    assert desk.findings("pi", exit_code=1)["link"]["level"] == "ok"


def test_enroll_records_nothing_that_nobody_agreed_to(desk: Desk, stranger: Target, fresh_board: Board) -> None:
    argv = [sys.executable, "-m", "harness", "enroll", "pi"]
    done = subprocess.run(argv, cwd=desk.folder, input="n\n", capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "SHA256:" in done.stderr
    assert not (fresh_board.home / "known_hosts").exists()


def test_enroll_keeps_the_keys_that_are_there(desk: Desk, stranger: Target, fresh_board: Board) -> None:
    other = "other.example ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB4VQ5gCqfE0Xf3x7mB6B5Kf0Y8yC3O8m3q0Q1W2E3R4"
    (fresh_board.home / "known_hosts").write_text(other)  # and no end of line
    assert desk.harness("enroll", "pi", "--yes").returncode == 0
    lines = (fresh_board.home / "known_hosts").read_text().splitlines()
    assert lines[0] == other and lines[1].startswith(f"{fresh_board.address} ssh-ed25519 ") and len(lines) == 2


def test_a_changed_host_key_is_refused_by_all(desk: Desk, acquaintance: Target, fresh_board: Board) -> None:
    recorded = (fresh_board.home / "known_hosts").read_text()
    fresh_board.do("reset", "--new-host-key")
    fresh_board.heal()
    runs = [desk.harness("doctor", "pi"), desk.harness("enroll", "pi", "--yes"), PiRun(desk, acquaintance).go_on()]
    for done in runs:
        assert done.returncode == 3
        assert "another host key than the recorded one" in done.stderr and "ssh-keygen -R" in done.stderr
    assert (fresh_board.home / "known_hosts").read_text() == recorded


def test_enroll_offers_no_key_of_ours_to_a_host_that_is_not_known(
    desk: Desk, stranger: Target, fresh_board: Board
) -> None:
    log = fresh_board.home / "log"
    before = len(log.read_text())
    assert desk.harness("enroll", "pi", "--yes").returncode == 0
    assert "Accepted publickey" not in log.read_text()[before:]


# doctor and run on a board that is not set up.


def test_doctor_tells_what_is_missing_and_changes_nothing(desk: Desk, acquaintance: Target, fresh_board: Board) -> None:
    before = listing(fresh_board)
    found = desk.findings("pi", exit_code=1)
    assert listing(fresh_board) == before
    problems = {topic for topic, finding in found.items() if finding["level"] == "problem"}
    assert problems == {"ai-edge-litert", "tflite-runtime"}
    assert all("harness setup pi" in found[topic]["advice"] for topic in problems)
    assert "Python 3.11" in found["python"]["text"] and "glibc 2.36" in found["python"]["text"]
    assert "emulated" in found["board"]["text"]


def test_a_run_on_a_board_that_is_not_set_up_says_so(desk: Desk, acquaintance: Target) -> None:
    done = PiRun(desk, acquaintance).go_on()
    assert done.returncode == 3
    assert "is not set up" in done.stderr and "harness setup pi" in done.stderr and "--setup" in done.stderr


def test_a_board_without_python_is_told_what_to_install(desk: Desk, acquaintance: Target, fresh_board: Board) -> None:
    fresh_board.ssh("sudo mv /usr/bin/python3 /usr/bin/hidden")
    found = desk.findings("pi", exit_code=1)
    assert found["python"]["level"] == "problem" and "apt install python3" in found["python"]["advice"]
    done = desk.harness("setup", "pi")
    assert done.returncode == 3 and "apt install python3" in done.stderr


def test_a_board_without_venv_is_told_what_to_install(desk: Desk, acquaintance: Target, fresh_board: Board) -> None:
    fresh_board.ssh("sudo mv /usr/lib/python3.11/ensurepip /usr/lib/python3.11/hidden")
    assert "apt install python3-venv" in desk.findings("pi", exit_code=1)["python"]["advice"]
    done = desk.harness("setup", "pi")
    assert done.returncode == 3 and "apt install python3-venv" in done.stderr


def test_a_switched_off_board_is_told_apart(desk: Desk, acquaintance: Target, fresh_board: Board) -> None:
    fresh_board.do("kill")
    for command in ("doctor", "enroll", "setup"):
        done = desk.harness(command, "pi")
        assert done.returncode == 3 and "is it switched on" in done.stderr


# setup from the device's own index.


@pytest.fixture
def index(fresh_board: Board, acquaintance: Target, tmp_path: Path) -> Iterator[str]:
    """The address of a package index that the board reaches, with the wheels of tflite-runtime in it."""
    link = Link(acquaintance)
    look = look_at(link)
    link.close()
    (tmp_path / "wheels").mkdir()
    for wheel in download(look, ["tflite-runtime==2.14.0", "numpy<2"], tmp_path / "wheels"):
        folder = tmp_path / "simple" / wheel.name.split("-")[0].replace("_", "-")
        folder.mkdir(parents=True)
        wheel.rename(folder / wheel.name)
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    server = ThreadingHTTPServer((fresh_board.host_address, 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://{fresh_board.host_address}:{server.server_port}/simple"
    server.shutdown()
    server.server_close()


def test_setup_takes_the_devices_own_index_where_it_has_one(
    desk: Desk, fresh_board: Board, acquaintance: Target, index: str
) -> None:
    config = f"[global]\\nindex-url = {index}\\ntrusted-host = {fresh_board.host_address}\\n"
    fresh_board.ssh(f"printf '{config}' | sudo tee /etc/pip.conf")
    path = desk.folder / "targets" / "pi.toml"
    path.write_text(path.read_text() + 'runtimes = ["tflite-runtime"]\n')
    done = desk.harness("setup", "pi", timeout=300)
    assert done.returncode == 0, done.stderr
    assert "tflite-runtime 2.14.0 works" in done.stderr
    assert "sending" not in done.stderr
