"""Which output labels are of, where they were given for one by its name."""

from __future__ import annotations

import numpy as np
import pytest

from harness.build.models import Facts
from harness.build.scored import as_asked, check_scored, heads_meant, heads_of, of_labels
from harness.errors import ConfigError
from harness.experiment.in_memory import dataset_in_memory
from harness.experiment.scorings import scorings_of
from harness.records import Dataset, Detection, Experiment, Keypoints, Scoring, Tensor

FACTS = Facts((), tuple(Tensor(name, "float32", (1, 2)) for name in ("boxes", "kind")), 1)
OUTPUTS = (np.zeros((4, 2)), np.zeros((4, 2)))


def checked(scored: str, labels: dict[str, list[int]], facts: Facts = FACTS) -> None:
    data = dataset_in_memory("d", np.zeros((4, 3)), labels, None, (), 1.0, 0.0, scored)
    check_scored(Scoring(output=scored), data, facts, OUTPUTS[: len(facts.outputs)])


@pytest.mark.parametrize("scored", ["boxes", "kind"])
def test_labels_of_the_scored_output_are_taken(scored):
    checked(scored, {"boxes": [0, 1, 0, 1], "kind": [1, 0, 1, 0]})


def test_those_of_the_first_output_need_no_word():
    checked("", {"boxes": [0, 1, 0, 1]})


def test_those_of_another_output_are_not_held_against_the_first():
    with pytest.raises(ConfigError, match="labels are of the output 'kind', and 'boxes' is scored") as caught:
        checked("", {"kind": [0, 1, 0, 1]})
    assert caught.value.advice == 'write output = "kind" under [metrics]'


def test_an_output_that_the_model_does_not_have_is_told():
    with pytest.raises(ConfigError, match="'size', which the model does not have") as caught:
        checked("", {"size": [0, 1, 0, 1]})
    assert caught.value.advice == "its outputs are boxes, kind"


def test_the_only_output_may_have_any_name():
    checked("", {"size": [0, 1, 0, 1]}, Facts((), (Tensor("output_0", "float32", (1, 2)),), 1))


# --- several outputs with labels ---

X = np.zeros((4, 3), np.float32)
KIND, SIZE = [0, 1, 0, 1], [0.5, 1.5, 2.5, 3.5]


def experiment(scoring: Scoring | None = None, heads: dict[str, Scoring] | None = None) -> Experiment:
    return Experiment("e", lambda: None, None, (), None, scoring=scoring or Scoring(), heads=heads or {})


def labelled(scored: str = "", **given: object) -> Dataset:
    return dataset_in_memory("d", X, given, None, (), 1.0, 0.0, scored)


def test_the_first_output_with_labels_leads_and_the_others_are_heads():
    asked = as_asked(experiment(heads={"size": Scoring("mae")}), labelled(kind=KIND, size=SIZE))
    assert (asked.scoring.output, asked.scoring.primary) == ("kind", None)
    assert {name: (of.output, of.primary) for name, of in asked.heads.items()} == {"size": ("size", "mae")}
    named = as_asked(experiment(Scoring(output="size")), labelled("size", kind=KIND, size=SIZE))
    assert (named.scoring.output, list(named.heads)) == ("size", ["kind"])


def test_boxes_are_the_output_that_their_labels_are_of():
    said = {"size": Scoring(detection=Detection(scores="kind"))}
    asked = as_asked(experiment(heads=said), labelled(kind=KIND, size=np.zeros((4, 1, 5))))
    assert asked.heads["size"].detection == Detection(boxes="size", scores="kind")
    said = {"size": Scoring(detection=Detection(boxes="rows", scores="kind"))}
    with pytest.raises(ConfigError, match="labels are of the output 'size', and its detections are read from rows"):
        as_asked(experiment(heads=said), labelled(kind=KIND, size=np.zeros((4, 1, 5))))


def test_what_the_leading_output_gives_is_said_once():
    both = experiment(Scoring(detection=Detection()), {"kind": Scoring(keypoints=Keypoints((4, 4)))})
    with pytest.raises(ConfigError, match=r"\[heads.kind.keypoints\] says what kind gives, and a table beside it"):
        as_asked(both, labelled(kind=KIND, size=SIZE))
    led = as_asked(experiment(heads={"kind": Scoring(keypoints=Keypoints((4, 4)))}), labelled(kind=KIND, size=SIZE))
    assert led.scoring.keypoints == Keypoints((4, 4))


def test_what_is_asked_of_the_leading_output_by_its_name_is_its_own():
    asked = as_asked(experiment(heads={"kind": Scoring("f1", ("auc",))}), labelled(kind=KIND, size=SIZE))
    assert (asked.scoring.primary, asked.scoring.others, list(asked.heads)) == ("f1", ("auc",), ["size"])
    with pytest.raises(ConfigError, match=r"\[metrics\] and \[heads.kind\] both say how kind is scored"):
        as_asked(experiment(Scoring("accuracy"), {"kind": Scoring("f1")}), labelled(kind=KIND, size=SIZE))


