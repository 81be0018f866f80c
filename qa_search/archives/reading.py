"""How files were read: one `FileReport` for each file, or for all pages of a folder."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from qa_search.archives.base import ArchiveFile, ReadingLog
from qa_search.archives.encodings import is_doubtful, is_mostly_utf8, is_utf8
from qa_search.types import FileReport, Post
from qa_search.util.text import counted, visible

# So many files are reported one by one; further ones of the same layout are counted together.
_MOST_REPORTS = 1000
_SHOWN = 20
# Formats whose first bytes may look like text.
_BINARY = ("PDF",)


@dataclass
class _Tally:
    source: str
    container: str
    format: str
    encodings: Counter[str] = field(default_factory=Counter)
    first_doubtful: str = ""
    doubtful: int = 0
    files: int = 0
    posts: int = 0
    with_question: int = 0
    with_answer: int = 0
    with_date: int = 0
    in_future: int = 0
    set_aside: int = 0
    roles: dict[str, Counter[str]] = field(default_factory=dict)
    unused: Counter[str] = field(default_factory=Counter)
    omitted: Counter[str] = field(default_factory=Counter)
    remarks: dict[str, None] = field(default_factory=dict)

    def add(self, other: _Tally) -> None:
        """Add the counts and notes of another one."""
        self.encodings.update(other.encodings)
        self.first_doubtful = self.first_doubtful or other.first_doubtful
        for name in _COUNTS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for role, names in other.roles.items():
            self.roles.setdefault(role, Counter()).update(names)
        self.unused.update(other.unused)
        self.omitted.update(other.omitted)
        self.remarks.update(other.remarks)

    @classmethod
    def load(cls, values: Mapping[str, Any]) -> Self:
        """Read what `Reading.dump` wrote of one.

        Raises:
            TypeError: if it is invalid.
        """
        tally = cls(**values)
        for name in ("encodings", "unused", "omitted"):
            setattr(tally, name, _counted(getattr(tally, name)))
        tally.roles = {role: _counted(names) for role, names in _items(tally.roles)}
        tally.remarks = dict.fromkeys(tally.remarks)
        texts = (tally.source, tally.container, tally.format, tally.first_doubtful, *tally.remarks)
        counts = (getattr(tally, name) for name in _COUNTS)
        if not all(isinstance(text, str) for text in texts) or not all(map(_is_count, counts)):
            raise TypeError("not a tally")
        return tally


_COUNTS = ("doubtful", "files", "posts", "with_question", "with_answer", "with_date", "in_future", "set_aside")


def _items(values: Any) -> list[tuple[str, Any]]:
    if not isinstance(values, dict):
        raise TypeError("not a JSON object")
    return list(values.items())


def _counted(values: Any) -> Counter[str]:
    if not all(_is_count(count) for _, count in _items(values)):
        raise TypeError("not counts")
    return Counter(values)


def _shown(names: Counter[str]) -> Counter[str]:
    """Return counted names with what cannot be shown or stored in them replaced."""
    shown: Counter[str] = Counter()
    for name, count in names.items():
        shown[visible(name)] += count
    return shown


def _is_count(value: object) -> bool:
    return type(value) is int and value >= 0


class Reading:
    """Collects reports on what `read_archives` reads: pass one in, and read its ``reports`` afterwards."""

    def __init__(self) -> None:
        self._tallies: dict[tuple[str, str], _Tally] = {}
        # It is tomorrow already east of here.
        self._tomorrow = (datetime.now(UTC) + timedelta(days=2)).date().isoformat()
        self._last: tuple[ArchiveFile, str, _Tally] | None = None  # of the file whose posts come in

    @property
    def reports(self) -> tuple[FileReport, ...]:
        """One report of each file (of each folder of pages), in the order in which they were read."""
        return tuple(
            FileReport(
                tally.source,
                tally.format,
                _encodings(tally.encodings),
                tally.files,
                tally.posts,
                tally.with_question,
                tally.with_answer,
                tally.with_date,
                tally.set_aside,
                {role: dict(names.most_common(_SHOWN)) for role, names in tally.roles.items()},
                tuple(name for name, _ in tally.unused.most_common(_SHOWN)),
                tuple([*tally.remarks, *_remarks(tally)][:_SHOWN]),
            )
            for tally in self._tallies.values()
            if tally.posts or tally.set_aside or tally.remarks or tally.omitted
        )

    def add(self, other: Reading) -> None:
        """Add what another one collected."""
        for tally in other._tallies.values():
            self._tally(tally.source, tally.container, tally.format).add(tally)

    def dump(self) -> str:
        """Return what was collected as JSON, for `load`."""
        return json.dumps([vars(tally) for tally in self._tallies.values()])

    @classmethod
    def load(cls, text: str) -> Self:
        """Read what `dump` wrote.

        Raises:
            ValueError: if it is invalid.
        """
        reading = cls()
        try:
            for tally in map(_Tally.load, json.loads(text)):
                reading._tallies[tally.source, tally.format] = tally
            json.dumps(json.loads(text), ensure_ascii=False).encode()  # half of a surrogate pair cannot be stored
        except (TypeError, ValueError, RecursionError) as error:
            raise ValueError(f"an invalid record of how a file was read ({error})") from error
        return reading

    def began(self, file: ArchiveFile, format_name: str) -> None:
        """Note that a file is read as a format."""
        if format_name in _BINARY:
            self._tally(file.source, file.container, format_name).files += 1
            return
        is_sure = file.codec != "utf-8" or file.encoding is not None or is_utf8(file.head)
        encoding = file.codec if is_sure else _encoding_name(file)
        tally = self._tally(file.source, file.container, format_name)
        tally.files += 1
        if encoding is not None:
            tally.encodings[encoding] += 1
        if file.encoding is None and not (file.codec == "utf-8" and is_sure) and _may_be_another(file):
            tally.doubtful += 1
            tally.first_doubtful = tally.first_doubtful or f"{file.source} ({encoding})"

    def set_aside(self, file: ArchiveFile, format_name: str) -> None:
        """Count a note of what could not be read."""
        self._tally(file.source, file.container, format_name).set_aside += 1

    def read(self, post: Post, file: ArchiveFile, format_name: str) -> None:
        """Count a post."""
        if self._last is None or self._last[0] is not file or self._last[1] != format_name:
            self._last = file, format_name, self._tally(file.source, file.container, format_name)
        tally = self._last[2]
        tally.posts += 1
        tally.with_question += bool(post.question or post.title)
        tally.with_answer += bool(post.answer)
        if post.date is not None:
            tally.with_date += 1
            tally.in_future += post.date > self._tomorrow

    def ended(self, file: ArchiveFile, format_name: str, log: ReadingLog) -> None:
        """Add the notes of the file's reader."""
        if not (log.roles or log.unused or log.omitted or log.remarks):
            return
        tally = self._tally(file.source, file.container, format_name)
        for role, names in log.roles.items():
            tally.roles.setdefault(role, Counter()).update(_shown(names))
        tally.unused.update(_shown(log.unused))
        tally.omitted.update(_shown(log.omitted))
        tally.remarks.update(dict.fromkeys(log.remarks))

    def _tally(self, source: str, container: str, format_name: str) -> _Tally:
        known = self._tallies.get((container if _is_page(format_name) else source, format_name))
        if known is not None:
            return known
        name = container if _is_page(format_name) or len(self._tallies) >= _MOST_REPORTS else source
        return self._tallies.setdefault((name, format_name), _Tally(name, container, format_name))


