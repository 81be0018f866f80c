"""Objects that hold what several people wrote (tickets, issues, threads) -> a record: what was asked, who answered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from qa_search.archives.formats.json_layouts import is_list_of_objects
from qa_search.archives.formats.roles import role_of
from qa_search.archives.formats.speakers import Side, conversation, sides_of
from qa_search.archives.formats.values import is_blank, is_yes, name_of

_Object = Mapping[str, Any]
THREAD_KEYS = (
    "posts", "messages", "comments", "replies", "children", "thread", "notes", "journals", "comments_data",
    "commentsData", "comment_list", "comments_list", "replies_data", "reply_list", "messages_list", "posts_list",
)  # fmt: skip
# Where help desks keep the messages of a ticket.
TICKET_KEYS = (
    "conversation_parts", "threads", "helpdesk_notes", "notes", "conversations", "comments", "messages", "replies",
    "updates", "thread_entries", "entries", "events", "posts", "conversation", "articles",
)  # fmt: skip
TICKET_WRAPPERS = ("helpdesk_ticket", "ticket", "conversation", "case")
_TICKET_TIMES = ("created_at", "createdAt", "created", "timestamp", "date", "time", "created_time", "createdTime")
_OPENING = ("description_text", "description", "body", "message", "content")
# What marks a comment that the asker never saw.
_FOR_STAFF = (
    ("public", False), ("jsdPublic", False), ("private", True), ("internal", True), ("private_notes", True),
)  # fmt: skip
_GONE = ("deleted", "is_deleted", "isDeleted", "hidden", "is_hidden", "spam", "is_spam")
# Who takes part in a chat, each with an id and a kind.
_PEOPLE = ("users", "participants", "members")
# What marks what a program wrote by itself.
_BY_PROGRAM = (
    ("system", True), ("messageType", "systemEventMessage"), ("type", "system"), ("type", "system_message"),
    ("distinguished", "moderator_bot"), ("author", "AutoModerator"), ("username", "discobot"),
)  # fmt: skip
# What Discourse calls its posts: what moderators did, what it did itself, and what staff whispers to itself.
_POSTS_OF_PROGRAM, _WHISPER = (2, 3), 4
# What of a conversation is left out of a post.
_NOTES, _EVENTS = "notes among staff", "what the program wrote"
_BELOW = "replies to answers"
_LATER, _BEFORE = "later messages of the one who asked", "what staff wrote before anything was asked"
_TIMES = ("timestamp_ms", "timestamp", "created_utc")
# Below these keys of a post without a title, others answer.
_BELOW_POSTS = ("comments", "replies")
_WRITER_IDS = ("requester_id", "author_id", "user_id")
_ASKERS = ("requester_id", "customer_id", "contact_id", "user_id")
_ASKER_OBJECTS = ("requester", "customer", "contact")
_WRITER_OBJECTS = ("author", "user", "sender", "from", "created_by", "createdBy")
_TEXT_KEYS = (
    "body", "text", "cooked", "content", "message", "post_text", "bodyText", "body_html", "comment", "selftext", "raw",
    "articleBody", "note", "notes", "body_text", "stripped_text", "text_body", "plain_body", "html_body",
)  # fmt: skip


class Joined(dict[str, object]):
    """A record that was made of several messages; ``omitted`` counts those that were left out, by their kinds."""

    def __init__(self, fields: _Object, omitted: Mapping[str, int]) -> None:
        """Take the fields, and the counts that are not 0."""
        super().__init__(fields)
        self.omitted = {what: count for what, count in omitted.items() if count}


def ticket_of(value: _Object) -> list[_Object] | None:
    """Read a ticket or a conversation of a help desk whose messages say who speaks; notes among staff are left out."""
    if (
        len(value) == 1
        and isinstance(inner := next(iter(value.values())), Mapping)
        and next(iter(value)) in TICKET_WRAPPERS
    ):
        return ticket_of(inner) or thread_of(inner)
    inner = value.get("thread")
    if isinstance(inner, Mapping) and not _messages_of(value)[1]:
        value = {**inner, **{name: known for name, known in value.items() if name != "thread"}}
    key, messages = _messages_of(value)
    messages = [message for message in messages if not _is_gone(message)]
    opening = value.get("source")
    if isinstance(opening, Mapping) and _text_key(opening):  # as Intercom keeps the first message
        messages = [{"created_at": value.get("created_at"), **opening}, *messages]
    title = value.get("subject") or value.get("title")
    if isinstance(opening, Mapping):
        title = title or opening.get("subject")
    own = next((text for name in _OPENING if isinstance(text := value.get(name), str) and not is_blank(text)), "")
    texts = [str(message.get(_text_key(message) or "", "")) for message in messages]
    said = list(zip(_sides(messages, value), texts, strict=True))
    is_one = any(name == "id" or name.endswith(("_id", "Id")) for name in value) or title or own or opening
    if not is_one or not any(side == "staff" for side, _ in said) or not all(side for side, text in said if text):
        return None
    said = [(side if text.strip() else "note", text) for side, text in said]
    kept = [number for number, (side, _) in enumerate(said) if side in ("customer", "staff")]
    parts = conversation([said[number] for number in kept], own)
    asked = [messages[kept[number]] for number in parts.asked]
    rest = {name: inner for name, inner in value.items() if name not in (key, *_OPENING, "source", "_embedded", "type")}
    texts = [own, *(said[kept[number]][1] for number in parts.asked)]
    answers = [
        {
            "text": said[kept[number]][1],
            "id": messages[kept[number]].get("id"),
            "author": _name(messages[kept[number]]) or None,
            "date": _time(messages[kept[number]]),
        }
        for number in parts.answers
    ]
    fields = {
        **rest, "title": title, "body": "\n\n".join(text for text in texts if text.strip()), "answers": answers,
        "author": _name(value) or (_name(asked[0]) if asked else None),
    }  # fmt: skip
    kinds = Counter(side for side, text in said if text.strip())
    omitted = {_NOTES: kinds["note"], _EVENTS: kinds["event"], _LATER: parts.later, _BEFORE: parts.before}
    return [Joined(fields, omitted)]


def issue(value: _Object) -> list[_Object] | None:
    """Read an issue of Jira: what it describes asks, comments of others answer."""
    fields = value.get("fields")
    if not isinstance(fields, Mapping) or "summary" not in fields or "key" not in value:
        return None
    below = fields.get("comment")
    comments = below.get("comments") if isinstance(below, Mapping) else None
    listed = [
        comment for comment in (comments if isinstance(comments, list) else ())
        if isinstance(comment, Mapping) and not is_blank(comment.get("body"))
    ]  # fmt: skip
    asker = _name(fields.get("reporter") or {}) or _name(fields.get("creator") or {})
    notes = [_is_for_staff(comment) for comment in listed]
    own = [bool(asker) and _name(comment) == asker for comment in listed]
    answers = [
        {"text": comment["body"], "id": comment.get("id"), "author": _name(comment), "date": comment.get("created")}
        for comment, note, asked in zip(listed, notes, own, strict=True)
        if not note and not asked
    ]
    record = {
        "id": value["key"], "title": fields["summary"], "body": fields.get("description"), "answers": answers,
        "author": asker or None, "date": fields.get("created"), "tags": fields.get("labels"),
    }  # fmt: skip
    later = sum(asked and not note for asked, note in zip(own, notes, strict=True))
    return [Joined(record, {_NOTES: sum(notes), _LATER: later})]


def _messages_of(value: _Object) -> tuple[str, list[_Object]]:
    """Find the messages of a ticket, in the order of their times; [] if it has no messages."""
    inner = value.get("_embedded")
    for holder in (value, inner if isinstance(inner, Mapping) else {}):
        for key in TICKET_KEYS:
            found: Any = holder.get(key)
            if isinstance(found, Mapping):
                found = found.get(key, found.get("data", found.get("nodes")))
            if is_list_of_objects(found) and all(isinstance(message, Mapping) for message in found):
                times = [_time(message) for message in found]
                if len({type(time) for time in times}) == 1 and times[0] is not None:
                    found = [found[number] for number in sorted(range(len(found)), key=times.__getitem__)]
                return key, found
    return "", []


def _is_for_staff(message: _Object) -> bool:
    if message.get("post_type") == _WHISPER and "post_number" in message:
        return True
    return any(message.get(name) is hidden for name, hidden in _FOR_STAFF)


def _time(message: _Object) -> Any:
    return next((found for name in _TICKET_TIMES if isinstance(found := message.get(name), str | int | float)), None)


def _sides(messages: Sequence[_Object], ticket: _Object) -> list[Side]:
    """Return who speaks in each message of a ticket, "" where that is not known."""
    asker = _id_of(ticket, _ASKERS, _ASKER_OBJECTS)
    sides = sides_of(messages)
    people = _people(ticket)
    for number, message in enumerate(messages):
        writer = _id_of(message, _WRITER_IDS, _WRITER_OBJECTS)
        if _is_for_staff(message):
            sides[number] = "note"
        elif not sides[number] and str(writer) in people:
            sides[number] = people[str(writer)]
        elif not sides[number] and isinstance(writer, str | int) and isinstance(asker, str | int):
            sides[number] = "customer" if writer == asker else "staff"
    return sides


def _people(ticket: _Object) -> dict[str, Side]:
    """Return who of those that take part in a chat is a customer and who is of the staff, by their ids."""
    listed: list[Any] = next((ticket[name] for name in _PEOPLE if is_list_of_objects(ticket.get(name))), [])
    people = [one for one in listed if isinstance(one, Mapping) and not is_blank(one.get("id"))]
    return {str(one["id"]): side for one, side in zip(people, sides_of(people), strict=True) if side}


def _is_gone(message: _Object) -> bool:
    return any(message.get(name) is True for name in _GONE)


def _id_of(value: _Object, names: Sequence[str], objects: Sequence[str]) -> Any:
    """Return the id of someone, from a field of one of these names or from an object about them."""
    found = next((value[name] for name in names if not is_blank(value.get(name))), None)
    if found is None:
        inner = (value.get(name) for name in objects)
        found = next((one["id"] for one in inner if isinstance(one, Mapping) and not is_blank(one.get("id"))), None)
    return found


def thread_of(value: _Object) -> list[_Object] | None:
    """Read a thread: where the object asks itself, its comments answer; else the first of its posts asks."""
    stream = value.get("post_stream")
    if isinstance(stream, Mapping) and isinstance(stream.get("posts"), list):
        said = [post for post in stream["posts"] if isinstance(post, Mapping)]
        kept = [post for post in said if not _is_by_program(post)] or said
        without = ("post_stream", "suggested_topics", "details")
        return _asked_first(value, kept, without, len(said) - len(kept)) if said else None
    roles = {known[0] for name, inner in value.items() if not is_blank(inner) and (known := role_of(name))}
    for key in THREAD_KEYS:
        posts = value.get(key)
        if isinstance(posts, Mapping):
            posts = posts.get("nodes", posts.get("data"))
        if not isinstance(posts, list) or not posts or not all(isinstance(post, Mapping) for post in posts):
            continue
        answered = [name for name in value if name != key and (known := role_of(name)) and known[0] == "answer"]
        if any(not is_blank(value[name]) for name in answered):
            continue
        events = sum(map(_is_by_program, posts))
        posts = [_plain(post) for post in _oldest_first(posts) if not _is_by_program(post)]
        titles = {str(title) for post in posts if (title := post.get("title") or post.get("subject"))}
        if not all(_text_key(post) for post in posts) or any(_answers_itself(post) for post in posts):
            continue
        asks = "body" in roles and not _answers_itself(value) and "parent" not in roles
        if asks and ("title" in roles or key in _BELOW_POSTS) and key != "posts":
            return _comments(value, key, posts, events)
        if key == "children" and titles - {str(value.get("title") or value.get("subject"))}:
            continue  # what is filed below a heading
        if "title" in roles and len(titles) <= 1:
            return _asked_first(value, posts, (key,), events)
    return None


def _plain(post: _Object) -> _Object:
    """Return a post whose text stands in an object beside its kind, as in Microsoft Teams, with the text alone."""
    body = post.get("body")
    return (
        {**post, "body": body["content"]}
        if isinstance(body, Mapping) and isinstance(body.get("content"), str)
        else post
    )


def _is_by_program(post: _Object) -> bool:
    if "post_number" in post and (post.get("post_type") in _POSTS_OF_PROGRAM or not is_blank(post.get("action_code"))):
        return True
    return any(post.get(name) == said for name, said in _BY_PROGRAM)


def _oldest_first(posts: list[_Object]) -> list[_Object]:
    """Return posts in the order of their times; some programs export the newest first."""
    times = [next((post[name] for name in _TIMES if isinstance(post.get(name), int | float)), None) for post in posts]
    if any(time is None for time in times):
        return posts
    return [post for _, post in sorted(zip(times, posts, strict=True), key=lambda pair: pair[0] or 0)]


def _text_key(post: _Object) -> str | None:
    return next((key for key in _TEXT_KEYS if isinstance(post.get(key), str)), None)


def _answers_itself(post: _Object) -> bool:
    known = (role_of(name) for name, inner in post.items() if isinstance(inner, str) and inner)
    return any(role is not None and role[0] == "answer" for role in known)


def _comments(value: _Object, key: str, posts: Sequence[_Object], events: int) -> list[_Object]:
    asker = _writer(value)
    answers = [answer for post in posts if (answer := _answer(post, asker)) is not None]
    fields = {**{name: inner for name, inner in value.items() if name != key}, "answers": answers}
    return [Joined(fields, _left_out(posts, answers, events))]


def _left_out(posts: Sequence[_Object], answers: Sequence[_Object], events: int) -> dict[str, int]:
    """Count what is left out of a thread: notes among staff, what the program wrote, and what the asker wrote later."""
    said = [post for post in posts if (key := _text_key(post)) and not is_blank(post[key])]
    gone = sum(map(_is_gone, said))
    said = [post for post in said if not _is_gone(post)]
    notes = sum(map(_is_for_staff, said))
    below = sum(len(found) for post in posts for key in _BELOW_POSTS if isinstance(found := post.get(key), list))
    return {_NOTES: notes, _EVENTS: events, _LATER: len(said) - notes - len(answers), _BELOW: below,
            "deleted or hidden messages": gone}  # fmt: skip


def _asked_first(value: _Object, posts: Sequence[_Object], without: tuple[str, ...], events: int = 0) -> list[_Object]:
    first = posts[0]
    asker = _writer(first)
    answers = [answer for post in posts[1:] if (answer := _answer(post, asker)) is not None]
    rest = {name: inner for name, inner in value.items() if name not in without}
    own = {
        name: inner
        for name, inner in first.items()
        if (known := role_of(name)) and known[0] in ("date", "author", "score", "title") and not is_blank(inner)
    }
    key = _text_key(first)
    asked = {**own, **rest} if "author" not in {known[0] for n in rest if (known := role_of(n))} else rest
    fields = {**asked, "body": first.get(key) if key else "", "answers": answers}
    return [Joined(fields, _left_out(posts[1:], answers, events))]


def _name(post: Any) -> str:
    for key in (
        "username",
        "author",
        "user",
        "owner",
        "display_name",
        "displayName",
        "name",
        "posterName",
        "sender_name",
        "from",
    ):
        if not is_blank(post.get(key)):
            inner = post[key]
            if isinstance(inner, Mapping) and isinstance(inner.get("user"), Mapping):  # as in Microsoft Teams
                inner = inner["user"]
            try:
                return name_of(inner)
            except ValueError:
                continue
    return ""


def _writer(post: _Object) -> str:
    """Return what tells who wrote a post from others: a name, else an id."""
    return _name(post) or next((str(post[key]) for key in _WRITER_IDS if not is_blank(post.get(key))), "")


def _answer(post: _Object, asker: str) -> _Object | None:
    """Make an answer of a post of a thread; None for the asker's posts, deleted ones and notes among staff."""
    if _is_for_staff(post) or _is_gone(post):
        return None
    key = _text_key(post)
    accepted = any(
        is_yes(post.get(name)) for name in ("accepted_answer", "accepted", "is_accepted", "isAnswer", "is_answer")
    )
    text = post.get(key) if key else None
    if is_blank(text) or (asker and _writer(post) == asker and not accepted):
        return None
    found: dict[str, object] = {"text": text, "accepted": accepted, "author": _name(post) or None}
    for name, inner in post.items():
        known = role_of(name)
        if known and known[0] in ("id", "date", "score") and known[0] not in found and not is_blank(inner):
            found[known[0]] = inner
    actions = post.get("actions_summary")
    if "score" not in found and isinstance(actions, list):
        likes = (item for item in actions if isinstance(item, Mapping) and item.get("id") == 2)  # Discourse's "like"
        found["score"] = next((item.get("count") for item in likes), None)
    return found
