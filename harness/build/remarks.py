"""What is odd about an experiment's data, tried on the original itself: found once, and said at every build."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter

from harness.build import near_copies
from harness.build.fed_back import brought
from harness.build.lint import BEYOND, Remark, labels_alone, lint, of_calibration, share_beyond
from harness.build.models.predictions import Habits
from harness.build.original import Original, models_code, versions
from harness.device import tensors
from harness.measure import once as runner
from harness.measure.model_state import reset_of
from harness.metrics.meaning import said_by
from harness.metrics.task import are_logits, as_scores, output_index
from harness.records import Dataset, Experiment, Scoring, Variant
from harness.support import cache
from harness.support.cache import Shelf, key_of

STATE = (
    "each sample is asked from the initial state; if samples are meant to follow one another, name what tells "
    'their clips apart: sequence = "clip" under [data]'
)
IN_CLIPS = "it is carried inside a clip, and every clip begins with the initial state"
ALONE = (
    "every sample is answered from the initial state, as if it came first; "
    'sequence = "clip" under [data] carries state through the samples of a clip'
)
_REMARKS = TypeAdapter(tuple[Remark, ...])


def of_state(variants: Sequence[Variant], say: Callable[[str], None], dataset: Dataset) -> tuple[Remark, ...]:
    """What becomes of the state that files keep from one invoke to the next, and of clips without any; it is said."""
    starts = dataset.starts
    built = [v for v in variants if v.path is not None]
    names = [v.name for v in built if v.path is not None and reset_of(v.path) != "none"]
    if names:
        carried = "" if starts is None else f"it is carried inside each of {len(starts):,} clips, and begins anew there"
        what = f"{', '.join(names)} {'keeps' if len(names) == 1 else 'keep'} state between invokes"
        remark = Remark(what, carried or STATE)
    elif starts is not None and built and not dataset.state:
        remark = Remark("no variant keeps state between invokes", "sequence changes no answer; clips count as groups")
    else:
        return ()
    return said_of([remark], say)


def of_heads(
    name: str, scoring: Scoring, dataset: Dataset, output: np.ndarray, taken: Iterable[Remark]
) -> Iterator[Remark]:
    """What is odd about the labels of an output beside the scored one. output: the baseline's. taken: what the labels
    were taken for.
    """
    of = dataset.of_head(name)
    odd = labels_alone(of, output) if said_by(scoring) != "numbers" else ()
    for remark in (*taken, *odd):
        yield Remark(f"output {name}: {remark.what}", remark.advice.replace("[metrics]", f"[heads.{name}]"))


def of_ranges(imported: Sequence[Variant], dataset: Dataset) -> Iterator[Remark]:
    """Files whose quantised input clips much of the test set: they were calibrated on samples that are stored or scaled
    otherwise.
    """
    for file in imported:
        for n, tensor in enumerate(file.inputs):
            place = file.feeds[n] if file.feeds else n
            if not tensor.scale or tensor.zero_point is None or tensor.dtype not in ("int8", "uint8", "int16"):
                continue
            kind, affine = np.iinfo(tensor.dtype), dataset.affines[place]
            low, high = ((end - tensor.zero_point) * tensor.scale for end in (kind.min, kind.max))
            stored = sorted((end - affine.offset) / affine.scale for end in (low, high))
            if (beyond := share_beyond(dataset.test_inputs[place], *stored)) > BEYOND:
                what = f"{file.name} takes {low:.3g} to {high:.3g} as {tensor.name}, and clips the {beyond:.0%} of the"
                yield Remark(f"{what} test set's values that lie outside", "check scale and offset under [data]")


def said_of(found: Iterable[Remark], say: Callable[[str], None]) -> tuple[Remark, ...]:
    """Returns the remarks; each is said."""
    every = tuple(found)
    for remark in every:
        say(f"remark: {remark}")
    return every


def remarks(known: Original, experiment: Experiment, dataset: Dataset, shelf: Shelf) -> tuple[Remark, ...]:
    """Every remark on the data, through the cache; each is said."""
    scoring = experiment.scoring
    output = output_index(scoring.output, [tensor.name for tensor in known.facts.outputs])
    if said_by(scoring) == "numbers":
        dataset = replace(dataset, class_names=())  # whole numbers to predict are no classes

    def scores(declared: Dataset, stored: tuple[np.ndarray, ...]) -> np.ndarray:
        feeds = tuple(replace(feed, affine=declared.affines[feed.index]) for feed in known.feeds)
        given = known.answer(feeds, stored, None)[output]
        return as_scores(given, are_logits(given))

    def write(folder: Path) -> None:
        classes = dataset.class_names and len(known.facts.outputs[output].shape) <= 2
        classes = classes and dataset.clips is None  # out of its clip a sample may have another answer
        found = lint(brought(dataset), known.facts.normalisation, known.facts.bare, scores if classes else None)
        found += tuple(of_habits(known.habits, known.facts.half, dataset.clips is not None))
        (folder / "remarks.json").write_bytes(_REMARKS.dump_json(found))

    code = (cache.code_of(sys.modules[lint.__module__], near_copies, tensors, sys.modules[__name__]), models_code())
    made_by = versions(runner.RUNTIME)
    hashes = (dataset.test_sha256, dataset.train_sha256, dataset.marks_sha256)
    data = (*hashes, dataset.affines, dataset.class_names, dataset.input_names)
    folder = shelf.obtain("", "remarks", key_of(*code, known.sha256, output, *data, known.habits, made_by), write)
    return said_of(read_remarks(folder), shelf.say)


def of_given(name: str, given: Dataset, shelf: Shelf) -> tuple[Remark, ...]:
    """What is odd about the samples that a variant's recipe file names, through the cache; each is said."""

    def write(folder: Path) -> None:
        found = tuple(replace(each, what=f"{name}: {each.what}") for each in of_calibration(given))
        (folder / "remarks.json").write_bytes(_REMARKS.dump_json(found))

    code = cache.code_of(sys.modules[lint.__module__], sys.modules[__name__])
    data = (given.test_sha256, given.train_sha256, given.affines, given.class_names, given.input_names)
    return said_of(read_remarks(shelf.obtain("", "remarks", key_of("given", name, code, *data), write)), shelf.say)


def read_remarks(folder: Path) -> tuple[Remark, ...]:
    return cache.read_kept(folder / "remarks.json", _REMARKS)


def of_habits(habits: Habits, half: str, in_clips: bool) -> Iterator[Remark]:
    """What a device will see otherwise than Keras' own batches, or than the test of one sample by itself."""
    if habits.state:
        what = f"the model keeps state from one sample to the next ({', '.join(habits.state[:3])})"
        yield Remark(what, IN_CLIPS if in_clips else ALONE)
    if habits.random:
        what = "the model draws random numbers: it answers the same sample twice differently"
        yield Remark(what, "its figures hold for this draw alone; remove the randomness before it is exported")
    elif habits.one_by_one:
        far = f"by up to {habits.batch:.2g} of its largest output" if np.isfinite(habits.batch) and habits.batch else ""
        what = f"the model's answer to a sample depends on the others of its batch{' ' * bool(far)}{far}"
        yield Remark(what, "a device has one sample at a time: the baseline is answered at batch 1, too")
    if half:
        what = f"the model computes in 16 bits ({half}), for which TFLite has few operations"
        yield Remark(what, "its files are converted under float32, with the same weights")
