"""Promise 13: nothing but what qa_search made is ever removed, and nothing is lost because a file cannot be read."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from qa_search import SearchIndex, build_index, verify_index
from qa_search.embedders.base import Vectors
from qa_search.errors import (
    IndexDamagedError,
    IndexFolderError,
    IndexNotFoundError,
    IndexOccupiedError,
    IndexUnreadableError,
    UnknownFormatError,
)
from qa_search.evaluation.tuning import tune
from qa_search.index.encoders import remove_unused_encoders
from qa_search.index.folder import IndexFolder
from qa_search.index.integrity import FileRecord, file_record
from qa_search.index.owned import MARK
from qa_search.interfaces.cli import cli
from tests.helpers import ROOT, WordsEmbedder, write_pages
from tests.reliability.conftest import Campaign
from tests.reliability.trials import Trials

FORMATS = (5,)
ENCODER = "int8-0123456789abcdef-01234567"


@pytest.fixture
def pages(tmp_path: Path) -> Path:
    """Eight posts."""
    return write_pages(tmp_path / "pages", 8)


@pytest.fixture
def index(tmp_path: Path, pages: Path) -> Path:
    """An index of two generations."""
    for rebuild in (False, True):
        build(pages, tmp_path / "index", rebuild=rebuild)
    return tmp_path / "index"


@pytest.fixture(scope="module")
def trials() -> Iterator[Trials]:
    """Where builds that may hang are tried."""
    with Trials(warm) as opened:
        yield opened


def warm() -> None:
    """Do nothing: everything is imported."""


def build(source: Path, index: Path, model: str = "words", **options: Any) -> int:
    """Build and keep two generations."""
    return build_index(source, index, model=WordsEmbedder(name=model), allow_shrink=True, keep=2, **options).posts


def ask(index: Path) -> list[str]:
    with SearchIndex.open(index, model=WordsEmbedder()) as opened:
        return [hit.title for hit in opened.search("my knee3 hurts", k=3).hits]


def look(index: Path) -> int:
    """Open an index and count its posts."""
    with SearchIndex.open(index, model=WordsEmbedder()) as opened:
        return opened.info().counts["posts"]


def put(folder: Path, *names: str) -> None:
    """Write somebody's files below a folder."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"the only copy of {name}")


