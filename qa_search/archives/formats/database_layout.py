"""The tables of a database -> those to read, each as a SELECT that has what other tables say of its rows.

Programs keep a topic's title, who wrote, the category and the tags in tables of their own. What refers to what is found
by the names of columns and tables, and by their values: most of what refers to a table must be in it.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from qa_search.archives.formats.hiding import HIDING
from qa_search.archives.formats.plan import ACCEPTED_ANSWER
from qa_search.archives.formats.roles import normal_name, role_of
from qa_search.util.text import counted

_KEY = "qa_search_key"
SEPARATOR = "\x1f"  # between the names of a list
_SAMPLE = 200
_FEWEST_KNOWN = 0.5  # of the values that refer to another table, those that are in it
_MEAN_TEXT = 8
_MOST_COLUMNS = 200  # that are looked at in one table
_MOST_OF_A_NAME = 20  # tables that one column's name may mean
_MOST_LOOKED_AT = 2000  # columns that may refer to a table
_TOPICS = ("topic", "thread", "discussion", "question", "ticket", "conversation", "issue", "case", "request")
# The tables that have the messages of topics, the surest first.
_MESSAGES = ("answer", "reply", "post", "message", "msg", "article", "entry", "response", "comment", "thread", "node")
_PEOPLE = ("user", "member", "people", "person", "author", "customer", "account", "contact", "profile")
_PLACES = ("category", "forum", "board", "section", "node", "department", "channel", "space", "subject", "group")
_TAGS = ("tag", "label", "keyword")
_SUBJECTS = ("theme", "topic")  # what questions with their answers may be sorted by
_WRITERS = (
    "userid", "uid", "authorid", "author", "posterid", "memberid", "idmember", "ownerid", "askerid", "postauthor",
    "createdbyid", "createdby", "creatorid", "customerid", "personid", "senderid", "accountid", "postuserid",
    "insertuserid", "user",
)  # fmt: skip
_WRITTEN_NAMES = ("postusername", "uname", "postername", "authorname")
_NAMES_OF_PEOPLE = (
    "displayname", "username", "handle", "nickname", "name", "realname", "membername", "fullname", "userlogin", "login",
    "screenname",
)  # fmt: skip
_OBJECTS = ("objectid", "recordid", "itemid", "contentid", "entityid", "postid")
_THREADS = ("idtopic", "tid", "topicid", "threadid", "thread", "starter")
_PRIVATE = re.compile(
    r"priv(?:ate|_?m)|personal_?mess|(?:^|_)pms?(?:_|text|$)|conversation_?mess|mail_?(?:log|queue|err)|draft|revision|"
    r"canned|template|notification|log$|logs$|queue|archive_?meta",
    re.IGNORECASE,
)
_HIDDEN_WORDS = (
    "deleted", "moderated", "hidden", "draft", "auto-draft", "trash", "spam", "pending", "queued", "rejected",
    "unpublished",
)  # fmt: skip
_STATES = ("state", "status", "messagestate", "discussionstate", "poststatus", "moderationstatus")
_DELETED_AT = ("deletedat", "hiddenat", "deletedon", "deletiondate", "deletedtime")
_VISIBLE = ("visible", "postvisibility", "topicvisibility", "visibility")
_KINDS = ("posttype", "type", "kind")
_ASKING = ("q", "question", "topic", "thread")
_ANSWERING = ("a", "answer", "reply", "response")
_YES = ("1", "t", "true", "yes", "y")
_NO = ("0", "f", "false", "no", "n")
# Where nothing general tells: columns that a table has (names folded) -> the values of one that keep rows from readers.
_KNOWN_HIDDEN: Mapping[tuple[str, ...], tuple[str, tuple[str, ...]]] = {
    ("posttype", "postparent", "poststatus"): ("posttype", ("revision", "attachment", "nav_menu_item")),  # WordPress
    ("postnumber", "cooked", "posttype"): ("posttype", ("2", "3", "4")),  # Discourse: of moderators, events, for staff
    ("discussionid", "number", "content", "type"): ("type", ("discussionrenamed", "discussionlocked",
        "discussionstickied", "discussiontagged", "discussionmerged", "discussionsplit", "recipientsmodified")),
    ("originaltext", "parsedtext", "status"): ("status", ("10", "11")),  # Answer: deleted, pending
    ("conversationid", "customerid", "type", "state"): ("type", ("3", "4")),  # FreeScout: notes, events
}  # fmt: skip
_KNOWN_FIELDS: Mapping[tuple[str, ...], Mapping[str, str]] = {
    ("solutionid", "thema", "content"): {"question": "thema", "answer": "content"},  # phpMyFAQ
}


@dataclass(frozen=True)
class Table:
    """A table and its stored columns."""

    name: str
    columns: tuple[str, ...]

    def named(self, *folded: str) -> str | None:
        """Return the first column that has one of these names, names folded, the first name first."""
        known = {normal_name(column): column for column in reversed(self.columns[:_MOST_COLUMNS])}
        return next((known[name] for name in folded if name in known), None)

    @property
    def stems(self) -> tuple[str, ...]:
        """The last word of its name in the singular, the last two words as one, and so on."""
        words = [word for word in re.split(r"[\W_]+|(?<=[a-z])(?=[A-Z])", self.name) if word][-4:]
        words[-1:] = [singular(word.lower()) for word in words[-1:]]
        return tuple("".join(words[start:]).lower() for start in range(len(words) - 1, -1, -1))

    def is_of(self, kinds: Sequence[str]) -> bool:
        """Return whether the last word of its name is one of these."""
        return self.stems[:1] != () and self.stems[0] in kinds

    @property
    def key(self) -> str:
        """The column that others refer to."""
        names = [name for stem in self.stems for name in (f"{stem}id", f"id{stem}")]
        return self.named("id", *names) or self.columns[0]


@dataclass(frozen=True)
class Selection:
    """A table to read: the rows of ``sql`` have the fields ``names``; ``field_map`` says what some of them are."""

    table: Table
    sql: str
    names: tuple[str, ...]
    field_map: Mapping[str, str] = field(default_factory=dict)
    lists: frozenset[str] = frozenset()  # the fields that hold several names
    left_out: int = 0  # rows that the program hides

    def uses(self, table: Table) -> bool:
        """Return whether a table says something of the rows."""
        return any(f"{word} {quoted(table.name)} " in self.sql for word in ("FROM", "JOIN"))


class Layout:
    """Finds what refers to what among the tables of a database."""

    def __init__(self, rows: sqlite3.Connection, tables: Sequence[Table]) -> None:
        self._rows = rows
        self.tables = [table for table in tables if self._has_rows(table)]
        self._by_name: dict[str, dict[str, list[Table]]] = {}
        self._within: dict[tuple[str, str, str], bool] = {}

    def is_public(self, table: Table) -> bool:
        """Return whether a table has no private messages, drafts and the like, by its name."""
        return _PRIVATE.search(table.name) is None

    def known_fields(self, table: Table) -> dict[str, str]:
        """Return the roles of columns that only who knows the program can tell."""
        for known, fields in _KNOWN_FIELDS.items():
            if all(table.named(name) for name in known):
                return {role: table.named(name) or "" for role, name in fields.items()}
        return {}

    def is_text(self, table: Table, column: str) -> bool:
        """Return whether a column holds texts, not numbers, names or flags."""
        found = self._rows.execute(
            f"SELECT avg(length(v)), avg(instr(trim(v), ' ') > 0 OR length(CAST(v AS BLOB)) > length(v)) FROM "  # noqa: S608
            f"(SELECT {quoted(column)} AS v FROM {quoted(table.name)} WHERE {quoted(column)} <> '' LIMIT {_SAMPLE})"
        ).fetchone()
        return found[0] is not None and found[0] >= _MEAN_TEXT and found[1] >= 0.5

    def is_numbers(self, table: Table, column: str) -> bool:
        """Return whether a column holds numbers, or nothing."""
        sample = f"SELECT {quoted(column)} AS v FROM {quoted(table.name)} WHERE {quoted(column)} <> '' LIMIT {_SAMPLE}"  # noqa: S608
        texts = self._rows.execute(f"SELECT avg(v GLOB '*[^0-9.-]*') FROM ({sample})").fetchone()[0]  # noqa: S608
        return texts is None or texts < 0.5

    def conversations(self, tables: Sequence[Table]) -> list[Selection]:
        """Return the tables of topics and of their messages, or of questions and their answers; [] for neither.

        The messages, or the answers, are in one of ``tables``.
        """
        found: list[tuple[bool, int, Table, str, Table | None]] = []
        for messages in filter(self.is_public, tables):
            rank = next((n for n, kind in enumerate(_MESSAGES) if messages.is_of((kind,))), None)
            if rank is None or (self._text_of(messages) is None and self._text_beside(messages) is None):
                continue
            for column in messages.columns[:_MOST_COLUMNS]:
                above = self._referred(messages, column, _TOPICS)
                found += [(False, rank, messages, column, one) for one in above if _title(one) or _title(messages)]
            if thread := messages.named(*_THREADS):
                found.append((True, rank, messages, thread, None))
        if not found:
            return []
        _, _, messages, column, topics = min(found, key=lambda one: one[:2])
        text = self._text_of(messages)
        asks = topics is not None and (self._text_of(topics) is not None or messages.is_of(("answer",)))
        if topics is None or text is None or not asks:
            return [self._thread(messages, column, topics)]
        answers = {"parent": column, "body": text, "answer": "-", "title": "-"}
        replies = self._selected(messages, answers, [(messages, "t"), (topics, "o")], [_topics_joined(topics, column)])
        title = _title(topics)
        return [self.select(topics, {"id": topics.key, **({"title": title} if title else {})}), replies]

    def select(self, table: Table, field_map: Mapping[str, str] | None = None) -> Selection:
        """Select the rows of one table with what others say of them."""
        return self._selected(table, dict(field_map or {}), [(table, "t")], [])

    def _thread(self, messages: Table, column: str, topics: Table | None) -> Selection:
        above = [(topics, "o")] if topics else []
        joins = [_topics_joined(topics, column)] if topics else []
        return self._selected(messages, {"thread": column}, [(messages, "t"), *above], joins)

    def _text_beside(self, table: Table) -> tuple[Table, str] | None:
        """Find the table that has nothing but the texts of another one: (it, the column of the texts)."""
        for other in self.tables:
            key = other.columns[0]
            if not other.is_of(("text",)) or other == table:
                continue
            named = other.name.startswith(table.name) or normal_name(key) == normal_name(table.key)
            if named and (text := self._text_of(other)) and self._is_within(other, key, table):
                return other, text
        return None

    def _selected(
        self, table: Table, field_map: dict[str, str], sources: Sequence[tuple[Table, str]], joins: list[str]
    ) -> Selection:
        """Build the SELECT of a table's rows; ``sources`` are it and its topics, with what they are called there."""
        field_map = {**self.known_fields(table), **field_map}
        added: list[tuple[str, str, str]] = []  # role, name, expression
        lists = set()
        if len(sources) > 1:
            topics = sources[1][0]
            if title := _title(topics):
                added.append(("title", f"{topics.name}.{title}", f"o.{quoted(title)}"))
            if listed := topics.named("tagnames"):
                added.append(("tags", f"{topics.name}.{listed}", f"replace(o.{quoted(listed)}, ' ', char(31))"))
                lists.add(f"{topics.name}.{listed}")
            if best := topics.named(*ACCEPTED_ANSWER):
                accepted = f"coalesce({_text('o', best)} = {_text('t', table.key)}, 0)"
                added.append(("accepted", f"{topics.name}.{best}", accepted))
        if "thread" in field_map and self._text_of(table) is None and (beside := self._text_beside(table)):
            other, text = beside
            key, name = _text("x", other.columns[0]), quoted(other.name)
            inner = f"SELECT {key} AS k, max(x.{quoted(text)}) AS n FROM {name} AS x GROUP BY 1"  # noqa: S608 - quoted
            joins.append(f"JOIN ({inner}) AS s ON s.k = {_text('t', table.key)}")
            added.append(("body", f"{other.name}.{text}", "s.n"))
        writer = self._writer(table, joins, named="thread" in field_map or "parent" in field_map)
        added += [writer] if writer else []
        for of, alias in sources:
            place = self._place(of, alias, joins, _PLACES)
            if place is None and "thread" not in field_map and len(sources) == 1:
                place = self._place(of, alias, joins, _SUBJECTS)
            tags = self._tags(of, alias, joins)
            for role, given in (("category", place), ("tags", tags)):
                if given and role not in {known for known, *_ in added}:
                    added.append((role, *given))
            if tags:
                lists.add(tags[0])
        conditions = [
            condition for of, alias in sources for condition in self._hidden(of, alias, kinds=len(sources) > 1)
        ]
        columns = [f"t.{quoted(name)}" for name in table.columns] + [f"{sql} AS {quoted(n)}" for _, n, sql in added]
        tables, topics_too = f"{quoted(table.name)} AS t", " ".join(joins[: len(sources) - 1])
        shown = " AND ".join(f"NOT coalesce({condition}, 0)" for condition in conditions)
        where = f" WHERE {shown}" if shown else ""
        hidden = f"SELECT count(*) FROM {tables} {topics_too} WHERE NOT ({shown})" if shown else "SELECT 0"  # noqa: S608 - quoted
        return Selection(
            table,
            f"SELECT {', '.join(columns)} FROM {tables} {' '.join(joins)}{where}",  # noqa: S608 - quoted
            (*table.columns, *(name for _, name, _ in added)),
            {**{role: name for role, name, _ in added}, **field_map},
            frozenset(lists),
            self._rows.execute(hidden).fetchone()[0],
        )

    def _writer(self, table: Table, joins: list[str], *, named: bool) -> tuple[str, str, str] | None:
        """Find who wrote a row: the name in it, else that of its number among the people; else the number."""
        written = (*_WRITTEN_NAMES, "name") if named else _WRITTEN_NAMES
        own = next(
            (
                column for column in table.columns
                if ((role_of(column) or ("",))[0] == "author" or normal_name(column) in written)
                and not self.is_numbers(table, column)
            ),
            None,
        )  # fmt: skip
        mine = f"nullif(t.{quoted(own)}, '')" if own else "NULL"
        for column in (found for name in _WRITERS if (found := table.named(name)) and found != own):
            for people in self._referred(table, column, _PEOPLE):
                name = _name_of_person(people, "x")
                if name is None:
                    continue
                alias = _joined(joins, f"SELECT {_text('x', people.key)} AS k, max({name[1]}) AS n "  # noqa: S608
                                f"FROM {quoted(people.name)} AS x GROUP BY 1", f"t.{quoted(column)}")  # fmt: skip
                return "author", f"{people.name}.{name[0]}", f"coalesce({mine}, {alias}.n)"
        number = table.named(*_WRITERS)
        if own:
            return ("author", own, mine) if normal_name(own) in written else None
        return ("author", f"{number} (number)", f"t.{quoted(number)}") if named and number else None

    def _place(self, table: Table, alias: str, joins: list[str], kinds: Sequence[str]) -> tuple[str, str] | None:
        """Find the category, the forum or the like that a row is in."""
        for column in table.columns[:_MOST_COLUMNS]:
            for places in self._referred(table, column, kinds):
                stems = places.stems
                name = places.named("name", "title", *(f"{stem}name" for stem in stems), *stems)
                if name and places != table:
                    joined = _joined(joins, _names(places, name), f"{alias}.{quoted(column)}")
                    return f"{places.name}.{name}", f"{joined}.n"
        return None

    def _tags(self, table: Table, alias: str, joins: list[str]) -> tuple[str, str] | None:
        """Find the tags of rows, where a table between says which has which; or their categories, if that does."""
        for kinds in (_TAGS, _PLACES):
            for links in self.tables:
                for column in links.columns[:8] if links != table else ():
                    for tags in self._referred(links, column, kinds):
                        name = tags.named("name", "title", "tag", "displayname", "label", "tagtext")
                        owner = self._column_that_refers(links, table, column)
                        if name is None or owner is None or tags in (table, links):
                            continue
                        inner = (
                            f"SELECT {_text('l', owner)} AS k, group_concat(g.n, char(31)) AS n "  # noqa: S608
                            f"FROM {quoted(links.name)} AS l LEFT JOIN ({_names(tags, name)}) AS g "
                            f"ON g.k = {_text('l', column)} GROUP BY 1"
                        )
                        return f"{tags.name}.{name}", f"{_joined(joins, inner, f'{alias}.{quoted(table.key)}')}.n"
        return None

    def _column_that_refers(self, links: Table, table: Table, without: str) -> str | None:
        stems = table.stems
        names = [*(name for stem in stems for name in (f"{stem}id", f"id{stem}", stem)), normal_name(table.key)]
        for name in (*names, *_OBJECTS):
            column = links.named(name) if name != "id" else None
            if column and column != without and self._is_within(links, column, table):
                return column
        return None

    def _referred(self, table: Table, column: str, kinds: Sequence[str]) -> list[Table]:
        """Return the tables of some kinds that a column refers to, as far as its name and its values tell."""
        named = self._named(kinds).get(normal_name(column), [])
        return [other for other in named if other != table and self._is_within(table, column, other)]

    def _named(self, kinds: Sequence[str]) -> Mapping[str, list[Table]]:
        """Return the tables of some kinds by the names, folded, of columns that refer to them."""
        known = self._by_name.get(kinds[0])
        if known is not None:
            return known
        found = self._by_name[kinds[0]] = {}
        for other in self.tables:
            if not other.is_of(kinds):
                continue
            stems = other.stems
            names = {name for stem in stems for name in (f"{stem}id", f"id{stem}", stem)}
            names |= {f"{stem[:1]}id" for stem in stems} & {normal_name(other.key)}
            names |= set(_WRITERS if kinds is _PEOPLE else ("replyto",) if kinds is _TOPICS else ())
            names |= {"catid", "cat"} if "category" in stems else set()
            for name in names:
                if len(found.setdefault(name, [])) < _MOST_OF_A_NAME:
                    found[name].append(other)
        return found

    def _is_within(self, table: Table, column: str, other: Table) -> bool:
        """Return whether most of a column's values are keys of another table."""
        asked = (table.name, column, other.name)
        if asked not in self._within:
            self._within[asked] = len(self._within) < _MOST_LOOKED_AT and self._are_keys(table, column, other)
        return self._within[asked]

    def _are_keys(self, table: Table, column: str, other: Table) -> bool:
        values = (
            f"SELECT DISTINCT CAST({quoted(column)} AS TEXT) AS v FROM "  # noqa: S608 - quoted
            f"(SELECT {quoted(column)} FROM {quoted(table.name)} "
            f"WHERE {quoted(column)} NOT IN ('', '0', 0) LIMIT {_SAMPLE})"
        )
        known = f"SELECT {_text('x', other.key)} FROM {quoted(other.name)} AS x"  # noqa: S608 - quoted
        share = self._rows.execute(f"SELECT avg(v IN ({known})) FROM ({values})").fetchone()[0]  # noqa: S608
        return share is not None and share >= _FEWEST_KNOWN

    def _hidden(self, table: Table, alias: str, *, kinds: bool) -> list[str]:
        """Return the conditions under which a row is not for readers: deleted, not approved, private, an event."""
        found = []
        for column in table.columns[:_MOST_COLUMNS]:
            folded, value = normal_name(column), f"lower({_text(alias, column)})"
            if folded in _DELETED_AT:
                found.append(f"{value} NOT IN ('', '0', 'null')")
            elif folded in HIDING and alias != "t":
                found.append(f"{value} IN {_listed(_YES if HIDING[folded] else _NO)}")
            elif folded in _VISIBLE and self._share(table, column, _YES) >= 0.5:
                found.append(f"{value} NOT IN {_listed(_YES)}")
            elif folded in _STATES:
                found.append(f"{value} IN {_listed(_HIDDEN_WORDS)}")
            elif folded == "archetype":
                found.append(f"{value} LIKE 'private%'")
            elif kinds and folded in _KINDS and all(self._share(table, column, of) for of in (_ASKING, _ANSWERING)):
                found.append(f"{value} NOT IN {_listed((*_ASKING, *_ANSWERING))}")
        for known, (name, values) in _KNOWN_HIDDEN.items():
            if all(table.named(one) for one in known) and (found_name := table.named(name)):
                found.append(f"lower({_text(alias, found_name)}) IN {_listed(values)}")
        return found

    def _share(self, table: Table, column: str, values: Sequence[str]) -> float:
        sql = f"SELECT avg(lower(CAST({quoted(column)} AS TEXT)) IN {_listed(values)}) FROM {quoted(table.name)}"  # noqa: S608
        return float(self._rows.execute(f"{sql} WHERE {quoted(column)} IS NOT NULL").fetchone()[0] or 0)

    def _text_of(self, table: Table) -> str | None:
        names = [
            column
            for column in table.columns[:_MOST_COLUMNS]
            if (role_of(column) or ("",))[0] in ("body", "answer", "question")
        ]
        return next((name for name in names if self.is_text(table, name)), None)

    def _has_rows(self, table: Table) -> bool:
        return self._rows.execute(f"SELECT 1 FROM {quoted(table.name)} LIMIT 1").fetchone() is not None  # noqa: S608


