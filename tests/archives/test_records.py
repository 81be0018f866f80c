"""Records with named fields, in JSON, JSON Lines, CSV and TSV."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_search.archives.base import ReadOptions
from qa_search.archives.formats.json_records import JsonLinesReader, JsonReader
from qa_search.archives.formats.records import Record, join_answers, post_of, split_tags
from qa_search.archives.formats.tables import TableReader
from qa_search.archives.limits import Limits
from qa_search.archives.read import read_archives
from qa_search.errors import DamagedArchiveError, UnclearFieldsError, UnknownFormatError
from qa_search.types import AnswerPart, Post, SetAside
from qa_search.util.text import clean_text, visible
from tests.helpers import archive_file, read


def post(fields: dict[str, Any], **field_map: str) -> Post:
    made = post_of(archive_file(""), Record("record 1", fields), ReadOptions(field_map))
    assert isinstance(made, Post), made
    return made


@pytest.mark.parametrize(
    ("fields", "title", "question", "answer"),
    [
        ({"question": "Q", "answer": "A"}, "", "Q", "A"),
        ({"Title": "T", "Body": "Q", "Reply": "A"}, "T", "Q", "A"),
        ({"subject": "T", "text": "Q", "response": "A"}, "T", "Q", "A"),
        ({"question": "headline", "question_text": "long", "answer": "A"}, "headline", "long", "A"),
        ({"title": "T", "question": "Q", "body": "B", "answer": "A"}, "T", "Q\n\nB", "A"),
        ({"question": "Q", "answers": ["A", "B"]}, "", "Q", "A\n\nB"),
        (
            {"question": "Q", "answers": [{"text": "low", "score": 1}, {"text": "top", "score": 9}]},
            "",
            "Q",
            "top\n\nlow",
        ),
        ({"question": {"text": "Q"}, "answer": {"body": "A"}}, "", "Q", "A"),
        ({"question": "Q", "answer": "", "answer_html": "<p>A</p>"}, "", "Q", "A"),
        ({"question": "Q", "answer": "<p>One.</p><p>Two.</p>"}, "", "Q", "One.\n\nTwo."),
        ({"question": "Q", "answer": "see <link>"}, "", "Q", "see <link>"),
        ({"question": "Q"}, "", "Q", ""),
    ],
)
def test_usual_field_names_are_recognised(fields: dict[str, Any], title: str, question: str, answer: str) -> None:
    """Exports spell their fields in many ways; HTML in them becomes text."""
    made = post(fields)
    assert (made.title, made.question, made.answer) == (title, question, answer)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"name": "x", "queries": 616, "answers_per_query": {"answer": 1.5}}', "no recognisable question or answer"),
        ('[{"question": "1", "answer": "20 %"}, {"question": "1,5"}]', "no recognisable question or answer"),
        ('[{"question": 1, "answer": "Rest it.", "wording": "My heel hurts."}]', "'wording' could hold it"),
    ],
)  # fmt: skip
def test_numbers_alone_are_no_texts(text: str, said: str) -> None:
    """Statistics count queries, and tables count their rows."""
    with pytest.raises((UnknownFormatError, UnclearFieldsError), match=said):
        list(JsonReader().read(archive_file(text, "stats.jsonl"), ReadOptions()))


@pytest.mark.parametrize(
    ("question", "answer"),
    [("How many legs has a spider?", 8), (404, "The page is missing."), ("2 + 2 = ?", "4"), ("911", "Fire & police")],
)
def test_numbers_beside_texts_are_read(question: object, answer: object) -> None:
    """An answer may be a number, and so may a question that nothing else could be."""
    made = post({"question": question, "answer": answer})
    assert (made.question, made.answer) == (str(question), str(answer))


@pytest.mark.parametrize(
    ("fields", "title", "question"),
    [
        ({"question": 12, "text": "My knee hurts.", "answer": "Rest it."}, "", "My knee hurts."),
        ({"title": 404, "text": "The page is missing.", "answer": "Look again."}, "404", "The page is missing."),
        ({"question": "Why?", "message": 3, "answer": "So."}, "", "Why?"),
    ],
)
def test_numbers_beside_a_question_are_not_part_of_it(fields: dict[str, Any], title: str, question: str) -> None:
    """They count or number the rows; as titles they may be codes."""
    made = post(fields)
    assert (made.title, made.question) == (title, question)


def test_every_role_is_read() -> None:
    """Date, link, tags, category, author, score and id."""
    made = post(
        {
            "ID": 7, "question": "Q", "answer": "A", "CreationDate": "2015/2/3", "link": "https://example.org/7",
            "tags": ["a", "b"], "category": "c; a", "author": "Ann", "votes": "12",
        }
    )  # fmt: skip
    assert made == Post(
        "folder/file", "7", "", "Q", "A", "2015-02-03", "https://example.org/7", ("a", "b", "c"), "Ann", 12
    )


def test_fields_can_be_named() -> None:
    """A map names fields in any language, also within objects; "-" gives a role to no field."""
    fields = {"Frage": "Q", "Antwort": {"Text": "A"}, "text": "not this"}
    made = post(fields, question="Frage", answer="Antwort.Text", body="-")
    assert (made.question, made.answer) == ("Q", "A")


def test_ids_outlive_edits_of_the_answer_and_of_neighbours() -> None:
    """A record without an id is named by its link and what it asks, not by its place or its answer."""
    first = post({"question": "Q", "answer": "A", "url": "https://example.org/faq"})
    mended = post({"url": "https://example.org/faq", "question": "Q", "answer": "better"})
    other = post({"question": "R", "answer": "A", "url": "https://example.org/faq"})
    assert first.post_id == mended.post_id
    assert first.post_id != other.post_id


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"question": " ", "answer": None}, "neither a question nor an answer"),
        ({"question": "Q", "answer": True}, "true where text was expected"),
        ({"question": {"foo": 1}, "answer": "A"}, "an object where text was expected"),
    ],
)
def test_a_record_that_is_no_post_is_set_aside(fields: dict[str, Any], reason: str) -> None:
    """With its place and the reason."""
    note = post_of(archive_file(""), Record("record 1", fields), ReadOptions())
    assert isinstance(note, SetAside)
    assert note.place == "record 1"
    assert reason in note.reason


@pytest.mark.parametrize("text", ["<a b><c>", "|a b|c|", "a b, c", "a b;c", " a b ,, c,c"])
def test_tags_are_parted(text: str) -> None:
    """In all the ways in which dumps write them."""
    assert split_tags(text) == ("a b", "c")


def test_answers_are_joined_best_first_with_their_spans() -> None:
    """The accepted answer first, then by score; equal scores keep their order."""
    given = [
        ("low", AnswerPart(0, 0, id="1", score=-3)),
        ("accepted", AnswerPart(0, 0, id="2", score=0, accepted=True)),
        ("", AnswerPart(0, 0, id="3", score=99)),
        ("high", AnswerPart(0, 0, id="4", score=5)),
        ("none", AnswerPart(0, 0, id="5")),
    ]
    text, parts = join_answers(given)
    assert [(part.id, text[part.start : part.end]) for part in parts] == [
        ("2", "accepted"),
        ("4", "high"),
        ("5", "none"),
        ("1", "low"),
    ]


RECORDS = [{"id": n, "question": f"Q{n} é“", "answer": f"A{n}\nline"} for n in range(3)]


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(RECORDS),
        json.dumps(RECORDS, indent=2, ensure_ascii=False),
        json.dumps({"site": "x", "tags": ["t"], "posts": RECORDS}),
        json.dumps({"meta": {"n": 3}, "data": {"posts": RECORDS}}, indent=1),
        json.dumps({"a": RECORDS[:1], "b": RECORDS[1:]}),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_json_documents_of_several_shapes(text: str, encoding: str) -> None:
    """An array, or the arrays anywhere in an object, in any encoding."""
    found = read(JsonReader(), text.encode(encoding))
    assert [(item.source_id, item.answer) for item in found if isinstance(item, Post)] == [
        (str(n), f"A{n}\nline") for n in range(3)
    ]
    assert [item.question for item in found if isinstance(item, Post)] == [f"Q{n} é“" for n in range(3)]


@pytest.mark.parametrize("indent", [None, 2])
def test_a_single_json_object_is_a_post(indent: int | None) -> None:
    """One post per file, in one line or in several."""
    (made,) = read(JsonReader(), json.dumps(RECORDS[0] | {"tags": ["a"]}, indent=indent))
    assert isinstance(made, Post)
    assert (made.source_id, made.tags) == ("0", ("a",))


def test_json_items_that_are_no_objects_are_set_aside() -> None:
    """Each with its number."""
    found = read(JsonReader(), json.dumps([RECORDS[0], 5, "x", None, RECORDS[1]]))
    assert [type(item).__name__ for item in found] == ["Post", "SetAside", "SetAside", "SetAside", "Post"]
    assert found[1] == SetAside("folder/file", "record 2", "5 is not an object with fields")


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(st.lists(st.tuples(st.text(), _JSON), min_size=1), st.sampled_from([None, 0, 3]), st.booleans(), st.booleans(),
       st.sampled_from([1, 2, 7, 64]))  # fmt: skip
@pytest.mark.slow
def test_records_are_parted_as_json_says(
    values: list[tuple[str, Any]], indent: int | None, wrapped: bool, ascii_only: bool, at_once: int
) -> None:
    """Whatever brackets, quotes and escapes their texts hold, and wherever what is read at once ends."""
    rows: list[dict[str, Any]] = [
        {"id": str(number), "answer": "a", "author": f"a{text}", "other": value}
        for number, (text, value) in enumerate(values)
    ]
    document = {"none": [1, "[{"], "in": {"posts": rows}} if wrapped else rows
    data = json.dumps(document, indent=indent, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("qa_search.archives.formats.json_records._CHUNK_CHARACTERS", at_once)
        found = read(JsonReader(), data, question="-")
    assert [(item.source_id, item.author) for item in found if isinstance(item, Post)] == [
        (row["id"], clean_text(row["author"])) for row in rows
    ]


@pytest.mark.parametrize("at_once", [1, 5, 1000])
@pytest.mark.parametrize(
    "long",
    [
        '{"answer": "' + r"\" \\ \u0041 ] { " * 20 + '"}',
        "[[[" + "[1, {}]," * 30 + "1]]]",
        "7" * 300,
        f'"{"x" * 300}"',
        f'{{"answer": 1{" " * 300}}}',
        f'{{"{"k" * 90}": "{"v" * 90}"}}',
    ],
)
def test_a_record_that_is_too_long_hides_none_behind_it(
    long: str, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever it is cut while it is passed over: in a string, behind a backslash, between brackets."""
    monkeypatch.setattr("qa_search.archives.formats.json_records._CHUNK_CHARACTERS", at_once)
    text = f'[{{"answer": "first"}}, {long}, {{"answer": "last"}}]'
    items = JsonReader().read(archive_file(text), ReadOptions(limits=Limits(record_bytes=150)))
    assert [item.answer if isinstance(item, Post) else str(item) for item in items] == [
        "first",
        "folder/file, record 2: longer than 150 bytes (see Limits.record_bytes)",
        "last",
    ]


