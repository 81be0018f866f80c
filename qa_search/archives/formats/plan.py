"""The first records of a table -> how all of them are read: which field plays which role, and what its texts are."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Literal

from qa_search.archives.base import ReadOptions, short_date
from qa_search.archives.formats.columns import DATES_LOOKED_AT, Column
from qa_search.archives.formats.field_text import TextKind, kind_of
from qa_search.archives.formats.hiding import PUBLISHED, STATES, Hiding, find_hiding
from qa_search.archives.formats.labels import seems_to_ask
from qa_search.archives.formats.roles import MOST_NAME, ROLES, is_weak, names_date, normal_name, role_of
from qa_search.archives.formats.speakers import Side, Speakers, find_speakers, writer_field
from qa_search.archives.formats.values import is_blank, is_yes, lookup, texts_in
from qa_search.util.dates import day_order, is_ambiguous

NO_FIELD = "-"
_TEXT_ROLES = ("title", "question", "body", "answer")
ASKED = ("title", "question", "body")
# Without an id, the same question in another place or on another subject is another question.
OTHER_SIDES = ("url", "tags", "category")
_STRUCTURAL = ("parent", "thread", "accepted")
_ITS_OWN_ID = ("id", "answerid", "ansid", "replyid", "commentid", "postid", "messageid", "tweetid", "_id", "aid")
# Beside an id of the answer, these describe the question, and another text of the record is the answer.
_IDS_OF_ANSWERS = ("answerid", "ansid", "replyid")
_DESCRIBES = ("desc", "description", "questiontext", "questionbody", "questiondetails", "questiondescription")
_OF_THE_QUESTION = ("feeditemid", "questionid", "qid", "questionpostid", "idquestion")
# Fields of these names may hold the id of a question, or the ids of answers.
_QUESTIONS_BY_ID = ("question", "parentquestion", "questionref", "query", "frage", "pregunta")
_IDS_OF_MANY = ("answers", "answerids", "answersids", "replies", "replyids", "responses", "responseids", "solutions")
# Fields of these names hold the numbers of answers, which are in another table with a number each.
_NUMBERS_OF_MANY = ("groundtruth", "groundtruths", "answerids", "answersids", "replyids", "responseids")
_NUMBERS_OF_ANSWERS = ("label", "index", "number", "no")
ACCEPTED_ANSWER = ("acceptedanswerid", "bestanswerid", "selchildid", "solutionid", "bestanswerpostid", "answerpostid")
# Columns of these names that hold numbers count answers.
_COUNTED = ("answers", "replies", "responses", "solutions")
# Columns of these names that hold true or false are flags.
_FLAGGED = ("acceptedanswer", "bestanswer", "expertanswer", "suggestedanswer", "solution", "answers", "replies")
# Columns of these names may say what each record is, in a table of questions and answers to them.
_ROW_KINDS = ("type", "posttype", "posttypeid", "kind", "role")
_QUESTION_KINDS = frozenset(("q", "question", "questionpost", "topic", "thread", "1", "prompter", "user", "human", "m"))
_ANSWER_KINDS = frozenset(("a", "answer", "reply", "response", "2", "assistant", "r", "i_answer", "s_answer"))
_COMMENT_KINDS = frozenset(("c", "comment", "note", "n", "followup", "feedback", "poll"))
_HIDDEN_KIND = re.compile(r"\w+?[_ -]?(?:hidden|queued|deleted|spam|pending)", re.IGNORECASE)
# What programs that publish articles write beside a title and a text, and what is the text.
_OF_ARTICLES = frozenset(
    ("publishedat", "datepublished", "publishedon", "firstpublishedat", "articleid", "excerpt", "contenthtml", "hsbody")
)
_ARTICLE_TEXTS = ("contenthtml", "hsbody", "html", "contenttext", "plaintext")
_ARTICLES = frozenset(("faq", "faqs", "article", "articles", "page", "kb", "docs", "faqitem", "knowledgebase"))
# What only questions have.
_OF_ASKERS = frozenset(
    ("score", "votes", "upvotes", "views", "viewcount", "answercount", "answerscount", "answers", "commentcount",
     "comments", "numcomments", "commentscount", "replies", "replycount", "repliescount", "postscount", "owner",
     "asker", "askedby", "requester", "requesterid", "email", "isanswered", "answered", "solved", "topicid", "forum",
     "priority", "assignee", "assigneeid", "closedat")
)  # fmt: skip
# Columns that say whether a sentence answers the question of its row, and those of such sentences.
_JUDGED = ("label", "relevance", "isrelevant", "isselected", "iscorrect", "correct", "labels")
_SENTENCES = ("sentence", "candidate", "passage", "atext", "candidateanswer", "passagetext", "answersentence")
# More columns that tie messages to each other, where it is known who speaks in them.
_CONVERSATIONS = (
    "conversation", "ticket", "case", "chatid", "sessionid", "dialogid", "dialogueid", "ticketno", "ticketnumber",
    "ticketref", "ticketkey", "casenumber", "conversationnumber", "requestid", "incidentid", "issueid", "issuekey",
    "inquiryid", "roomid", "channelid", "convid", "tid",
)  # fmt: skip
# Messages of these wait for the table of the tickets, in which their subjects are.
_TICKETS = ("ticketid", "caseid")
# Columns of these names are what a message says, never more of a question that has an answer.
_REMARKS = ("comment", "commentbody", "commenttext", "plainbody", "htmlbody", "bodyplain", "messagecontent")
_COPIES_LOOKED_AT = 50
_PERHAPS_DATES = (
    "received",
    "opened",
    "added",
    "sent",
    "stand",
    "eingang",
    "erstellt",
    "creado",
    "entrydate",
    "data",
    "time",
    "asked",
    "submitted",
    "ts",
)
_MOST_NAMES = 1000
_TEXTS_LOOKED_AT = 300
# A field that is this many times as long as one with a better name is the body.
_MUCH_LONGER = 1.5

Relation = Literal["", "groups", "replies", "parents", "threads", "messages"]


@dataclass
class Plan:
    """How the records of one table are read.

    ``fields`` gives for each role the names of its fields, best first; a record's first that is not blank is taken.
    ``own_id`` and ``parent`` name the fields that tie an answer to its question, where that is in another record.
    """

    fields: dict[str, list[str]] = field(default_factory=dict)
    kinds: dict[str, TextKind] = field(default_factory=dict)
    day_first: bool | None = None
    relation: Relation = ""
    by_id: bool = False
    parent: str = ""
    own_id: str = ""
    accepted: str = ""
    accepted_id: str = ""
    answer_ids: str = ""  # the field that has the ids of answers, which are in another file
    hiding: Hiding = field(default_factory=Hiding)
    speakers: Speakers | None = None  # how a customer's messages are told from those of staff
    across: bool = False  # whether the messages of a thread may be in several files
    writer: str = ""  # the field that tells the writers of messages apart
    row_kind: str = ""  # the field that says whether a record asks, answers or comments
    question_is_long: bool = False  # what is named the question has the details, and the body is its title
    of_answers: frozenset[str] = frozenset()  # which of author, score and date are those of the answer, in groups
    known: set[str] = field(default_factory=set)
    mapped: dict[str, str] = field(default_factory=dict)
    unmatched: dict[str, str] = field(default_factory=dict)
    paths: set[str] = field(default_factory=set)
    columns: dict[str, Column] = field(default_factory=dict)
    is_articles: bool = False  # whether texts below titles that ask were taken for answers
    judged: str = ""  # the flag that says whether a sentence answers its question
    is_numbered: bool = False  # whether its records are answers alone, each with a number
    thread: str = ""  # the field that names what a record belongs to, whether or not others of this file do

    def learn(self, names: Iterable[str]) -> None:
        """Find the roles of names that the sample did not have."""
        for name in names:
            if len(self.known) < 10 * _MOST_NAMES:
                self.known.add(name)
            found = role_of(name)
            if found is None or name in self.mapped.values():
                continue
            role, rank = found
            if role in self.mapped or role in _STRUCTURAL or (is_weak(rank) and self.fields.get(role)):
                continue
            names_of_role = self.fields.setdefault(role, [])
            if name not in names_of_role and len(names_of_role) < _MOST_NAMES:
                names_of_role.append(name)
                names_of_role.sort(key=_rank)

    def values(self, fields: Mapping[str, object]) -> dict[str, tuple[str, object]]:
        """Choose a field for each role: role -> (name, value)."""
        if not fields.keys() <= self.known:
            self.learn([name for name in fields if name not in self.known])
        chosen = {}
        paths = self.paths
        for role, names in self.fields.items():
            for name in names:
                value = lookup(fields, name) if name in paths else fields.get(name)
                if value is not None and value != "" and not is_blank(value):  # the last question takes longer
                    chosen[role] = (name, value)
                    break
        return chosen

    def value(self, fields: Mapping[str, object], name: str) -> object:
        """Return the value of a field, None where it is blank."""
        value = lookup(fields, name) if name else None
        return None if is_blank(value) else value

    def left_out(self, fields: Mapping[str, object]) -> str:
        """Return what a record is that is neither a question nor an answer, such as "comments"; "" for others."""
        if why := self.hiding.why(fields):
            return why
        if self.judged and not is_yes(fields.get(self.judged)):
            return f"sentences that answer nothing by {self.judged!r}"
        if self.speakers is not None and (side := self.side(fields)) not in ("customer", "staff"):
            said = {"note": "notes among staff", "event": "what the program wrote"}.get(side, "of an unknown writer")
            return f"{said} by {self.speakers.name!r}"
        kind = str(self.value(fields, self.row_kind) or "").strip().lower()
        if kind in _COMMENT_KINDS:
            return f"comments by {self.row_kind!r}"
        return f"hidden by {self.row_kind!r}" if _HIDDEN_KIND.fullmatch(kind) else ""

    def asks(self, fields: Mapping[str, object]) -> bool:
        """Return whether a record says of itself that it asks, though it may go on from another one."""
        return str(self.value(fields, self.row_kind) or "").strip().lower() in _QUESTION_KINDS

    def is_reply(self, parent: object) -> bool:
        """Return whether a record with this value as its parent replies; in a table of answers alone 0 is an id too."""
        answers_alone = self.relation == "replies" and normal_name(self.parent) in _OF_THE_QUESTION
        return parent is not None if answers_alone else is_parent(parent)

    def side(self, fields: Mapping[str, object]) -> Side:
        """Return who speaks in a message of a help desk; "" where that is not known."""
        return "" if self.speakers is None else self.speakers.side(fields)

    @property
    def unused(self) -> list[Column]:
        """The text columns without a role."""
        used = {name for names in self.fields.values() for name in names}
        return [
            column for column in self.columns.values() if column.name and column.name not in used and column.is_text
        ]


def make_plan(records: Sequence[Mapping[str, object]], options: ReadOptions, html: bool | None = None) -> Plan:
    """Decide from sampled records how all records of a table are read; ``html`` says what is known of their texts."""
    plan = Plan(columns=_columns(records))
    plan.known = set(plan.columns)
    _apply_map(plan, records, options)
    tied = _choose_fields(plan)
    _set_relation(plan, tied, records)
    _find_articles(plan)
    _find_judged(plan, records)
    for role in _TEXT_ROLES:
        for name in plan.fields.get(role, ()):
            plan.kinds[name] = kind_of(_texts(plan, name, records)[:_TEXTS_LOOKED_AT], html)
    used = {name for names in plan.fields.values() for name in names}
    writers = plan.fields.get("author", [])[:1] if plan.relation in ("replies", "parents", "threads") else []
    plan.hiding = find_hiding(plan.columns, used, len(records), next(iter(writers), ""))
    plan.question_is_long = _question_is_long(plan)
    plan.day_first = day_order(_date_texts(plan, records))
    return plan


def _find_articles(plan: Plan) -> None:
    """Take the texts of published articles whose titles ask for the answers."""
    known = plan.mapped.keys() | plan.fields.keys()
    if plan.relation or plan.answer_ids or known & {"answer", "question", "parent"} or not plan.fields.get("title"):
        return
    names = {normal_name(name): name for name in reversed(plan.columns)}
    if _OF_ASKERS & names.keys():
        return
    kinds = {text.strip().lower().removeprefix("node--") for name in ("type",) if name in names
             for text in plan.columns[names[name]].texts}  # fmt: skip
    states = {text.strip().lower() for name in STATES if name in names for text in plan.columns[names[name]].texts}
    if not (_OF_ARTICLES & names.keys() or (kinds and kinds <= _ARTICLES) or states & PUBLISHED):
        return
    bodies = [*(names[name] for name in _ARTICLE_TEXTS if name in names), *plan.fields.get("body", [])]
    bodies = [name for name in dict.fromkeys(bodies) if plan.columns[name].texts]
    titles = plan.columns[plan.fields["title"][0]]
    if not bodies or not titles.texts or plan.columns[bodies[0]].length <= titles.length:
        return
    asking = sum(seems_to_ask(text) for text in titles.texts)
    asked_below = sum(text.rstrip().endswith(("?", "？")) for text in plan.columns[bodies[0]].texts)
    if 2 * asking < len(titles.texts) or 5 * asked_below > len(plan.columns[bodies[0]].texts):
        return
    plan.fields["answer"] = bodies[:1]
    plan.fields.pop("body", None)
    plan.is_articles = True


def _find_judged(plan: Plan, records: Sequence[Mapping[str, object]]) -> None:
    """Find the flag that says which of several sentences answers its question; the others are left out."""
    names = {normal_name(name): name for name in reversed(plan.columns)}
    flag = next((names[name] for name in _JUDGED if name in names and plan.columns[names[name]].is_flags), "")
    asking = next((plan.fields[role][0] for role in ("question", "title") if plan.fields.get(role)), "")
    if not flag or not asking or plan.relation not in ("", "groups"):
        return
    answer = next((names[name] for name in _SENTENCES if name in names), "")
    if not (plan.fields.get("answer") or (answer and "answer" not in plan.mapped)):
        return
    judged: dict[str, set[bool]] = {}
    for fields in records:
        if not is_blank(fields.get(flag)):
            judged.setdefault(str(fields.get(asking)), set()).add(is_yes(fields[flag]))
    if any(len(said) > 1 for said in judged.values()):
        plan.fields.setdefault("answer", [answer])
        plan.judged = flag
        if not plan.relation:
            _set_groups(plan, [fields for fields in records if is_yes(fields.get(flag))], "", "")


def _question_is_long(plan: Plan) -> bool:
    """Return whether a field that may be the question is much longer than the body, which then is its title."""
    first = [names[0] for role in ("question", "body") if (names := plan.fields.get(role))]
    if len(first) < 2 or not is_weak(_rank(first[0])) or not all(name in plan.columns for name in first):
        return False
    question, body = (plan.columns[name].length for name in first)
    return question > _MUCH_LONGER * body


def remarks_on(plan: Plan) -> list[str]:
    """Return remarks on the parts of a plan that a person should check."""
    remarks = []
    for role, name in plan.unmatched.items():
        taken = plan.fields.get(role)
        instead = f"; {taken[0]!r} was taken" if taken else ""
        remarks.append(f"field_map={ ({role: name})!r} names no field of this file{instead}")
    if plan.is_articles:
        remarks.append(
            f"{plan.fields['answer'][0]!r} of published records whose titles ask was taken for the answers; if it only "
            "goes on with the question, build with field_map={'answer': '-'}"
        )
    twice = [name for name, kind in plan.kinds.items() if kind.mojibake]
    if twice:
        remarks.append(f"texts in {', '.join(map(repr, twice))} were encoded twice (such as â€™ for ’): repaired")
    encoded = [name for name, kind in plan.kinds.items() if kind.base64]
    if encoded:
        remarks.append(f"texts in {', '.join(map(repr, encoded))} were written as base64: decoded")
    dates = [text for name in plan.fields.get("date", ()) if name in plan.columns for text in plan.columns[name].texts]
    ambiguous = [text for text in dates if is_ambiguous(text)]
    for names in plan.fields.values():
        languages = sorted(plan.columns[names[0]].languages) if names[0] in plan.columns else []
        if len(languages) > 1:
            remarks.append(
                f"{names[0]!r} has texts in {', '.join(languages[:12])}: the first language of each was taken"
            )
    if plan.relation in ("threads", "messages") and not (plan.speakers or plan.fields.get("author") or plan.writer):
        remarks.append(
            "no field says who wrote a message: the first of each thread was taken for the question, all others for "
            "answers"
        )
    if ambiguous and plan.day_first is None:
        remarks.append(
            f"dates such as {ambiguous[0]!r} could mean two days, and no other date shows which: they are left out"
        )
    return remarks


def _columns(records: Sequence[Mapping[str, object]]) -> dict[str, Column]:
    columns: dict[str, Column] = {}
    for fields in records:
        for name in fields if len(fields) <= _MOST_NAMES else islice(fields, _MOST_NAMES):
            column = columns.get(name)
            if column is None:
                if len(columns) >= _MOST_NAMES:
                    continue
                column = columns[name] = Column(name)
            value = fields[name]
            if value is not None and value != "" and not is_blank(value):
                column.see(value)
    return columns


def _apply_map(plan: Plan, records: Sequence[Mapping[str, object]], options: ReadOptions) -> None:
    """Split ``field_map`` into fields that this file has and fields that it lacks; the latter are found by name."""
    for role, name in options.field_map.items():
        if name == NO_FIELD:
            plan.mapped[role] = name
        elif any(lookup(fields, name) is not None for fields in records):
            plan.mapped[role] = name
            plan.fields[role] = [name]
            if name not in plan.columns:
                plan.paths.add(name)
        else:
            plan.unmatched[role] = name


def _choose_fields(plan: Plan) -> dict[str, str]:
    """Choose the fields of each role; return those that connect records, by role."""
    # What a path leads into plays no other role.
    taken = {*plan.mapped.values(), *(name.split(".")[0] for name in plan.paths)}
    found: dict[str, list[str]] = {}
    for column in plan.columns.values():
        known = role_of(column.name) if len(column.name) <= MOST_NAME and column.name not in taken else None
        if known is not None and known[0] not in plan.mapped and _could_be(known[0], column):
            found.setdefault(known[0], []).append(column.name)
    for names in found.values():
        names.sort(key=_rank)
    _drop_counts(plan, found)
    if found.get("answer") and not (found.get("question") or plan.fields.get("question")):
        found["answer"] = [name for name in found["answer"] if normal_name(name) != "a"]  # beside no "q"
    _drop_weak(plan, found)
    _find_answer_by_id(plan, found)
    _put_longest_first(plan, found.get("body", []))
    _drop_copies(plan, found)
    if not (found.get("date") or "date" in plan.mapped):
        found["date"] = _perhaps_date(plan, {*taken, *(name for names in found.values() for name in names)})
    plan.fields = {role: plan.fields.get(role) or found.get(role, []) for role in ROLES if role not in _STRUCTURAL}
    plan.fields = {role: names for role, names in plan.fields.items() if names}
    return {
        role: plan.mapped.get(role) or found[role][0] for role in _STRUCTURAL if role in plan.mapped or found.get(role)
    }


def _perhaps_date(plan: Plan, taken: set[str]) -> list[str]:
    """Return the first column that names a date of some kind and holds dates; [] if it is missing."""
    names = (
        column.name
        for column in plan.columns.values()
        if column.name not in taken and len(column.name) <= MOST_NAME and names_date(column.name) and column.is_dates
    )
    return list(islice(names, 1))


def _rank(name: str) -> int:
    found = role_of(name)
    return found[1] if found else 0


def _could_be(role: str, column: Column) -> bool:
    """Return whether a column's values fit the role of its name."""
    if role in _TEXT_ROLES and names_date(column.name) and column.is_dates:
        return False  # the day of a question
    if role in _TEXT_ROLES and column.filled:
        if normal_name(column.name) == "name":
            return 2 * sum("?" in text for text in column.texts) > len(column.texts)
        if column.is_ids:
            return False  # they name records that are elsewhere
        if role == "answer" and column.lists == column.filled and not column.texts:
            return False  # what stands for answers that are elsewhere
        return column.flags < column.filled or normal_name(column.name) not in _FLAGGED
    if role == "date" and column.is_flags:
        return False
    if role == "date" and normal_name(column.name) in _PERHAPS_DATES:
        return any(short_date(text.strip()) or is_ambiguous(text) for text in column.texts[:DATES_LOOKED_AT])
    return True


