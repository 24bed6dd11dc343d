"""`stagebridge device` and `stagebridge qr` against a real daemon, and the code that `service install` shows."""

import json
import re
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from bridge.cli import main
from bridge.cli.devices import ago, code_text, find
from bridge.cli.services import _way_in
from bridge.errors import RemoteError
from tests.daemon import Daemon
from tests.peers import free_tcp_port
from tests.waiting import SOON_S

CONFIG = """
[auth]
mode = "token"
[[control]]
path = "/level"
[[access]]
name = "Anna"
role = "view"
pages = ["Main"]
"""
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with Daemon.start(CONFIG, tmp_path_factory.mktemp("daemon")) as running:
        yield running


@pytest.fixture
def run(daemon: Daemon, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """(exit code, stdout, stderr) of a command about the daemon, through its socket unless ``--url`` is given."""
    monkeypatch.setenv("XDG_STATE_HOME", daemon.home["XDG_STATE_HOME"])

    def run(*args: str) -> tuple[int, str, str]:
        where = () if "--url" in args else ("--port", str(daemon.http_port))
        code = main([*args, *where])
        out, err = capsys.readouterr()
        return code, out, err

    return run


def asked(daemon: Daemon, method: str, path: str, token: str = "", body: Mapping[str, str] | None = None) -> int:
    """The status that a device gets."""
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(daemon.url + path.lstrip("/"), data, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=SOON_S) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as exc:
        with exc:
            return exc.code


def test_a_script_gets_a_token_once_and_keeps_it_until_it_is_revoked(daemon: Daemon, run: Run) -> None:
    hint = f"stagebridge: no device was let in yet: stagebridge qr --port {daemon.http_port}\n"
    assert run("device", "list") == (0, "", hint)
    code, token, err = run("device", "add", "Prometheus", "--role", "admin")
    assert (code, err.count("\n")) == (0, 1)
    assert err.startswith("stagebridge: Prometheus (admin): its token is shown this once")
    assert re.fullmatch(r"[0-9a-f]+\.[0-9a-f]{64}\n", token)
    token = token.strip()
    assert asked(daemon, "GET", "/api/devices", token) == 200
    code, table, _ = run("device", "list")
    assert re.fullmatch(r"NAME +MAY +SEEN +ID\nPrometheus +admin +just now +[0-9a-f]+\n", table)
    assert token not in table
    listed = json.loads(run("device", "list", "--json")[1])["devices"]
    assert [(device["name"], device["role"]) for device in listed] == [("Prometheus", "admin")]
    assert token.partition(".")[2] not in json.dumps(listed)
    assert run("device", "rename", "Prometheus", "prom") == (0, "", "stagebridge: prom has its name\n")
    assert run("device", "revoke", "Prometheus") == (1, "", "stagebridge: no device Prometheus: there are prom\n")
    assert run("device", "revoke", "prom") == (0, "", "stagebridge: prom is cut off\n")
    assert asked(daemon, "GET", "/api/devices", token) == 401
    assert token.partition(".")[2] not in daemon.stderr + daemon.stdout


def test_only_an_admin_says_who_may_come_in(daemon: Daemon, run: Run) -> None:
    for role in ("view", "control"):
        token = run("device", "add", "tablet", "--role", role)[1].strip()
        for command in (("device", "list"), ("qr",), ("device", "add", "more", "--role", "admin")):
            code, out, err = run(*command, "--url", daemon.url, "--token", token)
            assert (code, out, err) == (1, "", "stagebridge: only an admin may do this\n")
    assert run("device", "rename", "tablet 2", "tablet")[0] == 0
    twins = [device["id"] for device in json.loads(run("device", "list", "--json")[1])["devices"]]
    code, _, err = run("device", "revoke", "tablet")
    assert (code, err) == (1, f"stagebridge: 2 devices are called tablet: say which by its id: {', '.join(twins)}\n")
    for twin in twins:
        assert run("device", "revoke", twin)[0] == 0


def test_a_code_is_shown_as_a_picture_a_link_and_digits_and_lets_one_device_in(daemon: Daemon, run: Run) -> None:
    code, out, err = run("qr", "--page", "Main", "--access", "Anna")
    assert (code, err) == (0, "")
    shown = re.search(r"\ncode (\d{3}) (\d{3}): for one device, view \(Anna\), within 10 minutes\n$", out)
    assert shown is not None
    digits = shown[1] + shown[2]
    assert f"  {daemon.url}pair?to=%2F%23%2FMain#code={digits}\n" in out
    assert "▄" in out
    wrong = f"{(int(digits) + 1) % 1_000_000:06}"
    assert asked(daemon, "POST", "/api/pair", body={"code": wrong, "name": "x"}) == 403
    assert asked(daemon, "POST", "/api/pair", body={"code": digits, "name": "FOH"}) == 200
    assert asked(daemon, "POST", "/api/pair", body={"code": digits, "name": "guest"}) == 403
    assert run("device", "revoke", "FOH")[0] == 0
    assert digits not in daemon.stdout + daemon.stderr


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("qr", "--page", "Nowhere"), "there is no page Nowhere: there are Main"),
        (("qr", "--access", "Bob"), "there is no [[access]] entry Bob: there are Anna"),
    ],
)
def test_what_there_is_not_is_said(run: Run, args: tuple[str, ...], said: str) -> None:
    assert run(*args) == (1, "", f"stagebridge: {said}\n")


def test_a_service_shows_its_code_on_a_terminal_alone(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", daemon.home["XDG_STATE_HOME"])
    port, nobody = daemon.http_port, free_tcp_port()
    again = f"  http://127.0.0.1:{port}/\n\nto let a device in: stagebridge qr --port {port}"
    assert _way_in("127.0.0.1", port) == again
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert re.search(r"\ncode \d{3} \d{3}: for one device, control, within 10 minutes$", _way_in("127.0.0.1", port))
    said = f"stagebridge qr --port {nobody} (no stagebridge is running at port {nobody}"
    assert said in _way_in("127.0.0.1", nobody)


def test_in_mode_open_no_code_is_needed(tmp_path: Path, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    with Daemon.start('[auth]\nmode = "open"\n', tmp_path) as daemon:
        assert main(["qr", "--url", daemon.url]) == 0
        out = capsys.readouterr().out
    assert f"  {daemon.url}\n" in out
    assert out.endswith('no code is needed: auth mode "open"\n')


def test_texts() -> None:
    assert [ago(seconds) for seconds in (0, 59, 60, 3599, 3600, 86400 * 3)] == [
        "just now", "just now", "1 min ago", "60 min ago", "1 h ago", "3 d ago",
    ]  # fmt: skip
    code = {"code": "012345", "urls": ["http://a/#1", "http://b/#1"], "role": "control", "access": "Anna"}
    assert code_text({**code, "expires_s": 59}).endswith(
        "  http://a/#1\n  http://b/#1\n\ncode 012 345: for one device, control (Anna), within 1 minute"
    )
    with pytest.raises(RemoteError, match=r"no device \\x1bx: there are none"):
        find("\x1bx", [])
