"""Posts and queries -> passages -> vectors, by any sentence-transformers model."""
