"""targets/<name>.toml → Target, and what a user gets wrong in one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness.errors import ConfigError
from harness.targets import known_targets, read_target, select_targets

PI = """
kind = "ssh"
host = "raspberrypi.local"
runtimes = ["tflite-runtime"]
threads = [1, 4]
labels = ["pi4"]
"""


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "targets").mkdir()
    return tmp_path / "targets"


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / f"{name}.toml"
    path.write_text(text)
    return path


def test_a_file_becomes_a_target_of_its_name(folder):
    target = read_target(write(folder, "raspberry-pi-4", PI))
    assert (target.name, target.kind, target.host) == ("raspberry-pi-4", "ssh", "raspberrypi.local")
    assert (target.runtimes, target.threads, target.labels) == (("tflite-runtime",), (1, 4), ("pi4",))
    assert (target.start_temperature_c, target.cooldown_timeout_s, target.emulated) == (60, 120, False)


def test_host_exists_without_a_file_or_a_folder(tmp_path):
    (host,) = select_targets((), tmp_path / "nowhere")
    assert (host.name, host.kind) == ("host", "local")
    assert host.runtimes == ("ai-edge-litert", "tflite-runtime")
    assert host.threads == (1,)


def test_a_local_target_works_in_the_cache_with_a_file_or_without(folder, tmp_path):
    expected = str(tmp_path / "cache" / "edge-harness" / "device")
    assert known_targets(folder)["host"].workdir == expected
    write(folder, "host", 'kind = "local"\nthreads = [2]')
    host = known_targets(folder)["host"]
    assert (host.workdir, host.threads) == (expected, (2,))


def test_a_distant_target_works_in_its_own_cache(folder):
    assert read_target(write(folder, "pi", PI)).workdir == "~/.cache/edge-harness"


@pytest.mark.parametrize("kind", ["local", "ssh"])
def test_a_workdir_that_is_given_is_taken(folder, kind):
    assert read_target(write(folder, "pi", f'kind = "{kind}"\nworkdir = "/data/here"')).workdir == "/data/here"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('kind = "ssh"\nthread = [1]', "thread"),
        ('kind = "serial"', "kind"),
        ('host = "pi"', "kind"),
        ('kind = "local"\nthreads = 4', "threads"),
        ('kind = "local"\nthreads = [1, 0]', "threads.1"),
        ('kind = "local"\nthreads = []', "threads"),
        ('kind = "local"\nruntimes = []', "runtimes"),
        ('kind = "local"\nruntimes = ["tensorrt"]', "runtimes"),
        ('kind = "local"\nemulated = "perhaps"', "emulated"),
    ],
)
def test_an_error_names_the_file_and_the_key(folder, text, said):
    path = write(folder, "broken", text)
    with pytest.raises(ConfigError, match=f"^{re.escape(str(path))}: {re.escape(said)}: ") as caught:
        read_target(path)
    assert caught.value.advice


def test_a_file_that_is_no_toml_names_the_file_and_the_line(folder):
    path = write(folder, "broken", 'kind = "local"\nthreads = [1 2]')
    with pytest.raises(ConfigError, match=re.escape(str(path)) + r" is no TOML: .*line 2"):
        read_target(path)


def test_a_file_that_is_no_text_names_the_file(folder):
    path = folder / "broken.toml"
    path.write_bytes(b'kind = "\xff"')
    with pytest.raises(ConfigError, match=re.escape(str(path)) + " cannot be read"):
        read_target(path)


def test_names_and_globs_choose_in_order_each_once(folder):
    for name in ("pi-4", "pi-5"):
        write(folder, name, PI)
    assert [t.name for t in select_targets(("pi-*", "host", "pi-4"), folder)] == ["pi-4", "pi-5", "host"]
    assert [t.name for t in select_targets(("*",), folder)] == ["host", "pi-4", "pi-5"]


def test_a_name_that_matches_nothing_is_refused_with_the_known_ones(folder):
    write(folder, "pi-4", PI)
    with pytest.raises(ConfigError, match=r"no target 'pi-\[5\]'") as caught:
        select_targets(("host", "pi-[5]"), folder)
    assert "host, pi-4" in caught.value.advice


def test_the_targets_of_this_project_can_be_read():
    known = known_targets(Path(__file__).parent.parent / "targets")
    assert known["host"].kind == "local"
