"""Runs of keypoints: COCO's numbers to the last digit, tables by hand, and what a rule says."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from faster_coco_eval import COCO, COCOeval_faster
from PIL import Image

from harness.compare.baseline import compare
from harness.compare.numbers import number_sample
from harness.compare.two_runs import compare_runs
from harness.detection.points import COCO_SIGMAS, as_keypoints
from harness.errors import ConfigError
from harness.gate.decide import judge
from harness.gate.policy import read_policy
from harness.metrics import METRICS
from harness.metrics.fitting import check
from harness.metrics.keypoints import oks_ap
from harness.metrics.registry import Answers
from harness.records import Affine, Dataset, Keypoints, Run, Scoring
from harness.report.material import Material
from harness.report.part import Note
from harness.report.plots.sample_plot import sample_chart
from harness.report.samples.gallery import BoxGallery, gallery
from harness.statistics.average_precision import MeanOverClasses
from tests.made_runs import case
from tests.made_tasks import run_of

PICTURES, POINTS = 320, 17
HOW = Keypoints(size=(60, 80), normalised=False, label_normalised=False)
RNG = np.random.default_rng(5)


def people() -> np.ndarray:
    """Labels of 17 points each, some hidden, some not labelled, with an area of their own; in some pictures none."""
    labels = np.zeros((PICTURES, POINTS, 4))
    labels[..., :2] = RNG.uniform((10, 10), (70, 50), (PICTURES, POINTS, 2))
    labels[..., 2] = RNG.choice(3, (PICTURES, POINTS), p=(0.2, 0.2, 0.6))
    labels[::40, :, 2] = 0
    labels[..., 3] = RNG.uniform(300, 2400, (PICTURES, 1))
    return as_keypoints(labels, HOW)


def said(spread: float, seed: int, sure: bool = True) -> np.ndarray:
    """Points that scatter around the labels, of each picture with a scatter of its own, and scores with many ties."""
    rng = np.random.default_rng(seed)
    apart = rng.normal(0, spread, (PICTURES, POINTS, 2)) * rng.gamma(2, 0.5, (PICTURES, 1, 1))
    scores = np.round(rng.random((PICTURES, POINTS, 1)), 1)
    points = np.concatenate([LABELS[..., :2] + apart, scores], axis=2).astype(np.float32)
    return points if sure else points[..., :2]


LABELS = people()
KERAS = said(3.0, 1)


def cocos(points: np.ndarray) -> tuple[float, float]:
    """AP and AR as faster-coco-eval has them."""
    there = np.flatnonzero((LABELS[..., 2] > 0).any(axis=1)).tolist()
    common = {"category_id": 1}
    annotations = [
        common | {"id": n + 1, "image_id": n + 1, "area": float(LABELS[n, 0, 3]), "iscrowd": 0, "bbox": [0, 0, 80, 60]}
        | {"keypoints": LABELS[n, :, :3].ravel().tolist(), "num_keypoints": int((LABELS[n, :, 2] > 0).sum())}
        for n in there
    ]  # fmt: skip
    found = [
        common | {"image_id": n + 1, "score": float(points[n, :, 2].astype(float).mean())}
        | {"keypoints": points[n].astype(float).ravel().tolist()}
        for n in there
    ]  # fmt: skip
    images = [{"id": n + 1, "width": 80, "height": 60} for n in there]
    categories = [{"id": 1, "name": "person", "keypoints": [str(k) for k in range(POINTS)], "skeleton": []}]
    truth = COCO({"images": images, "annotations": annotations, "categories": categories})
    coco = COCOeval_faster(truth, truth.loadRes(found), "keypoints", print_function=lambda *_: None)
    coco.evaluate()
    coco.accumulate()
    coco.summarize()
    return coco.stats[0], coco.stats[5]


def answers(points: np.ndarray, keras: np.ndarray | None = None, how: Keypoints = HOW) -> Answers:
    return Answers(LABELS, points, points if keras is None else keras, keypoints=how)


def value(name: str, of: Answers) -> float:
    statistic = METRICS[name].statistic
    assert statistic
    return statistic(of).value


def test_pictures_without_labels_may_be_left_out_as_others_may():
    """Groups of pictures are left out of what is matched: it is the AP of the other pictures."""
    chosen = np.ones(PICTURES, bool)
    chosen[30:90] = False  # two of them have no labels
    every = oks_ap(answers(KERAS))
    assert isinstance(every, MeanOverClasses)
    others = replace(answers(KERAS), labels=LABELS[chosen], outputs=KERAS[chosen], baseline=KERAS[chosen])
    assert every.of(chosen).value == pytest.approx(value("oks_ap", others), rel=1e-12)
    assert every.of(chosen).value != every.value


@pytest.mark.parametrize("spread", [0.5, 3.0, 12.0])
def test_ap_and_ar_are_cocos(spread):
    points = said(spread, 7)
    ap, ar = cocos(points)
    assert value("oks_ap", answers(points)) == pytest.approx(ap, rel=1e-12)
    assert value("oks_ar", answers(points)) == pytest.approx(ar, rel=1e-12)


def test_oks_and_pck_are_what_a_loop_finds():
    every, right = [], []
    for n in range(PICTURES):
        seen = [k for k in range(POINTS) if LABELS[n, k, 2] > 0]
        if not seen:
            continue
        away = {k: float(np.hypot(*(KERAS[n, k, :2].astype(float) - LABELS[n, k, :2]))) for k in seen}
        area = LABELS[n, 0, 3]
        every.append(np.mean([np.exp(-(away[k] ** 2) / (2 * area * (2 * COCO_SIGMAS[k]) ** 2)) for k in seen]))
        right.append(np.mean([away[k] <= 0.2 * area**0.5 for k in seen]))
    assert len(every) == PICTURES - 8
    assert value("oks", answers(KERAS)) == pytest.approx(np.mean(every), rel=1e-12)
    assert value("pck", answers(KERAS)) == pytest.approx(np.mean(right), rel=1e-12)


def test_without_scores_there_is_no_ranking():
    with pytest.raises(Exception, match="see oks_ar"):
        value("oks_ap", answers(KERAS[..., :2]))


def test_what_a_constant_reaches_is_near_the_best_of_many():
    """Objects that all stand alike, but for some that lie elsewhere: the mean of such labels is a poor answer."""
    rng = np.random.default_rng(0)
    labels = np.zeros((200, 1, 4))
    labels[:, 0] = np.column_stack([rng.normal(20, 1, (200, 2)), np.full(200, 2), np.full(200, 400)])
    labels[:70, 0, :2] += 25
    how = replace(HOW, sigmas=(0.05,))
    of = Answers(labels, labels, labels, keypoints=how)
    tries = np.stack(np.meshgrid(*[np.arange(0, 60, 0.25)] * 2), -1).reshape(-1, 1, 2)
    square = np.square(tries - labels[None, :, 0, :2]).sum(-1)
    best = np.exp(-square / (2 * 400 * 0.01)).mean(axis=1).max()
    assert METRICS["oks"].chance_from(of) == pytest.approx(best, abs=0.002)


# --- a run -----------------------------------------------------------------------------------------------------------


def dataset(labels: np.ndarray | None) -> Dataset:
    return Dataset("made", (), None, (KERAS,), labels, (Affine(),), (), "made")


def made(how: Keypoints = HOW, **given: np.ndarray) -> Run:
    scoring, task = check(Scoring(keypoints=how), dataset(LABELS), [KERAS])
    pictures = np.random.default_rng(0).integers(0, 255, (PICTURES, 12, 16, 3)).astype(np.uint8)
    return run_of(task, LABELS, KERAS, {"float32": KERAS, **given}, scoring, inputs=(pictures,))


def lost(seed: int = 3) -> np.ndarray:
    """Keras' points, but in every eighth picture one of them far away."""
    moved = KERAS.copy()
    moved[::8, 4, :2] += 40
    return moved


