"""Text as MediaWiki keeps it (``== heading ==``, ``; term``, ``: text``) -> the same as Markdown."""

from __future__ import annotations

import re

SUFFIXES = (".wiki", ".mediawiki", ".wikitext", ".mw")
_NOT_TEXT = re.compile(
    r"<!--.{0,10000}?-->|<ref\b[^<>]{0,200}/>|<ref\b[^<>]{0,200}>[^<]{0,5000}</ref>|\{\{[^{}]{0,5000}\}\}|^__[A-Z]{3,20}__"
    r"|\[\[(?:Category|Kategorie|Catégorie|Categoría|Categoria|Категория|File|Image|Datei)\s*:[^\[\]\n]{1,500}\]\]",
    re.DOTALL | re.MULTILINE | re.IGNORECASE,
)
_HEADING = re.compile(r"(={1,6})[ \t]*([^=\s].{0,500}?)[ \t]*\1[ \t]*")
_LINK = re.compile(r"\[\[(?:[^\[\]|\n]{0,500}\|)?([^\[\]|\n]{1,500})\]\]")
_ADDRESS = re.compile(r"(?<!\[)\[(https?://[^\s\[\]]{1,2000})[ \t]+([^\[\]\n]{1,500})\]")
_BOLD, _ITALIC = re.compile(r"\'\'\'(.{1,1000}?)\'\'\'"), re.compile(r"\'\'(.{1,1000}?)\'\'")
_TERM = re.compile(r";[ \t]*(\S.*?)(?:[ \t]+:[ \t]+(.*))?")
_ITEMS = re.compile(r"([*#]{1,6})[ \t]*(\S.*)")


def to_markdown(text: str) -> str:
    """Write a wiki's text as Markdown. Terms with their texts below become headings of the lowest level."""
    text = _ADDRESS.sub(r"[\2](\1)", _LINK.sub(r"\1", _NOT_TEXT.sub("", text)))
    return "\n".join(map(_line, text.split("\n")))


def _line(line: str) -> str:
    line = _ITALIC.sub(r"*\1*", _BOLD.sub(r"**\1**", line))
    if found := _HEADING.fullmatch(line):
        return f"\n{'#' * len(found[1])} {found[2]}\n"
    if found := _TERM.fullmatch(line):
        return f"\n###### {found[1]}\n\n{found[2] or ''}"
    if found := _ITEMS.fullmatch(line):
        mark = "- " if found[1][-1] == "*" else "1. "
        return f"{'   ' * (len(found[1]) - 1)}{mark}{found[2]}"
    if line.startswith(":"):
        return f"\n{line.lstrip(': ')}\n"
    return line
