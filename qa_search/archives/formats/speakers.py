"""Messages of a help desk -> who speaks in each (a customer, staff, staff to itself), and which ask and answer."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Literal

from qa_search.archives.formats.roles import normal_name
from qa_search.archives.formats.values import FLAG_WORDS, is_blank, is_yes

Side = Literal["customer", "staff", "note", "event", ""]
_Fields = Mapping[str, object]

# Columns of yes and no, and who speaks where they say yes.
_FLAGS: Mapping[str, Side] = {
    **dict.fromkeys(
        ("fromstaff", "isstaff", "bystaff", "staffreply", "isstaffreply", "isagent", "fromagent", "byagent",
         "agentreply", "isadmin", "fromadmin", "adminreply", "outgoing", "isoutgoing", "outbound", "isoutbound",
         "fromme", "isfromme", "issupport", "fromsupport", "isoperator", "fromoperator"),
        "staff",
    ),
    **dict.fromkeys(
        ("incoming", "isincoming", "inbound", "isinbound", "fromcustomer", "iscustomer", "bycustomer", "customerreply",
         "fromuser", "isuser", "fromclient", "isclient", "fromrequester", "isrequester", "fromvisitor", "isvisitor"),
        "customer",
    ),
}  # fmt: skip
# Columns whose words say who speaks, the surest first; those of the second row hold names or other things elsewhere.
_SURE = (
    "authorrole", "authortype", "senderrole", "sendertype", "userrole", "usertype", "commenterrole", "commentertype",
    "posterrole", "postertype", "creatortype", "createdbytype", "actortype", "actorrole", "speakertype", "speakerrole",
    "participanttype", "participantrole", "fromtype", "sentby", "sentbytype", "messagedirection", "direction",
)  # fmt: skip
_DIRECTIONS = frozenset(
    ("inbound", "isinbound", "incoming", "isincoming", "outbound", "outgoing", "direction", "messagedirection")
)
_UNSURE = ("role", "speaker", "sender", "from", "author", "messagetype", "entrytype", "type", "kind", "who", "party")
_KINDS = ("type", "messagetype", "entrytype", "kind", "parttype")
_WORDS: Mapping[str, Side] = {
    **dict.fromkeys(
        ("customer", "client", "user", "enduser", "requester", "contact", "visitor", "lead", "guest", "consumer",
         "patient", "human", "caller", "buyer", "shopper", "prompter", "student", "inbound", "incoming", "in",
         "received", "customermessage", "customerreply", "kunde", "kundin", "cliente", "utente"),
        "customer",
    ),
    **dict.fromkeys(
        ("agent", "agentbot", "staff", "admin", "administrator", "operator", "support", "supportagent", "employee",
         "teammember", "teammate", "representative", "rep", "csr", "bot", "chatbot", "assistant", "advisor",
         "consultant", "technician", "helpdesk", "doctor", "expert", "teacher", "seller", "outbound", "outgoing",
         "out", "sent", "agentmessage", "agentreply", "staffreply", "mitarbeiter", "berater", "agente", "operatore"),
        "staff",
    ),
    **dict.fromkeys(
        ("note", "internalnote", "privatenote", "internal", "private", "internalcomment", "privatecomment",
         "agentnote"),
        "note",
    ),
    **dict.fromkeys(("system", "event", "activity", "automation", "trigger", "systemmessage"), "event"),
}  # fmt: skip
# What osTicket writes: a message, a response and a note.
_LETTERS: Mapping[str, Side] = {"m": "customer", "r": "staff", "n": "note"}
# Columns that have an id where one of staff speaks, and none where a customer does.
_STAFF_IDS = ("staffid", "agentid", "adminid", "operatorid", "admin", "staff", "agent", "operator")
# What tells two writers apart where no name does.
_WRITERS = (
    "authorid", "userid", "senderid", "requesterid", "posterid", "memberid", "customerid", "fromid", "authoremail",
    "senderemail", "fromemail", "fromaddress", "email",
)  # fmt: skip
_WRITER_OBJECTS = ("author", "createdby", "sender", "from", "user", "by", "creator", "actor")
_FOLDED = re.compile(r"[\s_\-./:]+")
_LONGEST_WORD = 40
_MOST_THREADS = 200


@dataclass(frozen=True)
class Speakers:
    """The field of a table that says who speaks, and what its values mean."""

    name: str
    flag: Side = ""  # who speaks where a flag is set; "" where words tell it
    words: Mapping[str, Side] = field(default_factory=lambda: _WORDS)
    filled: bool = False  # staff speaks where the field has an id

    def side(self, fields: _Fields) -> Side:
        """Return who speaks in a message, "" where that is not known."""
        value = fields.get(self.name)
        if self.filled:
            return "staff" if _names_one(value) else "customer"
        if is_blank(value):
            return ""
        if self.flag:
            return _flagged(self.flag, is_yes(value))
        return self.words.get(_word(value), "")


@dataclass(frozen=True)
class Conversation:
    """Which messages of a conversation ask and which answer, by their numbers; and how many do neither."""

    asked: list[int]
    answers: list[int]
    before: int = 0  # of staff, before anything was asked
    later: int = 0  # of the customer, after the first answer


def conversation(said: Sequence[tuple[Side, str]], asked: str = "") -> Conversation:
    """Part a conversation: the customer's first messages ask, and what staff says after them answers.

    ``asked`` is what was asked already, in the ticket itself; a first message that repeats it is left out. Where no
    customer speaks, all that staff says answers.
    """
    first = next((number for number, (side, _) in enumerate(said) if side == "customer"), None)
    start = 0 if asked or first is None else first
    found = Conversation([], [], before=sum(side == "staff" for side, _ in said[:start]))
    later = 0
    for number, (side, text) in enumerate(said[start:], start=start):
        if side == "staff":
            found.answers.append(number)
        elif found.answers:
            later += 1
        elif not is_same(text, asked):
            found.asked.append(number)
    return Conversation(found.asked, found.answers, found.before, later)


def is_same(text: str, other: str) -> bool:
    """Return whether two texts have the same words."""
    return text.split() == other.split()


def find_speakers(records: Sequence[_Fields], thread: str, writer: str) -> Speakers | None:
    """Find the field of a table of messages that tells customers from staff.

    ``thread`` names the field that ties messages to their ticket, "" where each names the one before; ``writer``
    names the one that tells their writers apart.
    """
    names = {normal_name(name): name for name in reversed(dict.fromkeys(name for fields in records for name in fields))}
    if not thread:  # messages that name the one before: in a forum's, anybody answers
        names = {folded: name for folded, name in names.items() if folded in _DIRECTIONS}
    for speakers in _possible(records, names):
        sides = {speakers.side(fields) for fields in records}
        both = {"customer", "staff"} <= sides
        sure = bool(speakers.flag) or normal_name(speakers.name) in _SURE
        enough = both or (sure and bool(sides & {"customer", "staff"}))
        if enough and not _several_ask(records, thread, speakers, "" if writer == speakers.name else writer):
            return speakers
    return None


def side_of_name(name: str) -> Side:
    """Return who speaks under the name of a role, such as "Support" or "Agent 2"; "" for the names of people."""
    words = [_word(word) for word in re.findall(r"[^\W\d_]+", name)]
    sides = {side for word in words if (side := _WORDS.get(word, "")) in ("customer", "staff")}
    return sides.pop() if len(sides) == 1 else ""


def sides_of(messages: Sequence[_Fields]) -> list[Side]:
    """Return who speaks in each message of a conversation as objects have it; "" where that is not known."""
    said = [_said_of(message) for message in messages]
    words = _meanings({word for word in said if isinstance(word, str)})
    return [words.get(word, "") if isinstance(word, str) else word[0] for word in said]


def _said_of(message: _Fields) -> str | tuple[Side]:
    """Return who speaks by a flag, else the word that says it, of the message or its writer; "" if nothing says it."""
    named = ""
    if kind := _kind(message):  # a note stays one, whoever wrote it
        return (kind,)
    for name, value in message.items():
        folded = normal_name(name)
        if folded in _FLAGS and isinstance(value, bool):
            return (_flagged(_FLAGS[folded], value),)
        if isinstance(value, Mapping) and folded in _WRITER_OBJECTS:
            kinds = (_word(value.get(kind)) for kind in ("type", "role", "kind"))
            named = named or next((word for word in kinds if word in _WORDS), "")
    for folded in (*_SURE, *_UNSURE, "parttype"):
        for name, value in message.items():
            if normal_name(name) == folded and isinstance(value, str) and (word := _word(value)) in _WORDS:
                return word
    return named


def _kind(message: _Fields) -> Side:
    """Return whether a message is a note or an event by its kind, "" for another one."""
    kinds = (_word(value) for name, value in message.items() if normal_name(name) in _KINDS and isinstance(value, str))
    return next((side for kind in kinds if (side := _WORDS.get(kind, "")) in ("note", "event")), "")


def is_note(message: _Fields) -> bool:
    """Return whether a message is a note among staff by its kind."""
    return _kind(message) == "note"


def _meanings(said: Set[str]) -> Mapping[str, Side]:
    """Return what words mean beside each other: users are staff where customers are named too, as in Help Scout."""
    customers = {word for word in said if _WORDS.get(word) == "customer"}
    has_staff = any(_WORDS.get(word) == "staff" for word in said)
    return _WORDS if has_staff or not {"user"} < customers else {**_WORDS, "user": "staff"}


def _flagged(flag: Side, value: bool) -> Side:
    return flag if value else "customer" if flag == "staff" else "staff"


def writer_field(names: Mapping[str, str]) -> str:
    """Return the field that tells writers apart, by the folded names of a table's fields; "" if it is missing."""
    return next((names[name] for name in _WRITERS if name in names), "")


