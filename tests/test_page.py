"""report.html in a browser: WCAG by axe-core, the keyboard, what page.js does, and that no network is asked."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest

from harness.compare.baseline import compare
from harness.report import write_report
from harness.report.material import Material
from harness.runs.loading import load
from tests.browser import Browser, Place
from tests.synthetic import pictures, synthetic

AXE = files("axe_core_python").joinpath("axe.min.js").read_text()
WCAG = "runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'], resultTypes: ['violations'], selectors: false"
FOUND = f"axe.run(document, {{{WCAG}}}).then(r => r.violations.flatMap(v => v.nodes.map(n => v.id + ': ' + n.html)))"
ROWS = "[...document.querySelectorAll('#summary tbody tr')].filter(r => !r.hidden).map(r => [...r.cells].map(text))"
TEXT = "const text = e => e.firstChild ? e.firstChild.textContent.trim() : '';"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    one = Browser(tmp_path_factory.mktemp("profile"))
    yield one
    one.close()


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of two targets and runtimes, with a failed, a suspect and an unsupported row."""
    made = synthetic(samples=300, rounds=3, profile="quick", targets=("host", "raspberry-pi-4"))
    return write_report(Material(made, pictures(300)), tmp_path_factory.mktemp("report"))


def rows(browser: Browser) -> list[list[str]]:
    """What is shown of the summary: the first line of each cell."""
    return list(browser.run(f"{{ {TEXT} {ROWS} }}"))


def focused(browser: Browser) -> str:
    """Name what has the focus, and say whether that is seen: by an outline, inside the window."""
    return str(
        browser.run(
            "(e => { const s = getComputedStyle(e), r = e.getBoundingClientRect();"
            " const outlined = s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2;"
            " const seen = outlined && r.bottom > 0 && r.top < innerHeight;"
            " return `${e.tagName.toLowerCase()} ${e.getAttribute('class') ?? ''} ${seen ? 'seen' : 'UNSEEN'} `"
            " + (e.getAttribute('href') ?? e.textContent.trim().slice(0, 20)) })(document.activeElement)"
        )
    )


