"""Embeddings: recall and equal error rate are scikit-learn's, and what few identities say decides nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import roc_curve
from sklearn.metrics.pairwise import cosine_similarity, euclidean_distances
from sklearn.neighbors import NearestNeighbors

from harness.compare.baseline import compare
from harness.errors import ConfigError
from harness.gate.decide import judge, metrics_of
from harness.gate.policy.policy_file import parse_policy
from harness.metrics.embedding import OverIdentities, by_luck, by_luck_of, of_asked, of_its_pairs, over_identities
from harness.metrics.fitting import check
from harness.metrics.registry import METRICS, Answers
from harness.records import Absent, Dataset, Run, Scoring, Verdict
from harness.report.material import Material
from harness.report.samples.gallery import gallery
from harness.report.samples.neighbour_table import lost_neighbours
from harness.statistics.given_pairs import equal_error_rate_of
from harness.statistics.neighbours import Leaving, Space, recall, space_of
from harness.statistics.verification import equal_error_rate
from tests.made_runs import case
from tests.made_tasks import run_of

RNG = np.random.default_rng(4)
IDENTITIES, EACH, WIDTH = 320, 3, 16
ASKED = Scoring("recall_at_1", ("recall_at_10", "euclidean_recall_at_1", "euclidean_eer"))
LABELS = np.repeat(np.arange(IDENTITIES), EACH)
CENTRES = RNG.normal(size=(IDENTITIES, WIDTH))
KERAS = (CENTRES[LABELS] + 0.45 * RNG.normal(size=(len(LABELS), WIDTH))).astype(np.float32)
INT8 = (KERAS + 0.02 * RNG.normal(size=KERAS.shape)).astype(np.float32)
LOST = RNG.normal(size=KERAS.shape).astype(np.float32)
FALL = '[[rule]]\nmetric = "{}"\n{}\nagainst = "keras"\nvariant = "int8"\n'


def run(int8: np.ndarray, labels: np.ndarray = LABELS, keras: np.ndarray = KERAS) -> Run:
    return run_of("embedding", labels, keras, {"float32": keras, "int8": int8}, ASKED)


def verdict_of(run: Run, metric: str, limit: str) -> Verdict:
    policy = parse_policy(FALL.format(metric, limit), "p")
    return judge(compare(run, metrics_of(policy)), policy)


def recall_by_sklearn(vectors: np.ndarray, labels: np.ndarray, k: int, metric: str) -> float:
    """The k nearest beside the sample itself; samples whose identity has no other are not asked."""
    near = NearestNeighbors(n_neighbors=k + 1, metric=metric, algorithm="brute").fit(vectors.astype(np.float64))
    places = near.kneighbors(return_distance=False, n_neighbors=k)  # without X the sample itself is left out
    asked = np.bincount(labels)[labels] > 1
    return float((labels[places] == labels[:, None]).any(axis=1)[asked].mean())


def eer_by_sklearn(vectors: np.ndarray, labels: np.ndarray, euclidean: bool) -> float:
    vectors = vectors.astype(np.float64)
    near = -euclidean_distances(vectors, squared=True) if euclidean else cosine_similarity(vectors)
    upper = np.triu_indices(len(labels), 1)
    accepted, found, _ = roc_curve((labels[:, None] == labels)[upper], near[upper], drop_intermediate=False)
    rejected = 1 - found
    n = int(np.argmax(rejected <= accepted))
    gap, after = rejected[n - 1] - accepted[n - 1], accepted[n] - rejected[n]
    return float(accepted[n - 1] + (accepted[n] - accepted[n - 1]) * gap / (gap + after))


@pytest.mark.parametrize("vectors", [KERAS, LOST])
@pytest.mark.parametrize(("prefix", "metric"), [("", "cosine"), ("euclidean_", "euclidean")])
def test_the_numbers_are_scikit_learns(vectors, prefix, metric):
    answers = Answers(LABELS, vectors, KERAS)
    for k in (1, 5, 10):
        value = METRICS[f"{prefix}recall_at_{k}"].statistic(answers).value
        assert value == recall_by_sklearn(vectors, LABELS, k, metric)
    wanted = eer_by_sklearn(vectors, LABELS, bool(prefix))
    assert METRICS[f"{prefix}eer"].statistic(answers).value == pytest.approx(wanted, abs=1e-9)


def test_identities_may_have_any_number_of_samples():
    labels = RNG.integers(0, 150, len(LABELS))
    labels[:5] = [1000, 1001, 1002, 1003, 1004]  # alone: found, never asked
    answers = Answers(labels, KERAS, KERAS)
    assert METRICS["recall_at_5"].statistic(answers).value == recall_by_sklearn(KERAS, labels, 5, "cosine")


def test_vectors_that_are_all_equal_find_nothing():
    answers = Answers(LABELS, np.ones_like(KERAS), KERAS)
    assert METRICS["recall_at_10"].statistic(answers).value == 0
    assert METRICS["eer"].statistic(answers).value == pytest.approx(0.5)
    assert METRICS["recall_at_1"].statistic(replace(answers, outputs=np.zeros_like(KERAS))).value == 0


@pytest.mark.parametrize("k", [1, 5])
def test_what_an_identity_moves_is_what_leaving_it_out_moves(k):
    """As if the test set had been without it."""
    labels = np.arange(620) % 300
    vectors = (RNG.normal(size=(300, 6))[labels] + 0.9 * RNG.normal(size=(len(labels), 6))).astype(np.float32)
    found = recall(space_of(vectors, False), labels, k)
    wanted = [recall(space_of(vectors[labels != one], False), labels[labels != one], k).value for one in range(40)]
    assert found.without[:40] == pytest.approx(np.array(wanted), abs=1e-12)


def test_the_error_rate_varies_as_much_as_its_jackknife_says():
    """Over test sets that are drawn anew."""
    found = []
    for _ in range(40):
        centres = RNG.normal(size=(120, 8))
        labels = np.repeat(np.arange(120), 3)
        found.append(equal_error_rate(space_of(centres[labels] + 0.5 * RNG.normal(size=(360, 8)), False), labels))
    said = np.mean([119 * each.without.std() ** 2 for each in found]) ** 0.5
    assert said == pytest.approx(np.std([each.value for each in found]), rel=0.35)


def test_chance_is_that_of_vectors_that_say_nothing():
    drawn = [recall_by_sklearn(RNG.normal(size=(200, 8)), np.arange(200) % 20, 5, "cosine") for _ in range(60)]
    assert by_luck(5, np.arange(200) % 20) == pytest.approx(np.mean(drawn), abs=0.02)


@pytest.mark.parametrize(
    ("metric", "limit"), [("recall_at_1", 'max_decrease = "4pp"'), ("euclidean_eer", "max_increase = 0.02")]
)
def test_a_harmless_model_passes_and_a_lost_one_fails(metric, limit):
    assert [verdict_of(run(given), metric, limit).outcome for given in (INT8, LOST)] == ["pass", "fail"]


@pytest.mark.parametrize(("metric", "limit"), [("recall_at_1", 'max_decrease = "50pp"'), ("eer", "max_increase = 0.5")])
def test_vectors_that_say_nothing_of_identities_pass_no_rule(metric, limit):
    assert verdict_of(run(LOST, keras=LOST), metric, limit).outcome == "inconclusive"


def test_few_identities_decide_nothing_and_say_so():
    labels = LABELS % 100  # of 9.6 samples each
    keras = CENTRES[labels].astype(np.float32) + 0.45 * RNG.normal(size=KERAS.shape).astype(np.float32)
    given = (keras + 0.02 * RNG.normal(size=keras.shape)).astype(np.float32)
    (said,) = verdict_of(run(given, labels, keras), "recall_at_1", 'max_decrease = "9pp"').findings
    assert said.outcome == "inconclusive" and "100 identities" in said.reason


@pytest.mark.parametrize(("metric", "limit"), [("recall_at_1", 'max_decrease = "9pp"'), ("eer", "max_increase = 0.09")])
def test_many_samples_of_few_classes_do_not_stand_for_identities(metric, limit):
    labels = LABELS % 10  # 96 samples each
    keras = CENTRES[labels].astype(np.float32) + 0.9 * RNG.normal(size=KERAS.shape).astype(np.float32)
    given = (keras + 0.01 * RNG.normal(size=keras.shape)).astype(np.float32)
    (said,) = verdict_of(run(given, labels, keras), metric, limit).findings
    assert said.outcome == "inconclusive" and said.reason.startswith("10 identities: 299 are the fewest")


def test_a_row_says_how_far_a_vector_moved_and_whether_its_neighbour_was_lost():
    comparison = compare(run(INT8))
    samples = comparison.samples[case("int8")]
    wanted = (KERAS * INT8).sum(1) / np.linalg.norm(KERAS, axis=1) / np.linalg.norm(INT8, axis=1)
    assert samples["cosine"] == pytest.approx(wanted, abs=1e-5)
    assert samples["baseline_correct"].mean() == pytest.approx(recall_by_sklearn(KERAS, LABELS, 1, "cosine"))
    assert (samples["flip"] == (samples["baseline_correct"] & ~samples["correct"])).all()


def test_labels_and_vectors_that_are_no_embeddings_are_refused():
    for labels, output in ((LABELS + 0.5, KERAS), (LABELS, KERAS[:, 0]), (KERAS, KERAS)):
        data = Dataset("made", (), None, (KERAS,), labels, (), (), "made")
        with pytest.raises(ConfigError, match="recall_at_1 and its like do not fit"):
            check(ASKED, data, (output,), ("out",))


def test_ten_thousand_vectors_are_worked_through_in_stretches():
    assert max(near.size for _, near in Space(np.ones((10_000, 2))).stretches()) <= 2_000_000


def told_of(metric: str, limit: str):
    return verdict_of(run(INT8), metric, limit).findings[0]


def test_what_no_identity_showed_may_still_be_there():
    """Where one identity in 400 goes wrong, 45 % of test sets of 320 have none of them: .9975^320."""
    said = [told_of("eer", f"max_increase = {limit}") for limit in (0.005, 0.025)]
    assert [each.outcome for each in said] == ["inconclusive", "pass"]
    assert said[0].p >= 0.9975**IDENTITIES - 0.05 and said[0].high > 2 * 0.009
    rate = METRICS["eer"].statistic(Answers(LABELS, KERAS, KERAS)).value
    said = [told_of("eer", f'max_increase = "{limit / rate:.1%}"') for limit in (0.005, 0.025)]
    assert [each.outcome for each in said] == ["inconclusive", "pass"]  # the same limits, in per cent of the rate


def test_large_identities_may_be_lost_though_none_of_them_was():
    """Of 16 identities of 40 samples each is lost in one test set of ten: .9^16 show none. 304 have two samples."""
    sizes = np.where(np.arange(320) < 16, 40.0, 2.0)
    found = over_identities(Leaving(1.0, np.ones(320), sizes), of_asked)
    limit = 1 - 0.1 * 640 / sizes.sum()
    assert found.p(limit, -1) == pytest.approx(0.9**16) and found.limits(0.9).low < limit
    assert (1 - limit) ** 320 < 0.05 < found.p(limit, -1)  # what identities of one size would say
    of_pairs = sizes * (sizes - 1) / (sizes * (sizes - 1)).sum()
    assert of_its_pairs(sizes) == pytest.approx(np.maximum(of_pairs, 2 * sizes / sizes.sum()))


def test_data_in_groups_have_a_value_and_pass_nothing():
    grouped = replace(run(INT8), groups=(LABELS // 2).astype(np.int32))
    (said,) = verdict_of(grouped, "recall_at_1", 'max_decrease = "50pp"').findings
    assert said.outcome != "pass" and "leave group out" in said.reason


@pytest.mark.parametrize("vectors", ["signs", "one far away"])
def test_pairs_that_are_equally_alike_leave_no_limits(vectors: str) -> None:
    """Eight signs make nine different cosines; one far vector leaves all other pairs in a few of the bins."""
    draw, identities = np.random.default_rng(3), np.repeat(np.arange(300), 4)
    centres = draw.normal(size=(300, 8))[identities]
    near = centres + draw.normal(size=centres.shape)
    near = np.sign(near) if vectors == "signs" else np.vstack([near[:-1], near[-1:] * 1e5])
    answers = Answers(identities, near, near)
    for metric in ("eer", "euclidean_eer"):
        if (vectors == "signs") == (metric == "eer"):
            made = METRICS[metric].statistic(answers)
            assert 0.01 < made.value < 0.5
            assert made.doubt.startswith("no limits: many pairs are equally alike")
            with pytest.raises(Absent, match="8 are the fewest"):
                made.limits(0.9)


def test_each_metric_has_a_title_of_its_own():
    titles = [metric.title for metric in METRICS.values() if "embedding" in metric.offered_for]
    assert len(titles) == len(set(titles)) == 8
    assert {"Recall@1", "Recall@1, Euclidean", "EER, Euclidean"} <= set(titles)


def test_the_report_lists_the_samples_that_lost_their_neighbour():
    """The nearest of each, by scikit-learn; the first line is that whose wrong neighbour is nearer by most."""
    moved = (KERAS + 0.8 * RNG.normal(size=KERAS.shape)).astype(np.float32)
    comparison = compare(run_of("embedding", LABELS, KERAS, {"int8": moved}, ASKED), {"recall_at_1"})
    part = gallery(Material(comparison), 10)
    assert part is not None
    (table,) = part.blocks[0].tables  # type: ignore[attr-defined]
    shown = [[cell.text for cell in line.cells] for line in table.lines]
    assert len(shown) == 10
    first = [
        NearestNeighbors(n_neighbors=1, metric="cosine", algorithm="brute")
        .fit(v.astype(np.float64))
        .kneighbors(return_distance=False)[:, 0]
        for v in (KERAS, moved)
    ]
    lost = (LABELS[first[0]] == LABELS) & (LABELS[first[1]] != LABELS)
    cosine = cosine_similarity(moved.astype(np.float64))
    own = np.where((LABELS[:, None] == LABELS) & ~np.eye(len(LABELS), dtype=bool), cosine, -np.inf).max(axis=1)
    nearer = np.where(lost, cosine[np.arange(len(LABELS)), first[1]] - own, -np.inf)
    for line, n in zip(shown, np.argsort(-nearer)[:10].tolist(), strict=True):
        wanted = [n, LABELS[n], first[0][n], first[1][n], LABELS[first[1][n]]]
        assert line[:5] == [str(value) for value in wanted] and line[7].startswith("int8")
        assert line[5:7] == [f"{cosine[n, first[1][n]]:.4f}", f"{own[n]:.4f}"]
    same = gallery(Material(compare(run(KERAS), {"recall_at_1"})), 10)
    assert same is not None and same.blocks[0].text.startswith("No sample loses")  # type: ignore[attr-defined]


def test_a_vector_that_is_not_finite_makes_no_other_sample_a_lost_one():
    """It finds none and is found by none. The neighbours of the others are scikit-learn's without it."""
    moved = (KERAS + 0.8 * RNG.normal(size=KERAS.shape)).astype(np.float32)
    moved[7] = np.nan
    comparison = compare(run_of("embedding", LABELS, KERAS, {"int8": moved}, ASKED), {"recall_at_1"})
    (standing,), rows = comparison.standings, comparison.samples[case("int8")]
    assert (standing.status, standing.reason) == ("suspect", "1 sample has scores that are not finite: 7")
    sound, right = np.delete(np.arange(len(LABELS)), 7), np.zeros(len(LABELS), bool)
    near = NearestNeighbors(n_neighbors=1, metric="cosine", algorithm="brute").fit(moved[sound].astype(np.float64))
    places = near.kneighbors(return_distance=False)[:, 0]
    right[sound] = LABELS[sound][places] == LABELS[sound]
    assert (rows["correct"] == right).all() and np.isnan(rows["max_abs_diff"][7])
    assert (rows["flip"] == (rows["baseline_correct"] & ~right)).all()
    assert 1 < rows["flip"].sum() < rows["baseline_correct"].sum()
    found = lost_neighbours(comparison)
    assert {n for n, *_ in found} == set(np.flatnonzero(rows["flip"])) - {7}


