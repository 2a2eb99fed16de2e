"""Every block of README, CONTRIBUTING and docs/: commands are read by the command line, TOML by its reader, Python by
the signatures that it calls; what is cheap is run. ELSEWHERE, OTHER_PROGRAMS and DEARER name what another test runs, or
what nothing here can run.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any, cast

import pytest
import typer

import harness as front
from harness.api.stored_run import Run
from harness.cli import app
from harness.experiment.experiment_file import ExperimentText, read_experiment
from harness.experiment.recipe_file import read_recipe
from harness.gate.policy.policy_file import parse_policy
from harness.measure.targets import known_targets
from harness.support.toml import parse_toml
from tests.conftest import Call
from tests.pages import ROOT, Block, Reader, blocks, readme_table

RECORDED = Path(__file__).parent / "recorded"
README = ROOT / "README.md"
BLOCKS = blocks()
ELSEWHERE = {  # a page's blocks that are only shown, and kinds of commands → which test holds them, or why none can
    "anomaly.md": "tests/test_examples.py runs it",
    "architecture.md": "tests/test_architecture.py holds it against the code",
    "detection.md": "tests/test_examples.py runs it",
    "embedding.md": "tests/test_examples.py runs it",
    "export.md": "tests/test_exported.py runs it",
    "frames.md": "tests/test_examples.py runs it",
    "gate.md": "test_harness_power_prints_what_the_page_shows",
    "heads.md": "tests/test_examples.py and tests/test_head_table.py run it",
    "interface.md": "tests/test_seams.py and tests/test_api.py hold it against the code",
    "keypoints.md": "tests/test_examples.py runs it",
    "preprocessing.md": "tests/test_examples.py runs it",
    "segmentation.md": "tests/test_examples.py runs it",
    "cure.md": "tests/test_recipe_file.py reads such a file, tests/test_stored_cure.py runs the command",
    "streaming.md": "tests/test_examples.py runs it",
    "transcription.md": "tests/test_examples.py runs it",
    "tutorial.md": "tests/test_tutorial.py types it",
    **dict.fromkeys(("text.md", "recurrent.md", "sensors.md"), "test_an_example_that_a_page_writes_out…"),
    "ci.md": "tests/test_workflows.py runs the workflows, tests/test_pytest_plugin.py the fixture",
}
OTHER_PROGRAMS = {  # what is no command of ours → the same
    "pip": "tests/test_package.py installs the wheel; nothing is downloaded here",
    "uvx": "nothing is downloaded here",
    "scripts/run": "tests/test_setup_script.py",
    "scripts/test": "tests/test_setup_script.py",
    ".venv/bin/python": "modules of tests, which tests call",
    "python": "tests/test_examples.py prepares the examples; docs/examples/timing is run below",
    "litert-benchmark": "test_litert_benchmark_prints_hundredths_of_a_millisecond",
    "cd": "a folder of docs/examples, or one that harness init wrote",
    "sudo": "an emulated board: tests marked board",
    "VIRTUAL_PI_NETNS=pi": "an emulated board: tests marked board",
    "ip": "an emulated board: tests marked board",
    "ssh-copy-id": "a real board",
    "pytest-benchmark": "tests/test_exported.py reads what it is given",
}
DEARER = {  # words of a command that is not cheap → which test runs it
    "--model": "tests/test_starters.py",
    "--require-signature": "tests/test_signature.py",
}
CHEAP = {"accept", "clean", "compare", "gate", "init", "list", "power", "report", "schema", "show", "targets", "trend"}


def of_kind(kind: str) -> list[Any]:
    return [pytest.param(block, id=str(block)) for block in BLOCKS if block.kind == kind]


def test_blocks_that_are_only_shown_are_named_with_their_test() -> None:
    assert {block.page for block in BLOCKS if block.kind in ("shown", "yaml", "sql")} <= {*ELSEWHERE}
    assert {*ELSEWHERE} <= {block.page for block in BLOCKS}
    for reason in ELSEWHERE.values():
        assert all(Path(__file__).parents[1].joinpath(name).exists() for name in re.findall(r"tests/\w+\.py", reason))


# --- commands --------------------------------------------------------------------------------------------------------


def ours(words: list[str]) -> list[str] | None:
    """The words behind `harness`; None of another program."""
    if words[0] == "uvx":
        return words[words.index("edge-harness") + 1 :]
    if words[0] == "scripts/run":
        return ["run", *words[1:]]
    words = words[1:] if words[0] == "sudo" else words
    return words[1:] if words[0] in ("harness", ".venv/bin/harness") and words[1][:2] != "--" else None


COMMANDS = [
    (block, words)
    for block in BLOCKS
    if block.kind == "commands" and block.page != "tutorial.md"  # which test_tutorial.py types
    for words in block.commands
]
OURS = {" ".join(found): (block, found) for block, words in COMMANDS if (found := ours(words))}


def test_there_are_commands_of_every_kind() -> None:
    """So that a page whose blocks are no longer found does not pass."""
    assert len(OURS) > 40 and {"run", "gate", "compare", "power", "enroll", "parity"} <= {
        w[0] for _, w in OURS.values()
    }
    assert {words[0] for _, words in COMMANDS if ours(words) is None} <= {*OTHER_PROGRAMS}


@pytest.mark.parametrize("command", OURS)
def test_a_command_is_one_that_the_command_line_reads(command: str) -> None:
    words = OURS[command][1]
    known = cast(Any, typer.main.get_command(app)).commands
    known[words[0]].make_context(words[0], words[1:])  # raises UsageError for an option or word that it does not know


@pytest.mark.parametrize(
    "command", [text for text, (_, words) in OURS.items() if words[0] in CHEAP and not {*words} & {*DEARER}]
)
def test_a_cheap_command_does_what_it_says(
    harness: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """In a folder with stored runs of digits. 0 is good, 1 is measured and not good."""
    monkeypatch.chdir(tmp_path)
    names = stored_runs(tmp_path / "results" / "digits")
    words = [names.get(word, word) for word in OURS[command][1]]
    if "policy.toml" in words:
        Path("policy.toml").write_text('[[rule]]\nmetric = "accuracy_drop"\nmax = "2pp"\n')
    if words[0] == "trend" or "--add" in words:
        assert harness("accept", names["RUN5"])[0] == 0
    code, out, err = harness(*words)
    assert code in (0, 1) and out + err, err


def stored_runs(folder: Path) -> dict[str, str]:
    """Copies of recorded runs, one of them latest → what pages call them, and how they are called here."""
    runs = [shutil.copytree(RECORDED / f"digits-schema-{n}", folder / ids(n)) for n in (4, 5)]
    (folder / "latest").symlink_to(runs[-1].name)
    older, newer = (path.name for path in runs)
    return {"RUN": newer, "RUN6": older, "mnist": "digits"} | {f"RUN{n}": newer for n in range(1, 6)}


def ids(schema: int) -> str:
    return str(json.loads((RECORDED / f"digits-schema-{schema}" / "run.json").read_text())["run_id"])


def test_harness_power_prints_what_the_page_shows(harness: Call) -> None:
    (shown,) = [block for block in BLOCKS if block.page == "gate.md" and block.kind == "shown"]
    code, out, _ = harness("power", "--samples", "1000")
    assert code == 0 and rows(shown.text) <= rows(out)


def rows(text: str) -> set[str]:
    return {" ".join(line.split()) for line in text.splitlines() if line.strip()}


def test_the_speed_ups_of_readme_are_those_of_its_times() -> None:
    """Accuracy, flips and sizes are held against a run of MNIST by test_end_to_end.py; times are of one machine."""
    table = readme_table()
    assert len(table) == 12
    for (_, runtime), (*_, p50, speed_up) in table.items():
        ratio = float(table["float32", runtime][-2]) / float(p50)
        assert float(speed_up.split()[0]) == pytest.approx(ratio, rel=0.06)
    words = " ".join(README.read_text("utf-8").split())
    assert f"int8 was {round(float(table['int8', 'ai-edge-litert'][-1].split()[0]), 1)} times as fast" in words
    assert (
        f"dynamic range was {round(float(table['dynamic_range', 'ai-edge-litert'][-1].split()[0]), 1)} times" in words
    )


# --- whole examples --------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("page", ["text.md", "recurrent.md", "sensors.md"])
def test_an_example_that_a_page_writes_out_does_what_it_shows(page: str, tmp_path: Path) -> None:
    found = [block for block in BLOCKS if block.page == page and (block.title or block.kind in ("commands", "shown"))]
    assert [block.title for block in found][:1] == ["experiment.toml"] and found[-1].kind == "shown"
    Reader(tmp_path).follow(found)


# --- why-it-differs.md -----------------------------------------------------------------------------------------------

MODEL_FILE = RECORDED / "digits-schema-5" / "variants" / "float32.tflite"
WHY = ROOT / "docs" / "why-it-differs.md"


def printed(*words: object) -> str:
    done = subprocess.run([*map(str, words)], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_the_ways_of_timing_are_those_of_the_page() -> None:
    head, *ways = printed(sys.executable, WHY.parent / "examples" / "timing" / "loops.py", MODEL_FILE).splitlines()
    assert head.split() == ["way", "mean", "median", "largest"] and len(ways) == 6
    told = WHY.read_text("utf-8")
    for way in ways:
        *name, mean, median, largest = way.split()
        assert f"\n| {' '.join(name)} | " in told
        assert 0 < float(median) <= float(largest) and 0 < float(mean) <= float(largest)


def test_litert_benchmark_prints_hundredths_of_a_millisecond() -> None:
    out = printed(Path(sys.executable).with_name("litert-benchmark"), "--model", MODEL_FILE)
    found = dict(re.findall(r"^(.+?): +(\d+\.\d\d) ms", out, re.MULTILINE))
    rows = re.findall(r"^\| ((?:Model|Warmup|Inference)[^|]*) \|", WHY.read_text("utf-8"), re.MULTILINE)
    assert len(rows) == 6 and {*rows} <= {*found}
    assert float(found["Inference (median)"]) < 0.1  # of a model whose inference takes some microseconds


# --- TOML ------------------------------------------------------------------------------------------------------------

MODEL, DATA = '[model]\nsource = "model.keras"\n', '[data]\ntest = "test.npz"\n'


@pytest.mark.parametrize("block", of_kind("toml"))
def test_toml_is_a_policy_a_recipe_or_a_part_of_an_experiment(block: Block, tmp_path: Path) -> None:
    tables = tomllib.loads(block.text)
    if "rule" in tables:
        assert parse_policy(block.text, str(block)).rules
        return
    if "kind" in tables:
        (tmp_path / "board.toml").write_text(block.text, "utf-8")
        assert known_targets(tmp_path)["board"].host == tables["host"]
        return
    if "recipe" in tables:
        (tmp_path / "mine.toml").write_text(block.text, "utf-8")
        assert read_recipe(tmp_path / "mine.toml").recipe == tables["recipe"]
        return
    if block.page == "interface.md":  # all that there is, of which one experiment can have a part
        assert parse_toml(block.text, str(block), ExperimentText).content.name
        return
    for name in ("model.keras", *tables.get("variants", {}).get("import", {}).values()):
        (tmp_path / name).touch()
    (tmp_path / "photos" / "test").mkdir(parents=True)
    needed = {"model": MODEL, "data": DATA} if "baseline" not in tables.get("variants", {}) else {"data": DATA}
    missing = (text for name, text in needed.items() if name not in tables)
    text = "\n".join(["" if "name" in tables else 'name = "page"', block.text, *missing])
    (tmp_path / "experiment.toml").write_text(text, "utf-8")
    assert read_experiment(tmp_path / "experiment.toml").name


# --- Python ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("block", of_kind("python"))
def test_python_calls_what_there_is(block: Block) -> None:
    for node in ast.walk(ast.parse(block.text)):
        if isinstance(node, ast.Call) and (called := public(node.func)):
            self = [front] if called.__qualname__.startswith("Run.") else []
            inspect.signature(called).bind(*self, *node.args, **{key.arg: None for key in node.keywords if key.arg})
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            assert node.value.id not in ("run", "harness") or public(node), f"{block}: {ast.unparse(node)}"


def public(node: ast.AST) -> Any:
    """What harness.NAME or run.NAME is; None of anything else."""
    if not isinstance(node, ast.Attribute) or not isinstance(node.value, ast.Name):
        return None
    if node.value.id == "harness":
        return getattr(front, node.attr)
    return getattr(Run, node.attr) if node.value.id == "run" else None


# --- what a wheel does not bring -------------------------------------------------------------------------------------


def test_no_message_names_a_page() -> None:
    """Who installed the wheel has no docs/. Docstrings are for those who have."""
    found = []
    for path in Path(front.__file__).parent.rglob("*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        told = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        found += [
            f"{path.name}:{node.lineno} {node.value}"
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in told
            if re.search(r"docs/|\w\.md\b(?!\.j2)", node.value) and node.value != "report.md"
        ]
    assert found == []
