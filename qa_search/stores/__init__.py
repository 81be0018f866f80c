"""What an index keeps on disk: posts and passages in SQLite, vectors in FAISS."""
