"""What a refusal or a remark says to do works when it is followed to the letter."""

from __future__ import annotations

import ast
import re
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from qa_search.archives import refusals
from qa_search.archives.read import BUILT_IN_READERS, Reading, ReadOptions, read_archives
from qa_search.errors import UnclearFieldsError, UnknownFormatError
from qa_search.interfaces.render.commands import in_options
from qa_search.types import Post
from tests.helpers import archive_file

_LONG = "Ann-Sophie Charlotte von und zu Hohenstein-Wartenburg"
# What gives the advice to name fields, with what fills in the words that stand for a name.
NAMED: dict[str, tuple[str, str, dict[str, str]]] = {
    "WhatsApp": (
        "chat.txt",
        "02.03.14, 10:05 - Ann: Refunds?\n02.03.14, 10:06 - Bob: Within 14 days.\n02.03.14, 10:07 - Ann: Thanks!\n",
        {},
    ),
    "WhatsApp with numbers": (
        "chat.txt",
        "02.03.14, 10:05 - \u202a+49 171 123456\u202c: Refunds?\n"
        "02.03.14, 10:06 - \u202a+49 171 99999\u202c: Within 14 days.\n"
        "02.03.14, 10:07 - \u202a+49 171 123456\u202c: Thanks!\n",
        {},
    ),
    "WhatsApp with a long name": (
        "chat.txt",
        f"[02.03.14, 10:05:00] Bob: Refunds?\n[02.03.14, 10:06:00] {_LONG}: Within 14 days.\n"
        "[02.03.14, 10:07:00] Bob: Thanks!\n",
        {},
    ),
    "WhatsApp with quotes in names": (
        "chat.txt",
        '02.03.14, 10:05 - Ann "A" O\'Hara: Refunds?\n02.03.14, 10:06 - Bob 😀: Within 14 days.\n'
        '02.03.14, 10:07 - Ann "A" O\'Hara: Thanks!\n',
        {},
    ),
    "IRC": ("c.log", "10:05 <ann> Refunds?\n10:06 <@bob> Within 14 days.\n10:07 <ann> thanks\n", {}),
    "a transcript": ("t.txt", "Ann: Refunds?\nBob: Within 14 days.\nAnn: Thanks!\nBob: Bye.\n", {}),
    "ServiceNow": (
        "incident.csv",
        "number,opened_at,short_description,description,close_code,u_work_done\n"
        "INC1,2014-03-02,Refunds?,Can I have one?,Solved,Within 14 days of the sale.\n"
        "INC2,2014-03-03,Descale?,How do I descale it?,Solved,With vinegar and water.\n",
        {},
    ),
    "ServiceNow, by its labels": (
        "incident.csv",
        'Number,Opened,"Short description",Description,"Work\u00a0done (internal), ""last"""\n'
        "INC1,2014-03-02,Refunds?,Can I have one?,Within 14 days of the sale.\n"
        "INC2,2014-03-03,Descale?,How do I descale it?,With vinegar and water.\n",
        {},
    ),
    "ServiceNow in JSON": (
        "incident.json",
        '{"records": [{"number": "INC1", "short_description": "Refunds?", "u_work done": "Within 14 days of it."},'
        ' {"number": "INC2", "short_description": "Descale it?", "u_work done": "With vinegar and water."}]}',
        {},
    ),
    "columns of other names": (
        "a.csv",
        "Betreff der Anfrage,Was wir gesagt haben\nRefunds?,Within 14 days.\nDescale?,With vinegar.\n",
        {"COLUMN": "Betreff der Anfrage|Was wir gesagt haben"},
    ),
    "fields of other names": (
        "a.json",
        '[{"asked_for": "Refunds please?", "we_said": "Within 14 days."},'
        ' {"asked_for": "Descale?", "we_said": "Vinegar"}]',
        {"FIELD": "asked_for|we_said"},
    ),
    "paths": (
        "a.json",
        '[{"x": {"asked": "Refunds please?", "said": "Within 14 days."}},'
        ' {"x": {"asked": "Descale?", "said": "So it is."}}]',
        {"FIELD": "x.asked|x.said"},
    ),
    "no header": ("a.csv", "Refunds please?,Within 14 days.\nDo I descale it?,With vinegar.\n", {}),
    "lines with tabs": ("a.txt", "Refunds please?\tWithin 14 days.\nDo I descale it?\tWith vinegar.\n", {}),
    "answers alone": (
        "a.csv",
        "answer,lead_in\nWithin 14 days.,Can I have a refund?\nWith vinegar.,How do I do it?\n",
        {},
    ),
    "a sheet without known columns": (
        "a.xml",
        '<Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet" '
        'xmlns:s="urn:schemas-microsoft-com:office:spreadsheet"><Worksheet s:Name="S"><Table>'
        "<Row><Cell><Data>Asked for</Data></Cell><Cell><Data>Told</Data></Cell></Row>"
        "<Row><Cell><Data>Refunds?</Data></Cell><Cell><Data>Within 14 days.</Data></Cell></Row>"
        "</Table></Worksheet></Workbook>",
        {"COLUMN": "Asked for|Told"},
    ),
    "a database without known columns": (
        "a.sql",
        "CREATE TABLE t (asked_for text, told text);\nINSERT INTO t VALUES ('Refunds please?', 'Within 14 days.');\n",
        {"COLUMN": "asked_for|told"},
    ),
    "titles and texts that may be answers": (
        "a.json",
        '[{"title": "Refunds?", "body": "Within 14 days."}, {"title": "Descale?", "body": "With vinegar."}]',
        {},
    ),
}
_MAP = re.compile(r"field_map=(\{[^{}]*\})")
_ARGUMENT = r"(?:'[^']*'|\"'\"|[^\s'\";])+"
_OPTIONS = re.compile(rf"--map {_ARGUMENT}(?: --map {_ARGUMENT})*")


