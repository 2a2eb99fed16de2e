"""Runs that find objects: decoded, compared, judged, and told apart where boxes alone, or classes alone, broke."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from harness.compare.baseline import compare
from harness.compare.fingerprint import sample_difference
from harness.compare.numbers import number_sample
from harness.errors import ConfigError
from harness.gate.decide import judge
from harness.gate.policy import read_policy
from harness.metrics import METRICS
from harness.metrics.fitting import check
from harness.metrics.left_out import LeftOut
from harness.metrics.scoring import Scorer
from harness.records import Affine, Comparison, Dataset, Detection, Finding, Run, Scoring
from harness.report.charts.chart import Picture, Words
from harness.report.material import Material
from harness.report.part import Note
from harness.report.plots.sample_plot import sample_chart
from harness.report.samples.gallery import BoxGallery, furthest_boxes, gallery
from tests.made_objects import cocos, pictures
from tests.made_runs import case
from tests.made_tasks import several

PICTURES = 320
HOW = Detection(boxes="boxes", scores="scores", score_threshold=0.05, max_detections=14)
Outputs = dict[str, np.ndarray]


def as_outputs(found: np.ndarray, classes: int = 4) -> Outputs:
    """Detections as a model gives them: plain boxes, and a score a class."""
    scores = np.zeros((*found.shape[:2], classes), np.float32)
    there = found[..., 5] >= 0
    scores[there, found[..., 5][there].astype(int)] = found[..., 4][there]
    return {"boxes": np.ascontiguousarray(found[..., :4]), "scores": scores}


def made(variants: dict[str, Outputs], objects: np.ndarray, keras: Outputs, how: Detection = HOW) -> Run:
    scoring, _ = check(Scoring(detection=how), dataset(objects, keras), tuple(keras.values()), tuple(keras))
    run = several(keras, variants, np.zeros(len(objects), int))
    return replace(run, task="detection", labels=objects, class_names=(), scoring=scoring)


def dataset(objects: np.ndarray | None, keras: Outputs) -> Dataset:
    return Dataset("made", (), None, (keras["boxes"],), objects, (Affine(),), (), "made")


@pytest.fixture(scope="module")
def truth() -> tuple[np.ndarray, Outputs]:
    objects, found = pictures(PICTURES, 3)
    found[..., 4] *= 0.49 / 0.5  # all scores under 1
    return objects, as_outputs(found)


@pytest.fixture(scope="module")
def scaled(truth) -> Comparison:
    """float32 as Keras; grown: boxes 1.2 as large; renamed: every second picture's classes changed."""
    objects, keras = truth
    centre = (keras["boxes"][..., :2] + keras["boxes"][..., 2:]) / 2
    half = 1.2 * (keras["boxes"][..., 2:] - centre)
    grown = np.concatenate([centre - half, centre + half], axis=2)
    names = keras["scores"].copy()
    names[::2] = np.roll(names[::2], 1, axis=2)
    others = {"grown": keras | {"boxes": grown}, "renamed": keras | {"scores": names}}
    return compare(made({"float32": keras, **others}, objects, keras))


def judged(comparison: Comparison, rule: str, folder: Path) -> Finding:
    policy = folder / "policy.toml"
    policy.write_text(f"[[rule]]\n{rule}\n")
    return judge(comparison, read_policy(policy)).findings[0]


def test_the_rows_are_cocos_numbers(scaled):
    objects, found = pictures(PICTURES, 3)
    found[..., 4] *= 0.49 / 0.5
    kept = np.where(found[..., 4:5] >= 0.05, found, (0, 0, 0, 0, 0, -1)).astype(np.float32)
    wanted = cocos(objects, kept)
    for name, value in zip(("coco_map", "ap50", "ar100"), wanted, strict=True):
        row = scaled.change(case("float32"), name)
        assert row.value == row.baseline == pytest.approx(value, rel=1e-6) and row.low < value < row.high
        assert scaled.change(case("float32"), f"{name}_change").value == 0


def test_larger_boxes_pass_by_class_and_fail_by_box_and_the_row_says_so(scaled, tmp_path):
    grown = 'variant = "grown"\nmetric = '
    assert judged(scaled, f'{grown}"class_agreement"\nmin = 0.9', tmp_path).outcome == "pass"
    assert judged(scaled, f'{grown}"box_iou"\nmin = 0.9', tmp_path).outcome == "fail"
    assert judged(scaled, f'{grown}"coco_map"\nmax_decrease = 0.02\nagainst = "keras"', tmp_path).outcome == "fail"
    standing = scaled.standing(case("grown"))
    assert standing.status == "suspect" and standing.reason.startswith("classes fine, boxes broken: ")
    assert "overlap Keras' by 0." in standing.reason


