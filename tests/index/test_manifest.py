"""The manifest: what builds write comes back as it was, and what is missing or invalid is named."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devtools.manifests import make_manifest
from qa_search import SearchIndex, build_index, index_log, undo_index, verify_index
from qa_search.errors import IndexDamagedError
from qa_search.index.manifest import (
    BuildRecord,
    BuiltFrom,
    ChangeTotals,
    ExportedEncoder,
    FolderManifest,
    GivenEncoder,
    LexicalRecord,
    Manifest,
    OriginalEncoder,
    SourceState,
    dump_record,
)
from qa_search.index.postgres.manifest import DatabaseManifest
from qa_search.index.stores.records import ListedVectors
from tests.helpers import ROOT, WordsEmbedder, seal, write_pages

REQUIRED = object()
many = settings(max_examples=60, deadline=None)


def document_of(index: Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((index / "generations" / name / "manifest.json").read_bytes())
    return found


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of three builds: a small one, one that adds posts, and one of compressed vectors."""
    home = tmp_path_factory.mktemp("manifest")
    for count, more in ((20, {}), (30, {}), (160, {"memory": 60_000, "recall": 0.1})):
        pages = write_pages(home / "pages", count)
        build_index(pages, home / "index", model=WordsEmbedder(), **more)  # type: ignore[arg-type]
    return home / "index"


@pytest.mark.parametrize("name", ["g000001", "g000002", "g000003"])
def test_what_a_build_writes_comes_back_as_it_was(index: Path, name: str) -> None:
    """Every field, in the order of the file: the text and its hash stay the same."""
    document = document_of(index, name)
    again = FolderManifest.parse(document).dump()
    assert json.dumps(again) == json.dumps(document)
    assert (again["vector_index"]["kind"] == "flat") is (name != "g000003")


def test_a_manifest_tells_the_builds_before_it(index: Path) -> None:
    """The oldest first, with what each changed."""
    history = FolderManifest.parse(document_of(index, "g000003")).history
    assert [(build.generation, build.posts, build.changes.added) for build in history] == [
        ("g000001", 20, 20),
        ("g000002", 30, 10),
    ]


