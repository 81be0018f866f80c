"""Tests of whether a model's vocabulary has a text's language."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from qa_search.embedders.base import Embedder, Piece, pieces_of
from qa_search.embedders.readability import cannot_read, lacks_words, reads_many_languages, unread_share
from tests.helpers import WordsEmbedder
from tests.util.test_languages import OF

LATIN = "abcdefghijklmnopqrstuvwxyz"
UNREAD = ("ar", "el", "ja", "ko", "ru", "th", "uk", "zh")


class TokenizedEmbedder(WordsEmbedder):
    """An embedder that shows the pieces of a tokenizer."""

    def __init__(self, tokenizer: Tokenizer | None) -> None:
        super().__init__()
        self._tokenizer = tokenizer

    def pieces(self, texts: Sequence[str]) -> list[list[Piece]] | None:
        return None if self._tokenizer is None else pieces_of(self._tokenizer, texts)


def latin() -> TokenizedEmbedder:
    """Word pieces of Latin letters, single ones of Greek, and the ideograph for water: as English models have."""
    pieces = [*LATIN, *(a + b for a in LATIN for b in LATIN), *"αβγδεζηθικλμνξοπρστυφχψω水"]
    vocabulary = {"[UNK]": 0}
    for piece in (*pieces, *(f"##{piece}" for piece in pieces)):
        vocabulary[piece] = len(vocabulary)
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))  # noqa: S106 - no password
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return TokenizedEmbedder(tokenizer)


def multilingual() -> TokenizedEmbedder:
    """A sentencepiece vocabulary of pairs of characters from many languages."""
    texts = [text for language in OF for text in OF[language]]
    pieces = {text[at : at + size] for text in texts for size in (1, 2, 3) for at in range(len(text) - size + 1)}
    tokenizer = Tokenizer(models.Unigram([("<unk>", 0.0), *((piece, -9.0) for piece in sorted(pieces))], unk_id=0))
    tokenizer.normalizer = normalizers.NFKC()
    return TokenizedEmbedder(tokenizer)


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("my knee hurts", 0.0),
        ("Füsse", 0.0),
        ("", 0.0),
        ("123 !? 🤕", 0.0),
        ("水", 0.0),
        ("水漏", 0.5),
        ("漏れる水", 0.75),
        ("γόνατο", 1.0),
        ("knee γόνατο", 0.6),
        ("α", 0.0),
        ("무릎", 1.0),
    ],
)
def test_letters_that_the_vocabulary_lacks_are_unread(text: str, share: float) -> None:
    """Unknown tokens and letters that stand alone within a word; ideographs and one-letter words are read."""
    assert unread_share(latin(), [text]) == pytest.approx(share)
    assert cannot_read(latin(), text) == (share > 0.5)


@pytest.mark.parametrize(
    ("text", "lacking"),
    [
        ("my knee", True),
        ("my knee is up", False),
        ("My, KNEE: is (up)!", False),
        ("is", False),
        ("漏れる", True),
        ("γόνατο", True),
        ("", False),
        ("123 !?", False),
    ],
)
def test_a_vocabulary_lacks_the_words_of_which_it_has_half_at_most(text: str, lacking: bool) -> None:
    """Whole, whatever their case and what stands around them; digits and signs are no words."""
    assert lacks_words(latin(), text) == lacking


def test_a_multilingual_vocabulary_lacks_no_words() -> None:
    """Though it cuts those of every language."""
    embedder = multilingual()
    assert [text for texts in OF.values() for text in texts if lacks_words(embedder, text)] == []


def test_a_multilingual_vocabulary_reads_every_language() -> None:
    """No language of the table is called unreadable for it."""
    embedder = multilingual()
    assert [language for language, texts in OF.items() if (unread_share(embedder, texts) or 0) > 0.3] == []
    assert reads_many_languages(embedder)
    assert not reads_many_languages(latin())


@pytest.mark.parametrize("embedder", [WordsEmbedder(), TokenizedEmbedder(None)])
def test_an_embedder_without_pieces_is_not_judged(embedder: WordsEmbedder) -> None:
    """A model of the caller's own need not show its tokens."""
    assert unread_share(embedder, ["膝盖疼"]) is None
    assert not cannot_read(embedder, "膝盖疼")
    assert not lacks_words(embedder, "膝盖疼")
    assert reads_many_languages(embedder)


def test_the_packaged_model_reads_european_languages_and_no_others(minilm: Embedder) -> None:
    """Latin letters are read; of Arabic, Greek, Japanese, Korean, Russian, Thai and Chinese most letters are not."""
    shares = {language: unread_share(minilm, texts) or 0.0 for language, texts in OF.items()}
    assert sorted(language for language, share in shares.items() if share > 0.6) == sorted(UNREAD)
    assert max(shares[language] for language in ("cs", "de", "en", "es", "fi", "fr", "it", "nl", "pl", "tr")) < 0.1
    assert all(cannot_read(minilm, text) for language in UNREAD for text in OF[language])
    assert not reads_many_languages(minilm)


def test_the_packaged_model_lacks_the_words_of_other_languages(minilm: Embedder) -> None:
    """Also where it reads the letters; of no English complaint."""
    lacking = {language: sum(lacks_words(minilm, text) for text in texts) for language, texts in OF.items()}
    assert lacking["en"] == 0
    assert all(lacking[language] == len(OF[language]) for language in ("de", "fi", "pl", "ru", "sv", "tr", "zh"))
