"""Reranking by a cross-encoder: a tiny one with weights set by hand, loaded and run for real."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qa_search.embedders.locate import locate_model
from qa_search.errors import ModelError, ModelNotFoundError
from qa_search.search.reranking import Reranker

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = """
a ache aches ago ankle and answer back began complaint days elbow feet for had has have heel helps hip hurts i ice in is
it knee left my neck nothing of on or pain question rest right run running shoulder sleep slowly sore stiff stretch
swollen the thigh to walk walking week weeks when while with wrist
""".split()
DIGITS = list("0123456789")
MARKS = list(".,?!)")
LIMIT = 128
COMPLAINT = "my knee hurts when running"
PASSAGES = ["ice for the elbow", "my knee hurts when running .", "sleep with a stiff neck", "the knee hurts on a walk"]
BEST_FIRST = [1, 3]  # five of the complaint's words, then two; the others have none


def tiny_cross_encoder(folder: Path, labels: int = 1) -> Path:
    """Write a tiny BERT cross-encoder whose score rises with the part of the complaint's words that the passage has.

    It knows WORDS, digits and some marks (a number ends a word: knee3); all other words are one and the same to it.
    Nothing is trained: in the first layer each token looks for itself in both texts and notes whether the passage has
    it, in the second the first token gathers the complaint's notes.
    """
    import torch
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizer

    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = [*SPECIAL, *WORDS, *DIGITS, *(f"##{digit}" for digit in DIGITS), *MARKS]
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n", encoding="utf-8")
    BertTokenizer.from_pretrained(folder, model_max_length=LIMIT).save_pretrained(folder)

    # A dimension for each token of the vocabulary, two that tell the texts apart, one for notes and one for their mean.
    tokens = len(vocabulary)
    in_complaint, in_passage, note, mean = range(tokens, tokens + 4)
    config: Any = BertConfig(
        vocab_size=tokens,
        hidden_size=tokens + 4,
        num_hidden_layers=2,
        num_attention_heads=1,
        intermediate_size=1,
        max_position_embeddings=LIMIT,
    )
    config.num_labels = labels
    model: Any = BertForSequenceClassification(config)
    with torch.no_grad():
        for name, weights in model.named_parameters():
            weights.fill_(1.0 if name.endswith("LayerNorm.weight") else 0.0)
        embeddings = model.bert.embeddings
        embeddings.word_embeddings.weight[:, :tokens].fill_diagonal_(1)
        embeddings.token_type_embeddings.weight[0, in_complaint] = 1
        embeddings.token_type_embeddings.weight[1, in_passage] = 1
        look, gather = (layer.attention for layer in model.bert.encoder.layer)
        for attention in (look, gather):
            attention.output.dense.weight.fill_diagonal_(1)
        for half in (look.self.query, look.self.key):
            half.weight[:tokens, :tokens].fill_diagonal_(2)
        look.self.value.weight[note, in_passage] = 1
        gather.self.query.bias[0] = 30
        gather.self.key.weight[0, in_complaint] = 1
        gather.self.value.weight[mean, note] = 1
        model.bert.pooler.dense.weight[0, mean] = 0.3
        model.classifier.weight[:, 0] = 4
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model's folder, in the layout that models on the hub have."""
    return tiny_cross_encoder(tmp_path_factory.mktemp("tiny-cross-encoder"))


