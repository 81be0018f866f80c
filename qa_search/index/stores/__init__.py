"""The files of one generation: posts and passages in SQLite, vectors in FAISS, words in tantivy."""
