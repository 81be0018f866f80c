"""Builds: what they store, what they report, and what they leave when they fail."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from qa_search import BuildReport, Progress, SearchIndex, build_index
from qa_search.errors import (
    DamagedArchiveError,
    IndexWriteError,
    NoPostsError,
    QueryError,
    SetAsideError,
    SourceNotFoundError,
)
from tests.helpers import ROOT, WordsEmbedder, page, write_jsonl, write_pages


def build(source: Path, index: Path, **options: object) -> BuildReport:
    """Build and keep two generations, whatever is lost."""
    kept: dict[str, object] = {"allow_shrink": True, "keep": 2, **options}
    return build_index(source, index, model=WordsEmbedder(), **kept)  # type: ignore[arg-type]


def titles(index: Path) -> list[str]:
    with SearchIndex.open(index, model=WordsEmbedder()) as opened:
        hits = opened.search("knee", k=1000).hits
        return sorted([hit.title for hit in hits] + [post.title for hit in hits for post in hit.repeated_by])


def test_the_report_counts_every_post_in_the_way_it_went(tmp_path: Path) -> None:
    """Posts, copies, passages, set aside, unanswered."""
    pages = write_pages(tmp_path / "pages", 2)
    (pages / "copy.txt").write_bytes((pages / "post-00000.txt").read_bytes())
    (pages / "broken.txt").write_text("Title\nno date\nQuestion\nq\nAnswer\na")
    (pages / "waiting.txt").write_text(page("W", "q", ""))
    report = build(pages, tmp_path / "index")
    counted = report.to_dict()
    assert [(file["format"], file["files"]) for file in counted.pop("files")] == [("archive page", 5)]
    name = f"{tmp_path.name}/pages"
    assert counted.pop("changes") == [
        {"source": name, "added": 3, "changed": 0, "removed": 0, "renamed": 0, "unchanged": 0}
    ]
    assert counted.pop("sources") == [{"path": str(pages), "name": name}]
    assert counted == {
        "index": str(tmp_path / "index"), "generation": "g000001", "posts": 2, "duplicates": 1, "passages": 6,
        "embedded": 6, "reused": 0, "set_aside": 1, "unanswered": 1, "seconds": report.seconds, "model": "words",
        "left_out": "", "language": "en", "advice": None, "previous": None, "dropped": [], "cleared": [],
        "empty": [], "forgotten": [],
    }  # fmt: skip
    with SearchIndex.open(tmp_path / "index") as index:
        info = index.info()
    assert [(note.source, note.place, note.reason) for note in info.set_aside] == [
        (f"{tmp_path.name}/pages/broken.txt", "line 2", "'no date' is not a date (expected YYYY/M/D H:MM:SS)")
    ]
    assert [(source.posts, source.set_aside, source.unanswered) for source in info.sources] == [(3, 0, 1), (0, 1, 0)]


def test_unanswered_questions_are_kept_if_asked_for(tmp_path: Path) -> None:
    """Some archives are worth searching for their questions."""
    source = write_jsonl(tmp_path / "a.jsonl", [{"question": "sore knee"}, {"question": "sore heel", "answer": "ice"}])
    assert (build(source, tmp_path / "i").posts, build(source, tmp_path / "i", keep_unanswered=True).posts) == (1, 2)


def test_strict_stops_at_the_first_post_that_cannot_be_read(tmp_path: Path) -> None:
    """Naming it; without strict the build goes on."""
    pages = write_pages(tmp_path / "pages", 2)
    (pages / "a-broken.txt").write_text("Title\nQuestion\nno answer line")
    with pytest.raises(SetAsideError, match=r"a-broken\.txt: no line that says 'Answer'.*with strict=False"):
        build(pages, tmp_path / "index", strict=True)
    assert build(pages, tmp_path / "index").posts == 2


def test_a_single_source_and_several_are_taken(tmp_path: Path) -> None:
    """Paths and strings, one or many."""
    one, two = write_pages(tmp_path / "one", 1), write_pages(tmp_path / "two", 2, start=5)
    assert build_index(str(one), tmp_path / "i", model=WordsEmbedder()).posts == 1
    assert build_index([one, str(two)], tmp_path / "i", model=WordsEmbedder()).posts == 3


def test_ids_are_the_same_in_another_build_of_a_grown_archive(tmp_path: Path) -> None:
    """Adding and removing other posts does not rename a post."""
    pages = write_pages(tmp_path / "pages", 5, start=3)
    build(pages, tmp_path / "index")
    with SearchIndex.open(tmp_path / "index", model=WordsEmbedder()) as index:
        before = index.search("knee4 week4", k=1).hits[0]
    write_pages(pages, 2)
    (pages / "post-00003.txt").unlink()
    build(pages, tmp_path / "index")
    with SearchIndex.open(tmp_path / "index", model=WordsEmbedder()) as index:
        after = index.search("knee4 week4", k=1).hits[0]
        assert index.post(before.post_id) == index.post(after.post_id)
    assert (before.post_id, before.title) == (after.post_id, after.title)


def test_progress_is_reported_by_stage(tmp_path: Path) -> None:
    """Reading counts posts, embedding counts passages towards a known total."""
    seen: list[Progress] = []
    report = build(write_pages(tmp_path / "pages", 3), tmp_path / "index", progress=seen.append)
    assert seen[0] == Progress("model", 0, None)
    assert [item for item in seen if item.stage == "reading"][-1] == Progress("reading", 3, None)
    assert [item for item in seen if item.stage == "embedding"][-1] == Progress(
        "embedding", report.passages, report.passages
    )
    assert seen[-1].stage == "embedding"


def nothing(folder: Path) -> Path:
    return folder / "nowhere"


def empty(folder: Path) -> Path:
    (folder / "empty").mkdir()
    return folder / "empty"


def binary(folder: Path) -> Path:
    (folder / "b").mkdir()
    (folder / "b" / "x.bin").write_bytes(bytes(range(256)) * 9)
    return folder / "b"


def unanswered(folder: Path) -> Path:
    return write_jsonl(folder / "q.jsonl", [{"question": "q"}])


def broken_xml(folder: Path) -> Path:
    path = folder / "dump" / "Posts.xml"
    path.parent.mkdir()
    path.write_text('<posts>\n<row Id="1" PostTypeId="1" Body="q" />\n<row Id=2 />\n</posts>')
    return path.parent


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (nothing, SourceNotFoundError, "nowhere: no such file"),
        (empty, NoPostsError, "empty: no files to read"),
        (binary, NoPostsError, r"b: nothing to index \(1 set aside, the first: .*x\.bin: binary data"),
        (unanswered, NoPostsError, "1 question, none of them answered. Build with keep_unanswered=True"),
        (broken_xml, DamagedArchiveError, r"Posts\.xml, line 3, column 9: broken XML.*keep_going=True"),
    ],
)
def test_what_cannot_be_used_is_one_error_and_costs_nothing(
    make: object, error: type[Exception], message: str, tmp_path: Path
) -> None:
    """The index that was there still answers, and no file of the failed build is left."""
    assert callable(make)
    index = tmp_path / "index"
    build(write_pages(tmp_path / "pages", 2), index)
    before = sorted(path for path in index.rglob("*"))
    with pytest.raises(error, match=message):
        build(make(tmp_path), index)
    assert sorted(path for path in index.rglob("*")) == before
    assert titles(index) == ["Complaint 0", "Complaint 1"]


def test_a_damaged_file_is_set_aside_with_keep_going(tmp_path: Path) -> None:
    """What can be read of it and the other files are indexed."""
    folder = broken_xml(tmp_path)
    write_pages(folder / "pages", 2)
    report = build(folder, tmp_path / "index", keep_going=True, keep_unanswered=True)
    assert (report.posts, report.set_aside) == (3, 1)


def test_an_unknown_role_in_the_map_is_told(tmp_path: Path) -> None:
    """With the roles there are."""
    with pytest.raises(QueryError, match="ROLE is one of id, title, question"):
        build(write_pages(tmp_path / "pages", 1), tmp_path / "index", field_map={"antwort": "x"})


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 2 MB, made read-only or filled by the test."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("this user cannot mount a small disk")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


@pytest.mark.process
def test_a_full_disk_leaves_the_old_index(small_disk: Path, tmp_path: Path) -> None:
    """One message, and what was there answers; with more room the build goes on with what it had computed."""
    index = small_disk / "index"
    build(write_pages(tmp_path / "pages", 2), index)
    with pytest.raises(IndexWriteError, match=r"no space left on the disk.*still answers"):
        build(write_pages(tmp_path / "many", 2000), index)
    assert titles(index) == ["Complaint 0", "Complaint 1"]
    assert not list(index.glob("generations/*.partial"))
    subprocess.run(["mount", "-o", "remount,size=16m", str(small_disk)], check=True)
    report = build(tmp_path / "many", index)
    assert report.posts == 2000
    # How much fits depends on how many vectors the machine computes at a time.
    assert 100 < report.reused < report.passages
    assert not (index / "work").exists()


@pytest.mark.process
def test_every_fill_level_of_a_disk_is_survived(small_disk: Path, tmp_path: Path) -> None:
    """With each amount of room: a whole new index, or the old one and an error."""
    index = small_disk / "index"
    pages, more = write_pages(tmp_path / "pages", 2), write_pages(tmp_path / "more", 20)
    build(pages, index)
    outcomes = set()
    filler = small_disk / "filler"
    for room in range(0, 240_000, 4096):
        filler.unlink(missing_ok=True)
        for _ in range(2):  # so that the generation before is small too
            build(pages, index, rebuild=True)
        free = os.statvfs(small_disk).f_bavail * os.statvfs(small_disk).f_bsize
        filler.write_bytes(b"x" * max(0, free - room))
        try:
            build(more, index)
        except IndexWriteError:
            outcomes.add("old")
            assert len(titles(index)) == 2
        else:
            outcomes.add("new")
            assert len(titles(index)) == 20
    assert outcomes == {"old", "new"}


@pytest.mark.process
def test_a_read_only_index_folder_is_told_and_still_searched(small_disk: Path, tmp_path: Path) -> None:
    """Opening writes nothing, so a read-only index can be searched."""
    index = small_disk / "index"
    pages = write_pages(tmp_path / "pages", 2)
    build(pages, index)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(IndexWriteError, match=r"cannot be written \(.*read-only.*still answers"):
        build(pages, index)
    assert titles(index) == ["Complaint 0", "Complaint 1"]


KILLED = """
import sys
from pathlib import Path
from qa_search import build_index
from tests.helpers import WordsEmbedder
print("started", flush=True)
while True:
    build_index(Path(sys.argv[1]), Path(sys.argv[2]), model=WordsEmbedder(), allow_shrink=True, rebuild=True, keep=2)
    print("built", flush=True)
