"""Choose the encoder of a build: find it in the index folder, or export the model and check the export."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, cast

from qa_search.embedders.base import Embedder, Piece, Vectors
from qa_search.embedders.locate import LocatedModel
from qa_search.embedders.onnx import CHECKED_PASSAGES, RECIPE, SETTINGS_FILE, OnnxEmbedder
from qa_search.errors import IndexDamagedError, ModelError
from qa_search.index.encoders import (
    BuildEncoder,
    checked_passages,
    copy_encoder,
    encoder_record,
    move_into_place,
    start_partial,
    whole_settings,
    write_settings,
)
from qa_search.index.integrity import file_record
from qa_search.index.manifest import (
    AgreementRecord,
    ExportedEncoder,
    GivenEncoder,
    OriginalEncoder,
    PassagesRecord,
)
from qa_search.index.owned import ENCODER_NAMES, remove_own
from qa_search.util.defaults import Device, PrecisionChoice
from qa_search.util.files import MOST_SETTINGS_BYTES, read_file

if TYPE_CHECKING:
    from qa_search.embedders.onnx_export import Precision, Reference
    from qa_search.embedders.sentence_transformer import SentenceTransformerEmbedder


class PairedEmbedder:
    """Embeds passages by one embedder and questions by another that agrees: a GPU builds, any machine searches."""

    def __init__(self, passages: Embedder, queries: Embedder) -> None:
        self._passages = passages
        self._queries = queries
        self.model_id = queries.model_id
        self.dimension = queries.dimension
        self.passage_limit = queries.passage_limit
        self.query_limit = queries.query_limit

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Count each text's tokens."""
        return self._queries.count_tokens(texts)

    def pieces(self, texts: Sequence[str]) -> list[list[Piece]] | None:
        """Return the tokens of each text; None if they are unknown."""
        show = getattr(self._queries, "pieces", None)
        return None if show is None else show(texts)

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        """Embed passages: (n, dimension)."""
        return self._passages.embed_passages(texts)

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        """Embed questions: (n, dimension)."""
        return self._queries.embed_queries(texts)


