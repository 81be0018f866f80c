"""The pages in a real browser: what people do with them, and that nothing in an archive can run.

Needs Chromium (Debian: ``apt-get install chromium``) and playwright; skipped where either is absent.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlencode, urljoin

import pytest

pytest.importorskip("playwright", reason="playwright is not installed")
pytest.importorskip("fastapi", reason="the service's packages are not installed")

import uvicorn
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    Response,
    Route,
    ViewportSize,
    expect,
)

from qa_search import SearchIndex, build_index
from qa_search.embedders.base import Embedder
from qa_search.interfaces.web.app import Settings, create_app
from tests.helpers import ROOT, WordsEmbedder, page, write_jsonl
from tests.interfaces.web.browser import CHROMIUM, DESKTOP, PHONE, PLAIN_HOST, overflow, violations
from tests.interfaces.web.test_pages import HOSTILE

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")

# What Chromium says of pages that are meant to be errors, and of pages without https.
HARMLESS = (
    "Failed to load resource: the server responded with a status of 4",
    "The Cross-Origin-Opener-Policy header has been ignored",
)
# What the page is told to report: refusals of its own content security policy, and changes for screen readers.
WATCH = """
document.addEventListener("securitypolicyviolation", (event) =>
  console.error(`refused by the policy: ${event.violatedDirective} ${event.blockedURI}`));
globalThis.announced = [];
new MutationObserver((changes) => {
  for (const { target, addedNodes } of changes) {
    if (addedNodes.length && target.role === "status") announced.push(target.textContent);
  }
}).observe(document, { childList: true, subtree: true });
"""
LONG_WORD = "ankle" * 60
KNEE, NOTHING = "?q=swollen+knee+after+football", "?q=zyzzyva+quux+frobnicate"
DANGER, NOTICE = "?q=blue+lips+after+football", "Call 112 now: this can be an emergency."


def write_archive(folder: Path) -> Path:
    """Write pages that link to one another, and records with tags, addresses and hostile texts."""
    pages = folder / "clinic"
    pages.mkdir(parents=True)
    titles = ["Swollen knee after football", "Heel hurts in the morning", "Wrist sore from typing"]
    for number, title in enumerate(titles):
        links = f"- Prev:{['', *titles][number]}\n- Next:{[*titles, 'Lost'][number + 1]}"
        answer = f"Keep the weight off it for {number + 2} days.\n\n1) Ice it.\n2) Raise it.\nThen walk on the flat."
        text = page(title, f"{title}, since last week. What helps?", answer, f"201{number}/3/4 10:00:00", links)
        (pages / f"{number}.txt").write_text(text, encoding="utf-8")
    for number, text in enumerate(HOSTILE):
        body = page(f"Hostile {text}", f"Hostile question {text}", f"Hostile answer {text}").encode("utf-8", "replace")
        (pages / f"hostile-{number:02}.txt").write_bytes(body)
    records = [
        {
            "id": f"hostile-{number:02}", "title": f"Hostile {text}", "question": f"Hostile record {text}",
            "answer": f"Hostile reply {text}", "tags": [text], "url": text, "author": text,
        }
        for number, text in enumerate(HOSTILE)
    ]  # fmt: skip
    records += [
        {
            "id": "jump", "title": "Swollen knee after a jump", "question": "My knee is swollen after a jump.",
            "answer": "Rest the knee until the swelling is gone.", "date": "2018-05-06", "tags": ["knee"],
            "url": "https://forum.example.org/t/7",
        },
        {"id": "long", "title": LONG_WORD, "question": LONG_WORD * 5, "answer": LONG_WORD * 5, "tags": [LONG_WORD]},
        {"id": "rtl", "title": "כאב בברך", "question": "כאב בברך ימין", "answer": "מנוחה, 3 ימים, ואז הליכה."},
    ]  # fmt: skip
    write_jsonl(folder / "forum [2018].jsonl", records)
    return folder


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the service, on a small archive under a fake model."""
    folder = tmp_path_factory.mktemp("site")
    words = WordsEmbedder()
    archive = write_archive(folder / "archive")
    build_index([archive / "clinic", archive / "forum [2018].jsonl"], folder / "index", model=words)
    danger = f'[[danger]]\nwords = ["blue lips"]\nnotice = "{NOTICE}"\n'
    (folder / "index" / "curation.toml").write_text(danger, encoding="utf-8")
    with serving(SearchIndex.open(folder / "index", model=words), Settings(rate=0)) as address:
        yield address


@contextmanager
def serving(index: SearchIndex, settings: Settings) -> Iterator[str]:
    """Serve an index, which is closed at the end; yield the address."""
    # Who comes before the service is ready waits in the listener's queue: nobody has to ask when it is.
    listener = socket.create_server(("127.0.0.1", 0))
    app = create_app(index, settings)
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
    server.should_exit = True
    thread.join(30)
    assert not thread.is_alive()


Open = Callable[..., Page]


@pytest.fixture
def open_page(site: str, chromium: Browser) -> Iterator[Open]:
    """Open a page in a fresh profile; at the end, nothing may have gone wrong in any of them."""
    contexts: list[BrowserContext] = []
    problems: list[str] = []
    allowed = [site, f"http://{PLAIN_HOST}:", "data:image/"]

    def note_request(request: Request) -> None:
        if not request.url.startswith(tuple(allowed)):
            problems.append(f"asked for {request.url}")

    def note_response(response: Response) -> None:
        # A page may be an error that is told to people; what belongs to a page may not.
        if response.status >= (500 if response.request.is_navigation_request() else 400):
            problems.append(f"{response.status}: {response.url}")

    def note_console(message: ConsoleMessage) -> None:
        if not message.text.startswith(HARMLESS):
            problems.append(f"console: {message.text}")

    def opened(path: str = "", *, host: str = "", elsewhere: str = "", **options: Any) -> Page:
        allowed.extend([elsewhere] if elsewhere else [])
        context = chromium.new_context(**options)
        context.set_default_timeout(15_000)
        contexts.append(context)
        if options.get("java_script_enabled", True):
            context.add_init_script(WATCH)
        context.on("dialog", lambda dialog: problems.append(f"a dialog opened: {dialog.message}"))
        context.on("weberror", lambda error: problems.append(f"script: {error.error}"))
        context.on("console", note_console)
        context.on("request", note_request)
        context.on("response", note_response)
        tab = context.new_page()
        tab.goto((f"http://{host}:{site.split(':')[-1]}" if host else site) + path)
        return tab

    yield opened
    for context in contexts:
        for tab in context.pages:
            tab.evaluate("0")  # what the page has reported comes before this answer
        context.close()
    assert contexts
    assert not problems


def box(tab: Page) -> Any:
    return tab.get_by_role("textbox", name="What is the complaint?")


def status(tab: Page) -> Any:
    return tab.locator("#found").get_by_role("status")


def titles(tab: Page) -> list[str]:
    """The titles of the hits, once they are there: a click that a script follows does not wait for the next page."""
    tab.locator("h3").first.wait_for()
    tab.wait_for_load_state()
    return tab.locator("h3").all_inner_texts()


def test_a_search_shows_the_answers(open_page: Open) -> None:
    """Typed, searched, found: best first, the sentence marked, the number announced, the address passed on."""
    tab = open_page()
    expect(tab).to_have_title("Past answers")
    box(tab).fill("swollen knee\nafter football")
    tab.get_by_role("button", name="Search", exact=True).click()
    tab.wait_for_url("**/?q=*")
    assert titles(tab)[0] == "Swollen knee after football"
    expect(tab.locator("mark").first).to_be_visible()
    expect(status(tab)).to_contain_text("5 posts, nearest first.")
    assert any("5 posts" in text for text in tab.evaluate("announced"))
    assert tab.url.partition("?")[2] == "q=swollen+knee%0Aafter+football"
    assert box(tab).input_value() == "swollen knee\nafter football"
    assert titles(open_page("?" + tab.url.partition("?")[2])) == titles(tab)


