"""pytest-benchmark's JSON: read back by pytest-benchmark itself, and by what a GitHub action reads of it."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pytest_benchmark.stats import Stats

from harness.compare.baseline import compare
from harness.errors import ConfigError
from harness.records import Comparison, Run, Standing
from harness.records.terms import RoundStatus
from harness.report import left_out, render
from harness.report.material import Material
from harness.report.out.benchmark import statistics
from harness.runs.loading import load
from harness.runs.table_files import write_tables
from tests.devices import RECORDED, copy_of_recording
from tests.made_answers import BOARD, dropped, timed_run
from tests.made_runs import LITERT, case, timed
from tests.synthetic import SUSPECT, synthetic
from tests.test_cli import assert_two_lines

FORMAT = "pytest-benchmark"
FLOAT32_US = (104, 100, 102, 106, 108, 110)
INT8_US = (52, 50, 51, 53, 54, 55)


def exported(of: Run | Comparison) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(render(Material(of if isinstance(of, Comparison) else compare(of)), FORMAT))
    return content


def named(content: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {b["name"]: b for b in content["benchmarks"]}


def data_of(content: dict[str, Any], variant: str) -> dict[str, Any]:
    (found,) = (b for b in content["benchmarks"] if b["params"]["variant"] == variant)
    return found


def with_target(run: Run, **fields: Any) -> Run:
    (record,) = run.targets
    return replace(run, targets=(replace(record, target=replace(record.target, **fields)),))


# --- the tools that read it ----------------------------------------------------------------------------------------


def printed_by(folder: Path, *words: str) -> list[str]:
    """The lines of `pytest-benchmark compare`, called in the folder."""
    argv = [sys.executable, "-m", "pytest_benchmark", "compare", *words]
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=True)
    assert not done.stderr
    return done.stdout.splitlines()


def rows_of(lines: list[str]) -> list[list[str]]:
    """The cells of each benchmark, without the "(1.0)" behind a figure that says how far it is from the best."""
    rows = [line.split() for line in lines if line.startswith(("int8[", "float32["))]
    return [[cell for cell in row if not re.fullmatch(r"\([\d.]+\)", cell)] for row in rows]


@pytest.fixture
def sessions(tmp_path: Path) -> Path:
    """The folder of one.json and two.json; in the second every row takes twice as long."""
    for name, factor in (("one.json", 1), ("two.json", 2)):
        run = timed_run([factor * us for us in FLOAT32_US], [factor * us for us in INT8_US])
        (tmp_path / name).write_text(render(Material(compare(run)), FORMAT))
    return tmp_path


def test_pytest_benchmark_compares_two_exported_files(sessions: Path) -> None:
    """The cells were worked out by hand from FLOAT32_US and INT8_US."""
    columns = "--columns=min,max,mean,median,iqr,ops,outliers,rounds,iterations"
    printed = printed_by(sessions, columns, "one.json", "two.json")
    found = {" ".join(row[:2]): row[2:] for row in rows_of(printed)}
    assert set(found) == {f"{v}[host-{LITERT}-t1] ({f})" for v in ("int8", "float32") for f in ("one", "two")}
    int8 = found[f"int8[host-{LITERT}-t1] (one)"]
    # 50 51 52 53 54 55: mean 52.5, quartiles 51 and 54, one sd (1.8708) leaves 50 and 55 outside; 1e6/52.5 a second
    assert int8 == ["50.0000", "55.0000", "52.5000", "52.5000", "3.0000", "19.0476", "2;0", "6", "40"]
    slow = found[f"float32[host-{LITERT}-t1] (two)"]
    assert slow == ["200.0000", "220.0000", "210.0000", "210.0000", "12.0000", "4.7619", "2;0", "6", "40"]


def test_pytest_benchmark_says_how_far_two_files_are_apart(sessions: Path) -> None:
    printed = printed_by(sessions, "--between", "median", "one.json", "two.json")
    assert [row[-1] for row in rows_of(printed)] == ["+100.0%", "+100.0%"]


def test_rows_of_one_device_stand_in_one_table(tmp_path: Path) -> None:
    (tmp_path / "one.json").write_text(render(Material(synthetic(targets=("host", "raspberry-pi-4"))), FORMAT))
    titles = [line.strip("- ") for line in printed_by(tmp_path, "one.json") if line.startswith("-") and "tests" in line]
    assert titles == ["benchmark 'host': 11 tests", "benchmark 'raspberry-pi-4': 11 tests"]


def test_what_a_github_action_reads_is_there() -> None:
    """github-action-benchmark with tool: pytest reads fullname, stats.ops, stats.stddev, stats.mean, stats.rounds."""
    content = exported(timed_run(FLOAT32_US, INT8_US))
    assert set(content) >= {"machine_info", "commit_info", "benchmarks", "datetime", "version"}
    names = [b["fullname"] for b in content["benchmarks"]]
    assert names == [f"made::float32[host-{LITERT}-t1]", f"made::int8[host-{LITERT}-t1]"]
    for b, us in zip(content["benchmarks"], (FLOAT32_US, INT8_US), strict=True):
        stats = b["stats"]
        assert stats["mean"] == pytest.approx(1e-6 * sum(us) / 6)
        assert stats["ops"] == pytest.approx(6e6 / sum(us))
        assert stats["stddev"] == pytest.approx(1e-6 * math.sqrt(sum((x - sum(us) / 6) ** 2 for x in us) / 5))
        assert stats["rounds"] == 6


# --- the figures ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rounds", range(2, 14))
def test_every_figure_is_the_one_that_pytest_benchmark_takes(rounds: int) -> None:
    data = np.random.default_rng(rounds).lognormal(-10, 0.3, rounds).tolist()
    data[0] *= 3  # an outlier
    theirs = Stats()
    theirs.data = list(data)
    wanted = theirs.as_dict()
    assert statistics(data) == {n: v if isinstance(v, int | str) else pytest.approx(v) for n, v in wanted.items()}


def test_a_round_is_the_median_of_its_process() -> None:
    run = timed_run(FLOAT32_US, INT8_US)
    skewed = timed(case("int8"), 0, [10_000, 11_000, 12_000, 13_000, 900_000])
    rounds = [skewed if (r.case.variant, r.index) == ("int8", 0) else r for r in run.rounds]
    stats = data_of(exported(replace(run, rounds=tuple(rounds))), "int8")["stats"]
    assert stats["data"] == pytest.approx([12e-6, *(1e-6 * us for us in INT8_US[1:])])
    assert stats["iterations"] == 5  # the fewest invokes behind a round; the others have 40


def test_timings_that_several_invokes_share_are_divided() -> None:
    shared = [timed(case("int8"), n, [8000] * 10, count=4) for n in range(6)]
    run = timed_run(FLOAT32_US, INT8_US)
    kept = tuple(r for r in run.rounds if r.case.variant == "float32")
    found = data_of(exported(replace(run, rounds=(*kept, *shared))), "int8")
    assert found["stats"]["data"] == pytest.approx([2e-6] * 6)
    assert (found["stats"]["iterations"], found["extra_info"]["timed_invokes"]) == (40, 240)


def test_only_rounds_that_count_are_data() -> None:
    run = timed_run(FLOAT32_US, INT8_US)
    first, second, *rest = (r for r in run.rounds if r.case.variant == "int8")
    statuses: tuple[RoundStatus, ...] = ("repeated", "invalid")
    lost = [replace(timed(case("int8"), n, [900_000] * 40), status=s) for n, s in enumerate(statuses)]
    again = (replace(first, attempt=1, status="flagged", reasons=("warm",)), replace(second, attempt=1))
    floats = (r for r in run.rounds if r.case.variant == "float32")
    found = data_of(exported(replace(run, rounds=(*floats, *lost, *again, *rest))), "int8")
    assert found["stats"]["data"] == pytest.approx([1e-6 * us for us in INT8_US])
    assert found["extra_info"]["flagged_rounds"] == 1


def test_the_recorded_run_says_what_its_raw_timings_say(tmp_path: Path) -> None:
    comparison = compare(load(RECORDED))
    write_tables(comparison, tmp_path)
    raw = pd.read_parquet(tmp_path / "latency.parquet").query("phase == 'timed'")
    medians = (raw.ns / raw["count"] * 1e-9).groupby([raw.variant, raw.runtime, raw["round"]], observed=True).median()
    content = exported(comparison)
    assert len(content["benchmarks"]) == 4
    for b in content["benchmarks"]:
        wanted = medians[b["params"]["variant"], b["params"]["runtime"]].sort_index()
        assert b["stats"]["data"] == pytest.approx(wanted.tolist())


# --- what may not go in --------------------------------------------------------------------------------------------


def test_an_emulated_device_makes_no_benchmark() -> None:
    content = exported(synthetic(targets=("host", "virtual-pi"), emulated=("virtual-pi",)))
    assert {b["group"] for b in content["benchmarks"]} == {"host"}
    assert any(
        "virtual-pi is emulated, and its times support no claim" in told for told in content["harness"]["left_out"]
    )


def test_rows_that_were_not_measured_well_are_left_out_and_told() -> None:
    comparison = synthetic()
    content = exported(comparison)
    shown = {(b["params"]["variant"], b["params"]["runtime"]) for b in content["benchmarks"]}
    wanted = {(s.case.variant, s.case.runtime) for s in comparison.standings if s.status in ("ok", "suspect")}
    assert shown == wanted
    assert len(wanted) < len(comparison.standings)
    told = left_out(Material(comparison), FORMAT)
    for s in comparison.standings:
        if s.status not in ("ok", "suspect"):
            assert any(f"{s.case.variant} on host with {s.case.runtime}" in t and s.reason in t for t in told)
    assert content["harness"]["left_out"] == list(told)


def test_a_suspect_row_is_kept_and_says_so() -> None:
    comparison = synthetic()
    (suspect,) = (b for b in exported(comparison)["benchmarks"] if b["extra_info"]["status"] == "suspect")
    (shard,) = (s for s in comparison.run.shards if (s.case.variant, s.case.runtime) == SUSPECT)
    equal = np.asarray(shard.outputs[0]).argmax(axis=1) == comparison.run.baseline[0].argmax(axis=1)
    told = f"agrees with Keras on {equal.mean():.1%} of the test set"
    assert suspect["extra_info"]["reason"].startswith(told)


def test_an_invalid_row_is_left_out() -> None:
    comparison = compare(timed_run(FLOAT32_US, INT8_US))
    broken = Standing(case("int8"), "invalid", "2 of 6 rounds are invalid")
    comparison = replace(comparison, standings=(comparison.standings[0], broken))
    assert [b["params"]["variant"] for b in exported(comparison)["benchmarks"]] == ["float32"]
    assert left_out(Material(comparison), FORMAT) == (
        f"int8 on host with {LITERT}: left out, invalid: 2 of 6 rounds are invalid",
    )


def test_few_rounds_are_kept_and_told() -> None:
    comparison = compare(timed_run(FLOAT32_US[:3], INT8_US[:3]))
    content = exported(comparison)
    assert [b["extra_info"]["supports_claim"] for b in content["benchmarks"]] == [False, False]
    (told,) = left_out(Material(comparison), FORMAT)
    assert "kept, but 3 rounds support no claim of faster or slower: that takes 6" in told
    full = exported(timed_run(FLOAT32_US, INT8_US))
    assert [b["extra_info"]["supports_claim"] for b in full["benchmarks"]] == [True, True]
    assert full["harness"]["left_out"] == []


@pytest.mark.parametrize(
    ("run", "said"),
    [
        (lambda: dropped(0, 0, 20), "timed in 0 rounds"),
        (lambda: timed_run(FLOAT32_US[:1], INT8_US[:1]), "timed in 1 round, and a spread needs 2"),
        (lambda: with_target(timed_run(FLOAT32_US, INT8_US), emulated=True), "host is emulated"),
        (lambda: timed_run(FLOAT32_US, INT8_US, environment=replace(BOARD, emulation="qemu")), "host is emulated"),
    ],
    ids=["plan none", "one round", "said to be emulated", "found to be emulated"],
)
def test_a_run_without_a_latency_is_an_error(run: Callable[[], Run], said: str) -> None:
    with pytest.raises(ConfigError, match="has no latency for pytest-benchmark") as error:
        exported(run())
    assert said in str(error.value)
    assert "harness run --plan standard" in error.value.advice


# --- the device ----------------------------------------------------------------------------------------------------


def test_the_machine_is_the_device() -> None:
    machine = exported(timed_run(FLOAT32_US, INT8_US))["machine_info"]
    assert (machine["node"], machine["board"], machine["python_version"]) == ("host", "a board", "3.11.9")
    assert machine["serial_sha256"] == "5" * 64
    assert machine["cpu"] == {"brand_raw": None, "arch_string_raw": None, "count": None}  # the board did not say
    assert machine["runtimes"][LITERT] == "2.3.0"


def test_the_machine_is_the_same_after_a_reboot() -> None:
    runs = [timed_run(FLOAT32_US, INT8_US, environment=replace(BOARD, boot_id=boot)) for boot in ("one", "two")]
    assert exported(runs[0])["machine_info"] == exported(runs[1])["machine_info"]


def test_several_devices_stand_under_their_names() -> None:
    content = exported(synthetic(targets=("host", "raspberry-pi-4", "raspberry-pi-5"), emulated=("raspberry-pi-5",)))
    assert set(content["machine_info"]) == {"host", "raspberry-pi-4"}
    assert content["machine_info"]["raspberry-pi-4"]["board"] == "Raspberry Pi 4 Model B Rev 1.5"
    assert len({b["fullname"] for b in content["benchmarks"]}) == len(content["benchmarks"])


def test_threads_are_part_of_the_name() -> None:
    names = named(exported(synthetic(threads=(1, 4))))
    assert {f"int8[host-{LITERT}-t1]", f"int8[host-{LITERT}-t4]"} <= set(names)
    assert names[f"int8[host-{LITERT}-t4]"]["params"]["threads"] == 4


# --- the command ---------------------------------------------------------------------------------------------------


def test_the_command_writes_the_file_and_tells_what_it_lacks(harness, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    copy_of_recording(tmp_path / "results")
    code, out, err = harness("report", "latest", "--format", FORMAT, "--out", "latency.json")
    assert (code, out) == (0, "latency.json\n")
    assert "2 rounds support no claim of faster or slower" in err
    assert len(rows_of(printed_by(tmp_path, "latency.json"))) == 4
    assert harness("report", "latest", "--format", FORMAT)[:2] == (0, (tmp_path / "latency.json").read_text())


def test_the_command_on_an_emulated_run_is_two_lines(harness, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = copy_of_recording(tmp_path / "results")
    text = (path / "run.json").read_text()
    (path / "run.json").write_text(text.replace('"emulated": false', '"emulated": true', 1))
    assert load(path).targets[0].target.emulated
    code, out, err = harness("report", "latest", "--format", FORMAT, "--out", "latency.json")
    assert (code, out) == (2, "")
    assert_two_lines(err, "host is emulated", "harness run --plan standard")
    assert not (tmp_path / "latency.json").exists()
