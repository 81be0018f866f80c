"""An assistant's name and an index -> its file of settings, with this search as one of its tools.

Each assistant reads its servers from a JSON file of its own: Claude Desktop, Claude Code, Cursor, Windsurf and Gemini
CLI below "mcpServers", VS Code below "servers". Only the entry of this search changes; all else in the file stays.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qa_search.errors import QASearchError

_MAX_BYTES = 10_000_000
_BACKUP = ".before-qa-search"


@dataclass(frozen=True, slots=True)
class System:
    """What decides where files of settings are: the platform as `sys.platform`, the home, variables, this folder."""

    platform: str
    home: Path
    variables: Mapping[str, str]
    here: Path

    @classmethod
    def this(cls) -> System:
        """Return this machine's."""
        return cls(sys.platform, Path.home(), os.environ, Path.cwd())

    @property
    def settings(self) -> Path:
        """The folder in which programs keep a user's settings."""
        if self.platform == "darwin":
            return self.home / "Library" / "Application Support"
        if self.platform == "win32":
            return Path(self.variables.get("APPDATA") or self.home / "AppData" / "Roaming")
        chosen = self.variables.get("XDG_CONFIG_HOME", "")
        return Path(chosen) if Path(chosen).is_absolute() else self.home / ".config"


@dataclass(frozen=True, slots=True)
class Assistant:
    """An assistant: its name for people, its file, the key of its servers there, and what makes it read the file."""

    name: str
    file: Callable[[System], Path]
    key: str = "mcpServers"
    kind: str | None = None
    then: str = "Start it again."


ASSISTANTS = {
    "claude-code": Assistant(
        "Claude Code in this folder", lambda system: system.here / ".mcp.json", kind="stdio",
        then="It asks once whether to trust the server.",
    ),
    "claude-desktop": Assistant(
        "Claude Desktop", lambda system: system.settings / "Claude" / "claude_desktop_config.json",
        then="Quit it and start it again: closing its window is not enough.",
    ),
    "cursor": Assistant("Cursor", lambda system: system.home / ".cursor" / "mcp.json", kind="stdio"),
    "gemini-cli": Assistant("Gemini CLI", lambda system: system.home / ".gemini" / "settings.json"),
    "vscode": Assistant(
        "VS Code", lambda system: system.settings / "Code" / "User" / "mcp.json", key="servers", kind="stdio",
        then="Start the server in the file itself, or start VS Code again.",
    ),
    "windsurf": Assistant("Windsurf", lambda system: system.home / ".codeium" / "windsurf" / "mcp_config.json"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Change:
    """What installing writes: the file, its new text, the text that it has now (None without a file), and the entry."""

    path: Path
    text: str
    previous: str | None
    entry: str

    @property
    def needed(self) -> bool:
        """Whether the file differs."""
        return self.text != self.previous


def server_entry(assistant: Assistant, arguments: list[str], program: str | None = None) -> dict[str, Any]:
    """Return the settings of the server: this installation's own program, since assistants know no virtual environment.

    Args:
        assistant: who starts it.
        arguments: those of ``qa-search``.
        program: the program; None for this one.
    """
    kind = {"type": assistant.kind} if assistant.kind else {}
    script = Path(sys.executable).parent / ("qa-search.exe" if sys.platform == "win32" else "qa-search")
    if program is None and not script.is_file():
        return {**kind, "command": sys.executable, "args": ["-m", "qa_search", *arguments]}
    return {**kind, "command": program or str(script), "args": arguments}


def plan(assistant: Assistant, name: str, entry: Mapping[str, Any], system: System) -> Change:
    """Return what installing would write. Nothing is written.

    Args:
        assistant: whose file it is.
        name: the name of the server in it.
        entry: the settings of the server.
        system: where the file is.

    Raises:
        QASearchError: if the file is there and is not JSON with an object of servers.
    """
    path = assistant.file(system)
    previous = _read(path)
    document = _parsed(path, previous) if previous is not None and previous.strip() else {}
    servers = document.get(assistant.key, {})
    if not isinstance(servers, dict):
        raise QASearchError(
            f'{path}: "{assistant.key}" is not an object. Correct the file, or print the entry (--print).'
        )
    changed = {**document, assistant.key: {**servers, name: dict(entry)}}
    text = previous if changed == document and previous is not None else _written(changed, previous)
    shown = json.dumps({assistant.key: {name: dict(entry)}}, ensure_ascii=False, indent=2)
    return Change(path, text, previous, shown)


def install(change: Change) -> Path | None:
    """Write the file at once or not at all, and return where the previous one is kept; None without one.

    Raises:
        QASearchError: if it has changed since it was read, or cannot be written; what was there stays.
    """
    # A link leads to the file that is kept somewhere else.
    path = Path(os.path.realpath(change.path))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if _read(change.path) != change.previous:
            raise QASearchError(f"{change.path}: another program has just changed it. Run the command again.")
        backup = _back_up(path) if change.previous is not None else None
        _replace(path, change.text)
    except OSError as error:
        raise QASearchError(
            f"{change.path}: cannot be written ({error.strerror or error}). It was not changed: add the entry yourself."
        ) from error
    return backup


def _read(path: Path) -> str | None:
    try:
        with path.open("rb") as stream:
            data = stream.read(_MAX_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise QASearchError(f"{path}: cannot be read ({error.strerror or error}).") from error
    if len(data) > _MAX_BYTES:
        raise QASearchError(f"{path}: more than {_MAX_BYTES:,} bytes, which no file of settings has.")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _not_json(path, error) from error


def _parsed(path: Path, text: str) -> dict[str, Any]:
    try:
        document = json.loads(text.removeprefix("\ufeff"), object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise _not_json(path, error) from error
    if not isinstance(document, dict):
        raise _not_json(path, "not an object")
    return document


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse a name that stands twice in an object: one of the two would be lost."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice in one object")
    return found


def _not_json(path: Path, why: object) -> QASearchError:
    return QASearchError(
        f"{path}: not JSON that can be read and written without loss ({why}); comments and commas at the end of a list "
        "are not JSON. Nothing was changed: correct the file, or add the entry yourself."
    )


def _written(document: Mapping[str, Any], previous: str | None) -> str:
    """Write the document with the line ends of the file before."""
    text = json.dumps(document, ensure_ascii=False, indent=2) + "\n"
    return text.replace("\n", "\r\n") if previous is not None and "\r\n" in previous else text


def _back_up(path: Path) -> Path:
    """Copy the file beside it, under a name that nothing has yet."""
    number = 0
    while True:
        backup = path.with_name(f"{path.name}{_BACKUP}{f'-{number}' if number else ''}")
        if not os.path.lexists(backup):
            shutil.copy2(path, backup)
            return backup
        number += 1


def _replace(path: Path, text: str) -> None:
    """Replace a file by another that is written whole, with the rights of the first."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(text.encode("utf-8"))
            stream.flush()
            os.fsync(stream.fileno())
        if path.exists():
            shutil.copymode(path, name)
        os.replace(name, path)  # noqa: PTH105 - both are paths of one kind
    except BaseException:
        with suppress(OSError):
            os.unlink(name)  # noqa: PTH108 - as above
        raise
