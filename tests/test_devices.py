"""Devices and codes, without a socket: what lets in, what does not, and how often one may guess."""

import hashlib
import secrets

import pytest

from bridge.access import Grant
from bridge.codes import ADDRESS_GUESSES, CODE_S, MAX_CODES, Codes
from bridge.devices import MAX_DEVICES, Devices
from bridge.errors import PairingError

CONTROL, ADMIN = Grant("control"), Grant("admin")
FOH, TABLET = "192.168.1.66", "192.168.1.20"


def refusal(codes: Codes, digits: str, address: str, now: float) -> str:
    with pytest.raises(PairingError) as caught:
        codes.look_up(digits, address, now)
    return caught.value.code


def wrong(codes: Codes, right: str, number: int) -> str:
    """The number-th code that is not the right one."""
    return f"{(int(right) + 1 + number) % 1_000_000:06}"


def test_a_code_is_six_digits_and_lets_in_once() -> None:
    codes = Codes(secrets.token_bytes)
    code = codes.make(CONTROL, 0.0)
    assert len(code.digits) == 6
    assert code.digits.isdigit()
    assert codes.look_up(code.digits, TABLET, 1.0) is code
    codes.spend(code)
    assert refusal(codes, code.digits, TABLET, 2.0) == "used_code"


def test_a_code_is_over_after_ten_minutes_and_says_so() -> None:
    codes = Codes(secrets.token_bytes)
    code = codes.make(CONTROL, 0.0)
    assert codes.look_up(code.digits, TABLET, CODE_S - 0.1) is code
    assert refusal(codes, code.digits, TABLET, CODE_S) == "expired_code"


def test_a_thousand_guesses_from_one_address_are_ten() -> None:
    codes = Codes(secrets.token_bytes)
    code = codes.make(CONTROL, 0.0)
    said = [refusal(codes, wrong(codes, code.digits, n), FOH, n / 100) for n in range(1000)]
    assert said.count("wrong_code") == ADDRESS_GUESSES
    assert set(said[ADDRESS_GUESSES:]) == {"too_many"}
    assert refusal(codes, code.digits, FOH, 10.0) == "too_many", "the right one is worth nothing from there now"
    assert codes.look_up(code.digits, TABLET, 10.0) is code, "a calm address is let in all the same"
    assert codes.look_up(code.digits, FOH, 75.0) is code, "and that one later"


def test_all_addresses_of_an_ipv6_network_have_ten_guesses_together() -> None:
    codes = Codes(secrets.token_bytes)
    code = codes.make(CONTROL, 0.0)
    said = [refusal(codes, wrong(codes, code.digits, n), f"2001:db8::{n:x}", 0.0) for n in range(100)]
    assert said.count("wrong_code") == ADDRESS_GUESSES
    assert codes.look_up(code.digits, "2001:db8:0:1::1", 0.0) is code
    assert codes.look_up(code.digits, "::ffff:127.0.0.1", 0.0) is code


def test_guesses_from_many_addresses_are_few_in_all_and_a_calm_one_gets_in() -> None:
    codes = Codes(secrets.token_bytes)
    tried = 0
    for second in range(600):
        if second % 60 == 0:
            code = codes.make(CONTROL, float(second))
        for n in range(20):  # a new address for each guess
            address = f"10.{second % 250}.{n}.{second // 250}"
            tried += refusal(codes, wrong(codes, code.digits, n), address, second + n / 20) == "wrong_code"
    assert tried <= 300
    assert refusal(codes, code.digits, TABLET, 600.0) == "too_many", "everything was used up by strangers"
    assert codes.look_up(code.digits, "127.0.0.1", 600.0) is code, "this machine is none of them"
    assert codes.look_up(code.digits, TABLET, 606.0) is code, "nor is anybody locked out for longer than the attack"


def test_addresses_that_guessed_wrong_leave_the_rest_to_calm_ones() -> None:
    codes = Codes(secrets.token_bytes)
    code = codes.make(CONTROL, 0.0)
    guessers = [f"10.0.0.{n}" for n in range(100)]
    for _ in range(20):
        for n, address in enumerate(guessers[:30]):
            refusal(codes, wrong(codes, code.digits, n), address, 0.0)
    assert refusal(codes, code.digits, guessers[0], 0.0) == "too_many"
    assert codes.look_up(code.digits, TABLET, 0.0) is code


