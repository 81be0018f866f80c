r"""The kind of a field's texts: HTML, BBCode or plain, with entities, written-out "\n" or lists, or encoded twice.

It is decided by what most records of a field show, never by a single "<": code, formulas and ``<placeholder>`` survive.
"""

from __future__ import annotations

import ast
import base64
import codecs
import html
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass

from qa_search.archives.formats.html_text import html_to_text

# The most frequent first, so that they are found soonest.
_HTML_NAMES = (
    "p br a li ul ol code pre strong em b i div span blockquote h2 h3 img hr td tr table "
    "abbr address area article aside audio b base bdi bdo big blockquote body br button canvas caption center cite "
    "code col colgroup data dd del details dfn div dl dt em embed fieldset figcaption figure font footer form h1 h2 h3 "
    "h4 h5 h6 head header html iframe input ins kbd label legend link main map mark meta nav noscript "
    "object ol option p param picture pre q s samp script section select small source span strike strong style sub "
    "summary sup svg table tbody td tfoot th thead time title tr tt u ul var video wbr o:p"
)
_TAG = re.compile(rf"<(/?)({_HTML_NAMES.replace(' ', '|')})((?:\s[^<>]*)?)(/?)>", re.IGNORECASE)
_STRAY = re.compile(rf"<(?!/?(?:{_HTML_NAMES.replace(' ', '|')})(?:\s[^<>]*)?/?>|!--|!\[|!doctype\b|\?)", re.IGNORECASE)
_SOLE = frozenset("area base br col embed hr img input link meta param source wbr".split())
# Their closing tags may be left out.
_OPEN_ENDED = frozenset("p li dt dd td th tr tbody thead tfoot option colgroup body html head".split())
_BLOCK = frozenset("p div ul ol li table blockquote pre h1 h2 h3 h4 h5 h6 dl".split())
_MARKDOWN_TAG = re.compile(r"```|`[^`\n]*<[^`\n]*`|^(?: {4}|\t)[^\n]*</?[a-zA-Z]", re.MULTILINE)
_MARKDOWN_MARKS = ("`", "\n    ", "\n\t")
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,30});")
_BARE_AMPERSAND = re.compile(r"&(?!#?\w{1,31};)")
_BBCODE = re.compile(r"\[(b|i|u|s|url|img|quote|code|list|color|size|center|email)\b[^\]\n]{0,300}\]", re.IGNORECASE)
_BBCODE_END = re.compile(r"\[/(?:b|i|u|s|url|img|quote|code|list|color|size|center|email)(?::\w+)*\]", re.IGNORECASE)
# An innermost quotation.
_BBCODE_QUOTE = re.compile(
    r"\[quote\b[^\]]*\](?>(?!\[quote\b|\[/quote).)*+\[/quote(?::\w+)*\]\s*", re.IGNORECASE | re.DOTALL
)
_BBCODE_LINK = re.compile(
    r"\[url=[\"']?([^\]\"'\n]{1,2000}?)[\"']?(?::\w{5,12})?\]([^\[\]]*)\[/url(?::\w+)*\]", re.IGNORECASE | re.DOTALL
)
_BBCODE_TARGET = re.compile(
    r"\[(?:url|img|email)(?::\w+)*\]([^\[\]]*)\[/(?:url|img|email)(?::\w+)*\]", re.IGNORECASE | re.DOTALL
)
_WRITTEN_BREAK = re.compile(r"\\r\\n|\\n|\\r")
# What follows "\n" in text that was written out; in formulas (\nabla) and paths (C:\new) a small letter does.
_SURE_BREAK = re.compile(r"\\n(?![a-z])|(?<=[.!?:;])\\n")
_LIST = re.compile(r"\s*\[.*\]\s*", re.DOTALL)
_LIST_ITEM = re.compile(r"\s*('(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")\s*,?", re.DOTALL)
# UTF-8 that was read as Windows-1252: a lead byte's letter, then letters of the bytes 80 to BF.
_CONTINUATION = (
    "\u20ac\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030\u0160\u2039\u0152\u017d\u2018\u2019\u201c\u201d\u2022\u2013"
    "\u2014\u02dc\u2122\u0161\u203a\u0153\u017e\u0178\x80-\xbf"
)
_MOJIBAKE = re.compile(
    rf"[\xc2-\xdf][{_CONTINUATION}]|[\xe0-\xef][{_CONTINUATION}]{{2}}|[\xf0-\xf4][{_CONTINUATION}]{{3}}"
)
_PHPBB_MARK = re.compile(r"<([se])>[^<]*</\1>")
_PHPBB_QUOTE = re.compile(r"<QUOTE\b[^<>]*>(?:(?!<QUOTE\b).)*?</QUOTE>", re.DOTALL)
_MOST_QUOTES = 50  # within one another
_LOOKED_AT = 4000
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{12,}(?:\r?\n[A-Za-z0-9+/_-]+)*={0,2}\s*")
_FEWEST_BASE64 = 16
_URL_SAFE = str.maketrans("-_", "+/")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffd-\uffff]")
_MOST_LIST = 100_000


