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
from harness.runs.header import Header, absolute_variants, new_run_id, read_header
from harness.runs.loading import read_dataset
from harness.runs.own_runs import check_trusted, is_own
from harness.runs.record import Record, again
from harness.runs.run_arrays import read_baseline
from harness.runs.store import Store

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

    Raises ConfigError where there is nothing to time, or one of both is not trusted; StoreError.
    """
    for path in (candidate, reference):
        check_trusted(read_header(path), store.trust)
    header = header_of(candidate, reference, cases)
    if (begun := unfinished(store, header)) is not None:
        return begun
    return store.open(header, read_dataset(candidate, read_header(candidate)), read_baseline(candidate))


def unfinished(store: Store, planned: Header) -> Record | None:
    """Returns this user's newest run that was to measure the same and did not come to its end.

    What somebody else began is never gone on with: its rounds would be believed, and its devices reached.
    """
    for path in store.paths():
        with suppress(StoreError):
            header = read_header(path)
            if not header.finished and purpose(header) == purpose(planned) and is_own(header):
                return again(path, header)
    return None


def purpose(header: Header) -> tuple[object, ...]:
    of = header.provenance.candidate, header.provenance.reference, header.plan, header.cases
    targets, models = [t.target for t in header.targets], [v.sha256 for v in header.variants]
    return *of, targets, models, header.hashes.get("test")


def header_of(candidate: Path, reference: Path, cases: Sequence[Case]) -> Header:
    """Returns run.json before anything is measured:
    the candidate's plan, targets and inputs, and the models of both.
    """
    header, reference_header = read_header(candidate), read_header(reference)
    if not header.plan.rounds:
        message = f"{header.run_id} was measured with plan {header.plan.profile}, which times nothing"
        raise ConfigError(message, "measure the candidate with --plan standard first")
    after = {v.name: v for v in absolute_variants(candidate, header)}
    before = {v.name: v for v in absolute_variants(reference, reference_header)}
    shared = [case for case in cases if case in header.cases and fits(before.get(case.variant), after[case.variant])]
    if not shared:
        message = f"nothing of the reference {reference_header.run_id} can be measured beside {header.run_id}"
        raise ConfigError(message, "a rule on time or memory must name a variant that both have, with the same inputs")
    names, targets = ({getattr(case, what): None for case in shared} for what in ("variant", "target"))
    models = [
        (name, side, of_side[name]) for name in names for side, of_side in ((CANDIDATE, after), (REFERENCE, before))
    ]
    return replace(
        header,
        run_id=new_run_id(),
        plan=replace(header.plan, accuracy=False, until_decided=False),
        variants=tuple(replace(model, name=name + AT + side) for name, side, model in models),
        targets=tuple(TargetRecord(t.target) for t in header.targets if t.target.name in targets),
        cases=tuple(on_side(case, side) for case in shared for side in SIDES),
        provenance=replace(
            header.provenance,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            harness=__version__,
            candidate=header.run_id,
            reference=reference_header.run_id,
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
