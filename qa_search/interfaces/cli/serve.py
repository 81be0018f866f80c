"""``qa-search serve``."""

from __future__ import annotations

import ipaddress
import logging
import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from qa_search.errors import MissingExtraError, QASearchError
from qa_search.interfaces.cli.listening import (
    address_of,
    is_loopback,
    listen,
    open_in_browser,
    own_names,
    reachable,
    require_protection,
)
from qa_search.interfaces.cli.options import (
    Number,
    feedback_option,
    log_options,
    model_option,
    place_option,
    quiet_option,
    token_option,
)
from qa_search.util.defaults import DEFAULT_CONNECTIONS
from qa_search.util.threads import configured_threads

if TYPE_CHECKING:
    from qa_search.insights.question_log import QuestionLog

_SHUTDOWN_SECONDS = 20
_MOST_WORKERS = 256
# One process gains little from more cores than these (docs/speed.md); each worker takes memory of its own.
_CORES_EACH = 4
_MOST_BY_DEFAULT = 4
_NO_WIDGET = (
    "The widget gets no answers while --token is set: whoever sees a page could read the token in it. Give the widget "
    "a token of its own (--widget-token), or serve with --no-auth; programs in pages of --allow-origin may send the "
    "token to /api/."
)
_READ_BY_ALL = (
    "The widget's token is public: whoever sees a page of {origins} can read it there, and can then search, but "
    "nothing else."
)
_HOST = re.compile(r"[a-z0-9._-]+")
_ORIGIN = re.compile(r"https?://[a-z0-9.\-\[\]:]+")


def _checked_host(value: str) -> str:
    """Return a name or an address as requests name it, without port and brackets.

    Raises:
        click.BadParameter: if no request could name it.
    """
    name = value.lower().removeprefix("[").removesuffix("]")
    if not _HOST.fullmatch(name) and not _is_address(name):
        raise click.BadParameter(
            f"{value!r} is not the name of a host. Write it like search.example.org, without scheme, port and path."
        )
    return name


def _is_address(name: str) -> bool:
    try:
        return bool(ipaddress.ip_address(name))
    except ValueError:
        return False


def _checked_origin(value: str) -> str:
    """Return an origin as browsers send it.

    Raises:
        click.BadParameter: if it is not a scheme, a host and a port at most.
    """
    origin = value.lower().removesuffix("/")
    if not _ORIGIN.fullmatch(origin):
        raise click.BadParameter(f"{value!r} is not an origin. Write it like https://club.example, without a path.")
    default = ":443" if origin.startswith("https:") else ":80"
    return origin.removesuffix(default)  # browsers leave it out


def _require_use(widget_token: str | None, token: str | None, origins: frozenset[str]) -> None:
    """Refuse a widget's token that no widget needs, and one that opens more than it says.

    Raises:
        click.UsageError: if it does not go with the other options.
    """
    if widget_token is None:
        return
    if token is None or not origins:
        raise click.UsageError(
            "--widget-token goes with --token, without which the widget needs none, and with --allow-origin."
        )
    if widget_token == token:
        raise click.UsageError("--widget-token and --token must differ: pages show the widget's to everybody.")


