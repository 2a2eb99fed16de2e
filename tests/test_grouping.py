"""data/grouping.py: samples in clips and groups, from every kind of data to a run that keeps them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import harness as front
from harness.build.builder import build
from harness.data.grouping import settle_groups
from harness.data.kinds import load
from harness.data.on_disk import Samples
from harness.errors import ConfigError, DataError, StoreError
from harness.experiment.in_memory import dataset_in_memory
from harness.experiment.plans import PLANS
from harness.measure.connections import device_code
from harness.measure.jobs import shard_jobs
from harness.records import Dataset, Experiment
from harness.records.dataset import places
from harness.runs import loading
from harness.support.cache import Cache
from tests import stateful_files
from tests.data_sources import own_cache as own_cache
from tests.data_sources import source
from tests.devices import RUNTIMES, device_source, recorded_work

X = np.array([[3.0], [5.0], [3.0], [-2.0], [1.0], [4.0]], np.float32)
CLIPS = np.array(["b", "b", "b", "a", "c", "c"])
NUMBERS = [0, 0, 0, 1, 2, 2]
GROUPS = np.array([7, 7, 7, 7, 2, 2])


def marks(dataset: Dataset) -> tuple[list[int] | None, list[int] | None]:
    clips, groups = (None if m is None else m.tolist() for m in (dataset.clips, dataset.groups))
    return clips, groups


# --- from what a user has ------------------------------------------------------------------------------------------


def npz(folder: Path) -> str:
    np.savez(folder / "test.npz", x=X, y=np.arange(6) % 2, clip=CLIPS, speaker=GROUPS)
    return "test.npz"


def halves(folder: Path) -> str:
    both = {"x_test": X, "y_test": np.arange(6) % 2, "clip_test": CLIPS, "clip_train": CLIPS[::-1], "speaker": GROUPS}
    np.savez(folder / "both.npz", **both, x_train=X)
    return "both.npz"


def table(folder: Path) -> str:
    rows = {"clip": CLIPS, "value": X[:, 0], "speaker": GROUPS, "label": np.arange(6) % 2}
    pd.DataFrame(rows).to_csv(folder / "test.csv", index=False)
    return "test.csv"


def parquet(folder: Path) -> str:
    rows = {"clip": CLIPS, "value": X[:, 0], "speaker": GROUPS, "label": np.arange(6) % 2}
    pd.DataFrame(rows).to_parquet(folder / "test.parquet")
    return "test.parquet"


def function(folder: Path) -> str:
    (folder / "mine.py").write_text(
        f"x, clip, speaker = {X.tolist()}, {CLIPS.tolist()}, {GROUPS.tolist()}\n"
        "def batches():\n"
        "    for part in (slice(0, 2), slice(2, 6)):\n"
        "        yield {'x': x[part], 'clip': clip[part], 'speaker': speaker[part]}, [0, 1, 0, 1][:len(x[part])]\n"
    )
    return "mine:batches"


KINDS: dict[str, Callable[[Path], str]] = {f.__name__: f for f in (npz, halves, table, parquet, function)}


@pytest.mark.parametrize("kind", KINDS)
def test_clips_and_groups_are_read_and_are_no_inputs(tmp_path: Path, kind: str) -> None:
    where = KINDS[kind](tmp_path)
    found = load(source(tmp_path, where, where, sequence="clip", group="speaker"))
    assert marks(found) == (NUMBERS, [0, 0, 0, 0, 1, 1])
    assert [array.ravel().tolist() for array in found.test_inputs] == [X.ravel().tolist()]
    assert len(found.train_inputs) == 1 and found.input_names == ()
    assert found.starts is not None and found.starts.tolist() == [0, 3, 4]


@pytest.mark.parametrize("kind", ["table", "parquet"])
def test_a_clip_is_a_group_and_a_group_is_no_clip(tmp_path: Path, kind: str) -> None:
    where = KINDS[kind](tmp_path)
    assert marks(load(source(tmp_path, where, sequence="clip", features=("value",)))) == (NUMBERS, NUMBERS)
    assert marks(load(source(tmp_path, where, group="speaker", features=("value",)))) == (None, [0, 0, 0, 0, 1, 1])


@pytest.mark.parametrize("kind", KINDS)
def test_a_name_that_the_data_do_not_have_is_told(tmp_path: Path, kind: str) -> None:
    with pytest.raises(DataError, match="film") as caught:
        load(source(tmp_path, KINDS[kind](tmp_path), sequence="film"))
    assert caught.value.advice


def pictures(folder: Path, *names: str) -> str:
    for name in names:
        (folder / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (2, 2)).save(folder / "photos" / name)
    return "photos"


def test_the_folders_below_those_of_the_classes_are_clips(tmp_path: Path) -> None:
    where = pictures(tmp_path, "cat/one/1.png", "cat/one/2.png", "cat/two/1.png", "dog/one/1.png")
    assert marks(load(source(tmp_path, where, sequence="folder"))) == ([0, 0, 1, 2], [0, 0, 1, 2])
    assert marks(load(source(tmp_path, where, group="folder"))) == (None, [0, 0, 1, 0])
    with pytest.raises(ConfigError, match="'clip' is nothing in a folder of images") as caught:
        load(source(tmp_path, where, sequence="clip"))
    assert 'sequence = "folder"' in caught.value.advice


def test_calibration_images_have_the_clips_of_their_folders_where_all_lie_in_one(tmp_path: Path) -> None:
    where = pictures(tmp_path, "cat/one/1.png", "cat/one/2.png", "cat/two/1.png", "dog/one/1.png")
    found = load(replace(source(tmp_path, where, sequence="folder"), calibration=where))
    assert found.train_clips is not None and found.train_clips.tolist() == [0, 0, 1, 2]
    (tmp_path / "loose" / "cat").mkdir(parents=True)
    (tmp_path / "loose" / "dog").mkdir()
    for name in ("cat/1.png", "dog/1.png"):
        Image.new("RGB", (2, 2)).save(tmp_path / "loose" / name)
    assert load(replace(source(tmp_path, where, sequence="folder"), calibration="loose")).train_clips is None


def test_a_picture_that_is_in_no_clip_is_told(tmp_path: Path) -> None:
    where = pictures(tmp_path, "cat/one/1.png", "cat/2.png", "dog/one/1.png")
    with pytest.raises(DataError, match=r"cat/2.png lies in no folder"):
        load(source(tmp_path, where, sequence="folder"))


def test_an_npy_file_holds_no_clips(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", X)
    with pytest.raises(DataError, match="no array clip"):
        load(source(tmp_path, "x.npy", sequence="clip"))


def test_a_column_cannot_be_a_feature_too(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="'clip' is a label or a feature"):
        load(source(tmp_path, table(tmp_path), sequence="clip", features=("value", "clip")))


def test_arrays_in_memory_have_the_clips_of_a_file(tmp_path: Path) -> None:
    stored = load(source(tmp_path, npz(tmp_path), sequence="clip", group="speaker"))
    given = dataset_in_memory("toy", X, np.arange(6) % 2, None, (), 1.0, 0.0, sequence=CLIPS, group=GROUPS)
    assert (given.test_sha256, given.marks_sha256) == (stored.test_sha256, stored.marks_sha256)
    assert given.test_sha256 != dataset_in_memory("toy", X, np.arange(6) % 2, None, (), 1.0, 0.0).test_sha256


def test_calibration_in_memory_has_clips_too() -> None:
    known = ("toy", X, np.arange(6) % 2, X, (), 1.0, 0.0)
    found = dataset_in_memory(*known, sequence=CLIPS, calibration_sequence=CLIPS)
    assert found.train_clips is not None and found.clips is not None
    assert found.train_clips.tolist() == found.clips.tolist()
    assert dataset_in_memory(*known, sequence=CLIPS).train_clips is None
    with pytest.raises(DataError, match="calibration_sequence has 5 clips, for 6 calibration samples"):
        dataset_in_memory(*known, sequence=CLIPS, calibration_sequence=CLIPS[:5])


# --- what cannot be right ------------------------------------------------------------------------------------------


def settled(clips: Any, groups: Any = None) -> tuple[np.ndarray | None, np.ndarray | None]:
    made = [None if given is None else np.array(given) for given in (clips, groups)]
    return settle_groups("toy", Samples((X,), None, clips=made[0], groups=made[1]))


WRONG: dict[str, tuple[Any, Any, str]] = {
    "several pieces": ("baabcc", None, "clip b is in several pieces: sample 0 is of it, and 3 again"),
    "numbers in several pieces": ([5, 5, 9, 9, 5, 5], None, "clip 5 is in several pieces: sample 1 is of it, and 4"),
    "too few": ("aab", None, "the clips are <U1 of shape \\(3,\\), for 6 samples"),
    "rows": (np.zeros((6, 2)), None, "of shape \\(6, 2\\)"),
    "NaN": ([1, 1, 2, 2, 3, np.nan], None, "some clips are NaN"),
    "a clip of several groups": ("aaabbb", "xxyyzz", "clip a are of several groups"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_cannot_be_right_is_refused_by_name(what: str) -> None:
    clips, groups, message = WRONG[what]
    as_list = [list(m) if isinstance(m, str) else m for m in (clips, groups)]
    with pytest.raises(DataError, match=message) as caught:
        settled(*as_list)
    assert caught.value.advice


def test_groups_may_stand_anywhere() -> None:
    clips, groups = settled(None, list("abcabc"))
    assert clips is None and groups is not None and groups.tolist() == [0, 1, 2, 0, 1, 2]


PARTS: list[tuple[int, int, list[int] | None, list[tuple[int, int]]]] = [
    (10, 4, None, [(0, 4), (4, 8), (8, 10)]),
    (10, 4, [0, 3, 6, 9], [(0, 3), (3, 6), (6, 10)]),
    (10, 4, [0, 1, 8], [(0, 1), (1, 8), (8, 10)]),  # a clip that is longer is a part by itself
    (10, 10, [0, 5], [(0, 10)]),
    (10, 1, [0], [(0, 10)]),
]


@pytest.mark.parametrize(("count", "most", "starts", "wanted"), PARTS)
def test_parts_are_cut_between_clips(count: int, most: int, starts: Any, wanted: list[tuple[int, int]]) -> None:
    assert list(places(count, most, None if starts is None else np.array(starts))) == wanted


# --- a whole run ---------------------------------------------------------------------------------------------------

FRAMES = np.random.default_rng(3).integers(-9, 10, (120, 1)).astype(np.float32)
OF_CLIP = np.repeat(np.arange(12), np.random.default_rng(4).multinomial(108, [1 / 12] * 12) + 1)
FILES = {"tensor": stateful_files.variable_tensor(), "resource": stateful_files.resource_variable()}


def sums_in_clips(x: np.ndarray, begin: float) -> np.ndarray:
    """What both files answer, by what their ops mean: the sum of the clip so far, plus what the state begins at."""
    return np.concatenate([begin + np.cumsum(x[clip == OF_CLIP], axis=0) for clip in range(12)])


def written(folder: Path, data: str, **arrays: np.ndarray) -> Path:
    for name, content in FILES.items():
        (folder / f"{name}.tflite").write_bytes(content)
    np.savez(folder / "test.npz", x=FRAMES, clip=OF_CLIP, **arrays)
    (folder / "experiment.toml").write_text(
        f'name = "stream"\n[data]\ntest = "test.npz"\n{data}\n[variants]\nbaseline = "tensor"\n'
        'import = { tensor = "tensor.tflite", resource = "resource.tflite" }\n[plan]\nprofile = "none"\n'
    )
    return folder / "experiment.toml"


class Heard:
    """A listener that keeps what is said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *given: None


