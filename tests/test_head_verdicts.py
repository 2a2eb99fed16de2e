"""gate/head_verdicts.py: several outputs with labels, each judged by its own; a verdict a head, and one for all."""

from __future__ import annotations

import csv
from dataclasses import replace
from functools import lru_cache
from xml.etree import ElementTree

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, jaccard_score, mean_absolute_error

from harness.build.scored import heads_meant, heads_of
from harness.compare.baseline import compare
from harness.compare.rows import rows as rows_of
from harness.compare.two_runs import compare_runs
from harness.errors import StoreError
from harness.experiment.in_memory import dataset_in_memory
from harness.gate.decide import judge
from harness.gate.each_output import judged_outputs
from harness.gate.evidence import Evidence
from harness.gate.junit import junit
from harness.gate.known import Known
from harness.gate.policy import default_policy
from harness.gate.policy.policy_file import parse_policy
from harness.gate.verdict_text import document, heads, markdown
from harness.metrics.meaning import declared_task
from harness.metrics.registry import METRICS
from harness.metrics.task import as_scores
from harness.records import (
    Comparison,
    Declared,
    Detection,
    Head,
    HeadVerdict,
    Keypoints,
    Run,
    Scoring,
    Transcription,
    Variant,
    Verdict,
)
from harness.report.material import Material
from harness.report.out.csv_tables import metrics_csv, summary_csv
from harness.report.samples.gallery import BoxGallery
from harness.report.sections import contents
from harness.report.words.summary import sentences
from harness.runs.coherent import check_run
from tests import made_runs
from tests.made_answers import RULE, found, verdict_of
from tests.made_tasks import several

SAMPLES = 2_000
DROP = 'metric = "accuracy_drop"\nmax = "1pp"\nvariant = "int8"\n'
RNG = np.random.default_rng(5)
DIGIT = made_runs.scores(SAMPLES)  # probabilities of three classes
LABELS = DIGIT.argmax(axis=1)
PARITY_LABELS = LABELS % 2
PARITY = np.where(PARITY_LABELS == 1, 0.9, 0.1).astype(np.float32)[:, None]  # one column: the probability of class 1
INK_LABELS = RNG.gamma(3, 1, SAMPLES).astype(np.float32)
INK = (INK_LABELS + RNG.normal(0, 0.2, SAMPLES).astype(np.float32))[:, None]
KERAS = {"digit": DIGIT, "parity": PARITY, "ink": INK}
LOST = RNG.random((SAMPLES, 1)).astype(np.float32)  # says nothing of parity
HEADS = {
    "parity": (Head("classification", ("even", "odd"), Scoring("accuracy", output="parity")), PARITY_LABELS),
    "ink": (Head("regression", (), Scoring("mae", output="ink")), INK_LABELS),
}


def made(labelled: tuple[str, ...] = ("parity", "ink"), **int8: np.ndarray) -> Run:
    """digit leads, and these have labels too; int8 answers as Keras does but for what is given."""
    run = several(KERAS, {"float32": KERAS, "int8": {**KERAS, **int8}}, LABELS, "digit")
    heads, labels = ({name: HEADS[name][n] for name in labelled} for n in (0, 1))
    return replace(run, heads=heads, head_labels=labels)  # type: ignore[arg-type]


def by_default(run: Run) -> Verdict:
    return judge(compare(run), default_policy(run.tasks))


# --- what each output says ---


def test_every_labelled_output_has_the_metrics_of_its_labels():
    ink = (INK + 0.3).astype(np.float32)
    comparison = compare(made(parity=LOST, ink=ink))
    case = made_runs.case("int8")
    parity, inked = (comparison.heads[name] for name in ("parity", "ink"))
    answers = as_scores(LOST, logits=False).argmax(axis=1)
    assert parity.change(case, "accuracy").value == pytest.approx(accuracy_score(PARITY_LABELS, answers))
    assert parity.change(case, "accuracy").baseline == 1.0
    assert inked.change(case, "mae").value == pytest.approx(mean_absolute_error(INK_LABELS, ink[:, 0]), rel=1e-6)
    assert inked.change(case, "size_bytes") is None  # of the whole model, which the scored output's rows have
    assert comparison.change(case, "accuracy").value == 1.0


