"""Tests of qa_search.util."""
