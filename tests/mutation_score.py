"""How many small changes of a module its tests notice, by mutmut (`pip install mutmut`) in a copy of this tree.

`python -m tests.mutation_score [--of N] MODULE[:TEST,TEST] …`, as measure/raw or runs/store:store,locks. Each module is
changed in every way that mutmut knows, and tests/test_<TEST>.py are run on each; without TEST, the one named after the
module. --of N: in N of these ways, drawn with one seed always. A change that makes them run without end counts as
noticed. mutmut changes a module after it has run its tests, so what a function keeps from call to call
(functools.lru_cache) hides a change: statistics/exact is not judged so.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from random import Random

TREE = Path(__file__).parents[1]
COPIED = ("harness", "tests", "docs", "scripts", "pyproject.toml", "README.md", "CHANGELOG.md", "CONTRIBUTING.md")
CONFIG = """
[tool.mutmut]
source_paths = ["harness"]
only_mutate = ["harness/{module}.py"]
also_copy = {copied}
pytest_add_cli_args = ["-p", "no:cacheprovider", "--benchmark-disable", "-m", "not slow and not alone and not board"]
pytest_add_cli_args_test_selection = {tests}
use_git_change_detection = false
track_dependencies = false
"""
SEED = 14
UNNOTICED = (0, 5, 33, None)  # all tests pass, and three ways in which none was run


def copy_of_tree(folder: Path, module: str, tests: list[str]) -> None:
    for name in COPIED:
        if (TREE / name).is_dir():
            shutil.copytree(TREE / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(TREE / name, folder)
    with (folder / "pyproject.toml").open("a") as file:
        file.write(CONFIG.format(module=module, copied=json.dumps(COPIED[2:]), tests=json.dumps(tests)))


def score(asked: str, most: int | None) -> None:
    module, _, named = asked.partition(":")
    tests = [f"tests/test_{name}.py" for name in (named or Path(module).name).split(",")]
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        copy_of_tree(folder, module, tests)
        every = ["nothing"] if most else []  # then it makes the changes, learns which tests reach them, and tries none
        mutmut(folder, every, may_fail=bool(most))
        meta = folder / "mutants" / "harness" / f"{module}.py.meta"
        tried = set(json.loads(meta.read_text())["exit_code_by_key"])
        total = len(tried)
        if most:
            tried = set(Random(SEED).sample(sorted(tried), min(most, total)))
            mutmut(folder, sorted(reached(folder, tried)))
        codes = json.loads(meta.read_text())["exit_code_by_key"]
    unseen = sorted(name for name in tried if codes[name] in UNNOTICED)
    drawn = f" (drawn of {total})" if len(tried) < total else ""
    print(f"{module}: {len(tried) - len(unseen)} of {len(tried)} changes{drawn} noticed by {', '.join(tests)}")
    print(*(f"  not noticed: {name}" for name in unseen), sep="\n", flush=True)


def mutmut(folder: Path, names: list[str], may_fail: bool = False) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [str(Path(sys.executable).with_name("mutmut")), "run", "--max-children", "1", *names]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode and not may_fail:
        sys.exit(f"mutmut ended with exit code {done.returncode}: {done.stdout[-2000:]}{done.stderr[-2000:]}")


def reached(folder: Path, names: set[str]) -> set[str]:
    """Those of the changes that are in a function which a test calls: mutmut is asked for no other."""
    stats = json.loads((folder / "mutants" / "mutmut-stats.json").read_text())["tests_by_mangled_function_name"]
    return {name for name in names if stats.get(re.sub(r"__mutmut_\d+$", "", name))}


if __name__ == "__main__":
    given = sys.argv[1:]
    most = int(given[1]) if given[:1] == ["--of"] else None
    for each in given[2:] if most else given:
        score(each, most)
