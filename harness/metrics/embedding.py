"""Embeddings: vectors with an identity, or class, each. Neighbours are found within the test set: each sample asks all
others, or where the data name queries these ask the gallery; all pairs are verified, or those that are given. That
outputs are embeddings is said by the metric, and never guessed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from math import comb, log
from typing import cast

import numpy as np

from harness.metrics.discrepancy import as_int32, distances, structured
from harness.metrics.left_out import FEWEST_GROUPS, LeftOut
from harness.metrics.registry import Answers, Metric, declare
from harness.metrics.task import EMBEDDINGS, finite, one_column, row_by_row
from harness.statistics.bootstrap import Statistic
from harness.statistics.given_pairs import equal_error_rate_of, paired
from harness.statistics.neighbours import Leaving, Space, asked_of, ranks, recall, space_of, units_of
from harness.statistics.stats import Interval
from harness.statistics.unseen import fewest_to_show, unseen_loss, unseen_p
from harness.statistics.verification import equal_error_rate

NEAREST = (1, 5, 10)


@dataclass(frozen=True, eq=False)
class OverIdentities(LeftOut):
    """A share between 0 and 1 with each identity left out once. moves: how far the value moves where an identity goes
    wrong, of each that can. Those that are only found count neither as groups nor by weight.
    """

    moves: np.ndarray = field(kw_only=True)

    def words(self, confidence: float) -> str:
        return f"jackknife {100 * confidence:g} % over {self.groups:,} identities"

    @property
    def doubt(self) -> str:
        if self.why or not self.still or self.groups < self.fewest:
            return super().doubt.replace("groups", "identities").replace("group", "identity")
        return ""

    @property
    def unproven(self) -> str:
        """What identities that were not seen could make better is bounded, however few were seen."""
        return self.why

    def under(self, room: float, alpha: float) -> OverIdentities:
        """Returns the same under a limit that leaves so much room to the best model that there can be."""
        return replace(self, fewest=max(FEWEST_GROUPS, fewest_to_show(self.moves, room, alpha) or 0))

    def limits(self, confidence: float) -> Interval:
        """At least as wide as what these identities may hide, none of them having gone wrong."""
        most = unseen_loss(self.moves, (1 - confidence) / 2)
        hidden = Interval(self.value - most, self.value + most)
        if not self.why and self.still and not self.doubt:
            return hidden
        seen = super().limits(confidence)
        return Interval(min(seen.low, hidden.low), max(seen.high, hidden.high))

    def p(self, limit: float, better: int = 1) -> float:
        unseen = unseen_p(self.moves, better * (limit - self.value))
        return unseen if self.still else max(super().p(limit, better), unseen)

    def times_to_settle(self, limit: float, better: int, alpha: float, power: float) -> float | None:
        times, unseen = (
            super().times_to_settle(limit, better, alpha, power),
            unseen_p(self.moves, abs(limit - self.value)),
        )
        if times is None or unseen == 1:
            return None
        return max(times, log(alpha) / log(unseen)) if unseen > 0 else times

    def without_limits(self, why: str) -> OverIdentities:
        return replace(self, why=why)

    def less(self, other: LeftOut) -> LeftOut:
        moved = super().less(other)
        return replace(self, value=moved.value, without=moved.without, why=moved.why)

    def growth(self, other: LeftOut) -> LeftOut:
        moved = super().growth(other)
        if moved.why:
            return replace(self, value=moved.value, without=moved.without, why=moved.why)
        moves = self.moves / other.value
        return replace(self, value=moved.value, without=moved.without, why=moved.why, moves=moves)


def over_identities(found: Leaving, moves: Callable[[np.ndarray], np.ndarray]) -> OverIdentities:
    """moves: of the weights, how far the value moves where each identity goes wrong, where that is not found."""
    sizes = found.weights
    moved = moves(sizes) if found.moves is None else found.moves
    return OverIdentities(found.value, found.without, len(sizes), sizes, found.why, moves=moved)


def of_asked(asked: np.ndarray) -> np.ndarray:
    """Returns each identity's share of the samples that are asked."""
    return np.asarray(asked / max(1, asked.sum()))


def of_its_pairs(sizes: np.ndarray) -> np.ndarray:
    """Returns how far the equal error rate moves at most: the share of pairs of one identity that are this one's, or of
    pairs of two that one of them is in, whichever is more.
    """
    own = sizes * (sizes - 1)
    return np.asarray(np.maximum(own / max(1, own.sum()), 2 * sizes / max(1, sizes.sum())))


def moves_of(
    metric: Metric, identities: np.ndarray, queries: np.ndarray | None, pairs: np.ndarray | None
) -> np.ndarray:
    """Returns how far each identity that can go wrong moves the metric. Raises Absent where there is no metric."""
    if metric.better == "higher":
        return of_asked(asked_of(identities, queries))
    return of_its_pairs(np.bincount(units_of(identities))) if pairs is None else paired(identities, pairs).moves


def why_no_embeddings(labels: np.ndarray, output: np.ndarray) -> str:
    """Returns why labels and the scored output are not those of embeddings; "" where they are."""
    if not one_column(labels) or labels.dtype.kind not in "ui":
        return "labels are one whole number a sample, its identity or class"
    vectors = output.ndim == 2 and output.shape[1] > 1
    return "" if vectors else "the scored output is one vector a sample, (samples, numbers)"


