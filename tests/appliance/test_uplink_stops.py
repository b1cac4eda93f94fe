"""Being told to stop is never lost, even where the link breaks in the same moment."""

import asyncio

import pytest

from appliance.errors import LinkError, StorageError
from appliance.uplink import _run_until_one_fails


async def breaks_when_cancelled() -> None:
    try:
        await asyncio.Event().wait()
    finally:
        raise LinkError("the server stopped too")


async def breaks() -> None:
    await asyncio.sleep(0)
    raise LinkError("the cable is out")


async def goes_on() -> None:
    await asyncio.Event().wait()


class Rounds:
    """Goes from round to round as the uplink does, until it is cancelled."""

    def __init__(self, *services) -> None:
        self.services = services
        self.count = 0

    async def run(self) -> None:
        while True:
            self.count += 1
            try:
                await _run_until_one_fails(*(service() for service in self.services))
            except LinkError:
                await asyncio.sleep(0)


@pytest.mark.parametrize("head_start", range(8))
@pytest.mark.parametrize("services", [(breaks_when_cancelled, goes_on), (breaks, goes_on)])
async def test_a_stop_is_not_lost_when_the_link_breaks_in_the_same_moment(services, head_start):
    rounds = Rounds(*services)
    task = asyncio.create_task(rounds.run())
    for _ in range(head_start):
        await asyncio.sleep(0)
    task.cancel()
    before = rounds.count
    with pytest.raises(asyncio.CancelledError):
        await task
    assert rounds.count == before


async def test_after_a_link_that_broke_there_is_another_round():
    rounds = Rounds(breaks, goes_on)
    task = asyncio.create_task(rounds.run())
    for _ in range(50):
        await asyncio.sleep(0)
    assert rounds.count > 3
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_the_first_thing_that_failed_is_told_and_the_rest_ends():
    ended = []

    async def ends() -> None:
        try:
            await goes_on()
        finally:
            ended.append(True)

    async def fails_later() -> None:
        try:
            await goes_on()
        finally:
            raise StorageError("later")

    with pytest.raises(LinkError, match="the cable is out"):
        await _run_until_one_fails(ends(), breaks(), fails_later())
    assert ended == [True]


async def test_a_fault_of_the_program_is_not_taken_for_a_link_that_broke():
    async def stumbles() -> None:
        raise ZeroDivisionError

    with pytest.raises(ExceptionGroup) as caught:
        await _run_until_one_fails(goes_on(), stumbles())
    assert caught.group_contains(ZeroDivisionError)
