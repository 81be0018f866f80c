"""Feedback: what counts, what it changes, what one client cannot do, and the file that holds it."""

from __future__ import annotations

import json
import random
import stat
from collections.abc import Callable, Sequence
from itertools import chain
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_search import FeedbackError, FeedbackLimitError, QueryError, SearchIndex, build_index
from qa_search.search import feedback
from qa_search.search.feedback import FeedbackFile, Vote, read_votes, verdicts
from qa_search.search.grouping import repeats
from qa_search.util.files import MOST_VOTES_BYTES
from qa_search.util.terms import ENGLISH
from tests.helpers import WordsEmbedder, write_jsonl

POSTS = [
    {"id": "knee", "title": "Knee", "question": "My knee clicks on stairs.", "answer": "Strengthen the hip, slowly."},
    {"id": "heel", "title": "Heel", "question": "My heel stabs in the morning.", "answer": "Roll a frozen bottle."},
    {"id": "fees", "title": "Membership", "question": "What does a year cost?", "answer": "Forty francs a year."},
    {"id": "hike", "title": "Hikes", "question": "Which hikes are planned?", "answer": "See the board in the hall."},
]
COMPLAINT = "lightning beneath the foot at sunrise"
Opened = Callable[..., SearchIndex]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "feedback.jsonl"


@pytest.fixture
def opened(tmp_path: Path, file: Path) -> Opened:
    """Opens an index with the file of votes, or without."""
    embedder = WordsEmbedder()
    build_index(write_jsonl(tmp_path / "faq.jsonl", POSTS), tmp_path / "index", model=embedder)
    return lambda feedback=file: SearchIndex.open(tmp_path / "index", model=embedder, feedback=feedback)


def post_id(index: SearchIndex, name: str) -> str:
    return next(hit.post_id for hit in index.search("anything", k=10) if hit.source_id == name)


def ranking(index: SearchIndex, query: str) -> list[tuple[str, float, float]]:
    return [(hit.source_id, hit.score, hit.confidence) for hit in index.search(query, k=10)]


def votes_of(client: str, answered: bool = True, query: str = "my heel", post: str = "a" * 16) -> Vote:
    return Vote(query, post, answered, client)


def test_a_confirmed_complaint_is_found_as_a_question_of_its_post(opened: Opened) -> None:
    """At the next refresh, by its own words and by a part of them; other queries stay as they were."""
    index = opened()
    assert index.search(COMPLAINT).hits[0].source_id != "heel"
    other = ranking(index, "my knee on stairs")
    index.record_feedback(COMPLAINT, post_id(index, "heel"), answered=True)
    index.refresh()
    result = index.search(COMPLAINT)
    assert (result.hits[0].source_id, result.answered) == ("heel", True)
    assert index.search("lightning beneath my foot").hits[0].source_id == "heel"
    assert ranking(index, "my knee on stairs") == other


def test_a_rejection_counts_against_its_pair_only(opened: Opened) -> None:
    """The same words in another order and case are the same complaint; one word more is another one."""
    index = opened()
    before = [ranking(index, query) for query in ("my heel stabs", "my heel stabs badly", "heel")]
    assert index.search("my heel stabs").answered
    index.record_feedback("my heel stabs", post_id(index, "heel"), answered=False)
    index.refresh()
    result = index.search("Stabs, my heel?")
    assert not result.answered
    after = [ranking(index, query) for query in ("my heel stabs", "my heel stabs badly", "heel")]
    assert after[1:] == before[1:]
    assert {name: score for name, score, _ in after[0]} == {
        name: pytest.approx(score / 2 if name == "heel" else score, abs=1e-6) for name, score, _ in before[0]
    }


def score_of_knee(index: SearchIndex, query: str) -> float:
    """Return the score of a post."""
    return next(score for name, score, _ in ranking(index, query) if name == "knee")


