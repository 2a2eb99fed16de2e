"""harness parity: does the device's own program prepare raw files as training did?"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from harness.build.preparation_cost import Cost
    from harness.data.preprocessing.parity import Parity

NOTHING = 'write [preprocessing] with training = "module:function", device = "module:function" and files = "folder"'
NO_COST = "do not ask the model what the difference costs in its metric"


def parity(
    experiment: Annotated[str, typer.Argument(help="an experiment.toml with [preprocessing]")],
    no_cost: Annotated[bool, typer.Option("--no-cost", help=NO_COST)] = False,
    json: Annotated[bool, typer.Option("--json", help="print the result as JSON")] = False,
) -> None:
    """Run training's and the device's preprocessing over raw files, name where they part, and say what that costs."""
    from harness.cli.output import print_json, say, write
    from harness.data.preprocessing import parity as judge
    from harness.data.preprocessing.programs import raw_files, results
    from harness.errors import ConfigError, HarnessError
    from harness.experiment.resolve import experiment_of
    from harness.support.files import TemporaryFolder
    from harness.support.format import listed

    chosen = experiment_of(experiment)
    if chosen.preprocessing is None:
        raise ConfigError(f"{experiment} names no programs to compare", NOTHING)
    files, labels, names = raw_files(chosen.preprocessing.files, chosen.preprocessing.labels)
    with TemporaryFolder() as folder:
        refs = {"training": chosen.preprocessing.training, "device": chosen.preprocessing.device}
        made = {name: results(ref, files, Path(folder, f"{name}.npy")) for name, ref in refs.items()}
        say(f"compared {len(files)} files")
        found = judge.parity(files, made["training"], made["device"])
        asked = not no_cost and not found.agrees and made["training"].shape == made["device"].shape
        costs, unknown = None, ""
        if asked:
            from harness.build.preparation_cost import cost_of
            from harness.support.cache import Cache, cache_dir

            if names:
                say(f"the classes are, in the order of the model's outputs: {listed(names)}")
            try:
                costs = cost_of(chosen, made["training"], made["device"], labels, names, Cache(cache_dir()), say)
            except HarnessError as error:  # what was found is told all the same
                unknown = f"what it costs is not known: {error}; {error.advice}"
    if json:
        print_json(document(found, files, costs, unknown))
    else:
        for line in (*lines(found, files), *(cost_lines(costs) if costs else ()), *filter(None, [unknown])):
            write(line)
    raise typer.Exit(int(not found.agrees))


def document(found: Parity, files: list[Path], costs: Cost | None, unknown: str) -> dict[str, object]:
    """What --json prints."""

    known = {name: None if value != value else value for name, value in asdict(found).items()}  # NaN is no JSON
    told = known | {"agrees": found.agrees, "apart": [str(files[n]) for n in found.apart]}
    return told | {"cost": costs and asdict(costs), "cost_unknown": unknown}


COMMANDS = (parity,)


def lines(found: Parity, files: list[Path]) -> list[str]:
    """Returns the answer first, then what differs."""
    if found.agrees:
        told = "bit for bit" if found.equal == found.files else f"but for rounding: {found.largest:.3g} at most"
        return [f"The two programs prepare all {found.files} files alike, {told}."]
    size = f", by {found.rms_steps:.3g} of 255 steps of their range (rms)" if found.rms_steps == found.rms_steps else ""
    first = f"The two programs prepare {len(found.apart)} of {found.files} files differently{size}."
    some = f"  such as {files[found.apart[0]]}"
    each = [f"  {d.step}: training: {d.training}; the device: {d.device}" for d in found.differences]
    none = [] if each or found.why else ["  none of the known steps explains it"]
    return [first, some, *each, *none, *([f"  {found.why}"] if found.why else [])]


def cost_lines(cost: Cost) -> list[str]:
    from harness.support.format import with_limits

    change, *ends = with_limits(four_decimals, cost.device - cost.training, cost.low, cost.high)
    limits = f"[{', '.join(ends)}]" if cost.low is not None and cost.high is not None else cost.why
    told = f"{cost.metric}: {cost.training:.4f} as training prepares them, {cost.device:.4f} as the device does"
    moved = f"  change {change}, 90 % interval, paired by file: {limits}"
    flips = [] if cost.flips is None else [f"  the answer is another class for {cost.flips} files"]
    return [told, moved, *flips]


def four_decimals(value: float | None, more: int = 0) -> str:
    from harness.support.format import decimals, signed

    return signed(decimals(value, 4 + more))