@dataclass(frozen=True)
class TextKind:
    """The kind of one field's texts. If ``html`` is None, no record shows it, and each text is judged alone."""

    html: bool | None = None
    entities: bool = True
    bbcode: bool = False
    breaks: bool = False
    lists: bool = False
    rich: bool = False
    base64: bool = False
    escaped: bool = False
    mojibake: bool = False

    def plain(self, text: str, most: int | None = None) -> str:
        """Return a text of the field as plain text.

        Raises:
            TextTooLongError: if it is HTML and its text is longer than ``most`` characters.
            ValueError: if it is HTML that cannot be parsed.
        """
        if self.base64:
            text = _from_base64(text) or text
        if self.mojibake and not text.isascii():
            text = _MOJIBAKE.sub(_mended, text)
        if text[:3] in ("<r>", "<t>"):
            text = _of_phpbb(text)
        if self.breaks:
            text = _WRITTEN_BREAK.sub("\n", text).replace("\\t", "\t").replace('\\"', '"')
        if self.bbcode:
            text = bbcode_to_text(text)
        if self.escaped and "&" in text:
            text = html.unescape(text)
        if "<" in text and self._is_html(text):
            return html_to_text(escape_strays(text), most)
        return decode_entities(text) if self.entities else text

    def _is_html(self, text: str) -> bool:
        if self.html is None:
            return html_vote(text) > 0
        if not self.html or _TAG.search(text) is None:
            return False
        return not any(mark in text for mark in _MARKDOWN_MARKS) or _MARKDOWN_TAG.search(text) is None


def _of_phpbb(text: str) -> str:
    """Return a post as phpBB 3.2 and later store it, without marks and quotations."""
    if not text.endswith((f"</{text[1]}>", f"</{text[1]}>\n")):
        return text
    text = _PHPBB_MARK.sub("", re.sub(r"<br ?/>\n?", "\n", text))
    for _ in range(_MOST_QUOTES):  # innermost first
        text, quotes = _PHPBB_QUOTE.subn("", text)
        if not quotes:
            break
    return html.unescape(re.sub(r"</?[A-Za-z][^<>]*>", "", text)).strip()


def decode_entities(text: str) -> str:
    """Decode entities such as ``&amp;``; ``&copy=1`` in a link is not an entity."""
    return _ENTITY.sub(lambda match: html.unescape(match[0]), text) if "&" in text else text


def kind_of(texts: Iterable[str], html_known: bool | None = None) -> TextKind:
    """Return the kind of a field's texts, judged by a sample."""
    sample = [text[:_LOOKED_AT] for text in texts if text]
    decoded = list(map(_from_base64, sample))
    if encoded := bool(decoded) and all(decoded):
        sample = decoded
    vote = sum(html_vote(text) for text in sample if "<" in text)
    shown = any(html_vote(text) for text in sample if "<" in text)
    with_ampersand = [text for text in sample if "&" in text]
    entities = sum(len(_ENTITY.findall(text)) for text in with_ampersand)
    bare = sum(len(_BARE_AMPERSAND.findall(text)) for text in with_ampersand)
    escaped = _is_escaped(sample)
    if escaped:
        html_known = True
    return TextKind(
        escaped=escaped,
        html=html_known if html_known is not None else vote > 0 if shown else None,
        entities=entities >= bare,
        bbcode=_is_bbcode(sample),
        breaks=_breaks_are_written(sample),
        lists=bool(sample) and all(_LIST.fullmatch(text) for text in sample) and all(map(written_list, sample[:50])),
        rich=any(text[:2] in ('{"', "[{") for text in sample),
        base64=encoded,
        mojibake=any(not text.isascii() and _is_mojibake(text) for text in sample),
    )


def _from_base64(text: str) -> str:
    """Decode a text that was written as base64; "" for any other: by chance, none comes out as words in UTF-8."""
    if " " in text[:_FEWEST_BASE64] or len(text) < _FEWEST_BASE64 or _BASE64.fullmatch(text) is None:
        return ""
    plain = re.sub(r"\s+", "", text).rstrip("=").translate(_URL_SAFE)
    try:
        data = base64.b64decode(plain + "=" * (-len(plain) % 4))
        decoded = codecs.getincrementaldecoder("utf-8")().decode(data)  # the last letter may have been cut off
    except ValueError:
        return ""
    return decoded if _CONTROL.search(decoded) is None and (" " in decoded or not decoded.isascii()) else ""


def _is_escaped(sample: list[str]) -> bool:
    """Return whether the texts are HTML whose tags were written as entities: none has a tag, and most have one then."""
    with_entities = [text for text in sample if "&lt;" in text]
    if not with_entities or any("<" in text for text in sample):
        return False
    return sum(html_vote(html.unescape(text)) for text in with_entities) > len(with_entities) / 2


