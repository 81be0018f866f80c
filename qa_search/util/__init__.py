"""Helpers for text, sentences, terms, dates, threads and opening files; they use no models."""
