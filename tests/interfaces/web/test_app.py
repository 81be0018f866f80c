"""The HTTP service: the same hits as the index, the right status codes, builds followed without a dropped request."""

from __future__ import annotations

import base64
import json
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from pathlib import Path
from shutil import copytree
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from qa_search import QuestionLog, SearchIndex, build_index, read_questions
from qa_search.interfaces.web.app import Settings, create_app
from qa_search.interfaces.web.connections import Limits, guarded_server
from qa_search.interfaces.web.recent import RecentTexts
from qa_search.interfaces.web.workers import Workers
from tests.helpers import WordsEmbedder, write_jsonl, write_pages


@contextmanager
def serving(
    index: Path | str,
    settings: Settings | None = None,
    embedder: WordsEmbedder | None = None,
    limits: Limits | None = None,
    graceful_seconds: int = 20,
    feedback: Path | None = None,
    workers: Workers | None = None,
) -> Iterator[str]:
    """Serve an index on a free port; yield its address."""
    opened = SearchIndex.open(index, model=embedder or WordsEmbedder(), feedback=feedback)
    app = create_app(opened, settings or Settings(rate=0, refresh_seconds=0.02), workers)
    listener = socket.create_server(("127.0.0.1", 0))
    server = guarded_server(app, limits or Limits(), graceful_seconds=graceful_seconds, on_stop=app.stop_soon)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        ask(f"{address}/readyz")
        yield address
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


def ask(url: str, body: object = None, headers: Mapping[str, str] | None = None) -> tuple[int, Any, Mapping[str, str]]:
    """Ask for a URL; return status, document (or text) and headers."""
    data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"content-type": "application/json", **(headers or {})})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310 - our own server
            status, raw, found = response.status, response.read(), response.headers
    except urllib.error.HTTPError as error:
        status, raw, found = error.code, error.read(), error.headers
    kind = found.get("content-type", "")
    return status, json.loads(raw) if "json" in kind else raw.decode(), {k.lower(): v for k, v in found.items()}


def ask_unredirected(url: str, body: bytes) -> Mapping[str, str]:
    """Send a form; return the headers of the answer itself, even if it leads elsewhere."""

    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_: Any, **__: Any) -> None:
            return None

    try:
        urllib.request.build_opener(Stay).open(url, body, timeout=30)
    except urllib.error.HTTPError as error:
        return {name.lower(): value for name, value in error.headers.items()}
    raise AssertionError("the answer does not lead elsewhere")


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("service")
    pages = write_pages(folder / "pages", 12)
    linked = "Knee one\n2015/1/2 3:04:05\nQuestion\nKnee apple.\nAnswer\nRest.\n- Prev:\n- Next:Complaint 3\n"
    (pages / "linked.txt").write_text(linked, encoding="utf-8")
    build_index(pages, folder / "index", model=WordsEmbedder())
    return folder / "index"


@pytest.fixture(scope="module")
def address(index: Path) -> Iterator[str]:
    with serving(index) as found:
        yield found


def without_time(document: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name != "took_ms"}


@pytest.mark.parametrize(
    "limits",
    [{}, {"k": 2}, {"since": "2016-07", "k": 3}, {"until": "2015"}, {"source": "*/pages", "k": 1}, {"tag": "none"}],
)
def test_get_post_and_python_give_the_same(address: str, index: Path, limits: dict[str, Any]) -> None:
    """The document of a search is the same through each door, filters included."""
    with SearchIndex.open(index, model=WordsEmbedder()) as opened:
        named: dict[str, Any] = {
            ("tags" if name == "tag" else name): ([v] if name == "tag" else v) for name, v in limits.items()
        }
        expected = opened.search("my knee5 hurts", **named).to_dict()
    status, got, _ = ask(f"{address}/api/search?{urlencode({'q': 'my knee5 hurts', **limits})}")
    assert (status, without_time(got)) == (200, without_time(expected))
    status, posted, _ = ask(f"{address}/api/search", {"query": "my knee5 hurts", **limits})
    assert (status, without_time(posted)) == (200, without_time(expected))


