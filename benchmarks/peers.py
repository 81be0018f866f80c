"""One question asked in a process of its own, as a user of each system would write it.

    python benchmarks/peers.py SYSTEM prepare FOLDER      index FOLDER/texts.json with the model in FOLDER/model
    python benchmarks/peers.py SYSTEM query FOLDER TEXT   load what was prepared, print the best text's number

Each system runs in its own environment; this file imports nothing but it.
"""

import json
import sys
from pathlib import Path


def plain(action, folder, text):
    """The script that anyone would write: sentence-transformers and faiss."""
    import faiss
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(folder / "model"), device="cpu")
    if action == "prepare":
        texts = json.loads((folder / "texts.json").read_text())
        vectors = model.encode(texts, normalize_embeddings=True, show_progress_bar=False)
        index = faiss.IndexFlatIP(vectors.shape[1])
        index.add(vectors)
        faiss.write_index(index, str(folder / "plain.faiss"))
        return None
    index = faiss.read_index(str(folder / "plain.faiss"))
    texts = json.loads((folder / "texts.json").read_text())
    _, numbers = index.search(model.encode([text], normalize_embeddings=True, show_progress_bar=False), 5)
    return [texts[number] for number in numbers[0]] and int(numbers[0][0])


def txtai(action, folder, text):
    """Embeddings of txtai, contents stored."""
    from txtai import Embeddings

    if action == "prepare":
        embeddings = Embeddings(path=str(folder / "model"), content=True, gpu=False)
        embeddings.index(json.loads((folder / "texts.json").read_text()))
        embeddings.save(str(folder / "txtai"))
        return None
    embeddings = Embeddings()
    embeddings.load(str(folder / "txtai"))
    return int(embeddings.search(text, 5)[0]["id"])


def chromadb(action, folder, text):
    """A persistent Chroma collection with sentence-transformers."""
    import chromadb
    from chromadb.utils.embedding_functions import SentenceTransformerEmbeddingFunction

    function = SentenceTransformerEmbeddingFunction(str(folder / "model"), device="cpu", normalize_embeddings=True)
    client = chromadb.PersistentClient(str(folder / "chromadb"), chromadb.Settings(anonymized_telemetry=False))
    collection = client.get_or_create_collection("posts", embedding_function=function)
    if action == "prepare":
        texts = json.loads((folder / "texts.json").read_text())
        for start in range(0, len(texts), 500):
            part = texts[start : start + 500]
            collection.add(ids=[str(start + n) for n in range(len(part))], documents=part)
        return None
    return int(collection.query(query_texts=[text], n_results=5)["ids"][0][0])


if __name__ == "__main__":
    system, action, where, *words = sys.argv[1:]
    found = {"plain": plain, "txtai": txtai, "chromadb": chromadb}[system](action, Path(where), " ".join(words))
    print(found)
