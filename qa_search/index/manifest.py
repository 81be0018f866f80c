"""What a manifest must hold for a generation to be searched. It is checked before anything relies on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from qa_search.types import SIGNALS
from qa_search.util.terms import ANALYSES, ENGLISH

# The most characters of a source's name.
MOST_SOURCE_NAME = 200
# A condition on a value and what to call it.
Shape = Mapping[str, Any] | Callable[[object], bool]


def _text(value: object) -> bool:
    return isinstance(value, str)


def _count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _limit(value: object) -> bool:
    return value is None or _count(value)


def _flag(value: object) -> bool:
    return isinstance(value, bool)


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and -1e9 < value < 1e9


def _signal_weights(value: object) -> bool:
    if not isinstance(value, Mapping) or not all(map(_number, value.values())):
        return False
    return set(value) <= set(SIGNALS) and min(value.values(), default=0) >= 0 < sum(value.values())


def _confidence(value: object) -> bool:
    """One weight for each sign; older indexes have other signs, and say which."""
    shape: Shape = {"learnt": _flag, "signs": _names, "bias": _number, "threshold": _number, "changed": _count}
    if not isinstance(value, Mapping) or _flaw(value, shape, "") is not None:
        return False
    weights = value.get("weights")
    return isinstance(weights, list) and len(weights) == len(value["signs"]) and all(map(_number, weights))


def _names(value: object) -> bool:
    return isinstance(value, list) and all(map(_text, value))


def _encoder(value: object) -> bool:
    """An exported encoder names its folder, which lies beside the generations, and its files."""
    if not isinstance(value, Mapping) or value.get("kind") not in ("onnx", "original", "given"):
        return False
    if value["kind"] != "onnx":
        return True
    agreement: Shape = {"passages": _count, "mean": _number, "min": _number}
    shape: Shape = {"folder": is_plain_name, "files": is_file_list, "precision": _text, "agreement": agreement}
    return _flaw(value, shape, "") is None


def _vector_index(value: object) -> bool:
    """A folder has a flat index or inverted lists, a database HNSW."""
    if not isinstance(value, Mapping) or value.get("kind") not in ("flat", "ivf-sq8", "ivf-pq", "hnsw"):
        return False
    counted = ("lists", "probes", "covered", "trained")
    return value["kind"] in ("flat", "hnsw") or all(_count(value.get(name)) and value[name] > 0 for name in counted)


def _file_report(value: object) -> bool:
    shape: dict[str, Shape] = {
        "source": _text,
        "format": _text,
        "encoding": lambda name: name is None or _text(name),
        **dict.fromkeys(("files", "posts", "with_question", "with_answer", "with_date", "set_aside"), _count),
        "roles": _counted_fields,
        "unused": _texts,
        "remarks": _texts,
    }
    return isinstance(value, Mapping) and set(value) == set(shape) and _flaw(value, shape, "") is None


def _counted_fields(value: object) -> bool:
    return isinstance(value, Mapping) and all(
        isinstance(names, Mapping) and all(map(_count, names.values())) for names in value.values()
    )


def _texts(value: object) -> bool:
    return isinstance(value, list) and all(map(_text, value))


def _reading(value: object) -> bool:
    """Indexes that earlier versions built do not say what was taken for what."""
    return isinstance(value, list) and all(map(_file_report, value))


def _analysis(value: object) -> bool:
    return isinstance(value, str) and value in ANALYSES


def _text_or_none(value: object) -> bool:
    return value is None or _text(value)


def _share(value: object) -> bool:
    return value is None or (_number(value) and 0 <= cast(float, value) <= 1)


def is_built_from(value: object) -> bool:
    """Return whether a value is a manifest's record of the sources of a build; an empty one says nothing."""
    shape: Shape = {"sources": _sources, "settings": _mapping, "excluded": _names, "state": _map_of_texts}
    return value == {} or (isinstance(value, Mapping) and _flaw(value, shape, "") is None)