def test_a_post_comes_with_its_neighbours_and_more_like_it(address: str, index: Path) -> None:
    """By id, with the pages that it links to; similar posts leave it out."""
    _, found, _ = ask(f"{address}/api/search?q=knee+apple&k=1")
    post_id = found["hits"][0]["post_id"]
    status, post, _ = ask(f"{address}/api/posts/{post_id}")
    assert status == 200
    assert (post["post_id"], post["title"], post["ids"]) == (post_id, "Knee one", [post_id])
    assert (post["prev"], post["next"]["title"]) == (None, "Complaint 3")
    status, similar, _ = ask(f"{address}/api/posts/{post_id}/similar?k=3")
    assert status == 200
    assert len(similar["hits"]) == 3
    assert post_id not in [hit["post_id"] for hit in similar["hits"]]


@pytest.mark.parametrize(
    ("path", "status", "kind"),
    [
        ("/api/search", 400, "QueryError"),
        ("/api/search?q=", 400, "QueryError"),
        ("/api/search?q=%20%09", 400, "QueryError"),
        ("/api/search?q=knee&k=0", 400, "QueryError"),
        ("/api/search?q=knee&k=101", 400, "QueryError"),
        ("/api/search?q=knee&k=many", 400, "QueryError"),
        ("/api/search?q=knee&since=yesterday", 400, "QueryError"),
        ("/api/search?q=knee&min_confidence=2", 400, "QueryError"),
        ("/api/posts/nonsense", 404, "NotFound"),
        ("/api/posts/nonsense/similar", 404, "NotFound"),
        ("/api/nothing", 404, "NotFound"),
    ],
)
def test_bad_input_has_a_status_and_a_message(address: str, path: str, status: int, kind: str) -> None:
    """In one shape: the kind of error and a message."""
    got, document, _ = ask(address + path)
    assert (got, document["error"]["type"]) == (status, kind)
    assert document["error"]["message"]


@pytest.mark.parametrize("body", [b"{", b"[]", b"null", b'{"query": 1}', b'{"query": "knee", "k": "x"}', b"\xff\xfe"])
def test_bodies_that_are_no_search_are_told(address: str, body: bytes) -> None:
    """With status 400."""
    status, document, _ = ask(f"{address}/api/search", body)
    assert (status, document["error"]["type"]) == (400, "QueryError")


def test_health_readiness_metrics_and_description(address: str) -> None:
    """What monitors and tools ask for."""
    assert ask(f"{address}/healthz")[:2] == (200, {"status": "ok"})
    assert ask(f"{address}/readyz")[:2] == (200, {"status": "ready", "generation": "g000001"})
    status, counts, headers = ask(f"{address}/metrics")
    assert status == 200
    assert headers["content-type"].startswith("text/plain; version=0.0.4")
    assert "qa_search_posts 13.0" in counts
    assert 'qa_search_requests_total{route="/healthz",status="200"}' in counts
    status, description, _ = ask(f"{address}/openapi.json")
    assert set(description["paths"]) >= {"/api/search", "/api/posts/{post_id}", "/healthz", "/readyz", "/metrics"}
    assert ask(f"{address}/api/info")[1]["counts"]["posts"] == 13


def test_every_answer_carries_the_security_headers(address: str) -> None:
    """Pages, documents, files and errors alike."""
    for path in ("/", "/api/info", "/static/style.css", "/api/nothing"):
        headers = ask(address + path)[2]
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"


def test_the_page_answers_and_tells_what_is_wrong(address: str) -> None:
    """With the status that fits."""
    status, page, _ = ask(f"{address}/?q=knee5")
    assert status == 200
    assert "Complaint 5" in page
    assert ask(f"{address}/?q=knee5&since=never")[0] == 400
    assert ask(f"{address}/?q=knee5&k=0")[0] == 400
    assert ask(f"{address}/posts/nonsense")[0] == 404