"""


@pytest.mark.process
def test_a_killed_build_leaves_the_old_index_or_the_new_one(tmp_path: Path) -> None:
    """Killed without warning at twenty moments spread over a build, and the index is whole each time."""
    index = tmp_path / "index"
    small, large = write_pages(tmp_path / "small", 2), write_pages(tmp_path / "large", 150)
    started = time.monotonic()
    build(large, tmp_path / "timing")
    duration = time.monotonic() - started
    for moment in range(20):
        build(small, index)
        process = subprocess.Popen(
            [sys.executable, "-c", KILLED, str(large), str(index)], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"
        time.sleep(duration * moment / 16)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert len(titles(index)) in (2, 150)
    assert build(large, index).posts == 150
    assert len(list((index / "generations").iterdir())) == 2


MEASURED = r"""
import json, re, sys, threading, time
from pathlib import Path
import hashlib
import numpy as np
from qa_search import build_index
from tests.helpers import WordsEmbedder

class Flat(WordsEmbedder):
    dimension = 384
    def embed_passages(self, texts):
        return np.stack([np.resize(np.frombuffer(hashlib.sha256(t.encode()).digest(), np.uint8), 384) / 255.0
                         for t in texts]).astype(np.float32)

peak, running = 0, True

def watch():
    global peak
    while running:
        # Not the pages of mapped files, which the system takes back when it needs them.
        peak = max(peak, int(re.search(r"RssAnon:\s+(\d+)", Path("/proc/self/status").read_text())[1]))
        time.sleep(0.002)

