"""store.py: runs on disk, whole or not at all, old ones readable, new ones found."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from harness.build.artifact import inspect
from harness.compare.baseline import compare
from harness.errors import StoreError
from harness.records import (
    Dataset,
    Detection,
    Environment,
    Head,
    Keypoints,
    Round,
    Scoring,
    Shard,
    TargetRecord,
    Transcription,
)
from harness.records.terms import Task
from harness.runs.header import (
    HEADS_SINCE,
    SCHEMA_VERSION,
    SEALED_SINCE,
    Header,
    absolute_variants,
    new_run_id,
    read_header,
    schema_of,
)
from harness.runs.loading import load, read_dataset, read_run
from harness.runs.record import Record, check_unchanged
from harness.runs.run_arrays import baseline_sha256, read_baseline
from harness.runs.store import Store
from tests.devices import RECORDED, copy_of_recording, header

RUNS = sorted(RECORDED.parent.glob("digits-schema-*"))


def opened(root: Path, run_id: str, experiment: str = "digits") -> Record:
    known = replace(header(), run_id=run_id, experiment=experiment, finished=False)
    known = replace(known, variants=absolute_variants(RECORDED, known))
    return Store(root).open(known, read_dataset(RECORDED, known), [np.load(RECORDED / "baseline.npy")])


# Old runs.


@pytest.mark.parametrize("path", RUNS, ids=lambda path: path.name)
def test_a_run_of_every_schema_so_far_can_be_read(path: Path) -> None:
    run = load(path)
    assert run.experiment == "digits" and run.finished
    assert len(run.rounds) == 8 and len(run.shards) == (6 if run.plan.until_decided else 4)
    assert all(isinstance(piece, Round) for piece in run.rounds)
    assert all(isinstance(piece, Shard) for piece in run.shards)
    assert run.labels.shape == (500,) and run.inputs[0].shape == (500, 28, 28)
    assert run.baseline[0].shape == (500, 10) and run.baseline[0].dtype == np.float32
    assert all(v.path and v.path.stat().st_size == v.size_bytes for v in run.variants)
    assert run.target("host").environment and run.variant("int8").inputs[0].dtype == "int8"
    assert (run.baseline[0].argmax(1) == run.labels).mean() > 0.9


def test_there_is_a_recorded_run_of_every_schema_version() -> None:
    versions = {read_header(path).schema_version for path in RECORDED.parent.glob("*-schema-*")}
    assert versions == set(range(1, SCHEMA_VERSION + 1))


def test_a_run_from_the_future_is_refused_with_advice(tmp_path: Path) -> None:
    path = copy_of_recording(tmp_path)
    content = json.loads((path / "run.json").read_text())
    (path / "run.json").write_text(json.dumps(content | {"schema_version": SCHEMA_VERSION + 1, "plan": "unheard of"}))
    with pytest.raises(StoreError, match="newer harness") as caught:
        load(path)
    assert "upgrade" in caught.value.advice


@pytest.mark.parametrize(
    ("task", "heads", "schema"),
    [
        ("classification", (), 5),
        ("custom", ("regression",), 6),
        ("segmentation", (), 7),
        ("keypoints", (), 7),
        ("classification", ("anomaly",), 7),
    ],
)
def test_a_run_is_written_as_the_oldest_schema_that_holds_it(task: Task, heads: tuple[Task, ...], schema: int) -> None:
    """An older harness says of a newer schema that it is newer; of a task that it does not know, that it is damaged."""
    every = {str(n): Head(head, (), Scoring(output=str(n))) for n, head in enumerate(heads)}
    assert schema_of(replace(header(), task=task, heads=every)) == schema


def test_a_task_that_nobody_knows_yet_is_no_damage(tmp_path: Path) -> None:
    path = copy_of_recording(tmp_path)
    content = json.loads((path / "run.json").read_text())
    (path / "run.json").write_text(json.dumps(content | {"task": "telepathy"}))
    with pytest.raises(StoreError, match="of the task 'telepathy', which this harness does not know") as caught:
        read_header(path)
    assert "upgrade" in caught.value.advice


def test_a_recorded_run_of_keypoints_is_read() -> None:
    run = load(RECORDED.parent / "keypoints-schema-7")
    how = Keypoints((32, 32), label_normalised=False, sigmas=(0.05,))
    assert (run.task, run.scoring.keypoints, run.labels.shape) == ("keypoints", how, (60, 4, 4))
    (row,) = [c for c in compare(run).changes if c.metric == "oks"]
    assert row.value == pytest.approx(row.baseline, abs=0.1) and row.value > 0.3


# Damage.


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"{}", b"\xff\xfe", b'{"schema_version": "x"}', b'{"schema_version": 1}']
)
def test_a_run_json_that_cannot_be_read_is_named(tmp_path: Path, content: bytes) -> None:
    path = copy_of_recording(tmp_path)
    (path / "run.json").write_bytes(content)
    with pytest.raises(StoreError, match=r"run\.json cannot be read"):
        load(path)


def flipped(whole: bytes) -> bytes:
    """The same length, but some bytes in the middle are others."""
    middle = len(whole) // 2
    return whole[:middle] + bytes(255 - byte for byte in whole[middle : middle + 50]) + whole[middle + 50 :]


def schema_1(folder: Path) -> Path:
    return copy_of_recording(folder)


def schema_2(folder: Path) -> Path:
    return opened(folder, "20250101-000000-0000").path


ARRAYS = [(schema_1, "test.npz"), (schema_1, "baseline.npy")]
ARRAYS += [(schema_2, name) for name in ("test/input-0.npy", "test/labels.npy", "baseline.npy")]


def overwrite(path: Path, content: bytes) -> None:
    path.unlink()  # it is read-only
    path.write_bytes(content)


@pytest.mark.parametrize(("made", "file"), ARRAYS)
@pytest.mark.parametrize(
    "damage", [lambda whole: b"", lambda whole: whole[: len(whole) // 2], lambda whole: b"hello", None],
    ids=["empty", "half", "text", "gone"],
)  # fmt: skip
def test_a_damaged_array_is_named(
    tmp_path: Path, made: Callable[[Path], Path], file: str, damage: Callable[[bytes], bytes] | None
) -> None:
    path = made(tmp_path)
    if damage is None:
        (path / file).unlink()
    else:
        overwrite(path / file, damage((path / file).read_bytes()))
    with pytest.raises(StoreError, match=file.replace(".", r"\.")):
        load(path)


def test_flipped_bits_in_a_packed_test_set_are_noticed(tmp_path: Path) -> None:
    path = copy_of_recording(tmp_path)
    (path / "test.npz").write_bytes(flipped((path / "test.npz").read_bytes()))
    with pytest.raises(StoreError, match=r"test\.npz"):
        load(path)


def test_a_run_does_not_go_on_with_another_test_set(tmp_path: Path) -> None:
    record = opened(tmp_path, "20250101-000000-0000")
    check_unchanged(record)
    images = record.path / "test" / "input-0.npy"
    overwrite(images, flipped(images.read_bytes()))
    with pytest.raises(StoreError, match="not the test set"):
        check_unchanged(record)


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError):
        read_header(tmp_path)


# Whole or not at all.


def test_a_piece_that_was_still_arriving_is_not_part_of_the_run(tmp_path: Path) -> None:
    path = copy_of_recording(tmp_path)
    whole = sorted((path / "raw" / "host").iterdir())
    whole[0].rename(whole[0].with_name(whole[0].name + ".part"))
    run = load(path)
    assert len(run.rounds) + len(run.shards) == len(whole) - 1


def test_a_new_run_can_be_read_before_anything_is_measured(tmp_path: Path) -> None:
    record = opened(tmp_path, "20250101-000000-0000")
    run = load(record.path)
    assert (run.rounds, run.shards, run.finished) == ((), (), False)


# A run while it is measured.


def test_a_run_keeps_what_it_was_opened_with(tmp_path: Path) -> None:
    record = opened(tmp_path, "20250101-000000-0000")
    before, after = load(RECORDED), load(record.path)
    np.testing.assert_array_equal(after.labels, before.labels)
    np.testing.assert_array_equal(after.inputs[0], before.inputs[0])
    np.testing.assert_array_equal(after.baseline[0], before.baseline[0])
    assert (after.plan, after.cases) == (before.plan, before.cases)
    variants = json.loads((record.path / "run.json").read_text())["variants"]
    assert [v["path"] for v in variants] == ["variants/float32.tflite", "variants/int8.tflite"]


def test_a_test_set_without_labels_stays_without(tmp_path: Path) -> None:
    unlabelled = replace(read_dataset(RECORDED, header()), test_labels=None)
    known = replace(header(), run_id="20250101-000000-0000", task="agreement", variants=(), cases=())
    record = Store(tmp_path).open(known, unlabelled, [np.zeros((500, 10), np.float32)])
    assert load(record.path).labels is None
    assert read_dataset(record.path, record.header).test_sha256 == unlabelled.test_sha256


def test_a_runs_arrays_are_mapped_and_take_no_room_beside_a_run_of_the_same(tmp_path: Path) -> None:
    """As where a reference is timed again beside a candidate."""
    first = opened(tmp_path, "20250101-000000-0000")
    dataset, baseline = read_dataset(first.path, first.header), read_baseline(first.path)
    assert all(isinstance(array, np.memmap) for array in (*dataset.test_inputs, dataset.test_labels, *baseline))
    known = replace(header(), run_id="20250102-000000-0000", variants=(), cases=())
    second = Store(tmp_path).open(known, dataset, baseline)
    for name in ("test/input-0.npy", "test/labels.npy", "baseline.npy"):
        assert (second.path / name).samefile(first.path / name)
    assert second.header.schema_version == SEALED_SINCE  # an older version may read it, too


def test_a_run_keeps_the_labels_of_every_output(tmp_path: Path) -> None:
    (source,) = RECORDED.parent.glob(f"heads-schema-{HEADS_SINCE}")
    run = load(shutil.copytree(source, tmp_path / "run"))
    assert (run.scored_output, run.labelled_outputs) == ("digit", ("digit", "parity", "ink"))
    assert run.head_labels["parity"].tolist() == (run.labels % 2).tolist()
    assert run.heads["parity"].class_names == ("even", "odd") and run.heads["ink"].scoring.primary == "mae"
    assert np.allclose(run.head_labels["ink"], (run.inputs[0] > 0.25).mean(axis=1))


def test_code_that_a_further_output_is_scored_by_is_called_only_where_the_run_is_trusted(tmp_path: Path) -> None:
    path = shutil.copytree(RECORDED.parent / f"heads-schema-{HEADS_SINCE}", tmp_path / "run")
    content = json.loads((path / "run.json").read_text())
    own = {"reference": "theirs:far", "name": "far", "unit": "score", "better": "lower"}
    content["heads"]["ink"]["scoring"] |= {"declared": [own], "trusted": True}
    (path / "run.json").write_text(json.dumps(content | {"finished": False}))
    (path / "manifest.json").unlink()
    run = load(path)
    assert not run.scoring.trusted and [each.name for each in run.withheld] == ["far"]
    assert load(path, trust=True).scoring.trusted
    assert not Store(tmp_path).load(str(path)).scoring.trusted
    assert Store(tmp_path, trust=True).load(str(path)).scoring.trusted


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda run: np.save(run / "test" / "labels-1.npy", np.zeros(797, np.int64)), "labels-1.npy"),
        (lambda run: (run / "test" / "labels-2.npy").unlink(), "labels-2.npy"),
    ],
)
def test_labels_of_an_output_that_were_changed_or_are_gone_are_noticed(tmp_path: Path, change, told) -> None:
    path = shutil.copytree(RECORDED.parent / f"heads-schema-{HEADS_SINCE}", tmp_path / "run")
    change(path)
    with pytest.raises(StoreError, match=told):
        load(path)


@pytest.mark.parametrize("labels", [np.zeros(5, np.int64), np.zeros((), np.int64)])
def test_labels_of_an_output_that_are_of_other_samples_are_refused(tmp_path: Path, labels: np.ndarray) -> None:
    path = shutil.copytree(RECORDED.parent / f"heads-schema-{HEADS_SINCE}", tmp_path / "run")
    np.save(path / "test" / "labels-1.npy", labels)
    with pytest.raises(StoreError, match="labels of parity are not of the 797 samples"):
        read_run(path, read_header(path))


def test_labels_of_an_output_that_there_is_not_are_refused(tmp_path: Path) -> None:
    path = shutil.copytree(RECORDED.parent / f"heads-schema-{HEADS_SINCE}", tmp_path / "run")
    content = json.loads((path / "run.json").read_text())
    content["heads"]["size"] = content["heads"].pop("parity")
    (path / "run.json").write_text(json.dumps(content))
    with pytest.raises(StoreError, match="labels of 'size', which is no output beside the scored one"):
        read_header(path)


def test_a_run_may_be_moved(tmp_path: Path) -> None:
    record = opened(tmp_path / "here", "20250101-000000-0000")
    (tmp_path / "here").rename(tmp_path / "there")
    run = Store(tmp_path / "there").load(record.header.run_id)
    assert all(v.path and v.path.exists() for v in run.variants)


def test_several_inputs_and_outputs_keep_their_order(tmp_path: Path) -> None:
    arrays = tuple(np.full((4, 2), n, np.float32) for n in range(12))
    known = replace(header(), run_id="20250101-000000-0000", affines=header().affines * 12, variants=(), cases=())
    dataset = Dataset("digits", (), None, arrays, np.arange(4) % 2, known.affines, (), "a test")
    run = load(Store(tmp_path).open(known, dataset, arrays).path)
    assert [int(array[0, 0]) for array in run.inputs] == list(range(12))
    assert [int(array[0, 0]) for array in run.baseline] == list(range(12))


def test_what_is_noted_and_finished_is_on_disk_at_once(tmp_path: Path) -> None:
    record = opened(tmp_path, "20250101-000000-0000")
    target = record.header.targets[0].target
    record.note(TargetRecord(target, Environment(board="a board"), {"blobs": 7}))
    known = read_header(record.path)
    assert known.targets[0].environment == Environment(board="a board")
    assert known.targets[0].bytes_sent == {"blobs": 7} and not known.finished
    record.finish()
    assert read_header(record.path) == replace(known, finished=True)
    assert record.header.finished


def test_a_header_survives_its_trip_to_disk(tmp_path: Path) -> None:
    record = opened(tmp_path, "20250101-000000-0000")
    again: Header = read_header(record.path)
    assert not again.scoring.trusted  # whatever stands in the file
    assert replace(again, scoring=record.header.scoring) == record.header


# Finding.


def test_a_run_is_found_by_its_id_its_path_and_as_the_newest_of_all(tmp_path: Path) -> None:
    opened(tmp_path, "20250101-000000-0000", "mnist")
    record = opened(tmp_path, "20250301-000000-0000", "digits")
    record.finish()
    newest = record.path
    opened(tmp_path, "20250201-000000-0000", "mnist")
    store = Store(tmp_path)
    assert store.find("latest") == newest
    assert store.find("20250301-000000-0000") == newest
    assert store.find(str(newest)) == newest.resolve()
    assert store.find(str(tmp_path / "digits" / "latest")) == newest.resolve()
    assert [path.name[:8] for path in store.paths()] == ["20250301", "20250201", "20250101"]


@pytest.mark.parametrize("reference", ["latest", "20990101-000000-0000", "no/such/path"])
def test_a_run_that_is_not_there_is_told_with_how_to_find_one(tmp_path: Path, reference: str) -> None:
    with pytest.raises(StoreError, match=reference) as caught:
        Store(tmp_path).find(reference)
    assert "harness list" in caught.value.advice


def test_latest_is_a_relative_link_to_the_run_that_was_finished_last(tmp_path: Path) -> None:
    opened(tmp_path, "20250101-000000-0000").finish()
    opened(tmp_path, "20250102-000000-0000").finish()
    opened(tmp_path, "20250103-000000-0000")  # refused by its device, or under way
    link = tmp_path / "digits" / "latest"
    assert os.readlink(link) == "20250102-000000-0000"  # noqa: PTH115
    assert sorted(path.name for path in link.parent.iterdir())[3:] == ["latest"]


def test_a_link_to_a_run_is_not_another_run(tmp_path: Path) -> None:
    record = opened(tmp_path, "20250101-000000-0000")
    (tmp_path / "digits" / ".latest.123").symlink_to(record.path.name)  # killed between link and rename
    assert Store(tmp_path).paths() == [record.path]


def test_a_run_that_is_being_begun_is_not_listed(tmp_path: Path) -> None:
    path = copy_of_recording(tmp_path)
    shutil.copytree(path, path.with_name(f".{path.name}.1"))
    assert Store(tmp_path).paths() == [path]


def test_run_ids_sort_by_time_and_fit_a_devices_names() -> None:
    ids = {new_run_id() for _ in range(50)}
    assert len(ids) > 45
    assert all(len(run_id) == 20 and run_id.replace("-", "").isalnum() for run_id in ids)


def test_the_same_run_cannot_be_opened_twice(tmp_path: Path) -> None:
    opened(tmp_path, "20250101-000000-0000")
    with pytest.raises(FileExistsError):
        opened(tmp_path, "20250101-000000-0000")


# Which one is the latest.


def test_a_run_from_the_future_is_not_the_latest(tmp_path: Path) -> None:
    """A clock that ran ahead once must not hide all that came after it."""
    for run_id in ("20250101-000000-0000", "20991231-000000-0000"):
        opened(tmp_path, run_id)
    assert Store(tmp_path).find("latest").name == "20250101-000000-0000"
    assert Store(tmp_path).find("20991231-000000-0000").name == "20991231-000000-0000"


def test_a_clock_may_be_some_hours_ahead(tmp_path: Path) -> None:
    """As where two machines write into one folder; a whole day is no clock that is a little wrong."""
    in_hours = {h: f"{datetime.now(UTC) + timedelta(hours=h):%Y%m%d-%H%M%S}-0000" for h in (-1, 20, 28)}
    opened(tmp_path, in_hours[-1]).finish()
    opened(tmp_path, in_hours[28]).finish()
    assert Store(tmp_path).find("latest").name == in_hours[-1]
    opened(tmp_path, in_hours[20]).finish()
    opened(tmp_path, in_hours[20][:-1] + "1")
    assert Store(tmp_path).latest().name == Store(tmp_path).find("latest").name == in_hours[20]
    assert Store(tmp_path).find("latest", finished=False).name == in_hours[20][:-1] + "1"


def test_a_broken_run_is_passed_over(tmp_path: Path) -> None:
    first, last = (opened(tmp_path, run_id).path for run_id in ("20250101-000000-0000", "20250102-000000-0000"))
    (last / "run.json").write_text("{")
    assert Store(tmp_path).find("latest") == first
    (first / "run.json").write_text("{")
    with pytest.raises(StoreError, match=r"20250102.*cannot be read"):
        Store(tmp_path).find("latest")


# What was measured is what is there.


@pytest.mark.parametrize("file", ["variants/int8.tflite", "baseline.npy"])
def test_a_file_that_is_another_than_was_measured_is_refused(tmp_path: Path, file: str) -> None:
    path = copy_of_recording(tmp_path)
    known = read_header(path)
    record = Record(path, replace(known, hashes=known.hashes | {"baseline": baseline_sha256(path)}))
    check_unchanged(record)
    content = bytearray((path / file).read_bytes())
    content[-1] ^= 1
    (path / file).write_bytes(content)
    with pytest.raises(StoreError, match=r"not the file that was measured|baseline is not the one"):
        check_unchanged(record)


@pytest.mark.parametrize("path", RUNS, ids=lambda path: path.name)
def test_an_old_run_has_its_activation_bytes_from_its_files(path: Path) -> None:
    for variant in load(path).variants:
        assert variant.path
        assert variant.activation_bytes == inspect(variant.path).activation_bytes
        assert load(path).variant(variant.name).activation_bytes


def test_activation_bytes_of_an_old_run_without_its_files_are_unknown(tmp_path: Path) -> None:
    path = copy_of_recording(tmp_path)
    for file in (path / "variants").iterdir():
        file.unlink()
    assert {variant.activation_bytes for variant in load(path).variants} == {None}


@pytest.mark.parametrize("how", ["detection", "keypoints", "transcription"])
def test_a_decoder_of_ones_own_is_code_that_a_run_names_in_a_head_too(how: str) -> None:
    ways = {
        "detection": Detection("own:boxes", boxes="b"),
        "keypoints": Keypoints((4, 4), "own:points"),
        "transcription": Transcription((), decoder="own:text"),
    }
    scoring = replace(Scoring(output="b"), **{how: ways[how]})  # type: ignore[arg-type]
    task: Task = how  # type: ignore[assignment]
    assert replace(header(), heads={"b": Head(task, (), scoring)}).names_code
    assert replace(header(), task=task, scoring=scoring).names_code and not header().names_code
