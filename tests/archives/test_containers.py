"""Folders and compressed archives."""

from __future__ import annotations

import gzip
import io
import json
import os
import sys
import zipfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import py7zr
import pytest

from qa_search.archives.read import read_archives
from qa_search.errors import DamagedArchiveError, SourceNotFoundError, UnknownFormatError
from qa_search.types import Post, SetAside
from tests.helpers import page, posts_in, write_jsonl, write_pages

RECORDS = [{"id": "a", "question": "Q", "answer": "A"}]


def ids(posts: list[Post]) -> list[tuple[str, str]]:
    return [(post.source, post.source_id) for post in posts]


def test_folders_are_walked_in_order_and_hidden_files_passed_over(tmp_path: Path) -> None:
    """Pages are named by their path below the source folder, wherever that folder lies."""
    folder = tmp_path / "site" / "pages"
    write_pages(folder / "b", 1)
    write_pages(folder / "a" / "deep", 1)
    (folder / ".hidden.txt").write_text(page("T", "q", "a"))
    write_pages(folder / ".git", 1)
    assert ids(posts_in(folder)) == [("site/pages", "a/deep/post-00000.txt"), ("site/pages", "b/post-00000.txt")]


def test_a_file_has_the_same_id_by_itself_and_in_its_folder(tmp_path: Path) -> None:
    """So an archivist may name either."""
    folder = write_pages(tmp_path / "site" / "pages", 2)
    alone = posts_in(folder / "post-00001.txt")
    assert [post.post_id for post in alone] == [post.post_id for post in posts_in(folder)[1:]]
    table = write_jsonl(folder / "faq.jsonl", RECORDS)
    assert posts_in(table)[0].post_id == posts_in(folder)[0].post_id


def test_moving_an_archive_keeps_its_ids(tmp_path: Path) -> None:
    """Only the last two folders count."""
    one = posts_in(write_pages(tmp_path / "one" / "site" / "pages", 1))
    two = posts_in(write_pages(tmp_path / "two" / "site" / "pages", 1))
    assert ids(one) == ids(two)


def test_folders_of_one_name_are_told_apart(tmp_path: Path) -> None:
    """Two dumps named alike get as much of their paths as it takes."""
    first = write_jsonl(tmp_path / "beer" / "raw" / "faq.jsonl", RECORDS)
    second = write_jsonl(tmp_path / "wine" / "raw" / "faq.jsonl", RECORDS)
    third = write_jsonl(tmp_path / "old" / "beer" / "raw" / "faq.jsonl", RECORDS)
    found = posts_in(first, second.parent, third)
    assert [post.source for post in found][1:] == ["wine/raw/faq.jsonl", "old/beer/raw/faq.jsonl"]
    assert len({post.post_id for post in found}) == 3


def test_a_source_named_twice_or_inside_another_is_read_once(tmp_path: Path) -> None:
    """Overlapping sources give no copies."""
    folder = write_pages(tmp_path / "pages", 2)
    assert len(posts_in(folder, folder, folder / "post-00000.txt")) == 2
    assert len(posts_in(folder / "post-00000.txt", folder)) == 2


def test_gzip_zip_and_7z_are_opened(tmp_path: Path) -> None:
    """Also within one another; members are named by their path in the container."""
    plain = write_jsonl(tmp_path / "in" / "faq.jsonl", RECORDS)
    pages = write_pages(tmp_path / "in" / "pages", 2)
    packed = tmp_path / "packed"
    packed.mkdir()
    (packed / "faq.jsonl.gz").write_bytes(gzip.compress(plain.read_bytes()))
    with zipfile.ZipFile(packed / "pages.zip", "w") as archive:
        for path in sorted(pages.iterdir()):
            archive.write(path, f"deep/{path.name}")
        archive.writestr("__MACOSX/deep/._post-00000.txt", b"\0\5\26\7")
        archive.writestr("inner.jsonl.gz", gzip.compress(plain.read_bytes()))
    with py7zr.SevenZipFile(packed / "site.7z", "w") as seven:
        seven.write(plain, "faq.jsonl")
        seven.write(pages / "post-00000.txt", "p/post-00000.txt")
    assert ids(posts_in(packed)) == [
        (f"{tmp_path.name}/packed/faq.jsonl.gz", "a"),
        (f"{tmp_path.name}/packed/pages.zip", "deep/post-00000.txt"),
        (f"{tmp_path.name}/packed/pages.zip", "deep/post-00001.txt"),
        (f"{tmp_path.name}/packed/pages.zip/inner.jsonl.gz", "a"),
        (f"{tmp_path.name}/packed/site.7z/faq.jsonl", "a"),
        (f"{tmp_path.name}/packed/site.7z", "p/post-00000.txt"),
    ]


