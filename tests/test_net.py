import ipaddress
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from bridge import net
from tests.daemon import ROOT

LINUX = pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="needs Linux's /proc")


def test_lan_addresses_are_this_machines_and_reachable_by_others_ipv4_first() -> None:
    found = net.lan_addresses()
    for address in found:
        assert not address.is_loopback
        assert not address.is_link_local
        family = socket.AF_INET if address.version == 4 else socket.AF_INET6
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.bind((str(address), 0))  # only our own can be bound
    assert [address.version for address in found] == sorted(address.version for address in found)


@pytest.mark.parametrize(
    ("interface", "expected"),
    [
        ("eth0", True),
        ("wlan0", True),
        ("bond0", True),
        ("eth0.5", True),
        ("br0", True),  # a bridge over a real card: a machine with guests, whose address is on the bridge
        ("docker0", False),
        ("veth1a2b", False),
        ("virbr0", False),
        ("tailscale0", False),
        ("wg0", False),
        ("lo", False),
        ("gone", False),
    ],
)
def test_only_interfaces_with_hardware_below_are_the_lan(tmp_path: Path, interface: str, expected: bool) -> None:
    below = {
        "bond0": ["eth0", "eth1"], "eth0.5": ["eth0"], "br0": ["vnet0", "bond0"], "docker0": ["veth1a2b"],
        "virbr0": ["vnet0"], "eth0": [], "eth1": [], "wlan0": [], "veth1a2b": [], "vnet0": [],
        "tailscale0": [], "wg0": [], "lo": [],
    }  # fmt: skip
    for name, lowers in below.items():
        (tmp_path / name).mkdir()
        for lower in lowers:
            (tmp_path / name / f"lower_{lower}").symlink_to(tmp_path / lower)
    for name in ("eth0", "eth1", "wlan0"):
        (tmp_path / name / "device").mkdir()
    assert net._is_real(interface, tmp_path) is expected


NAMESPACE = """
set -e
mount -t sysfs sysfs /sys
ip link set lo up
ip link add docker0 type bridge
ip addr add 172.17.0.1/16 dev docker0
ip link set docker0 up
ip link add eth0 type veth peer name peer0
ip addr add 10.20.30.40/24 dev eth0
ip addr add 10.20.30.41/24 dev eth0
ip -6 addr add fd00:20::40/64 dev eth0 nodad
ip link set eth0 up
ip link set peer0 up
{route}
exec "$0" -c 'from bridge import net; print(*net.lan_addresses())'
"""


@LINUX
@pytest.mark.parametrize(
    ("route", "expected"),
    [
        ("ip route add default via 10.20.30.1", "10.20.30.40 10.20.30.41 fd00:20::40"),
        ("", ""),
    ],
)
def test_in_a_container_the_interface_of_the_default_route_is_the_lan(route: str, expected: str) -> None:
    if os.geteuid() != 0 or not shutil.which("unshare") or not shutil.which("ip"):
        pytest.skip("needs root, unshare (util-linux) and ip (iproute2) for a network namespace of its own")
    answer = subprocess.run(
        ["unshare", "--net", "--mount", "sh", "-c", NAMESPACE.format(route=route), sys.executable],
        capture_output=True, text=True, cwd=ROOT, timeout=20, check=False,
    )  # fmt: skip
    assert (answer.stdout.strip(), answer.stderr) == (expected, "")


def test_without_linux_the_route_tells_the_address() -> None:
    for address in net._addresses_of_routes():
        assert not address.is_loopback
        assert isinstance(address, ipaddress.IPv4Address | ipaddress.IPv6Address)


def test_own_names_are_what_a_browser_may_call_us() -> None:
    names = net.own_names()
    assert names[0] == "localhost"
    assert socket.gethostname().lower().split(".")[0] + ".local" in names
    assert len(names) == len(set(names))


@LINUX
@pytest.mark.parametrize(
    ("transport", "kind", "family", "address"),
    [
        ("tcp", socket.SOCK_STREAM, socket.AF_INET, "127.0.0.1"),
        ("tcp", socket.SOCK_STREAM, socket.AF_INET6, "::1"),
        ("udp", socket.SOCK_DGRAM, socket.AF_INET, "0.0.0.0"),
        ("udp", socket.SOCK_DGRAM, socket.AF_INET6, "::"),
    ],
)
def test_the_holder_of_a_port_is_named(
    transport: str, kind: socket.SocketKind, family: socket.AddressFamily, address: str
) -> None:
    with socket.socket(family, kind) as sock:
        sock.bind((address, 0))
        if transport == "tcp":
            sock.listen()
        holder = net.holder_of(sock.getsockname()[1], transport)  # type: ignore[arg-type]
    assert holder is not None
    assert holder.pid == os.getpid()
    assert "pytest" in str(holder)
    assert f"(pid {os.getpid()})" in str(holder)


@LINUX
def test_a_connected_socket_holds_no_port_and_a_free_port_has_no_holder() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        assert net.holder_of(client.getsockname()[1], "tcp") is None
        port = server.getsockname()[1]
        assert net.holder_of(port, "udp") is None
    assert net.holder_of(port, "tcp") is None


@LINUX
def test_the_process_of_another_user_is_named_by_its_user() -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root to become another user")
    with socket.create_server(("127.0.0.1", 0)) as server:
        code = (
            "import os, pwd; from bridge import net; net.holder_of(1, 'tcp'); os.setgroups([])\n"
            "os.setgid(65534); os.setuid(65534)\n"
            f"print(net.holder_of({server.getsockname()[1]}, 'tcp'))"
        )
        answer = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=20, check=False
        )
    assert (answer.stdout.strip(), answer.stderr) == ("a process of user root", "")
