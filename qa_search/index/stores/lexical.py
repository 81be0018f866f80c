"""Words of whole posts in tantivy: BM25 on disk, memory-mapped, opened in the same time at any size.

Chosen over SQLite's FTS5 and bm25s by measurement; docs/ranking.md has the figures.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
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
from qa_search.index.stores.records import WordChunk
from qa_search.index.stores.vectors import Ids, Scores
from qa_search.util.files import MOST_SETTINGS_BYTES, raise_if_withheld, read_file
from qa_search.util.memory import give_back_memory
from qa_search.util.terms import Analysis, bm25_of_terms, rarity

LEXICAL_FOLDER = "lexical"
# Where a chunk is written before its files go to the others.
NEW_WORDS = "new-words"
# What the words of an index depend on: raised when the analysis changes.
LEXICAL_RULES = 1
_ANALYZER = "qa_search"
_TEXT, _NUMBER = "text", "number"
# Seconds to wait before each further try to remove the temporary folder.
_REMOVAL_PAUSES = (0.001, 0.01, 0.1)
_META, _MANAGED = "meta.json", ".managed.json"
_HEAP_BYTES = 30_000_000
# How tantivy's messages say what the system said.
_SYSTEM_CODE = re.compile(r"Os \{ code: (\d+)")
# How many posts a chunk has: a change costs one or two chunks, and each takes time in every search.
_LEAST_CHUNK, _MEAN_CHUNK, _MOST_CHUNK = 2048, 8192, 32_768
# As many posts are looked at for those that pass a filter; beyond that, a list of the numbers that pass is faster.
_MOST_LOOKED_AT = 10_000


def chunks_of(contents: Iterable[bytes]) -> Iterator[tuple[int, int, str]]:
    """Cut posts, given by their `content_hash`, into chunks; yield each one's first number, its size, and a hash.

    The contents decide where: posts that are added or removed change the chunks around them, and no others.
    """
    first, count, digest = 0, 0, hashlib.blake2b(digest_size=16)
    for content in contents:
        digest.update(content)
        count += 1
        ends = count >= _LEAST_CHUNK and int.from_bytes(content[:4], "big") % _MEAN_CHUNK == 0
        if ends or count == _MOST_CHUNK:
            yield first, count, digest.hexdigest()
            first, count, digest = first + count, 0, hashlib.blake2b(digest_size=16)
    if count:
        yield first, count, digest.hexdigest()


class ChunkedWriter:
    """Writes the words of a generation's posts in chunks, in the order of the posts; a chunk can be kept as it is.

    tantivy stores the row of each post. It stays the same as long as the chunk is kept, whatever the post's number.
    """

    def __init__(self, folder: Path, analysis: Analysis, known: Iterable[WordChunk] = ()) -> None:
        """Begin the lexical index in a generation's folder; ``known`` are the chunks that may be kept.

        Raises:
            OSError: if the files cannot be written.
        """
        self._parent = folder
        self._folder = folder / LEXICAL_FOLDER
        self._analysis = analysis
        self._known = {chunk.texts: chunk for chunk in known}
        self._next_row = max((chunk.first + chunk.posts for chunk in self._known.values()), default=0)
        self._chunks: list[WordChunk] = []
        LexicalWriter(folder, analysis).close()  # an empty index: its schema

    def known(self, texts: str, posts: int) -> WordChunk | None:
        """Return the known chunk of these texts."""
        found = self._known.get(texts)
        return found if found is not None and found.posts == posts else None

    def keep(self, chunk: WordChunk) -> None:
        """Append a known chunk, the files of which are there."""
        self._chunks.append(chunk)

    def write(self, texts: str, posts: Iterable[tuple[int, str]]) -> None:
        """Append a new chunk: the texts of posts that follow one another.

        Raises:
            OSError: if the files cannot be written.
        """
        words = LexicalWriter(self._parent, self._analysis, NEW_WORDS)
        first = self._next_row
        for _, text in posts:
            words.add(self._next_row, text)
            self._next_row += 1
        words.close()
        del words
        give_back_memory()  # else each writer's threads leave some behind
        part = self._parent / NEW_WORDS
        segments = _read_meta(part)["segments"]
        for path in list(part.iterdir()):
            if path.name in (_META, _MANAGED):
                path.unlink()
            else:
                path.rename(self._folder / path.name)
        part.rmdir()
        sizes = {segment["segment_id"]: segment["max_doc"] for segment in segments}
        self._chunks.append(WordChunk(texts, first, self._next_row - first, sizes))

    def close(self) -> tuple[WordChunk, ...]:
        """Finish the files, and return the chunks.

        Raises:
            OSError: if the files cannot be written.
        """
        meta = _read_meta(self._folder)
        # In the order of the posts: of posts with one score, tantivy returns the first.
        meta["segments"] = [
            {"segment_id": name, "max_doc": posts, "deletes": None}
            for chunk in self._chunks
            for name, posts in chunk.segments.items()
        ]
        (self._folder / _META).write_text(json.dumps(meta, indent=2) + "\n", encoding="utf-8")
        return tuple(self._chunks)


class LexicalWriter:
    """Writes the words of posts as one index of tantivy."""

    def __init__(self, folder: Path, analysis: Analysis, name: str = LEXICAL_FOLDER) -> None:
        self._folder = folder / name
        self._folder.mkdir()
        self._analysis = analysis
        schema = tantivy.SchemaBuilder()
        schema.add_text_field(_TEXT, stored=False, tokenizer_name=_ANALYZER, index_option="freq")
        schema.add_integer_field(_NUMBER, stored=False, indexed=True, fast=True)
        with _write_errors():
            index = tantivy.Index(schema.build(), str(self._folder))
            # Else a thread looks for commits, and locks the folder when it finds one.
            index.config_reader(reload_policy="manual")
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

    def __init__(
        self, folder: Path, count: int, damaged: DamageReport = name_damage, chunks: Sequence[WordChunk] = ()
    ) -> None:
        """Open the files of ``count`` posts; nothing is written beside them.

        Without ``chunks``, the row of each post is its number.

        Raises:
            IndexDamagedError: if they are missing or damaged.
            IndexUnreadableError: if they cannot be read now, or no temporary folder can be made.
        """
        self._folder = folder / LEXICAL_FOLDER
        self._damaged = damaged
        self.count = count
        with self._damage_named():
            _require_count(self._folder / _META, count)
            self._rows = _Rows(chunks, count) if chunks else None
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
            rows = allowed if self._rows is None else self._rows.of_posts(allowed)
            members = tantivy.Query.term_set_query(self._schema, _NUMBER, rows.tolist())
            unscored = tantivy.Query.const_score_query(members, 0.0)
            return self._best(
                tantivy.Query.boolean_query([(tantivy.Occur.Must, query), (tantivy.Occur.Must, unscored)]), k
            )

    def _best(self, query: tantivy.Query, k: int) -> tuple[Ids, Scores]:
        """Return the numbers and scores of the best posts; ties go to the lower number."""
        found = self._searcher.search(query, min(k, self.count), count=False).hits
        values, addresses = map(list, zip(*found, strict=True)) if found else ([], [])
        numbers = np.asarray(self._searcher.fast_field_values(_NUMBER, addresses), np.int64)
        if self._rows is not None:
            numbers = self._rows.posts_of(numbers)
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


def _read_meta(folder: Path) -> dict[str, Any]:
    """Read what tantivy wrote of an index."""
    meta: dict[str, Any] = json.loads(read_file(folder / _META, MOST_SETTINGS_BYTES))
    return meta


class _Rows:
    """The rows of posts, chunk by chunk."""

    def __init__(self, chunks: Sequence[WordChunk], count: int) -> None:
        """Take the chunks of ``count`` posts.

        Raises:
            ValueError: if they hold another number.
        """
        found = sum(chunk.posts for chunk in chunks)
        if found != count:
            raise ValueError(f"chunks of {found} posts, where the manifest says {count}")
        sizes = np.array([chunk.posts for chunk in chunks], np.int64)
        self._posts, self._rows = np.cumsum(sizes) - sizes, np.array([chunk.first for chunk in chunks], np.int64)
        self._order = np.argsort(self._rows)
        self._sorted, self._ends = self._rows[self._order], (self._rows + sizes)[self._order]

    def of_posts(self, posts: Ids) -> Ids:
        """Return the rows of posts: (n,)."""
        chunks = np.searchsorted(self._posts, posts, "right") - 1
        return posts - self._posts[chunks] + self._rows[chunks]

    def posts_of(self, rows: Ids) -> Ids:
        """Return the numbers of the posts of rows: (n,).

        Raises:
            ValueError: if a row is in no chunk.
        """
        places = np.searchsorted(self._sorted, rows, "right") - 1
        if len(rows) and (places.min() < 0 or (rows >= self._ends[places]).any()):
            raise ValueError("a post that is in no chunk")
        chunks = self._order[places]
        return rows - self._rows[chunks] + self._posts[chunks]


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
        code = _SYSTEM_CODE.search(str(error))
        reason = f"the lexical index: {os.strerror(int(code[1])) if code else _reason(error)}"
        raise (OSError(int(code[1]), reason) if code else OSError(reason)) from error


def _reason(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]
