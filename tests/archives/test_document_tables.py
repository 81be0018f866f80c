"""Tables of web pages, Markdown and Word documents whose columns are named."""

from __future__ import annotations

from pathlib import Path

import pytest

from qa_search.archives.read import Reading, read_archives
from tests.helpers import posts_in

HEAD = "Date|Asked by|Question|Answer|Answered by|Topic|Link|Views|Subject|Keywords"
ROWS = [
    "03/02/2019|Ann|How do I descale it?|With vinegar.|Bob|Care|https://x.org/1|7|Kettle|acid, lime",
    "13/02/2019|Eve|Refunds|Within 14 days.|Tom|Shop|https://x.org/2|3|Money|law",
]


def page(head: str, rows: list[str], *, rich: bool) -> str:
    cells = [f"<td>{'</td><td>'.join(row.split('|'))}</td>" for row in rows]
    if rich:
        cells = [
            cell.replace("https://x.org/1", '<a href="https://x.org/1">more</a>').replace("With", "<p>With</p>")
            for cell in cells
        ]
    names = "</th><th>".join(head.split("|"))
    body = "".join(f"<tr>{cell}</tr>" for cell in cells)
    return f"<html><h1>Help</h1><table><thead><tr><th>{names}</th></tr></thead><tbody>{body}</tbody></table></html>"


@pytest.mark.parametrize("form", ["html", "rich", "markdown"])
def test_columns_beside_the_texts_are_read(form: str, tmp_path: Path) -> None:
    """Author, date, title, address, category and tags; the day comes first, as 13/02/2019 shows."""
    if form == "markdown":
        rule = "|".join(["---"] * (HEAD.count("|") + 1))
        text = "\n".join(["# Help", "", *(f"|{line}|" for line in (HEAD, rule, *ROWS))])
        (tmp_path / "help.md").write_text(text)
    else:
        (tmp_path / "help.html").write_text(page(HEAD, ROWS, rich=form == "rich"))
    first, second = posts_in(tmp_path)
    assert (first.question, " ".join(first.answer.split())) == ("How do I descale it?", "With vinegar.")
    assert (first.author, first.date, first.title, first.url) == ("Ann", "2019-02-03", "Kettle", "https://x.org/1")
    assert set(first.tags) == {"Care", "acid", "lime"}
    assert (second.author, second.date) == ("Eve", "2019-02-13")


@pytest.mark.parametrize("name", ["Author", "User", "Autor", "Fragesteller", "Name", "From"])
def test_the_column_of_authors_has_many_names(name: str, tmp_path: Path) -> None:
    """Also names that are weak elsewhere."""
    (tmp_path / "help.html").write_text(page(f"Question|Answer|{name}", ["Refunds?|Within 14 days.|Ann"], rich=False))
    assert [post.author for post in posts_in(tmp_path)] == ["Ann"]


def test_what_is_left_out_is_told(tmp_path: Path) -> None:
    """A column without a role, and dates that could mean two days; a column of numbers says nothing."""
    (tmp_path / "help.html").write_text(page(HEAD, [ROWS[0]], rich=False))
    reading = Reading()
    list(read_archives([tmp_path], reading=reading))
    assert reading.reports[0].remarks == (
        "dates such as '03/02/2019' could mean two days, and no other date shows which: they are left out",
        "left out: cells of the column 'Answered by' (1)",
    )
