"""Curation and feedback behind every door: the commands, the shell, HTTP, its client and the tools for assistants."""

from __future__ import annotations

import asyncio
import json
import time
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import httpx2
import pytest
from click.testing import CliRunner, Result
from lxml import html
from mcp import Client as McpClient
from mcp_types import TextContent

from qa_search import Client, SearchIndex, ServiceError, build_index
from qa_search.interfaces.cli import cli
from qa_search.interfaces.cli.session import Shell
from qa_search.interfaces.mcp_server import create_server
from qa_search.interfaces.render.html import to_html
from qa_search.interfaces.render.markdown import to_markdown
from qa_search.interfaces.web.pages import found_part
from qa_search.search.feedback import read_votes
from tests.helpers import WordsEmbedder, write_pages
from tests.interfaces.cli.words import use_words
from tests.interfaces.web.test_app import ask, serving

PINNED = "The archivist chose the first post as the answer to this."
COMPLAINT = "lightning under the kneecap"


@pytest.fixture
def index(tmp_path: Path) -> Path:
    """Eight posts; the fifth answers a question by the archivist's word, the sixth is hidden."""
    build_index(write_pages(tmp_path / "club" / "pages", 8), tmp_path / "index", model=WordsEmbedder())
    ids = post_ids(tmp_path / "index")
    (tmp_path / "index" / "curation.toml").write_text(
        f'[[pin]]\npost = "{ids[5]}"\nquestions = ["who helps"]\n'
        f'[[hide]]\npost = "{ids[6]}"\nwhy = "wrong since 2021"\n'
    )
    return tmp_path / "index"


def post_ids(index: Path) -> dict[int, str]:
    with SearchIndex.open(index, model=WordsEmbedder()) as opened:
        hits = opened.search("Complaint", k=10).hits
    return {int(hit.title.split()[1]): hit.post_id for hit in hits}


def hidden_id(index: Path) -> str:
    (rule,) = tomllib.loads((index / "curation.toml").read_text())["hide"]
    return str(rule["post"])


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Result:
    use_words(monkeypatch)
    return CliRunner().invoke(cli, list(arguments))


def call(index: SearchIndex, name: str, **arguments: Any) -> Any:
    async def called() -> Any:
        async with McpClient(create_server(index)) as client:
            return await client.call_tool(name, arguments)

    return asyncio.run(called())


