"""Text that is nearly JSON (JSON5, JSON with comments, JavaScript, MongoDB's shell) -> its values."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

# A text of JSON, as far as its beginning shows.
_STRICT = re.compile(
    r'(?>[\s\ufeff]++|"(?>[^"\\\n]++|\\.)*+"|[{}\[\]:]|,(?!\s*+[}\]])|-?\d[\d.eE+-]*+|true\b|false\b|null\b|-?Infinity\b|NaN\b)*+',
    re.DOTALL,
)
_UNENDED = re.compile(r'\s*(?:"(?:[^"\\\n]|\\.)*\\?|[\w.+-]{1,20}|,\s*)?', re.DOTALL)
# What may stand before the array or the object that it is.
_BLANKS = r"(?>[\s\ufeff]++|//[^\n]*+|/\*(?>[^*]++|\*(?!/))*+\*/)*+"
_ASSIGNED = (
    r"""(?:['"]use strict['"]\s*+;?\s*+)?(?:(?:export\s++)?(?:var|let|const)\s++(?P<name>[\w$]{1,80})"""
    r"(?:\s*+:\s*+[\w$.<>\[\]]{1,80})?\s*+=|export\s++default\b|(?P<of>[\w$]{1,80}(?:\.[\w$]{1,80}){1,3})\s*+=|[\w$.]{1,80}\()"
)
_START = re.compile(rf"[;)]*+{_BLANKS}(?:{_ASSIGNED})?{_BLANKS}(?=[\[{{])")
_SCRIPT = re.compile(rf"{_BLANKS}{_ASSIGNED}{_BLANKS}[\[{{]")
_DATA = re.compile(rf"{_BLANKS}(?:\[{_BLANKS})?\{{{_BLANKS}(?:[A-Za-z_$][\w$]{{0,80}}\s*:|'|\")")
_ENDED = re.compile(rf"[\s;)\ufeff]*+{_BLANKS}[\s;)]*+")
_TOKEN = re.compile(
    r"""(?P<blank>(?>[\s\ufeff]++|//[^\n]*+|/\*(?>[^*]++|\*(?!/))*+\*/|\#[^\n]*+)++)
    |(?P<string>"(?>[^"\\]++|\\.)*+"|'(?>[^'\\]++|\\.)*+'|`(?>[^`\\]++|\\.)*+`)
    |(?P<mark>[{}\[\]:,()+;])
    |(?P<number>[+-]?(?:0[xX][0-9a-fA-F]{1,16}|(?:\d++\.?\d*+|\.\d++)(?:[eE][+-]?\d{1,4})?|Infinity|NaN))(?![\w$])
    |(?P<name>[A-Za-z_$][\w$.]*+)""",
    re.DOTALL | re.VERBOSE,
)
_ESCAPE = re.compile(r"\\(?:u\{([0-9a-fA-F]{1,6})\}|u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|(\r\n|.))", re.DOTALL)
_LETTERS = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "v": "\v", "0": "\0", "\n": "", "\r\n": "", "\r": ""}
_CONSTANTS = {"true": "true", "false": "false", "null": "null", "None": "null", "True": "true", "False": "false",
              "undefined": "null", "NaN": "null", "Infinity": "null"}  # fmt: skip
_LONGEST_NUMBER = 400
_SEVERAL = 2
_SUFFIXES = (".json", ".json5", ".jsonc", ".js", ".mjs", ".cjs", ".ts", ".geojson", "")


def is_strict(head: str) -> bool:
    """Return whether the beginning of a text is JSON as it is defined."""
    match = _STRICT.match(head)
    rest = head[match.end() if match else 0 :]
    return _UNENDED.fullmatch(rest) is not None


def is_relaxed(head: str, suffix: str) -> bool:
    """Return whether a text begins as JSON with comments, or with keys and texts as programs have them."""
    if suffix not in _SUFFIXES or is_strict(head):
        return False
    return _SCRIPT.match(head) is not None or _DATA.match(head) is not None


def relaxed_value(text: str) -> object:
    """Parse a text that is nearly JSON; None if it is something else.

    Several objects become a list, and what several names are given an object of these names.

    Raises:
        RecursionError: if it is nested too deep.
    """
    found: list[tuple[str, object]] = []
    position = 0
    while start := _START.match(text, position):
        name = start["name"] or (start["of"] or "").rpartition(".")[2]
        parts = list(_parts(text, start.end()))
        position = parts[-1][1] if parts else start.end()
        try:
            found.append((name, json.loads("".join(part for part, _ in parts))))
        except ValueError:
            if not name:
                return None  # other values by their names, such as what a program exports, say nothing
        if (ended := _ENDED.match(text, position)) is not None:
            position = ended.end()
    if position < len(text) and not any(name for name, _ in found):
        return None  # something follows that is no data
    if len(found) < _SEVERAL:
        return found[0][1] if found else None
    return dict(found) if all(name for name, _ in found) else [value for _, value in found]


def _parts(text: str, position: int) -> Iterator[tuple[str, int]]:
    """Yield the parts of the first value in a text, as JSON has them, and where it goes on."""
    depth = calls = 0
    comma = False  # one that waits for what follows it
    last = held = ""  # the kind of the last part, and a text that may go on behind a plus
    while match := _TOKEN.match(text, position):
        position, kind, part = match.end(), match.lastgroup, match[0]
        if kind == "blank":
            continue
        if held and part != "+" and not (kind == "string" and last == "+"):
            yield json.dumps(held, ensure_ascii=False), position
            held = ""
        if kind == "mark":
            if part == ",":
                comma = True
            elif part in "()+;":
                calls += (part == "(") - (part == ")")
                if part == ";" or calls < 0:
                    break
            else:
                yield ("," if comma and part not in "}]" else "") + part, position
                comma = False
                depth += (part in "{[") - (part in "}]")
                if not depth:
                    return
            last = part
            continue
        if kind == "string" and held:
            held += _unquoted(part)
            last = "string"
            continue
        if kind == "name" and part in ("new", "NumberLong", "NumberInt", "NumberDecimal", "ObjectId", "ISODate", "Date",
                                       "UUID", "Timestamp", "BinData"):  # fmt: skip
            continue  # what stands in brackets behind it is the value
        yield "," * comma, position
        comma = False
        if kind == "string":
            held = _unquoted(part)
            last = "string"
            if not held:
                yield '""', position
        elif kind == "number":
            yield _number(part), position
        else:
            yield _CONSTANTS.get(part) or json.dumps(part), position
        last = kind or ""


def _unquoted(text: str) -> str:
    return _ESCAPE.sub(_letter, text[1:-1])


def _letter(match: re.Match[str]) -> str:
    code = match[1] or match[2] or match[3]
    if code:
        number = int(code, 16)
        return chr(number) if number < 0x110000 else "\ufffd"
    return _LETTERS.get(match[4], match[4])


def _number(text: str) -> str:
    if text.lstrip("+-")[:1] in ("I", "N") or len(text) > _LONGEST_NUMBER:
        return "null"
    if "x" in text.lower()[:3]:
        return str(int(text, 16))
    whole = text.lstrip("+")
    sign, digits = ("-", whole[1:]) if whole.startswith("-") else ("", whole)
    mantissa, mark, power = digits.lower().partition("e")
    first, point, rest = mantissa.partition(".")
    return f"{sign}{first.lstrip('0') or '0'}{point if rest else ''}{rest}{mark}{power}"