def test_a_stack_exchange_7z_is_read_from_its_posts_alone(tmp_path: Path) -> None:
    """The tables that it does not need are not even unpacked; the file's name makes the links."""
    dump = tmp_path / "Posts.xml"
    dump.write_text(
        '<posts><row Id="1" PostTypeId="1" Body="q" /><row Id="2" PostTypeId="2" ParentId="1" Body="a" /></posts>'
    )
    (tmp_path / "Votes.xml").write_text("not even XML")
    with py7zr.SevenZipFile(tmp_path / "beer.stackexchange.com.7z", "w") as seven:
        seven.write(dump, "Posts.xml")
        seven.write(tmp_path / "Votes.xml", "Votes.xml")
    (found,) = posts_in(tmp_path / "beer.stackexchange.com.7z")
    assert (found.answer, found.url) == ("a", "https://beer.stackexchange.com/q/1")


def test_names_that_climb_out_of_a_container_write_nothing(tmp_path: Path) -> None:
    """A member's name is shown and hashed; no file is ever made of it."""
    container = tmp_path / "box" / "evil.zip"
    container.parent.mkdir()
    with zipfile.ZipFile(container, "w") as archive:
        archive.writestr("../../escaped.txt", page("T", "q", "a"))
    (found,) = posts_in(container)
    assert found.title == "T"
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["box", "evil.zip"]


def test_links_are_followed_within_the_source_and_nowhere_else(tmp_path: Path) -> None:
    """An archive of somebody else's cannot make us read what is ours, and no loop goes on for ever."""
    folder = write_pages(tmp_path / "pages", 1)
    (tmp_path / "secret.txt").write_text(page("Secret", "q", "a"))
    (folder / "hidden").mkdir()
    (folder / "in.txt").symlink_to("post-00000.txt")
    (folder / "out.txt").symlink_to("../secret.txt")
    (folder / "nowhere.txt").symlink_to("nothing.txt")
    (folder / "itself.txt").symlink_to("itself.txt")
    (folder / "hidden" / "loop").symlink_to("..")
    (folder / "parent").symlink_to("..")
    items = list(read_archives([folder]))
    assert [item.source_id for item in items if isinstance(item, Post)] == ["in.txt", "post-00000.txt"]
    notes = {item.source.rpartition("/")[2]: item.reason for item in items if isinstance(item, SetAside)}
    assert sorted(notes) == ["itself.txt", "nowhere.txt", "out.txt", "parent"]
    assert (
        notes["out.txt"]
        == notes["parent"]
        != notes["nowhere.txt"]
        == notes["itself.txt"]
        == "a link that leads nowhere"
    )
    assert "leads out of the source folder: name its target" in notes["out.txt"]
    assert posts_in(folder / "out.txt")[0].title == "Secret"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_keeps_nobody_waiting(tmp_path: Path) -> None:
    """It is set aside in a folder, and an error by itself."""
    write_pages(tmp_path, 1)
    os.mkfifo(tmp_path / "pipe.jsonl")
    found = list(read_archives([tmp_path]))
    assert [str(item).rpartition("/")[2] for item in found if isinstance(item, SetAside)] == [
        "pipe.jsonl: a pipe, a device or a socket, not a file"
    ]
    with pytest.raises(UnknownFormatError, match=r"pipe\.jsonl: a pipe, .* Write what comes out of it to a file"):
        list(read_archives([tmp_path / "pipe.jsonl"]))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_file_that_becomes_a_pipe_keeps_nobody_waiting(tmp_path: Path) -> None:
    """What is opened is looked at again."""
    write_pages(tmp_path, 2)
    items = read_archives([tmp_path], keep_going=True)
    next(items)
    (tmp_path / "post-00001.txt").unlink()
    os.mkfifo(tmp_path / "post-00001.txt")
    (note,) = items
    assert isinstance(note, SetAside)
    assert "a pipe, a device or a socket" in note.reason