def test_enter_searches_and_shift_enter_starts_a_line(open_page: Open) -> None:
    """In the box, as in a chat."""
    tab = open_page()
    expect(box(tab)).to_be_focused()
    tab.keyboard.type("swollen knee")
    tab.keyboard.press("Shift+Enter")
    tab.keyboard.type("after football")
    assert box(tab).input_value() == "swollen knee\nafter football"
    tab.keyboard.press("Enter")
    tab.wait_for_url("**/?q=*")
    assert titles(tab)[0] == "Swollen knee after football"


def test_an_empty_box_is_not_searched(open_page: Open) -> None:
    """The browser says that it is to be filled in."""
    tab = open_page()
    tab.keyboard.press("Enter")
    assert tab.evaluate("document.querySelector('textarea').validity.valueMissing")
    assert "?" not in tab.url


def test_a_long_complaint_is_searched(open_page: Open) -> None:
    """Of eight thousand words; it has no address that could be passed on."""
    tab = open_page()
    text = "Swollen knee after football. " * 2000
    box(tab).fill(text)
    tab.get_by_role("button", name="Search", exact=True).click()
    expect(tab.locator("#found")).to_be_visible()
    assert titles(tab)[0] == "Swollen knee after football"
    assert box(tab).input_value() == text
    assert "?" not in tab.url
    expect(tab.get_by_role("button", name="Copy link to this search")).to_have_count(0)


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_a_text_that_is_too_long_is_kept_and_told(open_page: Open, scripts: bool) -> None:
    """Beside the box, as soon as it is there or once it is sent; a sign of danger at its end has its notice."""
    tab = open_page(java_script_enabled=scripts)
    text = "Swollen knee after football. " * 4200 + "His blue lips frighten me."
    box(tab).fill(text)
    too_long = tab.get_by_text("121,826 characters")
    expect(too_long).to_have_count(1 if scripts else 0)
    tab.get_by_role("button", name="Search", exact=True).click()
    expect(too_long).to_be_visible()
    expect(tab.locator(".danger")).to_have_text(NOTICE)
    assert box(tab).input_value() == text
    if scripts:
        assert not violations(tab)
        box(tab).fill("知" * 120_000)  # more bytes than a request may have
        tab.get_by_role("button", name="Search", exact=True).click()
        expect(tab.get_by_text("This text has 120,000 characters")).to_be_visible()
        assert len(box(tab).input_value()) == 120_000
        box(tab).fill("swollen knee")
        expect(tab.get_by_text("characters, and at most")).not_to_be_visible()


def test_a_text_of_the_most_characters_is_searched_with_its_lines(open_page: Open) -> None:
    """Forms are sent with longer line ends than the box counts."""
    tab = open_page()
    box(tab).evaluate("(box) => { box.value = 'Swollen knee.\\n'.repeat(7142); }")
    tab.get_by_role("button", name="Search", exact=True).click()
    assert titles(tab)[0].startswith("Swollen knee")


def test_nothing_found_is_said_at_the_top(open_page: Open) -> None:
    """Before the nearest posts, of which nothing is marked."""
    tab = open_page(NOTHING)
    headings = tab.locator("#found h2").all_inner_texts()
    assert headings == ["Nothing here answers that", "The nearest posts"]
    expect(tab).to_have_title("zyzzyva quux frobnicate – no answer – Past answers")
    assert tab.locator(".nothing").bounding_box()["y"] < tab.locator(".nearest li").first.bounding_box()["y"]  # type: ignore[index]
    expect(tab.locator("mark")).to_have_count(0)


def test_filters_narrow_the_search(open_page: Open) -> None:
    """By date, source and tag; how many are set is said, and they can be cleared."""
    tab = open_page(KNEE)
    assert not tab.get_by_label("Since").is_visible()
    tab.get_by_text("Filters").click()
    tab.get_by_label("Since").fill("2018-01-01")
    tab.get_by_label("Until").fill("2018-05-31")
    tab.get_by_role("button", name="Search", exact=True).click()
    tab.wait_for_url("**since=2018-01-01&until=2018-05-31**")
    assert titles(tab) == ["Swollen knee after a jump"]
    tab.get_by_text("Filters (2 set)").click()
    expect(tab.get_by_label("Since")).to_have_value("2018-01-01")
    tab.get_by_label("Since").fill("2019-01-01")
    tab.get_by_label("Until").fill("")
    tab.get_by_role("button", name="Search", exact=True).click()
    tab.wait_for_url("**since=2019-01-01")
    expect(status(tab)).to_have_text("No post passes the filters. The posts here are of 2010 to 2018.")
    tab.get_by_text("Filters (1 set)").click()
    tab.get_by_role("link", name="Clear the filters").click()
    expect(tab.locator("h3").first).to_have_text("Swollen knee after football")
    tab.get_by_text("Filters").click()
    tab.get_by_label("Source").select_option(label=next(
        name for name in tab.get_by_label("Source").locator("option").all_inner_texts() if "[2018]" in name
    ))  # fmt: skip
    tab.get_by_label("Tag").fill("Knee")
    tab.get_by_role("button", name="Search", exact=True).click()
    tab.wait_for_url("**tag=Knee**")
    assert titles(tab) == ["Swollen knee after a jump"]


def test_dates_the_wrong_way_round_are_exchanged_and_that_is_said(open_page: Open) -> None:
    """The search is that of the dates in order."""
    tab = open_page(KNEE + "&since=2019&until=2018-05")
    expect(tab.locator("#found .newer").first).to_have_text(
        "The dates were the wrong way round: since 2018-05, until 2019 was searched."
    )
    assert titles(tab) == ["Swollen knee after a jump"]


def test_the_last_years_are_a_choice(open_page: Open) -> None:
    """They are the last of the archive, and become a date that can be seen and changed."""
    tab = open_page(KNEE)
    tab.get_by_text("Filters").click()
    tab.get_by_label("Or", exact=True).select_option("the archive's last year")
    tab.get_by_role("button", name="Search", exact=True).click()
    tab.wait_for_url("**since=2017-05-06")
    assert titles(tab) == ["Swollen knee after a jump"]
    tab.goto(urljoin(tab.url, KNEE + "&years=10"))
    assert "Swollen knee after football" in titles(tab)
    expect(tab.get_by_text("Filters (1 set)")).to_be_visible()


def test_a_date_that_is_none_is_told_by_the_box(open_page: Open) -> None:
    """What was typed is kept."""
    tab = open_page("?q=knee&since=soon")
    expect(tab.get_by_role("alert")).to_contain_text("soon")
    expect(box(tab)).to_have_value("knee")
    expect(tab.get_by_label("Since")).to_have_value("soon")


def test_a_post_is_read_whole_here_and_on_its_own_page(open_page: Open) -> None:
    """From there, on to the next post, back to the one before, and to posts like it."""
    tab = open_page(KNEE, viewport=PHONE)
    first = tab.locator(".hit").first
    whole = first.locator("[data-answer]")
    assert not whole.is_visible()
    first.get_by_text("Whole post").click()
    expect(whole).to_be_visible()
    expect(first.locator(".excerpt").first).to_be_hidden()
    assert whole.inner_text().splitlines()[-3:] == ["1) Ice it.", "2) Raise it.", "Then walk on the flat."]
    first.get_by_role("link", name="Swollen knee after football").click()
    expect(tab.get_by_role("heading", level=1)).to_have_text("Swollen knee after football")
    neighbours = tab.get_by_role("navigation", name="Posts before and after")
    neighbours.get_by_role("link", name="Heel hurts in the morning").click()
    expect(tab.get_by_role("heading", level=1)).to_have_text("Heel hurts in the morning")
    neighbours.get_by_role("link", name="Swollen knee after football").click()
    expect(tab.get_by_role("heading", level=1)).to_have_text("Swollen knee after football")
    tab.get_by_role("link", name="More like this").click()
    expect(tab.locator(".like")).to_have_text("Like Swollen knee after football")
    assert titles(tab)[0] == "Swollen knee after a jump"
    assert "Swollen knee after football" not in titles(tab)