watcher = threading.Thread(target=watch, daemon=True)
watcher.start()
report = build_index(Path(sys.argv[1]), Path(sys.argv[2]), model=Flat())
running = False
watcher.join()
print(json.dumps([report.posts, report.passages, peak]))
"""


@pytest.mark.process
def test_peak_memory_does_not_grow_with_the_archive(tmp_path: Path) -> None:
    """Three times the posts cost less than 10 MB more, once the first shard of vectors is full."""
    peaks = []
    for count in (6_000, 18_000):
        source = write_jsonl(
            tmp_path / f"{count}.jsonl",
            [{"id": n, "question": f"Knee{n} hurts. " * 8, "answer": f"Rest it{n}. " * 16} for n in range(count)],
        )
        out = subprocess.run(
            [sys.executable, "-c", MEASURED, str(source), str(tmp_path / f"index-{count}")],
            cwd=ROOT, capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
        posts, passages, peak = json.loads(out)
        assert posts == count
        assert passages >= 3 * count
        peaks.append(peak)
    assert peaks[1] - peaks[0] < 10_000  # KiB


def vectors_of(index: Path) -> dict[str, list[bytes]]:
    """Every passage's vector, by the id of its post."""
    with SearchIndex.open(index, model=WordsEmbedder()) as opened:
        retriever = opened.retriever
        found: dict[str, list[bytes]] = {}
        for post in range(retriever.words.count):
            vectors = retriever.candidates(np.array([post])).vectors
            found[retriever.posts.entry(post).source_id] = [vector.tobytes() for vector in vectors]
    return found


