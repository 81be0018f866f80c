"""Defaults and ranges that the library has and the commands show. Little is imported here: help is quick."""

from __future__ import annotations

from typing import Literal, get_args

DEFAULT_INDEX = "index"
# What a new index is built from, in the current folder.
DEFAULT_SOURCE = "data/archive"
# How many records of each file are looked at before a build.
DEFAULT_RECORDS = 2000
# The bytes that searching the vectors may take, and the share of the 10 closest that must be found.
DEFAULT_MEMORY = 10**9
DEFAULT_RECALL = 0.95
# How many generations are kept, the one that answers included; fewer leave no way back.
DEFAULT_KEEP = 3
LEAST_KEEP = 2
# The tokens of a passage: fewer than the least say nothing.
DEFAULT_PASSAGE_TOKENS = 256
LEAST_PASSAGE_TOKENS = 8
# What embeds passages, and how exactly.
Device = Literal["auto", "cpu", "cuda"]
PrecisionChoice = Literal["auto", "int8", "fp32", "bf16"]
DEVICES: tuple[str, ...] = get_args(Device)
PRECISIONS: tuple[str, ...] = get_args(PrecisionChoice)
# The largest share of the posts that a build may lose unasked.
DEFAULT_LARGEST_LOSS = 0.1
# How many posts a list shows.
DEFAULT_LISTED = 20
# The connections of a service at once.
DEFAULT_CONNECTIONS = 512
# The days that a new log of questions keeps them.
DEFAULT_KEEP_DAYS = 90
