"""Tests of qa_search/insights."""
