"""Archives and embedders -> a new generation of an index."""
