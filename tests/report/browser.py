"""A browser without a window, told what to do over a pipe (the DevTools protocol)."""

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--no-first-run", "--mute-audio"),
    *("--allow-file-access-from-files", "--remote-debugging-pipe"),
)
KEYS = {"Tab": 9, "Enter": 13, " ": 32, "ArrowLeft": 37, "ArrowRight": 39, "+": 187, "-": 189}
# What is wider than the window, but for what scrolls within a box of its own.
TOO_WIDE = """(() => {
  const wide = document.documentElement.scrollWidth - innerWidth;
  if (wide <= 0) return "";
  const out = [...document.body.querySelectorAll("*")].filter(e => {
    if (e.getBoundingClientRect().right <= innerWidth + 1) return false;
    for (let p = e.parentElement; p; p = p.parentElement)
      if (getComputedStyle(p).overflowX !== "visible") return false;
    return true;
  });
  return wide + " px: " + out.slice(0, 4).map(e => e.outerHTML.slice(0, 90)).join(" | ");
})()"""
# Blocks whose content sticks out of them.
SPILLS = """[...document.body.querySelectorAll("*")].filter(e => {
  const s = getComputedStyle(e);
  return s.display !== "inline" && s.overflowX === "visible" && e.clientWidth > 0 &&
    !e.closest("svg") && e.scrollWidth > e.clientWidth + 1;
}).map(e => e.outerHTML.slice(0, 90))"""
# The element that has the focus: what it is, and whether it shows.
FOCUSED = """(() => {
  const e = document.activeElement, s = getComputedStyle(e), r = e.getBoundingClientRect();
  if (e === document.body) return null;
  const ring = s.outlineStyle !== "none" && parseFloat(s.outlineWidth) > 0;
  return { name: e.id || e.textContent.trim().slice(0, 40) || e.tagName, tag: e.tagName,
           shows: ring && r.width > 0 && r.height > 0 };
})()"""


class Page:
    """One page, with what it said on the console since it was opened."""

    def __init__(self, browser: "_Pipe", session: str) -> None:
        self._browser, self._session = browser, session
        for domain in ("Page", "Runtime", "Log"):
            self.send(f"{domain}.enable")

    @property
    def complaints(self) -> list[str]:
        """Errors, and all that was written to the console."""
        kinds = ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded")
        self.run("0")  # what was said before has arrived
        return [json.dumps(e["params"]) for e in self._browser.events if e["method"] in kinds]

    def send(self, method: str, **params: Any) -> dict[str, Any]:
        return self._browser.send(method, params, self._session)

    def show(self, path: Path, *, width: int, height: int = 844, dark: bool = False) -> None:
        """Open a file in a window of a size, in a colour scheme."""
        self._browser.events.clear()
        self.send(
            "Emulation.setDeviceMetricsOverride",
            **{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600},
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.send("Emulation.setEmulatedMedia", features=[scheme])
        self.send("Page.navigate", url=path.as_uri())
        self._browser.wait("Page.loadEventFired")
        self.run("new Promise(done => requestAnimationFrame(() => setTimeout(done, 50)))")

    def run(self, script: str) -> Any:
        """The value of an expression, awaited."""
        done = self.send(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in done, done
        return done["result"].get("value")

    def press(self, key: str, *, shift: bool = False) -> None:
        """A key as a keyboard sends it."""
        text = {"Enter": "\r"}.get(key, key if len(key) == 1 else "")
        about = {"key": key, "windowsVirtualKeyCode": KEYS[key], "modifiers": 8 * shift}
        self.send("Input.dispatchKeyEvent", type="keyDown", text=text, **about)
        self.send("Input.dispatchKeyEvent", type="keyUp", **about)

    def tour(self, most: int = 200) -> list[dict[str, Any]]:
        """The elements that Tab leads to, one after the other."""
        found: list[dict[str, Any]] = []
        for _ in range(most):
            self.press("Tab")
            focused = self.run(FOCUSED)
            if focused is None or (focused in found and focused["tag"] != "VIDEO"):
                break  # round
            found.append(focused)
        return found

    def picture(self, path: Path, *, whole: bool = True) -> None:
        """Write what is seen as PNG."""
        shot = self.send("Page.captureScreenshot", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(shot["data"]))


class _Pipe:
    """Messages to the browser and from it, with a NUL after each."""

    def __init__(self, sink: int, source: int) -> None:
        self._sink, self._source = sink, source
        self._rest, self._number = b"", 0
        self.events: list[dict[str, Any]] = []

    def send(self, method: str, params: dict[str, Any], session: str = "") -> dict[str, Any]:
        self._number += 1
        words = {"id": self._number, "method": method, "params": params}
        words |= {"sessionId": session} if session else {}
        os.write(self._sink, json.dumps(words).encode() + b"\0")
        while (said := self._read()).get("id") != self._number:
            self.events.append(said)
        assert "error" not in said, said
        return said["result"]

    def wait(self, method: str) -> None:
        while not any(event["method"] == method for event in self.events):
            self.events.append(self._read())

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            piece = os.read(self._source, 2**16)
            assert piece, "the browser is gone"
            self._rest += piece
        message, _, self._rest = self._rest.partition(b"\0")
        return json.loads(message)


@contextmanager
def open_browser(profile: Path) -> Iterator[Page]:
    """A browser with a new profile; it ends with the block."""
    to_read, sink = os.pipe()
    source, to_write = os.pipe()
    words = [str(BROWSER), *FLAGS, f"--user-data-dir={profile}", "about:blank"]
    shell = f'exec "$@" 3<&{to_read} 4>&{to_write}'
    process = subprocess.Popen(
        ["bash", "-c", shell, "bash", *words],
        pass_fds=(to_read, to_write),
        stderr=subprocess.DEVNULL,
    )
    os.close(to_read)
    os.close(to_write)
    try:
        pipe = _Pipe(sink, source)
        target = pipe.send("Target.createTarget", {"url": "about:blank"})["targetId"]
        attached = pipe.send("Target.attachToTarget", {"targetId": target, "flatten": True})
        yield Page(pipe, attached["sessionId"])
        pipe.send("Browser.close", {})
    finally:
        process.kill()
        process.wait()
        os.close(sink)
        os.close(source)