def test_mail_addresses_and_phone_numbers_never_reach_the_file(opened: Opened, file: Path) -> None:
    """As in the log of questions; the vote counts for the complaint all the same, whatever number is in it."""
    index = opened()
    asked_about = ["my knee on stairs, 079 555 01 23", "my knee on stairs, 079 555 99 99"]
    before = [score_of_knee(index, query) for query in asked_about]
    complaint = f"{COMPLAINT}, call +41 79 555 01 23 or write to ann.smith@example.org"
    index.record_feedback(complaint, post_id(index, "heel"), answered=True)
    index.record_feedback(asked_about[0], post_id(index, "knee"), answered=False)
    written = file.read_text()
    assert not any(secret in written for secret in ("555", "ann", "example.org"))
    assert f"{COMPLAINT}, call [number] or write to [mail]" in written
    index.refresh()
    for asked in (complaint, complaint.replace("01 23", "99 99")):
        assert index.search(asked).hits[0].source_id == "heel"
    after = [score_of_knee(index, query) for query in asked_about]
    assert after == pytest.approx([score / 2 for score in before], abs=1e-6)


def test_what_is_deleted_from_the_file_is_gone(opened: Opened, file: Path) -> None:
    """The ranking is what it was to the last digit, whatever was voted in between."""
    index = opened()
    before = ranking(index, COMPLAINT)
    index.record_feedback(COMPLAINT, post_id(index, "heel"), answered=True)
    index.refresh()
    assert ranking(index, COMPLAINT) != before
    file.unlink()
    index.refresh()
    assert ranking(index, COMPLAINT) == before
    assert index.info().feedback is None


def test_votes_survive_a_rebuild(opened: Opened, tmp_path: Path) -> None:
    """They name posts by their ids."""
    index = opened()
    index.record_feedback(COMPLAINT, post_id(index, "heel"), answered=True)
    build_index(None, tmp_path / "index", model=WordsEmbedder(), rebuild=True)
    assert index.refresh() is True
    assert index.search(COMPLAINT).hits[0].source_id == "heel"


def test_a_hundred_votes_of_one_client_change_nothing(opened: Opened) -> None:
    """Neither for nor against a post, with whatever words; two clients that agree do."""
    index = opened()
    queries = ["my heel stabs", COMPLAINT, "what does a year cost"]
    before = [ranking(index, query) for query in queries]
    given = 0
    for turn in range(50):
        for query, name, answered in (("my heel stabs", "heel", False), (f"{COMPLAINT} {'!' * turn}", "fees", True)):
            try:
                index.record_feedback(query, post_id(index, name), answered=answered, address="192.0.2.7")
                given += 1
            except FeedbackLimitError:
                pass
    index.refresh()
    assert given == 50  # the limit of a day
    assert [ranking(index, query) for query in queries] == before
    index.record_feedback(COMPLAINT, post_id(index, "fees"), answered=True, address="192.0.2.8")
    index.refresh()
    assert index.search(COMPLAINT).hits[0].source_id == "fees"


@pytest.mark.parametrize(
    ("votes", "decided"),
    [
        ([votes_of("a")], []),
        ([votes_of("a")] * 9, []),
        ([votes_of("a"), votes_of("b")], [True]),
        ([votes_of("a"), votes_of("b", query="My heel!")], [True, True]),
        ([votes_of("a"), votes_of("b", query="my knee")], []),
        ([votes_of("a"), votes_of("b", post="b" * 16)], []),
        ([votes_of("a"), votes_of("b"), votes_of("c", False)], [True]),
        ([votes_of("a"), votes_of("b"), votes_of("c", False), votes_of("d", False)], []),
        ([votes_of("a"), votes_of("b"), votes_of("b", False)], []),
        ([votes_of("a", False), votes_of("b", False)], [False]),
        ([votes_of("archivist")], [True]),
        ([votes_of("archivist", False), votes_of("a"), votes_of("b")], [False]),
    ],
)
def test_clients_must_agree(votes: Sequence[Vote], decided: list[bool]) -> None:
    """Two of them, and the majority; of one client the last vote counts; the archivist decides alone."""
    assert [verdict.confirmed for verdict in verdicts(votes, 2, ENGLISH)] == decided


TERMS = st.lists(st.sampled_from([f"pain{letter}" for letter in "abcdefghij"]), max_size=12).map(" ".join)


