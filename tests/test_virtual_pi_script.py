"""scripts/virtual-pi without a board: what can be asked of it anywhere. The tests over ssh use the board itself."""

import re
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent.parent / "scripts" / "virtual-pi"


def virtual_pi(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/nowhere", **environment}
    return subprocess.run([SCRIPT, *arguments], env=environment, capture_output=True, text=True, timeout=30)


@pytest.mark.parametrize(
    ("environment", "folder"),
    [
        ({}, "/nowhere/.cache/edge-harness/virtual-pi"),
        ({"XDG_CACHE_HOME": "/cache"}, "/cache/edge-harness/virtual-pi"),
        ({"XDG_CACHE_HOME": "/cache", "VIRTUAL_PI_HOME": "/a board"}, "/a board"),
    ],
)
def test_config_says_where_the_board_lies(environment: dict[str, str], folder: str) -> None:
    assert virtual_pi("config", **environment).stdout == f"{folder}/ssh_config\n"


def test_a_command_it_does_not_know_gets_the_usage_and_exit_code_2() -> None:
    answer = virtual_pi("bulid")
    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr == virtual_pi("help").stdout
    assert "start [PORT]" in answer.stderr


def test_a_board_that_is_not_there_is_said_in_one_line(tmp_path: Path) -> None:
    home = str(tmp_path / "board")
    assert virtual_pi("status", VIRTUAL_PI_HOME=home).stdout == "not built\n"
    for command, code in (("ssh", 2), ("freeze", 3), ("thaw", 3), ("trust", 2)):
        answer = virtual_pi(command, VIRTUAL_PI_HOME=home)
        assert (answer.returncode, answer.stderr.count("\n")) == (code, 1), answer.stderr
    for command in ("stop", "kill"):  # already so
        assert virtual_pi(command, VIRTUAL_PI_HOME=home).returncode == 0


def test_it_names_no_mirror_and_no_registry() -> None:
    assert not re.findall(r"https?://|\b[\w-]+\.(?:org|com|net|io)\b", SCRIPT.read_text())
