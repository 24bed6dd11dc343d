"""The WebSocket relay of npm's ``osc``: binary OSC, one relay for each browser, as its examples have it."""

from __future__ import annotations

import shutil

from . import HERE, Adapter, Browser, Plan, Unavailable, wire


class OscRelay(Adapter):
    name = "osc.js"
    title = "osc (npm) relay"
    can = frozenset({"osc in", "osc out"})
    ws_path = "/"

    def command(self, plan: Plan) -> list[str]:
        node = shutil.which("node")
        if node is None or not (HERE.parent / "node_modules" / "osc").is_dir():
            raise Unavailable("needs node, and npm install in bench/ (make bench does it)")
        return [node, str(HERE / "osc_relay.js"), str(plan.http_port), str(plan.osc_in), str(plan.osc_out)]

    def heard(self, browser: Browser, payload: bytes | bytearray, now: float) -> None:
        found = wire.osc_read(payload)
        if found is not None:
            browser.saw(*found, now)

    def move(self, browser: Browser, control: int, step: int, now: float) -> None:
        browser.send(wire.osc_message(control, step), wire.BINARY)
