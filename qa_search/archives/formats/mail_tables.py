"""Rows of a table of mails, as Outlook exports them -> messages, for the reader of mail to put into threads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from email.message import Message as Mail
from email.utils import formataddr

from qa_search.archives.formats.field_text import html_vote
from qa_search.archives.formats.records import Record
from qa_search.archives.formats.roles import normal_name, role_of
from qa_search.archives.formats.values import is_blank
from qa_search.types import SetAside

# The columns of each header, as `normal_name` folds them: "From: (Name)" is "fromname".
_COLUMNS: Mapping[str, Sequence[str]] = {
    "Subject": ("subject", "betreff", "objet", "asunto", "oggetto", "assunto", "onderwerp"),
    "From": ("fromname", "from", "sender", "sendername", "vonname", "von", "dename", "de", "danome", "vannaam", "nom"),
    "Address": ("fromaddress", "fromemail", "senderaddress", "senderemail", "vonadresse", "deadresse", "dedireccion"),
    "To": (
        "toname", "to", "toaddress", "recipient", "recipients", "anname", "an", "anom", "paranombre", "para", "anome",
        "aannaam",
    ),
    "Date": ("date", "sent", "senton", "received", "receivedon", "datesent", "datereceived", "gesendet", "erhalten"),
    "Message-ID": ("messageid",),
    "In-Reply-To": ("inreplyto",),
    "Body": ("body", "text", "message", "bodytext", "plaintext", "content", "corps", "cuerpo", "testo"),
}  # fmt: skip
_NEEDED = ("Subject", "From", "To", "Body")
_Headers = Mapping[str, str]


def mail_columns(columns: Iterable[str]) -> _Headers | None:
    """Return the column of each header in a table of mails: it has a subject, both ends and a text. None for others."""
    names = {normal_name(name): name for name in columns}
    found = {header: next((names[name] for name in folded if name in names), "") for header, folded in _COLUMNS.items()}
    roles = {known[0] for name in names.values() if (known := role_of(name)) is not None}
    return None if roles & {"question", "answer", "thread"} or not all(found[name] for name in _NEEDED) else found


def mails_of(records: Iterator[Record | SetAside], columns: _Headers) -> Iterator[Mail | SetAside]:
    """Make a message of each row."""
    for record in records:
        if isinstance(record, SetAside):
            yield record
            continue
        given = {
            header: "" if is_blank(text := record.fields.get(name)) else str(text) for header, name in columns.items()
        }
        mail = Mail()
        for header in ("Subject", "Date", "Message-ID", "In-Reply-To"):
            mail[header] = " ".join(given[header].split())
        sender, address = (" ".join(given[name].split()) for name in ("From", "Address"))
        mail["From"] = formataddr((sender, address)) if address and "@" not in sender else sender
        mail.set_payload(given["Body"], "utf-8")
        if "<" in given["Body"] and html_vote(given["Body"]) > 0:
            mail.set_type("text/html")
        yield mail
