"""What an index remembers of its sources, what a build reports, and what it does not let happen by a slip."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qa_search import BuildReport, SearchIndex, build_index, index_log, undo_index
from qa_search.archives.containers import scratch
from qa_search.archives.limits import Limits
from qa_search.errors import (
    ArchiveError,
    DamagedArchiveError,
    IndexNotFoundError,
    NoPostsError,
    QASearchError,
    QueryError,
    SetAsideError,
    ShrinkError,
    SourceNotFoundError,
)
from qa_search.index.folder import IndexFolder
from qa_search.interfaces.render.reading import change_lines
from tests.helpers import WordsEmbedder, page, write_jsonl, write_pages

Kinds = dict[str, int]


def build(sources: object, index: Path, **options: object) -> BuildReport:
    return build_index(sources, index, model=WordsEmbedder(), **options)  # type: ignore[arg-type]


def changed(report: BuildReport) -> Kinds:
    """Return how many posts changed in which way, over all sources."""
    found: Kinds = {}
    for one in report.changes:
        for kind in ("added", "changed", "removed", "renamed", "unchanged"):
            if getattr(one, kind):
                found[kind] = found.get(kind, 0) + getattr(one, kind)
    return found


def ids(index: Path) -> dict[str, str]:
    """Return the id of each title."""
    with SearchIndex.open(index, model=WordsEmbedder()) as opened:
        hits = opened.search("knee", k=10_000).hits
        found = {hit.title: hit.post_id for hit in hits}
        return found | {post.title: post.post_id for hit in hits for post in hit.repeated_by}


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return write_pages(tmp_path / "club" / "pages", 20)


@pytest.fixture
def index(archive: Path, tmp_path: Path) -> Path:
    assert changed(build(archive, tmp_path / "index")) == {"added": 20}
    return tmp_path / "index"


def test_a_build_without_sources_reads_those_of_the_last(
    index: Path, archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From any folder, and with the settings of that build."""
    (archive / "new.txt").write_text(page("New", "my heel hurts", ""))
    build(archive, index, keep_unanswered=True, passage_tokens=20)
    (archive / "newer.txt").write_text(page("Newer", "my toe hurts", ""))
    monkeypatch.chdir("/")
    report = build(None, index)
    assert changed(report) == {"added": 1, "unchanged": 21}
    assert [(source.path, source.name) for source in report.sources] == [(str(archive), "club/pages")]
    with SearchIndex.open(index, model=WordsEmbedder()) as opened:
        info = opened.info()
    assert info.built_from == report.sources
    assert info.splitter["passage_tokens"] == 20


def test_what_changed_is_reported_by_source_and_kept(index: Path, archive: Path, tmp_path: Path) -> None:
    """Added, changed, removed, renamed and unchanged posts; a date counts as a change."""
    faq = write_jsonl(tmp_path / "faq" / "faq.jsonl", [{"id": 1, "question": "q one", "answer": "a one"}])
    first, second, third = sorted(archive.iterdir())[:3]
    first.unlink()
    second.rename(archive / "another-name.txt")
    third.write_text(third.read_text().replace("2016/", "2015/"))
    report = build([archive, faq], index)
    assert [
        (one.source, one.added, one.changed, one.removed, one.renamed, one.unchanged) for one in report.changes
    ] == [
        ("club/pages", 1, 1, 1, 1, 17),
        (f"{tmp_path.name}/faq/faq.jsonl", 1, 0, 0, 0, 0),
    ]
    assert report.previous == "g000001"
    assert [
        (entry.generation, entry.posts, entry.changes.added, entry.changes.removed) for entry in index_log(index)
    ] == [
        ("g000002", 20, 2, 1),
        ("g000001", 20, 20, 0),
    ]


def test_no_change_builds_nothing(index: Path, archive: Path) -> None:
    """The generation stays, also where files are touched or written again with the same bytes."""
    for again in (None, _touch, _copy_over):
        if again is not None:
            again(archive)
        report = build(archive, index)
        assert (report.generation, report.previous, report.embedded) == ("g000001", "g000001", 0)
        assert (report.posts, changed(report)) == (20, {"unchanged": 20})
    assert [path.name for path in (index / "generations").iterdir()] == ["g000001"]