def workers_for(cores: int) -> int:
    """Return how many workers a machine with so many cores gets by default."""
    return min(max(cores // _CORES_EACH, 1), _MOST_BY_DEFAULT)


def threads_of_each(workers: int, cores: int) -> int:
    """Return how many threads each worker computes on: its share, but two, so that one caller alone is not slowed."""
    return max(cores // workers, min(cores, 2))


@click.command()
@place_option()
@model_option("The folder of the model that made the index, if it was moved.")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="The port; 0 takes a free one."
)
@token_option(
    "The secret that each request must have: as the header 'Authorization: Bearer TOKEN', or as the password that a "
    "browser asks for."
)
@token_option(
    "The token of the widget in pages of --allow-origin (its data-token). It opens the widget's search and nothing "
    "else, and is no secret: everybody who sees such a page can read it.",
    "--widget-token",
    "QA_SEARCH_WIDGET_TOKEN",
)
@feedback_option("Take feedback by POST /api/feedback, and write it to this file.")
@click.option("--no-auth", is_flag=True, help="Need no token: everybody who can reach the address can search.")
@click.option(
    "--allow-host",
    "allowed_hosts",
    multiple=True,
    metavar="NAME",
    callback=lambda _context, _option, values: frozenset(map(_checked_host, values)),
    help="A name by which clients may reach the service, besides its address; may be repeated. Without any, a service "
    "that other machines can reach accepts every name.",
)
@click.option(
    "--rate",
    type=Number(min=0),
    default=20.0,
    show_default=True,
    metavar="N",
    help="How many requests a second one client may send on average, and 1,000 times as many characters to search "
    "for; 0 for no limit.",
)
@click.option(
    "--max-connections",
    type=click.IntRange(min=1),
    default=DEFAULT_CONNECTIONS,
    show_default=True,
    metavar="N",
    help="How many connections may be open at once, a quarter of them from one address; fewer if this process may not "
    "open so many files.",
)
@click.option(
    "--max-waiting",
    type=click.IntRange(min=1),
    default=256,
    show_default=True,
    metavar="N",
    help="How many queries may wait; more are refused (503).",
)
@click.option(
    "--max-batch",
    type=click.IntRange(min=1),
    default=32,
    show_default=True,
    metavar="N",
    help="How many waiting queries may be searched together.",
)
@click.option(
    "--timeout",
    type=Number(min=0.1),
    default=30.0,
    show_default=True,
    metavar="SECONDS",
    help="After how long a query is given up (504).",
)
@click.option(
    "--workers",
    type=click.IntRange(1, _MOST_WORKERS),
    metavar="N",
    help="Processes that search, as one service; with 1, it searches in its own process. [default: one for every "
    f"{_CORES_EACH} cores, {_MOST_BY_DEFAULT} at most]",
)
@click.option("--open", "open_page", is_flag=True, help="Open the page in the browser once it can be used.")
@click.option(
    "--site",
    "site_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="What the pages say of the archive: name, notice, examples, colours. [default: site.toml beside the index "
    "folder, if there is one]",
)
@click.option(
    "--allow-origin",
    "origins",
    multiple=True,
    metavar="ORIGIN",
    callback=lambda _context, _option, values: frozenset(map(_checked_origin, values)),
    help="A site, such as https://club.example, whose pages may ask the API, use /widget.js and show these pages in a "
    "frame; may be repeated.",
)
@click.option("--show-sources", is_flag=True, help="Show on the pages which file each post comes from: for staff.")
@click.option("--no-instant", is_flag=True, help="Search only when people press Search, not while they type.")
@log_options()
@quiet_option()
def serve(
    index_path: str,
    model: str | None,
    host: str,
    port: int,
    token: str | None,
    widget_token: str | None,
    no_auth: bool,
    feedback: str | None,
    allowed_hosts: frozenset[str],
    rate: float,
    max_connections: int,
    max_waiting: int,
    max_batch: int,
    timeout: float,
    workers: int | None,
    open_page: bool,
    site_file: Path | None,
    origins: frozenset[str],
    show_sources: bool,
    no_instant: bool,
    questions: QuestionLog | None,
    quiet: bool,
) -> None:
    """Serve the search over HTTP: a page for people, a JSON API for programs.

    The service answers from the current index, and moves to a new one as soon as a build has published it. It writes
    nothing to the index. What people ask is written only if --log names a file, and what they say of answers only if
    --feedback does. It listens on this machine alone unless --host says otherwise; then it demands --token or
    --no-auth.
    """
    require_protection(host, "--host", token=token, no_auth=no_auth)
    _require_use(widget_token, token, origins)
    try:
        from qa_search.interfaces.web.app import Settings, create_app
        from qa_search.interfaces.web.connections import guarded_server, limits_for
        from qa_search.interfaces.web.logs import set_up_logging
        from qa_search.interfaces.web.site import Site, find_site, read_site
        from qa_search.interfaces.web.worker import Opening
        from qa_search.interfaces.web.workers import Workers
    except ModuleNotFoundError as error:
        raise MissingExtraError.of("serve", "serving", error.name) from error
    set_up_logging(logging.WARNING if quiet else logging.INFO)
    hosts = allowed_hosts
    if is_loopback(host) or hosts:
        hosts |= own_names(host)
    site_file = site_file or find_site(index_path)
    site = Site() if site_file is None else read_site(site_file)
    opening = Opening(index_path, model, feedback)
    index = opening.open()
    limits = limits_for(max_connections)
    listener = listen(host, port, limits.backlog, "--port or --host")
    settings = Settings(
        token=token, widget_token=widget_token, rate=rate, hosts=hosts, max_waiting=max_waiting, max_batch=max_batch,
        timeout=timeout, site=site, show_sources=show_sources, instant=not no_instant, origins=origins,
        questions=questions,
    )  # fmt: skip
    count = workers or workers_for(configured_threads())
    with_workers = "" if count == 1 else f" with {count} workers"
    if not quiet:
        if site_file is not None:
            click.echo(f"The pages say what {site_file} says.", err=True)
        if origins and token is not None:
            public = _READ_BY_ALL.format(origins=", ".join(sorted(origins)))
            click.echo(_NO_WIDGET if widget_token is None else public, err=True)
        if questions is not None:
            click.echo(f"Logging the questions in {questions.path}", err=True)
        click.echo(
            f"Serving {index.location} on http://{address_of(listener, host)}/{with_workers} (Ctrl-C stops)", err=True
        )
    page = f"http://{address_of(listener, reachable(host))}/"
    searching = None if count == 1 else Workers(opening, count, threads_of_each(count, configured_threads()))
    app = create_app(index, settings, searching)
    server = guarded_server(
        app,
        limits,
        graceful_seconds=_SHUTDOWN_SECONDS,
        on_stop=app.stop_soon,
        on_ready=partial(open_in_browser, page) if open_page else None,
        is_over=lambda: bool(app.failure),
    )
    try:
        server.run(sockets=[listener])
    finally:
        if searching is not None:
            searching.kill()
    if app.failure:
        raise QASearchError(f"{index.location}: the service cannot answer, and has ended: {app.failure}")
