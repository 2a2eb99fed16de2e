"""targets/<name>.toml → Target, and what a user gets wrong in one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness.errors import ConfigError
from harness.measure.targets import cli_name, known_targets, read_target, select_targets

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


def test_a_file_may_spell_a_release_shorter(folder):
    (folder / "short.toml").write_text('kind = "local"\nruntimes = ["ai-edge-litert@2.3", "ai-edge-litert@2.3.0"]')
    (target,) = select_targets(("short",), folder)
    assert target.runtimes == ("ai-edge-litert@2.3.0",)


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
        ('kind = "ssh"\nthread = [1]', ":2: unknown key 'thread'"),
        ('kind = "serial"', ":1: kind: 'serial' cannot be used"),
        ('host = "pi"', ":1: has no kind"),
        ('kind = "local"\nthreads = 4', ":2: threads: 4 cannot be used"),
        ('kind = "local"\n\nthreads = [1, 0]', ":3: threads: 0 cannot be used"),
        ('kind = "local"\nthreads = []', ":2: threads: [] cannot be used"),
        ('kind = "local"\nruntimes = []', ":2: runtimes: [] cannot be used"),
        ('kind = "local"\nruntimes = ["tensorrt"]', ":2: runtimes: "),
        ('kind = "local"\nstart_temperature_c = nan', ":2: start_temperature_c: nan cannot be used"),
        ('kind = "local"\nstart_temperature_c = -1.0', ":2: start_temperature_c: -1.0 cannot be used"),
        ('kind = "local"\ncooldown_timeout_s = inf', ":2: cooldown_timeout_s: inf cannot be used"),
        ('kind = "local"\ncooldown_timeout_s = -0.5', ":2: cooldown_timeout_s: -0.5 cannot be used"),
        ('kind = "local"\nemulated = "perhaps"', ":2: emulated: 'perhaps' cannot be used"),
    ],
)
def test_an_error_names_the_file_the_line_and_the_key(folder, text, said):
    path = write(folder, "broken", text)
    with pytest.raises(ConfigError, match=f"^{re.escape(str(path))}{re.escape(said)}") as caught:
        read_target(path)
    assert caught.value.advice


def test_the_nearest_key_is_told_and_a_byte_order_mark_does_no_harm(folder):
    with pytest.raises(ConfigError) as caught:
        read_target(write(folder, "broken", '\ufeffkind = "ssh"\nhsot = "pi"'))
    assert "did you mean host?" in caught.value.advice


def test_a_broken_file_of_another_target_is_not_read(folder):
    write(folder, "broken", "kind = ")
    write(folder, "pi", PI)
    assert [t.name for t in select_targets(("host", "pi"), folder)] == ["host", "pi"]
    with pytest.raises(ConfigError, match=r"broken\.toml"):
        select_targets(("*",), folder)


def test_a_file_that_is_no_toml_names_the_file_and_the_line(folder):
    path = write(folder, "broken", 'kind = "local"\nthreads = [1 2]')
    with pytest.raises(ConfigError, match=re.escape(str(path)) + r" is not TOML: .*line 2"):
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


# Destinations of ssh, without a file.


@pytest.mark.parametrize(
    ("destination", "name"),
    [
        ("pi@raspberrypi.local", "pi-raspberrypi.local"),
        ("raspberrypi.local", "raspberrypi.local"),
        ("ssh://pi@10.0.0.7:2222", "pi-10.0.0.7-2222"),
        ("pi@fe80::1%eth0", "pi-fe80-1-eth0"),
    ],
)
def test_an_ssh_destination_is_a_target_whose_name_may_name_a_folder(folder, destination, name):
    (target,) = select_targets((destination,), folder)
    assert (target.kind, target.host, target.name) == ("ssh", destination, name)
    assert target.workdir == "~/.cache/edge-harness"


@pytest.mark.parametrize(
    "text", ["-oProxyCommand=x@y", "a b@c", "targets/pi.toml", "../pi@x", "@", "...", "pi@*", "nowhere-at-all"]
)
def test_what_is_no_destination_is_no_target(folder, text):
    with pytest.raises(ConfigError, match="there is no target"):
        select_targets((text,), folder)


def test_a_destination_needs_no_ssh_to_be_told_from_a_typing_error(folder, monkeypatch):
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(ConfigError, match="there is no target 'hots'"):
        select_targets(("hots",), folder)


def test_two_destinations_do_not_share_a_name(folder):
    with pytest.raises(ConfigError, match="two of the targets would be called"):
        select_targets(("pi@x.local", "pi:x.local"), folder)


def test_the_same_target_asked_for_twice_is_one(folder):
    assert len(select_targets(("pi@x.local", "host", "pi@x.local", "h*"), folder)) == 2


def test_somebody_elses_home_is_no_workdir(folder):
    with pytest.raises(ConfigError, match="~user paths are not supported"):
        read_target(write(folder, "pi", 'kind = "ssh"\nworkdir = "~ann/x"'))


@pytest.mark.parametrize("destination", ["pi@x.local", "ssh://pi@x.local:22", "x.local"])
def test_advice_names_a_destination_as_the_user_did(folder, destination):
    (target,) = select_targets((destination,), folder)
    assert cli_name(target) == destination


def test_advice_names_a_described_target_by_its_name(folder):
    assert cli_name(read_target(write(folder, "my pi", PI))) == "'my pi'"
