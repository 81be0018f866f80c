"""One file -> posts: one module for each format."""
