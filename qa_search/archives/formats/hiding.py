"""The columns of a table -> which of them say that a record is hidden, a draft or the work of a program."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from qa_search.archives.formats.columns import Column
from qa_search.archives.formats.roles import normal_name
from qa_search.archives.formats.values import is_blank, is_yes

# Flags that keep a record from readers, and their value then.
HIDING = {
    **dict.fromkeys(("hidden", "ishidden", "deleted", "isdeleted", "isdraft", "draft", "private", "isprivate"), True),
    **dict.fromkeys(("internal", "isinternal", "internalnote", "isinternalnote", "spam", "isspam"), True),
    **dict.fromkeys(("isnote", "privatenote", "isprivatenote", "staffonly", "isstaffonly"), True),
    **dict.fromkeys(("published", "ispublished", "approved", "isapproved", "public", "ispublic"), False),
}
# Columns of words that say who sees a record; the words of those that keep it from customers.
_SEEN_BY = ("visibility", "visibleto", "access", "privacy", "notevisibility", "commentvisibility")
_PRIVATE = frozenset(("private", "internal", "hidden", "staff", "staff only", "agents", "agents only"))
_PUBLIC = frozenset(("public", "external", "visible", "customer", "customers", "everyone", "all"))
# Columns that say whether a record is out, and their words for what is not.
STATES = ("status", "state", "poststatus", "publishstatus", "publicationstatus", "articlestatus", "workflowstate")
_UNPUBLISHED = frozenset(
    ("draft", "drafts", "trash", "deleted", "unpublished", "archived", "private", "in review", "hidden", "pending",
     "pending review", "rejected", "unapproved", "spam", "offline", "removed")
)  # fmt: skip
PUBLISHED = frozenset(("published", "publish", "online", "live", "public", "visible", "approved"))
# These keep a record from readers whatever the other words are.
_KEPT_BACK = frozenset(("draft", "drafts", "trash", "hidden", "unpublished", "spam"))
_MOST_STATES = 20
# The day on which a record came out is missing in a draft, beside the days on which it was written or changed.
_CAME_OUT = ("publishedat", "publishedon", "firstpublishedat", "datepublished", "publishdate", "publisheddate")
_WRITTEN = ("createdat", "updatedat", "createdon", "updatedon", "modifiedat", "created", "updated", "datecreated")
# What says that a program wrote a record (Discourse, Slack), and who such programs are.
_BY_PROGRAM = ("actioncode",)
_PROGRAMS = frozenset(("automoderator", "discobot"))


@dataclass
class Hiding:
    """The fields that say that a record is left out; "" for those that a table lacks."""

    flags: dict[str, bool] = field(default_factory=dict)  # their values in a record that is left out
    seen_by: str = ""  # its words say who sees a record
    state: str = ""  # its words say whether a record is published
    came_out: str = ""  # it has the day of publication, and nothing in drafts
    event: str = ""  # it says what a program did
    programs: str = ""  # it names writers, some of which are programs

    @property
    def is_found(self) -> bool:
        """Whether there is any."""
        return bool(self.flags or self.seen_by or self.state or self.came_out or self.event or self.programs)

    def why(self, fields: Mapping[str, object]) -> str:
        """Return what a record is that is left out, such as "drafts by 'publishedAt'"; "" for others."""
        for name, hides in self.flags.items():
            if not is_blank(fields.get(name)) and is_yes(fields[name]) is hides:
                return f"hidden by {name!r}"
        if self.seen_by and _word(fields, self.seen_by) in _PRIVATE:
            return f"private by {self.seen_by!r}"
        if self.state and (word := _word(fields, self.state)) in _UNPUBLISHED:
            return f"{word} by {self.state!r}"
        if self.came_out and self.came_out in fields and is_blank(fields[self.came_out]):
            return f"drafts by {self.came_out!r}"
        if self.event and not is_blank(fields.get(self.event)):
            return f"what the program wrote by {self.event!r}"
        if self.programs and _word(fields, self.programs) in _PROGRAMS:
            return f"what the program wrote by {self.programs!r}"
        return ""


def find_hiding(columns: Mapping[str, Column], used: Collection[str], records: int, writer: str) -> Hiding:
    """Find the fields that hide records, beside those that are ``used``; so many records were looked at.

    ``writer`` is the field whose names may be those of programs.
    """
    flags = {
        column.name: HIDING[folded]
        for column in columns.values()
        if (folded := normal_name(column.name)) in HIDING and column.is_flags and column.name not in used
    }
    state = next((c.name for c in columns.values() if normal_name(c.name) in STATES and _is_state(c)), "")
    event = next((name for name in columns if normal_name(name) in _BY_PROGRAM), "")
    seen_by = _worded(columns, _SEEN_BY, _PRIVATE | _PUBLIC)
    return Hiding(flags, seen_by, state, _came_out(columns, records), event, writer)


def _word(fields: Mapping[str, object], name: str) -> str:
    return str(fields.get(name) or "").strip().lower()


def _worded(columns: Mapping[str, Column], names: Sequence[str], words: frozenset[str]) -> str:
    """Return the column of one of these names that has these words alone; "" if there is no such column."""
    found = (
        column.name
        for column in columns.values()
        if normal_name(column.name) in names
        and column.texts
        and {text.strip().lower() for text in column.texts} <= words
    )
    return next(found, "")


def _is_state(column: Column) -> bool:
    """Return whether the words of a column say which records are published and which are not."""
    said = {text.strip().lower() for text in column.texts}
    hidden = said & _UNPUBLISHED
    return len(said) <= _MOST_STATES and said != hidden and bool(hidden & _KEPT_BACK or (hidden and said & PUBLISHED))


def _came_out(columns: Mapping[str, Column], count: int) -> str:
    """Return the column with the day of publication, if records without it are drafts: other days are in them all."""
    names = {normal_name(name): name for name in reversed(list(columns))}
    own = next((names[name] for name in _CAME_OUT if name in names), "")
    column = columns.get(own)
    written = any(columns[names[name]].filled == count for name in _WRITTEN if name in names)
    return own if column and written and 0 < column.filled < count and column.is_dates else ""
