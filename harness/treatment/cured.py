"""What a cure came to, as it is kept beside the run."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter

from harness.errors import StoreError, Unreadable
from harness.experiment.recipe_file import ENDING, recipe_text
from harness.records import Case
from harness.records.names import row_name
from harness.runs.stored_names import as_part
from harness.support.files import write_atomically, write_json
from harness.support.foreign import read_valid
from harness.treatment.remedies import Remedy
from harness.treatment.search import Trial
from harness.treatment.verdict_on import Judged

CURED = "cured"
Ending = Literal["nothing_to_cure", "cured", "not_confirmed", "not_cured", "unfinished"]


@dataclass(frozen=True)
class Cure:
    """What was tried for one row, and what it came to.

    rules: those that were judged, in words. causes: what `explain` names on the search half. before: the row itself on
    the whole test set, and searched: on the search half. samples: of the search half and of the held one. ended:
    whether there is nothing more to try.
    left: how many rules of the policy on this row are left to a run.
    """

    run_id: str
    case: Case
    policy: str
    rules: tuple[str, ...]
    before: Judged
    samples: tuple[int, int] = (0, 0)
    searched: Judged | None = None
    causes: tuple[str, ...] = ()
    trials: tuple[Trial, ...] = ()
    ended: bool = False
    notes: tuple[str, ...] = ()
    left: int = 0

    @property
    def judged_by(self) -> str:
        """The policy, in words that do not claim more of it than was judged."""
        every = len(self.rules) + self.left
        return self.policy if not self.left else f"{len(self.rules)} of {every} rules of {self.policy}"

    @property
    def ending(self) -> Ending:
        if self.before.passes:
            return "nothing_to_cure"
        last = self.trials[-1] if self.trials else None
        if last and last.held is not None:
            return "cured" if last.cures else "not_confirmed"
        return "not_cured" if self.ended else "unfinished"

    @property
    def remedy(self) -> Remedy | None:
        """The one that passes; None where none does."""
        return self.trials[-1].remedy if self.ending == "cured" else None

    @property
    def good(self) -> bool:
        return self.ending in ("nothing_to_cure", "cured")

    @property
    def looked_at_held(self) -> bool:
        return any(trial.held is not None for trial in self.trials)

    def __bool__(self) -> bool:
        return self.good


_CURE = TypeAdapter(Cure)


@dataclass(frozen=True)
class Kept:
    """Where it lies in a run's folder."""

    run: Path
    case: Case

    @property
    def stem(self) -> str:
        return as_part(f"{self.case.variant}.{self.case.target}.{self.case.runtime}")

    @property
    def file(self) -> Path:
        return self.run / CURED / f"{self.stem}.json"

    def read(self) -> Cure | None:
        """What was kept; None where nothing was. Raises StoreError where it cannot be read."""
        if not self.file.exists():
            return None
        try:
            return read_valid(self.file, _CURE)
        except (OSError, Unreadable) as error:
            raise StoreError(f"{self.file} cannot be read: {error}", "remove it: the cure begins anew") from error

    def write(self, cure: Cure) -> None:
        self.file.parent.mkdir(exist_ok=True)
        write_json(self.file, document(cure))
        if cure.remedy:
            text = recipe_of(cure)
            write_atomically(self.recipe(text), text.encode())

    def recipe(self, text: str) -> Path:
        """Where the recipe file of the remedy that passes lies, which names the variant: the first name that has it, or
        that is free.
        """
        names = (f"{self.case.variant}_cured{'' if n == 1 else f'_{n}'}{ENDING}" for n in count(1))
        paths = (self.run / CURED / name for name in names)
        return next(path for path in paths if not path.exists() or path.read_text("utf-8") == text)


def document(cure: Cure) -> dict[str, object]:
    """What cure.json holds."""
    return dict(_CURE.dump_python(cure, mode="json"))


def printed(cure: Cure) -> dict[str, object]:
    """What --json prints: that, how it ended, and the text of the recipe file, "" where nothing passes."""
    return document(cure) | {"ending": cure.ending, "recipe": recipe_of(cure)}


def recipe_of(cure: Cure) -> str:
    """Returns the text of the recipe file; "" where nothing passes."""
    if not (remedy := cure.remedy):
        return ""
    held = cure.trials[-1].held
    assert held is not None
    said = [
        f"Found by `harness cure` for {row_name(cure.case)} of run {cure.run_id}: {remedy.words}.",
        f"It passes {cure.judged_by} on {held.samples:,} samples that the search did not see.",
    ]
    return recipe_text(remedy.recipe, said)