def test_metrics_of_an_output_without_labels_are_refused():
    with pytest.raises(ConfigError, match=r"\[heads.age\] says how .* scored, and it has no labels") as caught:
        as_asked(experiment(heads={"age": Scoring("mae")}), labelled(kind=KIND, size=SIZE))
    assert caught.value.advice.endswith("those given are of kind and size")


def test_a_head_that_the_model_does_not_have_is_told():
    with pytest.raises(ConfigError, match="'size', which the model does not have"):
        checked("kind", {"kind": [0, 1, 0, 1], "size": [0, 1, 0, 1]})


def test_a_name_that_two_outputs_have_is_refused():
    twice = Facts((), tuple(Tensor(name, "float32", (1, 2)) for name in ("kind", "kind")), 1)
    with pytest.raises(ConfigError, match="'kind', and 2 outputs are called so"):
        checked("size", {"size": [0, 1, 0, 1], "kind": [0, 1, 0, 1]}, twice)


def test_each_head_has_its_task_its_metric_and_its_classes():
    outputs = {"kind": np.eye(2, dtype=np.float32)[KIND], "size": np.array(SIZE, np.float32)[:, None]}
    outputs["odd"] = np.array([[0.2], [0.9], [0.1], [0.8]], np.float32)
    asked = as_asked(experiment(), labelled(kind=KIND, size=SIZE, odd=[0.0, 1.0, 0.0, 1.0]))
    meant = heads_meant(asked.heads, labelled(kind=KIND, size=SIZE, odd=[0.0, 1.0, 0.0, 1.0]), outputs)
    heads = heads_of(asked.heads, meant, list(outputs.values()), list(outputs))
    assert {name: (head.task, head.scoring.primary, head.class_names) for name, head in heads.items()} == {
        "size": ("regression", "rmse", ()),
        "odd": ("classification", "accuracy", ("0", "1")),
    }
    assert meant.heads["odd"].labels.dtype == np.int64


def test_labels_that_no_metric_fits_are_refused_by_the_name_of_their_output():
    outputs = [np.eye(2, dtype=np.float32)[KIND], np.zeros((4, 2), np.float32)]
    asked = as_asked(experiment(), labelled(kind=KIND, boxes=SIZE))
    with pytest.raises(ConfigError, match="output boxes: no metric fits float64 labels") as caught:
        heads_of(asked.heads, labelled(kind=KIND, boxes=SIZE), outputs, ["kind", "boxes"])
    assert caught.value.advice.startswith("under [heads.boxes], ")


def test_in_python_metrics_may_be_given_by_the_names_of_outputs():
    said = {"primary": {"size": "mae"}, "others": {"kind": ["f1", "auc"], "size": "r2"}}
    scoring, heads = scorings_of(said, "kind")
    assert (scoring.primary, scoring.others, scoring.output) == (None, (), "kind")
    asked = {name: (of.primary, of.others) for name, of in heads.items()}
    assert asked == {"size": ("mae", ("r2",)), "kind": (None, ("f1", "auc"))}
    plain, none = scorings_of({"primary": "mae", "others": "r2"})
    assert (plain.primary, plain.others, none) == ("mae", ("r2",), {})


def test_in_python_classes_of_each_output_have_names():
    names = {"kind": ["cat", "dog"], "odd": ["no", "yes"]}
    data = dataset_in_memory("d", X, {"kind": KIND, "odd": ["no", "yes", "no", "yes"]}, None, names, 1.0, 0.0)
    assert data.class_names == ("cat", "dog") and data.heads["odd"].class_names == ("no", "yes")
    assert data.heads["odd"].labels.tolist() == [0, 1, 0, 1]


def test_labels_of_zero_in_a_depth_map_are_told_where_metrics_of_depth_are_asked_for():
    labels = np.array([[[0.0, 2.0], [3.0, 4.0]]] * 4)
    told = [str(remark) for remark in of_labels(Scoring("delta1"), labels, labels)]
    assert len(told) == 1 and told[0].startswith("25.00% of the labels are 0, which delta1 and abs_rel leave out")
    assert not list(of_labels(Scoring("delta1"), labels + 1, labels)) and not list(
        of_labels(Scoring("rmse"), labels, labels)
    )


def test_what_is_wrong_with_a_head_of_boxes_is_told_with_its_own_table():
    outputs: dict[str, np.ndarray] = {"kind": np.zeros((4, 2)), "size": np.zeros((4, 3, 4), np.float32)}
    given = labelled(kind=KIND, size=np.zeros((4, 1, 5)))
    asked = as_asked(experiment(heads={"size": Scoring(detection=Detection())}), given)
    meant = heads_meant(asked.heads, given, outputs)
    with pytest.raises(
        ConfigError, match=r"output size: \[heads.size.detection\] does not say .* the scores"
    ) as caught:
        heads_of(asked.heads, meant, list(outputs.values()), list(outputs))
    assert caught.value.advice == "write scores = …; its outputs are kind, size"
    flat = labelled(kind=KIND, size=np.zeros((4, 5)))
    with pytest.raises(ConfigError, match="output size: the labels have shape"):
        heads_meant(asked.heads, flat, outputs)