@pytest.mark.parametrize("wrong", [{"since": "never"}, {"k": "0"}, {"q": "knee " * 20_001 + "blue lips"}], ids=list)
def test_a_sign_of_danger_is_told_beside_what_is_wrong(index: Path, tmp_path: Path, wrong: dict[str, str]) -> None:
    """Though nothing is searched; the widget of another site says both, too."""
    notice = "Call 112 now."
    index = Path(copytree(index, tmp_path / "index"))
    (index / "curation.toml").write_text(f'[[danger]]\nwords = ["blue lips"]\nnotice = "{notice}"\n', encoding="utf-8")
    site = "https://club.example"
    with serving(index, Settings(rate=0, origins=frozenset({site}))) as address:
        for fields, told in (({"q": "blue lips", **wrong}, True), ({"q": "knee", "since": "never"}, False)):
            status, page, _ = ask(f"{address}/", urlencode({**fields, "private": "1"}).encode())
            assert (status, notice in page) == (400, told)
            status, answer, _ = ask(f"{address}/widget", urlencode(fields).encode(), {"origin": site})
            assert (status, answer["error"]["message"].startswith(notice)) == (400, told)


@pytest.mark.parametrize(
    ("dates", "years", "since"),
    [
        (["2009-05-06", "2019-02-28", "2999-01-01"], "5", "2014-02-28"),
        (["2016-05"], "1", "2015-05-01"),
        (["0003-01-01", ""], "10", "0001-01-01"),
    ],
    ids=["of a day to come", "a month alone", "before the first year"],
)
def test_the_last_years_are_those_of_the_archive(tmp_path: Path, dates: list[str], years: str, since: str) -> None:
    """They end with its newest post."""
    records = [{"question": f"Knee {at}?", "answer": "Rest it.", "date": day} for at, day in enumerate(dates)]
    build_index(write_jsonl(tmp_path / "archive.jsonl", records), tmp_path / "index", model=WordsEmbedder())
    with serving(tmp_path / "index") as address:
        led = ask_unredirected(f"{address}/", urlencode({"q": "knee", "years": years}).encode())["location"]
        assert led == f"/?q=knee&since={since}"


BROWSER = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


def test_an_unknown_address_is_a_page_to_a_browser_and_json_to_a_program(address: str) -> None:
    """Also one that takes another method; below /api/ it is JSON to all."""
    for path in ("/nothing", "/healthz/x", "/static/nothing.css"):
        status, page, headers = ask(address + path, headers=BROWSER)
        assert (status, headers["content-type"].partition(";")[0]) == (404, "text/html")
        assert 'href="/"' in page
        assert "Nothing is at this address.</p>" in page
        status, document, _ = ask(address + path)
        assert (status, document["error"]["type"]) == (404, "NotFound")
    assert ask(f"{address}/api/nothing", headers=BROWSER)[1]["error"]["type"] == "NotFound"
    assert ask(f"{address}/browse", b"", headers=BROWSER)[1].startswith("<!doctype html>")


def test_a_browser_that_is_refused_gets_a_page(index: Path) -> None:
    """Without the token, and beyond a limit; a program gets JSON."""
    with serving(index, Settings(token="secret", rate=0)) as address:  # noqa: S106 - of a test
        status, page, headers = ask(f"{address}/", headers=BROWSER)
        assert (status, headers["www-authenticate"][:5]) == (401, "Basic")
        assert "This page asks for a password." in page
        assert ask(f"{address}/")[1]["error"]["type"] == "Unauthorized"
    with serving(index, Settings(rate=0.001)) as address:
        refused = [ask(f"{address}/", headers=BROWSER) for _ in range(3)][-1]
        assert refused[0] == 429
        assert "Too many requests" in refused[1]


def test_head_is_answered_as_get_without_the_body(address: str) -> None:
    """On every page, with the length that GET has."""
    for path in ("/", "/?q=knee5", "/browse", "/static/style.css", "/site.css", "/nothing", "/api/info"):
        request = urllib.request.Request(address + path, method="HEAD", headers=BROWSER)  # noqa: S310 - our own server
        try:
            with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310 - our own server
                status, body, headers = response.status, response.read(), response.headers
        except urllib.error.HTTPError as error:
            status, body, headers = error.code, error.read(), error.headers
        assert (status, body) == (ask(address + path, headers=BROWSER)[0], b"")
        assert "content-length" in headers


