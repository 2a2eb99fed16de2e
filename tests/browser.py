"""A page in headless Chromium, as a reader has it: drawn, typed at, pointed at, printed.

It is driven by the DevTools protocol over a pipe: JSON, each message ended by a zero byte. Nothing is installed for it.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--hide-scrollbars", "--disable-dev-shm-usage"),
)
PAPER = (8.27, 11.69)  # A4, in inches
KEYS = {"Tab": 9, "Enter": 13, "Escape": 27, " ": 32, "ArrowLeft": 37, "ArrowRight": 39, "Home": 36, "End": 35}
TYPED = {"Enter": "\r", " ": " "}


def needed() -> str:
    """Returns Chromium's path; without one a test is skipped, in CI it fails."""
    if CHROMIUM is None:
        if os.environ.get("CI"):
            pytest.fail("chromium is needed in CI")
        pytest.skip("no chromium on this machine")
    return CHROMIUM


@dataclass(frozen=True)
class Place:
    """Where something is printed. page: from 0. above_pt: of its upper edge, over the lower edge of the paper."""

    page: int
    above_pt: float


class Browser:
    """One page at a time. requests: every address that it asked for since `open`."""

    def __init__(self, folder: Path) -> None:
        to_read, self.to_browser = os.pipe()
        from_browser, to_write = os.pipe()
        pipes = f'exec "$@" 3<&{to_read} 4>&{to_write}'
        command = [needed(), *QUIET, "--remote-debugging-pipe", f"--user-data-dir={folder}", "about:blank"]
        self.process = subprocess.Popen(
            ["bash", "-c", pipes, "bash", *command],
            pass_fds=(to_read, to_write),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_read)
        os.close(to_write)
        self.answers = os.fdopen(from_browser, "rb")
        self.number, self.session, self.requests = 0, "", list[str]()
        self.rest = b""
        page = next(t for t in self.call("Target.getTargets")["targetInfos"] if t["type"] == "page")
        attached = self.call("Target.attachToTarget", targetId=page["targetId"], flatten=True)
        self.session = attached["sessionId"]
        for domain in ("Page", "Network", "Runtime"):
            self.call(f"{domain}.enable")

    def close(self) -> None:
        self.session = ""
        self.call("Browser.close")
        self.process.wait(20)
        os.close(self.to_browser)
        self.answers.close()

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Returns the answer to one message. Raises RuntimeError where the browser refuses it."""
        self.number += 1
        own = {"id": self.number, "method": method, "params": params}
        if self.session:
            own["sessionId"] = self.session
        os.write(self.to_browser, json.dumps(own).encode() + b"\0")
        while (said := self.next_message()).get("id") != self.number:
            pass
        if "error" in said:
            raise RuntimeError(f"{method}: {said['error']['message']}")
        found: dict[str, Any] = said["result"]
        return found

    def next_message(self) -> dict[str, Any]:
        while b"\0" not in self.rest:
            read = os.read(self.answers.fileno(), 1 << 20)
            if not read:
                raise RuntimeError("the browser has ended")
            self.rest += read
        text, _, self.rest = self.rest.partition(b"\0")
        said: dict[str, Any] = json.loads(text)
        if said.get("method") == "Network.requestWillBeSent":
            self.requests.append(said["params"]["request"]["url"])
        return said

    def open(
        self,
        path: Path,
        width: int = 1280,
        height: int = 900,
        dark: bool = False,
        scripts: bool = True,
        touch: bool = False,
    ) -> None:
        """Loads a file in a window of that size, in CSS px. touch: on a phone, which has a finger and no mouse."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": touch}
        self.call("Emulation.setDeviceMetricsOverride", **metrics)
        self.call("Emulation.setTouchEmulationEnabled", enabled=touch)
        self.call("Emulation.setScriptExecutionDisabled", value=not scripts)
        colours = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.call("Emulation.setEmulatedMedia", media="", features=colours)
        self.requests.clear()
        self.call("Page.navigate", url=path.as_uri())
        while self.next_message().get("method") != "Page.loadEventFired":
            pass

    def run(self, script: str) -> Any:
        """Returns the value of an expression, or of its promise. Raises RuntimeError where it throws."""
        found = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in found:
            raise RuntimeError(str(found["exceptionDetails"].get("exception", found["exceptionDetails"])))
        return found["result"].get("value")

    def press(self, key: str, times: int = 1) -> None:
        own = {"key": key, "code": "Space" if key == " " else key, "windowsVirtualKeyCode": KEYS[key]}
        for _ in range(times):
            self.call("Input.dispatchKeyEvent", type="keyDown", **own, **({"text": TYPED[key]} if key in TYPED else {}))
            self.call("Input.dispatchKeyEvent", type="keyUp", **own)

    def write(self, text: str) -> None:
        self.call("Input.insertText", text=text)

    def point_at(self, selector: str, click: bool = False) -> None:
        """Moves the mouse to the middle of the first such element, scrolled into view."""
        x, y = (place := self.place(selector))["x"], place["y"]
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
        for kind in ("mousePressed", "mouseReleased") if click else ():
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def tap(self, selector: str) -> None:
        """Touches the middle of the first such element, scrolled into view, as a finger does."""
        place = self.place(selector)
        self.call("Input.dispatchTouchEvent", type="touchStart", touchPoints=[place])
        self.call("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
        self.run("new Promise(done => setTimeout(done, 50))")  # a click follows, where the page did not forbid it

    def swipe(self, selector: str, down: int = 60) -> None:
        """Draws a finger upwards from such an element, and waits until the page stands still again."""
        place = self.place(selector)
        for kind, part in (("touchStart", 0.0), ("touchMove", 0.5), ("touchMove", 1.0)):
            point = {"x": place["x"], "y": place["y"] - down * part}
            self.call("Input.dispatchTouchEvent", type=kind, touchPoints=[point])
        self.call("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
        at = None
        while at != (at := self.run("new Promise(done => setTimeout(() => done(scrollY), 150))")):
            pass

    def place(self, selector: str) -> dict[str, float]:
        """Returns the middle of the first such element, scrolled into view, in CSS px of the window."""
        found: dict[str, float] = self.run(
            "(e => { e.scrollIntoView({block: 'center', behavior: 'instant'}); const r = e.getBoundingClientRect();"
            " return {x: r.x + r.width / 2, y: r.y + r.height / 2} })"
            f"(document.querySelector({json.dumps(selector)}))"
        )
        return found

    def picture(self, whole: bool = True) -> bytes:
        """Returns the page as a PNG; not whole: what is seen of it."""
        found = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole, **self.clip(whole))
        return base64.b64decode(found["data"])

    def clip(self, whole: bool) -> dict[str, Any]:
        if not whole:
            return {}
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        return {"clip": size | {"scale": 1}}

    def printed(self) -> dict[str, Place]:
        """Prints the page on A4 and returns where each of its headings stands, by its text."""
        how = {"printBackground": True, "generateTaggedPDF": True, "generateDocumentOutline": True}
        found = self.call("Page.printToPDF", paperWidth=PAPER[0], paperHeight=PAPER[1], **how)
        return outline_of(base64.b64decode(found["data"]))


def outline_of(pdf: bytes) -> dict[str, Place]:
    """Reads the outline that Chromium writes, which is not compressed: each title, and where its heading begins."""
    pages = re.findall(rb"(\d+) 0 obj\n<</Type /Page\n", pdf)  # in their order
    entries = re.findall(rb"/Title \((.*?)\)\n/Dest \[(\d+) 0 R /XYZ \S+ (\S+)", pdf)
    return {title.decode("latin-1"): Place(pages.index(page), float(above)) for title, page, above in entries}
