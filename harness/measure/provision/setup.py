"""harness setup: a venv on the device, with the TFLite runtimes that fit it, and one for each release that is named."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from harness.device.engines import ENGINES, SIMULATED, parse
from harness.errors import ConfigError, TargetError
from harness.measure.connections import kind_of
from harness.measure.connections.link import Link
from harness.measure.connections.ssh import install_code
from harness.measure.provision.install import install, must, prove
from harness.measure.provision.probe import Caller, Here, Look, look_at, wanted_releases
from harness.measure.provision.releases import provide_release
from harness.measure.runtimes import Release
from harness.measure.targets import cli_name
from harness.records import Target


def setup(target: Target, say: Callable[[str], None], runtimes: Sequence[str] = ()) -> None:
    """A venv under the target's workdir with the runtimes that fit it, and one for each release that is named; on this
    machine those alone. Does nothing where they are there. runtimes: () for the target's own.
    """
    if not can_be_set_up(target, runtimes):
        told = f"{target.name} is not a device behind ssh, and no release is named for it"
        raise ConfigError(told, f"harness setup {cli_name(target)} --runtime ai-edge-litert@2.1.6")
    if not kind_of(target).is_remote:
        set_up_releases(Here(target), runtimes, say)
        return
    link = Link(target)
    try:
        set_up_base(link, look_at(link), runtimes, say)
        set_up_releases(link, runtimes, say)
        install_code(link)
    finally:
        link.close()


def can_be_set_up(target: Target, runtimes: Sequence[str] = ()) -> bool:
    """Whether there is anything to install: on this machine, which has the harness' own environment, named releases."""
    names_one = any(parse(name).release for name in runtimes or target.runtimes)
    return kind_of(target).is_remote or (kind_of(target).is_device and names_one)


def set_up_base(link: Link, look: Look, runtimes: Sequence[str], say: Callable[[str], None]) -> None:
    """The venv that the server runs in, with the newest releases that fit."""
    target = link.target
    wanted = wanted_releases(target, look, runtimes)
    releases = [r for name, r in wanted.items() if r is not None and not parse(name).release]
    missing = [r for r in releases if look.venv.packages.get(r.runtime) != r.version]
    if not any(wanted.values()):
        raise TargetError(f"no TFLite runtime fits {target.name}", f"harness doctor {cli_name(target)} shows why")
    if look.venv.whole and not missing:
        say(
            f"{target.name} is set up: {', '.join(f'{r.runtime} {r.version}' for r in releases) or 'its venv is there'}"
        )
        return
    releases = releases or newest_that_fits(target, look)
    make_venv(link, look, releases, say)
    if not releases:
        return  # what is named has a venv of its own
    install(link, look, releases, link.venv_python, say)
    for release in releases:
        prove(link, release, link.venv_python, f"{release.runtime} {release.version}")
        say(f"{target.name}: {release.runtime} {release.version} works")


def newest_that_fits(target: Target, look: Look) -> list[Release]:
    """What the venv of the server gets where only releases are named: the newest of the first library that runs there.

    Empty where none does.
    """
    timed = [name for name in ENGINES if name not in SIMULATED]
    return [r for r in wanted_releases(target, look, timed).values() if r is not None][:1]


def set_up_releases(device: Caller, runtimes: Sequence[str], say: Callable[[str], None]) -> None:
    """A venv for each release that is named, where it is not there."""
    look = look_at(device)
    for name, release in wanted_releases(device.target, look, runtimes).items():
        if not parse(name).release:
            continue
        if release is None:
            say(f"{device.target.name}: {name} does not run there; its rows will be unsupported")
        elif name in look.engines:
            say(f"{device.target.name}: {name} is there")
        else:
            provide_release(device, look, name, release, say)


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
