"""results/<experiment>/reference.json: the accepted run and its further sessions. No TensorFlow, no device."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from harness.errors import ConfigError, StoreError
from harness.runs import references, seal
from harness.runs.header import header_bytes, read_header
from harness.runs.store import Store
from harness.support.arrays import npy_bytes
from tests.devices import copy_of_recording
from tests.sealed_runs import overwrite, sealed_run

FIRST = "20260101-000000-0000"


def stored(results: Path, run_id: str, **changes: object) -> Path:
    """The recorded run under another id, with changes to its run.json."""
    recording = copy_of_recording(results)
    path = recording.with_name(run_id)
    recording.rename(path)
    content = json.loads((path / "run.json").read_text()) | {"run_id": run_id} | changes
    (path / "run.json").write_text(json.dumps(content))
    return path


def runs(results: Path, count: int) -> list[str]:
    return [stored(results, f"2026010{n + 1}-000000-0000").name for n in range(count)]


def content_of(results: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((results / "digits" / "reference.json").read_text())
    return found


def accepted(results: Path, experiment: str = "digits", said: list[str] | None = None) -> tuple[Path, ...]:
    return references.accepted_runs(Store(results), experiment, (said if said is not None else []).append)


def test_the_first_run_is_the_reference_and_the_others_its_sessions(tmp_path: Path) -> None:
    first, *others = runs(tmp_path, 3)
    file = references.accept(Store(tmp_path), [first, *others])
    assert file == tmp_path / "digits" / "reference.json"
    content = content_of(tmp_path)
    assert (content["schema_version"], content["run_id"], content["path"]) == (4, first, first)
    assert content["sessions"] == [{"run_id": run, "path": run, "manifest": ""} for run in others]
    assert accepted(tmp_path) == tuple(tmp_path / "digits" / run for run in (first, *others))
    assert accepted(tmp_path, "mnist") == ()


def test_sessions_are_added_each_once(tmp_path: Path) -> None:
    first, *others = runs(tmp_path, 4)
    references.accept(Store(tmp_path), [first])
    references.add(Store(tmp_path), others[:1])
    references.add(Store(tmp_path), [*others, first])
    assert [s["run_id"] for s in content_of(tmp_path)["sessions"]] == others  # type: ignore[attr-defined]
    references.accept(Store(tmp_path), others[:1])  # another reference begins anew
    assert content_of(tmp_path)["sessions"] == []


def test_a_file_of_schema_1_is_read_and_added_to(tmp_path: Path) -> None:
    first, second = runs(tmp_path, 2)
    references.accept(Store(tmp_path), [first])
    old = {k: v for k, v in content_of(tmp_path).items() if k != "sessions"} | {"schema_version": 1}
    (tmp_path / "digits" / "reference.json").write_text(json.dumps(old))
    assert accepted(tmp_path) == (tmp_path / "digits" / first,)
    references.add(Store(tmp_path), [second])
    content = content_of(tmp_path)
    assert (content["schema_version"], content["run_id"], content["accepted"]) == (4, first, old["accepted"])
    assert len(content["sessions"]) == 1  # type: ignore[arg-type]


def test_a_file_from_the_future_is_refused(tmp_path: Path) -> None:
    references.accept(Store(tmp_path), runs(tmp_path, 1))
    (tmp_path / "digits" / "reference.json").write_text(json.dumps(content_of(tmp_path) | {"schema_version": 5}))
    with pytest.raises(StoreError, match="newer harness"):
        accepted(tmp_path)


UNREADABLE = {
    "cut": lambda file: file.write_bytes(file.read_bytes()[:-40]),
    "empty": lambda file: file.write_bytes(b""),
    "newer": lambda file: file.write_text(json.dumps(json.loads(file.read_text()) | {"schema_version": 5})),
    "without an id": lambda file: file.write_text('{"schema_version": 4}'),
    "a folder": lambda file: (file.unlink(), file.mkdir()),
    "a link to nowhere": lambda file: (file.unlink(), file.symlink_to("nowhere")),
}


@pytest.mark.parametrize("damage", UNREADABLE.values(), ids=UNREADABLE)
def test_what_was_accepted_before_is_not_written_over_where_it_cannot_be_read(tmp_path: Path, damage) -> None:
    first, second = runs(tmp_path, 2)
    file = references.accept(Store(tmp_path), [first])
    damage(file)
    before = file.read_bytes() if file.is_file() else file.lstat()
    for write in (references.accept, references.add):
        with pytest.raises((StoreError, ConfigError)) as caught:
            write(Store(tmp_path), [second])
    assert (file.read_bytes() if file.is_file() else file.lstat()) == before
    with pytest.raises(StoreError, match=r"reference\.json") as caught:
        references.accept(Store(tmp_path), [second])
    assert "move it away" in caught.value.advice
    file.rename(tmp_path / "away.json")  # the way out
    references.accept(Store(tmp_path), [second])
    assert accepted(tmp_path) == (tmp_path / "digits" / second,)


def test_a_session_that_is_not_here_is_named(tmp_path: Path) -> None:
    first, second = runs(tmp_path, 2)
    references.accept(Store(tmp_path), [first, second])
    shutil.rmtree(tmp_path / "digits" / second)
    with pytest.raises(StoreError, match=f"run {second}, is not here"):
        accepted(tmp_path)


def test_another_run_in_the_place_of_the_accepted_one_is_refused(tmp_path: Path) -> None:
    first, second = runs(tmp_path, 2)
    references.accept(Store(tmp_path), [first])
    shutil.rmtree(tmp_path / "digits" / first)
    (tmp_path / "digits" / second).rename(tmp_path / "digits" / first)
    with pytest.raises(StoreError, match=f"holds run {second}, and the reference of digits is run {first}"):
        accepted(tmp_path)


def test_a_reference_whose_model_was_changed_is_refused(tmp_path: Path) -> None:
    first = stored(tmp_path, FIRST)
    references.accept(Store(tmp_path), [first.name])
    content = json.loads((first / "run.json").read_text())
    content["hashes"]["model"] = "0" * 64
    (first / "run.json").write_text(json.dumps(content))
    with pytest.raises(StoreError, match="is not what was accepted"):
        accepted(tmp_path)


def test_runs_elsewhere_are_found_from_the_file(tmp_path: Path) -> None:
    first = stored(tmp_path / "results", FIRST)
    away = stored(tmp_path / "elsewhere", "20260102-000000-0000")
    references.accept(Store(tmp_path / "results"), [str(first), str(away)])
    assert accepted(tmp_path / "results") == (first, away)
    assert str(tmp_path) not in json.dumps(content_of(tmp_path / "results"))


def variants(path: Path, sha256: str) -> list[dict[str, object]]:
    content = json.loads((path / "run.json").read_text())
    return [v | {"sha256": sha256} for v in content["variants"]]


def timed_alone(path: Path) -> dict[str, object]:
    plan: dict[str, object] = json.loads((path / "run.json").read_text())["plan"]
    return plan | {"accuracy": False}


@pytest.mark.parametrize(
    ("changes", "told", "advice"),
    [
        (lambda _: {"finished": False}, "is not finished", "--resume"),
        (lambda path: {"plan": timed_alone(path)}, "timed a reference again beside a candidate", "run of its own"),
    ],
)
def test_a_run_that_nothing_can_stand_against_is_refused(tmp_path: Path, changes, told: str, advice: str) -> None:
    good = stored(tmp_path, FIRST)
    bad = stored(tmp_path, "20260102-000000-0000", **changes(good))
    for accept in (lambda: references.accept(Store(tmp_path), [bad.name]),
                   lambda: references.accept(Store(tmp_path), [good.name, bad.name])):  # fmt: skip
        with pytest.raises(ConfigError, match=told) as caught:
            accept()
        assert advice in caught.value.advice
    assert not (tmp_path / "digits" / "reference.json").exists()


def test_a_session_of_other_models_or_another_experiment_is_refused(tmp_path: Path) -> None:
    good = stored(tmp_path, FIRST)
    other = stored(tmp_path, "20260102-000000-0000", variants=variants(good, "1" * 64))
    with pytest.raises(ConfigError, match="measured none of the models"):
        references.accept(Store(tmp_path), [good.name, other.name])
    mnist = stored(tmp_path, "20260103-000000-0000", experiment="mnist")
    with pytest.raises(ConfigError, match="is of mnist, and the reference of digits"):
        references.accept(Store(tmp_path), [good.name, mnist.name])


def test_there_must_be_a_reference_to_add_to(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="digits has no reference to add to"):
        references.add(Store(tmp_path), [stored(tmp_path, FIRST).name])


# --- an accepted run is known by its manifest: whoever changes a run can seal it anew ---------------------------------


def change_and_seal_anew(path: Path) -> None:
    """One label is another, and the manifest is of it."""
    labels = np.load(path / "test" / "labels.npy")
    labels[0] = (labels[0] + 1) % 10
    overwrite(path / "test" / "labels.npy", npy_bytes(labels))
    (path / "manifest.json").unlink()
    seal.seal(path, path.name, header_bytes(read_header(path)), {})


def say_that_it_is_older(path: Path) -> None:
    """The way around a seal: a run of a schema that had none."""
    content = json.loads((path / "run.json").read_text()) | {"schema_version": 4}
    (path / "run.json").write_text(json.dumps(content))
    (path / "manifest.json").unlink()


@pytest.mark.parametrize("change", [change_and_seal_anew, say_that_it_is_older])
@pytest.mark.parametrize("which", [0, 1])
def test_an_accepted_run_that_was_changed_later_is_named(tmp_path: Path, change, which: int) -> None:
    ids = [FIRST, "20260102-000000-0000"]
    paths = [sealed_run(tmp_path, run_id) for run_id in ids]
    references.accept(Store(tmp_path), ids)
    said: list[str] = []
    assert (accepted(tmp_path, said=said), said) == (tuple(paths), [])
    change(paths[which])
    with pytest.raises(
        StoreError, match=f"run {ids[which]} in .* is not what was accepted: it was changed since"
    ) as caught:
        accepted(tmp_path)
    assert f"`harness accept {' '.join(ids)}`" in caught.value.advice
    references.accept(Store(tmp_path), ids)  # knowingly
    assert accepted(tmp_path) == tuple(paths)


def test_of_a_file_that_an_older_version_wrote_it_is_said_that_it_holds_no_seal(tmp_path: Path) -> None:
    path = sealed_run(tmp_path, FIRST)
    file = references.accept(Store(tmp_path), [FIRST])
    file.write_text(
        json.dumps({k: v for k, v in content_of(tmp_path).items() if k != "manifest"} | {"schema_version": 2})
    )
    said: list[str] = []
    assert accepted(tmp_path, said=said) == (path,)
    assert len(said) == 1 and f"does not hold the seal of {FIRST}" in said[0] and f"harness accept {FIRST}" in said[0]


def test_the_gate_refuses_an_accepted_run_that_was_changed(tmp_path: Path, harness) -> None:
    path = sealed_run(tmp_path, FIRST)
    sealed_run(tmp_path, "20260102-000000-0000")
    (tmp_path / "p.toml").write_text('[[rule]]\nmetric = "accuracy_drop"\nmax = "5pp"\nagainst = "reference"\n')
    words = ("gate", "20260102-000000-0000", "--policy", str(tmp_path / "p.toml"), "--results", str(tmp_path))
    assert harness("accept", FIRST, "--results", str(tmp_path))[0] == 0
    assert harness(*words)[0] in (0, 1)
    change_and_seal_anew(path)
    code, _, err = harness(*words)
    assert code == 2 and f"run {FIRST}" in err and "is not what was accepted" in err
