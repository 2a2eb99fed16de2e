"""harness compare as a user meets it: the recorded run, grown to six rounds, against changed copies of itself."""

from __future__ import annotations

import io
import json
import re
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from harness.cli.tables.two_run_tables import two_run_tables
from harness.compare.two_runs import compare_runs
from harness.runs.loading import load
from harness.support.format import decimals, signed
from tests.devices import RECORDED
from tests.synthetic import OF_ROUND

REFERENCE, CANDIDATE = "20260101-120000-0001", "20260102-120000-0002"
SERIAL = "0035969ec53f"
CASES = [(v, r) for v in ("float32", "int8") for r in ("ai-edge-litert", "tflite-runtime")]
METRICS = ["accuracy_drop", "flip_rate", "size_bytes", "latency_p50", "latency_p90", "model_rss"]


def recorded(results: Path, run_id: str, rounds: int = 6) -> Path:
    """The recorded run under this id, its first round so often, each time a little faster or slower."""
    path = results / "digits" / run_id
    shutil.copytree(RECORDED, path)
    for folder in path.glob("raw/host/round-001.*"):
        shutil.rmtree(folder)
    for index, folder in product(range(1, rounds), list(path.glob("raw/host/round-000.*"))):
        copy = shutil.copytree(folder, folder.with_name(folder.name.replace("round-000", f"round-00{index}")))
        edit(copy / "piece.json", partial(dict.update, first=index))
        scale(copy / "latencies.npy", 1 + OF_ROUND[index] / 100)
    edit(path / "run.json", lambda run: (run.update(run_id=run_id), run["plan"].update(rounds=rounds)))
    return path


def scale(path: Path, factor: float) -> None:
    timings = np.load(path)
    timings["ns"] = np.round(timings["ns"] * factor)
    np.save(path, timings)


def edit(path: Path, change: Callable[[dict], object]) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def environment(run: Path, **fields: object) -> None:
    edit(run / "run.json", lambda content: content["targets"][0]["environment"].update(fields))


@pytest.fixture
def two(tmp_path, monkeypatch) -> tuple[Path, Path]:
    """Two stored runs that are alike."""
    monkeypatch.chdir(tmp_path)
    return recorded(tmp_path / "results", REFERENCE), recorded(tmp_path / "results", CANDIDATE)


@pytest.fixture
def compared(harness, two):
    """The words of the table, in one line; the rows of --json. The last line, which counts them, is left out."""

    def call() -> tuple[str, list[dict]]:
        tables, rows = (harness("compare", REFERENCE, CANDIDATE, *more) for more in ((), ("--json",)))
        assert (tables[0], rows[0]) == (0, 0)
        assert all("is not sealed" in line for line in (tables[2] + rows[2]).splitlines())  # as the recording is not
        return " ".join(tables[1].rstrip().rpartition("\n")[0].split()), json.loads(rows[1])

    return call


def kinds(rows: list[dict]) -> dict[str, set[str]]:
    return {metric: {row["kind"] for row in rows if row["metric"] == metric} for metric in METRICS}


ALIKE = {metric: {"similar"} for metric in METRICS} | {"flip_rate": {""}}


# --- what is comparable --------------------------------------------------------------------------------------------


def test_two_runs_that_are_alike_are_similar_row_by_row(compared):
    words, rows = compared()
    assert kinds(rows) == ALIKE
    assert [(r["variant"], r["runtime"], r["metric"]) for r in rows] == [(*c, m) for c in CASES for m in METRICS]
    assert words.count(" similar ") == 5 * len(CASES)
    assert f"digits on host: {CANDIDATE} against the reference {REFERENCE}" in words
    assert "not comparable" not in words and "missing" not in words
    assert "session-to-session variance is not in this interval" in words


def test_what_is_unknown_on_both_sides_is_named_once(compared):
    words, rows = compared()
    (line,) = re.findall(r"warning: not known in either run: (.*?) latency and memory", words)
    fields = ["board", "revision", "affinity", "governor", "minimum frequency, Hz", "maximum frequency, Hz"]
    assert line.split("; ") == [*fields, "firmware", "start temperature, °C", "uptime"]
    assert words.count("board") == 1
    assert rows[3]["warnings"][0] == "board: unknown in both"
    assert rows[0]["warnings"] == []  # accuracy rests on none of that


