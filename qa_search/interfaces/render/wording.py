"""The words that every output uses for the same fact: origins, names of posts, likelihoods, notes."""

from __future__ import annotations

from typing import Protocol

from qa_search.types import Field, Hit, OtherPost, SearchResult
from qa_search.util.languages import name_of
from qa_search.util.text import without_unsafe

# The highest level of likelihood at which a hit hardly relates: it "probably does not answer".
HARDLY = 1
PINNED = "The archivist chose the first post as the answer to this."
NO_POST_PASSES = "No post in the archive passes these filters."

# The least percentage for each wording, about a hit or about the archive.
_LIKELIHOODS = (
    (80, "very likely answers this"),
    (60, "probably answers this"),
    (40, "may answer this"),
    (20, "probably does not answer this"),
    (0, "very likely does not answer this"),
)
_LABELS: tuple[tuple[str, Field], ...] = (("Question", "question"), ("Answer", "answer"))


class Entry(Protocol):
    """What a hit and a post have in common."""

    @property
    def title(self) -> str:
        """The title; may be empty."""

    @property
    def question(self) -> str:
        """The question; may be empty."""

    @property
    def answer(self) -> str:
        """All answers as one text; may be empty."""

    @property
    def date(self) -> str | None:
        """The date in ISO 8601."""

    @property
    def source(self) -> str:
        """The file or folder of the post."""

    @property
    def source_id(self) -> str:
        """The post's id in its source."""


def one_line(text: str) -> str:
    """Return a text as one line without unsafe characters."""
    return " ".join(without_unsafe(text).split())


def title_of(post: Entry) -> str:
    """Return a post's title, or the text that stands for a missing one."""
    return post.title if post.title.strip() else post.question or post.answer


def labelled_texts(post: Entry) -> list[tuple[str, Field]]:
    """Return label and name of each text of a post that is not empty."""
    return [(label, field) for label, field in _LABELS if getattr(post, field).strip()]


def day(iso: str | None) -> str:
    """Return the day of a date in ISO 8601."""
    return iso[:10] if iso else "no date"


def origin(post: Entry) -> str:
    """Name the place that a post comes from; a source that is one page is named once."""
    return post.source if post.source.endswith(f"/{post.source_id}") else f"{post.source}/{post.source_id}"


def facts(post: Entry, *more: str) -> str:
    """Return day, origin and other facts as one text."""
    return " · ".join((day(post.date), origin(post), *more))


def confidence(probability: float) -> str:
    """Return a confidence as it stands among the facts of a hit."""
    return f"confidence {probability:.0%}"


def named(post: OtherPost) -> str:
    """Name another post by title and the id that opens it; by that of its source if the index does not have it."""
    return f"{one_line(post.title) or 'untitled'} ({one_line(post.post_id or post.source_id)})"


def related(hit: Hit) -> list[str]:
    """Return a line about the newer post, and a line about posts that ask the same."""
    lines = []
    if hit.newer is not None:
        lines.append(one_line(f"Newer answer, of {(hit.newer.date or '')[:4]}: {named(hit.newer)}"))
    if hit.repeated_by:
        lines.append(f"Also asked as: {', '.join(map(named, hit.repeated_by))}")
    return lines


def nothing_answers(result_confidence: float) -> str:
    """Return the sentence that stands above hits that do not answer."""
    return f"Nothing in the archive seems to answer this ({confidence(result_confidence)})."


def note(result: SearchResult) -> str:
    """Return what a reader needs to know before the hits; empty if they answer the query as it was written."""
    notice = one_line(result.notice or "")
    if not result.hits:
        return f"{notice} {NO_POST_PASSES}".strip()
    answer = "" if result.answered else f"{result.advice or nothing_answers(result.confidence)} The nearest posts:"
    pinned = PINNED if result.pinned else ""
    parts = (notice, searched_for(result.searched), pinned, result.note, answer)
    return " ".join(part for part in parts if part)


def searched_for(searched: str | None) -> str:
    """Return the sentence that says which words were searched in place of misspelt ones; empty if none were."""
    return f"Searched for: {one_line(searched)}." if searched else ""


def hidden_post(why: str) -> str:
    """Return the sentence about a post that the archivist has hidden, with the reason if there is one."""
    return f"The archivist has hidden this post{f': {one_line(why)}' if why else ''}".rstrip(".") + "."


def archive_language(language: str | None) -> str:
    """Return the sentence that names an archive's main language."""
    return f"The archive's language is {'unknown or mixed' if language is None else name_of(language)}."


def percent(probability: float) -> str:
    """Return a probability in percent; nothing is certain."""
    rounded = round(probability * 100)
    if rounded <= 0:
        return "under 1%"
    return "over 99%" if rounded >= 100 else f"{rounded}%"


def likelihood(probability: float) -> str:
    """Return a probability in words and as a number; the words fit the number that is shown."""
    words = next(words for least, words in _LIKELIHOODS if round(probability * 100) >= least)
    return f"{words} ({percent(probability)})"


def likelihood_level(probability: float) -> int:
    """Return 0 (very likely not) to 4 (very likely)."""
    return sum(round(probability * 100) >= least for least, _ in _LIKELIHOODS) - 1


def verdict(result: SearchResult) -> str:
    """Return the sentence above hits of which one may answer, in words that those of the hits do not contradict."""
    if all(likelihood_level(hit.confidence) <= HARDLY for hit in result.hits):
        return "Something here may answer this, though no single post probably does."
    return f"The archive {likelihood(result.confidence)}."
