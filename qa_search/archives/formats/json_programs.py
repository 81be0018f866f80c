"""Objects that one program alone writes (Trello, Reddit, Slack, Typeform and others) -> plain records."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from qa_search.archives.formats.json_threads import Joined, thread_of

_Object = Mapping[str, Any]
# What Piazza calls its posts, and what is written below them but the answers.
_CLASS_POSTS = ("question", "note", "poll")
_CLASS_REMARKS = ("followup", "feedback", "dupe")
_MOST_DEPTH = 12
# How DynamoDB names the kinds of its values.
_TYPED = ("S", "N", "BOOL", "L", "M", "SS", "NS", "NULL", "B")
# What Reddit calls its things: a comment and a link, which is a post.
_COMMENT, _POST = "t1", "t3"
# What a bulk export of Mattermost has beside posts, each below its kind.
_NO_POSTS = ("version", "role", "scheme", "team", "channel", "user", "bot", "emoji", "direct_channel")
# What Slack lists beside the messages: who takes part in it, and where they write.
_MEMBER, _ROOM, _PRIVATE_ROOM, _CHANGE = (
    frozenset(("id", "name", "profile")),
    frozenset(("id", "name", "members")),
    frozenset(("id", "created", "members")),
    frozenset(("change_type", "app_type", "date")),
)


def board(value: _Object) -> list[_Object] | None:
    """Read a board of Trello: a card asks, the comments of others on it answer."""
    cards, actions = value.get("cards"), value.get("actions")
    if not (isinstance(cards, list) and isinstance(actions, list) and "lists" in value):
        return None
    comments: dict[object, list[_Object]] = defaultdict(list)
    askers: dict[object, object] = {}
    for action in actions:
        data = action.get("data") if isinstance(action, Mapping) else None
        if not isinstance(data, Mapping):
            continue
        card = data.get("card")
        of_card = str(card.get("id")) if isinstance(card, Mapping) else ""
        if of_card and action.get("type") == "commentCard" and isinstance(data.get("text"), str):
            comments[of_card].append(action)
        elif of_card and action.get("type") == "createCard":
            askers[of_card] = _member(action)
    return [
        {
            "id": card.get("id"), "title": card.get("name"), "body": card.get("desc"), "tags": card.get("labels"),
            "url": card.get("shortUrl"), "date": card.get("dateLastActivity"),
            "author": askers.get(str(card.get("id"))),
            "answers": [
                {"text": action["data"]["text"], "id": action.get("id"), "date": action.get("date"),
                 "author": _member(action)}
                for action in sorted(comments[str(card.get("id"))], key=lambda action: str(action.get("date")))
                if _member(action) is None or _member(action) != askers.get(str(card.get("id")))
            ],
        }
        for card in cards
        if isinstance(card, Mapping) and card.get("closed") is not True
    ]  # fmt: skip


def _member(action: _Object) -> object:
    member = action.get("memberCreator")
    return member.get("fullName") or member.get("username") if isinstance(member, Mapping) else None


def listing(value: _Object) -> list[_Object] | None:
    """Read a listing of Reddit: its posts and its comments, each of which names what it replies to."""
    if value.get("kind") != "Listing" or not isinstance(value.get("data"), Mapping):
        return None
    records: list[_Object] = []
    _gather(value, records, 0)
    return records


def _gather(value: object, records: list[_Object], depth: int) -> None:
    data = value.get("data") if isinstance(value, Mapping) else None
    children = data.get("children") if isinstance(data, Mapping) else None
    if depth > _MOST_DEPTH or not isinstance(children, list):
        return
    for child in children:
        kind, thing = (child.get("kind"), child.get("data")) if isinstance(child, Mapping) else (None, None)
        if kind not in (_POST, _COMMENT) or not isinstance(thing, Mapping):
            continue
        rest = {name: inner for name, inner in thing.items() if name != "replies"}
        if kind == _COMMENT and _is_notice(thing):
            records.append(Joined({}, {"what moderators or their program put above all comments": 1}))
        else:
            records.append({**rest, "id": f"{kind}_{thing.get('id')}"})
        _gather(thing.get("replies"), records, depth + 1)


def _is_notice(thing: _Object) -> bool:
    """Return whether a comment is what moderators or their program put above all others."""
    return thing.get("author") == "AutoModerator" or (
        thing.get("stickied") is True and bool(thing.get("distinguished"))
    )


def class_post(value: _Object) -> list[_Object] | None:
    """Read a post of Piazza: its newest version asks, and the answers of instructors and students answer."""
    history, children, kind = value.get("history"), value.get("children"), value.get("type")
    if kind not in _CLASS_POSTS or not isinstance(children, list) or not _is_history(history):
        return None
    asked = _newest(value)
    below = [child for child in children if isinstance(child, Mapping)]
    answers = [
        {
            "text": newest.get("content"), "id": child.get("id"), "date": newest.get("created"),
            "accepted": child.get("type") == "i_answer", "author": newest.get("uid"),
        }
        for child in below
        if child.get("type") in ("i_answer", "s_answer") and (newest := _newest(child)).get("content")
    ]  # fmt: skip
    record = {
        "id": value.get("nr") or value.get("id"), "title": asked.get("subject"), "body": asked.get("content"),
        "answers": answers, "date": value.get("created"), "tags": value.get("folders") or value.get("tags"),
    }  # fmt: skip
    others = sum(child.get("type") in _CLASS_REMARKS for child in below)
    if kind != "question" and not answers:
        return [Joined({}, {"announcements": 1})]
    return [Joined(record, {"what was discussed below posts": others})]


def bulk_export(value: _Object) -> list[_Object] | None:
    """Read a line of Mattermost's bulk export: a post with the replies to it; other kinds are counted."""
    kind = value.get("type")
    if not isinstance(kind, str) or value.keys() != {"type", kind}:
        return None
    inner = value[kind]
    if kind == "direct_post":
        return [Joined({}, {"private messages": 1})]
    if kind in _NO_POSTS:
        return [Joined({}, {"lines about teams, channels and users": 1})]
    if kind != "post" or not isinstance(inner, Mapping):
        return None
    return thread_of(inner) or [{name: known for name, known in inner.items() if name != "replies"}]


