"""A stored run, damaged: seeded mutations of its files, and what the commands that read it make of them.

Run as `python -m tests.mutations COUNT [SEED]` for a campaign of any length; tests/test_foreign.py runs a short one.
`python -m tests.mutations COUNT SEED tasks` damages runs of the tasks of tests/stored_tasks.py, and seals them anew.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from copy import deepcopy
from io import StringIO
from pathlib import Path
from random import Random
from typing import Any

RECORDED = Path(__file__).parent / "recorded"
MEMORY_BYTES = 6 << 30  # what reads a file without end fails
LONGEST_S = 60  # a command that takes longer hangs; others may use this machine
OF_ALL = ("list", "trend", "clean")  # these go on where one run is damaged, and say so
UNSEALED, SEALED = "digits-schema-3", "digits-schema-5"
DIGITS = "9" * 5000
DEEP = "[" * 100_000 + "]" * 100_000
# What stands in a JSON file in place of a value, as it is written there.
NASTY = (
    *("null", "true", "0", "-1", "1.5", "2147483648", "9223372036854775808", "1" + "0" * 400, DIGITS, "-" + DIGITS),
    *("1e308", "1e999", "NaN", "Infinity", "-Infinity", "[]", "{}", '""', '"\\u0000"', '"a\\u0000b"', '"\\ud800"'),
    *('"../../up"', '"/etc/passwd"', '"."', '".."', '"=1+1"', '"\\u001b]0;title\\u0007"', '"\\u001b[2J"', '"*"'),
    *('"2026-13-45"', '"int8"', '"float64"', '"object"', '"(1,"', f'"{"x" * 5000}"', "[1]", '{"a": 1}', DEEP, '[[""]]'),
)
DESCRIBED = (
    *(("'(1,'", "(1,)"), ("'|O'", "(1,)"), ("'<f4'", "(9223372036854775807, 9)"), ("'<f4'", "(-1,)"), ("'<f4'", "()")),
    *(("'<f4'", f"({DIGITS},)"), ("'<U0'", "(7,)"), ("'<M8'", "(1,)"), ("[('a', '<f4', 99999999999)]", "(1,)")),
    *(("'<f4'", "(0, 99999999999999999999)"), ("'<f4'", "(4611686018427387905, 4)"), ("'<f8'", "(1000000000,)")),
)
HEADERS = (
    *(f"{{'descr': {dtype}, 'fortran_order': False, 'shape': {shape}}}" for dtype, shape in DESCRIBED),
    *("(" * 9000, "[" * 9000 + "]" * 9000, "\0\0", "{'descr': []}", "1", "-" * 9000 + "1"),
)


def mutate(path: Path, chance: Random) -> str:
    """Damages the file in one of many ways, and says how."""
    ways: list[Callable[[Path, Random], str]] = [bytes_changed, bytes_changed, other_kind]
    ways += {".json": [value_changed] * 9, ".npy": [header_changed] * 3}.get(path.suffix, [])
    return chance.choice(ways)(path, chance)


def value_changed(path: Path, chance: Random) -> str:
    """Another value somewhere, a key less, a key more, an element twice."""
    content = json.loads(path.read_text())
    holders = list(holders_of(content))
    holder = chance.choice(holders)
    keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
    key, way = chance.choice(keys), chance.choice(["value"] * 6 + ["gone", "other", "twice"])
    told = f"{way} {key!r}"
    if way == "gone":
        del holder[key]
    elif way == "other":
        holder[key] = deepcopy(chance.choice(list(values_of(content))))
    elif way == "twice" and isinstance(holder, list):
        holder.append(holder[key])
    else:
        nasty = chance.choice(NASTY)
        told += f" = {nasty[:40]}"
        holder[key] = "@here@"
        path.write_text(json.dumps(content).replace('"@here@"', nasty))
        return told
    path.write_text(json.dumps(content))
    return told


def holders_of(content: Any) -> Iterator[Any]:
    if isinstance(content, dict | list):
        if content:
            yield content
        for value in content.values() if isinstance(content, dict) else content:
            yield from holders_of(value)


def values_of(content: Any) -> Iterator[Any]:
    for holder in holders_of(content):
        yield from holder.values() if isinstance(holder, dict) else holder


def header_changed(path: Path, chance: Random) -> str:
    """Another header before the same numbers, or a bit of the header another."""
    content = path.read_bytes()
    size = int.from_bytes(content[8:10], "little")
    if chance.random() < 0.4:
        header = bytearray(content[: 10 + size])
        place = chance.randrange(len(header))
        header[place] = chance.randrange(256)
        path.write_bytes(bytes(header) + content[10 + size :])
        return f"header byte {place} = {header[place]}"
    text = chance.choice(HEADERS).encode()
    path.write_bytes(content[:8] + min(len(text), 65535).to_bytes(2, "little") + text + content[10 + size :])
    return f"header {text[:60]!r}"


def bytes_changed(path: Path, chance: Random) -> str:
    content = bytearray(path.read_bytes())
    way, place = chance.choice(("cut", "flip", "random", "gone", "more", "empty")), chance.randrange(len(content) + 1)
    if way == "cut":
        del content[place:]
    elif way == "flip" and place < len(content):
        content[place] ^= 1 << chance.randrange(8)
    elif way == "random":
        content[place : place + 16] = chance.randbytes(16)
    elif way == "gone":
        del content[place : place + chance.randrange(1, 64)]
    elif way == "more":
        content[place:place] = chance.choice((b"\0", b"\xff\xfe", b"\n", content[: chance.randrange(64)]))
    else:
        content.clear()
    path.write_bytes(content)
    return f"bytes {way} at {place}"


def other_kind(path: Path, chance: Random) -> str:
    """No file, or none that a file of that name should be."""
    path.unlink()
    way = chance.choice(("gone", "folder", "fifo", "zeros", "loop", "nowhere"))
    if way == "folder":
        path.mkdir()
    elif way == "fifo":
        os.mkfifo(path)
    elif way != "gone":
        path.symlink_to({"zeros": "/dev/zero", "loop": path.name, "nowhere": "/nowhere/at/all"}[way])
    return way


def commands(run: str, other: str, sample: int, experiment: str = "digits") -> list[tuple[str, ...]]:
    """What reads a stored run, and changes nothing in it. accept writes beside it."""
    return [
        ("list",),
        ("show", run, "--sample", str(sample), "--out", "picture.svg"),
        ("report", run, "--format", "markdown", "--out", "report.md"),
        ("report", run, "--format", "csv", "--out", "report.csv"),
        ("gate", run),
        ("gate", run, "--reference", other),
        ("compare", other, run),
        ("compare", run, other),
        ("accept", run),
        ("trend", experiment, "--all"),
        ("clean", "--dry-run"),
    ]


class TookTooLong(BaseException):
    pass


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    def over(*_: object) -> None:
        raise TookTooLong(f"over {seconds} s")

    before = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def escape_of(words: tuple[str, ...], named: str = "") -> str:
    """What escapes from the command: a traceback, `unexpected …`, no end, text that a terminal would obey; "" where
    nothing does. named: the file that it must name, with the exit code 2.
    """
    from harness.cli import main

    out, err = StringIO(), StringIO()
    argv, sys.argv = sys.argv, ["harness", *words, "--debug"]
    try:
        with redirect_stdout(out), redirect_stderr(err), at_most(LONGEST_S):
            main()
        code: object = 0
    except SystemExit as end:
        code = end.code
    except BaseException as error:  # whatever it is, it escaped
        return f"{type(error).__name__}: {error}\n{traceback.format_exc()}"
    finally:
        sys.argv = argv
    if "unexpected" in err.getvalue():
        return err.getvalue()
    if named and (code != 2 or named not in err.getvalue()):
        return f"believed with exit code {code}: {out.getvalue()}{err.getvalue()}"
    said = out.getvalue() + "".join(line for line in err.getvalue().splitlines(True) if line.startswith("harness:"))
    return next((f"control character {c!r}" for c in said if not (c.isprintable() or c in "\n")), "")


def campaign(count: int, seed: int, folder: Path) -> Iterator[tuple[str, str]]:
    """Yields (what was damaged and how, what escaped) of so many mutations. folder: an empty one to work in."""
    for schema in ("digits-schema-1", UNSEALED, SEALED):
        shutil.copytree(RECORDED / schema, folder / "results" / "digits" / schema, symlinks=True)
    for n in range(count):
        chance = Random(f"{seed}.{n}")
        run = chance.choice((UNSEALED, SEALED))
        source, victim = RECORDED / run, folder / "results" / "digits" / run
        files = sorted(path.relative_to(source) for path in source.rglob("*") if path.is_file())
        by_kind = {name: [f for f in files if f.name == name] for name in {f.name for f in files}}
        name = chance.choice(sorted(by_kind) + ["run.json"] * 3)
        file = chance.choice(by_kind[name])
        how = mutate(victim / file, chance)
        words = chance.choice(commands(run, "digits-schema-1", chance.randrange(500)))
        of_run = run == SEALED and words[0] not in OF_ALL
        told = must_be_named(source / file, victim / file) if of_run else ""
        before = Path.cwd()
        os.chdir(folder)
        try:
            yield f"{seed}.{n} {run}/{file}: {how}; {' '.join(words)}", escape_of(words, told)
        finally:
            os.chdir(before)
            restore(source / file, victim / file)
            (victim.parent / "reference.json").unlink(missing_ok=True)


def campaign_of_tasks(count: int, seed: int, folder: Path) -> Iterator[tuple[str, str]]:
    """The same of runs of every task, which whoever damages them seals anew: what their files say is all there is."""
    from harness.runs import seal
    from tests.stored_tasks import MADE, stored_run

    runs = {task: stored_run(folder / "sound" / task, task) for task in MADE}
    for n in range(count):
        chance = Random(f"{seed}.{n}")
        task = chance.choice(sorted(MADE))
        run = folder / "results" / runs[task].parent.name / runs[task].name
        shutil.copytree(runs[task], run)
        file = chance.choice(sorted(p for p in run.rglob("*") if p.is_file() and p.name != seal.MANIFEST))
        how = mutate(file, chance)
        sealed_anew(run)
        words = chance.choice(commands(run.name, run.name, chance.randrange(60), run.parent.name))
        before = Path.cwd()
        os.chdir(folder)
        try:
            yield f"{seed}.{n} {task}/{file.relative_to(run)}: {how}; {' '.join(words)}", escape_of(words)
        finally:
            os.chdir(before)
            shutil.rmtree(folder / "results")


def sealed_anew(run: Path) -> None:
    """As whoever changes a run can do it; what is no file is in no manifest."""
    from harness.errors import HarnessError
    from harness.runs import seal

    (run / seal.MANIFEST).unlink()
    with suppress(HarnessError, OSError):
        seal.seal(run, run.name, (run / "run.json").read_bytes(), {})


def must_be_named(source: Path, damaged: Path) -> str:
    """The name of a file of a sealed run, where it is not the one that was sealed; "" where nothing has to be told."""
    if damaged.is_file() and not damaged.is_symlink() and damaged.read_bytes() == source.read_bytes():
        return ""
    gone = damaged.name == "run.json" and not damaged.exists()  # then there is no run of that name
    return "" if gone or damaged.name == "manifest.json" else damaged.name


def restore(source: Path, damaged: Path) -> None:
    if damaged.is_dir() and not damaged.is_symlink():
        shutil.rmtree(damaged)
    else:
        damaged.unlink(missing_ok=True)
    shutil.copy2(source, damaged)


def main() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    count, seed = int(sys.argv[1]), int((*sys.argv, "0")[2])
    kind = campaign_of_tasks if sys.argv[3:] == ["tasks"] else campaign
    escaped = 0
    with tempfile.TemporaryDirectory() as folder:
        for told, escape in kind(count, seed, Path(folder)):
            if escape:
                escaped += 1
                print(f"=== {told}\n{escape}", flush=True)
    print(f"{count} mutations, {escaped} escaped")


if __name__ == "__main__":
    main()
