"""The library's messages in the words of the command: options for parameters, commands for functions.

The library names what a Python caller has: ``keep_going=True``, ``field_map={'answer': 'text'}``, ``Limits.files``,
``build_index(SOURCES, 'index')``. Each name is replaced here, and nowhere else. Names of files and fields stay as they
are, whatever they look like: only remarks and reasons are read, and only what stands there as a word of its own.
"""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Sequence
from dataclasses import replace

from qa_search.archives.limits import format_size
from qa_search.errors import QASearchError
from qa_search.types import FileReport, SetAside
from qa_search.util.text import visible, without_unsafe

# The parameters whose option has another name; the rest only change their underscores.
_RENAMED = {
    "field_map": "map", "k": "top-k", "names": "name", "shards": "shard", "tags": "tag",
    "files": "max-files", "post_characters": "max-post", "record_bytes": "max-record", "unpacked_bytes": "max-unpacked",
}  # fmt: skip
_PARAMETERS = (
    "allow_shrink", "device", "download", "encoding", "index", "judged", "keep_going", "keep_unanswered", "memory",
    "model", "precision", "ray", "rebuild", "recall", "shards", "store", "strict",
)  # fmt: skip
# A name within a path or in quotes belongs to somebody's data: data/model=big/faq.csv.
_START, _END = r"(?<![^\s(])", r"(?=[\s,;:)]|\.(?:\s|$)|$)"
_LITERAL = r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\""""
_ITEM = re.compile(rf"'?(\w+)'?: ({_LITERAL}|\w+)")
_MAP = re.compile(rf"{_START}field_map=\{{(?:{_ITEM.pattern}(?:, )?)+\}}")
_WAY_OUT = re.compile(rf"{_START}(?:(with) )?({'|'.join(_PARAMETERS)})=({_LITERAL}|\w+(?:\.\d+)?){_END}")
_LIMIT = re.compile(rf"{_START}Limits\.(files|post_characters|record_bytes|unpacked_bytes)\b")
_BUILD = re.compile(rf"{_START}build_index\(SOURCES, (INDEX|{_LITERAL})(, store=URL)?\)")
_REMOVE = re.compile(rf"{_START}build_index\(None, ({_LITERAL}), remove=\[({_LITERAL})\]\)")
_MOVED = re.compile(rf"{_START}build_index\(None, ({_LITERAL}), add=\[NEW\], names=\{{NEW: ({_LITERAL})\}}\)")
_NAMED = re.compile(rf"{_START}names=\{{SOURCE: ({_LITERAL})\}}")
_VERIFY = re.compile(rf"{_START}verify_index\(({_LITERAL})(, fall_back=True)?\)")


# The parameters that are no options but what stands behind the command.
_ARGUMENTS = {"sources": "SOURCE", "query": "TEXT", "post_id": "POST", "add": "SOURCE", "remove": "SOURCE|POST"}


def option_of(parameter: str) -> str:
    """Return the option, or the argument, that sets a parameter."""
    return _ARGUMENTS.get(parameter) or "--" + _RENAMED.get(parameter, parameter).replace("_", "-")


def message_of(error: QASearchError) -> str:
    """Return an error's message in the words of the command, safe to print."""
    text = str(error)
    if error.parameter and text.startswith((f"{error.parameter}: ", f"{error.parameter} must be ")):
        text = option_of(error.parameter) + text[len(error.parameter) :]
    return without_unsafe(in_options(text))


def in_options(text: str) -> str:
    """Return a remark or a note of the library in the words of the command."""
    for pattern, replacement in (
        (_BUILD, _as_build),
        (_VERIFY, _as_verify),
        (_REMOVE, lambda match: f"qa-search remove {_quoted(match[2])} --index {_quoted(match[1])}"),
        (_MOVED, lambda match: f"qa-search add NEW --name {_quoted(match[2])} --index {_quoted(match[1])}"),
        (_NAMED, lambda match: f"--name {_quoted(match[1])}"),
        (_MAP, _as_map),
        (_LIMIT, lambda match: option_of(match[1])),
        (_WAY_OUT, _as_option),
    ):
        text = pattern.sub(replacement, text)
    return text


def report_in_options(report: FileReport) -> FileReport:
    """Return a report with its remarks in the words of the command."""
    return replace(report, remarks=tuple(map(in_options, report.remarks)))


def note_in_options(note: SetAside) -> SetAside:
    """Return a note with its reason in the words of the command."""
    return replace(note, reason=in_options(note.reason))


def about_notes(notes: Sequence[SetAside]) -> list[str]:
    """Return lines on what to do about whole files that were set aside, if there are any.

    A note says why. Only the message on a file that is named alone has room for the ways out.
    """
    reasons = [note.reason for note in notes if not note.place]
    damaged = [reason for reason in reasons if "damaged or truncated" in reason]
    lines = ["A damaged file: fetch or export it again."] if damaged else []
    if len(damaged) < len(reasons):
        lines.append(
            "To see what can be done about such a file: qa-search inspect FILE (unpack it first if it is in a .zip)"
        )
    return lines


def _as_build(match: re.Match[str]) -> str:
    index = "" if match[1] == "INDEX" else f" --index {_quoted(match[1])}"
    store = " --store URL" if match[2] else ""
    return f"qa-search build SOURCE{index}{store}"


def _as_verify(match: re.Match[str]) -> str:
    return f"qa-search verify{' --fall-back' if match[2] else ''} --index {_quoted(match[1])}"


def _as_map(match: re.Match[str]) -> str:
    return " ".join(
        f"{option_of('field_map')} {shlex.quote(f'{role}={_value(name)}')}" for role, name in _ITEM.findall(match[0])
    )


def _as_option(match: re.Match[str]) -> str:
    joined, parameter, value = match[1], match[2], _value(match[3])
    if value == "False":
        return f"without {option_of(parameter)}"
    if parameter == "memory" and value.replace("_", "").isdigit():
        value = format_size(int(value)).replace(" ", "").replace(",", "")
    return " ".join(part for part in (joined, option_of(parameter), "" if value == "True" else value) if part)


def _quoted(written: str) -> str:
    """Return the value as a shell takes it."""
    return shlex.quote(_value(written))


def _value(written: str) -> str:
    """Return what a value that is written as in Python stands for; text that only looks like one stays."""
    try:
        return visible(str(ast.literal_eval(written))) if written[0] in "'\"" else written
    except (SyntaxError, ValueError):
        return written
