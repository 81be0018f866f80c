"""Files of an assistant made with Rasa (examples of intents, responses, rules) -> questions, and answers to them.

A response ``utter_NAME`` answers the intent NAME, or the intent that a rule or a story lets it follow. They are joined
when all files of the folder are read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from qa_search.archives.base import ArchiveFile, ReadOptions, Reply, post_too_long
from qa_search.types import AnswerPart, Post, SetAside
from qa_search.util.text import clean_text

_UTTER = "utter_"
# "[Berlin](city)", "[tomorrow]{"entity": "date"}": what is in brackets is said.
_ENTITY = re.compile(r"\[(?P<said>[^\[\]]{1,300})\](?:\([^()]{0,300}\)|\{[^{}]{0,300}\})")
_OTHERS = ("synonym", "regex", "lookup")
_FLOWS = ("rules", "stories")


def rasa_items(file: ArchiveFile, document: object, options: ReadOptions) -> Iterator[Post | SetAside | Reply] | None:
    """Yield the intents, the responses and what ties them; None for a document of another kind."""
    if not isinstance(document, Mapping) or not (_intents(document) or _responses(document) or _flows(document)):
        return None
    return _items(file, document, options)


def _items(file: ArchiveFile, document: Mapping[str, Any], options: ReadOptions) -> Iterator[Post | SetAside | Reply]:
    file.log.lacks_answers = True
    if _intents(document):
        file.log.advice = (
            f"no response to an intent: put the domain, with its responses ({_UTTER}...), into the same folder"
        )
    most = options.limits.post_characters
    for intent in _intents(document):
        name, question = str(intent["intent"]), "\n".join(_examples(intent.get("examples")))
        if len(question) > most:
            yield file.set_aside(f"intent {name}", post_too_long(options))
        elif question:
            file.log.took("question", "examples of an intent")
            yield Post(file.source, clean_text(name), question=question)
    listed = document.get("nlu")
    others = sum(any(kind in one for kind in _OTHERS) for one in (listed if isinstance(listed, list) else ()))
    if others:
        file.log.omit("synonyms and lookup tables", others)
    for name, said in _responses(document).items():
        for text in said:
            file.log.took("answer", "responses")
            yield Reply(name, text, AnswerPart(0, 0), f"response {_UTTER}{name}")
    for asked, response in _ties(document):
        if asked != response:
            yield Reply(asked, "", AnswerPart(0, 0, response), f"intent {asked}", writer=response)
    if flows := _flows(document):
        file.log.omit("rules and stories, but for which response follows which intent", len(flows))


def _intents(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    listed = document.get("nlu")
    return [
        one
        for one in (listed if isinstance(listed, list) else ())
        if isinstance(one, Mapping) and isinstance(one.get("intent"), str) and "examples" in one
    ]


def _examples(given: object) -> Iterator[str]:
    """Yield the examples of an intent: lines with a dash before each, or objects with a text."""
    lines = given.split("\n") if isinstance(given, str) else given if isinstance(given, list) else ()
    for line in lines:
        text = line.get("text") if isinstance(line, Mapping) else line
        if isinstance(text, str) and (said := _ENTITY.sub(r"\g<said>", text.strip().removeprefix("- ")).strip()):
            yield clean_text(said)


def _responses(document: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the texts of each response, by its name without the mark of responses."""
    given = document.get("responses", document.get("templates"))
    found = {}
    for name, said in given.items() if isinstance(given, Mapping) else ():
        if str(name).startswith(_UTTER) and isinstance(said, list):
            texts = (one.get("text") if isinstance(one, Mapping) else one for one in said)
            found[str(name).removeprefix(_UTTER)] = [clean_text(text) for text in texts if isinstance(text, str)]
    return found


def _flows(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [
        flow
        for key in _FLOWS
        for flow in (document[key] if isinstance(document.get(key), list) else ())
        if isinstance(flow, Mapping) and isinstance(flow.get("steps"), list)
    ]


def _ties(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield each intent with the response right behind it in a rule or a story."""
    for flow in _flows(document):
        intent = ""
        for step in flow["steps"]:
            said = step if isinstance(step, Mapping) else {}
            action = said.get("action")
            if intent and isinstance(action, str) and action.startswith(_UTTER):
                yield intent, action.removeprefix(_UTTER)
            intent = said["intent"] if isinstance(said.get("intent"), str) else ""
