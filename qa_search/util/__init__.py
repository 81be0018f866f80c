"""Text, sentences, terms, dates, threads and opening files: pure helpers that know no models."""
