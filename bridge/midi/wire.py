"""What the program and its MIDI driver say to each other: tuples of plain values, each behind its length. Pure.

Both are the same Python, so `marshal` does it: nothing else has to be imported there.
"""

from __future__ import annotations

import marshal
from collections.abc import Iterator
from typing import Any

MAX_BYTES = 1 << 20
"""Of one message: a list of ports, or a sysex, is far shorter."""
_HEAD = 4


def pack(*message: Any) -> bytes:
    """One message: None, bool, int, float, str, bytes, and tuples and lists of these."""
    body = marshal.dumps(message)
    return len(body).to_bytes(_HEAD, "little") + body


class Unpacker:
    """Cuts a stream into messages."""

    def __init__(self) -> None:
        self._left = b""

    def feed(self, data: bytes) -> Iterator[tuple[Any, ...]]:
        """Those that are whole now. Raises ValueError where this is no such stream."""
        data = self._left + data if self._left else data
        at = 0
        while len(data) - at >= _HEAD:
            end = at + _HEAD + int.from_bytes(data[at : at + _HEAD], "little")
            if end - at > _HEAD + MAX_BYTES:
                raise ValueError("a message that is too long")
            if end > len(data):
                break
            message = data[at + _HEAD : end]
            at = end
            self._left = data[at:]
            yield marshal.loads(message)
        self._left = data[at:]
