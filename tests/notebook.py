"""docs/mnist.ipynb: executed by its test, and by `python -m tests.notebook`, which stores what it shows."""

from __future__ import annotations

import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parents[1] / "docs" / "mnist.ipynb"
TIMEOUT_S = 1_800  # of one cell, on a busy machine
MOST_BYTES = 100_000  # of one output that is stored
LEFT_OUT = "<p><em>The whole report stands here ({:,} kB), in a frame; it is left out of the stored notebook.</em></p>"


def read() -> nbformat.NotebookNode:
    return nbformat.read(NOTEBOOK, as_version=4)


def executed(folder: Path) -> nbformat.NotebookNode:
    """The notebook with what it shows when it runs in this folder. Raises CellExecutionError."""
    notebook = read()
    resources = {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, timeout=TIMEOUT_S, kernel_name="python3", resources=resources).execute()
    return notebook


def store(notebook: nbformat.NotebookNode) -> None:
    """Without what other packages write to stderr, what is large, and what is of this machine."""
    for cell in notebook.cells:
        cell.metadata.clear()
        if cell.cell_type == "code":
            cell.outputs = [trimmed(output) for output in cell.outputs if output.get("name") != "stderr"]
    notebook.metadata = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    nbformat.write(notebook, NOTEBOOK)


def trimmed(output: nbformat.NotebookNode) -> nbformat.NotebookNode:
    data = output.get("data", {})
    page = data.get("text/html", "")
    if len(page) > MOST_BYTES and "<iframe" in page:
        data["text/html"] = LEFT_OUT.format(len(page) // 1000)
    return output


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        store(executed(Path(made)))
