"""Search results -> one HTML file. It needs no other file and runs no script."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from qa_search.interfaces.render.exported import HEADING, fact_lines, pieces, title_pieces
from qa_search.interfaces.render.links import link_in_file
from qa_search.interfaces.render.wording import labelled_texts, note
from qa_search.types import SearchResult
from qa_search.util.text import without_unsafe

if TYPE_CHECKING:
    from jinja2 import Template


def to_html(result: SearchResult) -> str:
    """Write a result as one HTML page that needs no other file and runs nothing, with the sentences marked."""
    hits = [
        {
            "rank": hit.rank,
            "title": title_pieces(hit),
            "facts": fact_lines(hit),
            "link": link_in_file(hit.url),
            "texts": [(label, pieces(hit, field)) for label, field in labelled_texts(hit)],
        }
        for hit in result.hits
    ]
    page = template("export.html").render(
        heading=HEADING, query=without_unsafe(result.query), note=note(result), hits=hits
    )
    return page + "\n"


@cache
def template(name: str) -> Template:
    """Return a template of a file that needs no other file and runs nothing."""
    from jinja2 import Environment, PackageLoader  # here, because few searches need it

    loader = PackageLoader("qa_search.interfaces.render")
    environment = Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return environment.get_template(name)
