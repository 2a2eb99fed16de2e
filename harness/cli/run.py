"""harness run, harness build."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from harness.cli.progress import Progress
    from harness.experiment import Experiment
    from harness.pipeline import Request
    from harness.policy import Policy
    from harness.records import Comparison
    from harness.store import Store

Name = Annotated[
    str | None, typer.Argument(metavar="[EXPERIMENT]", help="mnist (the default), digits, or an experiment.toml")
]
Variants = Annotated[
    list[str] | None, typer.Option("-v", "--variant", metavar="NAME|GLOB", help="default: all of them")
]
Data = Annotated[Path | None, typer.Option(help="where MNIST lies: an .npz, or a folder with its four IDX files")]
Results = Annotated[Path, typer.Option(help="where runs are kept")]
Fresh = Annotated[bool, typer.Option("--fresh", help="ignore what was built before")]
REPEATABLE = "; repeatable"
WITH_RESUME = ("resume", "results", "policy", "reference", "json", "digits_if_no_mnist")  # said of a run as it ends


def run(
    context: typer.Context,
    experiment: Name = None,
    target: Annotated[
        list[str] | None, typer.Option("-t", "--target", metavar="NAME|GLOB|DEST", help="default: host" + REPEATABLE)
    ] = None,
    variant: Variants = None,
    runtime: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="default: the target's" + REPEATABLE)
    ] = None,
    threads: Annotated[list[int] | None, typer.Option(min=1, help="default: the target's" + REPEATABLE)] = None,
    plan: Annotated[
        str | None, typer.Option(help="none (accuracy alone), quick, standard or strict; default: the experiment's")
    ] = None,
    rounds: Annotated[int | None, typer.Option(min=0, help="adjusts the plan: processes a case")] = None,
    min_runs: Annotated[
        int | None, typer.Option(min=1, help="adjusts the plan: timed invokes a round, at least")
    ] = None,
    min_s: Annotated[
        float | None, typer.Option(min=0, help="adjusts the plan: timed seconds a round, at least")
    ] = None,
    warmup_s: Annotated[float | None, typer.Option(min=0, help="adjusts the plan: warm-up before it")] = None,
    data: Data = None,
    resume: Annotated[str | None, typer.Option(metavar="RUN", help="go on with an interrupted run")] = None,
    results: Results = Path("results"),
    targets_dir: Annotated[Path, typer.Option(help="where devices are described")] = Path("targets"),
    fresh: Fresh = False,
    setup: Annotated[bool, typer.Option("--setup", help="set up a device that is not")] = False,
    tune: Annotated[bool, typer.Option("--tune", help="set the devices' governor, put it back")] = False,
    policy: Annotated[Path | None, typer.Option(help="judge the run by this policy.toml at the end")] = None,
    reference: Annotated[
        list[str] | None,
        typer.Option(metavar="RUN", help="what the policy's rules against a reference stand against" + REPEATABLE),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="print the rows of summary.csv as JSON")] = False,
    digits_if_no_mnist: Annotated[bool, typer.Option("--digits-if-no-mnist", hidden=True)] = False,
) -> None:
    """Build, measure, compare and report: the main job."""
    from dataclasses import replace

    from harness import pipeline
    from harness.cache import Cache, cache_dir
    from harness.cli.gate import policy_of
    from harness.cli.progress import Progress
    from harness.experiment import adjust
    from harness.metrics.fitting import named
    from harness.store import Store, read_header

    store = Store(results)
    with Progress() as progress:
        if resume is not None:
            check_nothing_new(context)
            progress.policy = policy_of(policy, read_header(store.find(resume)).scoring) if policy else None
            comparison = pipeline.resume(resume, store, progress)
        else:
            name = experiment or default_experiment(data, digits_if_no_mnist, progress)
            chosen = experiment_of(name, data, variant, plan, fresh)
            progress.policy = policy_of(policy, named(chosen.scoring)) if policy else None
            adjusted = adjust(chosen.plan, rounds=rounds, min_runs=min_runs, min_s=min_s, warmup_s=warmup_s)
            request = requested(replace(chosen, plan=adjusted), target, targets_dir, runtime, threads)
            comparison = pipeline.run(
                replace(request, setup=setup, tune=tune), store, Cache(cache_dir(), fresh), progress
            )
    present(comparison, json)
    rules = progress.policy
    passed = judged(comparison, rules, reference or (), store, quiet=json) if rules else True
    raise typer.Exit(exit_code(comparison) or int(not passed))


def check_nothing_new(context: typer.Context) -> None:
    """Raises ConfigError where what is asked for beside --resume could only be of a new run."""
    from harness.errors import ConfigError

    sources = {name: context.get_parameter_source(name) for name in context.params if name not in WITH_RESUME}
    new = [name.replace("_", "-") for name, source in sources.items() if source and source.name == "COMMANDLINE"]
    if new:
        told = f"a run that goes on keeps what it began with: --resume takes no {', '.join(new)}"
        raise ConfigError(told, "leave that out, or start a new run without --resume")


def build(
    experiment: Name = None,
    variant: Variants = None,
    data: Data = None,
    out: Annotated[Path | None, typer.Option(help="copy the .tflite files here")] = None,
    fresh: Fresh = False,
    json: Annotated[bool, typer.Option("--json", help="print the variants as JSON")] = False,
) -> None:
    """Build the variants alone, and say what each really is."""
    from harness.cache import Cache, cache_dir
    from harness.cli.output import print_json, say, stdout
    from harness.cli.tables import variants_table
    from harness.pipeline import build_only

    chosen = experiment_of(experiment or "mnist", data, variant, "none", fresh)
    built = build_only(chosen, Cache(cache_dir(), fresh), say)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        for v in built.variants:
            if v.path:
                shutil.copyfile(v.path, out / f"{v.name}.tflite")
    if json:
        print_json([{"name": v.name, "status": v.status, "reason": v.reason, "path": v.path, "size_bytes": v.size_bytes,
                     "sha256": v.sha256} for v in built.variants])  # fmt: skip
    else:
        stdout().print(variants_table(built.variants))
    raise typer.Exit(any(v.status != "ok" for v in built.variants))


COMMANDS = (run, build)


def default_experiment(data: Path | None, digits_if_no_mnist: bool, progress: Progress) -> str:
    """mnist; or digits, said so, where scripts/run asked for that and MNIST cannot be had."""
    from harness.workloads import WORKLOADS, mnist

    if digits_if_no_mnist:
        try:
            WORKLOADS["mnist"].load(data)
        except mnist.MnistUnavailable as error:
            progress.say(f"{error}")
            progress.say("MNIST cannot be had on this machine, so this run is of `digits`, scikit-learn's bundled")
            progress.say("handwritten digits: the same model and the same job, on another and smaller data set.")
            progress.say(error.advice)
            return "digits"
    return "mnist"


def experiment_of(
    name: str, data: Path | None, variants: list[str] | None, plan: str | None, fresh: bool = False
) -> Experiment:
    """A built-in one by its name, or the user's own by its file. Raises ConfigError."""
    from harness.errors import ConfigError
    from harness.experiment import builtin, chosen, plan_of
    from harness.workloads import WORKLOADS

    if name in WORKLOADS or not (name.endswith(".toml") or Path(name).exists()):
        return builtin(name, data, tuple(variants or ()), plan_of(plan or "standard"))
    from harness.experiment.file import read_experiment

    if data is not None:
        raise ConfigError("--data is for the built-in experiments", f"{name} says where its data lies, under [data]")
    path = Path(name) / "experiment.toml" if Path(name).is_dir() else Path(name)
    return chosen(read_experiment(path, plan_of(plan) if plan else None, fresh), tuple(variants or ()))


