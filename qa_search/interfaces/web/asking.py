"""What the API and the pages share: a query's price, and a post with its neighbours or why it cannot be read."""

from __future__ import annotations

from fastapi import Request
from starlette.exceptions import HTTPException

from qa_search.interfaces.render.wording import hidden_post
from qa_search.interfaces.web.guards import Buckets, client_of
from qa_search.interfaces.web.pages import PostView
from qa_search.interfaces.web.service import question_cost
from qa_search.search.search_index import SearchIndex
from qa_search.types import Post


def charge(prices: Buckets, request: Request, characters: int, k: int) -> None:
    """Count a query against its client: a long query or many hits cost as much as many short queries."""
    wait = prices.take(client_of(request.scope), question_cost(characters, k))
    if wait > 0:
        raise HTTPException(429, "too much to search for: wait a moment", {"retry-after": str(int(wait) + 1)})


def notice_of(index: SearchIndex, text: str) -> str:
    """Return what the archivist's file says of the danger signs in a text that is not searched; "" if it has none."""
    return ("" if index.amended is None else index.amended.dangers.notice(text)) or ""


def view_of(index: SearchIndex, post_id: str) -> PostView:
    """Return a post and its neighbours.

    Raises:
        HTTPException: if the index has no such post, or hides it.
    """
    post: Post | None = index.post(post_id)
    if post is None:
        why = index.why_hidden(post_id)
        raise HTTPException(404, "The index has no post with this id." if why is None else hidden_post(why))
    before, after = index.neighbours(post_id)
    return PostView(post, post_id, before, after)


def why_gone(index: SearchIndex, post_id: str) -> str:
    """Say in a sentence why a post cannot be shown; "" if it can."""
    if index.post(post_id) is not None:
        return ""
    why = index.why_hidden(post_id)
    return "The post is no longer in the archive." if why is None else hidden_post(why)
