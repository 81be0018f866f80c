"""SQLite's GLOB as a regular expression of PostgreSQL, so that a source filter means the same in both."""

from __future__ import annotations


def glob_to_regex(pattern: str) -> str | None:
    """Translate a pattern; None for one that never matches in SQLite (a set without an end)."""
    parts: list[str] = []
    at = 0
    while at < len(pattern):
        character = pattern[at]
        at += 1
        if character == "*":
            parts += [] if parts[-1:] == [".*"] else [".*"]  # stars in a row are one
        elif character == "?":
            parts.append(".")
        elif character == "[":
            found = _set(pattern, at)
            if found is None:
                return None
            part, at = found
            parts.append(part)
        else:
            parts.append(_escaped(character))
    return f"^{''.join(parts)}$"


def _set(pattern: str, at: int) -> tuple[str, int] | None:
    """Translate a set as SQLite reads it, from the character after its bracket; return it and where it ends."""
    start = "[^" if pattern[at : at + 1] == "^" else "["
    at += len(start) - 1
    members: list[str] = []
    if pattern[at : at + 1] == "]":
        members.append(_escaped("]"))
        at += 1
    before = ""  # what a range would begin with
    while (character := pattern[at : at + 1]) != "]":
        if not character:
            return None
        end = pattern[at + 1 : at + 2]
        if character == "-" and before and end not in ("]", ""):
            if before <= end:  # else the range is empty, but for its beginning
                members.append(f"{_escaped(before)}-{_escaped(end)}")
            before = ""
            at += 2
        else:
            members.append(_escaped(character))
            before = character
            at += 1
    return f"{start}{''.join(members)}]", at + 1


def _escaped(character: str) -> str:
    """Escape one character, for use within brackets, too."""
    if character.isalnum() and character.isascii():
        return character
    return f"\\U{ord(character):08x}"
