"""Exported encoders: made once, checked against the original, never served when they differ."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qa_search import SearchIndex, build_index, verify_index
from qa_search.embedders import onnx_export as export
from qa_search.embedders.base import Embedder, Prompts
from qa_search.embedders.load import load_embedder, load_located
from qa_search.embedders.locate import locate_model
from qa_search.embedders.onnx import MODEL_FILE, OnnxEmbedder
from qa_search.embedders.sentence_transformer import SentenceTransformerEmbedder
from qa_search.errors import IndexDamagedError, ModelError, ModelMismatchError
from qa_search.index.owned import ENCODERS
from tests.helpers import ROOT, SAMPLE_ARCHIVE, WordsEmbedder, posts_in, seal, write_pages

COMPLAINTS = ("sore heel in the first steps of the morning", "PT doesn't help my hamstring", "wheezing after a race 😀")


def some_pages(folder: Path, count: int) -> Path:
    """Copy pages of the sample archive."""
    folder.mkdir()
    for path in sorted(SAMPLE_ARCHIVE.glob("*.txt"))[:count]:
        shutil.copy(path, folder)
    return folder


@pytest.fixture(autouse=True)
def unshared(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each test shares encoders among its own indexes only."""
    monkeypatch.setenv("QA_SEARCH_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def built(built_sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of some pages with the packaged model, which was exported for the whole sample."""
    folder = tmp_path_factory.mktemp("encoders")
    shutil.copytree(built_sample / ENCODERS, folder / "index" / ENCODERS)
    build_index(some_pages(folder / "pages", 40), folder / "index")
    return folder


@pytest.fixture(scope="module")
def small(small_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of a few pages with a small model, which is exported each time."""
    folder = tmp_path_factory.mktemp("small")
    build_index(some_pages(folder / "pages", 8), folder / "index", model=small_model)
    return folder


def test_an_index_carries_its_encoder_and_says_how_well_it_agrees(built: Path) -> None:
    """Measured on passages of the archive; above the stated limits, or it would not be used."""
    with SearchIndex.open(built / "index") as index:
        encoder = index.info().encoder
        assert isinstance(index.embedder, OnnxEmbedder)
    assert encoder["kind"] == "onnx"
    assert encoder["agreement"]["passages"] > 40
    # Whether int8 agrees well enough depends on the processor.
    mean, least = export.AGREEMENT_LIMITS[encoder["precision"]]
    assert encoder["agreement"]["mean"] >= mean
    assert encoder["agreement"]["min"] >= least


@pytest.mark.process
def test_searching_needs_no_torch(built: Path) -> None:
    """Nor transformers, sentence_transformers, the hub, the archive readers or the exporter: in a fresh process."""
    program = (
        "import sys; from qa_search.interfaces.cli import cli; "
        "cli(['query', '--index', sys.argv[1], '--json', 'sore heel'], standalone_mode=False); "
        "cli(['info', '--index', sys.argv[1], '--json'], standalone_mode=False); "
        "heavy = {'torch', 'transformers', 'sentence_transformers', 'huggingface_hub', 'onnx', 'lxml'}; "
        "print(sorted({m.split('.')[0] for m in sys.modules} & heavy), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(built / "index")], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stderr.strip() == "[]"


@pytest.mark.process
def test_building_again_needs_no_torch_either(built: Path) -> None:
    """The encoder is there: a changed post is embedded by it."""
    program = (
        "import sys; from qa_search import build_index; "
        "report = build_index(sys.argv[1], sys.argv[2], allow_shrink=True); "
        "print(report.embedded, report.reused > 100, 'torch' in sys.modules)"
    )
    pages = shutil.copytree(built / "pages", built / "again" / "pages")
    write_pages(pages, 1)
    out = subprocess.run(
        [sys.executable, "-c", program, str(pages), str(built / "index")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert out.split() == ["3", "True", "False"]


def test_a_vector_does_not_depend_on_the_texts_beside_it(built: Path) -> None:
    """So that a build which goes on after a kill gives the same vectors, bit for bit."""
    with SearchIndex.open(built / "index") as index:
        embedder = index.embedder
    texts = [post.answer[:300] for post in posts_in(built / "pages") if post.answer]
    together = embedder.embed_passages(texts)
    assert np.array_equal(together, np.concatenate([embedder.embed_passages([text]) for text in texts]))
    assert np.array_equal(together[::-1], embedder.embed_passages(texts[::-1]))


def test_questions_and_passages_agree_with_the_original(built: Path, minilm: Embedder) -> None:
    """Also the shortest and the longest that the model reads."""
    with SearchIndex.open(built / "index") as index:
        encoder = index.embedder
    texts = [*COMPLAINTS, "heel", "knee " * 254]
    assert isinstance(minilm, SentenceTransformerEmbedder)
    assert export.measure_agreement(export.embed_reference(minilm, texts), encoder).mean > 0.98
    assert encoder.count_tokens(texts) == minilm.count_tokens(texts)
    assert (encoder.passage_limit, encoder.query_limit, encoder.dimension) == (254, 254, 384)
    assert np.allclose(np.linalg.norm(encoder.embed_queries(texts), axis=1), 1, atol=1e-5)


def test_fp32_can_be_chosen_and_is_the_original_to_the_last_digits(
    small: Path, small_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And switching back reuses nothing of it."""
    report = build_index(small / "pages", small / "other", model=small_model, precision="fp32")
    original = load_embedder(small_model)
    with SearchIndex.open(small / "other") as index:
        assert index.info().encoder["precision"] == "fp32"
        assert np.allclose(index.embedder.embed_queries(COMPLAINTS), original.embed_queries(COMPLAINTS), atol=1e-4)
    monkeypatch.setattr(export, "AGREEMENT_LIMITS", {"int8": (-1.0, -1.0), "fp32": (2.0, 2.0)})
    back = build_index(small / "pages", small / "other", model=small_model)
    assert back.embedded == report.embedded == len({*_passages(small / "other")})


def test_prompts_are_kept_with_the_index_and_another_one_is_another_encoder(
    small: Path, small_model: Path, tmp_path: Path
) -> None:
    """A search gives the model what the build gave it; a later build remembers it, but not for another model."""
    index, other = tmp_path / "index", shutil.copytree(small_model, tmp_path / "other-model")
    pages = shutil.copytree(small / "pages", tmp_path / "pages")
    plain = build_index(pages, index, model=small_model)
    assert plain.embedded > 0
    with SearchIndex.open(index) as opened:
        assert {"query_prompt", "passage_prompt"}.isdisjoint({*opened.info().model, *opened.info().encoder})
    prompted = build_index(pages, index, model=small_model, query_prompt="find: ", passage_prompt="text: ")
    assert prompted.embedded == prompted.passages
    build_index(pages, tmp_path / "one", model=small_model, passage_prompt="text: ", precision="fp32")
    original = load_located(replace(locate_model(small_model), prompts=Prompts("find: ", "text: ")))
    with SearchIndex.open(index) as opened, SearchIndex.open(tmp_path / "one") as one:
        found = opened.info()
        assert (found.model["query_prompt"], found.model["passage_prompt"]) == ("find: ", "text: ")
        assert (found.encoder["query_prompt"], found.encoder["passage_prompt"]) == ("find: ", "text: ")
        close = np.sum(opened.embed(COMPLAINTS) * original.embed_queries(COMPLAINTS), axis=1)
        assert close.min() > 0.95
        passages = opened.embedder.embed_passages(COMPLAINTS)
        assert np.sum(passages * original.embed_passages(COMPLAINTS), axis=1).min() > 0.95
        assert "query_prompt" not in one.info().model
        assert np.allclose(one.embed(COMPLAINTS), load_embedder(small_model).embed_queries(COMPLAINTS), atol=1e-4)
    assert build_index(None, index).previous == prompted.generation  # nothing changed, so nothing was built
    with SearchIndex.open(index, model=other) as opened:  # the same files, elsewhere
        opened.embed(COMPLAINTS)
    (other / "config_sentence_transformers.json").write_text("{}")
    assert build_index(None, index, model=other).embedded == plain.passages
    with SearchIndex.open(index) as opened:
        assert "query_prompt" not in opened.info().model


def test_an_index_without_an_export_loads_its_model_with_its_prompts(
    small: Path, small_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And with no others, whatever its manifest was made to say."""
    monkeypatch.setattr(export, "AGREEMENT_LIMITS", {"int8": (2.0, 2.0), "fp32": (2.0, 2.0)})
    index = tmp_path / "index"
    first = build_index(small / "pages", index, model=small_model, query_prompt="find: ")
    original = load_located(replace(locate_model(small_model), prompts=Prompts("find: ")))
    with SearchIndex.open(index) as opened:
        assert opened.info().encoder["kind"] == "original"
        assert np.allclose(opened.embed(COMPLAINTS), original.embed_queries(COMPLAINTS), atol=1e-5)
    assert build_index(None, index, query_prompt="ask: ").embedded == first.passages
    seal(index, lambda manifest: manifest["model"].update(query_prompt="sing: "))
    with SearchIndex.open(index) as opened, pytest.raises(ModelMismatchError, match="was made with the model"):
        opened.embed(COMPLAINTS)


def test_prompts_need_a_model_that_is_loaded_here(small: Path, tmp_path: Path, words: WordsEmbedder) -> None:
    """One that the caller made has its own; what is invalid is told before anything is read."""
    with pytest.raises(ModelError, match=r"query_prompt and passage_prompt: .* has its own"):
        build_index(small / "pages", tmp_path / "index", model=words, passage_prompt="")
    with pytest.raises(ModelError, match="query_prompt: the prompt is invalid"):
        build_index(tmp_path / "missing", tmp_path / "index", query_prompt="\0")
    assert not (tmp_path / "index").exists()


def _passages(index: Path) -> list[str]:
    with SearchIndex.open(index) as opened:
        return [row[0] for row in opened.retriever.posts._all("SELECT DISTINCT key FROM passage", "b")]


def test_an_export_that_disagrees_is_not_used(small: Path, small_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next precision is tried, at last the original model; info says why, and it is not tried twice."""
    monkeypatch.setattr(export, "AGREEMENT_LIMITS", {"int8": (2.0, 2.0), "fp32": (2.0, 2.0)})
    build_index(small / "pages", small / "fallback", model=small_model)
    with SearchIndex.open(small / "fallback") as index:
        encoder = index.info().encoder
        assert len(index.search(COMPLAINTS[0]).hits) == 5
    assert encoder["kind"] == "original"
    assert "int8: agrees too little with the original" in encoder["why"]
    assert "fp32: agrees too little" in encoder["why"]
    monkeypatch.setattr(export, "export_encoder", lambda *_: pytest.fail("exported again"))
    assert build_index(small / "pages", small / "fallback", model=small_model).embedded == 0


def test_a_model_that_cannot_be_exported_is_used_as_it_is(small: Path, tmp_path: Path) -> None:
    """Averaged word vectors have a tokenizer of their own."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, WordEmbeddings
    from sentence_transformers.sentence_transformer.modules.tokenizer import WhitespaceTokenizer

    words = "knee heel hip shoulder sore aches pain run walk morning months".split()
    vectors = np.random.default_rng(0).standard_normal((len(words), 16)).astype(np.float32)
    modules = [WordEmbeddings(WhitespaceTokenizer(words, stop_words=[]), vectors), Pooling(16)]
    SentenceTransformer(modules=modules, device="cpu").save(str(tmp_path / "model"))
    build_index(small / "pages", tmp_path / "index", model=tmp_path / "model")
    with SearchIndex.open(tmp_path / "index") as index:
        assert index.info().encoder["kind"] == "original"
        assert "tokenizers library" in index.info().encoder["why"]
        assert len(index.search("sore heel").hits) == 5


def _save_transformer(folder: Path, config: Any, *, half: bool = False, **settings: Any) -> Path:
    """Save a transformer with random weights and the packaged model's tokenizer as any model is saved."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer
    from transformers import AutoModel, AutoTokenizer

    torch.manual_seed(0)
    weights: Any = AutoModel  # untyped
    weights.from_config(config, dtype=torch.float16 if half else torch.float32).save_pretrained(folder / "weights")
    AutoTokenizer.from_pretrained(str(locate_model().folder)).save_pretrained(folder / "weights")
    transformer = Transformer(str(folder / "weights"), max_seq_length=128)
    modules = [transformer, Pooling(64, pooling_mode=settings.pop("pooling", "mean")), Normalize()]
    SentenceTransformer(modules=modules, device="cpu", **settings).save(str(folder / "model"))
    return folder / "model"


def _model_of(kind: str, folder: Path, static: Path) -> Path:
    from transformers import BertConfig, Qwen3Config

    bert = BertConfig(hidden_size=64, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64)
    if kind == "weights of half precision":
        return _save_transformer(folder, bert, half=True)
    if kind == "fewer dimensions":
        return _save_transformer(folder, bert, truncate_dim=32)
    if kind == "a decoder":
        qwen = Qwen3Config(
            vocab_size=bert.vocab_size, hidden_size=64, num_hidden_layers=1, num_attention_heads=2,
            num_key_value_heads=1, head_dim=32, intermediate_size=64,
        )  # fmt: skip
        return _save_transformer(folder, qwen, pooling="lasttoken")
    return static


@pytest.mark.parametrize("kind", ["weights of half precision", "fewer dimensions", "a decoder", "vectors of tokens"])
def test_models_of_all_kinds_are_exported(
    kind: str, small: Path, static: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The export agrees with the original, and nothing is written to standard output."""
    model = _model_of(kind, tmp_path, static)
    capfd.readouterr()
    build_index(small / "pages", tmp_path / "index", model=model)
    assert capfd.readouterr().out == ""
    original = SentenceTransformerEmbedder(locate_model(model))
    with SearchIndex.open(tmp_path / "index") as index:
        assert index.info().encoder["kind"] == "onnx"
    (exported,) = (tmp_path / "index" / "encoders").iterdir()
    texts = ["sore heel", "", "my knee aches in the morning " * 3]
    closeness = np.sum(original.embed_queries(texts) * OnnxEmbedder(exported).embed_queries(texts), axis=1)
    assert closeness[[0, 2]].min() > 0.99


@pytest.mark.parametrize("damage", ["missing", "cut", "settings"])
def test_a_damaged_encoder_is_named_and_made_again_by_a_build(
    small: Path, small_model: Path, tmp_path: Path, damage: str
) -> None:
    """A search says what to do; a build heals it."""
    index = shutil.copytree(small / "index", tmp_path / "index")
    (folder,) = (path.parent for path in (index / ENCODERS).glob(f"*/{MODEL_FILE}"))
    if damage == "missing":
        (folder / "tokenizer.json").unlink()
    elif damage == "cut":
        (folder / "model.onnx").write_bytes((folder / "model.onnx").read_bytes()[:-1000])
    else:
        (folder / "encoder.json").write_text("{")
    with pytest.raises(IndexDamagedError, match=str(index)), SearchIndex.open(index) as opened:
        opened.search("sore heel")
    build_index(small / "pages", index, model=small_model)
    with SearchIndex.open(index) as opened:
        assert len(opened.search("sore heel").hits) == 5


def test_a_named_model_must_be_the_one_that_was_exported(built: Path, tmp_path: Path) -> None:
    """Though the encoder needs no model, another one is not accepted in silence."""
    moved = shutil.copytree(locate_model().folder, tmp_path / "moved")
    with SearchIndex.open(built / "index", model=moved) as index:
        assert len(index.search("sore heel").hits) == 5
    (moved / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 64}))
    with SearchIndex.open(built / "index", model=moved) as index, pytest.raises(ModelMismatchError):
        index.search("sore heel")


def test_encoders_that_no_generation_uses_are_cleared_away(
    small: Path, small_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the last generation that has it is gone."""
    monkeypatch.setattr(export, "AGREEMENT_LIMITS", {"int8": (-1.0, -1.0), "fp32": (-1.0, -1.0)})
    index = tmp_path / "index"
    build_index(small / "pages", index, model=small_model, precision="int8")
    build_index(small / "pages", index, model=small_model, precision="fp32")
    assert len(list((index / ENCODERS).iterdir())) == 2
    for tokens in (100, 110):
        build_index(small / "pages", index, model=small_model, precision="fp32", passage_tokens=tokens)
    (left,) = (index / ENCODERS).iterdir()
    assert left.name.startswith("fp32-")


def test_an_export_is_shared_by_the_indexes_of_a_user(
    small: Path, small_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second index copies it, and holds it for itself; a damaged copy is exported again."""
    monkeypatch.setattr(export, "AGREEMENT_LIMITS", {"int8": (-1.0, -1.0), "fp32": (-1.0, -1.0)})
    exported: list[str] = []
    export_encoder = export.export_encoder

    def counting(*arguments: Any) -> None:
        exported.append("again")
        export_encoder(*arguments)

    monkeypatch.setattr(export, "export_encoder", counting)

    def encoder(name: str) -> Mapping[str, object]:
        build_index(small / "pages", tmp_path / name, model=small_model)
        assert verify_index(tmp_path / name).ok
        with SearchIndex.open(tmp_path / name) as index:
            return index.info().encoder

    first, second = encoder("first"), encoder("second")
    assert (first, exported) == (second, ["again"])
    shutil.rmtree(tmp_path / "cache")
    assert encoder("first") == first
    assert encoder("third") == first
    (shared,) = (tmp_path / "cache").rglob("model.onnx")
    shared.write_bytes(shared.read_bytes()[:-1])
    assert encoder("fourth") == first
    assert encoder("fifth") == first
    assert len(exported) == 3
    build_index(small / "pages", tmp_path / "first", model=small_model, rebuild=True)
    assert len(exported) == 4
    monkeypatch.setenv("QA_SEARCH_CACHE", os.devnull)
    assert encoder("sixth") == first
    assert len(exported) == 5


def test_an_export_that_few_passages_checked_is_checked_again(
    small_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the first larger archive; then it is the one that is shared."""
    monkeypatch.setattr(export, "AGREEMENT_LIMITS", {"int8": (-1.0, -1.0), "fp32": (-1.0, -1.0)})
    checked = []
    for name, count in (("small", 2), ("large", 40), ("other", 3)):
        build_index(write_pages(tmp_path / f"{name}-pages", count), tmp_path / name, model=small_model)
        with SearchIndex.open(tmp_path / name) as index:
            checked.append(index.info().encoder["agreement"]["passages"])
        assert len(list((tmp_path / name / ENCODERS).iterdir())) == 1
    assert checked[0] < 10
    assert checked[1] == checked[2] > 60


def test_bfloat16_is_used_on_demand_if_it_agrees(small: Path, small_model: Path, tmp_path: Path) -> None:
    """Passages by torch in bfloat16, questions by the export; search needs no torch for it."""
    build_index(small / "pages", tmp_path / "index", model=small_model, precision="bf16")
    with SearchIndex.open(tmp_path / "index") as index:
        record = index.info().encoder
        assert isinstance(index.embedder, OnnxEmbedder)
        assert len(index.search("sore heel").hits) == 5
    assert record["precision"] == "fp32"
    assert record["passages"]["precision"] == "bf16"


def test_a_gpu_that_is_not_there_is_told(small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked for by hand; auto does without. A machine that has one hides it here."""
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ModelError, match="torch finds no CUDA GPU"):
        build_index(small / "pages", tmp_path / "index", device="cuda")