def test_only_what_changed_is_embedded(tmp_path: Path) -> None:
    """A changed sentence, a new post, a removed post: the rest keeps its vectors, whatever moved around it."""
    pages = write_pages(tmp_path / "pages", 20, start=10)
    embedder = WordsEmbedder(limit=12)
    first = build_index(pages, tmp_path / "index", model=embedder)
    assert (first.embedded, first.reused) == (first.passages, 0)
    write_pages(pages, 1)
    (pages / "post-00015.txt").unlink()
    changed = pages / "post-00020.txt"
    changed.write_text(changed.read_text().replace("Walk slowly20.", "Swim instead20."))
    embedder.embedded.clear()
    second = build_index(pages, tmp_path / "index", model=embedder)
    assert second.posts == 20
    assert second.embedded + second.reused == second.passages
    assert second.embedded == len(embedder.embedded)
    assert all("20" in text or "0" in text for text in embedder.embedded)
    assert second.embedded < 10
    build_index(pages, tmp_path / "fresh", model=WordsEmbedder(limit=12))
    assert vectors_of(tmp_path / "index") == vectors_of(tmp_path / "fresh")


def test_nothing_changed_embeds_nothing_and_rebuild_everything(tmp_path: Path) -> None:
    """The second build reuses all, --rebuild nothing; the answers are the same."""
    pages = write_pages(tmp_path / "pages", 30)
    first = build(pages, tmp_path / "index")
    again = build(pages, tmp_path / "index")
    afresh = build(pages, tmp_path / "index", rebuild=True)
    assert [report.embedded for report in (first, again, afresh)] == [first.passages, 0, first.passages]


def test_another_splitter_or_model_never_mixes(tmp_path: Path) -> None:
    """Other passages are cut anew, another model embeds all."""
    pages = write_pages(tmp_path / "pages", 10)
    build(pages, tmp_path / "index")
    shorter = build(pages, tmp_path / "index", passage_tokens=8)
    assert shorter.passages > 30
    assert vectors_of(tmp_path / "index").keys() == {path.name for path in pages.iterdir()}
    other = build_index(pages, tmp_path / "index", model=WordsEmbedder(name="other"))
    assert (other.embedded, other.reused) == (other.passages, 0)


