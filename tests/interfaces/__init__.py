"""Tests of qa_search.interfaces."""