@pytest.mark.slow
def test_arrays_under_many_keys_are_read_in_one_pass() -> None:
    """A time for each that does not grow with their number."""
    file = archive_file(json.dumps({f"key{number}": [{"answer": f"a{number}"}] for number in range(20_000)}))
    reads = []
    counted = replace(file, opener=lambda: reads.append(1) or file.opener())  # type: ignore[func-returns-value]
    assert sum(isinstance(item, Post) for item in JsonReader().read(counted, ReadOptions())) == 20_000
    assert len(reads) <= 3


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (f'{{"answer": {"1" * 5000}}}', "a number that has too many digits"),
        (f'{{"answer": {"[" * 500}1{"]" * 500}}}', "nested too deep"),
        (f'{{"answer": {"""{"a": """ * 5000}1{"}" * 5000}}}', "nested too deep"),
        ('{"answer": "a" "b"}', "not JSON"),
        (f'{{"x": [0{",0" * 2_000_001}]}}', "a JSON value of more than 2,000,000 values"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("form", ["%s\n{}\n{}", "[%s, {}, {}]"])
def test_a_record_that_cannot_be_read_is_set_aside_alone(record: str, reason: str, form: str) -> None:
    """In JSON as in JSON Lines, the records around it are read."""
    text = form.replace("%s", record).replace("{}", '{"answer": "a"}')
    reader = JsonReader() if form.startswith("[") else JsonLinesReader()
    note, *posts = read(reader, text, "faq.json" if form.startswith("[") else "faq.jsonl")
    assert isinstance(note, SetAside)
    assert reason in note.reason
    assert len(posts) == 2


def test_an_odd_value_in_a_field_that_is_not_needed_costs_nothing_else() -> None:
    """A link that is an object, an author that is a list, a score beyond what databases hold."""
    made = post(
        {"answer": "A", "id": {"x": 1}, "url": {"x": 1}, "author": True, "tags": [{"x": 1}, "t"], "date": [[]],
         "score": 10**30, "title": None}
    )  # fmt: skip
    assert (made.answer, made.url, made.author, made.tags, made.date, made.score) == (
        "A",
        None,
        None,
        ("t",),
        None,
        None,
    )
    assert made.source_id.startswith("text-")


@pytest.mark.parametrize("date", ["2015-01-01\ud80010:00", "2015-01-01\x1b10:00", "9" * 5000, "2015-13-45", "\0"])
def test_a_date_is_clean_or_none(date: str) -> None:
    """Python takes any character between day and time; a terminal or a database does not."""
    made = post({"answer": "A", "date": date, "answers": [{"text": "A", "date": date}]})
    for found in (made.date, *(part.date for part in made.answers)):
        assert found is None or found == visible(found)


def test_parts_of_an_answer_can_be_stored() -> None:
    """Their ids and authors are cleaned as texts are."""
    made = post({"answers": [{"text": "A", "id": "\ud800", "author": "\0", "score": 2**63}]})
    assert [(part.id, part.author, part.score) for part in made.answers] == [("\ufffd", "\ufffd", None)]


@pytest.mark.parametrize(
    "text", [json.dumps(RECORDS)[:-40], json.dumps(RECORDS) + "]", "[" + json.dumps(RECORDS[0]) + ", {]"]
)
def test_broken_json_is_damage_and_says_after_which_record(text: str) -> None:
    """What comes after the break cannot be found again."""
    with pytest.raises(DamagedArchiveError, match=r"/somewhere/folder/file, after record \d: broken"):
        read(JsonReader(), text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1, 2, 3]", "1 is not an object with fields"),
        ("{}", "record 1: neither a question nor an answer"),
        ("[]", "JSON without records"),
        ('[{"a": 1}, {"b": 2}]', r"fields: a, b.*field_map={'question': FIELD"),
    ],
)
def test_json_of_the_wrong_shape_is_told(text: str, message: str) -> None:
    """The message shows what was found and the way out."""
    with pytest.raises(UnknownFormatError, match=message):
        read(JsonReader(), text)