def _is_page(format_name: str) -> bool:
    return format_name.startswith("archive page") or format_name in ("HTML page", "pair of files")


def _encodings(files: Counter[str]) -> str | None:
    """Return the encoding of all files; of several, each with the number of its files."""
    if len(files) > 1:
        return ", ".join(f"{encoding} ({count:,})" for encoding, count in files.most_common())
    return next(iter(files), None)


def _encoding_name(file: ArchiveFile) -> str:
    """Return the name of the encoding of a file that is not all UTF-8."""
    return "utf-8 and windows-1252" if is_mostly_utf8(file.head) else "windows-1252"


def _may_be_another(file: ArchiveFile) -> bool:
    unicode = (file.codec or "utf").startswith("utf-") and file.codec != "utf-8"
    return file.codec is not None and not unicode and is_doubtful(file.head)


def _remarks(tally: _Tally) -> list[str]:
    remarks = []
    if tally.doubtful:
        others = f" and {counted(tally.doubtful - 1, 'more file')}" if tally.doubtful > 1 else ""
        remarks.append(
            f"the encoding may be another: {tally.first_doubtful}{others}. Look at the texts, and name the right one "
            "with encoding=NAME"
        )
    if tally.in_future:
        remarks.append(f"a date in the future in {tally.in_future:,} of {counted(tally.posts, 'post')}")
    if tally.roles.get("date") and tally.with_date < tally.posts:
        missing = tally.posts - tally.with_date
        remarks.append(f"no date that can be read in {missing:,} of {counted(tally.posts, 'post')}")
    if tally.with_question < tally.posts:
        remarks.append(f"no question in {tally.posts - tally.with_question:,} of {counted(tally.posts, 'post')}")
    if tally.unused:
        names = ", ".join(repr(name) for name, _ in tally.unused.most_common(5))
        remarks.append(f"not used: {names} (name a field with field_map={{ROLE: FIELD}} to use it)")
    if tally.omitted:
        parts = [f"{what} ({count:,})" for what, count in tally.omitted.most_common(5)]
        remarks.append(f"left out: {', '.join(parts)}")
    return remarks
