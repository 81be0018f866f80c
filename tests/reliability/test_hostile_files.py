"""Promise 7: files that somebody made to do harm, with hashes that fit, do none.

Whatever the files of an index hold, using it ends in a result or in one of our errors, told in one line: no other
exception, no crash, no hang, no more memory than 200 MB and twice the file, and nothing in it is executed. Each case is
tried in a process of its own (see `Trials`).
"""

from __future__ import annotations

import json
import random
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from typing import Any

import faiss
import pytest
from click.testing import CliRunner
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from qa_search import SearchIndex, build_index
from qa_search.embedders.onnx import OnnxEmbedder
from qa_search.index.integrity import write_block_sums
from qa_search.index.manifest import FORMAT_VERSION
from qa_search.index.owned import ENCODERS
from qa_search.index.stores.inverted import LISTS_NAME, lists_of, write_list_sums
from qa_search.index.stores.lexical import LEXICAL_FOLDER
from qa_search.index.stores.post_rows import DATABASE_NAME
from qa_search.index.verify import verify_index
from qa_search.interfaces.cli import cli
from tests.helpers import ROOT, WordsEmbedder, seal, write_jsonl
from tests.reliability.conftest import Campaign
from tests.reliability.crafted import (
    ARRAYS,
    COMPLAINTS,
    DATABASES,
    LEXICAL,
    MODELS,
    SETTINGS,
    SHARDS,
    TOKENIZERS,
    VALUES,
    Craft,
    flipped,
    make_hashes_fit,
    manifests,
    places,
    read_manifest,
    replaced,
    trap_of,
    write_index,
    write_manifest,
)
from tests.reliability.trials import Trials, attempt, generation, index_files