text = st.text(max_size=20)
count = st.integers(0, 10**12)
number = st.floats(-1e6, 1e6) | st.integers(-1000, 1000)
share = st.floats(0, 1)
positive = st.integers(1, 10**9)
sources: st.SearchStrategy[list[dict[str, str]]] = st.lists(
    st.fixed_dictionaries({"path": text, "name": st.text("abc def", min_size=1, max_size=9).filter(str.strip)}),
    max_size=3,
)
totals = st.fixed_dictionaries(dict.fromkeys(ChangeTotals._fields, count))
files = st.dictionaries(
    st.from_regex(r"[a-z]{1,8}(/[a-z]{1,8})?", fullmatch=True),
    st.fixed_dictionaries({"bytes": count, "sha256": text, "xxh3": text}),
    max_size=3,
)
closeness = st.fixed_dictionaries({"unrelated": share, "related": share})
agreement = st.fixed_dictionaries({"passages": count, "mean": number, "min": number})
encoders = st.one_of(
    st.just({"kind": "given"}),
    st.fixed_dictionaries({"kind": st.just("original")}, optional={"why": text}),
    st.fixed_dictionaries(
        {"kind": st.just("onnx"), "folder": st.just("int8-01-02"), "precision": text, "agreement": agreement,
         "files": files},
        optional={"passages": st.fixed_dictionaries(
            {"by": text, "device": text, "precision": text, "agreement": agreement}), "closeness": closeness},
    ),
)  # fmt: skip
lists = st.fixed_dictionaries(
    {"kind": st.sampled_from(["ivf-rabitq2", "ivf-rabitq1", "ivf-sq8", "ivf-pq"]), "lists": positive,
     "trained": positive, "covered": positive, "probes": positive},
    optional={"recall": share, "recall_at": count, "queries": count},
)  # fmt: skip
report = st.fixed_dictionaries(
    {
        "source": text, "format": text, "encoding": st.none() | text, "files": count, "posts": count,
        "with_question": count, "with_answer": count, "with_date": count, "set_aside": count,
        "roles": st.dictionaries(text, st.dictionaries(text, count, max_size=2), max_size=2),
        "unused": st.lists(text, max_size=2), "remarks": st.lists(text, max_size=2),
    }
)  # fmt: skip
setting = st.none() | st.booleans() | count | number | text
built_from = st.fixed_dictionaries(
    {
        "sources": sources,
        "settings": st.dictionaries(text, setting | st.dictionaries(text, setting, max_size=2), max_size=3),
        "excluded": st.lists(text, max_size=2),
        "state": st.fixed_dictionaries({}, optional={"stat": text, "content": text, "key": text}),
    }
)
signs = st.lists(st.tuples(text, number), max_size=4)


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """Return a manifest such as builds write."""
    rule = draw(signs)
    return {
        "format_version": 5,
        "built_by": draw(text),
        "created": draw(text),
        "model": {"name": draw(text), "sha256": draw(text), "location": draw(text), "dimension": draw(count),
                  "passage_limit": draw(st.none() | count)},
        "encoder": draw(encoders),
        "vectors": draw(text),
        "splitter": {"passage_tokens": draw(count), "rules": draw(count)},
        "lexical": {"rules": draw(count), "texts": draw(text),
                    **draw(st.sampled_from([{}, {"analysis": "german"}, {"analysis": "bigrams"}]))},
        "ranking": {"weights": {"best": draw(st.floats(0.1, 5)), "lexical": draw(share)}, "tuned": draw(st.booleans())},
        "confidence": {"learnt": draw(st.booleans()), "signs": [sign for sign, _ in rule],
                       "weights": [weight for _, weight in rule], "bias": draw(number), "threshold": draw(number),
                       "changed": draw(count)},
        "counts": dict.fromkeys(("posts", "duplicates", "passages", "set_aside", "unanswered"), draw(count)),
        "language": draw(st.none() | text),
        "unread": draw(st.none() | share),
        "closeness": draw(st.none() | closeness),
        "vector_index": draw(st.just({"kind": "flat"}) | lists),
        "built_from": draw(built_from),
        "reading": draw(st.lists(report, max_size=2)),
        "previous": draw(st.none() | text),
        "changes": draw(st.lists(totals.flatmap(lambda found: text.map(lambda name: {"source": name, **found})),
                                 max_size=2)),
        "history": draw(st.lists(st.fixed_dictionaries(
            {"generation": text, "created": text, "posts": count, "sources": sources, "changes": totals}), max_size=2)),
        "generation": draw(text),
        "files": draw(files),
    }  # fmt: skip


@given(documents())
@many
@pytest.mark.slow
def test_any_manifest_comes_back_as_it_was(document: dict[str, Any]) -> None:
    """Nothing is lost or added, numbers are as they were written."""
    again = FolderManifest.parse(document).dump()
    assert json.dumps(again, sort_keys=True) == json.dumps(document, sort_keys=True)


FULL: dict[str, Any] = json.loads(
    json.dumps(
        {
            **make_manifest(
                lexical=LexicalRecord(1, "0" * 32, "german"),
                built_from=BuiltFrom((), {"memory": 5, "map": {"answer": "a"}}, ("post",), SourceState("s", "c", "k")),
                history=(BuildRecord("g000001", "then", 3, (), ChangeTotals(1, 2, 3, 4, 5)),),
                vector_index=ListedVectors("ivf-sq8", 4, 100, 100, 2, 0.9, 10, 256),
            ).dump(),
            "encoder": {
                "kind": "onnx", "folder": "int8-1-2", "precision": "int8",
                "agreement": {"passages": 9, "mean": 1.0, "min": 0.9},
                "files": {"model.onnx": {"bytes": 1, "sha256": "a", "xxh3": "b"}},
                "passages": {"by": "torch", "device": "cpu", "precision": "bf16",
                             "agreement": {"passages": 9, "mean": 1.0, "min": 0.9}},
                "closeness": {"unrelated": 0.1, "related": 0.5},
            },
            "closeness": {"unrelated": 0.1, "related": 0.5},
            "files": {"lexical/meta.json": {"bytes": 1, "sha256": "a", "xxh3": "b"}},
            "reading": [{
                "source": "s", "format": "f", "encoding": None, "files": 1, "posts": 1, "with_question": 1,
                "with_answer": 1, "with_date": 1, "set_aside": 0, "roles": {"answer": {"a": 1}}, "unused": ["x"],
                "remarks": ["y"],
            }],
            "changes": [{"source": "s", "added": 1, "changed": 0, "removed": 0, "renamed": 0, "unchanged": 0}],
        }
    )
)  # fmt: skip
FULL["built_from"]["sources"] = FULL["history"][0]["sources"] = [{"path": "/a", "name": "a"}]
# What older indexes lack, and what is only written where it says something.
MAY_BE_MISSING = {
    "encoder.passages", "encoder.closeness", "lexical.analysis", "language", "unread", "closeness",
    "vector_index.recall",
    "vector_index.recall_at", "vector_index.queries", "built_from", "built_from.state.stat",
    "built_from.state.content", "built_from.state.key", "reading", "previous", "changes", "history",
}  # fmt: skip
# Names and values that only the archive or the settings choose.
FREE = ("ranking.weights.", "reading[0].roles.", "built_from.settings.", "files.", "encoder.files.")


