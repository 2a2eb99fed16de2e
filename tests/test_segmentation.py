"""Masks: the numbers are scikit-learn's of all pixels, and the picture is the sample."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, jaccard_score

from harness.build.lint import balance
from harness.build.scored import as_meant
from harness.compare.baseline import compare
from harness.compare.numbers import number_sample
from harness.compare.two_runs import compare_runs
from harness.data.labels import settle
from harness.data.validation import validate
from harness.errors import ConfigError
from harness.gate.decide import judge
from harness.gate.policy import read_policy
from harness.gate.policy.policy_file import parse_policy
from harness.metrics import METRICS
from harness.metrics.discrepancy import fields_of
from harness.metrics.fitting import check
from harness.metrics.registry import Answers
from harness.records import Affine, Dataset, Run, Scoring
from harness.report.material import Material
from harness.report.plots.sample_plot import sample_chart
from harness.report.tables.columns import Tables
from harness.report.tables.iou_table import iou_by_class
from tests.made_runs import case
from tests.made_tasks import classes, run_of

RNG = np.random.default_rng(4)
PICTURES, CLASSES, NONE = 320, 4, 255
AGAINST = ("keras", "float32", "reference")
LABELS = RNG.choice(CLASSES, (PICTURES, 8, 9), p=(0.6, 0.25, 0.14, 0.01)).astype(np.uint8)
LABELS[RNG.random(LABELS.shape) < 0.1] = NONE
SCORES = RNG.random((PICTURES, 8, 9, CLASSES + 1)).astype(np.float32)  # of a class, too, that no pixel has
SCORES[..., CLASSES] = 0
for n in range(CLASSES):
    SCORES[..., n] += 0.6 * (n == LABELS)
INT8 = np.round(SCORES * 8) / 8  # with many ties, of which the first class is the answer
ONE = RNG.random((PICTURES, 8, 9, 1)).astype(np.float32)
MASKS = ((ONE + RNG.normal(0, 0.3, ONE.shape)) > 0.5).astype(np.uint8)


def answers(labels: np.ndarray, outputs: np.ndarray, baseline: np.ndarray | None = None) -> Answers:
    return Answers(labels, outputs, outputs if baseline is None else baseline, ignore=NONE)


def value(name: str, *of: np.ndarray) -> float:
    statistic = METRICS[name].statistic
    assert statistic
    return statistic(answers(*of)).value


@pytest.mark.parametrize(
    ("labels", "outputs", "given"),
    [
        (LABELS, SCORES, SCORES.argmax(3)),
        (LABELS, INT8, INT8.argmax(3)),
        (LABELS[..., None].astype(np.float32), SCORES, SCORES.argmax(3)),
        (MASKS, ONE, ONE[..., 0] > 0.5),
        (MASKS[..., 0].astype(np.float32), 20 * (ONE - 0.5), ONE[..., 0] > 0.5),  # logits
        (MASKS, ONE[..., 0], ONE[..., 0] > 0.5),
        (np.eye(CLASSES)[LABELS % NONE], SCORES[..., :CLASSES], SCORES[..., :CLASSES].argmax(3)),  # one-hot
    ],
)
def test_the_numbers_are_scikit_learns(labels, outputs, given):
    pixels = labels.argmax(3) if labels.shape[3:] == (CLASSES,) else labels.reshape(given.shape)
    wanted, got = pixels[pixels != NONE], given[pixels != NONE]
    assert value("mean_iou", labels, outputs) == pytest.approx(jaccard_score(wanted, got, average="macro"), rel=1e-12)
    assert value("dice", labels, outputs) == pytest.approx(f1_score(wanted, got, average="macro"), rel=1e-12)
    assert value("pixel_accuracy", labels, outputs) == pytest.approx(accuracy_score(wanted, got), rel=1e-12)


def test_a_variants_logits_may_all_lie_within_0_to_1():
    logits, low = 20 * (ONE - 0.5), np.where(ONE > 0.5, 0.4, 0.0)
    right = accuracy_score(MASKS.ravel(), ONE.ravel() > 0.5)
    assert value("pixel_accuracy", MASKS, low, logits) == pytest.approx(right)


def test_what_a_constant_map_reaches_is_known_by_trying_all_of_them():
    labels = RNG.choice(3, (6, 2, 2), p=(0.5, 0.3, 0.2)).astype(np.uint8)
    maps = np.stack(np.meshgrid(*[range(3)] * 4), -1).reshape(-1, 2, 2)
    every = [np.broadcast_to(one, labels.shape).ravel() for one in maps]
    found = Answers(labels, np.zeros((6, 2, 2, 3)), np.zeros((6, 2, 2, 3)))
    best = max(accuracy_score(labels.ravel(), one) for one in every)
    assert METRICS["pixel_accuracy"].chance_from(found) == pytest.approx(best)
    best = max(jaccard_score(labels.ravel(), one, average="macro") for one in every)
    assert best - 0.1 < METRICS["mean_iou"].chance_from(found) <= best + 1e-12


# --- what it takes ---------------------------------------------------------------------------------------------------


def checked(labels: np.ndarray, output: np.ndarray, **scoring: object) -> tuple[Scoring, str]:
    data = Dataset("made", (), None, (labels,), labels, (Affine(),), (), "made")
    return check(Scoring(**scoring), data, [output])  # type: ignore[arg-type]


def test_masks_are_judged_by_their_mean_iou_unless_numbers_are_asked_for():
    assert checked(LABELS, SCORES, ignore=NONE)[0].primary == "mean_iou"
    assert checked(MASKS.astype(np.float32), ONE)[1] == "segmentation"
    assert checked(MASKS.astype(np.float32), ONE, primary="rmse")[1] == "regression"
    assert checked(MASKS, ONE, primary="dice", others=("pixel_accuracy",))[1] == "segmentation"


@pytest.mark.parametrize(
    ("labels", "output", "told"),
    [
        (LABELS, SCORES, "write ignore = 255 where its metrics stand"),
        (255 * MASKS, ONE, "divide them by 255"),
        (MASKS, ONE[:, ::2, ::3], "end the model with a Resizing layer to 8 × 9, or store the masks at 4 × 3"),
        (LABELS, np.moveaxis(SCORES, 3, 1), "end the model with a Permute"),
    ],
)
def test_what_does_not_fit_is_refused_with_what_to_do(labels, output, told):
    with pytest.raises(ConfigError) as refused:
        checked(labels, output)
    assert told in refused.value.advice


def test_a_label_is_ignored_of_masks_alone():
    with pytest.raises(ConfigError, match=r"ignore = 3 is of masks"):
        checked(np.zeros(5), np.zeros((5, 1)), ignore=3)


# --- a run -----------------------------------------------------------------------------------------------------------


def made(**given: np.ndarray) -> Run:
    return run_of("segmentation", LABELS, SCORES, {"float32": SCORES, **given}, Scoring("mean_iou", ignore=NONE))


def test_a_run_of_masks_is_compared_and_judged(tmp_path):
    comparison = compare(made(int8=INT8))
    row = comparison.change(case("int8"), "mean_iou")
    pixels = LABELS != NONE
    assert row.value == pytest.approx(jaccard_score(LABELS[pixels], INT8.argmax(3)[pixels], average="macro"))
    assert row.low < row.value < row.high
    agreed = comparison.change(case("int8"), "pixel_agreement")
    assert agreed.value == pytest.approx(np.mean(SCORES.argmax(3) == INT8.argmax(3)))
    policy = tmp_path / "policy.toml"
    policy.write_text(
        '[[rule]]\nmetric = "mean_iou"\nmax_decrease = "10pp"\nagainst = "keras"\nvariant = "int8"\n'
        '[[rule]]\nmetric = "mean_iou"\nmin = 0.99\nvariant = "int8"\n'
        '[[rule]]\nmetric = "pixel_agreement"\nmin = 0.8\nvariant = "int8"\n'
        '[[rule]]\nmetric = "flip_rate"\nmax = 0.01\nvariant = "int8"\n'
    )
    outcomes = [finding.outcome for finding in judge(comparison, read_policy(policy)).findings]
    assert outcomes == ["pass", "fail", "pass", "fail"]


def test_a_row_a_picture_says_how_many_pixels_moved():
    moved = SCORES.copy()
    moved[3, :2] = 0
    moved[3, :2, :, 2] = 1
    rows = compare(made(int8=moved)).samples[case("int8")]
    assert np.flatnonzero(rows["differing"]).tolist() == [3] == np.flatnonzero(rows["flip"]).tolist()
    assert rows["differing"][3] == pytest.approx(np.mean(moved[3].argmax(-1) != SCORES[3].argmax(-1)))
    known = LABELS[3] != NONE
    assert rows["error"][3] == pytest.approx(np.mean((moved[3].argmax(-1) != LABELS[3])[known]))
    assert "prediction" not in fields_of(rows)


def test_the_chart_of_a_sample_has_a_panel_a_mask():
    titles = [panel.title for panel in sample_chart(compare(made()), None, 3).panels]
    assert titles == ["Label", "Keras", "float32 on host with ai-edge-litert", "Where they part"]


def test_two_runs_of_masks_are_held_against_each_other():
    moved = SCORES.copy()
    moved[3, :2] = 0
    moved[3, :2, :, 2] = 1
    one, other = made(int8=SCORES), made(int8=moved)
    changes = {c.metric: c for c in compare_runs(one, other).changes if c.case == case("int8")}
    assert changes["flip_rate"].value == 1 / PICTURES and "mean_iou_change" in changes
    labels = np.where(LABELS == NONE, 0, LABELS)
    one, other = (
        replace(r, labels=labels, scoring=Scoring("mean_iou", ignore=i)) for r, i in ((one, 0), (other, None))
    )
    told = {str(d) for pair in compare_runs(one, other).pairs for d in pair.differences}
    assert "ignored label: 0 in the reference, none in the candidate" in told


def test_a_flip_from_another_row_is_no_flip_from_keras(tmp_path):
    """In picture 3 both lie elsewhere than Keras, and each elsewhere than the other; in picture 5 both lie alike."""
    one, other = SCORES.copy(), SCORES.copy()
    for n, scores, kind in ((3, one, 2), (3, other, 1), (5, one, 2), (5, other, 2)):
        scores[n] = np.eye(CLASSES + 1)[kind]
    rules = {name: f'metric = "flip_rate"\nmax = 0.5\nvariant = "int8"\nagainst = "{name}"\n' for name in AGAINST}
    policy = tmp_path / "policy.toml"
    policy.write_text("".join(f"[[rule]]\n{rule}" for rule in rules.values()))
    run = run_of("segmentation", LABELS, SCORES, {"float32": one, "int8": other}, Scoring("mean_iou", ignore=NONE))
    comparison, past = compare(run), compare(made(int8=one))
    found = judge(comparison, read_policy(policy), past).findings
    assert [finding.value for finding in found] == [2 / PICTURES, 1 / PICTURES, 1 / PICTURES]


def test_a_sample_is_told_by_the_names_of_its_classes():
    run = replace(made(int8=SCORES), class_names=("sky", "sea", "sand", "rock", "none"))
    assert number_sample(compare(run), 0).label.startswith("classes sky (")


def test_the_iou_of_each_class_is_in_the_report_by_its_name():
    run = replace(made(int8=INT8), class_names=("sky", "sea", "sand", "rock", "none"))
    block = iou_by_class(Material(compare(run))).blocks[0]
    assert isinstance(block, Tables)
    (table,) = block.tables
    pixels = LABELS != NONE
    given = [scores.argmax(3)[pixels] for scores in (SCORES, SCORES, INT8)]
    wanted = [jaccard_score(LABELS[pixels], one, average=None, labels=range(CLASSES + 1)) for one in given]
    said = [[cell.text for cell in line.cells] for line in table.lines]
    assert [line[0] for line in said] == ["sky", "sea", "sand", "rock", "none"]
    for n, line in enumerate(said[:CLASSES]):
        assert line[1:] == [f"{one[n]:.4f}" for one in wanted]
    assert said[CLASSES][1:] == ["", "", ""]  # that no label and no answer has
    assert iou_by_class(Material(compare(classes()))) is None


def test_names_of_the_classes_of_masks_are_kept_where_they_are_all():
    names = ("sky", "sea", "sand", "rock", "none")
    assert settle(LABELS, None, names)[2] == names and settle(LABELS, None, ())[2] == ()
    data = Dataset("made", (), None, (LABELS,), LABELS, (Affine(),), names, "made")
    assert as_meant(Scoring(ignore=NONE), data, SCORES).class_names == names
    assert as_meant(Scoring("rmse"), replace(data, test_labels=SCORES), SCORES).class_names == ()
    with pytest.raises(ConfigError, match="the data name 4 classes"):
        check(Scoring(ignore=NONE), replace(data, class_names=names[:4]), [SCORES])
    assert not list(balance(data))
    validate(data)


def test_a_model_that_answers_one_map_to_all_passes_no_rule(tmp_path):
    flat = np.zeros_like(SCORES)
    flat[..., 0] = 1
    policy = tmp_path / "policy.toml"
    policy.write_text('[[rule]]\nmetric = "pixel_accuracy"\nmax_decrease = "1pp"\nagainst = "keras"\n')
    found = judge(compare(replace(made(int8=flat), baseline=(flat,))), read_policy(policy)).findings[-1]
    assert found.outcome == "inconclusive" and "chance" in found.reason


def test_groups_leave_out_counts_not_outputs(monkeypatch):
    monkeypatch.setattr("harness.metrics.left_out.MOST_BYTES", SCORES.nbytes // 10)
    run = replace(made(int8=INT8), groups=np.arange(PICTURES) // 1)
    row = compare(run).change(case("int8"), "mean_iou")
    alone = compare(made(int8=INT8)).change(case("int8"), "mean_iou")
    assert row.value == alone.value and row.high - row.low == pytest.approx(alone.high - alone.low, rel=0.3)


def test_maps_without_an_axis_of_channels_are_compared_too():
    one, other = ONE[..., 0], np.clip(ONE[..., 0] + 0.2, 0, 1)
    wanted = ((one > 0.5) == (other > 0.5)).mean()
    assert value("pixel_agreement", MASKS, other, one) == pytest.approx(wanted)


# --- frames ----------------------------------------------------------------------------------------------------------

FRAMES = LABELS.reshape(PICTURES, -1)
SPOKEN, QUANTISED = (scores.reshape(PICTURES, -1, CLASSES + 1) for scores in (SCORES, INT8))


def meant_as_frames(labels: np.ndarray, output: np.ndarray = SPOKEN, ignore: float | None = NONE) -> Dataset:
    data = Dataset("made", (), None, (labels,), labels, (Affine(),), (), "made")
    return as_meant(Scoring(ignore=ignore), data, output)


@pytest.mark.parametrize("form", [lambda y: y, lambda y: y[..., None], lambda y: y.astype(np.float32)])
def test_a_class_for_each_frame_is_a_task_whose_sample_is_the_clip(form):
    meant = meant_as_frames(form(FRAMES))
    scoring, task = check(Scoring(ignore=NONE), meant, [SPOKEN])
    assert (task, scoring.primary) == ("frames", "frame_f1")
    of_run = run_of("frames", meant.test_labels, SPOKEN, {"float32": SPOKEN, "int8": QUANTISED}, scoring)
    comparison = compare(of_run)
    wanted, got = FRAMES[FRAMES != NONE], QUANTISED.argmax(2)[FRAMES != NONE]
    f1 = comparison.change(case("int8"), "frame_f1")
    assert f1.value == pytest.approx(f1_score(wanted, got, average="macro"), rel=1e-12) and f1.low < f1.value < f1.high
    right = comparison.change(case("int8"), "frame_accuracy")
    assert right.value == pytest.approx(accuracy_score(wanted, got), rel=1e-12)
    agreed = comparison.change(case("int8"), "frame_agreement")
    assert agreed.value == pytest.approx(np.mean(SPOKEN.argmax(2) == QUANTISED.argmax(2)))
    assert len(comparison.samples[case("int8")]) == PICTURES
    assert compare_runs(of_run, of_run).changes


def test_frames_are_judged_as_masks_are():
    """The same numbers as one picture a clip: the metric, its limits and its chance."""
    frames = run_of(
        "frames", meant_as_frames(FRAMES).test_labels, SPOKEN, {"int8": QUANTISED}, Scoring("frame_f1", ignore=NONE)
    )
    masks = run_of("segmentation", LABELS, SCORES, {"int8": INT8}, Scoring("dice", ignore=NONE))
    one, other = (compare(r).change(case("int8"), f"{r.scoring.primary}_change") for r in (frames, masks))
    assert (one.value, one.low, one.high) == (other.value, other.low, other.high)
    rule = '[[rule]]\nmetric = "{}"\nmin = {}\n'
    found = judge(
        compare(frames), parse_policy(rule.format("frame_f1", 0.9) + rule.format("frame_accuracy", 0.5), "policy")
    )
    assert [finding.outcome for finding in found.findings] == ["fail", "pass"]


def test_one_column_of_frames_takes_integers_as_classes_and_floats_as_numbers():
    one, said = ONE.reshape(PICTURES, -1, 1), MASKS.reshape(PICTURES, -1)
    assert check(Scoring(), meant_as_frames(said, one, None), [one])[1] == "frames"
    assert check(Scoring(), meant_as_frames(said.astype(np.float32), one, None), [one])[1] == "regression"
    assert (
        check(Scoring("rmse"), Dataset("made", (), None, (said,), said, (Affine(),), (), "made"), [one])[1]
        == "regression"
    )


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        (FRAMES, "where a label says that a frame has no class, write ignore = 255"),
        (FRAMES[:, :50], "labels of 50 frames are held against an output of 72"),
    ],
)
def test_frames_that_do_not_fit_are_refused_with_what_to_do(labels, told):
    with pytest.raises(ConfigError) as refused:
        check(Scoring(), meant_as_frames(labels, ignore=None), [SPOKEN])
    assert told in refused.value.advice