@pytest.fixture(scope="module")
def small_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With every kind of block, and few of each: axe looks at every element."""
    made = synthetic(samples=30, rounds=3, profile="quick", hot=("host",))
    return write_report(Material(made, pictures(30)), tmp_path_factory.mktemp("small"))


@pytest.mark.slow
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_no_rule_of_wcag_aa_is_broken(browser: Browser, small_page: Path, width: int, dark: bool) -> None:
    browser.open(small_page, width, dark=dark)
    browser.run("document.querySelectorAll('details').forEach(part => part.open = true)")
    browser.run(f"{AXE}; 0")
    assert browser.run(FOUND) == []


@pytest.mark.parametrize("width", [390, 740, 1280])
def test_the_page_does_not_scroll_sideways(browser: Browser, page: Path, width: int) -> None:
    browser.open(page, width)
    assert browser.run("document.documentElement.scrollWidth") <= width
    assert browser.run("document.images.length") > 6


def test_the_audit_finds_what_is_wrong(browser: Browser, tmp_path: Path) -> None:
    """That the test above can fail: grey on grey, and a picture without a text."""
    (tmp_path / "bad.html").write_text(
        "<!doctype html><html lang=en><title>bad</title><body style='background:#fff'><main>"
        "<p style='color:#bbb'>pale</p><img src='data:image/gif;base64,R0lGODlhAQABAAAAACw='></main>"
    )
    browser.open(tmp_path / "bad.html")
    browser.run(f"{AXE}; 0")
    assert {found.split(":")[0] for found in browser.run(FOUND)} == {"color-contrast", "image-alt"}


def test_everything_that_acts_is_reached_by_tab_and_shows_it(browser: Browser, page: Path) -> None:
    browser.open(page)
    acts = "a[href], button, input, select, summary, .chart[tabindex='0'], .scroll"
    expected = browser.run(
        f"[...document.querySelectorAll({json.dumps(acts)})].filter(e => e.checkVisibility()"
        " && !(e.closest('details:not([open])') && e.tagName !== 'SUMMARY')).length"
    )
    seen = []
    for _ in range(expected):
        browser.press("Tab")
        seen.append(focused(browser))
    assert [one for one in seen if "UNSEEN" in one or one.startswith("body")] == []
    kinds = {re.split(r"\W", one)[0] for one in seen}
    assert kinds == {"a", "button", "input", "select", "summary", "svg", "div"}
    assert any("#sample-" in one for one in seen)
    browser.press("Tab")
    assert focused(browser).startswith("body")  # the end: nothing holds the focus


def test_a_heading_sorts_its_table_by_keyboard_with_what_is_unknown_last(browser: Browser, page: Path) -> None:
    browser.open(page)
    browser.run(
        "[...document.querySelectorAll('#summary th button')].find(b => b.textContent.startsWith('p50')).focus()"
    )
    column = browser.run("document.activeElement.parentNode.cellIndex")
    for order in ("ascending", "descending"):
        browser.press("Enter")
        assert browser.run("document.activeElement.parentNode.ariaSort") == order
        shown = [row[column] for row in rows(browser)[:15]]  # of the first target
        known = [float(text) for text in shown if text != "–"]
        assert known == sorted(known, reverse=order == "descending") and len(known) > 8
        assert shown[len(known) :] == ["–"] * (15 - len(known))


def test_words_and_choices_filter_rows_and_keras_stays(browser: Browser, page: Path) -> None:
    browser.open(page)
    everything = rows(browser)
    browser.run("document.querySelector('.filter input').focus()")
    browser.write("int8 !float_io")
    shown = rows(browser)
    assert {row[0] for row in shown} == {"Keras", "int8"} and len(shown) < len(everything)
    assert browser.run("document.querySelector('.filter [role=status]').textContent") == "4 of 28 rows"
    of_rows = (
        "[...document.querySelectorAll('#latency [data-tip]')].map(e => [e.dataset.tip, e.matches('.faded, .faded *')])"
    )
    named = [
        ({"float32", "float16", "int8", "float_io"} & {*re.findall(r"[\w.-]+\b", tip)}, faded)
        for tip, faded in browser.run(of_rows)
    ]
    assert {(*names, faded) for names, faded in named if len(names) == 1} >= {("int8", False), ("float32", True)}
    assert all(faded == ("int8" not in names) for names, faded in named if names)
    panels = (
        "[...document.querySelectorAll('.wide [data-of-variant]')].map(e => [e.dataset.ofVariant, e.matches('.faded')])"
    )
    assert ["int8", False] in browser.run(panels) and ["float32", True] in browser.run(panels)
    browser.run(
        "{ const [target, runtime] = document.querySelectorAll('.filter select'); target.value = 'raspberry-pi-4';"
        " runtime.value = 'tflite-runtime'; runtime.dispatchEvent(new Event('input', {bubbles: true})) }"
    )
    assert [row[:2] for row in rows(browser) if row[0] != "Keras"] == [["int8", "tflite-runtime"]]
    assert browser.run("[...document.querySelectorAll('#summary [data-target]')].map(e => e.hidden)") == [True, False]
    assert browser.run("document.querySelectorAll('#memory tbody tr:not([hidden])').length") == 1
    faded = browser.run("[...document.querySelectorAll('[data-tip].faded')].map(e => e.dataset.tip)")
    kept = re.compile(r"\bint8\b.*(tflite-runtime.*raspberry-pi-4|raspberry-pi-4.*tflite-runtime)")
    assert faded and not [tip for tip in faded if kept.search(tip)]


def test_a_choice_fades_the_marks_of_other_targets_alone(browser: Browser, tmp_path: Path) -> None:
    """The name of one target is a part of both others'."""
    made = synthetic(samples=100, rounds=3, profile="quick", targets=("pi", "pi5", "my.pi-4"))
    browser.open(write_report(Material(made), tmp_path))
    for chosen in ("pi", "pi5", "my.pi-4"):
        browser.run(
            f"{{ const target = document.querySelector('.filter select'); target.value = '{chosen}';"
            " target.dispatchEvent(new Event('input', {bubbles: true})) }"
        )
        marks = browser.run(
            "[...document.querySelectorAll('[data-tip]')].map(e => [e.dataset.tip, e.matches('.faded')])"
        )
        assert len([tip for tip, _ in marks if chosen in re.findall(r"[\w.-]+\b", tip)]) > 20
        for tip, faded in marks:
            named = {"pi", "pi5", "my.pi-4"} & {*re.findall(r"[\w.-]+\b", tip)}
            assert faded == bool(named - {chosen}), tip


