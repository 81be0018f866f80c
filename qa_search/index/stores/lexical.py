"""Words of whole posts in tantivy: BM25 on disk, memory-mapped, opened in the same time at any size.

Chosen over SQLite's FTS5 and bm25s by measurement; docs/ranking.md has the figures.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import tantivy

from qa_search.errors import IndexUnreadableError
from qa_search.index.owned import LEXICAL_NAMES, remove_own
from qa_search.index.stores.damage import DamageReport, name_damage
from qa_search.index.stores.vectors import Ids, Scores
from qa_search.util.files import MOST_SETTINGS_BYTES, raise_if_withheld, read_file
from qa_search.util.terms import Analysis, bm25_of_terms, rarity

LEXICAL_FOLDER = "lexical"
# What the words of an index depend on: raised when the analysis changes.
LEXICAL_RULES = 1
_ANALYZER = "qa_search"
_TEXT, _NUMBER = "text", "number"
# Seconds to wait before each further try to remove the temporary folder.
_REMOVAL_PAUSES = (0.001, 0.01, 0.1)
_META = "meta.json"
_HEAP_BYTES = 30_000_000
# As many posts are looked at for those that pass a filter; beyond that, a list of the numbers that pass is faster.
_MOST_LOOKED_AT = 10_000


class LexicalWriter:
    """Writes the words of a new generation's posts."""

    def __init__(self, folder: Path, analysis: Analysis) -> None:
        self._folder = folder / LEXICAL_FOLDER
        self._folder.mkdir()
        self._analysis = analysis
        schema = tantivy.SchemaBuilder()
        schema.add_text_field(_TEXT, stored=False, tokenizer_name=_ANALYZER, index_option="freq")
        schema.add_integer_field(_NUMBER, stored=False, indexed=True, fast=True)
        with _write_errors():
            index = tantivy.Index(schema.build(), str(self._folder))
            index.register_tokenizer(_ANALYZER, analysis.tokenizer())
            # One thread: documents keep their order, and the same posts give the same scores.
            self._writer = index.writer(_HEAP_BYTES, 1)

    def add(self, number: int, text: str) -> None:
        """Add the text of a post under its number.

        Raises:
            OSError: if the files cannot be written.
        """
        with _write_errors():
            document = tantivy.Document(**{_TEXT: self._analysis.indexed(text), _NUMBER: number})
            self._writer.add_document(document)

    def close(self) -> None:
        """Finish the files.

        Raises:
            OSError: if they cannot be written.
        """
        with _write_errors():
            self._writer.commit()
            self._writer.wait_merging_threads()
        for path in self._folder.iterdir():
            if path.name.startswith(".tantivy-"):  # its locks
                path.unlink()
            else:
                path.chmod(0o644)  # tantivy lets nobody else read some of them


