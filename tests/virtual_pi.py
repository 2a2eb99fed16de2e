"""An emulated Pi of the tests' own (scripts/virtual-pi), at the end of a cable that can be pulled."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest

from harness.measure.targets import read_target
from harness.records import Target
from harness.runs.loading import load
from harness.support.cache import cache_dir
from tests.devices import children, copy_of_recording, wait_for

SCRIPT = Path(__file__).parent.parent / "scripts" / "virtual-pi"
ALL_RUNTIMES = Target("host").runtimes
BUILD_S = 1800  # the first time: a root file system from Debian's packages
# Every remote path of these tests goes through it: a dash in front, a space, both quotes, a name of the shell.
WORKDIR = """~/-a pi's "odd" $HOME"""


def why_not() -> str | None:
    """Why there can be no emulated Pi on this machine; None where there can."""
    release = Path("/etc/os-release").read_text() if Path("/etc/os-release").exists() else ""
    wanted = {
        "Debian 12": {"ID=debian", 'VERSION_ID="12"'} <= set(release.splitlines()),
        "an x86-64": platform.machine() == "x86_64",
        "root": os.geteuid() == 0,
        "ip (Debian: iproute2)": shutil.which("ip") is not None,
    }
    missing = [what for what, there in wanted.items() if not there]
    return f"the emulated Pi needs {', '.join(missing)}" if missing else None


def skip(reason: str) -> NoReturn:
    """Skips the test and says why; CI must not skip it."""
    (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)


def call(*argv: str | Path, timeout: float = 60) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, timeout=timeout, check=False)
    assert done.returncode == 0, f"{argv}: {done.stderr or done.stdout}"
    return done.stdout


def sweep() -> None:
    """Removes the boards of test runs that were killed and could not do it themselves."""
    for namespace in re.findall(r"^vpi(\d+)\b", call("ip", "netns", "list"), re.MULTILINE):
        if not Path(f"/proc/{namespace}").exists():
            for pid in call("ip", "netns", "pids", f"vpi{namespace}").split():
                with suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
            call("ip", "netns", "del", f"vpi{namespace}")


class Board:
    """One emulated Pi in a folder of its own, in a network of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        pid = os.getpid()
        self.namespace = f"vpi{pid}"
        self.plug, self.socket = f"vpi{pid}h", f"vpi{pid}b"
        net = f"198.18.{pid >> 6 & 255}.{(pid & 63) << 2}"  # of the addresses for benchmarks, nobody's
        stem, last = net.rsplit(".", 1)
        self.host_address, self.address = f"{stem}.{int(last) + 1}", f"{stem}.{int(last) + 2}"

    def script(self, *words: str, timeout: float = 90) -> subprocess.CompletedProcess[str]:
        own = {"VIRTUAL_PI_HOME": str(self.home), "VIRTUAL_PI_NETNS": self.namespace, "VIRTUAL_PI_ADDR": self.address}
        argv = [str(SCRIPT), *words]
        return subprocess.run(
            argv, env=os.environ | own, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout
        )

    def do(self, *words: str, timeout: float = 90) -> str:
        done = self.script(*words, timeout=timeout)
        assert done.returncode == 0, f"virtual-pi {words}: {done.stderr}"
        return done.stdout

    def build(self) -> None:
        """The root file system is made once a machine: later boards take the archive of the first."""
        shared = cache_dir() / "virtual-pi"
        self.home.mkdir(parents=True, exist_ok=True)
        for archive in shared.glob("rootfs-*.tar.zst"):
            shutil.copy2(archive, self.home)
        self.do("build", timeout=BUILD_S)
        shared.mkdir(parents=True, exist_ok=True)
        for archive in self.home.glob("rootfs-*.tar.zst"):
            if not (shared / archive.name).exists():
                shutil.copy2(archive, shared / f"{archive.name}.{os.getpid()}")
                (shared / f"{archive.name}.{os.getpid()}").rename(shared / archive.name)

    def lay_cable(self) -> None:
        sweep()
        call("ip", "netns", "add", self.namespace)
        call("ip", "link", "add", self.plug, "type", "veth", "peer", "name", self.socket, "netns", self.namespace)
        call("ip", "addr", "add", f"{self.host_address}/30", "dev", self.plug)
        call("ip", "-n", self.namespace, "addr", "add", f"{self.address}/30", "dev", self.socket)
        for device in ("lo", self.socket):
            call("ip", "-n", self.namespace, "link", "set", device, "up")
        self.plug_in()

    def plug_in(self) -> None:
        call("ip", "link", "set", self.plug, "up")

    def pull(self) -> None:
        call("ip", "link", "set", self.plug, "down")

    def start(self) -> None:
        self.do("start", "22")

    def heal(self) -> None:
        """Plugged in, running, answering, whatever happened to it."""
        self.plug_in()
        self.start()

    def kill(self) -> None:
        self.do("kill")

    def freeze(self) -> None:
        self.do("freeze")

    def thaw(self) -> None:
        self.do("thaw")

    def ssh(self, command: str) -> str:
        return self.do("ssh", command)

    def save(self, to: Path) -> None:
        """What the board has written since it was built."""
        self.do("stop")
        call("cp", "-a", self.home / "overlay" / "upper", to, timeout=300)

    def restore(self, saved: Path) -> None:
        self.do("reset")
        (self.home / "overlay").mkdir()
        call("cp", "-a", saved, self.home / "overlay" / "upper", timeout=300)

    def seen(self, workdir: str) -> Path:
        """Where a folder that the board wrote lies for us: a board that hangs does not answer."""
        return self.home / "overlay" / "upper" / "home" / "pi" / workdir.removeprefix("~/")

    def prepare(self, workdir: str) -> str:
        """Another workdir there, with the venv of the one that is set up."""
        folder, venv = (f"~/{shlex.quote(path.removeprefix('~/'))}" for path in (workdir, f"{WORKDIR}/venv"))
        self.ssh(f"mkdir -p {folder} && ln -s {venv} {folder}/venv")
        return workdir

    def commands(self) -> list[str]:
        """Folder and command line of each of the board's processes, read from outside: a board that hangs does not
        answer."""
        first = children(int((self.home / "pid").read_text()))
        if not first:
            return []
        space = Path(f"/proc/{first[0]}/ns/pid").stat().st_ino
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if (process / "ns" / "pid").stat().st_ino == space:
                    argv = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                    found.append(f"{(process / 'cwd').readlink()} $ {argv}")
            except OSError:
                continue
        return found

    def ours(self) -> list[str]:
        """Servers and jobs of the harness that run on it."""
        return [command for command in self.commands() if ".pyz" in command]

    def wait_until_idle(self, seconds: float) -> None:
        wait_for(lambda: not self.ours(), seconds)

    def remove(self) -> None:
        self.script("kill")
        for argv in (["ip", "link", "del", self.plug], ["ip", "netns", "del", self.namespace]):
            subprocess.run(argv, capture_output=True, check=False)
        shutil.rmtree(self.home, ignore_errors=True)

    def write_target(self, folder: Path, name: str = "pi", **keys: str) -> Target:
        """targets/<name>.toml in the folder, for this board. The file does not say that it is emulated."""
        texts = {"kind": "ssh", "host": "virtual-pi", "ssh_config": f"{self.home}/ssh_config", "workdir": WORKDIR}
        path = folder / "targets" / f"{name}.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{key} = '''{text}'''\n" for key, text in (texts | keys).items() if text))
        return read_target(path)


@dataclass(frozen=True)
class SetUp:
    """How the board was set up: what was said, how long it took. `overlay`: what the board wrote."""

    overlay: Path
    said: tuple[str, ...]
    seconds: float


# The command itself. A test run in the background would ignore Ctrl-C.
HARNESS = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from harness.cli import main
main()
"""