def test_a_choice_fades_whole_panels_of_another_target_or_runtime(browser: Browser, page: Path) -> None:
    browser.open(page)
    panels = "[...document.querySelectorAll('.chart.wide [data-of-target]')]"
    said = f"{panels}.map(e => [e.dataset.ofTarget, e.dataset.ofRuntime ?? '', e.matches('.faded')])"
    everything = browser.run(said)
    assert {tuple(place) for *place, _ in everything} == {
        *(
            (target, runtime)
            for target in ("host", "raspberry-pi-4")
            for runtime in ("", "ai-edge-litert", "tflite-runtime")
        )
    }
    assert not any(faded for *_, faded in everything)
    browser.run(
        "{ const [target, runtime] = document.querySelectorAll('.filter select'); target.value = 'host';"
        " runtime.value = 'tflite-runtime'; runtime.dispatchEvent(new Event('input', {bubbles: true})) }"
    )
    for target, runtime, faded in browser.run(said):
        assert faded == (target != "host" or runtime == "ai-edge-litert")
    assert browser.run(f"getComputedStyle({panels}.find(e => e.matches('.faded'))).opacity") < "0.5"


def test_a_point_shows_its_sample_to_mouse_and_keyboard(browser: Browser, page: Path) -> None:
    browser.open(page)
    cross = ".chart.wide .c4.dot [data-sample]"  # a flip
    number = browser.run(f"document.querySelector({json.dumps(cross)}).dataset.sample")
    browser.point_at(cross)
    said = "document.querySelector('.tip:not([hidden])')?.innerText ?? ''"
    told = browser.run(said)
    assert f"sample {number}: " in told and " → " in told  # the point
    assert re.search(rf"Sample {number}\s+label \d, Keras \d", told) and "int8" in told  # and the sample
    assert browser.run("document.querySelector('.tip img').naturalWidth") == 28
    browser.point_at(cross, click=True)
    assert browser.run("location.hash") == f"#sample-{number}"
    assert browser.run("document.activeElement.id") == f"sample-{number}"
    browser.run("new Promise(done => setTimeout(done, 100))")  # the page hides the tip once it has gone there

    browser.run(f"document.querySelector({json.dumps(cross)}).closest('svg').focus()")
    browser.press("ArrowRight")
    first = browser.run(said)
    browser.press("ArrowRight")
    second = browser.run(said)
    assert first.startswith("sample ") and second.startswith("sample ") and first != second
    browser.press("Escape")
    assert browser.run(said) == ""


def test_a_point_of_a_head_shows_the_sample_of_that_head(browser: Browser, tmp_path: Path) -> None:
    heads = load(Path(__file__).parent / "recorded" / "heads-schema-6")
    browser.open(write_report(Material(compare(heads)), tmp_path))
    figure = "document.querySelector('#discrepancy [data-place=\"1\"]')"  # parity
    browser.run(f"{figure}.closest('details').open = true")
    assert browser.run(f"{figure}.closest('details').querySelector('h3').textContent").endswith("output parity")
    dots, of_card = f"[...{figure}.querySelectorAll('.wide [data-sample]')]", "`sample-${e.dataset.sample}-output-1`"
    browser.run(f"window.dot = {dots}.find(e => document.getElementById({of_card})); 0")
    number = browser.run("dot.dataset.sample")
    event = "dot.dispatchEvent(new PointerEvent('{}', {{bubbles: true, pointerType: 'mouse'}})); 0"  # crosses overlap
    browser.run(event.format("pointermove"))
    told = browser.run("document.querySelector('.tip').innerText")
    assert re.search(rf"Sample {number}\s+label (even|odd), Keras (even|odd)", told)
    browser.run(event.format("pointerdown"))
    browser.run(event.format("click"))
    assert browser.run("location.hash") == f"#sample-{number}-output-1"


def test_flips_come_first_and_a_folded_sample_unfolds_where_it_is_linked(browser: Browser, page: Path) -> None:
    browser.open(page)
    flips = (
        "[...new Set([...document.querySelectorAll('.chart.wide .c4.dot [data-sample]')].map(e => e.dataset.sample))]"
    )
    cards = browser.run("[...document.querySelectorAll('.gallery > li')].map(e => e.id.replace('sample-', ''))")
    assert len(cards) == len(set(cards)) == 218
    drawn = set(browser.run(flips))
    assert drawn and drawn <= set(cards[: len(drawn) + 40])
    browser.run(f"location.hash = 'sample-{cards[100]}'; new Promise(done => setTimeout(done, 100))")
    assert browser.run(f"document.getElementById('sample-{cards[100]}').checkVisibility()")


def test_no_network_is_asked(browser: Browser, page: Path) -> None:
    browser.open(page)
    browser.point_at(".chart.wide [data-sample]", click=True)
    asked = [address for address in browser.requests if not address.startswith("data:")]
    assert {address.split("#")[0] for address in asked} == {page.as_uri()}
    assert not re.search(r"""(?:src|href)="(?!data:|#)|url\(|@import|https?://(?!www\.w3\.org)""", page.read_text())


