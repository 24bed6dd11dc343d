"""stagebridge itself, with browsers that keep the rules of docs/protocol.md: acks, pings, the clock in every set."""

from __future__ import annotations

import socket
import time

import msgspec

from . import Adapter, Browser, Plan, python

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode

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
[http]
host = "127.0.0.1"
port = {plan.http_port}
pages = "pages"

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
            for control in message["controls"]:
                if control["path"].startswith("/bench/channel/"):
                    browser.ids[control["id"]] = int(control["path"][15:19])
            browser.is_ready = True
            # Pages ping every second; spread them as people arrive.
            browser.load.every(1.0, lambda due: self._ping(browser, due), (browser.number * 0.0371) % 1.0, True)
        elif kind == "pong":
            browser.ack_s = message["ack_ms"] / 1000
            return
        else:
            return
        self._saw_revision(browser, message["rev"], now)

    def counted(self, browser: Browser, payload: bytes | bytearray, now: float) -> None:
        if payload.startswith(b'{"type":"update","rev":'):
            self._saw_revision(browser, int(payload[23 : payload.index(b",", 23)]), now)
        elif payload.startswith((b'{"type":"welcome"', b'{"type":"pong"')):
            self.heard(browser, payload, now)

    def _saw_revision(self, browser: Browser, revision: int, now: float) -> None:
        browser.revision = revision
        if not browser.will_ack:
            if now - browser.acked_at >= browser.ack_s:
                self.ack(browser, now)
            else:
                browser.will_ack = True
                browser.load.ack_later(browser, browser.acked_at + browser.ack_s)

    def ack(self, browser: Browser, now: float) -> None:
        browser.will_ack = False
        browser.acked_at = now
        browser.send(b'{"type":"ack","rev":%d}' % browser.revision)

    def move(self, browser: Browser, control: int, step: int, now: float) -> None:
        if not browser.numbers_of:
            browser.numbers_of = {control: number for number, control in browser.ids.items()}
        n = next(browser.numbers)
        browser.send(
            b'{"type":"set","n":%d,"t":%.3f,"values":[[%d,%d]]}' % (n, now * 1000, browser.numbers_of[control], step)
        )

    def _ping(self, browser: Browser, due: float) -> None:
        if browser.is_gone:
            return
        if browser.will_ack:  # as the page does it
            browser.will_ack = False
            browser.acked_at = due
            browser.send(b'{"type":"ping","t":%.3f,"rev":%d}' % (due * 1000, browser.revision))
        else:
            browser.send(b'{"type":"ping","t":%.3f}' % (due * 1000))


def trigger() -> bytes:
    """OSC that fires the trigger."""
    return b"/bench/go\0\0\0,\0\0\0"