def test_folders_may_be_nested_deeper_than_python_recurses(tmp_path: Path) -> None:
    """What the file system itself refuses to list is set aside."""
    folder = tmp_path.joinpath(*["d"] * 400)
    folder.mkdir(parents=True)
    (folder / "deep.txt").write_text(page("T", "q", "a"))
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(300)
    try:
        assert len(posts_in(tmp_path)) == 1
    finally:
        sys.setrecursionlimit(limit)


def test_a_damaged_member_does_not_take_the_others_along(tmp_path: Path) -> None:
    """With keep_going, what lies behind it in the same zip is read."""
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.txt", page("T", "q", "first"))
        archive.writestr("b.jsonl.gz", gzip.compress(json.dumps(RECORDS[0]).encode())[:-9])
        archive.writestr("c.zip", b"PK\3\4 and nothing else")
        archive.writestr("d.txt", page("T", "q", "last"))
    found = list(read_archives([tmp_path], keep_going=True))
    assert [item.answer if isinstance(item, Post) else item.source.rpartition("/")[2] for item in found] == [
        "first", "b.jsonl.gz", "c.zip", "c.zip", "last",
    ]  # fmt: skip
    with pytest.raises(DamagedArchiveError, match=r"a\.zip: b\.jsonl\.gz: .*damaged"):
        list(read_archives([tmp_path]))


LINES = [json.dumps({"id": number, "question": f"q{number} hurts", "answer": "rest"}) for number in range(2000)]
ROWS = ("\n".join(LINES) + "\n").encode()


def packed_as(kind: str) -> bytes:
    """Pack the rows, and do something to the end of them."""
    packed = gzip.compress(ROWS, mtime=0)
    if kind == "a gzip file and more":
        return packed + b"trailing garbage"
    if kind == "a gzip file without a line end, and more":
        return gzip.compress(ROWS.rstrip(), mtime=0) + b"trailing garbage"
    if kind == "a small gzip file and more":
        return gzip.compress(ROWS[: len(LINES[0]) + 1]) + b"\n"
    if kind == "a gzip file without its end":
        return packed[:-12]
    if kind == "two gzip files, the second damaged":
        return packed + gzip.compress(b"")[:-4] + b"1234"
    raise ValueError(kind)


