"""The layers of docs/architecture.md, read off the imports: they go one way, and what starts fast stays so."""

from __future__ import annotations

import ast
import io
import shutil
import subprocess
import sys
import tokenize
from collections import Counter
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
    {"data", "detection", "statistics"},
    {"metrics"},
    {"measure"},
    {"build", "compare"},
    {"experiment", "runs"},
    {"gate", "diagnosis"},
    {"treatment"},
    {"report"},
    {"pipeline"},
    {"api"},
    {"__init__"},
    {"cli"},
    {"__main__", "pytest_plugin"},
)
LEVEL = {room: level for level, rooms in enumerate(LAYERS) for room in rooms}
ENTRIES_AT_MOST = 21  # at the top of harness/: so many are seen at a glance
SHARE_AT_MOST = 1 / 6  # of all lines of code, for any room
TESTS_OF_MORE = {  # tests that no module's name is right for, and why
    "architecture": "the whole house",
    "end_to_end": "the brief, command by command, with real models and runs",
    "docs": "every block of README and docs/",
    "examples": "docs/examples and the files of harness init",
    "fidelity": "a job's timing beside a C loop: a benchmark",
    "faults": "a run in which any operation on files fails once",
    "foreign_models": "models of others, by TensorFlow's process, from their file to their answers",
    "hostile": "a device's answers, mutated",
    "gate_never": "traps for a gate, whatever judge they fall to",
    "imports": ".tflite files that are there already, from experiment to report",
    "notebook": "docs/mnist.ipynb, executed",
    "large": "a whole run of a test set larger than memory",
    "package": "the wheel and the sdist, installed",
    "reliability": "docs/reliability.md: what breaks, and what a device that lies says",
    "tutorial": "docs/tutorial.md, typed",
    "truths": "sentences of reports and verdicts, against the truth of made runs",
    "quick": "what a run and what reads it cost: a benchmark",
    "report_tasks": "a whole report where the task is no plain classification",
    "report_timing": "what a whole report says of rounds, timing and device",
    "resume": "runs that are interrupted anywhere",
    "seams": "the table of docs/architecture.md",
    "setup_script": "scripts/setup",
    "site": "the documentation as a site: mkdocs.yml and scripts/site",
    "streaming": "state that a program carries, from experiment.toml to report",
    "ssh_provision": "enroll, doctor and setup on an emulated board",
    "startup": "what starting costs: a benchmark",
    "virtual_pi_script": "scripts/virtual-pi",
    "workflows": "docs/workflows",
}
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


def module_name(path: Path) -> str:
    """A module's own name; a package's is that of its folder."""
    return path.parent.name if path.stem == "__init__" else path.stem


def code_lines(path: Path) -> int:
    """Lines that hold code: no blank ones, comments or docstrings."""
    text = path.read_text()
    blank = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in blank:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            lines -= set(range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1))
    return len(lines)


def test_every_test_file_is_named_after_a_module() -> None:
    modules = {module_name(path) for path in MODULES}
    tests = {path.stem.removeprefix("test_") for path in Path(__file__).parent.rglob("test_*.py")}
    assert tests - modules - set(TESTS_OF_MORE) == set()
    assert set(TESTS_OF_MORE) <= tests - modules, (
        "the list names tests that are gone, or that a module's name is right for"
    )


def test_no_module_is_named_twice() -> None:
    ours = [path for path in MODULES if "starter" not in path.parts]  # those of a user: an example.py a task
    names = Counter(path.stem for path in ours if path.stem not in ("__init__", "__main__"))
    assert [name for name, count in names.items() if count > 1] == []


def test_the_top_of_the_house_is_seen_at_a_glance() -> None:
    hidden = ("__init__.py", "__main__.py", "__pycache__", "py.typed")
    entries = [path.name for path in ROOT.iterdir() if path.name not in hidden]
    assert len(entries) <= ENTRIES_AT_MOST, sorted(entries)


def test_no_room_is_too_large() -> None:
    lines: Counter[str] = Counter()
    for path in MODULES:
        lines[room_of(path)] += code_lines(path)
    shares = {room: count / lines.total() for room, count in lines.items()}
    assert {room: share for room, share in shares.items() if share > SHARE_AT_MOST} == {}


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


def test_what_a_run_says_of_texts_is_checked_without_numpy() -> None:
    assert "numpy" not in loaded_by(
        "import harness.runs.coherent as c; list(c.of_decoded('transcription', "
        "c.Scoring(transcription=__import__('harness.records').records.Transcription())))"
    )


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


@pytest.mark.parametrize("command", ["gate RUN", "compare RUN RUN", "list", "doctor host", "targets"])
def test_a_command_that_needs_no_table_loads_neither_pandas_nor_scikit_learn(command: str, tmp_path: Path) -> None:
    run = shutil.copytree(Path(__file__).parent / "recorded" / "digits-schema-1", tmp_path / "run")
    argv = ["harness", *command.replace("RUN", str(run)).split()]
    loaded = loaded_by(
        f"import contextlib, io, os, sys\nfrom harness.cli import main\nsys.argv = {argv}\n"
        f"os.chdir({str(tmp_path)!r})\n"
        "try:\n    with contextlib.redirect_stdout(io.StringIO()): main()\n"
        "except SystemExit as end:\n    assert end.code in (None, 0, 1), end.code  # 2 would be a command that failed"
    )
    assert "typer" in loaded
    assert not loaded & {"pandas", "sklearn", "matplotlib", "tensorflow"}


def test_an_experiment_of_arrays_loads_no_pandas() -> None:
    loaded = loaded_by("import harness.experiment.experiment_file, harness.data.kinds")
    assert not loaded & {"pandas", "pyarrow", "sklearn"}


def test_one_place_writes_text_for_people() -> None:
    """cli/output.py makes it harmless; cli/__init__.py prints errors, made harmless there."""
    own = {ROOT / "cli" / "output.py", ROOT / "cli" / "__init__.py"}
    calls = {
        path: [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
        for path in MODULES
        if path.is_relative_to(ROOT / "cli")
    }
    plain = {p for p, found in calls.items() for c in found if isinstance(c.func, ast.Name) and c.func.id == "print"}
    assert plain == own