def test_a_slower_candidate_has_changed_and_the_row_says_by_how_much(compared, two):
    for path in two[1].glob("raw/host/round-*int8.tflite-runtime*/latencies.npy"):
        scale(path, 2)
    words, rows = compared()
    slow = [r for r in rows if r["kind"] == "changed"]
    assert {(r["variant"], r["runtime"], r["metric"]) for r in slow} == {
        ("int8", "tflite-runtime", "latency_p50"), ("int8", "tflite-runtime", "latency_p90"),
    }  # fmt: skip
    (p50,) = (r for r in slow if r["metric"] == "latency_p50")
    assert (p50["value"], p50["unit"], p50["own_unit"]) == (pytest.approx(2), "ratio", "us")
    assert p50["candidate"] == pytest.approx(2 * p50["reference"])
    assert p50["low"] < 2 < p50["high"]
    number = r"[\d.,]+"
    pattern = rf"int8 tflite-runtime p50 {number} µs {number} µs \+100\.0 % \({number} – {number}\) changed"
    assert re.search(pattern, words)
    assert "regressed" not in words and words.count(") changed") == 2
    assert "changed: between these two sessions; whether the model did or the session" in words
    intervals = [r for r in rows if r["low"] is not None]
    false = sum(0.1 if r["unit"] == "pp" else 0.05 for r in intervals)  # of 90 % intervals, and of 95 % ones
    assert f"{len(intervals)} comparisons with an interval: if nothing had changed, about {false:.1f} of them" in words


def test_a_less_accurate_candidate_has_regressed_by_its_drop(compared, two):
    """The right answers of the first 20 samples, exchanged for wrong ones."""
    (path,) = two[1].glob("raw/host/shard-*float32.ai-edge-litert*/outputs/0.npy")
    outputs = np.load(path)
    labels, own = np.load(two[1] / "test.npz")["labels"], outputs.argmax(1)
    hit = np.flatnonzero(own == labels)[:20]
    outputs[hit] = np.roll(outputs[hit], 1, axis=1)
    np.save(path, outputs)
    words, rows = compared()
    drop, flips = rows[0], rows[1]
    assert (drop["kind"], drop["method"]) == ("regressed", "Tango 90 %, b=20 c=0 n=500")
    assert (drop["value"], drop["reference"] - drop["candidate"]) == (pytest.approx(4), pytest.approx(0.04))
    assert flips["value"] == 0.04
    assert re.search(r"Accuracy [\d.]+ % [\d.]+ % −4\.00 pp \(−[\d.]+ – −[\d.]+\) regressed", words)
    assert re.search(r"Flips – – 4\.00 % not judged", words)
    assert words.count("regressed") == 1


def test_it_fails_on_the_kinds_that_are_named_and_only_then(harness, two):
    """The last line counts: of 24 comparisons 4 are of flips, which nothing judges."""
    edit(two[1] / "run.json", lambda run: run["variants"][1].update(size_bytes=107_799))
    code, out, _ = harness("compare", REFERENCE, CANDIDATE)
    assert (code, out.splitlines()[-1]) == (0, "20 comparisons: 2 regressed and 18 similar")
    for kinds, expected in ((["regressed"], 1), (["changed"], 0), (["changed", "regressed"], 1), (["missing"], 0)):
        words = [word for kind in kinds for word in ("--fail-on", kind)]
        assert harness("compare", REFERENCE, CANDIDATE, *words)[0] == expected
        assert harness("compare", REFERENCE, CANDIDATE, "--json", *words)[0] == expected
    code, out, err = harness("compare", REFERENCE, CANDIDATE, "--fail-on", "worse")
    assert (code, out) == (2, "") and "worse is no kind of change" in err and "regressed, changed" in err


def test_the_page_has_what_changed_of_each_candidate_before_the_rest(harness, two, tmp_path):
    third = recorded(tmp_path / "results", "20260103-120000-0003")
    for timings in third.glob("raw/host/round-*int8.tflite-runtime*/latencies.npy"):
        scale(timings, 1.2)
    file = tmp_path / "shown" / "page.html"
    code, out, err = harness("compare", REFERENCE, CANDIDATE, third.name, "--html", str(file), "--fail-on", "changed")
    assert code == 1 and f"written: {file}" in " ".join(err.split())
    assert f"{third.name} against the reference {REFERENCE}: " in out
    page = file.read_text()
    changed, rest = page.index('<section id="summary">'), page.index('<section id="rest">')
    slower = re.findall(r"<small>\+20\.0 % \[[^]]+\] changed</small>", page)
    assert len(slower) == 2 and changed < page.index(slower[0]) <= page.rindex(slower[1]) < rest  # p50 and p90
    assert f"{CANDIDATE}: 20 comparisons: 20 similar. {third.name}: 20 comparisons: 2 changed and 18 similar." in page
    assert page.count("comparisons with an interval: if nothing had changed") == 2
    assert harness("compare", REFERENCE, CANDIDATE, third.name, "--json")[0] == 2


