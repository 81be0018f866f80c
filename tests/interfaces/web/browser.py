"""A page in Chromium -> what is wrong with how it looks and reads."""

from __future__ import annotations

import shutil
from pathlib import Path

from playwright.sync_api import Page, ViewportSize

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
AXE = Path(__file__).parent / "axe" / "axe.min.js"
DESKTOP = ViewportSize(width=1280, height=900)
PHONE = ViewportSize(width=360, height=740)
# A name that leads to this machine and is, unlike 127.0.0.1, no "secure context": as on a network without https.
PLAIN_HOST = "clinic.test"


def overflow(tab: Page) -> list[str]:
    """Name what reaches beyond the right edge of the screen, if anything does."""
    return list(
        tab.evaluate(
            """() => {
              const wide = document.documentElement.scrollWidth > innerWidth ? ["the page"] : [];
              const beyond = [...document.body.querySelectorAll("*")].filter(
                (element) => element.getBoundingClientRect().right > innerWidth + .5);
              return [...wide, ...beyond.map((element) => element.outerHTML.slice(0, 80))];
            }"""
        )
    )


def violations(tab: Page) -> list[str]:
    """Return what axe finds wrong with a page for people who see, hear or move differently."""
    tab.evaluate(AXE.read_text(encoding="utf-8"))
    found = tab.evaluate("axe.run(document).then(({ passes, violations }) => ({ passes: passes.length, violations }))")
    assert found["passes"] > 10
    return [
        f"{rule['id']}: {node['html'][:120]} {node['failureSummary']}"
        for rule in found["violations"]
        for node in rule["nodes"]
    ]