def test_one_vector_that_is_not_finite_is_the_only_discrepancy_where_nothing_else_moved():
    moved = KERAS.copy()
    moved[7, 3] = np.inf
    rows = compare(run_of("embedding", LABELS, KERAS, {"int8": moved}, ASKED), {"recall_at_1"}).samples[case("int8")]
    nearest = NearestNeighbors(n_neighbors=2, metric="cosine", algorithm="brute").fit(KERAS.astype(np.float64))
    second = nearest.kneighbors(return_distance=False)
    by_it = {n for n in range(len(LABELS)) if second[n, 0] == 7 and LABELS[second[n, 1]] != LABELS[n]}
    assert set(np.flatnonzero(rows["flip"])) == {n for n in {7} | by_it if rows["baseline_correct"][n]}


def test_suspect_rows_lose_no_neighbours_where_others_are_sound():
    comparison = compare(run(LOST), {"recall_at_1"})
    assert [s.status for s in comparison.standings] == ["ok", "suspect"] and lost_neighbours(comparison) == []


# --- queries and a gallery -------------------------------------------------------------------------------------------

QUERIES = np.zeros(len(LABELS), bool)
QUERIES[::3] = True  # the first of each identity's samples
QUERIES[1:60:3] = True  # of some identities the second, too


def recall_by_gallery(vectors: np.ndarray, labels: np.ndarray, queries: np.ndarray, k: int, metric: str) -> float:
    gallery = np.flatnonzero(~queries)
    near = NearestNeighbors(n_neighbors=k, metric=metric, algorithm="brute").fit(vectors[gallery].astype(np.float64))
    places = gallery[near.kneighbors(vectors[queries].astype(np.float64), return_distance=False)]
    asked = np.isin(labels[queries], labels[gallery])
    return float((labels[places] == labels[queries][:, None]).any(axis=1)[asked].mean())