class Desk:
    """Where a user sits: a folder with targets/ and results in it, and the command `harness`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.results = folder / """it's "my" results"""

    def start(self, *words: str, **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", HARNESS, *words], cwd=self.folder, env=os.environ | environment, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def harness(self, *words: str, timeout: float = 120, **environment: str) -> subprocess.CompletedProcess[str]:
        return ended(self.start(*words, **environment), timeout)

    def findings(self, target: str, exit_code: int) -> dict[str, dict[str, str]]:
        """What `harness doctor` finds, by topic."""
        done = self.harness("doctor", target, "--json")
        assert done.returncode == exit_code, done.stdout + done.stderr
        return {finding["topic"]: finding for finding in json.loads(done.stdout)}


def ended(process: subprocess.Popen[str], timeout: float) -> subprocess.CompletedProcess[str]:
    try:
        out, said = process.communicate(timeout=timeout)
    finally:
        process.kill()
    return subprocess.CompletedProcess(process.args, process.returncode, out, said)


class PiRun:
    """The recorded run with nothing measured yet, for a target behind ssh: to be measured, broken and gone on with."""

    def __init__(
        self, desk: Desk, target: Target, runtimes: Sequence[str] = ALL_RUNTIMES, rounds: int = 1, padding: int = 0
    ) -> None:
        self.desk, self.target, self.runtimes = desk, target, runtimes
        self.path = copy_of_recording(desk.results)
        shutil.rmtree(self.path / "raw")
        content = json.loads((self.path / "run.json").read_text())
        content |= {"finished": False, "targets": [{"target": asdict(target)}]}
        content["plan"] |= {"rounds": rounds, "restless_ratio": None}  # so many pieces, however busy the machine
        content["cases"] = [c | {"target": target.name} for c in content["cases"] if c["runtime"] in runtimes]
        self.pieces = len(content["cases"]) * (2 + rounds)  # of each case its answers, an audit, and the rounds
        for variant in content["variants"]:
            model = self.path / variant["path"]
            with model.open("ab") as file:
                file.write(bytes(padding))  # behind the flatbuffer nobody reads it, but it has to be sent
            variant["sha256"] = hashlib.sha256(model.read_bytes()).hexdigest()
        (self.path / "run.json").write_text(json.dumps(content))

    def words(self) -> list[str]:
        return ["run", "--resume", self.path.name, "--trust", "--results", str(self.desk.results)]

    def go_on(self, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        return self.desk.harness(*self.words(), timeout=timeout)

    def start(self) -> subprocess.Popen[str]:
        return self.desk.start(*self.words())

    def measured(self) -> dict[str, int]:
        """When each piece was measured, by job id."""
        states = self.path.glob("raw/*/*/state.json")
        return {path.parent.name: path.stat().st_mtime_ns for path in states if path.parent.suffix != ".part"}

    def bytes_sent(self) -> dict[str, int]:
        sent: dict[str, int] = json.loads((self.path / "run.json").read_text())["targets"][0]["bytes_sent"]
        return sent

    def outputs(self) -> dict[str, np.ndarray]:
        """What the board answered, by variant and runtime."""
        return {f"{s.case.variant} {s.case.runtime}": np.asarray(s.outputs[0]) for s in load(self.path).shards}