def html_vote(text: str) -> int:
    """Return how a text with "<" is meant: 1 for HTML, -1 for plain text, 0 if unclear."""
    tags = _TAG.findall(text)
    strays = len(_STRAY.findall(text))
    if not tags:
        return -1 if strays else 0
    if _MARKDOWN_TAG.search(text):
        return -1
    opened: dict[str, int] = {}
    closed_tags = blocks = 0
    for slash, name, _, _ in tags:
        name = name.lower()
        if name in _SOLE:
            continue
        blocks += name in _BLOCK
        opened[name] = opened.get(name, 0) + (-1 if slash else 1)
        closed_tags += bool(slash)
    unbalanced = sum(abs(count) for name, count in opened.items() if name not in _OPEN_ENDED)
    if blocks and closed_tags and not unbalanced:
        return 1 if strays <= len(tags) else -1
    if strays or unbalanced > closed_tags:
        return -1
    if not closed_tags:  # "<br>", "<p>" or "<img>" alone
        return _lone_vote(text, tags)
    return 1


def _lone_vote(text: str, tags: list[tuple[str, str, str, str]]) -> int:
    """Vote on a text with tags that need no end: in prose about tags, they stand between blanks like a word."""
    if not all(name.lower() in ("br", "hr", "img", "p", "wbr", "li") for _, name, _, _ in tags):
        return -1
    as_words = len(re.findall(r"(?:^|(?<=[\w,;(] ))<[a-z]+ ?/?>(?= \w|[?.,;)]|$)", text, re.IGNORECASE))
    return 1 if len(tags) > as_words else -1


def escape_strays(text: str) -> str:
    """Escape each "<" that begins no tag of HTML, so that a parser keeps what follows it."""
    return _STRAY.sub("&lt;", text) if "<" in text else text


def written_list(text: str) -> list[object] | None:
    """Read a list that Python, JSON or numpy wrote out; None if the text is not a list."""
    text = text.strip()
    if len(text) > _MOST_LIST or not (text.startswith("[") and text.endswith("]")):
        return None
    quoted = _quoted_items(text[1:-1])
    if quoted is not None:
        return quoted
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        try:
            value = ast.literal_eval(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
            return None
    return value if isinstance(value, list) and not _is_number_list(value) else None


def _is_number_list(value: list[object]) -> bool:
    return bool(value) and all(isinstance(item, int | float) for item in value)


def _quoted_items(text: str) -> list[object] | None:
    """Read quoted strings parted by commas or, as numpy writes them, by blanks."""
    found: list[object] = []
    position, end = 0, len(text.rstrip())
    while position < end:
        match = _LIST_ITEM.match(text, position)
        if match is None:
            return None
        quoted, position = match[1], match.end()
        if "\\" not in quoted and quoted.isprintable():  # as most are: it means what it shows
            found.append(quoted[1:-1])
            continue
        try:
            found.append(ast.literal_eval(quoted.replace("\n", "\\n")))
        except (ValueError, SyntaxError):
            return None
    return found


def bbcode_to_text(text: str) -> str:
    """Turn BBCode, phpBB's with its marks (``[b:3kf9a]``) too, into plain text; quotations of others are left out."""
    if "[" not in text:
        return text
    text = _without_quotes(text)
    text = _BBCODE_TARGET.sub(r"\1", _BBCODE_LINK.sub(_bbcode_link, text))
    text = re.sub(r"\[\*(?::\w+)*\]\s*", "\n- ", text)
    text = _BBCODE_END.sub("", _BBCODE.sub("", text))
    return re.sub(r"\[/\*(?::\w+)*\]", "", text)


def _without_quotes(text: str) -> str:
    """Leave out quotations, innermost first, unless nothing but a quotation is there."""
    rest, count = _BBCODE_QUOTE.subn("", text)
    while count:
        before, (rest, count) = rest, _BBCODE_QUOTE.subn("", rest)
        if rest == before:
            break
    return rest if rest.strip() else text


def _bbcode_link(match: re.Match[str]) -> str:
    target, shown = match[1], match[2].strip()
    return target if shown in ("", target) else f"{shown} ({target})"


def _is_bbcode(sample: list[str]) -> bool:
    """Return whether most of the texts with brackets have BBCode tags."""
    bracketed = [text for text in sample if "[" in text]
    shown = sum(_BBCODE.search(text) is not None and _BBCODE_END.search(text) is not None for text in bracketed)
    return shown > 0 and 2 * shown >= len(bracketed)


def _breaks_are_written(sample: list[str]) -> bool:
    if any("\n" in text for text in sample):
        return False
    found = sum(text.count("\\n") for text in sample)
    return found > 0 and sum(len(_SURE_BREAK.findall(text)) for text in sample) >= 0.8 * found


def _is_mojibake(text: str) -> bool:
    return any(_mended(match) != match[0] for match in _MOJIBAKE.finditer(text))


def _mended(match: re.Match[str]) -> str:
    """Repair one character that was encoded twice, if the result is one character of UTF-8."""
    data = bytearray()
    for letter in match[0]:
        try:
            data += letter.encode("cp1252")
        except UnicodeEncodeError:
            if ord(letter) > 0xFF:
                return match[0]
            data.append(ord(letter))
    try:
        mended = data.decode()
    except UnicodeDecodeError:
        return match[0]
    return mended if mended.isprintable() or mended == "\xa0" else match[0]