def test_codes_that_wait_are_few_and_the_oldest_leaves() -> None:
    codes = Codes(secrets.token_bytes)
    made = [codes.make(CONTROL, 0.0) for _ in range(MAX_CODES + 1)]
    assert refusal(codes, made[0].digits, TABLET, 1.0) == "expired_code"
    assert all(codes.look_up(code.digits, TABLET, 1.0) is code for code in made[1:])


def test_a_device_is_known_by_its_token_alone() -> None:
    devices = Devices(secrets.token_bytes)
    device, token = devices.add("FOH iPad", CONTROL, 5.0)
    other, _ = devices.add("Anna", Grant("view", "Anna"), 6.0)
    secret = token.partition(".")[2]
    assert devices.find(token) is device
    for guess in (
        "",
        ".",
        token[:-1],
        token + "0",
        f"{other.id}.{secret}",
        f"{device.id}.",
        f"{device.id}.{device.hash}",
    ):
        assert devices.find(guess) is None, guess
    assert (other.role, other.access) == (None, "Anna")


def test_what_is_kept_of_a_secret_is_its_hash() -> None:
    devices = Devices(secrets.token_bytes)
    device, token = devices.add("FOH iPad", CONTROL, 5.0)
    secret = token.partition(".")[2]
    assert len(bytes.fromhex(secret)) == 32
    assert device.hash == hashlib.sha256(secret.encode()).hexdigest()
    assert secret not in repr(devices.kept())


def test_secrets_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each comparison of something secret goes through hmac.compare_digest, also for a device that there is not."""
    import hmac

    compared: list[tuple[int, int]] = []

    def compare(a: str | bytes, b: str | bytes, real=hmac.compare_digest) -> bool:  # type: ignore[no-untyped-def]
        compared.append((len(a), len(b)))
        return bool(real(a, b))

    monkeypatch.setattr(hmac, "compare_digest", compare)
    devices = Devices(secrets.token_bytes)
    _, token = devices.add("FOH iPad", CONTROL, 5.0)
    devices.find(token)
    devices.find("nobody.nothing")
    assert compared == [(64, 64), (64, 64)]
    compared.clear()
    codes = Codes(secrets.token_bytes)
    first, _ = codes.make(CONTROL, 0.0), codes.make(ADMIN, 0.0)
    codes.look_up(first.digits, TABLET, 0.0)
    assert compared == [(6, 6), (6, 6)], "all of them, wherever the right one stands"


def test_devices_are_bounded_and_who_was_seen_longest_ago_leaves() -> None:
    devices = Devices(secrets.token_bytes)
    made = [devices.add(f"d{n}", CONTROL, float(n))[0] for n in range(MAX_DEVICES)]
    made[0].seen = 1e6
    devices.add("one more", CONTROL, 1e6)
    assert len(devices) == MAX_DEVICES
    assert devices.get(made[0].id) is made[0]
    assert devices.get(made[1].id) is None


def test_a_name_is_fit_to_be_shown() -> None:
    devices = Devices(secrets.token_bytes)
    assert devices.add("\x1b[2J FOH\n", CONTROL, 0.0)[0].name == "[2J FOH"
    assert devices.add("\n", CONTROL, 0.0)[0].name == "a device"
    assert len(devices.add("x" * 500, CONTROL, 0.0)[0].name) == 40


def test_devices_that_call_themselves_alike_are_told_apart_by_a_number() -> None:
    devices = Devices(secrets.token_bytes)
    called = [devices.add(name, CONTROL, 0.0)[0] for name in ("iPad", "iPad", "iPad 4", "iPad 2", "iPad 2", "ipad")]
    assert [device.name for device in called] == ["iPad", "iPad 2", "iPad 4", "iPad 3", "iPad 5", "ipad"]
    devices.remove(called[1].id)
    assert devices.add("iPad", CONTROL, 0.0)[0].name == "iPad 2", "free again"
    long = [devices.add("x" * 50, CONTROL, 0.0)[0].name for _ in range(2)]
    assert long == ["x" * 40, "x" * 38 + " 2"]


@pytest.mark.parametrize(
    ("has", "other", "covers"),
    [
        (ADMIN, CONTROL, True),
        (CONTROL, ADMIN, False),
        (CONTROL, Grant("view", "Anna"), True),
        (Grant("control", "Anna"), Grant("view", "Anna"), True),
        (Grant("control", "Anna"), CONTROL, False),
        (Grant("control", "Anna"), Grant("view", "Ben"), False),
    ],
)
def test_a_grant_covers_what_allows_no_more(has: Grant, other: Grant, covers: bool) -> None:
    assert has.covers(other) is covers