def places(document: Any, place: str = "") -> Iterator[tuple[str, Any, str | int]]:
    """Yield each place in a manifest, what holds it, and its name there."""
    if isinstance(document, dict | list):
        for name, value in document.items() if isinstance(document, dict) else enumerate(document):
            here = f"{place}[{name}]" if isinstance(name, int) else f"{place}.{name}".lstrip(".")
            yield here, document, name
            yield from places(value, here)


PLACES = [place for place, _, _ in places(FULL)]


def changed(place: str, value: object = REQUIRED) -> dict[str, Any]:
    """Return the full manifest with another value in a place, or without it."""
    document: dict[str, Any] = json.loads(json.dumps(FULL))
    holder, name = next((holder, name) for here, holder, name in places(document) if here == place)
    if value is REQUIRED:
        del holder[name]
    else:
        holder[name] = value
    return document


def flaw_of(document: object, kind: type[Manifest] = FolderManifest) -> str | None:
    """Return the place that an error names; None without an error."""
    try:
        kind.parse(document)
    except ValueError as error:
        before, _, place = str(error).partition("the manifest lacks a valid ")
        assert not before
        return place
    return None


def test_the_full_manifest_is_valid() -> None:
    """And names every field that there is."""
    assert flaw_of(FULL) is None
    assert FolderManifest.parse(FULL).dump() == FULL


@pytest.mark.parametrize("place", [place for place in PLACES if not place.endswith("]") and not place.startswith(FREE)])
def test_a_missing_field_is_named(place: str) -> None:
    """By its place; one that older indexes lack may be missing."""
    assert flaw_of(changed(place)) == (None if place in MAY_BE_MISSING else place)


@pytest.mark.parametrize("value", [{"a": [1]}, [{"b": 2}], -1e300, "\0"], ids=["object", "list", "number", "text"])
def test_a_field_of_another_type_is_named(value: object) -> None:
    """By its place, or by that of the part in it that does not fit; what fits is read."""
    for place in PLACES:
        named = flaw_of(changed(place, value))
        if named is None:
            assert FolderManifest.parse(changed(place, value)) != FolderManifest.parse(FULL), place
        else:
            assert named.startswith(place) or place.startswith(named)


@given(
    st.sampled_from(PLACES),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=6,
    ),
)
@many
def test_any_value_anywhere_is_read_or_named(place: str, value: object) -> None:
    """Nothing but a ValueError comes out, for a folder or a database; what is read is written again."""
    document = changed(place, value)
    for kind in (FolderManifest, DatabaseManifest):
        flaw_of(document, kind)
    if flaw_of(document) is None:
        again = FolderManifest.parse(document).dump()
        assert flaw_of(again) is None


@pytest.mark.parametrize("document", [None, 5, "x", [], [{}], True])
def test_what_is_no_object_is_invalid(document: object) -> None:
    """A manifest is a JSON object."""
    assert flaw_of(document) == "JSON object"


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("encoder.folder", "../x"), ("encoder.kind", "pickle"), ("vector_index.kind", "hnsw2"),
        ("vector_index.lists", 0), ("vector_index.recall", 1.5), ("unread", 2), ("closeness.related", 1.5),
        ("counts.posts", -1), ("counts.posts", True), ("counts.posts", 1.0),
        ("confidence", {**FULL["confidence"], "weights": [1.0]}),
        ("ranking.weights", {"best": 0}), ("ranking.weights", {"other": 1}), ("ranking.weights", {"best": -1}),
        ("lexical.analysis", "klingon"), ("files", {"../x": FULL["files"]["lexical/meta.json"]}),
        ("built_from.sources", [{"path": "/a", "name": " "}]), ("ranking.tuned", 1), ("confidence.bias", 1e10),
        ("built_from.settings.memory", [5]), ("reading[0].roles.answer.a", -1),
    ],
)  # fmt: skip
def test_values_out_of_bounds_are_named(place: str, value: object) -> None:
    """Paths out of the folder, unknown kinds, counts below 0, invalid weights."""
    assert flaw_of(changed(place, value)) == place


