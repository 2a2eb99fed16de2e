"""How much the verdict of a variant rests on which samples it was calibrated with: these drawn anew, ten times."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pydantic import TypeAdapter

from harness.build.builder import CALIBRATION_SAMPLES
from harness.build.variants import RECIPES
from harness.errors import ConfigError, JobFailed
from harness.measure.jobs import Watcher
from harness.records import Adjusted, Case, Variant
from harness.records.adjusted import Drawn
from harness.runs.store import Store
from harness.statistics.stats import clopper_pearson
from harness.support.cache import Cache
from harness.support.files import telling_disk
from harness.treatment.patient import Patient, Workshop
from harness.treatment.remedies import Remedy
from harness.treatment.stored_cure import Asked, opened, training_of
from harness.treatment.verdict_on import Judged

DRAWS = 10
CONFIDENCE = 0.95
MANY = 2 * CALIBRATION_SAMPLES  # training samples, from which on two draws share half of theirs or less
Say = Callable[[str], None]


@dataclass(frozen=True)
class Draw:
    """The file of one draw, on the whole test set. judged: None where it could not be built, or where the engine
    refused it, which reason explains.
    """

    seed: int
    sha256: str = ""
    judged: Judged | None = None
    reason: str = ""

    @property
    def drop_pp(self) -> float | None:
        """What it loses more than it gains, of all samples; None where the task has no such thing."""
        said = self.judged
        if said is None or said.lost is None or said.gained is None:
            return None
        return 100 * (said.lost - said.gained) / said.samples


@dataclass(frozen=True)
class Luck:
    """What the draws came to. calibrated, training: samples of a draw, and those that it is drawn from. drawn: as
    Adjusted has it; "again" where these are so few that draws without it would be nearly the same samples. before: the
    row itself, on the whole test set.
    """

    run_id: str
    case: Case
    policy: str
    rules: tuple[str, ...]
    calibrated: int
    training: int
    drawn: Drawn
    before: Judged
    draws: tuple[Draw, ...]

    @property
    def verdicts(self) -> tuple[Judged, ...]:
        """Those of the draws that have one."""
        return tuple(draw.judged for draw in self.draws if draw.judged is not None)

    @property
    def unjudged(self) -> tuple[Draw, ...]:
        return tuple(draw for draw in self.draws if draw.judged is None)

    @property
    def other(self) -> int:
        """How many of the verdicts are another than the row's."""
        return sum(verdict.passes != self.before.passes for verdict in self.verdicts)

    @property
    def other_at_most(self) -> float | None:
        """The share of all draws that may have one, with 95 %; one-sided, by Clopper and Pearson. None where no draw
        was judged.
        """
        judged = len(self.verdicts)
        return float(clopper_pearson(self.other, judged, 2 * CONFIDENCE - 1).high) if judged else None

    @property
    def drops_pp(self) -> tuple[float, ...]:
        return tuple(sorted(drop for draw in self.draws if (drop := draw.drop_pp) is not None))


_LUCK = TypeAdapter(Luck)


@telling_disk()
def luck_stored(store: Store, run: str, asked: Asked, cache: Cache, watcher: Watcher, say: Say) -> Luck:
    """Raises ConfigError, DataError, StoreError, TargetError."""
    with opened(store, run, asked, cache, watcher, say) as (patient, workshop, _):
        return luck_of(patient, workshop, say)


def luck_of(patient: Patient, workshop: Workshop, say: Say) -> Luck:
    """Raises ConfigError where the row's file is not a calibrated recipe's own."""
    run, case = patient.run, patient.case
    own, training = run.variant(case.variant), training_of(workshop)
    check_drawable(own)
    drawn: Drawn = "balanced" if training >= MANY else "again"
    before, draws = patient.judge_all(own), []
    for seed in range(1, DRAWS + 1):
        name, recipe = f"{own.name}_draw_{seed}", Adjusted(own.recipe, drawn=drawn, seed=seed)
        draws.append(draw_of(patient, workshop, Remedy(name, "calibration", f"draw {seed}", recipe), seed))
        say(f"draw {seed} of {DRAWS}: {draws[-1].judged.outcome if draws[-1].judged else draws[-1].reason}")
    rules = tuple(rule.words for rule in patient.policy.rules)
    counts = min(training, CALIBRATION_SAMPLES), training
    return Luck(run.run_id, case, patient.policy.source, rules, *counts, drawn, before, tuple(draws))


def check_drawable(own: Variant) -> None:
    """Raises ConfigError where the row's file is not what a built-in recipe makes of drawn samples."""
    if own.name != own.recipe or own.name not in RECIPES:
        by = f"changes {own.recipe}" if own.recipe in RECIPES else "is not one of the harness"
        told = f"--luck draws the samples of a built-in recipe, and what made {own.name} {by}"
        raise ConfigError(told, "choose a row such as int8, with --variant")
    if not RECIPES[own.recipe].calibrated:
        raise ConfigError(f"{own.name} is not calibrated", "choose a variant such as int8, with --variant")


def draw_of(patient: Patient, workshop: Workshop, remedy: Remedy, seed: int) -> Draw:
    variant = workshop.build(remedy)
    if variant.path is None:
        return Draw(seed, reason=variant.reason)
    try:
        return Draw(seed, variant.sha256, patient.judged_on_all(variant))
    except JobFailed as error:
        return Draw(seed, variant.sha256, reason=str(error))


def printed(found: Luck) -> dict[str, object]:
    """What --json prints."""
    said = dict(_LUCK.dump_python(found, mode="json"))
    return said | {"other": found.other, "other_at_most": found.other_at_most, "drops_pp": list(found.drops_pp)}
