"""Named releases, each in a venv of its own: made, found, used by a job and removed.

The release here is planted: a wheel that the test makes and pip installs from a folder, since an index may be out of
reach. Real ones are what `harness setup host --runtime ai-edge-litert@2.1.6` installs.
"""

from __future__ import annotations

import json
import os
import platform
import re
import sys
import zipfile
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.device import protocol, venvs
from harness.errors import TargetError
from harness.experiment.request import request_of
from harness.experiment.resolve import experiment_of
from harness.measure.connections import connect
from harness.measure.jobs import job_id, measure
from harness.measure.provision.probe import Here, look_at
from harness.measure.provision.releases import provide_release
from harness.measure.provision.setup import can_be_set_up, setup
from harness.measure.runtimes import absence, release, release_named
from harness.measure.same_device import check_same_device, identity_of
from harness.records import Case, Environment, Shard, Target
from harness.runs.stored_names import as_part, is_safe
from harness.support.unneeded import unneeded
from tests.conftest import Call
from tests.devices import Quiet, device_source, recorded_work
from tests.test_provision import PI, Device, healthy

NAME = "tflite-runtime@9.9"
PLANTED_RELEASE = release("tflite-runtime", "9.9", [platform.machine()], "", "0", "")
PLANTED = '''
import numpy as np

class Interpreter:
    """Answers class 7 to every digit."""

    def __init__(self, model_content, num_threads):
        images = ("images", np.int8, [1, 28, 28], (1 / 255, -128))
        scores = ("scores", np.int8, [1, 10], (1 / 256, -128))
        self.parts = {0: images, 1: scores}

    def allocate_tensors(self): ...
    def set_tensor(self, index, values): ...
    def invoke(self): ...

    def get_input_details(self):
        return [self.details(0)]

    def get_output_details(self):
        return [self.details(1)]

    def details(self, index):
        name, dtype, shape, (scale, zero) = self.parts[index]
        numbers = {"scales": np.array([scale]), "zero_points": np.array([zero])}
        return dict(name=name, index=index, dtype=dtype, shape=np.array(shape), shape_signature=np.array(shape),
                    quantization_parameters=numbers)

    def get_tensor(self, index):
        return np.where(np.arange(10) == 7, 127, -128).astype(np.int8)[None]
'''


