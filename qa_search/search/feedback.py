"""A file of votes, ``feedback.jsonl`` <-> which complaints are confirmed for which posts, and which are rejected.

Each line is one vote: a complaint, a post, whether the post answered it, and who said so. Mail addresses and telephone
numbers are masked before a complaint is written. A person can read, edit and delete the lines; what is gone from the
file is gone from the search.
"""

from __future__ import annotations

import hashlib
import io
import ipaddress
import json
import os
import secrets
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from errno import EACCES, ENOENT
from itertools import chain
from pathlib import Path
from typing import Any

from qa_search.errors import FeedbackError, FeedbackLimitError, IndexUnreadableError
from qa_search.search.grouping import repeats, telling_terms
from qa_search.types import Verdict, is_post_id
from qa_search.util.files import MOST_VOTES_BYTES, read_file
from qa_search.util.masking import masked
from qa_search.util.parameters import require, require_flags, require_length
from qa_search.util.terms import Analysis
from qa_search.util.text import clean_text, json_fault

FEEDBACK_NAME = "feedback.jsonl"
VARIABLE = "QA_SEARCH_FEEDBACK"
# Whoever can write to the file: one vote decides. No other client can have this name.
ARCHIVIST = "archivist"
MAX_COMPLAINT_CHARACTERS = 10_000
_MOST_CLIENT = 100  # characters
_HOUR = len("2026-11-27T13")
_DAY = len("2026-11-27")
_WAY_OUT = "Correct this line or delete it"


@dataclass(frozen=True, slots=True)
class Vote:
    """What a client said of a post. ``query`` is masked, ``time`` is UTC, to the hour."""

    query: str
    post: str
    answered: bool
    client: str
    time: str = ""


def read_votes(path: Path) -> list[Vote]:
    """Read a file of votes; a file that does not exist has none.

    Raises:
        FeedbackError: if it cannot be read, or has an invalid line.
        IndexUnreadableError: if the system refuses it now.
    """
    return [vote for vote in (_vote(document, place) for document, place in _lines(path)) if vote is not None]


def _lines(path: Path) -> Iterator[tuple[Any, str]]:
    try:
        data = read_file(path, MOST_VOTES_BYTES)
    except FileNotFoundError:
        return
    except IndexUnreadableError:
        raise
    except OSError as error:
        raise FeedbackError(f"{path}: cannot be read ({error}). Name another file, or remove this one.") from error
    for number, line in enumerate(io.BytesIO(data), start=1):
        place = f"{path}, line {number}"
        if line.strip():
            try:
                yield json.loads(line), place
            except (ValueError, RecursionError) as error:
                raise FeedbackError(f"{place}: not JSON ({json_fault(error)}). {_WAY_OUT}.") from error


def _vote(document: Any, place: str) -> Vote | None:
    if isinstance(document, dict) and set(document) == {"salt"}:
        return None
    given = set(document) if isinstance(document, dict) else set()
    if missing := {"query", "post", "answered", "client"} - given:
        raise FeedbackError(f"{place}: not a vote (missing: {', '.join(sorted(missing))}). {_WAY_OUT}.")
    if unknown := given - {field.name for field in fields(Vote)}:
        raise FeedbackError(f"{place}: not a vote (unknown: {', '.join(sorted(unknown))}). {_WAY_OUT}.")
    vote = Vote(**document)
    texts = (vote.query, vote.post, vote.client, vote.time)
    if not all(isinstance(text, str) for text in texts) or not isinstance(vote.answered, bool):
        raise FeedbackError(f"{place}: query, post, client and time must be texts, answered true or false. {_WAY_OUT}.")
    return vote


def verdicts(votes: Iterable[Vote], needed: int, analysis: Analysis) -> list[Verdict]:
    """Count votes. A pair of a complaint and a post is decided by ``needed`` clients that agree, and are the majority.

    Votes for a post count together if their complaints say the same, judged by their terms. Of one client's votes on
    one complaint the last counts. The archivist decides alone.
    """
    found = []
    for post, own in _by_post(votes).items():
        for group in _alike(own, analysis):
            last = {vote.client: vote.answered for vote in group}
            for answered in (True, False):
                clients = {client for client, said in last.items() if said is answered}
                enough = ARCHIVIST in clients or (
                    ARCHIVIST not in last and len(clients) >= needed and 2 * len(clients) > len(last)
                )
                queries = dict.fromkeys(vote.query for vote in group if vote.answered is answered)
                found += [Verdict(query, post, answered, len(clients)) for query in queries if enough]
    return found


def _by_post(votes: Iterable[Vote]) -> dict[str, list[Vote]]:
    found: dict[str, list[Vote]] = {}
    for vote in votes:
        found.setdefault(vote.post, []).append(vote)
    return found


def _alike(votes: Sequence[Vote], analysis: Analysis) -> list[list[Vote]]:
    """Gather the votes whose complaints say the same as the first of them.

    A complaint is compared only with those that share a rare term with it: strangers may write thousands.
    """
    terms = [frozenset(analysis.terms_of(vote.query)) for vote in votes]
    counts = Counter(chain.from_iterable(terms))
    groups: list[list[Vote]] = []
    firsts: list[frozenset[str]] = []
    by_query: dict[str, int] = {}
    by_term: dict[str, list[int]] = {}
    for vote, own in zip(votes, terms, strict=True):
        telling = telling_terms(own, counts)
        at = by_query.get(vote.query)
        if at is None:
            near = sorted({group for term in telling for group in by_term.get(term, ())})
            at = next((group for group in near if repeats(firsts[group], own)), None)
        if at is None:
            at = by_query[vote.query] = len(groups)
            groups.append([])
            firsts.append(own)
            for term in telling:
                by_term.setdefault(term, []).append(at)
        groups[at].append(vote)
    return groups


