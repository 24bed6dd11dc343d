import io
import logging
import os
from collections.abc import Iterator

import pytest

from bridge import log as bridge_log
from bridge.log import BURST_LINES, MAX_CAUSES, MAX_LINE, OncePer, error_text, printable


@pytest.fixture
def lines() -> Iterator[list[str]]:
    """What the logger `bridge.test_log` said, in full."""
    said: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(record.getMessage())

    handler = Keep()
    LOG.addHandler(handler)
    LOG.setLevel(logging.DEBUG)
    yield said
    LOG.removeHandler(handler)


LOG = logging.getLogger("bridge.test_log")


@pytest.fixture
def restored_root() -> Iterator[None]:
    root, ours = logging.getLogger(), logging.getLogger("bridge")
    before = root.handlers[:], root.level, ours.level
    yield
    root.handlers[:], root.level, ours.level = before


def test_a_cause_is_logged_once(lines: list[str]) -> None:
    once = OncePer(LOG)
    assert once.warning("garbage", "garbage from %s", "10.0.0.1", now=0.0)
    assert not any(once.warning("garbage", "garbage from %s", "10.0.0.1", now=0.1) for _ in range(1000))
    assert lines == ["garbage from 10.0.0.1"]
    assert once.total == 1001


def test_each_cause_has_its_own_line(lines: list[str]) -> None:
    once = OncePer(LOG)
    for peer in ("a", "b", "a", "b"):
        once.info(("garbage", peer), "garbage from %s", peer, now=0.0)
    assert lines == ["garbage from a", "garbage from b"]


def test_a_cause_that_goes_on_is_named_again_with_its_count(lines: list[str]) -> None:
    once = OncePer(LOG, again_s=60.0)
    for second in range(62):
        once.warning("x", "100%% wrong: %s", "x", now=float(second))
    assert lines == ["100% wrong: x", "100% wrong: x (59 more since the last line)"]


def test_a_new_cause_for_every_datagram_cannot_flood_the_log(lines: list[str]) -> None:
    once = OncePer(LOG)
    for number in range(100_000):
        once.warning(number, "unknown address /%d", number, now=number / 10_000)  # 10 s of it
    assert len(lines) <= BURST_LINES + 2
    assert once.warning("later", "later", now=60.0)
    assert lines[-1].startswith("later (and 4")
    assert len(once._causes) <= MAX_CAUSES


def test_remembered_causes_are_capped(lines: list[str]) -> None:
    once = OncePer(LOG)
    for number in range(MAX_CAUSES * 3):
        once.warning(number, "x", now=number * 10.0)
    assert len(lines) == MAX_CAUSES * 3
    assert len(once._causes) == MAX_CAUSES


def test_a_forgotten_cause_is_worth_a_line_again(lines: list[str]) -> None:
    once = OncePer(LOG)
    once.warning("gone", "max is gone", now=0.0)
    once.forget("gone")
    once.warning("gone", "max is gone", now=1.0)
    assert lines == ["max is gone"] * 2


def test_lines_are_short_and_say_their_level_only_when_it_matters(restored_root: None) -> None:
    stream = io.StringIO()
    bridge_log.set_up("debug", stream)
    LOG.setLevel(logging.NOTSET)
    LOG.info("osc max: connected")
    LOG.warning("osc max: gone")
    LOG.debug("detail")
    logging.getLogger("somelibrary").info("chatter")
    found = [line.split(" ", 1) for line in stream.getvalue().splitlines()]
    assert [text for _, text in found] == ["osc max: connected", "warning: osc max: gone", "debug [test_log]: detail"]
    assert all(len(time) == len("20:15:03") for time, _ in found)


def test_level_info_hides_debug(restored_root: None) -> None:
    stream = io.StringIO()
    bridge_log.set_up("info", stream)
    LOG.setLevel(logging.NOTSET)
    LOG.debug("detail")
    assert stream.getvalue() == ""


def test_under_the_journal_lines_carry_a_priority_and_no_time(
    restored_root: None, monkeypatch: pytest.MonkeyPatch, tmp_path: os.PathLike[str]
) -> None:
    with open(os.path.join(tmp_path, "journal"), "w+", encoding="utf-8") as stream:  # noqa: PTH118, PTH123
        stat = os.fstat(stream.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{stat.st_dev}:{stat.st_ino}")
        bridge_log.set_up("info", stream)
        LOG.setLevel(logging.NOTSET)
        LOG.warning("osc max: gone\nfor good")
        LOG.info("back")
        stream.seek(0)
        assert stream.read() == "<4>osc max: gone\\x0afor good\n<6>back\n"
        assert error_text("show.toml:1: no\nstagebridge: no", stream) == "<3>show.toml:1: no\n<3>stagebridge: no"
    assert error_text("no\x1b", io.StringIO()) == "no\\x1b"


def test_what_a_peer_sent_cannot_drive_the_terminal() -> None:
    assert printable("/x\x1b[2J\x07 ü −∞") == "/x\\x1b[2J\\x07 ü −∞"


def test_what_happens_again_and_again_has_a_line_each_time_while_there_are_lines(lines: list[str]) -> None:
    once = OncePer(LOG)
    for second in range(100):
        once.each("osc %s: back", "max", now=float(second))
    assert lines[:BURST_LINES] == ["osc max: back"] * BURST_LINES
    assert len(lines) <= BURST_LINES + 21  # one in five seconds
    assert lines[-1].endswith("(and 4 other messages that were not logged)")


def test_a_message_is_one_line_of_no_great_length(restored_root: None) -> None:
    stream = io.StringIO()
    bridge_log.set_up("info", stream)
    LOG.setLevel(logging.NOTSET)
    LOG.warning("browser %s: gone", "Anna\n20:15:03 error: the disk is full\x1b[2J")
    try:
        raise ValueError("x" * 5000)
    except ValueError:
        LOG.exception("%s has failed", "y" * 5000)
    first, second, *trace = stream.getvalue().splitlines()
    assert first.endswith("warning: browser Anna\\x0a20:15:03 error: the disk is full\\x1b[2J: gone")
    assert len(second) < MAX_LINE + 50
    assert trace[0].startswith("Traceback")
