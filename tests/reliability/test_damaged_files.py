"""Promise 5: a file of an index that is not what was written is told before anything is answered from it.

Every file is changed, cut, emptied, taken away, exchanged for another and replaced by what is no file; before the index
is opened and while it is open. Each case is tried in a process of its own (see `Trials`).

One thing is not tried: a file mapped into memory that is cut in the very moment of a search ends the process (SIGBUS).
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import combinations
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from click.testing import CliRunner

from qa_search import SearchIndex, build_index
from qa_search.embedders.onnx import MODEL_FILE, OnnxEmbedder
from qa_search.errors import IndexDamagedError
from qa_search.index import folder as generations
from qa_search.index.generation import MANIFEST, MANIFEST_HASH
from qa_search.index.owned import ENCODERS, GENERATIONS, POINTER
from qa_search.index.stores.post_rows import BLOCKS_NAME, DATABASE_NAME
from qa_search.interfaces.cli import cli
from tests.helpers import ROOT, SAMPLE_ARCHIVE
from tests.reliability.conftest import Campaign
from tests.reliability.trials import Outcome, Trials, generation, index_files

COMPLAINTS = ("sore heel in the first steps of the morning", "PT doesn't help my hamstring")
# Of so small a file every byte is changed, and every length tried, when everything is tried in full.
SMALL_BYTES = 500
# A line's end is no part of what these hold.
LINES = (POINTER, MANIFEST_HASH)


@dataclass(frozen=True, slots=True)
class Home:
    """An index of two generations, which nobody changes, what each answers, and a copy to be damaged."""

    index: Path
    copy: Path
    before: str
    answers: str

    def restore(self, *names: str) -> None:
        """Put files of the copy back; links to what is never changed are as good as they are."""
        for name in names:
            remove(self.copy / name)
            (self.copy / name).parent.mkdir(parents=True, exist_ok=True)
            os.link(self.index / name, self.copy / name)


@pytest.fixture(scope="module")
def home(small_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """The sample archive under a small model, built and then built again with a post less."""
    folder = tmp_path_factory.mktemp("damaged")
    pages, index = shutil.copytree(SAMPLE_ARCHIVE, folder / "pages"), folder / "index"
    build_index(pages, index, model=small_model)
    before = look(index)
    next(pages.glob("*heel*.txt")).unlink()
    build_index(pages, index, model=small_model)
    answers = look(index)
    assert answers != before
    copy = shutil.copytree(index, folder / "copy", copy_function=os.link)
    return Home(index, copy, before, answers)


@pytest.fixture(scope="module")
def trials(home: Home) -> Iterator[Trials]:
    """The process in which damaged indexes are searched."""
    with Trials(partial(look, home.index)) as opened:
        yield opened


@cache
def embedder(encoder: Path) -> OnnxEmbedder:
    return OnnxEmbedder(encoder)


def look(index: Path, encoder: Path | None = None) -> str:
    """Open an index and ask it; with an encoder that is loaded once, or with its own."""
    with SearchIndex.open(index, model=None if encoder is None else embedder(encoder)) as opened:
        return ask(opened)


def ask(index: SearchIndex) -> str:
    results = [result.to_dict() for result in index.search_many(COMPLAINTS, 10)]
    for result in results:
        del result["took_ms"]
    return json.dumps(results)


def remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def encoder_of(index: Path) -> Path:
    # Beside it may lie a note that the model cannot be exported in int8, which depends on the processor.
    (path,) = (index / ENCODERS).glob(f"*/{MODEL_FILE}")
    return path.parent


def write(path: Path, data: bytes | bytearray) -> None:
    """Write a file anew: what it was before may have other names, or be open."""
    path.unlink(missing_ok=True)
    path.write_bytes(data)


def changed_in_one(data: bytes, numbers: random.Random) -> bytes:
    """Change one byte, by any value."""
    changed = bytearray(data)
    changed[numbers.randrange(len(data))] ^= numbers.randrange(1, 256)
    return bytes(changed)


def fault_of(outcome: Outcome, home: Home, *names: str) -> str:
    """Say what is wrong with how a search of a damaged index ended: "" if the damage was named as it should be."""
    if outcome.problem:
        return outcome.problem
    if not outcome.error:
        return "wrong answers" if outcome.value != home.answers else "the damage was not noticed"
    gone = POINTER in names and not (home.copy / POINTER).exists() and not is_circle(home.copy / POINTER)
    wanted = "IndexNotFoundError" if gone else "IndexDamagedError"
    if outcome.error != wanted:
        return f"{outcome.error}, where {wanted} is right: {outcome.message}"
    # The pointer and the manifest vouch for one another: either may be named.
    named = [Path(name).name for name in names] + [POINTER, MANIFEST]
    if not any(name in outcome.message for name in named) or repr(str(home.copy)) not in outcome.message:
        return f"the message names neither file nor way out: {outcome.message}"
    return ""


def is_circle(path: Path) -> bool:
    return path.is_symlink() and path.readlink() == path


def search(home: Home, trials: Trials, *names: str) -> str:
    """Search the damaged copy, and say what is wrong with how that ended."""
    own = any(name.startswith(ENCODERS) for name in names)
    outcome = trials.run(look, home.copy, None if own else encoder_of(home.index))
    return fault_of(outcome, home, *names)


def randomness(name: str) -> random.Random:
    """Give each file the same random numbers in every run; some names are random themselves."""
    return random.Random(Path(name).suffix or name)  # noqa: S311


def test_changed_bytes_are_noticed(campaign: Campaign, home: Home, trials: Trials) -> None:
    """One byte of any file, by any value."""
    tried, failures, blank = 0, [], 0
    for name in index_files(home.index):
        data, numbers = (home.index / name).read_bytes(), randomness(name)
        wanted = campaign.count(short=10, full=500)
        if campaign.full and len(data) <= SMALL_BYTES:
            places = list(range(len(data))) * (wanted // len(data) + 1)
        else:
            places = [numbers.randrange(len(data)) for _ in range(wanted)]
        for at in places:
            changed = bytearray(data)
            changed[at] ^= numbers.randrange(1, 256)
            write(home.copy / name, changed)
            if Path(name).name in LINES and changed.decode(errors="replace").strip() == data.decode().strip():
                blank += 1
            else:
                tried += 1
                fault = search(home, trials, name)
                failures += [f"{name}, byte {at}: {fault}"] if fault else []
        home.restore(name)
    campaign.finish(5, "bytes of every file changed", tried, failures, blank_for_blank=blank)


def test_files_that_are_cut_or_grow_are_noticed(campaign: Campaign, home: Home, trials: Trials) -> None:
    """At any length; and with bytes behind their end."""
    tried, failures = 0, []
    for name in index_files(home.index):
        data, numbers = (home.index / name).read_bytes(), randomness(name)
        wanted = campaign.count(short=5, full=200)
        if campaign.full and len(data) <= SMALL_BYTES:
            cuts = [data[:length] for length in range(len(data))]
        else:
            cuts = [data[: numbers.randrange(len(data))] for _ in range(wanted)]
        for changed in (*cuts, data[:-1], data + b"\0", data + data):
            if Path(name).name in LINES and changed.strip() == data.strip():
                continue
            write(home.copy / name, changed)
            tried += 1
            fault = search(home, trials, name)
            failures += [f"{name}, {len(changed)} of {len(data)} bytes: {fault}"] if fault else []
        home.restore(name)
    campaign.finish(5, "files cut, or longer than they were", tried, failures)


def into_folder(path: Path) -> None:
    path.mkdir()


def into_dangling_link(path: Path) -> None:
    path.symlink_to(path.with_name("nowhere"))


def into_circle(path: Path) -> None:
    path.symlink_to(path)


def into_pipe(path: Path) -> None:
    os.mkfifo(path)


def into_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def into_nothing(path: Path) -> None:
    path.touch()


def keep_gone(path: Path) -> None:
    pass


REPLACEMENTS: dict[str, Callable[[Path], None]] = {
    "files gone": keep_gone,
    "files emptied": into_nothing,
    "folders in the place of files": into_folder,
    "links to nowhere in the place of files": into_dangling_link,
    "links to themselves in the place of files": into_circle,
    "pipes in the place of files": into_pipe,
    "devices in the place of files": into_device,
}


@pytest.mark.parametrize("what", REPLACEMENTS)
def test_files_that_are_missing_or_something_else_are_noticed(
    campaign: Campaign, home: Home, trials: Trials, what: str
) -> None:
    """Gone, empty, a folder, a link to nowhere or to itself, a pipe, a device that never ends."""
    names, failures = index_files(home.index), []
    for name in names:
        remove(home.copy / name)
        REPLACEMENTS[what](home.copy / name)
        fault = search(home, trials, name)
        failures += [f"{name}: {fault}"] if fault else []
        home.restore(name)
    campaign.finish(5, what, len(names), failures)


def test_files_in_the_place_of_others_are_noticed(campaign: Campaign, home: Home, trials: Trials) -> None:
    """Two files of a generation change places; a file is the other generation's of that name."""
    names = index_files(home.index)
    pairs = list(combinations(names, 2))
    numbers = random.Random(5)  # noqa: S311
    failures, tried = [], 0
    for one, other in pairs if campaign.full else numbers.sample(pairs, 20):
        write(home.copy / one, (home.index / other).read_bytes())
        write(home.copy / other, (home.index / one).read_bytes())
        tried += 1
        fault = search(home, trials, one, other)
        failures += [f"{one} and {other}: {fault}"] if fault else []
        home.restore(one, other)
    new = generation(home.index)
    (old,) = (folder for folder in new.parent.iterdir() if folder != new)
    for name in names:
        twin = old / Path(name).name
        if twin.parent != old or not twin.is_file() or twin.read_bytes() == (home.index / name).read_bytes():
            continue
        write(home.copy / name, twin.read_bytes())
        tried += 1
        fault = search(home, trials, name)
        failures += [f"{name} of the generation before: {fault}"] if fault else []
        home.restore(name)
    campaign.finish(5, "files exchanged", tried, failures)