def test_posts_are_listed_page_by_page(address: str) -> None:
    """Limited by year and source; a wrong limit is told."""
    page = ask(f"{address}/browse?year=2016&sort=oldest")[1]
    assert "Complaint 0" in page
    assert "Knee one" not in page
    assert "Knee one" in ask(f"{address}/browse?year=2015")[1]
    assert "There is no further post here" in ask(f"{address}/browse?page=2")[1]
    for query, words in (("year=12", "four digits"), ("page=0", "from 1 to"), ("page=x", "from 1 to")):
        status, page, _ = ask(f"{address}/browse?{query}")
        assert status == 400
        assert words in page


def test_a_private_search_has_no_address(address: str) -> None:
    """The form is answered in place; a cookie, which a script may set, remembers it, until the form says otherwise."""
    form = {"content-type": "application/x-www-form-urlencoded"}
    status, page, headers = ask(f"{address}/", b"q=knee5&private=1", form)
    assert status == 200
    assert "Complaint 5" in page
    assert "HttpOnly" not in headers["set-cookie"]
    cookie = headers["set-cookie"].partition(";")[0]
    assert " checked" in ask(f"{address}/", headers={"cookie": cookie})[1]
    assert " checked" not in ask(f"{address}/")[1]
    assert "Max-Age=0" in ask_unredirected(f"{address}/", b"q=knee5")["set-cookie"]


@pytest.mark.parametrize("query", ["q=knee5&sinse=2012", "q=knee5&tags=knee", "q=knee5&=x"])
def test_a_misspelt_parameter_is_told(address: str, query: str) -> None:
    """It would be a filter that filters nothing; the message has those that there are."""
    status, document, _ = ask(f"{address}/api/search?{query}")
    assert status == 400
    assert document["error"]["message"].endswith("There are: q, k, since, until, source, tag, min_confidence.")
    post_id = ask(f"{address}/api/search?q=knee5&k=1")[1]["hits"][0]["post_id"]
    assert ask(f"{address}/api/posts/{post_id}/similar?k=2")[0] == 200
    status, document, _ = ask(f"{address}/api/posts/{post_id}/similar?since=2012")
    assert (status, document["error"]["message"]) == (400, "'since': unknown parameter. There are: k.")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("", "q: missing. Write a text: the complaint, in a few words"),
        ("q=", "q: empty. Write a text: the complaint, in a few words"),
        ("q=knee&k=many", "k: 'many' is invalid. Write a whole number from 1 to 100"),
        ("q=knee&k=101", "k: '101' is invalid. Write a whole number from 1 to 100"),
        ("q=knee&min_confidence=nan", "min_confidence: 'nan' is invalid. Write a number from 0 to 1"),
        ("q=knee&q=heel", "'q': given 2 times. Give it once."),
        ("q=knee&k=1&k=2&k=3", "'k': given 3 times. Give it once."),
        (b"{}", "query: missing. Write a text: the complaint, in a few words"),
        (b'{"query": 7}', "query: 7 is invalid. Write a text: the complaint, in a few words"),
        (b'{"query": "knee", "tag": [7]}', "tag: [7] is invalid. Write a text, or a list of texts"),
        (b'{"query": "knee", "tags": "x"}', "tags: 'x' is invalid. Write a list of texts"),
        (b'{"query": "knee", "min_confidence": NaN}', "min_confidence: nan is invalid. Write a number from 0 to 1"),
        (b'{"query": "x", "since": 2015}', "since: 2015 is invalid. Write a date, such as 2015, 2015-06 or 2015-06-30"),
        (b'{"query": "knee", "query": "heel"}', "'query': given 2 times. Give it once."),
        (
            b'{"query": "knee", "nope": 1}',
            "'nope': unknown parameter. There are: query, k, since, until, source, tag, tags, min_confidence.",
        ),
    ],
    ids=str,
)  # fmt: skip
def test_an_invalid_parameter_is_named_with_what_is_allowed(address: str, asked: str | bytes, said: str) -> None:
    """In our words, whatever checks it."""
    body, query = (asked, "") if isinstance(asked, bytes) else (None, f"?{asked}")
    status, document, _ = ask(f"{address}/api/search{query}", body)
    assert (status, document["error"]) == (400, {"type": "QueryError", "message": said})


