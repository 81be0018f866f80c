"""JSON values of the shapes that exports have -> plain records: one object each, with the fields of a post.

A shape is one small function that takes an object and gives its records, or None where the object has another shape.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from qa_search.archives.formats.json_chats import CHAT_KEYS, chat, reply, slack_message, tree
from qa_search.archives.formats.json_layouts import is_list_of_objects, numbered_records, records_by_columns
from qa_search.archives.formats.json_programs import (
    about_workspace,
    board,
    bulk_export,
    class_post,
    form_response,
    listing,
    plain_items,
    related,
)
from qa_search.archives.formats.json_threads import (
    THREAD_KEYS,
    TICKET_KEYS,
    TICKET_WRAPPERS,
    issue,
    thread_of,
    ticket_of,
)
from qa_search.archives.formats.roles import is_weak, role_of
from qa_search.archives.formats.values import is_blank, is_id, languages_of

_Object = Mapping[str, Any]
_GROUP_TITLES = ("category", "title", "name", "topic", "section", "label", "heading")
# What content systems, search engines and interfaces put a record's own fields into.
_WRAPPERS = ("attributes", "fields", "_source", "node", "properties", "acf", "record", "row")
_OF_ARTICLES = ("attributes", "properties")
# An object without any of these keys has no special shape.
_TELLING_KEYS = frozenset(
    ("kind", "cards", "@type", "@graph", "acceptedAnswer", "suggestedAnswer", "paragraphs", "qas", "post_stream",
     "label_names", "section_id", "folder_id", "type", "reference", "mapping", "_embedded", "history",
     "translations", "locales", "languages", "profile", "members", "form_response", "change_type",
     *CHAT_KEYS, *THREAD_KEYS, *_WRAPPERS, *TICKET_KEYS, *TICKET_WRAPPERS)
)  # fmt: skip
# The roles of texts, and those of them that ask.
_TEXT_ROLES = frozenset(("title", "question", "body", "answer"))
_ASKED = frozenset(("title", "question", "body"))
# What a field of a list is called, and what it holds.
_LABELS = ("label", "heading", "name", "title", "key", "field")
_VALUES = ("value", "text", "content", "body", "answer")
_MOST_LABELS = 100
# What a heading of a tree keeps the texts below it in.
_BRANCHES = ("children", "items", "sections", "subsections", "nodes", "articles", "pages", "entries", "topics")
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
    if not isinstance(value, dict):
        return None
    if len(value) == _PAIR and (exported := bulk_export(value)) is not None:
        return exported
    nested = [inner for inner in value.values() if isinstance(inner, _NESTED)]  # none, as a rule
    has_objects = bool(nested) and any(isinstance(inner, dict) for inner in nested)
    if has_objects:
        value = _held_apart(_asked_apart(_rooted(_listed_by_ids(related(value)))))
        nested = [inner for inner in value.values() if isinstance(inner, _NESTED)]
    if _TELLING_KEYS.isdisjoint(value) and not any(map(is_list_of_objects, nested)):
        return (_within(value) if has_objects else None) or [value]
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


def _walk(value: _Object, path: str, tables: list[Table], depth: int) -> None:
    if depth > _MOST_DEPTH:
        return
    numbered = numbered_records(value)
    if numbered is not None or _is_record(value):
        tables.append(Table(path, list(numbered or [value])))
        return
    for shape in (_keyed_records, _keyed_groups, _question_to_answer, _by_category):
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
            if first is not None and _is_container(inner):
                _walk(inner[0], f"{path}.{key}" if path else key, tables, depth + 1)
            elif first is not None:
                items = [{"category": key, **item} if named and isinstance(item, Mapping) else item for item in inner]
                tables.append(Table(f"{path}.{key}" if path else key, items[first:]))
            elif len(inner) > 1 and all(_pair(item) for item in inner if isinstance(item, list)):
                pairs = [item for item in inner if isinstance(item, list)]
                if pairs:
                    tables.append(Table(f"{path}.{key}" if path else key, list(pairs)))


def _is_container(value: list[Any]) -> bool:
    """Return whether a list has one object alone, in which the records are: what says no text itself."""
    one = value[0] if len(value) == 1 and isinstance(value[0], Mapping) else {}
    inner = [known for known in one.values() if isinstance(known, Mapping)]
    lists = [known for holder in inner for known in holder.values() if is_list_of_objects(known)]
    return bool(lists) and all(isinstance(known, Mapping) for known in one.values())


def _names_categories(value: _Object) -> bool:
    """Return whether an object holds several lists of questions with their answers, each by its subject."""
    lists = [(key, inner[0]) for key, inner in value.items() if is_list_of_objects(inner)]
    return len(lists) >= _PAIR and all(
        role_of(key) is None and {"question", "answer"} <= {known[0] for name in first if (known := role_of(str(name)))}
        for key, first in lists
    )


def _is_record(value: _Object) -> bool:
    """Return whether an object is one post, not a container of posts."""
    if any(shape(value) is not None for shape in _SHAPES):
        return True
    roles = {known[0] for name, inner in value.items() if not is_blank(inner) and (known := role_of(name))}
    lists = [inner for inner in value.values() if is_list_of_objects(inner) or _keyed(inner)]
    if "answer" not in roles or not roles & {"title", "question", "body"}:
        return False
    # {"questions": [...], "answers": [...]} holds two tables.
    return len(lists) < _PAIR or any(isinstance(value.get(name), str) for name in ("question", "title", "body"))


def _keyed_records(value: _Object) -> list[_Object] | None:
    """Read an object of records by their ids."""
    if not _are_objects(value) or (len(value) < _PAIR and not is_id(next(iter(value)))):
        return None
    if any(role_of(key) for key in value):
        return None
    shared = set.intersection(*(set(inner) for inner in list(value.values())[:20]))
    roles = {known[0] for name in shared if (known := role_of(name))}
    if not roles & {"question", "answer", "body", "title"}:
        return None
    # Beside the id of a record, Firebase's "uid" is that of its writer.
    if not roles & _ASKED and 2 * sum(map(_asks, value)) > len(value):
        return [{"question": key, **inner} for key, inner in value.items()]
    return [
        inner if _has_id(inner) and not (is_id(key) and "uid" in inner) else {"id": key, **inner}
        for key, inner in value.items()
    ]


def _keyed_groups(value: _Object) -> list[_Object] | None:
    """Read an object of answers by their ids, below the ids of their questions."""
    if not _are_objects(value) or not all(is_id(key) or key.isdecimal() for key in value):
        return None
    groups = {key: _keyed_records(inner) for key, inner in value.items()}
    if not all(groups.values()):
        return None
    return [{"question_id": key, **record} for key, group in groups.items() for record in group or ()]


def _keyed(value: object) -> list[_Object] | None:
    return (_keyed_records(value) or _keyed_groups(value)) if isinstance(value, dict) else None


def _are_objects(value: object) -> bool:
    return isinstance(value, Mapping) and bool(value) and all(isinstance(inner, Mapping) for inner in value.values())


def _listed_by_ids(value: _Object) -> _Object:
    """Return a record whose answers, or tags, are an object by their ids with a list of them instead."""
    found: dict[str, object] = {}
    for name, inner in value.items():
        role = (role_of(name) or ("",))[0]
        if isinstance(inner, dict) and (role == "answer" or name in THREAD_KEYS) and (listed := _keyed_records(inner)):
            found[name] = listed
        elif isinstance(inner, dict) and role == "answer" and _are_objects(inner) and _are_texts(inner):
            found[name] = list(inner.values())
        elif isinstance(inner, dict) and inner and role in ("tags", "category") and _are_true(inner):
            found[name] = list(inner)
    return {**value, **found} if found else value


def _are_true(value: _Object) -> bool:
    """Return whether an object is a set of names, as Firebase keeps one."""
    return all(inner is True for inner in value.values())


def _are_texts(value: _Object) -> bool:
    """Return whether each of some objects by their ids has a text; names of fields do not count as ids."""
    return not any(role_of(key) for key in value) and all(
        _roles(inner) & {"body", "answer"} for inner in value.values()
    )


def _rooted(value: _Object) -> _Object:
    """Return a record that stands below the name of its kind, such as ``{"question": {"id": 1, ...}}``, without it."""
    inner = next(iter(value.values()), None) if len(value) == 1 else None
    if not isinstance(inner, dict) or not _has_id(inner) or not _roles(inner) & _TEXT_ROLES:
        return value
    return inner


def _has_id(value: _Object) -> bool:
    return any((known := role_of(name)) and known[0] == "id" and not is_blank(value[name]) for name in value)


def _question_to_answer(value: _Object) -> list[_Object] | None:
    """Read an object whose keys ask and whose values answer."""
    if len(value) < _PAIR or not all(_is_answer(inner) for inner in value.values()):
        return None
    asking = sum(map(_asks, value))
    if 2 * asking <= len(value) or any(role_of(key) for key in value):
        return None
    return [{"question": key, "answer": inner} for key, inner in value.items()]


def _asks(key: str) -> bool:
    return "?" in key or "？" in key or len(key.split()) > _PAIR


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
    roles = {found[0] for name in first if (found := role_of(str(name))) and not is_list_of_objects(first[name])}
    if not {"question", "answer"} <= roles or any(
        (role_of(str(name)) or ("",))[0] == "answer" for name in value if name != lists[0][0]
    ):
        return None
    return [{**titled, **item} for item in lists[0][1]]


def _labelled(value: _Object) -> list[_Object] | None:
    """Read a record whose fields are a list, each with its name and its value: a question and an answer among them."""
    lists = [(key, inner) for key, inner in value.items() if is_list_of_objects(inner)]
    if len(lists) != 1 or len(lists[0][1]) > _MOST_LABELS or _roles(value) & {"question", "answer"}:
        return None
    found: dict[str, object] = {}
    for item in lists[0][1]:
        if not isinstance(item, Mapping):
            return None
        label = next((item[name] for name in _LABELS if isinstance(item.get(name), str)), "")
        text = next((item[name] for name in _VALUES if not is_blank(item.get(name))), None)
        if label and text is not None:
            found.setdefault(label, text)
    if not {"question", "answer"} <= _roles(found):
        return None
    return [{**{name: inner for name, inner in value.items() if name != lists[0][0]}, **found}]


def _tree(value: _Object, depth: int = 0) -> list[_Object] | None:
    """Read what is filed below the headings of a tree: texts with titles, the nearest heading as their category."""
    lists = [(key, inner) for key, inner in value.items() if is_list_of_objects(inner)]
    heading = next((value[name] for name in _GROUP_TITLES if isinstance(value.get(name), str)), None)
    if len(lists) != 1 or lists[0][0] not in _BRANCHES or heading is None or depth > _MOST_DEPTH:
        return None
    if _roles(value) & {"question", "body", "answer", "author", "parent"}:
        return None
    found: list[_Object] = []
    for item in lists[0][1]:
        if not isinstance(item, Mapping):
            return None
        below = _tree(item, depth + 1)
        if below is None and not {"title", "body"} <= _roles(item):
            return None
        found += [{"category": heading, **item}] if below is None else below
    return found


def _languages(value: _Object) -> list[_Object] | None:
    """Read a record whose texts stand below the languages that they are in: one for each, with it as the category."""
    inner = [(name, known) for name, known in value.items() if isinstance(known, dict) and _are_objects(known)]
    if len(inner) != 1 or not languages_of(dict.fromkeys(inner[0][1], "")):
        return None
    if not all({"question", "answer"} <= _roles(text) for text in inner[0][1].values()):
        return None
    rest = {name: known for name, known in value.items() if name != inner[0][0]}
    return [{**rest, "category": language, **text} for language, text in inner[0][1].items()]


def _asked_apart(value: _Object) -> _Object:
    """Return a record whose question is an object of a title and a text with these two as fields of their own."""
    asked = value.get("question")
    if not isinstance(asked, dict) or not {"title", "body"} <= _roles(asked) or _roles(value) & {"title", "body"}:
        return value
    if not all(isinstance(text, str) for name, text in asked.items() if (role_of(name) or ("",))[0] in _ASKED):
        return value
    return {**asked, **{name: inner for name, inner in value.items() if name != "question"}}


def _held_apart(value: _Object) -> _Object:
    """Return a record whose only object is a message with replies with the fields of that message as its own."""
    inner = [(name, known) for name, known in value.items() if isinstance(known, dict)]
    if len(inner) != 1 or inner[0][0] in _WRAPPERS:
        return value
    name, message = inner[0]
    if _roles({key: known for key, known in value.items() if key != name}) & {"title", "body", "answer"}:
        return value
    if "body" not in _roles(message) or not any(isinstance(message.get(key), list) for key in ("replies", "comments")):
        return value
    return {**{key: known for key, known in value.items() if key != name}, **message}


def _side_by_side(value: _Object) -> list[_Object] | None:
    """Read questions and answers in two lists of one length, as those about one text are."""
    lists = {(role_of(name) or ("",))[0]: inner for name, inner in value.items() if is_list_of_objects(inner)}
    asked, answered = lists.get("question"), lists.get("answer")
    if not asked or not answered or len(asked) != len(answered) or len(asked) < _PAIR:
        return None
    pairs = list(zip(asked, answered, strict=True))
    if not all(isinstance(one, Mapping) and _is_same_turn(one, other) for one, other in pairs):
        return None
    return [{"question": _turn(one), "answer": _turn(other)} for one, other in pairs]


def _is_same_turn(one: _Object, other: object) -> bool:
    return isinstance(other, Mapping) and "turn_id" in one and one["turn_id"] == other.get("turn_id")


def _turn(value: _Object) -> object:
    return next((value[name] for name in ("input_text", "text", "span_text") if isinstance(value.get(name), str)), None)


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _wrapped(value: _Object) -> list[_Object] | None:
    """Read a record whose own fields stand in an object beside what the program keeps about it."""
    if any((known := role_of(name)) and known[0] in ("question", "answer") for name in value):
        return None
    for key in _WRAPPERS:
        inner = value.get(key)
        if isinstance(inner, Mapping) and ("answer" in _roles(inner) or (key in _OF_ARTICLES and _is_article(inner))):
            rest = {name: known for name, known in value.items() if name != key and not isinstance(known, list)}
            if key == "properties":  # Notion says of each what it is, and has its value below that name
                inner = {name: _own_value(known) for name, known in inner.items()}
            sys = value.get("sys")
            return expand({**(sys if isinstance(sys, Mapping) else {}), **rest, **inner})
    return None


def _is_article(value: _Object) -> bool:
    return any((known := role_of(name)) and known[0] == "title" and not is_weak(known[1]) for name in value) and any(
        (role_of(name) or ("",))[0] == "body" or name == "hs_body" for name in value
    )


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


_SHAPES: tuple[Callable[[_Object], list[_Object] | None], ...] = (
    about_workspace,
    form_response,
    listing,
    board,
    class_post,
    _languages,
    _labelled,
    _side_by_side,
    _wrapped,
    issue,
    reply,
    slack_message,
    tree,
    _grouped,
    _schema_org,
    _reading_comprehension,
    chat,
    _help_article,
    ticket_of,
    thread_of,
    _tree,
)
