"""device/engines.py: which runtimes there are, without importing one."""

from __future__ import annotations

import re
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version

from harness.device import engines
from harness.device.engines import ENGINES, KERNELS, Engine, parse

LIBRARIES = st.sampled_from(sorted(ENGINES))
NUMBER = "(0|[1-9][0-9]{0,2})"
RELEASES = st.from_regex(rf"\A{NUMBER}(\.{NUMBER}){{0,3}}((rc|\.dev|\.post){NUMBER})?\Z")


@given(data=st.data(), library=LIBRARIES, release=st.just("") | RELEASES)
def test_every_engine_is_what_its_name_is_parsed_to(data: st.DataObject, library: str, release: str) -> None:
    engine = Engine(library, release, data.draw(st.sampled_from(["", *KERNELS.get(library, {})])))
    assert parse(str(engine)) == engine
    assert engines.installation(str(engine)) == str(Engine(library, release, ""))


@given(st.text("ab-e2.@:", max_size=12) | st.text(max_size=30))
def test_a_name_is_an_engine_as_it_stands_or_is_refused(name: str) -> None:
    try:
        engine = parse(name)
    except ValueError as error:
        assert "; " in str(error)
    else:
        assert str(engine) == name


def test_what_a_name_is_made_of() -> None:
    assert parse("ai-edge-litert") == ("ai-edge-litert", "", "")
    assert parse("ai-edge-litert@2.1.6:reference") == ("ai-edge-litert", "2.1.6", "reference")
    assert parse("tflite-micro@0.dev20261023182759") == ("tflite-micro", "0.dev20261023182759", "")


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("tensorrt", "there is no runtime 'tensorrt'; the runtimes are ai-edge-litert, tflite-runtime, tflite-micro"),
        ("", "there is no runtime ''"),
        (
            "ai-edge-litert:fast",
            "ai-edge-litert has no kernels 'fast'; it has ai-edge-litert:builtin and ai-edge-litert",
        ),
        ("ai-edge-litert:", "'ai-edge-litert:' ends too early; did you mean ai-edge-litert?"),
        ("tflite-runtime:gpu", "tflite-runtime has no kernels 'gpu'; it has tflite-runtime:builtin and tflite-runtime"),
        ("tflite-micro:reference", "tflite-micro has no kernels 'reference'; it has its own alone"),
        (
            "ai-edge-litert@:reference",
            "'ai-edge-litert@:reference' ends too early; did you mean ai-edge-litert:reference?",
        ),
        ("ai-edge-litert@new", "'new' is no release of ai-edge-litert; write one as in ai-edge-litert@2.1.6"),
        ("ai-edge-litert@2.1.6@2.2.0", "'2.1.6@2.2.0' is no release"),
        ("ai-edge-litert@2..1", "'2..1' is no release"),
        ("ai-edge-litert@2.", "'2.' is no release"),
        ("ai-edge-litert@2/..", "'2/..' is no release"),
        ("ai-edge-litert@2..3", "'2..3' is no release"),
        ("ai-edge-litert@2.1.", "'2.1.' is no release"),
        ("ai-edge-litert@02.1.6", "'02.1.6' is no release"),
        ("ai-edge-litert@2.3.0+cpu", "'2.3.0+cpu' is no release"),
        ("ai-edge-litert@2.3.0\n", "'2.3.0\\n' is no release"),
        ("ai-edge-litert:reference@2.1.6", "ai-edge-litert has no kernels 'reference@2.1.6'"),
    ],
)
def test_what_is_wrong_with_a_name(name: str, wrong: str) -> None:
    with pytest.raises(ValueError, match="^" + re.escape(wrong)):
        parse(name)


def test_kernels_of_one_library_have_one_version() -> None:
    assert engines.version("ai-edge-litert:reference") == engines.version("ai-edge-litert")


@pytest.mark.parametrize("name", ["ai-edge-litert@1.4.0", "ai-edge-litert@1.4.0:reference", "tflite-micro@0.dev1"])
def test_no_other_release_runs_than_the_one_that_is_named(name: str) -> None:
    there = engines.installation(name)
    with pytest.raises(RuntimeError, match=f"^{there} is not installed: this Python has .*; harness setup TARGET"):
        engines.interpreter_class(name)
    assert engines.version(name) is None


def test_the_installed_release_runs_under_its_own_name_however_it_is_spelled() -> None:
    there = engines.version("ai-edge-litert")
    assert there and there.endswith(".0")
    for spelled in (there, there[:-2]):
        assert engines.version(f"ai-edge-litert@{spelled}") == there
        assert engines.interpreter_class(f"ai-edge-litert@{spelled}") is engines.interpreter_class("ai-edge-litert")


@given(RELEASES, RELEASES)
def test_releases_are_the_same_as_pip_sees_them(one: str, other: str) -> None:
    assert engines.same_release(one, other) == (Version(one) == Version(other))
    assert engines.same_release(f"{one}+local", one)


def test_asking_what_is_installed_imports_no_runtime() -> None:
    script = (
        "import sys; from harness.device import engines; found = engines.installed(); assert any(found.values());"
        "print([m for m in sys.modules if m.split('.')[0] in ('tflite_runtime', 'ai_edge_litert')])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_runtime_that_is_not_there_has_no_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(engines.ENGINES, "made-up", "no_such_package.interpreter")
    assert engines.version("made-up") is None
    assert engines.installed()["made-up"] is None


def test_a_runtime_without_metadata_is_there_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(engines.ENGINES, "made-up", "json.decoder")
    assert engines.version("made-up") == "unknown"


@pytest.mark.parametrize(("scales", "zero_points", "expected"), [([], [], (None, None)), ([0.5], [-128], (0.5, -128))])
def test_a_tensor_is_described_in_plain_numbers(
    scales: list[float], zero_points: list[int], expected: tuple[float | None, int | None]
) -> None:
    told = engines.describe(
        {
            "name": "x",
            "index": np.int32(3),
            "dtype": np.int8,
            "shape": np.array([1, 28, 28], np.int32),
            "quantization_parameters": {"scales": np.array(scales, "f4"), "zero_points": np.array(zero_points, "i4")},
        }
    )
    assert told == {
        "name": "x", "index": 3, "dtype": "int8", "shape": [1, 28, 28], "scale": expected[0], "zero_point": expected[1]
    }  # fmt: skip
    assert type(told["index"]) is int
