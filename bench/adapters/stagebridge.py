"""stagebridge itself, with browsers that keep the rules of docs/protocol.md: acks, pings, the clock in every set."""

from __future__ import annotations

import socket
import time
from math import inf

import msgspec

from . import Adapter, Browser, Plan, python

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode

PING_S, EARLY_S = 1.0, 0.25  # docs/protocol.md, "Coming back"
MOST_CONTROLS = 4096  # of one configuration
TRIGGER = """
[[control]]
path = "/bench/go"
kind = "trigger"
"""


class Stagebridge(Adapter):
    name = "stagebridge"
    title = "stagebridge"
    can = frozenset({"osc in", "osc out", "peers", "state", "merges", "triggers"})
    udp_bytes = 4_000_000

    def command(self, plan: Plan) -> list[str]:
        config = f"""
[auth]
mode = "open"
[http]
host = "127.0.0.1"
port = {plan.http_port}
pages = "pages"

[http.limits]
exempt = ["127.0.0.0/8"]

[[osc]]
name = "bench"
listen = "127.0.0.1:{plan.osc_in}"
send = ["127.0.0.1:{plan.osc_out}"]

{TRIGGER if plan.controls < MOST_CONTROLS else ""}
[[control]]
repeat = {plan.controls}
path = "/bench/channel/{{n0:04}}/volume"
range = [0, 1e7]
"""
        (plan.folder / "pages").mkdir(exist_ok=True)
        (plan.folder / "config.toml").write_text(config, encoding="utf-8")
        return python("-m", "bridge", "run", "config.toml")

    def is_ready(self, plan: Plan) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", plan.http_port), 1) as sock:
                sock.send(b"GET /healthz HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")
                return b" 200 " in sock.recv(100)
        except OSError:
            return False

    def opened(self, browser: Browser) -> None:
        now = time.monotonic()
        browser.send(_encode({"type": "hello", "name": f"bench {browser.number}", "t": now * 1000}))

    def heard(self, browser: Browser, payload: bytes | bytearray, now: float) -> None:
        message = _decode(payload)
        kind = message["type"]
        if kind == "update":
            ids = browser.ids
            for number, value in message.get("values", ()):
                control = ids.get(number)
                if control is not None:
                    browser.saw(control, round(value), now)
            browser.triggers += len(message.get("triggers", ()))
        elif kind == "welcome":
            browser.ack_s = message["ack_ms"] / 1000
            browser.ack_bytes = message["ack_bytes"]
            browser.ping_s = message["ping_ms"] / 1000
            for control in message["controls"]:
                if control["path"].startswith("/bench/channel/"):
                    browser.ids[control["id"]] = int(control["path"][15:19])
            browser.is_ready = True
            # Spread as people arrive.
            browser.load.every(PING_S, lambda due: self._beat(browser, due), (browser.number * 0.0371) % 1.0, True)
        elif kind == "pong":
            browser.ack_s, browser.ping_s = message["ack_ms"] / 1000, message["ping_ms"] / 1000
            return
        else:
            return
        self._saw_revision(browser, message["rev"], len(payload), now)

    def counted(self, browser: Browser, payload: bytes | bytearray, now: float) -> None:
        if payload.startswith(b'{"type":"update","rev":'):
            self._saw_revision(browser, int(payload[23 : payload.index(b",", 23)]), len(payload), now)
        elif payload.startswith((b'{"type":"welcome"', b'{"type":"pong"')):
            self.heard(browser, payload, now)

    def _saw_revision(self, browser: Browser, revision: int, size: int, now: float) -> None:
        """As the page does it: acks wait, for the next ping where little has come, and that goes with what comes."""
        browser.revision, browser.revision_at = revision, now
        browser.unacked += size
        due = browser.acked_at + browser.ack_s
        if browser.unacked < browser.ack_bytes:
            due = max(browser.acked_at, browser.pinged_at) + browser.ping_s
        is_new, browser.ack_at = due < browser.ack_at, min(due, browser.ack_at)
        if now >= browser.pinged_at + browser.ping_s - EARLY_S:
            self._ping(browser, now, browser.pinged_at + browser.ping_s)
        elif now >= due:
            self.ack(browser, now)
        elif is_new:
            browser.load.ack_later(browser, due)

    def ack(self, browser: Browser, now: float) -> None:
        browser.send(b'{"type":"ack",%b}' % self._acked(browser, now))

    def _acked(self, browser: Browser, now: float) -> bytes:
        browser.acked_at, browser.ack_at, browser.unacked = now, inf, 0
        return b'"rev":%d,"held":%d' % (browser.revision, 1000 * (now - browser.revision_at))

    def move(self, browser: Browser, control: int, step: int, now: float) -> None:
        if not browser.numbers_of:
            browser.numbers_of = {control: number for number, control in browser.ids.items()}
        n = next(browser.numbers)
        browser.send(
            b'{"type":"set","n":%d,"t":%.3f,"values":[[%d,%d]]}' % (n, now * 1000, browser.numbers_of[control], step)
        )

    def _beat(self, browser: Browser, due: float) -> None:
        """A page pings every second, or as the server says where it has heard something in the last."""
        is_early = due < browser.pinged_at + browser.ping_s - PING_S / 2
        if not browser.is_gone and (not is_early or due >= browser.revision_at + PING_S):
            self._ping(browser, due, due)

    def _ping(self, browser: Browser, now: float, due: float) -> None:
        browser.pinged_at = max(now, due)
        rides = b"" if browser.ack_at == inf else b"," + self._acked(browser, time.monotonic())
        browser.send(b'{"type":"ping","t":%.3f%b}' % (now * 1000, rides))


def trigger() -> bytes:
    """OSC that fires the trigger."""
    return b"/bench/go\0\0\0,\0\0\0"
