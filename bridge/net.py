"""This machine on its network: addresses that a tablet can open, names it answers to, and who holds a port.

Read from the kernel (netlink, /sys, /proc) on Linux; elsewhere only what portable calls can tell. Reading takes about
a millisecond and may block: call it before the loop runs, or in a thread. Nothing here sends a packet.
"""

from __future__ import annotations

import ipaddress
import os
import re
import socket
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

DEFAULT_PORT = 8080
"""Where stagebridge is found if nobody says otherwise."""

SYS_NET = Path("/sys/class/net")
PROC = Path("/proc")

# rtnetlink(7)
_RTM_NEWADDR, _RTM_GETADDR = 20, 22
_NLMSG_ERROR, _NLMSG_DONE = 2, 3
_NLM_F_REQUEST_DUMP = 0x301
_IFA_ADDRESS, _IFA_LOCAL, _IFA_FLAGS = 1, 2, 8
_IFA_F_UNUSABLE = 0x01 | 0x08 | 0x20 | 0x40  # temporary, failed its duplicate check, deprecated, tentative

_TCP_LISTEN = "0A"


@dataclass(frozen=True, slots=True)
class Holder:
    """The process that holds a port; ``pid`` and ``name`` are None where another user's process hides them."""

    pid: int | None
    name: str | None
    user: str

    def __str__(self) -> str:
        if self.pid is None:
            return f"a process of user {self.user}"
        return f"{self.name} (pid {self.pid})"


def lan_addresses() -> list[Address]:
    """Addresses under which others on the network reach this machine, IPv4 first.

    Those of real network interfaces (and bonds, VLANs and bridges over one); not loopback, link-local, docker, veth,
    tailscale and other tunnels. Inside a container, where every interface is virtual, those of the default route's.
    Empty without a network.
    """
    if not SYS_NET.is_dir():
        return _addresses_of_routes()
    found = list(_interface_addresses())
    real = [address for interface, address in found if _is_real(interface)]
    if not real:
        routed = _default_interfaces()
        real = [address for interface, address in found if interface in routed]
    return sorted(dict.fromkeys(filter(_is_reachable, real)), key=lambda address: address.version)


def hosts(host: str, addresses: Iterable[Address] | None = None) -> list[str]:
    """What stands for this machine in the address of what listens there, the best one for a tablet first, this
    machine's own last. ``addresses`` are this machine's, where they are known; else they are looked up."""
    if host not in ("0.0.0.0", "::", ""):
        return [f"[{host}]" if ":" in host else host]
    found = lan_addresses() if addresses is None else addresses
    return [
        *(f"[{one}]" if one.version == 6 else str(one) for one in found if one.version == 4 or host == "::"),
        "127.0.0.1",
    ]


def urls(host: str, port: int, addresses: Iterable[Address] | None = None) -> list[str]:
    """Addresses to open for what listens there, in the order of ``hosts``."""
    return [f"http://{name}:{port}/" for name in hosts(host, addresses)]


def address_towards(host: str) -> Address | None:
    """The address of this machine that a packet to this host would leave from; None where there is no way. Sends
    nothing; a name is looked up."""
    try:
        family, kind, proto, _, address = socket.getaddrinfo(host, 9, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind, proto) as probe:
            probe.connect(address)
            return ipaddress.ip_address(probe.getsockname()[0].partition("%")[0])
    except OSError:
        return None


