"""What a build copies of the previous generation is what a fresh build would read: to the last row and note."""

from __future__ import annotations

import gzip
import json
import os
import random
import shutil
import sqlite3
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from qa_search import SearchIndex, build_index, verify_index
from qa_search.archives import read
from qa_search.archives.base import ArchiveFile
from qa_search.archives.read import Reading, read_archives
from qa_search.builder import changes, generation_writer, kept_files
from qa_search.errors import IndexDamagedError, ShrinkError
from qa_search.index.stores import lexical, posts_writer
from qa_search.index.stores.post_rows import StoredFile
from qa_search.types import BuildReport
from tests.helpers import WordsEmbedder, page

OLD_NS = 10**18  # so long ago that nothing is too new to be trusted
TABLES = (
    "post", "entry", "tag", "passage", "unanswered", "set_aside", "page_title", "page_link", "archive_file",
)  # fmt: skip
WORDS = "knee heel thigh back ice rest walk stairs night morning swim tape stretch brace".split()


def write(path: Path, data: bytes | str, at: int = 0) -> None:
    """Write a file of long ago."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    os.utime(path, ns=(OLD_NS + at, OLD_NS + at))


def record(number: int, **more: Any) -> dict[str, Any]:
    chosen = random.Random(number).choices(WORDS, k=12)  # noqa: S311 - nothing secret
    return {
        "id": number % 7,
        "title": f"Title {number}",
        "question": f"My {' '.join(chosen[:6])} hurts number{number}.",
        "answer": f"Try {' '.join(chosen[6:])} for number{number}. Then walk{number} slowly.",
        "tags": chosen[:2],
        "date": f"20{10 + number % 10}-03-0{1 + number % 9}",
        **more,
    }


def jsonl(numbers: list[int], **more: Any) -> str:
    return "".join(json.dumps(record(number, **more)) + "\n" for number in numbers)


def csv(rows: list[tuple[str, ...]]) -> str:
    return "".join(",".join(f'"{value}"' for value in row) + "\n" for row in rows)


def questions(numbers: list[int]) -> str:
    return csv([("id", "title", "question"), *((str(n), f"Asked {n}", f"Does my heel{n} heal?") for n in numbers)])


def answers(numbers: list[int], word: str) -> str:
    return csv([("id", "question_id", "answer"), *((f"a{n}", str(n), f"Yes, it {word}{n} heals.") for n in numbers)])


def texts(number: int, text: str) -> str:
    return json.dumps({"_id": str(number), "text": text}) + "\n"


def judged(passages: list[int]) -> str:
    """Say of queries by their numbers which passage answers each."""
    return "query-id\tcorpus-id\tscore\n" + "".join(f"{n}\t{p}\t1\n" for n, p in enumerate(passages, start=1))


def packed(members: dict[str, str]) -> bytes:
    path = Path(os.environ.get("TMPDIR", "/tmp")) / f"packed-{os.getpid()}.zip"  # noqa: S108 - removed at once
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in members.items():
            archive.writestr(zipfile.ZipInfo(name, (2010, 1, 1, 0, 0, 0)), text)
    data = path.read_bytes()
    path.unlink()
    return data


def linked(number: int, before: str | None, behind: str | None) -> str:
    prev, after = f"- Prev:{before}\n" if before else "", f"- Next:{behind}\n" if behind else ""
    text = page(f"Page {number}", f"My knee{number} hurts on stairs.", f"Rest knee{number} and swim.")
    return f"{text}\n{prev}{after}"


def mail(number: int, text: str, above: int | None = None) -> str:
    """Return a message, which replies to the one above."""
    reply = f"In-Reply-To: <m{above}@example.org>\n" if above is not None else ""
    head = f"From: Writer {number} <w{number}@example.org>\nSubject: {'Re: ' if reply else ''}Topic\n"
    return f"{head}Message-ID: <m{number}@example.org>\n{reply}\n{text}\n"


def write_archive(folder: Path, seed: int) -> None:
    """Write a small archive of all kinds of files."""
    write(folder / "a.jsonl", jsonl([1, 2, 3, seed % 5]))
    write(folder / "b.jsonl", jsonl([2, 8, 9]))  # one text of a.jsonl again
    write(folder / "c.jsonl", jsonl([15, 22, 29]))  # one id three times
    write(folder / "waiting.jsonl", jsonl([30], answer="") + jsonl([31]))
    write(folder / "pages" / "asked.jsonl", jsonl([32], answer=""))
    write(folder / "pages" / "one.txt", linked(1, None, "Page 2"))
    write(folder / "pages" / "two.txt", linked(2, "Page 1", "Page 3"))
    write(folder / "tables" / "questions.csv", questions([1, 2, 3]))
    write(folder / "tables" / "answers.csv", answers([1, 2, 3], "soon"))
    write(folder / "mails" / "1.eml", mail(1, "My shin hurts at night. Why?"))
    write(folder / "mails" / "2.eml", mail(2, "Rest it, and ice it.", 1))
    write(folder / "set" / "corpus.jsonl", "".join(texts(n, f"Rest the toe{n} well.") for n in (1, 2, 3)))
    write(folder / "set" / "queries.jsonl", "".join(texts(n, f"Does my toe{n} heal?") for n in (1, 2)))
    write(folder / "set" / "qrels" / "test.tsv", judged([1, 2]))
    write(folder / "z.jsonl.gz", gzip.compress(jsonl([40, 41]).encode(), mtime=0))
    write(folder / "packed.zip", packed({"x/q.jsonl": jsonl([50, 51]), "questions.csv": questions([5, 6]), "answers.csv": answers([5], "late")}))  # fmt: skip  # noqa: E501


def rows_of(index: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Return all rows of the generation that answers."""
    generation = index / "generations" / (index / "CURRENT").read_text().split()[0]
    db = sqlite3.connect(f"file:{generation / 'posts.sqlite'}?immutable=1", uri=True)
    found = {}
    for table in TABLES:
        columns = "*" if table != "archive_file" else (
            "id, source, place, content, alone, reading, first_entry, entries, first_unanswered, unanswered, "
            "first_link, links"
        )  # fmt: skip
        found[table] = db.execute(f"SELECT {columns} FROM {table} ORDER BY 1, 2").fetchall()  # noqa: S608
    db.close()
    return found