@pytest.mark.parametrize(
    ("kind", "count", "reason"),
    [
        ("a gzip file and more", 2000, "bytes is not compressed"),
        ("a gzip file without a line end, and more", 2000, "bytes is not compressed"),
        ("a small gzip file and more", 1, "bytes is not compressed"),
        ("a gzip file without its end", 1999, "truncated"),
        ("two gzip files, the second damaged", 2000, "damaged"),
    ],
)
def test_what_comes_before_damage_in_a_gzip_file_is_read(tmp_path: Path, kind: str, count: int, reason: str) -> None:
    """With keep_going; the rest is told. Without, the file is an error."""
    (tmp_path / "a.jsonl.gz").write_bytes(packed_as(kind))
    found = list(read_archives([tmp_path / "a.jsonl.gz"], keep_going=True))
    assert sum(isinstance(item, Post) for item in found) >= count - (reason == "truncated")
    assert [item.reason for item in found if isinstance(item, SetAside) and reason in item.reason]
    with pytest.raises(DamagedArchiveError, match=rf"a\.jsonl\.gz: .*{reason}.*keep_going=True"):
        list(read_archives([tmp_path / "a.jsonl.gz"]))


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_what_comes_before_damage_in_a_zip_is_read(tmp_path: Path, method: int) -> None:
    """With keep_going: the rows of a damaged member, the member behind it, and a note; a locked one gives nothing."""
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("a.jsonl", ROWS)
        archive.writestr("b.jsonl", LINES[0].replace("q0", "last"))
        archive.writestr("c.jsonl", b"locked")
    data = bytearray(path.read_bytes())
    data[data.index(b"a.jsonl") + 7 + (len(ROWS) if method == zipfile.ZIP_STORED else 6000) - 20] ^= 0xFF
    data[data.rindex(b"PK\x01\x02") + 8] |= 1  # the last one is locked
    path.write_bytes(data)
    found = list(read_archives([path], keep_going=True))
    posts = [item.question for item in found if isinstance(item, Post)]
    assert len(posts) > 500
    assert posts[-1] == "last hurts"
    reasons = [item.reason for item in found if isinstance(item, SetAside)]
    assert reasons[-1] == "locked by a password: unpack it first, with the password"
    assert any("damaged or truncated" in reason for reason in reasons)
    with pytest.raises(DamagedArchiveError, match=r"a\.zip: a\.jsonl: .*damaged"):
        list(read_archives([path]))


