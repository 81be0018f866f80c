"""The review of an archive: what it finds, what it leaves alone, and its three forms."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from lxml import etree

from qa_search import Review, SearchIndex, build_index, review_archive
from qa_search.interfaces.cli import cli
from qa_search.interfaces.render.review import review_html, review_markdown, review_text
from qa_search.review.duplicates import groups, overlap, shingles
from tests.helpers import WordsEmbedder, page, write_jsonl
from tests.interfaces.cli.words import use_words

EVIL = "<script>alert(1)</script> \x1b[31m*bold*"


def sentence(rng: random.Random, words: int) -> str:
    return " ".join(f"word{rng.randrange(4000)}" for _ in range(words)) + "."


def records() -> list[dict[str, Any]]:
    """Forty posts of words of their own, a near-copy, a pair of other advice, an open question, a thin answer."""
    rng = random.Random(1)  # noqa: S311 - nothing secret
    posts: list[dict[str, Any]] = [
        {"id": f"p{number}", "title": sentence(rng, 4), "question": sentence(rng, 20), "answer": sentence(rng, 40),
         "date": f"{2000 + number % 20}-01-01"}
        for number in range(40)
    ]  # fmt: skip
    copy = {**posts[3], "id": "copy", "date": "2021-05-05"}
    for field in ("question", "answer"):
        words = copy[field].split()
        words[::4] = sentence(rng, len(words[::4])).split()
        copy[field] = " ".join(words)
    asked = f"{posts[7]['question']} Thanks."
    other = {**posts[7], "id": "other", "question": asked, "answer": sentence(rng, 40), "date": "2022-01-01"}
    unanswered = {"id": "open", "title": posts[9]["title"], "question": posts[9]["question"], "answer": ""}
    thin = {"id": "thin", "title": EVIL, "question": sentence(rng, 20), "answer": "See above."}
    return [*posts, copy, other, unanswered, thin]


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The index of `records` and of four pages with links."""
    folder = tmp_path_factory.mktemp("review")
    pages = folder / "pages"
    pages.mkdir()
    for name, links in (
        ("First", "- Next:Second"), ("Second", "- Prev:First\n- Next:Lost"), ("Third", "- Prev:Second"),
    ):  # fmt: skip
        rng = random.Random(name)  # noqa: S311 - nothing secret
        text = page(name, sentence(rng, 20), sentence(rng, 30), links=links)
        (pages / f"{name}.txt").write_text(text)
    sources = [write_jsonl(folder / "faq.jsonl", records()), pages]
    build_index(sources, folder / "index", model=WordsEmbedder(), keep_unanswered=True)
    return folder / "index"


@pytest.fixture(scope="module")
def found(index: Path) -> Review:
    with SearchIndex.open(index, model=WordsEmbedder()) as opened:
        return review_archive(opened)


def test_a_near_copy_is_found_and_the_latest_kept(found: Review) -> None:
    """Of the answer a quarter was reworded; nothing else is called a copy."""
    (group,) = found.duplicates
    assert (group.keep.source_id, [post.source_id for post in group.copies], group.why) == (
        "copy",
        ["p3"],
        "the latest",
    )
    assert 0.3 < group.overlap < 1


def test_another_answer_to_the_same_question_is_no_copy(found: Review) -> None:
    """Both answers are shown, the earlier first."""
    (one,) = found.differing
    assert (one.earlier.source_id, one.later.source_id) == ("p7", "other")
    assert one.closeness > 0.6
    assert one.overlap < 0.15
    assert one.earlier_answer != one.later_answer


def test_an_open_question_is_shown_with_the_post_that_answers(found: Review) -> None:
    """And not with itself."""
    (one,) = found.answerable
    assert (one.question.source_id, one.answer.source_id) == ("open", "p9")


def test_questions_that_the_build_left_out_are_asked_too(tmp_path: Path) -> None:
    """By their titles, which is what an index keeps of them."""
    posts = [post for post in records() if post["id"] != "open"]
    posts.append({"id": "open", "title": f"{posts[9]['title']} {posts[9]['question']}", "answer": ""})
    embedder = WordsEmbedder()
    build_index(write_jsonl(tmp_path / "faq.jsonl", posts), tmp_path / "index", model=embedder)
    with SearchIndex.open(tmp_path / "index", model=embedder) as opened:
        (one,) = review_archive(opened).answerable
    assert (one.question.source_id, one.answer.source_id) == ("open", "p9")


