"""Posts in SQLite."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_search.errors import IndexDamagedError
from qa_search.index.filters import Filters, fold_tag
from qa_search.index.folder_stores import damage_in
from qa_search.index.stores.post_rows import content_hash, told_apart
from qa_search.index.stores.posts import PostStore
from qa_search.index.stores.posts_writer import PostWriter
from qa_search.types import AnswerPart, MissingPost, Passage, Post, SetAside, SourceCount


def add(writer: PostWriter, post: Post) -> int | None:
    return writer.add(post, content_hash(post))


def stored(folder: Path, *posts: Post) -> PostStore:
    folder.mkdir(exist_ok=True)
    writer = PostWriter(folder)
    for post in posts:
        number = add(writer, post)
        if number is not None:
            writer.add_passages(number, [(Passage("question", 0, 1), b"q"), (Passage("answer", 0, 1), b"a")])
    writer.close()
    return PostStore(folder)


FULL = Post(
    "s/f.json", "7", "T", "Q “quoted”", "A1\n\nA2", "2015-02-03T01:02:03", "https://example.org", ("a", "B c"),
    "Ann", 3,
    (AnswerPart(0, 2, "8", 5, True, "Bob", "2015-02-04"), AnswerPart(4, 6)), "before", "",
)  # fmt: skip


def test_a_post_comes_back_as_it_was(tmp_path: Path) -> None:
    """Every field, by id and by number."""
    store = stored(tmp_path, FULL)
    assert store.find(FULL.post_id) == FULL
    assert store.entry(0) == FULL
    assert store.find("nonsense") is None


@given(text=st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_any_text_comes_back_as_it_was(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    """Quotes, NULs, emoji, right-to-left: nothing is special to the database."""
    post = Post("s", text, text, text, text, tags=(text,), author=text)
    assert stored(tmp_path_factory.mktemp("db"), post).find(post.post_id) == post


def test_identical_posts_are_stored_once_under_all_their_ids(tmp_path: Path) -> None:
    """A blank more makes another text: what is shown under an id is always its own."""
    first = Post("one", "1", "T", "same text", "A")
    again = Post("two", "x", "T", "same text", "A", date="2019-01-01")
    other = Post("two", "y", "T", "same  text", "A")
    store = stored(tmp_path, first, again, other)
    assert store.ids_of(again.post_id) == [first.post_id, again.post_id]
    found = store.find(again.post_id)
    assert found is not None
    assert (found.source, found.source_id, found.date) == ("two", "x", "2019-01-01")
    assert store.passages([0, 1, 2]) == {
        0: Passage("question", 0, 1), 1: Passage("answer", 0, 1), 2: Passage("question", 0, 1),
    }  # fmt: skip
    assert store.source_ids([0, 1]) == {0: ["1", "x"], 1: ["y"]}


def names(folder: Path, *posts: Post) -> dict[str, str]:
    """Store posts; return what each question's post is called."""
    store = stored(folder, *posts)
    entries = [store.entry(number) for number in range(len({content_hash(post) for post in posts}))]
    return {post.question: post.source_id for post in entries}


def asked(source_id: str, question: str) -> Post:
    """Make a post of source "s"."""
    return Post("s", source_id, question=question, answer="a")


def test_posts_of_one_id_are_called_by_what_they_say(tmp_path: Path) -> None:
    """Neither their order nor a third one changes what two posts of one id are called; none has the plain id."""
    one, two, three = (asked("1", text) for text in ("q1", "q2", "q3"))
    found = names(tmp_path / "a", one, two)
    assert found == {post.question: f"1~{told_apart(content_hash(post))}" for post in (one, two)}
    assert names(tmp_path / "b", two, one) == found
    assert names(tmp_path / "c", three, two, one).items() >= found.items()
    assert names(tmp_path / "d", two) == {"q2": "1"}


def test_copies_of_one_post_keep_its_id(tmp_path: Path) -> None:
    """A post that comes twice keeps its id for the first of them, and the second gets one that means the same text."""
    one, two = asked("1", "q1"), asked("1", "q2")
    name = f"1~{told_apart(content_hash(one))}"
    assert stored(tmp_path / "a", one, one).source_ids([0]) == {0: ["1", f"{name}.2"]}
    assert stored(tmp_path / "b", one, two, one).source_ids([0]) == {0: [name, f"{name}.2"]}


@pytest.mark.parametrize("copy", [1, 2])
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (0, 2, 1)])
def test_no_post_takes_an_id_that_told_others_apart(tmp_path: Path, copy: int, order: tuple[int, ...]) -> None:
    """A post whose own id is that by which two others are told apart is renamed; theirs still mean their texts."""
    one, two = asked("1", "q1"), asked("1", "q2")
    forged = asked(f"1~{told_apart(content_hash(one), copy)}", "q3")
    posts = [one, two, forged]
    found = names(tmp_path, *(posts[number] for number in order))
    assert found == names(tmp_path / "b", one, two) | {"q3": f"{forged.source_id}~{told_apart(content_hash(forged))}"}


