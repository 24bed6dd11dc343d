"""A program that sends one float to each of many addresses in turn, so many messages a second: `flood.py UDP_PORT
CONTROLS RATE SECONDS`. Ends by printing how many it sent and how long it took."""

import socket
import struct
import sys
import time


def main(udp_port: int, controls: int, rate: int, seconds: float) -> None:
    heads = [f"/c/{n}".encode() for n in range(controls)]
    heads = [head + b"\0" * (4 - len(head) % 4) + b",f\0\0" for head in heads]
    total = int(rate * seconds)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(("127.0.0.1", udp_port))
        began, sent = time.monotonic(), 0
        while sent < total:
            due = min(total, int((time.monotonic() - began) * rate))
            for number in range(sent, due):
                sock.send(heads[number % controls] + struct.pack(">f", value_of(number, total)))
            sent = due
            time.sleep(0.001)
    print(sent, time.monotonic() - began)


def value_of(number: int, total: int) -> float:
    """What the message with this number says: always another, exact in 32 bits."""
    return (number + 1) / 2 ** (total - 1).bit_length()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:4]), float(sys.argv[4]))