def about_workspace(value: _Object) -> list[_Object] | None:
    """Read what Slack's export lists beside the messages (users, channels, changes): no posts, and counted."""
    keys = value.keys()
    is_member = keys >= _MEMBER and isinstance(value["profile"], Mapping)
    is_room = keys >= _ROOM and isinstance(value["members"], list) and isinstance(value.get("purpose"), Mapping)
    if is_member or is_room or keys == _PRIVATE_ROOM or keys >= _CHANGE:
        return [Joined({}, {"users and channels": 1})]
    return None


def form_response(value: _Object) -> list[_Object] | None:
    """Read what one filled into a form of Typeform: a record with a field for each of the form's questions."""
    inner = value.get("form_response")
    response = inner if isinstance(inner, Mapping) else value
    answers, definition = response.get("answers"), response.get("definition")
    if not isinstance(answers, list) or not answers or not all(map(_is_filled_in, answers)):
        return None
    listed = definition.get("fields") if isinstance(definition, Mapping) else None
    titles = {
        str(one.get("id")): one.get("title")
        for one in (listed if isinstance(listed, list) else ())
        if isinstance(one, Mapping)
    }
    record: dict[str, object] = {"id": response.get("response_id") or response.get("token")}
    record |= {"date": response.get("submitted_at")}
    for answer in answers:
        form_field, given = answer["field"], answer[answer["type"]]
        if isinstance(given, Mapping):  # choices have labels
            given = given.get("label", given.get("labels"))
        title = form_field.get("title") or titles.get(str(form_field.get("id"))) or form_field.get("ref")
        record.setdefault(str(title or form_field.get("id")), given)
    return [record]


def _is_filled_in(answer: object) -> bool:
    return (
        isinstance(answer, Mapping)
        and isinstance(answer.get("field"), Mapping)
        and isinstance(answer.get("type"), str)
        and answer["type"] in answer
    )


def related(value: _Object) -> _Object:
    """Return a record of Salesforce with lists of the records that belong to it; another object unchanged.

    It keeps them as the answer to a query, below names such as "CaseComments" and "Answers__r".
    """
    lists = {name: inner["records"] for name, inner in value.items() if _is_query(inner)}
    if not lists:
        return value
    rest = {name: inner for name, inner in value.items() if name not in lists and name != "attributes"}
    for name, records in lists.items():
        plain = name.removesuffix("__r")
        plain = "comments" if plain.lower().endswith("comments") else plain
        rest[plain] = [_commented(record) for record in records if isinstance(record, Mapping)]
    return rest


def _is_query(value: object) -> bool:
    return isinstance(value, Mapping) and "totalSize" in value and isinstance(value.get("records"), list)


def _commented(record: _Object) -> _Object:
    """Return a record of a list, with the text of a comment named as all name it."""
    fields = {name: inner for name, inner in record.items() if name != "attributes"}
    text = fields.pop("CommentBody", None)
    hidden = {"private": True} if fields.get("IsPublished") is False else {}
    return fields if text is None else {**fields, **hidden, "body": text}


def _is_history(value: object) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], Mapping) and "content" in value[0]


def _newest(value: _Object) -> _Object:
    """Return the newest version of a post, or of an answer; some exports have its texts alone."""
    history = value.get("history")
    return history[0] if isinstance(history, list) and _is_history(history) else value


def plain_items(value: _Object) -> _Object:
    """Return an item of DynamoDB with its values alone, which it keeps below their kinds; another object unchanged."""
    item = value.get("Item") if len(value) == 1 else None
    if not isinstance(item, Mapping) or not all(_is_typed(inner) for inner in item.values()):
        return value
    return {"Item": {name: _untyped(inner, 0) for name, inner in item.items()}}


def _is_typed(value: object) -> bool:
    return isinstance(value, Mapping) and len(value) == 1 and next(iter(value)) in _TYPED


def _untyped(value: Any, depth: int) -> object:
    if depth > _MOST_DEPTH or not _is_typed(value):
        return value
    ((kind, inner),) = value.items()
    if kind == "L" and isinstance(inner, list):
        return [_untyped(part, depth + 1) for part in inner]
    if kind == "M" and isinstance(inner, Mapping):
        return {name: _untyped(part, depth + 1) for name, part in inner.items()}
    return None if kind == "NULL" else inner
