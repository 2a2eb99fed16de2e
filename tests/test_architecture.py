"""The layers of docs/architecture.md, read off the imports: they go one way, and what starts fast stays so."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import harness

ROOT = Path(harness.__file__).parent
MODULES = sorted(ROOT.rglob("*.py"))

# A room may import what stands in the lines above its own, and its neighbours on the same line.
LAYERS = (
    {"errors", "support", "device", "__version__"},
    {"records"},
    {"data"},
    {"metrics"},
    {"measure"},
    {"build", "compare", "report"},
    {"experiment", "runs"},
    {"gate"},
    {"pipeline"},
    {"api"},
    {"__init__"},
    {"cli"},
    {"__main__", "pytest_plugin"},
)
LEVEL = {room: level for level, rooms in enumerate(LAYERS) for room in rooms}
PUBLIC = {name for name in harness.__all__ if name != "__version__"}  # `from harness import Run`
HEAVY = {"tensorflow", "keras"}
MAY_IMPORT_HEAVY = {"build/workloads", "build/models", "build/variants", "experiment/starter"}


def room_of(path: Path) -> str:
    """The first part of a module's name below harness: measure.py and report/plots/style.py → measure, report."""
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imported(path: Path) -> Iterator[str]:
    """The full names that a file imports, also inside functions; relative imports never leave a room here."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def rooms_imported(path: Path) -> set[str]:
    """A public name is the front door's, and the version everybody's."""
    names = {name.split(".")[1] for name in imported(path) if name.startswith("harness.")}
    return {"__init__" if name in PUBLIC else name for name in names}


def test_every_room_has_its_place_in_the_layers() -> None:
    assert {room_of(path) for path in MODULES} <= set(LEVEL)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_one_way(path: Path) -> None:
    own = LEVEL[room_of(path)]
    assert [room for room in rooms_imported(path) if LEVEL[room] > own] == []


def test_no_two_rooms_import_each_other() -> None:
    needs: dict[str, set[str]] = {}
    for path in MODULES:
        needs.setdefault(room_of(path), set()).update(rooms_imported(path) - {room_of(path)})
    while needs:  # take away what needs nothing that is left; a circle stays
        free = {room for room, needed in needs.items() if not needed & set(needs)}
        assert free, f"a circle among {sorted(needs)}"
        needs = {room: needed for room, needed in needs.items() if room not in free}


@pytest.mark.parametrize("path", sorted((ROOT / "device").glob("*.py")), ids=lambda path: path.name)
def test_the_code_that_travels_imports_nothing_of_ours(path: Path) -> None:
    assert not [name for name in imported(path) if name.split(".")[0] == "harness"]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_only_the_rooms_that_build_import_tensorflow(path: Path) -> None:
    if HEAVY & {name.split(".")[0] for name in imported(path)}:
        assert "/".join(path.relative_to(ROOT).parts[:2]) in MAY_IMPORT_HEAVY


def loaded_by(statement: str) -> set[str]:
    script = f"{statement}\nimport sys\nprint(*sorted({{name.split('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_the_command_line_starts_without_anything_heavy() -> None:
    loaded = loaded_by("import harness.cli")
    assert "typer" in loaded
    assert not loaded & {"tensorflow", "keras", "numpy", "pandas", "pyarrow", "scipy", "sklearn", "matplotlib"}


def test_the_front_door_opens_without_anything_heavy() -> None:
    loaded = loaded_by("import harness; dir(harness)")
    assert not loaded & {"typer", "rich", "pydantic", "numpy", "pandas", "scipy", "matplotlib", "IPython"}


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_no_public_name_needs_tensorflow_or_a_notebook(name: str) -> None:
    assert not loaded_by(f"from harness import {name}") & {"tensorflow", "keras", "IPython", "pandas", "matplotlib"}


def test_records_load_nothing_heavy() -> None:
    assert not loaded_by("import harness.records, harness.errors") & {"numpy", "pandas", "pydantic"}


@pytest.mark.parametrize(
    "module",
    [
        "pipeline",
        "compare.baseline",
        "report",
        "runs.store",
        "measure.jobs",
        "runs.parquet",
        "measure.connections.local",
    ],
)
def test_only_building_needs_tensorflow(module: str) -> None:
    assert not loaded_by(f"import harness.{module}") & {"tensorflow", "keras", "tflite_runtime", "ai_edge_litert"}
