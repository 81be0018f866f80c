"""Stack Exchange dumps."""

from __future__ import annotations

import io
import tracemalloc
from collections.abc import Iterator
from functools import partial
from io import BytesIO
from typing import BinaryIO, cast

import pytest

from qa_search.archives.base import ArchiveFile, ReadOptions
from qa_search.archives.formats.stackexchange import StackExchangeReader
from qa_search.archives.limits import Limits
from qa_search.errors import DamagedArchiveError
from qa_search.types import Post, SetAside
from tests.helpers import archive_file, read

DUMP = """\ufeff<?xml version="1.0" encoding="utf-8"?>
<posts>
  <row Id="1" PostTypeId="1" AcceptedAnswerId="4" CreationDate="2015-01-27T20:09:32.720" Score="20"
    Body="&lt;p&gt;How &lt;b&gt;fine&lt;/b&gt;?&lt;/p&gt;&#xA;" OwnerUserId="8"
    Title="Grind" Tags="&lt;a&gt;&lt;b-c&gt;"/>
  <row Id="2" PostTypeId="2" ParentId="1" Score="9" Body="&lt;p&gt;Popular.&lt;/p&gt;"
    CreationDate="2015-01-28" />
  <row Id="3" PostTypeId="1" Score="0" Body="&lt;p&gt;Nobody knows.&lt;/p&gt;" Title="Waiting" Tags="|x|y|" />
  <row Id="4" PostTypeId="2" ParentId="1" Score="1" Body="&lt;p&gt;Accepted.&lt;/p&gt;" OwnerDisplayName="Ann" />
  <row Id="5" PostTypeId="2" ParentId="99" Score="1" Body="&lt;p&gt;Lost.&lt;/p&gt;" />
  <row Id="6" PostTypeId="5" Body="a tag wiki" />
  <row PostTypeId="1" Body="no id" />
</posts>"""


def test_a_post_per_question_best_answer_first() -> None:
    """Accepted, then by score; scores, authors and dates are kept; tag wikis are no posts."""
    found = read(StackExchangeReader(), DUMP)
    posts = [item for item in found if isinstance(item, Post)]
    notes = [item for item in found if isinstance(item, SetAside)]
    assert [post.source_id for post in posts] == ["1", "3"]
    first, waiting = posts
    assert (first.title, first.question, first.answer) == ("Grind", "How fine?", "Accepted.\n\nPopular.")
    assert (first.date, first.tags, first.author, first.score) == ("2015-01-27T20:09:32.720", ("a", "b-c"), "8", 20)
    assert [(part.id, part.score, part.accepted, part.author) for part in first.answers] == [
        ("4", 1, True, "Ann"),
        ("2", 9, False, None),
    ]
    assert [first.answer[part.start : part.end] for part in first.answers] == ["Accepted.", "Popular."]
    assert (waiting.answer, waiting.tags) == ("", ("x", "y"))
    assert [(note.place, note.reason) for note in notes] == [
        ("line 12", "a row without a usable Id"),
        ("Id 5", "an answer to question 99, which the dump lacks"),
    ]


def test_the_site_s_name_makes_links() -> None:
    """When the dump lies in a folder or 7z named after its site."""
    file = ArchiveFile("f", "Posts.xml", "/x/beer.stackexchange.com.7z: Posts.xml", partial(BytesIO, DUMP.encode()))
    posts = [item for item in StackExchangeReader().read(file, ReadOptions()) if isinstance(item, Post)]
    assert posts[0].url == "https://beer.stackexchange.com/q/1"


@pytest.mark.parametrize("table", ["comments", "users", "votes", "badges", "tags", "postlinks", "posthistory"])
def test_other_tables_of_a_dump_hold_no_posts(table: str) -> None:
    """They are known, so nothing is set aside for them."""
    assert read(StackExchangeReader(), f'<?xml version="1.0"?>\n<{table}><row Id="1" /></{table}>') == []


@pytest.mark.parametrize(
    ("broken", "place"),
    [
        (DUMP.replace('<row Id="3"', '<row <Id="3"'), "line 8, column 8"),
        (DUMP.replace("How ", "How &nothing;"), "line 3"),
        (DUMP[:-20], "line 12"),
    ],
)
def test_broken_xml_is_damage_with_its_place(broken: str, place: str) -> None:
    """The posts before the break are still given, for those who want to keep going."""
    found: list[Post | SetAside] = []
    items = StackExchangeReader().read(
        ArchiveFile("f", "Posts.xml", "/x/Posts.xml", partial(BytesIO, broken.encode())), ReadOptions()
    )
    with pytest.raises(DamagedArchiveError, match=rf"/x/Posts.xml, {place}.*broken XML"):
        found.extend(items)
    assert [type(item).__name__ for item in found].count("Post") >= (0 if "&nothing;" in broken else 1)


def test_entities_are_refused() -> None:
    """A dump declares none; a billion laughs do."""
    laughs = '<?xml version="1.0"?><!DOCTYPE posts [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><posts>&b;</posts>'
    with pytest.raises(DamagedArchiveError, match="declares entities or elements"):
        list(
            StackExchangeReader().read(ArchiveFile("f", "p", "/x/p", partial(BytesIO, laughs.encode())), ReadOptions())
        )