def test_other_classes_pass_by_box_and_fail_by_class(scaled, tmp_path):
    renamed = 'variant = "renamed"\nmetric = '
    assert judged(scaled, f'{renamed}"class_agreement"\nmin = 0.9', tmp_path).outcome == "fail"
    assert judged(scaled, f'{renamed}"box_iou"\nmin = 0.9', tmp_path).outcome == "pass"
    assert scaled.standing(case("renamed")).reason.startswith("boxes fine, classes broken: ")


def test_the_same_detections_pass_within_a_margin_that_the_pictures_show(scaled, tmp_path):
    rule = 'variant = "float32"\nmetric = "coco_map"\nagainst = "keras"\nmax_decrease = '
    assert judged(scaled, f"{rule}0.05", tmp_path).outcome == "pass"
    assert judged(scaled, f"{rule}0.001", tmp_path).outcome == "inconclusive"
    assert scaled.standing(case("float32")).status == "ok"


@pytest.mark.parametrize("metric", ["coco_map", "ap50", "ar100"])
def test_a_plain_loss_fails_on_few_pictures_on_which_nothing_can_pass(metric, tmp_path):
    objects, found = pictures(80, 5)
    keras, lost = as_outputs(found), as_outputs(found)
    lost["scores"] = lost["scores"] * (np.random.default_rng(1).random((80, 1, 1)) < 0.4)
    rule = f'metric = "{metric}"\nmax_decrease = "1pp"\nagainst = "keras"\nvariant = "{{}}"'
    comparison = compare(made({"float32": keras, "int8": lost}, objects, keras))
    said = [judged(comparison, rule.format(variant), tmp_path) for variant in ("int8", "float32")]
    assert [each.outcome for each in said] == ["fail", "inconclusive"] and "80 samples: 299" in said[1].reason


def test_a_rare_class_keeps_a_rule_from_passing(truth, tmp_path):
    objects, keras = truth
    rare = objects.copy()
    rare[..., 4] = np.where(rare[..., 4] == 3, -1, rare[..., 4])
    rare[:2, 0] = objects[0, 0]
    rare[:2, 0, 4], rare[:2, 0, 5] = 3, 0
    found = judged(
        compare(made({"float32": keras}, rare, keras), ("coco_map",)),
        'metric = "coco_map"\nagainst = "keras"\nmax_decrease = 0.05',
        tmp_path,
    )
    assert found.outcome == "inconclusive" and "class 3 has 2 samples" in found.reason


def test_a_model_that_finds_nothing_passes_nothing(truth, tmp_path):
    objects, keras = truth
    nothing = keras | {"scores": np.zeros_like(keras["scores"])}
    comparison = compare(made({"float32": nothing}, objects, nothing), ("coco_map", "box_iou"))
    for rule in ('metric = "coco_map"\nmax_decrease = 0.5\nagainst = "keras"', 'metric = "box_iou"\nmin = 0.1'):
        assert judged(comparison, rule, tmp_path).outcome not in ("pass",)
    assert "detects nothing" in comparison.change(case("float32"), "box_iou").method
    lost = compare(made({"float32": nothing}, objects, keras), ("coco_map",))
    assert judged(lost, 'metric = "class_agreement"\nmin = 0.5', tmp_path).outcome == "fail"
    assert judged(lost, 'metric = "coco_map"\nmin = 0.01', tmp_path).outcome in ("fail", "inconclusive")


def test_pictures_without_any_object_pass_nothing(truth, tmp_path):
    objects, keras = truth
    empty = np.zeros_like(objects)
    empty[..., 4] = -1
    comparison = compare(made({"float32": keras}, empty, keras), ("coco_map",))
    found = judged(comparison, 'metric = "coco_map"\nmax_decrease = 0.5\nagainst = "keras"', tmp_path)
    assert found.outcome != "pass" and "no picture has an object" in found.reason


def test_without_labels_it_is_held_against_keras_alone(truth):
    _, keras = truth
    outputs, names = tuple(keras.values()), tuple(keras)
    with pytest.raises(ConfigError, match="no labels"):
        check(Scoring(detection=HOW), dataset(None, keras), outputs, names)
    scoring, task = check(Scoring("box_iou", detection=HOW), dataset(None, keras), outputs, names)
    assert (scoring.primary, scoring.output, task) == ("box_iou", "boxes", "detection")


