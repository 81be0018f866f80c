"""An assistant's name and an index -> its file of settings, with this search as one of its tools.

Each assistant reads its servers from a JSON file of its own: Claude Desktop, Claude Code, Cursor, Windsurf and Gemini
CLI below "mcpServers", VS Code below "servers". Only the entry of this search changes; all else in the file stays,
comments and layout included.
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
from qa_search.interfaces.json_edits import read_json, with_value

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
        QASearchError: if the file is there and is not JSON (comments and commas after last values apart) with an
            object of servers. The message has what to paste.
    """
    path = assistant.file(system)
    shown = json.dumps({assistant.key: {name: dict(entry)}}, ensure_ascii=False, indent=2)
    try:
        previous = _read(path)
        text = _with_entry(previous or "", assistant.key, name, dict(entry))
    except (ValueError, RecursionError) as error:
        raise QASearchError(
            f"{path}: not a file of settings in JSON ({error}). Nothing was changed. Correct the file, or paste this "
            f"into it:\n{shown}"
        ) from error
    return Change(path, text, previous, shown)


def _with_entry(text: str, key: str, name: str, entry: dict[str, Any]) -> str:
    """Return the file's text with the entry in it.

    Raises:
        ValueError: if it is not JSON with an object of servers.
        RecursionError: if it is nested too deep.
    """
    changed = with_value(text, (key, name), entry)
    document = read_json(text) or {}
    wanted = {**document, key: {**document.get(key, {}), name: entry}}
    if wanted == document:
        return text
    if read_json(changed) != wanted:
        raise ValueError("the entry does not fit in")
    return changed


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
            raise _changed(change.path)
        backup = _back_up(path) if change.previous is not None else None
        _replace(path, change.text)
    except UnicodeDecodeError:
        raise _changed(change.path) from None
    except OSError as error:
        raise QASearchError(
            f"{change.path}: cannot be written ({error.strerror or error}). It was not changed: add the entry yourself."
        ) from error
    return backup


def _changed(path: Path) -> QASearchError:
    return QASearchError(f"{path}: another program has just changed it. Run the command again.")


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
    return data.decode("utf-8")


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
