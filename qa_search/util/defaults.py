"""The defaults that the library has and the commands show. Nothing is imported here: help and completion are quick."""

from __future__ import annotations

DEFAULT_INDEX = "index"
# What a new index is built from, in the current folder.
DEFAULT_SOURCE = "data/archive"
# How many records of each file are looked at before a build.
DEFAULT_RECORDS = 2000
# The bytes that searching the vectors may take, and the share of the 10 closest that must be found.
DEFAULT_MEMORY = 10**9
DEFAULT_RECALL = 0.95
# How many generations are kept, the one that answers included.
DEFAULT_KEEP = 3
# The largest share of the posts that a build may lose unasked.
DEFAULT_LARGEST_LOSS = 0.1
# How many posts a list shows.
DEFAULT_LISTED = 20
# The connections of a service at once.
DEFAULT_CONNECTIONS = 512
# The days that a new log of questions keeps them.
DEFAULT_KEEP_DAYS = 90
