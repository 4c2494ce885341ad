"""The hub: who hears what, what a listener that was away is told, and how it ends."""

import asyncio

import pytest

from cloud import live
from cloud.domain.change import GatewayChanged
from cloud.domain.ids import GatewayId, SiteId, TenantId
from cloud.live import Closed, Hub


def _change(tenant_id: int, state: str = "online") -> GatewayChanged:
    return GatewayChanged(TenantId(tenant_id), SiteId("s"), GatewayId("g"), state)


async def _hub() -> Hub:
    return Hub(asyncio.get_running_loop())


async def test_a_listener_hears_its_own_tenant_only() -> None:
    hub = await _hub()

    with hub.listen(TenantId(1)) as listener:
        hub.publish([_change(2, "theirs"), _change(1, "ours")])
        heard = await asyncio.wait_for(listener.next(), 1)

    assert heard == _change(1, "ours")


async def test_who_comes_back_hears_what_was_missed_once() -> None:
    hub = await _hub()
    with hub.listen(TenantId(1)) as listener:
        hub.publish([_change(1, "first")])
        await asyncio.wait_for(listener.next(), 1)
        reached = listener.mark
    hub.publish([_change(1, "second"), _change(2, "theirs"), _change(1, "third")])
    await asyncio.sleep(0)

    with hub.listen(TenantId(1), after=reached) as again:
        missed = [await asyncio.wait_for(again.next(), 1) for _ in range(2)]
        hub.publish([_change(1, "fourth")])
        fresh = await asyncio.wait_for(again.next(), 1)

    assert missed == [_change(1, "second"), _change(1, "third")]
    assert fresh == _change(1, "fourth")
    assert not again.take_lost()


@pytest.mark.parametrize("mark", ["deadbeef-1", "nonsense", "-", "deadbeef-²"])
async def test_a_mark_nobody_knows_means_something_was_lost(mark: str) -> None:
    hub = await _hub()

    with hub.listen(TenantId(1), after=mark) as listener:
        assert listener.take_lost()
        assert not listener.take_lost()


async def test_a_mark_older_than_what_is_remembered_means_something_was_lost() -> None:
    hub = await _hub()
    with hub.listen(TenantId(1)) as listener:
        hub.publish([_change(1)])
        await asyncio.wait_for(listener.next(), 1)
        reached = listener.mark
    hub.publish([_change(1)] * live.REMEMBERED_MAX)
    await asyncio.sleep(0)

    with hub.listen(TenantId(1), after=reached) as at_the_limit:
        lost_at_the_limit = at_the_limit.take_lost()
    hub.publish([_change(1)])
    await asyncio.sleep(0)
    with hub.listen(TenantId(1), after=reached) as past_it:
        lost_past_it = past_it.take_lost()

    assert lost_at_the_limit, "2000 changes do not fit into a queue of 1000"
    assert lost_past_it


async def test_a_slow_listener_loses_changes_and_is_told() -> None:
    hub = await _hub()

    with hub.listen(TenantId(1)) as slow:
        hub.publish([_change(1)] * live.WAITING_MAX)
        await asyncio.sleep(0)
        assert not slow.take_lost()
        hub.publish([_change(1)])
        await asyncio.sleep(0)
        assert slow.take_lost()


async def test_closing_ends_every_listener_even_a_full_one() -> None:
    hub = await _hub()

    with hub.listen(TenantId(1)) as idle, hub.listen(TenantId(1)) as full:
        hub.publish([_change(1)] * live.WAITING_MAX)
        await asyncio.sleep(0)
        hub.close()
        with pytest.raises(Closed):
            for _ in range(live.WAITING_MAX + 1):
                await asyncio.wait_for(idle.next(), 1)
        with pytest.raises(Closed):
            for _ in range(live.WAITING_MAX + 1):
                await asyncio.wait_for(full.next(), 1)


async def test_listening_to_a_closed_hub_ends_at_once() -> None:
    hub = await _hub()
    hub.close()

    with hub.listen(TenantId(1)) as late, pytest.raises(Closed):
        await asyncio.wait_for(late.next(), 1)
