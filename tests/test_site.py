"""README, CONTRIBUTING, CHANGELOG and docs/ as a site: built strictly, offline, and saying what the plain files say."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, cast

import markdown
import pytest
import typer
from markdown_it import MarkdownIt

from harness.cli import app
from harness.metrics.registry import METRICS

ROOT = Path(__file__).parents[1]
PAGES = [*(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")), *sorted(ROOT.glob("docs/*.md"))]
LOADS = {
    "script": "src",
    "img": "src",
    "source": "src",
    "iframe": "src",
    "link": "href",
    "object": "data",
    "use": "href",
}
BLOCKS = {
    "list_item_open": "li",
    "bullet_list_open": "ul",
    "ordered_list_open": "ol",
    "tr_open": "tr",
    "fence": "pre",
    "code_block": "pre",
}
EXTENSIONS = [
    "attr_list",
    "tables",
    "pymdownx.highlight",
    "pymdownx.superfences",
]  # those of mkdocs.yml that make blocks


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    call = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    quiet = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(call, cwd=ROOT, env=quiet, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


class Loaded(HTMLParser):
    """What a page loads by itself, and which classes it has."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.urls: list[str] = []
        self.classes: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        self.classes |= set((told.get("class") or "").split())
        if told.get("rel") not in ("canonical", "prev", "next"):
            self.urls.append(told.get(LOADS.get(tag, "")) or "")
        self.urls += re.findall(r"url\(([^)]*)\)", told.get("style") or "")


def test_no_page_asks_anything_of_a_network(site: Path) -> None:
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 40
    for page in pages:
        loaded = Loaded(page.read_text("utf-8"))
        assert [url for url in loaded.urls if re.match(r"(https?:)?//", url)] == [], page
        assert "mermaid" not in loaded.classes  # for which the theme's script would ask a network
    for sheet in site.rglob("*.css"):
        assert re.findall(r"(?:url\(|@import)\s*[\"']?(?:https?:)?//", sheet.read_text("utf-8")) == [], sheet


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_a_page_of_the_site_has_the_blocks_of_its_file(page: Path) -> None:
    """A repository's page shows it by CommonMark, the site by Python-Markdown: lists and code must come out alike."""
    text = page.read_text("utf-8")
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    wanted = Counter(BLOCKS[token.type] for token in tokens if token.type in BLOCKS)
    made = Counter(re.findall(r"<(li|ul|ol|tr|pre)[ >]", markdown.markdown(text, extensions=EXTENSIONS)))
    assert made == wanted


def test_the_reference_has_every_command_and_metric(site: Path) -> None:
    commands = (site / "reference" / "commands.html").read_text("utf-8")
    for name, command in cast(Any, typer.main.get_command(app)).commands.items():
        section = commands.split(f'<h2 id="harness-{name}">')[1].split("<h2")[0]
        options = [of for of in command.params if of.param_type_name == "option" and not of.hidden]
        assert [of.opts[-1] for of in options if of.opts[-1] not in section] == []
    metrics = (site / "reference" / "metrics.html").read_text("utf-8")
    assert [name for name in METRICS if f"<code>{name}</code>" not in metrics] == []


def test_the_reference_has_the_keys_of_a_rule_as_a_policy_takes_them(site: Path) -> None:
    keys = (site / "reference" / "keys.html").read_text("utf-8")
    rule = keys.split("[[rule]]")[-1].split("<h2")[0]
    for key in ("metric", "max_decrease", "confidence", "on_inconclusive"):
        assert f"<code>{key}</code>" in rule


def test_the_notebook_is_a_page_with_what_its_cells_show(site: Path) -> None:
    page = (site / "mnist.html").read_text("utf-8")
    assert "harness.evaluate" in re.sub("<[^>]*>", "", page) and ">int8</td>" in page