@np.errstate(invalid="ignore")  # vectors that are not finite give NaN, which the metrics tell
def embedding_rows(answers: Answers, logits: bool) -> np.ndarray:
    """Returns a row a sample: how far its vector is from the baseline's, and whether its nearest by the cosine has its
    identity. A flip: it had before, and has no more.
    """
    columns = {}
    if answers.labels is not None:
        identities = answers.labels.reshape(-1)
        before, after = (found(answers, which) for which in ("baseline", "outputs"))
        columns = {"label": as_int32(identities), "baseline_correct": before, "correct": after, "flip": before & ~after}
    return structured(columns | distances(answers.baseline, answers.outputs))


def found(answers: Answers, which: str) -> np.ndarray:
    """Returns whether the nearest of each has its identity. A vector that is not finite finds none and is found by
    none; the others have their neighbours all the same.
    """
    vectors: np.ndarray = getattr(answers, which)
    sound = row_by_row(finite, vectors)
    right = np.zeros(len(vectors), bool)
    queries = None if answers.queries is None else answers.queries[sound]
    right[sound] = ranks(space_of(vectors[sound], False), answers.truth.reshape(-1)[sound], queries) == 0
    return right


def spaced(answers: Answers, euclidean: bool) -> Space:
    return answers.once(f"space, euclidean {euclidean}", lambda a: space_of(a.outputs, euclidean))


def of_recall(k: int, euclidean: bool, answers: Answers) -> Statistic:
    """Computes scikit-learn's NearestNeighbors of all vectors, with the sample itself left out; of queries those of the
    gallery.
    """
    found = recall(spaced(answers, euclidean), answers.truth.reshape(-1), k, answers.queries)
    return cast(Statistic, over_identities(found, of_asked))


def of_pairs(euclidean: bool, answers: Answers) -> Statistic:
    """Computes where scikit-learn's roc_curve of the pairs has as many false acceptances as false rejections."""
    space, identities = spaced(answers, euclidean), answers.truth.reshape(-1)
    if answers.pairs is not None:
        found = equal_error_rate_of(space, identities, answers.pairs)
    else:
        found = equal_error_rate(space, identities)
    return cast(Statistic, over_identities(found, of_its_pairs))


def chance_of_recall(k: int, answers: Answers) -> float:
    identities = answers.truth.reshape(-1)
    if answers.queries is None:
        return by_luck(k, identities)
    return by_luck_of(k, identities[answers.queries], identities[~answers.queries])


def by_luck_of(k: int, queries: np.ndarray, gallery: np.ndarray) -> float:
    """Returns the same of queries, whose k are drawn from the gallery. Both are the identities of samples."""
    n, draws = len(gallery), comb(len(gallery), min(k, len(gallery)))
    names, sizes = np.unique(gallery, return_counts=True)
    of_each = dict(zip(names.tolist(), sizes.tolist(), strict=True))
    asked = [of_each[one] for one in queries.tolist() if one in of_each]
    return 1 - sum(comb(n - size, k) / draws for size in asked) / max(1, len(asked))


def by_luck(k: int, labels: np.ndarray) -> float:
    """Returns recall at k of vectors that say nothing: one of k of the others, drawn at random, has the identity."""
    sizes, n = np.unique(labels, return_counts=True)[1].tolist(), len(labels)
    draws = comb(n - 1, min(k, n - 1))
    asked = [size for size in sizes if size > 1]
    missed = sum(size * comb(n - size, k) / draws for size in asked)
    return 1 - missed / max(1, sum(asked))


def declared(name: str, title: str, statistic: Callable[[Answers], Statistic], method: str, **more: object) -> None:
    common: dict[str, object] = {
        "unit": "fraction",
        "about": "answers",
        "against": "keras",
        "tasks": EMBEDDINGS,
        "judged": "samples",
    }
    common |= {"alone": True, "interval_percent": 90, "compared": "samples", "offered_for": EMBEDDINGS}
    declare(Metric(name, title=title, statistic=statistic, method=method, **common, **more))  # type: ignore[arg-type]


for euclidean, prefix, how in ((False, "", "by the cosine"), (True, "euclidean_", "by Euclidean distance")):
    told = ", Euclidean" if euclidean else ""
    always = () if euclidean else EMBEDDINGS
    for k in NEAREST:
        declared(
            f"{prefix}recall_at_{k}", f"Recall@{k}{told}", partial(of_recall, k, euclidean),
            f"one of the {k} nearest {how} has the identity" if k > 1 else f"the nearest {how} has the identity",
            better="higher", in_percent=True, chance_from=partial(chance_of_recall, k),
            default_for=always if k == 1 else (), always_for=always if k in (1, 5) else (),
        )  # fmt: skip
    declared(
        f"{prefix}eer", f"EER{told}", partial(of_pairs, euclidean),
        f"equal error rate of all pairs, or of those given, {how}",
        better="lower", chance=lambda labels: 0.5, chance_by=f"{prefix}recall_at_1", always_for=always,
    )  # fmt: skip