def requested(
    experiment: Experiment,
    targets: list[str] | None,
    targets_dir: Path,
    runtimes: list[str] | None,
    threads: list[int] | None,
) -> Request:
    from harness.pipeline import Request
    from harness.runtimes import check_runtimes
    from harness.targets import select_targets

    chosen = select_targets(tuple(targets or ()), targets_dir)
    return Request(
        experiment,
        chosen,
        check_runtimes(runtimes or []),
        tuple(sorted(set(threads or []))),
    )


def present(comparison: Comparison, as_json: bool) -> None:
    """One table a target, or the rows as JSON, on stdout."""
    from harness.cli.output import print_json, stdout
    from harness.cli.tables import summary_tables
    from harness.report.rows import SUMMARY, rows

    if as_json:
        print_json([{column: value(row) for column, value in SUMMARY.items()} for row in rows(comparison)])
        return
    console = stdout()
    for table in summary_tables(comparison, console):
        console.print(table)
    console.print(f"report: {comparison.run.path / 'report.html'}", soft_wrap=True)


def judged(comparison: Comparison, rules: Policy, references: Sequence[str], store: Store, quiet: bool) -> bool:
    """Whether the run passes the policy; the verdict is shown, unless quiet, and kept with the run as verdict.json."""
    from harness.cli import gate

    verdict = gate.decide(comparison, rules, references, store)
    if not quiet:
        gate.present(verdict)
    gate.write(verdict, comparison)
    return verdict.outcome == "pass"


def exit_code(comparison: Comparison) -> int:
    """1 if a requested row did not end ok; a combination that does not exist does not count."""
    return int(any(s.status not in ("ok", "unsupported") for s in comparison.standings))