def wheel(folder: Path, interpreter: str = PLANTED) -> None:
    """A wheel of tflite-runtime 9.9, and beside its package the path to this test's numpy."""
    info, numpy = "tflite_runtime-9.9.dist-info", str(Path(np.__file__).parents[1])
    files = {
        "tflite_runtime/__init__.py": "",
        "tflite_runtime/interpreter.py": interpreter,
        "numpy_of_the_test.pth": numpy + "\n",
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: tflite-runtime\nVersion: 9.9\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"])
    folder.mkdir()
    with zipfile.ZipFile(folder / "tflite_runtime-9.9-py3-none-any.whl", "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)


@pytest.mark.slow  # a venv takes seconds
def test_a_job_runs_with_the_release_that_it_names_and_the_others_do_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel(tmp_path / "wheels")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    monkeypatch.setattr("harness.measure.connections.device_code.SOURCE", device_source(tmp_path))
    target, said = Target("host", workdir=str(tmp_path / "device")), list[str]()
    device = Here(target)
    provide_release(device, look_at(device), NAME, PLANTED_RELEASE, said.append)
    assert said == ["host: installing tflite-runtime==9.9", f"host: {NAME} works"]
    assert look_at(device).engines == {NAME: "9.9"}
    (folder,) = (tmp_path / "device" / "engines").iterdir()
    assert folder.name.startswith(f"{NAME}-") and json.loads((folder / venvs.ABOUT).read_text())["version"] == "9.9"

    setup(target, said.append, [NAME, f"{NAME}:reference"])
    assert said[-1] == f"host: {NAME} is there"

    whole = recorded_work()
    cases = tuple(Case("int8", "host", runtime, 1) for runtime in ("ai-edge-litert", NAME, "tflite-runtime@9.8"))
    work = replace(whole, target=target, cases=cases, plan=replace(whole.plan, rounds=1))
    with closing(connect(target, "a-run")) as connection:
        assert connection.environment.runtimes[NAME] == "9.9"
        pieces = list(measure(work, connection, tmp_path / "raw", Quiet()))
    shards = {piece.case.runtime: np.asarray(piece.outputs[0]) for piece in pieces if isinstance(piece, Shard)}
    assert set(shards) == {"ai-edge-litert", NAME}
    assert (shards[NAME].argmax(axis=1) == 7).all() and not (shards["ai-edge-litert"].argmax(axis=1) == 7).all()
    timed = [piece for piece in pieces if piece.case.runtime == NAME and not isinstance(piece, Shard)]
    assert timed and all(piece.status != "failed" for piece in timed)  # a round is no fork: its process was started so

    os.utime(folder / venvs.ABOUT, (0, 0))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nothing"))
    cache = tmp_path
    (old,) = unneeded(cache, tmp_path / "results", 30)
    assert old.path == folder and old.why.startswith("an engine, not used for ")


def test_a_release_that_does_not_work_is_told_and_leaves_nothing() -> None:
    works, fails = (0, b"", b""), (1, b"", b"ImportError: GLIBC_2.38 not found")
    device = Device(works, works, works, fails)  # folder, venv, pip; the import
    with pytest.raises(TargetError, match=r"tflite-runtime@9\.9 does not work on pi: .*GLIBC_2\.38"):
        provide_release(device, healthy(), NAME, PLANTED_RELEASE, lambda text: None)
    assert [argv[0] for argv in device.asked if argv[0] in ("mv", "rm")] == ["rm"]
    assert device.asked[-1][:2] == ["rm", "-rf"] and device.asked[-1][2].endswith(".part")


def test_a_device_behind_ssh_gets_its_venv_by_the_same_steps() -> None:
    device = Device()
    named = release_named("ai-edge-litert@2.1.6", "aarch64", "3.11.2", "2.36")
    assert named and named.needed == ("ai-edge-litert==2.1.6", "numpy")
    provide_release(device, healthy(), "ai-edge-litert@2.1.6", named, lambda text: None)
    pips = [argv for argv in device.asked if "pip" in argv]
    assert pips[0][-2:] == ["ai-edge-litert==2.1.6", "numpy"]
    moved = next(argv for argv in device.asked if argv[0] == "mv")
    assert moved[1].startswith(moved[2]) and moved[2].startswith("./w/engines/ai-edge-litert@2.1.6-")
    assert all("./w/venv" not in word for argv in device.asked for word in argv)  # the harness' own is left alone


def test_a_half_made_venv_is_no_engine(tmp_path: Path) -> None:
    folder = tmp_path / "engines" / "x"
    (folder / "bin").mkdir(parents=True)
    assert venvs.venvs(str(tmp_path)) == {}
    (folder / venvs.ABOUT).write_text('{"engine": "ai-edge-litert@1.0.0", "version": "1.0.0"}')
    assert venvs.venvs(str(tmp_path)) == {}  # its Python is gone
    (folder / "bin" / "python").symlink_to("/bin/sh")
    (folder / "lib" / "python3.7").mkdir(parents=True)
    assert venvs.venvs(str(tmp_path)) == {}  # the system's Python is another one since, which finds no package there
    (folder / "lib" / "python{}.{}".format(*sys.version_info)).mkdir()
    assert venvs.venvs(str(tmp_path)) == {"ai-edge-litert@1.0.0": (str(folder), "1.0.0")}
    part = folder.rename(folder.with_name("x.123.part"))
    assert venvs.venvs(str(tmp_path)) == {}  # it was not yet seen to work
    part.rename(folder)
    (folder / venvs.ABOUT).write_text('{"engine": ')
    assert venvs.venvs(str(tmp_path)) == {}


def test_this_machine_is_set_up_only_for_a_release_that_is_named(harness: Call) -> None:
    assert can_be_set_up(PI) and not can_be_set_up(Target("host"))
    assert can_be_set_up(Target("host"), ["tflite-runtime", "ai-edge-litert@2.1.6:reference"])
    assert not can_be_set_up(Target("old", kind="replay"), ["ai-edge-litert@2.1.6"])
    request = request_of(experiment_of("digits"), runtimes=["ai-edge-litert@2.1.6"], setup=True)  # it is not refused
    assert request.setup
    code, _, err = harness("setup", "host")
    assert code == 2 and "harness setup host --runtime ai-edge-litert@2.1.6" in err
    code, _, err = harness("setup", "host", "--runtime", "ai-edge-litert@new")
    assert code == 2 and "'new' is no release" in err


def test_what_is_not_there_says_how_it_is_had_or_that_it_cannot_be() -> None:
    here = Environment(python="3.11.7", machine="x86_64", glibc="2.36", runtimes={"ai-edge-litert": "2.3.0"})
    missing = Case("int8", "host", "ai-edge-litert@2.1.6:reference", 1)
    told = (
        "ai-edge-litert@2.1.6 is not installed on host; harness setup host --runtime ai-edge-litert@2.1.6 installs it"
    )
    assert absence(missing, here) == ("failed", told)
    old = replace(here, glibc="2.31")
    status, why = absence(replace(missing, runtime="ai-edge-litert@2.3.0"), old)
    assert status == "unsupported" and why.endswith("does not run with Python 3.11.7, x86_64, glibc 2.31")
    micro, board = replace(missing, runtime="tflite-micro"), replace(here, machine="aarch64")
    told = "there is no tflite-micro for Python 3.12.1"
    assert absence(micro, replace(here, python="3.12.1")) == ("unsupported", told)
    told = "there is no tflite-micro for the processor aarch64 with Python 3.11.7"
    assert absence(micro, board) == ("unsupported", told)
    assert here.version_of("ai-edge-litert:reference") == "2.3.0" and here.version_of("ai-edge-litert@2.3.0") is None


@pytest.mark.parametrize(
    ("runtime", "where"),
    [
        ("tflite-runtime@2.15.0", {"python": "3.12.1"}),
        ("tflite-micro@0.dev1:reference", {"machine": "aarch64"}),
        ("ai-edge-litert@2.9.9", {"python": "3.15.0", "machine": "armv7l"}),
    ],
)
def test_a_release_that_nobody_tried_yet_is_failed_and_not_unsupported(runtime: str, where: dict[str, Any]) -> None:
    """What is listed of its library says nothing of it, and a rule would leave it out."""
    there = replace(Environment(python="3.11.7", machine="x86_64", glibc="2.36"), **where)
    status, why = absence(Case("int8", "pi", runtime, 1), there)
    name = runtime.partition(":")[0]
    assert (status, why) == (
        "failed", f"{name} is not installed on pi; harness setup pi --runtime {name} installs it"
    )  # fmt: skip


@pytest.mark.parametrize(("release", "is_old"), [("1.4.0", True), ("2.1.6", True), ("2.2.0", False), ("2.10.0", False)])
def test_a_release_that_is_too_old_for_its_kernels_is_told_apart(release: str, is_old: bool) -> None:
    """No setup helps there."""
    here = Environment(python="3.11.7", machine="x86_64", glibc="2.36")
    status, why = absence(Case("int8", "host", f"ai-edge-litert@{release}:compiled", 1), here)
    too_old = f"ai-edge-litert:compiled needs release 2.2 or later, and {release} is named"
    assert status == "failed" and (why == too_old) == is_old and ("harness setup" in why) != is_old


def test_a_run_goes_on_where_releases_that_it_does_not_use_are_gone() -> None:
    then = Environment(python="3.11.7", runtimes={"ai-edge-litert": "2.3.0", NAME: "9.9"})
    now = replace(then, runtimes={"ai-edge-litert": "2.3.0"})
    other, own = (Case("int8", "host", runtime, 1) for runtime in ("ai-edge-litert:reference", f"{NAME}:reference"))
    check_same_device("host", "run", identity_of(then, [other]), now)
    with pytest.raises(TargetError, match=r"tflite-runtime@9\.9 was 9\.9, and is None"):
        check_same_device("host", "run", identity_of(then, [other, own]), now)


def test_names_of_engines_become_parts_of_paths() -> None:
    name = "int8.host.ai-edge-litert@2.1.6:reference.json"
    assert as_part(name) == "int8.host.ai-edge-litert@2.1.6%3Areference.json"
    assert is_safe(as_part(name))
    assert as_part("a%3Ab") == "a%253Ab"  # and no other name's
    case = Case("int8", "host", "ai-edge-litert@2.1.6:reference", 1)
    ids = {job_id(replace(case, runtime=name), "outputs", 0) for name in (case.runtime, "ai-edge-litert@2.1.6")}
    assert len(ids) == 2 and all(re.fullmatch(protocol.NAME, each) for each in ids)