def _said(path: Path) -> str:
    """Return what reading says: the error, or the remarks and notes."""
    reading = Reading()
    try:
        items = list(read_archives([path], reading=reading))
    except (UnknownFormatError, UnclearFieldsError) as error:
        return str(error)
    notes = [item.reason for item in items if not isinstance(item, Post)]
    return "\n".join([*notes, *(remark for report in reading.reports for remark in report.remarks)])


def _filled(field_map: Mapping[str, str], names: Mapping[str, str]) -> dict[str, str]:
    """Put the names of an archive's own fields where the advice has a word for them."""
    filled = {}
    for role, name in field_map.items():
        question, answer = names.get(name, f"{name}|{name}").split("|")
        filled[role] = question if role == "question" else answer
    return filled


@pytest.mark.parametrize("shape", NAMED)
def test_fields_that_advice_names_are_read(shape: str, tmp_path: Path) -> None:
    """Each of them, with the names of the fields filled in, gives posts with a question and an answer."""
    name, text, names = NAMED[shape]
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    advice = [
        ast.literal_eval(found) for found in _MAP.findall(re.sub(r"(: )([A-Z]{4,})([,}])", r"\1'\2'\3", _said(path)))
    ]
    advice = [found for found in advice if "-" not in found.values()]
    assert advice
    for field_map in advice:
        posts = list(read_archives([path], ReadOptions(field_map=_filled(field_map, names))))
        assert posts, field_map
        for post in posts:
            assert isinstance(post, Post), post
            assert post.answer, field_map
            assert post.question or post.title, field_map


