"""An id means the same text for ever: through adds, changes, removals and rebuilds in any order.

A plain list is the model: which texts the archive has under which ids. After every build the index must say the same,
and an id by which posts of one id were told apart must never mean another text than in any build before.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any, ClassVar, NamedTuple
from urllib.parse import quote

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from qa_search import SearchIndex, build_index
from qa_search.embedders.passages import Splitter
from qa_search.errors import NoPostsError
from qa_search.evaluation import tuning
from qa_search.index.folder import IndexFolder
from qa_search.index.stores.post_rows import content_hash, passage_key, told_apart
from qa_search.search.fusion import DEFAULT_WEIGHTS
from qa_search.types import FIELDS, Passage, Post
from tests.helpers import WordsEmbedder, page, write_jsonl
from tests.reliability.conftest import Campaign

LIMIT = 12  # tokens of a passage: every answer is several passages
RECORD_FILES = ("faq.jsonl", "more/faq.jsonl")
LIKE_TOLD_APART = "1~aaaaaaaaaaaaaaaa"
RECORD_IDS = ("1", "01", "10", "1~2", LIKE_TOLD_APART, "a b", "A", "a", "é", "e\u0301", "膝", "'", "1/2")
PAGES = ("page-1.txt", "page-10.txt", "more/page-1.txt", "zürich.txt")
TUNED = {"best": 1.0, "lexical": 0.5}


class Key(NamedTuple):
    """Where a post is: the file, and its id in it (for pages the file's name)."""

    file: str
    source_id: str

    @property
    def post_id(self) -> str:
        """The id that stands for it."""
        source = "/".join(filter(None, ("site/archive", self.file)))
        return Post(source, self.source_id).post_id


class Text(NamedTuple):
    """What a post says."""

    title: str
    question: str
    answer: str


RECORD_KEYS = [Key(file, source_id) for file in RECORD_FILES for source_id in RECORD_IDS]
KEYS = RECORD_KEYS + [Key("", page) for page in PAGES]
Records = list[tuple[Key, Text]]


def named(records: Records) -> dict[Key, Text]:
    """Say which text each id means: different texts of one id are told apart by what they say."""
    texts: dict[Key, list[Text]] = {}
    for key, text in records:
        texts.setdefault(key, []).append(text)
    found: dict[Key, Text] = {}
    for key, same in texts.items():
        for number, text in enumerate(same):
            content = content_hash(Post("", "", *text))
            copy = same[:number].count(text) + 1
            found[Key(key.file, f"{key.source_id}~{told_apart(content, copy)}")] = text
        if len(set(same)) == 1 and key.source_id != LIKE_TOLD_APART:
            del found[Key(key.file, f"{key.source_id}~{told_apart(content)}")]
            found[key] = same[0]
    return found


def write_text(number: int) -> Text:
    """Write a text, each word of which is in no other but the commonest."""
    return Text(
        f"Title{number}",
        f"My knee{number} hurts. It began in week{number} after stairs{number} and nothing{number} helps it{number}.",
        f"Rest it{number} for a month{number}.\n1) Ice{number} the joint{number} every day{number} at noon{number}.\n"
        f"2) Walk{number} slowly{number} up hill{number}, then down{number} again{number}.",
    )


def reflow(text: str, choice: int) -> str:
    """Set the same words otherwise: blanks between them, and where lines end."""
    words = text.split()
    blank = ("  ", "\n", " \t", " ")[choice % 4]
    cut = choice % len(words) + 1 if words else 0
    return (blank.join(words[:cut]) + "\n\n" + " ".join(words[cut:])).strip()


def write_archive(folder: Path, archive: Records) -> Path:
    """Write the posts of a model in their files, records in their order."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for file in RECORD_FILES:
        records: list[dict[str, str]] = []
        for key, text in archive:
            if key.file == file:
                # Rows of one question with different links are not joined into one post.
                earlier = sum(record["id"] == key.source_id for record in records)
                url = f"https://example.org/{quote(key.source_id, safe='')}/{earlier}"
                records.append({"id": key.source_id, **text._asdict(), "url": url})
        if records:
            write_jsonl(folder / file, records)
    for key, text in archive:
        if not key.file:
            path = folder / key.source_id
            path.parent.mkdir(exist_ok=True)
            path.write_text(page(text.title, text.question, text.answer), encoding="utf-8")
    return folder


def differences(index: SearchIndex, archive: Records, embedder: WordsEmbedder) -> list[str]:
    """Compare all that an index says with the model; return what is not the same."""
    answered = named([(key, text) for key, text in archive if text.answer])
    found = [*_different_posts(index, answered), *_different_hits(index, answered)]
    return found + _different_passages(index, embedder)


def _different_posts(index: SearchIndex, answered: dict[Key, Text]) -> list[str]:
    found = []
    for key in {*KEYS, *answered}:
        post = index.post(key.post_id)
        stored = None if post is None else Text(post.title, post.question, post.answer)
        if stored != answered.get(key):
            found.append(f"{key} is {stored}, not {answered.get(key)}")
        elif post is not None and (post.source_id, post.post_id) != (key.source_id, key.post_id):
            found.append(f"{key} is called {post.source_id} of {post.source}")
        same = {other.post_id for other, text in answered.items() if key in answered and text == answered[key]}
        if set(index.post_ids(key.post_id)) != same:
            found.append(f"{key} has the ids {index.post_ids(key.post_id)}, not {same}")
    return found


def _different_hits(index: SearchIndex, answered: dict[Key, Text]) -> list[str]:
    """Ask for every post by its own words."""
    found = []
    ids = {key.post_id: text for key, text in answered.items()}
    for key, text in answered.items():
        hits = index.search(text.answer, 3).hits
        wrong = [hit.post_id for hit in hits if ids.get(hit.post_id) != Text(hit.title, hit.question, hit.answer)]
        if wrong:
            found.append(f"hits for {key} say what their posts do not: {wrong}")
        words = text.answer.split()
        if hits[0].answer.split() != words:
            found.append(f"{key} is not found by its own words: {hits[0].answer!r} is")
        elif sum(other.answer.split() == words for other in answered.values()) == 1 and hits[0].post_id != key.post_id:
            found.append(f"{key} is found as {hits[0].post_id}")
    return found


def _different_passages(index: SearchIndex, embedder: WordsEmbedder) -> list[str]:
    """Compare every passage with a fresh cut of its post, and every stored vector with a fresh one of its passage."""
    posts, vectors, owners = index.retriever.posts, index.retriever.vectors, index.retriever.owners
    numbers = np.arange(vectors.count)
    stored = [passage for block in posts.passage_blocks(100) for passage in block]
    assert [passage.number for passage in stored] == numbers.tolist()
    splitter = Splitter(embedder.count_tokens, LIMIT)
    found = []
    for number in dict.fromkeys(passage.post for passage in stored):
        post = posts.entry(number)
        cut = [(passage.field, passage_text(post, passage)) for passage in splitter.passages(post)]
        own = owners.passages_of(np.asarray([number]))[0].tolist()
        if [(stored[at].field, stored[at].text) for at in own] != cut:
            found.append(f"{post.source_id} is cut into {[stored[at].text for at in own]}, not {cut}")
    for passage, side in zip(stored, owners.sides_of(numbers), strict=True):
        if (passage.field, passage.key) != (side, passage_key(passage.text)):
            found.append(f"passage {passage.number} is filed under {side} with another key than its own")
    fresh = embedder.embed_queries([passage.text for passage in stored])
    wrong = np.flatnonzero(~np.isclose(vectors.reconstruct(numbers), fresh, atol=1e-6).all(axis=1))
    return found + [f"the vector of passage {number} is not that of {stored[number].text!r}" for number in wrong]


def passage_text(post: Post, passage: Passage) -> str:
    """Return the text that a passage is."""
    text: str = getattr(post, passage.field)[passage.start : passage.end]
    return text


class Archive(RuleBasedStateMachine):
    """An archive that people work on, and its index."""

    base: ClassVar[Path]
    builds: ClassVar[int] = 0
    edits: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(dir=self.base))
        self.embedder = WordsEmbedder(limit=LIMIT)
        self.posts: dict[Key, Text] = {}
        self.twins: Records = []  # under ids that may be those of other posts
        self.twins_first = False
        self.published: Records | None = None
        self.told_apart: dict[str, Text] = {}
        self.weights = dict(DEFAULT_WEIGHTS)
        self.written = 0
        self.checked = True

    def teardown(self) -> None:
        """Remove it."""
        shutil.rmtree(self.folder)

    def new_text(self) -> Text:
        """Write a text that was never there."""
        self.written += 1
        return write_text(self.written)

    @property
    def archive(self) -> Records:
        """All posts in the order of their files."""
        posts = list(self.posts.items())
        return [*self.twins, *posts] if self.twins_first else [*posts, *self.twins]

    def some_key(self, choice: int) -> Key:
        """Choose a post that is there."""
        return list(self.posts)[choice % len(self.posts)]

    @rule(key=st.sampled_from(KEYS))
    def write(self, key: Key) -> None:
        """Add a post, or give one another text altogether."""
        self.posts[key] = self.new_text()

    @precondition(lambda self: self.posts)
    @rule(choice=st.integers(0, 99), field=st.sampled_from(FIELDS))
    def change_a_field(self, choice: int, field: str) -> None:
        """Give a post another title, question or answer; one that was unanswered is answered then."""
        key = self.some_key(choice)
        self.posts[key] = self.posts[key]._replace(**{field: getattr(self.new_text(), field)})

    @precondition(lambda self: self.posts)
    @rule(choice=st.integers(0, 99), field=st.sampled_from(("question", "answer")), how=st.integers(0, 40))
    def reflow_a_field(self, choice: int, field: str, how: int) -> None:
        """Change nothing but the blanks."""
        key = self.some_key(choice)
        text = self.posts[key]
        self.posts[key] = text._replace(**{field: reflow(getattr(text, field), how)})

    @precondition(lambda self: self.posts)
    @rule(choice=st.integers(0, 99))
    def withdraw_the_answer(self, choice: int) -> None:
        """Leave a question without an answer."""
        key = self.some_key(choice)
        self.posts[key] = self.posts[key]._replace(answer="")

    @precondition(lambda self: self.posts)
    @rule(choice=st.integers(0, 99))
    def remove(self, choice: int) -> None:
        """Take a post out."""
        del self.posts[self.some_key(choice)]

    @precondition(lambda self: self.posts)
    @rule(choice=st.integers(0, 99), key=st.sampled_from(KEYS))
    def repeat(self, choice: int, key: Key) -> None:
        """Give a post the very text of another."""
        self.posts[key] = self.posts[self.some_key(choice)]

    @precondition(lambda self: self.posts)
    @rule(choice=st.integers(0, 99), key=st.sampled_from(KEYS))
    def rename(self, choice: int, key: Key) -> None:
        """Move a text to another id, in the place of what was there."""
        self.posts[key] = self.posts.pop(self.some_key(choice))

    @precondition(lambda self: len(self.posts) > 1)
    @rule(one=st.integers(0, 99), other=st.integers(0, 99))
    def exchange(self, one: int, other: int) -> None:
        """Let two posts change their texts."""
        first, second = self.some_key(one), self.some_key(other)
        self.posts[first], self.posts[second] = self.posts[second], self.posts[first]

    @precondition(lambda self: self.posts)
    @rule(choice=st.integers(0, 99))
    def move_to_the_end(self, choice: int) -> None:
        """Put a record behind the others of its file."""
        key = self.some_key(choice)
        self.posts[key] = self.posts.pop(key)

    @rule(key=st.sampled_from(RECORD_KEYS), same=st.booleans())
    def add_a_twin(self, key: Key, same: bool) -> None:
        """Add a record under an id that another one may have: with a text of its own, or the very same."""
        self.twins.append((key, self.posts[key] if same and key in self.posts else self.new_text()))

    @precondition(lambda self: self.twins)
    @rule(choice=st.integers(0, 99))
    def remove_a_twin(self, choice: int) -> None:
        """Take it out again."""
        del self.twins[choice % len(self.twins)]

    @rule()
    def turn_the_files_over(self) -> None:
        """Put what was first behind the others."""
        self.twins_first = not self.twins_first
        self.twins.reverse()

    @rule(rebuild=st.booleans())
    def build(self, rebuild: bool) -> None:
        """Build; an archive without a single answer is refused, and what was there answers on."""
        Archive.builds += 1
        archive = write_archive(self.folder / "site" / "archive", self.archive)
        answered = any(text.answer for _, text in self.archive)
        try:
            build_index(archive, self.folder / "index", model=self.embedder, rebuild=rebuild, allow_shrink=True)
        except NoPostsError:
            assert not answered, "posts with answers are refused"
        else:
            assert answered, "posts without answers are built"
            self.published = self.archive
            if rebuild:
                self.weights = dict(DEFAULT_WEIGHTS)
        self.checked = False

    @precondition(lambda self: self.published is not None)
    @rule()
    def tune(self) -> None:
        """Publish the same posts under other weights, which later builds carry on."""
        folder = IndexFolder(self.folder / "index")
        with SearchIndex.open(folder.path, model=self.embedder) as opened, folder.writing():
            tuning._publish(folder, opened, TUNED, tuned=True)
        self.weights = dict(TUNED)
        self.checked = False

    @precondition(lambda self: not self.checked and self.published is not None)
    @invariant()
    def the_index_says_what_the_archive_said(self) -> None:
        """Everything that can be asked, after everything that publishes."""
        assert self.published is not None
        with SearchIndex.open(self.folder / "index", model=self.embedder) as index:
            assert dict(index.weights) == self.weights, "the tuned ranking is lost"
            found = differences(index, self.published, self.embedder)
            assert not found, "\n".join(found)
            self.an_id_that_told_apart_means_one_text_for_ever(index)
        self.checked = True

    def an_id_that_told_apart_means_one_text_for_ever(self, index: SearchIndex) -> None:
        """Whatever came and went in between."""
        assert self.published is not None
        for post_id, text in self.told_apart.items():
            post = index.post(post_id)
            assert post is None or Text(post.title, post.question, post.answer) == text, f"{post_id} means another text"
        answered = [(key, text) for key, text in self.published if text.answer]
        self.told_apart |= {key.post_id: text for key, text in named(answered).items() if key not in KEYS}


def test_every_id_keeps_its_text_whatever_is_done(tmp_path: Path, campaign: Campaign) -> None:
    """Any order of edits, builds, rebuilds and tuning: posts, hits, passages and vectors are the model's."""
    Archive.base, Archive.builds = tmp_path, 0
    examples = campaign.count(50, 500)
    failures = []
    try:
        run_state_machine_as_test(
            Archive,
            settings=settings(
                max_examples=examples,
                stateful_step_count=campaign.count(30, 50),
                deadline=None,
                suppress_health_check=list(HealthCheck),
                database=None,
                # The shortest way to a failure takes minutes to find.
                phases=(Phase.generate, Phase.shrink) if campaign.full else (Phase.generate,),
            ),
        )
    except AssertionError as error:
        failures = ["\n".join([str(error), *getattr(error, "__notes__", [])])]
    campaign.finish(10, "stable ids", Archive.builds, failures, archives=examples)


def build(folder: Path, archive: Records, **options: Any) -> SearchIndex:
    """Build the index of a model and open it."""
    embedder = WordsEmbedder(limit=LIMIT)
    build_index(
        write_archive(folder / "site" / "archive", archive),
        folder / "index",
        model=embedder,
        allow_shrink=True,
        **options,
    )
    return SearchIndex.open(folder / "index", model=embedder)


def test_a_post_whose_blanks_alone_changed_is_cut_anew(tmp_path: Path) -> None:
    """Passages and marked sentences are spans of the text that is there now."""
    key, text = KEYS[0], write_text(1)
    build(tmp_path, [(key, text)]).close()
    wider = text._replace(answer=text.answer.replace(" ", "   "), question="My  " + text.question[3:])
    with build(tmp_path, [(key, wider)]) as index:
        assert differences(index, [(key, wider)], WordsEmbedder(limit=LIMIT)) == []
        for hit in index.search("slowly1 up hill1").hits:
            assert hit.highlight.text.split() == "2) Walk1 slowly1 up hill1, then down1 again1.".split()


def test_two_posts_that_differ_in_blanks_alone_keep_their_own(tmp_path: Path) -> None:
    """A list of steps is not the same text as its words in one line."""
    text = write_text(1)
    other = text._replace(title=f"{text.title} too", question=f"{text.question} Again.")
    posts = {KEYS[0]: text, KEYS[1]: other._replace(answer=text.answer.replace("\n", " "))}
    with build(tmp_path, list(posts.items())) as index:
        stored = [index.post(key.post_id) for key in posts]
        assert [post and post.answer for post in stored] == [text.answer for text in posts.values()]


KNEE, HEEL, TOE = write_text(1), write_text(2), write_text(3)
SEVENTEEN, OTHER = Key("faq.jsonl", "17"), Key("faq.jsonl", "18")


def ids(folder: Path, archive: Records) -> dict[str, str]:
    """Build an archive; return the id that each title has."""
    with build(folder, archive) as index:
        hits = {title: index.search(f"knee{number}", 9).hits for number, title in enumerate(("", *TITLES)) if number}
        return {hit.title: hit.post_id for title, found in hits.items() for hit in found if hit.title == title}


TITLES = (KNEE.title, HEEL.title, TOE.title)


@pytest.mark.parametrize("later", [[HEEL], [KNEE], [HEEL, KNEE], [TOE, HEEL, KNEE]])
def test_an_id_that_posts_shared_never_gets_another_text(tmp_path: Path, later: list[Text]) -> None:
    """Two posts share an id: what they are told apart by outlives the other one, their order and a third one."""
    before = ids(tmp_path, [(SEVENTEEN, KNEE), (SEVENTEEN, HEEL), (OTHER, TOE)])
    after = ids(tmp_path, [(SEVENTEEN, text) for text in later])
    texts_of = {post_id: title for title, post_id in before.items()}
    assert all(texts_of.get(post_id, title) == title for title, post_id in after.items())
    if len(later) > 1:
        assert [after[text.title] for text in (KNEE, HEEL)] == [before[text.title] for text in (KNEE, HEEL)]


def test_an_id_that_comes_twice_takes_no_other_posts_id(tmp_path: Path) -> None:
    """Two posts "1" of a file are told apart, and the post that is really called "1~2" keeps its name."""
    names = ("1", "1", "1~2")
    records: Records = [(Key("faq.jsonl", name), write_text(number)) for number, name in enumerate(names)]
    with build(tmp_path, records) as index:
        by_name = {name: index.post(Key("faq.jsonl", name).post_id) for name in ("1", "1~2")}
        assert {name: post and post.title for name, post in by_name.items()} == {"1": None, "1~2": "Title2"}
        assert {hit.title for hit in index.search("knee", 3).hits} == {"Title0", "Title1", "Title2"}


def test_answers_of_two_posts_with_one_text_keep_their_authors(tmp_path: Path) -> None:
    """Who wrote an answer, and when, belongs to the post and not to its text."""
    records = [
        {"id": author, "question": "My knee hurts.", "answers": [{"text": "Rest.", "author": author, "date": date}]}
        for author, date in (("Ann", "2015-01-01"), ("Ben", "2020-01-01"))
    ]
    source = write_jsonl(tmp_path / "site" / "archive" / "faq.jsonl", records)
    build_index(source, tmp_path / "index", model=WordsEmbedder(limit=LIMIT))
    with SearchIndex.open(tmp_path / "index") as index:
        posts = [index.post(Key("faq.jsonl", name).post_id) for name in ("Ann", "Ben")]
        assert [post and post.answers[0].author for post in posts] == ["Ann", "Ben"]