def test_identical_passages_are_embedded_once(tmp_path: Path) -> None:
    """Signatures and stock phrases cost nothing after the first."""
    source = write_jsonl(tmp_path / "a.jsonl", [{"question": f"q{n}", "answer": "See a doctor."} for n in range(50)])
    report = build(source, tmp_path / "index")
    assert (report.passages, report.embedded) == (100, 51)


INTERRUPTED = """
import os, sys
from pathlib import Path
from qa_search import build_index
from tests.helpers import WordsEmbedder

class Dies(WordsEmbedder):
    def embed_passages(self, texts):
        if len(self.embedded) > 2000:
            os.kill(os.getpid(), 9)
        return super().embed_passages(texts)

build_index(Path(sys.argv[1]), Path(sys.argv[2]), model=Dies())
"""


@pytest.mark.process
def test_a_killed_build_goes_on_where_it_was(tmp_path: Path) -> None:
    """No vector is computed twice, none is missing, and the result is that of an undisturbed build."""
    source = write_jsonl(
        tmp_path / "a.jsonl", [{"id": str(n), "question": f"knee{n}", "answer": f"rest{n}"} for n in range(2000)]
    )
    killed = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, str(source), str(tmp_path / "index")], cwd=ROOT, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    resumed = build(source, tmp_path / "index")
    assert (resumed.passages, resumed.reused, resumed.embedded) == (4000, 2048, 1952)
    build(source, tmp_path / "undisturbed")
    assert vectors_of(tmp_path / "index") == vectors_of(tmp_path / "undisturbed")
    for text in ("knee7", "rest1999"):
        with (
            SearchIndex.open(tmp_path / "index", model=WordsEmbedder()) as one,
            SearchIndex.open(tmp_path / "undisturbed", model=WordsEmbedder()) as other,
        ):
            found, expected = one.search(text, k=50).hits, other.search(text, k=50).hits
        assert [(hit.source_id, hit.score) for hit in found] == [(hit.source_id, hit.score) for hit in expected]
    assert build(source, tmp_path / "index").embedded == 0


def test_a_damaged_journal_is_computed_again(tmp_path: Path) -> None:
    """What a kill or a disk error leaves there never stops a build."""
    pages = write_pages(tmp_path / "pages", 2)
    encoder = f"given-{WordsEmbedder().model_id.sha256[:16]}"
    journal = tmp_path / "index" / "work" / f"{encoder}.sqlite"
    journal.parent.mkdir(parents=True)
    journal.write_bytes(b"not a database at all" * 500)
    report = build(pages, tmp_path / "index")
    assert report.embedded == report.passages


def test_a_previous_index_that_cannot_be_read_is_replaced(tmp_path: Path) -> None:
    """A damaged index is the very reason to build again."""
    pages = write_pages(tmp_path / "pages", 3)
    build(pages, tmp_path / "index")
    (tmp_path / "index" / "generations" / "g000001" / "posts.sqlite").write_bytes(b"x")
    report = build(pages, tmp_path / "index")
    assert (report.posts, report.embedded) == (3, report.passages)
    assert len(titles(tmp_path / "index")) == 3


def test_damaged_words_are_not_carried_into_the_next_generation(tmp_path: Path) -> None:
    """A build of the same texts writes them anew, although their size is what the manifest says."""
    pages, index = write_pages(tmp_path / "pages", 5), tmp_path / "index"
    build(pages, index)
    words = next(index.glob("generations/g000001/lexical/*.idx"))
    original = words.read_bytes()
    words.write_bytes(original[:8] + bytes(255 - byte for byte in original[8:16]) + original[16:])
    build(pages, index)
    assert next(index.glob("generations/g000002/lexical/*.idx")).read_bytes() == original
    assert len(titles(index)) == 5