def test_the_summary_has_what_changed_before_the_fold(harness, two, tmp_path):
    edit(two[1] / "run.json", lambda run: run["variants"][1].update(size_bytes=107_799))
    file = tmp_path / "summary.md"
    file.write_text("before\n")
    assert harness("compare", REFERENCE, CANDIDATE, "--summary", str(file))[0] == 0
    above, below = file.read_text().split("<details>")
    assert above.startswith(f"before\n### digits: {CANDIDATE} against the reference {REFERENCE}\n")
    assert above.count("| regressed |") == 2 and "| similar |" not in above
    assert r"| int8 on host with ai-edge-litert | Size | 108 kB | 108 kB | +7 bytes | regressed |" in above
    assert below.count("| similar |") == 18 and below.count("| not judged |") == 4
    assert "session-to-session variance is not in this interval" in below


def test_a_larger_file_has_regressed_to_the_byte(compared, two):
    edit(two[1] / "run.json", lambda run: run["variants"][1].update(size_bytes=107_799))
    words, rows = compared()
    assert [(r["baseline"], r["value"]) for r in rows if r["kind"] == "regressed"] == [(107_792, 107_799)] * 2
    assert "Size 108 kB 108 kB +7 bytes regressed" in words


# --- what is not ---------------------------------------------------------------------------------------------------


def test_a_run_from_another_machine_is_refused_with_the_field_and_both_values(compared, two):
    environment(two[1], serial_sha256="cd" * 32)
    words, rows = compared()
    told = f"device: {SERIAL} in the reference, cdcdcdcdcdcd in the candidate"
    refused = {"not_comparable"}
    assert kinds(rows) == ALIKE | {"latency_p50": refused, "latency_p90": refused, "model_rss": refused}
    assert {r["method"] for r in rows if r["kind"] == "not_comparable"} == {told}
    assert {(r["value"], r["low"], r["high"]) for r in rows if r["kind"] == "not_comparable"} == {(None, None, None)}
    assert words.count(f"not comparable: {told}") == 1
    assert len(re.findall(r"(?:p50|p90|Model RSS) \S+ \S+ \S+ \S+ – not comparable", words)) == 3 * len(CASES)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"page_bytes": 16_384}, "page size, bytes: 4,096 in the reference, 16,384 in the candidate"),
        ({"board": "Raspberry Pi 5"}, "board: unknown in the reference, Raspberry Pi 5 in the candidate"),
        ({"emulation": "QEMU_CPU is set"}, "emulated: no in the reference, QEMU_CPU is set in the candidate"),
    ],
)
def test_each_field_that_refuses_is_named(compared, two, fields, told):
    environment(two[1], **fields)
    words, rows = compared()
    assert kinds(rows)["latency_p50"] == {"not_comparable"}
    assert f"not comparable: {told}" in words


def test_another_runtime_version_refuses_its_own_rows_alone(compared, two):
    environment(two[1], runtimes={"ai-edge-litert": "2.4.0", "tflite-runtime": "2.14.0"})
    _, rows = compared()
    p50 = {(r["runtime"], r["kind"]) for r in rows if r["metric"] == "latency_p50"}
    assert p50 == {("ai-edge-litert", "not_comparable"), ("tflite-runtime", "similar")}


def test_another_kernel_warns_and_refuses_nothing(compared, two):
    environment(two[1], kernel="6.12.0")
    words, rows = compared()
    assert kinds(rows) == ALIKE
    assert re.search(r"warning: kernel: \S+ in the reference, 6\.12\.0 in the candidate", words)


def test_another_test_set_leaves_no_accuracy_to_compare(compared, two):
    edit(two[1] / "run.json", lambda run: run["hashes"].update(test="8" * 64))
    words, rows = compared()
    assert kinds(rows) == ALIKE | {"accuracy_drop": {"not_comparable"}, "flip_rate": {"not_comparable"}}
    assert "not comparable: test inputs and labels: 69cfc3b23b49 in the reference, 888888888888 in the" in words


