"""harness upgrade: may another engine, such as the next release of a runtime, take the present one's place?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli import completion
from harness.cli.command_results import Results, Trust

if TYPE_CHECKING:
    from harness.api.stored_run import Run
    from harness.gate.reference.two_engines import Engines

WHAT = "mnist, digits or an experiment.toml, which is measured; or a run that measured both engines"
NOW = "the engine of today, such as ai-edge-litert@2.1.6"
POLICY = "a policy.toml; default: under 1 pp lost, under 1 % other answers, at most 10 % slower, each at 95 %"
TO_MEASURE = ("target", "variant", "plan", "setup", "wait", "targets_dir")  # options that a stored run has no use for


def upgrade(
    context: typer.Context,
    what: Annotated[str, typer.Argument(metavar="RUN|EXPERIMENT", help=WHAT, autocompletion=completion.experiments)],
    now: Annotated[str, typer.Option("--from", metavar="ENGINE", help=NOW)],
    candidate: Annotated[str, typer.Option("--to", metavar="ENGINE", help="the engine that would take its place")],
    target: Annotated[
        list[str] | None,
        typer.Option("-t", "--target", metavar="NAME|GLOB|DEST", help="default: host; repeatable"),
    ] = None,
    variant: Annotated[
        list[str] | None, typer.Option("-v", "--variant", metavar="NAME|GLOB", help="default: all of them; repeatable")
    ] = None,
    plan: Annotated[str | None, typer.Option(help="as in run", autocompletion=completion.plans)] = None,
    policy: Annotated[Path | None, typer.Option(help=POLICY)] = None,
    setup: Annotated[bool, typer.Option("--setup", help="first install the releases that are not there")] = False,
    wait: Annotated[float, typer.Option(min=0, metavar="SECONDS", help="how long a busy device is waited for")] = 0,
    targets_dir: Annotated[Path, typer.Option(help="where devices are described")] = Path("targets"),
    trust: Trust = False,
    results: Results = Path("results"),
    json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """Hold an engine against another, side by side in one run: exit 0 where every rule holds, 1 where not."""
    from harness.api.entry import load
    from harness.cli.command_gate import present
    from harness.cli.output import print_json, say
    from harness.experiment.resolve import is_experiment
    from harness.gate.reference.two_engines import engines_of
    from harness.gate.run_gate import tell_unsealed
    from harness.gate.verdict_text import document

    engines = engines_of(now, candidate)  # before minutes of building
    if is_experiment(what):
        measured = measure(what, engines, policy, variant, plan, target, targets_dir, setup, wait, results)
    else:
        check_judged_alone(context)
        measured = load(what, results, trust=trust, say=say)
        tell_unsealed(measured.stored, say)
    verdict = measured.upgrade(now, candidate, policy, say=say)
    found = {"from": now, "to": candidate, **document(verdict)}
    keep(measured.path / "upgrade.json", found)
    if json:
        print_json(found)
    else:
        present(verdict)
    raise typer.Exit(int(not verdict))


def keep(file: Path, found: dict[str, object]) -> None:
    """Keeps the verdict. Raises ConfigError, which tells the outcome, where it cannot be written."""
    from harness.errors import ConfigError
    from harness.support.files import write_json

    try:
        write_json(file, found)
    except OSError as error:
        told = f"the verdict, {found['outcome']}, cannot be written: {error}"
        raise ConfigError(told, "make the run's folder one that can be written") from error


def check_judged_alone(context: typer.Context) -> None:
    """Raises ConfigError where an option makes sense only for what is still to be measured."""
    from harness.errors import ConfigError

    sources = {name: context.get_parameter_source(name) for name in TO_MEASURE}
    given = [name.replace("_", "-") for name, source in sources.items() if source and source.name == "COMMANDLINE"]
    if given:
        told = f"a stored run is judged as it was measured: it cannot be used with --{', --'.join(given)}"
        raise ConfigError(told, "leave it out, or name an experiment in the place of the run")


def measure(
    experiment: str,
    engines: Engines,
    policy: Path | None,
    variants: list[str] | None,
    plan: str | None,
    targets: list[str] | None,
    targets_dir: Path,
    setup: bool,
    wait_s: float,
    results: Path,
) -> Run:
    """One run with both engines. Raises HarnessError."""
    from harness.api import entry
    from harness.api.progress import Progress
    from harness.cli.command_run import rules_of
    from harness.experiment.plans import as_plan
    from harness.experiment.resolve import experiment_of
    from harness.metrics.fitting import with_declarations

    chosen = experiment_of(experiment, None, variants or (), as_plan(plan))
    rules_of(policy, with_declarations(chosen.every_scoring))  # what is wrong with it is said at once
    with Progress() as progress:
        return entry.run(
            chosen,
            targets=targets or (),
            runtimes=(engines.present, engines.candidate),
            results=results,
            targets_dir=targets_dir,
            setup=setup,
            wait_s=wait_s,
            progress=progress,
        )


COMMANDS = (upgrade,)