def _drop_counts(plan: Plan, found: dict[str, list[str]]) -> None:
    """Drop columns whose values count answers (or the like)."""
    for role in _TEXT_ROLES:
        names = found.get(role, [])
        counts = [name for name in names if plan.columns[name].filled and _all_numbers(plan.columns[name])]
        if len(counts) < len(names):
            found[role] = [name for name in names if name not in counts]
        elif role in found:
            found[role] = [name for name in names if normal_name(name) not in _COUNTED]
    _drop_numbers(plan, found)


def _drop_numbers(plan: Plan, found: dict[str, list[str]]) -> None:
    """Drop numbers that stand where texts should.

    They do where no field has a text, as in statistics; where another field has the question; and where a text without
    a role may be the question.
    """
    names = {role: [*found.get(role, []), *plan.fields.get(role, [])] for role in _TEXT_ROLES}
    with_texts = {
        role for role in _TEXT_ROLES for name in names[role]
        if name not in plan.columns or not plan.columns[name].is_numbers
    }  # fmt: skip
    used = {name for role in _TEXT_ROLES for name in names[role]}
    dropped: Sequence[str] = ()
    if not with_texts:
        dropped = _TEXT_ROLES
    elif with_texts.intersection(ASKED):
        dropped = ("question", "body")
    elif any(column.is_text and column.name not in used for column in plan.columns.values()):
        dropped = ASKED
    elif found.get("id"):
        dropped = ("question", "body")  # the ids of questions, beside that of the record
    for role in dropped:
        if role in found:
            found[role] = [name for name in found[role] if not plan.columns[name].is_numbers]


