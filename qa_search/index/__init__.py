"""An index on disk or in a database: posts, words and vectors, opened for reading."""
