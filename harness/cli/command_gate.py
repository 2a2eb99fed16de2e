"""harness gate, accept: may this run ship? No TensorFlow; a device only where the reference is timed again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli import completion
from harness.cli.command_results import Reference, Results, Trust

if TYPE_CHECKING:
    from harness.api.progress import Progress
    from harness.api.stored_run import Run
    from harness.gate.known import Known
    from harness.records import Verdict

POLICY = "a policy.toml; default: every variant but float32 loses under 1 pp of accuracy, at 95 %"
REFERENCE = "the stored run that rules stand against, default: the accepted one; repeated: further sessions of it"
AGAIN = "time the reference's models again beside the candidate's, on its devices, and judge by that"
EXPLAIN = "say beside each finding how often a model at the limit, and a harmless one, would pass; up to 20 s each"
SIGNED = "only a run that one of these signers signed, as in `man ssh-keygen`, and references alike"
TAKEN = "The labels{} are taken for those of {}, since the experiment declares no task. "
COLUMNS_TOLD = (
    "Changed: answers that differ; of numbers, how far outputs move, as a share of the spread of Keras' errors. "
    "Harmless: as good as Keras, so that as many answers are lost as won; of a rule on flips, with so many of them. "
    "N: samples that pass it."
)
References = Annotated[
    list[str] | None, typer.Option("--reference", metavar="RUN", help=REFERENCE, autocompletion=completion.runs)
]


def gate(
    run: Reference,
    policy: Annotated[Path | None, typer.Option(help=POLICY)] = None,
    reference: References = None,
    remeasure_reference: Annotated[bool, typer.Option("--remeasure-reference", help=AGAIN)] = False,
    explain: Annotated[bool, typer.Option("--explain", help=EXPLAIN)] = False,
    junit: Annotated[Path | None, typer.Option(help="JUnit XML, one test case a rule and row")] = None,
    summary: Annotated[Path | None, typer.Option(help="Markdown, added to a file such as $GITHUB_STEP_SUMMARY")] = None,
    require_signature: Annotated[Path | None, typer.Option(metavar="ALLOWED_SIGNERS", help=SIGNED)] = None,
    trust: Trust = False,
    json: Annotated[bool, typer.Option("--json")] = False,
    results: Results = Path("results"),
) -> None:
    """Judge a run by a policy: exit 0 where every rule holds, 1 where not, 2 for a policy that cannot be used."""
    from contextlib import nullcontext

    from harness.api.entry import load
    from harness.cli.output import print_json, say
    from harness.gate.verdict_text import document

    judged = load(run, results, trust=trust, say=say)
    with measuring_again() if remeasure_reference else nullcontext() as progress:
        verdict = judged.judge(
            policy,
            reference or (),
            remeasure=remeasure_reference,
            explain=explain,
            signers=require_signature,
            say=say,
            progress=progress,
        )
    if json:
        print_json(document(verdict))
    else:
        present(verdict)
    write(verdict, judged, junit, summary)
    raise typer.Exit(int(not verdict))


def power(
    experiment: Annotated[
        str | None,
        typer.Argument(
            metavar="[EXPERIMENT]",
            help="mnist, digits or an experiment.toml: its test set",
            autocompletion=completion.experiments,
        ),
    ] = None,
    policy: Annotated[Path | None, typer.Option(help=POLICY)] = None,
    samples: Annotated[
        int | None, typer.Option(min=1, help="so many test samples, in the place of an experiment")
    ] = None,
    flips: Annotated[
        list[float] | None, typer.Option(min=0, max=100, metavar="PERCENT", help="answers that differ; repeatable")
    ] = None,
    baseline: Annotated[
        float | None, typer.Option(min=0, max=100, metavar="PERCENT", help="suppose Keras right so often; default: 90")
    ] = None,
    alike: Annotated[
        float, typer.Option(min=0, max=100, metavar="PERCENT", help="suppose changes of one group so correlated")
    ] = 50,
    json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """Say before anything is measured what a policy can decide: how often a harmless model would pass it."""
    from dataclasses import asdict

    from harness.cli.output import print_json, stdout, write
    from harness.cli.tables.foresight_table import foresight_table
    from harness.gate.foresight import HARMLESS, foresee
    from harness.gate.run_gate import policy_of
    from harness.gate.simulated import Supposed

    known = test_samples(experiment, samples, by_default=policy is None)
    supposed = Supposed(0.9 if baseline is None else baseline / 100, alike / 100, baseline is not None)
    found = foresee(policy_of(policy), known, [share / 100 for share in flips or ()] or HARMLESS, supposed)
    if json:
        print_json([{"samples": known.samples, **asdict(each)} for each in found])
        return
    stdout().print(foresight_table(found))
    taken = "".join(TAKEN.format(f" of {name}" if name else "", task) for name, task in known.supposed.items())
    kind = "test" if known.groups is not None else "independent test"
    write(f"{known.samples:,} {kind} samples. {taken}{COLUMNS_TOLD}")


def test_samples(experiment: str | None, samples: int | None, by_default: bool) -> Known:
    """Returns what is known of them. Raises ConfigError where neither is given, or both, and where the default policy
    is asked for and labels are no classes: which it is depends on the task, and that on what a model answers.
    """
    from harness.build.scored import as_asked, unanswered
    from harness.errors import ConfigError
    from harness.experiment.resolve import experiment_of
    from harness.gate.known import Known
    from harness.metrics.meaning import declared_task

    if (experiment is None) == (samples is None):
        raise ConfigError("one of an experiment and --samples is needed", "harness power mnist, or --samples 10000")
    if samples is not None or experiment is None:
        return Known(samples or 0)
    asked = experiment_of(experiment)
    dataset = asked.load()
    whole = as_asked(asked, dataset)
    scorings = {dataset.labels_of: whole.scoring, **whole.heads}
    tasks = {name: task for name, each in scorings.items() if (task := declared_task(each))}
    known = Known.of(unanswered(dataset, scorings), tasks)
    if by_default and set(known.every_task) != {"classification"}:
        raise ConfigError("which rule the default policy has is not known of such labels before a run", "give --policy")
    return known


def accept(
    runs: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN...", help="the reference, then further sessions of it", autocompletion=completion.runs
        ),
    ],
    add: Annotated[bool, typer.Option("--add", help="add sessions to the reference that is accepted")] = False,
    results: Results = Path("results"),
) -> None:
    """Make a run the reference of its experiment: what `against = "reference"` means from now on."""
    from harness.cli.output import write
    from harness.runs import references
    from harness.runs.store import Store

    write(str((references.add if add else references.accept)(Store(results), runs)))


def seal(
    run: Reference,
    sign: Annotated[Path | None, typer.Option(metavar="KEY", help="sign it with this SSH key")] = None,
    signers: Annotated[
        Path | None, typer.Option(metavar="ALLOWED_SIGNERS", help="say which of these signed it")
    ] = None,
    results: Results = Path("results"),
) -> None:
    """Say whether a run is what was measured, and sign it: `gate --require-signature` asks for that."""
    from harness.cli.output import write
    from harness.errors import StoreError
    from harness.runs import signature
    from harness.runs.header import read_header
    from harness.runs.loading import check_seal
    from harness.runs.seal import read_manifest
    from harness.runs.store import Store

    path = Store(results).find(run)
    if reason := check_seal(path, read_header(path)):
        raise StoreError(f"run {path.name} is not sealed: {reason}", "a run is sealed when `harness run` ends it")
    write(f"{path.name} is what was measured: {len(read_manifest(path).files):,} files")
    if sign:
        write(str(signature.sign(path, sign)))
    if signers:
        write(f"signed by {signature.signer_of(path, signers)}")


def measuring_again() -> Progress:
    """The progress of the run in which the reference is timed again, with the words of this command."""
    from harness.api.progress import Progress

    class Again(Progress):
        def how_to_go_on(self) -> str:
            return "What was measured is kept. Run the same command again: it continues from there."

    return Again()


def present(verdict: Verdict) -> None:
    from harness.cli.output import stdout, write
    from harness.cli.tables.verdict_table import verdict_table
    from harness.gate.verdict_text import headline, heads, ships, stands_against

    stdout().print(verdict_table(verdict))
    if against := stands_against(verdict):
        write(against)
    for told in heads(verdict):
        write(told)
    write(ships(verdict))
    write(headline(verdict))


def write(verdict: Verdict, run: Run, junit: Path | None = None, summary: Path | None = None) -> None:
    """verdict.json in the run's folder, and what else was asked for. Raises ConfigError."""
    from harness.cli.output import add_summary
    from harness.errors import ConfigError
    from harness.gate import junit as xml
    from harness.gate.verdict_text import MARKDOWN_BYTES, document, markdown
    from harness.support.files import write_atomically, write_json

    try:
        write_json(run.path / "verdict.json", document(verdict))
        if junit:
            write_atomically(junit, xml.junit(verdict, run.stored.provenance.created))
        if summary:
            add_summary(lambda room: markdown(verdict, min(room, MARKDOWN_BYTES)), summary)
    except OSError as error:
        told = f"the verdict, {verdict.outcome}, cannot be written: {error}"
        raise ConfigError(told, "give a file in a folder that can be written") from error


COMMANDS = (gate, power, accept, seal)
