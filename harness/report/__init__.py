"""A comparison as HTML, Markdown, CSV and plots. Judges nothing, measures nothing."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from harness.errors import ConfigError
from harness.records import Comparison

if TYPE_CHECKING:
    import numpy as np

    from harness.measure.selftest.aa_result import AaResult
    from harness.report.material import Material

FORMATS = {
    "html": "html",
    "markdown": "markdown",
    "csv": "csv_tables",
    "pytest-benchmark": "benchmark",
}  # format → the module of harness.report.out whose render(material) makes it


def render(comparison: Comparison, pictures: np.ndarray | None, format: str, aa: tuple[AaResult, ...] = ()) -> str:
    """The whole report in one of FORMATS. pictures: as picture.pictures_of finds them, or None."""
    from harness.report.material import Material

    return _rendered(Material(comparison, pictures, aa), format)


def left_out(comparison: Comparison, format: str) -> tuple[str, ...]:
    """What this format leaves out and why, one sentence each; most formats leave out nothing."""
    from harness.report.material import Material

    module = _module(format)
    return tuple(module.left_out(Material(comparison))) if hasattr(module, "left_out") else ()


def write_report(
    comparison: Comparison, pictures: np.ndarray | None, folder: Path, aa: tuple[AaResult, ...] = ()
) -> Path:
    """Write report.html, report.md, summary.csv, metrics.csv and plots/*.png into folder; returns report.html's path.

    pictures: the stored test inputs that can be drawn, as picture.pictures_of finds them; None where none can.
    aa: what `harness aa` found on each of the run's machines where it was run.
    """
    from harness.report.material import Material
    from harness.report.out.csv_tables import metrics_csv

    material = Material(comparison, pictures, aa)
    _write(folder / "summary.csv", _rendered(material, "csv"))
    _write(folder / "metrics.csv", metrics_csv(comparison))
    for drawing in material.drawings:
        if drawing.wide:
            _write(folder / "plots" / drawing.file_name, drawing.wide)
    _write_sample(material, folder / "plots" / "sample-0.png")
    _write(folder / "report.md", _rendered(material, "markdown"))
    return _write(folder / "report.html", _rendered(material, "html"))


def _rendered(material: Material, format: str) -> str:
    return str(_module(format).render(material))


def _module(format: str) -> ModuleType:
    if format not in FORMATS:
        raise ConfigError(f'there is no report format "{format}"', f"choose one of {', '.join(FORMATS)}")
    return import_module(f"harness.report.out.{FORMATS[format]}")


def _write_sample(material: Material, path: Path) -> None:
    from harness.report.plots.sample_plot import sample_figure

    if material.comparison.run.test_count:
        _write(path, sample_figure(material.comparison, material.pictures, 0))


def _write(path: Path, content: str | bytes) -> Path:
    from harness.support.files import write_atomically

    return write_atomically(path, content.encode() if isinstance(content, str) else content)
