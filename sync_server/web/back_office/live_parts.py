"""From the live report to the parts of the live page. Called by the page and by its stream.

The same templates make the first page and every later part of it, so that what is shown without
scripts is what is shown with them.
"""

from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo

from sync_server.reporting import GateState, LiveReport
from sync_server.web.rendering import Pages

PARTS: Final = (
    "at",
    "spoken",
    "tiles",
    "minutes",
    "refusals",
    "anomalies",
    "performances",
    "checkpoints",
    "gates",
    "passages",
)


@dataclass(frozen=True, slots=True)
class Totals:
    """The figures at the head of the page.

    Attributes:
        inside: occupancy of all checkpoints together.
        admitted: attendance of all performances together.
        listed: their tickets.
        refused: refusals of all reasons.
        first_refusal: the most frequent reason, "" without any.
        gates: gates that may come online: all but the revoked ones.
        gates_online: those that are.
        gates_degraded: those online that decide without the server.
        anomalies: how many.
    """

    inside: int
    admitted: int
    listed: int
    refused: int
    first_refusal: str
    gates: int
    gates_online: int
    gates_degraded: int
    anomalies: int


def totals(report: LiveReport) -> Totals:
    """Add a report's lines up."""
    online = [gate for gate in report.gates if gate.state is GateState.ONLINE]
    return Totals(
        inside=sum(line.occupancy for line in report.checkpoints),
        admitted=sum(line.attendance for line in report.performances),
        listed=sum(line.listed for line in report.performances),
        refused=sum(count for _, count in report.refusals),
        first_refusal=report.refusals[0][0] if report.refusals else "",
        gates=sum(gate.state is not GateState.REVOKED for gate in report.gates),
        gates_online=len(online),
        gates_degraded=sum(gate.mode == "degraded" for gate in online),
        anomalies=len(report.anomalies),
    )


def context(report: LiveReport, zone: ZoneInfo) -> dict[str, object]:
    """Give the templates what they need.

    Args:
        report: what is going on.
        zone: the venue's, in which all times are shown.
    """
    return {
        "report": report,
        "totals": totals(report),
        "published": {line.id: line for line in report.performances},
        "zone": zone,
        "zone_name": zone.key,
    }


def rendered_parts(
    pages: Pages, language: str, report: LiveReport, zone: ZoneInfo
) -> dict[str, str]:
    """Render every part of the page anew."""
    values = context(report, zone)
    return {part: pages.text(language, f"live/{part}.html", values) for part in PARTS}