def _all_numbers(column: Column) -> bool:
    return column.numbers == column.filled


def _drop_weak(plan: Plan, found: dict[str, list[str]]) -> None:
    """Drop fields with ambiguous names if another field plays their role."""
    for role, names in list(found.items()):
        weak = [name for name in names if is_weak(_rank(name))]
        strong = [name for name in names if name not in weak]
        if role == "question" and weak and strong and all(plan.columns[name].is_constant for name in strong):
            # All records have the same instruction: what it is about is what differs.
            found[role] = weak
        elif role == "body" and not strong and not found.get("thread"):
            beside = found.keys() & {"question", "title", "answer"}
            found[role] = [name for name in weak if not beside or normal_name(name) not in _REMARKS]
        elif strong or (role == "title" and (found.get("question") or plan.fields.get("question"))):
            found[role] = strong
            if role == "question" and "instruction" in map(normal_name, strong):
                found["body"] = [*found.get("body", []), *(name for name in weak if normal_name(name) == "input")]


def _find_answer_by_id(plan: Plan, found: dict[str, list[str]]) -> None:
    """Take the text beside a title and a description for the answer, where each record has the id of an answer."""
    bodies = found.get("body", [])
    others = [name for name in bodies if normal_name(name) not in _DESCRIBES]
    has_id = any(normal_name(name) in _IDS_OF_ANSWERS for name in plan.columns)
    known = found.get("answer") or "answer" in plan.mapped
    if has_id and not known and found.get("title") and len(others) == 1 < len(bodies):
        found["answer"] = others
        bodies.remove(others[0])