def test_several_tags_may_be_given(address: str) -> None:
    """They are the one parameter that stands more than once; a text that is too long is told with its length."""
    assert ask(f"{address}/api/search?q=knee&tag=a&tag=b")[0] == 200
    document = ask(f"{address}/api/search", {"query": "x" * 100_001})[1]
    assert document["error"]["message"].startswith("query: has 100,001 characters, and at most 100,000 are read.")


def test_a_request_that_is_none_is_told_what_is_missing(address: str) -> None:
    """A body of another kind, JSON that is none, an address or a method that is not there."""
    kinds = (
        ("application/json", b"{bad"),
        ("application/json", b"[]"),
        ("application/x-www-form-urlencoded", b'{"query": "x"}'),
    )
    said = [ask(f"{address}/api/search", body, {"content-type": kind})[1]["error"]["message"] for kind, body in kinds]
    assert said[0].startswith("the body is not JSON (")
    assert said[1:] == ["the body must be a JSON object, sent with content-type: application/json"] * 2
    missing, wrong = ask(f"{address}/api/nothing")[1], ask(f"{address}/api/info", b"{}")[1]
    assert missing["error"]["message"] == "Nothing is at this address. The API is described at /openapi.json."
    assert wrong["error"]["message"] == "This address takes GET, HEAD."


def test_a_post_is_opened_without_an_address_of_the_search(address: str) -> None:
    """By the fields of a form, from which the page leads back; a post that is not there is 404."""
    form = {"content-type": "application/x-www-form-urlencoded"}
    post_id = ask(f"{address}/api/search?q=knee5&k=1")[1]["hits"][0]["post_id"]
    status, page, _ = ask(f"{address}/posts/{post_id}", b"q=knee5&private=1", form)
    assert status == 200
    assert "Back to the results" in page
    assert '<input type="hidden" name="q" value="knee5">' in page
    assert " checked" in page
    assert ask(f"{address}/posts/nosuchpost", b"q=knee5&private=1", form)[0] == 404


def test_the_widget_is_open_where_the_archive_is_not(index: Path) -> None:
    """With a token, the script is handed out, to say why it has no answers; no answer is, without the token."""
    club = {"origin": "https://club.example", "content-type": "application/x-www-form-urlencoded"}
    with serving(index, Settings(rate=0, token="t", origins=frozenset((club["origin"],)))) as address:  # noqa: S106
        assert ask(f"{address}/widget.js")[0] == 200
        status, _, headers = ask(f"{address}/widget", b"q=knee5", club)
        assert (status, headers["access-control-allow-origin"]) == (401, club["origin"])
        assert ask(f"{address}/widget", b"q=knee5", {**club, "authorization": "Bearer t"})[0] == 200
    with serving(index, Settings(rate=0, token="t")) as address:  # noqa: S106
        assert ask(f"{address}/widget.js")[0] == 404


def test_the_widget_s_own_token_opens_nothing_else(index: Path) -> None:
    """Neither the API nor a page nor the counts; its answers lead nowhere that it would not open, so they are whole."""
    club = {"origin": "https://club.example", "content-type": "application/x-www-form-urlencoded"}
    own = {**club, "authorization": "Bearer seen-by-all"}
    settings = Settings(rate=0, token="t", widget_token="seen-by-all", origins=frozenset((club["origin"],)))  # noqa: S106
    with serving(index, settings) as address:
        found = [ask(f"{address}/widget", b"q=my+knee5+hurts+it+began+in+week5", headers) for headers in (
            own, {**club, "authorization": "Bearer t"})]  # fmt: skip
        assert [status for status, *_ in found] == [200, 200]
        assert "Whole answer" in found[0][1]
        assert "<a " not in found[0][1]
        for path in ("/", "/api/info", "/api/search?q=knee", "/browse", "/metrics", "/openapi.json", "/static/app.js"):
            assert ask(f"{address}{path}", headers=own)[0] == 401, path
        for path in ("/", "/api/search", "/feedback", "/widget/", "//widget"):
            assert ask(f"{address}{path}", b"q=knee", own)[0] == 401, path
        assert ask(f"{address}/widget", b"q=knee5", {**own, "origin": "https://x.example"})[0] == 403
        assert ask(f"{address}/widget", b"q=knee5", {**club, "authorization": "Bearer seen"})[0] == 401
        asked = urllib.request.Request(f"{address}/widget", method="OPTIONS", headers=club)  # noqa: S310 - ours
        with urllib.request.urlopen(asked, timeout=30) as response:  # noqa: S310 - ours
            assert "authorization" in response.headers["access-control-allow-headers"]


