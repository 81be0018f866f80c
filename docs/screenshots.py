"""Write docs/images from the sample archive, through the service: ``python docs/screenshots.py [INDEX]``.

Needs Chromium and playwright, and an index of data/archive (one is built where none is named).
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlencode

from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

ROOT = Path(__file__).parent.parent
IMAGES = ROOT / "docs" / "images"
SITE = """
name = "Ask the running doctor"
about = "Questions of runners, walkers and people on their feet all day."
answered_by = "a sports physician"
notice = "A sample archive. General information, no diagnosis: see a doctor if you are worried."
examples = ["sore heel in the morning", "hamstring near the sit bone, hurts to sit", "numb toes on long runs"]
"""
# Asked in some years: (how often, complaint).
ASKED = (
    (4, "can I claim for physiotherapy from my insurance"),
    (3, "does health insurance pay for physiotherapy sessions"),
    (3, "which insurance pays for physiotherapy after running"),
    (3, "can I swim with contact lenses"),
    (2, "is it safe to swim in a lake with contact lenses"),
    (4, "stabbing under my heel in the morning"),
    (3, "outside of my knee hurts running downhill"),
    (2, "numb toes after an hour of running"),
)
UNANSWERED = "my boss wants me to work on sundays"
COMPLAINT = "stabbing under my heel, first steps in the morning are the worst"
DESKTOP = ViewportSize(width=1000, height=800)
WIDE = ViewportSize(width=1280, height=800)
PHONE = ViewportSize(width=390, height=844)
COMMAND = (sys.executable, "-m", "qa_search")


@contextmanager
def serving(index: str, site_file: Path) -> Iterator[str]:
    """Serve an index on a free port; the service names its address itself."""
    command = [*COMMAND, "serve", "--index", index, "--port", "0", "--site", str(site_file)]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as service:  # noqa: S603 - ours
        assert service.stderr is not None  # noqa: S101 - it is a pipe
        try:
            site = next(word for line in service.stderr for word in line.split() if word.startswith("http://"))
            while not _is_ready(site) and service.poll() is None:
                time.sleep(0.2)
            yield site
        finally:
            service.terminate()


def _is_ready(site: str) -> bool:
    try:
        with urllib.request.urlopen(f"{site}readyz") as answer:  # noqa: S310 - its address is http:
            return bool(answer.status == HTTPStatus.OK)
    except OSError:
        return False


def take(
    browser: Browser, site: str, name: str, *, size: ViewportSize, asked: str = COMPLAINT, dark: bool = False,
    post: bool = False, paper: bool = False,
) -> None:  # fmt: skip
    """Search (unless nothing is asked), open the first post if that is wanted, and keep what is on the screen."""
    page: Page = browser.new_page(viewport=size, color_scheme="dark" if dark else "light")
    page.goto(f"{site}?{urlencode({'q': asked})}" if asked else site)
    if post:
        page.locator("h3 a").first.click()
        page.locator("article h1").wait_for()
    if size == WIDE:
        page.locator(".beside #mark").wait_for()
    if paper:
        page.emulate_media(media="print")
        page.evaluate("scrollTo(0, 0)")
    page.screenshot(path=IMAGES / name)
    page.close()


def take_report(browser: Browser, name: str, index: str, folder: Path, *command: str) -> None:
    """Have a report written as a page, open it as a file, and keep what is on the screen."""
    done = subprocess.run(  # noqa: S603 - ours
        [*COMMAND, *command, "--index", index], cwd=ROOT, check=False, stdout=subprocess.PIPE
    )
    path = folder / "report.html"
    path.write_bytes(done.stdout)
    page: Page = browser.new_page(viewport=DESKTOP)
    page.goto(path.as_uri())
    page.screenshot(path=IMAGES / name)
    page.close()


def main() -> None:
    """Take all pictures."""
    IMAGES.mkdir(exist_ok=True)
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        index = sys.argv[1] if len(sys.argv) > 1 else str(Path(folder) / "index")
        if len(sys.argv) == 1:
            subprocess.run([*COMMAND, "build", "data/archive/", "--index", index], cwd=ROOT, check=True)  # noqa: S603
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        site_file = Path(folder) / "site.toml"
        site_file.write_text(SITE, encoding="utf-8")
        with serving(index, site_file) as site:
            take(browser, site, "search-light.png", size=DESKTOP)
            take(browser, site, "search-dark.png", size=DESKTOP, dark=True)
            take(browser, site, "search-phone.png", size=PHONE)
            take(browser, site, "search-wide.png", size=WIDE)
            take(browser, site, "start.png", size=DESKTOP, asked="")
            take(browser, site, "refused.png", size=DESKTOP, asked=UNANSWERED)
            take(browser, site, "post.png", size=DESKTOP, post=True)
            take(browser, site, "post-printed.png", size=DESKTOP, post=True, paper=True)
        complaints = Path(folder) / "complaints.jsonl"
        lines = [
            json.dumps({"text": text, "date": f"20{18 + number}-05-01"})
            for often, text in ASKED
            for number in range(often)
        ]
        complaints.write_text("\n".join(lines), encoding="utf-8")
        take_report(browser, "gaps.png", index, Path(folder), "gaps", str(complaints), "--format", "html")
        take_report(browser, "review.png", index, Path(folder), "review", "--format", "html")
        take_report(browser, "topics.png", index, Path(folder), "info", "--topics-map")
        browser.close()


if __name__ == "__main__":
    main()