@pytest.mark.parametrize("vectors", [KERAS, LOST])
@pytest.mark.parametrize(("prefix", "metric"), [("", "cosine"), ("euclidean_", "euclidean")])
def test_queries_find_what_scikit_learn_finds_in_the_gallery(vectors, prefix, metric):
    answers = Answers(LABELS, vectors, KERAS, queries=QUERIES)
    for k in (1, 5, 10):
        found = METRICS[f"{prefix}recall_at_{k}"].statistic(answers)
        assert isinstance(found, OverIdentities)
        assert found.value == recall_by_gallery(vectors, LABELS, QUERIES, k, metric)
        assert found.moves.sum() == pytest.approx(1) and found.moves[0] == pytest.approx(2 / QUERIES.sum())


def test_a_query_whose_identity_the_gallery_lacks_is_not_counted():
    queries = QUERIES | (LABELS == 7)
    wanted = recall_by_gallery(KERAS, LABELS, queries, 1, "cosine")
    found = METRICS["recall_at_1"].statistic(Answers(LABELS, KERAS, KERAS, queries=queries))
    assert isinstance(found, OverIdentities)
    assert found.value == wanted and found.groups == len(found.moves) == IDENTITIES - 1
    with pytest.raises(Absent, match="the gallery has the identity of none of 3 queries"):
        METRICS["recall_at_1"].statistic(Answers(LABELS, KERAS, KERAS, queries=LABELS == 7))