def test_a_page_that_is_not_there_says_so(open_page: Open) -> None:
    """And leads back to the search."""
    tab = open_page()
    answer = tab.goto(tab.url + "posts/nosuchpost")
    assert answer is not None
    assert answer.status == 404
    expect(tab.get_by_role("heading", level=1)).to_have_text("This post is gone")


@pytest.mark.parametrize("host", ["", PLAIN_HOST], ids=["secure", "plain http"])
def test_an_answer_is_copied_with_its_source(open_page: Open, host: str) -> None:
    """The whole answer, title, date, place and address; it is announced, and the focus stays. Also without https."""
    tab = open_page(KNEE, host=host)
    if not host:
        tab.context.grant_permissions(["clipboard-read", "clipboard-write"])
    assert tab.evaluate("isSecureContext") == (not host)
    tab.locator(".hit").first.get_by_text("Whole post").click()
    # What is pasted into the box below is not to be searched: that would change the results and the address.
    tab.locator("form[role=search]").evaluate("(form) => { form.dataset.instant = 0 }")
    button = tab.locator(".hit").first.get_by_role("button", name="Copy answer with source")
    button.focus()
    tab.keyboard.press("Enter")
    expect(tab.locator("#said")).to_have_text("Copied the answer with its source.")
    expect(button).to_be_focused()
    assert "Copied the answer with its source." in tab.evaluate("announced")
    address = tab.locator("h3 a").first.evaluate("(link) => link.origin + link.pathname")
    box(tab).fill("")
    box(tab).press("ControlOrMeta+v")
    copied = box(tab).input_value()
    assert copied.startswith(
        "Keep the weight off it for 2 days.\n\n1) Ice it.\n2) Raise it.\nThen walk on the flat.\n\n"
    )
    assert copied.splitlines()[-2] == "Swollen knee after football (2010-03-04, Past answers)"
    assert copied.splitlines()[-1] == address
    tab.get_by_role("button", name="Copy link to this search").click()
    expect(tab.locator("#said")).to_have_text("Copied the link.")
    box(tab).fill("")
    box(tab).press("ControlOrMeta+v")
    expect(box(tab)).to_have_value(tab.url)


def test_everything_can_be_done_by_keyboard(open_page: Open) -> None:
    """From loading to an open post with Tab and Enter alone, the focus always in sight."""
    tab = open_page(viewport=PHONE)
    tab.keyboard.type("swollen knee after football")
    tab.keyboard.press("Enter")
    tab.wait_for_url("**/?q=*")
    tab.keyboard.press("Tab")
    skip = tab.get_by_role("link", name="Skip to the answers")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    tab.keyboard.press("Enter")
    expect(tab.locator("#found")).to_be_focused()
    reached = []
    for _ in range(3):
        tab.keyboard.press("Tab")
        focused = tab.locator(":focus")
        expect(focused).to_be_in_viewport()
        style, width = focused.evaluate("(e) => [getComputedStyle(e).outlineStyle, getComputedStyle(e).outlineWidth]")
        assert (style, width) == ("solid", "3px")
        reached.append(focused.inner_text())
    assert reached == ["Newest first", "Swollen knee after football", "Whole post"]
    tab.keyboard.press("Enter")
    expect(tab.locator("[data-answer]").first).to_be_visible()
    tab.keyboard.press("Shift+Tab")
    tab.keyboard.press("Enter")
    expect(tab.get_by_role("heading", level=1)).to_have_text("Swollen knee after football")
    tab.wait_for_load_state()
    tab.keyboard.press("Escape")
    tab.wait_for_url("**/?q=*")


def test_keys_lead_to_the_box_and_from_hit_to_hit(open_page: Open) -> None:
    """/ to the box, j and k down and up; in the box they are letters."""
    tab = open_page(KNEE, viewport=PHONE)
    shown = tab.locator(".hits h3 a:visible")
    assert shown.count() > 1
    for key, at in (("j", 0), ("j", 1), ("k", 0), ("k", 0)):
        tab.keyboard.press(key)
        expect(shown.nth(at)).to_be_focused()
    tab.keyboard.press("/")
    expect(box(tab)).to_be_focused()
    tab.keyboard.press("ControlOrMeta+End")
    tab.keyboard.type("/jk")
    expect(box(tab)).to_have_value("swollen knee after football/jk")


def test_the_mark_goes_along_to_the_open_post(open_page: Open) -> None:
    """It is in sight there, the box has what was asked, and a link leads back to the results."""
    tab = open_page(KNEE, viewport=PHONE)
    marked = tab.locator(".hit mark").first.inner_text()
    tab.locator("h3 a").first.click()
    expect(tab.locator("#mark")).to_have_text(marked)
    expect(tab.locator("#mark")).to_be_in_viewport()
    expect(box(tab)).to_have_value("swollen knee after football")
    tab.get_by_role("link", name="Back to the results").click()
    assert titles(tab)[0] == "Swollen knee after football"


def test_where_there_is_room_a_post_opens_beside_the_hits(open_page: Open) -> None:
    """At first the best one; another by a click, with its mark, its neighbours and copying; Escape leads back."""
    tab = open_page(KNEE, viewport=DESKTOP)
    beside = tab.get_by_role("complementary", name="The open post")
    expect(beside.get_by_role("heading", level=2).first).to_have_text("Swollen knee after football")
    expect(beside.locator("#mark")).to_be_in_viewport()
    tab.locator(".hits h3 a", has_text="after a jump").click()
    expect(beside.get_by_role("heading", level=2).first).to_have_text("Swollen knee after a jump")
    expect(beside).to_be_focused()
    expect(beside.get_by_role("button", name="Copy answer with source")).to_be_visible()
    assert beside.bounding_box()["x"] > tab.locator(".hit").first.bounding_box()["x"] + 300  # type: ignore[index]
    tab.keyboard.press("Escape")
    expect(tab.locator(".hits h3 a", has_text="after a jump")).to_be_focused()
    assert tab.url.endswith(KNEE)
    assert violations(tab) == []


def test_short_texts_are_searched_while_they_are_typed(open_page: Open) -> None:
    """Without a new address; the results are those of the text at the end, and a long text waits for the button."""
    tab = open_page(viewport=PHONE)
    asked: list[str] = []
    tab.on("request", lambda request: asked.append(request.post_data or ""))
    box(tab).press_sequentially("swollen knee after football")
    expect(tab.locator("h3").first).to_have_text("Swollen knee after football")
    assert "?" not in tab.url
    expect(box(tab)).to_be_focused()
    box(tab).press("ControlOrMeta+End")
    box(tab).press_sequentially(" jump")
    expect(tab.locator("h3").first).to_have_text("Swollen knee after a jump")
    asked.clear()
    with tab.expect_navigation():
        box(tab).fill("knee " * 100)
        box(tab).press("Enter")
    assert not [body for body in asked if "part=1" in body]


@pytest.mark.parametrize("start", ["", NOTHING], ids=["start page", "another search"])
def test_back_finds_what_was_searched_while_typing(open_page: Open, start: str) -> None:
    """From a post, with the text in the box; so does a reload, and the link to pass on is that of what was typed."""
    tab = open_page(start, viewport=PHONE, permissions=["clipboard-read", "clipboard-write"])
    box(tab).fill("")
    box(tab).press_sequentially("swollen knee after football")
    tab.locator(".hit h3 a").first.click()
    expect(tab.locator("#mark")).to_be_visible()
    tab.wait_for_load_state()
    for way in (tab.go_back, tab.reload):
        way()
        expect(tab.locator("h3").first).to_have_text("Swollen knee after football")
        assert box(tab).input_value() == "swollen knee after football"
        assert "?" not in tab.url
    tab.get_by_role("button", name="Copy link to this search").click()
    expect(tab.locator("#said")).to_have_text("Copied the link.")
    assert tab.evaluate("navigator.clipboard.readText()").endswith("/?q=swollen+knee+after+football")


