"""harness audit: may a stored run be trusted? Its models are timed again, in ways that show a cheat."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli import completion
from harness.cli.command_results import Reference, Results

if TYPE_CHECKING:
    from rich.table import Table

    from harness.api.progress import Progress
    from harness.measure.selftest.audit_result import AuditResult, Ratio, Terms
    from harness.records import Case, Run
    from harness.runs.store import Store

NOT_JUDGED = "two sessions: it is shown and not judged"
TRUST = "audit a run that you did not begin on this machine: its models run, on its devices"


def audit(
    run: Reference,
    target: Annotated[
        list[str] | None,
        typer.Option("-t", "--target", metavar="GLOB", help="default: all", autocompletion=completion.targets),
    ] = None,
    variant: Annotated[
        list[str] | None,
        typer.Option("-v", "--variant", metavar="GLOB", help="default: all", autocompletion=completion.variants),
    ] = None,
    rounds: Annotated[int, typer.Option(min=6, max=200, help="paired rounds a row, of three processes each")] = 10,
    margin: Annotated[float, typer.Option(min=0.1, max=50, metavar="PERCENT", help="how far a ratio may be off")] = 5.0,
    seed: Annotated[int | None, typer.Option(min=0, help="of samples, order and answers; default: drawn")] = None,
    wait: Annotated[float, typer.Option(min=0, metavar="SECONDS", help="how long a busy device is waited for")] = 0.0,
    trust: Annotated[bool, typer.Option("--trust", help=TRUST)] = False,
    results: Results = Path("results"),
    json: Annotated[bool, typer.Option("--json", help="print the result as JSON")] = False,
) -> None:
    """Time a stored run again, to see that its answers and times are no artefact: exit 0 where every check passes."""
    import secrets

    from harness.cli.output import print_json, stdout
    from harness.cli.output import write as tell
    from harness.measure.selftest.audit_result import Terms
    from harness.runs.store import Store

    terms = Terms(secrets.randbelow(2**31) if seed is None else seed, rounds, margin / 100)
    with bars() as progress:
        result = measure(Store(results, trust), run, (target or ["*"], variant or ["*"]), terms, wait, progress)
    if json:
        print_json(document(result))
    else:
        stdout().print(table_of(result))
        tell(in_words(result))
    raise typer.Exit(not result.good)


COMMANDS = (audit,)


def measure(
    store: Store, run: str, named: tuple[list[str], list[str]], terms: Terms, wait_s: float, progress: Progress
) -> AuditResult:
    """Audits a stored run, target by target, and keeps what was found in its folder. named: targets and variants.

    Raises ConfigError where nothing of it can be audited, TargetError.
    """
    from contextlib import closing
    from datetime import UTC, datetime
    from shutil import rmtree

    from harness import __version__
    from harness.measure.patience import connect_when_free
    from harness.measure.same_device import check_same_device, identity_of
    from harness.measure.selftest.audit_result import AuditResult
    from harness.measure.selftest.run_audit import Audit
    from harness.measure.selftest.twins import pack
    from harness.records.names import row_name
    from harness.runs.header import new_run_id, read_header
    from harness.runs.loading import load, read_dataset
    from harness.runs.own_runs import check_trusted
    from harness.runs.record import measuring
    from harness.support.files import write_json

    path = store.find(run)
    header = read_header(path)
    check_trusted(header, store.trust)
    stored, dataset = load(path, store.trust), read_dataset(path, header)
    folder = path / "audits" / new_run_id()
    checks, sessions, notes = [], [], []
    with measuring(path):
        chosen, left_out = chosen_cases(stored, *named)
        notes += [f"{row_name(case)} is not audited: {why}" for case, why in left_out.items()]
        for name, cases in chosen.items():
            known = stored.target(name)
            own = Audit(stored, dataset, known, cases, terms)
            with closing(connect_when_free(known.target, folder.name, header.tune, wait_s, progress.say)) as connection:
                if known.environment:
                    check_same_device(name, "run", identity_of(known.environment), connection.environment)
                found = own.measure(connection, folder / name, progress)
            pack(folder / name)
            rmtree(folder / name)
            checks += found[0]
            sessions += found[1]
            notes += own.notes
        date = datetime.now(UTC).isoformat(timespec="seconds")
        about = (folder.name, stored.run_id, date, __version__, terms)
        result = AuditResult(*about, tuple(checks), tuple(sessions), tuple(notes), stored.unsealed)
        write_json(folder / "audit.json", document(result))
    return result


def chosen_cases(run: Run, targets: list[str], variants: list[str]) -> tuple[dict[str, list[Case]], dict[Case, str]]:
    """Target → its cases of these names that can be audited; those that cannot → why. Raises ConfigError where none
    can.
    """
    from harness.errors import ConfigError
    from harness.measure.selftest.run_audit import why_not_auditable
    from harness.records.names import row_name
    from harness.support.globs import chosen as chosen_names

    def is_named(case: Case) -> bool:
        named = ((case.target, targets), (case.variant, variants))
        return all(chosen_names([name], globs) for name, globs in named)

    asked = [case for case in run.cases if is_named(case)]
    left_out = {case: why for case in asked if (why := why_not_auditable(run, case))}
    chosen = [case for case in asked if case not in left_out]
    if not chosen:
        whys = [f"{row_name(case)}: {why}" for case, why in left_out.items()] or [
            "none was asked the test set and timed"
        ]
        told = f"run {run.run_id} has no row of these names that can be audited; {'; '.join(whys)}"
        raise ConfigError(told, "name others, or measure with --plan standard first")
    if recordings := {c.target for c in chosen if run.target(c.target).target.kind == "replay"}:
        told = f"{', '.join(sorted(recordings))} is a recording, which answers nothing that it was not asked before"
        raise ConfigError(told, "audit the run that was recorded")
    by_target = {name: [c for c in chosen if c.target == name] for name in dict.fromkeys(c.target for c in chosen)}
    return by_target, left_out


def bars() -> Progress:
    """A run's progress, with the words of this command."""
    from harness.api.progress import Progress

    class Bars(Progress):
        def how_to_go_on(self) -> str:
            return "An audit is kept only when it is complete: run the same command again."

        def begin(self, target: str, shards: int, rounds: int) -> None:
            self.tasks = {"latency": self.bars.add_task(f"{target}: audit", total=rounds, left="left", now="")}
            if not sys.stderr.isatty():
                self.say(f"{target}: audit in {rounds} jobs")

    return Bars()