def test_a_map_that_names_no_field_is_told() -> None:
    """A mistyped name is an error, not an empty index."""
    with pytest.raises(UnknownFormatError, match=r"field_map={'question': 'Fraage'} names no field.*Anfrage 1"):
        read(JsonReader(), '[{"Anfrage 1": "Q"}]', question="Fraage")


def test_json_lines_set_broken_lines_aside_by_number() -> None:
    """The lines around a broken one are read."""
    lines = [json.dumps(record) for record in RECORDS]
    found = read(JsonLinesReader(), "\n".join([lines[0], '{"question": ', "", "[1]", lines[1]]), "x.jsonl")
    assert [item.place if isinstance(item, SetAside) else item.source_id for item in found] == [
        "0",
        "line 2",
        "line 4",
        "1",
    ]


def test_json_lines_are_told_from_a_document() -> None:
    """By content: an object per line, whatever the name."""
    two_lines = archive_file('{"question": "a"}\n{"question": "b"}\n', "x.json")
    wrapper = archive_file('{"posts": [\n{"question": "a"}]}', "x.json")
    assert JsonLinesReader().recognises(two_lines, ReadOptions())
    assert not JsonReader().recognises(two_lines, ReadOptions())
    assert JsonReader().recognises(wrapper, ReadOptions())


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_tables_with_any_delimiter(delimiter: str) -> None:
    """Quoted fields may hold delimiters, quotes and line ends."""
    text = f'id{delimiter}question{delimiter}answer\n1{delimiter}Q{delimiter}"A{delimiter} ""b""\nline"\n'
    (made,) = read(TableReader(), text)
    assert isinstance(made, Post)
    assert (made.source_id, made.question, made.answer) == ("1", "Q", f'A{delimiter} "b"\nline')