def test_whoever_comes_back_to_the_results_has_asked_once(index: Path, tmp_path: Path) -> None:
    """On the page, going back, another order and more posts are no new question; each request of a program is."""
    form = {"content-type": "application/x-www-form-urlencoded"}
    with QuestionLog(tmp_path / "log") as log, serving(index, Settings(rate=0, questions=log)) as address:
        for path in ("?q=knee5", "?q=knee5&sort=newest", "?q=Knee5+&k=10"):
            assert ask(f"{address}/{path}")[0] == 200
        assert ask(f"{address}/", b"q=knee5&private=1", form)[0] == 200
        assert ask(f"{address}/?q=knee6")[0] == 200
        for _ in range(2):
            assert ask(f"{address}/api/search?q=knee7")[0] == 200
    assert [question.text for question in read_questions(tmp_path / "log")] == ["knee5", "knee6", "knee7", "knee7"]


def test_what_somebody_still_writes_is_not_logged(index: Path, tmp_path: Path) -> None:
    """Neither on the page nor in the widget of another site."""
    club = {"origin": "https://club.example", "content-type": "application/x-www-form-urlencoded"}
    settings = Settings(rate=0, questions=QuestionLog(tmp_path / "log"), origins=frozenset((club["origin"],)))
    with settings.questions or nullcontext(), serving(index, settings) as address:
        assert ask(f"{address}/", b"q=knee5&part=1", club)[0] == 200
        assert ask(f"{address}/widget", b"q=knee6&typing=1", club)[0] == 200
        assert ask(f"{address}/widget", b"q=knee7", club)[0] == 200
    assert [question.text for question in read_questions(tmp_path / "log")] == ["knee7"]


def test_the_same_is_asked_anew_after_a_while_and_by_others() -> None:
    """Ten minutes after it was asked last; what is older is forgotten."""
    now = 0.0
    asked = RecentTexts(lambda: now)
    assert asked.is_new("ann", "my knee")
    asked.note("ann", "my knee")
    assert asked.is_new("bob", "my knee")
    asked.note("bob", "my knee")
    now = 500.0
    assert not asked.is_new("ann", "My  knee")
    asked.note("ann", "My  knee")
    now = 1000.0
    assert not asked.is_new("ann", "my knee")
    assert asked.is_new("bob", "my knee")
    now = 2000.0
    assert asked.is_new("ann", "my knee")


def test_results_while_typing_can_be_switched_off(index: Path) -> None:
    """The page's script asks only where the page says so."""
    with serving(index, Settings(rate=0)) as address:
        assert "data-instant" in ask(f"{address}/")[1]
    with serving(index, Settings(rate=0, instant=False)) as address:
        assert "data-instant" not in ask(f"{address}/")[1]


def test_pages_of_other_sites_may_ask_only_if_they_are_named(index: Path) -> None:
    """CORS for the API and the widget, frames for all pages; everything is closed by default."""
    club = {"origin": "https://club.example"}
    with serving(index, Settings(rate=0)) as address:
        headers = ask(f"{address}/api/info", headers=club)[2]
        assert "access-control-allow-origin" not in headers
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert ask(f"{address}/widget.js")[0] == 404
    with serving(index, Settings(rate=0, origins=frozenset((club["origin"],)))) as address:
        headers = ask(f"{address}/api/info", headers=club)[2]
        assert headers["access-control-allow-origin"] == club["origin"]
        assert headers["vary"] == "Origin"
        assert "frame-ancestors https://club.example" in headers["content-security-policy"]
        assert (
            "access-control-allow-origin" not in ask(f"{address}/api/info", headers={"origin": "https://x.example"})[2]
        )
        assert "access-control-allow-origin" not in ask(f"{address}/", headers=club)[2]
        script = ask(f"{address}/widget.js")
        assert (script[0], script[2]["cross-origin-resource-policy"]) == (200, "cross-origin")
        form = {"content-type": "application/x-www-form-urlencoded"}
        assert "Complaint 5" in ask(f"{address}/widget", b"q=my+knee5+hurts+it+began+in+week5", {**form, **club})[1]
        assert ask(f"{address}/widget", b"q=knee5", form)[0] == 403
        assert ask(f"{address}/widget", b"q=knee5", {**form, "origin": "https://x.example"})[0] == 403
        asked = urllib.request.Request(f"{address}/api/search", method="OPTIONS", headers=club)  # noqa: S310 - ours
        with urllib.request.urlopen(asked, timeout=30) as response:  # noqa: S310 - ours
            assert response.status == 204
            assert response.headers["access-control-allow-methods"] == "GET, POST"