def is_source_name(name: str) -> bool:
    """Return whether a text can be the name of a source."""
    return bool(name.strip()) and name.isprintable() and len(name) <= MOST_SOURCE_NAME


def _mapping(value: object) -> bool:
    return isinstance(value, Mapping)


def _map_of_texts(value: object) -> bool:
    return isinstance(value, Mapping) and all(map(_text, value.values()))


def _sources(value: object) -> bool:
    return isinstance(value, list) and all(
        isinstance(one, Mapping)
        and set(one) == {"path", "name"}
        and all(map(_text, one.values()))
        and is_source_name(one["name"])
        for one in value
    )


def _changes(value: object) -> bool:
    return isinstance(value, list) and all(
        isinstance(one, Mapping)
        and set(one) == {"source", *_CHANGES}
        and _text(one["source"])
        and all(_count(one[kind]) for kind in _CHANGES)
        for one in value
    )


def _history(value: object) -> bool:
    shape: Shape = {
        "generation": _text, "created": _text, "posts": _count, "sources": _sources,
        "changes": dict.fromkeys(_CHANGES, _count),
    }  # fmt: skip
    return isinstance(value, list) and all(
        isinstance(one, Mapping) and _flaw(one, shape, "") is None and set(one["changes"]) == set(_CHANGES)
        for one in value
    )


_CHANGES = ("added", "changed", "removed", "renamed", "unchanged")
# What indexes of earlier versions lack, and what is assumed of them.
_LATER: Mapping[str, tuple[Any, Callable[[object], bool]]] = {
    "reading": ([], _reading),
    "language": (None, _text_or_none),
    "unread": (None, _share),
    "built_from": ({}, is_built_from),
    "previous": (None, _text_or_none),
    "changes": ([], _changes),
    "history": ([], _history),
}
_SHAPE: Shape = {
    "built_by": _text,
    "created": _text,
    "model": {"name": _text, "sha256": _text, "location": _text, "dimension": _count, "passage_limit": _limit},
    "encoder": _encoder,
    "vectors": _text,
    "splitter": {"passage_tokens": _count, "rules": _count},
    "lexical": {"rules": _count, "texts": _text},
    "ranking": {"weights": _signal_weights, "tuned": _flag},
    "confidence": _confidence,
    "counts": {"posts": _count, "duplicates": _count, "passages": _count, "set_aside": _count, "unanswered": _count},
}


def is_plain_name(value: object) -> bool:
    """Return whether a value is a plain name in a folder, not a path out of it."""
    if not isinstance(value, str) or value in ("", ".", ".."):
        return False
    return value.isprintable() and not set(value) & set("/\\")


def is_file_list(value: object) -> bool:
    """Return whether a value lists files below a folder, each with its size and hashes."""
    return isinstance(value, Mapping) and all(
        all(map(is_plain_name, name.split("/")))
        and isinstance(record, Mapping)
        and _count(record.get("bytes"))
        and _text(record.get("sha256"))
        and _text(record.get("xxh3"))
        for name, record in value.items()
    )


def find_flaw(manifest: Mapping[str, Any]) -> str | None:
    """Return the name of the first missing or invalid part of a manifest, None if all are valid."""
    if not _vector_index(manifest.get("vector_index")):
        return "vector_index"
    for name, (assumed, fits) in _LATER.items():
        if not fits(manifest.get(name, assumed)):
            return name
    flaw = _flaw(manifest, _SHAPE, "")
    if flaw is None and not _analysis(manifest["lexical"].get("analysis", ENGLISH.name)):
        return "lexical.analysis"
    return flaw


def _flaw(value: object, shape: Shape, place: str) -> str | None:
    if not isinstance(shape, Mapping):
        return None if shape(value) else place
    if not isinstance(value, Mapping):
        return place
    for name, inner in shape.items():
        here = f"{place}.{name}" if place else name
        if name not in value:
            return here
        flaw = _flaw(value[name], inner, here)
        if flaw:
            return flaw
    return None
