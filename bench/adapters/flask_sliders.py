"""Two sliders with Flask-SocketIO, as its tutorials have them, on the server that its documentation recommends.

``socketio.run`` takes gevent where it is installed, as here, else Werkzeug's development server, which is slower.
A browser's move goes to all browsers; there is no OSC. Started as a program it is the server.
"""

from __future__ import annotations

import importlib.util
import json
import sys

if __name__ != "__main__":
    from . import Adapter, Browser, Plan, Unavailable, python

    class FlaskSliders(Adapter):
        name = "flask"
        title = "Flask-SocketIO sliders"
        can = frozenset({"peers"})
        most_browsers = 100
        ws_path = "/socket.io/?EIO=4&transport=websocket"

        def command(self, plan: Plan) -> list[str]:
            if importlib.util.find_spec("flask_socketio") is None:
                raise Unavailable('pip install "stagebridge[bench]"')
            return python(__file__, str(plan.http_port))

        def opened(self, browser: Browser) -> None:
            pass

        def heard(self, browser: Browser, payload: bytes | bytearray, now: float) -> None:
            # Engine.IO: 0 open, 2 ping, 3 pong, 4 message; Socket.IO in it: 0 connect, 2 event.
            if payload[:2] == b"42":
                name, *rest = json.loads(payload[2:])
                if name == "update value":
                    browser.saw(int(rest[0]["who"][6:]), int(rest[0]["data"]), now)
            elif payload[:1] == b"0":
                browser.send(b"40")
            elif payload[:2] == b"40":
                browser.is_ready = True
            elif payload == b"2":
                browser.send(b"3")

        def counted(self, browser: Browser, payload: bytes | bytearray, now: float) -> None:
            if payload == b"2":
                browser.send(b"3")

        def move(self, browser: Browser, control: int, step: int, now: float) -> None:
            message = ["value changed", {"who": f"slider{control}", "data": str(step)}]
            browser.send(b"42" + json.dumps(message).encode())


def main(http_port: int) -> None:
    from flask import Flask
    from flask_socketio import SocketIO, emit

    app = Flask(__name__)
    socketio = SocketIO(app)
    values: dict[str, str] = {}

    @socketio.on("value changed")  # type: ignore[misc]
    def value_changed(message: dict[str, str]) -> None:
        values[message["who"]] = message["data"]
        emit("update value", message, broadcast=True)

    socketio.run(app, host="127.0.0.1", port=http_port, **_allowed(socketio))


def _allowed(socketio: object) -> dict[str, bool]:
    return {"allow_unsafe_werkzeug": True} if getattr(socketio, "async_mode", "") == "threading" else {}


if __name__ == "__main__":
    main(int(sys.argv[1]))