def test_rows_that_do_not_fit_are_set_aside_by_line() -> None:
    """Too many fields; short rows, blank lines and quotes within quotes are fine."""
    text = 'question,answer,tags\nQ1,A1,t\nQ2,A2,t,extra\nQ3,"A"3,t\n\nQ4,A4\n'
    found = read(TableReader(), text)
    assert [item.place if isinstance(item, SetAside) else item.question for item in found] == [
        "Q1",
        "line 3",
        "Q3",
        "Q4",
    ]


def test_a_quote_that_is_never_closed_is_damage() -> None:
    """It would swallow all rows behind it in silence."""
    with pytest.raises(DamagedArchiveError, match="line 3: a quote is opened and never closed"):
        read(TableReader(), 'question,answer\nQ1,A1\nQ2,"A2\nQ3,A3\n')


@pytest.mark.parametrize("long", ["x" * 300, "x, y\n" * 60, ' ""quoted""\n' * 30, "," * 300, "\r\n" * 200])
def test_a_row_that_is_too_long_hides_none_behind_it(long: str) -> None:
    """What its quotes hold is passed over up to where they close."""
    text = f'id,answer\n1,first\n2,"{long}"\n3,last\n'
    items = TableReader().read(archive_file(text), ReadOptions(limits=Limits(record_bytes=150)))
    found = [
        item.answer if isinstance(item, Post) else f"{item.place}: {item.reason}"
        for item in items
        if isinstance(item, Post | SetAside)
    ]
    assert found == ["first", "line 3: longer than 150 bytes (see Limits.record_bytes)", "last"]