def kept(folder: Path) -> dict[str, str]:
    """Return what is below a folder: the text of each file, the target of each link."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        found[name] = (
            f"-> {path.readlink()}" if path.is_symlink() else path.read_text(errors="replace") if path.is_file() else ""
        )
    return found


FOREIGN = {
    "a thesis in work/": ("work/thesis.txt", "README"),
    "a database in work/": ("work/notes.sqlite",),
    "a folder in encoders/": ("encoders/h264/x.c",),
    "a folder in generations/": ("generations/backup/dump.sql",),
    "a generation of other software": ("generations/first/data",),
    "notes": ("notes.md",),
    "a repository": (".git/HEAD", ".gitignore"),
    "LevelDB": ("CURRENT", "MANIFEST-000001", "LOCK"),
    "a pointer to nowhere": ("CURRENT", "generations/backup/x"),
    "its own encoder and a picture": (f"encoders/{ENCODER}/model.onnx", "holiday.jpg"),
}


def test_a_folder_that_is_no_index_is_refused_by_name(campaign: Campaign, pages: Path, tmp_path: Path) -> None:
    """Whatever it holds: nothing in it is changed, and the message names the first of it."""
    failures = []
    for number, (what, names) in enumerate(FOREIGN.items()):
        folder = tmp_path / str(number)
        put(folder, *names)
        before = kept(folder)
        try:
            build(pages, folder)
            failures.append(f"{what}: built")
        except IndexOccupiedError as error:
            if not any(name.startswith(str(error).split("'")[1]) for name in names) or "index=FOLDER" not in str(error):
                failures.append(f"{what}: {error}")
        failures += [] if kept(folder) == before else [f"{what}: changed"]
    campaign.finish(13, "folders that are no index", len(FOREIGN), failures)


@pytest.mark.parametrize(
    "names",
    [
        (),
        (".gitignore", "README.md"),
        ("lost+found/#1", ".DS_Store"),
        (f"encoders/{ENCODER}/encoder.json", "encoders/.DS_Store"),
        ("build.lock", "generations/g000001.partial/posts.sqlite", f"encoders/{ENCODER[:21]}.partial/raw.onnx"),
        ("build.lock", "build.holder", "work/given-0123456789abcdef.sqlite-wal"),
        (MARK, "notes.md"),
    ],
    ids=["empty", "version control", "a new disk", "our encoders", "a killed build", "a journal", "marked"],
)
def test_a_folder_that_is_empty_or_ours_is_built_in(pages: Path, tmp_path: Path, names: tuple[str, ...]) -> None:
    """What systems put into every folder is no obstacle, and neither is what a killed build left."""
    put(tmp_path / "index", *names)
    assert build(pages, tmp_path / "index") == 8
    assert ask(tmp_path / "index")
    assert (tmp_path / "index" / MARK).is_file()


@pytest.mark.parametrize("version", FORMATS)
def test_an_index_of_an_older_version_is_known_without_a_mark(tmp_path: Path, pages: Path, version: int) -> None:
    """By its pointer, among other files too: a build goes on in it and marks it."""
    with zipfile.ZipFile(ROOT / "tests" / "indexes" / f"format-{version}.zip") as archive:
        archive.extractall(tmp_path)
    put(tmp_path / "index", "notes.md", "work/thesis.txt")
    assert build(pages, tmp_path / "index") == 8
    assert kept(tmp_path / "index" / "work") == {"thesis.txt": "the only copy of work/thesis.txt"}
    assert (tmp_path / "index" / MARK).is_file()


PLACES = (
    "", "work", "encoders", "encoders/mine", f"encoders/{ENCODER}", "generations", "generations/mine",
    "generations/g000000", "generations/g000001", "generations/g000001/lexical", "generations/g000001/mine",
    "generations/g000002", "generations/g000009.partial", "generations/x.partial", "generations/g000001.old",
)  # fmt: skip


class FailingEmbedder(WordsEmbedder):
    """Fails when most of a generation is written."""

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        raise ArithmeticError


def every_command(index: Path, pages: Path) -> Iterator[str]:
    """Do everything that writes to an index."""
    for number in range(4):
        build(pages, index, f"model {number % 2}", rebuild=number == 2)
        yield "build"
    with pytest.raises(ArithmeticError):
        build_index(pages, index, model=FailingEmbedder(name="fails"))
    yield "build that fails"
    tune(index, reset=True)
    yield "tune"
    current = index / "generations" / (index / "CURRENT").read_text().split()[0]
    (current / "posts.sqlite").write_bytes(b"")
    assert CliRunner().invoke(cli, ["verify", "--fall-back", "--quiet", "--index", str(index)]).exit_code == 0
    yield "verify"
    remove_unused_encoders(index / "encoders", set())
    yield "clear_encoders"


def test_files_of_others_in_an_index_outlive_every_command(campaign: Campaign, index: Path, pages: Path) -> None:
    """Files, folders and links anywhere in an index folder are what they were after builds, tuning and falling back."""
    mine = [f"{place}/mine.txt".lstrip("/") for place in PLACES]
    mine += [f"{place}/manifest.json.bak".lstrip("/") for place in PLACES]
    put(index, *mine, f"encoders/{ENCODER}/encoder.json", "work/given-0123456789abcdef.sqlite")
    outside = index.parent / "outside"
    put(outside, "keep", "below/keep")
    for place in ("work/link", "encoders/link", "generations/link", "generations/g000000/lexical"):
        (index / place).symlink_to(outside)
    tried, failures = 0, []
    for command in every_command(index, pages):
        found = kept(index)
        tried += len(mine) + 4
        failures += [f"{name} after {command}" for name in mine if found.get(name) != f"the only copy of {name}"]
        failures += [] if sum(text == f"-> {outside}" for text in found.values()) == 4 else [f"a link after {command}"]
    assert kept(outside) == {"below": "", "below/keep": "the only copy of below/keep", "keep": "the only copy of keep"}
    assert not (index / "encoders" / ENCODER / "encoder.json").exists()  # ours
    campaign.finish(13, "files of others in an index, after each command", tried, failures)


def test_only_our_own_is_left_of_what_was_removed(index: Path, pages: Path) -> None:
    """Old generations are gone whole, with nothing left in the folder but two generations and the pointer."""
    build(pages, index, rebuild=True)
    assert sorted(path.name for path in (index / "generations").iterdir()) == ["g000002", "g000003"]
    assert sorted(path.name for path in index.iterdir()) == ["CURRENT", "build.lock", "generations", MARK]


@pytest.mark.parametrize("name", ["CURRENT.new", "build.holder", "build.lock", "generations/g000001/posts.sqlite"])
def test_a_link_in_the_place_of_our_file_is_not_written_through(index: Path, pages: Path, name: str) -> None:
    """What it leads to is as before, whether the build succeeds or is refused."""
    victim = index.parent / "victim"
    victim.write_text("the only copy")
    (index / name).unlink(missing_ok=True)
    (index / name).symlink_to(victim)
    try:
        build(pages, index)
    except IndexFolderError as error:
        assert str(index) in str(error)
    assert victim.read_text() == "the only copy"
    assert look(index) == 8


@pytest.mark.parametrize("name", ["work", "encoders", "generations"])
def test_a_link_in_the_place_of_our_folder_is_refused(index: Path, pages: Path, name: str) -> None:
    """By name, with nothing written to where it leads; reading goes on."""
    outside = index.parent / "outside"
    if name == "generations":
        (index / name).rename(outside)
    else:
        put(outside, "keep", "below/keep")
    (index / name).symlink_to(outside)
    before = sorted(outside.rglob("*"))
    with pytest.raises(IndexOccupiedError, match=rf"{name} is a link"):
        build(pages, index)
    assert sorted(outside.rglob("*")) == before
    assert look(index) == 8


def test_a_journal_that_is_a_link_is_not_written_through(index: Path, tmp_path: Path) -> None:
    """Vectors of a build go to a file of its own."""
    victim, link = tmp_path / "victim", index / "work" / "given-0123456789abcdef.sqlite"
    victim.write_bytes(b"")
    link.parent.mkdir()
    link.symlink_to(victim)
    from qa_search.builder.journal import VectorJournal

    VectorJournal(link, 4).close()
    assert victim.read_bytes() == b""


@pytest.mark.parametrize("name", ["CURRENT.new", "build.holder", "CURRENT"])
def test_a_pipe_is_not_waited_for(index: Path, pages: Path, trials: Trials, name: str) -> None:
    """In the place of any file that a build writes."""
    (index / name).unlink(missing_ok=True)
    os.mkfifo(index / name)
    assert trials.run(build, pages, index).value == 8
    assert look(index) == 8


@pytest.mark.parametrize("name", ["g999999999999999", "g000003", "g000003.partial", "g999999"])
def test_a_folder_with_the_name_of_a_generation_is_passed_over(index: Path, pages: Path, name: str) -> None:
    """The next builds take names that are free and can be opened."""
    put(index / "generations" / name, "mine.txt")
    for _ in range(3):
        assert build(pages, index) == 8
        assert ask(index)
        assert verify_index(index).ok
    assert (index / "generations" / name / "mine.txt").read_text() == "the only copy of mine.txt"


@pytest.mark.parametrize("name", ["manifest.json", "manifest.sha256", "CURRENT"])
def test_a_file_that_claims_terabytes_is_not_read(index: Path, trials: Trials, name: str) -> None:
    """It is damage, found within bounds of memory and time."""
    path = index / name if name == "CURRENT" else index / "generations" / "g000002" / name
    with path.open("wb") as stream:
        stream.truncate(4 << 40)
    outcome = trials.run(look, index)
    assert (outcome.error, outcome.problem) == ("IndexDamagedError", "")


# --- Links to the index


def test_a_link_anywhere_in_the_path_is_followed(index: Path, pages: Path) -> None:
    """By every command: to the folder, to one above it, through another link, and to one that is not there yet."""
    home = index.parent
    (home / "link").symlink_to("index")
    (home / "up").symlink_to(home)
    (home / "new").symlink_to("not-there-yet")
    for path in (home / "link", home / "up" / "index", home / "up" / "link"):
        assert ask(path) == ask(index)
        assert verify_index(path).ok
        assert tune(path, reset=True)
        for command in (["info"], ["verify"]):
            assert CliRunner().invoke(cli, [*command, "--index", str(path)]).exit_code == 0
        assert build(pages, path) == 8
    assert build(pages, home / "new") == 8
    assert (home / "not-there-yet" / MARK).is_file()


def exchange_by_name(new: Path, place: Path) -> None:
    place.rename(place.with_name("old"))
    new.rename(place)


def exchange_by_link(new: Path, place: Path) -> None:
    fresh = place.with_name("fresh")
    fresh.symlink_to(new)
    fresh.replace(place)


def build_anew(new: Path, place: Path) -> None:
    shutil.rmtree(place)
    shutil.copytree(new, place)


@pytest.mark.parametrize("exchange", [exchange_by_name, exchange_by_link, build_anew])
def test_an_exchanged_folder_is_noticed(tmp_path: Path, exchange: Callable[[Path, Path], None]) -> None:
    """Though both call their generation g000001; what is open keeps to the old one until it is refreshed."""
    old, new, place = (tmp_path / name for name in ("one", "two", "index"))
    build(write_pages(tmp_path / "a", 5), old)
    build(write_pages(tmp_path / "b", 9), new)
    if exchange is exchange_by_link:
        place.symlink_to(old)
    else:
        old.rename(place)
    with SearchIndex.open(place, model=WordsEmbedder()) as opened:
        assert not opened.refresh()
        exchange(new, place)
        assert opened.info().counts["posts"] == 5
        assert opened.refresh()
        assert opened.info().counts["posts"] == 9
        assert not opened.refresh()


@pytest.mark.parametrize("kind", ["flat", "compressed"])
def test_a_removed_folder_is_reported_and_goes_on_answering(tmp_path: Path, kind: str) -> None:
    """`refresh` says that there is no index; searches use the files that were opened."""
    pages = write_pages(tmp_path / "pages", 160)
    build(pages, tmp_path / "index", memory=60_000 if kind == "compressed" else 1 << 30, recall=0.1)
    with SearchIndex.open(tmp_path / "index", model=WordsEmbedder()) as opened:
        assert (opened.generation.manifest.vector_index.kind == "flat") is (kind == "flat")
        shutil.rmtree(tmp_path / "index")
        with pytest.raises(IndexNotFoundError):
            opened.refresh()
        assert opened.search("my knee3 hurts").hits[0].title == "Complaint 3"


def test_a_path_that_is_no_utf_8_is_refused_by_name(tmp_path: Path, pages: Path) -> None:
    """Whether it is named or a link leads to it."""
    bad = os.fsencode(tmp_path) + b"/bad\xff"
    Path(os.fsdecode(bad)).mkdir()
    (tmp_path / "link").symlink_to(os.fsdecode(bad))
    for path in (Path(os.fsdecode(bad)), tmp_path / "link"):
        for use in (ask, verify_index, lambda place: build(pages, place)):
            with pytest.raises(IndexFolderError, match="must be UTF-8"):
                use(path)


def test_the_index_in_its_own_source_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``build .`` with the index below: the report says so, and nothing of it is set aside."""
    monkeypatch.chdir(write_pages(tmp_path / "pages", 4))
    for _ in range(3):
        report = build_index(".", "index", model=WordsEmbedder())
        (tmp_path / "pages" / "pointer").unlink(missing_ok=True)
        (tmp_path / "pages" / "pointer").symlink_to("index/CURRENT")
        assert (report.posts, report.set_aside, report.left_out) == (4, 0, "index")
    assert build_index(tmp_path / "pages", tmp_path / "other", model=WordsEmbedder()).left_out == ""
    with pytest.raises(UnknownFormatError, match="the folder of the index itself"):
        build_index("index", "index", model=WordsEmbedder())


