"""Tests of qa_search.index."""
