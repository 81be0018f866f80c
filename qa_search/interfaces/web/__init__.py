"""The search over HTTP: a JSON API and a page, on one index that is kept open."""
