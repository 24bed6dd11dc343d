"""The socket of the command line: where it stands, who may open it, what is in its way; and what is spoken there."""

import http.client
import os
import re
import signal
import socket
import stat
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from bridge import localsocket
from bridge.cli import main
from bridge.errors import RemoteError
from bridge.localsocket import HOST, LocalSocket, candidates, connect, folders, listen
from bridge.remote import Daemon as Here
from bridge.remote import request
from tests.daemon import Daemon
from tests.peers import free_tcp_port

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such sockets")

CONFIG = '[auth]\nmode = "token"\n[[control]]\npath = "/level"\n'


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """An environment whose socket stands in ``tmp_path/run``."""
    return {"RUNTIME_DIRECTORY": str(tmp_path / "run")}


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def opened(environ: dict[str, str], port: int = 8080) -> LocalSocket:
    local, why = listen(environ, None, port)
    assert local is not None, why
    return local


# Where, and for whom


def test_it_stands_where_systemd_says_else_where_the_login_keeps_such_things_else_beside_the_state() -> None:
    state = Path("/x/state")
    assert folders({"RUNTIME_DIRECTORY": "/run/stagebridge:/run/b", "XDG_RUNTIME_DIR": "/run/user/7"}, state) == [
        Path("/run/stagebridge")
    ]
    login = Path("/run/user/7/stagebridge")
    assert folders({"XDG_RUNTIME_DIR": "/run/user/7"}, state) == [login, state]
    assert folders({"XDG_RUNTIME_DIR": "here"}, state) == [state]
    looked = candidates(81, {"XDG_RUNTIME_DIR": "/run/user/7", "RUNTIME_DIRECTORY": "/run/of another service"}, state)
    mine = Path(f"/run/user/{os.getuid()}/stagebridge")
    assert looked == [folder / "81.sock" for folder in (login, mine, state, Path("/run/stagebridge"))]


def test_it_is_its_owner_s_alone_and_goes_at_the_end(tmp_path: Path) -> None:
    local = opened({"XDG_RUNTIME_DIR": str(tmp_path)})
    assert local.path == tmp_path / "stagebridge" / "8080.sock"
    assert (mode(local.path), mode(local.path.parent)) == (0o600, 0o700)
    connect(local.path, 1.0).close()
    local.close()
    assert not local.path.exists()


@pytest.mark.parametrize(("folder", "wanted"), [(0o750, 0o660), (0o755, 0o600), (0o700, 0o600)])
def test_it_is_the_group_s_too_where_systemd_made_the_folder_for_it(
    tmp_path: Path, home: dict[str, str], folder: int, wanted: int
) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run").chmod(folder)
    with closing(opened(home)) as local:
        assert mode(local.path) == wanted


def test_a_folder_that_a_user_made_for_a_group_makes_no_difference(tmp_path: Path) -> None:
    (tmp_path / "stagebridge").mkdir()
    (tmp_path / "stagebridge").chmod(0o750)
    with closing(opened({"XDG_RUNTIME_DIR": str(tmp_path)})) as local:
        assert mode(local.path) == 0o600


def test_a_folder_into_which_others_may_write_is_not_used(tmp_path: Path, home: dict[str, str]) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run").chmod(0o777)
    assert listen(home, None, 80) == (None, f"{tmp_path}/run/80.sock: others may write into its folder")
    assert not list((tmp_path / "run").iterdir())