def test_generations_in_the_place_of_others_are_noticed(campaign: Campaign, home: Home, trials: Trials) -> None:
    """Whole generations change places, or their manifests do, with and without the hashes beside them."""
    new, old = sorted(path.name for path in (home.copy / GENERATIONS).iterdir())[::-1]
    failures = []
    exchanges: list[Sequence[str]] = [("",), (MANIFEST,), (MANIFEST_HASH,), (MANIFEST, MANIFEST_HASH)]
    for names in exchanges:
        for name in names:
            one, other = (home.copy / GENERATIONS / each / name for each in (new, old))
            one.rename(home.copy / "aside")
            other.rename(one)
            (home.copy / "aside").rename(other)
        fault = search(home, trials, MANIFEST)
        failures += [f"{names}: {fault}"] if fault else []
        for name in names:
            one, other = (home.copy / GENERATIONS / each / name for each in (new, old))
            one.rename(home.copy / "aside")
            other.rename(one)
            (home.copy / "aside").rename(other)
    assert trials.run(look, home.copy).value == home.answers
    campaign.finish(5, "generations exchanged", len(exchanges), failures)


@pytest.mark.parametrize("name", [GENERATIONS, ENCODERS, "the generation", "the words", "the encoder"])
def test_folders_that_are_gone_or_something_else_are_noticed(home: Home, trials: Trials, name: str) -> None:
    """Missing, a file, a link to itself: the index is damaged, and one of its files is named."""
    folder = {
        "the generation": generation(home.copy),
        "the words": generation(home.copy) / "lexical",
        "the encoder": encoder_of(home.copy),
    }.get(name, home.copy / name)
    aside = folder.rename(home.copy / "aside")
    for replace in (keep_gone, into_nothing, into_circle):
        replace(folder)
        outcome = trials.run(look, home.copy)
        assert (outcome.error, outcome.problem) == ("IndexDamagedError", "")
        assert str(folder) in outcome.message
        remove(folder)
    aside.rename(folder)
    assert trials.run(look, home.copy).value == home.answers


