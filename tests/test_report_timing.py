"""What the report says of the rounds, of the timing itself and of the device, and that it hides none of it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.compare.rows import rows
from harness.measure.selftest.aa_result import AaResult
from harness.measure.validity import with_status
from harness.metrics.typical import CORRELATED, SKEWED
from harness.records import Case, Comparison, DeviceState, Environment, Round, TargetRecord, Timings
from harness.report import render, write_report
from harness.report.charts.chart import Dots, Words
from harness.report.material import Material
from harness.report.plots.over_time import over_time
from harness.report.plots.style import NothingToDrawError
from harness.report.plots.timeline import conditions, middles, plotted, relative
from harness.report.sections import draw_all
from harness.report.tables.costs import call_tables, memory_tables
from harness.report.words.false_alarms import self_tests
from harness.report.words.round_quality import merged, of_target, reasons, sentences, stretches, where
from harness.report.words.summary import sentences as all_sentences
from harness.report.words.timing import cautions
from tests.made_runs import case, timed
from tests.synthetic import synthetic

PI = "raspberry-pi-4"
INT8 = Case("int8", "host", "ai-edge-litert", 1)


@pytest.fixture(scope="module")
def cool() -> Comparison:
    return synthetic()


@pytest.fixture(scope="module")
def hot() -> Comparison:
    return synthetic(targets=("host", PI), hot=(PI,))


def words(comparison: Comparison, aa: tuple[AaResult, ...] = ()) -> dict[str, str]:
    return {s.topic: s.text for s in all_sentences(Material(comparison, aa=aa))}


def changed(comparison: Comparison, case: Case, metric: str, **values: Any) -> Comparison:
    changes = [
        dataclasses.replace(c, **values) if (c.case, c.metric) == (case, metric) else c for c in comparison.changes
    ]
    return dataclasses.replace(comparison, changes=tuple(changes))


def with_rounds(comparison: Comparison, rounds: tuple[Round, ...]) -> Comparison:
    return dataclasses.replace(comparison, run=dataclasses.replace(comparison.run, rounds=rounds))


# the rounds, in words


def test_where_every_round_is_valid_one_sentence_says_so(cool: Comparison) -> None:
    assert words(cool)["Rounds"] == "On host 110 processes were timed for 11 rows: every round is valid."


def test_every_round_that_is_not_valid_is_counted_with_its_reasons(hot: Comparison) -> None:
    text = words(hot)["Rounds"].split(". On ")[1]
    assert text.startswith(f"{PI} 116 processes were timed for 11 rows, 6 repeats among them: 44 valid; ")
    assert "66 flagged, and counted (started at 62 to 63 °C, over 60 °C, after 120 s of cooling: 66; " in text
    assert "6 invalid, and not counted (throttled during the round: 6)" in text


def test_the_counts_are_those_of_the_run(hot: Comparison) -> None:
    pieces = of_target(hot, PI)
    for status in ("flagged", "invalid"):
        found = {id(r) for why in reasons(hot) if why.status == status for r in why.rounds}
        assert found == {id(r) for r in pieces if r.status == status}


def test_a_round_without_a_valid_attempt_is_missed_in_words(hot: Comparison) -> None:
    kept = tuple(r for r in hot.run.rounds if not (r.attempt and r.case.variant == "int8" and r.index == 5))
    text = sentences(with_rounds(hot, kept))[1]
    assert text.endswith(" No attempt was valid for 2 rounds.")


def test_a_failed_round_is_no_reason_to_be_silent(cool: Comparison) -> None:
    first, *others = cool.run.rounds
    failed = Round(first.case, first.index, "failed", ("the process died with signal 11",))
    text = sentences(with_rounds(cool, (failed, *others)))[0]
    assert "1 failed (the process died with signal 11: 1)" in text


def test_reasons_that_differ_in_numbers_alone_are_one() -> None:
    assert merged(["at 61 °C, over 60 °C", "at 64.5 °C, over 60 °C"]) == "at 61 to 64.5 °C, over 60 °C"
    assert merged(["throttled"]) == "throttled"
    assert stretches([0, 1, 2, 5, 7, 8]) == "0–2, 5, 7–8"


def test_where_a_reason_holds_is_told_row_by_row(hot: Comparison) -> None:
    told = {(why.status, why.text.split(" ")[0]): where(hot, why) for why in reasons(hot)}
    assert told["flagged", "started"] == "rounds 4–9 of every row"
    assert told["invalid", "throttled"] == (
        "round 5 of float32 · ai-edge-litert and float32 · tflite-runtime; "
        "rounds 5–6 of int8 · ai-edge-litert and int8 · tflite-runtime"
    )


@pytest.mark.parametrize("format", ["html", "markdown"])
def test_both_formats_list_them(hot: Comparison, format: str) -> None:
    text = render(Material(hot), format)
    assert "Rounds that are not valid" in text
    assert "throttled during the round" in text and "rounds 4–9 of every row" in text


def test_a_round_that_was_repeated_is_explained_on_the_page(cool: Comparison) -> None:
    first, *others = cool.run.rounds
    again = dataclasses.replace(first, attempt=1)
    reason = "unsteady: half of its invokes took over 1.20 × the fastest tenth's time"
    unsteady = dataclasses.replace(first, status="repeated", reasons=(reason,))
    comparison = with_rounds(cool, (unsteady, again, *others))
    assert f"1 measured again ({reason}: 1)" in words(comparison)["Rounds"]
    page = render(Material(comparison), "html")
    assert '<span class="bad">repeated</span>: unsteady' in page and "(1 process: round 0 of" in page
    assert "A repeated one does not: it was unsteady and measured once more." in page


@pytest.mark.parametrize("format", ["html", "markdown"])
def test_no_list_where_there_is_nothing_to_list(cool: Comparison, format: str) -> None:
    assert "Rounds that are not valid" not in render(Material(cool), format)


# no difference, and how small one would have to be


def test_no_difference_never_stands_alone(cool: Comparison) -> None:
    text = words(cool)["Speed"]
    smallest = cool.change(Case("float16", "host", "ai-edge-litert", 1), "smallest_detectable_effect")
    assert smallest and smallest.value
    assert f"no difference is shown for float16 (one of {smallest.value:.2g} % would be found about" in text


def equal_runtimes(comparison: Comparison, spread: float) -> Comparison:
    """Both runtimes time the same, up to noise from round to round."""
    rng = np.random.default_rng(4)
    again = [
        dataclasses.replace(r, timings=r.timings | {"timed": _scaled(20_000 * np.exp(rng.normal(0, spread)))})
        for r in comparison.run.rounds
    ]
    return with_rounds(comparison, tuple(again))


def _scaled(ns: float) -> Timings:
    return Timings.of([round(ns)] * 50)


def test_runtimes_without_a_difference_say_what_would_be_missed(cool: Comparison) -> None:
    text = words(equal_runtimes(cool, 0.01))["Runtimes"]
    assert "is faster" not in text
    assert "no difference between ai-edge-litert and tflite-runtime is shown for float32 (one of 1." in text


def test_runtimes_are_paired_by_round(cool: Comparison) -> None:
    """What slows both down in the same round cancels: .5 % apart is seen in rounds that are 20 % apart."""
    slower = {"ai-edge-litert": 1.0, "tflite-runtime": 1.005}
    again = [
        dataclasses.replace(
            r,
            timings={
                "timed": _scaled(20_000 * (1 + 0.02 * r.index) * slower[r.case.runtime] * (1 + 0.0001 * (r.index % 3)))
            },
        )
        for r in cool.run.rounds
    ]
    text = words(with_rounds(cool, tuple(again)))["Runtimes"]
    assert "ai-edge-litert is faster than tflite-runtime for 5 of 5 rows that both ran (1.00× as fast" in text.replace(
        "1.01", "1.00"
    )


# the timing itself


def test_a_quiet_run_has_nothing_to_say_of_its_timing(cool: Comparison) -> None:
    assert "Timing" not in words(cool)


@pytest.mark.parametrize(
    ("value", "low", "high", "told"),
    [
        (
            4.1,
            2.2,
            6.0,
            "Still warming up: the first tenth of the timed invokes is 4.1 % slower than the rest with int8",
        ),
        (
            -5.0,
            -7.5,
            -2.5,
            "Slowing down: the first tenth of the timed invokes is 5.0 % faster than the rest with int8",
        ),
        (4.1, -0.2, 8.4, ""),
        (1.9, 1.5, 2.3, ""),
        (2.1, None, None, ""),
    ],
)
def test_warm_up_is_told_where_it_is_real_and_over_two_percent(
    cool: Comparison, value: float, low: float | None, high: float | None, told: str
) -> None:
    drifting = changed(cool, INT8, "warmup_drift", value=value, low=low, high=high)
    text = words(drifting).get("Timing", "")
    assert text.startswith(told) if told else not text
    assert not told or f"95 % interval {min(abs(low or 0), abs(high or 0)):.1f} to" in text


def test_correlated_invokes_leave_the_rounds_alone_to_speak(cool: Comparison) -> None:
    text = words(changed(cool, INT8, "ess_share", value=0.222))["Timing"]
    assert "correlated for int8 (ai-edge-litert): 100 of them are worth 22 independent ones" in text
    assert "rounds alone" in text
    assert "Timing" not in words(changed(cool, INT8, "ess_share", value=0.5))


@pytest.mark.parametrize(
    ("sign", "text"),
    [
        (SKEWED, "The rounds of int8 (ai-edge-litert) look skewed, or of two kinds: their value is that of the median"),
        (CORRELATED, "Each round looks like the one before it for int8 (ai-edge-litert): intervals are three times as"),
    ],
)
def test_rounds_that_look_odd_are_told(cool: Comparison, sign: str, text: str) -> None:
    assert text in words(changed(cool, INT8, "latency_p50", method=f"95 %, so; {sign}"))["Timing"]


def test_invokes_that_share_a_timing_are_told(cool: Comparison) -> None:
    shared = [
        dataclasses.replace(r, timings=r.timings | {"timed": Timings.of(r.timings["timed"].ns * 8, 8)})
        if r.case == INT8
        else r
        for r in cool.run.rounds
    ]
    comparison = with_rounds(cool, tuple(shared))
    assert cautions(comparison, rows(comparison)) == [
        "The clock is too coarse to time one invoke of int8 (8): that many share one timing."
    ]
    (table,) = call_tables(Material(comparison))
    line = next(x for x in table.lines if (x.cells[0].text, x.cells[1].text) == ("int8", "ai-edge-litert"))
    assert line.cells[-1].text == "8"


# what the Python call costs, and memory


def test_the_call_costs_add_up(hot: Comparison) -> None:
    first, second = call_tables(Material(hot))
    assert (first.target, second.target) == ("host", PI)
    assert [h.title for h in first.headings] == [
        *("Variant", "Runtime", "invoke()", "set_tensor", "get_tensor", "All three", "Empty timing"),
        "Invokes per timing",
    ]
    for line in (*first.lines, *second.lines):
        invoke, given, read, all_three = (float(cell.text) for cell in line.cells[2:6])
        assert all_three == pytest.approx(invoke + given + read, rel=0.01)
    assert len(first.lines) == 11  # rows that were not timed have nothing to add up


def test_memory_stands_at_every_point_with_its_peak(cool: Comparison) -> None:
    (table,) = memory_tables(Material(cool))
    assert [h.title for h in table.headings[2:]] == [
        *("Start", "Runtime imported", "Model read", "Allocated", "First invoke", "End", "Activations")
    ]
    cells = table.lines[0].cells[2:]
    assert [(c.text, c.note) for c in cells[:2]] == [("21.0", "42.0"), ("21.6", "43.2")]
    assert cells[-1].text == "6.9"


def test_memory_that_is_unknown_has_no_table(cool: Comparison) -> None:
    silent = tuple(dataclasses.replace(r, memory_bytes={}) for r in cool.run.rounds)
    changes = tuple(c for c in cool.changes if c.metric != "peak_rss")
    assert memory_tables(Material(dataclasses.replace(with_rounds(cool, silent), changes=changes))) == ()


@pytest.mark.parametrize("format", ["html", "markdown"])
def test_both_formats_tell_how_to_reconcile_the_numbers(cool: Comparison, format: str) -> None:
    text = render(Material(cool), format)
    assert "What the Python call costs" in text and "Memory of one process" in text
    assert "invoke() alone" in text


# the harness' own test


FOUND = AaResult(
    date="2026-01-01", target="host", board=None, serial_sha256=None, variant="float32", model_sha256="0" * 64,
    runtime="ai-edge-litert", runtime_version="2.3.0", threads=1, rounds=10, min_s=0.05, seed=1, harness="0.1.0",
    comparisons=200, false_alarms=9, rate=0.045, low=0.0208, high=0.0837, half_width=0.0071,
    detection={"2": 0.86, "5": 0.995}, real_slowdown=0.05, confirmed=None, repeated=0, flagged=0,
)  # fmt: skip


def test_what_aa_found_stands_in_the_report(cool: Comparison, tmp_path: Path) -> None:
    text = words(cool, (FOUND,))["Self-test"]
    assert text == (
        "On this machine this harness raises a false alarm in 9 of 200 comparisons of a model with itself "
        "(95 % interval 2.1 to 8.4 %); the median half-width of a ratio's interval is 0.71 %. It finds a slow-down of "
        "2 % in 86.0 % and 5 % in 99.5 % of the comparisons."
    )
    page = write_report(Material(cool, None, (FOUND,)), tmp_path).read_text()
    assert "raises a false alarm in 9 of 200" in page
    assert "raises a false alarm in 9 of 200" in (tmp_path / "report.md").read_text()


def test_a_machine_of_several_is_named_by_its_serial(hot: Comparison) -> None:
    targets = tuple(
        TargetRecord(t.target, Environment(serial_sha256=f"serial of {t.target.name}")) for t in hot.run.targets
    )
    comparison = dataclasses.replace(hot, run=dataclasses.replace(hot.run, targets=targets))
    told = self_tests(Material(comparison, aa=(dataclasses.replace(FOUND, serial_sha256=f"serial of {PI}"),)))
    assert told[0].startswith(f"On {PI} this harness")


def test_without_aa_the_report_says_that_nobody_knows(cool: Comparison) -> None:
    assert "is unknown; harness aa measures it" in words(cool)["Self-test"]
    assert "Self-test" not in words(synthetic(rounds=0, profile="none"))


# latency over time


def test_the_figure_is_drawn_with_and_without_sensors(cool: Comparison, hot: Comparison) -> None:
    for comparison in (cool, hot):
        drawing = next(d for d in draw_all(Material(comparison)) if d.name == "over-time")
        assert not drawing.absent
        assert 'viewBox="0 0 1000 ' in drawing.wide and 'viewBox="0 0 330 ' in drawing.narrow


def test_a_device_without_sensors_is_said_to_be_unknown_in_the_figure(cool: Comparison) -> None:
    first, *others = over_time(Material(cool)).panels
    assert (first.title, first.note) == ("host", "temperature, clock and throttling unknown on this device")
    assert not any(panel.title for panel in others)


def test_panels_are_those_of_what_is_known(hot: Comparison) -> None:
    labels = [panel.y.title for panel in over_time(Material(hot)).panels]
    assert labels == ["p50, % from row's own"] * 2 + ["°C", "GHz", ""]


def test_the_reasons_are_written_in_the_figure_with_a_mark_a_round(hot: Comparison) -> None:
    panel = over_time(Material(hot)).panels[-1]
    whys = reasons(hot)
    assert [mark.text for mark in panel.marks if isinstance(mark, Words)] == [f"{w.status}: {w.text}" for w in whys]
    assert [len(mark.dots) for mark in panel.marks if isinstance(mark, Dots)] == [len(why.rounds) for why in whys]


def test_conditions_are_told_with_their_range(hot: Comparison) -> None:
    assert conditions(list(plotted(of_target(hot, PI)))) == (
        "temperature 50 to 67 °C, clock 1.00 to 1.80 GHz, throttled or under-powered in 6 of 116 processes (shaded)"
    )


def test_flags_that_were_read_and_are_clear_are_not_unknown() -> None:
    quiet = DeviceState(temperature_c=50.0, throttled="0x0")
    spots = list(plotted([Round(case(), 0, before=quiet, after=quiet)]))
    assert conditions(spots) == "temperature 50 °C, no throttling; clock unknown on this device"


def test_rounds_stand_in_the_order_of_time(hot: Comparison) -> None:
    found = of_target(hot, PI)
    assert [r.started_s for r in found] == sorted(r.started_s or 0 for r in found)
    spots = list(plotted(found))
    ends = [spot.x + spot.width for spot in spots]
    assert [spot.x for spot in spots][1:] == pytest.approx(ends[:-1])
    assert all(spot.piece.index <= spot.x < spot.piece.index + 1 for spot in spots)


def test_a_clock_of_the_device_that_jumped_moves_no_round_into_another() -> None:
    jumped = [dataclasses.replace(timed(case(), n, [1000]), started_s=10.0 - n) for n in range(3)]
    comparison = with_rounds(synthetic(rounds=0, profile="none"), tuple(jumped))
    assert [r.index for r in of_target(comparison, "host")] == [0, 1, 2]


def test_a_recording_that_does_not_know_the_order_inside_a_round_says_so(cool: Comparison) -> None:
    old = with_rounds(cool, tuple(dataclasses.replace(r, started_s=None) for r in cool.run.rounds))
    drawings = {name: {d.name: d.method for d in draw_all(Material(c))} for name, c in (("old", old), ("new", cool))}
    assert "does not say in which order" in drawings["old"]["over-time"]
    assert "does not say" not in drawings["new"]["over-time"]


def test_a_rows_middle_is_that_of_the_rounds_that_count() -> None:
    good = [timed(case(), n, [1000] * 9) for n in range(3)]
    bad = with_status(dataclasses.replace(timed(case(), 3, [4000] * 9), after=DeviceState(throttled="0x4")))
    spots = list(plotted([*good, bad]))
    assert middles(spots) == {case(): 1.0}
    assert relative(bad, 1.0) == (300.0, 300.0, 300.0)


def test_without_latency_there_is_nothing_over_time() -> None:
    with pytest.raises(NothingToDrawError):
        over_time(Material(synthetic(rounds=0, profile="none")))


def test_a_failed_round_without_timings_is_marked_and_not_drawn(cool: Comparison) -> None:
    first, *others = cool.run.rounds
    failed = Round(first.case, first.index, "failed", ("out of memory",))
    panel = over_time(Material(with_rounds(cool, (failed, *others)))).panels[-1]
    assert [mark.text for mark in panel.marks if isinstance(mark, Words)] == ["failed: out of memory"]
