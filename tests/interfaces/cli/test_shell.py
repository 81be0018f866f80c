"""``qa-search shell``: what each line does, on a real terminal and without one."""

from __future__ import annotations

import csv
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prompt_toolkit.application import create_app_session
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from qa_search import SearchIndex, build_index
from qa_search.interfaces.cli import cli
from qa_search.interfaces.cli.prompt import _Choices, _FileHistory, converse
from qa_search.interfaces.cli.session import COMMANDS, Shell
from qa_search.interfaces.cli.shell import _MAX_LINE_BYTES
from tests.helpers import ROOT, WordsEmbedder, page, seal, write_jsonl, write_pages
from tests.interfaces.cli.words import use_words

EVIL = "red\x1b[31m\x1b]0;title\x07\u202e\x9b1m\r\x08"
CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]")
SECONDS = 300.0
_ESCAPES = re.compile(r"\x1b(\[[0-9;?]*[a-zA-Z]|[=>])")


def write_archive(folder: Path) -> Path:
    """Three pages that link to one another, a few that do not, and records with tags and dates."""
    for number, links in enumerate(("- Next: Second", "- Prev: First\n- Next: Third", "- Prev: Second\n- Next: Lost")):
        text = page(("First", "Second", "Third")[number], f"Ankle{number} pain.", f"Rest ankle{number}.", links=links)
        (folder / "pages").mkdir(parents=True, exist_ok=True)
        (folder / "pages" / f"{number}.txt").write_text(text, encoding="utf-8")
    write_pages(folder / "pages", 6)
    records = [
        {"id": f"q{year}", "title": f"Elbow {year}", "question": f"My elbow{year} clicks.",
         "answer": f"Leave it{year}.", "tags": ["elbow", "odd" if year % 2 else "even"],
         "date": f"{year}-03-04", "url": f"https://e.example/{year}"}
        for year in range(2010, 2016)
    ]  # fmt: skip
    evil = {"id": EVIL, "title": EVIL, "question": f"Hostile {EVIL}", "answer": EVIL, "tags": [EVIL], "author": EVIL}
    write_jsonl(folder / "faq[1].jsonl", [*records, {**evil, "url": f"https://e.example/{EVIL}"}])
    return folder