def test_the_tables_name_the_output_and_the_summary_is_of_the_leading_one():
    comparison = compare(made(parity=LOST))
    rows = list(csv.reader(metrics_csv(comparison).splitlines()[1:]))
    assert {row[-1] for row in rows if row[0] == "int8" and row[4] == "accuracy"} == {"digit", "parity"}
    assert {row[-1] for row in rows if row[4] == "mae"} == {"ink"}
    assert {row[-1] for row in rows if row[4] == "size_bytes"} == {""}
    summary = csv.DictReader(summary_csv(rows_of(comparison)).splitlines())
    (int8,) = (row for row in summary if row["variant"] == "int8")
    assert (int8["primary_metric"], float(int8["primary_value"]), int8["status"]) == ("accuracy", 1.0, "suspect")


# --- a verdict a head, and one for all ---


def test_the_default_policy_has_a_rule_for_every_head():
    verdict = by_default(made(parity=LOST))
    int8, ink = verdict.findings
    assert (int8.outcome, int8.output, verdict.outcome, verdict.ships) == ("fail", "parity", "fail", ())
    assert int8.each == {"digit": "pass", "parity": "fail"} and (ink.metric, ink.each) == ("rmse", {"ink": "pass"})
    assert heads(verdict) == [
        "Output parity does not pass: fail (int8).",
        "Output digit passes.",
        "Output ink passes.",
    ]
    assert all(told in markdown(verdict) for told in heads(verdict))
    assert [head["output"] for head in document(verdict)["heads"]] == ["parity", "digit", "ink"]


def test_a_head_that_no_rule_judges_is_named():
    verdict = verdict_of(made(), RULE + DROP)
    assert verdict.outcome == "pass" and verdict.ships == ("int8",)
    assert heads(verdict) == ["Output ink: no rule judges it.", "Output digit passes.", "Output parity passes."]


def test_a_head_of_metrics_of_ones_own_has_no_default_rule():
    head = replace(HEADS["ink"][0], task="custom")
    run = replace(made(), heads={"ink": head}, head_labels={"ink": INK_LABELS})
    assert heads(by_default(run))[0] == "Output ink: no rule judges it."


def test_one_labelled_output_has_no_verdict_of_its_own():
    verdict = by_default(made(labelled=()))
    assert verdict.heads == () and verdict.findings[0].each == {"digit": "pass"}


@pytest.mark.parametrize("name", ["digit", "parity"])
def test_a_rule_names_the_head_that_it_judges(name):
    one = f'{RULE}{DROP}output = "digit"\n' + f'{RULE}{DROP}output = "parity"\n'
    said = {f.rule: f for f in verdict_of(made(parity=LOST), one).findings}
    assert (said[1].outcome, said[2].outcome) == ("pass", "fail")
    assert "suspect: output parity: agrees with Keras on" in said[1].reason


def test_the_least_sure_head_gives_the_p_value_of_a_pass():
    parity = PARITY.copy()
    parity[:5] = 1 - parity[:5]  # 5 of 2,000 lost: .25 pp
    said = found(made(parity=parity), DROP)
    alone = found(made(parity=parity), DROP + 'output = "parity"')
    assert (said.outcome, said.output) == ("pass", "parity") and said.p == alone.p > 0


def test_numbers_and_classes_are_judged_by_their_own_rules():
    both = f'{RULE}{DROP}{RULE}metric = "mae"\nmax_increase = 0.05\nagainst = "keras"\nvariant = "int8"\n'
    verdict = verdict_of(made(ink=(INK + 0.5).astype(np.float32)), both)
    assert [(head.output, head.outcome) for head in verdict.heads] == [
        ("ink", "fail"),
        ("digit", "pass"),
        ("parity", "pass"),
    ]
    assert verdict.outcome == "fail"
    good = verdict_of(made(), both)
    assert good.outcome == "pass" and {head.outcome for head in good.heads} == {"pass"}