def _put_longest_first(plan: Plan, bodies: list[str]) -> None:
    """Put a much longer body before one with a better name: the shorter one is a teaser."""
    if len(bodies) > 1:
        longest = max(bodies, key=lambda name: plan.columns[name].length)
        if plan.columns[longest].length > _MUCH_LONGER * plan.columns[bodies[0]].length:
            bodies.remove(longest)
            bodies.insert(0, longest)


def _drop_copies(plan: Plan, found: dict[str, list[str]]) -> None:
    """Drop bodies that repeat the answer, as the column does that has a whole example for the training of a model."""
    answers = [name for name in found.get("answer", [])[:1] if plan.columns[name].texts]
    asked = found.get("question", []) or found.get("title", [])
    for name in list(found.get("body", [])) if answers and asked else ():
        texts = plan.columns[name].texts[:_COPIES_LOOKED_AT]
        pairs = list(zip(texts, plan.columns[answers[0]].texts, strict=False))
        if plan.columns[name].filled == plan.columns[answers[0]].filled and all(
            len(text) > len(answer) and answer.strip() in text for text, answer in pairs
        ):
            found["body"].remove(name)


def _set_relation(plan: Plan, tied: Mapping[str, str], records: Sequence[Mapping[str, object]]) -> None:
    """Find whether a post consists of several records, and which fields connect them."""
    names = {normal_name(name): name for name in reversed(plan.columns)}
    asks = any(plan.fields.get(role) for role in ("title", "question"))
    answers, body = bool(plan.fields.get("answer")), bool(plan.fields.get("body"))
    plan.accepted_id, plan.accepted = (
        next((names[name] for name in ACCEPTED_ANSWER if name in names), ""),
        tied.get("accepted", ""),
    )
    # Beside the item of a feed (Salesforce), the parent is what the feed is about.
    thread, parent = tied.get("thread", ""), "" if "feeditemid" in names else tied.get("parent", "")
    if not thread and {"tid", "pid"} <= names.keys() and {"title", "body"} <= plan.fields.keys():
        thread = names["tid"]  # of a forum whose topics and posts are in one table, such as NodeBB
    plan.thread = thread
    plan.answer_ids = "" if answers or "answer" in plan.mapped else _ids_of_answers(plan)
    of_question = next((names[name] for name in _OF_THE_QUESTION if name in names), "") or _reference(plan, names)
    own = next((names[name] for name in _ITS_OWN_ID if name in names and names[name] != of_question), "")
    if answers and not asks and not body and not plan.fields.get("id"):
        plan.is_numbered = bool(numbers := _numbered(plan, records))
        plan.fields |= {"id": numbers} if numbers else {}
    conversation = thread or next((names[name] for name in _CONVERSATIONS if name in names), "")
    says = not answers and (body or bool(plan.fields.get("question")))
    plan.writer = writer_field(names) or (names.get("uid", "") if "pid" in names else "")
    writer = (plan.fields.get("author") or [plan.writer])[0]
    if says and conversation and (speakers := find_speakers(records, conversation, writer)):
        plan.relation, plan.parent, plan.own_id, plan.speakers = "messages", conversation, own, speakers
    elif says and normal_name(thread) in _TICKETS and _repeats(plan, records, thread):
        plan.relation, plan.parent, plan.own_id = "messages", thread, own
    elif thread and says and _repeats(plan, records, thread):
        plan.relation, plan.parent, plan.own_id = "threads", thread, own
    elif parent and not answers and (body or asks) and any(plan.value(fields, parent) for fields in records):
        of_none = any(not is_parent(plan.value(fields, parent)) for fields in records)
        plan.relation, plan.parent, plan.own_id = ("parents" if of_none else "replies"), parent, own
    elif of_question and not asks and (answers != body):
        plan.relation, plan.parent, plan.own_id = "replies", of_question, own
    elif answers:
        _set_groups(plan, records, of_question, own)
    elif thread and not plan.fields.get("id"):
        plan.fields["id"] = [thread]
    if plan.speakers is None and plan.relation in ("parents", "replies", "threads", "messages"):
        _find_row_kind(plan, names)
    if plan.relation == "replies" and (asking := [plan.asks(fields) for fields in records]) and any(asking):
        # What all of them reply to is not a question: a group, or a record that the feed is about.
        plan.relation, plan.parent = ("", "") if all(asking) else ("parents", plan.parent)
    if plan.relation == "parents" and not plan.row_kind:
        plan.speakers = find_speakers(records, "", writer)
    if plan.speakers is not None:
        plan.fields = {
            role: left
            for role, fields in plan.fields.items()
            if (left := [name for name in fields if name != plan.speakers.name])
        }


