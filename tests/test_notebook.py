"""docs/mnist.ipynb, as it is stored, and executed from the first cell to the last."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest

import harness
from tests.devices import device_source, python_with
from tests.notebook import NOTEBOOK, executed, read

FIVE_LINES = (
    "run = harness.evaluate(model, x_test, y_test, calibration=x_train[:500], ",
    "run",
    "run.judge()",
    "run.sample(42)",
    "run.show()",
)


def code(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def shown(cell: nbformat.NotebookNode) -> str:
    """All that a cell shows, as text."""
    return " ".join(
        output.get("text", "") + "".join(map(str, output.get("data", {}).values())) for output in cell.outputs
    )


def test_what_the_harness_adds_are_five_lines() -> None:
    last = [cell.source for cell in code(read())[-len(FIVE_LINES) :]]
    assert [line.startswith(wanted) for line, wanted in zip(last, FIVE_LINES, strict=True)] == [True] * 5
    assert all("\n" not in line for line in last)


def test_the_stored_notebook_was_executed_in_order() -> None:
    cells = code(read())
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert all(cell.outputs for cell in cells[-len(FIVE_LINES) :])


def test_the_stored_notebook_is_small_and_says_nothing_of_the_machine() -> None:
    text = NOTEBOOK.read_text()
    assert len(text) < 400_000
    assert not re.search(r"/(tmp|home|root|usr|work|opt|mnt|Users)/|[A-Z]:\\\\", text)


@pytest.mark.slow
def test_the_notebook_runs_from_load_to_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    startup = tmp_path / "ipython" / "profile_default" / "startup" / "own_lock.py"
    startup.parent.mkdir(parents=True)
    startup.write_text(python_with(device_source(tmp_path)))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    *_, evaluated, itself, judged, sample, report = code(executed(tmp_path))
    run = harness.load("latest", tmp_path / "results")
    assert run.finished and set(run.summary["status"]) == {"ok"}
    assert (run.summary["baseline_accuracy"] > 0.9).all()
    assert re.search(r"<progress value=.(\d+). max=.\1.>", shown(evaluated))
    assert all(name in shown(itself) for name in (">int8</td>", f"run {run.run_id}", "by the default policy"))
    assert f"{run.run_id} passes" in shown(judged) or f"{run.run_id} does not pass" in shown(judged)
    assert "Sample 42, label " in shown(sample) and "data:image/png;base64," in shown(sample)
    assert "<iframe srcdoc=" in shown(report) and str(tmp_path) not in "".join(map(shown, (evaluated, itself, judged)))