class LexicalStore:
    """Searches the words of one generation. Safe to use from several threads."""

    def __init__(self, folder: Path, count: int, damaged: DamageReport = name_damage) -> None:
        """Open the files of ``count`` posts; nothing is written beside them.

        Raises:
            IndexDamagedError: if they are missing or damaged.
            IndexUnreadableError: if they cannot be read now, or no temporary folder can be made.
        """
        self._folder = folder / LEXICAL_FOLDER
        self._damaged = damaged
        self.count = count
        with self._damage_named():
            _require_count(self._folder / _META, count)
        # tantivy takes a lock file in the folder that it reads, and offers no way around that: it gets a folder of
        # links, which it needs no longer once the files are mapped.
        with self._temporary_folder() as links, self._damage_named():
            index = tantivy.Index.open(links)
            index.config_reader(reload_policy="manual")
            self._schema = index.schema
            self._searcher = index.searcher()
            if self._searcher.num_docs != count:
                raise ValueError(f"{self._searcher.num_docs} posts, where the manifest says {count}")

    @contextmanager
    def _temporary_folder(self) -> Iterator[str]:
        """Make a temporary folder of links to the files."""
        with self._damage_named():
            # Other files in the folder are not tantivy's.
            paths = [path for path in self._folder.iterdir() if LEXICAL_NAMES.has(path.name)]
        try:
            links = Path(tempfile.mkdtemp(prefix="qa-search-"))
        except OSError as error:
            raise self._no_room(error) from error
        try:
            for path in paths:
                (links / path.name).symlink_to(path.absolute())
            yield str(links)
        except OSError as error:
            raise self._no_room(error) from error
        finally:
            _remove_links(links)

    def _no_room(self, error: OSError) -> IndexUnreadableError:
        return IndexUnreadableError(
            f"{self._folder}: opening it needs a temporary folder, which cannot be made ({_reason(error)}). "
            "Set TMPDIR to a writable folder with free space."
        )

    def search(self, weights: Mapping[str, float], k: int, allowed: Ids | None = None) -> tuple[Ids, Scores]:
        """Find the posts of the highest BM25 score.

        Args:
            weights: the terms to look for (see `Analysis.query_weights`).
            k: how many at most.
            allowed: the only post numbers to consider; None for all.

        Returns:
            post numbers and scores, best first. Posts without any of the terms are not among them.
        """
        if not weights or not self.count or k < 1 or (allowed is not None and not len(allowed)):
            return np.empty(0, np.int64), np.empty(0, np.float32)
        with self._damage_named():
            query = tantivy.Query.boolean_query([(tantivy.Occur.Should, self._term(*item)) for item in weights.items()])
            if allowed is None:
                return self._best(query, k)
            # Where many posts pass, enough of them are among the best of all: sooner found than by a list of numbers.
            wanted = 2 * k * self.count // len(allowed)
            if wanted <= _MOST_LOOKED_AT:
                numbers, scores = self._best(query, wanted)
                passing = np.isin(numbers, allowed)
                if len(numbers) < wanted or np.count_nonzero(passing) >= k:
                    return numbers[passing][:k], scores[passing][:k]
            members = tantivy.Query.term_set_query(self._schema, _NUMBER, allowed.tolist())
            unscored = tantivy.Query.const_score_query(members, 0.0)
            return self._best(
                tantivy.Query.boolean_query([(tantivy.Occur.Must, query), (tantivy.Occur.Must, unscored)]), k
            )

    def _best(self, query: tantivy.Query, k: int) -> tuple[Ids, Scores]:
        """Return the numbers and scores of the best posts; ties go to the lower number."""
        found = self._searcher.search(query, min(k, self.count), count=False).hits
        values, addresses = map(list, zip(*found, strict=True)) if found else ([], [])
        numbers = np.asarray(self._searcher.fast_field_values(_NUMBER, addresses), np.int64)
        scores = np.asarray(values, np.float32)
        order = np.lexsort((numbers, -scores))
        return numbers[order], scores[order]

    def idf(self, terms: Iterable[str]) -> dict[str, float]:
        """Return BM25's inverse document frequency of each term, always above 0."""
        with self._damage_named():
            return {term: rarity(self.count, self._searcher.doc_freq(_TEXT, term)) for term in terms}

    def near(self, term: str, edits: int, most: int) -> list[int]:
        """Return the numbers of some posts that have a term at most so many edits (1 or 2) away; ``most`` at most."""
        if not self.count:
            return []
        with self._damage_named():
            return [int(number) for number in self._best(self._fuzzy(term, edits), most)[0]]

    def bm25(self, weights: Mapping[str, float], terms: Sequence[str], mean_length: float) -> float:
        """Return the score of a text's terms among these posts, which have ``mean_length`` terms on average."""
        return bm25_of_terms(self.idf(weights), weights, terms, mean_length)

    def _fuzzy(self, term: str, edits: int) -> Any:
        return tantivy.Query.fuzzy_term_query(self._schema, _TEXT, term, distance=edits, transposition_cost_one=True)

    def _term(self, term: str, weight: float) -> Any:
        return tantivy.Query.boost_query(tantivy.Query.term_query(self._schema, _TEXT, term), weight)

    @contextmanager
    def _damage_named(self) -> Iterator[None]:
        """Turn tantivy's errors about damaged files into one that names them."""
        try:
            yield
        except BaseException as error:
            # A panic in Rust does not raise an Exception, and its class cannot be imported. A missing number is None.
            if not isinstance(error, OSError | ValueError | TypeError) and type(error).__name__ != "PanicException":
                raise
            raise_if_withheld(error, self._folder / _META)
            raise self._damaged(self._folder, _reason(error)) from error


def _remove_links(folder: Path) -> None:
    """Remove the links and tantivy's lock; a thread of tantivy may make that lock once more meanwhile."""
    for pause in _REMOVAL_PAUSES:
        with suppress(OSError):
            if remove_own(folder, LEXICAL_NAMES):
                return
        time.sleep(pause)


def _require_count(path: Path, count: int) -> None:
    """Check a count that tantivy trusts: it allocates memory for as many documents as the file claims.

    Raises:
        ValueError: if the segments do not hold this many posts.
        OSError: if the file cannot be read.
    """
    try:
        segments = json.loads(read_file(path, MOST_SETTINGS_BYTES))["segments"]
        sizes = {segment["segment_id"]: segment["max_doc"] for segment in segments}
        deleted = [segment["deletes"] for segment in segments]
        fit = len(sizes) == len(segments) and not any(deleted) and min(sizes.values(), default=0) >= 0
        total = sum(sizes.values())
    except (LookupError, TypeError, RecursionError) as error:
        raise ValueError(f"{path.name}: invalid list of segments") from error
    if not fit or total != count:
        raise ValueError(f"segments of {total} posts, where the manifest says {count}")


@contextmanager
def _write_errors() -> Iterator[None]:
    """Turn tantivy's only error class into the usual one of a failed write."""
    try:
        yield
    except ValueError as error:
        raise OSError(f"the lexical index: {_reason(error)}") from error


def _reason(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]
