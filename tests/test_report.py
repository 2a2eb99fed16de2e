"""The report says what the figures say: nothing rounded away, nothing invented, nothing that needs a network."""

from __future__ import annotations

import csv
import dataclasses
import io
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from rich.console import Console

from harness.compare.answers import agreement, grouped, sample_answers
from harness.compare.rows import rows, summary_columns
from harness.data.picture import picture_png
from harness.errors import ConfigError
from harness.metrics.discrepancy import sample_table
from harness.records import Case, Comparison, Standing
from harness.records.names import row_label, row_name
from harness.report import FORMATS, render, write_report
from harness.report.material import Material
from harness.report.out.csv_tables import LONG, metrics_csv, summary_csv
from harness.report.plots.over_time import over_time
from harness.report.plots.sample_plot import sample_chart
from harness.report.plots.tradeoff import front, pareto
from harness.report.samples.gallery import exhibits
from harness.report.samples.one_sample import sample_text
from harness.report.tables.summary_table import Summary, summary
from harness.report.words.speed import disagreements
from harness.report.words.summary import headline, sentences
from harness.support.format import decimals, in_markdown, percent, signed, significant
from tests.synthetic import FAILED, SUSPECT, UNSUPPORTED, VARIANTS, pictures, synthetic

COLUMNS = """experiment, run_id, target, board, emulated, runtime, runtime_version, threads, variant, status, reason,
size_bytes, samples, baseline_accuracy, accuracy, accuracy_drop_pp, drop_low_pp, drop_high_pp, flips, flip_rate,
max_abs_diff, latency_p50_us, latency_p90_us, latency_p99_us, latency_mean_us, speedup_vs_float32, speedup_low,
speedup_high, load_ms, first_invoke_ms, peak_rss_bytes, model_rss_bytes, ops_outside_delegate, primary_metric,
primary_value, primary_baseline"""
SMALLEST_OF_10 = 0.996  # of 10 pairs, in standard deviations: two-sided 5 %, power 80 %, by the noncentral t


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    return synthetic()


