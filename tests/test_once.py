"""measure/once.py: a file run on this machine, which may crash, hang, or keep state (test_model_state.py)."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from harness.errors import BuildError
from harness.measure import once
from harness.records import Affine
from tests import stateful_files as files

ENDS, NEVER = -1.0, 1.0  # for which x the endless file ends


def run(folder: Path, content: bytes, *x: float) -> list[float]:
    path = folder / "a.tflite"
    path.write_bytes(content)
    (answers,) = once.run_once(path, (np.array(x, np.float32)[:, None],), [Affine()])
    found: list[float] = answers.ravel().tolist()
    return found


def test_a_file_that_never_ends_is_given_up_and_its_process_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(once, "NO_ANSWER_S", 2.0)
    begin = time.monotonic()
    with pytest.raises(BuildError, match="has no answer for 2 s") as caught:
        run(tmp_path, files.endless(), ENDS, NEVER)
    assert time.monotonic() - begin < 15
    assert "loop" in (caught.value.advice or "")


@pytest.mark.parametrize("does", ["while True: print('.', flush=True)", "os.close(1); time.sleep(60)"])
def test_a_process_is_given_up_whatever_it_says(does: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that never stops to talk, and one that closed its stdout and stays."""
    monkeypatch.setattr(once, "NO_ANSWER_S", 1.0)
    begin = time.monotonic()
    with subprocess.Popen([sys.executable, "-c", f"import os, time\n{does}"], stdout=subprocess.PIPE) as process:
        try:
            with pytest.raises(BuildError, match="has no answer"):
                once.watch(process, 2.0)
        finally:
            process.kill()
    assert time.monotonic() - begin < 10


def test_a_file_that_ends_is_not_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(once, "NO_ANSWER_S", 10.0)
    assert run(tmp_path, files.endless(), ENDS, ENDS, 0.0) == [ENDS, ENDS, 0.0]


def test_a_float_output_that_carries_a_scale_is_not_multiplied_by_it(tmp_path: Path) -> None:
    assert run(tmp_path, files.float_with_scale(), 3.0, -4.0) == [6.0, -8.0]