# --- What cannot be read now is not damaged


class Withheld:
    """Makes the system refuse to open some files."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.code, self.part = 0, ""
        self._open = os.open
        monkeypatch.setattr(os, "open", self)

    def __call__(self, path: Any, *args: Any, **options: Any) -> int:
        if self.code and self.part in os.fspath(path):
            raise OSError(self.code, os.strerror(self.code), os.fspath(path))
        return self._open(path, *args, **options)


CODES = (errno.EMFILE, errno.ENFILE, errno.EACCES, errno.EPERM, errno.ENOMEM, errno.ESTALE)
FILES = ("CURRENT", "manifest.json", "manifest.sha256", "posts.sqlite", "posts.sqlite.blocks", "passage-sides.npy",
         "vectors-00000.faiss", "lexical/meta.json")  # fmt: skip


def test_a_file_that_is_withheld_is_not_called_damaged(
    campaign: Campaign, index: Path, pages: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By no command, whatever the reason; nothing is removed, and no other generation is made to answer."""
    withheld, tried, failures = Withheld(monkeypatch), 0, []
    before = sorted(index.rglob("*"))
    for code in CODES:
        for name in FILES:
            withheld.code, withheld.part = code, name if name == "CURRENT" else f"g000002/{name}"
            commands: list[Callable[[], object]] = [
                lambda: ask(index),
                lambda: build(pages, index),
                lambda: verify_index(index, fall_back=True).generations[0].unread or 1 / 0,
            ]
            for number, command in enumerate(commands):
                tried += 1
                try:
                    told = str(command())
                    told = told if number == 2 else f"{told}, not an error"
                except IndexUnreadableError as error:
                    told = str(error)
                except Exception as error:
                    told = repr(error)
                if name not in told or os.strerror(code) not in told or "error" in told[-12:]:
                    failures.append(f"{name}, {errno.errorcode[code]}, command {number}: {told}")
            withheld.code = 0
            failures += [] if set(before) <= set(index.rglob("*")) else [f"{name}: something is gone"]
    assert verify_index(index).ok
    campaign.finish(13, "files that cannot be read now", tried, failures)


