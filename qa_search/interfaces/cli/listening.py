"""Addresses to listen on, for the commands that serve."""

from __future__ import annotations

import ipaddress
import socket
import threading
import webbrowser

import click

from qa_search.errors import QASearchError


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def own_names(host: str) -> frozenset[str]:
    """Return the names by which this machine reaches its own address."""
    return frozenset((host.lower(), "localhost", "127.0.0.1", "::1"))


def require_protection(host: str, option: str, *, token: str | None, no_auth: bool) -> None:
    """Refuse to let other machines search without a token, unless the user asks for that.

    Raises:
        click.UsageError: if other machines can reach the address, and neither --token nor --no-auth is given.
    """
    if not is_loopback(host) and not token and not no_auth:
        raise click.UsageError(
            f"{option} {host} can be reached from other machines: set --token (or QA_SEARCH_TOKEN), or add --no-auth."
        )


def listen(host: str, port: int, backlog: int, options: str) -> socket.socket:
    """Take a port before slow work begins, so that a port in use is reported at once.

    Args:
        host: the address, or a name that leads to it.
        port: the port; 0 for a free one.
        backlog: how many connections may wait until they are accepted.
        options: the options that set host and port, for a message.

    Raises:
        QASearchError: if the address or the port cannot be used.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(backlog)
    except OSError as error:
        raise QASearchError(
            f"{host}:{port}: cannot listen there ({error.strerror or error}). Choose another {options}."
        ) from error
    return listener


def address_of(listener: socket.socket, host: str) -> str:
    """Return HOST:PORT as it stands in a URL."""
    return f"{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"


def reachable(host: str) -> str:
    """Return the name by which this machine reaches an address, where that stands for all addresses."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)  # noqa: S104 - not listened on


def open_in_browser(url: str) -> None:
    """Open a page in the browser without waiting for it; say so where there is no browser."""
    threading.Thread(target=_open, args=(url,), daemon=True).start()


def _open(url: str) -> None:
    try:
        opened = webbrowser.open(url)
    except (OSError, webbrowser.Error):
        opened = False
    if not opened:
        click.echo(f"No browser can be opened here: open {url} in one.", err=True)
