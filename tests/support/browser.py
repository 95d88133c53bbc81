"""A headless Chromium, driven over the WebDriver protocol: https://www.w3.org/TR/webdriver2/."""

import shutil
import subprocess
import time
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx

START_SECONDS = 20.0
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the protocol's own key for a reference
STARTED = "started successfully on port "


def find_browser() -> tuple[str, str] | None:
    """Where Chromium and its driver are, None where they are not both installed."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    return (browser, driver) if browser and driver else None


class Browser:
    """One window."""

    def __init__(self, http: httpx.Client, session: str) -> None:
        self._http = http
        self._path = f"/session/{session}"

    def open(self, url: str) -> None:
        self._post("/url", url=url)

    def run(self, script: str, *arguments: object) -> Any:
        """What a script of the page returns."""
        return self._post("/execute/sync", script=script, args=list(arguments))

    def type(self, selector: str, text: str) -> None:
        """Replaces what a field holds."""
        self._element(selector, "/clear")
        self._element(selector, "/value", text=text)

    def click(self, selector: str) -> None:
        self._element(selector, "/click")

    def text(self, selector: str) -> str:
        found: str = self.run("return document.querySelector(arguments[0]).textContent", selector)
        return found

    def wait_for(self, selector: str, text: str, *, seconds: float = 15.0) -> None:
        deadline = time.monotonic() + seconds
        while text not in (found := self.text(selector)):
            assert time.monotonic() < deadline, f"{selector} says {found!r}, not {text!r}"
            time.sleep(0.05)

    def screenshot(self, file: Path) -> None:
        answer = self._http.get(f"{self._path}/screenshot").raise_for_status()
        file.write_bytes(b64decode(answer.json()["value"]))

    def _element(self, selector: str, action: str, **body: object) -> None:
        found = self._post("/element", using="css selector", value=selector)
        self._post(f"/element/{found[ELEMENT]}{action}", **body)

    def _post(self, path: str, **body: object) -> Any:
        answer = self._http.post(self._path + path, json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()["value"]


@contextmanager
def running_browser(*arguments: str) -> Iterator[Browser]:
    """A browser of its own, with a profile that is gone afterwards."""
    found = find_browser()
    assert found
    browser, driver = found
    with (
        TemporaryDirectory(ignore_cleanup_errors=True) as profile,
        running_driver(driver, Path(profile) / "log") as address,
        httpx.Client(base_url=address, timeout=30) as http,
    ):
        options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        options += [f"--user-data-dir={profile}", "--window-size=1280,900", *arguments]
        chrome = {"binary": browser, "args": options}
        capabilities = {"alwaysMatch": {"goog:chromeOptions": chrome}}
        answer = http.post("/session", json={"capabilities": capabilities})
        assert answer.status_code == 200, answer.text
        session = answer.json()["value"]["sessionId"]
        try:
            yield Browser(http, session)
        finally:
            http.delete(f"/session/{session}")


@contextmanager
def running_driver(driver: str, log: Path) -> Iterator[str]:
    """The driver's address; it takes a free port and says which."""
    with log.open("w") as output:
        process = subprocess.Popen([driver, "--port=0"], stdout=output, stderr=output)
    try:
        deadline = time.monotonic() + START_SECONDS
        while STARTED not in (said := log.read_text()):
            assert process.poll() is None, said
            assert time.monotonic() < deadline, said
            time.sleep(0.05)
        port = said.partition(STARTED)[2].partition(".")[0]
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()
