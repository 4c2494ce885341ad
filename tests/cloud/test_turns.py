"""Turns: in order, a few at once, and nobody waits who would have given up before."""

import asyncio

import pytest

from cloud.domain.errors import TooMany
from cloud.turns import Turns
from tests.edge.virtual_time import run_virtually


def test_turns_are_taken_in_order_and_no_more_at_once_than_may() -> None:
    run_virtually(_seven_take_turns_by_two())


async def _seven_take_turns_by_two() -> None:
    turns, now, most, order = Turns(2, patience_s=60), 0, 0, list[int]()

    async def take(number: int) -> None:
        nonlocal now, most
        async with turns.turn():
            order.append(number)
            now += 1
            most = max(most, now)
            await asyncio.sleep(1)
            now -= 1

    async with asyncio.TaskGroup() as group:
        for number in range(7):
            group.create_task(take(number))

    assert (order, most) == (list(range(7)), 2)


def test_who_would_come_on_too_late_is_told_when_to_come_again() -> None:
    run_virtually(_twenty_come_at_once())


async def _twenty_come_at_once() -> None:
    turns, refused = Turns(1, patience_s=10), list[int]()

    async def take() -> None:
        try:
            async with turns.turn():
                await asyncio.sleep(2)
        except TooMany as error:
            refused.append(error.retry_after_s)

    for _ in range(50):  # until it is known how long a turn takes
        await take()
    async with asyncio.TaskGroup() as group:
        for _ in range(20):
            group.create_task(take())

    assert len(refused) == 13  # one at work, six waiting: the next would wait some twelve seconds
    assert set(refused) == {12}


async def test_a_turn_that_fails_or_is_given_up_is_free_again() -> None:
    turns = Turns(1, patience_s=10)

    with pytest.raises(RuntimeError):
        async with turns.turn():
            raise RuntimeError
    async with turns.turn():
        waiting = asyncio.create_task(turns.turn().__aenter__())
        await asyncio.sleep(0)
        waiting.cancel()

    async with asyncio.timeout(10), turns.turn():
        pass
