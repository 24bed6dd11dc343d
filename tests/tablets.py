"""Tablets without a screen: the page's own client (web/lib/client.js) under Node, as many as a test wants."""

import json
import select
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from tests.peers import require_tool
from tests.waiting import SOON_S

PROGRAM = Path(__file__).parent / "js" / "tablet.mjs"


class Tablets:
    """One Node process with any number of tablets in it, each called by a name."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    @classmethod
    @contextmanager
    def start(cls) -> Iterator[Self]:
        node = require_tool("node", package="nodejs")
        with subprocess.Popen(
            [node, str(PROGRAM)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            try:
                yield cls(process)
            finally:
                process.kill()

    def open(self, name: str, url: str) -> None:
        """A page is opened; it connects by itself and for ever."""
        self.do("open", name=name, url=url)

    def drag(self, name: str, path: str, zero: float, hz: float = 60.0) -> None:
        """A finger comes down and moves; each value is the ms since ``zero`` (time.monotonic()) at the move."""
        self.do("drag", name=name, path=path, hz=hz, zero=zero * 1000)

    def state(self, name: str) -> str:
        return str(self.look(name)["state"])

    def look(self, name: str, path: str = "") -> dict[str, Any]:
        """{state, rtt, value, states: [[ms, state]], errors: {code: count}}."""
        return self.do("look", name=name, path=path)  # type: ignore[no-any-return]

    def watch(self, name: str) -> None:
        """Note from now on every value that the server's word changes on the screen."""
        self.do("watch", name=name)

    def take(self, name: str) -> list[tuple[float, str, Any]]:
        """What was noted: (time.monotonic(), path, value), and is forgotten then."""
        return [(at / 1000, path, value) for at, path, value in self.do("take", name=name)]

    def do(self, command: str, **fields: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"do": command, **fields}) + "\n")
        self._process.stdin.flush()
        ready, _, _ = select.select([self._process.stdout], [], [], SOON_S)
        line = self._process.stdout.readline() if ready else ""
        if not line:
            raise RuntimeError(f"no answer to {command}")
        return json.loads(line)