# --- what nobody judges, and what cannot be judged ---


def test_a_lost_head_that_no_rule_judges_lets_nothing_pass():
    said = found(made(parity=LOST), DROP + 'output = "digit"')
    assert (said.outcome, said.holds) == ("invalid", False)
    assert "no rule judges output parity, which is suspect" in said.reason
    verdict = verdict_of(made(parity=LOST), f'{RULE}{DROP}output = "digit"')
    assert heads(verdict)[:2] == ["Output parity: no rule judges it.", "Output ink: no rule judges it."]


def test_a_file_in_doubt_hides_no_lost_head():
    run = made(parity=LOST)
    doubtful = Variant("int8", "int8", None, "0" * 64, 1000, status="suspect", reason="output parity: it is far off")
    run = replace(run, variants=(*(v for v in run.variants if v.name != "int8"), doubtful))
    said = found(run, DROP + 'output = "digit"')
    assert said.outcome == "invalid" and "no rule judges output parity, which is suspect" in said.reason


def test_a_head_that_answers_one_class_alone_is_lost_and_the_others_stand():
    constant = np.full_like(PARITY, 0.2)
    rules = "".join(f'{RULE}{DROP}output = "{name}"\n' for name in ("digit", "parity"))
    first, second = verdict_of(made(parity=constant), rules).findings
    assert (first.outcome, second.outcome) == ("pass", "fail")
    flips = found(made(parity=constant), 'metric = "max_abs_diff"\nmax = 5\noutput = "parity"')
    assert flips.outcome == "invalid" and "answers even for each of 2,000 samples, and Keras does not" in flips.reason


def test_a_head_at_chance_passes_no_rule_and_the_others_do():
    run = made()
    shuffled = RNG.permutation(PARITY_LABELS)
    run = replace(run, head_labels=run.head_labels | {"parity": shuffled})
    rules = "".join(f'{RULE}{DROP}output = "{name}"\n' for name in ("digit", "parity"))
    first, second = verdict_of(run, rules).findings
    assert (first.outcome, second.outcome) == ("pass", "inconclusive")
    assert "is not shown to be over chance" in second.reason and compare(run).standings[1].chance == ""


def test_a_metric_that_no_head_has_is_refused():
    said = found(made(), 'metric = "mae"\nmax_increase = 0.1\nagainst = "keras"\noutput = "parity"')
    assert said.outcome == "missing" and "that of output parity is classification" in said.reason
    third = found(made(labelled=("parity",)), 'metric = "accuracy"\nmin = "90%"\noutput = "ink"')
    assert third.reason == "accuracy is of digit and parity alone: leave out output, or name one of these"


def test_a_metric_of_the_users_own_is_of_the_head_that_asked_for_it(tmp_path, monkeypatch):
    (tmp_path / "own_heads.py").write_text(
        "import numpy as np\ndef far(labels, outputs):\n    return float(np.abs(labels - outputs[:, 0]).max())\n"
    )
    run = made()
    asked = Scoring("mae", ("own_heads:far",), "ink", tmp_path, (Declared("own_heads:far", "far", "score", "lower"),))
    run = replace(run, heads=run.heads | {"ink": replace(run.heads["ink"], scoring=asked)})
    assert compare(run).heads["ink"].change(made_runs.case("int8"), "far").value == pytest.approx(
        np.abs(INK_LABELS - INK[:, 0]).max()
    )
    assert compare(run).change(made_runs.case("int8"), "far") is None
    held = compare(replace(run, scoring=replace(run.scoring, trusted=False)))  # of a stranger's run
    assert "--trust" in held.heads["ink"].change(made_runs.case("int8"), "far").method


