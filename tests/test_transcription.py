"""Texts: the error rates are jiwer's, decoding is CTC's best path, and nothing passes in silence."""

from __future__ import annotations

import builtins
import itertools
from dataclasses import replace

import jiwer
import numpy as np
import pytest

from harness.build.scored import as_meant, of_labels
from harness.compare.baseline import compare
from harness.compare.numbers import number_sample
from harness.compare.two_runs import compare_runs
from harness.data.texts import are_texts, rows_of, texts_of
from harness.errors import ConfigError
from harness.gate.decide import judge
from harness.gate.policy.policy_file import parse_policy
from harness.metrics.fitting import check
from harness.metrics.transcripts import DECODERS, checked, transcribed
from harness.records import Affine, Dataset, Run, Scoring, Transcription
from harness.report.samples.text_table import furthest_texts
from harness.runs.coherent import of_decoded
from tests.made_runs import case
from tests.made_tasks import run_of

RNG = np.random.default_rng(8)
ALPHABET = tuple(" abcde")
HOW = Transcription(ALPHABET)
SAMPLES, STEPS, BLANK = 400, 30, len(ALPHABET)
WORDS = ("a", "bad", "cab", "dead", "bee", "ace")


def spoken(text: str) -> list[int]:
    """A path of steps that says the text: a blank before each character, then blanks to the end."""
    path = [step for letter in text for step in (BLANK, ALPHABET.index(letter))]
    return path + [BLANK] * (STEPS - len(path))


def scores(texts: list[str]) -> np.ndarray:
    return np.eye(BLANK + 1, dtype=np.float32)[[spoken(text) for text in texts]]


def garbled(texts: list[str], share: float, seed: int) -> list[str]:
    """Each word becomes another, or goes, in so large a share."""
    rng = np.random.default_rng(seed)
    each = [[str(rng.choice(WORDS)) if rng.random() < share else word for word in text.split()] for text in texts]
    return [" ".join(word for word in words if rng.random() > share / 3) for words in each]


LABELS = [" ".join(RNG.choice(WORDS, n)) for n in RNG.integers(1, 4, SAMPLES)]
SAID = garbled(LABELS, 0.1, 1)
MOVED = [one if n % 20 else other for n, (one, other) in enumerate(zip(SAID, garbled(SAID, 0.5, 2), strict=True))]
LOST = garbled(LABELS, 0.7, 3)


def run(int8: list[str], keras: list[str] = SAID, labels: list[str] = LABELS, how: Transcription = HOW) -> Run:
    given = {"float32": scores(keras), "int8": scores(int8)}
    return run_of("transcription", rows_of(labels), scores(keras), given, Scoring("wer", transcription=how))


def outcomes(of: Run, *rules: str) -> list[str]:
    policy = "".join(f'[[rule]]\nvariant = "int8"\n{rule}\n' for rule in rules)
    return [finding.outcome for finding in judge(compare(of), parse_policy(policy, "policy.toml")).findings]


def dataset(labels: object, names: tuple[str, ...] = ()) -> Dataset:
    array = np.asarray(labels)
    return Dataset("made", (), None, (np.zeros((len(array), 3)),), array, (Affine(),), names, "made")


# --- decoding --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("blank", ["first", "last"])
def test_greedy_is_the_best_path_without_repeats_and_blanks(blank):
    """Graves et al. 2006, section 3: B(a-ab-) = B(-aa--abb) = aab."""
    alphabet, rng = tuple("xyab"), np.random.default_rng(2)
    place = {letter: n + (blank == "first") for n, letter in enumerate(alphabet)} | {"-": 0 if blank == "first" else 4}
    said = [[place[letter] for letter in path] for path in ("a-ab-----", "-aa--abb-", "---------", "xxyyx-x-b")]
    output = np.eye(5)[said] + 0.4 * rng.random((4, 9, 5))
    assert texts_of(transcribed(output, Transcription(alphabet, blank))) == ["aab", "aab", "", "xyxxb"]


def test_greedy_is_what_grouping_the_steps_says():
    output = RNG.normal(size=(50, 30, BLANK + 1))
    best = [[n for n, _ in itertools.groupby(row)] for row in output.argmax(axis=2).tolist()]
    wanted = ["".join(ALPHABET[n] for n in row if n != BLANK) for row in best]
    assert texts_of(transcribed(output, HOW)) == wanted
    assert texts_of(transcribed(output[:, :, None], HOW)) == wanted  # axes of length 1 say nothing


def test_texts_of_the_alphabet_may_be_longer_than_a_character():
    how = Transcription(("th", "e", "ü"))
    assert texts_of(transcribed(np.eye(4)[[[0, 3, 1], [2, 2, 3]]], how)) == ["the", "ü"]


def test_what_is_not_finite_is_no_text():
    output = scores(LABELS[:3])
    output[1, 2, 0] = np.nan
    assert np.isfinite(transcribed(output, HOW)).all(axis=1).tolist() == [True, False, True]


