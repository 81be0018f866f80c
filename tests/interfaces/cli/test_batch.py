"""``qa-search query``: its formats, and many complaints at once."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import lxml.html
import pytest
from click.testing import CliRunner, Result

from qa_search import build_index
from qa_search.insights.query_lines import _MAX_LINE_BYTES
from qa_search.interfaces.cli import cli
from qa_search.interfaces.cli.query import _answers
from qa_search.types import SearchResult
from tests.helpers import ROOT, WordsEmbedder, write_jsonl, write_pages
from tests.interfaces.cli.words import use_words


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of a few posts and a hostile one."""
    folder = tmp_path_factory.mktemp("batch")
    write_pages(folder / "site" / "pages", 20)
    evil = "<script>x</script> [a](http://e.example) \x1b[31m\x9b\x07"
    write_jsonl(folder / "site" / "a.jsonl", [{"id": "evil", "title": f"=1 {evil}", "question": evil, "answer": evil}])
    build_index([folder / "site"], folder / "index", model=WordsEmbedder())
    return folder / "index"


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Search with a model that needs no loading."""
    use_words(monkeypatch)


@pytest.fixture
def query(index: Path, fast: None) -> Any:
    """The command itself."""

    def run(*arguments: str | Path, text: str | bytes | None = None) -> Result:
        command = ["query", "--index", str(index), *map(str, arguments)]
        return CliRunner(env={"NO_COLOR": None}).invoke(cli, command, input=text)

    return run


def complaints(count: int, start: int = 0) -> list[dict[str, Any]]:
    return [{"id": f"c{number}", "text": f"my knee{number % 20} hurts"} for number in range(start, start + count)]


def documents(result: Result) -> list[Any]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def without_time(document: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in document.items() if key not in ("took_ms", "id")}


@pytest.mark.slow
def test_many_complaints_get_what_each_alone_gets(query: Any, tmp_path: Path) -> None:
    """A document a line with the id first, in the order of the file; the same from standard input."""
    path = write_jsonl(tmp_path / "c.jsonl", complaints(150))
    batch = query("--from", path, "--json", "--min-confidence", "0")
    assert (batch.exit_code, batch.stderr) == (0, "")
    found = documents(batch)
    assert [document["id"] for document in found] == [f"c{number}" for number in range(150)]
    assert list(found[0]) == ["id", "query", "answered", "confidence", "hits", "took_ms"]
    for number in (0, 63, 64, 149):
        alone = json.loads(query("--json", "--min-confidence", "0", f"my knee{number % 20} hurts").stdout)
        assert without_time(found[number]) == without_time(alone)
    piped = query("--from", "-", "--format", "json", "--min-confidence", "0", text=path.read_bytes())
    assert list(map(without_time, documents(piped))) == list(map(without_time, found))


def test_a_line_may_name_things_in_several_ways(query: Any) -> None:
    """Id or _id, text or query, or a text alone, quoted or not, with its number for an id; empty lines do not count."""
    lines = [
        '{"id": 7, "text": "knee1"}',
        '{"_id": "x", "query": "knee2"}',
        "",
        '"knee3"',
        '{"text": "knee4"}',
        " 5 knees ",
    ]
    result = query("--from", "-", "--json", "-k", "1", text="\ufeff" + "\r\n".join(lines))
    found = documents(result)
    assert [(document["id"], document["query"]) for document in found] == [
        (7, "knee1"), ("x", "knee2"), (4, "knee3"), (5, "knee4"), (6, "5 knees"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"{", "not JSON (Expecting property name"),
        (b'"\xff"', "not text in UTF-8. Save the file as UTF-8, or convert it, for example with iconv"),
        ("knee".encode("utf-16-le"), "not text in UTF-8. "),
        (b"[" * 100_000, "not JSON (maximum recursion depth"),
        (b'{"id": ' + b"1" * 5000 + b"}", "not JSON (Exceeds the limit"),
        (b'["knee"]', "no text to search for. "),
        (b'{"id": 1}', "no text to search for. "),
        (b'{"text": ["knee"]}', "no text to search for. "),
        (b'{"id": true, "text": "knee"}', "the id must be a text or a whole number. "),
        (b'{"id": [1], "text": "knee"}', "the id must be a text or a whole number. "),
        (b'{"id": "\\ud800", "text": "knee"}', "the id must be a text or a whole number. "),
        (b'{"id": 1, "text": " "}', "the text to search for is empty. "),
        (b'"' + b"x" * 100_001 + b'"', "the text to search for has 100,001 characters, and 100,000 are read at most."),
        (b'"' + b"x" * _MAX_LINE_BYTES, f"longer than {_MAX_LINE_BYTES:,} bytes. "),
    ],
    ids=lambda value: value[:24] if isinstance(value, bytes) else "",
)
@pytest.mark.parametrize("before", [3, 70])
def test_a_bad_line_is_named_and_those_before_it_are_answered(
    query: Any, tmp_path: Path, line: bytes, message: str, before: int
) -> None:
    """File, line, what is wrong and what to do, on one line of standard error, with status 3."""
    path = write_jsonl(tmp_path / "c.jsonl", complaints(before))
    path.write_bytes(path.read_bytes() + line + b"\n" + b'"after"\n')
    result = query("--from", path, "--json", "-k", "1")
    assert result.exit_code == 3
    assert [document["id"] for document in documents(result)] == [f"c{number}" for number in range(before)]
    (told,) = result.stderr.splitlines()
    assert told.startswith(f"Error: {path}, line {before + 1}: {message}")
    assert told.endswith("Correct this line or remove it.")


def test_a_file_that_is_not_there_is_status_3(query: Any, tmp_path: Path) -> None:
    """And so is a folder; the message says what is wanted instead."""
    for path in (tmp_path / "nowhere", tmp_path):
        result = query("--from", path)
        assert (result.exit_code, result.stdout) == (3, "")
        assert result.stderr.startswith(f"Error: {path}: cannot be read (")
        assert result.stderr.endswith("). Name a file of JSON Lines, or - for standard input.\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--from", "-", "knee"], "TEXT and --from cannot be used together."),
        ([], "Missing argument 'TEXT...' (or --from FILE)."),
        (["--json", "--format", "csv", "knee"], "--json and --format csv cannot be used together."),
        (["--from", "-", "--format", "html"], "--format html is a page for one query"),
        (["--from", "-", "--since", "soon"], "since: 'soon' is not a date"),
        (["--format", "pdf", "knee"], "'pdf' is not one of 'text', 'json', 'markdown', 'csv', 'html'"),
    ],
)
def test_options_that_do_not_go_together_are_status_2(query: Any, arguments: list[str], message: str) -> None:
    """Before anything is read or printed, and no fault of the file's."""
    result = query(*arguments, text='"knee"\n')
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr
    assert "line 1" not in result.stderr


