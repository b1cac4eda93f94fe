"""A display's screen is shown again: in the next language, and names only where they may be."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from admission.verdict import Answer
from appliance.displays.refreshing import VERDICT_S, Discreet, Refreshed
from appliance.errors import DisplayLostError
from appliance.ports import Look, Screen
from appliance.simulator.picture_display import PictureDisplay
from appliance.simulator.virtual_clock import VirtualClock, settle

IDLE = Screen(Look.IDLE, title="Carmen")
RED = Screen(Look.DENIED, answer=Answer.ALREADY_USED)
EVERY_S = 6.0


class Shown:
    """Remembers what it was told to show, and when; can be lost."""

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.told: list[tuple[Look, int]] = []
        self.times: list[float] = []
        self.is_lost = False

    async def show(self, screen: Screen) -> None:
        if self.is_lost:
            raise DisplayLostError("the cable is out")
        self.told.append((screen.look, screen.tongue))
        self.times.append(self.clock.monotonic_ns() / 1e9)


@asynccontextmanager
async def refreshing(languages: int):
    clock = VirtualClock()
    inner = Shown(clock)
    display = Refreshed(inner, clock, every_s=EVERY_S, languages=languages)
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(display.run())
        await settle()
        yield clock, inner, display
        task.cancel()


async def test_languages_take_turns_at_rest():
    async with refreshing(2) as (clock, inner, display):
        await display.show(IDLE)
        await clock.run(3 * EVERY_S + 0.1)
        assert inner.told == [(Look.IDLE, 0), (Look.IDLE, 1), (Look.IDLE, 0), (Look.IDLE, 1)]


async def test_a_verdict_is_told_in_both_within_its_few_seconds():
    async with refreshing(2) as (clock, inner, display):
        await display.show(RED)
        await clock.run(VERDICT_S + 0.1)
        assert inner.told == [(Look.DENIED, 0), (Look.DENIED, 1)]


async def test_a_new_screen_begins_with_the_gates_own_language_and_has_its_whole_time():
    async with refreshing(2) as (clock, inner, display):
        await display.show(IDLE)
        await clock.run(EVERY_S + 1)
        await display.show(RED)
        await clock.run(VERDICT_S - 0.1)
        assert inner.told == [(Look.IDLE, 0), (Look.IDLE, 1), (Look.DENIED, 0)]
        await clock.run(0.2)
        assert inner.told[-1] == (Look.DENIED, 1)


async def test_with_one_language_a_screen_is_shown_again_as_it_was():
    """An OLED moves its pixels then, and one that was lost is tried again."""
    async with refreshing(1) as (clock, inner, display):
        inner.is_lost = True
        with pytest.raises(DisplayLostError):
            await display.show(IDLE)
        await clock.run(EVERY_S + 0.1)
        inner.is_lost = False
        await clock.run(2 * EVERY_S)
        assert inner.told == [(Look.IDLE, 0)] * 2


async def test_a_verdict_in_one_language_is_not_shown_twice():
    async with refreshing(1) as (clock, inner, display):
        await display.show(RED)
        await clock.run(2.5)
        assert inner.told == [(Look.DENIED, 0)]


async def test_a_name_is_shown_nowhere_but_where_it_may_be():
    screen = Screen(Look.GRANTED, holder="Zoé Martin", seat="F · 12")
    picture = PictureDisplay("fr")
    await picture.show(screen)
    assert "Zoé Martin" in picture.text
    public = PictureDisplay("fr")
    await Discreet(public).show(screen)
    assert "Martin" not in public.text
    assert "F · 12" in public.text
    assert public.png != picture.png


async def test_a_picture_speaks_the_language_of_its_turn():
    picture = PictureDisplay("fr", others=("en",))
    for tongue, word in enumerate(("Déjà utilisé", "Already used", "Déjà utilisé")):
        await picture.show(Screen(Look.DENIED, answer=Answer.ALREADY_USED, tongue=tongue))
        assert picture.text.startswith(word)
        assert picture.language == ("en" if tongue == 1 else "fr")