def test_a_decoder_of_ones_own_is_called_where_it_is_trusted(tmp_path, monkeypatch):
    (tmp_path / "beams.py").write_text("def decode(output):\n    return ['a' * int(row.sum()) for row in output]\n")
    monkeypatch.syspath_prepend(tmp_path)
    own = Transcription(decoder="beams:decode", folder=tmp_path)
    assert texts_of(transcribed(np.ones((2, 3, 1)), own)) == ["aaa", "aaa"]
    with pytest.raises(ConfigError, match="was not begun by you"):
        transcribed(np.ones((2, 3, 1)), own, trusted=False)
    assert Scoring(transcription=own).calls and not Scoring(transcription=HOW).calls


@pytest.mark.parametrize(
    ("how", "told"),
    [
        (Transcription(ALPHABET, decoder="greed"), "did you mean greedy"),
        (Transcription(), "without the blank"),
        (Transcription(("a", "b", "a")), "one text a class"),
        (Transcription(ALPHABET, blank="middle"), '"first" or "last"'),  # type: ignore[arg-type]
    ],
)
def test_what_cannot_be_decoded_so_is_refused(how, told):
    with pytest.raises(ConfigError) as refused:
        checked(how, "here")
    assert told in refused.value.advice


def test_a_stored_run_may_name_any_decoder_that_there_is():
    how = [Transcription(ALPHABET, decoder=name) for name in DECODERS]
    assert not [said for own in how for said in of_decoded("transcription", Scoring(transcription=own))]
    other = Scoring(transcription=Transcription(ALPHABET, decoder="greed"))
    assert list(of_decoded("transcription", other)) == ["there is no decoder 'greed' of texts"]


def test_an_output_that_does_not_fit_the_alphabet_is_refused():
    meant = dataset(rows_of(LABELS))
    with pytest.raises(ConfigError, match="7 classes"):
        check(Scoring(transcription=HOW), meant, [np.zeros((SAMPLES, STEPS, 9))])
    assert check(Scoring(transcription=HOW), meant, [scores(LABELS)]) == (
        Scoring("wer", transcription=HOW),
        "transcription",
    )


# --- labels ----------------------------------------------------------------------------------------------------------


def test_labels_are_texts_or_places_in_the_alphabet():
    names = ("", "bad cab", "über")
    texts = as_meant(Scoring(transcription=HOW), dataset([1, 0, 2], names), scores(LABELS))
    assert texts_of(texts.test_labels) == ["bad cab", "", "über"] and texts.class_names == ()
    places = as_meant(Scoring(transcription=HOW), dataset([[2, 1, -1], [-1, -1, -1], [3, 0, 3]]), scores(LABELS))
    assert texts_of(places.test_labels) == ["ba", "", "c c"]


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        (np.array([0.5, 1.5]), "store labels as text"),
        (np.array([[1, BLANK]]), "the blank is no place in it"),
        (np.array([[1, -1, 2]]), "store labels as text"),
        (np.zeros((2, 3, 4), int), "store labels as text"),
    ],
)
def test_labels_that_are_no_texts_are_refused(labels, told):
    with pytest.raises(ConfigError) as refused:
        as_meant(Scoring(transcription=HOW), dataset(labels), scores(LABELS))
    assert told in refused.value.advice


def test_labels_that_no_answer_can_have_are_remarked_on():
    (remark,) = of_labels(Scoring(transcription=HOW), np.array([0, 1]), scores(LABELS), ("Bad", "cab"))
    assert "'B'" in remark.what
    assert not list(of_labels(Scoring(transcription=HOW), np.array([0, 1]), scores(LABELS), ("bad", "cab")))


def test_a_run_from_elsewhere_holds_code_points():
    assert are_texts(rows_of(["a", "é€", "𝄞"])) and texts_of(rows_of(["a", "é€", "𝄞", ""])) == ["a", "é€", "𝄞", ""]
    assert not any(map(are_texts, (np.array([[0xD800]]), np.array([[0x110000]]), np.array([[-2]]), np.array([1.0]))))


# --- the numbers -----------------------------------------------------------------------------------------------------


def test_the_numbers_are_jiwers_to_the_last_digit():
    comparison = compare(run(MOVED))
    for name, of in (("wer", jiwer.wer), ("cer", jiwer.cer)):
        change = comparison.change(case("int8"), name)
        assert (change.value, change.baseline) == (of(LABELS, MOVED), of(LABELS, SAID))
        moved = comparison.change(case("int8"), f"{name}_change")
        assert change.low < change.value < change.high and moved.low < moved.value < moved.high
    right = comparison.change(case("int8"), "text_accuracy")
    assert right.value == np.mean([one == other for one, other in zip(LABELS, MOVED, strict=True)])