# --- what is shown ---


def document(result: AuditResult) -> dict[str, object]:
    """audit.json, and what --json prints."""
    from dataclasses import asdict

    return {"good": result.good, **asdict(result)}


def table_of(result: AuditResult) -> Table:
    from harness.cli.tables.run_tables import add_row, plain_table
    from harness.records.names import row_name

    table = plain_table(f"Audit of run {result.run_id}")
    for name in ("Row", "Check", "Ratio of times", "Outcome", "Reason"):
        table.add_column(name, no_wrap=name in ("Ratio of times", "Outcome"))
    for check in result.checks:
        add_row(table, row_name(check.case), check.what, interval(check.ratio), check.outcome, check.reason)
    for session in result.sessions:
        add_row(table, row_name(session.case), "now / stored", interval(session.ratio), "", NOT_JUDGED)
    return table


def interval(ratio: Ratio | None) -> str:
    from harness.support.format import MISSING, decimals, with_limits

    if not ratio:
        return MISSING
    value, *ends = with_limits(lambda each, more=0: decimals(each, 3 + more), ratio.ratio, ratio.low, ratio.high)
    return f"{value} [{', '.join(ends)}]"


def in_words(result: AuditResult) -> str:
    terms, failed = result.terms, sum(check.outcome == "fail" for check in result.checks)
    undecided = sum(check.outcome == "inconclusive" for check in result.checks)
    sealed = [f"The run is not sealed: {result.unsealed}."] if result.unsealed else []
    about = f"seed {terms.seed}, {terms.rounds} rounds, margin {100 * terms.margin:g} %"
    found = f"{failed} fail, {undecided} are inconclusive" if failed or undecided else "all pass"
    verdict = f"{len(result.checks)} checks, {found} ({about})." if result.checks else f"Nothing was checked ({about})."
    return "\n".join([*(f"{note}." for note in result.notes), *sealed, verdict])