def _touch(archive: Path) -> None:
    for path in archive.iterdir():
        os.utime(path)


def _copy_over(archive: Path) -> None:
    for path in archive.iterdir():
        shutil.copyfile(path, path.with_suffix(".new"))
        path.with_suffix(".new").replace(path)


def _edit(archive: Path) -> None:
    path = min(archive.iterdir())
    times = path.stat()
    path.write_bytes(path.read_bytes().replace(b"2016/", b"2015/"))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


@pytest.mark.parametrize(
    ("change", "options"),
    [
        (_edit, {}),  # the same size and time
        (lambda archive: min(archive.iterdir()).unlink(), {}),
        (lambda archive: (archive / "x.txt").write_text(page("X", "q", "a")), {}),
        (lambda archive: (archive / "x.bin").write_bytes(b"\0\1\2"), {}),
        (lambda archive: None, {"rebuild": True}),
        (lambda archive: None, {"passage_tokens": 10}),
        (lambda archive: None, {"keep_unanswered": True}),
        (lambda archive: None, {"names": {}, "comments": True}),
    ],
)
def test_any_change_builds(
    index: Path, archive: Path, change: Callable[[Path], object], options: dict[str, object]
) -> None:
    """Of a file or a setting."""
    change(archive)
    assert build(archive, index, **options).generation == "g000002"


def test_a_build_of_nothing_new_removes_what_a_killed_build_left(index: Path, archive: Path) -> None:
    """An unfinished generation takes disk space until then."""
    (unfinished := index / "generations" / "g000002.partial").mkdir()
    (unfinished / "posts.sqlite").write_bytes(b"half")
    assert build(archive, index).generation == "g000001"
    assert not unfinished.exists()


def test_what_was_set_aside_is_tried_again(index: Path, archive: Path) -> None:
    """It may be readable now: another package is installed, a file is repaired elsewhere."""
    (archive / "x.txt").write_text("Title\nno date\nQuestion\nq\nAnswer\na")
    assert build(archive, index).set_aside == 1
    with pytest.raises(SetAsideError):
        build(archive, index, strict=True)


def test_a_leave_to_lose_what_is_damaged_counts_for_one_build(index: Path, archive: Path) -> None:
    """Other settings are remembered."""
    damaged = archive / "x.csv"
    damaged.write_text('question,answer\nq?,a\nq2?,"half of')
    assert build(None, index, keep_going=True, keep_unanswered=True).posts == 21
    with pytest.raises(DamagedArchiveError, match="keep_going=True"):
        build(None, index)
    damaged.write_text("question,answer\nIs this one unanswered?,\n")
    assert build(None, index).posts == 21


@pytest.mark.parametrize("unreadable", ["text", "rows", "link"])
def test_what_stays_unreadable_pushes_out_no_generation(
    index: Path, archive: Path, tmp_path: Path, unreadable: str
) -> None:
    """Builds of the same publish nothing new, so that a slip can be undone however often one builds."""
    if unreadable == "text":
        (archive / "x.txt").write_text("Title\nno date\nQuestion\nq\nAnswer\na")
    elif unreadable == "rows":
        write_jsonl(archive / "x.jsonl", [{"question": "q", "answer": "a"}, {"nothing": 1}, {"question": "unanswered"}])
    else:
        (archive / "x.txt").symlink_to(tmp_path / "missing")
    assert build(archive, index).set_aside == 1
    min(archive.glob("*.txt")).unlink()
    reports = [build(archive, index) for _ in range(4)]
    assert [report.generation for report in reports] == ["g000003"] * 4
    assert [changed(report).get("removed", 0) for report in reports] == [1, 0, 0, 0]
    assert not list((index / "generations").glob("*.partial"))
    assert undo_index(index) == "g000002"
    assert len(ids(index)) == 20 + (unreadable == "rows")


