"""A stored run and one of its rows → the smallest change of its recipe that passes the gate."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness.build.keras_process import KerasProcess
from harness.build.workloads import WORKLOADS
from harness.compare.baseline import compare
from harness.data.shuffled import shuffled
from harness.diagnosis.bench import Bench
from harness.diagnosis.explain_row import explain
from harness.diagnosis.row_study import Study
from harness.diagnosis.stored_row import Asked as Row
from harness.diagnosis.stored_row import chosen
from harness.errors import ConfigError, JobFailed
from harness.experiment.resolve import experiment_of
from harness.gate.run_gate import load, policy_of
from harness.measure.connections import kind_of
from harness.measure.jobs import Watcher
from harness.measure.model_state import reset_of
from harness.measure.patience import connect_when_free
from harness.measure.same_device import check_same_device, identity_of
from harness.records import CONTROL, Experiment, Run, Variant
from harness.runs.header import Header, new_run_id, read_header
from harness.runs.own_runs import check_trusted
from harness.runs.store import Store
from harness.support.cache import Cache
from harness.support.files import TemporaryFolder, telling_disk
from harness.treatment.cured import Cure, Kept
from harness.treatment.halves import Half
from harness.treatment.patient import Patient, Workshop, check_further
from harness.treatment.remedies import Layers, layers_of, recipe_for, remedies
from harness.treatment.search import Trial, search
from harness.treatment.verdict_on import rules_for, too_few

Say = Callable[[str], None]
USUAL_FILE = Path("experiment.toml")
UNEXPLAINED = "explain cannot look into this row, so that no cause is known, and no layer to keep in float32: {}"
NO_FILE = (
    "say where its experiment.toml is: --experiment FILE; a run of harness.evaluate has none, so write one "
    "(harness init), measure with harness run, and cure that run"
)
LARGER = "a larger test set: each half of it needs that many samples"


@dataclass(frozen=True)
class Asked:
    """Which row, and by what. "" and None for what need not be named. experiment: a file or a built-in one."""

    variant: str = ""
    target: str = ""
    runtime: str = ""
    experiment: str = ""
    policy: Path | None = None
    calibration: Path | None = None
    wait_s: float = 0.0


@telling_disk()
def cure_stored(store: Store, run: str, asked: Asked, cache: Cache, watcher: Watcher, say: Say) -> Cure:
    """Raises ConfigError, DataError, StoreError, TargetError."""
    with opened(store, run, asked, cache, watcher, say) as (patient, workshop, notes):
        return cured(patient, workshop, notes, say)


@contextmanager
def opened(
    store: Store, run: str, asked: Asked, cache: Cache, watcher: Watcher, say: Say
) -> Iterator[tuple[Patient, Workshop, tuple[str, ...]]]:
    """The row with its device, what builds files of its model, and what is to be noted of the policy."""
    path = store.find(run)
    header = read_header(path)
    check_trusted(header, store.trust)
    stored = load(path, store, say)
    whole = policy_of(asked.policy, stored.every_scoring, stored.tasks)
    named = lambda case: any(rule.matches(case) for rule in whole.rules)  # noqa: E731
    case = chosen(compare(stored), Row(asked.variant, asked.target, asked.runtime), named)
    check(stored, stored.variant(case.variant))
    policy, notes = rules_for(whole, case)
    experiment = experiment_for(header, asked.experiment)
    dataset = experiment.load()
    if further := asked.calibration and asked.calibration.resolve():
        notes += check_further(experiment, dataset, further)
    dataset = shuffled(dataset, header.plan.seed) if header.plan.until_decided else dataset
    known = stored.target(case.target)
    with (
        TemporaryFolder() as folder,
        KerasProcess(cache.root / "tensorflow.log") as keras,
        closing(connect_when_free(known.target, new_run_id(), header.tune, asked.wait_s, say)) as connection,
    ):
        if known.environment:
            then = identity_of(known.environment, [case])
            check_same_device(known.target.name, "run", then, connection.environment)
        patient = Patient(stored, case, policy, Bench(connection, case, Path(folder), watcher))
        yield patient, Workshop(experiment, dataset, further, cache, keras, header.hashes), notes


def check(run: Run, own: Variant) -> None:
    """Raises ConfigError where there is nothing to cure."""
    if not run.finished:
        raise ConfigError(f"run {run.run_id} is not finished", "finish it with harness run --resume")
    control = next((variant for variant in run.variants if variant.name == CONTROL), None)
    if control is None or control.path is None:
        raise ConfigError("the run has no float32 file to hold the variant against", "measure with -v float32 too")
    if own.path is None:
        raise ConfigError(f"{own.name} has no file: {own.reason}", "choose a row that was measured, with --variant")
    if run.clips is not None or any(reset_of(path) != "none" for path in (own.path, control.path)):
        told = "state is carried from sample to sample, so that none can be judged by itself"
        raise ConfigError(told, "such a model cannot be cured")


def experiment_for(header: Header, named: str) -> Experiment:
    """The experiment that the run is of: the one that is named, a built-in one, or experiment.toml here. Raises
    ConfigError.
    """
    if not named and header.experiment not in WORKLOADS and not USUAL_FILE.exists():
        told = f"the model and the calibration samples of {header.experiment} are needed to build with"
        raise ConfigError(told, NO_FILE)
    builtin = header.experiment in WORKLOADS
    found = experiment_of(named or (header.experiment if builtin else str(USUAL_FILE)))
    if found.name != header.experiment:
        raise ConfigError(f"the run is of {header.experiment}, not of {found.name}", "give its own with --experiment")
    if found.model is None:
        told = f"{found.name} has no Keras model, so nothing can be built anew"
        raise ConfigError(told, "name the model: source = under [model]")
    return found


# --- the search ---


def cured(patient: Patient, workshop: Workshop, notes: tuple[str, ...], say: Say) -> Cure:
    run, case, kept = patient.run, patient.case, Kept(patient.run.path, patient.case)
    own = run.variant(case.variant)
    rules = tuple(rule.words for rule in patient.policy.rules)
    begun = Cure(run.run_id, case, patient.policy.source, rules, patient.judge_all(own), notes=notes, left=len(notes))
    if begun.before.passes:
        return begun
    check_sizes(patient)
    before = cure_of_before(kept, begun)
    if before is not None and before.looked_at_held:
        return before
    sizes = (len(patient.halves.search), len(patient.halves.held))
    say(f"{case.variant}: {sizes[0]:,} samples to search with, {sizes[1]:,} held apart")
    told = explained(patient, own)
    begun = replace(begun, samples=sizes, searched=patient.judge(own, "search"), causes=told.causes)
    begun = replace(begun, notes=(*notes, *told.notes))
    recipe = recipe_for(own)
    made_by_it = own.name == own.recipe == recipe  # not by a recipe file that changes it
    tried = remedies(recipe, training_of(workshop), workshop.calibration, told.causes, told.layers, made_by_it)

    def keep(trial: Trial, trials: Sequence[Trial]) -> None:
        kept.write(replace(begun, trials=tuple(trials)))
        say(f"{trial.remedy.words}: {outcome_of(trial)}")

    known = {trial.remedy: trial for trial in before.trials} if before is not None else {}
    trials = search(tried, workshop.build, patient.judge, known, keep, own.sha256)
    found = replace(begun, trials=trials, ended=True)
    kept.write(found)
    return found


def cure_of_before(kept: Kept, begun: Cure) -> Cure | None:
    """What a search by the same rules has left. Raises ConfigError where the held half has judged by others: it can be
    looked at once.
    """
    before = kept.read()
    if before is None or before.rules == begun.rules:
        return before
    if before.looked_at_held:
        told = f"the held half of this run's test set has judged a cure by {before.policy}, and can judge no other"
        raise ConfigError(told, "measure again with other test samples, or judge a recipe file with harness run")
    return None


def check_sizes(patient: Patient) -> None:
    """Raises ConfigError where one half of the test set cannot pass."""
    halves: tuple[Half, ...] = ("search", "held")
    for half in halves:
        if told := too_few(patient.part(half), patient.policy):
            raise ConfigError(f"half of the test set is too small to find a cure: {told[0]}", f"give {LARGER}")


@dataclass(frozen=True)
class Explained:
    """What `explain` names, of the search half alone; nothing, with a note, where it cannot look into the row."""

    causes: tuple[str, ...] = ()
    layers: Layers = field(default_factory=Layers)
    notes: tuple[str, ...] = ()


def explained(patient: Patient, own: Variant) -> Explained:
    remote = kind_of(patient.run.target(patient.case.target).target).is_remote
    try:
        study = Study(patient.compared(own, patient.halves.search), patient.case, remote=remote)
        found = explain(study, patient.bench)
    except JobFailed as error:  # such as an engine that keeps no tensors, or a file that it refuses
        return Explained(notes=(UNEXPLAINED.format(str(error).rstrip(".")),))
    return Explained(tuple(cause.kind for cause in found.causes), layers_of(found, study))


def training_of(workshop: Workshop) -> int:
    """How many samples of the experiment there are to calibrate with."""
    return len(workshop.dataset.train_inputs[0]) if workshop.dataset.train_inputs else 0


def outcome_of(trial: Trial) -> str:
    """What became of a remedy, in a word or two."""
    if trial.held is not None:
        return f"pass; held apart: {trial.held.outcome}"
    return trial.searched.outcome if trial.searched else trial.reason