def test_the_status_says_whether_all_are_answered(query: Any) -> None:
    """0 only if every one is; a file without complaints has none that is not."""
    assert query("--from", "-", "--min-confidence", "0", text='"knee1"\n"knee2"').exit_code == 0
    assert query("--from", "-", "--min-confidence", "0", text="\n").exit_code == 0
    assert query("--from", "-", "--min-confidence", "1", text='"knee1"\n"knee2"').exit_code == 1
    # The last one is answered, the first is not.
    mixed = query("--from", "-", "--json", text='"sourdough bread"\n"My knee1 hurts. It began in week1."')
    assert [document["answered"] for document in documents(mixed)] == [False, True]
    assert mixed.exit_code == 1


def test_text_has_a_heading_for_each(query: Any) -> None:
    """With the id and the complaint, and nothing of them can take over a terminal."""
    lines = [{"id": "\x1b[2J", "text": "my knee1\n\x9bhurts " + "x" * 99}, {"id": "b", "text": "my knee2"}]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    result = query("--from", "-", "-k", "1", "--min-confidence", "0", text=text)
    headings = [line for line in result.stdout.splitlines() if line.startswith("===")]
    assert headings == [f"=== [2J: my knee1 hurts {'x' * 52} … ===", "=== b: my knee2 ==="]
    assert result.stdout.count("\n1. Complaint") == 2
    assert not set("\x1b\x9b") & set(result.stdout)
    nothing = query("--from", "-", "--tag", "none", text='"knee"')
    assert nothing.stdout == "=== 1: knee ===\n\nNo post in the archive passes these filters.\n\n"


def test_one_table_holds_all_hits(query: Any) -> None:
    """One header, the id in the first column, also for one complaint alone, without an id."""
    text = "".join(json.dumps(line) + "\n" for line in complaints(70))
    table = list(csv.DictReader(io.StringIO(query("--from", "-", "--format", "csv", "-k", "2", text=text).stdout)))
    assert [row["id"] for row in table] == [f"c{number}" for number in range(70) for _ in range(2)]
    assert [row["rank"] for row in table] == ["1", "2"] * 70
    alone = list(csv.DictReader(io.StringIO(query("--format", "csv", "-k", "2", "my knee0 hurts").stdout)))
    assert alone == [{key: value for key, value in row.items() if key != "id"} for row in table[:2]]