def test_under_six_rounds_say_so(harness, two, tmp_path):
    short = recorded(tmp_path / "elsewhere", "20260103-120000-0003", rounds=2)
    code, out, _ = harness("compare", REFERENCE, str(short))
    assert code == 0
    assert "not comparable: under 6 rounds: 6 in the reference, 2 in the candidate" in " ".join(out.split())


def test_what_the_candidate_did_not_measure_is_missing(compared, two):
    environment(two[1], runtimes={"ai-edge-litert": "2.3.0"})
    for folder in two[1].glob("raw/host/*tflite-runtime*"):
        shutil.rmtree(folder)
    words, rows = compared()
    assert {r["kind"] for r in rows if r["runtime"] == "tflite-runtime"} == {"missing", "similar"}
    told = "missing: the candidate has none: tflite-runtime is not installed on host"
    assert words.count(told) == 1


def test_a_run_against_itself_says_so(harness, two):
    code, out, _ = harness("compare", "latest", CANDIDATE)
    assert code == 0
    assert "both are the same run" in out


# --- the command ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words", [["nothing", CANDIDATE], [REFERENCE, "nothing"], ["latest", "latest", "--results", "x"]]
)
def test_a_run_that_is_not_there_exits_2_in_two_lines(harness, two, words):
    code, out, err = harness("compare", *words)
    assert (code, out) == (2, "")
    assert err.startswith("harness: there is no run")
    assert len(err.splitlines()) == 2 and "harness list" in err


@pytest.mark.parametrize("words", [[], [REFERENCE]])
def test_two_runs_have_to_be_named(harness, two, words):
    code, out, err = harness("compare", *words)
    assert (code, out) == (2, "") and "harness compare needs" in err


@pytest.mark.alone
def test_it_loads_no_tensorflow_no_matplotlib_and_starts_fast(two):
    argv = [sys.executable, "-X", "importtime", "-m", "harness", "compare", REFERENCE, CANDIDATE]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    loaded = {line.split("|")[-1].strip().split(".")[0] for line in done.stderr.splitlines()}
    assert {"numpy", "harness"} <= loaded
    assert not loaded & {"tensorflow", "keras", "pandas", "pyarrow", "matplotlib", "sklearn", "tflite_runtime"}

    def processor_s(rooms: str) -> float:  # not the clock's: others may be at work on this machine
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", f"import {rooms}"], check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    rooms = "harness.compare.two_runs, harness.runs.store, harness.cli.tables.two_run_tables"
    both = [(processor_s(rooms), processor_s("pandas")) for _ in range(5)]
    assert min(own for own, _ in both) < 2.1 * min(pandas for _, pandas in both)  # 1.5 to 1.9 were seen


@pytest.mark.parametrize("width", [80, 100, 160])
def test_the_table_fits_and_cuts_no_value(two, width):
    sessions = compare_runs(*(load(path) for path in two))
    console = Console(width=width, file=(out := io.StringIO()), highlight=False)
    (table,) = two_run_tables(sessions, console)
    console.print(table)
    text = out.getvalue()
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    for word in ("tflite-runtime", "Model RSS", "not judged", "similar", "95.40 %", "0.00 pp"):
        assert word in text
    assert ("Case" in text) == (width == 80)


def test_kinds_are_coloured_where_there_are_colours(two):
    environment(two[1], serial_sha256="cd" * 32, kernel="[bold]6[/bold]")
    edit(two[1] / "run.json", lambda run: run["variants"][0].update(size_bytes=1))
    sessions = compare_runs(*(load(path) for path in two))
    console = Console(width=160, file=(out := io.StringIO()), force_terminal=True, color_system="standard")
    (table,) = two_run_tables(sessions, console)
    console.print(table)
    text = out.getvalue()
    assert "\x1b[32mimproved" in text and "\x1b[33mnot comparable" in text
    assert "[bold]6[/bold]" in text  # as it is, whatever it says


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (0.04, 1, "0.0"),
        (-0.04, 1, "0.0"),
        (0.06, 1, "+0.1"),
        (-0.06, 1, "−0.1"),
        (1234.0, 0, "+1,234"),
        (0.0, 2, "0.00"),
    ],
)
def test_signed(value, digits, text):
    assert signed(decimals(value, digits)) == text
