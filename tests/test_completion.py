"""What a shell offers: asked as bash asks it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from harness.cli import app
from harness.experiment.plans import PLANS
from tests.devices import RECORDED


@pytest.fixture
def offered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Offered of the words typed, the last of which is not complete."""
    shutil.copytree(RECORDED, tmp_path / "kept" / "digits" / "20260101-000000-aaaa")
    (tmp_path / "targets").mkdir()
    (tmp_path / "targets" / "my-pi.toml").touch()
    (tmp_path / "mine.toml").touch()
    monkeypatch.chdir(tmp_path)

    def typed(*words: str) -> list[str]:
        asked = {"_HARNESS_COMPLETE": "complete_bash", "COMP_WORDS": " ".join(words), "COMP_CWORD": str(len(words) - 1)}
        return CliRunner().invoke(app, [], prog_name="harness", env=asked).output.split()

    return typed


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (("gate", "--results", "kept", ""), ["latest", "20260101-000000-aaaa"]),
        (("compare", "--results", "kept", "2026"), ["20260101-000000-aaaa"]),
        (("gate", "2026"), []),  # there are none in results/
        (("run", "-t", ""), ["host", "my-pi"]),
        (("run", "mi"), ["mine.toml"]),
        (("run", "-v", "int16"), ["int16x8"]),
        (("build", "-v", "'!int16"), ["!int16x8"]),
        (("run", "--plan", ""), list(PLANS)),
        (("report", "latest", "--format", "h"), ["html"]),
        (("init", "--task", "seg"), ["segmentation"]),
        (("doct",), ["doctor"]),
    ],
)
def test_names_are_offered(offered, words: tuple[str, ...], names: list[str]) -> None:
    assert offered("harness", *words) == names


def test_the_command_itself_answers_a_shell_and_loads_nothing_heavy() -> None:
    script = (
        "import sys; sys.argv = ['harness']\nfrom harness.cli import main\n"
        "try: main()\nfinally: print({'pandas', 'tensorflow', 'matplotlib', 'scipy'} & set(sys.modules))"
    )
    asked = {"_HARNESS_COMPLETE": "complete_bash", "COMP_WORDS": "harness run -v int16", "COMP_CWORD": "3"}
    done = subprocess.run([sys.executable, "-c", script], env=os.environ | asked, capture_output=True, text=True)
    assert done.stdout.split("\n") == ["int16x8", "set()", ""], done.stderr
