"""What the harness gives to ssh: options, and remote commands that a shell reads again. No board needed."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from harness.errors import ConfigError, TargetError, TargetUnreachable
from harness.measure.connections import link as linking
from harness.measure.connections.link import (
    OUTPUT_LIMIT_BYTES,
    Link,
    check_reachable,
    destination,
    unreachable,
    workdir,
)
from harness.measure.connections.ssh import put
from harness.measure.provision.enroll import knock
from harness.records import Target
from harness.support.text import last_line

PI = Target("pi", "ssh", host="raspberrypi.local")
ODD = ["it's", 'a "b"', "$HOME `id`", "-rf", "*", "a\nb", "", "~", "#", "é", "\\"]


@pytest.fixture
def link() -> Iterator[Link]:
    link = Link(PI)
    yield link
    link.close()


@pytest.fixture
def fake_ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An ssh that runs its last argument in a shell here, in an empty home folder; its argv goes to `asked`."""
    (tmp_path / "home").mkdir()
    ssh = tmp_path / "bin" / "ssh"
    ssh.parent.mkdir()
    asked = shlex.quote(str(tmp_path / "asked"))
    ssh.write_text(
        f"#!/bin/bash\nprintf '%s\\n' \"$@\" > {asked}\nenv > {asked}.environment\n"
        f'cd {shlex.quote(str(tmp_path / "home"))} && HOME=$PWD eval "${{@: -1}}"\n'
    )
    ssh.chmod(0o755)
    monkeypatch.setenv("PATH", f"{ssh.parent}:{os.environ['PATH']}")
    return tmp_path


def options(argv: list[str]) -> dict[str, str]:
    return dict(argv[n + 1].split("=", 1) for n, word in enumerate(argv) if word == "-o")


def test_nothing_is_asked_trusted_or_forwarded(link: Link) -> None:
    given = options(link.ssh())
    assert given["BatchMode"] == "yes" and given["StrictHostKeyChecking"] == "yes"
    assert given["ForwardAgent"] == given["ForwardX11"] == given["PermitLocalCommand"] == "no"
    assert given["ClearAllForwardings"] == "yes"


def test_a_dead_link_is_noticed_within_half_a_minute(link: Link) -> None:
    given = options(link.ssh())
    assert int(given["ServerAliveInterval"]) * (int(given["ServerAliveCountMax"]) + 1) < 30
    assert int(given["ConnectTimeout"]) < 30


def test_the_options_win_over_the_users_configuration(link: Link, tmp_path: Path) -> None:
    (tmp_path / "config").write_text("Host *\n ForwardAgent yes\n StrictHostKeyChecking no\n RemoteCommand reboot\n")
    link.target = replace(PI, ssh_config=str(tmp_path / "config"))
    said = subprocess.run([*link.ssh()[:-2], "-G", *link.ssh()[-2:]], capture_output=True, text=True, check=True).stdout
    assert "stricthostkeychecking true\n" in said and "forwardagent no\n" in said
    assert "reboot" not in said


@pytest.mark.parametrize("host", ["-oProxyCommand=touch hacked", "-V", "pi@host", "ssh://pi@host:22"])
def test_a_host_is_never_an_option(host: str) -> None:
    assert destination(Target("pi", "ssh", host=host))[-2:] == ["--", host]


def test_an_option_of_a_host_reaches_no_shell(tmp_path: Path) -> None:
    link = Link(Target("pi", "ssh", host=f"-oProxyCommand=touch {tmp_path}/hacked"))
    with pytest.raises(TargetError):
        link.call(["true"])
    link.close()
    assert not (tmp_path / "hacked").exists()


def test_what_the_target_names_is_what_ssh_is_given() -> None:
    target = replace(PI, ssh_config="~/my config", user="me", port=2222, identity_file="~/k", host=None)
    home = Path.home()
    given = ["-F", f"{home}/my config", "-l", "me", "-p", "2222", "-i", f"{home}/k"]
    assert destination(target) == [*given, "--", "pi"]


def test_a_remote_command_arrives_word_by_word(link: Link, fake_ssh: Path) -> None:
    code = "import json, sys; print(json.dumps(sys.argv[1:]))"
    done = link.call([sys.executable, "-c", code, *ODD])
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == ODD


def test_a_jump_hosts_questions_are_answered_with_no(link: Link, fake_ssh: Path) -> None:
    for ask in (lambda: link.call(["true"]), lambda: knock(PI, [])):
        ask()
        given = (fake_ssh / "asked.environment").read_text().splitlines()
        assert {"SSH_ASKPASS=/bin/false", "SSH_ASKPASS_REQUIRE=force"} <= set(given)


def test_a_host_that_is_not_known_is_shown_no_key_of_ours(fake_ssh: Path) -> None:
    knock(PI, ["StrictHostKeyChecking=accept-new"])
    asked = (fake_ssh / "asked").read_text().splitlines()
    assert "PreferredAuthentications=none" in asked and "ForwardAgent=no" in asked
    first = next(word for word in asked if word.startswith("StrictHostKeyChecking"))  # the first one counts
    assert first == "StrictHostKeyChecking=accept-new"