@pytest.mark.parametrize("typed", [True, False], ids=["typed", "sent"])
def test_back_leads_from_a_post_beside_the_hits_to_the_hits(open_page: Open, typed: bool) -> None:
    """However many were opened: to the best one, as it was; forward and from elsewhere, the chosen one is open."""
    tab = open_page("" if typed else KNEE, viewport=DESKTOP)
    if typed:
        box(tab).press_sequentially("swollen knee after football")
    beside = tab.locator(".beside").get_by_role("heading", level=2).first
    expect(beside).to_have_text("Swollen knee after football")
    best, second, third = tab.locator(".hits h3").all_text_contents()[:3]
    for title in (second, third):
        if tab.locator("details.hardly:not([open])").count():
            tab.locator(".hardly > summary").click()
        tab.locator(".hits h3 a", has_text=title).first.click()
        expect(beside).to_have_text(title)
    tab.go_back()
    expect(beside).to_have_text(best)
    assert tab.locator(".hits h3").all_text_contents()[:3] == [best, second, third]
    tab.go_forward()
    expect(beside).to_have_text(third)
    beside.get_by_role("link").click()
    expect(tab.get_by_role("heading", level=1)).to_have_text(third)
    tab.wait_for_load_state()
    tab.go_back()
    expect(beside).to_have_text(third)
    box(tab).fill("heel hurts in the morning")
    expect(beside).to_have_text("Heel hurts in the morning")
    tab.go_back()
    expect(beside).to_have_text(best)


def test_after_back_the_box_holds_what_the_hits_answer(open_page: Open) -> None:
    """Not the complaint that led from them to the next ones; what was only typed there stays."""
    texts = ("swollen knee after football", "heel hurts in the morning", "knee pain on stairs")
    tab = open_page(viewport=PHONE)
    for text in texts:
        box(tab).fill(text)
        box(tab).press("Enter")
        tab.wait_for_url(f"**/?q={text.replace(' ', '+')}*")
        expect(tab.locator("#found")).to_be_visible()
        tab.wait_for_load_state()
    for text in reversed(texts[:-1]):
        tab.go_back()
        tab.wait_for_url(f"**/?q={text.replace(' ', '+')}*")
        expect(box(tab)).to_have_value(text)


def test_a_link_within_the_page_leaves_what_was_typed(open_page: Open) -> None:
    """The one that skips to the answers makes an entry of the history, too."""
    tab = open_page(NOTHING, viewport=DESKTOP)
    box(tab).fill("swollen knee after football")
    expect(tab.locator("h3").first).to_have_text("Swollen knee after football")
    tab.get_by_role("link", name="Skip to the answers").press("Enter")
    expect(tab.locator("#found")).to_be_focused()
    tab.reload()
    expect(tab.locator("h3").first).to_have_text("Swollen knee after football")


def test_a_private_search_leaves_no_trace(open_page: Open) -> None:
    """Neither in the address, the title or the history, nor in any link; it is remembered until it is switched off."""
    tab = open_page(viewport=PHONE)
    box(tab).fill("swollen knee after football")
    tab.get_by_label("Private").check()
    tab.get_by_role("button", name="Search", exact=True).click()
    expect(tab.locator("h3").first).to_have_text("Swollen knee after football")
    assert "?" not in tab.url
    assert "swollen" not in tab.title()
    links = tab.locator("a").evaluate_all("(links) => links.map((link) => link.href)")
    assert not [link for link in links if "swollen" in link]
    tab.get_by_role("button", name="Newest first").click()
    expect(tab.get_by_role("button", name="Nearest first")).to_be_visible()
    tab.get_by_role("button", name="Nearest first").click()
    expect(tab.locator("h3").first).to_have_text("Swollen knee after football")
    tab.locator("h3 button").first.click()
    expect(tab.locator("#mark")).to_be_visible()
    assert "swollen" not in tab.url
    expect(tab.get_by_label("Private")).to_be_checked()
    tab.get_by_label("Private").uncheck()
    box(tab).fill("swollen knee")
    tab.get_by_role("button", name="Search", exact=True).click()
    tab.wait_for_url("**/?q=swollen+knee")
    expect(tab.get_by_label("Private")).not_to_be_checked()


def test_private_is_remembered_from_the_tick_on(open_page: Open) -> None:
    """Before anything is searched: over a reload and other pages, until it is unticked; the service reads the same."""
    tab = open_page(viewport=PHONE)
    private = tab.get_by_label("Private")
    for chosen in (True, False):
        private.set_checked(chosen)
        tab.reload()
        expect(private).to_be_checked(checked=chosen)
        tab.get_by_role("link", name="Browse").click()
        tab.get_by_role("link", name="Past answers").click()
        expect(private).to_be_checked(checked=chosen)


def test_private_is_true_of_what_was_found_before(open_page: Open) -> None:
    """No address and no link has the complaint once it is ticked."""
    tab = open_page(KNEE + "&sort=newest", viewport=PHONE)
    tab.get_by_label("Private").check()
    expect(tab.get_by_role("button", name="Nearest first")).to_be_visible()
    tab.locator("h3 button").first.click()
    expect(tab.get_by_role("heading", level=1)).to_be_visible()
    assert "swollen" not in tab.url
    tab.wait_for_load_state()
    tab.go_back()
    expect(tab.get_by_role("button", name="Nearest first")).to_be_visible()
    assert "swollen" not in tab.url


def private_results(tab: Page) -> None:
    """Ask in private, newest first, and wait for the results."""
    box(tab).fill("swollen knee after football")
    tab.get_by_label("Private").check()
    tab.get_by_role("button", name="Search", exact=True).click()
    tab.get_by_role("button", name="Newest first").click()
    expect(tab.get_by_role("button", name="Nearest first")).to_be_visible()


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_a_private_search_leads_to_posts_and_back(open_page: Open, scripts: bool) -> None:
    """As an open one does, also without scripts: the mark goes along, and on to other posts; no address has it."""
    tab = open_page(viewport=PHONE, java_script_enabled=scripts)
    private_results(tab)
    found = titles(tab)
    assert not violations(tab) if scripts else True
    tab.get_by_role("button", name="Swollen knee after football").first.click()
    expect(tab.locator("#mark")).to_be_visible()
    expect(tab).to_have_title("Swollen knee after football – Past answers")
    assert not violations(tab) if scripts else True
    tab.get_by_role("navigation", name="Posts before and after").get_by_role("button").first.click()
    expect(tab.get_by_role("heading", level=1)).to_have_text("Heel hurts in the morning")
    assert "swollen" not in tab.url
    tab.wait_for_load_state()
    if scripts:
        tab.keyboard.press("Escape")
    else:
        tab.get_by_role("button", name="Back to the results").click()
    expect(tab.get_by_role("button", name="Nearest first")).to_be_visible()
    assert titles(tab) == found
    assert "?" not in tab.url
    expect(tab.get_by_label("Private")).to_be_checked()


def test_the_browser_s_own_back_does_not_ask_in_private(open_page: Open) -> None:
    """Back, forward and reload show the results and the marked post again, and nothing is in an address for that."""
    tab = open_page(viewport=PHONE)
    private_results(tab)
    found = titles(tab)
    tab.get_by_role("button", name="Swollen knee after football").first.click()
    expect(tab.locator("#mark")).to_be_visible()
    tab.wait_for_load_state()
    for way in (tab.go_back, tab.reload):
        way()
        expect(tab.get_by_role("button", name="Nearest first")).to_be_visible()
        assert titles(tab) == found
        assert box(tab).input_value() == "swollen knee after football"
        expect(tab.get_by_label("Private")).to_be_checked()
    for way in (tab.go_forward, tab.reload):
        way()
        expect(tab.locator("#mark")).to_be_in_viewport()
        assert "swollen" not in tab.url
        assert not violations(tab)
    tab.keyboard.press("Escape")
    expect(tab.get_by_role("button", name="Nearest first")).to_be_visible()
    tab.get_by_label("Private").uncheck()
    box(tab).fill("swollen knee")
    tab.get_by_role("button", name="Search", exact=True).click()
    tab.wait_for_url("**/?q=swollen+knee")
    tab.go_back()
    expect(tab.get_by_role("button", name="Nearest first")).to_be_visible()
    tab.goto(urljoin(tab.url, "/"))
    expect(tab.locator(".intro")).to_be_visible()
    expect(tab.get_by_label("Private")).not_to_be_checked()
    private_results(tab)
    tab.locator("a.name").click()
    expect(tab.locator(".intro")).to_be_visible()
    assert box(tab).input_value() == ""