def _numbered(plan: Plan, records: Sequence[Mapping[str, object]]) -> list[str]:
    """Return the column that numbers answers, each with a number of its own, for questions elsewhere."""
    names = (name for name in plan.columns if normal_name(name) in _NUMBERS_OF_ANSWERS)
    return [
        name
        for name in names
        if len({str(fields.get(name)) for fields in records}) == len(records) == plan.columns[name].numbers
    ][:1]


def _ids_of_answers(plan: Plan) -> str:
    names = (
        name
        for name, column in plan.columns.items()
        if (normal_name(name) in _IDS_OF_MANY and column.is_ids)
        or (normal_name(name) in _NUMBERS_OF_MANY and column.is_numbers)
    )
    return next(names, "")


def _reference(plan: Plan, names: Mapping[str, str]) -> str:
    """Return the field that is named as a question and holds the ids of questions, "" if it is missing."""
    name = next((names[name] for name in _QUESTIONS_BY_ID if name in names), "")
    taken = {name for names in plan.fields.values() for name in names}
    column = plan.columns.get(name)
    return name if column and name not in taken and (column.is_ids or (column.is_numbers and not plan.unused)) else ""


def _find_row_kind(plan: Plan, names: Mapping[str, str]) -> None:
    """Find the column that tells questions, answers and comments apart, if all that it says is known."""
    for name in (names[kind] for kind in _ROW_KINDS if kind in names):
        said = {text.strip().lower() for text in plan.columns[name].texts}
        known = _QUESTION_KINDS | _ANSWER_KINDS
        if said & known and all(
            kind in known or kind in _COMMENT_KINDS or _HIDDEN_KIND.fullmatch(kind) for kind in said
        ):
            plan.row_kind = name
            return