def answers_of(index: Path) -> list[Any]:
    """Ask some queries, with the scores, and with filters."""
    with SearchIndex.open(index, model=WordsEmbedder()) as opened:
        found = [opened.search(word, k=5) for word in WORDS]
        found += [opened.search(word, k=5, tags=[word], since="2012-01-01") for word in WORDS[:4]]
        hits = [[hit.to_dict() for hit in result.hits] for result in found]
        return [hits, opened.info().to_dict()["sources"]]


def build(archive: Path, index: Path, **more: Any) -> BuildReport:
    return build_index(archive, index, model=WordsEmbedder(), allow_shrink=True, names={archive: "archive"}, **more)


def require_same(archive: Path, index: Path, fresh: Path, report: BuildReport) -> None:
    """Compare an index, and the report of its build, with one that is built from nothing."""
    shutil.rmtree(fresh, ignore_errors=True)
    expected = build(archive, fresh)
    found, wanted = rows_of(index), rows_of(fresh)
    names = [row[1] for row in found["archive_file"]]
    for table in TABLES:
        # A folder whose files begin to belong together has an entry more, which has it read again.
        if table != "archive_file" or len(set(names)) == len(names):
            assert found[table] == wanted[table], table
    assert report.files == expected.files
    counts = ("posts", "duplicates", "passages", "set_aside", "unanswered")
    assert [getattr(report, name) for name in counts] == [getattr(expected, name) for name in counts]
    assert answers_of(index) == answers_of(fresh)
    assert verify_index(index).ok


