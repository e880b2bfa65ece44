"""A real browser without a window, driven through two pipes by the DevTools protocol
(`--remote-debugging-pipe`: JSON messages that end in NUL), so that only the browser need be
installed."""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"),
    *("--disable-extensions", "--disable-background-networking", "--disable-component-update"),
    *("--remote-debugging-pipe", "--hide-scrollbars", "--mute-audio", "--disable-sync"),
)
_WAIT_S = 120.0


def executable() -> str:
    """The browser that TFREC_BROWSER names, or one that is installed; else the test is skipped."""
    named = os.environ.get("TFREC_BROWSER")
    path = next((path for name in ((named,) if named else _NAMES) if (path := shutil.which(name))), None)
    if path is None:
        pytest.skip("no Chromium is installed (`apt-get install chromium`, or TFREC_BROWSER names one)")
    return path


class Browser:
    """One page of a browser, and what went wrong in it."""

    def __init__(self, to_browser: int, from_browser: int) -> None:
        self._to, self._from = to_browser, from_browser
        self._read, self._number, self._session = b"", 0, ""
        self.faults: list[str] = []
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """The answer to a command; what happens meanwhile is noted."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while (heard := self._hear()).get("id") != self._number:
            self._note(heard)
        if "error" in heard:
            raise RuntimeError(f"{method}: {heard['error']['message']}")
        result: dict[str, Any] = heard["result"]
        return result

    def open(self, path: Path, width: int = 1200, dark: bool = False, fragment: str = "") -> None:
        """Opens a file in a window of that width, and waits until it is loaded."""
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=900,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.send("Emulation.setEmulatedMedia", features=[scheme])
        self.send("Page.navigate", url="about:blank")  # a fragment alone would load nothing
        self.send("Page.navigate", url=path.absolute().as_uri() + fragment)
        until = time.monotonic() + _WAIT_S
        while not self.run("location.protocol === 'file:' && document.readyState === 'complete'"):
            if time.monotonic() > until:
                raise TimeoutError(f"{path} was not loaded within {_WAIT_S:.0f} s")
            time.sleep(0.01)

    def run(self, script: str) -> Any:
        """The value of an expression."""
        done = self.send("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in done:
            raise RuntimeError(done["exceptionDetails"]["exception"]["description"])
        return done["result"].get("value")

    def press(self, key: str) -> None:
        for kind in ("keyDown", "keyUp"):
            self.send("Input.dispatchKeyEvent", type=kind, key=key, code=key)

    def screenshot(self, path: Path) -> None:
        path.write_bytes(base64.b64decode(self.send("Page.captureScreenshot")["data"]))

    def _note(self, heard: dict[str, Any]) -> None:
        method, said = heard.get("method"), heard.get("params", {})
        if method == "Runtime.exceptionThrown":
            self.faults.append(str(said["exceptionDetails"]))
        elif (method == "Log.entryAdded" and said["entry"]["level"] in ("error", "warning")) or (
            method == "Runtime.consoleAPICalled" and said["type"] in ("error", "warning", "assert")
        ):
            self.faults.append(str(said))
        elif method == "Network.requestWillBeSent" and said["request"]["url"].startswith(("http", "ws")):
            self.faults.append(f"asks the network for {said['request']['url']}")

    def _hear(self) -> dict[str, Any]:
        while b"\0" not in self._read:
            part = os.read(self._from, 1 << 20)
            if not part:
                raise RuntimeError("the browser ended")
            self._read += part
        message, _, self._read = self._read.partition(b"\0")
        heard: dict[str, Any] = json.loads(message)
        return heard


@contextmanager
def browser(profile: Path) -> Iterator[Browser]:
    """A browser whose files lie in a folder. It and its processes end with the block, or after a while."""
    theirs_in, to_browser = os.pipe()
    from_browser, theirs_out = os.pipe()
    words = [executable(), *_FLAGS, f"--user-data-dir={profile}"]

    def in_their_places() -> None:  # the browser reads from 3 and writes to 4
        copies = os.dup(theirs_in), os.dup(theirs_out)
        os.dup2(copies[0], 3)
        os.dup2(copies[1], 4)
        signal.alarm(int(_WAIT_S * 5))

    process = subprocess.Popen(
        words,
        pass_fds=(3, 4, theirs_in, theirs_out),
        preexec_fn=in_their_places,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    os.close(theirs_in)
    os.close(theirs_out)
    try:
        yield Browser(to_browser, from_browser)
    finally:
        os.close(to_browser)
        os.close(from_browser)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for _ in range(50):  # its other processes may still be writing into the folder
            shutil.rmtree(profile, ignore_errors=True)
            if not profile.exists():
                break
            time.sleep(0.1)