@pytest.mark.parametrize("by_queries", [True, False])
def test_identities_that_are_only_found_are_none_of_those_that_it_takes(by_queries):
    """30 of 300 have a second sample, which asks: a fault of one identity in 20 is missing in .95^30, 21 %."""
    labels = np.concatenate([np.arange(300), np.arange(30)])
    keras = CENTRES[labels].astype(np.float32)
    keras[300:] += 1e-3 * RNG.normal(size=(30, WIDTH)).astype(np.float32)
    queries = np.arange(330) >= 300 if by_queries else None
    found = METRICS["recall_at_1"].statistic(Answers(labels, keras, keras, queries=queries))
    assert isinstance(found, OverIdentities) and (found.value, found.groups, found.effective) == (1.0, 30, 30)
    assert "30 identities" in found.doubt and found.p(0.95, -1) == pytest.approx(0.95**30)
    policy = parse_policy(FALL.format("recall_at_1", 'max_decrease = "10pp"'), "p")
    verdict = judge(compare(replace(run(keras, labels, keras), queries=queries), metrics_of(policy)), policy)
    assert verdict.outcome == "inconclusive"


def test_what_an_identity_moves_is_what_leaving_it_out_moves_of_queries_too():
    found = recall(space_of(KERAS, False), LABELS, 5, QUERIES)
    for one in (0, 3, 200):
        left = one != LABELS
        assert found.without[one] == recall_by_gallery(KERAS[left], LABELS[left], QUERIES[left], 5, "cosine")


