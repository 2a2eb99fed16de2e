"""What a user asks for: an experiment, and where and with what it is to be measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import ConfigError
from harness.measure.provision.setup import can_be_set_up
from harness.measure.runtimes import check_runtimes
from harness.measure.targets import select_targets
from harness.records import Experiment, Target

TARGETS = Path("targets")  # where devices are described


@dataclass(frozen=True)
class Request:
    """What the user asked for. runtimes, threads: () means each target's own."""

    experiment: Experiment
    targets: tuple[Target, ...]
    runtimes: tuple[str, ...] = ()
    threads: tuple[int, ...] = ()
    setup: bool = False  # set up a device that is not
    tune: bool = False  # set the devices' governors, put them back
    wait_s: float = 0.0  # how long a device that another run holds is waited for


def request_of(
    experiment: Experiment,
    targets: Sequence[str | Target] = (),
    runtimes: Sequence[str] = (),
    threads: Sequence[int] = (),
    targets_dir: Path = TARGETS,
    setup: bool = False,
    tune: bool = False,
    wait_s: float = 0.0,
) -> Request:
    """Looks up what the user named. targets: names, globs, ssh destinations or Targets; () is this machine.

    Raises ConfigError.
    """
    chosen = chosen_targets(targets, targets_dir)
    if setup:
        check_setup(chosen, runtimes)
    if any(count < 1 for count in threads):
        raise ConfigError("a runtime needs at least one thread", "give threads of 1 or more")
    return Request(experiment, chosen, check_runtimes(runtimes), tuple(sorted(set(threads))), setup, tune, wait_s)


def chosen_targets(targets: Sequence[str | Target], folder: Path) -> tuple[Target, ...]:
    """Returns the targets. Raises ConfigError where a name is unknown, or two targets share one."""
    names = tuple(target for target in targets if isinstance(target, str))
    given = tuple(target for target in targets if isinstance(target, Target))
    chosen = (*given, *(select_targets(names, folder) if names or not given else ()))
    every = [target.name for target in chosen]
    if twice := [name for name in every if every.count(name) > 1]:
        raise ConfigError(f"two of the targets are called {twice[0]}", "give each a name of its own")
    return chosen


def check_setup(targets: Sequence[Target], runtimes: Sequence[str]) -> None:
    """Raises ConfigError where no target can be set up."""
    if not any(can_be_set_up(target, runtimes) for target in targets):
        names = ", ".join(target.name for target in targets)
        message = f"--setup has nothing to install: no release is named, and none of the targets is behind ssh: {names}"
        raise ConfigError(
            message, "leave it out, or name a device with -t, or a release as in --runtime ai-edge-litert@2.1.6"
        )
