"""``qa-search mcp``."""

from __future__ import annotations

import logging
import os
import signal
from typing import TYPE_CHECKING, Any

import click

import qa_search
from qa_search.errors import MissingExtraError
from qa_search.interfaces.cli.listening import (
    address_of,
    is_loopback,
    listen,
    own_names,
    require_protection,
)
from qa_search.interfaces.cli.options import feedback_option, model_option, place_option, token_option
from qa_search.interfaces.cli.output import OutputError
from qa_search.util.defaults import DEFAULT_CONNECTIONS

if TYPE_CHECKING:
    from mcp.server.mcpserver import MCPServer

    from qa_search.interfaces.web.guards import App, Receive, Scope, Send

_SHUTDOWN_SECONDS = 5


class _Address(click.ParamType[tuple[str, int]]):
    """HOST:PORT, the host of an IPv6 address in brackets."""

    name = "address"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, int]:
        """Read the text."""
        host, _, port = value.rpartition(":")
        if not host or not (port.isascii() and port.isdigit() and int(port[:6]) <= 65535):
            self.fail(f"{value!r} is not HOST:PORT", param, ctx)
        return host.removeprefix("[").removesuffix("]"), int(port)


class _Mcp(click.Group):
    """Runs the server where no subcommand is named; loads a subcommand when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return ["install"]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name != "install":
            return None
        from qa_search.interfaces.cli.mcp_install import install_command

        return install_command


@click.command(cls=_Mcp, invoke_without_command=True, subcommand_metavar="[install ...]")
@place_option()
@model_option("The folder of the model that made the index, if it was moved.")
@click.option(
    "--http",
    "address",
    type=_Address(),
    metavar="HOST:PORT",
    help="Serve over HTTP, on the path /mcp, instead of standard input and output; port 0 takes a free one.",
)
@feedback_option("Give assistants a tool to report what answered, and write it to this file.")
@token_option("The secret that each request over HTTP must have, as the header 'Authorization: Bearer TOKEN'.")
@click.option("--no-auth", is_flag=True, help="Need no token: everybody who can reach the address can search.")
@click.pass_context
def mcp(
    ctx: click.Context,
    index_path: str,
    model: str | None,
    address: tuple[str, int] | None,
    feedback: str | None,
    token: str | None,
    no_auth: bool,
) -> None:
    """Let assistants search the archive: a server of the Model Context Protocol with two tools.

    An assistant that runs programs on this machine starts it by itself: "qa-search mcp install ASSISTANT" gives it
    the command, which is "qa-search mcp --index PATH". It answers from the current index, moves to a new one with the
    first question after a build, and writes nothing unless --feedback names a file.
    """
    if ctx.invoked_subcommand is not None:
        _require_no_options(ctx)
        return
    if address:
        require_protection(address[0], "--http", token=token, no_auth=no_auth)
    # Standard output belongs to the protocol.
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    try:
        from qa_search.interfaces.mcp_server import create_server
    except ModuleNotFoundError as error:
        raise MissingExtraError.of("mcp", "a server of assistants", error.name) from error
    with qa_search.SearchIndex.open(index_path, model=model, feedback=feedback) as index:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, _end)
        server = create_server(index)
        if address is None:
            _serve_stdio(server)
        else:
            _serve_http(server, *address, token=token)


def _require_no_options(ctx: click.Context) -> None:
    """Refuse options of the server before "install", which would not read them."""
    typed = [name for name in ctx.params if ctx.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE]
    if typed:
        raise click.UsageError("Options go behind install: qa-search mcp install ASSISTANT --index PATH.")


def _end(number: int, frame: object) -> None:
    """End at once: there is nothing to save, and the thread that waits for standard input would block a normal end."""
    os._exit(0)


def _serve_stdio(server: MCPServer[None]) -> None:
    """Answer on standard output until standard input ends.

    Raises:
        OSError: if one of them fails; anyio packs such errors in groups.
    """
    failed: BaseException | None = None
    try:
        server.run("stdio")
    except* OSError as group:
        failed = group
    while isinstance(failed, BaseExceptionGroup):
        failed = failed.exceptions[0]
    if isinstance(failed, OSError) and failed.filename is None and not isinstance(failed, BrokenPipeError):
        raise OutputError(f"cannot be written to ({failed.strerror})") from failed
    if failed is not None:
        raise failed


def _serve_http(server: MCPServer[None], host: str, port: int, *, token: str | None) -> None:
    from mcp.server.transport_security import DEFAULT_MAX_REQUEST_BODY_SIZE

    from qa_search.interfaces.web.connections import guarded_server, limits_for
    from qa_search.interfaces.web.guards import Guards
    from qa_search.interfaces.web.logs import set_up_logging

    set_up_logging(logging.WARNING)
    limits = limits_for(DEFAULT_CONNECTIONS)
    listener = listen(host, port, limits.backlog, "--http HOST:PORT")
    # Every request stands for itself: there is nothing to lose when the server is started again.
    app = Guards(
        _without_streams(server.streamable_http_app(host=host, stateless_http=True, json_response=True)),
        token=token,
        rate=0,
        max_body=2 * DEFAULT_MAX_REQUEST_BODY_SIZE,  # the app's own limit comes first
        hosts=own_names(host) if is_loopback(host) else frozenset(),
    )
    click.echo(f"Serving MCP on http://{address_of(listener, host)}/mcp (Ctrl-C stops)", err=True)
    guarded_server(app, limits, graceful_seconds=_SHUTDOWN_SECONDS).run(sockets=[listener])


def _without_streams(app: App) -> App:
    """Refuse GET: it would open a stream that this server never uses, and hold a connection for ever."""
    from qa_search.interfaces.web.guards import error_response

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "GET" and scope["path"] == "/mcp":
            refusal = error_response(405, "HTTPError", "this server opens no stream: send a POST", {"allow": "POST"})
            await refusal(scope, receive, send)
            return
        await app(scope, receive, send)

    return answer