@pytest.fixture(scope="module")
def index_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the index is, for processes of their own."""
    folder = tmp_path_factory.mktemp("shell")
    build_index([write_archive(folder / "old" / "site")], folder / "index", model=WordsEmbedder())
    return folder / "index"


@pytest.fixture(scope="module")
def index(index_path: Path) -> Iterator[SearchIndex]:
    """The same, open."""
    with SearchIndex.open(index_path, model=WordsEmbedder()) as opened:
        yield opened


class Told:
    """A shell, and what each line made it say."""

    def __init__(self, index: SearchIndex, capsys: pytest.CaptureFixture[str]) -> None:
        self.shell = Shell(index)
        self._capsys = capsys

    def __call__(self, *lines: str) -> str:
        """Return what the last line brought on standard output."""
        for line in lines:
            self._capsys.readouterr()
            assert self.shell.obey(line)
        out, err = self._capsys.readouterr()
        assert err == ""
        return out

    def wrong(self, *lines: str) -> str:
        """Return the one line on standard error that says what is wrong with the last line."""
        for line in lines:
            self._capsys.readouterr()
            assert self.shell.obey(line)
        out, err = self._capsys.readouterr()
        assert out == ""
        (message,) = err.splitlines()
        return message


@pytest.fixture
def told(index: SearchIndex, capsys: pytest.CaptureFixture[str]) -> Told:
    """A shell without limits."""
    return Told(index, capsys)


def titles(shown: str) -> list[str]:
    return re.findall(r"^\d+\. (.+)$", shown, re.MULTILINE)


def test_a_question_is_answered_and_posts_are_opened_by_number(told: Told) -> None:
    """By the command or the number alone; the whole post with what it is about and where it leads."""
    assert titles(told("ankle1 pain"))[0] == "Second"
    opened = told(":open 1")
    assert opened == told("1") == told(":open  01 ")
    assert re.sub(r"\([a-z2-7]{16}\)", "(ID)", opened).splitlines() == [
        "Second", "   2016-07-22 · old/site/pages/1.txt",
        "", "   Question", "   Ankle1 pain.",
        "", "   Answer", "   Rest ankle1.",
        "", "   Previous: First (ID)", "   Next: Third (ID)",
    ]  # fmt: skip
    told("my elbow2013 clicks")
    assert told("1").splitlines()[1:3] == [
        "   2013-03-04 · old/site/faq[1].jsonl/q2013 · elbow · odd", "   https://e.example/2013",
    ]  # fmt: skip


def test_links_are_followed_from_post_to_post(told: Told) -> None:
    """There and back; where there is no post it is said, and the open one stays open."""
    told("ankle1 pain", "1")
    assert told(":next").startswith("Third\n")
    assert told.wrong(":next") == "The index has no next post to this one."
    assert told(":prev").startswith("Second\n")
    assert told(":prev").startswith("First\n")
    assert told.wrong(":prev") == "The index has no previous post to this one."
    assert told(":next").startswith("Second\n")
    assert "Next: Lost, not in the index" in told(":next")


def test_more_like_a_post_leaves_it_out_and_keeps_the_limits(told: Told) -> None:
    """By number or the open one; as nothing was asked, nothing is said of an answer; numbers then mean these posts."""
    assert titles(told("my elbow2013 clicks"))[0] == "Elbow 2013"
    found = told(":like 1")
    assert "Elbow 2013" not in titles(found)
    assert "Nothing in the archive" not in found
    assert told("1").startswith(titles(found)[0])
    told(":tag odd", "my elbow2013 clicks", "1")
    assert sorted(titles(told(":like"))) == ["Elbow 2011", "Elbow 2015"]


def test_limits_hold_until_they_are_taken_back(told: Told) -> None:
    """They are in the prompt, and in every search; a wrong one changes nothing."""
    assert told.shell.prompt == "qa-search> "
    told(":k 20")
    assert told.shell.prompt == "qa-search [k 20]> "
    assert len(titles(told("my elbow clicks"))) == 16
    told(":source *faq*", ":since 2012", ":until 2014-03", ":tag elbow", ":tag even", ":tag even")
    assert told.shell.prompt == "qa-search [since 2012, until 2014-03, source *faq*, tag elbow, tag even, k 20]> "
    assert sorted(titles(told("my elbow clicks"))) == ["Elbow 2012", "Elbow 2014"]
    assert told.wrong(":since soon").startswith("since: 'soon' is not a date.")
    assert told.wrong(":k 0") == told.wrong(":k x") == told.wrong(":k ²") == ":k takes a number from 1 to 10,000."
    assert sorted(titles(told("my elbow clicks"))) == ["Elbow 2012", "Elbow 2014"]
    told(":tag")
    assert len(titles(told("my elbow clicks"))) == 3
    told(":until", ":source")
    assert told.shell.prompt == "qa-search [since 2012, k 20]> "
    assert told(":tag nobody", "my elbow clicks") == "No post in the archive passes these filters.\n"
    told(f":source {'x' * 100}")
    assert told.shell.prompt == f"qa-search [since 2012, source {'x' * 41}…, k 20]> "
    told(":clear", ":k 5")
    assert told.shell.prompt == "qa-search> "
    assert len(titles(told("my elbow clicks"))) == 5


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (":nonsense", "Unknown command :nonsense (:help lists all commands)."),
        (":", "Unknown command : (:help lists all commands)."),
        (": open 1", "Unknown command : (:help lists all commands)."),
        (":OPEN 1", "Unknown command :OPEN (:help lists all commands)."),
        (":open", "Write it like :open N."),
        (":export", "Write it like :export N|all FILE."),
        (":quit now", "Nothing comes after :quit."),
        (":open 0", "Invalid post number 0: choose from 1 to 5."),
        (":open 6", "Invalid post number 6: choose from 1 to 5."),
        (":open x", "Invalid post number x: choose from 1 to 5."),
        (":like -1", "Invalid post number -1: choose from 1 to 5."),
        ("9" * 5000, f"Invalid post number {'9' * 40}: choose from 1 to 5."),
        (":like", "No post is open: write it like :like N."),
        (":prev", "No post is open: open one first."),
        (":export all", "Write it like :export all FILE, where FILE ends in .md, .csv or .html."),
        (":export all x.pdf", "Write it like :export all FILE, where FILE ends in .md, .csv or .html."),
        (":export 9 x.md", "Invalid post number 9: choose from 1 to 5."),
        (":export all /nowhere/x.md", "/nowhere/x.md cannot be written ([Errno 2] No such file or directory"),
        (":export all ~nobody-has-this-name/x.md", "~nobody-has-this-name/x.md cannot be written ("),
        (f":export all {'x' * 300}.md", f"{'x' * 300}.md cannot be written ([Errno 36] File name too long"),
        (":source " + "*" * 50, "source: a pattern with more than 16 stars"),
        ("x" * 100_001, "the text to search for has 100,001 characters"),
        ("\u200b", "the text to search for is empty."),
    ],
    ids=lambda value: value[:24],
)
def test_what_is_wrong_is_told_in_one_line(told: Told, line: str, message: str) -> None:
    """And the next line is answered as if nothing had been."""
    before = titles(told("my elbow clicks"))
    assert told.wrong(line).startswith(message)
    assert titles(told("my elbow clicks")) == before


def test_nothing_can_be_opened_before_a_question(told: Told) -> None:
    """Nor exported, nor compared; neither can what a search did not find."""
    told("")
    for line in ("1", ":open 1", ":like 1", ":export all x.md", ":export 1 x.md"):
        assert told.wrong(line) == "No posts to choose from: ask first."
        assert told.wrong(":tag nobody", "knee", line) == "No posts to choose from: ask first."


def test_posts_are_written_to_files(told: Told, tmp_path: Path) -> None:
    """One or all, in the format that the name says, a blank in it or not; a file that is there is left alone."""
    told("my elbow2013 clicks")
    assert told(f":export all {tmp_path}/all of it.CSV") == f"{tmp_path}/all of it.CSV: 5 posts\n"
    with (tmp_path / "all of it.CSV").open(encoding="utf-8", newline="") as stream:
        assert [row["rank"] for row in csv.DictReader(stream)] == ["1", "2", "3", "4", "5"]
    assert told(f":export 2 {tmp_path}/one.md") == f"{tmp_path}/one.md: 1 post\n"
    written = (tmp_path / "one.md").read_text(encoding="utf-8")
    assert re.findall(r"^## (\d)", written, re.MULTILINE) == ["2"]
    told(f":export 1 {tmp_path}/one.html")
    assert "<mark>" in (tmp_path / "one.html").read_text(encoding="utf-8")
    assert told.wrong(f":export all {tmp_path}/one.md") == f"{tmp_path}/one.md already exists: name a new file."
    assert (tmp_path / "one.md").read_text(encoding="utf-8") == written


def test_home_is_known(told: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a command line."""
    monkeypatch.setenv("HOME", str(tmp_path))
    told("knee1", ":export all ~/x.md")
    assert (tmp_path / "x.md").exists()


