"""Tests of qa_search.review."""