@pytest.fixture(scope="module")
def streamed(tmp_path_factory: pytest.TempPathFactory) -> tuple[front.Run, list[str]]:
    """A run of both files on both runtimes, in several shards, and what it said."""
    folder, heard = tmp_path_factory.mktemp("streamed"), Heard()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("harness.measure.jobs.SHARD_SAMPLES", 60)
        patch.setattr(device_code, "SOURCE", device_source(folder))
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        run = front.run(written(folder, 'sequence = "clip"'), results=folder / "results", progress=heard)
    return run, heard.said


def test_state_is_carried_through_a_clip_everywhere(streamed: tuple[front.Run, list[str]]) -> None:
    run, said = streamed
    np.testing.assert_array_equal(run.stored.baseline[0], sums_in_clips(FRAMES, 0))
    assert {case.runtime for case in run.comparison.outputs} == set(RUNTIMES)
    for case, (outputs, *_) in run.comparison.outputs.items():
        np.testing.assert_array_equal(outputs, sums_in_clips(FRAMES, 0 if case.variant == "tensor" else 1))
    assert any("carried inside each of 12 clips" in text for text in said)


def test_shards_end_where_clips_do_and_clips_are_audited(streamed: tuple[front.Run, list[str]]) -> None:
    run = streamed[0].stored
    bounds = {shard.first for shard in run.shards}
    assert len(bounds) > 1 and bounds <= set(np.flatnonzero(np.diff(OF_CLIP, prepend=-1)).tolist())
    assert len(run.audits) == 4 and len(run.audits[0].samples) >= 20
    asked = OF_CLIP[list(run.audits[0].samples)]
    assert len(set(asked)) >= 10 and (np.diff(asked) < 0).any()  # in another order
    assert not any("answers change" in standing.reason for standing in streamed[0].comparison.standings)


