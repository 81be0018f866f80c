"""Tests of qa_search.builder."""