def test_verify_says_that_it_could_not_read(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With exit status 3 and the way out; the word damage is for damage."""
    withheld = Withheld(monkeypatch)
    withheld.code, withheld.part = errno.EACCES, "g000002/posts.sqlite"
    result = CliRunner().invoke(cli, ["verify", "--index", str(index)])
    assert result.exit_code == 3
    assert "g000002 (answers) could not be read completely" in result.stdout
    assert "is damaged:" not in result.stdout
    assert "could not be checked" in result.stderr
    assert "Let this user read it" in result.stderr
    document = json.loads(CliRunner().invoke(cli, ["verify", "--json", "--index", str(index)]).stdout)
    assert (document["ok"], document["generations"][0]["problems"]) == (False, [])


def test_a_temporary_folder_that_is_full_is_no_damage(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names TMPDIR."""

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "symlink", full)
    with pytest.raises(IndexUnreadableError, match="TMPDIR"):
        ask(index)
    assert "TMPDIR" in verify_index(index).generations[0].unread


def test_a_generation_that_cannot_be_read_now_is_not_cleared_away(
    index: Path, pages: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be the last good one. The next build that can read it clears the others away."""
    withheld = Withheld(monkeypatch)
    withheld.code, withheld.part = errno.EACCES, "g000002/"
    build(pages, index, rebuild=True)
    withheld.code = 0
    assert IndexFolder(index).names() == ["g000003", "g000002", "g000001"]
    build(pages, index, rebuild=True)
    assert IndexFolder(index).names() == ["g000004", "g000003"]


def test_what_is_not_read_back_whole_replaces_nothing(
    index: Path, pages: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is another one by the time it is read back ends the build, and the previous index answers."""

    def measured_and_lost(path: Path) -> FileRecord:
        found = file_record(path)
        if path.name == "posts.sqlite":
            path.write_bytes(path.read_bytes()[:-1] + b"?")
        return found

    monkeypatch.setattr("qa_search.index.folder.file_record", measured_and_lost)
    with pytest.raises(IndexDamagedError, match=r"posts\.sqlite: checksum mismatch"):
        build(pages, index, rebuild=True)
    assert IndexFolder(index).names() == ["g000002", "g000001"]
    assert ask(index)


_SHORT_OF_FILES = """
import os, resource, sys
import filelock, lxml.etree
from qa_search import SearchIndex, build_index
from qa_search.archives.read import readers
from qa_search.errors import QASearchError
from tests.helpers import WordsEmbedder
room, source, index, spare = int(sys.argv[1]), *sys.argv[2:]
readers()
build_index(source, spare, model=WordsEmbedder())  # everything is imported
resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) + room,) * 2)
try:
    print("built", build_index(source, index, model=WordsEmbedder(), keep=2, allow_shrink=True).posts)
except QASearchError as error:
    print(type(error).__name__, "ulimit -n" in str(error))
"""


@pytest.mark.process
@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts its open files there")
def test_a_build_short_of_open_files_loses_nothing(
    campaign: Campaign, index: Path, pages: Path, tmp_path: Path
) -> None:
    """However many files it may open: it succeeds with a generation to go back to, or changes nothing and says why."""
    tried, failures = 0, []
    # The last is a source that cannot be read.
    errors = ("IndexUnreadableError", "IndexWriteError", "DamagedArchiveError")
    expected = ("built 11", *(f"{error} True" for error in errors))
    write_pages(pages, 3, start=8)
    for room in range(1, 31, campaign.count(short=9, full=1)):
        copy = shutil.copytree(index, tmp_path / f"copy-{room}")
        spare = shutil.copytree(index, tmp_path / f"spare-{room}")
        command = [sys.executable, "-c", _SHORT_OF_FILES, str(room), str(pages), str(copy), str(spare)]
        said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
        tried += 1
        names, posts = IndexFolder(copy).names(), look(copy)
        right = {"built 11": (["g000003", "g000002"], 11)}.get(said, (["g000002", "g000001"], 8))
        if (names, posts) != right or said not in expected:
            failures.append(f"{room} files: {said}, then {posts} posts in {names}")
    campaign.finish(13, "builds short of open files", tried, failures)