def command(*arguments: str) -> tuple[int, str]:
    """Run a command in this process; return its exit status and what it wrote to standard error."""
    result = CliRunner().invoke(cli, arguments)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stderr


def test_commands_tell_damage_in_one_message(campaign: Campaign, home: Home, trials: Trials) -> None:
    """Whichever file is changed, cut or gone: status 3 and one line; what an encoder holds matters not to ``info``."""
    tried, failures = 0, []
    damages: list[Callable[[bytes], bytes | None]] = [
        lambda data: data[: len(data) // 2],
        lambda data: bytes(255 - byte for byte in data[:1]) + data[1:],
        lambda data: None,
    ]
    for number, name in enumerate(index_files(home.index)):
        for damage in damages if campaign.full else damages[number % 3 :][:1]:
            changed = damage((home.index / name).read_bytes())
            remove(home.copy / name)
            if changed is not None:
                (home.copy / name).write_bytes(changed)
            for arguments in (("query", COMPLAINTS[0]), ("info",), ("verify",), ("verify", "--json")):
                tried += 1
                outcome = trials.run(command, *arguments, "--index", str(home.copy))
                status, said = outcome.value or (None, "")
                unread = arguments == ("info",) and name.startswith(ENCODERS) and changed is not None
                one_line = said.startswith("Error: ") and said.count("\n") == 1
                if (status, said) != (0, "") if unread else status != 3 or not one_line:
                    failures.append(f"{arguments[0]} with damage of {name}: {status} {said} {outcome.problem}")
            home.restore(name)
    campaign.finish(5, "commands on damaged indexes", tried, failures)


@pytest.mark.parametrize("arguments", [("query", COMPLAINTS[0]), ("info",), ("verify",)])
def test_a_damaged_shard_ends_a_command_with_status_3(home: Home, arguments: Sequence[str]) -> None:
    """Run as it is installed: one message, no traceback, and the file's name."""
    (name,) = (name for name in index_files(home.index) if name.endswith(".faiss"))
    write(home.copy / name, bytes(1000))
    program = [sys.executable, "-m", "qa_search", *arguments, "--index", str(home.copy)]
    done = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, check=False)
    home.restore(name)
    assert done.returncode == 3
    assert (done.stderr.startswith("Error: "), done.stderr.count("\n")) == (True, 1)
    assert str(home.copy / name) in done.stdout + done.stderr


