"""Fuzzing, guided by coverage: see `tests.fuzz.readers`."""