def test_help_names_every_command_and_info_what_is_searched(told: Told) -> None:
    """And quitting is the only thing that ends the shell."""
    assert re.findall(r"^   :(\w+)", told(":help"), re.MULTILINE) == list(COMMANDS)
    first, *sources = told(":info").splitlines()
    assert re.fullmatch(r".+/index: 16 posts in \d+ passages, built \S+", first)
    assert sources == ["   old/site: 9 posts", "   old/site/faq[1].jsonl: 7 posts"]
    assert told.shell.obey(":quit") is False


def test_a_new_build_is_noticed_between_two_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is said, and its posts are found; one that is damaged is told, and the old one goes on answering."""
    pages, path = write_pages(tmp_path / "pages", 3), tmp_path / "index"
    build_index([pages], path, model=WordsEmbedder())
    with SearchIndex.open(path, model=WordsEmbedder()) as opened:
        told = Told(opened, capsys)
        assert "Complaint 7" not in titles(told("my knee7 hurts"))
        build_index([write_pages(tmp_path / "pages", 10)], path, model=WordsEmbedder())
        shown = told("my knee7 hurts")
        assert shown.startswith("The index was rebuilt: searches now cover 10 posts.\n")
        assert titles(shown)[0] == "Complaint 7"
        assert "built again" not in told("my knee7 hurts")
        told("1")
        build_index([write_pages(tmp_path / "other", 2)], path, model=WordsEmbedder(), allow_shrink=True)
        assert told.shell.obey(":like")
        out, err = capsys.readouterr()
        assert out == "The index was rebuilt: searches now cover 2 posts.\n"
        assert err.endswith("the index has no post with this id\n")
        build_index([pages], path, model=WordsEmbedder(), allow_shrink=True)
        seal(path, lambda manifest: manifest.pop("files"))
        capsys.readouterr()
        assert told.shell.obey("my knee1 hurts")
        out, err = capsys.readouterr()
        assert titles(out)[0] == "Complaint 1"
        assert len(err.splitlines()) == 1


def test_a_post_that_is_gone_cannot_be_opened(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its number is still on the screen, but a build has left it out."""
    path = tmp_path / "index"
    build_index([write_pages(tmp_path / "a", 2)], path, model=WordsEmbedder())
    with SearchIndex.open(path, model=WordsEmbedder()) as opened:
        told = Told(opened, capsys)
        told("my knee1 hurts")
        build_index([write_pages(tmp_path / "b", 2)], path, model=WordsEmbedder(), allow_shrink=True)
        told(":info")
        assert told.wrong("1") == "This post is no longer in the index."