DATED = [
    Post("s/a.csv", "1", "", "q1", "a", "2014-12-31T23:59:59", tags=("Shin Splints",)),
    Post("s/a.csv", "2", "", "q2", "a", "2015-06-15", tags=("shin-splints", "knee")),
    Post("s/pages", "deep/3.txt", "", "q3", "a", "2016-01-01T00:00:00"),
    Post("s/pages", "4.txt", "", "q4", "a", None),
]


@pytest.mark.parametrize(
    ("filters", "posts"),
    [
        (Filters(), [0, 1, 2, 3]),
        (Filters(since="2015-01-01"), [1, 2]),
        (Filters(until="2015-01-01"), [0]),
        (Filters(since="2015-01-01", until="2016-01-01"), [1]),
        (Filters(source="s/a.csv"), [0, 1]),
        (Filters(source="*/pages*"), [2, 3]),
        (Filters(source="s/pages/deep/*"), [2]),
        (Filters(source="'; DROP TABLE post; --"), []),
        (Filters(tags=("Shin_splints",)), [0, 1]),
        (Filters(tags=("shin splints", "knee")), [1]),
        (Filters(tags=("no such tag",)), []),
        (Filters(hidden=(1, 3)), [0, 2]),
        (Filters(source="s/a.csv", hidden=(1, 3)), [0]),
    ],
)
def test_filters_choose_posts(tmp_path: Path, filters: Filters, posts: list[int]) -> None:
    """By date, source and tags; posts without a date pass no date filter."""
    store = stored(tmp_path, *DATED)
    assert store.allowed_posts(filters).tolist() == posts
    assert store.allowed_posts(filters).dtype == np.int64
    assert store.passing([3, 1, 0], filters) == [post for post in posts if post != 2]


def test_dates_are_the_latest_of_each_post(tmp_path: Path) -> None:
    """Of several ids of one text; a post without a date is left out."""
    store = stored(tmp_path, *DATED, Post("s/b.csv", "9", "", "q2", "a", "2017-01-01"))
    assert store.dates([3, 1, 0]) == {0: "2014-12-31T23:59:59", 1: "2017-01-01"}
    assert store.latest_date("2016-12-31") == "2016-01-01T00:00:00"
    assert store.latest_date("2000-01-01") is None


def test_a_copy_passes_the_filter_that_its_original_does_not(tmp_path: Path) -> None:
    """And is shown under the id that passes."""
    store = stored(tmp_path, Post("beer", "1", "", "q", "a"), Post("wine", "9", "", "q", "a"))
    assert store.allowed_posts(Filters(source="wine")).tolist() == [0]
    assert store.entry(0, Filters(source="wine")).source_id == "9"


def test_tags_fold_case_blanks_and_dashes() -> None:
    """People type tags in many ways."""
    assert {fold_tag(tag) for tag in ("Shin Splints", "shin-splints", "shin_splints ")} == {"shin-splints"}


def test_missing_posts_are_titles_that_only_links_mention(tmp_path: Path) -> None:
    """Compared without case and blanks; an unanswered page is there; empty links mention nothing."""
    writer = PostWriter(tmp_path)
    add(writer, Post("p", "a.txt", "A", "q", "a", prev_title="", next_title="b  again"))
    add(writer, Post("p", "b.txt", "B again", "q", "b", prev_title="a", next_title="Gone"))
    add(writer, Post("p", "d.txt", "D", "q", "d", prev_title="gone", next_title="Waiting"))
    writer.add_unanswered(Post("p", "w.txt", "Waiting", "q", prev_title="D", next_title="Gone too"))
    add(writer, Post("json", "1", "not a page", "q", "e"))
    writer.close()
    assert PostStore(tmp_path).missing_posts() == [
        MissingPost("Gone", ("b.txt", "d.txt")),
        MissingPost("Gone too", ("w.txt",)),
    ]


def test_sources_are_counted_in_every_way(tmp_path: Path) -> None:
    """Posts with copies, unanswered questions, and what was set aside."""
    writer = PostWriter(tmp_path)
    add(writer, Post("one", "1", "", "q", "a"))
    add(writer, Post("one", "2", "", "q", "a"))
    writer.add_unanswered(Post("two", "1", "", "q"))
    writer.add_set_aside(SetAside("two", "line 3", "broken"))
    writer.close()
    store = PostStore(tmp_path)
    assert store.source_counts() == [SourceCount("one", 2, 0, 0), SourceCount("two", 0, 1, 1)]
    assert store.set_aside() == [SetAside("two", "line 3", "broken")]


@pytest.mark.parametrize("damage", ["missing", "cut", "no database"])
def test_a_damaged_database_is_named(tmp_path: Path, damage: str) -> None:
    """At opening or at first use, never as another library's error."""
    store = stored(tmp_path, *[Post("s", str(n), "", f"q{n} " * 500, "a") for n in range(50)])
    path = tmp_path / "posts.sqlite"
    store.close()
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(b"not a database" * 999 if damage == "no database" else path.read_bytes()[:20_000])
    with pytest.raises(IndexDamagedError, match=r"posts\.sqlite.*Build the index again"):
        PostStore(tmp_path, damage_in(tmp_path)).allowed_posts(Filters(since="2000"))
