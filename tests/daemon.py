"""A real `stagebridge run` in a process of its own, for tests of the whole path.

    with Daemon.start(CONFIG, tmp_path) as daemon:
        page = await open_page(daemon.url)

Ready means that `/healthz` answered. Output goes to files, so nothing blocks on a full pipe and no thread is needed.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from .waiting import SOON_S

ROOT = Path(__file__).resolve().parent.parent
STOP_S = 8.0
POLL_S = 0.02

_no_proxy = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class DaemonError(Exception):
    """The daemon did not start, or did not stop; the message has its output."""


class Daemon:
    """One running daemon. `url` ends with a slash; `ws_url` is its WebSocket."""

    def __init__(self, process: subprocess.Popen[bytes], out: Path, err: Path) -> None:
        self.process = process
        self._out = out
        self._err = err
        self.http_port = 0
        self.home: Mapping[str, str] = {}
        """Variables with which a command finds its socket."""

    @classmethod
    @contextmanager
    def start(
        cls,
        config: str | Path | None,
        tmp_path: Path,
        *args: str,
        env: Mapping[str, str] | None = None,
        stop: bool = True,
        auth: str | None = "",
        program: Sequence[str] = (sys.executable, "-m", "bridge"),
        fds: Sequence[int] = (),
    ) -> Iterator[Self]:
        """Run a daemon on this config (text, a file, None: its own), on a free port of 127.0.0.1, until the block ends.

        At the end it is sent SIGTERM and must exit with 0, unless it has ended before or `stop` is false (killed).
        `env` is added to the environment; `program` is another stagebridge than this checkout's. Everybody may come in,
        unless the text has an `[auth]` or `auth` says otherwise (None: whatever the file says).
        """
        path = tmp_path / "config.toml" if isinstance(config, str) else config
        if isinstance(config, str):
            (tmp_path / "config.toml").write_text(config, encoding="utf-8")
        out, err = tmp_path / "stdout.txt", tmp_path / "stderr.txt"
        command = [*program, "run", *([str(path)] if path else []), "--host", "127.0.0.1", "--port", "0"]
        if auth == "" and not (isinstance(config, str) and "[auth]" in config):
            auth = "open"
        command += [*(["--auth", auth] if auth else []), *args]
        environment = {
            **os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", "XDG_STATE_HOME": str(tmp_path / "state"),
            **(env or {}),
        }  # fmt: skip
        environment.pop("RUNTIME_DIRECTORY", None)
        environment.pop("STATE_DIRECTORY", None)  # it keeps nothing of ours beside what somebody uses here
        with out.open("wb") as out_file, err.open("wb") as err_file:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out_file,
                stderr=err_file,
                env=environment,
                cwd=tmp_path,
                pass_fds=fds,
            )
        daemon = cls(process, out, err)
        daemon.home = {"XDG_STATE_HOME": environment["XDG_STATE_HOME"]}
        try:
            daemon._wait_ready()
            yield daemon
            if stop:
                daemon.stop()
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http_port}/"

    @property
    def ws_url(self) -> str:
        return f"ws://127.0.0.1:{self.http_port}/ws"

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def stdout(self) -> str:
        return self._out.read_text(encoding="utf-8", errors="replace")

    @property
    def stderr(self) -> str:
        return self._err.read_text(encoding="utf-8", errors="replace")

    def rss_bytes(self) -> int:
        """Memory that the process has resident now (Linux)."""
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        found = re.search(r"^VmRSS:\s+(\d+) kB", status, re.MULTILINE)
        assert found is not None
        return int(found[1]) * 1024

    def request(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """One HTTP request; the status and the JSON of the answer (None when it is empty, text when it is not JSON)."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path.lstrip("/"), data=data, method=method)
        if data is not None:
            request.add_header("Content-Type", "application/json")
        try:
            with _no_proxy.open(request, timeout=SOON_S) as answer:
                status, raw = answer.status, answer.read()
        except urllib.error.HTTPError as exc:
            with exc:
                status, raw = exc.code, exc.read()
        text = raw.decode()
        try:
            return status, json.loads(text) if text else None
        except ValueError:
            return status, text

    def value(self, path: str) -> Any:
        """The value of one control, through REST."""
        status, answer = self.request("GET", "/api/controls" + path)
        assert status == 200, (status, answer)
        return answer["value"]

    def stop(self) -> None:
        """SIGTERM; it must exit with 0 in time. Nothing happens when it has ended already."""
        if self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(STOP_S)
        except subprocess.TimeoutExpired as exc:
            raise DaemonError(f"still running {STOP_S} s after SIGTERM\n{self.stderr}") from exc
        if code != 0:
            raise DaemonError(f"exit code {code} after SIGTERM\n{self.stderr}")

    def _wait_ready(self) -> None:
        deadline = time.monotonic() + SOON_S
        while time.monotonic() < deadline:
            if (code := self.process.poll()) is not None:
                raise DaemonError(f"exit code {code} at start\n{self.stdout}{self.stderr}")
            if found := re.search(r"http://[^\s/]+:(\d+)/", self.stdout):
                self.http_port = int(found[1])
                if self.request("GET", "/healthz")[0] == 200:  # what is wrong with it is another question
                    return
            time.sleep(POLL_S)
        raise DaemonError(f"not ready after {SOON_S} s\n{self.stdout}{self.stderr}")
