"""runs/coherent.py: each part of a run as it must be, and of another run; tests/test_foreign.py damages whole files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from harness.errors import StoreError
from harness.records import Audit, Carried, Case, Detection, Head, Keypoints, Round, Run, Scoring, Shard, Tensor
from harness.records import Transcription as Texts
from harness.runs.coherent import check_header, check_run
from harness.runs.header import Header, read_header
from tests.devices import RECORDED
from tests.made_runs import case, run, scores, shard, timed

KNOWN = read_header(RECORDED.with_name("digits-schema-5"))
VARIANT, RECORD, CASE = KNOWN.variants[0], KNOWN.targets[0], KNOWN.cases[0]
DIGITS = np.arange(40) % 3


def header(**changes: Any) -> Header:
    return replace(KNOWN, **changes)


def with_tensor(dtype: str, status: Any = "ok") -> Header:
    odd = replace(VARIANT, outputs=(Tensor("out", dtype, (1, 10)),), status=status)
    return header(variants=(odd, *KNOWN.variants[1:]))


def with_scoring(task: Any, **scoring: Any) -> Header:
    return header(task=task, scoring=replace(KNOWN.scoring, **scoring))


def with_head(name: str, output: str, scored: str = "", classes: tuple[str, ...] = ()) -> Header:
    heads = {name: Head("classification", class_names=classes, scoring=Scoring(output=output))}
    return header(output_names=("scores", "age"), heads=heads, scoring=replace(KNOWN.scoring, output=scored))


def with_state(output: str, yielded: int, fed: int) -> Header:
    return header(
        output_names=("scores", "state"), input_names=("x", "before"), state=(Carried(output, "before", yielded, fed),)
    )


SOUND = {
    "as it was recorded": header(),
    "a tensor of each width": with_tensor("uint16"),
    "an odd tensor of a variant that failed": with_tensor("float1", "failed"),
    "labels of another output": with_head("age", "age", "scores"),
    "classes of another output": with_head("age", "age", "scores", ("x", "y")),
    "state": with_state("state", 1, 1),
    "state of the last of more outputs": replace(with_state("state", 2, 1), output_names=("scores", "age", "state")),
    "boxes": with_scoring("detection", detection=Detection(size=(10, 20))),
    "boxes, decoded by the user": with_scoring("detection", detection=Detection("mine:boxes")),
    "texts": with_scoring("transcription", transcription=Texts(("a",))),
    "texts, decoded by the user": with_scoring("transcription", transcription=Texts(("a",), decoder="mine:text")),
    "points": with_scoring("keypoints", keypoints=Keypoints((8, 8), sigmas=(0.1,))),
    "no date": header(provenance=replace(KNOWN.provenance, created="")),
}


@pytest.mark.parametrize("known", SOUND.values(), ids=SOUND)
def test_what_fits_is_taken(known: Header) -> None:
    check_header("a/run", known)


ODD = {
    "two variants": (header(variants=(VARIANT, VARIANT)), f"two are called variant '{VARIANT.name}'"),
    "two targets": (header(targets=(RECORD, RECORD)), "two are called target 'host'"),
    "two classes": (header(class_names=("a", "b", "a")), "two are called class 'a'"),
    "two classes of a head": (with_head("age", "age", "scores", ("x", "x")), "two are called class 'x'"),
    "a case of no variant": (header(cases=(replace(CASE, variant="gone"),)), "of the case 'gone host"),
    "a case of no target": (header(cases=(replace(CASE, target="gone"),)), f"of the case '{CASE.variant} gone"),
    "a case without threads": (header(cases=(replace(CASE, threads=0),)), "it has no variant or target of the case"),
    "a case of many threads": (header(cases=(replace(CASE, threads=10**9),)), "no variant or target of the case"),
    "a tensor of no dtype": (with_tensor("float1"), "the tensor 'out' has the dtype 'float1'"),
    "no input": (header(affines=()), "it names no input"),
    "labels of no output": (with_head("height", "height"), "labels of 'height', which is no output beside"),
    "labels scored as another's": (with_head("age", "scores"), "labels of 'age', which is no output beside"),
    "labels of the scored one twice": (with_head("age", "age", "age"), "labels of 'age', which is no output beside"),
    "state of another output": (with_state("scores", 1, 1), "it carries the state scores → before, and has no such"),
    "state beyond the outputs": (with_state("state", 2, 1), "it carries the state"),
    "state beyond the inputs": (with_state("state", 1, 2), "it carries the state"),
    "boxes of digits": (with_scoring("classification", detection=Detection()), "and it says how outputs become"),
    "boxes without a word": (with_scoring("detection"), "and it says not how outputs become"),
    "boxes by nobody": (with_scoring("detection", detection=Detection("best")), "there is no decoder 'best'"),
    "no box": (with_scoring("detection", detection=Detection(max_detections=0)), "numbers of detections or pixels"),
    "a picture of no width": (with_scoring("detection", detection=Detection(size=(0, 3))), "detections or pixels"),
    "a picture of a huge width": (with_scoring("detection", detection=Detection(size=(3, 10**9))), "or pixels"),
    "points of digits": (with_scoring("classification", keypoints=Keypoints((8, 8))), "it says how an output becomes"),
    "points without a word": (with_scoring("keypoints"), "it says not how an output becomes"),
    "points of a huge picture": (with_scoring("keypoints", keypoints=Keypoints((8, 10**9))), "a number of pixels"),
    "points by nobody": (with_scoring("keypoints", keypoints=Keypoints((8, 8), "best")), "best"),
    "texts of digits": (with_scoring("classification", transcription=Texts(("a",))), "answers are texts is said"),
    "texts without a word": (with_scoring("transcription"), "answers are texts is said otherwise"),
    "texts by nobody": (
        with_scoring("transcription", transcription=Texts(("a",), decoder="best")),
        "no decoder 'best' of texts",
    ),
    "a plan of too much": (header(plan=replace(KNOWN.plan, rounds=10**9)), "its plan has numbers"),
    "a plan of less than nothing": (header(plan=replace(KNOWN.plan, min_s=-0.1)), "its plan has numbers"),
    "a day that was none": (header(provenance=replace(KNOWN.provenance, created="2026-13-45")), "'2026-13-45' is not"),
}


@pytest.mark.parametrize(("known", "told"), ODD.values(), ids=ODD)
def test_what_does_not_fit_is_named_with_its_file(known: Header, told: str) -> None:
    with pytest.raises(StoreError) as caught:
        check_header("a/run", known)
    assert str(caught.value).startswith("a/run/run.json cannot be used: ") and told in str(caught.value)
    assert "as it was measured" in caught.value.advice


# --- arrays and pieces ---


def whole(**changes: Any) -> Run:
    answers = scores()
    made = run(
        [case()], labels=DIGITS, baseline=answers, shards=[shard(case(), answers)], rounds=[timed(case(), 0, [5])]
    )
    return replace(made, **changes)


def audit(*samples: int) -> Audit:
    return Audit(case(), samples, "failed", "no memory")


def with_shard(change: Callable[[Shard], Shard]) -> Run:
    (one,) = whole().shards
    return whole(shards=(change(one),))


def feeds(*order: int) -> Run:
    (variant,) = whole().variants
    return whole(variants=(replace(variant, feeds=order),))


def yields(*order: int) -> Run:
    (variant,) = whole().variants
    return whole(variants=(replace(variant, yields=order),))


ARRAYS_SOUND = {
    "as it was made": whole(),
    "clips and groups": whole(clips=np.arange(40), groups=np.arange(40), numbers=np.arange(40)),
    "an audit of the first and the last": whole(audits=(audit(0, 39),)),
    "an order of its one input and output": feeds(0),
    "an order of its output": yields(0),
    "an output that is named": whole(output_names=("scores",)),
    "half of the answers": with_shard(lambda s: replace(s, first=20, last=40, outputs=(scores()[20:],))),
}
ARRAYS_ODD = {
    "a number for an input": (whole(inputs=(np.array(3),)), "an input or an output of the baseline has no samples"),
    "fewer labels": (whole(labels=DIGITS[:39]), "its labels are not of the 40 samples"),
    "more answers of Keras": (whole(baseline=(scores(41),)), "its baseline are not of the 40 samples"),
    "fewer of a second input": (whole(inputs=(np.zeros((40, 2)), np.zeros((39, 2)))), "its inputs are not of the 40"),
    "a clip less": (whole(clips=np.arange(39)), "its clips are not of the 40"),
    "a group less": (whole(groups=np.arange(39)), "its groups are not of the 40"),
    "a number of no sample": (whole(numbers=np.array(1)), "its numbers are not of the 40"),
    "fewer labels of a head": (whole(head_labels={"age": DIGITS[:5]}), "its labels of age are not of the 40"),
    "state and no clips": (whole(state=(Carried("a", "b", 0, 0),)), "it carries state, and no clip is named"),
    "two names for one output": (whole(output_names=("a", "b")), "it names 2 outputs, and its baseline has 1"),
    "an order of an input more": (feeds(0, 1), "variant float32 are those of no input or output of the model"),
    "an order of an output before the first": (yields(-1), "variant float32 are those of no input or output"),
    "a round before the first": (whole(rounds=(Round(case(), -1),)), "it has a round -1"),
    "a round beyond all": (whole(rounds=(Round(case(), 10**9),)), "it has a round 1000000000"),
    "answers beyond the last sample": (with_shard(lambda s: replace(s, last=41)), "answers to samples 0 to 41 of 40"),
    "answers before the first": (with_shard(lambda s: replace(s, first=-1)), "answers to samples -1 to 40 of 40"),
    "answers to nothing": (with_shard(lambda s: replace(s, first=40)), "answers to samples 40 to 40 of 40"),
    "an audit beyond the last": (whole(audits=(audit(3, 40),)), "an audit is of samples that it does not have"),
    "an audit before the first": (whole(audits=(audit(-1, 3),)), "an audit is of samples that it does not have"),
    "answers of no variant": (
        with_shard(lambda s: replace(s, case=Case("gone", "host", s.case.runtime, 1))),
        "measured of a variant or target that it does not have",
    ),
    "answers of no target": (
        with_shard(lambda s: replace(s, case=Case("float32", "gone", s.case.runtime, 1))),
        "measured of a variant or target that it does not have",
    ),
}


@pytest.mark.parametrize("known", ARRAYS_SOUND.values(), ids=ARRAYS_SOUND)
def test_arrays_and_pieces_that_fit_are_taken(known: Run) -> None:
    check_run(known)


@pytest.mark.parametrize(("known", "told"), ARRAYS_ODD.values(), ids=ARRAYS_ODD)
def test_arrays_and_pieces_of_another_run_are_named(known: Run, told: str) -> None:
    with pytest.raises(StoreError) as caught:
        check_run(known)
    assert f"{known.path} cannot be used: " in str(caught.value) and told in str(caught.value)
