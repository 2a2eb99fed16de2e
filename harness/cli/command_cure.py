"""harness cure: which small change of a variant's recipe passes the gate? Tried for real, on the row's own device."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli import completion
from harness.cli.command_results import Reference, Results

if TYPE_CHECKING:
    from rich.table import Table

    from harness.treatment.cured import Cure
    from harness.treatment.luck import Luck
    from harness.treatment.search import Trial
    from harness.treatment.verdict_on import Judged

EXPERIMENT = "the experiment.toml that the run is of; default: a built-in one, or experiment.toml here"
POLICY = "what a cure has to pass; default: the default policy"
CALIBRATION = "further samples to calibrate with, of the same kind as [data] calibration"
OUT = "write the recipe file there, too; its name is that of the variant"
LUCK = "draw the calibration samples anew, ten times, instead: how much does the verdict rest on them?"
TRUST = "cure a run that you did not begin on this machine: its models run, on its devices"
COLUMNS = ("", "Tried", "Size, kB", "Changed", "Lost", "Gained", "Verdict")


def cure(
    run: Reference,
    variant: Annotated[str, typer.Option("-v", "--variant", autocompletion=completion.variants)] = "",
    target: Annotated[str, typer.Option("-t", "--target", autocompletion=completion.targets)] = "",
    runtime: Annotated[str, typer.Option(help="default: the row that moved most, of those that a rule names")] = "",
    experiment: Annotated[str, typer.Option("-e", "--experiment", metavar="FILE", help=EXPERIMENT)] = "",
    policy: Annotated[Path | None, typer.Option(help=POLICY)] = None,
    calibration: Annotated[Path | None, typer.Option(help=CALIBRATION)] = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE.toml", help=OUT)] = None,
    luck: Annotated[bool, typer.Option("--luck", help=LUCK)] = False,
    wait: Annotated[float, typer.Option(min=0, metavar="SECONDS", help="how long a busy device is waited for")] = 0.0,
    trust: Annotated[bool, typer.Option("--trust", help=TRUST)] = False,
    results: Results = Path("results"),
    json: Annotated[bool, typer.Option("--json", help="print all that was tried as JSON")] = False,
) -> None:
    """Find the smallest change of a variant's recipe that passes the gate: exit 0 where one does."""
    import harness
    from harness.api.progress import Progress
    from harness.cli.output import print_json
    from harness.runs.store import Store
    from harness.treatment import cured

    check_options(luck, calibration, out)
    where = Store(results, trust).find(run)  # "latest" may be another one when this ends
    asked: dict[str, Any] = {"experiment": experiment, "policy": policy, "target": target, "runtime": runtime}
    asked |= {"wait_s": wait, "results": results, "trust": trust}
    if luck:
        with Progress() as progress:
            drawn = harness.luck(where, variant, **asked, progress=progress)
        tell_luck(drawn, json)
        return
    with Progress() as progress:
        found = harness.cure(where, variant, calibration=calibration, **asked, progress=progress)
    write_out(out, found)
    if json:
        print_json(cured.printed(found))
    else:
        show(found, out or cured.Kept(where, found.case).recipe(cured.recipe_of(found)))
    raise typer.Exit(not found.good)


COMMANDS = (cure,)


def check_options(luck: bool, calibration: Path | None, out: Path | None) -> None:
    """Raises ConfigError for an option of a search with --luck, and for a recipe file that no run could take."""
    from harness.errors import ConfigError
    from harness.experiment.recipe_file import is_recipe_file, named_by

    if luck and (calibration or out):
        raise ConfigError("--luck searches for nothing, so there is no recipe", "leave out --calibration and --out")
    if out and not is_recipe_file(out.name):
        raise ConfigError(f"--out {out}: a recipe file ends in .toml", f"write --out {out}.toml")
    if out:
        named_by(out)


def write_out(out: Path | None, found: Cure) -> None:
    from harness.cli.output import say
    from harness.support.files import write_atomically
    from harness.treatment.cured import recipe_of

    if out and found.remedy:
        write_atomically(out, recipe_of(found).encode())
    elif out:
        say(f"{out} is not written: there is no remedy to write down")


def tell_luck(found: Luck, json: bool) -> None:
    from harness.cli.output import print_json, stdout, write
    from harness.report.words.cure_words import luck_words
    from harness.treatment.luck import printed

    if json:
        print_json(printed(found))
    else:
        stdout().print(luck_table(found))
        write(luck_words(found))


def luck_table(found: Luck) -> Table:
    from harness.cli.tables.run_tables import add_row, plain_table

    table = plain_table(f"{found.case.variant} on all {found.before.samples:,} samples")
    for name in ("Calibrated with", *COLUMNS[3:]):
        table.add_column(name, justify="right" if name in COLUMNS[3:6] else "left")
    add_row(table, "the samples of the run", *counts(found.before), found.before.outcome)
    for draw in found.draws:
        outcome = draw.judged.outcome if draw.judged else draw.reason
        add_row(table, f"draw {draw.seed}", *counts(draw.judged), outcome)
    return table


def show(found: Cure, recipe: Path) -> None:
    """recipe: where the recipe file lies, where something passes."""
    from harness.cli.output import stdout, write
    from harness.report.words.cure_words import conclusion, what_was_judged
    from harness.treatment.cured import recipe_of

    if found.trials:
        stdout().print(table_of(found))
        write(what_was_judged(found))
    for note in found.notes:
        write(f"note: {note}")
    write(conclusion(found, recipe))
    if text := recipe_of(found):
        write("\n" + text)


def table_of(found: Cure) -> Table:
    """One row a remedy, in the order in which they were tried."""
    from harness.cli.tables.run_tables import add_row, plain_table

    table = plain_table(f"{found.case.variant} on the {found.samples[0]:,} samples of the search")
    for name in COLUMNS:
        table.add_column(name, justify="right" if name in COLUMNS[2:6] else "left")
    if found.searched:
        add_row(table, "", f"{found.case.variant} as it is", "", *counts(found.searched), found.searched.outcome)
    for n, trial in enumerate(found.trials, 1):
        add_row(table, str(n), trial.remedy.words, size(trial), *counts(trial.searched), verdict(trial))
    return table


def size(trial: Trial) -> str:
    from harness.support.format import MISSING, decimals

    return MISSING if trial.size_bytes is None else decimals(trial.size_bytes / 1000, 1)


def counts(judged: Judged | None) -> list[str]:
    from harness.support.format import MISSING, whole

    if judged is None:
        return [MISSING] * 3
    return [MISSING if n is None else whole(n) for n in (judged.changed, judged.lost, judged.gained)]


def verdict(trial: Trial) -> str:
    from harness.treatment.stored_cure import outcome_of

    return outcome_of(trial)
