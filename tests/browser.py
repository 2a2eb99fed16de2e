"""A page in headless Chromium, as a reader has it: drawn, typed at, pointed at, printed.

It is driven by the DevTools protocol over a pipe: JSON, each message ended by a zero byte. Nothing is installed for it.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--hide-scrollbars", "--disable-dev-shm-usage"),
)
KEYS = {"Tab": 9, "Enter": 13, "Escape": 27, " ": 32, "ArrowLeft": 37, "ArrowRight": 39, "Home": 36, "End": 35}
TYPED = {"Enter": "\r", " ": " "}


def needed() -> str:
    """Returns Chromium's path; without one a test is skipped, in CI it fails."""
    if CHROMIUM is None:
        if os.environ.get("CI"):
            pytest.fail("chromium is needed in CI")
        pytest.skip("no chromium on this machine")
    return CHROMIUM


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

    def open(self, path: Path, width: int = 1280, height: int = 900, dark: bool = False, scripts: bool = True) -> None:
        """Loads a file in a window of that size, in CSS px."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.call("Emulation.setDeviceMetricsOverride", **metrics)
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
        place = (
            f"(e => {{ e.scrollIntoView({{block: 'center', behavior: 'instant'}}); const r = e.getBoundingClientRect();"
            f" return [r.x + r.width / 2, r.y + r.height / 2] }})(document.querySelector({json.dumps(selector)}))"
        )
        x, y = self.run(place)
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
        for kind in ("mousePressed", "mouseReleased") if click else ():
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def picture(self, whole: bool = True) -> bytes:
        """Returns the page as a PNG; not whole: what is seen of it."""
        found = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole, **self.clip(whole))
        return base64.b64decode(found["data"])

    def clip(self, whole: bool) -> dict[str, Any]:
        if not whole:
            return {}
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        return {"clip": size | {"scale": 1}}

    def printed(self) -> bytes:
        """Returns the page as a PDF on A4."""
        found = self.call("Page.printToPDF", paperWidth=8.27, paperHeight=11.69, printBackground=True)
        return base64.b64decode(found["data"])