class EncoderChooser:
    """Finds or makes the encoder of a build.

    Nothing slow happens when the index folder, or the folder that all indexes share, has the encoder already; else the
    model is loaded by torch, and exported once there are passages to check the export on.
    """

    def __init__(
        self,
        folder: Path,
        model: LocatedModel,
        *,
        device: Device = "auto",
        precision: PrecisionChoice = "auto",
        rebuild: bool = False,
        cache: Path | None = None,
        exporting: Callable[[], None] = lambda: None,
    ) -> None:
        """Take the index's folder of encoders, and the one that the user's indexes share.

        ``exporting`` is called when a model is exported, which takes long.
        """
        self._exporting = exporting
        self._folder = folder
        self._cache = cache
        self._located = model
        self.model_id = model.identify()
        self._rebuild = rebuild
        self._original: SentenceTransformerEmbedder | None = None
        self._reference: Reference | None = None
        self._opened: dict[str, BuildEncoder] = {}
        # The shared ones that were taken: on how many passages each was checked; and those that must be checked again.
        self._shared: dict[str, int] = {}
        self._unchecked: set[str] = set()
        self._cuda = _has_cuda(device)
        self._precision = precision
        self._wanted: tuple[Precision, ...] = ("int8", "fp32") if precision == "auto" else ("fp32",)
        if precision == "int8":
            self._wanted = ("int8",)
        if self._cuda or precision == "bf16":
            self._wanted = ("fp32",)  # for questions: as close to the original as can be

    def tokenizer(self) -> Embedder:
        """Return an embedder whose tokenizer and limits hold for the one that will be chosen."""
        found = self._found()
        return found.embedder if found is not None else self._load_original()

    def choose(self, sample: Callable[[int], list[str]]) -> BuildEncoder:
        """Return the encoder to embed with; ``sample`` gives some passages of the archive to check an export on."""
        passages = sample(CHECKED_PASSAGES) if self._shared else []
        for name, checked in self._shared.items():
            if 2 * checked < len(passages):  # of a small archive: this one can check better
                self._opened.pop(name, None)
                self._unchecked.add(name)
        found = self._found()
        if found is not None and not self._by_torch():
            return found
        passages = passages or sample(CHECKED_PASSAGES)
        reasons = []
        for precision in self._wanted:
            made = self._open(precision) or self._export(precision, passages)
            if isinstance(made, BuildEncoder):
                return self._accelerated(made, passages) if self._by_torch() else made
            reasons.append(f"{precision}: {made}")
        return self._original_encoder("; ".join(reasons))

    def _found(self) -> BuildEncoder | None:
        """Return the encoder of an earlier build, unless a better precision was not tried yet."""
        if self._rebuild:
            return None
        for precision in self._wanted:
            found = self._open(precision)
            if isinstance(found, BuildEncoder):
                return found
            if found is None:
                return None
        return None

    def _open(self, precision: Precision) -> BuildEncoder | str | None:
        """Return a kept encoder, or why it is unusable, or None if no intact one exists."""
        name = self._name(precision)
        if self._rebuild or name in self._unchecked:
            return None
        if name in self._opened:
            return self._opened[name]
        for folder in self._kept(name):
            try:
                settings = whole_settings(folder)
                if "unusable" in settings:
                    return str(settings["unusable"])
                found = self._opened[name] = BuildEncoder(OnnxEmbedder(folder), name, encoder_record(folder))
            except (OSError, ValueError, KeyError, IndexDamagedError):
                continue  # half written or damaged: it is made again
            return found
        return None

    def _kept(self, name: str) -> Iterator[Path]:
        """Yield the folders of a kept encoder: the index's own, then copies of the shared ones."""
        yield from sorted(self._folder.glob(f"{name}-*"))
        shared = list(self._cache.glob(f"{name}-*")) if self._cache is not None else []
        for checked, folder in sorted(((checked_passages(folder), folder) for folder in shared), reverse=True):
            with suppress(OSError, ValueError):
                copied = copy_encoder(folder, self._folder)
                self._shared[name] = checked
                yield copied

    def _share(self, folder: Path) -> Path:
        """Copy a new encoder to the shared folder, for the next index; that it cannot be written does not matter."""
        if self._cache is not None:
            with suppress(OSError, ValueError):
                self._cache.mkdir(parents=True, exist_ok=True, mode=0o700)
                copy_encoder(folder, self._cache)
        return folder

    def _export(self, precision: Precision, passages: list[str]) -> BuildEncoder | str:
        """Export and check; return the encoder, or why it cannot be used."""
        from qa_search.embedders.onnx_export import AGREEMENT_LIMITS, export_encoder, measure_agreement

        self._exporting()
        name = self._name(precision)
        partial = start_partial(self._folder, name)
        original = self._load_original()
        try:
            export_encoder(original, partial, precision)
            agreement = measure_agreement(self._refer_to(passages), OnnxEmbedder(partial))
        except (ModelError, IndexDamagedError) as error:
            return self._keep_unusable(partial, name, f"cannot be exported ({error})", len(passages))
        if not agreement.within(precision):
            mean, least = AGREEMENT_LIMITS[precision]
            return self._keep_unusable(
                partial,
                name,
                f"agrees too little with the original: cosine {agreement.mean} on average, {agreement.min} at worst, "
                f"where {mean} and {least} are needed",
                len(passages),
            )
        settings = json.loads(read_file(partial / SETTINGS_FILE, MOST_SETTINGS_BYTES))
        settings["agreement"] = asdict(agreement)
        settings["closeness"] = asdict(self._refer_to(passages).closeness)
        settings["files"] = {
            path.name: file_record(path)._asdict() for path in sorted(partial.iterdir()) if path.name != SETTINGS_FILE
        }
        write_settings(partial, settings)
        folder = self._share(move_into_place(partial, name))
        return BuildEncoder(OnnxEmbedder(folder), name, encoder_record(folder))

    def _keep_unusable(self, partial: Path, name: str, reason: str, checked: int) -> str:
        """Record the failure, so that the next build does not try again."""
        remove_own(partial, ENCODER_NAMES)
        partial.mkdir(exist_ok=True)
        write_settings(partial, {"unusable": reason, "agreement": {"passages": checked}})
        self._share(move_into_place(partial, name))
        return reason

    def _accelerated(self, exported: BuildEncoder, passages: list[str]) -> BuildEncoder:
        """Embed passages by torch on the GPU or in bfloat16, questions by the export, if both agree."""
        from qa_search.embedders.onnx_export import AGREEMENT_LIMITS, measure_agreement
        from qa_search.embedders.sentence_transformer import SentenceTransformerEmbedder

        kind = "bf16" if self._precision == "bf16" else "fp32"
        device = "cuda" if self._cuda else "cpu"
        fast = SentenceTransformerEmbedder(self._located, device=device, bfloat16=kind == "bf16")
        paired = PairedEmbedder(fast, exported.embedder)
        agreement = measure_agreement(self._refer_to(passages), paired)
        mean, least = AGREEMENT_LIMITS["int8" if kind == "bf16" else "fp32"]
        if agreement.mean < mean or agreement.min < least:
            return exported
        measured = AgreementRecord(agreement.passages, agreement.mean, agreement.min)
        record = cast(ExportedEncoder, exported.record)._replace(
            passages=PassagesRecord("torch", device, kind, measured)
        )
        return BuildEncoder(paired, f"{exported.vectors_id}-{device}-{kind}", record)

    def _original_encoder(self, reason: str) -> BuildEncoder:
        record = OriginalEncoder("original", reason)
        return BuildEncoder(self._load_original(), f"original-{self.model_id.sha256[:16]}", record)

    def _load_original(self) -> SentenceTransformerEmbedder:
        if self._original is None:
            from qa_search.embedders.sentence_transformer import SentenceTransformerEmbedder

            self._original = SentenceTransformerEmbedder(self._located)
        return self._original

    def _refer_to(self, passages: list[str]) -> Reference:
        """Embed the passages by the original, once for all precisions."""
        from qa_search.embedders.onnx_export import embed_reference

        if self._reference is None:
            self._reference = embed_reference(self._load_original(), passages)
        return self._reference

    def _by_torch(self) -> bool:
        return self._cuda or self._precision == "bf16"

    def _name(self, precision: str) -> str:
        # The name and the place of a model are no part of what its vectors depend on.
        digest = hashlib.sha256(f"{RECIPE} {precision} {self.model_id.sha256}".encode()).hexdigest()
        return f"{precision}-{digest[:16]}"


def given_encoder(embedder: Embedder) -> BuildEncoder:
    """Wrap an embedder that the caller passed."""
    return BuildEncoder(embedder, f"given-{embedder.model_id.sha256[:16]}", GivenEncoder("given"))


def _has_cuda(device: Device) -> bool:
    """Return whether to embed on a GPU. torch is imported only where there might be one.

    Raises:
        ModelError: if a GPU was asked for and torch finds none.
    """
    if device == "cpu" or (device == "auto" and not Path("/dev/nvidia0").exists()):
        return False
    import torch

    available = bool(torch.cuda.is_available())
    if device == "cuda" and not available:
        raise ModelError(
            "device: cuda was asked for, and torch finds no CUDA GPU on this machine. Use cpu or auto.",
            parameter="device",
        )
    return available