@pytest.fixture(scope="module")
def comparison():
    return compare(made(int8=KERAS + np.float32(0.02), broken=said(9.0, 4), lost=lost()))


def test_a_run_has_its_metrics_with_limits(comparison):
    for name in ("oks", "oks_ap", "oks_ar", "pck"):
        row = comparison.change(case("broken"), name)
        assert row.value < row.baseline and row.low < row.value < row.high, name
        moved = comparison.change(case("broken"), f"{name}_change")
        assert moved.high < 0 and moved.value == pytest.approx(row.value - row.baseline)
    assert comparison.change(case("int8"), "point_distance").value == pytest.approx(0.02 * 2**0.5, rel=1e-3)
    assert comparison.run.scoring.primary == "oks"


def test_a_flip_is_a_picture_that_lost_a_point(comparison):
    rows = comparison.samples[case("lost")]
    limit = 0.2 * np.sqrt(LABELS[:, 4, 3])
    was = np.hypot(*np.moveaxis(KERAS[:, 4, :2] - LABELS[:, 4, :2], -1, 0)) <= limit
    wanted = (np.arange(PICTURES) % 8 == 0) & was & (LABELS[:, 4, 2] > 0)
    assert rows["flip"].tolist() == wanted.tolist() and rows["lost"].sum() == wanted.sum() > 10
    assert comparison.change(case("lost"), "flips").value == wanted.sum()
    assert rows["moved_px"][8] == pytest.approx(40 * 2**0.5 / POINTS, rel=1e-5)
    told = comparison.change(case("lost"), "flips").method
    assert told.startswith("a point is wrong that Keras has right")