def _possible(records: Sequence[_Fields], names: Mapping[str, str]) -> Iterable[Speakers]:
    for folded, flag in _FLAGS.items():
        if folded in names and (said := _said(records, names[folded])) and said <= FLAG_WORDS:
            yield Speakers(names[folded], flag)
    for folded in (*_SURE, *_UNSURE):
        said = _said(records, names[folded]) if folded in names else set()
        for words in (_meanings(said), _LETTERS):
            if said and said <= words.keys():
                yield Speakers(names[folded], words=words)
    for folded in _STAFF_IDS:
        if folded in names:
            yield Speakers(names[folded], filled=True)


def _said(records: Sequence[_Fields], name: str) -> set[str]:
    return {_word(value) for fields in records if not is_blank(value := fields.get(name))}


def _word(value: object) -> str:
    return _FOLDED.sub("", str(value)[:_LONGEST_WORD].lower())


def _names_one(value: object) -> bool:
    return not is_blank(value) and str(value).strip() not in ("0", "-1")


def _several_ask(records: Sequence[_Fields], thread: str, speakers: Speakers, writer: str) -> bool:
    """Return whether the ones who ask are several in a thread, as in a forum: there, any of them may answer."""
    if not thread:
        return False
    asking: dict[str, set[str]] = defaultdict(set)
    sides: dict[str, set[Side]] = defaultdict(set)
    for fields in records:
        key = str(fields.get(thread))
        side = speakers.side(fields)
        sides[key].add(side)
        if side == "customer" and writer and len(asking) < _MOST_THREADS:
            asking[key].add(str(fields.get(writer)))
    mixed = any({"customer", "staff"} <= found for found in sides.values())
    return (speakers.filled and not mixed) or sum(len(found) > 1 for found in asking.values()) * 10 > len(asking)