def test_nothing_in_a_post_can_take_over_the_terminal(told: Told) -> None:
    """In results, opened posts, help for completion and the prompt no control character comes from a post."""
    found = told("Hostile red")
    assert "Hostile" in found
    number = re.search(r"^(\d)\. red\[31m", found, re.MULTILINE)
    assert number is not None
    shown = [found, told(number[1]), told(":info"), told(":tag " + EVIL, "Hostile"), told.shell.prompt]
    assert "tag red[31m" in told.shell.prompt
    assert "Hostile" in shown[1]
    shown += [told.wrong(f":{EVIL}"), told.wrong(f":since {EVIL}"), told.wrong(f":export {EVIL} x.md")]
    shown += [remark for command in COMMANDS for remark in told.shell.choices(command).values()]
    for text in shown:
        assert not CONTROLS.search(text.replace("\n", ""))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(
        st.builds(
            " ".join,
            st.tuples(st.sampled_from([*(f":{name}" for name in COMMANDS if name not in ("quit", "export")), "", ":"]),
                      st.text(max_size=8) | st.sampled_from(["1", "2", "all", "2015", "elbow"])),
        ),
        max_size=8,
    )
)  # fmt: skip
def test_no_line_ends_the_shell(index: SearchIndex, capsys: pytest.CaptureFixture[str], lines: list[str]) -> None:
    """Whatever comes after whatever: each is obeyed or told in one line, and no control character gets out."""
    here = Shell(index)
    for line in lines:
        assert here.obey(line)
        out, err = capsys.readouterr()
        assert err.count("\n") <= 1
        assert not CONTROLS.search(out + err)
        assert "\n" not in here.prompt


# Without a terminal


@pytest.fixture
def piped(index_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str | bytes], Result]:
    """The command, with lines from standard input."""
    use_words(monkeypatch)
    return lambda text: CliRunner().invoke(cli, ["shell", "--index", str(index_path)], input=text)


