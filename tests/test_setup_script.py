"""scripts/setup with a Python that only pretends: nothing is installed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent.parent / "scripts" / "setup"
PRETENDER = """#!/bin/sh
# Makes a "venv" slowly, keeps what it was asked, and fails as a Python would whose venv is gone.
echo "$*" >> {calls}
case "$*" in
  "-m venv"*) sleep 0.5; mkdir -p "$3/bin"; cp "$0" "$3/bin/python" ;;
  "-m pip"*) sleep 0.2; [ -e {folder}/.venv/bin/python ] ;;
esac
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "scripts").mkdir()
    shutil.copy(SCRIPT, tmp_path / "scripts" / "setup")
    for name in ("requirements.lock", "pyproject.toml"):
        (tmp_path / name).write_text(name)
    python = tmp_path / "python"
    python.write_text(PRETENDER.format(calls=tmp_path / "calls", folder=tmp_path))
    python.chmod(0o755)
    return tmp_path


def start(checkout: Path) -> subprocess.Popen[str]:
    argv = ["bash", "-c", 'source "$0/scripts/setup"; echo "$PYTHON"; ls -l /proc/self/fd', str(checkout)]
    environment = {"PATH": "/usr/bin:/bin", "HARNESS_PYTHON": str(checkout / "python")}
    return subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def made(checkout: Path) -> int:
    return sum(call.startswith("-m venv") for call in (checkout / "calls").read_text().splitlines())


def test_two_at_once_make_one_venv(checkout: Path) -> None:
    both = [start(checkout) for _ in range(2)]
    said = [process.communicate(timeout=60) for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert made(checkout) == 1
    assert sorted("Waiting for another" in err for _, err in said) == [False, True]
    for out, _ in said:
        assert out.startswith(f"{checkout}/.venv/bin/python\n")
        assert f"-> {checkout}\n" not in out  # what is run next holds no lock


def test_what_is_set_up_is_left_alone_until_the_lock_file_changes(checkout: Path) -> None:
    for expected in (1, 1):
        assert start(checkout).wait(60) == 0
        assert made(checkout) == expected
    (checkout / "requirements.lock").write_text("another")
    assert start(checkout).wait(60) == 0
    assert made(checkout) == 2