def is_own(address: Address) -> bool:
    """Whether this machine has the address now. A few system calls that do not wait; nothing is sent."""
    if address.is_loopback:
        return True
    with socket.socket(socket.AF_INET6 if address.version == 6 else socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect((str(address), 9))
        except OSError:
            return False  # there is no way to it
        # What a host says to itself, it says from the address that it says it to.
        return ipaddress.ip_address(probe.getsockname()[0].partition("%")[0]) == address


def own_names() -> list[str]:
    """Host names that mean this machine in an address line: ``localhost``, its name, its name in ``.local``."""
    name = socket.gethostname().lower().rstrip(".")
    short = name.split(".")[0]
    return list(dict.fromkeys(filter(None, ["localhost", name, short, f"{short}.local"])))


def holder_of(port: int, transport: Literal["tcp", "udp"]) -> Holder | None:
    """Who has this port open on this machine (TCP: who listens on it). None when nobody has, or it cannot be known."""
    for inode, uid in _sockets_on(port, transport):
        if (pid := _pid_with_socket(inode)) is not None:
            return Holder(pid, _process_name(pid), _user_name(uid))
        return Holder(None, None, _user_name(uid))
    return None


def _is_reachable(address: Address) -> bool:
    return not (address.is_loopback or address.is_link_local or address.is_multicast or address.is_unspecified)


def _is_real(interface: str, sys_net: Path = SYS_NET) -> bool:
    """Whether there is hardware under this interface, itself or by way of a bond, VLAN or bridge."""
    path = sys_net / interface
    if (path / "device").exists():
        return True
    lowers = [entry.name for entry in _directories(path) if entry.name.startswith("lower_")]
    return any(_is_real(lower.removeprefix("lower_"), sys_net) for lower in lowers)


def _default_interfaces() -> set[str]:
    """Interfaces that a default route goes out of."""
    found = set()
    for line in _lines(PROC / "net/route")[1:]:
        interface, destination, *_, mask = line.split()[:8]
        if destination == mask == "00000000":
            found.add(interface)
    for line in _lines(PROC / "net/ipv6_route"):
        destination, prefix, *_, interface = line.split()
        if prefix == "00" and int(destination, 16) == 0 and interface != "lo":
            found.add(interface)
    return found


def _interface_addresses() -> Iterator[tuple[str, Address]]:
    """(interface, address) for each usable address of this machine, in the kernel's order (rtnetlink, RTM_GETADDR)."""
    names = dict(socket.if_nameindex())
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as netlink:
        netlink.settimeout(1.0)
        netlink.send(struct.pack("=IHHII8x", 16 + 8, _RTM_GETADDR, _NLM_F_REQUEST_DUMP, 1, 0))
        while True:
            data = netlink.recv(65536)
            while len(data) >= 16:
                length, kind = struct.unpack_from("=IH", data)
                if kind in (_NLMSG_DONE, _NLMSG_ERROR) or length < 16:
                    return
                if kind == _RTM_NEWADDR:
                    index, address = _parse_address(data[16:length])
                    if address is not None and index in names:
                        yield names[index], address
                data = data[(length + 3) & ~3 :]


def _parse_address(message: bytes) -> tuple[int, Address | None]:
    """The interface's index and the address in an ifaddrmsg; None for one that is not to be used."""
    flags, index = struct.unpack_from("=xxBxI", message)
    attributes = {}
    data = message[8:]
    while len(data) >= 4:
        length, kind = struct.unpack_from("=HH", data)
        if length < 4:
            break
        attributes[kind] = data[4:length]
        data = data[(length + 3) & ~3 :]
    if _IFA_FLAGS in attributes:
        (flags,) = struct.unpack("=I", attributes[_IFA_FLAGS])
    raw = attributes.get(_IFA_LOCAL) or attributes.get(_IFA_ADDRESS)
    if raw is None or (len(raw) == 16 and flags & _IFA_F_UNUSABLE):
        return index, None
    return index, ipaddress.ip_address(raw)


def _addresses_of_routes() -> list[Address]:
    """Without /sys: the address that a packet to elsewhere would leave from. Connecting UDP sends nothing."""
    found: list[Address] = []
    for family, elsewhere in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):  # RFC 5737, RFC 3849
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect((elsewhere, 9))
                found.append(ipaddress.ip_address(probe.getsockname()[0]))
        except OSError:
            continue
    return [address for address in found if _is_reachable(address)]


def _sockets_on(port: int, transport: str) -> Iterator[tuple[str, int]]:
    """(inode, user id) of each socket bound to this port (proc_pid_net(5))."""
    for table in (transport, f"{transport}6"):
        for line in _lines(PROC / "net" / table)[1:]:
            fields = line.split()
            is_bound_to_it = int(fields[1].rpartition(":")[2], 16) == port
            if is_bound_to_it and (transport == "udp" or fields[3] == _TCP_LISTEN):
                yield fields[9], int(fields[7])


def _pid_with_socket(inode: str) -> int | None:
    wanted = f"socket:[{inode}]"
    for process in _directories(PROC):
        if process.name.isdecimal():
            for fd in _directories(f"{process.path}/fd"):
                try:
                    if os.readlink(fd.path) == wanted:  # noqa: PTH115 - thousands of them, and not paths
                        return int(process.name)
                except OSError:
                    continue
    return None


def _process_name(pid: int) -> str:
    """What a person would call the process: its program, and for an interpreter the script or module it runs."""
    try:
        arguments = (PROC / str(pid) / "cmdline").read_bytes().decode(errors="replace").split("\0")
        comm = (PROC / str(pid) / "comm").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return "a process"
    if re.fullmatch(r"(python|node|ruby|perl|java)[\d.]*", comm):
        if "-m" in arguments[:-1]:
            return f"{comm} -m {arguments[arguments.index('-m') + 1]}"
        if {"-c", "-e"} & set(arguments):
            return comm  # what it runs has no name
        if script := next((argument for argument in arguments[1:] if argument and not argument.startswith("-")), ""):
            return f"{comm} {Path(script).name}"
    return comm


def _user_name(uid: int) -> str:
    try:
        import pwd

        return pwd.getpwuid(uid).pw_name
    except (ImportError, KeyError):
        return str(uid)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return []


def _directories(path: Path | str) -> Iterable[os.DirEntry[str]]:
    try:
        with os.scandir(path) as entries:
            return list(entries)
    except OSError:
        return []