def hidden_remark(selection: Selection) -> str:
    """Say how many rows of a table were left out, and why."""
    rows = counted(selection.left_out, "row")
    return f"{rows} of {selection.table.name} left out: deleted, not approved, private or an event"


def _title(table: Table) -> str | None:
    """Return the column of a table's titles; "name" only where there is no better one."""
    names = [column for column in table.columns if (role_of(column) or ("",))[0] == "title"]
    return next((name for name in names if normal_name(name) != "name"), names[0] if names else None)


def quoted(name: str) -> str:
    """Quote the name of a table or a column."""
    return '"' + name.replace('"', '""') + '"'


def _name_of_person(people: Table, alias: str) -> tuple[str, str] | None:
    name = people.named(*_NAMES_OF_PEOPLE)
    if name:
        return name, f"{alias}.{quoted(name)}"
    first, last = people.named("firstname"), people.named("lastname")
    if first and last:
        return first, f"trim(coalesce({alias}.{quoted(first)}, '') || ' ' || coalesce({alias}.{quoted(last)}, ''))"
    return None


def _names(table: Table, name: str) -> str:
    """Select the key and the name of each row of a table, each key once."""
    key = _text("x", table.key)
    return f"SELECT {key} AS k, max(x.{quoted(name)}) AS n FROM {quoted(table.name)} AS x GROUP BY 1"  # noqa: S608


def _topics_joined(topics: Table, column: str) -> str:
    """Join rows with their topics; grouped, so that SQLite keeps these as a table with an index of its own."""
    inner = f"SELECT {_text('x', topics.key)} AS {_KEY}, x.* FROM {quoted(topics.name)} AS x GROUP BY 1"  # noqa: S608
    return f"LEFT JOIN ({inner}) AS o ON o.{_KEY} = {_text('t', column)}"


def _joined(joins: list[str], inner: str, value: str) -> str:
    alias = f"j{len(joins)}"
    joins.append(f"LEFT JOIN ({inner}) AS {alias} ON {alias}.k = CAST({value} AS TEXT)")
    return alias


def _text(alias: str, column: str) -> str:
    return f"CAST({alias}.{quoted(column)} AS TEXT)"


def _listed(values: Sequence[str]) -> str:
    return "(" + ", ".join(f"'{value}'" for value in values) + ")"


def singular(word: str) -> str:
    """Return an English word, in lower case, in the singular."""
    if word.endswith("ies") and len(word) > 4:
        return f"{word[:-3]}y"
    return word[:-1] if word.endswith("s") and not word.endswith("ss") and len(word) > 3 else word
