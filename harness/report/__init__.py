"""A comparison and its verdict as HTML, Markdown, CSV and plots. Judges nothing, measures nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from harness.errors import ConfigError
from harness.support.files import telling_disk

if TYPE_CHECKING:
    from harness.records import Absent, Comparison, Verdict
    from harness.report.material import Material
    from harness.report.plots.drawing import Drawing


@dataclass(frozen=True)
class Format:
    """module: the one of harness.report.out whose render(material) makes it; drawn: render(material, drawings) does."""

    module: str
    drawn: bool = False


FORMATS = {
    "html": Format("html", drawn=True),
    "markdown": Format("markdown", drawn=True),
    "csv": Format("csv_tables"),
    "pytest-benchmark": Format("benchmark"),
    "openmetrics": Format("openmetrics"),
    "mlflow": Format("mlflow_run"),
}


def render(material: Material, format: str) -> str:
    """Return the report in one of FORMATS. Raises ConfigError for another format."""
    module = module_of(format)
    if not FORMATS[format].drawn:
        return str(module.render(material))
    from harness.report.sections import draw_all  # numpy: only where something is drawn

    return str(module.render(material, draw_all(material)))


def left_out(material: Material, format: str) -> tuple[str, ...]:
    """Say what this format leaves out and why, one sentence each; most formats leave out nothing."""
    module = module_of(format)
    return tuple(module.left_out(material)) if hasattr(module, "left_out") else ()


def module_of(format: str) -> ModuleType:
    if format not in FORMATS:
        raise ConfigError(f'there is no report format "{format}"', f"choose one of {', '.join(FORMATS)}")
    return import_module(f"harness.report.out.{FORMATS[format].module}")


@telling_disk()
def derive(comparison: Comparison, verdict: Verdict | Absent, folder: Path) -> Path:
    """Write the tables and the report of a run; can be repeated at any time. Return the path of report.html."""
    from harness.report.material import material_of
    from harness.runs.table_files import write_tables

    folder.mkdir(parents=True, exist_ok=True)
    write_tables(comparison, folder)
    return write_report(material_of(comparison, verdict), folder)


def write_report(material: Material, folder: Path) -> Path:
    """Write report.html, report.md, summary.csv, metrics.csv and plots/*.svg into folder; return report.html's path."""
    from harness.report.out import csv_tables, html, markdown
    from harness.report.sections import contents, draw_all

    drawings = draw_all(material)
    sections = contents(material, drawings)
    write(folder / "summary.csv", csv_tables.render(material))
    write(folder / "metrics.csv", csv_tables.metrics_csv(material.comparison))
    write_plots(material, drawings, folder / "plots")
    write(folder / "report.md", markdown.render(material, drawings, sections))
    return write(folder / "report.html", html.render(material, drawings, sections))


def write_plots(material: Material, drawings: Sequence[Drawing], folder: Path) -> None:
    from harness.report.charts.svg import as_file
    from harness.report.plots.sample_plot import sample_chart

    for drawing in drawings:
        if drawing.wide:
            write(folder / drawing.file_name, as_file(drawing.wide))
        else:
            (folder / drawing.file_name).unlink(missing_ok=True)
    run = material.comparison.run
    for name in outdated((drawing.file_name for drawing in drawings), len(run.outputs)):
        (folder / name).unlink(missing_ok=True)
    if run.test_count:
        first = sample_chart(material.comparison, material.pictures, run.place_of(0))
        write(folder / "sample-0.svg", first.svg)


def outdated(written: Iterable[str], outputs: int) -> set[str]:
    """Name what an earlier report of the run may have left: plots of another task, and PNG, which plots once were."""
    from harness.report.plots.drawing import file_name
    from harness.report.sections import every_plot

    names = {plot.name for plot in every_plot()}
    drawn = {file_name(name, place) for name in names for place in (None, *range(outputs))}
    return drawn - {*written} | {f"{name}.png" for name in (*names, "sample-0")}


def write(path: Path, content: str | bytes) -> Path:
    from harness.support.files import write_atomically

    return write_atomically(path, content.encode() if isinstance(content, str) else content)