@pytest.mark.parametrize("private", [False, True], ids=["long", "private"])
def test_back_leads_to_a_search_that_was_refused(site: str, chromium: Browser, private: bool) -> None:
    """No address holds it: the page says again what was wrong, and the box has the text."""
    context = chromium.new_context(viewport=PHONE)
    tab = context.new_page()
    tab.goto(site)
    refused = "swollen knee" if private else "swollen knee " * 8000
    tab.get_by_label("Private").set_checked(private)
    tab.get_by_text("Filters").click()
    tab.get_by_label("Since", exact=True).evaluate("(since) => { since.type = 'text'; }")
    tab.get_by_label("Since", exact=True).fill("soon" if private else "")
    box(tab).fill(refused)
    tab.get_by_role("button", name="Search", exact=True).click()
    problem = tab.locator("#problem")
    expect(problem).to_be_visible()
    said = problem.inner_text()
    if private:
        tab.get_by_label("Since", exact=True).fill("")
    box(tab).fill("swollen knee after football")
    box(tab).press("Enter")
    titles(tab)
    tab.go_back()
    expect(problem).to_have_text(said)
    expect(box(tab)).to_have_value(refused)
    context.close()


def test_what_was_found_while_typing_in_private_is_there_on_the_way_back(open_page: Open) -> None:
    """Though no form was sent for it."""
    tab = open_page(viewport=PHONE)
    tab.get_by_label("Private").check()
    box(tab).press_sequentially("swollen knee after football")
    tab.get_by_role("button", name="Swollen knee after football").first.click()
    expect(tab.locator("#mark")).to_be_visible()
    tab.wait_for_load_state()
    tab.go_back()
    expect(tab.locator("h3").first).to_have_text("Swollen knee after football")
    assert "?" not in tab.url


def test_a_vote_in_private_leaves_a_page_that_can_be_loaded_again(tmp_path: Path, chromium: Browser) -> None:
    """The address that took the vote has no page of its own, and no second vote is sent."""
    words, votes = WordsEmbedder(), tmp_path / "votes.jsonl"
    build_index([write_archive(tmp_path / "archive") / "forum [2018].jsonl"], tmp_path / "index", model=words)
    index = SearchIndex.open(tmp_path / "index", model=words, feedback=votes)
    with serving(index, Settings(rate=0)) as address:
        tab = chromium.new_page(viewport=PHONE)
        tab.goto(address)
        private_results(tab)
        tab.get_by_role("button", name="This answered me").first.click()
        expect(tab.get_by_text("Thank you.")).to_be_visible()
        tab.wait_for_load_state()
        tab.reload()
        expect(tab.get_by_role("button", name="This answered me").first).to_be_visible()
        assert tab.url == address
        tab.close()
    assert votes.read_text().count('"answered"') == 1


@contextmanager
def without_the_jump(folder: Path) -> Iterator[tuple[str, Callable[[], None]]]:
    """The address of a service that takes votes, and what removes the post about the jump."""
    words, source = WordsEmbedder(), write_archive(folder / "archive") / "forum [2018].jsonl"
    build_index(source, folder / "index", model=words)
    index = SearchIndex.open(folder / "index", model=words, feedback=folder / "votes.jsonl")

    def remove() -> None:
        kept = [line for line in source.read_text(encoding="utf-8").splitlines(True) if '"jump"' not in line]
        source.write_text("".join(kept), encoding="utf-8")
        build_index(source, folder / "index", model=words)
        index.refresh()

    with serving(index, Settings(rate=0)) as address:
        yield address, remove


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_a_vote_on_a_post_that_is_gone_is_not_counted(tmp_path: Path, chromium: Browser, scripts: bool) -> None:
    """That is said, and Back leads to that page from a post that is opened there."""
    with without_the_jump(tmp_path) as (address, remove):
        context = chromium.new_context(viewport=PHONE, java_script_enabled=scripts)
        tab = context.new_page()
        tab.goto(f"{address}?q=swollen+knee+after+a+jump")
        remove()
        tab.locator(".hit", has_text="after a jump").get_by_role("button", name="This answered me").click()
        told = tab.get_by_text("This vote was not counted: the post is no longer in the archive.")
        expect(told).to_be_visible()
        expect(tab).to_have_url(f"{address}?q=swollen+knee+after+a+jump")
        shown = titles(tab)
        tab.locator("h3 a").first.click()
        expect(tab.get_by_role("heading", level=1)).to_have_text(shown[0])
        tab.go_back()
        assert titles(tab) == shown
        context.close()
    assert not (tmp_path / "votes.jsonl").exists()


@pytest.mark.parametrize("private", [False, True], ids=["address", "private"])
@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desk"])
def test_a_hit_that_is_gone_leads_to_another_search(
    tmp_path: Path, chromium: Browser, size: ViewportSize, private: bool
) -> None:
    """By a page that says so and keeps the complaint, also where posts open beside the hits."""
    with without_the_jump(tmp_path) as (address, remove):
        context = chromium.new_context(viewport=size)
        tab = context.new_page()
        tab.goto(address)
        tab.get_by_label("Private").set_checked(private)
        box(tab).fill("swollen knee")
        box(tab).press("Enter")
        titles(tab)
        remove()
        tab.locator(".hit h3", has_text="after a jump").locator("a, button").click()
        expect(tab.get_by_text("The post is no longer in the archive.")).to_be_visible()
        expect(box(tab)).to_have_value("swollen knee")
        assert not violations(tab)
        tab.get_by_role("button" if private else "link", name="Search again").click()
        expect(tab.get_by_role("heading", name="This post is gone")).to_have_count(0)
        expect(box(tab)).to_have_value("swollen knee")
        expect(tab.locator(".hit h3, .nearest h3").first).to_be_visible()
        assert "Swollen knee after a jump" not in titles(tab)
        context.close()


def test_a_private_search_opens_posts_beside_the_hits(open_page: Open) -> None:
    """Where there is room: the best one at first, others by their key, from there on alone, and back."""
    tab = open_page(viewport=DESKTOP)
    private_results(tab)
    beside = tab.locator(".beside")
    first, second = titles(tab)[:2]
    expect(beside.get_by_role("heading", name=first, exact=True)).to_be_visible()
    tab.keyboard.press("j")
    tab.keyboard.press("j")
    tab.keyboard.press("Enter")
    expect(beside.get_by_role("heading", name=second, exact=True)).to_be_visible()
    expect(beside).to_be_focused()
    tab.keyboard.press("Escape")
    expect(tab.get_by_role("button", name=second).first).to_be_focused()
    assert not violations(tab)
    beside.get_by_role("button", name=second).click()
    expect(tab.get_by_role("heading", level=1)).to_have_text(second)
    assert "swollen" not in tab.url
    tab.wait_for_load_state()
    tab.keyboard.press("Escape")
    expect(tab.get_by_role("button", name="Nearest first")).to_be_visible()