def test_the_run_keeps_clips_and_groups_and_is_not_read_without_them(
    streamed: tuple[front.Run, list[str]], tmp_path: Path
) -> None:
    kept = loading.load(streamed[0].path)
    assert kept.clips is not None and kept.groups is not None
    assert np.array_equal(kept.clips, OF_CLIP) and np.array_equal(kept.groups, OF_CLIP)
    copy = shutil.copytree(streamed[0].path, tmp_path / "copy")
    (copy / "test" / "groups.npy").unlink()
    with pytest.raises(StoreError, match=r"test/groups\.npy is missing"):
        loading.load(copy)


def test_without_a_sequence_each_sample_begins_anew_and_the_option_is_named(tmp_path: Path) -> None:
    (tmp_path / "tensor.tflite").write_bytes(FILES["tensor"])
    data = dataset_in_memory("toy", FRAMES, None, None, (), 1.0, 0.0)
    experiment = Experiment(
        "e", lambda: data, None, (), PLANS["none"], imports={"tensor": tmp_path / "tensor.tflite"}, baseline="tensor"
    )
    said: list[str] = []
    built = build(experiment, data, Cache(tmp_path / "cache"), said.append)
    np.testing.assert_array_equal(built.baseline[0], FRAMES)
    assert any('sequence = "clip" under [data]' in text for text in said)