def test_questions_that_wait_are_searched_together(index: Path) -> None:
    """Thirty at once take far fewer searches than thirty, and each gets its own answer."""
    with serving(index) as address:
        with ThreadPoolExecutor(30) as pool:
            found = list(pool.map(lambda n: ask(f"{address}/api/search?q=knee{n % 12}&k=1"), range(30)))
        assert [document["hits"][0]["title"] for _, document, _ in found] == [f"Complaint {n % 12}" for n in range(30)]
        counts = ask(f"{address}/metrics")[1]
    assert f"qa_search_batch_size_sum {30.0}" in counts
    searches = next(line for line in counts.splitlines() if line.startswith("qa_search_batch_size_count"))
    assert float(searches.split()[1]) < 25


def test_a_question_that_fails_does_not_harm_those_beside_it(index: Path) -> None:
    """Searched together with one that only the index can refuse, the others are answered."""
    with serving(index) as address, ThreadPoolExecutor(20) as pool:
        texts = [quote("\u200b" if n % 5 == 0 else f"knee{n % 12}") for n in range(20)]
        found = list(pool.map(lambda text: ask(f"{address}/api/search?q={text}&k=1")[0], texts))
    assert found == [400 if n % 5 == 0 else 200 for n in range(20)]


@pytest.mark.slow
def test_builds_are_followed_without_a_dropped_request(index: Path, tmp_path: Path) -> None:
    """While ten builds publish, every request is answered, and the last build's posts are found at the end."""
    path = tmp_path / "index"
    build_index(write_pages(tmp_path / "a", 5), path, model=WordsEmbedder())
    done, statuses = threading.Event(), []
    with serving(path) as address:

        def keep_asking() -> None:
            while not done.is_set():
                statuses.append(ask(f"{address}/api/search?q=knee1")[0])

        with ThreadPoolExecutor(3) as pool:
            asking = [pool.submit(keep_asking) for _ in range(3)]
            for count in range(6, 16):
                build_index(write_pages(tmp_path / "a", count), path, model=WordsEmbedder())
            while ask(f"{address}/readyz")[1]["generation"] != "g000011":
                pass
            done.set()
            for future in asking:
                future.result()
        assert ask(f"{address}/api/search?q=knee14&k=1")[1]["hits"][0]["title"] == "Complaint 14"
    assert set(statuses) == {200}
    assert len(statuses) > 10


def test_a_damaged_build_is_not_moved_to(tmp_path: Path) -> None:
    """What was open goes on answering."""
    path = tmp_path / "index"
    build_index(write_pages(tmp_path / "a", 3), path, model=WordsEmbedder())
    with serving(path) as address:
        (path / "CURRENT").write_text("g000009 nonsense\n", encoding="utf-8")
        for _ in range(20):
            assert ask(f"{address}/api/search?q=knee1&k=1")[0] == 200


