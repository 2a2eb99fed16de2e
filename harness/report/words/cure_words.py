"""What a cure came to, in sentences."""

from __future__ import annotations

from harness.support.format import decimals, listed, plural
from harness.treatment.cured import Cure, Ending
from harness.treatment.luck import Luck

CONCLUSIONS: dict[Ending, str] = {
    "nothing_to_cure": "Nothing to cure: {variant} passes {policy} as it is, on all {all:,} samples.",
    "cured": "{words} passes {policy} on {held:,} samples that the search did not see. The recipe file is below; "
    "name it in [variants] build, or with harness run -v FILE.",
    "not_confirmed": "{words} passed on the samples of the search, but not on the {held:,} held apart ({reason}). They "
    "are used up: more test samples would show whether it, or another remedy, is good enough.",
    "not_cured": "Nothing that was tried passes {policy}.",
    "unfinished": "The search is not finished; the same command goes on with it.",
}
JUDGED = "Judged by {rules}. Changed, lost and gained count answers against the baseline. Latency is not measured here."


def conclusion(found: Cure) -> str:
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
    )


def what_was_judged(found: Cure) -> str:
    return JUDGED.format(rules=listed(list(found.rules)))


def luck_words(found: Luck) -> str:
    """What the draws say, and what ten of them cannot say."""
    draws = len(found.draws)
    again = f", each drawn anew, so that one may come twice: there are no more than {found.training:,}"
    how = again if found.drawn == "again" else f" of {found.training:,}, balanced by class where there are classes"
    told = [f"Each draw is {plural(found.calibrated, 'training sample')}{how}."]
    if found.drops_pp:
        low, high = (decimals(found.drops_pp[place], 2) for place in (0, -1))
        told.append(f"The drop lies between {low} and {high} pp over {plural(len(found.drops_pp), 'draw')}.")
    share = decimals(100 * found.other_at_most, 0)
    told.append(
        f"{found.other} of {draws} have another verdict than the row: with 95 %, at most {share} % of all draws."
    )
    return " ".join(told)
