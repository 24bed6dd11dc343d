"""How much may be asked for in a short time."""

from bridge.allowance import Allowance, counted


def test_it_is_full_at_the_beginning_and_not_fuller() -> None:
    allowance = Allowance(10, 2)
    assert allowance.take(10, 1_000.0)
    assert not allowance.take(1, 1_000.0)


def test_what_is_refused_takes_nothing() -> None:
    allowance = Allowance(10, 2)
    assert not allowance.take(11, 0.0)
    assert allowance.take(10, 0.0)


def test_it_fills_up_again_with_time() -> None:
    allowance = Allowance(10, 2)
    assert allowance.take(10, 0.0)
    assert not allowance.take(3, 1.0)
    assert allowance.take(3, 1.5)
    assert not allowance.take(1, 1.5)


def test_a_clock_that_goes_back_gives_nothing() -> None:
    allowance = Allowance(10, 2)
    assert allowance.take(10, 100.0)
    assert not allowance.take(1, 0.0)


def test_a_host_of_ipv6_is_counted_by_its_network_and_one_of_ipv4_by_its_address() -> None:
    assert counted("2001:db8:1:2:3:4:5:6") == counted("2001:db8:1:2::9") == "2001:db8:1:2::/64"
    assert counted("2001:db8:1:3::9") != counted("2001:db8:1:2::9")
    assert counted("fe80::1%eth0") == counted("fe80::2%eth0") == "fe80::/64%eth0"
    assert counted("fe80::1%eth0") != counted("fe80::1%wlan0")
    assert counted("::ffff:192.168.1.20") == counted("::FFFF:c0a8:114") == counted("192.168.1.20") == "192.168.1.20"
    assert counted("::1") == "::1", "this machine is no network"
    assert [counted(text) for text in ("", "this machine", "a:b")] == ["", "this machine", "a:b"]