INDEXES = ROOT / "tests" / "indexes"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small archive and its index, which nobody changes."""
    folder = tmp_path_factory.mktemp("hostile")
    write_index(folder)
    return folder


@pytest.fixture(scope="module")
def trials(home: Path) -> Iterator[Trials]:
    """The process in which indexes are used."""
    with Trials(partial(use, home / "index")) as opened:
        yield opened


def use(index: Path) -> bool:
    """Ask an index everything and verify it; return whether it could be opened.

    Raises:
        AssertionError: if anything ends otherwise than in a result or one of our errors.
    """
    opened = attempt(SearchIndex.open, index)
    problems = [opened.problem]
    if opened.value is not None:
        with opened.value:
            problems += [
                attempt(door, opened.value).problem for door in (search, explain, limit, rank, look_up, describe)
            ]
    problems.append(attempt(verify_index, index).problem)
    assert not any(problems), "; ".join(filter(None, problems))
    return not opened.error


def search(index: SearchIndex) -> None:
    for k in (2, 100):
        for result in index.search_many(COMPLAINTS, k):
            json.dumps(result.to_dict(), allow_nan=False)


def explain(index: SearchIndex) -> None:
    json.dumps(index.search(COMPLAINTS[0], 5, explain=True).to_dict(), allow_nan=False)


def limit(index: SearchIndex) -> None:
    index.search(COMPLAINTS[0], 100, since="2015", tags=["joint"])
    index.search(COMPLAINTS[0], 3, source="*posts.jsonl")


def rank(index: SearchIndex) -> None:
    index.run(COMPLAINTS, rankings=["default", "lexical", "rrf"])


def look_up(index: SearchIndex) -> None:
    for hit in index.search(COMPLAINTS[0], 5).hits:
        post = index.post(hit.post_id)
        json.dumps(None if post is None else post.to_dict(), allow_nan=False)
        index.post_ids(hit.post_id)
        index.neighbours(hit.post_id)
        index.similar(hit.post_id)


def describe(index: SearchIndex) -> None:
    json.dumps(index.info().to_dict())


def use_by_all_doors(index: Path, source: Path, encoder: Path) -> bool:
    """Use an index from Python, by the commands, and as what a build finds; return whether it could be opened."""
    usable = use(index)
    run("query", "--explain", COMPLAINTS[0], "--index", str(index))
    run("query", "--full", "-k", "50", COMPLAINTS[1], "--index", str(index))
    run("info", "--all", "--index", str(index))
    run("info", "--json", "--index", str(index))
    run("verify", "--index", str(index))
    run("verify", "--json", "--fall-back", "--index", str(index))
    # What is wrong behind hashes that fit may be found in the middle of a build that reuses it.
    problem = attempt(partial(build_index, source, index, model=_embedder(encoder))).problem
    assert not problem, f"build: {problem}"
    # With one more file, the rest is copied.
    with tempfile.TemporaryDirectory() as more:
        write_jsonl(Path(more) / "more.jsonl", [{"question": "May I run again?", "answer": "Walk first, for a week."}])
        problem = attempt(partial(build_index, [source, more], index, model=_embedder(encoder))).problem
    assert not problem, f"build with one more file: {problem}"
    build_index(source, index, model=_embedder(encoder), rebuild=True, allow_shrink=True)
    assert use(index)
    return usable


@cache
def _embedder(encoder: Path) -> OnnxEmbedder:
    return OnnxEmbedder(encoder)


def run(*arguments: str) -> None:
    """Run a command, which must end well or with one message."""
    result = CliRunner().invoke(cli, arguments)
    assert result.exception is None or isinstance(result.exception, SystemExit), f"{arguments[0]}: {result.exception!r}"
    assert result.exit_code in (0, 1, 3), f"{arguments[0]}: status {result.exit_code}, {result.stderr}"
    one_line = result.stderr.startswith("Error: ") and result.stderr.count("\n") == 1
    assert one_line if result.exit_code == 3 else not result.stderr, f"{arguments[0]} said {result.stderr!r}"


def try_crafted(
    campaign: Campaign,
    home: Path,
    trials: Trials,
    folder: Path,
    what: str,
    crafts: Mapping[str, Craft],
    *,
    fit: bool = True,
) -> None:
    """Try each, or every so-many-th of them in a short run; ``fit`` is false where hashes fit already."""
    chosen = list(crafts.items())[:: campaign.count(short=-(-len(crafts) // 6), full=1)]
    failures, refused = [], 0
    (encoder,) = (home / "index" / ENCODERS).iterdir()
    for name, craft in chosen:
        index = shutil.copytree(home / "index", folder / "index")
        craft(index)
        largest = max(path.stat().st_size for path in index.rglob("*"))
        if fit:
            make_hashes_fit(index)
        outcome = trials.run(use_by_all_doors, index, home / "source", encoder, file_bytes=largest)
        refused += outcome.value is False
        if outcome.problem or outcome.error or trap_of(index).exists():
            failures.append(f"{name}: {outcome.problem or outcome.message or 'unpickled'}")
        shutil.rmtree(index)
    campaign.finish(7, f"crafted {what}", len(chosen), failures, refused=refused)


@pytest.mark.parametrize(
    ("what", "crafts"),
    [
        ("FAISS shards", SHARDS),
        ("NumPy arrays", ARRAYS),
        ("values in SQLite", VALUES),
        ("SQLite databases", DATABASES),
        ("tantivy indexes", LEXICAL),
        ("encoder settings", SETTINGS),
        ("tokenizers", TOKENIZERS),
        ("ONNX models", MODELS),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_crafted_files_do_no_harm(
    campaign: Campaign, home: Path, trials: Trials, tmp_path: Path, what: str, crafts: Mapping[str, Craft]
) -> None:
    """Read from Python, by the commands and by a build, which then makes a good index."""
    try_crafted(campaign, home, trials, tmp_path, what, crafts)


def test_crafted_manifests_do_no_harm(campaign: Campaign, home: Path, trials: Trials, tmp_path: Path) -> None:
    """Each part of another type, out of all bounds, leading out of the folder, or missing."""
    try_crafted(campaign, home, trials, tmp_path, "manifests", manifests(home / "index"), fit=False)


# Files that an index may have beside those that its manifest lists.
UNLISTED = (
    "curation.toml", "feedback.jsonl", "build.holder", "build.lock", "CURRENT.new", "qa-search-index.txt",
    "GENERATION/posts.sqlite-wal", "GENERATION/posts.sqlite-journal", "GENERATION/lexical/.managed.json",
    "generations/g000009/manifest.json", "generations/g000009/manifest.sha256", "work/JOURNAL", "work/JOURNAL-wal",
)  # fmt: skip
TERABYTES = 200 << 30


def meet(index: Path, source: Path, encoder: Path) -> str:
    """Use an index, then build it; return why it could not be searched, or nothing."""
    use(index)
    said = attempt(ask, index).message
    for rebuild in (False, True):
        problem = attempt(partial(build_index, source, index, model=_embedder(encoder), rebuild=rebuild)).problem
        assert not problem, f"build: {problem}"
    return said


def ask(index: Path) -> None:
    with SearchIndex.open(index) as opened:
        opened.search(COMPLAINTS[0], 2)


def test_a_file_that_claims_terabytes_is_not_read(
    campaign: Campaign, home: Path, trials: Trials, tmp_path: Path
) -> None:
    """In the place of any file of an index: refused by name, or not looked at, within bounds of memory and time."""
    (encoder,) = (home / "index" / ENCODERS).iterdir()
    listed = index_files(home / "index")
    at = generation(home / "index").relative_to(home / "index").as_posix()
    journal = f"int8-{encoder.name.split('-')[1]:0<16.16}.sqlite"
    names = [*listed, *(name.replace("GENERATION", at).replace("JOURNAL", journal) for name in UNLISTED)]
    names += [f"{at}/lexical/{path.name}" for path in (home / "index" / at / "lexical").iterdir()]
    chosen = sorted(set(names))[:: campaign.count(4, 1)]
    failures = []
    for name in chosen:
        index = shutil.copytree(home / "index", tmp_path / "index")
        (index / name).parent.mkdir(parents=True, exist_ok=True)
        with (index / name).open("wb") as stream:
            stream.truncate(TERABYTES)
        outcome = trials.run(meet, index, home / "source", encoder)
        if outcome.problem or (name in listed and Path(name).stem not in str(outcome.value)):
            failures.append(f"{name}: {outcome.problem or outcome.value}")
        shutil.rmtree(index)
    campaign.finish(7, "files of 200 GB that are not there, in the place of others", len(chosen), failures)


def test_any_json_in_a_manifest_does_no_harm(campaign: Campaign, home: Path, trials: Trials, tmp_path: Path) -> None:
    """In any place of it."""
    honest = read_manifest(home / "index")
    texts = st.text() | st.sampled_from([*honest, *honest["files"], "best", "../../../etc/passwd"])
    numbers = st.integers() | st.floats()
    values = st.recursive(
        st.none() | st.booleans() | numbers | texts,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
        max_leaves=8,
    )
    index = shutil.copytree(home / "index", tmp_path / "index")
    failures, outcomes = [], []

    @given(st.sampled_from(list(places(honest))), values)
    @settings(
        max_examples=campaign.count(short=20, full=2000),
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
    )
    def change(place: tuple[str | int, ...], value: Any) -> None:
        write_manifest(index, json.dumps(replaced(honest, place, value)))
        outcome = trials.run(use, index)
        outcomes.append(outcome)
        if outcome.problem:
            failures.append(f"{place}: {value!r}: {outcome.problem}")

    change()
    refused = sum(outcome.value is False for outcome in outcomes)
    campaign.finish(7, "any JSON in a manifest", len(outcomes), failures, refused=refused)


@pytest.mark.parametrize(
    ("what", "pattern"),
    [
        ("FAISS shards", "*.faiss"),
        ("NumPy arrays", "*.npy"),
        ("SQLite databases", f"{DATABASE_NAME}*"),
        ("tantivy indexes", f"{LEXICAL_FOLDER}/*"),
        ("encoders", f"{ENCODERS}/*/*"),
    ],
    ids=lambda value: value if "*" not in value else "",
)
def test_changed_bytes_under_hashes_that_fit_do_no_harm(
    campaign: Campaign, home: Path, trials: Trials, tmp_path: Path, what: str, pattern: str
) -> None:
    """Bytes flipped and files cut at random places."""
    files = [path for path in map(Path, index_files(home / "index")) if path.match(pattern)]
    failures, tried, refused = [], 0, 0
    for path in files:
        data, randomness = (home / "index" / path).read_bytes(), random.Random(path.suffix)  # noqa: S311
        flips = [flipped(data, randomness) for _ in range(campaign.count(short=6, full=200))]
        cuts = [data[: randomness.randrange(len(data))] for _ in range(campaign.count(short=2, full=100))]
        for number, changed in enumerate(flips + cuts):
            index = shutil.copytree(home / "index", tmp_path / "index")
            (index / path).write_bytes(changed)
            if path.name == DATABASE_NAME:
                write_block_sums(index / path)
            make_hashes_fit(index)
            outcome = trials.run(use, index, file_bytes=len(data))
            tried += 1
            refused += outcome.value is False
            if outcome.problem:
                failures.append(f"{path.name}, change {number}: {outcome.problem}")
            shutil.rmtree(index)
    campaign.finish(7, f"{what}: bytes flipped and files cut, hashes that fit", tried, failures, refused=refused)


def use_lists(index: Path) -> bool:
    """Make the hashes of changed lists fit, as far as FAISS reads them, and use the index."""
    path = generation(index) / LISTS_NAME
    with suppress(Exception):
        held = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
        write_list_sums(path, lists_of(held))
    seal(index)
    opened = attempt(partial(SearchIndex.open, index, model=WordsEmbedder()))
    problems = [opened.problem]
    if opened.value is not None:
        with opened.value:
            problems += [attempt(door, opened.value).problem for door in (search, limit)]
    assert not any(problems), "; ".join(filter(None, problems))
    return not opened.error


def test_changed_bytes_of_lists_under_hashes_that_fit_do_no_harm(campaign: Campaign, tmp_path: Path) -> None:
    """FAISS trusts what a file says of its codes, its centres and the rotation in front of them."""
    with zipfile.ZipFile(INDEXES / f"format-{FORMAT_VERSION}.zip") as archive:
        archive.extractall(tmp_path)
    honest = tmp_path / "index"
    data = (generation(honest) / LISTS_NAME).read_bytes()
    randomness = random.Random(LISTS_NAME)  # noqa: S311
    # What describes the codes stands in the first bytes, and behind the rotation and the centres.
    places = [*range(200), *(randomness.randrange(len(data)) for _ in range(campaign.count(short=10, full=2000)))]
    places = places if campaign.full else randomness.sample(places, 20)
    failures, refused = [], 0
    with Trials(partial(use_lists, honest)) as trials:
        for place in places:
            index = shutil.copytree(honest, tmp_path / "changed")
            changed = bytearray(data)
            changed[place] ^= 1 << randomness.randrange(8)
            (generation(index) / LISTS_NAME).write_bytes(changed)
            outcome = trials.run(use_lists, index, file_bytes=len(data))
            refused += outcome.value is False
            if outcome.problem:
                failures.append(f"byte {place}: {outcome.problem}")
            shutil.rmtree(index)
    campaign.finish(7, "FAISS lists: bits flipped, hashes that fit", len(places), failures, refused=refused)