def test_markdown_has_a_section_for_each(query: Any) -> None:
    """Headed by the id; alone, by a plain heading."""
    text = "".join(json.dumps(line) + "\n" for line in complaints(2))
    result = query("--from", "-", "--format", "markdown", "-k", "1", text=text)
    assert [line for line in result.stdout.splitlines() if line.startswith("# ")] == ["# c0", "# c1"]
    alone = query("--format", "markdown", "-k", "1", "my knee0 hurts").stdout
    assert alone == result.stdout.partition("\n# c1")[0].replace("# c0", "# Closest past answers")


@pytest.mark.parametrize("written_as", ["text", "json", "markdown", "csv", "html"])
def test_no_format_lets_a_post_take_over_a_terminal(query: Any, written_as: str) -> None:
    """No escape sequence of a post gets out, and no markup of it into a page."""
    result = query("--format", written_as, "-k", "1", "--source", "*a.jsonl*", "script red")
    assert "e.example" in result.stdout
    assert not set("\x1b\x07") & set(result.stdout)
    if written_as == "html":
        assert not list(lxml.html.document_fromstring(result.stdout).iter("script", "a"))


def test_html_is_a_page_that_stands_alone(query: Any) -> None:
    """From the first byte to the last."""
    result = query("--format", "html", "-k", "3", "--min-confidence", "0", "my knee7 hurts")
    assert result.exit_code == 0
    assert result.stdout.startswith("<!doctype html>\n")
    assert result.stdout.endswith("</html>\n")
    page = lxml.html.document_fromstring(result.stdout)
    assert len(page.findall(".//article")) == 3
    assert page.findtext(".//h2") == "1. Complaint 7"


def test_standard_input_is_read_up_to_a_bound(query: Any) -> None:
    """What is far longer than a complaint is refused by the library's limit, and not read to its end."""
    result = query("-", text=b"knee " * 1_000_000)
    assert result.exit_code == 2
    assert "the text to search for has 1,000,000 characters, and 100,000 are read at most" in result.stderr


class Endless(io.RawIOBase):
    """More complaints than anybody should read at once; counts how many have been read."""

    read_lines = 0

    def readline(self, size: int | None = -1, /) -> bytes:
        self.read_lines += 1
        assert self.read_lines < 10_000
        assert size is not None
        assert 0 < size <= _MAX_LINE_BYTES + 1
        return b'{"text": "knee"}\n'


def test_memory_does_not_grow_with_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """No more than a block is held at any time, and of a line no more than a bound; none is searched for alone."""
    stream = Endless()
    blocks = []

    def search_many(texts: list[str]) -> list[SearchResult]:
        blocks.append(len(texts))
        return [SearchResult(text, True, 1.0, (), 0.0) for text in texts]

    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=stream))
    for number, (complaint_id, _) in enumerate(islice(_answers("-", search_many), 5000), start=1):
        assert complaint_id == number
        assert stream.read_lines - number < 64
    assert set(blocks) == {64}


def lines_of(number: int) -> Iterator[bytes]:
    return (json.dumps(line).encode() + b"\n" for line in complaints(number))


@pytest.mark.process
def test_answers_come_while_the_questions_are_still_written(index: Path) -> None:
    """A real process: a block's answers arrive before the next block is sent."""
    command = [
        sys.executable,
        "-m",
        "tests.interfaces.cli.words",
        "query",
        "--index",
        str(index),
        "-k",
        "1",
        "--json",
        "--from",
        "-",
    ]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout
        for _ in range(2):
            process.stdin.writelines(lines_of(64))
            process.stdin.flush()
            ids = [json.loads(process.stdout.readline())["id"] for _ in range(64)]
            assert ids == [f"c{number}" for number in range(64)]
        process.stdin.close()
        assert process.stdout.read() == b""
    assert process.returncode in (0, 1)


@pytest.mark.process
@pytest.mark.parametrize("written_as", ["text", "json", "csv", "markdown"])
def test_a_reader_that_goes_away_is_no_error(index: Path, tmp_path: Path, written_as: str) -> None:
    """Nothing on standard error, whatever was being written."""
    path = write_jsonl(tmp_path / "c.jsonl", complaints(300))
    asked = f"query --index {index} --from {path} --format {written_as}"
    command = f"{sys.executable} -m tests.interfaces.cli.words {asked} | head -c 9"
    done = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, check=False)
    assert (len(done.stdout), done.stderr) == (9, b"")
