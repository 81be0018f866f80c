"""YAML -> plain values, its plain words as they are written, within limits.

By PyYAML's events, not its loaders: those make the dates and truth values of YAML 1.1 of what people wrote as text
("answer: no"), resolve an alias as often as it is written, and go as deep as a file does.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

MOST_DEPTH = 64
# As many as one JSON record may have.
MOST_VALUES = 2_000_000
_NULL = frozenset(("", "~", "null", "Null", "NULL"))
_MOST_KEY = 1000


class YamlError(ValueError):
    """Invalid YAML: the message says why, ``place`` says where."""

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(reason)
        self.place = place


def parse_yaml(text: str) -> object:
    """Parse the first document of a YAML text to dicts, lists, strings and None.

    Raises:
        YamlError: as `yaml_documents`.
    """
    return next(yaml_documents(text), None)


def yaml_documents(text: str) -> Iterator[object]:
    """Parse each document of a YAML text.

    Raises:
        YamlError: if it is broken, nested too deep, or has too many values, each alias counted as what it names.
    """
    import yaml  # here, because it takes a while and searching does not need it

    # libyaml's parser where PyYAML was built with it: ten times as fast.
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        events = yaml.parse(text, Loader=loader)
        builder = _Builder(events)
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                yield builder.document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise YamlError(_line(mark), f"broken YAML ({error.problem or error.context})") from error
    except yaml.YAMLError as error:
        raise YamlError("", f"broken YAML ({' '.join(str(error).split())})") from error


class _Builder:
    """Builds values from events and counts them; an aliased value counts each time."""

    def __init__(self, events: Iterator[Any]) -> None:
        self._events = events
        self._left = MOST_VALUES
        self._anchors: dict[str, tuple[object, int, int]] = {}

    def document(self) -> object:
        """Build the value of the document that has begun."""
        self._anchors.clear()
        return self._value(next(self._events), 0)[0]

    def _value(self, event: Any, depth: int) -> tuple[object, int, int]:
        """Build what begins with an event: (the value, how many values are in it, how deep it goes)."""
        import yaml

        if isinstance(event, yaml.AliasEvent):
            built = self._anchors.get(event.anchor or "")
            if built is None:
                raise YamlError(_line(event.start_mark), f"an alias of nothing: *{event.anchor}")
        elif isinstance(event, yaml.ScalarEvent):
            built = (None if event.style is None and event.value in _NULL else event.value), 1, 0
        elif depth >= MOST_DEPTH:
            raise YamlError(_line(event.start_mark), f"YAML nested more than {MOST_DEPTH} deep")
        elif isinstance(event, yaml.SequenceStartEvent):
            built = self._list(depth)
        else:
            built = self._dict(depth)
        if depth + built[2] > MOST_DEPTH:
            raise YamlError(_line(event.start_mark), f"YAML nested more than {MOST_DEPTH} deep")
        self._left -= built[1] if isinstance(event, yaml.AliasEvent) else 1
        if self._left < 0:
            raise YamlError(_line(event.start_mark), f"YAML of more than {MOST_VALUES:,} values")
        if event.anchor and not isinstance(event, yaml.AliasEvent):
            self._anchors[event.anchor] = built
        return built

    def _list(self, depth: int) -> tuple[object, int, int]:
        import yaml

        items = []
        size, height = 1, 0
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            item, count, below = self._value(event, depth + 1)
            items.append(item)
            size, height = size + count, max(height, below + 1)
        return items, size, height

    def _dict(self, depth: int) -> tuple[object, int, int]:
        import yaml

        fields: dict[str, object] = {}
        merged: dict[str, object] = {}
        size, height = 1, 0
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key, keys, _ = self._value(event, depth + 1)
            item, count, below = self._value(next(self._events), depth + 1)
            size, height = size + keys + count, max(height, below + 1)
            if key == "<<" and isinstance(item, dict):
                merged.update(item)
            else:
                fields["" if key is None else str(key)[:_MOST_KEY]] = item
        return {**merged, **fields}, size, height


def _line(mark: Any) -> str:
    return f"line {mark.line + 1}" if mark is not None else ""
