"""Which runtimes there are, and for which Python they never were."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from harness.device.engines import ENGINES, SIMULATED
from harness.errors import ConfigError
from harness.measure.runtimes import RELEASES, check_runtimes, exists_for, release_for, release_named, version_of
from harness.records import Target

PROJECT = Path(__file__).parent.parent / "pyproject.toml"


@pytest.mark.parametrize(
    ("runtime", "python", "exists"),
    [
        ("tflite-runtime", "3.9.2", True),
        ("tflite-runtime", "3.11.14", True),
        ("tflite-runtime", "3.12.0", False),
        ("tflite-runtime", "3.13.1", False),
        ("ai-edge-litert", "3.13.1", True),
        ("tflite-runtime", None, True),  # unknown is no excuse
    ],
)
def test_last_python_of_a_runtime(runtime, python, exists):
    assert exists_for(runtime, python) == exists


def test_names_are_kept_in_order_each_once():
    names = ["tflite-runtime", "ai-edge-litert", "tflite-runtime"]
    assert check_runtimes(names) == ("tflite-runtime", "ai-edge-litert")
    assert check_runtimes([]) == ()


def test_a_listed_release_has_one_spelling():
    names = ["ai-edge-litert@2.3:reference", "ai-edge-litert@2.3.0:reference", "tflite-runtime@2.14.0.0"]
    assert check_runtimes(names) == ("ai-edge-litert@2.3.0:reference", "tflite-runtime@2.14.0")
    assert check_runtimes(["ai-edge-litert@2.1.6"]) == ("ai-edge-litert@2.1.6",)  # another than 2.1.0
    short = release_named("ai-edge-litert@2.3", "x86_64", "3.11.7", "2.31")
    assert short is None  # as 2.3.0, which needs glibc 2.34


def test_an_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(ConfigError, match="no runtime 'tensorrt'") as caught:
        check_runtimes(["ai-edge-litert", "tensorrt"])
    assert "tflite-runtime" in caught.value.advice
    assert "ai-edge-litert" in caught.value.advice


@pytest.mark.parametrize(
    ("runtime", "machine", "python", "glibc", "version"),
    [
        ("ai-edge-litert", "aarch64", "3.11.2", "2.36", "2.3.0"),  # Debian 12
        ("ai-edge-litert", "aarch64", "3.9.2", "2.31", "2.1.0"),  # Debian 11
        ("tflite-runtime", "aarch64", "3.9.2", "2.31", "2.13.0"),
        ("tflite-runtime", "armv7l", "3.11.2", "2.36", "2.14.0"),
        ("ai-edge-litert", "armv7l", "3.11.2", "2.36", None),
        ("tflite-runtime", "x86_64", "3.12.0", "2.39", None),
        ("ai-edge-litert", "x86_64", "3.13.0+", "2.39", "2.3.0"),  # built from its sources
        ("ai-edge-litert", "x86_64", "", "", None),  # it does not say what it is
    ],
)
def test_the_newest_release_that_runs_on_a_device(runtime, machine, python, glibc, version):
    release = release_for(runtime, machine, python, glibc)
    assert (release.version if release else None) == version


@pytest.mark.parametrize(
    ("text", "version"),
    [("3.11.2", "3.11.2"), ("3.12.0+", "3.12.0"), ("3.14.0rc1", "3.14.0"), ("2.36", "2.36"), ("", "0"), ("x", "0")],
)
def test_a_version_as_a_device_says_it(text, version):
    assert str(version_of(text)) == version


def test_a_runtime_is_named_once():
    """Its releases, the pins for this machine and what a target has by itself are all of engines.py's runtimes."""
    assert {release.runtime for release in RELEASES} == set(ENGINES)
    assert Target("host").runtimes == tuple(name for name in ENGINES if name not in SIMULATED)
    project = tomllib.loads(PROJECT.read_text())["project"]
    pinned = project["dependencies"] + project["optional-dependencies"]["micro"]
    pins = {r.name: r for r in map(Requirement, pinned)}
    for name in ENGINES:
        release = release_for(name, "x86_64", "3.11", "2.36")
        assert release
        assert str(pins[name].specifier) == f"=={release.version}"