def test_empty_labels_and_answers_count_as_jiwer_has_them():
    labels, keras = ["", "bad cab", "a", ""] * 100, ["bee", "", "a", ""] * 100
    change = compare(run(keras, keras, labels)).change(case("int8"), "wer")
    assert change.value == jiwer.wer(labels, keras) == 1.0
    nothing = compare(run(keras, keras, [""] * 400)).change(case("int8"), "wer")
    assert nothing.value is None and "every label is empty" in nothing.method


def test_a_sample_has_its_edits_and_says_which_words_changed():
    comparison = compare(run(MOVED))
    rows = comparison.samples[case("int8")]
    differ = [one != other for one, other in zip(SAID, MOVED, strict=True)]
    assert rows["flip"].tolist() == differ
    lost = [(s == y) and (s != m) for s, m, y in zip(SAID, MOVED, LABELS, strict=True)]
    assert (rows["flip_kind"] == 1).tolist() == lost
    assert rows["error"].sum(dtype=float) / rows["words"].sum() == jiwer.wer(LABELS, MOVED)
    assert comparison.change(case("int8"), "flips").value == sum(differ)
    n = int(np.flatnonzero(lost)[0])
    said = number_sample(comparison, n)
    assert (said.label, said.answers[0].text, said.answers[-1].text) == tuple(
        f"“{text}”" for text in (LABELS[n], SAID[n], MOVED[n])
    )
    shown = furthest_texts(comparison, 18)
    assert {place for place, _ in shown} <= set(np.flatnonzero(differ)) and {c for _, c in shown} == {case("int8")}
    worst = max(range(SAMPLES), key=lambda n: rows["error"][n] - rows["baseline_error"][n])
    gain = [rows["error"][n] - rows["baseline_error"][n] for n in (shown[0][0], worst)]
    assert gain[0] == gain[1]


def test_suspect_rows_select_no_text():
    comparison = compare(run(LOST))
    assert comparison.suspect == {case("int8")} and furthest_texts(comparison, 18) == []


def test_two_runs_are_compared():
    found = {
        change.metric: change for change in compare_runs(run(SAID), run(MOVED)).changes if change.case == case("int8")
    }
    assert found["wer_change"].value == pytest.approx(jiwer.wer(LABELS, MOVED) - jiwer.wer(LABELS, SAID))
    assert found["flip_rate"].value == pytest.approx(np.mean([a != b for a, b in zip(SAID, MOVED, strict=True)]))


def test_runs_that_read_texts_otherwise_are_not_comparable():
    other = replace(HOW, blank="first")
    found = compare_runs(run(SAID), replace(run(SAID), scoring=Scoring("wer", transcription=other))).changes
    assert {change.kind for change in found if change.metric == "wer_change"} == {"not_comparable"}


# --- the gate --------------------------------------------------------------------------------------------------------

GROWN = 'metric = "{}"\nmax_increase = "{}pp"\nagainst = "keras"'


def test_a_policy_judges_it():
    rules = [GROWN.format("wer", 8), 'metric = "wer"\nmax = 0.01', 'metric = "text_accuracy"\nmin = 0.5']
    assert outcomes(run(MOVED), *rules) == ["pass", "fail", "pass"]


def lost_runs() -> dict[str, Run]:
    broken = run(MOVED)
    nan = scores(MOVED)
    nan[5, 0] = np.nan
    given = {"float32": scores(SAID), "int8": nan}
    unknown = run_of("transcription", broken.labels, scores(SAID), given, broken.scoring)
    return {
        "lost": run(LOST), "NaN": unknown, "nothing": run([""] * SAMPLES),
        "both say nothing": run([""] * 400, [""] * 400),
        "few": run(SAID[:40], SAID[:40], LABELS[:40]), "no words": run(SAID, labels=[""] * SAMPLES),
        "labels in another order": run(SAID, labels=LABELS[::-1]),
    }  # fmt: skip


@pytest.mark.parametrize("kind", lost_runs())
def test_nothing_passes_in_silence(kind):
    rules = [GROWN.format(name, 2) for name in ("wer", "cer")]
    found = outcomes(lost_runs()[kind], *rules)
    assert len(found) == 2 and set(found) <= {"fail", "inconclusive", "missing", "not_comparable", "invalid"}


def test_texts_that_are_lost_make_a_row_suspect():
    standing = next(s for s in compare(run(LOST)).standings if s.case == case("int8"))
    assert standing.status == "suspect" and "of the characters of Keras'" in standing.reason


def test_groups_are_left_out_as_a_whole():
    change = compare(replace(run(MOVED), groups=np.arange(SAMPLES) // 2)).change(case("int8"), "wer")
    assert "over 200 groups" in change.method and change.low < change.value < change.high


def test_without_jiwer_the_extra_is_named(monkeypatch):
    load = builtins.__import__

    def without(name, *args, **more):
        if name == "jiwer":
            raise ImportError(name)
        return load(name, *args, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ConfigError) as refused:
        check(Scoring(transcription=HOW), dataset(rows_of(LABELS)), [scores(LABELS)])
    assert "pip install 'edge-harness[text]'" in refused.value.advice
