"""``learned.toml``: kept from one run to the next, whatever stands in it, and nothing of it is lost."""

import logging
import tomllib
from pathlib import Path
from typing import Any

import pytest

from bridge.control import Control
from bridge.learn import FILE, LearntFile
from bridge.learning import Learning
from bridge.midi.settings import Binding
from bridge.statefolder import state_folder, write_whole

from .waiting import eventually

LEVEL = Control(path="/level")


def made(folder: Path | None) -> tuple[Learning, LearntFile]:
    learning = Learning()
    learning.teachers.add("nano")
    return learning, LearntFile(folder, learning, Binding)


def learn(learning: Learning, **table: Any) -> None:
    learning.arm(LEVEL, None, "c1", "FOH iPad")
    learning.learn("nano", table, Binding.model_validate(table))


def tables(learning: Learning) -> list[tuple[str, str, dict[str, Any]]]:
    return [(one.path, one.peer, dict(one.table)) for one in learning]


async def test_what_is_learnt_is_there_in_the_next_run(tmp_path: Path) -> None:
    folder = tmp_path / "not" / "there yet"
    learning, file = made(folder)
    async with file.kept():
        learn(learning, cc=7)
        await eventually((folder / FILE).exists)  # at once, not only at the end
        learn(learning, bend=True, channel=3, touch=104)
    again, file = made(folder)
    async with file.kept():
        assert tables(again) == [
            ("/level", "nano", {"cc": 7}),
            ("/level", "nano", {"bend": True, "channel": 3, "touch": 104}),
        ]
        assert again.of("nano", "/level")[0] == Binding(cc=7)
        for one in list(again):
            again.forget(one.number)
    assert "control" not in tomllib.loads((folder / FILE).read_text())


async def test_nothing_is_written_while_nothing_changes(tmp_path: Path) -> None:
    learning, file = made(tmp_path)
    async with file.kept():
        learning.arm(LEVEL, None, "c1", "")
        learning.disarm()
    assert list(tmp_path.iterdir()) == []


WRONG = """
note = "mine"

[[control]]
path = "/level"
[[control.midi.nano]]
cc = 300
[[control.midi.nano]]
cc = 7
[control.osc.max]
address = "/x"

[[control]]
path = "/gone"
[control.midi.away]
nrpn = 5

[[control]]
midi = { nano = [{ cc = 1, since = 2026-11-22 }] }
"""


async def test_wrong_lines_are_told_and_skipped_and_stay(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / FILE
    path.write_text(WRONG)
    learning, file = made(tmp_path)
    async with file.kept():
        assert tables(learning) == [("/level", "nano", {"cc": 7}), ("/gone", "away", {"nrpn": 5})]
        learn(learning, cc=8)
    said = [record.getMessage().removeprefix(str(path)) for record in caplog.records]
    assert said == [
        ":2: note: is no key of this file: skipped",
        ":10: control[0].osc: only midi bindings are learnt: skipped",
        ":7: control[0].midi.nano[0].cc: must be 0–127: skipped",
        ":18: control[2]: has no path: skipped",
    ]
    before, after = tomllib.loads(WRONG), tomllib.loads(path.read_text())
    assert after["note"] == "mine"
    assert before["control"][2] in after["control"]
    assert after["control"][0] == {
        "path": "/level", "osc": {"max": {"address": "/x"}}, "midi": {"nano": [{"cc": 300}]}
    }  # fmt: skip
    assert [one["midi"] for one in after["control"] if one.get("path") == "/gone"] == [{"away": [{"nrpn": 5}]}]
    again, file = made(tmp_path)
    async with file.kept():
        assert sorted(tables(again), key=str) == sorted(tables(learning), key=str)


@pytest.mark.parametrize("content", [b"control = [", b"\xff\xfe"])
async def test_a_file_that_cannot_be_read_is_set_aside(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / FILE).write_bytes(content)
    (tmp_path / "learned.broken-1.toml").write_text("an older one")
    learning, file = made(tmp_path)
    async with file.kept():
        assert len(learning) == 0
        assert (tmp_path / FILE).read_bytes() == content
        learn(learning, cc=7)
    assert (tmp_path / "learned.broken-2.toml").read_bytes() == content
    assert (tmp_path / "learned.broken-1.toml").read_text() == "an older one"
    assert tomllib.loads((tmp_path / FILE).read_text())["control"][0]["path"] == "/level"
    assert "learned.broken-2.toml" in caplog.text


async def test_without_a_folder_it_is_kept_in_memory_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    learning, file = made(None)
    async with file.kept():
        assert not caplog.records
        for number in (7, 8):
            learn(learning, cc=number)
            await eventually(lambda: learning.trouble != "")
    assert len(learning) == 2
    assert learning.to_wire()["trouble"].startswith("there is no folder for it")
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


async def test_a_disk_that_takes_nothing_is_said_and_tried_again(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file where the folder should be")
    learning, file = made(tmp_path / "state")
    async with file.kept():
        learn(learning, cc=7)
        await eventually(lambda: "cannot be written" in learning.trouble)
        (tmp_path / "state").unlink()
        learn(learning, cc=8)
        await eventually(lambda: learning.trouble == "")
    assert (tmp_path / "state" / FILE).exists()


def test_a_file_is_there_whole_or_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.toml"
    write_whole(path, "old")

    def fail(number: int) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError, match="full"):
        write_whole(path, "new")
    assert [one.name for one in tmp_path.iterdir()] == ["a.toml"]
    assert path.read_text() == "old"


@pytest.mark.parametrize(
    ("environ", "folder"),
    [
        ({"STATE_DIRECTORY": "/var/lib/sb:/var/lib/other", "HOME": "/home/a"}, "/var/lib/sb"),
        ({"XDG_STATE_HOME": "/x", "HOME": "/home/a"}, "/x/stagebridge"),
        ({"XDG_STATE_HOME": "not/absolute", "HOME": "/home/a"}, "/home/a/.local/state/stagebridge"),
        ({"STATE_DIRECTORY": "", "HOME": "/home/a"}, "/home/a/.local/state/stagebridge"),
    ],
)
def test_the_folder_is_where_the_system_says(environ: dict[str, str], folder: str) -> None:
    assert state_folder(environ) == Path(folder)


def test_without_a_home_there_is_no_folder() -> None:
    assert state_folder({"PATH": "/bin"}) is None
