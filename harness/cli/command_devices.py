"""harness targets, doctor, enroll, setup: the devices themselves."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli import completion

if TYPE_CHECKING:
    from harness.records import Target

Name = Annotated[
    str,
    typer.Argument(
        metavar="TARGET", help="a name of `harness targets`, or any ssh destination", autocompletion=completion.targets
    ),
]
Folder = Annotated[Path, typer.Option(help="where devices are described")]
Json = Annotated[bool, typer.Option("--json")]
FOLDER = Path("targets")


def targets(targets_dir: Folder = FOLDER, json: Json = False) -> None:
    """List the known devices: host, and every targets/*.toml."""
    from dataclasses import asdict

    from harness.cli.output import print_json, stdout
    from harness.cli.tables.run_tables import targets_table
    from harness.measure.targets import known_targets

    known = list(known_targets(targets_dir).values())
    if json:
        print_json([asdict(target) for target in known])
    else:
        stdout().print(targets_table(known))


def doctor(target: Name, targets_dir: Folder = FOLDER, json: Json = False) -> None:
    """Check what would spoil a measurement on a device; changes nothing."""
    from contextlib import closing, nullcontext
    from dataclasses import asdict

    from harness.cli.output import print_json, stdout
    from harness.cli.tables.run_tables import diagnoses_table
    from harness.errors import ConfigError
    from harness.measure.connections import kind_of
    from harness.measure.connections.link import Link
    from harness.measure.provision.doctor import examine
    from harness.measure.provision.probe import Here

    chosen = one(target, targets_dir)
    if not kind_of(chosen).is_device:
        raise ConfigError(f"{chosen.name} is a recording, not a device", "look at a device of kind ssh or local")
    with closing(Link(chosen)) if kind_of(chosen).is_remote else nullcontext(Here(chosen)) as device:
        diagnoses = list(examine(device))
    if json:
        print_json([asdict(diagnosis) for diagnosis in diagnoses])
    else:
        stdout().print(diagnoses_table(diagnoses))
    raise typer.Exit(any(diagnosis.level == "problem" for diagnosis in diagnoses))


def enroll(
    target: Name,
    yes: Annotated[bool, typer.Option("--yes", help="record the key without asking")] = False,
    targets_dir: Folder = FOLDER,
) -> None:
    """Show the host key's fingerprint, ask, record it."""
    from harness.cli.output import answerable, stderr
    from harness.errors import ConfigError
    from harness.measure.connections import kind_of
    from harness.measure.provision import enroll as enrolling

    chosen, console = one(target, targets_dir), stderr()
    if not kind_of(chosen).is_remote:
        raise ConfigError(f"{chosen.name} is not a device behind ssh", "only such a device has a host key")
    if enrolling.already_trusted(chosen):
        console.print(f"{chosen.name} is enrolled: ssh already knows its host key", soft_wrap=True, markup=False)
        return
    key = enrolling.offered_key(chosen)
    console.print(f"{chosen.name} offers this host key:\n  {key.fingerprint}", soft_wrap=True, markup=False)
    console.print("Compare it with the one that the device itself prints: ssh-keygen -lf /etc/ssh/ssh_host_*_key.pub")
    with answerable("nothing was recorded; --yes records it without asking"):
        if not yes and not typer.confirm(f"Record it in {key.known_hosts}?", err=True):
            raise typer.Exit(1)
    enrolling.record(key)
    enrolling.verify(chosen, key)
    console.print(f"recorded in {key.known_hosts}", soft_wrap=True, markup=False)


def setup(
    target: Name,
    runtime: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="such as ai-edge-litert@2.1.6; repeatable")
    ] = None,
    targets_dir: Folder = FOLDER,
) -> None:
    """Install a venv and the TFLite runtimes that fit on the device, and releases that are named beside them."""
    from harness.cli.output import stderr
    from harness.measure.provision.setup import setup as provide
    from harness.measure.runtimes import check_runtimes

    chosen = one(target, targets_dir)
    provide(chosen, lambda text: stderr().print(text, soft_wrap=True, markup=False), check_runtimes(runtime or ()))


COMMANDS = (targets, doctor, enroll, setup)


def one(name: str, folder: Path) -> Target:
    """The target of that name. Raises ConfigError where the name is a glob for several."""
    from harness.errors import ConfigError
    from harness.measure.targets import select_targets

    chosen = select_targets((name,), folder)
    if len(chosen) != 1:
        raise ConfigError(f"{name!r} names {len(chosen)} targets", "name one of them")
    return chosen[0]
