"""Text, sentences, dates and threads: pure helpers that know no files and no models."""
