"""JSON values of the shapes that exports have -> plain records: one object each, with the fields of a post.

A shape is one small function that takes an object and gives its records, or None where the object has another shape.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from qa_search.archives.formats.json_layouts import numbered_records, records_by_columns
from qa_search.archives.formats.json_programs import board, listing, plain_items
from qa_search.archives.formats.labels import seems_to_ask
from qa_search.archives.formats.roles import role_of
from qa_search.archives.formats.speakers import Side, conversation, sides_of
from qa_search.archives.formats.values import is_blank, is_yes, name_of, text_of

_Object = Mapping[str, Any]
_USERS = frozenset(("user", "human", "prompter", "customer", "client", "question", "patient", "student"))
_ASSISTANTS = frozenset(
    ("assistant", "gpt", "bot", "agent", "model", "answer", "doctor", "expert", "chatgpt", "support")
)
# Who speaks in a chat of tawk.to: a visitor or an agent.
_LETTERS = {"v": "user", "a": "agent"}
# What Slack's program writes by itself.
_EVENTS = (
    "channel_join",
    "channel_leave",
    "channel_topic",
    "channel_purpose",
    "channel_name",
    "bot_add",
    "pinned_item",
)
_SLACK_LINK = re.compile(r"<(https?://[^|<>\s]+|mailto:[^|<>\s]+)(?:\|([^<>]*))?>")
_SLACK_NAME = re.compile(r"<([@#!])([^|<>\s]+)(?:\|([^<>]*))?>")
_CHAT_KEYS = ("messages", "conversations", "conversation", "turns", "dialog", "dialogue", "chat")
_GROUP_TITLES = ("category", "title", "name", "topic", "section", "label", "heading")
# What marks a comment that the asker never saw.
_FOR_STAFF = (("public", False), ("jsdPublic", False), ("private", True), ("internal", True))
# What marks what a program wrote by itself, beside the words of Slack.
_BY_PROGRAM = (("system", True), ("messageType", "systemEventMessage"))
_TIMES = ("timestamp_ms", "timestamp", "created_utc")
# Below these keys of a post without a title, others answer.
_BELOW_POSTS = ("comments", "replies")
_WRITER_IDS = ("requester_id", "author_id", "user_id")
_ASKERS = ("requester_id", "customer_id", "contact_id", "user_id")
_THREAD_KEYS = ("posts", "messages", "comments", "replies", "children", "thread", "notes")
_TEXT_KEYS = (
    "body", "text", "cooked", "content", "message", "post_text", "bodyText", "body_html", "comment", "selftext", "raw",
    "articleBody", "note",
)  # fmt: skip
# What content systems, search engines and interfaces put a record's own fields into.
_WRAPPERS = ("attributes", "fields", "_source", "node", "properties", "acf", "record", "row")
# Where help desks keep the messages of a ticket.
_TICKET_KEYS = (
    "conversation_parts", "threads", "helpdesk_notes", "notes", "conversations", "comments", "messages", "replies",
    "updates", "thread_entries", "entries", "events", "posts", "conversation", "articles",
)  # fmt: skip
_TICKET_WRAPPERS = ("helpdesk_ticket", "ticket", "conversation", "case")
_TICKET_TIMES = ("created_at", "createdAt", "created", "timestamp", "date", "time", "created_time", "createdTime")
_OPENING = ("description_text", "description", "body", "message", "content")
# An object without any of these keys has no special shape.
_TELLING_KEYS = frozenset(
    ("kind", "cards", "@type", "@graph", "acceptedAnswer", "suggestedAnswer", "paragraphs", "qas", "post_stream",
     "label_names", "section_id", "folder_id", "type", "reference", "mapping", "_embedded",
     *_CHAT_KEYS, *_THREAD_KEYS, *_WRAPPERS, *_TICKET_KEYS, *_TICKET_WRAPPERS)
)  # fmt: skip
_MOST_DEPTH = 12
_PAIR = 2
_NESTED = (dict, list)  # found quicker than by what they can do


@dataclass
class Table:
    """Objects that stand in one place of a document: below one key, as a rule."""

    path: str
    items: list[object] = field(default_factory=list)


def expand(value: object) -> list[_Object] | None:
    """Return the records that one object (or a list of a question and its answers) stands for, None if none."""
    if isinstance(value, list):
        return _pair(value)
    if not isinstance(value, Mapping):
        return None
    nested = [inner for inner in value.values() if isinstance(inner, _NESTED)]  # none, as a rule
    if _TELLING_KEYS.isdisjoint(value) and not any(map(_is_list_of_objects, nested)):
        return (_within(value) if nested else None) or [value]
    for shape in _SHAPES:
        records = shape(value)
        if records is not None:
            return records
    return [value]


def tables_of(document: object) -> list[Table]:
    """Find the tables of a JSON document, in its order; one of one record where it is a record itself."""
    tables: list[Table] = []
    if isinstance(document, list):
        tables.append(Table("", document))
    elif isinstance(document, Mapping):
        records = records_by_columns(document)
        if records is None:
            _walk(document, "", tables, 0)
        else:
            tables.append(Table("rows", list(records)))
    return tables


def records_of(document: object) -> list[_Object]:
    """Return all records of a parsed JSON document, such as JSON-LD in a page."""
    records: list[_Object] = []
    for table in tables_of(document):
        for item in table.items:
            records += expand(item) or []
    return records


def _walk(value: _Object, path: str, tables: list[Table], depth: int) -> None:
    if depth > _MOST_DEPTH:
        return
    numbered = numbered_records(value)
    if numbered is not None or _is_record(value):
        tables.append(Table(path, list(numbered or [value])))
        return
    for shape in (_keyed_records, _question_to_answer, _by_category):
        records = shape(value)
        if records is not None:
            tables.append(Table(path, list(records)))
            return
    named = _names_categories(value)
    for key, inner in value.items():
        if isinstance(inner, Mapping):
            _walk(inner, f"{path}.{key}" if path else key, tables, depth + 1)
        elif isinstance(inner, list):
            first = next((number for number, item in enumerate(inner) if isinstance(item, Mapping)), None)
            if first is not None:
                items = [{"category": key, **item} if named and isinstance(item, Mapping) else item for item in inner]
                tables.append(Table(f"{path}.{key}" if path else key, items[first:]))
            elif len(inner) > 1 and all(_pair(item) for item in inner if isinstance(item, list)):
                pairs = [item for item in inner if isinstance(item, list)]
                if pairs:
                    tables.append(Table(f"{path}.{key}" if path else key, list(pairs)))


def _names_categories(value: _Object) -> bool:
    """Return whether an object holds several lists of questions with their answers, each by its subject."""
    lists = [(key, inner[0]) for key, inner in value.items() if _is_list_of_objects(inner)]
    return len(lists) >= _PAIR and all(
        role_of(key) is None and {"question", "answer"} <= {known[0] for name in first if (known := role_of(str(name)))}
        for key, first in lists
    )


def _is_record(value: _Object) -> bool:
    """Return whether an object is one post, not a container of posts."""
    if any(shape(value) is not None for shape in _SHAPES):
        return True
    roles = {known[0] for name, inner in value.items() if not is_blank(inner) and (known := role_of(name))}
    lists = [inner for inner in value.values() if isinstance(inner, list) and inner and isinstance(inner[0], Mapping)]
    if "answer" not in roles or not roles & {"title", "question", "body"}:
        return False
    # {"questions": [...], "answers": [...]} holds two tables.
    return len(lists) < _PAIR or any(isinstance(value.get(name), str) for name in ("question", "title", "body"))


def _keyed_records(value: _Object) -> list[_Object] | None:
    """Read an object of records by their ids."""
    if len(value) < _PAIR or not all(isinstance(inner, Mapping) for inner in value.values()):
        return None
    if any(role_of(key) for key in value):
        return None
    shared = set.intersection(*(set(inner) for inner in list(value.values())[:20]))
    roles = {known[0] for name in shared if (known := role_of(name))}
    if not roles & {"question", "answer", "body", "title"}:
        return None
    return [inner if _has_id(inner) else {"id": key, **inner} for key, inner in value.items()]


def _has_id(value: _Object) -> bool:
    return any((known := role_of(name)) and known[0] == "id" and not is_blank(value[name]) for name in value)


def _question_to_answer(value: _Object) -> list[_Object] | None:
    """Read an object whose keys ask and whose values answer."""
    if len(value) < _PAIR or not all(_is_answer(inner) for inner in value.values()):
        return None
    asking = sum("?" in key or "？" in key or len(key.split()) > 2 for key in value)
    if 2 * asking <= len(value) or any(role_of(key) for key in value):
        return None
    return [{"question": key, "answer": inner} for key, inner in value.items()]


def _by_category(value: _Object) -> list[_Object] | None:
    """Read an object of categories, whose values are objects of questions and their answers."""
    if not all(isinstance(inner, Mapping) and all(map(_is_answer, inner.values())) for inner in value.values()):
        return None
    pairs = _question_to_answer({key: answer for inner in value.values() for key, answer in inner.items()})
    if pairs is None:
        return None
    return [
        {"question": key, "answer": answer, "category": category}
        for category, inner in value.items()
        for key, answer in inner.items()
    ]


def _is_answer(value: object) -> bool:
    return isinstance(value, str) or (
        isinstance(value, list) and bool(value) and all(isinstance(item, str) for item in value)
    )


def _pair(value: Sequence[object]) -> list[_Object] | None:
    """Read a list of a question and its answers."""
    if len(value) < _PAIR or not all(isinstance(item, str) for item in value):
        return None
    return [{"question": value[0], "answers": list(value[1:])} if len(value) > _PAIR else
            {"question": value[0], "answer": value[1]}]  # fmt: skip


def _schema_org(value: _Object) -> list[_Object] | None:
    """Read a Question, a page of them or a forum posting as schema.org has them (JSON-LD)."""
    kinds = value.get("@type")
    types = {str(kind).rsplit("/", 1)[-1] for kind in (kinds if isinstance(kinds, list) else [kinds])}
    if types & {"FAQPage", "QAPage"} or (kinds is None and "@graph" in value):
        inner = value.get("mainEntity", value.get("@graph"))
        found = [record for item in _listed(inner) if isinstance(item, Mapping) for record in _schema_org(item) or []]
        return found or None
    given = [(True, item) for item in _listed(value.get("acceptedAnswer"))]
    given += [(False, item) for item in _listed(value.get("suggestedAnswer"))]
    if "Question" in types or (given and isinstance(value.get("name"), str)):
        return [_question(value, value.get("name") or value.get("headline"), value.get("text"), given)]
    if types & {"DiscussionForumPosting", "SocialMediaPosting"}:
        comments = [(False, item) for item in _listed(value.get("comment"))]
        return [_question(value, value.get("headline"), value.get("articleBody") or value.get("text"), comments)]
    return None


def _question(value: _Object, name: object, text: object, given: list[tuple[bool, Any]]) -> _Object:
    answers = [
        {
            "text": item.get("text") or item.get("articleBody") or "",
            "accepted": accepted and len(given) > 1,
            "author": item.get("author"),
            "date": item.get("dateCreated") or item.get("datePublished"),
            "score": item.get("upvoteCount"),
        }
        if isinstance(item, Mapping)
        else {"text": item}
        for accepted, item in given
    ]
    simple = len(answers) == 1 and all(
        is_blank(inner) for key, inner in answers[0].items() if key not in ("text", "accepted")
    )
    return {
        "id": value.get("@id"),
        **({"title": name, "body": text} if not is_blank(text) else {"question": name}),
        **({"answer": answers[0]["text"]} if simple else {"answers": answers}),
        "date": value.get("dateCreated") or value.get("datePublished"),
        "author": value.get("author"),
        "score": value.get("upvoteCount"),
        "url": value.get("url"),
        "tags": value.get("keywords"),
    }


def _reading_comprehension(value: _Object) -> list[_Object] | None:
    """Read an article or a paragraph of SQuAD and its kin."""
    paragraphs = value.get("paragraphs")
    if isinstance(paragraphs, list) and all(isinstance(item, Mapping) and "qas" in item for item in paragraphs):
        title = value.get("title")
        return [{**record, "category": title} for item in paragraphs for record in _reading_comprehension(item) or ()]
    if not isinstance(value.get("qas"), list):
        return None
    records: list[_Object] = []
    for item in value["qas"]:
        if isinstance(item, Mapping):
            texts = [answer.get("text") for answer in _listed(item.get("answers")) if isinstance(answer, Mapping)]
            texts = list(dict.fromkeys(text for text in texts if isinstance(text, str)))
            records.append({"id": item.get("id"), "question": item.get("question"),
                            "answer": texts[0] if len(texts) == 1 else texts})  # fmt: skip
    return records


def _chat(value: _Object) -> list[_Object] | None:
    """Read a conversation: the user asks, the assistant answers."""
    for key in _CHAT_KEYS:
        turns = value.get(key)
        if not isinstance(turns, list) or not all(isinstance(turn, Mapping) for turn in turns):
            continue
        said = [(_speaker(turn), _said(turn)) for turn in turns]
        asked = next((number for number, (who, text) in enumerate(said) if who in _USERS and text), None)
        if asked is None or not any(who in _ASSISTANTS for who, _ in said):
            continue
        answers = _said_after(said[asked + 1 :])
        rest = {name: inner for name, inner in value.items() if name not in _CHAT_KEYS}
        return [{**rest, "question": said[asked][1], "answer": answers[0] if len(answers) == 1 else answers}]
    return None


def _said_after(said: Sequence[tuple[str, str]]) -> list[str]:
    """Return what was answered; what the user goes on to ask stands before its answer."""
    answers: list[str] = []
    asked = ""
    for who, text in said:
        if who in _ASSISTANTS and text:
            answers.append(f"{asked}\n\n{text}" if asked else text)
            asked = ""
        elif who in _USERS:
            asked = text if seems_to_ask(text.strip()) else ""
    return answers


def _speaker(turn: _Object) -> str:
    for key in ("role", "from", "speaker", "sender", "author", "type"):
        who = turn.get(key)
        if isinstance(who, Mapping):
            who = who.get("role") or who.get("type") or _LETTERS.get(str(who.get("t")))
        if isinstance(who, str):
            return who.strip().lower()
    return ""


def _said(turn: _Object) -> str:
    for key in ("content", "value", "text", "message", "body", "utterance", "msg"):
        found = turn.get(key)
        if isinstance(found, Mapping) and isinstance(found.get("parts"), list):
            found = "\n\n".join(part for part in found["parts"] if isinstance(part, str))
        try:
            if not is_blank(found):
                return text_of(found)
        except ValueError:
            continue
    return ""


def _ticket(value: _Object) -> list[_Object] | None:
    """Read a ticket or a conversation of a help desk whose messages say who speaks; notes among staff are left out."""
    if (
        len(value) == 1
        and isinstance(inner := next(iter(value.values())), Mapping)
        and next(iter(value)) in _TICKET_WRAPPERS
    ):
        return _ticket(inner) or _thread(inner)
    key, messages = _messages_of(value)
    opening = value.get("source")
    if isinstance(opening, Mapping) and _text_key(opening):  # as Intercom keeps the first message
        messages = [{"created_at": value.get("created_at"), **opening}, *messages]
    title = value.get("subject") or value.get("title")
    if isinstance(opening, Mapping):
        title = title or opening.get("subject")
    own = next((text for name in _OPENING if isinstance(text := value.get(name), str) and not is_blank(text)), "")
    texts = [str(message.get(_text_key(message) or "", "")) for message in messages]
    said = list(zip(_sides(messages, value), texts, strict=True))
    is_one = "id" in value or title or own or opening
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
    return [{
        **rest, "title": title, "body": "\n\n".join(text for text in texts if text.strip()), "answers": answers,
        "author": _name(value) or (_name(asked[0]) if asked else None),
    }]  # fmt: skip


def _issue(value: _Object) -> list[_Object] | None:
    """Read an issue of Jira: what it describes asks, comments of others answer."""
    fields = value.get("fields")
    if not isinstance(fields, Mapping) or "summary" not in fields or "key" not in value:
        return None
    listed = fields.get("comment")
    comments = listed.get("comments") if isinstance(listed, Mapping) else None
    asker = _name(fields.get("reporter") or {}) or _name(fields.get("creator") or {})
    answers = [
        {"text": comment["body"], "id": comment.get("id"), "author": _name(comment), "date": comment.get("created")}
        for comment in (comments if isinstance(comments, list) else ())
        if isinstance(comment, Mapping) and not is_blank(comment.get("body"))
        and (not asker or _name(comment) != asker)
        and not any(comment.get(name) is hidden for name, hidden in _FOR_STAFF)
    ]  # fmt: skip
    return [{
        "id": value["key"], "title": fields["summary"], "body": fields.get("description"), "answers": answers,
        "author": asker or None, "date": fields.get("created"), "tags": fields.get("labels"),
    }]  # fmt: skip


def _messages_of(value: _Object) -> tuple[str, list[_Object]]:
    """Find the messages of a ticket, in the order of their times; [] for none."""
    inner = value.get("_embedded")
    for holder in (value, inner if isinstance(inner, Mapping) else {}):
        for key in _TICKET_KEYS:
            found: Any = holder.get(key)
            if isinstance(found, Mapping):
                found = found.get(key, found.get("data", found.get("nodes")))
            if _is_list_of_objects(found) and all(isinstance(message, Mapping) for message in found):
                times = [_time(message) for message in found]
                if len({type(time) for time in times}) == 1 and times[0] is not None:
                    found = [found[number] for number in sorted(range(len(found)), key=times.__getitem__)]
                return key, found
    return "", []


def _time(message: _Object) -> Any:
    return next((found for name in _TICKET_TIMES if isinstance(found := message.get(name), str | int | float)), None)


def _sides(messages: Sequence[_Object], ticket: _Object) -> list[Side]:
    """Return who speaks in each message of a ticket, "" where that is not known."""
    asker = next((ticket[name] for name in _ASKERS if not is_blank(ticket.get(name))), None)
    sides = sides_of(messages)
    for number, message in enumerate(messages):
        writer = next((message[name] for name in _WRITER_IDS if not is_blank(message.get(name))), None)
        if any(message.get(name) is hidden for name, hidden in _FOR_STAFF):
            sides[number] = "note"
        elif not sides[number] and isinstance(writer, str | int) and isinstance(asker, str | int):
            sides[number] = "customer" if writer == asker else "staff"
    return sides


def _thread(value: _Object) -> list[_Object] | None:
    """Read a thread: where the object asks itself, its comments answer; else the first of its posts asks."""
    stream = value.get("post_stream")
    if isinstance(stream, Mapping) and isinstance(stream.get("posts"), list):
        return _asked_first(value, stream["posts"], ("post_stream", "suggested_topics", "details"))
    roles = {known[0] for name, inner in value.items() if not is_blank(inner) and (known := role_of(name))}
    for key in _THREAD_KEYS:
        posts = value.get(key)
        if isinstance(posts, Mapping):
            posts = posts.get("nodes", posts.get("data"))
        if not isinstance(posts, list) or not posts or not all(isinstance(post, Mapping) for post in posts):
            continue
        answered = [name for name in value if name != key and (known := role_of(name)) and known[0] == "answer"]
        if any(not is_blank(value[name]) for name in answered):
            continue
        posts = [_plain(post) for post in _oldest_first(posts) if not _is_by_program(post)]
        titles = {str(title) for post in posts if (title := post.get("title") or post.get("subject"))}
        if not all(_text_key(post) for post in posts) or any(_answers_itself(post) for post in posts):
            continue
        asks = "body" in roles and not _answers_itself(value) and "parent" not in roles
        if asks and ("title" in roles or key in _BELOW_POSTS) and key != "posts":
            return _comments(value, key, posts)
        if "title" in roles and len(titles) <= 1:
            return _asked_first(value, posts, (key,))
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


def _comments(value: _Object, key: str, posts: Sequence[_Object]) -> list[_Object]:
    asker = _writer(value)
    answers = [answer for post in posts if (answer := _answer(post, asker)) is not None]
    return [{**{name: inner for name, inner in value.items() if name != key}, "answers": answers}]


def _asked_first(value: _Object, posts: Sequence[_Object], without: tuple[str, ...]) -> list[_Object]:
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
    return [{**asked, "body": first.get(key) if key else "", "answers": answers}]


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
    if any(post.get(name) is hidden for name, hidden in _FOR_STAFF):
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


def _help_article(value: _Object) -> list[_Object] | None:
    """Read an article of a help centre (Zendesk, Freshdesk, Intercom): its title asks, its body answers."""
    is_article = (
        ("body" in value and ("label_names" in value or "section_id" in value))
        or value.get("type") == "article"
        or ("description" in value and "folder_id" in value and "title" in value)
    )
    title = value.get("title", value.get("name"))
    body = value.get("body") or value.get("description")
    if not is_article or is_blank(title) or not isinstance(body, str):
        return None
    left_out = ("title", "name", "body", "description", "description_text", "url", "html_url", "position", "type")
    rest = {name: inner for name, inner in value.items() if name not in left_out}
    return [{**rest, "question": title, "answer": body, "url": value.get("html_url") or value.get("url")}]


def _grouped(value: _Object, depth: int = 0) -> list[_Object] | None:
    """Read the questions and answers of one group, or of the groups in it, its title as their category."""
    lists = [(key, inner) for key, inner in value.items() if isinstance(inner, list) and inner]
    if len(lists) != 1 or depth > _MOST_DEPTH or not all(isinstance(item, Mapping) for item in lists[0][1]):
        return None
    first = lists[0][1][0]
    title = next((value[name] for name in _GROUP_TITLES if isinstance(value.get(name), str)), None)
    titled = {} if title is None else {"category": title}
    if not _roles(first) & {"question", "answer"} and _grouped(first, depth + 1):
        groups = [_grouped(item, depth + 1) for item in lists[0][1]]
        return [{**titled, **record} for group in groups for record in group or ()] if all(groups) else None
    roles = {found[0] for name in first if (found := role_of(str(name))) and not _is_list_of_objects(first[name])}
    if not {"question", "answer"} <= roles or any(
        (role_of(str(name)) or ("",))[0] == "answer" for name in value if name != lists[0][0]
    ):
        return None
    return [{**titled, **item} for item in lists[0][1]]


def _is_list_of_objects(value: object) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], Mapping)


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _wrapped(value: _Object) -> list[_Object] | None:
    """Read a record whose own fields stand in an object beside what the program keeps about it."""
    if any((known := role_of(name)) and known[0] in ("question", "answer") for name in value):
        return None
    for key in _WRAPPERS:
        inner = value.get(key)
        if isinstance(inner, Mapping) and any((known := role_of(name)) and known[0] == "answer" for name in inner):
            rest = {name: known for name, known in value.items() if name != key and not isinstance(known, list)}
            if key == "properties":  # Notion says of each what it is, and has its value below that name
                inner = {name: _own_value(known) for name, known in inner.items()}
            sys = value.get("sys")
            return expand({**(sys if isinstance(sys, Mapping) else {}), **rest, **inner})
    return None


def _own_value(given: object) -> object:
    kind = given.get("type") if isinstance(given, Mapping) else None
    return given[kind] if isinstance(given, Mapping) and isinstance(kind, str) and kind in given else given


def _within(value: _Object) -> list[_Object] | None:
    """Read a record whose question and answer stand in the only object of its fields."""
    value = plain_items(value)
    inner = [(name, known) for name, known in value.items() if isinstance(known, dict)]
    if len(inner) != 1 or not {"question", "answer"} <= _roles(inner[0][1]) or _roles(value) & {"question", "answer"}:
        return None
    return [{**{name: known for name, known in value.items() if name != inner[0][0]}, **inner[0][1]}]


def _roles(value: _Object) -> set[str]:
    return {known[0] for name in value if (known := role_of(str(name)))}


def _slack(value: _Object) -> list[_Object] | None:
    """Read a message of Slack: links and names as people see them; what the program says itself is left out."""
    text = value.get("text")
    if value.get("type") != "message" or "ts" not in value or not isinstance(text, str):
        return None
    if value.get("subtype") in _EVENTS:
        return []
    plain = _SLACK_LINK.sub(lambda match: f"{match[2]} ({match[1]})" if match[2] else match[1], text)
    plain = _SLACK_NAME.sub(lambda match: f"{match[1]}{match[3] or match[2]}", plain).strip()
    return None if plain == text else [{**value, "text": plain}]


def _tree(value: _Object) -> list[_Object] | None:
    """Read a conversation that is kept as a tree of messages, as ChatGPT's export has it: the branch that was shown."""
    nodes, current = value.get("mapping"), value.get("current_node")
    if not isinstance(nodes, Mapping) or not isinstance(current, str):
        return None
    turns: list[object] = []
    while isinstance(node := nodes.get(current), Mapping) and len(turns) <= len(nodes):
        turns.append(node.get("message"))
        current = node.get("parent")
    rest = {name: inner for name, inner in value.items() if name not in ("mapping", "current_node")}
    return _chat({**rest, "messages": [turn for turn in reversed(turns) if isinstance(turn, Mapping)]})


def _reply(value: _Object) -> list[_Object] | None:
    """Read a message of a chat that names the message which it replies to."""
    reference = value.get("reference")
    above = reference.get("messageId", reference.get("message_id")) if isinstance(reference, Mapping) else None
    return None if above is None else [{**value, "parent_id": above}]


_SHAPES: tuple[Callable[[_Object], list[_Object] | None], ...] = (
    listing,
    board,
    _wrapped,
    _issue,
    _reply,
    _slack,
    _tree,
    _grouped,
    _schema_org,
    _reading_comprehension,
    _chat,
    _help_article,
    _ticket,
    _thread,
)


def items_of(table: Table) -> Iterator[object]:
    """Yield a table's items, each as its records; other items unchanged."""
    for item in table.items:
        records = expand(item)
        if records is None:
            yield item
        else:
            yield from records
