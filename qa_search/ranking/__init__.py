"""Candidates -> hits: pure functions, no files and no models."""
