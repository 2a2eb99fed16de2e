"""measure.py: which jobs there are, in which order, and that nothing is measured twice."""

from __future__ import annotations

import hashlib
import io
import re
import shutil
from collections.abc import Iterable
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.errors import JobFailed, TargetUnreachable
from harness.measure.connections.replay import Replay
from harness.measure.jobs import Work, audited_samples, cases_of, job_id, measure, round_jobs, shard_jobs
from harness.measure.raw import read_piece
from harness.records import Affine, Audit, Blob, Case, Environment, Job, Piece, Round, Shard, Target, Tensor, Variant
from tests.devices import RECORDED, Quiet, recorded_work

RECORDING = Target("host", "replay", host=str(RECORDED / "raw" / "host"))
INT8 = ("int8", "tflite-runtime")


class Device(Replay):
    """The recorded device, which keeps what it is asked, breaks some models, and may fall silent."""

    def __init__(self, broken: tuple[tuple[str, str], ...] = (), jobs_until_lost: int = 999) -> None:
        super().__init__(RECORDING, "a-run")
        self.broken = broken
        self.left = jobs_until_lost
        self.asked: list[Job] = []

    def run(self, job: Job, on_progress: Any) -> None:
        if not self.left:
            raise TargetUnreachable("the link broke")
        self.left -= 1
        self.asked.append(job)

    def fetch(self, job: Job, folder: Path) -> None:
        super().fetch(job, folder)
        if (job.case.variant, job.case.runtime) in self.broken:
            (folder / "state.json").write_text('{"exit": -11}')


def work(rounds: int = 2, **changes: Any) -> Work:
    known = recorded_work()
    return replace(known, plan=replace(known.plan, rounds=rounds), **changes)


def measured(device: Device, folder: Path, what: Work | None = None) -> list[Piece]:
    return list(measure(what or work(), device, folder, Quiet()))


# Order.


def test_every_round_holds_every_case_once() -> None:
    known = work(rounds=5)
    jobs = round_jobs(known, known.cases)
    for index in range(5):
        in_round = jobs[index * 4 : index * 4 + 4]
        assert {job.first for job in in_round} == {index}
        assert sorted(job.case for job in in_round) == sorted(known.cases)


def orders(seed: int) -> list[list[Case]]:
    known = work(rounds=6)
    jobs = round_jobs(replace(known, plan=replace(known.plan, seed=seed)), known.cases)
    return [[job.case for job in jobs[n : n + 4]] for n in range(0, 24, 4)]


def test_the_recorded_seed_gives_the_same_order_again_and_another_seed_another() -> None:
    assert orders(1) == orders(1) != orders(2)


def test_the_order_changes_from_round_to_round() -> None:
    assert len({tuple(order) for order in orders(1)}) > 2


def test_accuracy_comes_before_latency(tmp_path: Path) -> None:
    pieces = measured(Device(), tmp_path)
    assert [type(piece) for piece in pieces] == [Shard] * 4 + [Round] * 8


# Jobs.


def test_the_test_set_is_cut_into_stretches_without_gap_or_overlap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.measure.jobs.SHARD_SAMPLES", 200)
    known = work()
    jobs = [job for job in shard_jobs(known, known.cases) if job.case == known.cases[0]]
    assert [(job.first, job.last) for job in jobs] == [(0, 200), (200, 400), (400, 500)]
    assert len({job.id for job in jobs}) == 3
    sent = [np.load(io_of(job, "inputs")) for job in jobs]
    np.testing.assert_array_equal(np.concatenate(sent), known.dataset.test_inputs[0])


def io_of(job: Job, prefix: str) -> Any:

    (blob,) = (blob for name, blob in job.blobs.items() if name.startswith(prefix))
    assert hashlib.sha256(blob.read()).hexdigest() == blob.sha256
    return io.BytesIO(blob.read())


FLOAT32_SCORES = 10 * 4  # bytes of what the larger of the two variants answers


def test_a_stretch_of_large_samples_is_bounded_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.measure.jobs.SHARD_BYTES", (28 * 28 + FLOAT32_SCORES) * 10)
    known = work()
    assert len(shard_jobs(known, known.cases[:1])) == 50
    monkeypatch.setattr("harness.measure.jobs.SHARD_BYTES", 1)
    assert len(shard_jobs(known, known.cases[:1])) == 500


def test_a_recording_does_not_answer_for_other_clips() -> None:
    known = work()
    in_clips = replace(known, dataset=replace(known.dataset, clips=np.repeat(np.arange(5, dtype=np.int32), 100)))
    (job, *_) = shard_jobs(in_clips, known.cases[:1])
    with pytest.raises(JobFailed, match="recorded with other clips"):
        Replay(RECORDING, "a-run").run(job, lambda done, of: None)