def test_outputs_that_are_not_finite_pass_nothing(truth, tmp_path):
    objects, keras = truth
    broken = keras["scores"].copy()
    broken[5, 0, 0] = np.nan
    comparison = compare(made({"float32": keras | {"scores": broken}}, objects, keras), ("box_iou",))
    assert "1 sample has scores that are not finite" in comparison.standing(case("float32")).reason
    assert judged(comparison, 'metric = "box_iou"\nmin = 0.1', tmp_path).outcome != "pass"


def test_runs_that_were_decoded_in_another_way_are_not_compared(truth):
    objects, keras = truth
    one = made({"float32": keras}, objects, keras)
    other = made({"float32": keras}, objects, keras, replace(HOW, iou_threshold=0.5))
    assert sample_difference(one, one, case("float32")) is None
    assert sample_difference(one, other, case("float32")).field == "detection"


def test_each_pictures_row_says_what_was_lost_and_won(truth):
    objects, keras = truth
    none = keras["scores"].copy()
    none[7] = 0
    rows = compare(made({"float32": keras | {"scores": none}}, objects, keras), ("box_iou",)).samples[case("float32")]
    answers = int((keras["scores"][7].max(axis=1) >= 0.5).sum())
    assert (rows["lost"][7], rows["won"][7], rows["detections"][7]) == (answers, 0, 0)
    assert rows["objects"][7] == (objects[7, :, 4] >= 0).sum() and (rows["lost"][8], rows["moved"][8]) == (0, 0)


def test_the_gallery_draws_the_boxes_of_the_row_that_is_furthest(scaled):
    run = scaled.run
    pixels = np.full((PICTURES, 50, 50), 128, np.uint8)
    objects = run.labels / [50, 50, 50, 50, 1, 1]
    sound = tuple(replace(standing, status="ok") for standing in scaled.standings)
    comparison = replace(scaled, run=replace(run, labels=objects, inputs=(pixels,)), standings=sound)
    note, shown = gallery(Material(comparison, pixels)).blocks
    assert isinstance(note, Note) and isinstance(shown, BoxGallery)
    assert "labels solid green" in note.text
    first = shown.exhibits[0]
    assert first.label and first.told.startswith("overlap 0.") and first.says[0][0] == "Keras"
    drawn = np.asarray(Image.open(io.BytesIO(first.picture)))
    assert drawn.shape == (250, 250, 3) and len(np.unique(drawn.reshape(-1, 3), axis=0)) > 1
    assert "(0." in number_sample(scaled, 0).answers[0].text or number_sample(scaled, 0).answers[0].text == "nothing"


def test_suspect_rows_select_no_picture(scaled):
    suspect = {standing.case for standing in scaled.standings if standing.status == "suspect"}
    assert case("grown") in suspect and scaled.suspect == suspect
    assert not suspect & {row for _, row in furthest_boxes(scaled, PICTURES)}
    lost = tuple(replace(standing, status="suspect") for standing in scaled.standings)
    assert case("grown") in {row for _, row in furthest_boxes(replace(scaled, standings=lost), PICTURES)}


def test_the_chart_of_a_sample_has_its_picture_and_what_each_finds(scaled):
    chart = sample_chart(scaled, np.zeros((PICTURES, 32, 32, 3), np.uint8), 0)
    (picture,), (key, *said) = (panel.marks for panel in chart.panels)
    sample = number_sample(scaled, 0)
    assert isinstance(picture, Picture) and picture.png.startswith(b"\x89PNG")
    assert isinstance(key, Words) and key.text.startswith("Boxes: labels solid green")
    told = [mark.text for mark in said if isinstance(mark, Words)]
    assert told[0] == f"Keras: {sample.answers[0].text}" and len(told) == len(sample.answers)


def judged_as(run: Run, rule: str, folder: Path) -> Finding:
    return judged(compare(run), rule, folder)


def silent(keras: Outputs) -> Outputs:
    """Of a model that finds nothing."""
    return keras | {"scores": np.zeros_like(keras["scores"])}


