"""``qa-search serve``."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import click

import qa_search
from qa_search.errors import MissingExtraError
from qa_search.interfaces.cli.listening import (
    MAX_CONNECTIONS,
    address_of,
    is_loopback,
    listen,
    own_names,
    require_protection,
)
from qa_search.interfaces.cli.options import log_options, model_option, place_option, quiet_option, token_option

if TYPE_CHECKING:
    from qa_search.insights.question_log import QuestionLog

_SHUTDOWN_SECONDS = 20


@click.command()
@place_option()
@model_option("The folder of the model that made the index, if it was moved.")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="The port; 0 takes a free one."
)
@token_option("What a request must contain: Authorization: Bearer TOKEN, or as a browser's password.")
@click.option("--no-auth", is_flag=True, help="Let everybody search who can reach the address, without a token.")
@click.option(
    "--allow-host",
    "allowed_hosts",
    multiple=True,
    metavar="NAME",
    help="A name under which the service may be asked, beside its address; all, if it listens beyond this machine "
    "and none is given.",
)
@click.option(
    "--rate",
    type=click.FloatRange(min=0),
    default=20.0,
    show_default=True,
    metavar="N",
    help="Requests a second of one client, on average, and 1,000 times as many characters to search for; 0 for any.",
)
@click.option(
    "--max-connections",
    type=click.IntRange(min=1),
    default=MAX_CONNECTIONS,
    show_default=True,
    metavar="N",
    help="Connections at once, a quarter of them from one address; fewer if this process may not open so many files.",
)
@click.option(
    "--max-waiting",
    type=click.IntRange(min=1),
    default=256,
    show_default=True,
    metavar="N",
    help="The most queries that may wait; more are refused (503).",
)
@click.option(
    "--max-batch",
    type=click.IntRange(min=1),
    default=32,
    show_default=True,
    metavar="N",
    help="The most waiting queries that are searched together.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0.1),
    default=30.0,
    show_default=True,
    metavar="SECONDS",
    help="When a query is abandoned (504).",
)
@log_options()
@quiet_option()
def serve(
    index_path: str,
    model: str | None,
    host: str,
    port: int,
    token: str | None,
    no_auth: bool,
    allowed_hosts: tuple[str, ...],
    rate: float,
    max_connections: int,
    max_waiting: int,
    max_batch: int,
    timeout: float,
    questions: QuestionLog | None,
    quiet: bool,
) -> None:
    """Serve the search over HTTP: a page for people, a JSON API for programs.

    The service answers from the current index, moves to a new one as soon as a build has published it, and writes
    nothing: neither to the index nor, unless --log names a file, to a log of what people ask. It listens on this
    machine alone unless --host says otherwise; then it demands --token or --no-auth.
    """
    require_protection(host, "--host", token=token, no_auth=no_auth)
    try:
        from qa_search.interfaces.web.app import Settings, create_app
        from qa_search.interfaces.web.connections import guarded_server, limits_for
        from qa_search.interfaces.web.logs import set_up_logging
    except ModuleNotFoundError as error:
        raise MissingExtraError.of("serve", "serving", error.name) from error
    set_up_logging(logging.WARNING if quiet else logging.INFO)
    hosts = frozenset(name.lower() for name in allowed_hosts)
    if is_loopback(host) or hosts:
        hosts |= own_names(host)
    index = qa_search.SearchIndex.open(index_path, model=model)
    listener = listen(host, port, "--port or --host")
    settings = Settings(
        token=token, rate=rate, hosts=hosts, max_waiting=max_waiting, max_batch=max_batch, timeout=timeout,
        questions=questions,
    )  # fmt: skip
    if not quiet:
        if questions is not None:
            click.echo(f"Logging the questions in {questions.path}", err=True)
        click.echo(f"Serving {index.location} on http://{address_of(listener, host)}/ (Ctrl-C stops)", err=True)
    app = create_app(index, settings)
    server = guarded_server(app, limits_for(max_connections), graceful_seconds=_SHUTDOWN_SECONDS, on_stop=app.stop_soon)
    server.run(sockets=[listener])