@given(st.lists(TERMS, min_size=1, max_size=40))
def test_complaints_are_gathered_as_if_each_were_compared_with_all(queries: list[str]) -> None:
    """With the first group, in order, whose first complaint says the same."""
    groups: list[list[str]] = []
    for query in queries:
        terms = ENGLISH.terms_of(query)
        for group in groups:
            if group[0] == query or (terms and repeats(ENGLISH.terms_of(group[0]), terms)):
                group.append(query)
                break
        else:
            groups.append([query])
    votes = [Vote(query, "a" * 16, True, str(number)) for number, query in enumerate(queries)]
    expected = [(query, len(group)) for group in groups for query in dict.fromkeys(group) if len(group) >= 2]
    assert [(verdict.query, verdict.clients) for verdict in verdicts(votes, 2, ENGLISH)] == expected


def test_thousands_of_complaints_of_strangers_are_not_compared_with_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """On one post, with a word that all have: a service that counts them goes on answering."""
    compared = Mock(side_effect=repeats)
    monkeypatch.setattr(feedback, "repeats", compared)
    numbers = random.Random(1)  # noqa: S311 - the same each time
    words = [f"word{number}" for number in range(3000)]
    queries = ["knee " + " ".join(numbers.sample(words, 8)) for _ in range(2000)]
    votes = [Vote(query, "a" * 16, True, str(number)) for number, query in enumerate(queries)]
    assert verdicts(votes, 2, ENGLISH) == []
    assert compared.call_count < 50 * len(queries)


def test_the_archivist_sets_how_many_must_agree(opened: Opened, tmp_path: Path) -> None:
    """In the archivist's file, together with the votes that one client has a day."""
    (tmp_path / "index" / "curation.toml").write_text("[feedback]\nvotes = 3\nper_client = 1\n")
    index = opened()
    for client in ("a", "b"):
        index.record_feedback(COMPLAINT, post_id(index, "heel"), answered=True, client=client)
    with pytest.raises(FeedbackLimitError, match="1 votes today"):
        index.record_feedback(COMPLAINT, post_id(index, "knee"), answered=True, client="a")
    index.refresh()
    assert index.verdicts() == []
    index.record_feedback(COMPLAINT, post_id(index, "heel"), answered=True, client="c")
    index.refresh()
    assert [verdict.clients for verdict in index.verdicts()] == [3]


def test_a_client_is_known_by_a_salted_hash(opened: Opened, file: Path) -> None:
    """The file has no address, is for its owner alone to read, and knows a client again after a restart."""
    for _ in range(2):
        index = opened()
        index.record_feedback(COMPLAINT, post_id(index, "heel"), answered=True, address="2001:db8::7")
    index.record_feedback(COMPLAINT, post_id(index, "heel"), answered=True, address="2001:db8::8")
    index.record_feedback(COMPLAINT, post_id(index, "heel"), answered=True, address="192.0.2.7")
    assert "2001" not in file.read_text()
    assert "192.0.2.7" not in file.read_text()
    assert len({vote.client for vote in read_votes(file)}) == 2  # one network of IPv6 is one client
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def vote_often(path: Path, start: Any, names: Sequence[str], found: Any) -> None:
    """Be a process that votes, and report what it calls an address."""
    file = FeedbackFile(path)
    start.wait()
    found.put(file.client_of("192.0.2.1"))
    for name in names:
        file.add("x" * 5000, "a" * 16, answered=True, client=name, per_client=1000)


@pytest.mark.process
def test_several_processes_write_to_one_file(file: Path) -> None:
    """No vote is lost or mixed with another, and all call an address the same."""
    context = get_context("spawn")
    start, found = context.Event(), context.Queue()
    names = [[f"{process}-{number}" for number in range(50)] for process in range(3)]
    processes = [context.Process(target=vote_often, args=(file, start, own, found)) for own in names]
    for process in processes:
        process.start()
    start.set()
    clients = {found.get() for _ in processes}
    for process in processes:
        process.join()
    assert len(clients) == 1
    assert sorted(vote.client for vote in read_votes(file)) == sorted(chain.from_iterable(names))