def test_it_reads_without_scripts(browser: Browser, page: Path) -> None:
    browser.open(page)
    with_scripts = browser.run("document.querySelector('main').innerText")
    browser.open(page, scripts=False)
    without = browser.run("document.querySelector('main').innerText")
    words = [set(text.split()) for text in (with_scripts, without)]
    assert words[1] <= words[0] | {"\xa0"} and len(words[0] - words[1]) < 12  # the filter's own
    assert browser.run("document.querySelectorAll('.chart.wide path title').length") > 20  # what marks stand for


def test_a_finger_shows_a_sample_and_goes_there_with_the_second_tap(browser: Browser, page: Path) -> None:
    browser.open(page, 390, touch=True)
    cross = ".chart.narrow .c4.dot [data-sample]"  # a flip
    number = browser.run(f"document.querySelector({json.dumps(cross)}).dataset.sample")
    said = "document.querySelector('.tip:not([hidden])')?.innerText ?? ''"
    browser.tap(cross)
    assert f"sample {number}: " in browser.run(said) and browser.run("location.hash") == ""
    tip = browser.run(
        "(r => [r.left, innerWidth - r.right, r.top])(document.querySelector('.tip').getBoundingClientRect())"
    )
    assert min(tip) >= 0
    browser.swipe("h1")
    assert browser.run(said) == ""  # who scrolls wants to see the page
    browser.tap(cross)
    browser.tap(cross)
    assert browser.run("location.hash") == f"#sample-{number}"
    assert browser.run("(r => r.bottom > 0 && r.top < innerHeight)(document.activeElement.getBoundingClientRect())")


def test_a_finger_sorts_filters_and_unfolds(browser: Browser, page: Path) -> None:
    browser.open(page, 820, touch=True)  # of a tablet: on a phone the rows are cards
    browser.tap("#summary th:nth-of-type(2) button")
    assert browser.run("document.querySelector('#summary th:nth-of-type(2)').ariaSort") == "ascending"
    browser.tap(".filter input")
    browser.write("int16x8")
    assert {row[0] for row in rows(browser)} == {"Keras", "int16x8"}
    browser.tap("#method summary")
    assert browser.run("document.querySelector('#method details').open")


# --- on paper ------------------------------------------------------------------------------------------------------

MARGIN_PT = 0.4 * 72  # Chromium's own
ROOM_PT = 48  # for a heading and two lines below it
WIDE_PX = 956  # between its margins, where Chromium shrinks a page as much as it does without need


def orphans(places: dict[str, Place]) -> list[str]:
    """The headings with nothing of their section below them on their page."""
    return [title for title, place in places.items() if place.above_pt < MARGIN_PT + ROOM_PT]


def test_no_printed_heading_is_left_alone_and_the_table_is_whole(browser: Browser, page: Path) -> None:
    browser.open(page)
    browser.run(
        "document.querySelectorAll('#summary tbody').forEach((body, n) => {"
        " for (const [row, name] of [[body.rows[0], `first ${n}`], [body.rows[body.rows.length - 1], `last ${n}`]])"
        " row.cells[0].insertAdjacentHTML('beforeend', `<h6 style='font: 1px serif; margin: 0'>${name}</h6>`) })"
    )
    places = browser.printed()
    assert len(places) > 15 and max(place.page for place in places.values()) > 4
    assert orphans(places) == []
    for n in (0, 1):  # one table a target
        assert places[f"first {n}"].page == places[f"last {n}"].page
        assert places[f"first {n}"].above_pt > places[f"last {n}"].above_pt


def test_nothing_that_is_printed_is_cut_at_the_side(browser: Browser, page: Path) -> None:
    browser.open(page, WIDE_PX)
    browser.call("Emulation.setEmulatedMedia", media="print")
    wider = "[...document.querySelectorAll('main *')].filter(e => e.getBoundingClientRect().right > innerWidth + 1)"
    assert browser.run(f"{wider}.map(e => e.outerHTML.slice(0, 80))") == []


@pytest.mark.parametrize(("rule", "alone"), [("avoid", []), ("auto", ["Alone"])])
def test_a_heading_left_alone_is_found(browser: Browser, tmp_path: Path, rule: str, alone: list[str]) -> None:
    """That the test above can fail."""
    lines = "<p style='height: 240mm; margin: 0'>a</p>"
    figure = "<div style='height: 100mm; break-inside: avoid'>b</div>"
    heading = f"<h2 style='break-after: {rule}; margin: 0'>Alone</h2>"
    (tmp_path / "made.html").write_text(f"<!doctype html><title>t</title><h1>Made</h1>{lines}{heading}{figure}")
    browser.open(tmp_path / "made.html")
    assert orphans(browser.printed()) == alone