def test_a_stretch_of_large_answers_is_bounded_in_bytes() -> None:
    known = work()
    mask = Tensor("mask", "float32", (1, 512, 512, 4))  # 4 MiB a sample
    segmenting = replace(known, variants=(replace(known.variants[0], outputs=(mask,)), *known.variants[1:]))
    (first, *_) = shard_jobs(segmenting, known.cases[:1])
    assert (first.first, first.last) == (0, 7)  # 8 would be the 32 MiB without their inputs
    assert round_jobs(segmenting, known.cases)[0].last == 7


def test_a_stretch_is_done_with_before_the_next_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.measure.jobs.SHARD_SAMPLES", 200)
    known = work()
    jobs = shard_jobs(known, known.cases)
    assert [job.first for job in jobs] == [0] * 4 + [200] * 4 + [400] * 4
    assert [job.case for job in jobs] == list(known.cases) * 3
    inputs = [job.blobs[f"inputs/0-{job.first}.npy"] for job in jobs]
    assert len({id(blob) for blob in inputs}) == 3  # one a stretch, so it is hashed once


def test_a_job_that_is_only_planned_holds_no_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a set larger than memory needs, and what a resumed run need not read."""
    asked: list[int] = []

    def read(array: object, first: int, last: int) -> bytes:
        asked.append(first)
        return b""

    monkeypatch.setattr("harness.measure.jobs.shard_bytes", read)
    known = work()
    jobs = [*shard_jobs(known, known.cases), *round_jobs(known, known.cases)]
    assert asked == []
    assert jobs[0].blobs["inputs/0-0.npy"].sha256 == hashlib.sha256(b"").hexdigest() and asked == [0]


def test_accuracy_is_measured_at_the_lowest_thread_count_alone() -> None:
    known = work()
    cases = cases_of(known.variants, RECORDING, ("ai-edge-litert",), (2, 4))
    assert {job.case.threads for job in shard_jobs(known, cases)} == {2}
    assert {job.case.threads for job in round_jobs(known, cases)} == {2, 4}


def test_a_latency_job_cycles_through_the_first_64_real_samples() -> None:
    known = work()
    job = round_jobs(known, known.cases)[0]
    np.testing.assert_array_equal(np.load(io_of(job, "inputs")), known.dataset.test_inputs[0][:64])


def test_what_a_job_asks_for_is_what_the_plan_says() -> None:
    known = work()
    job = next(job for job in round_jobs(known, known.cases) if job.case.runtime == "tflite-runtime")
    assert job.spec == {
        "kind": "latency", "runtime": "tflite-runtime", "threads": 1, "inputs": ["inputs/0-0.npy"],
        "affines": [{"scale": 1 / 255, "offset": 0.0}],
        "reset": "none",
        "warmup_s": 0.01, "warmup_runs": 10, "min_s": 0.01, "min_runs": 50, "max_runs": 50,
    }  # fmt: skip
    variant = next(v for v in known.variants if v.name == job.case.variant)
    assert variant.path and job.blobs["model.tflite"].read() == variant.path.read_bytes()
    assert job.blobs["model.tflite"].sha256 == variant.sha256


def test_a_plan_without_rounds_times_nothing() -> None:
    known = work(rounds=0)
    assert round_jobs(known, known.cases) == []


LONG = ["x" * n + end for n, end in product((20, 40, 200), ("", "1", "2"))]


def test_job_ids_are_plain_short_and_distinct() -> None:
    cases = [Case(name, "host", "ai-edge-litert", threads) for name in ["int8", *LONG] for threads in (1, 16)]
    ids = [job_id(case, kind, n) for case in cases for kind in ("outputs", "latency") for n in (0, 999_999)]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[A-Za-z0-9._-]{1,64}", name) for name in ids)


def test_a_job_id_says_what_it_is_where_there_is_room() -> None:
    case = Case("int8_float_io", "host", "ai-edge-litert", 4)
    assert job_id(case, "outputs", 5000) == "shard-005000.int8_float_io.ai-edge-litert.t4"
    assert job_id(case, "latency", 3) == "round-003.int8_float_io.ai-edge-litert.t4"


# What is not measured.


def test_a_runtime_that_the_device_lacks_is_not_asked_for(tmp_path: Path) -> None:
    device = Device()
    device.environment = Environment(runtimes={"ai-edge-litert": "2.3.0", "tflite-runtime": None})
    measured(device, tmp_path)
    assert {job.case.runtime for job in device.asked} == {"ai-edge-litert"}


def test_a_variant_that_could_not_be_built_is_not_asked_for(tmp_path: Path) -> None:
    known = work()
    failed = Variant("int8", "int8", status="failed", reason="no")
    device = Device()
    measured(device, tmp_path, replace(known, variants=(known.variants[0], failed)))
    assert {job.case.variant for job in device.asked} == {"float32"}


def test_a_device_that_can_do_nothing_is_asked_nothing(tmp_path: Path) -> None:
    device = Device()
    device.environment = Environment()
    assert measured(device, tmp_path) == []


def test_a_case_whose_accuracy_failed_is_not_timed_and_the_others_go_on(tmp_path: Path) -> None:
    device = Device(broken=(INT8,))
    pieces = measured(device, tmp_path)
    asked = [(job.kind, job.case.variant, job.case.runtime) for job in device.asked]
    assert asked.count(("outputs", *INT8)) == 1
    assert ("latency", *INT8) not in asked
    assert len(asked) == 4 + 2 * 3
    (failed,) = [piece for piece in pieces if piece.status == "failed"]
    assert (failed.case.variant, failed.case.runtime) == INT8


class Cutting(Device):
    """Answers for any stretch of the test set out of what was recorded for all of it."""

    def fetch(self, job: Job, folder: Path) -> None:
        super().fetch(replace(job, id=job_id(job.case, job.kind, 0)), folder)
        if job.kind == "outputs":
            answers = np.load(folder / "outputs" / "0.npy")
            np.save(folder / "outputs" / "0.npy", answers[job.first : job.last])


def test_a_case_that_failed_in_one_stretch_is_not_tried_in_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.measure.jobs.SHARD_SAMPLES", 200)
    device = Cutting(broken=(INT8,))
    pieces = measured(device, tmp_path, work(rounds=0))
    asked = [(job.first, job.case.variant, job.case.runtime) for job in device.asked]
    assert [first for first, *case in asked if tuple(case) == INT8] == [0]
    assert len(asked) == 1 + 3 * 3
    assert sum(piece.last - piece.first for piece in pieces if isinstance(piece, Shard) and not piece.reason) == 3 * 500


def test_a_case_that_failed_in_one_round_is_not_tried_in_the_next(tmp_path: Path) -> None:
    device = Device(broken=(INT8,))
    known = work(rounds=2)
    for job in shard_jobs(known, known.cases):  # its accuracy was measured well before
        shutil.copytree(RECORDED / "raw" / "host" / job.id, tmp_path / job.id)
    pieces = measured(device, tmp_path, known)
    assert sum(piece.status == "failed" for piece in pieces) == 1
    assert len(device.asked) == 2 * 3 + 1


# Going on.


def test_what_was_measured_before_is_yielded_but_not_asked_for_again(tmp_path: Path) -> None:
    first, second = Device(), Device()
    before, after = measured(first, tmp_path), measured(second, tmp_path)
    assert len(first.asked) == 12 and second.asked == []
    assert [(type(p), p.case) for p in before] == [(type(p), p.case) for p in after]


def test_what_failed_before_is_measured_again_and_nothing_else(tmp_path: Path) -> None:
    """A process that was killed once, for want of memory say, may come to its end the next time."""
    failed = [p for p in measured(Device(broken=(INT8,)), tmp_path) if p.status == "failed"]
    assert [(p.case.variant, p.case.runtime) for p in failed] == [INT8]
    device = Device()
    pieces = measured(device, tmp_path)
    assert {(job.case.variant, job.case.runtime) for job in device.asked} == {INT8}
    assert not [p for p in pieces if p.status == "failed"] and len(pieces) == 4 + 8


def test_after_a_broken_link_only_the_rest_is_measured(tmp_path: Path) -> None:
    lost, later = Device(jobs_until_lost=7), Device()
    with pytest.raises(TargetUnreachable):
        measured(lost, tmp_path)
    assert len(measured(later, tmp_path)) == 12
    assert [job.id for job in lost.asked + later.asked] == [job.id for job in measured_order()]


def measured_order() -> list[Job]:
    known = work()
    return [*shard_jobs(known, known.cases), *round_jobs(known, known.cases)]


def test_of_what_is_measured_already_not_even_the_samples_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured(Device(), tmp_path)
    monkeypatch.setattr("harness.measure.jobs.shard_bytes", lambda *_: pytest.fail("read again"))
    monkeypatch.setattr("harness.measure.jobs.model_bytes", lambda *_: pytest.fail("read again"))
    assert len(measured(Device(), tmp_path)) == 12


def test_half_a_piece_is_not_taken_for_a_whole_one(tmp_path: Path) -> None:
    job = measured_order()[0]
    part = tmp_path / f"{job.id}.part"
    (part / "outputs").mkdir(parents=True)
    (part / "outputs" / "9.npy").write_bytes(b"half")
    device = Device()
    measured(device, tmp_path)
    assert device.asked[0].id == job.id
    assert not part.exists()
    assert not (tmp_path / job.id / "outputs" / "9.npy").exists()


def test_what_cannot_be_read_is_asked_for_again_and_is_then_the_failure_of_its_row(tmp_path: Path) -> None:
    class Liar(Device):
        def fetch(self, job: Job, folder: Path) -> None:
            super().fetch(job, folder)
            (folder / "latencies.npy").unlink()
            (folder / "outputs" / "0.npy").unlink(missing_ok=True)

    device = Liar()
    pieces = measured(device, tmp_path)
    assert {piece.status for piece in pieces} == {"failed"} and len(device.asked) == 3 * len(pieces)
    assert all(read_piece(folder).status == "failed" for folder in tmp_path.iterdir())  # the run can be read
    assert {piece.status for piece in measured(Device(), tmp_path)} <= {"ok", "valid", "flagged"}  # and resumed


def test_the_watcher_is_told_how_much_there_is_and_which_job_runs(tmp_path: Path) -> None:
    watcher = Quiet()
    list(measure(work(), Device(), tmp_path, watcher))
    assert watcher.begun == ("host", 4, 8)
    assert [job.id for job in watcher.jobs] == [job.id for job in measured_order()]


def test_models_and_inputs_are_brought_before_the_job_that_needs_them(tmp_path: Path) -> None:
    there: set[str] = set()

    class Strict(Device):
        def send(self, blobs: Iterable[Blob]) -> None:
            there.update(blob.sha256 for blob in blobs)

        def run(self, job: Job, on_progress: Any) -> None:
            assert {blob.sha256 for blob in job.blobs.values()} <= there
            super().run(job, on_progress)

    assert len(measured(Strict(), tmp_path)) == 12


# Several inputs.


def test_a_job_lists_files_and_affines_in_the_order_of_the_files_own_inputs() -> None:
    known = work()
    images = known.dataset.test_inputs[0]
    two = replace(known.dataset, test_inputs=(images, images), affines=(Affine(1.0), Affine(2.0)))
    first, *others = known.variants
    several = replace(known, dataset=two, variants=(replace(first, feeds=(1, 0)), *others))
    specs: dict[str, Any] = {job.case.variant: job.spec for job in round_jobs(several, several.cases)}
    kept, swapped = specs[others[0].name], specs[first.name]
    assert [affine["scale"] for affine in kept["affines"]] == [1.0, 2.0]
    assert [affine["scale"] for affine in swapped["affines"]] == [2.0, 1.0]
    assert swapped["inputs"] == kept["inputs"][::-1]


# The order audit.


class Auditing(Device):
    """The recorded device, as if it had been asked audits: it answers them out of what it answered in order."""

    def answers(self, job: Job) -> bool:
        return True

    def fetch(self, job: Job, folder: Path) -> None:
        if job.kind != "audit":
            return super().fetch(job, folder)
        super().fetch(replace(job, id=job_id(job.case, "outputs", 0)), folder)
        rows = np.load(folder / "outputs" / "0.npy")[list(job.samples)]
        np.save(folder / "outputs" / "0.npy", np.concatenate([rows, rows]))
        return None


def test_each_case_is_asked_some_samples_again_in_another_order_after_all_in_theirs(tmp_path: Path) -> None:
    known, device = work(), Auditing()
    pieces = measured(device, tmp_path, known)
    assert [type(piece) for piece in pieces] == [Shard] * 4 + [Audit] * 4 + [Round] * 8
    audits = [job for job in device.asked if job.kind == "audit"]
    assert len({job.samples for job in audits}) == 1
    (samples,) = {job.samples for job in audits}
    assert len(set(samples)) == 100 and list(samples) != sorted(samples)  # of 500 one in five
    sent = np.load(io.BytesIO(audits[0].blobs["inputs/0-audit.npy"].read()))
    np.testing.assert_array_equal(sent, known.dataset.test_inputs[0][list(samples)])
    assert audits[0].spec["passes"] == 2
    kept = [piece for piece in pieces if isinstance(piece, Audit)]
    assert {piece.samples for piece in kept} == {samples} and len(kept[0].outputs[0]) == 200


def test_an_audit_is_not_made_twice(tmp_path: Path) -> None:
    measured(Auditing(), tmp_path)
    later = Auditing()
    assert len(measured(later, tmp_path)) == 16 and later.asked == []


def test_the_samples_of_an_audit_follow_the_plans_seed() -> None:
    known = work()
    other = replace(known, plan=replace(known.plan, seed=known.plan.seed + 1))
    assert audited_samples(known) == audited_samples(work()) != audited_samples(other)


def test_a_recording_that_is_older_than_audits_is_asked_none(tmp_path: Path) -> None:
    assert not [piece for piece in measured(Device(), tmp_path) if isinstance(piece, Audit)]