def test_groups_hold_for_every_head():
    run = replace(made(parity=LOST), groups=np.arange(SAMPLES, dtype=np.int32) // 4)
    said = found(run, DROP)
    assert (said.outcome, said.output) == ("fail", "parity") and said.each["digit"] == "pass"


def test_a_row_that_no_rule_could_judge_passes_for_no_output():
    """int8 has no answers at all: its findings are of the whole row, and name no output."""
    run = made()
    lost = replace(run, shards=tuple(s for s in run.shards if s.case.variant != "int8"))
    verdict = judge(compare(lost), default_policy())
    assert verdict.outcome == "invalid"
    assert {head.output: head.outcome for head in verdict.heads if head.outcome} == {
        "digit": "invalid",
        "parity": "invalid",
    }


# --- objects, masks, points and texts as heads ---

WORST_FIRST = ("boxes", "kind", "mask", "points", "text")
PICTURES = 400
CENTRES, SIDES = RNG.uniform(0.25, 0.75, (PICTURES, 2, 2)), RNG.uniform(0.15, 0.3, (PICTURES, 2, 2))
OBJECTS = np.concatenate([CENTRES - SIDES / 2, CENTRES + SIDES / 2], axis=2)
KINDS = RNG.integers(0, 2, (PICTURES, 2))
MASKS = np.kron(RNG.integers(0, 2, (PICTURES, 3, 5)), np.ones((1, 2, 1), int))
POINTS = RNG.uniform(0.2, 0.8, (PICTURES, 4, 2))
WORDS = RNG.integers(0, 2, (PICTURES, 3))  # places in the alphabet
LABELS_OF = {
    "boxes": np.concatenate([OBJECTS, KINDS[..., None]], axis=2),
    "mask": MASKS,
    "points": POINTS,
    "text": WORDS,
}
SAID = {
    "boxes": Scoring(detection=Detection(boxes="boxes", scores="scores")),
    "mask": Scoring(),
    "points": Scoring(keypoints=Keypoints((48, 64), sigmas=(0.05,), area=400.0)),
    "text": Scoring(transcription=Transcription(("a", "b"))),
}


def grown(boxes: np.ndarray, by: float) -> np.ndarray:
    """Boxes of that many times their sides, about their own centres."""
    low, high = boxes[..., :2], boxes[..., 2:]
    middle, half = (low + high) / 2, by * (high - low) / 2
    return np.concatenate([middle - half, middle + half], axis=-1).astype(np.float32)


def pictures(by: float) -> Run:
    """A classifier whose further heads find objects, points, a mask and a text; int8 has boxes `by` times as large."""
    steps = np.full((PICTURES, 6, 3), -2.0)  # every letter, then the blank
    for place in range(3):
        steps[np.arange(PICTURES), 2 * place, WORDS[:, place]] = 2
        steps[:, 2 * place + 1, 2] = 2
    of_mask = np.clip(np.where(MASKS > 0, 0.8, 0.2) + RNG.normal(0, 0.15, MASKS.shape), 0.01, 0.99)
    keras = {
        "kind": made_runs.scores(PICTURES),
        "boxes": (OBJECTS + RNG.normal(0, 0.008, OBJECTS.shape)).astype(np.float32),
        "scores": np.where(np.eye(2)[KINDS] > 0, 0.8, 0.1).astype(np.float32),
        "mask": of_mask.astype(np.float32)[..., None],
        "points": (POINTS + RNG.normal(0, 0.01, POINTS.shape)).astype(np.float32),
        "text": steps.astype(np.float32),
    }
    given = {"float32": keras, "int8": {**keras, "boxes": grown(keras["boxes"], by)}}
    classes = keras["kind"].argmax(axis=1)
    run = several(keras, given, classes, "kind")
    data = dataset_in_memory("d", run.inputs[0], {"kind": classes, **LABELS_OF}, None, (), 1.0, 0.0, "kind")
    asked = {name: replace(scoring, output=name) for name, scoring in SAID.items()}
    meant = heads_meant(asked, data, {name: keras[name] for name in asked})
    heads = heads_of(asked, meant, run.baseline, run.outputs)
    return replace(run, heads=heads, head_labels={name: of.labels for name, of in meant.heads.items()})


@lru_cache(maxsize=1)
def compared() -> Comparison:
    """int8 has boxes a fifth too large; with the metrics that rules look at alone."""
    run = pictures(1.2)
    stored = RNG.integers(0, 256, (PICTURES, 48, 64), np.uint8)
    judged = {"accuracy_drop", "coco_map", "mean_iou", "oks", "wer"}
    return compare(replace(run, inputs=(stored,)), judged)


def test_the_class_head_passes_and_the_box_head_fails_where_boxes_are_a_fifth_too_large():
    run = compared().run
    assert [head.task for head in run.heads.values()] == ["detection", "segmentation", "keypoints", "transcription"]
    comparison = compared()
    verdict = judge(comparison, default_policy(run.tasks))
    assert heads(verdict) == [
        "Output boxes does not pass: fail (int8).",
        *(f"Output {name} passes." for name in WORST_FIRST[1:]),
    ]
    (int8,) = (s for s in comparison.standings if s.case.variant == "int8")
    assert int8.status == "suspect" and "output boxes: classes fine, boxes broken: " in int8.reason
    assert "scores" not in comparison.heads  # the decoder reads it: its rows may be others
    right = jaccard_score(MASKS.ravel(), (run.baseline[3] > 0.5).astype(int).ravel(), average="macro")
    assert comparison.heads["mask"].change(int8.case, "mean_iou").value == pytest.approx(right)
    words = {found.topic: found.text for found in sentences(Material(comparison, verdict=verdict))}
    assert next(topic for topic in words if topic.startswith("Output ")) == "Output boxes"


def test_the_report_shows_the_samples_of_each_head_the_worst_head_first():
    comparison = compared()
    verdict = replace(by_default(made()), heads=tuple(HeadVerdict(name, "fail") for name in WORST_FIRST))
    sound = tuple(
        replace(s, outputs={name: replace(one, status="ok") for name, one in s.outputs.items()})
        for s in comparison.standings
    )
    material = Material(replace(comparison, standings=sound), comparison.run.inputs[0], verdict=verdict)
    shown = contents(material, ())
    (gallery,) = (content for content in shown if content.section.anchor == "gallery")
    assert [part.title for part in gallery.parts] == [
        f"Output {n}" for n in ("boxes", "kind", "mask", "points", "text")
    ]
    (boxes,) = (block.exhibits for block in gallery.parts[0].blocks if isinstance(block, BoxGallery))
    assert [len(boxes), all(one.picture for one in boxes)] == [18 // 5, True]
    furthest = np.argsort(comparison.heads["boxes"].samples[made_runs.case("int8")]["box_iou"], kind="stable")
    assert [one.number for one in boxes] == furthest[:3].tolist()
    (by_class,) = (content for content in shown if content.section.anchor == "classes")
    assert by_class.title == "IoU of each class, output mask"


def test_a_rule_that_needs_no_labels_is_judged_but_for_what_a_decoder_reads():
    rules = "".join(f'{RULE}metric = "{text}\n' for text in ('flip_rate"\nmax = "5%"', 'max_abs_diff"\nmax = 5'))
    policy = parse_policy(rules + 'output = "scores"\n', "p")
    judged = [judged_outputs(rule, Evidence(compared(), None)) for rule in policy.rules]
    assert set(judged[0]) == {"kind", "mask", "points", "text"} and judged[1] == ()


LIMITS = {"f1": "min = 0.5", "coco_map": "min = 0.5", "wer": "max = 0.5", "oks": "min = 0.5"}


def test_what_is_known_before_a_run_is_of_the_outputs_that_a_metric_is_of():
    labels = compared().run.head_labels
    texts = RNG.integers(0, 9, PICTURES)  # places among the texts, as they are stored
    tasks = {name: task for name, scoring in SAID.items() if (task := declared_task(scoring))}
    known = Known(PICTURES, LABELS[:PICTURES], None, "kind", {**labels, "text": texts}, tasks)
    policy = parse_policy("".join(f'{RULE}metric = "{name}"\n{limit}\n' for name, limit in LIMITS.items()), "p")
    found = [[one.output for one in known.each(rule, METRICS[rule.metric])] for rule in policy.rules]
    assert found == [["kind"], ["boxes"], ["text"], ["points"]]


def test_a_run_with_such_heads_fits_together_and_one_with_other_labels_does_not():
    run = pictures(1.0)
    check_run(run)
    lost = run.head_labels | {"points": POINTS}
    with pytest.raises(StoreError, match="are no points"):
        check_run(replace(run, head_labels=lost))


def test_no_head_passes_by_a_rule_that_matches_no_row():
    rule = f"{RULE}{DROP}".replace('"int8"', '"int4"')
    verdict = verdict_of(made(), rule)
    assert verdict.outcome == "missing"
    assert heads(verdict)[:2] == ["Output digit does not pass: missing.", "Output parity does not pass: missing."]


# --- two runs ---


def hashed(run: Run, number: str) -> Run:
    return replace(run, hashes={"test": number * 64})


def test_a_run_with_one_more_labelled_output_is_compared_by_those_that_both_have():
    """The hash of a test set is of all labels; samples are paired where those of the output that is compared agree."""
    two, three = hashed(made(labelled=("parity",)), "2"), hashed(made(parity=LOST), "3")
    both = compare_runs(two, three)
    (drop,) = (c for c in both.changes if c.metric == "accuracy_drop" and c.case.variant == "int8")
    assert (drop.kind, drop.value) == ("similar", 0.0)
    lost = next(c for c in both.heads["parity"].changes if c.metric == "accuracy_drop" and c.case.variant == "int8")
    assert lost.kind == "regressed" and lost.value == pytest.approx(
        100 * (1 - accuracy_score(PARITY_LABELS, as_scores(LOST, logits=False).argmax(axis=1)))
    )
    ink = {change.kind for change in both.heads["ink"].changes}
    assert ink <= {"not_comparable", "missing"}


@pytest.mark.parametrize("what", ["inputs", "labels"])
def test_other_samples_are_never_paired(what):
    one, other = hashed(made(), "2"), hashed(made(), "3")
    if what == "inputs":
        other = replace(other, inputs=tuple(x + 1 for x in other.inputs))
    else:
        assert other.labels is not None
        other = replace(other, labels=(other.labels + 1) % 3)
    drop = next(c for c in compare_runs(one, other).changes if c.metric == "accuracy_drop")
    assert drop.kind == "not_comparable" and "test inputs and labels" in drop.method


@pytest.mark.parametrize(("lost", "outcome"), [(False, "pass"), (True, "fail")])
def test_a_rule_against_a_reference_is_judged_for_every_head(lost, outcome):
    rule = DROP + 'against = "reference"'
    run = made(parity=LOST) if lost else made()
    verdict = judge(compare(run), parse_policy(RULE + rule, "p"), compare(replace(made(), run_id="before")))
    (said,) = verdict.findings
    assert (said.outcome, verdict.reference) == (outcome, "before")
    assert [head.outcome for head in verdict.heads if head.output == "parity"] == [outcome]


# --- JUnit ---


def test_junit_has_a_case_for_each_head():
    xml = ElementTree.fromstring(junit(by_default(made(parity=LOST)), ""))  # noqa: S314
    cases = {c.get("name"): c for c in xml.iter("testcase") if c.get("classname") == "policy.outputs"}
    assert list(cases) == ["output parity", "output digit", "output ink"]
    (failure,) = cases["output parity"]
    assert (failure.tag, failure.get("message")) == ("failure", "Output parity does not pass: fail (int8).")
    assert not len(cases["output digit"]) and xml.get("tests") == "5" and xml.get("failures") == "2"


def test_a_head_that_no_rule_judges_is_skipped_in_junit():
    xml = ElementTree.fromstring(junit(verdict_of(made(), RULE + DROP), ""))  # noqa: S314
    (skipped,) = xml.iter("skipped")
    assert skipped.get("message") == "Output ink: no rule judges it." and xml.get("failures") == "0"