def look_by_blocks(index: Path, encoder: Path) -> str:
    """Ask an index whose database is checked block by block as it is read."""
    with (
        patch.object(generations, "CHECKED_WHOLE_BYTES", 0),
        SearchIndex.open(index, model=embedder(encoder)) as opened,
    ):
        return ask(opened)


def test_what_is_read_of_a_large_database_is_checked(campaign: Campaign, home: Home, trials: Trials) -> None:
    """Whichever byte is changed, of the database or of its blocks' hashes: the same answers, or the file is named."""
    tried, failures, unread = 0, [], 0
    encoder = encoder_of(home.index)
    assert trials.run(look_by_blocks, home.copy, encoder).value == home.answers
    for name in index_files(home.index):
        if Path(name).name not in (DATABASE_NAME, BLOCKS_NAME):
            continue
        data, numbers = (home.index / name).read_bytes(), randomness(name)
        flips = [changed_in_one(data, numbers) for _ in range(campaign.count(short=40, full=2000))]
        cuts = [data[: numbers.randrange(len(data))] for _ in range(campaign.count(short=5, full=200))]
        for changed in (*flips, *cuts, data + bytes(4096)):
            write(home.copy / name, changed)
            tried += 1
            outcome = trials.run(look_by_blocks, home.copy, encoder)
            if outcome.value == home.answers and name.endswith(DATABASE_NAME) and len(changed) == len(data):
                unread += 1
            else:
                fault = fault_of(outcome, home, name)
                failures += [f"{name}: {fault}"] if fault else []
        home.restore(name)
    campaign.finish(5, "bytes of a database that is checked by blocks", tried, failures, not_read=unread)


