"""Tests of the terms that texts become, by language."""

from __future__ import annotations

from pathlib import Path

import pytest
import tantivy
from hypothesis import given
from hypothesis import strategies as st

from qa_search.index.stores.lexical import LexicalStore, LexicalWriter
from qa_search.util.terms import ANALYSES, ENGLISH, Analysis

# German posts, and complaints that say the same in other forms of the words.
GERMAN = {
    "Die Waschmaschine schleudert nicht mehr. Reinigen Sie die Pumpe und prüfen Sie den Ablauf.": (
        "wenn ich wasche, wird beim Schleudern die Pumpe laut"
    ),
    "Meine Heizkörper werden nicht warm. Entlüften Sie jeden Heizkörper mit dem Schlüssel.": (
        "wie entlüfte ich die kalten Heizkörpern in meiner Wohnung"
    ),
    "Nach dem Laufen schmerzt das Knie. Kürzere Strecken und kräftige Oberschenkel helfen.": (
        "was soll ich bei schmerzenden Knien auf langer Strecke tun"
    ),
    "Der Teig geht nicht auf. Frische Hefen mögen warme Milch und viel Zeit.": (
        "warum ist mein Teige mit frischer Hefe nicht aufgegangen"
    ),
    "Die Rechnung wurde doppelt bezahlt. Wir erstatten den Betrag nach der Prüfung.": (
        "wann wird mir die doppelte Zahlung meiner Rechnungen erstattet"
    ),
    "Das Fenster schließt nicht dicht. Ersetzen Sie die alten Dichtungen im Rahmen.": (
        "wie kann ich an den Fenstern eine alte Dichtung ersetze"
    ),
    "Die Katze kratzt am Sofa. Stellen Sie einen Kratzbaum daneben und loben Sie das Tier.": (
        "was hilft, wenn mir die Katzen an den Sofas kratzen"
    ),
    "Der Rasen wird gelb. Düngen Sie im Frühjahr und wässern Sie selten, aber gründlich.": (
        "soll ich einen gelben Rasen düngen, und wie oft wässere ich"
    ),
}


@pytest.mark.parametrize(
    ("language", "text", "terms"),
    [
        ("en", "Why doesn't my Café KNEE stop hurting?", ["cafe", "knee", "stop", "hurt"]),
        ("de", "Warum schmerzen die Füße beim Laufen?", ["warum", "schmerz", "fuss", "beim", "lauf"]),
        ("fr", "Les réparations sont gratuites", ["repar", "gratuit"]),
        ("es", "¿Cuándo llegan las devoluciones?", ["cuand", "lleg", "devolu"]),
        ("ru", "Болят колени", ["бол", "колен"]),
        ("tr", "kitaplar", ["kitap"]),
        ("pl", "Bolą mnie KOLANA", ["bola", "mnie", "kolana"]),
        (None, "Why doesn't my Café", ["why", "doesn", "t", "my", "cafe"]),
        ("zh", "门关不上, iPhone 15 Pro", ["门关", "关不", "不上", "iphone", "15", "pro"]),
        ("zh", "痛", ["痛"]),
        ("ja", "ひざが痛い", ["ひざ", "ざが", "が痛", "痛い"]),
        ("ja", "ﾋｻﾞ １２", ["ヒザ", "12"]),
        ("ko", "무릎이 아파요", ["무릎", "릎이", "아파", "파요"]),
        ("th", "ปวด", ["ปว", "วด"]),
    ],
)
def test_words_lose_endings_and_function_words_of_their_language(language: str, text: str, terms: list[str]) -> None:
    """Each language has its own stems and function words, or pairs of characters; others keep whole words."""
    assert Analysis.of_language(language).terms_of(text) == terms


@pytest.mark.parametrize("name", sorted(ANALYSES))
@given(text=st.text(max_size=60))
def test_what_is_indexed_is_what_is_looked_for(name: str, text: str) -> None:
    """The tokenizer of the lexical index cuts a text into the terms that a complaint of the same text has."""
    analysis = Analysis(name)
    terms = analysis.terms_of(text)
    assert analysis.tokenizer().analyze(analysis.indexed(text)) == terms
    assert set(analysis.query_weights(text)) == set(terms)


def test_every_analysis_is_known_to_tantivy() -> None:
    """Each can be made, and leaves a word in its script."""
    assert all(isinstance(Analysis(name).tokenizer(), tantivy.TextAnalyzer) for name in ANALYSES)


def first_hits(folder: Path, analysis: Analysis) -> float:
    """Return the share of the German complaints whose post has the highest BM25."""
    folder.mkdir()
    writer = LexicalWriter(folder, analysis)
    for number, post in enumerate(GERMAN):
        writer.add(number, post)
    writer.close()
    store = LexicalStore(folder, len(GERMAN))
    found = [store.search(analysis.query_weights(complaint), 1)[0].tolist() for complaint in GERMAN.values()]
    right = [hit == [number] for number, hit in enumerate(found)]
    return right.count(True) / len(right)


def test_german_words_are_found_in_other_forms(tmp_path: Path) -> None:
    """With German stems and function words the first hit is right more often than with English ones."""
    german = first_hits(tmp_path / "german", Analysis.of_language("de"))
    assert german >= 0.85
    assert german > first_hits(tmp_path / "english", ENGLISH)