def test_lines_are_read_from_a_pipe(piped: Callable[[str | bytes], Result]) -> None:
    """To the end or to :quit, plainly, without a prompt; the last line need not end; byte order marks do not count."""
    result = piped("\ufeff:k 5\nmy elbow2013 clicks\r\n1\r\n:tag odd\n\n:k 1\nmy elbow2010 clicks")
    assert (result.exit_code, result.stderr) == (0, "")
    assert titles(result.stdout)[0] == "Elbow 2013"
    assert len(titles(result.stdout)) == 6
    assert "qa-search" not in result.stdout
    assert "\x1b" not in result.stdout
    assert piped(":quit\nmy elbow2013 clicks\n").output == ""


def test_a_pipe_may_hold_anything(piped: Callable[[str | bytes], Result]) -> None:
    """Bytes that are no text, lines without end: what cannot be used is told, and the rest is answered."""
    lines = [b"\xff\xfe elbow2013 \xc3", b"x" * (3 * _MAX_LINE_BYTES), b"x" * (_MAX_LINE_BYTES - 1), b"", b"\0", b"1"]
    result = piped(b"\n".join(lines) + b"\n")
    assert result.exit_code == 0
    assert result.stderr.splitlines() == [
        f"A line of more than {_MAX_LINE_BYTES:,} bytes is left out.",
        f"the text to search for has {_MAX_LINE_BYTES - 1:,} characters, and 100,000 are read at most. Leave out what "
        "the query does not need.",
    ]
    assert "   Question\n" in result.stdout


def test_a_model_that_is_not_there_is_told_with_the_first_question(index_path: Path, tmp_path: Path) -> None:
    """Loading it in the background does not end the shell, and what needs no model still works."""
    lines = "knee1\n:info\n"
    result = CliRunner().invoke(cli, ["shell", "--index", str(index_path), "--model", str(tmp_path)], input=lines)
    assert result.exit_code == 0
    (message,) = result.stderr.splitlines()
    assert "model" in message
    assert "16 posts" in result.stdout