def test_where_one_folder_cannot_be_had_the_next_is_used(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    local, _ = listen({"XDG_RUNTIME_DIR": str(tmp_path / "file")}, tmp_path / "state", 8080)
    assert local is not None
    with closing(local):
        assert local.path == tmp_path / "state" / "8080.sock"
    assert listen({}, None, 8080)[1].startswith("there is no folder for it")


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere it is said that there is no room")
def test_a_path_may_be_longer_than_a_socket_s_address(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 120)
    with closing(opened({"RUNTIME_DIRECTORY": str(deep)})) as local:
        assert len(str(local.path)) > localsocket.MAX_BYTES
        connect(local.path, 1.0).close()
    assert not list(deep.iterdir())


# What is in its way


def test_one_that_a_dead_daemon_left_is_replaced(home: dict[str, str]) -> None:
    left = opened(home)
    left.sock.close()  # and nobody takes the file away
    with closing(opened(home)) as local:
        connect(local.path, 1.0).close()
        left.close()  # it is not its own any more
        assert local.path.exists()


def test_one_of_a_living_daemon_is_left_alone(home: dict[str, str]) -> None:
    with closing(opened(home)) as other:
        assert listen(home, None, 8080) == (None, f"{other.path}: another stagebridge answers there")
        connect(other.path, 1.0).close()


@pytest.mark.parametrize("kind", ["file", "link", "folder"])
def test_what_is_no_socket_is_left_as_it_is(tmp_path: Path, home: dict[str, str], kind: str) -> None:
    at = tmp_path / "run" / "8080.sock"
    at.parent.mkdir()
    if kind == "file":
        at.write_text("mine")
    elif kind == "link":
        at.symlink_to(tmp_path / "elsewhere")
    else:
        at.mkdir()
    before = at.lstat()
    why = f"{at}: a file that is no socket stands there, and is left as it is"
    assert listen(home, None, 8080) == (None, why)
    assert os.path.samestat(at.lstat(), before)
    assert not (tmp_path / "elsewhere").exists()


# What is spoken there


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with Daemon.start(CONFIG, tmp_path_factory.mktemp("daemon")) as running:
        yield running


def socket_of(daemon: Daemon) -> Path:
    environ = {**os.environ, **daemon.home}
    state = Path(daemon.home["XDG_STATE_HOME"]) / "stagebridge"
    return next(path for path in candidates(daemon.http_port, environ, state) if path.exists())


def say(sock: socket.socket, method: str, path: str, **headers: str) -> tuple[int, str]:
    """One request over a connection, with these headers alone; the status and the answer."""
    lines = [f"{method} {path} HTTP/1.1", *(f"{name.replace('_', '-')}: {text}" for name, text in headers.items())]
    with closing(sock):
        sock.sendall("\r\n".join([*lines, "Connection: close", "", ""]).encode())
        answer = http.client.HTTPResponse(sock)
        answer.begin()
        return answer.status, answer.read().decode()


def test_the_whole_interface_is_spoken_there_too(daemon: Daemon) -> None:
    at = socket_of(daemon)
    assert mode(at) == 0o600
    status, text = say(connect(at, 5.0), "GET", "/api/controls/level", Host=HOST)
    assert status == 200
    assert '"path":"/level"' in text


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "localhost"},
        {"Host": "stagebridge:80"},
        {},
        {"Host": HOST, "Origin": "http://stagebridge"},
        {"Host": HOST, "Origin": "null"},
        {"Host": HOST, "Sec_Fetch_Site": "same-origin"},
        {"Host": HOST, "Referer": "http://stagebridge/"},
        {"Host": HOST, "Cookie": "stagebridge-x=y"},
        {"Host": HOST, "X_Forwarded_For": "10.0.0.9"},
        {"Host": HOST, "X_Real_IP": "10.0.0.9"},
        {"Host": HOST, "Forwarded": "for=10.0.0.9"},
        {"Host": HOST, "Via": "1.1 proxy"},
    ],
)
def test_a_browser_that_comes_through_a_proxy_is_refused(daemon: Daemon, headers: dict[str, str]) -> None:
    for method, path in (("GET", "/api/controls"), ("POST", "/api/controls/level"), ("GET", "/ws")):
        status, text = say(connect(socket_of(daemon), 5.0), method, path, **headers)
        assert status in (400, 403)  # 400: HTTP/1.1 without Host
        assert "level" not in text


def test_over_the_network_nobody_can_pretend_to_be_there(daemon: Daemon) -> None:
    at = ("127.0.0.1", daemon.http_port)
    for headers in ({"Host": HOST}, {"Host": f"{HOST}:{at[1]}"}, {"Host": HOST, "Origin": f"http://{HOST}"}):
        status, text = say(socket.create_connection(at, 5.0), "GET", "/api/controls", **headers)
        assert (status, '"not_allowed"' in text) == (403, True)


