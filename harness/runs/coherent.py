"""Whether what a run's files say fits together. Each may be as it must be, and still be of another run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import astuple
from datetime import datetime
from typing import TYPE_CHECKING

from harness.errors import ConfigError, StoreError
from harness.records import Detection, Keypoints, Piece, Round, Run, Scoring, Shard, Variant
from harness.records.plan import MOST_DETECTIONS, TEXT_DECODERS
from harness.records.terms import Task
from harness.support.functions import is_reference

if TYPE_CHECKING:
    import numpy as np

    from harness.runs.header import Header

WHOLE = [f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)]
DTYPES = {*WHOLE, "float16", "float32", "float64", "complex64", "complex128", "bool"}  # of tensors
MOST = 10**9  # rounds, threads, runs, seconds of a plan
ADVICE = "bring the folder back as it was measured, or start a new run"


def check_header(where: str, header: Header) -> None:
    """Raises StoreError where parts of run.json do not fit each other."""
    refuse(f"{where}/run.json", of_header(header))


def check_run(run: Run) -> None:
    """Raises StoreError where the files of a run do not fit each other."""
    from harness.runs.stored_labels import of_labels  # with all metrics: not where a command begins

    refuse(str(run.path), of_arrays(run))
    refuse(str(run.path), of_labels(run))
    pieces: tuple[Piece, ...] = (*run.rounds, *run.shards, *run.audits)
    for piece in pieces:
        refuse(str(run.path), of_piece(run, piece))


def refuse(where: str, problems: Iterator[str]) -> None:
    if problem := next(problems, ""):
        raise StoreError(f"{where} cannot be used: {problem}", ADVICE)


def of_header(header: Header) -> Iterator[str]:
    variants, targets = [v.name for v in header.variants], [record.target.name for record in header.targets]
    for kind, names in (("variant", variants), ("target", targets), ("class", header.class_names)):
        yield from (f"two are called {kind} {name!r}" for name in set(names) if names.count(name) > 1)
    for case in header.cases:
        if case.variant not in variants or case.target not in targets or not 0 < case.threads < MOST:
            yield f"it has no variant or target of the case {' '.join(map(str, astuple(case)))!r}"
    for tensor in (t for v in header.variants if v.status == "ok" for t in (*v.inputs, *v.outputs)):
        if tensor.dtype not in DTYPES:
            yield f"the tensor {tensor.name!r} has the dtype {tensor.dtype[:40]!r}"
    if not header.affines:
        yield "it names no input"
    for name, head in header.heads.items():
        if name not in header.output_names or head.scoring.output != name or name == header.scoring.output:
            yield f"it has labels of {name!r}, which is no output beside the scored one"
        yield from (f"two are called class {c!r}" for c in set(head.class_names) if head.class_names.count(c) > 1)
    for c in header.state:
        known = range(len(header.output_names)), range(len(header.input_names))
        if c.yielded not in known[0] or c.fed not in known[1] or header.output_names[c.yielded] != c.output:
            yield f"it carries the state {c}, and has no such output or input"
    for task, scoring in ((header.task, header.scoring), *((of.task, of.scoring) for of in header.heads.values())):
        yield from of_decoded(task, scoring)
    numbers = [number for number in astuple(header.plan) if isinstance(number, int | float)]
    if not all(0 <= number < MOST for number in numbers):
        yield "its plan has numbers that nothing can be"
    if header.provenance.created and not is_date(header.provenance.created):
        yield f"{header.provenance.created!r} is not a date"


def of_decoded(task: Task, scoring: Scoring) -> Iterator[str]:
    yield from of_detection(task, scoring.detection)
    yield from of_keypoints(task, scoring.keypoints)
    if (scoring.transcription is not None) != (task == "transcription"):
        yield f"its task is {task}, and whether its answers are texts is said otherwise"
    if (how := scoring.transcription) and how.decoder not in TEXT_DECODERS and not is_reference(how.decoder):
        yield f"there is no decoder {how.decoder!r} of texts"


def of_detection(task: Task, how: Detection | None) -> Iterator[str]:
    if (how is not None) != (task == "detection"):
        yield f"its task is {task}, and it says {'how' if how else 'not how'} outputs become detections"
    if how is None:
        return
    from harness.detection.decoders import DECODERS  # numpy: not where runs are only listed

    if how.decoder not in DECODERS and not is_reference(how.decoder):
        yield f"there is no decoder {how.decoder!r}"
    if not 1 <= how.max_detections <= MOST_DETECTIONS or not all(0 < side < MOST for side in how.size or ()):
        yield "it has numbers of detections or pixels that nothing can have"


def of_keypoints(task: Task, how: Keypoints | None) -> Iterator[str]:
    if (how is not None) != (task == "keypoints"):
        yield f"its task is {task}, and it says {'how' if how else 'not how'} an output becomes points"
    if how and max(how.size) < MOST:
        from harness.detection import points

        try:
            points.checked_points(how, "")
        except ConfigError as error:
            yield str(error).strip()
    elif how:
        yield "it has a number of pixels that nothing can have"


def is_date(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def of_arrays(run: Run) -> Iterator[str]:
    if any(array.ndim == 0 for array in (*run.inputs, *run.baseline)):
        yield "an input or an output of the baseline has no samples"
    samples = len(run.inputs[0])
    more = (("labels", run.labels), ("clips", run.clips), ("groups", run.groups), ("queries", run.queries))
    counted = [("inputs", array) for array in run.inputs] + [("baseline", array) for array in run.baseline]
    counted += [(f"labels of {name}", labels) for name, labels in run.head_labels.items()]
    for name, array in [*counted, *more, ("numbers", run.numbers)]:
        if array is not None and (array.ndim == 0 or len(array) != samples):
            yield f"its {name} are not of the {samples:,} samples that it has"
    if run.queries is not None and (run.queries.dtype != bool or run.queries.ndim != 1):
        yield "its queries are no truth values"
    if (pairs := run.pairs) is not None and not are_pairs(pairs, samples):
        yield f"its pairs are not of its {samples:,} samples"
    if run.state and run.clips is None:
        yield "it carries state, and no clip is named"
    if run.output_names and len(run.output_names) != len(run.baseline):
        yield f"it names {len(run.output_names)} outputs, and its baseline has {len(run.baseline)}"
    for variant in run.variants:
        if not fits(variant, run):
            yield f"inputs or outputs of the variant {variant.name} are those of no input or output of the model"


def fits(variant: Variant, run: Run) -> bool:
    """Whether the orders of its inputs and outputs name ones that the run has."""
    known = (variant.feeds, len(run.inputs)), (variant.yields, max(len(variant.outputs), len(run.baseline)))
    return all(0 <= n < count for order, count in known for n in order)


def of_piece(run: Run, piece: Piece) -> Iterator[str]:
    known = {v.name for v in run.variants}, {record.target.name for record in run.targets}
    if piece.case.variant not in known[0] or piece.case.target not in known[1]:
        yield f"something of it was measured of a variant or target that it does not have: {astuple(piece.case)}"
    if isinstance(piece, Round):
        if not 0 <= piece.index < MOST:
            yield f"it has a round {piece.index}"
    elif isinstance(piece, Shard):
        if not 0 <= piece.first < piece.last <= run.test_count:
            yield f"it has answers to samples {piece.first} to {piece.last} of {run.test_count:,}"
    elif not in_range(piece.samples, run.test_count):
        yield "an audit is of samples that it does not have"


def are_pairs(pairs: np.ndarray, samples: int) -> bool:
    two = pairs.ndim == 2 and pairs.shape[1] == 2 and pairs.dtype.kind == "i" and len(pairs) > 0
    return two and bool(0 <= pairs.min() <= pairs.max() < samples)


def in_range(samples: Sequence[int], count: int) -> bool:
    return all(0 <= sample < count for sample in samples)
