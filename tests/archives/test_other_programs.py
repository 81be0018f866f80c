"""Files of other programs: workbooks, Word documents, PDFs, databases, Parquet."""

from __future__ import annotations

from pathlib import Path

import pytest

from qa_search.archives.read import Reading, read_archives
from qa_search.errors import UnknownFormatError
from qa_search.types import Post, SetAside
from tests.archives.samples import docx, ods, parquet, pdf, sqlite_file, xlsx
from tests.helpers import posts_in

PAIRS = [("Why does it knock?", "Limescale."), ("How often?", "Twice a year.")]
ROWS = [["Question", "Answer"], *map(list, PAIRS)]
HEADINGS = [("Heading1", "Heating FAQ"), *(part for q, a in PAIRS for part in (("Heading2", q), ("", a)))]
BOLD = [("", "Heating FAQ"), *(part for q, a in PAIRS for part in (("bold", q), ("", a)))]
LABELLED = ["Heating", *(line for q, a in PAIRS for line in (f"Q: {q}", f"A: {a}"))]
NUMBERED = ["Heating", *(line for n, (q, a) in enumerate(PAIRS, start=1) for line in (f"{n}. {q}", a))]
TABLE = (
    "CREATE TABLE faq (id INTEGER PRIMARY KEY, question TEXT, answer TEXT);"
    "INSERT INTO faq VALUES (1, 'Why does it knock?', 'Limescale.'), (2, 'How often?', 'Twice a year.');"
    "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO users VALUES (1, 'ann');"
)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.xlsx", xlsx({"Notes": [["Only", "for", "us"]], "FAQ": ROWS})),
        ("a.xlsx", xlsx({"FAQ": [["", ""], ["", "Our FAQ"], ["", ""], *(["", *row] for row in ROWS)]})),
        ("a.ods", ods({"FAQ": ROWS})),
        ("a", ods({"Fragen": [["Frage", "Antwort"], *ROWS[1:]]})),
        ("a.docx", docx(HEADINGS)),
        ("a.docx", docx(BOLD)),
        ("a.docx", docx([("", line) for line in LABELLED])),
        ("a.pdf", pdf(LABELLED)),
        ("a.pdf", pdf(NUMBERED)),
        ("a.parquet", parquet([{"question": q, "answer": a} for q, a in PAIRS])),
    ],
)
def test_questions_and_answers_are_found(name: str, data: bytes, tmp_path: Path) -> None:
    """Whatever the program that wrote them, and wherever in the file they stand."""
    path = tmp_path / name
    path.write_bytes(data)
    assert [(post.question, post.answer) for post in posts_in(path)] == PAIRS


def test_hidden_sheets_are_left_out_and_said(tmp_path: Path) -> None:
    """People keep drafts there. The sheets behind them are read."""
    path = tmp_path / "a.xlsx"
    draft = [["Question", "Answer"], ["A draft?", "Not for patients."]]
    path.write_bytes(xlsx({"Old": draft, "FAQ": ROWS, "Drafts": draft}, {"Old": "hidden", "Drafts": "veryHidden"}))
    reading = Reading()
    posts = [item for item in read_archives([path], reading=reading) if isinstance(item, Post)]
    assert [(post.question, post.answer) for post in posts] == PAIRS
    (report,) = reading.reports
    assert report.remarks == (
        "left out: hidden sheets ('Old', 'Drafts'). To have them read, show them and save the workbook",
    )
    path.write_bytes(xlsx({"Notes": [["Only", "us"]], "FAQ": draft}, {"FAQ": "hidden"}))
    with pytest.raises(UnknownFormatError, match=r"hidden sheets \('FAQ'\), which are not read\. Show them"):
        list(read_archives([path]))


def test_a_database_s_tables_are_read(tmp_path: Path) -> None:
    """A post per row, under the table's name; other tables are left alone."""
    path = tmp_path / "a.db"
    sqlite_file(path, TABLE)
    posts = posts_in(path)
    assert [(post.question, post.answer) for post in posts] == PAIRS
    assert [(post.source, post.source_id) for post in posts] == [
        (f"{'/'.join(tmp_path.parts[-2:])}/a.db/faq", "1"),
        (f"{'/'.join(tmp_path.parts[-2:])}/a.db/faq", "2"),
    ]


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("a.xlsx", xlsx({"Costs": [["Month", "Cost"], ["May", "5"]]}), r"a\.xlsx, sheet Costs.*no recognisable column"),
        (
            "a.xlsx",
            xlsx({"A": [["Month", "x"]], "B": [["Day", "y"]]}),
            r"a workbook whose 2 sheets have no recognisable questions",
        ),
        ("a.docx", docx([("", "Dear Ann,"), ("", "how are you?")]), "a Word document without recognisable questions"),
        ("a.pdf", pdf(["Dear Ann,", "how are you?"]), "a PDF without recognisable questions"),
        ("a.parquet", parquet([{"carat": "1", "cut": "Good"}]), r"fields: carat, cut"),
        ("a.md", b"# A tool\n\n## Install\n\npip\n\n## Why?\n\nBecause.\n", "Markdown without recognisable questions"),
        ("a.yml", b"services:\n  - name: web\n    image: x\n", "no recognisable question"),
    ],
)
def test_what_holds_no_questions_is_refused_by_name(name: str, data: bytes, said: str, tmp_path: Path) -> None:
    """One message that says what the file is and what it needs; in a folder, one note."""
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(UnknownFormatError, match=said):
        list(read_archives([path]))
    notes = list(read_archives([tmp_path]))
    assert len(notes) == 1
    assert isinstance(notes[0], SetAside)


@pytest.mark.parametrize(
    ("module", "name", "data", "extra"),
    [
        ("mammoth", "a.docx", docx(HEADINGS), "docx"),
        ("pypdfium2", "a.pdf", pdf(LABELLED), "pdf"),
        ("pyarrow", "a.parquet", parquet([{"question": "a?", "answer": "b"}]), "parquet"),
    ],
)
def test_a_missing_extra_is_named_with_the_command_that_installs_it(
    module: str, name: str, data: bytes, extra: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """These packages are large or rarely needed, so they need not be there."""
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / f"{module}.py").write_text(f'raise ImportError("No module named {module}")')
    monkeypatch.setenv("PYTHONPATH", str(hidden))
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(UnknownFormatError, match=rf"No module named.*pip install 'qa-search\[{extra}\]'"):
        list(read_archives([path]))