def test_a_daemon_takes_it_away_or_replaces_what_a_killed_one_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    port = free_tcp_port()
    with Daemon.start(CONFIG, tmp_path, "--port", str(port), stop=False) as daemon:
        at = socket_of(daemon)
        daemon.process.send_signal(signal.SIGKILL)
        daemon.process.wait(5)
    assert at.exists()
    monkeypatch.setenv("XDG_STATE_HOME", daemon.home["XDG_STATE_HOME"])
    capsys.readouterr()
    assert main(["get", "/level", "--port", str(port)]) == 1
    assert f"no stagebridge is running at port {port}" in capsys.readouterr().err
    with Daemon.start(CONFIG, tmp_path, "--port", str(port)):
        assert main(["get", "/level", "--port", str(port)]) == 0
        assert re.fullmatch(r"[\d.]+\n", capsys.readouterr().out)
    assert not at.exists()


def test_without_a_socket_the_show_goes_on(tmp_path: Path) -> None:
    port = free_tcp_port()
    run = tmp_path / "run"
    (run / "stagebridge" / f"{port}.sock").mkdir(parents=True)
    state = tmp_path / "state" / "stagebridge" / f"{port}.sock"
    state.mkdir(parents=True)
    with Daemon.start(CONFIG, tmp_path, "--port", str(port), env={"XDG_RUNTIME_DIR": str(run)}) as daemon:
        assert daemon.request("GET", "/healthz")[0] == 200
        (line,) = [line for line in daemon.stderr.splitlines() if "socket" in line]
    assert f"the command line has no socket to reach us by: {state}: a file that is no socket stands there" in line


# Who may come in


@contextmanager
def as_nobody() -> Iterator[None]:
    """Another user, whom root becomes for a while; anybody else stays."""
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)


def test_on_its_machine_nothing_is_asked_for_and_over_the_network_a_token_is(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", daemon.home["XDG_STATE_HOME"])

    def run(*args: str) -> tuple[int, str, str]:
        code = main(args)
        out, err = capsys.readouterr()
        return code, out, err

    assert run("set", "/level", "0.5", "--port", str(daemon.http_port)) == (0, "", "")
    at = daemon.url.rstrip("/")
    for command in (("get", "/level"), ("push", "max")):
        code, out, err = run(*command, "--url", daemon.url)
        needed = f"{at} does not know us: a device's token is needed, --token or $STAGEBRIDGE_TOKEN"
        assert (code, out, err) == (1, "", f"stagebridge: {needed}\n")
    here = Here(daemon.http_port)
    token = request(here, "POST", "/api/devices", {"name": "script", "role": "control"})["token"]
    assert run("get", "/level", "--url", daemon.url, "--token", token) == (0, "0.5\n", "")
    for command in (("push", "max"), ("send", "max", "/x")):
        only = "stagebridge: only an admin may do this\n"
        assert run(*command, "--url", daemon.url, "--token", token) == (1, "", only)
        assert run(*command, "--port", str(daemon.http_port))[2] == "stagebridge: no peer max: there is none\n"
    monkeypatch.setenv("STAGEBRIDGE_TOKEN", token)
    monkeypatch.setenv("STAGEBRIDGE_URL", daemon.url)
    assert run("get", "/level") == (0, "0.5\n", "")
    nobody = free_tcp_port()
    code, _, err = run("get", "/level", "--port", str(nobody))
    assert re.match(rf"stagebridge: no stagebridge is running at port {nobody} \(--port .*\b{daemon.http_port}\b", err)
    code, _, err = run("get", "/level", "--token", "nobody.x")
    assert (code, len(err.splitlines())) == (1, 1)


def test_whose_socket_may_not_be_opened_is_told_whose_it_is(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", daemon.home["XDG_STATE_HOME"])
    at = socket_of(daemon)
    at.chmod(0)
    try:
        with as_nobody(), pytest.raises(RemoteError) as caught:
            request(Here(daemon.http_port), "GET", "/api/controls")
    finally:
        at.chmod(0o600)
    assert (caught.value.code, str(caught.value)) == ("not_paired", f"you may not open {at}: it is another user's")
