from bridge.access import EVERYTHING, Grant
from bridge.tickets import TICKET_S, Tickets

DEVICES = {"": EVERYTHING, "a1": Grant("admin", device="a1"), "b2": Grant("view", "Anna", "b2")}


def tickets(key: bytes = b"k" * 32) -> Tickets:
    return Tickets(lambda: key, DEVICES.get)


def test_a_ticket_is_worth_what_its_device_may_but_never_admin() -> None:
    for device, role in (("", "control"), ("a1", "control"), ("b2", "view")):
        grant = tickets().admit(tickets().make(device, 100.0), 101.0)
        assert grant is not None
        assert (grant.role, grant.device, grant.is_page) == (role, device, True)
        assert grant.access == DEVICES[device].access


def test_a_ticket_of_a_device_that_was_revoked_is_worth_nothing() -> None:
    assert tickets().admit(tickets().make("gone", 100.0), 101.0) is None


def test_a_ticket_ends() -> None:
    ticket = tickets().make("a1", 100.0)
    assert tickets().admit(ticket, 100.0 + TICKET_S) is not None
    assert tickets().admit(ticket, 102.0 + TICKET_S) is None


def test_a_ticket_of_another_stagebridge_is_worth_nothing() -> None:
    assert tickets().admit(tickets(b"other").make("a1", 100.0), 101.0) is None


def test_nothing_in_a_ticket_can_be_changed() -> None:
    ticket = tickets().make("b2", 100.0)
    for place in range(len(ticket)):
        changed = ticket[:place] + ("a" if ticket[place] != "a" else "b") + ticket[place + 1 :]
        assert tickets().admit(changed, 101.0) is None
    for nonsense in ("", ".", "page.a1.99999999", "page..", "a" * 100_000, "é.ü", "page.a1.1e9." + "0" * 64, "\ud800"):
        assert tickets().admit(nonsense, 101.0) is None
