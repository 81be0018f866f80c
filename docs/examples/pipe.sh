#!/bin/sh
# One complaint from standard input, the sentences that matter on standard output:
#
#   qa-search build
#   echo "back of my thigh has ached for months, PT did nothing" | sh docs/examples/pipe.sh
#
# Needs jq. The exit status is that of qa-search, so 1 means that nothing seems to answer.
result=$(qa-search query - --json -k 3)
status=$?
test "$status" -le 1 || exit "$status"
printf '%s\n' "$result" | jq -r '.hits[] | "\(.confidence * 100 | round) %  \(.title): \(.highlight.text)"'
exit "$status"
