"""Outputs of models become detections: each decoder against detections that are known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.detection import decoders
from harness.detection.decoders import checked, detections_of
from harness.errors import ConfigError
from harness.records import Detection

# Two pictures of 40 × 80 pixels: two boxes on the first, of which one is of class 2, none on the second.
BOXES = np.array([[[8.0, 4.0, 24.0, 20.0], [40.0, 10.0, 72.0, 30.0], [0, 0, 1, 1]]] * 2)
SCORES = np.array([[[0.1, 0.2, 0.9], [0.75, 0.1, 0.1], [0.0, 0.0, 0.0]], [[0.0] * 3] * 3])
FOUND = [[8, 4, 24, 20, 0.9, 2], [40, 10, 72, 30, 0.75, 0]]
SIZE = (40, 80)
SHARES = BOXES / [80, 40, 80, 40]
CENTRES = np.concatenate([(SHARES[..., :2] + SHARES[..., 2:]) / 2, SHARES[..., 2:] - SHARES[..., :2]], axis=-1)
LEAST = 0.3


def logit(share: np.ndarray) -> np.ndarray:
    return np.log(np.clip(share, 1e-9, 1 - 1e-9) / (1 - np.clip(share, 1e-9, 1 - 1e-9)))


def how(decoder: str, **of: Any) -> Detection:
    return replace(Detection(decoder, size=SIZE, score_threshold=LEAST, max_detections=4), **of)


def check(outputs: dict[str, np.ndarray], detection: Detection) -> None:
    found = detections_of({name: y.astype(np.float32) for name, y in outputs.items()}, detection)
    assert found.shape == (2, 4, 6) and found.dtype == np.float32
    assert found[0, :2] == pytest.approx(np.array(FOUND), rel=1e-5)
    nothing = [0, 0, 0, 0, 0, -1]
    assert found[0, 2:].tolist() == [nothing] * 2 and found[1].tolist() == [nothing] * 4


def test_plain_boxes_and_scores_of_classes():
    check({"b": SHARES, "s": SCORES}, how("boxes", boxes="b", scores="s"))
    check({"b": BOXES, "s": SCORES}, how("boxes", boxes="b", scores="s", normalised=False))
    check(
        {"b": BOXES[..., [1, 0, 3, 2]], "s": SCORES}, how("boxes", boxes="b", scores="s", normalised=False, form="yxyx")
    )
    given = {"b": SHARES, "s": SCORES.max(axis=2), "c": SCORES.argmax(axis=2)}
    check(given, how("boxes", boxes="b", scores="s", classes="c"))


def test_scores_may_be_logits_and_have_a_background():
    check({"b": SHARES, "s": logit(SCORES)}, how("boxes", boxes="b", scores="s", logits=True))
    with_none = np.concatenate([np.full((2, 3, 1), 0.99), SCORES], axis=2)
    check({"b": SHARES, "s": with_none}, how("boxes", boxes="b", scores="s", background=True))


def test_what_postprocess_leaves_unwritten_is_left_out():
    outputs = {"b": SHARES[..., [1, 0, 3, 2]], "s": SCORES.max(axis=2), "c": SCORES.argmax(axis=2)}
    outputs |= {"n": np.array([2, 0])}
    outputs["s"][0, 2], outputs["s"][1], outputs["b"][1] = 0.99, 0.88, np.nan  # memory of another sample
    check(outputs, how("postprocess", boxes="b", scores="s", classes="c", count="n"))


def test_ssd_boxes_are_encoded_against_anchors():
    anchors = np.array([[0.5, 0.25, 0.5, 0.25], [0.4, 0.6, 0.3, 0.3], [0.1, 0.1, 0.2, 0.2]])  # cy, cx, h, w
    (cx, cy, w, h), (ay, ax, ah, aw) = np.moveaxis(CENTRES, -1, 0), anchors.T
    coded = np.stack([10 * (cy - ay) / ah, 10 * (cx - ax) / aw, 5 * np.log(h / ah), 5 * np.log(w / aw)], axis=-1)
    ssd = how("ssd", boxes="b", scores="s", anchors=tuple(map(tuple, anchors.tolist())))
    check({"b": coded, "s": SCORES}, ssd)
    with pytest.raises(ConfigError, match="3 boxes, and there are 2 anchors"):
        check({"b": coded, "s": SCORES}, replace(ssd, anchors=ssd.anchors[:2]))


@pytest.mark.parametrize("columns", [False, True])
@pytest.mark.parametrize("pixels", [False, True])
@pytest.mark.parametrize("objectness", [False, True])
def test_yolo_rows(columns, pixels, objectness):
    centres = CENTRES * [80, 40, 80, 40] if pixels else CENTRES
    rest = [np.full((2, 3, 1), 0.5), SCORES * 2] if objectness else [SCORES]
    rows = np.concatenate([centres, *rest], axis=2)
    yolo = how("yolo", boxes="y", normalised=not pixels, objectness=objectness, columns=columns)
    check({"y": rows.transpose(0, 2, 1) if columns else rows}, yolo)


def test_every_class_of_a_box_or_the_best_alone():
    both = np.array([[[0.6, 0.0, 0.8]]])
    plain = how("boxes", boxes="b", scores="s")
    outputs = {"b": SHARES[:1, :1], "s": both}
    assert detections_of(outputs, plain)[0, :, 5].tolist() == [2, -1, -1, -1]
    assert detections_of(outputs, replace(plain, every_class=True))[0, :, 5].tolist() == [2, 0, -1, -1]


def test_suppression_and_the_most_detections_are_as_declared():
    outputs = {"b": np.tile(SHARES[:1, :1], (1, 6, 1)), "s": np.linspace(0.4, 0.9, 6).reshape(1, 6, 1)}
    plain = how("boxes", boxes="b", scores="s")
    assert detections_of(outputs, plain)[0, :, 4] == pytest.approx([0.9, 0.8, 0.7, 0.6])
    assert detections_of(outputs, replace(plain, iou_threshold=0.5))[0, :, 4] == pytest.approx([0.9, 0, 0, 0])


def test_a_picture_whose_outputs_are_not_finite_has_no_detections():
    broken = SCORES.copy()
    broken[0, 1, 1] = np.nan
    found = detections_of({"b": SHARES, "s": broken}, how("boxes", boxes="b", scores="s"))
    assert np.isnan(found[0]).all() and not np.isnan(found[1]).any()


def test_many_pictures_are_decoded_some_at_a_time(monkeypatch):
    monkeypatch.setattr(decoders, "STRETCH_BYTES", 500)
    check({"b": SHARES, "s": SCORES}, how("boxes", boxes="b", scores="s"))


def test_an_output_that_is_not_said_or_not_there_is_refused():
    with pytest.raises(ConfigError, match="does not say which output holds the scores"):
        detections_of({"b": SHARES}, how("boxes", boxes="b"))
    with pytest.raises(ConfigError, match="no output 'x'") as refused:
        detections_of({"b": SHARES, "s": SCORES}, how("boxes", boxes="x", scores="s"))
    assert "b, s" in refused.value.advice
    with pytest.raises(ConfigError, match="numbers a picture"):
        detections_of({"b": SHARES, "s": SCORES, "c": SCORES}, how("boxes", boxes="b", scores="s", classes="c"))


def test_a_decoder_of_ones_own(tmp_path: Path, monkeypatch):
    (tmp_path / "own_decoder_of_mine.py").write_text(
        "import numpy as np\n\ndef decode(outputs):\n"
        "    boxes, scores = outputs['b'] * [80, 40, 80, 40], outputs['s']\n"
        "    rows = np.concatenate([boxes, scores.max(axis=2, keepdims=True),"
        " scores.argmax(axis=2)[..., None]], axis=2)\n"
        "    rows[rows[..., 4] < 0.3] = (0, 0, 0, 0, 0, -1)\n    return rows\n"
    )
    own = how("own_decoder_of_mine:decode", folder=tmp_path)
    check({"b": SHARES, "s": SCORES}, own)
    with pytest.raises(ConfigError, match="not begun by you"):
        detections_of({"b": SHARES, "s": SCORES}, own, trusted=False)


@pytest.mark.parametrize(
    ("how", "told"),
    [
        (Detection(decoder="yolov99"), "there is no decoder 'yolov99'"),
        (Detection(normalised=False), "a picture of unknown size"),
        (Detection(label_normalised=False), "a picture of unknown size"),
    ],
)
def test_what_cannot_be_decoded_is_refused_wherever_it_was_said(how: Detection, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        checked(how, "detection")
    assert checked(replace(how, decoder="boxes", size=(8, 8)), "detection").size == (8, 8)
