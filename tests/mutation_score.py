"""How many small changes of a module its tests notice, by mutmut (`pip install mutmut`) in a copy of this tree.

`python -m tests.mutation_score MODULE[:TEST,TEST] …`, as measure/raw or runs/store:store,locks. Each module is changed
in every way that mutmut knows, and tests/test_<TEST>.py are run on each; without TEST, the one named after the
module. A change that makes them run without end counts as noticed. mutmut changes a module after it has run its tests,
so what a function keeps from call to call (functools.lru_cache) hides a change: statistics/exact is not judged so.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

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
UNNOTICED = (0, 5, 33, None)  # all tests pass, and three ways in which none was run


def copy_of_tree(folder: Path, module: str, tests: list[str]) -> None:
    for name in COPIED:
        if (TREE / name).is_dir():
            shutil.copytree(TREE / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(TREE / name, folder)
    with (folder / "pyproject.toml").open("a") as file:
        file.write(CONFIG.format(module=module, copied=json.dumps(COPIED[2:]), tests=json.dumps(tests)))


def score(asked: str) -> None:
    module, _, named = asked.partition(":")
    tests = [f"tests/test_{name}.py" for name in (named or Path(module).name).split(",")]
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        copy_of_tree(folder, module, tests)
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        command = [str(Path(sys.executable).with_name("mutmut")), "run", "--max-children", "1"]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{asked}: mutmut ended with exit code {done.returncode}: {done.stdout[-2000:]}")
        meta = json.loads((folder / "mutants" / "harness" / f"{module}.py.meta").read_text())
    codes = meta["exit_code_by_key"]
    unseen = sorted(name for name, code in codes.items() if code in UNNOTICED)
    print(f"{module}: {len(codes) - len(unseen)} of {len(codes)} changes noticed by {', '.join(tests)}")
    print(*(f"  not noticed: {name}" for name in unseen), sep="\n")


if __name__ == "__main__":
    for each in sys.argv[1:]:
        score(each)
