"""harness setup: a venv on the device, with the TFLite runtimes that fit it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from harness.device.engines import ENGINES
from harness.errors import ConfigError, TargetError
from harness.measure.connections import kind_of
from harness.measure.connections.link import Link
from harness.measure.connections.ssh import install_code, put
from harness.measure.provision.probe import Look, look_at, wanted_releases
from harness.measure.runtimes import Release, version_of
from harness.measure.targets import cli_name
from harness.records import Target
from harness.support.files import TemporaryFolder
from harness.support.text import last_line


def setup(target: Target, say: Callable[[str], None]) -> None:
    """A venv under the target's workdir with the runtimes that fit it. Does nothing where they are there."""
    if not kind_of(target).is_remote:
        raise ConfigError(f"{target.name} is not a device behind ssh", "only such a device can be set up")
    link = Link(target)
    try:
        look = look_at(link)
        releases = [r for r in wanted_releases(target, look).values() if r is not None]
        missing = [r for r in releases if look.venv.packages.get(r.runtime) != r.version]
        if not releases:
            raise TargetError(f"no TFLite runtime fits {target.name}", f"harness doctor {cli_name(target)} shows why")
        if look.venv.whole and not missing:
            install_code(link)
            say(f"{target.name} is set up: {', '.join(f'{r.runtime} {r.version}' for r in releases)}")
            return
        make_venv(link, look, releases, say)
        install(link, look, releases, say)
        for release in releases:
            prove(link, release)
            say(f"{target.name}: {release.runtime} {release.version} works")
        install_code(link)
    finally:
        link.close()


def make_venv(link: Link, look: Look, releases: list[Release], say: Callable[[str], None]) -> None:
    if look.venv.whole:
        return
    name = link.target.name
    if not look.has_venv:
        raise TargetError(f"{name} cannot make a venv", "on the device: sudo apt install python3-venv")
    from_system = any(not r.numpy for r in releases)
    if from_system and not look.system_numpy:
        raise TargetError(
            f"{name} has no numpy, and no wheel of it fits", "on the device: sudo apt install python3-numpy"
        )
    say(f"{name}: making a venv in {link.target.workdir}")
    # -I, here and for pip: a logging.py in the home folder is not imported.
    system = ["--system-site-packages"] if from_system else []
    argv = ["python3", "-I", "-m", "venv", "--clear", *system, f"{link.workdir}/venv"]
    must(link, argv, f"{name} could not make a venv")


def install(link: Link, look: Look, releases: list[Release], say: Callable[[str], None]) -> None:
    """From the device's own index where it reaches one; else from wheels that this machine downloads and sends."""
    needed = sorted({word for r in releases for word in (f"{r.runtime}=={r.version}", r.numpy) if word})
    name = link.target.name
    say(f"{name}: installing {', '.join(needed)}")
    pip = [link.venv_python, "-I", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    own = link.call([*pip, "--timeout", "10", "--retries", "1", "--only-binary=:all:", *needed], timeout_s=900)
    if own.returncode == 0:
        return
    say(f"{name} cannot download them itself ({failure_of(own)}); downloading its wheels here and sending them")
    folder = f"{link.workdir}/wheels"
    with TemporaryFolder() as local:
        for wheel in download(look, needed, Path(local)):
            put(link, wheel.read_bytes(), f"{folder}/{wheel.name}")
    must(link, [*pip, "--no-index", "--find-links", folder, *needed], f"{name} could not install the wheels")
    must(link, ["rm", "-r", folder], f"{name} could not remove the wheels")


def download(look: Look, needed: list[str], folder: Path) -> list[Path]:
    """The wheels that fit the device, from this machine's own package index."""
    e = look.environment
    machine = "armv7l" if e.userland_bits == 32 else e.machine
    newest = min(max(version_of(e.glibc or "").minor, 17), 99)
    platforms = [f"manylinux_2_{n}_{machine}" for n in range(newest, 16, -1)] + [f"manylinux2014_{machine}"]
    python = "{0.major}.{0.minor}".format(version_of(e.python or ""))
    argv = [sys.executable, "-I", "-m", "pip", "download", "--quiet", "--disable-pip-version-check",
            "--only-binary=:all:", "--dest", str(folder), "--implementation", "cp", "--python-version", python,
            *(word for platform in platforms for word in ("--platform", platform)), *needed]  # fmt: skip
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        why = last_line(done.stderr, f"exit code {done.returncode}")
        raise TargetError(f"the wheels are not available: {why}", "is this machine online?")
    return sorted(folder.glob("*.whl"))


def prove(link: Link, release: Release) -> None:
    """Imports the runtime there: a wheel's tag may promise more than its library can do."""
    code = "import sys; from importlib import import_module; import_module(sys.argv[1]).Interpreter"
    argv = [link.venv_python, "-I", "-c", code, ENGINES[release.runtime]]
    must(link, argv, f"{release.runtime} {release.version} does not work on {link.target.name}")


def must(link: Link, argv: list[str], failure: str) -> None:
    done = link.call(argv, timeout_s=900)
    if done.returncode != 0:
        raise TargetError(f"{failure}: {failure_of(done)}", f"harness doctor {cli_name(link.target)}")


def failure_of(done: subprocess.CompletedProcess[bytes]) -> str:
    """Why a remote command failed, in its own last words."""
    return last_line(done.stderr or done.stdout, f"exit code {done.returncode}")
