"""How much the verdict of a variant rests on which samples it was calibrated with: these drawn anew, ten times."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from pydantic import TypeAdapter

from harness.build.variants import RECIPES
from harness.errors import ConfigError
from harness.measure.jobs import Watcher
from harness.records import Adjusted, Case
from harness.records.adjusted import Drawn
from harness.runs.store import Store
from harness.statistics.stats import clopper_pearson
from harness.support.cache import Cache
from harness.support.files import telling_disk
from harness.treatment.patient import Patient, Workshop
from harness.treatment.remedies import USUAL_SAMPLES, Remedy
from harness.treatment.stored_cure import Asked, opened, recipe_for, training_of
from harness.treatment.verdict_on import Judged

DRAWS = 10
CONFIDENCE = 0.95
Say = Callable[[str], None]


@dataclass(frozen=True)
class Draw:
    """The file of one draw, on the whole test set. judged: None where it could not be built, which reason explains."""

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
    Adjusted has it; "again" where there are no more than a draw takes. before: the row itself, on the whole test set.
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
    def other(self) -> int:
        """How many draws have another verdict than the row."""
        return sum(draw.judged is None or draw.judged.passes != self.before.passes for draw in self.draws)

    @property
    def other_at_most(self) -> float:
        """The share of all draws that may have, with 95 %; one-sided, by Clopper and Pearson."""
        return float(clopper_pearson(self.other, len(self.draws), 2 * CONFIDENCE - 1).high)

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
    """Raises ConfigError where the row is not calibrated."""
    run, case = patient.run, patient.case
    own, training = run.variant(case.variant), training_of(workshop)
    recipe = recipe_for(own)
    if not RECIPES[recipe].calibrated:
        raise ConfigError(f"{own.name} is not calibrated", "choose a variant such as int8, with --variant")
    drawn: Drawn = "balanced" if training > USUAL_SAMPLES else "again"
    draws = []
    for seed in range(1, DRAWS + 1):
        remedy = Remedy(
            f"{recipe}_draw_{seed}", "calibration", f"draw {seed}", Adjusted(recipe, drawn=drawn, seed=seed)
        )
        draws.append(draw_of(patient, workshop, remedy, seed))
        say(f"draw {seed} of {DRAWS}: {draws[-1].judged.outcome if draws[-1].judged else draws[-1].reason}")
    rules = tuple(rule.words for rule in patient.policy.rules)
    counts = min(training, USUAL_SAMPLES), training
    about = (run.run_id, case, patient.policy.source, rules)
    return Luck(*about, *counts, drawn, patient.judge_all(own), tuple(draws))


def draw_of(patient: Patient, workshop: Workshop, remedy: Remedy, seed: int) -> Draw:
    variant = workshop.build(remedy)
    if variant.path is None:
        return Draw(seed, reason=variant.reason)
    return replace(Draw(seed, variant.sha256), judged=patient.judge_all(variant))


def printed(found: Luck) -> dict[str, object]:
    """What --json prints."""
    said = dict(_LUCK.dump_python(found, mode="json"))
    return said | {"other": found.other, "other_at_most": found.other_at_most, "drops_pp": list(found.drops_pp)}
