"""harness run, harness build."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli import completion

if TYPE_CHECKING:
    from harness.api.progress import Progress
    from harness.api.stored_run import Run
    from harness.gate.policy import Policy
    from harness.records import Comparison, Experiment, Scoring, Variant

Name = Annotated[
    str | None,
    typer.Argument(
        metavar="[EXPERIMENT]",
        help="mnist (the default), digits, or an experiment.toml",
        autocompletion=completion.experiments,
    ),
]
Variants = Annotated[
    list[str] | None,
    typer.Option(
        "-v",
        "--variant",
        metavar="NAME|GLOB",
        help="default: all of them; '!int8' is every other one; repeatable",
        autocompletion=completion.variants,
    ),
]
Data = Annotated[Path | None, typer.Option(help="where MNIST is: an .npz, or a folder with its four IDX files")]
Results = Annotated[Path, typer.Option(help="where runs are kept")]
Fresh = Annotated[bool, typer.Option("--fresh", help="ignore what was built before")]
REPEATABLE = "; repeatable"
WITH_RESUME = (
    "resume",
    "results",
    "wait",
    "trust",
    "policy",
    "reference",
    "json",
    "digits_if_no_mnist",
)  # said of a run as it ends


def run(
    context: typer.Context,
    experiment: Name = None,
    target: Annotated[
        list[str] | None,
        typer.Option(
            "-t",
            "--target",
            metavar="NAME|GLOB|DEST",
            help="default: host" + REPEATABLE,
            autocompletion=completion.targets,
        ),
    ] = None,
    variant: Variants = None,
    runtime: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="default: the target's" + REPEATABLE)
    ] = None,
    threads: Annotated[list[int] | None, typer.Option(min=1, help="default: the target's" + REPEATABLE)] = None,
    plan: Annotated[
        str | None,
        typer.Option(
            help="none (accuracy alone), quick, standard or strict; default: the experiment's",
            autocompletion=completion.plans,
        ),
    ] = None,
    rounds: Annotated[int | None, typer.Option(min=0, help="adjusts the plan: processes a case")] = None,
    min_runs: Annotated[
        int | None, typer.Option(min=1, help="adjusts the plan: timed invokes a round, at least")
    ] = None,
    min_s: Annotated[
        float | None, typer.Option(min=0, help="adjusts the plan: timed seconds a round, at least")
    ] = None,
    warmup_s: Annotated[float | None, typer.Option(min=0, help="adjusts the plan: warm-up before it")] = None,
    precision: Annotated[
        str | None,
        typer.Option(metavar="PERCENT", help="time further rounds until each ratio is known within, say, 1%"),
    ] = None,
    data: Data = None,
    resume: Annotated[
        str | None,
        typer.Option(metavar="RUN", help="continue an interrupted run", autocompletion=completion.runs),
    ] = None,
    results: Results = Path("results"),
    targets_dir: Annotated[Path, typer.Option(help="where devices are described")] = Path("targets"),
    fresh: Fresh = False,
    setup: Annotated[bool, typer.Option("--setup", help="first set up devices that are not set up")] = False,
    tune: Annotated[bool, typer.Option("--tune", help="set the devices' governor, restore it afterwards")] = False,
    wait: Annotated[float, typer.Option(min=0, metavar="SECONDS", help="how long a busy device is waited for")] = 0,
    trust: Annotated[bool, typer.Option("--trust", help="with --resume: a run that you did not begin here")] = False,
    policy: Annotated[Path | None, typer.Option(help="judge the run by this policy.toml at the end")] = None,
    reference: Annotated[
        list[str] | None,
        typer.Option(metavar="RUN", help="what the policy's rules against a reference compare with" + REPEATABLE),
    ] = None,
    until_decided: Annotated[
        bool, typer.Option("--until-decided", help="ask each row only until the rules on accuracy_drop are decided")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="print the rows of summary.csv as JSON")] = False,
    digits_if_no_mnist: Annotated[bool, typer.Option("--digits-if-no-mnist", hidden=True)] = False,
) -> None:
    """Build, measure, compare and report: the main command."""
    from dataclasses import replace

    from harness.api import entry
    from harness.api.progress import Progress
    from harness.experiment.plans import adjust, precision_of
    from harness.metrics.fitting import with_declarations
    from harness.runs.store import Store

    references = found_references(reference or [], policy, results)
    with Progress() as progress:
        if resume is not None:
            check_nothing_new(context)
            begun = entry.load(str(Store(results).find(resume, finished=False)), results, trust=trust)
            progress.policy = rules_of(policy, begun.stored.every_scoring)
            done = begun.resume(policy=progress.policy, reference=references, wait_s=wait, progress=progress)
        else:
            chosen = chosen_experiment(experiment, data, variant, plan, fresh, digits_if_no_mnist, progress)
            given = {"rounds": rounds, "min_runs": min_runs, "min_s": min_s, "warmup_s": warmup_s}
            adjusted = adjust(chosen.plan, **given, precision=precision_of(precision))
            progress.policy = rules_of(policy, with_declarations(chosen.every_scoring))
            done = entry.run(
                replace(chosen, plan=adjusted),
                targets=target or (),
                runtimes=runtime or (),
                threads=threads or (),
                results=results,
                targets_dir=targets_dir,
                setup=setup,
                tune=tune,
                fresh=fresh,
                wait_s=wait,
                policy=progress.policy,
                reference=references,
                until_decided=until_decided,
                progress=progress,
            )
    present(done.comparison, json)
    passed = policy is None or judged(done, quiet=json)
    raise typer.Exit(exit_code(done.comparison) or int(not passed))


def found_references(references: Sequence[str], policy: Path | None, results: Path) -> list[str]:
    """Their folders, known before minutes of building: `latest` would be the new run itself later on.

    Raises ConfigError where nothing would be judged by them, StoreError where one is not there.
    """
    from harness.errors import ConfigError
    from harness.runs.store import Store

    if references and policy is None:
        raise ConfigError("--reference without --policy: nothing is judged", "add --policy FILE, or leave it out")
    return [str(Store(results).find(name)) for name in references]


def rules_of(policy: Path | None, scoring: Scoring) -> Policy | None:
    """Read before minutes of building: what is wrong with it is said at once. Raises ConfigError."""
    from harness.gate.run_gate import policy_of

    return policy_of(policy, scoring) if policy else None


def check_nothing_new(context: typer.Context) -> None:
    """Raises ConfigError where an option beside --resume makes sense for a new run only."""
    from harness.errors import ConfigError

    sources = {name: context.get_parameter_source(name) for name in context.params if name not in WITH_RESUME}
    new = [name.replace("_", "-") for name, source in sources.items() if source and source.name == "COMMANDLINE"]
    if new:
        told = f"a resumed run keeps its settings: --resume cannot be used with {', '.join(new)}"
        raise ConfigError(told, "leave it out, or start a new run without --resume")


def build(
    experiment: Name = None,
    variant: Variants = None,
    data: Data = None,
    out: Annotated[Path | None, typer.Option(help="copy the .tflite files here")] = None,
    fresh: Fresh = False,
    json: Annotated[bool, typer.Option("--json", help="print the variants as JSON")] = False,
) -> None:
    """Build the variants only, and say what each of them really is."""
    from harness.build.builder import build as build_variants
    from harness.cli.output import print_json, say, stdout
    from harness.cli.tables.run_tables import variants_table
    from harness.experiment.plans import plan_of
    from harness.experiment.resolve import experiment_of
    from harness.support.cache import Cache, cache_dir

    chosen = experiment_of(experiment or "mnist", data, variant or (), plan_of("none"), fresh)
    built = build_variants(chosen, chosen.load(), Cache(cache_dir(), fresh), say)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        for v in built.variants:
            if v.path:
                shutil.copyfile(v.path, out / f"{v.name}.tflite")
    if json:
        print_json([as_built(variant) for variant in built.variants])
    else:
        stdout().print(variants_table(built.variants))
    raise typer.Exit(any(v.status not in ("ok", "unsupported") for v in built.variants))


def as_built(v: Variant) -> dict[str, object]:
    """A variant as `build --json` shows it."""
    about = {"name": v.name, "status": v.status, "reason": v.reason, "path": v.path}
    return {**about, "size_bytes": v.size_bytes, "sha256": v.sha256}


COMMANDS = (run, build)


def chosen_experiment(
    name: str | None,
    data: Path | None,
    variants: list[str] | None,
    plan: str | None,
    fresh: bool,
    digits_if_no_mnist: bool,
    progress: Progress,
) -> Experiment:
    """What was named; else mnist, or digits, said so, where scripts/run asked for that and MNIST is not available."""
    from harness.build.workloads.mnist import MnistUnavailable
    from harness.experiment.plans import as_plan
    from harness.experiment.resolve import experiment_of

    further = (data, variants or (), as_plan(plan), fresh)
    chosen = experiment_of(name or "mnist", *further)
    if name is None and digits_if_no_mnist:
        try:
            chosen.load()
        except MnistUnavailable as error:
            progress.say(f"{error}")
            progress.say("MNIST is not available on this machine, so this run uses `digits`, scikit-learn's bundled")
            progress.say("handwritten digits: the same model and the same steps, on a smaller data set.")
            progress.say(error.advice)
            return experiment_of("digits", *further)
    return chosen


def present(comparison: Comparison, as_json: bool) -> None:
    """One table a target, or the rows as JSON, on stdout."""
    from harness.cli.output import print_json, stdout, write
    from harness.cli.tables.run_tables import summary_tables
    from harness.compare.rows import rows, summary_columns

    if as_json:
        print_json([{column: value(row) for column, value in summary_columns().items()} for row in rows(comparison)])
        return
    console = stdout()
    for table in summary_tables(comparison, console):
        console.print(table)
    write(f"report: {comparison.run.path / 'report.html'}")


def judged(run: Run, quiet: bool) -> bool:
    """Whether the run passes its policy; the verdict is shown, unless quiet, and kept with the run as verdict.json."""
    from harness.cli import command_gate as gate
    from harness.records import Absent

    assert not isinstance(run.verdict, Absent)  # a policy was given: its judge raises instead
    if not quiet:
        gate.present(run.verdict)
    gate.write(run.verdict, run)
    return bool(run.verdict)


def exit_code(comparison: Comparison) -> int:
    """1 if a requested row did not end ok; a combination that does not exist does not count."""
    return int(any(s.status not in ("ok", "unsupported") for s in comparison.standings))