def test_rules_decide(comparison, tmp_path):
    policy = tmp_path / "policy.toml"
    rules = (
        'metric = "oks"\nmax_decrease = 0.02\nagainst = "keras"\nvariant = "int8"',
        'metric = "oks"\nmax_decrease = 0.02\nagainst = "keras"\nvariant = "broken"',
        'metric = "oks_ap"\nmax_decrease = 0.05\nagainst = "keras"\nvariant = "int8"',
        'metric = "flip_rate"\nmax = 0.02\nvariant = "lost"',
        'metric = "flip_rate"\nmax = 0.05\nvariant = "int8"\nagainst = "float32"',
    )
    policy.write_text("".join(f"[[rule]]\n{rule}\n" for rule in rules))
    outcomes = [finding.outcome for finding in judge(comparison, read_policy(policy)).findings]
    assert outcomes == ["pass", "fail", "pass", "fail", "pass"]


def test_one_answer_for_every_picture_passes_no_rule(tmp_path):
    flat = np.broadcast_to(np.median(KERAS, axis=0), KERAS.shape).astype(np.float32)
    policy = tmp_path / "policy.toml"
    rule = '[[rule]]\nmetric = "{}"\nmax_decrease = 0.05\nagainst = "keras"\nvariant = "float32"\n'
    policy.write_text("".join(rule.format(name) for name in ("oks", "oks_ap", "oks_ar", "pck")))
    run = replace(made(float32=flat), baseline=(flat,))
    found = judge(compare(run), read_policy(policy)).findings
    assert {finding.outcome for finding in found} == {"inconclusive"}
    assert all("chance" in finding.reason for finding in found), [finding.reason for finding in found]


def test_outputs_that_are_not_finite_are_no_value():
    holes = KERAS.copy()
    holes[3, 2, 0] = np.nan
    comparison = compare(made(int8=holes))
    assert comparison.change(case("int8"), "oks").value is None
    assert "not finite" in comparison.standing(case("int8")).reason
    assert [one.text for one in number_sample(comparison, 3).answers][2] == "not finite"


def test_pictures_that_belong_together_are_resampled_together():
    run = replace(made(int8=said(3.5, 2)), groups=np.arange(PICTURES))
    row, alone = (compare(each).change(case("int8"), "oks_change") for each in (run, replace(run, groups=None)))
    assert row.value == pytest.approx(alone.value)
    assert row.high - row.low == pytest.approx(alone.high - alone.low, rel=0.3)


def test_two_runs_count_the_points_that_are_lost_between_them():
    one, other = made(int8=lost()), made(int8=KERAS)
    back = {c.metric: c for c in compare_runs(one, other).changes if c.case == case("int8")}
    there = {c.metric: c for c in compare_runs(other, one).changes if c.case == case("int8")}
    assert back["flip_rate"].value == 0 < there["flip_rate"].value and "oks_change" in there
    assert "a point is wrong that the reference has right" in there["flip_rate"].method
    stricter = made(replace(HOW, right_within=0.1), int8=KERAS)
    told = {d.field for pair in compare_runs(one, stricter).pairs for d in pair.differences}
    assert "keypoints" in told


@pytest.mark.parametrize(
    ("labels", "how", "told"),
    [
        (None, HOW, "no labels of points"),
        (LABELS[:, :5], HOW, "has 17 points, and the labels have 5"),
        (LABELS, replace(HOW, sigmas=(0.1, 0.2)), "2 sigmas"),
    ],
)
def test_what_does_not_fit_is_refused(labels, how, told):
    with pytest.raises(ConfigError, match=told):
        check(Scoring(keypoints=how), dataset(labels), [KERAS])


# --- what is shown ---------------------------------------------------------------------------------------------------


def test_the_furthest_pictures_are_shown_with_the_points_of_all_three(comparison):
    shown = gallery(Material(comparison, pictures=comparison.run.inputs[0]))
    (note, block) = shown.blocks
    assert isinstance(note, Note) and "labels green circles" in note.text
    assert isinstance(block, BoxGallery)
    worst = block.exhibits[0]
    moved = np.maximum.reduce([comparison.samples[row]["moved_px"] for row in comparison.sound])
    assert worst.number == moved.argmax() and worst.told.startswith(f"moved {moved.max():.2f} px, lost ")
    drawn = np.asarray(Image.open(io.BytesIO(worst.picture)).convert("RGB")).reshape(-1, 3)
    for colour in ((0x56, 0xC9, 0xA2), (0x7C, 0xBC, 0xF0), (0xFF, 0x9D, 0x66)):
        assert (drawn == colour).all(axis=1).sum() > 20


def test_one_sample_is_told_and_drawn(comparison):
    sample = number_sample(comparison, 1)
    x, y = KERAS[1, 0, :2]
    assert sample.answers[0].text.startswith(f"({x:.1f}, {y:.1f}), ") and "… (17 points)" in sample.answers[0].text
    broken = next(one for one in sample.answers if one.variant == "broken")
    assert broken.apart == pytest.approx(float(comparison.samples[case("broken")]["moved_px"][1]))
    assert "Points: labels green circles" in sample_chart(comparison, comparison.run.inputs[0], 1).svg
