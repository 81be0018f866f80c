#!/bin/sh
# Many complaints in JSON Lines, {"id": ..., "text": ...}; the answers in JSON Lines, in the same order:
#
#   qa-search build
#   sh docs/examples/many.sh < data/judged/queries.jsonl > answers.jsonl
#
# Needs jq. The model is loaded once for all of them.
qa-search query --from - --json -k 3 | jq -c '{id, answered, confidence, posts: [.hits[].source_id]}'