@pytest.mark.parametrize("metric", ["box_iou", "class_agreement"])
def test_pictures_on_which_neither_says_anything_save_no_model_that_finds_nothing(truth, tmp_path, metric):
    """One picture in sixteen has an object: as a mean over all of them the dead model would have 94 %."""
    objects, keras = truth
    few = np.arange(PICTURES) % 16 == 0
    sparse = keras | {"scores": np.where(few[:, None, None], keras["scores"], 0)}
    run = made({"int8": silent(keras)}, objects, sparse)
    assert judged_as(run, f'metric = "{metric}"\nmin = 0.8', tmp_path).outcome == "fail"


@pytest.mark.parametrize("metric", ["ap50", "ar100"])
def test_the_loss_of_every_detection_fails_a_relative_limit(truth, tmp_path, metric):
    """In every resample all is lost, so that resamples alone would leave it open."""
    objects, keras = truth
    run = made({"int8": silent(keras)}, objects, keras)
    rule = f'metric = "{metric}"\nagainst = "keras"\nmax_decrease = "5 %"'
    assert judged_as(run, rule, tmp_path).outcome == "fail"


def test_an_output_that_no_decoder_reads_is_not_lost_without_a_word(truth):
    objects, keras = truth
    beside = np.random.default_rng(1).normal(size=(PICTURES, 8)).astype(np.float32)
    both = keras | {"embedding": beside}
    run = made({"int8": both | {"embedding": np.zeros_like(beside)}}, objects, both)
    standing = compare(run).standing(case("int8"))
    assert standing.status == "suspect" and "embedding" in standing.bars


def test_a_baseline_without_a_finite_answer_agrees_with_nobody(truth, tmp_path):
    objects, keras = truth
    broken = keras | {"boxes": np.full_like(keras["boxes"], np.nan)}
    run = made({"int8": keras}, objects, keras)
    run = replace(run, baseline=tuple(broken.values()))
    found = judged_as(run, 'metric = "box_iou"\nmin = 0.8', tmp_path)
    assert found.outcome != "pass" and "Keras has no finite answer" in found.reason


def test_pictures_in_groups_are_left_out_by_what_they_match(truth):
    """Leaving groups out is asked of what was matched once; it equals matching the rest anew."""
    objects, keras = truth
    run = replace(made({"int8": keras}, objects, keras), groups=np.repeat(np.arange(PICTURES // 4, dtype=np.int32), 4))
    whole = Scorer(run).baseline_statistic(METRICS["coco_map"])
    assert isinstance(whole, LeftOut)
    kept = run.groups != 7
    rest = made({"int8": {k: v[kept] for k, v in keras.items()}}, objects[kept], {k: v[kept] for k, v in keras.items()})
    assert whole.without[7] == pytest.approx(Scorer(rest).baseline_statistic(METRICS["coco_map"]).value, rel=1e-9)


def test_a_variant_that_gives_fewer_boxes_is_compared_by_what_it_finds(truth):
    """A vendor's file keeps the seven best of fourteen rows: no two of its outputs have Keras' shape."""
    objects, keras = truth
    best = np.argsort(-keras["scores"].max(axis=2), axis=1, kind="stable")[:, :7]
    fewer = {name: np.take_along_axis(array, best[..., None], axis=1) for name, array in keras.items()}
    compared = compare(made({"vendor": fewer}, objects, keras))
    assert compared.change(case("vendor"), "coco_map").value is not None
    assert compared.heads == {} and compared.change(case("vendor"), "class_agreement").value > 0.9


OWN = """
import numpy as np
from harness.metrics import scored

@scored("counted", unit="fraction", better="higher")
def counted(labels, outputs, inputs, all_outputs):
    assert inputs.shape[0] == len(labels) and sorted(all_outputs) == ["boxes", "scores"]
    return (labels[..., 4] >= 0).sum(1) == (outputs[..., 4] >= 0.5).sum(1)
"""


def test_a_metric_of_ones_own_is_given_objects_detections_inputs_and_every_output(truth, tmp_path):
    (tmp_path / "own_counts.py").write_text(OWN)
    objects, keras = truth
    scoring = Scoring("own_counts:counted", folder=tmp_path, detection=HOW)
    scoring, _ = check(scoring, dataset(objects, keras), tuple(keras.values()), tuple(keras))
    run = replace(made({"float32": keras}, objects, keras), scoring=scoring)
    row = compare(run, {"counted"}).change(case("float32"), "counted")
    wanted = [
        (o[:, 4] >= 0).sum() == (s.max(axis=1) >= 0.5).sum() for o, s in zip(objects, keras["scores"], strict=True)
    ]
    assert row.value == pytest.approx(np.mean(wanted)) and 0 < row.value < 1
    assert row.low < row.value < row.high
