"""Packets as lines of the monitor, from the receiver's and the sender's side of one socket."""

import json
from typing import Any

import pytest

from bridge import frames
from bridge.errors import OscError
from bridge.monitor import Monitor
from bridge.osc.codec import ALL, Bundle, Message, TimeTag, decode, encode, encode_message
from bridge.osc.tap import BUNDLES_PER_S, OscTap

NOW = 1_790_000_000.0
HERE = "127.0.0.1:9001"
ADDRESS = ("127.0.0.1", 9001)


class Seen:
    """A tap, and what a watcher of it is shown."""

    def __init__(self, peer: str | None = None, address: str | None = None) -> None:
        monitor = Monitor()
        watch = monitor.watch(peer, address, lambda: None)
        assert watch is not None
        self.watch = watch
        self.now = NOW
        self.tap = OscTap(monitor, lambda: self.now, lambda address: "{}:{}".format(*address))

    def came(self, data: bytes) -> None:
        self.tap.came("max", ADDRESS, decode(data), len(data))

    def frame(self) -> dict[str, Any]:
        shown: dict[str, Any] = json.loads(frames.monitor(self.watch))
        return shown

    def lines(self) -> list[dict[str, Any]]:
        lines: list[dict[str, Any]] = self.frame()["lines"]
        return lines


def test_a_message_is_shown_with_all_there_is_to_know() -> None:
    seen = Seen()
    seen.came(encode_message("/cutoff", (440.0, 3, "saw")))
    line = {"time": NOW, "way": "in", "port": "osc", "peer": "max", "where": HERE, "size": 28}
    assert seen.lines() == [{**line, "address": "/cutoff", "types": ",fis", "args": [440.0, 3, "saw"]}]
    seen.tap.went("max", HERE, encode_message("/cutoff", (0.1,)))
    (sent,) = seen.lines()
    assert (sent["way"], sent["types"], sent["args"]) == ("out", ",f", [0.1])


def test_no_arguments_and_no_type_tags_are_told_apart() -> None:
    seen = Seen()
    seen.came(encode_message("/go"))
    seen.came(encode_message("/go", tagged=False))
    tagged, bare = seen.lines()
    assert tagged["types"] == ","
    assert "types" not in bare


def test_messages_of_one_bundle_belong_together_and_say_when() -> None:
    seen = Seen()
    inner = Bundle(TimeTag(1), (Message("/c", (3,)),))
    for _ in range(2):
        seen.came(encode(Bundle(TimeTag.from_unix(NOW + 0.5), (Message("/a", (1,)), Message("/b", (2,)), inner))))
    lines = seen.lines()
    assert [line["address"] for line in lines] == ["/a", "/b", "/c"] * 2
    assert [line["bundle"]["number"] for line in lines] == [1, 1, 1, 2, 2, 2]
    assert [line["bundle"].get("at") for line in lines[:3]] == [NOW + 0.5, NOW + 0.5, None]


def test_a_filter_looks_into_bundles_both_ways() -> None:
    seen = Seen(address="/b")
    packet = encode(Bundle(TimeTag(1), (Message("/a", (1,)), Message("/b", (2,)))))
    seen.came(packet)
    seen.tap.went("max", HERE, packet)
    seen.tap.went("max", HERE, encode_message("/a", (1,)))
    assert [(line["way"], line["address"]) for line in seen.lines()] == [("in", "/b"), ("out", "/b")]


def test_garbage_is_shown_with_where_and_why_it_cannot_be_read() -> None:
    seen = Seen()
    data = b"/a\0\0,x\0\0\x01\x02\x03\x04"
    with pytest.raises(OscError) as caught:
        decode(data)
    seen.tap.garbage("max", ADDRESS, data, caught.value)
    (line,) = seen.lines()
    assert line["error"] == "unknown type tag 'x'"
    assert line["offset"] == 5
    assert line["hex"].startswith("2f 61 00 00 2c 78")
    assert line["size"] == 12


def test_a_stranger_is_shown_where_no_peer_is_asked_for() -> None:
    for seen, count in ((Seen(), 1), (Seen(peer="max"), 0)):
        seen.tap.stranger(("10.0.0.9", 7), 16)
        lines = seen.lines()
        assert len(lines) == count
        assert all("no [[osc]] table" in line["note"] for line in lines)


def test_what_came_of_a_message_stands_beside_it() -> None:
    seen = Seen()
    packet = decode(encode(Bundle(TimeTag(1), (Message("/a", (1,)), Message("/a", (2,))))))
    assert isinstance(packet, Bundle)
    seen.tap.came("max", ADDRESS, packet, 40)
    second = packet.elements[1]
    assert isinstance(second, Message)
    seen.tap.remark(second, "no such control")
    assert [line.get("note") for line in seen.lines()] == [None, "no such control"]


def test_bundles_of_ours_are_taken_apart_within_a_budget() -> None:
    seen = Seen(address="/none")
    packet = encode(Bundle(TimeTag(1), (Message("/a", (1,)),)))
    for _ in range(BUNDLES_PER_S + 50):
        seen.tap.went("max", HERE, packet)
    assert seen.frame()["lost"] == 50
    seen.now += 1.0
    seen.tap.went("max", HERE, packet)
    assert "lost" not in seen.frame()


def test_a_line_fits_its_frame_whatever_comes() -> None:
    seen = Seen()
    for address in ("/" + "\x01" * 60_000, "/a"):
        packet = decode(encode_message(address, ("\x01" * 1000,) * (60 if address == "/a" else 1), ALL))
        assert isinstance(packet, Message)
        seen.tap.came("max", ADDRESS, packet, 60_000)
        seen.tap.remark(packet, "\x01" * 60_000)
    while not seen.watch.is_empty:
        assert len(frames.monitor(seen.watch)) < frames.MAX_FRAME_BYTES / 2


def test_long_messages_are_cut() -> None:
    seen = Seen()
    seen.came(encode_message("/long", ("x" * 5000, *range(200)), ALL))
    (line,) = seen.lines()
    assert len(line["args"]) + line["more"] == 201
    assert len(line["args"][0]) < 300
    assert len(json.dumps(line)) < 2000


def test_an_empty_bundle_is_shown_too() -> None:
    seen = Seen()
    seen.tap.went("max", HERE, encode(Bundle(TimeTag(1))))
    (line,) = seen.lines()
    assert (line["bundle"], line["note"]) == ({"number": 1}, "empty")


def test_what_we_send_and_cannot_read_ourselves_stops_nothing() -> None:
    seen = Seen()
    seen.tap.went("max", HERE, b"/a\0\0,q\0\0")
    seen.tap.went("max", HERE, b"#bundle\0")
    assert [(line["way"], line["offset"]) for line in seen.lines()] == [("out", 5), ("out", 8)]


def test_a_remark_finds_its_message_at_once_in_a_packet_full_of_them() -> None:
    seen = Seen()
    packet = decode(encode(Bundle(TimeTag(1), tuple(Message(f"/a/{number}", (number,)) for number in range(3000)))))
    assert isinstance(packet, Bundle)
    seen.tap.came("max", ADDRESS, packet, 4000)
    for element in packet.elements:
        assert isinstance(element, Message)
        seen.tap.remark(element._replace(address=element.address[2:]), f"note {element.args[0]}")
    lines = seen.lines()
    assert [line["note"] for line in lines] == [f"note {number}" for number in range(len(lines))]
    assert len(lines) > 100