def test_a_folder_that_is_gone_or_exchanged_is_noticed(tmp_path: Path) -> None:
    """While it is gone the previous index answers, and readiness says so; then the new one does, of the same name."""
    path, new = tmp_path / "index", tmp_path / "new"
    build_index(write_pages(tmp_path / "a", 3), path, model=WordsEmbedder())
    build_index(write_pages(tmp_path / "b", 5), new, model=WordsEmbedder())
    with serving(path, Settings(rate=0, refresh_seconds=0.01)) as address:
        path.rename(tmp_path / "old")
        while "problem" not in ask(f"{address}/readyz")[1]:
            pass
        status, state, _ = ask(f"{address}/readyz")
        assert (status, state["status"], state["generation"]) == (200, "ready", "g000001")
        assert str(tmp_path) not in state["problem"]
        assert ask(f"{address}/api/search?q=knee1&k=1")[0] == 200
        new.rename(path)
        while "problem" in ask(f"{address}/readyz")[1]:
            pass
        assert ask(f"{address}/readyz")[1] == {"status": "ready", "generation": "g000001"}
        assert ask(f"{address}/api/info")[1]["counts"]["posts"] == 5


def test_a_token_is_demanded_where_one_is_set(index: Path) -> None:
    """As a bearer, or as a browser's password; health needs none."""
    with serving(index, Settings(token="s3cret ü", rate=0)) as address:  # noqa: S106 - a test's
        url = f"{address}/api/search?q=knee"
        status, document, headers = ask(url)
        assert (status, document["error"]["type"]) == (401, "Unauthorized")
        assert headers["www-authenticate"].startswith("Basic")
        assert ask(url, headers={"authorization": "Bearer wrong"})[0] == 401
        assert ask(url, headers={"authorization": "Basic ???"})[0] == 401
        password = base64.b64encode("anyone:s3cret ü".encode()).decode()
        assert ask(url, headers={"authorization": f"Basic {password}"})[0] == 200
        assert ask(f"{address}/metrics")[0] == 401
        assert ask(f"{address}/healthz")[0] == 200


def test_too_many_requests_of_one_client_are_refused(index: Path) -> None:
    """After twice the rate at once, with the time to wait."""
    with serving(index, Settings(rate=2)) as address:
        found = [ask(f"{address}/api/info") for _ in range(12)]
    statuses = [status for status, _, _ in found]
    assert statuses[0] == 200
    assert 429 in statuses
    refused = found[statuses.index(429)]
    assert refused[1]["error"]["type"] == "TooManyRequests"
    assert int(refused[2]["retry-after"]) >= 1


def test_too_large_requests_are_refused(index: Path) -> None:
    """By their length, or when more comes than they said."""
    with serving(index, Settings(rate=0, max_body=2000)) as address:
        body = {"query": "knee " * 1000}
        assert ask(f"{address}/api/search", body)[0] == 413
        port = int(address.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
            connection.sendall(
                b"POST /api/search HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                b"Transfer-Encoding: chunked\r\n\r\n" + (b"3e8\r\n" + b"x" * 1000 + b"\r\n") * 3 + b"0\r\n\r\n"
            )
            assert connection.recv(100).startswith(b"HTTP/1.1 413")


def test_another_host_name_is_refused(index: Path) -> None:
    """A page elsewhere cannot make a browser read the archive under a name of its own."""
    with serving(index, Settings(rate=0, hosts=frozenset(("127.0.0.1", "clinic.test")))) as address:
        assert ask(f"{address}/api/info")[0] == 200
        assert ask(f"{address}/api/info", headers={"host": "clinic.test:80"})[0] == 200
        assert ask(f"{address}/api/info", headers={"host": "evil.test"})[0] == 421


class SlowEmbedder(WordsEmbedder):
    """Takes its time until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.go = threading.Event()

    def embed_queries(self, texts: Any) -> Any:
        if any("slow" in text for text in texts):
            assert self.go.wait(30)
        return super().embed_queries(texts)


def test_slow_and_too_many_questions_are_given_up(index: Path) -> None:
    """504 after the time that a question may take, 503 when too many wait; then it answers again."""
    embedder = SlowEmbedder()
    with (
        serving(index, Settings(rate=0, timeout=0.3, max_waiting=2), embedder) as address,
        ThreadPoolExecutor(12) as pool,
    ):
        found = list(pool.map(lambda n: ask(f"{address}/api/search?q=slow{n}")[0], range(12)))
        assert set(found) == {503, 504}
        embedder.go.set()
        while (status := ask(f"{address}/api/search?q=knee")[0]) != 200:
            assert status in (503, 504)
