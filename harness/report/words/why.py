"""Why a row's accuracy dropped, where `harness explain` looked into it: a part of the report a row."""

from __future__ import annotations

from harness.records.names import row_name
from harness.report.material import Material
from harness.report.part import Note, Part

BESIDE = "explain.html beside this report has pictures along the depth, the layers and all figures."


def why_it_dropped(material: Material) -> list[Part]:
    """Show the causes of each row that was explained; nothing where none was."""
    if not material.explained:
        return []
    from harness.report.words.explained_words import causes_in_words, looked_at

    parts = [Part(row_name(each.case), (causes_in_words(each), Note(looked_at(each)))) for each in material.explained]
    *first, last = parts
    return [*first, Part(last.title, (*last.blocks, Note(BESIDE)))]