@pytest.fixture(scope="module")
def reranker(tiny: Path) -> Reranker:
    """The tiny model, loaded once."""
    return Reranker(tiny)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own, with nothing in it."""
    monkeypatch.setenv("QA_SEARCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any attempt to reach the network fails the test."""

    def refuse(*args: object, **kwargs: object) -> None:
        pytest.fail(f"the network was touched: {args}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def test_scores_are_those_of_the_cross_encoder_itself(tiny: Path, reranker: Reranker) -> None:
    """Each passage gets, in its place, what CrossEncoder.predict gives the pair of complaint and passage."""
    from sentence_transformers import CrossEncoder

    passages = [f"{passage} {number}" for number in range(12) for passage in PASSAGES]  # more than one batch
    scores = reranker.scores(COMPLAINT, passages)
    expected = CrossEncoder(str(tiny), device="cpu").predict([(COMPLAINT, passage) for passage in passages])
    assert scores.dtype == np.float32
    assert scores.shape == (48,)
    assert np.allclose(scores, expected, atol=1e-6)


def test_passages_that_answer_more_of_the_complaint_score_higher(reranker: Reranker) -> None:
    """The order by falling scores puts first what shares most with the complaint, wherever it stood before."""
    scores = reranker.scores(COMPLAINT, PASSAGES)
    assert np.argsort(-scores)[:2].tolist() == BEST_FIRST
    assert np.diff(np.sort(scores)[1:]).min() > 0.05
    backwards = reranker.scores(COMPLAINT, PASSAGES[::-1])
    assert np.allclose(backwards[::-1], scores, atol=1e-6)


def test_the_complaint_decides_which_passage_is_closest(reranker: Reranker) -> None:
    """Another complaint about the same passages gives another order."""
    assert int(np.argmax(reranker.scores("a stiff neck", PASSAGES))) == 2
    assert int(np.argmax(reranker.scores("the elbow", PASSAGES))) == 0


def test_a_model_that_was_exported_runs_without_torch(tiny: Path, reranker: Reranker) -> None:
    """In a fresh process: the scores are the same, and torch and transformers stay unloaded."""
    program = (
        "import json, sys; from qa_search.search.reranking import Reranker; "
        "print(json.dumps(Reranker(sys.argv[1]).scores(sys.argv[2], sys.argv[3:]).tolist())); "
        "assert not {'torch', 'transformers', 'sentence_transformers'} & sys.modules.keys()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tiny), COMPLAINT, *PASSAGES], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert np.allclose(json.loads(done.stdout), reranker.scores(COMPLAINT, PASSAGES), atol=1e-6)


def test_a_model_that_cannot_be_exported_runs_by_torch(
    tiny: Path, reranker: Reranker, cache: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A warning gives the reason each time; the export is tried once only."""

    def refuse(*_: object) -> None:
        raise ModelError("a part has no graph")

    monkeypatch.setattr("qa_search.embedders.onnx_export.export_cross_encoder", refuse)
    for _ in range(2):
        found = Reranker(tiny).scores(COMPLAINT, PASSAGES)
        assert np.allclose(found, reranker.scores(COMPLAINT, PASSAGES), atol=1e-6)
        assert "cannot be exported, so that torch runs it, which is slower: a part has no graph" in caplog.text
        caplog.clear()
        monkeypatch.setattr("qa_search.embedders.onnx_export.export_cross_encoder", lambda *_: pytest.fail("again"))


def test_a_full_disk_is_not_remembered_as_a_fault_of_the_model(
    tiny: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is run by torch for now; the next search exports it."""

    def refuse(*_: object) -> None:
        raise ModelError("OSError: no space left") from OSError("no space left")

    with monkeypatch.context() as patched:
        patched.setattr("qa_search.embedders.onnx_export.export_cross_encoder", refuse)
        assert np.isfinite(Reranker(tiny).scores(COMPLAINT, PASSAGES)).all()
    assert "is not exported, so that torch runs it: OSError: no space left" in caplog.text
    assert list(cache.glob("cross-encoders/*")) == []
    Reranker(tiny)
    assert len(list(cache.glob("cross-encoders/*/model.onnx"))) == 1


def test_an_export_that_disagrees_is_not_used(
    tiny: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Its scores are compared with the model's own first."""
    monkeypatch.setattr("qa_search.search.cross_encoders._TOLERANCE", -1.0)
    assert np.isfinite(Reranker(tiny).scores(COMPLAINT, PASSAGES)).all()
    assert "scores of the export differ from the model's" in caplog.text


def test_a_damaged_export_is_made_again(tiny: Path, reranker: Reranker, cache: Path) -> None:
    """And nobody is given scores of damaged weights."""
    Reranker(tiny)
    (model,) = cache.glob("cross-encoders/*/model.onnx")
    whole = model.read_bytes()
    model.write_bytes(whole[:-9] + bytes(9))
    assert np.allclose(Reranker(tiny).scores(COMPLAINT, PASSAGES), reranker.scores(COMPLAINT, PASSAGES), atol=1e-6)
    assert len(model.read_bytes()) == len(whole)


def test_a_cache_that_cannot_be_written_is_a_warning(
    tiny: Path, reranker: Reranker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Torch runs the model then."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("QA_SEARCH_CACHE", str(tmp_path / "file"))
    assert np.allclose(Reranker(tiny).scores(COMPLAINT, PASSAGES), reranker.scores(COMPLAINT, PASSAGES), atol=1e-6)
    assert "is not exported, so that torch runs it" in caplog.text


def test_no_passages_have_no_scores(reranker: Reranker) -> None:
    """An empty list gives an empty array, of the same type as ever."""
    scores = reranker.scores(COMPLAINT, [])
    assert scores.shape == (0,)
    assert scores.dtype == np.float32


def test_long_texts_are_cut_at_the_limit_of_the_model(reranker: Reranker) -> None:
    """What lies beyond it changes no score, be it of the passage or of the complaint."""
    read = LIMIT - 3 - len(COMPLAINT.split())  # of a passage, beside the complaint and three special tokens
    full, longer, longest = ["ice " * read, "ice " * read + COMPLAINT, "ice " * read + f"{COMPLAINT} " * 999]
    scores = reranker.scores(COMPLAINT, [full, longer, longest, "ice " * (read - 4) + COMPLAINT])
    assert np.ptp(scores[:3]) < 1e-6
    assert scores[3] > scores[0] + 0.05
    assert np.isfinite(reranker.scores(f"{COMPLAINT} " * 999, PASSAGES)).all()


def test_threads_may_share_a_reranker(reranker: Reranker) -> None:
    """Calls at the same time give what they give one after the other."""
    complaints = [COMPLAINT, "a stiff neck", "the elbow " * 99, "sore"] * 4
    expected = [reranker.scores(complaint, PASSAGES) for complaint in complaints]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda complaint: reranker.scores(complaint, PASSAGES), complaints))
    assert np.allclose(found, expected, atol=1e-6)


def test_a_folder_that_the_library_saved_is_the_same_model(tiny: Path, reranker: Reranker, tmp_path: Path) -> None:
    """CrossEncoder.save_pretrained adds files of its own; the scores stay."""
    from sentence_transformers import CrossEncoder

    CrossEncoder(str(tiny), device="cpu").save_pretrained(str(tmp_path))
    assert np.allclose(Reranker(tmp_path).scores(COMPLAINT, PASSAGES), reranker.scores(COMPLAINT, PASSAGES), atol=1e-6)


def test_a_model_downloaded_earlier_is_found_by_its_name(
    tiny: Path, reranker: Reranker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_network: None
) -> None:
    """In the layout of the hub's own cache, without touching the network."""
    repository = tmp_path / "models--someone--a-cross-encoder"
    snapshot = repository / "snapshots" / "0123456789abcdef0123456789abcdef01234567"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(snapshot.name)
    shutil.copytree(tiny, snapshot)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    found = Reranker("someone/a-cross-encoder").scores(COMPLAINT, PASSAGES)
    assert np.allclose(found, reranker.scores(COMPLAINT, PASSAGES), atol=1e-6)


@pytest.mark.parametrize("name", ["someone/no-such-model", "no/such/folder"])
def test_a_model_that_is_not_here_gives_one_message_and_no_network(name: str, no_network: None) -> None:
    """It names the model and the ways out: a folder, or a download."""
    with pytest.raises(ModelNotFoundError, match=rf"'{name}' is not on this machine.*the folder .*download=True"):
        Reranker(name)


def test_a_download_that_fails_is_one_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hub may be out of reach."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(ModelNotFoundError, match=r"'someone/no-such-model' could not be downloaded"):
        Reranker("someone/no-such-model", download=True)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({}, "no model in this folder"),
        ({"config.json": "{"}, "cannot be read"),
        ({"config.json": "[]"}, "not a cross-encoder"),
        ({"config.json": '{"architectures": ["GPT2LMHeadModel"]}'}, "not a cross-encoder but GPT2LMHeadModel"),
        ({"config.json": '{"architectures": ["BertForSequenceClassification"]}'}, "cannot load"),
    ],
)
def test_a_folder_that_holds_no_cross_encoder_is_told(tmp_path: Path, content: dict[str, str], message: str) -> None:
    """Empty, broken, half or another kind of model: the message names the folder and what is wrong with it."""
    for name, text in content.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(ModelError, match=rf"{tmp_path}.*{message}"):
        Reranker(tmp_path)


def test_an_embedding_model_is_refused() -> None:
    """It could be loaded as a cross-encoder, and would score by a head of random weights."""
    with pytest.raises(ModelError, match=r"not a cross-encoder but a SentenceTransformer.*needs a cross-encoder"):
        Reranker(locate_model().folder)


def test_a_model_with_three_labels_is_refused(tmp_path: Path) -> None:
    """Classes of pairs are no closeness."""
    with pytest.raises(ModelError, match=r"gives 3 labels.*Reranking needs one score"):
        Reranker(tiny_cross_encoder(tmp_path, labels=3))


def _lose_the_numbers(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    weights["classifier.bias"].fill_(float("nan"))
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def _promise_too_much(folder: Path) -> None:
    settings = json.loads((folder / "tokenizer.json").read_text())
    settings["model"]["vocab"]["knee"] = 9999
    (folder / "tokenizer.json").write_text(json.dumps(settings))


@pytest.mark.parametrize(
    ("damage", "message"), [(_lose_the_numbers, "not finite numbers"), (_promise_too_much, "failed on 4 passages")]
)
def test_a_model_that_gives_no_scores_is_an_error(
    tiny: Path, tmp_path: Path, damage: Callable[[Path], None], message: str
) -> None:
    """Weights that are no numbers and tokens that the model does not know are told as the model's fault, by name."""
    folder = tmp_path / "damaged"
    shutil.copytree(tiny, folder)
    damage(folder)
    with pytest.raises(ModelError, match=rf"{folder}.*{message}"):
        Reranker(folder).scores(COMPLAINT, PASSAGES)


@pytest.mark.process
def test_importing_is_light() -> None:
    """In a fresh process: neither torch nor the libraries on top of it, nor the hub, until a model is loaded."""
    program = (
        "import sys, qa_search.search.reranking; "
        "print(sorted({'torch', 'transformers', 'sentence_transformers', 'huggingface_hub'} & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"


@pytest.mark.process
def test_nothing_is_written_to_the_terminal(tiny: Path) -> None:
    """In a fresh process, loading, scoring and cutting print, log and warn nothing; log levels and filters stay."""
    program = (
        "import logging, sys, warnings; from qa_search.search.reranking import Reranker; "
        "levels = lambda: [logging.getLogger(n).level for n in ('transformers', 'sentence_transformers')]; "
        "filters = list(warnings.filters); reranker = Reranker(sys.argv[1]); loaded = levels(); "
        "reranker.scores('my knee ' * 999, ['ice ' * 999, 'my knee']); "
        "assert levels() == loaded and max(loaded) < logging.ERROR; assert warnings.filters == filters"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tiny)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