@pytest.mark.parametrize(
    "change",
    [
        lambda archive: (archive / "y.bin").write_bytes(b"\0\1\2"),  # another note
        lambda archive: write_jsonl(archive / "y.jsonl", [{"question": "still unanswered?"}]),
        lambda archive: (archive / "x.txt").write_text("Title\nno date\nQuestion\nq\nAnswer\nb"),
    ],
)
def test_what_differs_beside_the_posts_is_published(
    index: Path, archive: Path, change: Callable[[Path], object]
) -> None:
    """Notes, unanswered questions and contents of files, though no post changed."""
    (archive / "x.txt").write_text("Title\nno date\nQuestion\nq\nAnswer\na")
    assert build(archive, index).generation == "g000002"
    change(archive)
    assert build(archive, index).generation == "g000003"


def test_builds_that_change_no_post_push_out_none_that_does(index: Path, archive: Path) -> None:
    """Files that cannot be read are added, and the generation before the slip is kept."""
    min(archive.iterdir()).unlink()
    build(archive, index)
    for number in range(4):
        (archive / f"y{number}.bin").write_bytes(b"\0\1\2")
        build(None, index)
    assert [entry.generation for entry in index_log(index) if entry.kept] == ["g000006", "g000005", "g000001"]
    assert [undo_index(index) for _ in range(2)] == ["g000005", "g000001"]
    assert len(ids(index)) == 20


def test_a_damaged_index_is_built_although_nothing_changed(index: Path, archive: Path) -> None:
    """Files of the generation that are damaged do not pass for unchanged."""
    path = index / "generations" / "g000001" / "vectors-00000.faiss"
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    assert build(archive, index).generation == "g000002"
    assert len(ids(index)) == 20


# The slips: each leaves the index as it was, and says what to do.


def _drop_most(archive: Path) -> object:
    for path in sorted(archive.iterdir())[2:]:
        path.unlink()
    return archive


def _empty(archive: Path) -> object:
    for path in archive.iterdir():
        path.unlink()
    return archive


def _another(archive: Path) -> object:
    return write_pages(archive.parent / "other", 2)


def _moved(archive: Path) -> object:
    return archive.rename(archive.with_name("archive"))


def _half_a_file(archive: Path) -> object:
    file = archive.parent / "half.json"
    file.write_text('[{"question": "q", "answer": "a"}, {"question": "r", "ans')
    return file


def _gone(archive: Path) -> object:
    shutil.rmtree(archive)
    return None


def _one_file(archive: Path) -> object:
    return min(archive.iterdir())


def _unanswered(archive: Path) -> object:
    for path in archive.iterdir():
        path.write_text(path.read_text().partition("Answer\n")[0] + "Answer\n")
    return archive


def _some_unanswered(archive: Path) -> object:
    for path in sorted(archive.iterdir())[:5]:
        path.write_text(path.read_text().partition("Answer\n")[0] + "Answer\n")
    return archive


def _unreadable_pages(archive: Path) -> object:
    for path in sorted(archive.iterdir())[:5]:
        path.write_text("<html>502 Bad Gateway</html>")
    return archive


def _emptied_pages(archive: Path) -> object:
    for path in sorted(archive.iterdir())[:5]:
        path.write_bytes(b"")
    return archive


SLIPS: list[tuple[Callable[[Path], object], type[QASearchError], str]] = [
    (_drop_most, ShrinkError, r"would remove 18 of 20 posts \(club/pages .*allow_shrink=True"),
    (_empty, NoPostsError, "no files to read"),
    (_another, ShrinkError, r"would give 2 of 20 posts other ids|would remove 18 of 20 posts.*pages too"),
    (_moved, ShrinkError, r"would give 20 of 20 posts other ids.*names=\{SOURCE: 'club/pages'\}"),
    (_half_a_file, DamagedArchiveError, "half.json"),
    (_gone, SourceNotFoundError, r"If it moved.*If it is gone for good"),
    (lambda archive: archive / "typo", SourceNotFoundError, "no such file or folder"),
    (_one_file, ShrinkError, "would remove 19 of 20 posts"),
    (_unanswered, NoPostsError, "none of them answered"),
    (_some_unanswered, ShrinkError, "would remove 5 of 20 posts"),
    (_unreadable_pages, ShrinkError, "would remove 5 of 20 posts"),
    (_emptied_pages, ShrinkError, "would remove 5 of 20 posts"),
]


