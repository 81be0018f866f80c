"""Clients that are silent, slow, endless, greedy or without the token, all at once; prints what they did as JSON.

Run as ``python -m tests.reliability.siege PORT TOKEN SECONDS``: a program of its own, beside which somebody else asks.
Each kind comes from addresses of its own (127.0.1.N), and once more from the one that honest clients have.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable

SILENT = 150  # connections of each silent kind
_PAUSE = 0.05  # seconds: between two connections of one client, between two bytes of a slow one it is ten times as long
_OTHER = ("127.0.0.1", "127.0.1.1", "127.0.1.2")

Attack = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[str]]


class Siege:
    """All attackers of one service."""

    def __init__(self, port: int, token: str, seconds: float) -> None:
        self._port = port
        self._bearer = f"Host: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n"
        self._end = time.monotonic() + seconds
        self.counts: Counter[str] = Counter()

    async def run(self) -> None:
        """Attack until the end."""
        kinds: list[tuple[str, int, Attack]] = [
            ("silent", SILENT, self._wait_after(b"")),
            ("half a line", SILENT, self._wait_after(b"GET / HT")),
            ("headers that drip", 20, self._drip_after(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ")),
            ("bodies that drip", 20, self._drip_after(self._post(1000))),
            ("answers that are not read", 10, self._leave_unread),
            ("long complaints", 4, self._ask_long),
            ("wrong tokens", 4, self._guess),
            ("a megabyte of headers", 2, self._exchange(b"GET / HTTP/1.1\r\n" + b"a:b\r\n" * 200_000 + b"\r\n")),
            ("400,000 parameters", 2, self._exchange(b"GET /?" + b"a&" * 400_000 + b" HTTP/1.1\r\n\r\n")),
        ]
        clients = [
            self._keep(name, _OTHER[at % 3] if count == SILENT else f"127.0.1.{10 + number}", attack)
            for number, (name, count, attack) in enumerate(kinds)
            for at in range(count)
        ]
        await asyncio.gather(*clients)

    async def _keep(self, name: str, address: str, attack: Attack) -> None:
        """Be one attacker, again and again."""
        while time.monotonic() < self._end:
            writer = None
            try:
                async with asyncio.timeout(max(self._end - time.monotonic(), 0)):
                    reader, writer = await asyncio.open_connection("127.0.0.1", self._port, local_addr=(address, 0))
                    self.counts[f"{name}: tried"] += 1
                    self.counts[f"{name}: {await attack(reader, writer)}"] += 1
            except (OSError, TimeoutError):
                self.counts[f"{name}: cut off"] += 1
            finally:
                if writer is not None:
                    writer.transport.abort()
            await asyncio.sleep(_PAUSE)

    def _post(self, length: int) -> bytes:
        head = f"POST /api/search HTTP/1.1\r\n{self._bearer}Content-Type: application/json\r\n"
        return f"{head}Content-Length: {length}\r\n\r\n".encode()

    @staticmethod
    def _wait_after(sent: bytes) -> Attack:
        async def attack(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
            writer.write(sent)
            return _status(await reader.read())

        return attack

    @staticmethod
    def _drip_after(sent: bytes) -> Attack:
        async def attack(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
            writer.write(sent)
            reading = asyncio.ensure_future(reader.read())
            while not reading.done():
                writer.write(b"x")
                await asyncio.wait((reading,), timeout=10 * _PAUSE)
            return _status(reading.result())

        return attack

    @staticmethod
    def _exchange(sent: bytes) -> Attack:
        async def attack(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
            writer.write(sent)
            return _status(await reader.read())

        return attack

    async def _leave_unread(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
        """Ask for as much as there is, many times, and read nothing."""
        reader._transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(f"GET /?q=knee&k=100 HTTP/1.1\r\n{self._bearer}\r\n".encode() * 20)
        await asyncio.sleep(max(min(30.0, self._end - time.monotonic()), 0))
        return "left"

    async def _ask_long(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
        """Ask the longest complaint there may be."""
        words = " ".join(f"my {word} hurts badly since week {n}." for n in range(3000) for word in ("knee", "back"))
        body = json.dumps({"query": words[:99_000]}).encode()
        writer.write(self._post(len(body)) + body)
        return _status(await reader.read(1000))

    async def _guess(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
        """Try a hundred tokens on one connection."""
        request = b"GET /api/info HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer wrong\r\n\r\n"
        writer.write(request * 100)
        return _status(await reader.read(1000))


def _status(answer: bytes) -> str:
    """Return the status that an answer begins with."""
    return answer.split()[1].decode() if answer.startswith(b"HTTP/1.1 ") else "closed"


def main(port: int, token: str, seconds: float) -> None:
    """Attack, and print the counts."""
    siege = Siege(port, token, seconds)
    asyncio.run(siege.run())
    print(json.dumps(dict(sorted(siege.counts.items()))))


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], float(sys.argv[3]))
