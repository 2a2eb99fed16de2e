"""Signatures over a run's manifest, by the real ssh-keygen."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from harness.errors import StoreError
from harness.runs import seal
from harness.runs.loading import load
from harness.runs.store import Store
from tests.conftest import Call
from tests.sealed_runs import RUN_ID, sealed_run, unfinished_run
from tests.test_seal import other_labels

pytestmark = pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="OpenSSH is not installed")
SECOND = "20260102-000000-0000"


def key(folder: Path, name: str) -> Path:
    made = folder / name
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(made)], check=True)
    return made


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with alice's and mallory's keys, and allowed_signers with alice's alone."""
    folder = tmp_path_factory.mktemp("keys")
    alice, _ = key(folder, "alice"), key(folder, "mallory")
    (folder / "allowed").write_text(f"alice@example.com {alice.with_suffix('.pub').read_text()}")
    return folder


def test_a_signed_run_is_judged_and_no_other(tmp_path: Path, keys: Path, harness: Call) -> None:
    run = sealed_run(tmp_path)
    gate = ("gate", RUN_ID, "--results", str(tmp_path), "--require-signature", str(keys / "allowed"))
    code, out, err = harness(*gate)
    assert (code, out) == (2, "") and "is not signed" in err
    assert harness("seal", RUN_ID, "--sign", str(keys / "alice"), "--results", str(tmp_path))[0] == 0
    code, out, _ = harness(*gate)
    assert code in (0, 1) and out
    code, out, _ = harness("seal", RUN_ID, "--signers", str(keys / "allowed"), "--results", str(tmp_path))
    assert code == 0 and "signed by alice@example.com" in out

    (run / "manifest.json.sig").unlink()
    harness("seal", RUN_ID, "--sign", str(keys / "mallory"), "--results", str(tmp_path))
    code, out, err = harness(*gate)
    assert (code, out) == (2, "") and "by none of" in err


def test_a_new_manifest_is_not_what_was_signed(tmp_path: Path, keys: Path, harness: Call) -> None:
    """Who changes a run can seal it anew, and not sign it."""
    run = sealed_run(tmp_path)
    harness("seal", RUN_ID, "--sign", str(keys / "alice"), "--results", str(tmp_path))
    other_labels(run)
    seal.seal(run, RUN_ID, (run / "run.json").read_bytes(), {})
    assert load(run).unsealed == ""  # a seal alone says no more
    gate = ("gate", RUN_ID, "--results", str(tmp_path), "--require-signature", str(keys / "allowed"))
    code, out, err = harness(*gate)
    assert (code, out) == (2, "") and "by none of" in err


def test_a_run_that_says_it_is_older_than_seals_is_refused(tmp_path: Path, keys: Path, harness: Call) -> None:
    run = sealed_run(tmp_path)
    harness("seal", RUN_ID, "--sign", str(keys / "alice"), "--results", str(tmp_path))
    (run / "manifest.json").unlink()
    content = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps(content | {"schema_version": 3}))
    gate = ("gate", RUN_ID, "--results", str(tmp_path), "--require-signature", str(keys / "allowed"))
    code, out, err = harness(*gate)
    assert (code, out) == (2, "") and "stored before runs were sealed" in err


def test_a_signature_for_something_else_is_none(tmp_path: Path, keys: Path, harness: Call) -> None:
    run = sealed_run(tmp_path)
    argv = ["ssh-keygen", "-q", "-Y", "sign", "-n", "file", "-f", str(keys / "alice"), str(run / "manifest.json")]
    subprocess.run(argv, check=True, capture_output=True)
    code, _, err = harness("gate", RUN_ID, "--results", str(tmp_path), "--require-signature", str(keys / "allowed"))
    assert code == 2 and "by none of" in err


def test_an_unfinished_run_cannot_be_signed(tmp_path: Path, keys: Path, harness: Call) -> None:
    unfinished_run(tmp_path)
    code, _, err = harness("seal", RUN_ID, "--sign", str(keys / "alice"), "--results", str(tmp_path))
    assert code == 2 and "not sealed: it is not finished" in err
    code, _, err = harness("gate", RUN_ID, "--require-signature", str(keys / "allowed"), "--results", str(tmp_path))
    assert code == 2 and "not finished" in err


def test_the_reference_must_be_signed_too(tmp_path: Path, keys: Path, harness: Call) -> None:
    for run_id in (RUN_ID, SECOND):
        sealed_run(tmp_path, run_id)
    harness("seal", SECOND, "--sign", str(keys / "alice"), "--results", str(tmp_path))
    policy = tmp_path / "policy.toml"
    policy.write_text('[[rule]]\nmetric = "accuracy_drop"\nmax = "5pp"\nagainst = "reference"\n')
    words = ("gate", SECOND, "--reference", RUN_ID, "--policy", str(policy), "--results", str(tmp_path))
    code, _, err = harness(*words, "--require-signature", str(keys / "allowed"))
    assert code == 2 and f"{RUN_ID} is not signed" in err
    harness("seal", RUN_ID, "--sign", str(keys / "alice"), "--results", str(tmp_path))
    assert harness(*words, "--require-signature", str(keys / "allowed"))[0] in (0, 1)


def test_what_is_signed_stays_as_it_is(tmp_path: Path, keys: Path, harness: Call) -> None:
    sealed_run(tmp_path)
    harness("seal", RUN_ID, "--sign", str(keys / "alice"), "--results", str(tmp_path))
    with pytest.raises(StoreError, match="finished and signed"):
        Store(tmp_path).reopen(RUN_ID)


@pytest.mark.parametrize("option", ["--sign", "--signers"])
def test_a_file_that_is_not_there_is_named(tmp_path: Path, harness: Call, option: str) -> None:
    sealed_run(tmp_path)
    code, _, err = harness("seal", RUN_ID, option, str(tmp_path / "nowhere"), "--results", str(tmp_path))
    assert code == 2 and "nowhere" in err