class _Endless(io.RawIOBase):
    """A dump that is made while it is read."""

    def __init__(self, rows: int) -> None:
        self._pieces = self._make(rows)
        self._rest = b""

    def _make(self, rows: int) -> Iterator[bytes]:
        yield b'<?xml version="1.0"?><posts>'
        body = "word " * 200
        for number in range(rows):
            yield f'<row Id="{2 * number + 1}" PostTypeId="1" Title="t" Body="{body}" />'.encode()
            yield f'<row Id="{2 * number + 2}" PostTypeId="2" ParentId="{2 * number + 1}" Body="{body}" />'.encode()
        yield b"</posts>"

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        while len(self._rest) < size and (piece := next(self._pieces, b"")):
            self._rest += piece
        data, self._rest = self._rest[:size], self._rest[size:]
        return data


def _endless(rows: int) -> BinaryIO:
    return cast(BinaryIO, _Endless(rows))


@pytest.mark.slow
def test_memory_does_not_grow_with_the_dump() -> None:
    """Ten times the rows, the same memory."""
    peaks = []
    for rows in (400, 4_000):
        file = ArchiveFile("f", "p", "/x/p", partial(_endless, rows))
        file.__dict__["head"] = b"<posts>"
        tracemalloc.start()
        count = sum(isinstance(item, Post) for item in StackExchangeReader().read(file, ReadOptions()))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert count == rows
    assert peaks[1] < 6_000_000
    assert peaks[1] < 1.5 * peaks[0]


def test_characters_that_xml_forbids_are_replaced() -> None:
    """Real dumps have them: none of their other posts is lost."""
    nasty = "a&#0;b&#x1f;c&#xD800;d&#xFFFE;e&#99999999;f\x01g &#65;&#x1F600;"
    (made,) = read(StackExchangeReader(), f'<posts><row Id="1" PostTypeId="1" Body="{nasty}" /></posts>')
    assert isinstance(made, Post)
    assert made.question == "a\ufffdb\ufffdc\ufffdd\ufffde\ufffdf\ufffdg A😀"


@pytest.mark.parametrize("encoding", ["windows-1252", "ISO-8859-1", "koi8-r", "utf-8", "utf-16", "nothing-at-all"])
def test_the_declared_encoding_is_read(encoding: str) -> None:
    """What is no encoding, or Unicode, is told by the bytes."""
    text = "колено" if encoding == "koi8-r" else "é"
    dump = f'<?xml version="1.0" encoding="{encoding}"?><posts><row Id="1" PostTypeId="1" Body="{text}" /></posts>'
    (made,) = read(StackExchangeReader(), dump.encode("utf-8" if encoding == "nothing-at-all" else encoding))
    assert isinstance(made, Post)
    assert made.question == text


def test_a_second_row_of_one_id_is_set_aside() -> None:
    """It does not take the first one's place in silence."""
    row = '<row Id="1" PostTypeId="1" Body="{}" />'
    note, made = read(StackExchangeReader(), f"<posts>\n{row.format('first')}\n{row.format('second')}</posts>")
    assert note == SetAside("folder/file", "line 3", "another row has its Id, 1")
    assert isinstance(made, Post)
    assert made.question == "first"


@pytest.mark.parametrize("chunk", [10, 50, 10_000])
def test_a_row_that_is_too_long_hides_none_behind_it(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the lines behind it are counted on."""
    monkeypatch.setattr("qa_search.archives.formats.stackexchange._CHUNK_CHARACTERS", chunk)
    long = '<row Id="2" PostTypeId="1" Body="' + "x > y\n" * 100 + '" />'
    dump = f'<posts>\n<row Id="1" PostTypeId="1" Body="q" />\n{long}\n<row PostTypeId="1" />\n</posts>'
    file = archive_file(dump)
    found = list(StackExchangeReader().read(file, ReadOptions(limits=Limits(record_bytes=200))))
    assert [str(item) for item in found if isinstance(item, SetAside)] == [
        "folder/file, line 3: longer than 200 bytes (see Limits.record_bytes)",
        "folder/file, line 104: a row without a usable Id",
    ]
    assert sum(isinstance(item, Post) for item in found) == 1


def test_a_thread_that_is_too_long_is_set_aside() -> None:
    """Before all its answers are in memory."""
    answers = "".join(f'<row Id="{n}" PostTypeId="2" ParentId="1" Body="{"a" * 100}" />' for n in range(2, 30))
    other = '<row Id="100" PostTypeId="1" Body="q" />'
    file = archive_file(f'<posts><row Id="1" PostTypeId="1" Body="q" />{answers}{other}</posts>')
    note, made = StackExchangeReader().read(file, ReadOptions(limits=Limits(record_bytes=1000)))
    assert note == SetAside(
        "folder/file", "Id 1", "a post of more than 1,000,000 characters (see Limits.post_characters)"
    )
    assert isinstance(made, Post)


@pytest.mark.parametrize(
    ("dump", "reason"),
    [
        ("<posts>" + "<row>" * 100, "nested deeper than any dump"),
        ("<posts>" + "".join(f"<row a{n}='' />" for n in range(2000)) + "</posts>", "more different names"),
    ],
)
def test_what_no_dump_has_is_refused(dump: str, reason: str) -> None:
    """The parser's memory would grow with it."""
    with pytest.raises(DamagedArchiveError, match=reason):
        read(StackExchangeReader(), dump)
