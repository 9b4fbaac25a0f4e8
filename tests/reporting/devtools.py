"""Drives a headless Chromium as a reader does: real clicks and keys, over its debugging pipe."""

import base64
import itertools
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from check_skips import browser

PATIENCE = 60.0  # s; the browser of a machine under load is slow
KEYS = {"Tab": 9, "Enter": 13, "Escape": 27, "ArrowUp": 38, "ArrowDown": 40}
# A browser reads its orders from file 3 and answers in file 4.
AS_3_AND_4 = (
    "import os, sys\n"
    "ends = [os.dup(int(one)) for one in sys.argv[1:3]]\n"
    "for end, place in zip(ends, (3, 4)): os.dup2(end, place); os.set_inheritable(place, True)\n"
    "os.execv(sys.argv[3], sys.argv[3:])\n"
)
TYPED = {"Enter": "\r"}


class Tab:
    """One page of a browser.

    Attributes:
        said: what the page wrote to its console, errors of its script and of its policy among it.
    """

    def __init__(self, reader: int, writer: int) -> None:
        self._reader, self._writer = reader, writer
        self._left = b""
        self._numbers = itertools.count(1)
        self._session = ""
        self.said: list[str] = []
        self.events: list[dict[str, Any]] = []
        target = self("Target.createTarget", url="about:blank")["targetId"]
        self._session = self("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self(f"{domain}.enable")

    def __call__(self, method: str, **values: Any) -> dict[str, Any]:
        """Asks the browser for something, and waits for its answer."""
        number = next(self._numbers)
        asked: dict[str, Any] = {"id": number, "method": method, "params": values}
        if self._session:
            asked["sessionId"] = self._session
        os.write(self._writer, json.dumps(asked).encode() + b"\0")
        while True:
            found = self._next()
            if found.get("id") == number:
                assert "error" not in found, f"{method}: {found}"
                return dict(found["result"])

    def _next(self) -> dict[str, Any]:
        end = time.monotonic() + PATIENCE
        while b"\0" not in self._left:
            ready, _, _ = select.select([self._reader], [], [], max(0, end - time.monotonic()))
            assert ready, "the browser does not answer"
            chunk = os.read(self._reader, 1 << 20)
            assert chunk, "the browser ended"
            self._left += chunk
        line, _, self._left = self._left.partition(b"\0")
        found: dict[str, Any] = json.loads(line)
        self._note(found)
        return found

    def _note(self, found: dict[str, Any]) -> None:
        name, values = found.get("method", ""), found.get("params", {})
        if name in ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded"):
            self.said.append(json.dumps(values)[:2000])
        if name:
            self.events.append(found)

    def until(self, event: str) -> None:
        """Waits for an event of this name, which may have come already."""
        while not any(one["method"] == event for one in self.events):
            self._next()

    def open(self, address: str) -> None:
        """Opens a page, and waits until it is loaded."""
        for one in ("about:blank", address):  # from a place of the same page nothing would load
            self.events.clear()
            self("Page.navigate", url=one)
            self.until("Page.loadEventFired")

    def look(
        self, width: int, height: int = 900, colours: str = "light", script: bool = True
    ) -> None:
        """Sets the size of the window in px, the system's colours, and whether scripts run."""
        self(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        wanted = {"name": "prefers-color-scheme", "value": colours}
        self("Emulation.setEmulatedMedia", features=[wanted])
        self("Emulation.setScriptExecutionDisabled", value=not script)

    def value(self, expression: str) -> Any:
        """Computes an expression of JavaScript in the page, beside its policy."""
        found = self(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def wait(self, expression: str) -> None:
        """Waits until an expression holds."""
        end = time.monotonic() + PATIENCE
        while not self.value(expression):
            assert time.monotonic() < end, f"never: {expression}"
            time.sleep(0.05)

    def click(self, selector: str) -> None:
        """Clicks in the middle of the first element of a selector, as a mouse does."""
        x, y = self.value(
            f"(() => {{ const one = document.querySelector({json.dumps(selector)});"
            "one.scrollIntoView({block: 'center', behavior: 'instant'});"
            "const box = one.getClientRects()[0];"
            "return [box.x + Math.min(box.width / 2, 40), box.y + box.height / 2]; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def press(self, *keys: str) -> None:
        """Presses keys one after the other; a name of KEYS, or a letter."""
        for key in keys:
            values: dict[str, Any] = {"key": key, "windowsVirtualKeyCode": KEYS.get(key, 0)}
            text = TYPED.get(key, key if len(key) == 1 else "")
            self("Input.dispatchKeyEvent", type="keyDown", text=text, **values)
            self("Input.dispatchKeyEvent", type="keyUp", **values)

    def traced(self, act: Callable[[], object]) -> list[str]:
        """Names what the browser did for an act and in the second after it."""
        self(
            "Tracing.start",
            transferMode="ReportEvents",
            categories="-*,devtools.timeline,disabled-by-default-devtools.timeline,cc,blink",
        )
        act()
        self.value("new Promise((done) => setTimeout(done, 1000))")
        self.events.clear()
        self("Tracing.end")
        self.until("Tracing.tracingComplete")
        found = [one for one in self.events if one["method"] == "Tracing.dataCollected"]
        return [step["name"] for one in found for step in one["params"]["value"]]

    def picture(self, file: Path, whole: bool = False) -> None:
        """Writes a PNG of what is seen, or of the whole page."""
        found = self("Page.captureScreenshot", captureBeyondViewport=whole)
        file.write_bytes(base64.b64decode(found["data"]))


@contextmanager
def tab(folder: Path, options: Sequence[str] = ()) -> Iterator[Tab]:
    """Opens a browser whose profile lies in a folder, and ends it.

    Args:
        folder: the folder of the profile.
        options: further options of the command.
    """
    to_browser, from_browser = os.pipe(), os.pipe()
    command = [
        *(sys.executable, "-c", AS_3_AND_4, str(to_browser[0]), str(from_browser[1])),
        *(str(browser()), "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"),
        *("--remote-debugging-pipe", "--disable-background-networking", "--hide-scrollbars"),
        *("--disable-component-update", "--host-resolver-rules=MAP * ~NOTFOUND"),
        *(f"--user-data-dir={folder / 'profile'}", *options, "about:blank"),
    ]
    with subprocess.Popen(
        command,
        pass_fds=(to_browser[0], from_browser[1]),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        for end in (to_browser[0], from_browser[1]):
            os.close(end)
        try:
            yield Tab(from_browser[0], to_browser[1])
        finally:
            process.terminate()
            for end in (to_browser[1], from_browser[0]):
                os.close(end)