def is_parent(value: object) -> bool:
    """Return whether a value names another record; some tables write 0 or -1 for no record."""
    return value is not None and not (isinstance(value, int | str) and str(value).strip() in ("", "0", "-1"))


def _repeats(plan: Plan, records: Sequence[Mapping[str, object]], name: str) -> bool:
    seen = [str(value) for fields in records if (value := plan.value(fields, name)) is not None]
    return len(set(seen)) < len(seen)


def _set_groups(plan: Plan, records: Sequence[Mapping[str, object]], of_question: str, own: str) -> None:
    """Look for questions that come once for each of their answers: by an id of the question, else by its text."""
    id_names = [of_question] if of_question and own else plan.fields.get("id", [])[:1]
    for id_name in dict.fromkeys([*id_names, ""]):
        groups = _groups(plan, _repeated(plan, records, id_name), id_name)
        if not any(len({answer for answer, _ in group}) > 1 for group in groups):
            continue
        plan.relation = "groups"
        plan.by_id = bool(id_name)
        if id_name:
            plan.fields["id"] = [id_name]
        plan.own_id = own if own != id_name else ""
        plan.of_answers = frozenset(
            role
            for role in ("author", "score", "date")
            for name in plan.fields.get(role, [])[:1]
            if any(len({str(fields.get(name)) for _, fields in group}) > 1 for group in groups)
        )
        return


