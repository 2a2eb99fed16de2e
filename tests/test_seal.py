"""manifest.json: whatever of a stored run is another, missing or too much is named, and judged by nobody."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from harness.errors import StoreError
from harness.runs import seal
from harness.runs.header import read_header
from harness.runs.loading import check_seal, load
from harness.runs.store import Store
from tests.conftest import Call
from tests.devices import copy_of_recording
from tests.sealed_runs import RUN_ID, overwrite, sealed_run, unfinished_run

ROUND = "raw/host/round-000.int8.ai-edge-litert.t1"
SHARD = "raw/host/shard-000000.int8.ai-edge-litert.t1"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """results/ with one sealed run; tests copy it."""
    results = tmp_path_factory.mktemp("sealed") / "results"
    sealed_run(results)
    return results


@pytest.fixture
def run(whole: Path, tmp_path: Path) -> Path:
    shutil.copytree(whole, tmp_path / "results", symlinks=True)
    return tmp_path / "results" / "digits" / RUN_ID


def other_labels(run: Path) -> str:
    labels = np.load(run / "test/labels.npy")
    (run / "test/labels.npy").unlink()
    np.save(run / "test/labels.npy", np.roll(labels, 1))
    return "test/labels.npy was changed"


def faster(run: Path) -> str:
    timings = np.load(run / ROUND / "latencies.npy")
    timings["ns"] //= 10
    np.save(run / ROUND / "latencies.npy", timings)
    return f"{ROUND}/latencies.npy was changed"


def other_outputs(run: Path) -> str:
    outputs = np.load(run / SHARD / "outputs/0.npy")
    np.save(run / SHARD / "outputs/0.npy", np.roll(outputs, 1, axis=0))
    return f"{SHARD}/outputs/0.npy was changed"


def other_header(run: Path) -> str:
    content = json.loads((run / "run.json").read_text())
    content["targets"][0]["environment"]["governor"] = "performance"
    (run / "run.json").write_text(json.dumps(content))
    return "run.json was changed"


def one_piece_less(run: Path) -> str:
    shutil.rmtree(run / ROUND)
    return f"{ROUND}/latencies.npy is missing"


def one_piece_more(run: Path) -> str:
    shutil.copytree(run / ROUND, run / ROUND.replace("round-000", "round-007"))
    return "round-007.int8.ai-edge-litert.t1/latencies.npy was added"


def other_model(run: Path) -> str:
    shutil.copyfile(run / "variants/float32.tflite", run / "variants/int8.tflite")
    return "variants/int8.tflite was changed"


def other_baseline(run: Path) -> str:
    overwrite(run / "baseline.npy", (run / "baseline.npy").read_bytes()[:-4] + b"\0\0\0\0")
    return "baseline.npy was changed"


def second_baseline(run: Path) -> str:
    shutil.copyfile(run / "baseline.npy", run / "baseline-1.npy")
    return "baseline-1.npy was added"


def no_manifest(run: Path) -> str:
    (run / "manifest.json").unlink()
    return "its manifest.json is missing"


def manifest_of_another(run: Path) -> str:
    content = json.loads((run / "manifest.json").read_text())
    (run / "manifest.json").write_text(json.dumps(content | {"run_id": "20200101-000000-0000"}))
    return "is of run 20200101-000000-0000"


def a_link(run: Path) -> str:
    (run / "plots").mkdir(exist_ok=True)
    (run / "plots" / "elsewhere").symlink_to("/")
    return "elsewhere is a link"


def a_pipe(run: Path) -> str:
    os.mkfifo(run / "test" / "groups.npy")
    return "no regular file"


TAMPERED = (
    other_labels, faster, other_outputs, other_header, one_piece_less, one_piece_more, other_model, other_baseline,
    second_baseline, no_manifest, manifest_of_another, a_link, a_pipe,
)  # fmt: skip


def test_a_run_that_nobody_changed_is_what_was_sealed(run: Path) -> None:
    assert check_seal(run, read_header(run)) == ""
    assert load(run).unsealed == ""
    assert not (run / "arrived.jsonl").exists()


def test_the_manifest_holds_every_file_that_a_verdict_rests_on(run: Path) -> None:
    files = json.loads((run / "manifest.json").read_text())["files"]
    below = [p for folder in ("test", "variants", "raw") for p in (run / folder).rglob("*") if p.is_file()]
    expected = {p.relative_to(run).as_posix() for p in (*below, run / "run.json", run / "baseline.npy")}
    assert set(files) == expected and list(files) == sorted(files)
    for name, known in files.items():
        content = (run / name).read_bytes()
        assert known == {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}


@pytest.mark.parametrize("tamper", TAMPERED, ids=lambda tamper: tamper.__name__)
def test_what_was_changed_is_named_and_not_judged(run: Path, tamper: Callable[[Path], str]) -> None:
    told = tamper(run)
    with pytest.raises(StoreError) as caught:
        load(run)
    assert told in str(caught.value)
    assert caught.value.exit_code == 2 and caught.value.advice


@pytest.mark.parametrize(
    "words", [("gate",), ("report", "--format", "markdown"), ("accept",), ("show", "--sample", "0"), ("seal",)],
    ids=lambda words: words[0],
)  # fmt: skip
def test_no_command_believes_a_changed_run(run: Path, harness: Call, words: tuple[str, ...]) -> None:
    told = other_labels(run)
    code, out, err = harness(words[0], RUN_ID, *words[1:], "--results", str(run.parent.parent))
    assert (code, out) == (2, "") and told in err


def test_compare_believes_neither_side_that_was_changed(run: Path, harness: Call) -> None:
    sealed_run(run.parent.parent, "20260102-000000-0000")
    told = faster(run)
    for pair in ((RUN_ID, "20260102-000000-0000"), ("20260102-000000-0000", RUN_ID)):
        code, out, err = harness("compare", *pair, "--results", str(run.parent.parent))
        assert (code, out) == (2, "") and told in err


def test_a_changed_reference_is_named(run: Path, harness: Call) -> None:
    sealed_run(run.parent.parent, "20260102-000000-0000")
    policy = run.parent / "policy.toml"
    policy.write_text('[[rule]]\nmetric = "accuracy_drop"\nmax = "5pp"\nagainst = "reference"\n')
    words = ("gate", "20260102-000000-0000", "--policy", str(policy), "--results", str(run.parent.parent))
    assert harness(*words, "--reference", RUN_ID)[0] in (0, 1)
    told = other_outputs(run)
    code, _, err = harness(*words, "--reference", RUN_ID)
    assert code == 2 and told in err


def test_any_byte_of_any_sealed_file_counts(run: Path) -> None:
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    files = sorted(json.loads((run / "manifest.json").read_text())["files"])
    for name in chance.sample(files, 30):
        before = (run / name).read_bytes()
        content = bytearray(before) or bytearray(b"\0")
        if before:
            content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        overwrite(run / name, bytes(content))
        with pytest.raises(StoreError):
            load(run)
        overwrite(run / name, before)
    assert load(run).unsealed == "", f"seed {seed}"


def test_a_finished_run_that_says_it_is_not_is_changed(run: Path) -> None:
    """Else its seal would not be looked at, and other labels be judged."""
    other_labels(run)
    content = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps(content | {"finished": False}))
    for read in (load, lambda path: Store(path.parent.parent).reopen(RUN_ID)):
        with pytest.raises(StoreError, match=r"run\.json was changed"):
            read(run)


def test_many_changed_files_are_counted(run: Path) -> None:
    shutil.rmtree(run / "raw")
    with pytest.raises(StoreError, match=r"further files too"):
        load(run)


def test_a_report_does_not_break_the_seal(run: Path, harness: Call) -> None:
    results = str(run.parent.parent)
    code, _, err = harness("gate", RUN_ID, "--results", results)
    assert code in (0, 1) and "sealed" not in err
    (run / "report.md").write_text("words")
    assert load(run).unsealed == ""
    code, out, _ = harness("seal", RUN_ID, "--results", results)
    assert code == 0 and "is what was measured" in out


# Older and unfinished runs.


def test_an_old_run_is_judged_as_before_and_said_to_be_not_sealed(tmp_path: Path, harness: Call) -> None:
    run_id = copy_of_recording(tmp_path).name
    code, _, err = harness("gate", run_id, "--results", str(tmp_path))
    assert code in (0, 1) and err.count("is not sealed: it was stored before runs were sealed") == 1
    code, out, _ = harness("report", run_id, "--format", "markdown", "--results", str(tmp_path))
    assert code == 0 and out.count("is not sealed") == 1
    assert "not sealed" in harness("list", "--results", str(tmp_path))[1]
    assert harness("seal", run_id, "--results", str(tmp_path))[0] == 2


def test_an_old_run_that_goes_on_is_still_not_sealed(tmp_path: Path) -> None:
    """Nobody saw what became of it since it was measured."""
    path = copy_of_recording(tmp_path)
    Store(tmp_path, trust=True).reopen(path.name).finish()
    assert not (path / "manifest.json").exists() and read_header(path).finished
    assert "before runs were sealed" in check_seal(path, read_header(path))


def test_a_file_that_a_system_leaves_beside_the_pieces_is_sealed_with_them(tmp_path: Path) -> None:
    record = unfinished_run(tmp_path)
    (record.raw("host") / ".DS_Store").write_text("a")
    record.arrived("host")
    record.finish()
    assert check_seal(record.path, read_header(record.path)) == ""


def test_an_unfinished_run_says_that_it_is_not_sealed(tmp_path: Path, harness: Call) -> None:
    unfinished_run(tmp_path)
    code, _, err = harness("gate", RUN_ID, "--results", str(tmp_path))
    assert code in (0, 1) and "is not sealed: it is not finished" in err


@pytest.mark.parametrize("tamper", [other_labels, faster, other_outputs, other_model, other_baseline])
def test_a_run_whose_pieces_were_changed_does_not_go_on(tmp_path: Path, tamper: Callable[[Path], str]) -> None:
    record = unfinished_run(tmp_path)
    told = tamper(record.path)
    with pytest.raises(StoreError) as caught:
        Store(tmp_path).reopen(RUN_ID)
    assert told in str(caught.value) and "measured again" in caught.value.advice


def test_a_piece_that_was_removed_is_measured_again_and_sealed(tmp_path: Path) -> None:
    record = unfinished_run(tmp_path)
    kept = record.path / ROUND
    shutil.move(kept, tmp_path / "aside")
    again = Store(tmp_path).reopen(RUN_ID)
    shutil.copytree(tmp_path / "aside", kept)
    (kept / "stderr.txt").write_text("measured another time")
    again.arrived("host")
    again.finish()
    assert load(record.path).unsealed == ""


def test_what_changes_between_arrival_and_the_end_is_noticed(tmp_path: Path) -> None:
    """The manifest holds what came, not what lies there at the end."""
    record = unfinished_run(tmp_path)
    told = faster(record.path)
    record.finish()
    with pytest.raises(StoreError) as caught:
        load(record.path)
    assert told in str(caught.value)


def test_a_kill_in_the_middle_of_a_note_loses_nothing(tmp_path: Path) -> None:
    """A piece that is not noted was just put in place; a torn line is none."""
    record = unfinished_run(tmp_path)
    noted = record.path / "arrived.jsonl"
    noted.write_text(noted.read_text()[:-40])
    again = Store(tmp_path).reopen(RUN_ID)
    again.arrived("host")
    again.finish()
    assert load(record.path).unsealed == ""


def test_a_kill_between_the_manifest_and_the_end_loses_nothing(tmp_path: Path) -> None:
    record = unfinished_run(tmp_path)
    before = {name: (record.path / name).read_bytes() for name in ("run.json", "arrived.jsonl")}
    record.finish()
    for name, content in before.items():
        (record.path / name).write_bytes(content)
    Store(tmp_path).reopen(RUN_ID).finish()
    assert load(record.path).unsealed == ""


def test_a_finished_run_may_go_on_and_is_sealed_anew(run: Path) -> None:
    store = Store(run.parent.parent)
    record = store.reopen(RUN_ID)
    assert not read_header(run).finished and not (run / "manifest.json").exists()
    assert set(seal.arrived(run)) >= {"", ROUND, SHARD}
    record.finish()
    assert load(run).unsealed == "" and not (run / "arrived.jsonl").exists()


@pytest.mark.parametrize("started_since", [True, False])
def test_a_piece_that_a_power_cut_left_unnoted_is_measured_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, started_since: bool
) -> None:
    """Its hash was not yet on the disk, so nobody knows whether its bytes were. After a mere kill they were."""
    path = unfinished_run(tmp_path).path
    *noted, last = (path / "arrived.jsonl").read_text().splitlines()
    (path / "arrived.jsonl").write_text("\n".join(noted))
    piece = path / json.loads(last)[0]
    now = time.time()
    monkeypatch.setattr(seal, "started_s", lambda: now + 60 if started_since else now - 3600)
    others = set(piece.parent.iterdir()) - {piece}
    Store(tmp_path).reopen(RUN_ID)
    assert piece.exists() != started_since
    assert set(piece.parent.iterdir()) - {piece} == others