# What somebody may do to a file while an index is open, and whether the reader must notice.
IN_PLACE: dict[str, Callable[[Path, bytes], object]] = {
    "a byte changed": lambda path, data: change_in_place(path, data),
    "cut": lambda path, data: os.truncate(path, len(data) // 2),
    "emptied": lambda path, data: os.truncate(path, 0),
    "grown": lambda path, data: append(path),
}
REPLACED: dict[str, Callable[[Path, bytes], object]] = {
    "deleted": lambda path, data: path.unlink(),
    "replaced by garbage": lambda path, data: write(path, b"garbage"),
    "replaced by a folder": lambda path, data: turn_into_folder(path),
}


def change_in_place(path: Path, data: bytes) -> None:
    with path.open("r+b") as stream:
        stream.seek(len(data) // 2)
        stream.write(bytes([255 - data[len(data) // 2]]))


def turn_into_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def append(path: Path) -> None:
    with path.open("ab") as stream:
        stream.write(b"\0")


def change_while_open(index: Path, name: str, how: str) -> list[Any]:
    """Ask an index, damage a file of it, and ask again in every way; return each way's outcome."""
    data = (index / name).read_bytes()
    write(index / name, data)  # it may be a link to a file that must stay as it is
    found: list[Any] = []
    with SearchIndex.open(index) as opened:
        post = opened.search(COMPLAINTS[0]).hits[0].post_id
        found.append(ask(opened))
        (IN_PLACE | REPLACED)[how](index / name, data)
        ways: list[Callable[[], Any]] = [
            lambda: ask(opened),
            lambda: opened.embed(["heel"]).tolist() and "",
            lambda: opened.run(["heel"]) and "",
            lambda: opened.post(post) and "",
            lambda: opened.post_ids(post) and "",
            lambda: opened.similar(post) and "",
            lambda: opened.neighbours(post) and "",
            lambda: opened.info() and "",
        ]
        for way in ways:
            try:
                found.append(way())
            except Exception as error:
                found.append(f"{type(error).__name__}: {error}")
    return found


@pytest.mark.parametrize("how", [*IN_PLACE, *REPLACED])
def test_what_happens_to_a_file_of_an_open_index_spoils_no_answer(
    campaign: Campaign, home: Home, trials: Trials, how: str
) -> None:
    """A generation's file that is written to is named however one asks; all else leaves the answers as they are."""
    failures, names = [], index_files(home.index)
    for name in names:
        outcome = trials.run(change_while_open, home.copy, name, how)
        home.restore(name)
        if outcome.problem or outcome.error:
            failures.append(f"{name}: {outcome.problem}{outcome.message}")
            continue
        before, again, *others = outcome.value
        # What is read once, when the index is opened or the model is loaded, may change afterwards.
        watched = how in IN_PLACE and Path(name).name not in (POINTER, MANIFEST, MANIFEST_HASH, *encoder_files(home))
        assert before == home.answers
        for answer in (again, *others):
            noticed = answer.startswith("IndexDamagedError: ") and str(home.copy / name) in answer
            if not noticed if watched else answer not in (home.answers, ""):
                failures.append(f"{name}: {answer[:300]}")
    campaign.finish(5, f"files of an open index: {how}", len(names), failures)


def encoder_files(home: Home) -> list[str]:
    return [path.name for path in encoder_of(home.index).iterdir()]


@pytest.mark.parametrize("how", [*IN_PLACE, *REPLACED])
def test_an_encoder_that_changes_before_it_is_loaded_is_named(home: Home, trials: Trials, how: str) -> None:
    """The index is open, and was never searched: what is written to is told, what is taken away was opened before."""
    for path in encoder_of(home.copy).iterdir():
        name = path.relative_to(home.copy).as_posix()
        outcome = trials.run(load_late, home.copy, name, how)
        home.restore(name)
        if how in REPLACED:
            assert outcome.value == home.answers
        else:
            assert (outcome.error, outcome.problem) == ("IndexDamagedError", "")
            assert str(path) in outcome.message


def load_late(index: Path, name: str, how: str) -> str:
    data = (index / name).read_bytes()
    write(index / name, data)
    with SearchIndex.open(index) as opened:
        (IN_PLACE | REPLACED)[how](index / name, data)
        return ask(opened)


def test_a_refresh_to_a_damaged_generation_leaves_the_one_that_answers(home: Home, tmp_path: Path) -> None:
    """It is told, and what was open goes on answering."""
    index, pages = tmp_path / "index", tmp_path / "pages"
    shutil.copytree(home.index, index)
    pages.mkdir()
    shutil.copy(next(SAMPLE_ARCHIVE.iterdir()), pages)
    with SearchIndex.open(index, model=embedder(encoder_of(home.index))) as opened:
        build_index(pages, index, model=embedder(encoder_of(home.index)), allow_shrink=True)
        change_in_place(generation(index) / DATABASE_NAME, (generation(index) / DATABASE_NAME).read_bytes())
        with pytest.raises(IndexDamagedError, match=DATABASE_NAME):
            opened.refresh()
        assert ask(opened) == home.answers
