"""A reference's models again, beside the candidate's: the run in which both are timed, so that their rounds are paired.

Sessions differ among themselves by more than their rounds show; what shares its rounds shares its session. The run lies
in the store as any other does: it is listed, reported and resumed. It times and measures no accuracy, which is known of
both. Its variants are called int8@candidate and int8@reference: names of one length, since a model's name is in the
paths on the device, and a path that is longer alone shifts a process' memory by some pages.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from harness import __version__
from harness.errors import ConfigError, StoreError
from harness.records import Case, TargetRecord, Variant
from harness.runs.store import (
    Header,
    Record,
    Store,
    absolute_variants,
    new_run_id,
    read_baseline,
    read_dataset,
    read_header,
)

CANDIDATE, REFERENCE = SIDES = "candidate", "reference"
AT = "@"  # in no variant's name of an experiment


def on_side(case: Case, side: str) -> Case:
    """Returns the case under the name that it has in that run."""
    return replace(case, variant=case.variant + AT + side)


def beside(case: Case, variant: str) -> Case:
    """Returns the case with another variant, on the same side."""
    _, at, side = case.variant.partition(AT)
    return replace(case, variant=variant + at + side)


def begin(candidate: Path, reference: Path, cases: Sequence[Case], store: Store) -> Record:
    """Returns the run that times these cases of the candidate and of the reference: an interrupted one, or a new one.

    Raises ConfigError where there is nothing to time, StoreError.
    """
    header = header_of(candidate, reference, cases)
    if (begun := unfinished(store, header)) is not None:
        return begun
    return store.open(header, read_dataset(candidate, read_header(candidate)), read_baseline(candidate))


def unfinished(store: Store, wanted: Header) -> Record | None:
    """Returns the newest run that was to measure the same and did not come to its end."""
    for path in store.paths():
        with suppress(StoreError):
            found = read_header(path)
            if not found.finished and purpose(found) == purpose(wanted):
                return Record(path, found)
    return None


def purpose(header: Header) -> tuple[object, ...]:
    return header.provenance.candidate, header.provenance.reference, header.plan, header.cases


def header_of(candidate: Path, reference: Path, cases: Sequence[Case]) -> Header:
    """Returns run.json before anything is measured:
    the candidate's plan, targets and inputs, and the models of both.
    """
    own, other = read_header(candidate), read_header(reference)
    if not own.plan.rounds:
        told = f"{own.run_id} was measured with plan {own.plan.profile}, which times nothing"
        raise ConfigError(told, "measure the candidate with --plan standard first")
    after, before = ({v.name: v for v in absolute_variants(*side)} for side in ((candidate, own), (reference, other)))
    shared = [case for case in cases if case in own.cases and fits(before.get(case.variant), after[case.variant])]
    if not shared:
        told = f"nothing of the reference {other.run_id} can be measured beside {own.run_id}"
        raise ConfigError(told, "a rule on time or memory must name a variant that both have, with the same inputs")
    names, targets = ({getattr(case, what): None for case in shared} for what in ("variant", "target"))
    models = [(name, side, known[name]) for name in names for side, known in zip(SIDES, (after, before), strict=True)]
    return replace(
        own,
        run_id=new_run_id(),
        plan=replace(own.plan, accuracy=False),
        variants=tuple(replace(model, name=name + AT + side) for name, side, model in models),
        targets=tuple(TargetRecord(t.target) for t in own.targets if t.target.name in targets),
        cases=tuple(on_side(case, side) for case in shared for side in SIDES),
        provenance=replace(
            own.provenance,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            harness=__version__,
            candidate=own.run_id,
            reference=other.run_id,
        ),
        finished=False,
    )


def fits(before: Variant | None, after: Variant) -> bool:
    """Returns whether the reference's model takes the inputs that the candidate's does."""
    if before is None or before.path is None:
        return False
    return [tensor.shape for tensor in before.inputs] == [tensor.shape for tensor in after.inputs]


def same_files(header: Header) -> tuple[str, ...]:
    """Returns the variants whose .tflite file is one and the same on both sides."""
    hashes = {variant.name: variant.sha256 for variant in header.variants}
    names = dict.fromkeys(name.partition(AT)[0] for name in hashes)
    return tuple(name for name in names if hashes[name + AT + CANDIDATE] == hashes[name + AT + REFERENCE])