def test_one_client_is_limited_over_all_processes(file: Path) -> None:
    """What another process has written counts; what a person deletes does not."""
    one, other = FeedbackFile(file), FeedbackFile(file)
    for writer in (one, other, one, other):
        writer.add("my heel", "a" * 16, answered=True, client="a", per_client=4)
    for writer in (one, other):
        with pytest.raises(FeedbackLimitError):
            writer.add("my heel", "a" * 16, answered=True, client="a", per_client=4)
    file.write_text("")
    one.add("my heel", "a" * 16, answered=True, client="a", per_client=4)


def test_a_full_file_does_not_grow(file: Path) -> None:
    """Whoever may vote cannot fill the disk; the error says what to do."""
    file.write_bytes(b" " * (MOST_VOTES_BYTES - 11) + b"\n")
    with pytest.raises(FeedbackError, match="may not grow"):
        FeedbackFile(file).add("my heel", "a" * 16, answered=True, client="a", per_client=4)
    assert file.stat().st_size == MOST_VOTES_BYTES - 10


def test_nothing_is_written_unless_asked(opened: Opened, tmp_path: Path) -> None:
    """A file that is there is read; votes are refused."""
    index = opened(None)
    with pytest.raises(FeedbackError, match="open the index with feedback=FILE"):
        index.record_feedback(COMPLAINT, post_id(index, "heel"), answered=True)
    index.search(COMPLAINT)
    assert not list(tmp_path.rglob("feedback*"))
    vote = {"query": COMPLAINT, "post": post_id(index, "heel"), "answered": True, "client": "archivist"}
    write_jsonl(tmp_path / "index" / "feedback.jsonl", [vote])
    assert opened(None).search(COMPLAINT).hits[0].source_id == "heel"
    info = opened(None).info().feedback
    assert info is not None
    assert (info.votes, info.confirmed, info.rejected) == (1, 1, 0)


def test_votes_that_cannot_be_are_refused(opened: Opened, file: Path) -> None:
    """Nothing of them is written."""
    index = opened()
    with pytest.raises(QueryError, match="no post with this id"):
        index.record_feedback(COMPLAINT, "z" * 16, answered=True)
    for query in ("", " ", "x" * 10_001):
        with pytest.raises(QueryError, match="query must be a text of 1 to 10,000 characters"):
            index.record_feedback(query, post_id(index, "heel"), answered=True)
    assert not file.exists()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "line 2: not JSON"),
        ("[1]", "line 2: not a vote"),
        ('{"query": "a"}', "line 2: not a vote"),
        ('{"query": "a", "post": "b", "answered": "yes", "client": "c"}', "answered true or false"),
        ('{"query": "a", "post": "b", "answered": true, "client": "c", "rank": 1}', "line 2: not a vote"),
    ],
)
def test_an_invalid_line_is_named(line: str, said: str, opened: Opened, file: Path) -> None:
    """With the file, the line and the way out."""
    file.write_text(f"\n{line}\n", encoding="utf-8")
    with pytest.raises(FeedbackError, match=said) as caught:
        opened()
    assert str(caught.value).startswith(f"{file}, line 2")
    assert "Correct this line or delete it" in str(caught.value)


def test_a_vote_has_a_line_of_its_own(tmp_path: Path) -> None:
    """Also behind a line that an editor left without an end; a text with line ends stays on one line."""
    file = tmp_path / "f.jsonl"
    file.write_text(json.dumps({"query": "a", "post": "b", "answered": True, "client": "c"}), encoding="utf-8")
    FeedbackFile(file).add("one\ntwo\u2028three", "b" * 16, answered=False, client="d", per_client=9)
    assert [vote.client for vote in read_votes(file)] == ["c", "d"]


@pytest.mark.parametrize("kind", ["folder", "missing folder"])
def test_a_file_that_cannot_be_written_is_reported(kind: str, tmp_path: Path, opened: Opened) -> None:
    """The vote is not lost in silence, and searches go on."""
    place: Any = tmp_path if kind == "folder" else tmp_path / "no" / "feedback.jsonl"
    if kind == "folder":
        with pytest.raises(FeedbackError, match="cannot be read"):
            opened(place)
        return
    index = opened(place)
    with pytest.raises(FeedbackError, match="cannot be written to"):
        index.record_feedback(COMPLAINT, post_id(index, "heel"), answered=True)
    assert index.search(COMPLAINT).hits