def _repeated(plan: Plan, records: Sequence[Mapping[str, object]], id_name: str) -> list[Mapping[str, object]]:
    """Return the records that may ask what another one asks: others, as most are, need not be looked at further."""
    keys: list[tuple[str, ...]]
    if id_name:
        keys = [(str(plan.value(fields, id_name)),) for fields in records]
    else:
        fields_asked = {role: plan.fields[role] for role in ASKED if role in plan.fields}
        asking = Plan(fields_asked, mapped=plan.mapped, paths=plan.paths, known=set(plan.known))
        keys = [tuple([str(value) for _, value in asking.values(fields).values()]) for fields in records]
    counts = Counter(keys)
    return [fields for fields, key in zip(records, keys, strict=True) if key and counts[key] > 1]


def _groups(
    plan: Plan, records: Iterable[Mapping[str, object]], id_name: str
) -> list[list[tuple[str, Mapping[str, object]]]]:
    """Gather the records that ask the same: (answer, fields) of each."""
    found: dict[tuple[str, ...], list[tuple[str, Mapping[str, object]]]] = {}
    roles = ASKED if id_name else (*ASKED, *OTHER_SIDES)
    for fields in records:
        values = plan.values(fields)
        asked = [str(values[role][1]) if role in values else "" for role in roles]
        answer = values.get("answer", ("", ""))[1]
        number = plan.value(fields, id_name) if id_name else ""
        if isinstance(answer, str) and answer and number is not None and (id_name or any(asked[: len(ASKED)])):
            found.setdefault((str(number), *asked), []).append((answer, fields))
    return list(found.values())


def _texts(plan: Plan, name: str, records: Sequence[Mapping[str, object]]) -> list[str]:
    if name in plan.columns:
        return plan.columns[name].texts
    return [text for fields in records[:_TEXTS_LOOKED_AT] for text in texts_in(plan.value(fields, name))]


def _date_texts(plan: Plan, records: Sequence[Mapping[str, object]]) -> list[str]:
    """Return the dates of the table and those of answers in lists."""
    texts = [text for name in plan.fields.get("date", ()) for text in _texts(plan, name, records)]
    for name in plan.fields.get("answer", ()):
        if plan.columns.get(name, Column("")).lists:
            for fields in records:
                value = fields.get(name)
                for item in value if isinstance(value, list) else ():
                    if isinstance(item, Mapping):
                        texts += [text for key in item if _is_date(key) for text in texts_in(item[key])]
    return texts


def _is_date(name: str) -> bool:
    known = role_of(name) if len(name) <= MOST_NAME else None
    return known is not None and known[0] == "date"