def test_the_model_is_loaded_while_the_first_line_is_typed(
    piped: Callable[[str | bytes], Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Loading begins before a line is there and is not waited for; leaving waits for it to end."""
    asked, awaited, loaded = threading.Event(), threading.Event(), threading.Event()
    obey, join = Shell.obey, threading.Thread.join

    def load(index: SearchIndex) -> None:
        assert asked.wait(SECONDS)
        assert awaited.wait(SECONDS)
        loaded.set()

    def obey_and_tell(here: Shell, line: str) -> bool:
        assert not loaded.is_set()
        asked.set()
        return obey(here, line)

    def join_and_tell(thread: threading.Thread, timeout: float | None = None) -> None:
        awaited.set()
        join(thread, timeout)

    monkeypatch.setattr(threading.Thread, "join", join_and_tell)
    monkeypatch.setattr(SearchIndex, "embedder", property(load))
    monkeypatch.setattr(Shell, "obey", obey_and_tell)
    assert piped(":quit\n").exit_code == 0
    assert loaded.is_set()


# On a terminal


class Terminal:
    """A real pseudo-terminal with the shell in it."""

    def __init__(self, index_path: Path, state: Path, *options: str, **environment: str) -> None:
        command = [sys.executable, "-m", "tests.interfaces.cli.words", "shell", "--index", str(index_path), *options]
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        unset = {name: value for name, value in os.environ.items() if name not in ("LINES", "COLUMNS", "PAGER", "LESS")}
        self.process = subprocess.Popen(
            command, cwd=ROOT, stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
            env={**unset, "TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1", "NO_COLOR": "1", "XDG_STATE_HOME": str(state),
                 **environment},
        )  # fmt: skip
        os.close(slave)
        self._unread = b""

    def type(self, keys: str | bytes) -> None:
        os.write(self._master, keys.encode() if isinstance(keys, str) else keys)

    def until(self, text: str, *, not_after: str = "") -> str:
        """Wait until a text is shown; return what was shown up to there, without escape sequences.

        The text does not count right behind ``not_after``.
        """
        pattern = re.compile((f"(?<!{re.escape(not_after)})" if not_after else "") + re.escape(text))
        end = time.monotonic() + SECONDS
        while not (found := pattern.search(shown := _ESCAPES.sub("", self._unread.decode("utf-8", "replace")))):
            ready, _, _ = select.select([self._master], [], [], max(end - time.monotonic(), 0))
            assert ready, f"no {text!r} in {shown!r}"
            try:
                self._unread += os.read(self._master, 1 << 16)
            except OSError:
                pytest.fail(f"no {text!r} to the end of {shown!r}")
        self._unread = shown[found.end() :].encode()
        return shown[: found.end()]

    def ask(self, line: str | bytes, answer: str) -> str:
        """Type a line, and wait for its answer and for the prompt after that; return what was shown before it."""
        self.type(line if isinstance(line, bytes) else line.encode())
        self.type("\r")
        shown = self.until(answer)
        self.until("qa-search")
        self.until(">")
        return shown

    def leave(self) -> int:
        """Press Ctrl-D at a prompt and wait for the end; return the exit status."""
        self.type("\x04")
        return self.process.wait(SECONDS)

    def __enter__(self) -> Self:
        try:
            self.greeting = self.until("qa-search>")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._master)


@pytest.mark.process
def test_a_conversation_on_a_terminal(index_path: Path, tmp_path: Path) -> None:
    """Limits are in the prompt, Ctrl-C drops what was typed, bytes that are no text do not matter, Ctrl-D leaves."""
    with Terminal(index_path, tmp_path) as terminal:
        terminal.ask("my elbow2013 clicks", "1. Elbow 2013")
        terminal.type(":tag odd\r")
        terminal.until("qa-search [tag odd]>")
        terminal.type(":tag nobody\x03")
        terminal.until("nobody")
        terminal.ask(b"\xff\xfe elbow2015", "1. Elbow 2015")
        terminal.ask(":nonsense", "Unknown command :nonsense")
        assert terminal.leave() == 0
    history = (tmp_path / "qa-search" / "history").read_text(encoding="utf-8")
    assert re.findall(r"^\+(.*)", history, re.MULTILINE) == [
        "my elbow2013 clicks", ":tag odd", "\ufffd\ufffd elbow2015", ":nonsense",
    ]  # fmt: skip


@pytest.mark.process
def test_names_are_completed(index_path: Path, tmp_path: Path) -> None:
    """Tab writes the rest of a command, and the number of a post."""
    with Terminal(index_path, tmp_path) as terminal:
        terminal.type(":so")
        terminal.until(":so")
        terminal.type("\t")
        # A slow completion shows a menu first, with the whole name and what it is; a key then would give it up.
        terminal.until("urce", not_after="so")
        terminal.type(" *faq*\r")
        terminal.until("qa-search [source *faq*]>")
        terminal.type(":k 1\r")
        terminal.until("qa-search [source *faq*, k 1]>")
        terminal.ask("my elbow2013 clicks", "1. Elbow 2013")
        terminal.type(":open ")
        terminal.until(":open")
        terminal.type("\t")
        terminal.until("1", not_after=" ")
        terminal.ask("", "Leave it2013.")
        assert terminal.leave() == 0


@pytest.mark.process
def test_what_was_asked_is_kept_for_oneself(index_path: Path, tmp_path: Path) -> None:
    """In a file that nobody else can read, even one that was open to all; the arrow up brings it back next time."""
    history = tmp_path / "qa-search" / "history"
    with Terminal(index_path, tmp_path) as terminal:
        terminal.ask("my elbow2013 clicks", "1. Elbow 2013")
        assert terminal.leave() == 0
    assert history.stat().st_mode & 0o777 == 0o600
    assert history.parent.stat().st_mode & 0o777 == 0o700
    history.chmod(0o644)
    with Terminal(index_path, tmp_path) as terminal:
        terminal.type("\x1b[A")
        terminal.until("my elbow2013 clicks")
        terminal.ask("", "1. Elbow 2013")
        assert terminal.leave() == 0
    assert history.stat().st_mode & 0o777 == 0o600


@pytest.mark.process
def test_nothing_is_kept_where_it_is_not_wanted(index_path: Path, tmp_path: Path) -> None:
    """With --no-history there is no file; where none can be made it is said, and the shell works."""
    with Terminal(index_path, tmp_path / "state", "--no-history") as terminal:
        terminal.ask("my elbow2013 clicks", "1. Elbow 2013")
        assert terminal.leave() == 0
    assert not (tmp_path / "state").exists()
    (tmp_path / "file").write_text("")
    with Terminal(index_path, tmp_path / "file") as terminal:
        assert "The history is not kept: [Errno 20] Not a directory" in terminal.greeting
        terminal.ask("my elbow2013 clicks", "1. Elbow 2013")
        assert terminal.leave() == 0


@pytest.mark.process
def test_only_long_posts_are_paged(tmp_path: Path) -> None:
    """Those that are longer than the screen; less gets them with the switch that lets colours through."""
    long = "\n".join(f"line {number}" for number in range(40))
    records = [
        {"id": "a", "question": "My elbow clicks.", "answer": long},
        {"id": "b", "question": "My knee too.", "answer": "Rest it."},
    ]
    write_jsonl(tmp_path / "a.jsonl", records)
    build_index([tmp_path / "a.jsonl"], tmp_path / "index", model=WordsEmbedder())
    pager = tmp_path / "less"
    pager.write_text('#!/bin/sh\nsed "s/^/less $LESS: /"\n')
    pager.chmod(0o755)
    with Terminal(tmp_path / "index", tmp_path, PAGER=str(pager)) as terminal:
        assert "less -R" not in terminal.ask("my elbow clicks", "2. My knee too.")
        assert "less -R:    line 0\r" in terminal.ask("1", "less -R:    line 39")
        assert "less -R" not in terminal.ask("2", "Rest it.")
        assert terminal.leave() == 0


def test_a_full_disk_does_not_end_the_shell() -> None:
    """What was asked is then kept for this session only."""
    history = _FileHistory("/dev/full")
    history.append_string("my knee hurts")
    assert history.get_strings() == ["my knee hurts"]


class Script(Shell):
    """Notes what it is to do, and is interrupted when told so."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    prompt = "> "

    def obey(self, line: str) -> bool:
        self.lines.append(line)
        if line == "interrupt":
            raise KeyboardInterrupt
        return line != "leave"


def test_ctrl_c_stops_a_search_and_not_the_shell() -> None:
    """The next line is obeyed."""
    with create_pipe_input() as keys, create_app_session(input=keys, output=DummyOutput()):
        keys.send_text("one\rinterrupt\rtwo\rleave\rthree\r")
        here = Script()
        converse(here, history=False)
    assert here.lines == ["one", "interrupt", "two", "leave"]


def test_what_can_follow_is_offered(told: Told) -> None:
    """Commands; numbers with their titles; sources, as patterns that match them; tags that were seen; else nothing."""

    def offered(text: str) -> list[str]:
        return [choice.text for choice in _Choices(told.shell).get_completions(Document(text), CompleteEvent())]

    assert offered(":") == list(COMMANDS)
    assert offered(":un") == ["until"]
    assert offered(":open ") == offered(":export ") == offered(":tag ") == []
    told("my elbow2013 clicks")
    assert offered(":open ") == offered(":like ") == ["1", "2", "3", "4", "5"]
    assert offered(":export a") == ["all"]
    assert told.shell.choices("open")["1"] == "Elbow 2013"
    assert offered(":tag e") == ["elbow", "even"]
    (source,) = offered(":source old/site/f")
    assert source == "old/site/faq[[]1].jsonl"
    assert all("Elbow" in title for title in titles(told(f":source {source}", ":k 20", "my elbow clicks"))[:6])
    assert offered("my knee ") == offered("o") == offered(":nonsense ") == offered(":until 2") == []