def test_rows_and_flips_are_of_queries_alone():
    asked = replace(run((KERAS + 0.8 * RNG.normal(size=KERAS.shape)).astype(np.float32)), queries=QUERIES)
    rows = compare(asked, {"recall_at_1"}).samples[case("int8")]
    assert rows["baseline_correct"][QUERIES].mean() == recall_by_gallery(KERAS, LABELS, QUERIES, 1, "cosine")
    assert not rows["correct"][~QUERIES].any() and 0 < rows["flip"].sum() == rows["flip"][QUERIES].sum()


def test_chance_of_queries_is_that_of_vectors_that_say_nothing():
    labels = np.arange(240) % 20
    queries = np.arange(240) < 80
    drawn = [recall_by_gallery(RNG.normal(size=(240, 8)), labels, queries, 5, "cosine") for _ in range(80)]
    assert by_luck_of(5, labels[queries], labels[~queries]) == pytest.approx(np.mean(drawn), abs=0.02)


# --- given pairs -----------------------------------------------------------------------------------------------------

PAIRS = np.array([(3 * n + i, 3 * n + i + 1) for n in range(IDENTITIES) for i in (0, 1)])
OTHERS = np.stack([RNG.integers(0, len(LABELS), 1500) for _ in range(2)], axis=1)
PAIRS = np.concatenate([PAIRS, OTHERS[LABELS[OTHERS[:, 0]] != LABELS[OTHERS[:, 1]]]])
NOISY = (KERAS + 1.2 * RNG.normal(size=KERAS.shape)).astype(np.float32)


