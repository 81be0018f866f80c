"""One session of the shell: lines and commands -> output, and the state for the next line."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from functools import partial
from glob import escape
from pathlib import Path
from typing import Any

import click

import qa_search
from qa_search.errors import QASearchError, QueryError
from qa_search.interfaces.cli.output import echo_paged
from qa_search.interfaces.render.commands import in_options
from qa_search.interfaces.render.csv_rows import to_csv
from qa_search.interfaces.render.html import to_html
from qa_search.interfaces.render.markdown import to_markdown
from qa_search.interfaces.render.terminal import INDENT, one_line, printable, render_post, render_result
from qa_search.interfaces.render.wording import NO_POST_PASSES, hidden_post, title_of
from qa_search.search.query import DEFAULT_TOP_K, MAX_TOP_K, SearchParameters
from qa_search.types import Hit, SearchResult
from qa_search.util.text import clean_text, counted

# The value of each command (optional in brackets), and what the command does.
COMMANDS = {
    "open": ("N", "show the whole post N; so does the number alone"),
    "like": ("[N]", "more posts like post N, or like the open one"),
    "prev": ("", "open the post before the open one"),
    "next": ("", "open the post after it"),
    "since": ("[DATE]", "only posts of this date or later; without a date, of any"),
    "until": ("[DATE]", "only posts up to this date"),
    "source": ("[GLOB]", "only posts whose source matches"),
    "tag": ("[TAG]", "only posts that have this tag, too"),
    "k": ("N", "how many posts at most"),
    "clear": ("", "search all posts again"),
    "yes": ("N", "post N answered this (with --feedback)"),
    "no": ("N", "post N did not answer this (with --feedback)"),
    "export": ("N|all FILE", "write post N, or all that were found, to a new .md, .csv or .html"),
    "info": ("", "what the index contains"),
    "help": ("", "this list"),
    "quit": ("", "leave; so does Ctrl-D"),
}
_WRITERS: Mapping[str, Callable[[SearchResult], str]] = {
    ".md": to_markdown,
    ".csv": lambda result: "".join(to_csv([result])),
    ".html": to_html,
}
_MAX_LIMITS_SHOWN = 60
_MAX_SOURCES = 10


def complain(error: object) -> None:
    """Print an error in one line."""
    click.echo(one_line(in_options(str(error))), err=True)


def _filters_shown(asked: SearchParameters) -> str:
    named = [("since", asked.since), ("until", asked.until), ("source", asked.source)]
    return ", ".join(f"{name} {value}" for name, value in [*named, *(("tag", tag) for tag in asked.tags)] if value)


class Shell:
    """The state of a session: the filters, the hits and the open post."""

    def __init__(self, index: qa_search.SearchIndex, k: int = DEFAULT_TOP_K) -> None:
        """Start without filters; ``k`` is the most posts of a search."""
        self.index = index
        self._asked = SearchParameters(k)
        self._result: SearchResult | None = None
        self._open_post: str | None = None
        self._tags: set[str] = set()
        self._handlers: Mapping[str, Callable[[str], None]] = {
            "open": lambda number: self._open(self._hit(number).post_id),
            "like": self._like,
            "prev": lambda _: self._go(0),
            "next": lambda _: self._go(1),
            "since": partial(self._limit, "since"),
            "until": partial(self._limit, "until"),
            "source": partial(self._limit, "source"),
            "tag": partial(self._limit, "tags"),
            "k": self._set_k,
            "clear": lambda _: self._clear(),
            "yes": partial(self._vote, answered=True),
            "no": partial(self._vote, answered=False),
            "export": self._export,
            "info": lambda _: self._info(),
            "help": lambda _: _help(),
        }

    def obey(self, line: str) -> bool:
        """Run a line; return False if it ends the session. Errors are printed."""
        line = clean_text(line)
        try:
            if self.index.refresh():
                posts = self.index.generation.manifest.counts.posts
                click.echo(f"The index was rebuilt: searches now cover {counted(posts, 'post')}.")
        except QASearchError as error:
            complain(error)  # the open generation still answers
        try:
            if line.startswith(":"):
                return self._command(line[1:])
            if re.fullmatch("[0-9]+", line):
                self._open(self._hit(line).post_id)
            elif line:
                self._show(self.index.search(line, **asdict(self._asked)))
        except QASearchError as error:
            complain(error)
        return True

    @property
    def prompt(self) -> str:
        """The prompt, with the filters in use."""
        limits = one_line(_filters_shown(self._asked))
        if len(limits) > _MAX_LIMITS_SHOWN:
            limits = f"{limits[:_MAX_LIMITS_SHOWN]}…"
        shown = [limits] * bool(limits) + [f"k {self._asked.k}"] * (self._asked.k != DEFAULT_TOP_K)
        return f"qa-search [{', '.join(shown)}]> " if shown else "qa-search> "

    def choices(self, command: str) -> Mapping[str, str]:
        """Return the completions of a command, each with a remark."""
        if command in ("open", "like", "yes", "no", "export"):
            hits = self._result.hits if self._result else ()
            numbers = {str(hit.rank): one_line(title_of(hit))[:60] for hit in hits}
            return {**numbers, "all": "all that were found"} if command == "export" and hits else numbers
        if command == "source":
            return {escape(count.source): counted(count.posts, "post") for count in self.index.info().sources}
        if command == "tag":
            return dict.fromkeys(sorted(self._tags), "")
        return {}

    def _command(self, line: str) -> bool:
        name, _, argument = line.partition(" ")
        argument = argument.strip()
        if name not in COMMANDS:
            raise QueryError(f"Unknown command :{name[:40]} (:help lists all commands).")
        expected, _ = COMMANDS[name]
        if argument and not expected:
            raise QueryError(f"Nothing comes after :{name}.")
        if not argument and expected and not expected.startswith("["):
            raise QueryError(f"Write it like :{name} {expected}.")
        if name == "quit":
            return False
        self._handlers[name](argument)
        return True

    def _hit(self, number: str) -> Hit:
        hits = self._found().hits
        for hit in hits:
            if str(hit.rank) == number.lstrip("0"):
                return hit
        raise QueryError(f"Invalid post number {number[:40]}: choose from 1 to {len(hits)}.")

    def _found(self) -> SearchResult:
        if self._result is None or not self._result.hits:
            raise QueryError("No posts to choose from: ask first.")
        return self._result

    def _show(self, result: SearchResult, *, asked: bool = True) -> None:
        self._result, self._open_post = result, None
        self._tags.update(tag for hit in result.hits for tag in hit.tags)
        if not result.hits:
            click.echo(NO_POST_PASSES)
        else:
            # Whether the archive answers matters only if there was a query.
            click.echo(render_result(result if asked else replace(result, answered=True)))

    def _open(self, post_id: str) -> None:
        post = self.index.post(post_id)
        if post is None:
            why = self.index.why_hidden(post_id)
            raise QueryError("This post is no longer in the index." if why is None else hidden_post(why))
        self._open_post = post_id
        text = render_post(post, self.index.neighbours(post_id))
        echo_paged(text)

    def _like(self, number: str) -> None:
        post_id = self._hit(number).post_id if number else self._open_post
        if post_id is None:
            raise QueryError("No post is open: write it like :like N.")
        self._show(self.index.similar(post_id, **asdict(self._asked)), asked=False)

    def _go(self, side: int) -> None:
        if self._open_post is None:
            raise QueryError("No post is open: open one first.")
        other = self.index.neighbours(self._open_post)[side]
        if other is None:
            raise QueryError(f"The index has no {'next' if side else 'previous'} post to this one.")
        self._open(other.post_id)

    def _limit(self, name: str, value: str) -> None:
        changed: dict[str, Any] = {name: value or None}
        if name == "tags":
            changed = {"tags": tuple(dict.fromkeys([*self._asked.tags, value])) if value else ()}
        asked = replace(self._asked, **changed)
        asked.filters()  # raises where one is invalid
        self._asked = asked

    def _set_k(self, number: str) -> None:
        if not re.fullmatch("[0-9]{1,9}", number) or not 1 <= int(number) <= MAX_TOP_K:
            raise QueryError(f":k takes a number from 1 to {MAX_TOP_K:,}.")
        self._asked = replace(self._asked, k=int(number))

    def _clear(self) -> None:
        self._asked = SearchParameters(self._asked.k)

    def _vote(self, number: str, *, answered: bool) -> None:
        hit = self._hit(number)
        if not self.index.records_feedback:
            raise QueryError("No feedback is asked for: start the shell with --feedback FILE.")
        self.index.record_feedback(self._found().query, hit.post_id, answered=answered)
        click.echo(f"Written down: post {hit.rank} {'answered' if answered else 'did not answer'} this.")

    def _export(self, argument: str) -> None:
        number, _, name = argument.partition(" ")
        name = name.strip()
        writer = _WRITERS.get(Path(name).suffix.lower())
        if writer is None:
            raise QueryError("Write it like :export all FILE, where FILE ends in .md, .csv or .html.")
        result = self._found()
        if number != "all":
            result = replace(result, hits=(self._hit(number),))
        text = writer(result)
        try:
            with Path(name).expanduser().open("x", encoding="utf-8", newline="") as stream:
                stream.write(text)
        except FileExistsError as error:
            raise QueryError(f"{name} already exists: name a new file.") from error
        except (OSError, RuntimeError) as error:  # the latter where "~" is nobody's home
            raise QueryError(f"{name} cannot be written ({error}).") from error
        click.echo(printable(f"{name}: {counted(len(result.hits), 'post')}"))

    def _info(self) -> None:
        info = self.index.info()
        posts, passages = info.counts["posts"], info.counts["passages"]
        click.echo(
            printable(f"{info.index}: {counted(posts, 'post')} in {counted(passages, 'passage')}, built {info.created}")
        )
        for source in info.sources[:_MAX_SOURCES]:
            click.echo(printable(f"{INDENT}{source.source}: {counted(source.posts, 'post')}"))
        if len(info.sources) > _MAX_SOURCES:
            click.echo(f"{INDENT}... and {len(info.sources) - _MAX_SOURCES:,} more (qa-search info --all)")


def _help() -> None:
    click.echo("Write a complaint in your own words, the number of a post to open it, or a command:")
    for name, (expected, what) in COMMANDS.items():
        click.echo(f"{INDENT}{f':{name} {expected}':<22}{what}")
