"""``qa-search mcp install``: the settings of each assistant, on each system, and nothing else in its file."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from qa_search import QASearchError, build_index
from qa_search.interfaces.assistants import ASSISTANTS, Assistant, System, install, plan, server_entry
from qa_search.interfaces.cli import cli
from qa_search.interfaces.json_edits import read_json
from tests.helpers import WordsEmbedder, write_jsonl
from tests.interfaces.cli.words import use_words

ENTRY = {"command": "qa-search", "args": ["mcp", "--index", "/x"]}
FOLDERS = {
    "linux": "/home/ann/.config",
    "darwin": "/home/ann/Library/Application Support",
    "win32": "/home/ann/AppData/Roaming",
}  # fmt: skip


def system(platform: str = "linux", **variables: str) -> System:
    return System(platform, Path("/home/ann"), variables, Path("/project"))


@pytest.mark.parametrize("platform", FOLDERS)
def test_each_assistant_has_its_file_on_each_system(platform: str) -> None:
    """Where its makers say that it looks."""
    found = {name: assistant.file(system(platform)).as_posix() for name, assistant in ASSISTANTS.items()}
    assert found == {
        "claude-code": "/project/.mcp.json",
        "claude-desktop": f"{FOLDERS[platform]}/Claude/claude_desktop_config.json",
        "cursor": "/home/ann/.cursor/mcp.json",
        "gemini-cli": "/home/ann/.gemini/settings.json",
        "vscode": f"{FOLDERS[platform]}/Code/User/mcp.json",
        "windsurf": "/home/ann/.codeium/windsurf/mcp_config.json",
    }


def test_a_user_may_keep_settings_elsewhere() -> None:
    """As the systems allow: APPDATA, XDG_CONFIG_HOME if it is absolute."""
    assert system("win32", APPDATA="/roaming").settings == Path("/roaming")
    assert system(XDG_CONFIG_HOME="/conf").settings == Path("/conf")
    assert system(XDG_CONFIG_HOME="conf").settings == Path("/home/ann/.config")


def at(path: Path, key: str = "mcpServers") -> Assistant:
    return Assistant("Test", lambda _: path, key=key)


def test_only_the_entry_changes(tmp_path: Path) -> None:
    """Other servers, other settings, their order, rights and line ends stay; the file as it was is kept."""
    path = tmp_path / "settings.json"
    before = (
        '{"theme": "é",\r\n "servers": {"other": {"command": "x", "n": 1.5}, "mine": {"old": 1}}, "last": [null]}\r\n'
    )
    path.write_bytes(before.encode())
    path.chmod(0o600)
    change = plan(at(path, "servers"), "mine", ENTRY, system())
    assert path.read_bytes() == before.encode()
    kept = install(change)
    written = path.read_bytes().decode()
    assert json.loads(written) == {
        "theme": "é", "servers": {"other": {"command": "x", "n": 1.5}, "mine": ENTRY}, "last": [None],
    }  # fmt: skip
    assert list(json.loads(written)) == ["theme", "servers", "last"]
    assert written.count("\n") == written.count("\r\n")
    assert "é" in written
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert kept is not None
    assert kept.read_bytes() == before.encode()
    assert sorted(one.name for one in tmp_path.iterdir()) == sorted([path.name, kept.name])
    again = plan(at(path, "servers"), "mine", ENTRY, system())
    assert not again.needed
    other = plan(at(path, "servers"), "second", ENTRY, system())
    second = install(other)
    assert second != kept
    assert second is not None
    assert second.read_bytes().decode() == written


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
@pytest.mark.slow
def test_no_setting_is_lost(tmp_path_factory: pytest.TempPathFactory, other: Any) -> None:
    """Whatever the values are."""
    path = tmp_path_factory.mktemp("settings") / "x.json"
    path.write_text(json.dumps({"other": other}), encoding="utf-8")
    install(plan(at(path), "mine", ENTRY, system()))
    assert json.loads(path.read_text("utf-8")) == {"other": other, "mcpServers": {"mine": ENTRY}}


COMMENTED = """\
// My servers. { "x": 1 }
{
    /* not "servers": {} */
    "inputs": ["http://x//y", "a, ]", "\\\\", ], // a comma too many
    "servers": {
        "other": {"command": "x", /* why */ "args": [1, 2,]}, // not a , }
    }, // the end
    // and a last word
}
"""
CHANGED = """\
// My servers. { "x": 1 }
{
    /* not "servers": {} */
    "inputs": ["http://x//y", "a, ]", "\\\\", ], // a comma too many
    "servers": {
        "other": {"command": "x", /* why */ "args": [1, 2,]}, // not a , }
        "mine": {
            "command": "qa-search"
        }
    }, // the end
    // and a last word
}
"""
MINE = '"servers": {\n    "mine": {\n      "command": "qa-search"\n    }\n  }'


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        (COMMENTED, CHANGED),
        (COMMENTED.replace("\n", "\r\n"), CHANGED.replace("\n", "\r\n")),
        (COMMENTED.replace("    ", "\t"), CHANGED.replace("    ", "\t")),
        (
            '{"servers": {"mine": {"old": 1}, "z": 0} /* x */}',
            '{"servers": {"mine": {\n  "command": "qa-search"\n}, "z": 0} /* x */}',
        ),
        ('{"a": 1 // one\n}', '{"a": 1, // one\n  ' + MINE + "\n}"),
        ("// none yet\n", "// none yet\n{\n  " + MINE + "\n}\n"),
        ("\ufeff{ }", "\ufeff{\n  " + MINE + "\n}"),
    ],
)  # fmt: skip
def test_comments_and_layout_stay(tmp_path: Path, text: str, changed: str) -> None:
    """As VS Code and others write them: only the entry is new, and an entry that is there is not written again."""
    path = tmp_path / "mcp.json"
    path.write_bytes(text.encode())
    entry = {"command": "qa-search"}
    install(plan(at(path, "servers"), "mine", entry, system()))
    assert path.read_bytes().decode() == changed
    assert not plan(at(path, "servers"), "mine", entry, system()).needed


@pytest.mark.slow
@given(st.lists(st.sampled_from([*'{}[]":,/*\\ \n', "//", "/*", "*/", '"a"', '"servers"', "1", "\t"]), max_size=30))
def test_no_text_is_damaged(tmp_path_factory: pytest.TempPathFactory, pieces: list[str]) -> None:
    """What is read is read the same but for the entry; what cannot be read is refused, never with a crash."""
    path = tmp_path_factory.mktemp("settings") / "x.json"
    text = "{" + "".join(pieces) + "}"
    path.write_bytes(text.encode())
    try:
        change = plan(at(path, "servers"), "mine", ENTRY, system())
    except QASearchError:
        return
    before, after = read_json(text), read_json(change.text)
    assert after == {**before, "servers": {**before.get("servers", {}), "mine": ENTRY}}


@pytest.mark.parametrize("text", [None, "", " \n", "{}", "\ufeff{}"])
def test_a_missing_or_empty_file_is_made(tmp_path: Path, text: str | None) -> None:
    """With its folder; a mark of the byte order stays."""
    path = tmp_path / "new" / "mcp.json"
    if text is not None:
        path.parent.mkdir()
        path.write_text(text, encoding="utf-8")
    kept = install(plan(at(path), "mine", ENTRY, system()))
    assert json.loads(path.read_text("utf-8-sig")) == {"mcpServers": {"mine": ENTRY}}
    assert (kept is None) == (text is None)


@pytest.mark.parametrize(
    "data",
    [
        b"[]", b"3", b"{", b'{"mcpServers": []}', b"\xff{}", b'{"a": 1, "a": 2}', b'{"mcpServers": {"m": 1, "m": 2}}',
        b"[" * 5000, b"{} /* no end", b"{} x", b"{'a': 1}", b'"', b"null", b'{"mcpServers": null}',
    ],
)  # fmt: skip
def test_what_cannot_be_read_without_loss_is_refused(tmp_path: Path, data: bytes) -> None:
    """A name that stands twice, no JSON: the file stays as it is, and the message names it and has what to paste."""
    path = tmp_path / "mcp.json"
    path.write_bytes(data)
    with pytest.raises(QASearchError, match=r"mcp\.json: .*Correct the file, or paste this") as refused:
        plan(at(path), "mine", ENTRY, system())
    assert json.loads(str(refused.value).partition("\n")[2]) == {"mcpServers": {"mine": ENTRY}}
    assert path.read_bytes() == data
    assert len(list(tmp_path.iterdir())) == 1


def test_a_file_that_another_program_changes_meanwhile_stays(tmp_path: Path) -> None:
    """What it has written is not lost."""
    path = tmp_path / "mcp.json"
    path.write_text("{}", encoding="utf-8")
    change = plan(at(path), "mine", ENTRY, system())
    path.write_text('{"new": 1}', encoding="utf-8")
    with pytest.raises(QASearchError, match="another program has just changed it"):
        install(change)
    assert path.read_text("utf-8") == '{"new": 1}'


def test_a_full_disk_leaves_the_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is replaced whole, or not at all."""
    path = tmp_path / "mcp.json"
    path.write_text("{}", encoding="utf-8")
    change = plan(at(path), "mine", ENTRY, system())

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(QASearchError, match="No space left on device"):
        install(change)
    assert path.read_text("utf-8") == "{}"
    assert not [one for one in tmp_path.iterdir() if one.name.startswith(".")]