def test_a_long_search_leads_to_posts_and_back(open_page: Open) -> None:
    """A complaint that is too long for an address goes along all the same."""
    tab = open_page(viewport=PHONE)
    text = "Swollen knee after football. " * 2000
    box(tab).fill(text)
    tab.get_by_role("button", name="Search", exact=True).click()
    tab.get_by_role("button", name="Swollen knee after football").first.click()
    expect(tab.locator("#mark")).to_be_visible()
    tab.wait_for_load_state()  # the keys are there
    tab.keyboard.press("Escape")
    expect(tab.locator("#found")).to_be_visible()
    assert box(tab).input_value() == text


def test_filters_of_a_private_search_can_be_cleared(open_page: Open) -> None:
    """Without an address."""
    tab = open_page(viewport=PHONE)
    box(tab).fill("swollen knee after football")
    tab.get_by_text("Filters").click()
    tab.get_by_label("Since").fill("2019-01-01")
    tab.get_by_label("Private").check()
    tab.get_by_role("button", name="Search", exact=True).click()
    expect(status(tab)).to_have_text("No post passes the filters. The posts here are of 2010 to 2018.")
    tab.get_by_text("Filters (1 set)").click()
    tab.get_by_role("button", name="Clear the filters").click()
    expect(tab.locator("h3").first).to_have_text("Swollen knee after football")
    assert "?" not in tab.url


def test_more_like_a_post_can_be_ordered_in_private(open_page: Open) -> None:
    """The address names a post, not a complaint."""
    tab = open_page(viewport=PHONE)
    private_results(tab)
    tab.get_by_role("button", name="Swollen knee after football").first.click()
    tab.get_by_role("link", name="More like this").click()
    expect(tab.locator(".like")).to_have_text("Like Swollen knee after football")
    tab.get_by_role("link", name="Newest first").click()
    expect(tab.get_by_role("link", name="Nearest first")).to_be_visible()
    tab.locator("h3 a").first.click()
    expect(tab.get_by_role("heading", level=1)).to_have_text("Swollen knee after a jump")
    tab.wait_for_load_state()  # the keys are there
    tab.keyboard.press("Escape")
    expect(tab.locator(".like")).to_have_text("Like Swollen knee after football")


def test_posts_are_found_by_tag_year_and_source(open_page: Open) -> None:
    """From the start page, by links with counts, to pages of posts."""
    tab = open_page()
    tab.locator(".ways").get_by_role("link", name="knee", exact=True).click()
    expect(tab.get_by_role("heading", level=2)).to_have_text("Swollen knee after a jump")
    tab.get_by_label("Tag").fill("")
    tab.get_by_label("Order").select_option("Oldest first")
    tab.get_by_role("button", name="Show").click()
    expect(tab.get_by_role("heading", level=2).first).to_have_text("Swollen knee after football")
    tab.get_by_role("link", name="Next page").click()
    expect(tab.get_by_text("Page 2")).to_be_visible()
    tab.get_by_role("link", name="Previous page").click()
    tab.get_by_role("link", name="Swollen knee after football").click()
    expect(tab.get_by_role("heading", level=1)).to_have_text("Swollen knee after football")


def test_everything_to_tap_is_large_enough(open_page: Open) -> None:
    """44 pixels high on a phone, but for links within a line of text."""
    for path in ("", KNEE, NOTHING, "browse"):
        tab = open_page(path, viewport=PHONE)
        small = tab.locator(
            "button, summary, .top a, .hit h3 a, .nearest a, .ways a, .sorting a, .actions a, select, textarea, "
            "input:not([type=checkbox]), .private label"
        ).evaluate_all(
            "(all) => all.filter((e) => e.checkVisibility() && !e.closest('.facts') "
            "&& e.getBoundingClientRect().height < 43.5).map((e) => e.outerHTML.slice(0, 90))"
        )
        assert small == []


def test_without_scripts_everything_but_copying_works(open_page: Open) -> None:
    """Searching, filtering, reading whole posts, opening them; nothing is offered that would not work."""
    tab = open_page(java_script_enabled=False)
    box(tab).fill("swollen knee after football")
    tab.get_by_text("Filters").click()
    tab.get_by_label("Until").fill("2012-12-31")
    tab.get_by_role("button", name="Search", exact=True).click()
    expect(tab.locator("h3").first).to_have_text("Swollen knee after football")
    expect(status(tab)).to_contain_text("nearest first")
    first = tab.locator(".hit").first
    first.get_by_text("Whole post").click()
    expect(first.locator("[data-answer]")).to_be_visible()
    assert tab.get_by_role("button").all_inner_texts() == ["Search"]
    assert not tab.get_by_text("Shift+Enter").is_visible()
    first.get_by_role("link", name="Swollen knee after football").click()
    expect(tab.get_by_role("heading", level=1)).to_have_text("Swollen knee after football")


WIDGET_PAGE = """<!doctype html><html lang="en"><title>Club</title><h1>Club</h1><textarea id="mine"></textarea>
<div id="here"></div><script src="{service}/widget.js" data-target="#here" data-k="2"></script>
<script src="{service}/widget.js" data-watch="#mine" data-title="Asked before?"></script>
<script src="{service}/widget.js" data-title="By a token" data-token="seen-by-all"></script></html>"""