def test_what_a_command_may_say_is_limited(link: Link, fake_ssh: Path) -> None:
    done = link.call(["sh", "-c", "yes"], timeout_s=20)
    assert done.returncode != 0
    assert len(done.stdout) == OUTPUT_LIMIT_BYTES


def test_a_command_that_does_not_end_is_given_up(link: Link, fake_ssh: Path) -> None:
    with pytest.raises(TargetUnreachable, match="did not answer within 1 s"):
        link.call(["sleep", "60"], timeout_s=1)


def test_a_machine_without_ssh_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError) as caught:
        Link(PI)
    assert "openssh-client" in caught.value.advice


def test_closing_leaves_no_socket_behind(fake_ssh: Path) -> None:
    link = Link(PI)
    folder = link._sockets
    assert folder.is_dir() and folder.stat().st_mode & 0o777 == 0o700
    link.close()
    link.close()
    assert not folder.exists()


def test_a_device_is_reachable_where_a_login_works(fake_ssh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check_reachable(PI)
    assert (fake_ssh / "asked").read_text().splitlines()[-1] == "true"
    (fake_ssh / "bin" / "ssh").write_text("#!/bin/sh\nexec sleep 60\n")
    monkeypatch.setattr(linking, "KNOCK_S", 0.5)
    with pytest.raises(TargetUnreachable, match=r"^pi did not answer"):
        check_reachable(PI)


# Where things lie there.


@pytest.mark.parametrize(
    ("written", "taken"),
    [
        ("~/.cache/edge-harness", "./.cache/edge-harness"),
        ("~", "./"),
        ("~/-a", "./-a"),
        ("-a", "./-a"),
        ("here and there", "./here and there"),
        ("/data/x", "/data/x"),
    ],
)
def test_a_workdir_needs_no_shell_and_is_no_option(written: str, taken: str) -> None:
    assert workdir(replace(PI, workdir=written)) == taken


@pytest.mark.parametrize("name", [*filter(None, ODD), "~/x", "$(touch hacked)"])
def test_a_file_is_put_where_it_was_meant_to(link: Link, fake_ssh: Path, name: str) -> None:
    put(link, b"content", f"./{name}/{name}.pyz")
    assert [path for path in (fake_ssh / "home").rglob("*") if path.is_file()] == [
        fake_ssh / "home" / name / f"{name}.pyz"
    ]
    assert (fake_ssh / "home" / name / f"{name}.pyz").read_bytes() == b"content"


def test_a_file_that_cannot_be_put_leaves_nothing(link: Link, fake_ssh: Path) -> None:
    (fake_ssh / "home" / "code").mkdir()
    (fake_ssh / "bin" / "sha256sum").write_text("#!/bin/sh\necho damaged\n")
    (fake_ssh / "bin" / "sha256sum").chmod(0o755)
    with pytest.raises(TargetError, match="its hash is wrong"):
        put(link, b"content", "./code/x.pyz")
    assert list((fake_ssh / "home" / "code").iterdir()) == []


# ssh's words.


@pytest.mark.parametrize(
    ("said", "meaning", "advice"),
    [
        ("Host key verification failed.", "not known here", "harness enroll 'my pi'"),
        ("@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nHost key verification failed.", "another host key",
         "ssh-keygen -R"),
        ("pi@x: Permission denied (publickey).", "refused every key", "ssh-copy-id"),
        ("ssh: Could not resolve hostname x: Name or service not known", "has no known address", "ssh_config"),
        ("ssh: connect to host x port 22: Connection refused", "nothing listening", "sshd"),
        ("ssh: connect to host x port 22: No route to host", "does not answer", "switched on"),
        ("Timeout, server x not responding.", "lost my pi", "resume"),
        ("", "lost my pi: the connection broke", "resume"),
    ],
)  # fmt: skip
def test_sshs_words_get_their_meaning_and_what_to_do(said: str, meaning: str, advice: str) -> None:
    error = unreachable(replace(PI, name="my pi"), said)
    assert meaning in str(error) and advice in error.advice


def test_a_banner_cannot_command_the_terminal() -> None:
    assert "\x1b" not in str(unreachable(PI, "\x1b]0;owned\x07 Permission denied"))


@pytest.mark.parametrize(
    ("said", "line"),
    [
        (b"INFO: delegate\nfatal: \x1b[2Jbad \xff node \n\n", "fatal:  [2Jbad \ufffd node"),
        ("one line", "one line"),
        (b" \n", "exit code 9"),
        ("", "exit code 9"),
    ],
)
def test_the_last_line_of_a_program_is_harmless_and_never_empty(said: bytes | str, line: str) -> None:
    assert last_line(said, "exit code 9") == line
