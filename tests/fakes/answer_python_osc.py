"""python-osc's TCP server: hears /cutoff, answers with half of it. Arguments: 1.0 (length) or 1.1 (SLIP); port."""

import sys
from typing import Any

from pythonosc.dispatcher import Dispatcher
from pythonosc.osc_tcp_server import ThreadingOSCTCPServer


class Server(ThreadingOSCTCPServer):
    allow_reuse_address = True  # it comes back while the kernel still winds up the connections of the one before
    daemon_threads = True


def answer(address: str, value: float) -> Any:
    return "/answer/cutoff", value * 0.5


dispatcher = Dispatcher()
dispatcher.map("/cutoff", answer)
Server(("127.0.0.1", int(sys.argv[2])), dispatcher, sys.argv[1]).serve_forever()