@pytest.mark.parametrize("place", ["built_from.sources[0]", "reading[0]", "changes[0]", "history[0].changes"])
def test_an_unknown_field_of_what_is_passed_on_whole_is_named(place: str) -> None:
    """It would be lost in silence; elsewhere, what a later version adds is ignored."""
    document: dict[str, Any] = json.loads(json.dumps(FULL))
    _, holder, name = next(found for found in places(document) if found[0] == place)
    holder[name]["new"] = 1
    assert flaw_of(document) == place
    assert flaw_of({**FULL, "new": 1, "counts": {**FULL["counts"], "new": 1}}) is None


def test_a_manifest_of_an_earlier_version_gets_the_defaults() -> None:
    """The index in the tests knew no languages, changes or sources."""
    with zipfile.ZipFile(ROOT / "tests" / "indexes" / "format-5.zip") as archive:
        document = json.loads(archive.read("index/generations/g000001/manifest.json"))
    manifest = FolderManifest.parse(document)
    assert (manifest.language, manifest.built_from, manifest.changes, manifest.history) == (None, None, (), ())
    assert manifest.lexical.analysis == "english"
    written = manifest.dump()
    assert {name: written[name] for name in document} == document
    assert "built_from" not in written


def test_a_kind_is_a_type() -> None:
    """The three encoders are told apart by their kind, and written with nothing that they lack."""
    for record, written in (
        (GivenEncoder("given"), {"kind": "given"}),
        (OriginalEncoder("original", "too large"), {"kind": "original", "why": "too large"}),
    ):
        found = FolderManifest.parse({**FULL, "encoder": written}).encoder
        assert (type(found), found, dump_record(found)) == (type(record), record, written)
    assert isinstance(FolderManifest.parse(FULL).encoder, ExportedEncoder)


def test_a_database_has_tables_in_the_place_of_files() -> None:
    """The same manifest but for them."""
    tables = {"bytes": 7, "schema": "qa_search_g1"}
    document = {**FULL, "vector_index": {"kind": "hnsw"}, "files": {"tables": tables}}
    manifest = DatabaseManifest.parse(document)
    assert manifest.dump() == document
    shared = {**document, "files": {"tables": {**tables, "vectors": "qa_search_vectors_1"}}}
    assert DatabaseManifest.parse(shared).dump() == shared
    for part in ("schema", "vectors"):
        other = {**document, "files": {"tables": {**tables, part: "public.f()"}}}
        assert flaw_of(other, DatabaseManifest) == f"files.tables.{part}"
    assert (manifest.own_bytes, manifest.bytes) == (7, 8)
    assert flaw_of(FULL, DatabaseManifest) == "files.tables"
    assert flaw_of({**document, "files": {"tables": {"bytes": 7}}}, DatabaseManifest) == "files.tables.schema"


def search(index: Path) -> None:
    SearchIndex.open(index, model=WordsEmbedder())


def go_back(index: Path) -> None:
    undo_index(index, "g000002")


@pytest.mark.parametrize("use", [search, go_back, index_log])
def test_an_invalid_part_is_reported_by_every_door(use: Callable[[Path], object], tmp_path: Path) -> None:
    """With the generation, the part and the way out; a build goes on without that generation."""
    pages = write_pages(tmp_path / "pages", 5)
    path = tmp_path / "index"
    build_index(pages, path, model=WordsEmbedder())
    write_pages(tmp_path / "pages", 6)
    build_index(pages, path, model=WordsEmbedder())
    seal(path, lambda manifest: manifest["counts"].update(passages="many"))
    said = r"g000002: the manifest lacks a valid counts\.passages.*Build the index again"
    if use is go_back:
        assert undo_index(path) == "g000001"
    with pytest.raises(IndexDamagedError, match=said):
        use(path)
    assert re.search(said, verify_index(path).generations[0].problems[0])
    build_index(pages, path, model=WordsEmbedder())
    assert verify_index(path).generations[0].whole