@pytest.mark.parametrize(("slip", "error", "message"), SLIPS, ids=[slip[0].__name__ for slip in SLIPS])
def test_a_slip_loses_nothing(
    index: Path, archive: Path, slip: Callable[[Path], object], error: type[QASearchError], message: str
) -> None:
    """The index answers as before, and the message says what would have been lost and the way out."""
    before = ids(index)
    source = slip(archive)
    with pytest.raises(error, match=f"(?s){message}"):
        build(source, index)
    assert ids(index) == before
    assert IndexFolder(index).pointer()[0] == "g000001"
    assert index_log(index)[0].generation == "g000001"


def _cannot_list(folder: Path, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    scandir = os.scandir

    def refuse(path: str | os.PathLike[str]) -> Any:
        if str(path) == str(folder):
            raise OSError(code, os.strerror(code), str(path))
        return scandir(path)

    monkeypatch.setattr("qa_search.archives.containers.walk.os.scandir", refuse)


@pytest.mark.parametrize("how", ["pages", "rows of a file"])
def test_no_post_is_lost_because_its_folder_cannot_be_read(
    index: Path, archive: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even one of many; without posts, a folder that cannot be read is only noted (lost+found, for example)."""
    for name in ("early", "lost+found"):
        (archive / name).mkdir()
    if how == "pages":
        (archive / "early" / "one.txt").write_text(page("Early", "an early question", "answer"))
    else:
        (archive / "early" / "one.json").write_text('[{"question": "an early question", "answer": "answer"}]')
    build(archive, index)
    before = ids(index)
    with monkeypatch.context() as patch:
        _cannot_list(archive / "lost+found", errno.EACCES, patch)
        assert build(archive, index).set_aside == 1
    _cannot_list(archive / "early", errno.EACCES, monkeypatch)
    with pytest.raises(
        ShrinkError, match=r"early is a folder that cannot be read: .* remove 1 post of it \(club/pages"
    ):
        build(archive, index)
    assert ids(index) == before
    advice = build_index(archive, index, model=WordsEmbedder(), dry_run=True).advice
    assert advice is not None
    assert "cannot be read" in advice
    assert changed(build(archive, index, keep_going=True)) == {"removed": 1, "unchanged": 20}
    assert undo_index(index)
    assert changed(build(archive, index, allow_shrink=True)) == {"removed": 1, "unchanged": 20}


@pytest.mark.parametrize("keep_going", [False, True])
def test_what_the_machine_cannot_read_now_is_never_left_out(
    index: Path, archive: Path, keep_going: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Too many open files say nothing about a folder or a file: the build stops, with keep_going too."""
    (archive / "new").mkdir()
    with monkeypatch.context() as patch:
        _cannot_list(archive / "new", errno.EMFILE, patch)
        with pytest.raises(DamagedArchiveError, match=r"new: cannot be read now .*ulimit -n"):
            build(archive, index, keep_going=keep_going)
    opens = scratch.open_plain
    last = max(path for path in archive.iterdir() if path.is_file())
    last.write_text(last.read_text() + "\nmore\n")

    def refuse(path: Path) -> Any:
        if path == last:
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
        return opens(path)

    monkeypatch.setattr("qa_search.archives.containers.walk.open_plain", refuse)
    with pytest.raises(DamagedArchiveError, match=r"cannot be read now .*Try again"):
        build(archive, index, keep_going=keep_going)
    assert len(ids(index)) == 20


def test_a_loss_that_is_intended_is_allowed_and_can_be_undone(index: Path, archive: Path) -> None:
    """By allow_shrink, or a larger share; undo brings every post back, and undo can be undone."""
    before = ids(index)
    _drop_most(archive)
    with pytest.raises(ShrinkError):
        build(archive, index, largest_loss=0.8)
    assert changed(build(archive, index, largest_loss=0.9)) == {"removed": 18, "unchanged": 2}
    after = ids(index)
    assert undo_index(index) == "g000001"
    assert ids(index) == before
    assert [(entry.generation, entry.answers, entry.kept) for entry in index_log(index)] == [
        ("g000002", False, True),
        ("g000001", True, True),
    ]
    assert undo_index(index, "g000002") == "g000002"
    assert ids(index) == after


def test_a_loss_up_to_a_tenth_goes_without_asking(index: Path, archive: Path) -> None:
    """Two of twenty posts."""
    for path in sorted(archive.iterdir())[:2]:
        path.unlink()
    assert changed(build(archive, index)) == {"removed": 2, "unchanged": 18}


def test_the_guard_holds_for_a_rebuild(index: Path, archive: Path) -> None:
    """That nothing is reused does not mean that everything may go."""
    _drop_most(archive)
    with pytest.raises(ShrinkError):
        build(archive, index, rebuild=True)


def test_undo_goes_back_as_far_as_generations_are_kept(index: Path, archive: Path) -> None:
    """Three by default, more on request; clearing says what it takes."""
    for number in range(3):
        (archive / f"new-{number}.txt").write_text(page(f"New {number}", f"question {number}", "answer"))
        report = build(archive, index)
    assert report.cleared == ("g000001",)
    assert [undo_index(index) for _ in range(2)] == ["g000003", "g000002"]
    with pytest.raises(IndexNotFoundError, match="no index in this folder"):
        undo_index(index.with_name("none"))
    assert not index.with_name("none").exists()
    with pytest.raises(IndexNotFoundError, match="no earlier generation than g000002 is kept"):
        undo_index(index)
    with pytest.raises(IndexNotFoundError, match=r"no generation g000001 is kept\. Kept: g000004, g000003"):
        undo_index(index, "g000001")
    report = build(archive, index, keep=5)
    assert (report.generation, report.previous, report.cleared) == ("g000005", "g000002", ())


def test_undo_names_a_damaged_generation_and_stays(index: Path, archive: Path) -> None:
    """What cannot answer is not pointed to."""
    (archive / "new.txt").write_text(page("New", "question", "answer"))
    build(archive, index)
    (index / "generations" / "g000001" / "posts.sqlite").write_bytes(b"")
    with pytest.raises(QASearchError, match=r"posts\.sqlite"):
        undo_index(index)
    assert IndexFolder(index).pointer()[0] == "g000002"


def test_ids_stay_when_a_source_moves(index: Path, archive: Path) -> None:
    """Under the name that it has in the index; later builds know its new place."""
    before = ids(index)
    new = archive.rename(archive.with_name("archive-2026"))
    report = build(new, index, names={new: "club/pages"})
    assert (report.generation, changed(report)) == ("g000002", {"unchanged": 20})
    assert ids(index) == before
    assert build(None, index).generation == "g000002"


def test_a_source_that_moved_is_added_under_its_name_with_the_settings(archive: Path, tmp_path: Path) -> None:
    """As the message says; the other sources stay. Naming the sources says what is not used any more."""
    index, other = tmp_path / "index", write_pages(tmp_path / "other", 3)
    build([archive, other], index, comments=True, encoding="utf-8", limits=Limits(record_bytes=10**6))
    new = archive.rename(archive.with_name("archive-2026"))
    with pytest.raises(SourceNotFoundError, match=r"add=\[NEW\], names=\{NEW: 'club/pages'\}"):
        build(None, index)
    report = build(None, index, add=[new], names={new: "club/pages"})
    assert (changed(report), report.dropped, report.forgotten) == ({"unchanged": 23}, (), ())
    assert {source.path for source in report.sources} == {str(new), str(other)}
    assert build(None, index).generation == report.generation
    plain = build([new, other], index, encoding="utf-8")
    assert plain.forgotten == ("comments", "record_bytes")
    assert "--comments, --max-record" in "\n".join(change_lines(plain))
    assert build([new, other], index, encoding="utf-8").forgotten == ()


def test_a_renamed_file_is_named_with_the_way_to_keep_its_ids(archive: Path, tmp_path: Path) -> None:
    """Ids are made from names: the message names posts, and what to do."""
    index, table = tmp_path / "index", archive / "faq.json"
    table.write_text('[{"id": 1, "question": "a question", "answer": "an answer"}]')
    build(archive, index)
    table.rename(archive / "questions.json")
    with pytest.raises(ShrinkError, match=r"other ids \(club/pages/faq\.json 1\).*renamed their earlier names"):
        build(archive, index, largest_loss=0.01)


def test_ids_stay_when_a_source_of_a_similar_name_is_added(index: Path, archive: Path, tmp_path: Path) -> None:
    """Two folders that end alike would both get longer names, were the first not known already."""
    before = ids(index)
    second = tmp_path / "second" / "club" / "pages"
    second.mkdir(parents=True)
    (second / "x.txt").write_text(page("Second", "my wrist hurts", "rest it"))
    report = build(None, index, add=[second])
    assert changed(report) == {"added": 1, "unchanged": 20}
    assert [source.name for source in report.sources] == ["club/pages", "second/club/pages"]
    assert ids(index).items() > before.items()


@pytest.mark.slow
def test_a_source_and_a_post_are_taken_out_and_in_again(index: Path, archive: Path, tmp_path: Path) -> None:
    """Later builds leave them out as well."""
    other = write_pages(tmp_path / "other" / "club", 0)
    (other / "x.txt").write_text(page("Wrist", "my wrist hurts", "rest it"))
    build(None, index, add=[other])
    post = ids(index)["Wrist"]
    assert changed(build(None, index, remove=[post])) == {"removed": 1, "unchanged": 20}
    (archive / "new.txt").write_text(page("New", "question", "answer"))
    assert "Wrist" not in (build(None, index), ids(index))[1]
    assert changed(build(None, index, add=[post]))["added"] == 1
    report = build(None, index, remove=["other/club"])
    assert [source.name for source in report.dropped] == ["other/club"]
    assert changed(report) == {"removed": 1, "unchanged": 21}
    for name in ("no/source", "wrists"):
        with pytest.raises(ArchiveError, match=f"{name}: .* of this index. It has: .*club/pages"):
            build(None, index, remove=[name])


def test_one_of_two_files_of_a_folder_is_taken_out(tmp_path: Path) -> None:
    """They share a name: the path says which. A source that is named twice is one."""
    files = [
        write_jsonl(tmp_path / "club" / f"{name}.jsonl", [{"id": name, "question": f"q {name}", "answer": "a"}])
        for name in ("one", "two")
    ]
    index = tmp_path / "index"
    build([*files, files[0]], index)
    assert [source.path for source in build(None, index, add=[files[0]]).sources] == [str(file) for file in files]
    with pytest.raises(
        ShrinkError, match=r"would remove 1 of 2 posts \(.*club/two\.jsonl two\).*read .*two\.jsonl too"
    ):
        build(files[0], index)
    report = build(None, index, remove=[str(files[1])])
    assert [source.path for source in report.dropped] == [str(files[1])]
    assert changed(report) == {"removed": 1, "unchanged": 1}


def test_a_source_in_which_nothing_is_read_is_named(index: Path, archive: Path, tmp_path: Path) -> None:
    """An empty folder beside a full one, such as a mount that is missing; also in a dry run. None is added."""
    empty = tmp_path / "club" / "empty"
    empty.mkdir()
    with pytest.raises(NoPostsError, match=r"club/empty: no files to read\. Nothing was changed"):
        build(None, index, add=empty)
    for options in ({"dry_run": True}, {}):
        report = build([archive, empty], index, **options)
        assert [(source.path, source.name) for source in report.empty] == [(str(empty), "club/empty")]
    assert [source.name for source in build(None, index).empty] == ["club/empty"]


def test_removing_one_source_does_not_excuse_the_loss_of_another(index: Path, archive: Path, tmp_path: Path) -> None:
    """The second one is empty by a slip."""
    other = tmp_path / "other" / "club"
    other.mkdir(parents=True)
    (other / "x.txt").write_text(page("Wrist", "my wrist hurts", "rest it"))
    build(None, index, add=[other])
    _drop_most(archive)
    with pytest.raises(ShrinkError, match="would remove 18 of 21 posts"):
        build(None, index, remove=["other/club"])


def test_a_part_of_a_source_is_not_added(index: Path, archive: Path) -> None:
    """It is read already; where a build names both, the report says so."""
    part = write_pages(archive / "part", 2, start=90)
    with pytest.raises(ArchiveError, match=r"pages/part: is read already, as a part of the source .*\(club/pages\)"):
        build(None, index, add=part)
    assert len(index_log(index)) == 1
    report = build([archive, part], index)
    assert f"{part} (name: pages/part) is read as a part of {archive}" in change_lines(report)


def test_the_only_source_is_not_removed(index: Path, archive: Path, tmp_path: Path) -> None:
    """Unless another one takes its place in the same build."""
    with pytest.raises(ArchiveError, match=r"club/pages: this index has no other source.*build_index\(SOURCES, "):
        build(None, index, remove="club/pages")
    report = build(None, index, remove="club/pages", add=write_pages(tmp_path / "new" / "pages", 1))
    assert [source.name for source in report.sources] == ["new/pages"]


def test_a_dry_run_reports_and_changes_nothing(index: Path, archive: Path) -> None:
    """Also where a build would stop, and where there is no index yet."""
    before = sorted((path, path.stat().st_mtime_ns) for path in index.rglob("*"))
    _drop_most(archive)
    report = build(archive, index, dry_run=True)
    assert (report.generation, report.previous, report.posts) == ("", "g000001", 2)
    assert changed(report) == {"removed": 18, "unchanged": 2}
    assert "would remove 18 of 20 posts" in (report.advice or "")
    assert sorted((path, path.stat().st_mtime_ns) for path in index.rglob("*")) == before
    assert changed(build(archive, index.with_name("none"), dry_run=True)) == {"added": 2}
    assert not index.with_name("none").exists()


def test_an_index_that_remembers_no_sources_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that is mistyped makes no second index; only the command knows a usual folder."""
    monkeypatch.chdir(tmp_path)
    write_pages(tmp_path / "data" / "archive", 3)
    with pytest.raises(ArchiveError, match=r"^indx: no index in this folder, .*build_index\(SOURCES, 'indx'\)"):
        build(None, Path("indx"))
    assert not (tmp_path / "indx").exists()
    assert build("data/archive", Path("index")).posts == 3


@pytest.mark.parametrize("name", ["", " ", "a\nb", "x" * 201])
def test_an_invalid_name_is_refused(archive: Path, tmp_path: Path, name: str) -> None:
    """It would end up in ids, listings and terminals."""
    with pytest.raises(QueryError, match=r"names: .* is invalid"):
        build(archive, tmp_path / "index", names={archive: name})


@given(changes=st.lists(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 2)), max_size=6), min_size=1, max_size=4))
@settings(max_examples=15, deadline=None)
@pytest.mark.slow
def test_any_sequence_of_builds_equals_one_fresh_build(
    changes: list[list[tuple[int, int]]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Each step writes, changes or removes pages; then the index holds what a new one would."""
    folder = tmp_path_factory.mktemp("sequence")
    archive = write_pages(folder / "club" / "pages", 1)
    for step in changes:
        for number, version in step:
            path = archive / f"page-{number}.txt"
            if version:
                path.write_text(page(f"Page {number}", f"knee question {number} {version}", f"answer {version}"))
            else:
                path.unlink(missing_ok=True)
        build(archive, folder / "index", allow_shrink=True)
    build(archive, folder / "fresh")
    with (
        SearchIndex.open(folder / "index", model=WordsEmbedder()) as one,
        SearchIndex.open(folder / "fresh", model=WordsEmbedder()) as other,
    ):
        for query in ("knee", "question 3 2", "answer 1"):
            first, second = (found.search(query, k=20).to_dict() for found in (one, other))
            assert {**first, "took_ms": 0} == {**second, "took_ms": 0}
