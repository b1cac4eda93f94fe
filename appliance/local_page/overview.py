"""The overview: how the gate is, and what to do where something is wrong. For whoever has a PIN."""

from typing import Final

from appliance.local_page.fault_words import remedy, what_it_is
from appliance.local_page.figures import card, decimal, facts, moment, span, state
from appliance.local_page.log_in import HOME
from appliance.local_page.markup import Markup, element, joined
from appliance.local_page.visits import Live, Outcome, Page, Parts, Redirect, Route, Visit
from appliance.page_ports import (
    CheckLine,
    CheckOutcome,
    FaultLine,
    GateDesk,
    GateStatus,
    ListState,
    PageRole,
)

EVERY_S: Final = 2.0
_LIST_KINDS: Final = {ListState.GOOD: "good", ListState.STALE: "warn"}
_CHECK_KINDS: Final = {
    CheckOutcome.GOOD: "good",
    CheckOutcome.NOTE: "warn",
    CheckOutcome.FAULT: "bad",
    CheckOutcome.ABSENT: "quiet",
}
_HOT_C, _WARM_C = 80.0, 70.0
_SLOW_MS: Final = 100
_TRUSTED_CLOCKS: Final = {"signed", "synced", "rtc"}


class Overview:
    """The first page behind the PIN."""

    def __init__(self, desk: GateDesk) -> None:
        """Take where the gate is looked at."""
        self._desk = desk

    def routes(self) -> list[Route]:
        """Give its addresses."""
        return [
            Route("GET", HOME.rstrip("/"), None, _to_home),
            Route("GET", HOME, PageRole.STEWARD, self._show),
            Route("GET", "/gate/live", PageRole.STEWARD, self._follow),
        ]

    async def _show(self, visit: Visit) -> Outcome:
        places = [
            element("div", part, id=name, class_="follows" if name != "faults" else "follows wide")
            for name, part in self._parts(visit).items()
        ]
        body = joined(
            element("div", places[0], role="status"),
            element("div", places[1:], class_="cards"),
        )
        return Page(visit.words("overview.title"), body, live="/gate/live")

    async def _follow(self, visit: Visit) -> Outcome:
        async def parts() -> Parts:
            return self._parts(visit)

        return Live(parts, EVERY_S)

    def _parts(self, visit: Visit) -> Parts:
        if self._desk.status is None:
            empty = dict.fromkeys(("service", "lists", "clock", "devices", "tested"), Markup())
            words = visit.words("overview.not_served")
            return {"faults": element("p", words, class_="notice warn"), **empty}
        status = self._desk.status()
        return {
            "faults": fault_list(visit, status.faults),
            "service": _service(visit, status),
            "lists": _lists(visit, status),
            "clock": _clock(visit, status),
            "devices": _devices(visit, status),
            "tested": _tested(visit, status.tested),
        }


async def _to_home(_: Visit) -> Outcome:
    """Whoever types the address leaves the last stroke out."""
    return Redirect(HOME)


def fault_list(visit: Visit, faults: tuple[FaultLine, ...]) -> Markup:
    """Give every fault with its words and what to do."""
    if not faults:
        return element("p", visit.words("overview.no_fault"), class_="notice good")
    rows = [
        element(
            "li",
            element(
                "p",
                element("code", fault.code),
                " ",
                element("strong", what_it_is(fault.code, visit)),
                " ",
                _since(visit, fault),
            ),
            element("p", remedy(fault.code, visit)),
        )
        for fault in faults
    ]
    heading = element("h2", visit.counted("overview.faults", len(faults)))
    return element("div", heading, element("ul", rows, class_="faults"), class_="notice bad")


def _since(visit: Visit, fault: FaultLine) -> Markup | None:
    if fault.since_s is None:
        return None
    words = visit.words("overview.since", span=span(visit, fault.since_s))
    return element("span", words, class_="small")


def _service(visit: Visit, status: GateStatus) -> Markup:
    is_connected = status.mode == "connected"
    mode = state("good" if is_connected else "warn", visit.words(f"mode.{status.mode}"))
    pairs: list[tuple[str, Markup | str]] = [(visit.words("service.mode"), mode)]
    if status.causes:
        causes = ", ".join(visit.words(f"cause.{cause}") for cause in status.causes)
        pairs.append((visit.words("service.causes"), causes))
    if status.known_s is not None:
        pairs.append((visit.words("service.known"), span(visit, status.known_s)))
    waiting = str(status.queue)
    if status.queue:
        waiting = f"{status.queue} · {span(visit, status.queued_s)}"
    pairs += [
        (visit.words("service.queue"), waiting),
        (visit.words("service.peers"), str(status.peers)),
        (visit.words("service.place"), status.checkpoint or visit.words("figure.none")),
        (
            visit.words("service.inside"),
            visit.words("figure.unknown") if status.occupancy is None else str(status.occupancy),
        ),
    ]
    return card(visit.words("service.title"), facts(*pairs), name="service")


