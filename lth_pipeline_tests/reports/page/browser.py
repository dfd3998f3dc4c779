"""A Chromium without a screen, for tests that look at a page as its readers do."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = [
    *("--no-sandbox", "--disable-quic", "--disable-background-networking", "--disable-component-update"),
    *("--disable-sync", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"),
]


@contextmanager
def browser() -> Iterator:
    """playwright's browser. Where there is none: skipped on a user's machine, failed where `.ci/run` has set one up."""
    if not CHROMIUM:
        if os.environ.get("CI") or os.environ.get("LTH_BROWSER"):
            pytest.fail("no Chromium here, and this is CI: apt-get install chromium (see .ci/run)")
        pytest.skip("no Chromium here; apt-get install chromium, or any package of it on the PATH")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        opened.close()


class Watched:
    """A page of the browser, and all it said and asked for."""

    def __init__(self, context, path: Path) -> None:
        self.errors: list[str] = []
        self.requests: list[str] = []
        self.page = context.new_page()
        self.page.on("console", lambda said: self.errors.append(said.text) if said.type == "error" else None)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(path.as_uri())

    def draw_all(self) -> int:
        """Draws every chart; how many there are."""
        return self.page.evaluate("lthDrawAll().then((all) => all.length)")
