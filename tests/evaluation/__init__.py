"""Tests of qa_search.evaluation.evaluate."""