@pytest.fixture
def club(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[tuple[str, str]]:
    """Two sites, allowed and not, whose pages use one service, by a token if the test names one; their addresses."""
    words = WordsEmbedder()
    archive = write_archive(tmp_path / "archive")
    build_index([archive / "forum [2018].jsonl"], tmp_path / "index", model=words)
    with ExitStack() as open_now:
        sites = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
        addresses = [f"http://127.0.0.1:{site.getsockname()[1]}" for site in sites]
        token, widget_token = getattr(request, "param", (None, None))
        settings = Settings(rate=0, origins=frozenset(addresses[:1]), token=token, widget_token=widget_token)
        service = open_now.enter_context(serving(SearchIndex.open(tmp_path / "index", model=words), settings))
        body = WIDGET_PAGE.format(service=service.rstrip("/")).encode()

        class Page(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("content-type", "text/html; charset=utf-8")
                self.end_headers()
                self.wfile.write(body if self.path == "/" else b"")

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        for site in sites:
            server = HTTPServer(site.getsockname(), Page, bind_and_activate=False)
            server.socket.close()
            server.socket = site
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            open_now.callback(thread.join)
            open_now.callback(server.server_close)
            open_now.callback(server.shutdown)
        yield addresses[0], addresses[1]


def test_the_widget_works_on_an_allowed_site_alone(club: tuple[str, str], chromium: Browser) -> None:
    """Box and answers in a shadow root, similar questions while somebody writes; nothing on another site."""
    allowed, other = club
    tab = chromium.new_page()
    problems: list[str] = []
    tab.on("pageerror", lambda error: problems.append(str(error)))
    tab.goto(allowed)
    widgets = tab.locator(".qa-search-widget")
    box_of = widgets.first.get_by_role("textbox", name="What is the complaint?")
    box_of.fill("swollen knee after a jump")
    widgets.first.get_by_role("button", name="Search").click()
    link = widgets.first.get_by_role("link", name="Swollen knee after a jump")
    expect(link).to_be_visible()
    assert link.evaluate("(link) => link.origin") != allowed
    expect(widgets.first.locator("mark").first).to_be_visible()
    assert widgets.first.locator("li").count() == 2
    assert tab.evaluate("document.querySelector('h1').closest('.qa-search-widget') === null")
    asked: list[str] = []
    tab.on("request", lambda request: asked.append(request.post_data or ""))
    tab.locator("#mine").press_sequentially("My knee is swollen after a jump")
    expect(widgets.nth(1).get_by_role("link", name="Swollen knee after a jump")).to_be_visible()
    assert asked
    assert all(body.endswith("typing=1") for body in asked)
    assert problems == []
    tab.goto(other)
    box_of.fill("swollen knee after a jump")
    widgets.first.get_by_role("button", name="Search").click()
    expect(widgets.first.get_by_role("status")).to_have_text("The search does not answer.")
    tab.close()


@pytest.mark.parametrize("club", [("secret", "seen-by-all")], indirect=True)
def test_a_widget_with_a_token_of_its_own_has_whole_answers(club: tuple[str, str], chromium: Browser) -> None:
    """Nobody is asked for a password, and no link leads to a page that would ask."""
    tab = chromium.new_page()
    tab.goto(club[0])
    widget = tab.locator(".qa-search-widget").last
    widget.get_by_role("textbox", name="What is the complaint?").fill("swollen knee after a jump")
    widget.get_by_role("button", name="Search").click()
    expect(widget.get_by_text("Swollen knee after a jump").first).to_be_visible()
    assert widget.get_by_role("link").count() == 0
    answer = widget.locator("details .text").first
    expect(answer).to_be_hidden()
    widget.get_by_text("Whole answer").first.click()
    expect(answer).to_be_visible()
    tab.close()


@pytest.mark.parametrize("club", [("secret", "another")], indirect=True)
def test_a_widget_with_a_wrong_token_says_so(club: tuple[str, str], chromium: Browser) -> None:
    """The page's owner has to write the present one."""
    tab = chromium.new_page()
    tab.goto(club[0])
    widget = tab.locator(".qa-search-widget").last
    widget.get_by_role("textbox", name="What is the complaint?").fill("swollen knee after a jump")
    widget.get_by_role("button", name="Search").click()
    expect(widget.get_by_role("status")).to_have_text("This page gets no answers: the search does not take its token.")
    tab.close()


@pytest.mark.parametrize("club", [("secret", None)], indirect=True)
def test_a_widget_without_a_token_says_so(club: tuple[str, str], chromium: Browser) -> None:
    """No password is asked for, and no message is shown as if it were an answer."""
    tab = chromium.new_page()
    tab.goto(club[0])
    widget = tab.locator(".qa-search-widget").first
    widget.get_by_role("textbox", name="What is the complaint?").fill("swollen knee after a jump")
    widget.get_by_role("button", name="Search").click()
    expect(widget.get_by_role("status")).to_have_text("This page gets no answers: the search asks for a token.")
    tab.close()


def test_a_widget_tells_what_was_refused(club: tuple[str, str], chromium: Browser) -> None:
    """In words for people, not in JSON."""
    tab = chromium.new_page()
    tab.route("**/widget", lambda route: route.continue_(post_data="q=knee&k=1000"))
    tab.goto(club[0])
    widget = tab.locator(".qa-search-widget").first
    widget.get_by_role("textbox", name="What is the complaint?").fill("swollen knee after a jump")
    widget.get_by_role("button", name="Search").click()
    expect(widget.get_by_role("status")).to_have_text(
        "The search does not answer: The number of answers must be from 1 to 100."
    )
    tab.close()


def test_the_answer_is_in_sight(sample_index: SearchIndex, minilm: Embedder, chromium: Browser) -> None:
    """The first marked sentence of twenty complaints, on a phone and on a desk.

    Five unfolded hits take 2,400 pixels at most on the phone, but for one complaint of the twenty, whose hits are long.
    """
    lines = (ROOT / "data" / "judged" / "queries.jsonl").read_text(encoding="utf-8").splitlines()
    complaints = [json.loads(line)["text"] for line in lines]
    answered = [text for text in complaints[:40] if sample_index.search(text, k=1).answered][:20]
    assert len(answered) == 20
    low, high = [], []
    with serving(SearchIndex.open(sample_index.location, model=minilm), Settings(rate=0)) as address:
        for size in (ViewportSize(width=390, height=844), ViewportSize(width=1280, height=800)):
            tab = chromium.new_page(viewport=size)
            for text in answered:
                tab.goto(f"{address}?{urlencode({'q': text})}")
                mark = tab.locator("#found mark:visible").first.bounding_box()
                assert mark is not None
                if mark["y"] + mark["height"] > size["height"]:
                    low.append((size["width"], text))
                tab.locator(".hardly > summary").evaluate_all("(folded) => folded.forEach((one) => one.click())")
                height = tab.evaluate("document.documentElement.scrollHeight")
                if tab.locator(".hit").count() == 5 and size["width"] == 390 and height > 2400:
                    high.append((height, text))
            tab.close()
    assert low == []
    assert len(high) <= 1, high


def test_hostile_posts_are_shown_and_never_run(open_page: Open) -> None:
    """Each in a search, on its own page, and as a post to find more like; the text is there to read."""
    tab = open_page("?q=hostile&k=50", viewport=PHONE)
    assert len(titles(tab)) > len(HOSTILE)
    links = tab.locator("h3 a").evaluate_all("(links) => links.map((link) => link.href)")
    tab.locator("summary").evaluate_all("(folded) => folded.forEach((one) => one.click())")
    read = tab.locator("#found").inner_text()
    for text in ("<script>alert(1)</script>", "{{ 7 * 7 }}", "javascript:alert(1)//", "' onmouseover='alert(1)'"):
        assert text in read
    assert tab.locator("script, #found img, #found svg, #found [onmouseover], iframe, base").count() == 1
    for element in tab.locator("#found a, #found p").all()[:40]:
        element.dispatch_event("mouseover")
    for link in links:
        tab.goto(link)
        assert tab.locator("main script, main img, main svg").count() == 0
        assert all(
            target.startswith(("http://127.0.0.1:", "https:"))
            for target in tab.locator("a").evaluate_all("(links) => links.map((link) => link.href)")
        )
        tab.get_by_role("link", name="More like this").click()
        expect(tab.locator(".like")).to_contain_text("Like")


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_addresses_are_harmless(open_page: Open, text: str) -> None:
    """Whatever a link to the page fills in for people."""
    filled = {name: text.encode("utf-8", "replace").decode() for name in ("q", "since", "until", "source", "tag")}
    tab = open_page()
    start = tab.url
    for fields in ({"q": filled["q"]}, filled, {"like": filled["q"]}, {"q": "knee", "k": filled["q"]}):
        tab.goto(start + "?" + urlencode(fields))
        assert tab.locator("script").count() == 1
        assert tab.locator("main img, main svg, main base, main [style]").count() == 0


def test_marks_of_direction_stay_within_their_text(open_page: Open) -> None:
    """What follows a text that turns the direction reads as ever; Hebrew reads from the right."""
    tab = open_page("?" + urlencode({"q": "hostile \u202everse\u2066\u2067x", "k": 50}))
    tab.locator("summary").evaluate_all("(folded) => folded.forEach((one) => one.click())")
    hit = tab.locator(".hit", has_text="verse").first
    text = hit.inner_text()
    assert "\u202e" not in text
    assert "\ufffdverse" in text
    # The source is on the left of what follows it: nothing that precedes it turned the line.
    facts = hit.locator(".facts > span")
    assert facts.nth(0).bounding_box()["x"] < facts.nth(1).bounding_box()["x"]  # type: ignore[index]
    tab = open_page("?" + urlencode({"q": "כאב בברך ימין"}))
    answer = tab.locator(".hit", has_text="מנוחה").locator("blockquote.answer")
    assert answer.evaluate("(element) => element.matches(':dir(rtl)')")
    whole = tab.locator(".hit", has_text="מנוחה").locator("[data-answer]")
    assert whole.evaluate("(element) => getComputedStyle(element).whiteSpace.includes('pre-line')")


PAGES = {
    "start": "",
    "found": KNEE,
    "filtered": KNEE + "&since=2010",
    "nothing found": NOTHING,
    "problem": "?q=knee&since=soon",
    "danger": DANGER,
    "long words": "?" + urlencode({"q": LONG_WORD, "tag": LONG_WORD, "source": LONG_WORD}),
    "post": KNEE + "#post",
    "post of long words": f"?q={LONG_WORD}#post",
    "gone": "posts/nosuchpost?q=swollen+knee",
    "browse": "browse",
}  # fmt: skip


def open_view(open_page: Open, path: str, **options: Any) -> Page:
    """Open one of the pages; a post's is reached from the search."""
    tab = open_page(path.removesuffix("#post"), **options)
    if path.endswith("#post"):
        tab.goto(tab.locator("h3 a").first.evaluate("(link) => link.href"))
        expect(tab.locator("article h1")).to_be_visible()
        tab.wait_for_load_state("load")  # with its style sheet
    else:
        tab.locator("summary").evaluate_all("(folded) => folded.slice(1).forEach((one) => one.click())")
    return tab


def test_a_notice_stands_above_everything_found(open_page: Open) -> None:
    """On a phone as well: it is in view without scrolling, and no hit has a likelihood."""
    tab = open_page(DANGER, viewport=PHONE)
    notice = tab.get_by_role("alert").filter(has_text=NOTICE)
    expect(notice).to_be_in_viewport()
    box, first = notice.bounding_box(), tab.locator(".nearest li").first.bounding_box()
    assert box is not None
    assert first is not None
    assert box["y"] < first["y"]
    assert "answers this" not in tab.locator("#results").inner_text()


@pytest.mark.parametrize("path", PAGES.values(), ids=PAGES)
def test_pages_are_accessible(open_page: Open, path: str) -> None:
    """Axe finds nothing by day, by night or in strong colours, on a desk or a phone, nor while a copy is announced."""
    tab = open_view(open_page, path)
    found = []
    looks: tuple[tuple[Literal["light", "dark"], Literal["no-preference", "more"], ViewportSize], ...] = (
        ("light", "no-preference", DESKTOP),
        ("light", "no-preference", PHONE),
        ("dark", "no-preference", DESKTOP),
        ("dark", "no-preference", PHONE),
        ("light", "more", DESKTOP),
        ("dark", "more", PHONE),
    )
    for colours, contrast, size in looks:
        tab.emulate_media(color_scheme=colours, contrast=contrast)
        tab.set_viewport_size(size)
        copy = tab.get_by_role("button", name="Copy").and_(tab.locator(":visible"))
        if copy.count():
            copy.first.click()
            expect(tab.locator("#said")).not_to_be_empty()
        found += [f"{colours}, {contrast}, {size['width']}: {violation}" for violation in violations(tab)]
    assert found == []


@pytest.mark.parametrize("path", [*PAGES.values(), "?q=hostile&k=50"], ids=[*PAGES, "hostile"])
def test_no_page_is_wider_than_a_phone(open_page: Open, path: str) -> None:
    """Not even with words of hundreds of letters: nothing reaches beyond 360 pixels, or 320."""
    tab = open_view(open_page, path, viewport=PHONE)
    assert overflow(tab) == []
    tab.set_viewport_size({"width": 320, "height": 600})
    assert overflow(tab) == []


def test_text_can_be_twice_as_large(open_page: Open) -> None:
    """Without anything lost to the side."""
    tab = open_view(open_page, KNEE, viewport={"width": 640, "height": 740})
    tab.evaluate("document.documentElement.style.fontSize = '200%'")
    assert overflow(tab) == []


@pytest.mark.parametrize(("wish", "behaviour"), [("reduce", "auto"), ("no-preference", "smooth")])
def test_motion_is_left_out_on_request(open_page: Open, wish: str, behaviour: str) -> None:
    """Jumping within the page is smooth only for those who do not mind."""
    tab = open_page(reduced_motion=wish)
    assert tab.evaluate("getComputedStyle(document.documentElement).scrollBehavior") == behaviour


def test_dark_mode_is_dark(open_page: Open) -> None:
    """Its paper is darker than its ink, and the other way round by day."""
    for scheme, dark in (("dark", True), ("light", False)):
        tab = open_page(KNEE, color_scheme=scheme)
        paper, ink = tab.evaluate(
            "['backgroundColor', 'color'].map((name) => getComputedStyle(document.documentElement)[name])"
            ".map((colour) => colour.match(/\\d+/g).map(Number).reduce((a, b) => a + b))"
        )
        assert (paper < ink) == dark


def test_answers_are_printed_without_what_is_for_screens(open_page: Open) -> None:
    """What was asked and the answers stay, with their marks; the box goes. So on an open post."""
    tab = open_page(KNEE)
    tab.emulate_media(media="print")
    expect(tab.locator("blockquote.answer").nth(1)).to_be_visible()
    expect(tab.get_by_text("Asked: swollen knee after football")).to_be_visible()
    for element in tab.locator("form, button, .rest summary, .actions, .hint").all():
        assert not element.is_visible()
    tab.goto(tab.locator("h3 a").first.evaluate("(link) => link.href"))
    expect(tab.locator("#mark")).to_be_visible()
    assert tab.locator("#mark").evaluate("(mark) => getComputedStyle(mark).textDecorationLine") == "underline"
    expect(tab.locator("form")).to_be_hidden()


@pytest.mark.parametrize("private", [False, True], ids=["address", "private"])
def test_the_open_post_is_printed_after_the_hits(open_page: Open, private: bool) -> None:
    """With the filters and the verdict above them; each text and the mark once; nothing lies over the text."""
    tab = open_page("", viewport=DESKTOP)
    tab.get_by_text("Filters").click()
    for name, value in (("Since", "2010-02-03"), ("Until", "2019-12-31")):
        tab.get_by_label(name, exact=True).fill(value)
    tab.get_by_label("Source", exact=True).select_option("forum [2018]")
    tab.get_by_label("Tag", exact=True).fill("knee")
    tab.get_by_label("Private").set_checked(private)
    box(tab).fill("my knee is swollen after a jump")
    box(tab).press("Enter")
    expect(tab.locator(".beside")).to_be_visible()
    tab.emulate_media(media="print")
    said = tab.locator(".on-paper").all_inner_texts()
    filters = "Filters: since 3 February 2010, until 31 December 2019, source forum [2018], tag knee"
    assert said == [*([] if private else ["Asked: my knee is swollen after a jump"]), filters]
    expect(status(tab)).to_contain_text("The archive very likely answers this (")
    expect(tab.locator(".hit h3")).to_have_text("Swollen knee after a jump")
    expect(tab.locator(".hit h3").get_by_text("Swollen knee after a jump").first).to_be_visible()
    beside = tab.locator(".beside")
    expect(beside.locator("#mark")).to_be_visible()
    assert [mark.is_visible() for mark in tab.locator("mark").all()].count(True) == 1
    for element in tab.locator("form, button:not(.link), .actions, .sorting a, .sorting button, .neighbours").all():
        assert not element.is_visible()
    hits, post = tab.locator("#found").bounding_box(), beside.bounding_box()
    assert hits is not None
    assert post is not None
    assert post["y"] >= hits["y"] + hits["height"]
    look = "(element) => [getComputedStyle(element).boxShadow, element.scrollHeight - element.clientHeight]"
    assert tab.locator(".hit").evaluate(look) == ["none", 0]
    assert beside.evaluate(look)[1] == 0


def test_hits_that_are_folded_are_counted_on_paper(open_page: Open) -> None:
    """The page says how many posts were found: what is folded and not printed is among them."""
    tab = open_page("?q=hostile+knee&k=50")
    expect(tab.locator(".hardly > summary")).to_have_count(1)
    tab.emulate_media(media="print")
    expect(tab.locator(".hardly > summary")).to_be_visible()
    for folded in tab.locator(".rest summary").all():
        assert not folded.is_visible()


def test_what_was_searched_for_is_not_told_to_other_sites(open_page: Open) -> None:
    """Somebody who follows a link to an original brings no address along."""
    tab = open_page(KNEE, elsewhere="https://forum.example.org/")
    told: list[dict[str, str]] = []

    def answer(route: Route) -> None:
        told.append(route.request.headers)
        route.fulfill(body="the original")

    tab.context.route("https://forum.example.org/**", answer)
    tab.locator(".hit", has_text="after a jump").get_by_text("Whole post").click()
    tab.get_by_role("link", name="Original at forum.example.org").first.click()
    expect(tab.locator("body")).to_have_text("the original")
    assert ["referer" in headers for headers in told] == [False]
