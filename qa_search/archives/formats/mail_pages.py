"""A page of a mailing list's archive (pipermail, Hypermail, MHonArc) -> the message on it.

Which message it replies to is said by ids in the page's comments, or (pipermail) by the link to the message before it
in its thread.
"""

from __future__ import annotations

import re
from email.message import Message as Mail
from email.utils import formataddr
from html import unescape
from pathlib import PurePosixPath
from typing import Any

from qa_search.archives.base import ArchiveFile
from qa_search.archives.formats.mail_threads import topic_of
from qa_search.archives.formats.trees import words
from qa_search.util.text import clean_text

_HEAD_CHARACTERS = 1 << 16
# Of Hypermail: <!-- name="Ann" -->; of MHonArc: <!--X-Subject: Kettles -->.
_NAMED = re.compile(r'<!-- (?P<name>[a-z]{2,12})="(?P<text>[^"\n]{0,1000})" -->')
_HEADED = re.compile(r"<!--X-(?P<name>[A-Z][A-Za-z0-9-]{1,20}): (?P<text>[^\n]{0,1000}?) ?-->")
_HEAD_LINE = re.compile(r"<em>(?P<name>From|Date|In-Reply-To)</em>:(?P<text>[^\n]{0,500})", re.IGNORECASE)
_TAG = re.compile(r"<[^<>]{0,300}>")
_PREVIOUS = re.compile(
    r"<LI>\s{0,5}Previous message[^<:]{0,30}:\s{0,5}<A HREF=\"(?P<page>[\w.-]{1,60})\">(?P<subject>[^<]{0,300})",
    re.IGNORECASE,
)
# MHonArc hides addresses from programs that collect them; @ and [ are in the circle of capital letters.
_LETTERS = "@ABCDEFGHIJKLMNOPQRSTUVWXYZ["
_SMALL = "abcdefghijklmnopqrstuvwxyz"
_SHOWN = str.maketrans(_LETTERS + _SMALL, _LETTERS[14:] + _LETTERS[:14] + _SMALL[13:] + _SMALL[:13])
_BODIES = (
    ("<!--beginarticle-->", "<!--endarticle-->"),
    ('<!-- body="start" -->', '<!-- body="end" -->'),
    ("<!--X-Body-of-Message-->", "<!--X-Body-of-Message-End-->"),
)
# What lists the messages of an archive: by thread, date, subject or author.
_LISTS = re.compile(
    r"<title>[^<]{0,200}\bArchives? by (?:thread|date|subject|author)\b|<!--X-(?:TopPNI|ListStart|TSlice)"
    r"|<meta name=\"?generator\"? content=\"?hypermail|<!-- MHonArc v",
    re.IGNORECASE,
)


def is_list_of_mails(markup: str) -> bool:
    """Return whether a page lists the messages of a mailing list's archive, and has none."""
    return _LISTS.search(markup[:_HEAD_CHARACTERS]) is not None


def mail_of_page(file: ArchiveFile, markup: str, tree: Any) -> Mail | None:
    """Read the message of a page of a mailing list's archive; None for another page."""
    for read, (start, end) in zip((_pipermail, _hypermail, _mhonarc), _BODIES, strict=True):
        head, found, rest = markup.partition(start)
        if not found:
            continue
        headers = read(file, head[:_HEAD_CHARACTERS], tree)
        if not headers.get("From") and not headers.get("Subject"):
            continue
        mail = Mail()
        for name, text in headers.items():
            if text:
                mail[name] = " ".join(clean_text(text).split())
        mail.set_type("text/html")
        mail.set_payload(rest.partition(end)[0], "utf-8")
        return mail
    return None


def _pipermail(file: ArchiveFile, head: str, tree: Any) -> dict[str, str]:
    name, date, subject = (words(tree.find(f".//{tag}")) for tag in ("b", "i", "h1"))
    page = PurePosixPath(file.name).name
    previous = _PREVIOUS.search(head)
    # The message before it in the order of threads; the first one of a thread has another subject.
    goes_on = previous is not None and topic_of(unescape(previous["subject"])) == topic_of(subject)
    return {
        "Subject": subject,
        "From": _sender(name),
        "Date": date,
        "Message-ID": f"<{page}>",
        "In-Reply-To": f"<{previous['page']}>" if previous is not None and goes_on else "",
    }


def _hypermail(file: ArchiveFile, head: str, tree: Any) -> dict[str, str]:
    found = {match["name"]: unescape(match["text"]) for match in _NAMED.finditer(head)}
    return {
        "Subject": found.get("subject", ""),
        "From": _sender(found.get("name") or found.get("email", "")),
        "Date": found.get("sent") or found.get("received", ""),
        **_ids(found.get("id", ""), found.get("inreplyto", "")),
    }


def _mhonarc(file: ArchiveFile, head: str, tree: Any) -> dict[str, str]:
    found: dict[str, str] = {}
    for match in _HEADED.finditer(head):
        found.setdefault(match["name"].lower(), unescape(match["text"]))
    lines = {match["name"].lower(): unescape(_TAG.sub("", match["text"])) for match in _HEAD_LINE.finditer(head)}
    hidden = found.get("from-r13", "").translate(_SHOWN)
    return {
        "Subject": found.get("subject", ""),
        "From": lines.get("from") or hidden or found.get("from", ""),
        "Date": lines.get("date") or found.get("date", ""),
        **_ids(found.get("message-id", ""), found.get("reference") or lines.get("in-reply-to", "")),
    }


def _ids(own: str, above: str) -> dict[str, str]:
    return {
        name: f"<{text.strip(' <>')}>" if text.strip(" <>") else ""
        for name, text in (("Message-ID", own), ("In-Reply-To", above))
    }


def _sender(name: str) -> str:
    return formataddr((name, "")) if name else ""
