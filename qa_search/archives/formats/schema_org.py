"""schema.org's questions and forum posts (JSON-LD objects) -> plain records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

_MOST_OBJECTS = 1_000_000


def schema_records(value: object) -> Iterator[dict[str, object]]:
    """Yield a record for each Question and DiscussionForumPosting in a JSON-LD value, however deep, in its order."""
    waiting: list[object] = [value]
    for _ in range(_MOST_OBJECTS):
        if not waiting:
            return
        item = waiting.pop()
        if isinstance(item, list):
            waiting += reversed(item)
        elif isinstance(item, Mapping):
            kinds = _kinds(item)
            if "Question" in kinds:
                yield _question(item)
            elif kinds & {"DiscussionForumPosting", "SocialMediaPosting"}:
                yield _discussion(item)
            else:
                waiting += reversed(list(item.values()))


def _question(item: Mapping[str, object]) -> dict[str, object]:
    name, text = item.get("name"), item.get("text") or item.get("articleBody")
    accepted = [_answer(given, accepted=True) for given in _several(item.get("acceptedAnswer"))]
    others = [_answer(given) for given in _several(item.get("suggestedAnswer"))]
    return {
        **_common(item),
        **({"title": name, "question": text} if name and text and name != text else {"question": name or text}),
        "answers": [answer for answer in (*accepted, *others) if answer["text"]],
    }


def _discussion(item: Mapping[str, object]) -> dict[str, object]:
    comments = [_answer(given) for given in _several(item.get("comment"))]
    return {
        **_common(item),
        "title": item.get("headline") or item.get("name"),
        "question": item.get("text") or item.get("articleBody"),
        "answers": [answer for answer in comments if answer["text"]],
    }


def _common(item: Mapping[str, object]) -> dict[str, object]:
    keywords = item.get("keywords") or item.get("articleSection")
    return {
        "url": item.get("url") if isinstance(item.get("url"), str) else None,
        "date": item.get("dateCreated") or item.get("datePublished"),
        "author": _name(item.get("author")),
        "score": item.get("upvoteCount"),
        "tags": keywords if isinstance(keywords, str | list) else None,
    }


def _answer(item: object, *, accepted: bool = False) -> dict[str, object]:
    if not isinstance(item, Mapping):
        return {"text": item if isinstance(item, str) else "", "accepted": accepted}
    text = item.get("text") or item.get("articleBody") or item.get("name")
    return {
        "text": text if isinstance(text, str) else "",
        "score": item.get("upvoteCount"),
        "accepted": accepted,
        "author": _name(item.get("author")),
        "date": item.get("dateCreated") or item.get("datePublished"),
    }


def _name(author: object) -> str | None:
    for given in _several(author):
        name = given.get("name") if isinstance(given, Mapping) else given
        if isinstance(name, str) and name.strip():
            return name
    return None


def _several(value: object) -> list[object]:
    return [] if value is None else value if isinstance(value, list) else [value]


def _kinds(item: Mapping[str, object]) -> set[str]:
    return {kind.rsplit("/", 1)[-1] for kind in _several(item.get("@type")) if isinstance(kind, str)}