def _lists(visit: Visit, status: GateStatus) -> Markup:
    if not status.lists:
        words = element("p", visit.words("lists.none"), class_="soft")
        return card(visit.words("lists.title"), words, name="lists")
    rows = [
        element(
            "li",
            element("strong", line.title or line.performance),
            element(
                "p",
                state(_LIST_KINDS.get(line.state, "bad"), visit.words(f"list.{line.state.value}")),
                " ",
                element(
                    "span",
                    visit.words("lists.version", version=line.version, span=span(visit, line.age_s))
                    if line.version
                    else "",
                    class_="small soft",
                ),
            ),
        )
        for line in status.lists
    ]
    return card(visit.words("lists.title"), element("ul", rows, class_="rows"), name="lists")


def _clock(visit: Visit, status: GateStatus) -> Markup:
    kind = "good" if status.clock in _TRUSTED_CLOCKS else "warn"
    error = (
        visit.words("figure.unknown")
        if status.clock_error_s is None
        else visit.words("clock.within", seconds=decimal(visit, status.clock_error_s))
    )
    pairs = (
        (visit.words("clock.now"), moment(status.now)),
        (visit.words("clock.word"), state(kind, visit.words(f"clock_word.{status.clock}"))),
        (visit.words("clock.error"), error),
        (visit.words("clock.signed"), span(visit, status.signed_s)),
        (visit.words("clock.uptime"), span(visit, status.uptime_s)),
        (visit.words("clock.served"), span(visit, status.served_s)),
        (visit.words("clock.software"), status.software),
    )
    return card(visit.words("clock.title"), facts(*pairs), name="clock")


def _devices(visit: Visit, status: GateStatus) -> Markup:
    machine = status.machine
    unknown, networks = visit.words("figure.unknown"), ", ".join(machine.networks or ())
    latency = state("good" if status.commit_ms < _SLOW_MS else "warn", f"{status.commit_ms} ms")
    pairs: list[tuple[str, Markup | str]] = [
        (
            visit.words("device.reader", name=reader.name),
            state(
                "good" if reader.is_alive else "bad",
                visit.words("device.there" if reader.is_alive else "device.gone"),
            ),
        )
        for reader in status.readers
    ]
    pairs += [
        (visit.words("device.commit"), latency),
        (visit.words("device.free"), unknown if status.free_mb < 0 else f"{status.free_mb} MB"),
        (visit.words("device.temperature"), _temperature(visit, machine.temperature_c)),
        (visit.words("device.supply"), _supply(visit, status)),
        (visit.words("device.memory"), _memory(visit, status)),
        (visit.words("device.network"), networks or visit.words("figure.none")),
    ]
    return card(visit.words("device.title"), facts(*pairs), name="devices")


def _temperature(visit: Visit, celsius: float | None) -> Markup | str:
    if celsius is None:
        return visit.words("figure.unknown")
    kind = "bad" if celsius >= _HOT_C else "warn" if celsius >= _WARM_C else "good"
    return state(kind, f"{celsius:.0f} °C")


def _supply(visit: Visit, status: GateStatus) -> Markup | str:
    machine = status.machine
    if machine.is_under_voltage is None:
        return visit.words("figure.unknown")
    if machine.is_under_voltage:
        return state("bad", visit.words("device.weak"))
    if machine.is_throttled:
        return state("warn", visit.words("device.throttled"))
    if machine.was_under_voltage:
        return state("warn", visit.words("device.was_weak"))
    return state("good", visit.words("device.good"))


def _memory(visit: Visit, status: GateStatus) -> str:
    machine = status.machine
    if machine.memory_free_mb is None or machine.memory_mb is None:
        return visit.words("figure.unknown")
    return f"{machine.memory_free_mb} / {machine.memory_mb} MB"


def _tested(visit: Visit, lines: tuple[CheckLine, ...]) -> Markup:
    if not lines:
        words = element("p", visit.words("tested.none"), class_="soft")
        return card(visit.words("tested.title"), words, name="tested")
    pairs = [(check_name(visit, line), check_state(visit, line)) for line in lines]
    return card(visit.words("tested.title"), facts(*pairs), name="tested")


def check_name(visit: Visit, line: CheckLine) -> str:
    """Give what a check looked at, in words."""
    kind, _, name = line.name.partition(":")
    words = visit.words(f"check.{kind}")
    return f"{words} · {name}" if name else words


def check_state(visit: Visit, line: CheckLine) -> Markup:
    """Give what a check came to."""
    words = line.figure or visit.words(f"tested.{line.outcome.value}")
    if line.outcome in {CheckOutcome.NOTE, CheckOutcome.FAULT}:
        words = f"{line.code} · {words}"
    return state(_CHECK_KINDS[line.outcome], words)
