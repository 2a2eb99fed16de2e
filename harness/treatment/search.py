"""Remedies tried one after another, until one passes on the search half: it alone is judged on the held half.

So however many are tried, the held half is looked at once, by a file that was chosen without it: a model that should
fail passes there as often as the policy's confidence allows, and no correction is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from harness.records import Variant
from harness.treatment.halves import Half
from harness.treatment.remedies import Remedy
from harness.treatment.verdict_on import Judged

SAME_FILE = "it is the file of {}"


@dataclass(frozen=True)
class Trial:
    """A remedy that was tried. searched: on the search half; None where there is no file, which `reason` explains.
    held: on the held half, of the one that passed; None of all others.
    """

    remedy: Remedy
    size_bytes: int | None = None
    sha256: str = ""
    searched: Judged | None = None
    held: Judged | None = None
    reason: str = ""

    @property
    def passed(self) -> bool:
        return self.searched is not None and self.searched.passes

    @property
    def cures(self) -> bool:
        return self.held is not None and self.held.passes


Build = Callable[[Remedy], Variant]
Ask = Callable[[Variant, Half], Judged]
Keep = Callable[[Trial, Sequence[Trial]], None]


def search(
    remedies: Sequence[Remedy], build: Build, ask: Ask, known: Mapping[Remedy, Trial], keep: Keep, own_sha256: str
) -> tuple[Trial, ...]:
    """Returns the trials, the last of which ended the search.

    known: trials of before; one of the same file is not made again. keep: is given each new trial, and all that are to
    be kept. own_sha256: of the file that is to be cured.
    """
    trials: list[Trial] = []
    for n, remedy in enumerate(remedies):
        variant = build(remedy)
        trial = of_before(known.get(remedy), variant) or tried(remedy, variant, ask, trials, own_sha256)
        trials.append(trial)
        later = (known[each] for each in remedies[n + 1 :] if each in known)
        keep(trial, trials if trial.passed else [*trials, *later])
        if trial.passed:
            trials[-1] = replace(trial, held=ask(variant, "held"))
            keep(trials[-1], trials)
            break
    return tuple(trials)


def of_before(known: Trial | None, variant: Variant) -> Trial | None:
    """Returns the trial where it was made with this file; None where the device, not the policy, ended it."""
    if known is None or known.searched is None or known.searched.outcome == "invalid":
        return None
    return known if known.sha256 == variant.sha256 else None


def tried(remedy: Remedy, variant: Variant, ask: Ask, before: Sequence[Trial], own_sha256: str) -> Trial:
    if variant.path is None:
        return Trial(remedy, reason=variant.reason)
    trial = Trial(remedy, variant.size_bytes, variant.sha256)
    names = {own_sha256: "the row itself"} | {each.sha256: each.remedy.name for each in before}
    if variant.sha256 in names:
        return replace(trial, reason=SAME_FILE.format(names[variant.sha256]))
    return replace(trial, searched=ask(variant, "search"))