def test_every_form_says_that_an_answer_is_pinned(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Text, Markdown, HTML, JSON and what an assistant reads."""
    done = run(monkeypatch, "query", "--index", str(index), "who helps")
    assert (done.exit_code, PINNED in done.stdout) == (0, True)
    document = json.loads(run(monkeypatch, "query", "--index", str(index), "--json", "who helps").stdout)
    assert (document["pinned"], document["answered"]) == ("who helps", True)
    with SearchIndex.open(index, model=WordsEmbedder()) as opened:
        result = opened.search("who helps")
        assert PINNED in to_markdown(result)
        assert PINNED in to_html(result)
        answer = call(opened, "search", complaint="who helps")
    assert PINNED in answer.content[0].text
    assert answer.structured_content["pinned"] == "who helps"


def test_every_door_says_that_a_post_is_hidden(index: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In the API, on the page, in the shell and to an assistant, with the reason where a person reads it."""
    hidden = next(line.split('"')[1] for line in (index / "curation.toml").read_text().split("[[hide]]\n")[1:])
    with serving(index) as address:
        for path in (f"/api/posts/{hidden}", f"/posts/{hidden}"):
            status, body, _ = ask(address + path)
            assert (status, "hidden this post: wrong since 2021" in str(body)) == (404, True)
    with SearchIndex.open(index, model=WordsEmbedder()) as opened:
        answer = call(opened, "open_post", post_id=hidden)
        assert answer.is_error
        assert "hidden" in answer.content[0].text
        shell = Shell(opened)
        (index / "curation.toml").unlink()
        shell.obey("Complaint 6 knee6")
        rank = next(hit.rank for hit in shell._found().hits if hit.post_id == hidden)
        (index / "curation.toml").write_text(f'[[hide]]\npost = "{hidden}"\nwhy = "wrong since 2021"\n')
        capsys.readouterr()
        shell.obey(f":open {rank}")
    assert "hidden this post: wrong since 2021." in capsys.readouterr().err


def test_info_says_what_is_in_force(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counts of the archivist's file, what of it has no effect, and the votes."""
    with (index / "curation.toml").open("a") as stream:
        stream.write('[[hide]]\npost = "nowhere"\n')
    assert run(monkeypatch, "feedback", "--index", str(index), post_ids(index)[2], COMPLAINT).exit_code == 0
    shown = run(monkeypatch, "info", "--index", str(index)).stdout
    assert "1 pinned answers, 2 hidden posts, 0 groups of words" in shown
    assert "hide[2]: the index has no post 'nowhere'" in shown
    assert "1 votes confirm 1 complaints and reject 0" in shown


def test_an_invalid_file_ends_a_command_with_status_3(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And one message, with the file and the key."""
    (index / "curation.toml").write_text("[newer]\nweight = 7\n")
    done = run(monkeypatch, "query", "--index", str(index), "knee")
    assert (done.exit_code, done.stdout) == (3, "")
    assert "curation.toml: newer.weight: expected a number from 0 to 0.1, not 7." in done.stderr


def test_the_command_writes_and_lists_feedback(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside the index unless a file is named; it counts at once."""
    ids = post_ids(index)
    assert run(monkeypatch, "feedback", "--index", str(index)).stdout == "No feedback counts.\n"
    assert not (index / "feedback.jsonl").exists()
    assert run(monkeypatch, "feedback", "--index", str(index), ids[2], "lightning under", "the kneecap").exit_code == 0
    listed = json.loads(run(monkeypatch, "feedback", "--index", str(index), "--json").stdout)
    assert listed == [{"query": COMPLAINT, "post": ids[2], "confirmed": True, "clients": 1}]
    document = json.loads(run(monkeypatch, "query", "--index", str(index), "--json", COMPLAINT).stdout)
    assert document["hits"][0]["post_id"] == ids[2]
    assert run(monkeypatch, "feedback", "--index", str(index), "--no", ids[2], COMPLAINT).exit_code == 0
    shown = run(monkeypatch, "feedback", "--index", str(index)).stdout
    assert shown == f"{ids[2]} does not answer (1 client): {COMPLAINT}\n"
    assert run(monkeypatch, "feedback", "--index", str(index), ids[2]).exit_code == 2


def test_the_shell_takes_feedback_only_if_asked(index: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With a file; without one it says how."""
    for feedback in (None, index.parent / "votes.jsonl"):
        with SearchIndex.open(index, model=WordsEmbedder(), feedback=feedback) as opened:
            shell = Shell(opened)
            shell.obey("knee2 hurts")
            shell.obey(":yes 1")
            shell.obey(":no 2")
        told = capsys.readouterr()
        assert ("start the shell with --feedback FILE" in told.err) == (feedback is None)
        assert ("post 1 answered this" in told.out) == (feedback is not None)
    assert [vote.answered for vote in read_votes(index.parent / "votes.jsonl")] == [True, False]


@pytest.mark.slow
def test_the_service_takes_feedback_only_if_asked(index: Path) -> None:
    """One client's votes are written, and a hundred of them change nothing; wrong ones have a status and a message."""
    file, ids = index.parent / "votes.jsonl", post_ids(index)
    vote = {"query": COMPLAINT, "post_id": ids[2], "answered": True}
    with serving(index) as address:
        assert ask(f"{address}/api/feedback", vote)[0] == 404
        assert "/api/feedback" not in ask(f"{address}/openapi.json")[1]["paths"]
    with serving(index, feedback=file) as address:
        before = ask(f"{address}/api/search?q={quote(COMPLAINT)}")[1]["hits"]
        statuses = [ask(f"{address}/api/feedback", vote)[0] for _ in range(100)]
        assert (statuses.count(200), statuses.count(429)) == (50, 50)
        assert ask(f"{address}/api/feedback", {**vote, "post_id": "z" * 16})[0] == 404
        assert ask(f"{address}/api/feedback", {**vote, "client": "archivist"})[0] == 400
        assert ask(f"{address}/api/feedback", json.dumps(vote).encode(), {"content-type": "text/plain"})[0] == 400
        assert ask(f"{address}/api/search?q={quote(COMPLAINT)}")[1]["hits"] == before
    assert len({found.client for found in read_votes(file)}) == 1


@pytest.mark.slow
def test_the_page_asks_what_answered_only_if_asked(index: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Two buttons at each hit write a vote, without a script; a page of another site writes none."""
    file, ids = index.parent / "votes.jsonl", post_ids(index)
    with SearchIndex.open(index, model=WordsEmbedder()) as opened:
        asked = next(hit.answer for hit in opened.search("Complaint", k=1).hits)
        assert opened.search(asked).answered
    said = {"q": asked, "post": ids[2], "answered": "no"}
    with serving(index) as address:
        assert "This answered me" not in httpx2.get(address, params={"q": asked}).text
        assert httpx2.post(f"{address}/feedback", data=said).status_code == 404
    with serving(index, feedback=file) as address:
        page = html.fromstring(httpx2.get(address, params={"q": asked}).text)
        (form, *_) = page.xpath("//form[@action='/feedback']")
        assert form.xpath("button/@value") == ["yes", "no"]
        sent = {field.get("name"): field.get("value") for field in form.xpath("input")}
        assert sent == {"q": asked, "post": sent["post"]}
        thanked = httpx2.post(f"{address}/feedback", data={**sent, "answered": "yes"}, follow_redirects=True)
        assert str(thanked.url) == f"{address}/?{urlencode({'q': asked})}"
        assert "Thank you." in thanked.text
        assert "Thank you." not in httpx2.get(thanked.url).text  # whoever is sent this address has not voted
        kept = httpx2.post(f"{address}/feedback", data={**said, "private": "1"})
        assert (kept.status_code, str(kept.url), "Thank you." in kept.text) == (200, f"{address}/feedback", True)
        for post, why in (
            ("z" * 16, "the post is no longer in the archive."),
            (hidden_id(index), "the archivist has hidden this post: wrong since 2021."),
        ):
            wrong = httpx2.post(f"{address}/feedback", data={**said, "post": post}, follow_redirects=True)
            assert str(wrong.url) == str(thanked.url)  # of a page that Back leads to
            assert f"This vote was not counted: {why}" in wrong.text
            assert "Thank" not in wrong.text
        long = httpx2.post(address, data={"q": f"{asked} " * 1000}).text
        assert (asked in long, "This answered me" in long) == (True, False)  # too long for a vote
        elsewhere = httpx2.post(f"{address}/feedback", data=said, headers={"sec-fetch-site": "cross-site"})
        assert elsewhere.status_code == 403
    assert [(vote.post, vote.answered) for vote in read_votes(file)] == [(sent["post"], True), (ids[2], False)]
    settings = "[feedback]\nper_client = 1\n"
    (index / "curation.toml").write_text(settings)
    with serving(index, feedback=file) as address:
        many = httpx2.post(f"{address}/feedback", data=said, follow_redirects=True).text
    assert "This vote was not counted: no more are taken from here today. Try again tomorrow." in many
    with serving(index, feedback=index.parent / "gone" / "votes.jsonl") as address, caplog.at_level("WARNING"):
        lost = httpx2.post(f"{address}/feedback", data=said, follow_redirects=True).text
    assert "could not be written down" in lost
    assert "votes.jsonl" not in lost
    assert "votes.jsonl: cannot be written to" in caplog.text


def test_a_post_that_is_gone_says_so_to_people_and_programs(index: Path) -> None:
    """People get the way to search again, with their complaint; programs the message of the API."""
    asked = {"q": "my knee", "since": "2001"}
    gone, hidden = "The post is no longer in the archive.", "The archivist has hidden this post: wrong since 2021."
    with serving(index) as address:
        for post, why in (("z" * 16, gone), (hidden_id(index), hidden)):
            found = httpx2.get(f"{address}/posts/{post}", params=asked)
            page = html.fromstring(found.text)
            assert (found.status_code, page.xpath("string(//h1)")) == (404, "This post is gone")
            assert why in found.text
            assert page.xpath("string(//textarea)").strip() == asked["q"]
            assert page.xpath("//a[text()='Search again']/@href") == [f"/?{urlencode(asked)}"]
            private = html.fromstring(httpx2.post(f"{address}/posts/{post}", data={**asked, "private": "1"}).text)
            assert private.xpath("//button[text()='Search again']/@form") == ["sent"]
            assert private.xpath("//form[@id='sent']/input[@name='q']/@value") == [asked["q"]]
            alone = html.fromstring(httpx2.get(f"{address}/posts/{post}").text)
            assert alone.xpath("//a[text()='Back to the search']/@href") == ["/"]
            like = httpx2.get(address, params={"like": post})
            assert (like.status_code, why in like.text) == (400, True)
        assert "The index has no post with this id." in httpx2.get(f"{address}/api/posts/{'z' * 16}").text


def test_feedback_counts_while_the_service_runs(index: Path) -> None:
    """As soon as enough clients agree, without a restart."""
    file, ids = index.parent / "votes.jsonl", post_ids(index)
    with serving(index, feedback=file) as address, Client(address) as client:
        client.record_feedback(COMPLAINT, ids[2], answered=True)
        with SearchIndex.open(index, model=WordsEmbedder(), feedback=file) as other:
            other.record_feedback(COMPLAINT, ids[2], answered=True, client="another")
        end = time.monotonic() + 120
        while client.search(COMPLAINT).hits[0].post_id != ids[2] and time.monotonic() < end:
            pass
        assert client.search(COMPLAINT).hits[0].post_id == ids[2]
    with serving(index) as address, Client(address) as client, pytest.raises(ServiceError):
        client.record_feedback(COMPLAINT, ids[2], answered=True)


def test_assistants_report_feedback_only_if_asked(index: Path) -> None:
    """All of them are one client, which moves nothing alone."""
    file, ids = index.parent / "votes.jsonl", post_ids(index)
    with SearchIndex.open(index, model=WordsEmbedder()) as opened:
        assert call(opened, "report_feedback", complaint=COMPLAINT, post_id=ids[2], answered=True).is_error
    with SearchIndex.open(index, model=WordsEmbedder(), feedback=file) as opened:
        before = [hit.post_id for hit in opened.search(COMPLAINT)]
        for _ in range(3):
            answer = call(opened, "report_feedback", complaint=COMPLAINT, post_id=ids[2], answered=True)
            assert isinstance(answer.content[0], TextContent)
            assert answer.content[0].text == "Written down."
        opened.refresh()
        assert [hit.post_id for hit in opened.search(COMPLAINT)] == before
    assert {vote.client for vote in read_votes(file)} == {"assistants"}


def test_every_door_shows_a_notice_before_anything_else(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Text, Markdown, HTML, JSON, the page, the widget and what an assistant reads; also where no post passes."""
    with (index / "curation.toml").open("a") as stream:
        stream.write('[[danger]]\nwords = ["chest pain"]\nnotice = "Call 112 <now>."\n')
    complaint = "sudden pain in my chest"
    for more in ([], ["--full"], ["--source", "elsewhere/*"], ["--format", "csv"]):
        shown = run(monkeypatch, "query", "--index", str(index), *more, complaint)
        assert (shown.exit_code, shown.output.startswith("Call 112 <now>.")) == (1, True), shown.output
    with SearchIndex.open(index, model=WordsEmbedder()) as opened:
        result = opened.search(complaint)
        assert to_markdown(result).index("Call 112") < to_markdown(result).index("nearest")
        assert "Call 112 &lt;now&gt;." in to_html(result)
        answer = call(opened, "search", complaint=complaint)
        none = call(opened, "search", complaint=complaint, source="elsewhere/*")
    for found in (answer, none):
        assert found.content[0].text.splitlines()[0].endswith("to the person: Call 112 <now>.")
    assert answer.structured_content["notice"] == "Call 112 <now>."
    with serving(index) as address:
        _, page, _ = ask(f"{address}/?{urlencode({'q': complaint})}")
        for shown_page in (page, found_part(result)):
            alert = html.fromstring(str(shown_page)).xpath("//p[@class='danger'][@role='alert']")
            assert [one.text_content() for one in alert] == ["Call 112 <now>."]
        _, document, _ = ask(address + "/api/search?" + urlencode({"q": complaint}))
    assert (document["notice"], document["answered"]) == ("Call 112 <now>.", False)