def test_a_row_of_too_many_fields_is_set_aside() -> None:
    """Before Python makes a list of them."""
    note, last = read(TableReader(), f"id,answer\n{',' * 1_000_001}\n3,last\n")
    assert isinstance(note, SetAside)
    assert (note.place, note.reason) == ("line 2", "a row of more than 1,000,000 fields")
    assert isinstance(last, Post)


@pytest.mark.parametrize(
    ("text", "reason"),
    [('question,"answer\nQ,A\n', "never closed"), ('"question"x,answer\nQ,A\n', "no table's header")],
)
def test_a_header_that_is_broken_is_damage(text: str, reason: str) -> None:
    """Nothing below it can be understood."""
    with pytest.raises(DamagedArchiveError, match=reason):
        read(TableReader(), text, "faq.csv")


def test_blank_lines_above_a_header_are_passed_over() -> None:
    """They are no header of no columns."""
    (made,) = read(TableReader(), "\n\nquestion,answer\nQ,A\n")
    assert isinstance(made, Post)
    assert made.answer == "A"


def test_long_fields_are_read_whole() -> None:
    """The csv module's own limit is no limit here."""
    (made,) = read(TableReader(), f'question,answer\nQ,"{"word " * 100_000}"\n')
    assert isinstance(made, Post)
    assert len(made.answer) == 499_999


def test_a_table_without_known_columns_is_told() -> None:
    """The message shows the columns."""
    with pytest.raises(UnknownFormatError, match=r"line 1: no recognisable column .*columns: foo, bar.*field_map="):
        read(TableReader(), "foo,bar\n1,2\n", "x.csv")


def test_mapped_columns_make_a_table() -> None:
    """Foreign column names are fine once they are named."""
    (made,) = read(TableReader(), "Frage;Antwort\nwas?;das\n", question="Frage", answer="Antwort")
    assert isinstance(made, Post)
    assert (made.question, made.answer) == ("was?", "das")


def test_a_table_without_a_header_says_which_columns_to_name(tmp_path: Path) -> None:
    """By their numbers, which count columns even where a cell of the first row has such a number."""
    path = tmp_path / "train.csv"
    path.write_text('"2","Why is the sky so blue?","I saw it.","It scatters blue light far more than red light."\n' * 2)
    with pytest.raises(UnknownFormatError, match=re.escape("{'question': '2', 'answer': '4'}")):
        list(read_archives([path]))
    options = ReadOptions(field_map={"question": "2", "answer": "4"})
    posts = [item for item in read_archives([path], options) if isinstance(item, Post)]
    assert {(post.question, post.answer) for post in posts} == {
        ("Why is the sky so blue?", "It scatters blue light far more than red light.")
    }