def test_a_file_without_state_is_told_to_need_no_sequence(tmp_path: Path) -> None:
    (tmp_path / "plain.tflite").write_bytes(stateful_files.float_with_scale())
    data = dataset_in_memory("toy", FRAMES, None, None, (), 1.0, 0.0, sequence=OF_CLIP)
    experiment = Experiment(
        "e", lambda: data, None, (), PLANS["none"], imports={"plain": tmp_path / "plain.tflite"}, baseline="plain"
    )
    said: list[str] = []
    built = build(experiment, data, Cache(tmp_path / "cache"), said.append)
    np.testing.assert_array_equal(built.baseline[0], 2 * FRAMES)
    assert any("no variant keeps state" in text for text in said)


def test_a_clip_that_is_too_long_for_a_device_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    known = recorded_work()
    clips = np.repeat(np.arange(5, dtype=np.int32), 100)
    in_clips = replace(known, dataset=replace(known.dataset, clips=clips))
    monkeypatch.setattr("harness.measure.jobs.SHARD_SAMPLES", 10)
    assert [job.last - job.first for job in shard_jobs(in_clips, known.cases[:1])] == [100] * 5
    monkeypatch.setattr("harness.measure.jobs.CLIP_BYTES", 50 * 28 * 28)
    with pytest.raises(DataError, match="the clip of samples 0 to 99"):
        shard_jobs(in_clips, known.cases[:1])