def eer_of_pairs(vectors: np.ndarray, labels: np.ndarray, pairs: np.ndarray, euclidean: bool) -> float:
    vectors = vectors.astype(np.float64)
    near = -euclidean_distances(vectors, squared=True) if euclidean else cosine_similarity(vectors)
    same = labels[pairs[:, 0]] == labels[pairs[:, 1]]
    accepted, found, _ = roc_curve(same, near[pairs[:, 0], pairs[:, 1]], drop_intermediate=False)
    rejected = 1 - found
    n = int(np.argmax(rejected <= accepted))
    gap, after = rejected[n - 1] - accepted[n - 1], accepted[n] - rejected[n]
    return float(accepted[n - 1] + (accepted[n] - accepted[n - 1]) * gap / (gap + after))


@pytest.mark.parametrize("vectors", [KERAS, NOISY, LOST])
@pytest.mark.parametrize("prefix", ["", "euclidean_"])
def test_the_error_rate_of_given_pairs_is_scikit_learns(vectors, prefix):
    found = METRICS[f"{prefix}eer"].statistic(Answers(LABELS, vectors, KERAS, pairs=PAIRS))
    assert found.value == pytest.approx(eer_of_pairs(vectors, LABELS, PAIRS, bool(prefix)), abs=1e-9)


def test_without_an_identity_its_pairs_are_left_out():
    found = equal_error_rate_of(space_of(NOISY, False), LABELS, PAIRS)
    for one in (0, 100, 319):
        left = PAIRS[~(LABELS[PAIRS] == one).any(axis=1)]
        assert found.without[one] == pytest.approx(eer_of_pairs(NOISY, LABELS, left, False), abs=5e-4)
    assert found.without.std() > 1e-4


def test_an_identity_moves_the_error_rate_by_its_share_of_the_pairs_at_most():
    found = equal_error_rate_of(space_of(NOISY, False), LABELS, PAIRS)
    same, one = LABELS[PAIRS[:, 0]] == LABELS[PAIRS[:, 1]], (LABELS[PAIRS] == 9).any(axis=1)
    assert found.moves is not None
    assert found.moves[9] == pytest.approx(max(one[same].mean(), one[~same].mean()))


def test_a_harmless_model_passes_over_given_pairs_and_a_lost_one_fails():
    policy = parse_policy(FALL.format("eer", "max_increase = 0.05"), "p")
    runs = [replace(run(given), pairs=PAIRS) for given in (INT8, LOST)]
    assert [judge(compare(each, metrics_of(policy)), policy).outcome for each in runs] == ["pass", "fail"]


def test_pairs_of_one_kind_have_no_error_rate():
    with pytest.raises(Absent, match="pairs of one identity and pairs of two"):
        METRICS["eer"].statistic(Answers(LABELS, KERAS, KERAS, pairs=PAIRS[:IDENTITIES]))