@pytest.mark.parametrize("shape", NAMED)
def test_the_options_that_advice_names_are_the_same_fields(shape: str, tmp_path: Path) -> None:
    """A shell takes the options apart as they were meant, whatever is in the names."""
    name, text, _ = NAMED[shape]
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    said = _said(path)
    meant = [ast.literal_eval(found) for found in _MAP.findall(re.sub(r"(: )([A-Z]{4,})([,}])", r"\1'\2'\3", said))]
    # What ends a sentence is no part of a name.
    options = [shlex.split(found.rstrip(".,;")) for found in _OPTIONS.findall(in_options(said))]
    assert [dict(pair.split("=", 1) for pair in found[1::2]) for found in options] == meant
    assert all(found[::2] == ["--map"] * (len(found) // 2) for found in options)


# What a program of the same job makes of a file that is not read; a file is made as the program would find it.
COMMANDS: dict[str, tuple[str, list[str]]] = {
    "tar -xf FILE": ("faq.tar", ["tar", "-cf", "{}", "faq.csv"]),
    "unxz FILE": ("faq.csv.xz", ["xz", "-k", "faq.csv"]),
    "bunzip2 FILE": ("faq.csv.bz2", ["bzip2", "-k", "faq.csv"]),
    "unlz4 -m FILE": ("faq.csv.lz4", ["lz4", "-q", "faq.csv", "{}"]),
    "7z x FILE": ("faq.cab", ["7z", "a", "-tzip", "{}", "faq.csv"]),
    "pandoc FILE -o faq.md": ("faq.rst", ["cp", "faq.rst.in", "{}"]),
}


def _commands() -> list[str]:
    """Return the commands that refusals name, each between backticks."""
    texts = re.findall(r'"[^"\n]*"', Path(refusals.__file__).read_text(encoding="utf-8"))
    return sorted({command for text in texts for command in re.findall(r"`([^`{} ]+ [^`{}]+)`", text)})


def test_every_command_of_a_refusal_ends_in_something_that_is_read() -> None:
    """The file that it writes has a name that a reader knows; the others write a folder, or what was packed."""
    known = {".md", ".docx", ".csv", ".sql", ".jsonl", ".pdf", ".epub", ".txt", ".html"}
    for command in _commands():
        written = [Path(word).suffix for word in shlex.split(command) if re.fullmatch(r"faq\.\w+", word)]
        assert set(written) <= known, command
        assert "FILE" in command or "DATABASE" in command, command


@pytest.mark.process
@pytest.mark.parametrize("command", COMMANDS)
def test_commands_of_refusals_run(command: str, tmp_path: Path) -> None:
    """Where the program is installed: what comes out is read."""
    name, make = COMMANDS[command]
    if command not in _commands():
        return  # what it unpacks is read
    if shutil.which(shlex.split(command)[0]) is None or shutil.which(make[0]) is None:
        return  # the name of what it writes is tested above
    table = tmp_path / "faq.csv"
    table.write_text("question,answer\nRefunds?,Within 14 days.\n", encoding="utf-8")
    (tmp_path / "faq.rst.in").write_text("FAQ\n===\n\nRefunds?\n--------\n\nWithin 14 days.\n", encoding="utf-8")
    subprocess.run([part.format(name) for part in make], cwd=tmp_path, check=True, capture_output=True)
    table.unlink(missing_ok=True)
    with pytest.raises(UnknownFormatError, match=re.escape(command)):
        list(read_archives([tmp_path / name]))
    subprocess.run(shlex.split(command.replace("FILE", name)), cwd=tmp_path, check=True, capture_output=True)
    (tmp_path / name).unlink(missing_ok=True)
    posts = [item for item in read_archives([tmp_path]) if isinstance(item, Post)]
    assert [(post.question, post.answer) for post in posts] == [("Refunds?", "Within 14 days.")]


def test_what_advice_says_to_write_is_read(tmp_path: Path) -> None:
    """Q: and A:, and the records that messages show."""
    (tmp_path / "a.txt").write_text("Q: Refunds?\nA: Within 14 days.\n", encoding="utf-8")
    (tmp_path / "a.json").write_text('[{"question": "Refunds?", "answer": "Within 14 days."}]', encoding="utf-8")
    posts = [item for item in read_archives([tmp_path]) if isinstance(item, Post)]
    assert [(post.question, post.answer) for post in posts] == [("Refunds?", "Within 14 days.")] * 2


def test_formats_that_a_refusal_lists_are_those_that_are_read() -> None:
    """Each by its name."""
    told = str(refusals.refusal(archive_file(b"\0" * 40, "a.bin"), [reader.name for reader in BUILT_IN_READERS]))
    assert all(reader.name in told for reader in BUILT_IN_READERS)
