"""A complaint -> vectors: of the whole, and of each of its parts, so that no part drowns in the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from qa_search.embedders.base import Embedder, Vectors, checked_vectors
from qa_search.embedders.passages import Splitter
from qa_search.embedders.readability import lacks_words
from qa_search.embedders.shortening import Rarities, all_alike, shortened
from qa_search.util.sentences import Span, split_sentences
from qa_search.util.terms import Analysis, rarity

# A shorter sentence ("Help!") says nothing by itself: it goes with its neighbour.
_MIN_WORDS = 4
# Of a longer complaint neighbouring sentences are taken together, so that its cost stays bounded.
_MAX_PARTS = 24
# What opens or closes a message and says nothing of a complaint, as the lexical store has the words.
_COURTESIES = frozenset(
    """
    advic answer anybodi bye cheer chat dear doctor day even everyon everybodi evening folk good goodby greet guy hello
    help hey hi hiya man morn okay ok pleas question repli regard someon somebodi sorri test thank thanx thx today
    wonder yes
""".split()
)
# One term says too little if more than this share of the posts, and more than so many, have it.
_COMMON_SHARE, _COMMON_POSTS = 0.1, 5


@dataclass(frozen=True, slots=True)
class Query:
    """What is searched for.

    ``terms`` are the words of ``text`` as the lexical store has them, and how much each counts. ``read`` is what the
    vectors are made from: the text, or what `shortened` leaves of a very long one. ``vector`` (dimension,) is its own,
    ``parts`` (n, dimension) those of the spans ``part_spans`` in it. ``words_lacking``: the model knows little of it.
    """

    text: str
    read: str
    vector: Vectors
    parts: Vectors
    part_spans: tuple[Span, ...]
    terms: dict[str, float]
    words_lacking: bool = False


def split_parts(text: str) -> list[Span]:
    """Cut a complaint into its parts: sentences, short ones joined with their neighbours.

    Returns:
        (start, end) spans in order, at least one.
    """
    spans: list[Span] = []
    for start, end in split_sentences(text):
        if spans and len(text[slice(*spans[-1])].split()) < _MIN_WORDS:
            spans[-1] = (spans[-1][0], end)
        else:
            spans.append((start, end))
    if len(spans) > 1 and len(text[slice(*spans[-1])].split()) < _MIN_WORDS:
        spans[-2:] = [(spans[-2][0], spans[-1][1])]
    together = -(-len(spans) // _MAX_PARTS)
    if together > 1:
        spans = [(spans[at][0], spans[min(at + together, len(spans)) - 1][1]) for at in range(0, len(spans), together)]
    return spans or [(0, len(text))]


def says_too_little(rarities: Mapping[str, float], posts: int) -> bool:
    """Tell whether a complaint says too little to search by: courtesies, single characters, one common word.

    ``rarities`` has its terms and the inverse document frequency of each among so many ``posts``.
    """
    telling = [term for term in rarities if len(term) > 1 and term not in _COURTESIES]
    common = rarity(posts, max(int(posts * _COMMON_SHARE), _COMMON_POSTS))
    return not telling or (len(telling) == 1 and rarities[telling[0]] < common)


def read_queries(
    embedder: Embedder, texts: Sequence[str], analysis: Analysis, rarities: Rarities = all_alike
) -> list[Query]:
    """Embed complaints and their parts, all at once.

    ``analysis`` is that of the index, and ``rarities`` tells how rare a term is in it: of a very long complaint the
    sentences of rarer words are embedded.

    Raises:
        ModelError: if the model cannot be used.
    """
    read = [shortened(text, analysis, rarities) for text in texts]
    spans = [split_parts(text) for text in read]
    wanted = list(read)
    rows: list[list[int]] = []
    for number, (text, parts) in enumerate(zip(read, spans, strict=True)):
        if len(parts) == 1:
            rows.append([number])
        else:
            rows.append(list(range(len(wanted), len(wanted) + len(parts))))
            wanted += [text[start:end] for start, end in parts]
    vectors = embed_whole_queries(embedder, wanted)
    return [
        Query(
            text,
            short,
            vectors[number],
            vectors[rows[number]],
            tuple(spans[number]),
            analysis.query_weights(text),
            lacks_words(embedder, short),
        )
        for number, (text, short) in enumerate(zip(texts, read, strict=True))
    ]


def embed_whole_queries(embedder: Embedder, texts: list[str]) -> Vectors:
    """Embed questions of any length: (n, dimension), unit length.

    A question longer than the model reads is cut at sentences; its vector points to the mean of its parts',
    each weighted by its length. So nothing is cut off, and its cosine to a passage ranks as the parts' mean.
    """
    limit = embedder.query_limit
    parts: list[str] = []
    owners: list[int] = []
    sizes = [0] * len(texts) if limit is None else embedder.count_tokens(texts)
    for number, (text, size) in enumerate(zip(texts, sizes, strict=True)):
        spans = [(0, len(text))]
        if limit is not None and size > limit:
            spans = Splitter(embedder.count_tokens, limit).split(text) or spans
        parts += [text[start:end] for start, end in spans]
        owners += [number] * len(spans)
    vectors = checked_vectors(embedder.embed_queries(parts), len(parts), embedder)
    if len(parts) == len(texts):
        return vectors
    sums = np.zeros((len(texts), embedder.dimension), np.float32)
    weights = np.asarray(embedder.count_tokens(parts), np.float32)
    np.add.at(sums, np.asarray(owners, np.intp), vectors * weights[:, None])
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    means = np.asarray(sums / np.where(lengths > 0, lengths, 1), np.float32)
    # One that is whole keeps its vector to the last bit, whatever the texts beside it are.
    of_text, first, parts_of = np.unique(owners, return_index=True, return_counts=True)
    whole = parts_of == 1
    means[of_text[whole]] = vectors[first[whole]]
    return means
