"""Objects of a chat of two (a user and an assistant), or messages of one -> records: what was asked and answered."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from qa_search.archives.formats.labels import seems_to_ask
from qa_search.archives.formats.speakers import is_note
from qa_search.archives.formats.values import is_blank, text_of

_Object = Mapping[str, Any]
CHAT_KEYS = (
    "messages",
    "conversations",
    "conversation",
    "turns",
    "dialog",
    "dialogue",
    "chat",
    "chat_messages",
    "contents",
)
_USERS = frozenset(("user", "human", "prompter", "customer", "client", "question", "patient", "student"))
_ASSISTANTS = frozenset(
    ("assistant", "gpt", "bot", "agent", "model", "answer", "doctor", "expert", "chatgpt", "support")
)
# Who speaks in a chat of tawk.to: a visitor or an agent.
_LETTERS = {"v": "user", "a": "agent"}
# What Slack's program writes by itself.
_EVENTS = (
    "channel_join",
    "channel_leave",
    "channel_topic",
    "channel_purpose",
    "channel_name",
    "bot_add",
    "pinned_item",
)
_SLACK_LINK = re.compile(r"<(https?://[^|<>\s]+|mailto:[^|<>\s]+)(?:\|([^<>]*))?>")
_SLACK_NAME = re.compile(r"<([@#!])([^|<>\s]+)(?:\|([^<>]*))?>")


def chat(value: _Object) -> list[_Object] | None:
    """Read a conversation: the user asks, the assistant answers."""
    for key in CHAT_KEYS:
        turns = value.get(key)
        if not isinstance(turns, list) or not all(isinstance(turn, Mapping) for turn in turns):
            continue
        said = [(_speaker(turn), _said(turn)) for turn in turns if not is_note(turn)]
        asked = next((number for number, (who, text) in enumerate(said) if who in _USERS and text), None)
        if asked is None or not any(who in _ASSISTANTS for who, _ in said):
            continue
        answers = said_after(said[asked + 1 :])
        rest = {name: inner for name, inner in value.items() if name not in CHAT_KEYS}
        return [{**rest, "question": said[asked][1], "answer": answers[0] if len(answers) == 1 else answers}]
    return None


def said_after(said: Sequence[tuple[str, str]]) -> list[str]:
    """Return what was answered; what the user goes on to ask stands before its answer."""
    answers: list[str] = []
    asked = ""
    for who, text in said:
        if who in _ASSISTANTS and text:
            answers.append(f"{asked}\n\n{text}" if asked else text)
            asked = ""
        elif who in _USERS:
            asked = text if seems_to_ask(text.strip()) else ""
    return answers


def _speaker(turn: _Object) -> str:
    for key in ("role", "from", "speaker", "sender", "author", "type"):
        who = turn.get(key)
        if isinstance(who, Mapping):
            who = who.get("role") or who.get("type") or _LETTERS.get(str(who.get("t")))
        if isinstance(who, str):
            return who.strip().lower()
    return ""


def _said(turn: _Object) -> str:
    for key in ("content", "value", "text", "message", "body", "utterance", "msg", "parts"):
        found = turn.get(key)
        if isinstance(found, Mapping) and isinstance(found.get("parts"), list):
            found = "\n\n".join(part for part in found["parts"] if isinstance(part, str))
        try:
            if not is_blank(found):
                return text_of(found)
        except ValueError:
            continue
    return ""


def slack_message(value: _Object) -> list[_Object] | None:
    """Read a message of Slack: links and names as people see them; what the program says itself is left out."""
    text = value.get("text")
    if value.get("type") != "message" or "ts" not in value or not isinstance(text, str):
        return None
    if value.get("subtype") in _EVENTS:
        return []
    plain = _SLACK_LINK.sub(lambda match: f"{match[2]} ({match[1]})" if match[2] else match[1], text)
    plain = _SLACK_NAME.sub(lambda match: f"{match[1]}{match[3] or match[2]}", plain).strip()
    return None if plain == text else [{**value, "text": plain}]


def tree(value: _Object) -> list[_Object] | None:
    """Read a conversation that is kept as a tree of messages, as ChatGPT's export has it: the branch that was shown."""
    nodes, current = value.get("mapping"), value.get("current_node")
    if not isinstance(nodes, Mapping) or not isinstance(current, str):
        return None
    turns: list[object] = []
    while isinstance(node := nodes.get(current), Mapping) and len(turns) <= len(nodes):
        turns.append(node.get("message"))
        current = node.get("parent")
    rest = {name: inner for name, inner in value.items() if name not in ("mapping", "current_node")}
    return chat({**rest, "messages": [turn for turn in reversed(turns) if isinstance(turn, Mapping)]})


def reply(value: _Object) -> list[_Object] | None:
    """Read a message of a chat that names the message which it replies to."""
    reference = value.get("reference")
    above = reference.get("messageId", reference.get("message_id")) if isinstance(reference, Mapping) else None
    return None if above is None else [{**value, "parent_id": above}]
