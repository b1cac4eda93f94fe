"""The journal's tail: what happened last at this gate, and never to whose ticket."""

from typing import Final

from appliance.errors import StorageError
from appliance.local_page.figures import moment
from appliance.local_page.markup import Markup, element, joined
from appliance.local_page.visits import Live, Outcome, Page, Parts, Route, Visit
from appliance.page_ports import GateDesk, PageRole, TailLine

EVERY_S: Final = 2.0
LINES: Final = 60
_KINDS: Final = {"granted": "good", "passed": "good", "denied": "warn", "forced": "bad"}
_COLUMNS: Final = ("sequence", "at", "kind", "answer", "direction", "reader")


class JournalPage:
    """The journal's last records."""

    def __init__(self, desk: GateDesk) -> None:
        """Take where the journal is looked at."""
        self._desk = desk

    def routes(self) -> list[Route]:
        """Give its addresses."""
        return [
            Route("GET", "/gate/journal", PageRole.STEWARD, self._show),
            Route("GET", "/gate/journal/live", PageRole.STEWARD, self._follow),
        ]

    async def _show(self, visit: Visit) -> Outcome:
        parts = await self._parts(visit)
        lead = element("p", visit.words("journal.words"), class_="lead soft")
        tail = element("div", parts["tail"], id="tail", class_="follows card")
        return Page(visit.words("journal.title"), joined(lead, tail), live="/gate/journal/live")

    async def _follow(self, visit: Visit) -> Outcome:
        async def parts() -> Parts:
            return await self._parts(visit)

        return Live(parts, EVERY_S)

    async def _parts(self, visit: Visit) -> Parts:
        if self._desk.tail is None:
            return {"tail": element("p", visit.words("overview.not_served"))}
        try:
            lines = await self._desk.tail(LINES)
        except StorageError:
            return {"tail": element("p", visit.words("journal.unreadable"))}
        return {"tail": _table(visit, lines)}


def _table(visit: Visit, lines: list[TailLine]) -> Markup:
    head = element(
        "tr", [element("th", visit.words(f"journal.{name}"), scope="col") for name in _COLUMNS]
    )
    return element(
        "div",
        element(
            "table",
            element("caption", visit.counted("journal.last", len(lines))),
            element("thead", head),
            element("tbody", [_row(visit, line) for line in lines]),
        ),
        class_="scroll",
        tabindex="0",
        role="region",
        aria_label=visit.words("journal.title"),
    )


def _row(visit: Visit, line: TailLine) -> Markup:
    kind = element("span", known(visit, f"kind.{line.kind}", line.kind), class_="kind")
    details = " ".join(known(visit, f"detail.{word}", word) for word in line.detail.split())
    told = known(visit, f"answer.{line.answer}", line.answer) if line.answer else details
    return element(
        "tr",
        element("td", line.sequence, class_="number"),
        element("td", moment(line.at)),
        element("td", kind),
        element("td", told),
        element("td", visit.words(f"direction.{line.direction}") if line.direction else ""),
        element("td", line.reader),
        class_=_KINDS.get(line.kind),
    )


def known(visit: Visit, key: str, otherwise: str) -> str:
    """Give a text of the catalogue; what a later version writes is shown as it is."""
    try:
        return visit.words(key)
    except KeyError:
        return otherwise