def test_settings_that_are_kept_elsewhere_stay_there(tmp_path: Path) -> None:
    """A link is followed and not replaced."""
    (tmp_path / "dotfiles").mkdir()
    real = tmp_path / "dotfiles" / "mcp.json"
    real.write_text('{"a": 1}', encoding="utf-8")
    (tmp_path / "mcp.json").symlink_to(real)
    install(plan(at(tmp_path / "mcp.json"), "mine", ENTRY, system()))
    assert (tmp_path / "mcp.json").is_symlink()
    assert json.loads(real.read_text("utf-8")) == {"a": 1, "mcpServers": {"mine": ENTRY}}


def test_the_entry_starts_this_installation() -> None:
    """By an absolute path: assistants know no virtual environment. Those that want the kind of server get it."""
    entry = server_entry(ASSISTANTS["vscode"], ["mcp"])
    assert Path(entry["command"]).is_absolute()
    assert entry["args"][-1] == "mcp"
    assert entry["type"] == "stdio"
    assert "type" not in server_entry(ASSISTANTS["claude-desktop"], ["mcp"], "qa-search")


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An index in the current folder, and a home that is empty."""
    use_words(monkeypatch)
    build_index(write_jsonl(tmp_path / "a.jsonl", [{"question": "q", "answer": "a"}]), tmp_path / "index",
                model=WordsEmbedder())  # fmt: skip
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "index"


def run(*arguments: str, text: str | None = None) -> Result:
    return CliRunner().invoke(cli, ["mcp", *arguments], input=text)


def test_the_command_shows_asks_and_writes(index: Path) -> None:
    """Nothing is written without a yes; the index has its whole path, whatever folder the assistant starts in."""
    path = Path.home() / ".cursor" / "mcp.json"
    printed = run("install", "cursor", "--print")
    entry = json.loads(printed.stdout)["mcpServers"]["qa-search"]
    assert entry["args"][-3:] == ["mcp", "--index", str(index)]
    assert run("install", "cursor", text="n\n").stderr.endswith("Nothing was changed.\n")
    assert not path.exists()
    done = run("install", "cursor", text="y\n")
    assert (done.exit_code, str(path) in done.stderr) == (0, True)
    assert json.loads(path.read_text("utf-8")) == json.loads(printed.stdout)
    assert "The file has this entry" in run("install", "cursor", "--yes").stderr
    assert run("install", "cursor", "--yes", "--name", "club").exit_code == 0
    assert list(json.loads(path.read_text("utf-8"))["mcpServers"]) == ["qa-search", "club"]


def test_what_could_not_work_is_refused(index: Path) -> None:
    """No index, an address with a password, options that nobody would read, an unknown assistant."""
    missing = run("install", "cursor", "--yes", "--index", "nowhere")
    assert (missing.exit_code, "no index in this folder" in missing.stderr) == (3, True)
    secret = run("install", "cursor", "--yes", "--store", "postgresql://ann:hush@db/x")
    assert (secret.exit_code, "hush" in secret.output) == (2, False)
    before = run("--index", str(index), "install", "cursor")
    assert (before.exit_code, "go behind install" in before.stderr) == (2, True)
    assert run("install", "clippy").exit_code == 2
    assert not (Path.home() / ".cursor").exists()
