"""The system's own OpenSSH client: the user's ssh_config, ProxyJump, agent and keys just work. Every remote command of
the harness is made here, by shlex.join; unknown and changed host keys are refused."""

from __future__ import annotations

import re
import resource
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path

from harness.errors import ConfigError, TargetUnreachable
from harness.measure.targets import cli_name
from harness.records import Target
from harness.support.files import TemporaryFolder
from harness.support.text import last_line

OPTIONS = (
    "BatchMode=yes",  # a password is never asked for
    "StrictHostKeyChecking=yes",
    "ConnectTimeout=10",
    "ServerAliveInterval=5",  # without it a dead link hangs forever
    "ServerAliveCountMax=3",
    "ForwardAgent=no",
    "ForwardX11=no",
    "ClearAllForwardings=yes",
    "PermitLocalCommand=no",
    "RemoteCommand=none",
    "RequestTTY=no",
    "LogLevel=ERROR",
)
SHARED = ("ControlMaster=auto", "ControlPersist=15")  # one connection a device and run
# ssh starts another ssh for a jump host, without our options: whatever that one asks is answered with no.
SSH = ("env", "SSH_ASKPASS=/bin/false", "SSH_ASKPASS_REQUIRE=force", "ssh")
OUTPUT_LIMIT_BYTES = 1 << 20  # of one command; a device that says more is cut off
LINK_BROKE = 255  # ssh's own exit code
KNOCK_S = 15.0  # ssh itself gives up after ConnectTimeout where nothing answers
TMP = "/tmp"  # noqa: S108 (not $TMPDIR: a socket's path has 104 bytes, and ssh's options split at spaces)


class Link:
    """Commands on one device over one connection, until it is closed."""

    def __init__(self, target: Target) -> None:
        if shutil.which("ssh") is None:
            raise ConfigError(
                "ssh is not installed on this machine", "install OpenSSH's client (Debian: apt install openssh-client)"
            )
        self.target = target
        self.workdir = workdir(target)
        self.venv_python = f"{self.workdir}/venv/bin/python"
        self._folder = TemporaryFolder(TMP)
        self._sockets = Path(self._folder.name)

    def argv(self, remote: Sequence[str]) -> list[str]:
        """The local argv that runs `remote` there. ssh joins its arguments and a remote shell parses them again."""
        return [*self.ssh(), shlex.join(remote)]

    def ssh(self) -> list[str]:
        control = f"ControlPath={self._sockets}/%C"
        return [*SSH, *as_options(*OPTIONS, *SHARED, control), *destination(self.target)]

    def call(
        self, remote: Sequence[str], data: bytes = b"", timeout_s: float = 60.0
    ) -> subprocess.CompletedProcess[bytes]:
        """Runs `remote` to its end, whatever its exit code. Raises TargetUnreachable where the link fails."""
        try:
            done = run_bounded(self.argv(remote), data, timeout_s)
        except subprocess.TimeoutExpired as error:
            raise TargetUnreachable(
                f"{self.target.name} did not answer within {timeout_s:.0f} s", "check whether the device hangs"
            ) from error
        if done.returncode == LINK_BROKE:
            raise unreachable(self.target, done.stderr.decode(errors="replace"))
        return done

    def close(self) -> None:
        """Ends the connection, once or again. What still runs over it ends with its stdin."""
        if any(self._sockets.glob("*")):
            argv = [*self.ssh()[:-2], "-O", "exit", *self.ssh()[-2:]]
            with suppress(subprocess.TimeoutExpired):
                subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=10, check=False)
        with suppress(OSError):
            self._folder.cleanup()


def check_reachable(target: Target) -> None:
    """Logs in and does nothing there. Raises TargetUnreachable."""
    with closing(Link(target)) as link:
        link.call(["true"], timeout_s=KNOCK_S)


def workdir(target: Target) -> str:
    """Writes the folder as a remote command takes it: one starts in the home folder, so "~/x" is "./x", which no
    shell has to expand
    and no program takes for an option."""
    text = target.workdir
    if text == "~" or text.startswith("~/"):
        text = text[2:]
    return text if text.startswith("/") else f"./{text}"


def run_bounded(argv: Sequence[str], data: bytes, timeout_s: float) -> subprocess.CompletedProcess[bytes]:
    """Runs ssh. What it prints goes to files that the kernel keeps small: a device may say anything."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        done = subprocess.run(
            argv, input=data, stdout=out, stderr=err, timeout=timeout_s, check=False, preexec_fn=limit_output
        )
        for file in (out, err):
            file.seek(0)
        return subprocess.CompletedProcess(argv, done.returncode, out.read(), err.read())


def limit_output() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (OUTPUT_LIMIT_BYTES, OUTPUT_LIMIT_BYTES))


def as_options(*options: str) -> list[str]:
    return [word for option in options for word in ("-o", option)]


def destination(target: Target) -> list[str]:
    """What ssh is told about the target beside the options; "--" keeps a name from being taken for one."""
    given = {"-F": target.ssh_config, "-l": target.user, "-p": target.port, "-i": target.identity_file}
    words = [word for flag, value in given.items() if value is not None for word in (flag, expanded(flag, value))]
    return [*words, "--", target.host or target.name]


def expanded(flag: str, value: str | int) -> str:
    return str(Path(str(value)).expanduser()) if flag in ("-F", "-i") else str(value)


# What ssh prints → what it means and what to do. Its messages are not translated.
_CHANGED = (
    "remove the old key with `ssh-keygen -R` if the device was reinstalled, then `harness enroll {name}`;"
    " if it was not, someone may be intercepting the connection"
)
_MEANINGS = (
    ("IDENTIFICATION HAS CHANGED|key for .* has changed", "has another host key than the recorded one", _CHANGED),
    ("Host key verification failed|No .* host key is known", "has a host key that is not known here",
     "compare its fingerprint and record it: harness enroll {name}"),
    ("Permission denied", "refused every key that ssh offered",
     "put your public key on it with ssh-copy-id, or name one as identity_file"),
    ("Could not resolve", "has no known address", "check `host` in its TOML file, or your ssh_config"),
    ("Connection refused", "has nothing listening for ssh", "is it switched on, and is sshd running?"),
    ("timed out|No route|unreachable", "does not answer", "is it switched on and on the network?"),
)  # fmt: skip


def unreachable(target: Target, stderr: str) -> TargetUnreachable:
    """ssh's own words, with what they mean and what to do."""
    said = last_line(stderr, "the connection broke")
    for pattern, meaning, advice in _MEANINGS:
        if re.search(pattern, stderr, re.IGNORECASE):
            return TargetUnreachable(f"{target.name} {meaning} (ssh: {said})", advice.format(name=cli_name(target)))
    return TargetUnreachable(f"lost {target.name}: {said}", "what was measured is kept; try again, or resume the run")
