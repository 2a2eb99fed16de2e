"""harness aa: what the harness is worth on a machine, found by comparing a model with itself."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from harness.api.progress import Progress
    from harness.measure.selftest import AaResult, Asked
    from harness.records import Target, Variant


def aa(
    target: Annotated[str, typer.Argument(metavar="TARGET", help="a name, or any ssh destination")] = "host",
    comparisons: Annotated[int, typer.Option(min=1, help="of the model with itself; 200 take a quarter hour")] = 200,
    rounds: Annotated[int, typer.Option(min=2, help="paired processes a comparison")] = 10,
    min_s: Annotated[float, typer.Option(min=0, help="timed seconds a round, at least")] = 0.05,
    precision: Annotated[
        str | None,
        typer.Option(metavar="PERCENT", help="further rounds until a ratio is known within it"),
    ] = None,
    variant: Annotated[str, typer.Option("-v", "--variant", metavar="NAME", help="of the digits model")] = "float32",
    runtime: Annotated[str | None, typer.Option(metavar="NAME", help="default: the target's first")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="of the order inside each round")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="go on with the newest unfinished one, as it began")] = False,
    results: Annotated[Path, typer.Option(help="where results are kept")] = Path("results"),
    targets_dir: Annotated[Path, typer.Option(help="where devices are described")] = Path("targets"),
    json: Annotated[bool, typer.Option("--json", help="print the result as JSON")] = False,
) -> None:
    """The same model as A and as B: how often this harness raises a false alarm there, and what it finds."""
    from dataclasses import asdict

    from harness.cli.command_devices import one
    from harness.cli.output import print_json, stdout, write
    from harness.experiment.plans import plan_of, precision_of
    from harness.measure.runtimes import check_runtimes
    from harness.measure.selftest import Asked

    runtime = next(iter(check_runtimes([runtime] if runtime else [])), None)
    wanted = precision_of(precision)
    plan_of("standard", rounds=rounds, precision=wanted)  # raises where so few do not tell how many more
    asked = Asked(comparisons, rounds, min_s, **({} if seed is None else {"seed": seed}), precision=wanted)
    result = measure(one(target, targets_dir), results, None if resume else variant, runtime, asked)
    if json:
        print_json(asdict(result))
    else:
        stdout().print(table_of(result))
        write(in_words(result))
    raise typer.Exit(not result.good)


COMMANDS = (aa,)


def measure(target: Target, results: Path, variant: str | None, runtime: str | None, asked: Asked) -> AaResult:
    """variant None: goes on with the newest unfinished study."""
    from contextlib import closing

    from harness.build.workloads import WORKLOADS
    from harness.measure import selftest as study
    from harness.measure.connections import connect
    from harness.runs.header import new_run_id

    with bars(target, results) as progress:
        record = study.reopen(results, target) if variant is None else None
        model = built(variant, progress) if variant is not None else None
        path = record.path if record else results / "aa" / target.name / new_run_id()
        with closing(connect(target, path.name)) as connection:
            if record is None:
                assert model is not None
                record = study.begin(path, target, connection.environment, model, runtime, asked)
            return study.go_on(record, target, WORKLOADS["digits"].load(None), connection, progress)


def built(name: str, progress: Progress) -> Variant:
    """The variant of the built-in digits experiment, from the cache where it is there."""
    from harness.build.builder import build
    from harness.errors import ConfigError
    from harness.experiment.plans import plan_of
    from harness.experiment.resolve import builtin
    from harness.support.cache import Cache, cache_dir

    chosen = builtin("digits", None, (name,), plan_of("none"))
    if len(chosen.variants) != 1:
        raise ConfigError(f"{name!r} names {len(chosen.variants)} variants", "name one of them")
    return build(chosen, chosen.load(), Cache(cache_dir()), progress.say).variants[0]


def bars(target: Target, results: Path) -> Progress:
    """A run's progress, with the words of this command."""
    import shlex

    from harness.api.progress import Progress

    class Bars(Progress):
        def how_to_go_on(self) -> str:
            if not self.tasks:
                return super().how_to_go_on()
            where = "" if results == Path("results") else f" --results {shlex.quote(str(results))}"
            return f"What was measured is kept. Go on with: harness aa {target.name} --resume{where}"

        def begin(self, target: str, shards: int, rounds: int) -> None:
            name = f"{target}: A against A"
            self.tasks = {"latency": self.bars.add_task(name, total=rounds, left="left", now="")}
            if not sys.stderr.isatty():
                self.say(f"{name} in {rounds} processes")

    return Bars()


def table_of(result: AaResult) -> Table:
    from rich.markup import escape
    from rich.table import Table

    from harness.support.format import with_limits

    title = f"{result.variant} on {result.runtime} {result.runtime_version or ''} against itself"
    table = Table(title=escape(title))
    table.add_column(escape(f"{result.target}, {result.comparisons} comparisons of {rounds_words(result)}"))
    table.add_column("found", justify="right")
    limits = f"{100 * result.low:.1f}–{100 * result.high:.1f} %"
    table.add_row("false alarms, nominally 5 %", f"{result.false_alarms} of {result.comparisons} ({limits})")
    table.add_row("half-width of a ratio, median", f"{100 * result.half_width:.2f} %")
    for slowdown, share in result.detection.items():
        table.add_row(f"slow-downs of {slowdown} % found", f"{100 * share:.1f} %")
    if result.confirmed:
        real = result.confirmed
        ratio, *ends = with_limits(percent, real.ratio, real.low, real.high)
        row = f"{ratio} ({ends[0]} to {ends[1]})"
        table.add_row(f"B really slowed by {injected(result)}", row)
    return table


def rounds_words(result: AaResult) -> str:
    """Says how many rounds a comparison has."""
    if result.precision is None or result.rounds_taken is None:
        return f"{result.rounds} rounds"
    taken = f"{result.rounds} or more, {result.rounds_taken:g} in the median"
    return f"as many rounds as ± {100 * result.precision:g} % takes ({taken})"


def injected(result: AaResult) -> str:
    """What was asked for, and what the device measured that it added."""
    asked = f"{100 * result.real_slowdown:g} %"
    return asked if result.slowed is None else f"{asked}, as measured {100 * result.slowed:.2f} %"


def percent(ratio: float | None, more: int = 0) -> str:
    from harness.support.format import decimals, signed

    return f"{signed(decimals(ratio and 100 * (ratio - 1), 2 + more))} %"


def in_words(result: AaResult) -> str:
    found = ", ".join(f"{slowdown} % in {100 * share:.0f}" for slowdown, share in result.detection.items())
    verdict = "was found" if result.found else "was NOT found"
    return (
        f"On {result.target} this harness raises a false alarm in {result.false_alarms} of {result.comparisons} "
        f"comparisons of {rounds_words(result)} of {result.min_s:g} s. Of 100 slow-downs it finds: {found}. "
        f"A real slow-down of {100 * result.real_slowdown:g} % {verdict}."
    )
