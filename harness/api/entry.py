"""evaluate, run, load, trend, audit, explain, cure: from a model, an experiment or a name to what it is worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.api.followed import Trend
from harness.api.stored_run import Run, Say, as_policy, references, warn
from harness.records import Detection, Experiment, Keypoints, Plan, Target, Transcription
from harness.runs import loading
from harness.runs.store import Store
from harness.support.files import TemporaryFolder
from harness.support.format import listed

if TYPE_CHECKING:
    from harness.diagnosis.explanation import Explanation
    from harness.gate.policy import Policy
    from harness.measure.selftest.audit_result import AuditResult
    from harness.pipeline import Listener
    from harness.treatment.cured import Cure
    from harness.treatment.luck import Luck

RESULTS = "results"
Names = str | Sequence[str]  # one, or several
Targets = str | Target | Sequence[str | Target]
References = str | PathLike[str] | Run | Sequence[str | PathLike[str] | Run]


def evaluate(
    model: object,
    x_test: Any,
    y_test: Any = None,
    calibration: Any = None,
    *,
    name: str = "evaluation",
    class_names: Sequence[str] | Mapping[str, Sequence[str]] = (),
    scale: float | dict[str, float] = 1.0,
    offset: float | dict[str, float] = 0.0,
    sequence: Any = None,
    group: Any = None,
    query: Any = None,
    pairs: Any = None,
    calibration_sequence: Any = None,
    state: Mapping[str, str] | None = None,
    variants: Names = (),
    plan: str | Plan = "standard",
    precision: str | None = None,
    primary: str | Mapping[str, str] | None = None,
    metrics: Names | Mapping[str, Names] = (),
    output: str = "",
    ignore: float | Mapping[str, float] | None = None,
    detection: Detection | Mapping[str, Detection] | None = None,
    keypoints: Keypoints | Mapping[str, Keypoints] | None = None,
    transcription: Transcription | Mapping[str, Transcription] | None = None,
    targets: Targets = (),
    runtimes: Names = (),
    threads: int | Sequence[int] = (),
    results: str | PathLike[str] = RESULTS,
    targets_dir: str | PathLike[str] = "targets",
    fresh: bool = False,
    policy: str | PathLike[str] | Policy | None = None,
    reference: References = (),
    until_decided: bool = False,
    progress: Listener | None = None,
) -> Run:
    """Builds the variants of a Keras model and measures each on these arrays, as `harness run` does with files.

    model: a keras.Model; or a .keras or .h5 file, a SavedModel, or "package.module:function" that returns a model.
        TensorFlow runs in a process of its own; a model in memory goes there as a file.
    x_test: numbers of shape (samples, …), as they are stored; for several inputs a dict of such arrays by the names of
        the model's inputs, or a tuple in its order. Stored value × scale + offset = model input.
    y_test: one label a sample: class numbers, texts, one-hot rows, or numbers to predict; None where there are none. Of
        several outputs a dict by their names; each is judged by its own labels then.
    calibration: 100 to 500 training samples in the form of x_test; without any, int8 is not built.
    name: of the experiment, which is the folder below results. class_names: of the classes 0, 1, …
    sequence: of each test sample the clip that it is of, a number or a text; a model's state is carried from sample to
        sample of a clip, in their order, and begins anew with each clip. None: each sample begins anew.
    group: of each test sample the group that it is of: samples of one group are not independent. None: the clip.
    query: of embeddings, whether each test sample is a query, which asks the others, the gallery. None: each asks all.
    pairs: of embeddings, the numbers of two test samples each, (pairs, 2), for verification; a third number may say
        whether both are of one identity. None: every pair.
    calibration_sequence: as sequence, of the calibration samples: int8 of a model with state is calibrated inside them.
    state: of each output that is state, by its name, the input that takes it at the next sample of a clip; an input
        that x_test has not begins at zeros.
    variants: names or globs of recipes, or "package.module:function"; () for the usual ones.
    primary, metrics: the metric that the run is judged by first, and others; None and () follow from y_test. Of several
        labelled outputs these, and class_names, may be dicts by their names.
    output: the name of the output that is scored; "" for the first that has labels, else the model's first.
    ignore: the label of pixels, frames or numbers that have none; of numbers NaN, too. It and the three that follow
        may be dicts by output.
    detection: how outputs become detections, where the model finds objects; y_test is then (samples, objects, 5): four
        numbers of a box and its class, −1 where there is no object.
    keypoints: how the scored output becomes the points of one object a picture; y_test is then (samples, points, 2 to
        4): x, y, visibility, and the object's area.
    transcription: how an output becomes text, where the model writes; y_test is then a text a sample.

    The rest is as in run(). Raises HarnessError.
    """
    from harness.experiment.in_memory import dataset_in_memory, experiment_in_memory, source_of_model
    from harness.experiment.plans import plan_of
    from harness.experiment.scorings import scorings_of

    said = {"primary": primary, "others": metrics, "ignore": ignore}
    ways = {"detection": detection, "keypoints": keypoints, "transcription": transcription}
    scoring, heads = scorings_of(said | ways, output)
    leads = output or (scoring.detection.boxes if scoring.detection else "")
    marks = {"sequence": sequence, "group": group, "query": query, "pairs": pairs}
    marks |= {"calibration_sequence": calibration_sequence}
    dataset = dataset_in_memory(name, x_test, y_test, calibration, class_names, scale, offset, leads, **marks)
    chosen = plan_of(plan) if isinstance(plan, str) else plan
    with TemporaryFolder() as folder:
        source = source_of_model(model, Path(folder))
        experiment = experiment_in_memory(name, source, dataset, as_tuple(variants), chosen, scoring, heads, state)
        return run(
            experiment,
            precision=precision,
            targets=targets,
            runtimes=runtimes,
            threads=threads,
            results=results,
            targets_dir=targets_dir,
            fresh=fresh,
            policy=policy,
            reference=reference,
            until_decided=until_decided,
            progress=progress,
        )


def run(
    experiment: str | PathLike[str] | Experiment,
    *,
    variants: Names = (),
    plan: str | Plan | None = None,
    precision: str | None = None,
    targets: Targets = (),
    runtimes: Names = (),
    threads: int | Sequence[int] = (),
    data: str | PathLike[str] | None = None,
    results: str | PathLike[str] = RESULTS,
    targets_dir: str | PathLike[str] = "targets",
    setup: bool = False,
    tune: bool = False,
    fresh: bool = False,
    wait_s: float = 0.0,
    policy: str | PathLike[str] | Policy | None = None,
    reference: References = (),
    until_decided: bool = False,
    progress: Listener | None = None,
) -> Run:
    """Builds what is not built, measures, compares and reports: what `harness run` does.

    experiment: "mnist", "digits", an experiment.toml, or an Experiment.
    variants: names or globs; () for all. plan: none, quick, standard or strict, or a Plan; None for its own.
    precision: such as "1%": further rounds are timed until the ratio to float32 of each row is known within it.
    targets: names or globs of targets_dir, ssh destinations, or Targets; () for this machine.
    runtimes, threads: () for the target's own; several thread counts are a sweep.
    data: where the data of a built-in experiment lie. results: the folder that runs are kept in.
    setup: sets up a device that is not. tune: sets the devices' governor, and puts it back.
    fresh: ignores what was built before. wait_s: how long a device that another run holds is waited for.
    policy, reference: as in Run.judge; the report begins with the verdict.
    until_decided: asks each row samples, in a shuffled order, only until the policy's rules on accuracy_drop, or the
        default policy's, are decided by a test that may stop at any time.
    progress: hears how it goes; by default bars in a notebook and on a terminal.

    Raises HarnessError: ConfigError, DataError, BuildError before anything is measured; TargetError where a device is
    lost, at the end, when the others are measured.
    """
    from harness import pipeline
    from harness.api.listeners import listening
    from harness.experiment.request import request_of
    from harness.gate.run_gate import judge_by
    from harness.metrics.fitting import with_declarations
    from harness.support.cache import Cache, cache_dir

    chosen = chosen_experiment(experiment, as_tuple(variants), plan, precision, data, fresh)
    if until_decided:
        chosen = replace(chosen, plan=replace(chosen.plan, until_decided=True))
    where = (as_tuple(targets), as_tuple(runtimes), as_tuple(threads), Path(targets_dir))
    request = request_of(chosen, *where, setup=setup, tune=tune, wait_s=wait_s)
    kept, rules = Store(Path(results)), as_policy(policy, with_declarations(chosen.every_scoring))
    with listening(progress) as listener:
        judge = judge_by(rules, references(reference), kept, listener.say)
        conclusion = pipeline.run(request, kept, Cache(cache_dir(), fresh), listener, judge, rules)
    return Run(conclusion.comparison.run, kept, conclusion)


def load(
    run: str | PathLike[str],
    results: str | PathLike[str] = RESULTS,
    *,
    trust: bool = False,
    say: Say | None = None,
) -> Run:
    """A stored run: "latest", a run id, or the path of its folder. Needs no TensorFlow and no device.

    "latest" is the newest finished run; where there is none, the newest. trust: what the run names, such as the code of
    a metric of one's own, may be executed, although you did not begin it here. say: is told which newer runs "latest"
    passes over; a Python warning by default.

    Raises StoreError where there is none, it cannot be read, or a file of it is not what was measured.
    """
    kept = Store(Path(results), trust)
    path = kept.find(str(run))
    if str(run) == "latest" and (newer := kept.passed_over(path)):
        told = f"latest is {path.name}: {listed(newer)}, newer, {'is' if len(newer) == 1 else 'are'} not finished"
        (say or warn)(told)
    return Run(loading.load(path, trust), kept)


def trend(
    experiment: str | None = None,
    results: str | PathLike[str] = RESULTS,
    *,
    every: bool = False,
    metrics: Names = (),
    trust: bool = False,
    say: Say | None = None,
) -> Trend:
    """How each metric went over the accepted runs of an experiment, and since which run a level is another.

    experiment: its name; None: that of the latest run. every: all finished runs, not the accepted ones alone. metrics:
    their names; (): the primary metric, latency p50, size and memory. trust: as in load(). say: is told what is not
    here; a Python warning by default.

    Raises ConfigError where no run is accepted or no row has such a metric, StoreError where one is not what it was.
    """
    from harness.compare.over_runs import trend as follow
    from harness.errors import ConfigError
    from harness.runs.header import read_header
    from harness.runs.references import ever_accepted

    kept, asked = Store(Path(results), trust), as_tuple(metrics)
    name = experiment or read_header(kept.find("latest")).experiment
    paths = kept.finished(name) if every else ever_accepted(kept, name, say or warn)
    if not paths:
        raise ConfigError(f"there is no finished run of {name} in {results}", "`harness list` shows the stored runs")
    found = follow((loading.load(path, trust) for path in paths), asked)
    if not found.series:
        raise ConfigError(
            f"no row of {found.runs[-1]} has {listed(asked)}", "metrics.csv of a run has the names of its metrics"
        )
    return Trend(found)


def audit(
    run: str | PathLike[str] | Run,
    *,
    targets: Names = (),
    variants: Names = (),
    rounds: int | None = None,
    margin: float | None = None,
    seed: int | None = None,
    resume: str = "",
    wait_s: float = 0.0,
    results: str | PathLike[str] = RESULTS,
    trust: bool = False,
    progress: Listener | None = None,
) -> AuditResult:
    """Times a stored run again on its own devices, in ways that show a cheat: what `harness audit` does.

    run: as in load, or a Run. targets, variants: names or globs; () for all that were timed.
    rounds: paired rounds a row, of three processes each; None for 10. margin: how far a ratio of times may lie from 1;
        None for .05. seed: of samples, order and answers; None draws one.
    resume: the id of an audit of this run that was interrupted, or "latest": it goes on as it was asked for; the five
        arguments before this one are then left out.
    wait_s, results, trust, progress: as in run and load.

    It is true where every check passes. Raises ConfigError where nothing can be audited, StoreError, TargetError.
    """
    from harness.api.listeners import listening
    from harness.runs.audits import Audited, terms_of

    asked = (as_tuple(targets), as_tuple(variants))
    terms = terms_of(seed, rounds, margin, resume=bool(resume), named=any(asked))
    kept, where = kept_run(run, results, trust)
    audited = Audited(kept, where)
    begun = audited.reopened(resume) if resume else audited.begun(terms, asked[0] or ("*",), asked[1] or ("*",))
    with listening(progress) as listener:
        return audited.measured(begun, wait_s, listener, listener.say)


def explain(
    run: str | PathLike[str] | Run,
    variant: str = "",
    *,
    target: str = "",
    runtime: str = "",
    samples: int = 200,
    file: str | PathLike[str] | None = None,
    times: bool = False,
    wait_s: float = 0.0,
    results: str | PathLike[str] = RESULTS,
    trust: bool = False,
    progress: Listener | None = None,
) -> Explanation:
    """Looks into a variant of a stored run on its own device: where its error comes from, as `harness explain` does.
    What is found is kept beside the run, and written to its explain.html; of a file of yours it is not.

    run: as in load, or a Run. variant, target, runtime: which row; of those that are left the one that moved most.
    samples: how many are looked at, 8 at least: half of them answers that the variant changed.
    file: a .tflite file of the same model that is looked into instead of the variant's.
    times: how long each op takes, too, each timed by itself; that takes a minute or more.
    wait_s, results, trust, progress: as in run and load.

    Raises ConfigError where the row cannot be looked into, StoreError, TargetError.
    """
    from harness.api.listeners import listening
    from harness.diagnosis.stored_row import Asked, explain_stored
    from harness.report.out.explained_html import write_explained

    kept, where = kept_run(run, results, trust)
    path = kept.find(where)
    asked = Asked(variant, target, runtime, samples, None if file is None else Path(file), wait_s, times)
    with listening(progress) as listener:
        found = explain_stored(kept, str(path), asked, listener, listener.say)
        if file is None:
            listener.say(f"written: {write_explained(path)}")
    return found


def cure(
    run: str | PathLike[str] | Run,
    variant: str = "",
    *,
    experiment: str | PathLike[str] = "",
    policy: str | PathLike[str] | None = None,
    calibration: str | PathLike[str] | None = None,
    target: str = "",
    runtime: str = "",
    wait_s: float = 0.0,
    results: str | PathLike[str] = RESULTS,
    trust: bool = False,
    progress: Listener | None = None,
) -> Cure:
    """Finds the smallest change of a variant's recipe that passes the gate, as `harness cure` does.

    run: as in load, or a Run. variant, target, runtime: which row; of those that are left the one that moved most.
    experiment: the experiment.toml that the run is of; "" for a built-in one, or experiment.toml here.
    policy: a policy.toml; None for the default one. calibration: further samples to calibrate with.
    wait_s, results, trust, progress: as in run and load.

    It is true where the row passes already, or a remedy does. Raises ConfigError where the row cannot be cured, or the
    test set is too small to show it; DataError, StoreError, TargetError.
    """
    from harness.api.listeners import listening
    from harness.support.cache import Cache, cache_dir
    from harness.treatment.stored_cure import Asked, cure_stored

    kept, where = kept_run(run, results, trust)
    rules, samples = (None if path is None else Path(path) for path in (policy, calibration))
    asked = Asked(variant, target, runtime, str(experiment), rules, samples, wait_s)
    with listening(progress) as listener:
        return cure_stored(kept, where, asked, Cache(cache_dir()), listener, listener.say)


def luck(
    run: str | PathLike[str] | Run,
    variant: str = "",
    *,
    experiment: str | PathLike[str] = "",
    policy: str | PathLike[str] | None = None,
    target: str = "",
    runtime: str = "",
    wait_s: float = 0.0,
    results: str | PathLike[str] = RESULTS,
    trust: bool = False,
    progress: Listener | None = None,
) -> Luck:
    """Draws the calibration samples of a variant anew, ten times: what `harness cure --luck` does.

    Each draw is built and asked the whole test set, on the row's own device. The arguments are as in cure. Raises
    ConfigError where the variant is not calibrated; DataError, StoreError, TargetError.
    """
    from harness.api.listeners import listening
    from harness.support.cache import Cache, cache_dir
    from harness.treatment.luck import luck_stored
    from harness.treatment.stored_cure import Asked

    kept, where = kept_run(run, results, trust)
    asked = Asked(variant, target, runtime, str(experiment), None if policy is None else Path(policy), wait_s=wait_s)
    with listening(progress) as listener:
        return luck_stored(kept, where, asked, Cache(cache_dir()), listener, listener.say)


def kept_run(run: str | PathLike[str] | Run, results: str | PathLike[str], trust: bool) -> tuple[Store, str]:
    """Returns where the run is kept, and what names it there."""
    if isinstance(run, Run):
        return run.results, str(run.path)
    return Store(Path(results), trust), str(run)


def chosen_experiment(
    experiment: str | PathLike[str] | Experiment,
    variants: tuple[str, ...],
    plan: str | Plan | None,
    precision: str | None,
    data: str | PathLike[str] | None,
    fresh: bool,
) -> Experiment:
    """Raises ConfigError."""
    from harness.errors import ConfigError
    from harness.experiment.plans import adjust, as_plan, precision_of
    from harness.experiment.resolve import experiment_of, restrict_variants

    wanted = as_plan(plan)
    if not isinstance(experiment, Experiment):
        named = experiment_of(str(experiment), None if data is None else Path(data), variants, wanted, fresh)
        return replace(named, plan=adjust(named.plan, precision=precision_of(precision)))
    if data is not None:
        raise ConfigError("data is for the built-in experiments", "an Experiment brings its own")
    chosen = restrict_variants(experiment, variants) if variants else experiment
    return replace(chosen, plan=adjust(wanted or chosen.plan, precision=precision_of(precision)))


def as_tuple(given: Any) -> tuple[Any, ...]:
    """One thing, or several of them."""
    return (given,) if isinstance(given, str | int | Target) else tuple(given)