def test_thin_answers_and_broken_links_are_named(found: Review) -> None:
    """A title that no page has, and a link that is not returned."""
    assert [remark.post.source_id for remark in found.thin] == ["thin"]
    assert [(remark.post.title, "Lost" in remark.why, "links back" in remark.why) for remark in found.links] == [
        ("Second", True, False),
        ("Third", True, True),
    ]


def test_a_post_without_a_title_is_named_by_its_question(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With an id that opens it, in every section; what the build left out has the id of its source alone."""
    posts = [{**post, "title": ""} for post in records()]
    build_index(write_jsonl(tmp_path / "faq.jsonl", posts), tmp_path / "index", model=WordsEmbedder(),
                keep_unanswered=True)  # fmt: skip
    with SearchIndex.open(tmp_path / "index", model=WordsEmbedder()) as opened:
        found = review_archive(opened)
    text = review_text(found, None)
    assert found.thin
    assert found.answerable
    assert "untitled" not in text
    use_words(monkeypatch)
    for post in (found.duplicates[0].keep, found.thin[0].post, found.answerable[0].answer):
        assert f"({post.post_id}), {post.source_id}, " in text
        shown = CliRunner().invoke(cli, ["show", post.post_id, "--index", str(tmp_path / "index")])
        assert shown.exit_code == 0
        assert post.title.rstrip("…")[:40] in " ".join(shown.output.split())


def test_every_post_is_counted_in_each_picture(found: Review) -> None:
    """By year and by source; by length those that have an answer."""
    assert sum(found.years.values()) == sum(found.sources.values()) == found.posts == 47
    assert sum(found.lengths.values()) == 46


def test_overlap_is_that_of_terms_and_of_their_neighbours_by_rarity() -> None:
    """Checked by hand: a and b weigh 1, c weighs 3; pairs weigh the mean of their terms."""
    weights = {"a": 1.0, "b": 1.0, "c": 3.0}
    one, other = (shingles(terms, weights.__getitem__) for terms in (["a", "b", "c"], ["a", "b"]))
    assert overlap(one, other) == 3 / 8
    assert overlap(one, one) == 1
    assert overlap({}, {}) == 0


def test_pairs_with_a_post_in_common_are_one_group() -> None:
    """In any order."""
    assert groups([(5, 9), (0, 1), (1, 7), (0, 7), (9, 10)]) == [[0, 1, 7], [5, 9, 10]]


def test_the_forms_show_the_same_and_run_nothing(found: Review) -> None:
    """Archive text controls neither a terminal nor a page nor Markdown; the pictures are SVG in the page."""
    text, markdown, html = (form(found, None) for form in (review_text, review_markdown, review_html))
    for shown in (text, markdown, html):
        assert "Near-copies" in shown
        assert "\x1b" not in shown
    assert "<script" not in html
    assert r"\*bold\*" in markdown
    tree = etree.fromstring(html.encode(), etree.HTMLParser())
    assert len(tree.findall(".//svg")) == 3
    assert len(tree.findall(".//rect")) == len(found.years) + len(found.sources) + len(found.lengths)
    assert all(picture.get("aria-label") for picture in tree.findall(".//svg"))


def test_a_short_form_says_how_many_more_there_are(found: Review) -> None:
    """Nothing is left out in silence."""
    assert "... and 1 more (--all)" in review_text(found, 1)
    assert "1 more are not shown" in review_html(found, 1)


@pytest.mark.parametrize(("options", "status"), [([], 0), (["duplicates"], 1), (["links", "thin"], 1)])
def test_the_exit_status_is_for_continuous_integration(
    options: list[str], status: int, index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """1 only if asked for a kind that was found; the JSON document is complete all the same."""
    use_words(monkeypatch)
    arguments = [argument for kind in options for argument in ("--fail-on", kind)]
    done = CliRunner().invoke(cli, ["review", "--index", str(index), "--json", *arguments])
    assert done.exit_code == status
    document = json.loads(done.stdout)
    assert document["counts"] == {"duplicates": 1, "differing": 1, "answerable": 1, "thin": 1, "links": 2}
    assert document["duplicates"][0]["keep"]["source_id"] == "copy"


def test_an_archive_in_order_has_no_findings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Posts with nothing in common, and the status that says so."""
    use_words(monkeypatch)
    build_index(write_jsonl(tmp_path / "faq.jsonl", records()[:40]), tmp_path / "index", model=WordsEmbedder())
    kinds = [argument for kind in ("duplicates", "differing", "answerable", "thin", "links")
             for argument in ("--fail-on", kind)]  # fmt: skip
    done = CliRunner().invoke(cli, ["review", "--index", str(tmp_path / "index"), "--format", "markdown", *kinds])
    assert done.exit_code == 0, done.output