@pytest.fixture
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut everything into small parts, so that a few posts are many of them."""
    monkeypatch.setattr(lexical, "_LEAST_CHUNK", 1)
    monkeypatch.setattr(lexical, "_MEAN_CHUNK", 3)
    monkeypatch.setattr(lexical, "_MOST_CHUNK", 5)
    monkeypatch.setattr(posts_writer, "_COPIED_AT_ONCE", 3)
    monkeypatch.setattr(posts_writer, "_MOST_WAITING", 4)
    monkeypatch.setattr(generation_writer, "_POSTS_AT_ONCE", 2)
    monkeypatch.setattr(kept_files, "_FILES_AHEAD", 2)
    monkeypatch.setattr(changes, "_MOST_RUNS", 2)


@pytest.fixture
def files_read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are read, as they are."""
    names: list[str] = []
    original = read._read

    def noting(file: Any, *rest: Any) -> Any:
        names.append(file.source)
        return original(file, *rest)

    monkeypatch.setattr(read, "_read", noting)
    return names


CHANGES: dict[str, Callable[[Path], object]] = {
    "nothing": lambda _: None,
    "a file is added in front": lambda archive: write(archive / "0.jsonl", jsonl([60, 61])),
    "a file is added in the middle": lambda archive: write(archive / "bb.jsonl", jsonl([62, 3])),
    "a file is added behind": lambda archive: write(archive / "zz.jsonl", jsonl([63])),
    "the file with the first copy of a text goes": lambda archive: (archive / "a.jsonl").unlink(),
    "a file changes": lambda archive: write(archive / "b.jsonl", jsonl([2, 8, 64]), at=1),
    "a file shrinks to what another has": lambda archive: write(archive / "b.jsonl", jsonl([2]), at=1),
    "a file is renamed": lambda archive: (archive / "b.jsonl").rename(archive / "y.jsonl"),
    "a file is touched": lambda archive: os.utime(archive / "a.jsonl", ns=(OLD_NS + 9, OLD_NS + 9)),
    "a page that is linked to comes": lambda archive: write(archive / "pages" / "three.txt", linked(3, "Page 2", None)),
    "a page goes": lambda archive: (archive / "pages" / "one.txt").unlink(),
    "answers change": lambda archive: write(archive / "tables" / "answers.csv", answers([1, 2], "never"), at=1),
    "answers go": lambda archive: (archive / "tables" / "answers.csv").unlink(),
    "more answers come": lambda archive: write(archive / "tables" / "more.csv", answers([3], "well")),
    "answers come where none were expected": lambda archive: write(archive / "answers.csv", answers([30], "found")),
    "a mail answers": lambda archive: write(archive / "mails" / "3.eml", mail(3, "Tape helps as well.", 2)),
    "the mail that asks goes": lambda archive: (archive / "mails" / "1.eml").unlink(),
    "a packed file changes": lambda archive: write(archive / "packed.zip", packed({"q.jsonl": jsonl([52])}), at=1),
    "a file that cannot be read comes": lambda archive: write(archive / "picture.bin", b"\x00\x01\x02" * 50),
    "a folder goes": lambda archive: shutil.rmtree(archive / "pages"),
    "what is judged changes": lambda archive: write(archive / "set" / "qrels" / "test.tsv", judged([2, 1]), at=1),
    "what is judged goes": lambda archive: shutil.rmtree(archive / "set" / "qrels"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CHANGES)
def test_a_build_upon_another_is_what_a_fresh_one_is(name: str, tmp_path: Path, small_steps: None) -> None:
    """Rows, reports, answers and their scores; and again when nothing changes after it."""
    archive, index = tmp_path / "archive", tmp_path / "index"
    write_archive(archive, 0)
    build(archive, index)
    CHANGES[name](archive)
    require_same(archive, index, tmp_path / "fresh", build(archive, index))
    write(archive / "last.jsonl", jsonl([70]))
    require_same(archive, index, tmp_path / "fresh", build(archive, index))


@pytest.mark.parametrize(
    ("module", "name", "few"),
    [
        (generation_writer, "_POSTS_AT_ONCE", 1),
        (generation_writer, "_CHARACTERS_AT_ONCE", 1),
        (posts_writer, "_MOST_WAITING", 1),
        (posts_writer, "_MOST_WAITING", 5),
        (posts_writer, "_MOST_WAITING_CHARACTERS", 1),
    ],
)
def test_how_many_are_written_at_once_does_not_show(
    module: ModuleType, name: str, few: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One text in two files, one id three times, links, notes and tags: the same rows, in a first build and a next."""
    archive, index, other = tmp_path / "archive", tmp_path / "index", tmp_path / "other"
    write_archive(archive, 0)
    write(archive / "picture.bin", b"\x00\x01\x02" * 50)
    for again in (False, True):
        if again:
            CHANGES["a file is added in the middle"](archive)
        build(archive, index, keep_going=True)
        with monkeypatch.context() as patch:
            patch.setattr(module, name, few)
            build(archive, other, keep_going=True)
        assert rows_of(other) == rows_of(index)
        assert answers_of(other) == answers_of(index)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_any_sequence_of_builds_is_what_a_fresh_one_is(seed: int, tmp_path: Path, small_steps: None) -> None:
    """Several changes before each build, in any order."""
    chance = random.Random(seed)  # noqa: S311 - nothing secret
    archive, index = tmp_path / "archive", tmp_path / "index"
    write_archive(archive, seed)
    build(archive, index)
    for _ in range(4):
        for name in chance.sample(sorted(CHANGES), 3):
            try:
                CHANGES[name](archive)
            except FileNotFoundError:
                write_archive(archive, chance.randrange(5))
        require_same(archive, index, tmp_path / "fresh", build(archive, index))


def test_pairs_of_files_in_two_folders_are_read_anew(tmp_path: Path) -> None:
    """Whichever half changes, comes or goes, though its folder is not that of the other half."""
    archive, index = tmp_path / "archive", tmp_path / "index"
    write(archive / "a.jsonl", jsonl([1, 2]))
    write(archive / "z.jsonl", jsonl([3]))
    for number in range(4):
        write(archive / "pairs" / "asked" / f"q{number}.txt", f"My heel{number} hurts at night.")
        write(archive / "pairs" / "q" / f"{number}.txt", f"My knee{number} hurts on stairs.")
        write(archive / "pairs" / "a" / f"{number}.txt", f"Rest knee{number} and swim.")
    build(archive, index)
    steps: list[Callable[[], object]] = [
        lambda: write(archive / "pairs" / "a" / "2.txt", "Rest it, and ice it.", at=1),
        lambda: None,
        lambda: write(archive / "pairs" / "q" / "4.txt", "My back4 aches."),
        lambda: write(archive / "z.jsonl", jsonl([3, 4]), at=1),
        lambda: (archive / "pairs" / "a" / "0.txt").unlink(),
        lambda: shutil.rmtree(archive / "pairs" / "q"),
    ]
    for step in steps:
        step()
        require_same(archive, index, tmp_path / "fresh", build(archive, index))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a file is added in the middle", ["archive/bb.jsonl"]),
        ("a file changes", ["archive/b.jsonl"]),
        ("a file is touched", []),
        ("a page that is linked to comes", ["archive/pages/three.txt"]),
        ("answers change", ["archive/tables/answers.csv", "archive/tables/questions.csv"]),
        ("a packed file changes", ["archive/packed.zip/q.jsonl"]),
    ],
)
def test_only_what_changed_is_read(name: str, expected: list[str], tmp_path: Path, files_read: list[str]) -> None:
    """And the files that belong together with it."""
    archive, index = tmp_path / "archive", tmp_path / "index"
    write_archive(archive, 0)
    build(archive, index)
    files_read.clear()
    CHANGES[name](archive)
    build(archive, index)
    # Reading begins before the index is looked at: with the first file.
    assert [source for source in files_read if source != "archive/a.jsonl"] == expected


def test_a_touched_file_is_compared_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its new time is written down."""
    archive, index = tmp_path / "archive", tmp_path / "index"
    write_archive(archive, 0)
    build(archive, index)
    compared: list[str] = []
    original = kept_files._is_same

    def noting(stored: StoredFile, file: ArchiveFile) -> bool:
        with file.open() as stream:
            if kept_files.stat_of(stream) != stored.stat:
                compared.append(file.name)
        return original(stored, file)

    monkeypatch.setattr(kept_files, "_is_same", noting)
    os.utime(archive / "a.jsonl", ns=(OLD_NS + 9, OLD_NS + 9))
    for number in (1, 2):
        write(archive / "b.jsonl", jsonl([64 + number]), at=number)
        build(archive, index)
    assert compared == ["a.jsonl", "b.jsonl", "b.jsonl"]


def test_other_settings_read_everything_again(tmp_path: Path, files_read: list[str]) -> None:
    """Such as another field for the answer, or a post that is taken out."""
    archive, index = tmp_path / "archive", tmp_path / "index"
    write_archive(archive, 0)
    build(archive, index)
    files_read.clear()
    report = build(archive, index, keep_unanswered=True)
    assert report.unanswered == 0
    assert len(set(files_read)) > 8


def test_damage_of_what_would_be_copied_is_not_copied(tmp_path: Path) -> None:
    """The posts are read from their files instead."""
    archive, index = tmp_path / "archive", tmp_path / "index"
    write_archive(archive, 0)
    build(archive, index)
    database = index / "generations" / "g000001" / "posts.sqlite"
    data = bytearray(database.read_bytes())
    place = data.rindex(b"number8")
    data[place : place + 7] = b"number0"
    database.write_bytes(data)
    write(archive / "last.jsonl", jsonl([71]))
    require_same(archive, index, tmp_path / "fresh", build(archive, index))


def test_a_dry_run_reads_only_what_changed(tmp_path: Path, files_read: list[str]) -> None:
    """And reports what a build then does."""
    archive, index = tmp_path / "archive", tmp_path / "index"
    write_archive(archive, 0)
    build(archive, index)
    CHANGES["a file changes"](archive)
    files_read.clear()
    tried = build(archive, index, dry_run=True)
    assert set(files_read) == {"archive/a.jsonl", "archive/b.jsonl"}
    made = build(archive, index)
    assert tried.changes == made.changes
    assert tried.files == made.files
    assert (tried.posts, tried.duplicates, tried.unanswered) == (made.posts, made.duplicates, made.unanswered)


def test_how_a_file_was_read_is_written_down_and_read_back(tmp_path: Path) -> None:
    """All that the report says; what is no such record is refused."""
    write_archive(tmp_path / "archive", 0)
    reading = Reading()
    for _ in read_archives([tmp_path / "archive"], reading=reading):
        pass
    assert len(reading.reports) > 8
    assert Reading.load(reading.dump()).reports == reading.reports
    invalid = ("", "null", "5", "[5]", "[{}]", '[{"source": "a"}]', reading.dump().replace('"files": 1', '"files": -1'))
    for text in (*invalid, reading.dump().replace("JSON Lines", "\\ud800")):
        with pytest.raises(ValueError, match="an invalid record of how a file was read"):
            Reading.load(text)


def test_names_of_fields_that_cannot_be_stored_are_shown(tmp_path: Path) -> None:
    """Half a surrogate pair ended a build with a traceback."""
    source, index = tmp_path / "archive", tmp_path / "index"
    for number in range(2):
        rows = [record(number) | {"\ud800\x1bnotes": "what nobody reads, though it is long"}]
        write(source / f"{number}.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
        report = build(source, index)
        assert [file.unused for file in report.files] == [("\ufffd\ufffdnotes",)] * (number + 1)


def test_notes_of_a_folder_do_not_vanish(tmp_path: Path) -> None:
    """An answer whose question is missing is noted by each build, whatever else is kept."""
    archive, index = tmp_path / "archive", tmp_path / "index"
    write_archive(archive, 0)
    build(archive, index)
    write(archive / "lost.csv", answers([99], "lost"))
    for number in range(3):
        report = build(archive, index)
        assert report.set_aside == 1
        assert [row[0] for row in rows_of(index)["set_aside"]] == ["archive/lost.csv"]
        write(archive / "other.jsonl", jsonl([80 + number]), at=number)


def test_one_kept_file_stands_for_one_file(tmp_path: Path) -> None:
    """Two folders with one name, and one file in both: one is kept, the other read, and what is lost is noticed."""
    one, two, index = tmp_path / "one", tmp_path / "two", tmp_path / "index"
    for folder in (one, two):
        write(folder / "a.jsonl", jsonl([1, 2]))
    write(one / "b.jsonl", jsonl([3, 4]))
    names: dict[str | os.PathLike[str], str] = {one: "club", two: "club"}
    build_index([one], index, model=WordsEmbedder(), names={one: "club"})
    (one / "b.jsonl").unlink()
    for dry_run in (True, False):
        found = build_index([one, two], index, model=WordsEmbedder(), names=names, allow_shrink=True, dry_run=dry_run)
        assert sum(source.removed for source in found.changes) == 2
    write(one / "b.jsonl", jsonl([3, 4]))
    build_index([one, two], index, model=WordsEmbedder(), names=names)
    (one / "b.jsonl").unlink()
    with pytest.raises(ShrinkError):
        build_index([one, two], index, model=WordsEmbedder(), names=names)


def test_damage_found_on_the_way_does_not_allow_a_loss(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be copied is read again; the posts are still compared with those before."""
    archive, index = tmp_path / "archive", tmp_path / "index"
    write(archive / "a.jsonl", jsonl([1, 2]))
    write(archive / "b.jsonl", jsonl([3, 4]))
    build_index(archive, index, model=WordsEmbedder())
    (archive / "b.jsonl").unlink()

    def damaged(*_: object) -> None:
        raise IndexDamagedError("found while copying")

    monkeypatch.setattr(posts_writer.PostWriter, "copy", damaged)
    with pytest.raises(ShrinkError):
        build_index(archive, index, model=WordsEmbedder())


class _ByLetters(WordsEmbedder):
    """Reads as many tokens as another model, but cuts texts into more of them."""

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text) // 3 + 1 for text in texts]


def test_passages_are_those_of_the_model(tmp_path: Path) -> None:
    """Another model with the same limit may count other tokens: nothing that it did not cut is copied."""
    archive, index, fresh = tmp_path / "archive", tmp_path / "index", tmp_path / "fresh"
    write(archive / "a.jsonl", jsonl([1], answer="word " * 300))
    build_index(archive, index, model=WordsEmbedder(name="one"))
    for folder in (index, fresh):
        build_index(archive, folder, model=_ByLetters(name="other"))
    assert rows_of(index)["passage"] == rows_of(fresh)["passage"]


def test_files_beside_a_named_file_are_noticed(tmp_path: Path) -> None:
    """A dump that is named itself has the names of its users in another file."""
    posts, users, index = tmp_path / "Posts.xml", tmp_path / "Users.xml", tmp_path / "index"
    row = '<row Id="{}" PostTypeId="{}" ParentId="1" Title="Knee" Body="My knee hurts." OwnerUserId="7" />'
    write(posts, f"<posts>{row.format(1, 1)}{row.format(2, 2)}</posts>")
    for number, name in enumerate(("Bob", "Carl", "Carl")):
        if number < 2:
            write(users, f'<users><row Id="7" DisplayName="{name}" /></users>', at=number)
        report = build_index(posts, index, model=WordsEmbedder())
        with SearchIndex.open(index, model=WordsEmbedder()) as opened:
            assert [post.author for post in opened.list_posts()] == [name]
    assert report.generation == "g000002"


@pytest.mark.parametrize("first", ["", "id,question,answer\n", jsonl([30], answer="")])
def test_files_before_the_first_post_are_written_down(first: str, tmp_path: Path) -> None:
    """The first post is looked for before anything else is done: what came before it is known all the same."""
    archive, index = tmp_path / "archive", tmp_path / "index"
    write(archive / "0.csv" if "," in first[:3] else archive / "0.jsonl", first)
    write(archive / "1.jsonl", jsonl([1, 2]))
    build(archive, index)
    states = {source: content for _, source, _, content, *_ in rows_of(index)["archive_file"]}
    assert all(states.values())


def test_a_time_that_is_set_back_hides_no_change(tmp_path: Path) -> None:
    """A file of the same size and time is compared if it was written to."""
    archive, index = tmp_path / "archive", tmp_path / "index"
    write(archive / "a.jsonl", jsonl([1]))
    write(archive / "b.jsonl", jsonl([2]))
    build(archive, index)
    before = (archive / "a.jsonl").stat()
    (archive / "a.jsonl").write_text(jsonl([1]).replace("number1", "number9"), encoding="utf-8")
    os.utime(archive / "a.jsonl", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (archive / "a.jsonl").stat().st_size == before.st_size
    require_same(archive, index, tmp_path / "fresh", build(archive, index))
