"""What a cure came to, in sentences."""

from __future__ import annotations

from pathlib import Path

from harness.support.format import decimals, listed, plural
from harness.treatment.cured import Cure, Ending
from harness.treatment.luck import Luck

CONCLUSIONS: dict[Ending, str] = {
    "nothing_to_cure": "Nothing to cure: {variant} passes {policy} as it is, on all {all:,} samples.",
    "cured": "{words} passes {policy} on {held:,} samples that the search did not see. The recipe file is {recipe}: "
    "name it in [variants] build, or with harness run -v.",
    "not_confirmed": "{words} passed on the samples of the search, but not on the {held:,} held apart ({reason}). They "
    "are used up: more test samples would show whether it, or another remedy, is good enough.",
    "not_cured": "Nothing that was tried passes {policy}.",
    "unfinished": "The search is not finished; the same command goes on with it.",
}
JUDGED = "Judged by {rules}. Changed, lost and gained count answers against the baseline. Latency is not measured here."


def conclusion(found: Cure, recipe: Path) -> str:
    """recipe: where the recipe file lies, where something passes."""
    last = found.trials[-1] if found.trials else None
    held = last.held if last else None
    words = last.remedy.words if last else ""
    return CONCLUSIONS[found.ending].format(
        variant=found.case.variant,
        policy=found.judged_by,
        all=found.before.samples,
        held=found.samples[1],
        words=words[:1].upper() + words[1:],
        reason=held.reason or held.outcome if held else "",
        recipe=recipe,
    )


def what_was_judged(found: Cure) -> str:
    return JUDGED.format(rules=listed(list(found.rules)))


def luck_words(found: Luck) -> str:
    """What the draws say, and what ten of them cannot say."""
    told = [f"Each draw is {plural(found.calibrated, 'training sample')} of {found.training:,}, {how_drawn(found)}."]
    if found.drops_pp:
        low, high = (decimals(found.drops_pp[place], 2) for place in (0, -1))
        told.append(f"The drop lies between {low} and {high} pp over {plural(len(found.drops_pp), 'draw')}.")
    if found.unjudged:
        told.append(f"Draws without a verdict: {listed([str(draw.seed) for draw in found.unjudged])}.")
    if found.other_at_most is None:
        return " ".join([*told, "So the draws say nothing."])
    share = decimals(100 * found.other_at_most, 0)
    counted = f"{found.other} of {plural(len(found.verdicts), 'draw')} with a verdict"
    return " ".join([*told, f"{counted} have another than the row: with 95 %, at most {share} % of all draws."])


def how_drawn(found: Luck) -> str:
    if found.drawn == "again":
        return "each drawn anew, so that one may come twice: other draws of so few would be nearly the same"
    return "balanced by class where there are classes"
