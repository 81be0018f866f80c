"""Text -> its language (ISO 639-1), None where that is not sure.

py3langid names the language; what is above it here makes it careful. It is loaded when it is first needed: that takes a
third of a second and 105 MB. English by its function words does not need it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import cache

# The languages to choose from: with fewer, a short text is named more surely (docs/ranking.md has the figures).
NAMES: Mapping[str, str] = {
    "af": "Afrikaans", "ar": "Arabic", "bg": "Bulgarian", "bn": "Bengali", "ca": "Catalan", "cs": "Czech",
    "da": "Danish", "de": "German", "el": "Greek", "en": "English", "es": "Spanish", "et": "Estonian",
    "fa": "Persian", "fi": "Finnish", "fr": "French", "gu": "Gujarati", "he": "Hebrew", "hi": "Hindi",
    "hr": "Croatian", "hu": "Hungarian", "id": "Indonesian", "it": "Italian", "ja": "Japanese", "ko": "Korean",
    "lt": "Lithuanian", "lv": "Latvian", "ml": "Malayalam", "mr": "Marathi", "nl": "Dutch", "no": "Norwegian",
    "pl": "Polish", "pt": "Portuguese", "ro": "Romanian", "ru": "Russian", "sk": "Slovak", "sl": "Slovenian",
    "sr": "Serbian", "sv": "Swedish", "ta": "Tamil", "te": "Telugu", "th": "Thai", "tr": "Turkish",
    "uk": "Ukrainian", "ur": "Urdu", "vi": "Vietnamese", "zh": "Chinese",
}  # fmt: skip
# Letters of the scripts that put no spaces between words; Korean does, but its endings are part of the word.
UNSPACED = "\u0e00-\u0e7f\u1100-\u11ff\u3005\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
# Below this probability no language is named; above it none was wrong on what was measured.
_SURE = 0.7
_LEAST_WORDS, _LEAST_UNSPACED = 3, 4
_MOST_CHARACTERS = 1000
# The share of the letters that an archive's main language has.
_MAIN_SHARE = 0.8
# English function words, apostrophes cut as the tokenizer cuts them ("don't" is "don" and "t").
ENGLISH_FUNCTION_WORDS = """
a about after again all also am an and any anyone are as at be because been before being but by can cannot could d did
do does doesn doing don done for from get gets getting go goes going got had has have having he her here hers him his
how i if in into is isn it its itself just ll m may me might more most much must my myself no nor not now of off on
one only or other our out over own re s same she should since so some such t than that the their them then there these
they this those though to too until up us ve very was wasn we were what when where whether which while who whom why
will with won would you your yours
""".split()
# A text with more than such a share of them, and so many, is English; other languages have some of them ("in", "do",
# "me"): a third of a German or Spanish text, three sevenths of one in Afrikaans.
_ENGLISH_SHARE, _ENGLISH_WORDS = 0.45, 3
_ENGLISH = frozenset(ENGLISH_FUNCTION_WORDS)
_WORD = re.compile(r"[^\W\d_]+")


@cache
def unspaced_letter() -> re.Pattern[str]:
    """Return the pattern of a letter of `UNSPACED`: few texts need it, and it takes milliseconds to compile."""
    return re.compile(f"[{UNSPACED}]")


def language_of(text: str) -> str | None:
    """Return the language of a text; None where that is not sure, or the text has less than three words."""
    text = text[:_MOST_CHARACTERS]
    words = _WORD.findall(text)
    if len(words) < _LEAST_WORDS and len(unspaced_letter().findall(text)) < _LEAST_UNSPACED:
        return None
    if _is_plain_english(words):
        return "en"
    language, probability = _classifier()(text)
    return language if probability >= _SURE else None


def _is_plain_english(words: Sequence[str]) -> bool:
    """Return whether so many of a text's words are English function words that it needs no classifier."""
    return sum(word.lower() in _ENGLISH for word in words) >= max(_ENGLISH_WORDS, _ENGLISH_SHARE * len(words))


def main_language(texts: Sequence[str]) -> str | None:
    """Return the language that most of some texts are in; None where they are mixed, or it is not sure."""
    english = sum(len(text) for text in texts if _is_plain_english(_WORD.findall(text[:_MOST_CHARACTERS])))
    if english and english >= _MAIN_SHARE * sum(map(len, texts)):
        return "en"
    letters: Counter[str] = Counter()
    for text in texts:
        language = language_of(text)
        if language is not None:
            letters[language] += len(text)
    if not letters:  # texts of a word or two say something together
        return language_of("\n".join(texts))
    language, most = letters.most_common(1)[0]
    return language if most >= _MAIN_SHARE * letters.total() else None


def name_of(language: str) -> str:
    """Return the English name of a language."""
    return NAMES.get(language, language)


@cache
def _classifier() -> Callable[[str], tuple[str, float]]:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(NAMES)
    classify: Callable[[str], tuple[str, float]] = identifier.classify
    return classify
