"""What clients asked on the pages -> whether it is their first time, and the messages that the next page shows."""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable

_SECONDS = 600.0
_MOST = 10_000


class RecentTexts:
    """The texts that each client has asked within the last ten minutes, in memory alone, as hashes.

    Whoever opens a post and goes back, or changes the order, asks the service again, and it is still one question.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._asked: OrderedDict[tuple[str, bytes], tuple[float, str]] = OrderedDict()

    def is_new(self, client: str, text: str) -> bool:
        """Return whether the client has not asked this for a while, in any case and with any blanks."""
        asked, _ = self._asked.get(_key(client, text), (-_SECONDS, ""))
        return asked <= self._clock() - _SECONDS

    def note(self, client: str, text: str, remark: str = "") -> None:
        """Keep that the client has asked this, and got an answer; ``remark`` is what its next page says."""
        now, key = self._clock(), _key(client, text)
        self._asked[key] = now, remark
        self._asked.move_to_end(key)
        while len(self._asked) > _MOST or next(iter(self._asked.values()))[0] <= now - _SECONDS:
            self._asked.popitem(last=False)

    def take(self, client: str, text: str) -> str:
        """Forget a text; return the remark that was kept with it, or ""."""
        return self._asked.pop(_key(client, text), (0.0, ""))[1]


def _key(client: str, text: str) -> tuple[str, bytes]:
    # A hash: texts may be long, and need not be kept.
    words = " ".join(text.casefold().split())
    return client, hashlib.blake2b(words.encode("utf-8", "surrogatepass"), digest_size=16).digest()
