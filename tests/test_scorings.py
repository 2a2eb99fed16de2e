"""experiment/scorings.py: what is said of outputs in Python, and what is wrong with it in one line."""

from __future__ import annotations

import numpy as np
import pytest

from harness.errors import ConfigError
from harness.experiment.scorings import scorings_of
from harness.records import Detection, Keypoints, Transcription


def test_every_way_may_be_given_by_the_names_of_outputs():
    said = {
        "detection": {"boxes": Detection(scores="scores", anchors=np.ones((2, 4)))},  # type: ignore[arg-type]
        "keypoints": {"hands": Keypoints([48, np.int64(64)], sigmas=[0.05])},  # type: ignore[arg-type]
        "transcription": {"plate": Transcription("ab")},  # type: ignore[arg-type]
        "ignore": {"mask": 255},
        "primary": "accuracy",
    }
    scoring, heads = scorings_of(said, "kind")
    assert (scoring.primary, scoring.output, scoring.detection) == ("accuracy", "kind", None)
    assert set(heads) == {"boxes", "hands", "plate", "mask"}
    assert heads["boxes"].detection is not None and heads["boxes"].detection.anchors == ((1.0,) * 4,) * 2
    assert heads["hands"].keypoints == Keypoints((48, 64), sigmas=(0.05,))
    assert heads["plate"].transcription == Transcription(("a", "b"))
    assert heads["mask"].ignore == 255.0


WRONG = [
    ({"keypoints": Keypoints(5)}, "keypoints: size is 5"),  # type: ignore[arg-type]
    ({"keypoints": {"hands": Keypoints((48, 64), sigmas=3)}}, "keypoints of output hands: sigmas is 3"),  # type: ignore[arg-type]
    ({"transcription": Transcription(None)}, "transcription: alphabet is None"),
    ({"detection": Detection(max_detections="many")}, "detection: max_detections is 'many'"),  # type: ignore[arg-type]
    ({"detection": "yolo"}, "detection is 'yolo'"),
    ({"ignore": "void"}, "ignore is 'void'"),
    ({"primary": 5}, "5 is no name of a metric"),
    ({"others": {"mask": [None]}}, "None is no name of a metric of output mask"),
    ({"detection": Detection(), "keypoints": Keypoints((4, 4))}, "labels are boxes, points or texts, and not several"),
]


@pytest.mark.parametrize(("said", "told"), WRONG)
def test_what_cannot_be_is_told_in_one_line(said, told):
    with pytest.raises(ConfigError, match=told) as caught:
        scorings_of(said)
    assert "\n" not in str(caught.value) and caught.value.advice