class FeedbackFile:
    """Appends votes to one file. Safe to use from several threads and processes."""

    def __init__(self, path: Path) -> None:
        """Take the path; nothing is read or written yet."""
        self.path = path
        self._adding = threading.Lock()
        self._today: tuple[str, int, Counter[str]] | None = None  # a day, the file's size, and the votes by client
        self._salt: str | None = None

    def add(self, query: str, post: str, *, answered: bool, client: str, per_client: int) -> None:
        """Append a vote.

        Raises:
            QueryError: if it is invalid.
            FeedbackError: if the file cannot be written to.
            FeedbackLimitError: if the client has given ``per_client`` votes today.
        """
        require_length("query", query, MAX_COMPLAINT_CHARACTERS)
        require(is_post_id(post), "post_id", post, "the id of a post, from a hit")
        require_flags(answered=answered)
        require_length("client", client, _MOST_CLIENT)
        query = clean_text(query)
        now = datetime.now(UTC).isoformat()[:_HOUR]
        with self._adding:
            given = self._given(now[:_DAY])
            if client != ARCHIVIST and given[client] >= per_client:
                raise FeedbackLimitError(f"this client has given {per_client} votes today: try again tomorrow")
            size = self._append(asdict(Vote(masked(query), post, answered, clean_text(client), now)))
            given[client] += 1
            self._today = now[:_DAY], size, given

    def require_writable(self) -> None:
        """Check that votes can be written; nothing is written yet.

        Raises:
            FeedbackError: if they cannot.
        """
        try:
            if self.path.exists():
                os.close(os.open(self.path, os.O_RDWR | os.O_APPEND | getattr(os, "O_NONBLOCK", 0)))
            elif not self.path.parent.is_dir():
                raise FileNotFoundError(ENOENT, os.strerror(ENOENT))
            elif not os.access(self.path.parent, os.W_OK | os.X_OK):
                raise PermissionError(EACCES, os.strerror(EACCES))
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> FeedbackError:
        reason = error.strerror or error
        return FeedbackError(
            f"{self.path}: cannot be written to ({reason}). Name a file in a folder that exists and can be written to."
        )

    def client_of(self, address: str) -> str:
        """Return the name of a client in the file: it says nothing of the address without the file's salt.

        Addresses of one network of IPv6 are one client.
        """
        require(isinstance(address, str), "address", address, "a text")
        with suppress(ValueError):
            if (found := ipaddress.ip_address(address)).version == 6:
                address = str(ipaddress.ip_network(f"{found}/64", strict=False).network_address)
        with self._adding:
            salt = self._read_salt()
        return hashlib.blake2b(address.encode(errors="replace"), digest_size=8, key=bytes.fromhex(salt)).hexdigest()

    def _given(self, day: str) -> Counter[str]:
        """Count the votes of a day by client; again if another process has written to the file, or a person."""
        size = self.path.stat().st_size if self.path.is_file() else 0
        if self._today is None or self._today[:2] != (day, size):
            given = Counter(vote.client for vote in read_votes(self.path) if vote.time[:_DAY] == day)
            self._today = day, size, given
        return self._today[2]

    def _read_salt(self) -> str:
        if self._salt is None:
            self._salt = self._first_salt()
        if self._salt is None:
            self._append({"salt": secrets.token_hex(16)})
            self._salt = self._first_salt()  # another process may have been faster
        if self._salt is None:
            raise FeedbackError(f"{self.path}: was replaced while it was written to. Try again.")
        return self._salt

    def _first_salt(self) -> str | None:
        for document, place in _lines(self.path):
            if isinstance(document, dict) and set(document) == {"salt"}:
                return _checked_salt(document["salt"], place)
        return None

    def _append(self, document: dict[str, Any]) -> int:
        """Append a line in one write, on a line of its own; return the size that the file has if nobody else writes."""
        try:
            descriptor = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_NONBLOCK", 0), 0o600)
            with os.fdopen(descriptor, "rb+", buffering=0) as stream:
                size = stream.seek(0, os.SEEK_END)
                start = b""
                if size:
                    stream.seek(size - 1)
                    start = b"" if stream.read(1) == b"\n" else b"\n"
                line = start + json.dumps(document, ensure_ascii=False).encode() + b"\n"
                if size + len(line) > MOST_VOTES_BYTES:
                    raise FeedbackError(f"{self.path}: has {size:,} bytes, and may not grow. Delete old lines.")
                if stream.write(line) != len(line):
                    raise OSError("the disk is full")
                return size + len(line)
        except OSError as error:
            raise self._unwritable(error) from error


def _checked_salt(salt: object, place: str) -> str:
    try:
        if isinstance(salt, str) and bytes.fromhex(salt):
            return salt
    except ValueError:
        pass
    raise FeedbackError(f"{place}: the salt must be hexadecimal digits. {_WAY_OUT}.")