def texts_zipped(names: Sequence[str], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Zip 20 rows under each name."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name in names:
            archive.writestr(name, "\n".join(line.replace("q", f"{name} q") for line in LINES[:20]))
    return buffer.getvalue()


def read_what_is_left(path: Path) -> tuple[Counter[str], list[str]]:
    """Count the posts of each file with keep_going, and collect the notes; without it, the error names the way out."""
    found = list(read_archives([path], keep_going=True))
    with pytest.raises(DamagedArchiveError, match=rf"{path.name}: .*damaged.*keep_going=True"):
        list(read_archives([path]))
    posts = Counter(item.source.rpartition("/")[2] for item in found if isinstance(item, Post))
    return posts, [str(item).partition(f"{path.name}")[2] for item in found if isinstance(item, SetAside)]


def test_a_zip_that_was_cut_off_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    """With keep_going: whole files, the beginning of the last one, and its name in a note."""
    data = texts_zipped(["a.jsonl", "b.jsonl", "c.jsonl"], zipfile.ZIP_STORED)
    (tmp_path / "a.zip").write_bytes(data[: data.index(b"c.jsonl q10")])
    posts, notes = read_what_is_left(tmp_path / "a.zip")
    assert posts == {"a.jsonl": 20, "b.jsonl": 20, "c.jsonl": 10}
    assert notes == [
        ": the archive is damaged or truncated (the directory is missing): the files in it are found without their "
        "directory",
        "/c.jsonl: the archive is damaged or truncated (an entry ends too early)",
        ": the archive is damaged or truncated (it ends within 'c.jsonl': nothing after that can be found)",
    ]


def test_a_directory_that_is_damaged_halfway_gives_no_file_twice(tmp_path: Path) -> None:
    """What it names is read by it, the rest without it."""
    data = texts_zipped(["a.jsonl", "b.jsonl", "c.jsonl"])
    (tmp_path / "a.zip").write_bytes(data[::-1].replace(b"\2\1KP", b"\0\1KP", 1)[::-1])
    posts, notes = read_what_is_left(tmp_path / "a.zip")
    assert posts == {"a.jsonl": 20, "b.jsonl": 20, "c.jsonl": 20}
    assert len(notes) == 1


def test_zips_behind_one_another_are_all_read(tmp_path: Path) -> None:
    """The directory at the end is that of the last one: the others were lost in silence."""
    (tmp_path / "a.zip").write_bytes(texts_zipped(["a.jsonl"]) + texts_zipped(["b.jsonl"]))
    assert read_what_is_left(tmp_path / "a.zip")[0] == {"a.jsonl": 20, "b.jsonl": 20}


@pytest.mark.parametrize("packed", ["in a zip", "in a gzip file"])
def test_a_zip_in_what_was_cut_off_is_read_as_far_as_it_goes(tmp_path: Path, packed: str) -> None:
    """A container within a damaged container is no less than a file within it."""
    inner = texts_zipped(["a.jsonl", "b.jsonl"], zipfile.ZIP_STORED)
    if packed == "in a zip":
        path, buffer = tmp_path / "outer.zip", io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("inner.zip", inner)
        path.write_bytes(buffer.getvalue()[: buffer.getvalue().index(b"b.jsonl q10")])
    else:
        path = tmp_path / "outer.zip.gz"
        path.write_bytes(gzip.compress(inner, 0)[: 10 + 5 + inner.index(b"b.jsonl q10")])
    posts, notes = read_what_is_left(path)
    assert posts == {"a.jsonl": 20, "b.jsonl": 10}
    assert any("/b.jsonl: the archive is damaged or truncated" in note for note in notes)


def test_a_damaged_7z_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    """With keep_going: the files before the damage; the one that has it and those behind it are named."""
    path = tmp_path / "a.7z"
    with py7zr.SevenZipFile(path, "w", filters=[{"id": py7zr.FILTER_COPY}]) as archive:
        for name in ("a.jsonl", "b.jsonl", "c.jsonl"):
            archive.writestr("\n".join(line.replace("q", f"{name} q") for line in LINES[:20]), name)
    data = bytearray(path.read_bytes())
    data[data.index(b"b.jsonl q10")] ^= 0xFF
    path.write_bytes(data)
    posts, notes = read_what_is_left(path)
    assert posts == {"a.jsonl": 20, "b.jsonl": 19}  # its last line has no end: there could be more of it
    assert [note.partition(": ")[0] for note in notes] == ["", "/b.jsonl", "/c.jsonl"]
    assert notes[2] == "/c.jsonl: not unpacked, as the archive is damaged before it"


@pytest.mark.process
def test_a_document_that_was_cut_off_is_not_an_archive_of_its_parts(tmp_path: Path) -> None:
    """The XML inside is no post."""
    paragraphs = "".join(f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p>" for text in ("Q: Knee hurts?", "A: Rest it."))
    word = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    with zipfile.ZipFile(tmp_path / "a.docx", "w") as archive:
        archive.writestr(
            "word/document.xml", f'<w:document xmlns:w="{word}"><w:body>{paragraphs}</w:body></w:document>'
        )
    data = (tmp_path / "a.docx").read_bytes()
    (tmp_path / "a.docx").write_bytes(data[: data.index(b"PK\1\2")])
    (note,) = read_archives([tmp_path / "a.docx"], keep_going=True)
    assert isinstance(note, SetAside)
    assert note.source.endswith("/a.docx")


def test_links_in_containers_are_set_aside(tmp_path: Path) -> None:
    """What a link says is no post."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "link.txt").symlink_to("/etc/hosts")
    entry = zipfile.ZipInfo("link.txt")
    entry.create_system, entry.external_attr = 3, 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(entry, "/etc/hosts")
    with py7zr.SevenZipFile(tmp_path / "a.7z", "w") as seven:
        seven.write(tmp_path / "in" / "link.txt", "link.txt")
    for name in ("a.zip", "a.7z"):
        (note,) = read_archives([tmp_path / name])
        assert isinstance(note, SetAside)
        assert note.reason == "a link, and links in archives are not followed"


def test_a_zip_in_a_gzip_file_is_unpacked_once(tmp_path: Path) -> None:
    """It is read from all over, so it is written out first."""
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for number in range(3):
            archive.writestr(f"{number}.txt", page("T", "q", f"a{number}"))
    packed = tmp_path / "packed" / "a.zip.gz"
    packed.parent.mkdir()
    packed.write_bytes(gzip.compress((tmp_path / "a.zip").read_bytes()))
    assert [post.answer for post in posts_in(packed)] == ["a0", "a1", "a2"]


def test_control_characters_in_names_are_replaced(tmp_path: Path) -> None:
    """A file name could else clear the screen, or pretend to be another line."""
    (tmp_path / "a\x1b[2J\n\u202eb.txt").write_text(page("T", "q", "a"))
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("c\x9b\nd.txt", page("T", "q", "a"))
    assert [post.source_id for post in posts_in(tmp_path)] == ["a\ufffd[2J\ufffd\ufffdb.txt", "c\ufffd\ufffdd.txt"]


def test_a_source_that_is_not_there(tmp_path: Path) -> None:
    """The message names it."""
    with pytest.raises(SourceNotFoundError, match=r"nowhere: no such file or folder"):
        list(read_archives([tmp_path / "nowhere"]))


@pytest.mark.parametrize("suffix", ["gz", "zip", "7z"])
@pytest.mark.parametrize("keep", [0.5, 0.95])
def test_a_truncated_container_is_damage(tmp_path: Path, suffix: str, keep: float) -> None:
    """Whole or not at all: a cut file is named, wherever the cut is."""
    plain = write_jsonl(
        tmp_path / "faq.jsonl", [{"id": n, "question": os.urandom(50).hex(), "answer": "A"} for n in range(500)]
    )
    packed = tmp_path / f"faq.{suffix}"
    if suffix == "gz":
        packed.write_bytes(gzip.compress(plain.read_bytes()))
    elif suffix == "zip":
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.write(plain, "faq.jsonl")
    else:
        with py7zr.SevenZipFile(packed, "w") as seven:
            seven.write(plain, "faq.jsonl")
    data = packed.read_bytes()
    packed.write_bytes(data[: int(len(data) * keep)])
    with pytest.raises(DamagedArchiveError, match=rf"faq\.{suffix}.*damaged"):
        list(read_archives([packed]))
    *_, note = read_archives([packed], keep_going=True)
    assert isinstance(note, SetAside)
    assert "damaged" in note.reason


def test_a_zip_with_a_password_is_told(tmp_path: Path) -> None:
    """It cannot be read, and the message says why."""
    path = tmp_path / "locked.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("faq.jsonl", '{"question": "q"}')
    data = bytearray(path.read_bytes())
    for header, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        data[data.index(header) + offset] |= 1  # the flag "encrypted"
    path.write_bytes(data)
    with pytest.raises(DamagedArchiveError, match="password"):
        list(read_archives([path]))


def test_unknown_files_are_set_aside_in_a_folder_and_errors_by_themselves(tmp_path: Path) -> None:
    """A picture beside the pages does not stop a build; a picture instead of an archive does."""
    folder = write_pages(tmp_path / "pages", 1)
    picture = folder / "a.png"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)))
    (folder / "empty.txt").touch()
    notes = [item for item in read_archives([folder]) if isinstance(item, SetAside)]
    assert [(note.source.rpartition("/")[2], note.reason) for note in notes] == [
        (
            "a.png",
            "a picture, which is not read: recognise its text first, for example with "
            "`ocrmypdf --image-dpi 300 FILE faq.pdf`",
        ),
        ("empty.txt", "an empty file"),
    ]
    with pytest.raises(UnknownFormatError, match=r"a\.png: a picture, which is not read: .*ocrmypdf"):
        list(read_archives([picture]))


def test_file_names_in_broken_encodings_are_survived(tmp_path: Path) -> None:
    """The file system allows bytes that are no text; an id cannot hold them."""
    raw = os.fsencode(tmp_path) + b"/bad\xff.txt"
    Path(os.fsdecode(raw)).write_text(page("T", "q", "a"))
    (found,) = posts_in(tmp_path)
    assert found.source_id == "bad\ufffd.txt"
    assert found.post_id
