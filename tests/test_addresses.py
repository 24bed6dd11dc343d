"""A change of this machine's addresses is told; `tests/test_discovery.py` changes real ones."""

import asyncio
import ipaddress

from bridge.addresses import Addresses, AddressWatch

from .waiting import SOON_S

ONE, OTHER = ipaddress.ip_address("192.168.1.10"), ipaddress.ip_address("10.0.0.3")


async def test_who_has_subscribed_is_told_all_addresses_when_they_change_and_only_then() -> None:
    present = [ONE]
    told: list[Addresses] = []
    watch = AddressWatch(lambda: present)
    await watch.look()
    watch.subscribe(told.append)
    await watch.look()
    assert watch.addresses == (ONE,)
    assert told == []
    present = [OTHER, ONE]
    await watch.look()
    await watch.look()
    assert told == [(OTHER, ONE)]


async def test_who_has_ended_its_subscription_is_told_no_more() -> None:
    present = [ONE]
    told: list[Addresses] = []
    watch = AddressWatch(lambda: present)
    end = watch.subscribe(told.append)
    await watch.look()
    end()
    present = []
    await watch.look()
    assert told == [(ONE,)]


async def test_one_that_fails_does_not_keep_the_next_from_hearing() -> None:
    told: list[Addresses] = []
    watch = AddressWatch(lambda: [ONE])
    watch.subscribe(lambda _: 1 / 0)  # type: ignore[arg-type, return-value]
    watch.subscribe(told.append)
    await watch.look()
    assert told == [(ONE,)]


async def test_it_looks_before_anything_else_and_frees_what_it_opened() -> None:
    watch = AddressWatch(lambda: [ONE])
    looked = asyncio.Event()
    watch.subscribe(lambda _: looked.set())
    task = asyncio.create_task(watch.run())
    await asyncio.wait_for(looked.wait(), SOON_S)
    task.cancel()
    await asyncio.wait([task])