@pytest.fixture(scope="module")
def folder(comparison: Comparison, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(Material(comparison, pictures()), tmp_path_factory.mktemp("report")).parent


def read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def words(comparison: Comparison) -> dict[str, str]:
    return {s.topic: s.text for s in sentences(Material(comparison))}


def changed(comparison: Comparison, case: Case, metric: str, **values: Any) -> Comparison:
    changes = [
        dataclasses.replace(c, **values) if (c.case, c.metric) == (case, metric) else c for c in comparison.changes
    ]
    return dataclasses.replace(comparison, changes=tuple(changes))


# the tables


def test_summary_has_the_columns_of_the_contract_in_their_order(comparison: Comparison) -> None:
    assert summary_csv(rows(comparison)).splitlines()[0] == ",".join(
        COLUMNS.replace("\n", " ").replace(" ", "").split(",")
    )
    assert len(read(summary_csv(rows(comparison)))) == len(comparison.standings)


def test_what_is_not_available_is_empty(comparison: Comparison) -> None:
    for line in read(summary_csv(rows(comparison))):
        if line["variant"] == UNSUPPORTED or (line["variant"], line["runtime"]) == FAILED:
            assert line["reason"]
            assert (
                line["accuracy"]
                == line["flips"]
                == line["latency_p50_us"]
                == line["samples"]
                == line["model_rss_bytes"]
                == ""
            )
        assert line["board"] == ""
        assert "nan" not in ",".join(line.values()).lower().split(",")


def test_summary_is_unrounded(comparison: Comparison) -> None:
    case = Case("int8", "host", "ai-edge-litert", 1)
    line = next(
        x for x in read(summary_csv(rows(comparison))) if (x["variant"], x["runtime"]) == ("int8", "ai-edge-litert")
    )
    drop = comparison.change(case, "accuracy_drop")
    accuracy = comparison.change(case, "accuracy")
    assert drop and accuracy
    assert float(line["accuracy"]) == accuracy.value
    assert float(line["drop_low_pp"]) == drop.low
    assert float(line["drop_high_pp"]) == drop.high
    assert len(line["accuracy_drop_pp"].split(".")[1]) >= 4
    assert line["flips"].isdigit() and line["peak_rss_bytes"].isdigit() and line["size_bytes"] == "104888"


def test_nan_is_empty(comparison: Comparison) -> None:
    case = Case("int8", "host", "ai-edge-litert", 1)
    line = read(summary_csv(rows(changed(comparison, case, "latency_p99", value=float("nan")))))[3]
    assert line["variant"] == "int8"
    assert line["latency_p99_us"] == ""


def test_rows_with_more_threads_share_accuracy_but_not_latency() -> None:
    lines = read(summary_csv(rows(synthetic(threads=(1, 4), rounds=6))))
    one, four = (next(x for x in lines if x["variant"] == "int8" and x["threads"] == t) for t in ("1", "4"))
    assert one["accuracy"] == four["accuracy"] != ""
    assert one["samples"] == four["samples"] == "500"
    assert one["latency_p50_us"] != four["latency_p50_us"]


def test_metrics_are_long_and_change_is_value_less_baseline(comparison: Comparison) -> None:
    lines = read(metrics_csv(comparison))
    assert tuple(lines[0]) == LONG
    assert len(lines) == len(comparison.changes)
    for line in lines:
        if line["baseline"] and line["value"]:
            assert float(line["change"]) == pytest.approx(float(line["value"]) - float(line["baseline"]))
        else:
            assert line["change"] == ""


def test_summary_reads_as_a_frame(folder: Path) -> None:
    frame = pd.read_csv(folder / "summary.csv")
    assert frame.emulated.dtype == bool
    assert frame.accuracy.isna().sum() == 3  # the failed row, and the unsupported variant with either runtime


# the words


def test_an_interval_above_zero_is_a_cost_and_one_around_it_is_not(comparison: Comparison) -> None:
    text = words(comparison)["Accuracy"]
    for row in rows(comparison):
        limits = row.interval("accuracy_drop")
        if row.standing.status == "ok" and limits:
            undecided = text.split("No change of accuracy is shown for ")[1].split(": ")[0]
            assert (row.case.variant in undecided) == (limits[0] <= 0)
    # The limits are those of independent_tango in test_stats.py, at 24 and 22 samples of 500 lost and none won.
    assert lost(comparison, "tflite-runtime") == 24 and lost(comparison, "ai-edge-litert") == 22
    assert "int8 costs 4.80 pp (90 % interval 3.46 to 6.63) with tflite-runtime" in text
    assert "and 4.40 pp (90 % interval 3.12 to 6.17) with ai-edge-litert" in text


def lost(comparison: Comparison, runtime: str) -> int:
    """How many samples Keras answers rightly and int8 wrongly, by the raw outputs; the reverse never happens."""
    run = comparison.run
    (shard,) = (s for s in run.shards if (s.case.variant, s.case.runtime) == ("int8", runtime))
    assert run.labels is not None
    before, after = (np.asarray(array).argmax(axis=1) == run.labels for array in (run.baseline[0], shard.outputs[0]))
    assert not (after & ~before).any()
    return int((before & ~after).sum())


def test_a_gain_is_said_with_turned_limits(comparison: Comparison) -> None:
    case = Case("float16", "host", "ai-edge-litert", 1)
    better = changed(comparison, case, "accuracy_drop", value=-0.4, low=-0.7, high=-0.1)
    assert "float16 (ai-edge-litert) gains 0.40 pp (90 % interval 0.10 to 0.70)" in words(better)["Accuracy"]


def test_flips_of_the_control_point_at_the_conversion(comparison: Comparison) -> None:
    assert "answers every sample as Keras does" in words(comparison)["Conversion"]
    case = Case("float32", "host", "tflite-runtime", 1)
    text = words(changed(comparison, case, "flips", value=3.0))["Conversion"]
    assert "3 of 500 samples differently" in text and "tflite-runtime" in text


def test_speed_is_claimed_only_where_the_interval_leaves_one_out(comparison: Comparison) -> None:
    first = words(comparison)["Speed"].split(" In this session")[0]
    said = re.search(r"int8 is (.*?)× as fast \(95 % (.*?) to (.*?)\)", first)
    slower = re.search(r"int16x8 takes (.*?)× the time", first)
    assert said and slower
    true = {name: us / VARIANTS["float32"][3] for name, (*_, us) in VARIANTS.items()}  # as the rounds were made
    assert float(said[2]) < 1 / true["int8"] < float(said[3])
    assert [float(said[1]), float(slower[1])] == pytest.approx([1 / true["int8"], true["int16x8"]], rel=0.02)
    unseen = SMALLEST_OF_10 * np.log(ratios(comparison, "float16")).std(ddof=1)
    wanted = (
        f"no difference is shown for float16 (one of {significant(100 * np.expm1(unseen), 2)} % would be found about "
        "four times in five)."
    )
    assert first.endswith(wanted)
    assert "ai-edge-litert is faster than tflite-runtime for 5 of 5 rows" in words(comparison)["Runtimes"]


def ratios(comparison: Comparison, variant: str) -> np.ndarray:
    """float32's median over the variant's by round, by the raw timings, with ai-edge-litert."""

    def medians(name: str) -> np.ndarray:
        pieces = [r for r in comparison.run.rounds if (r.case.variant, r.case.runtime) == (name, "ai-edge-litert")]
        return np.array([np.median(r.timings["timed"].ns) for r in sorted(pieces, key=lambda r: r.index)])

    return medians("float32") / medians(variant)


def test_a_quick_plan_supports_no_claim() -> None:
    said = words(synthetic(rounds=3, profile="quick"))
    assert "Speed" not in said
    assert "faster" not in said["Runtimes"]
    assert "3 rounds" in said["Limits"] and "no claim" in said["Limits"]


def test_without_latency_nothing_is_said_of_it() -> None:
    none = synthetic(rounds=0, profile="none")
    said = words(none)
    assert "Speed" not in said and "No latency was measured" in said["Limits"]
    assert "µs" not in headline(Material(none))
    page = render(Material(none), "html")
    assert "Not drawn: " in page and "Latency of one invoke: No latency was measured in this run." in page
    assert '<section id="latency">' not in page and '<section id="tradeoff">' not in page


def test_emulated_targets_support_no_latency_claim() -> None:
    both = synthetic(targets=("host", "raspberry-pi-4"), emulated=("raspberry-pi-4",))
    said = words(both)
    assert "raspberry-pi-4" not in said["Speed"]
    assert "On raspberry-pi-4" not in said["Runtimes"]
    assert "raspberry-pi-4 is emulated" in said["Limits"]


def test_rows_that_did_not_end_well_are_named_with_their_reason(comparison: Comparison) -> None:
    text = words(comparison)["Limits"]
    for standing in comparison.standings:
        assert (standing.reason in text) if standing.status != "ok" else True
    assert "suspect" in text and SUSPECT[0] in text


def test_a_run_with_nothing_measured_still_reports(comparison: Comparison, tmp_path: Path) -> None:
    failed = tuple(Standing(s.case, "failed", "no device") for s in comparison.standings)
    empty = dataclasses.replace(
        comparison,
        run=dataclasses.replace(comparison.run, rounds=(), finished=False),
        standings=failed,
        changes=(),
        samples={},
        outputs={},
    )
    page = write_report(Material(empty, pictures()), tmp_path).read_text()
    assert f"harness run --resume {empty.run.run_id}" in page
    assert "no device" in page and "nothing was measured" in page


# the page


class Addresses(HTMLParser):
    """Every src, srcset and href, and whether each tag is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value or "" for name, value in attrs if name in ("src", "srcset", "href")]
        if tag not in ("img", "meta", "br", "source", "link"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_html_is_self_contained_and_well_formed(folder: Path) -> None:
    page = (folder / "report.html").read_text()
    parser = Addresses()
    parser.feed(page)
    assert not parser.open
    assert len(parser.found) > 12
    anchors = [a for a in parser.found if a.startswith("#")]
    named = [f"#{name}" for name in re.findall(r'<section id="([^"]+)"', page)]
    assert [anchor for anchor in anchors if not anchor.startswith("#sample-")] == named
    assert set(anchors) == {f"#{name}" for name in re.findall(r' id="([^"]+)"', page)}
    assert all(a.startswith("data:image/png;base64,") for a in parser.found if a not in anchors)
    assert not re.search(r"url\(|@import|<script.+>|<link|https?://|fetch\(|XMLHttpRequest|import\(", page)
    assert "default-src 'none'" in page  # the browser sees to it, too


def test_keras_is_a_row_of_the_summary(comparison: Comparison) -> None:
    (block, _) = summary(Material(comparison)).blocks
    assert isinstance(block, Summary)
    (table,) = block.tables
    shown = {h.title: cell.text for h, cell in zip(table.headings, table.lines[0].cells, strict=True)}
    right = 100 * np.mean(comparison.baseline.argmax(axis=1) == comparison.run.labels)
    assert (shown["Variant"], shown["Accuracy"], shown["p50"]) == ("Keras", f"{right:.2f}", "–")
    assert [line.cells[0].text for line in table.lines[1:]] == [row.case.variant for row in Material(comparison).rows]


def test_names_are_escaped() -> None:
    odd = synthetic(samples=120, rounds=6, class_names=("<b>zero</b>", *"12345678", "$9$"))
    page, text = render(Material(odd, pictures(120)), "html"), render(Material(odd), "markdown")
    assert "<b>" not in page and "&lt;b&gt;zero&lt;/b&gt;" in page
    assert "<b>" not in text.replace("\\<b\\>", "")
    assert "&lt;b&gt;zero&lt;/b&gt;" in sample_chart(odd, pictures(120), 0).svg


def test_report_writes_every_file_and_no_other(folder: Path) -> None:
    names = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    plots = {
        f"plots/{n}.svg"
        for n in ("pareto", "latency", "over-time", "cold-start", "margin", "ecdf", "classes", "sample-0")
    }
    assert names == {"report.html", "report.md", "summary.csv", "metrics.csv", *plots}
    links = re.findall(r"\]\((plots/[^)]+)\)", (folder / "report.md").read_text())
    assert set(links) == plots


def test_render_offers_its_formats(comparison: Comparison, folder: Path) -> None:
    assert render(Material(comparison), "csv") == (folder / "summary.csv").read_text()
    with pytest.raises(ConfigError, match="pdf"):
        render(Material(comparison), "pdf")
    assert set(FORMATS) >= {"html", "markdown", "csv"}


def test_importing_the_report_loads_nothing_heavy() -> None:
    code = "import sys, harness.report; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"matplotlib", "jinja2", "numpy", "pandas", "tensorflow", "scipy"} & set(loaded)


# one sample


def test_sample_says_who_agrees(comparison: Comparison) -> None:
    sample = sample_answers(comparison, 0)
    assert len(sample.answers) == 1 + len(comparison.outputs)
    assert sample.label == comparison.run.labels[0]
    flips = [a for a in sample.answers if a.flip]
    assert all(a.variant in agreement(sample) for a in flips)
    with pytest.raises(ConfigError, match="no sample 500"):
        sample_answers(comparison, 500)


def test_sample_text_in_colour_and_without(comparison: Comparison) -> None:
    drawn = {}
    for colour in (None, "truecolor"):
        console = Console(file=(out := io.StringIO()), color_system=colour, force_terminal=bool(colour), width=100)
        console.print(sample_text(comparison, pictures(), 0))
        drawn[colour] = out.getvalue()
    assert "▀" in drawn["truecolor"] and "48;2;" in drawn["truecolor"]
    assert "\x1b" not in drawn[None] and drawn[None].isprintable() is False and "@@" in drawn[None]
    assert all(f"label {comparison.run.labels[0]}" in text and "dynamic_range" in text for text in drawn.values())
    assert max(len(line) for line in drawn[None].splitlines()) <= 100


def test_sample_text_without_pictures(comparison: Comparison) -> None:
    console = Console(file=(out := io.StringIO()), width=100)
    console.print(sample_text(comparison, None, 3))
    assert "not a picture" in out.getvalue()


@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 3)])
def test_pictures_survive_as_png(shape: tuple[int, ...]) -> None:
    picture = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    again = np.asarray(Image.open(io.BytesIO(picture_png(picture))))
    assert np.array_equal(again, picture)


def test_gallery_shows_flips_first(comparison: Comparison) -> None:
    shown = exhibits(comparison)
    sound = [[a for a in e.sample.answers if a.case and (a.variant, a.case.runtime) != SUSPECT] for e in shown]
    keys = [(any(a.flip for a in answers), e.max_abs_diff) for e, answers in zip(shown, sound, strict=True)]
    assert keys == sorted(keys, reverse=True)
    assert keys[0][0]


def with_scores(comparison: Comparison, case: Case, index: int, scores: list[float]) -> Comparison:
    """The same run where one case gave these scores for a sample, its table derived as compare does."""
    changed = comparison.scores[case].copy()
    changed[index] = scores
    table = sample_table(comparison.run.labels, comparison.baseline, changed)
    return dataclasses.replace(
        comparison,
        scores=comparison.scores | {case: changed},
        outputs=comparison.outputs | {case: (changed,)},
        samples=comparison.samples | {case: table},
    )


@pytest.mark.parametrize("broken", [float("nan"), float("inf")])
def test_scores_that_are_not_finite_are_no_answer_everywhere(comparison: Comparison, broken: float) -> None:
    case, index = Case("float16", "host", "ai-edge-litert", 1), 7
    scores = [0.0] * 10
    scores[int(comparison.baseline[index].argmax())] = broken  # argmax alone would call this Keras' own answer
    odd = with_scores(comparison, case, index, scores)
    sample = sample_answers(odd, index)
    answer = next(a for a in sample.answers if a.case == case)
    assert (answer.name, answer.flip, answer.correct) == ("no answer", True, False)
    assert "float16 on host with ai-edge-litert gives no answer" in agreement(sample)
    assert exhibits(odd)[0].sample.index == index
    assert ("no answer", "float16 (ai-edge-litert)", False) in grouped(sample)
    assert "no answer, –" in sample_chart(odd, pictures(), index).svg
    console = Console(file=(out := io.StringIO()), width=100)
    console.print(sample_text(odd, None, index))
    (line,) = (x for x in out.getvalue().splitlines() if "no answer" in x and "float16 " in x[:9])
    assert "nan" not in line and "inf" not in line and line.rstrip().endswith("flip")


def test_no_answer_differs_from_an_answer_between_two_places(comparison: Comparison) -> None:
    one, other = (Case("float16", "host", runtime, 1) for runtime in ("ai-edge-litert", "tflite-runtime"))
    shown = rows(comparison)
    before = disagreements(comparison, shown)
    found = int(comparison.baseline[7].argmax())
    scores = [float("nan") if n == found else 0.0 for n in range(10)]
    assert not any("float16" in text for text in before)
    (text,) = disagreements(with_scores(comparison, one, 7, scores), shown)
    assert f"float16 on 1 sample between {one.runtime} and {other.runtime} on host" in text


def test_answers_are_those_of_the_tables(comparison: Comparison) -> None:
    for index in range(40):
        for answer in sample_answers(comparison, index).answers[1:]:
            row = comparison.samples[answer.case][index]
            assert (answer.prediction, answer.flip, answer.correct) == (row["prediction"], row["flip"], row["correct"])
            assert answer.margin == row["margin"]


# names


def test_a_runtime_has_one_shape_in_every_figure() -> None:
    """Also where one figure shows it alone: here the first runtime has nothing to show in the first figure."""
    whole = synthetic()
    standings = tuple(
        dataclasses.replace(s, status="suspect") if s.case.runtime == "ai-edge-litert" else s for s in whole.standings
    )
    material = Material(dataclasses.replace(whole, standings=standings))
    charts = {"pareto": pareto(material), "over time": over_time(material)}
    shapes = {name: {key.text: key.shape for key in chart.legend} for name, chart in charts.items()}
    assert "ai-edge-litert" not in shapes["pareto"]
    assert shapes["pareto"]["tflite-runtime"] == shapes["over time"]["tflite-runtime"] == "square"


def test_names_have_what_tells_rows_apart() -> None:
    case = Case("int8", "pi", "ai-edge-litert", 4)
    assert row_name(case) == "int8 on pi with ai-edge-litert, 4 threads"
    assert row_label(case) == "int8 · ai-edge-litert"
    assert row_label(case, target=True, threads=True) == "int8 · ai-edge-litert · pi · 4 threads"
    assert in_markdown("a|b @c <d>\ne") == r"a\|b \@c \<d\> e"
    assert in_markdown("~~a~~\r&lt; $x$") == r"\~\~a\~\~ \&lt; \$x\$"


def test_signs_are_written_where_there_is_something_to_sign() -> None:
    assert [signed(t) for t in ("0.00", "1.2", "−1.2", "–", "1.1 × 10⁻⁶")] == [
        "0.00",
        "+1.2",
        "−1.2",
        "–",
        "+1.1 × 10⁻⁶",
    ]


# small things


def test_numbers_are_written_once_and_well() -> None:
    assert decimals(-0.001, 2) == "0.00" and decimals(-1.5, 1) == "−1.5" and decimals(None, 2) == "–"
    assert (
        significant(123456.0) == "123,456"
        and significant(99.97) == significant(100.2) == "100"
        and significant(0.0123) == "0.0123"
        and significant(1.07e-6, 2) == "1.1 × 10⁻⁶"
    )
    assert percent(0.98765) == "98.77" and significant(float("nan")) == "–"


def test_front_keeps_what_none_beats() -> None:
    assert front([(1, 90), (2, 95), (3, 94), (2, 93), (4, 96)]) == [(1, 90), (2, 95), (4, 96)]


def test_every_variant_and_column_is_on_the_page(folder: Path) -> None:
    page = (folder / "report.html").read_text()
    assert all(name in page for name in VARIANTS)
    assert len(summary_columns()) == len(COLUMNS.split(","))


def test_what_an_earlier_report_left_is_removed_and_nothing_else(comparison: Comparison, tmp_path: Path) -> None:
    plots = tmp_path / "plots"
    plots.mkdir()
    own, kept = ("margin.png", "differences.svg", "sample-0.png"), ("sample-7.svg", "mine.png", "margin.png.txt")
    for name in (*own, *kept):
        (plots / name).write_text("old")
    write_report(Material(comparison), tmp_path)
    names = {path.name for path in plots.iterdir()}
    assert not names & {*own} and {*kept, "margin.svg", "sample-0.svg"} <= names


def test_a_report_says_how_many_of_its_intervals_chance_alone_takes_for_a_difference(comparison: Comparison) -> None:
    told = re.search(
        r"by (\d+) intervals: (\d+) of accuracy .*?, (\d+) of speed .*? and (\d+) of the same .*? about ([\d.]+) of",
        words(comparison)["Chance"],
    )
    assert told
    every, answers, speeds, runtimes = (int(told[n]) for n in (1, 2, 3, 4))
    ended = {s.case for s in comparison.standings if s.ended_well}
    speed = [
        c for c in comparison.changes if c.metric == "speedup_vs_float32" and c.low is not None and c.case in ended
    ]
    assert (every, speeds) == (answers + speeds + runtimes, len(speed))
    assert float(told[5]) == pytest.approx(0.1 * answers + 0.05 * (speeds + runtimes), abs=0.051)
