"""`portillon conformance rules|reconcile FILE`: replays scenarios of docs/rules.md.

It only reads the file and hands its content to the heart's own functions; the gate and the server
run the same ones.
"""

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from admission.passage import Fact, FreeCrossing, History, Passage, Reset
from admission.reconcile import ListedTicket, StateChange, reconcile
from admission.rules import judge
from admission.scan import Direction
from admission.ticket import (
    Checkpoint,
    EntryExit,
    Multi,
    PassRule,
    Performance,
    Single,
    Ticket,
    TicketClass,
    TicketState,
)
from admission.verdict import Grant

Json = dict[str, Any]
FORMAT = 1
_RUNNER = "runner"


class ScenarioError(ValueError):
    """The file is no scenario file; the message says where."""


@dataclass(slots=True)
class PlainHoldings:
    """Lists as plain dictionaries; an identifier is the number's own bytes."""

    performances: dict[str, Performance]
    tickets: dict[tuple[str, bytes], Ticket] = field(default_factory=dict)

    def identify(self, performance: str, number: str) -> bytes:
        """Give the number's bytes."""
        del performance
        return as_identifier(number)

    def find(self, performance: str, identifier: bytes) -> Ticket | None:
        """Look the ticket up."""
        return self.tickets.get((performance, identifier))

    def present(self, performance: str, text: str) -> None:
        """Scenarios have plain numbers only."""


def as_identifier(number: str) -> bytes:
    """Give the bytes that stand for a number in a scenario."""
    return number.encode("utf-8", "surrogatepass")


def instant(text: str) -> datetime:
    """Read an instant with an offset; finer digits than microseconds are cut off."""
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ScenarioError(f"instant without an offset: {text}")
    return at.astimezone(UTC)


def _instant_or_none(text: str | None) -> datetime | None:
    return None if text is None else instant(text)


def read_scenarios(path: Path) -> list[Json]:
    """Read a scenario file.

    Raises:
        ScenarioError: if it is not JSON of format 1.
    """
    try:
        document = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as exc:
        raise ScenarioError(str(exc)) from exc
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ScenarioError(f'expected a document with "format": {FORMAT}')
    scenarios = document.get("scenarios")
    if not isinstance(scenarios, list):
        raise ScenarioError('expected a list of "scenarios"')
    return scenarios


def run_rules(scenarios: list[Json]) -> Json:
    """Play scenarios of steps; give the answers of each scan, scenario by scenario."""
    return {"format": FORMAT, "answers": [_play(scenario) for scenario in scenarios]}


def run_reconcile(scenarios: list[Json]) -> Json:
    """Fold scenarios of facts; give the report of each."""
    return {"format": FORMAT, "reports": [_report(scenario) for scenario in scenarios]}


def read_performance(raw: Json) -> Performance:
    """Read a scenario's performance."""
    return Performance(
        id=raw["id"],
        zone=ZoneInfo(raw["timezone"]),
        day_starts_at=time.fromisoformat(raw.get("day_starts_at", "00:00")),
        excluded_categories=frozenset(raw.get("excluded_categories", ())),
        canceled=bool(raw.get("canceled", False)),
        admits_from=_instant_or_none(raw.get("admits_from")),
        admits_until=_instant_or_none(raw.get("admits_until")),
    )


def read_checkpoint(raw: Json) -> Checkpoint:
    """Read a scenario's checkpoint."""
    allowed = raw.get("allowed_categories")
    return Checkpoint(
        id=raw["id"],
        performances=tuple(raw["performances"]),
        allowed_categories=None if allowed is None else frozenset(allowed),
        capacity=raw.get("capacity"),
    )


def read_rule(raw: Json) -> PassRule:
    """Read a scenario's rule."""
    match raw["mode"]:
        case "single":
            return Single()
        case "entry_exit":
            return EntryExit()
        case "multi":
            return Multi(total=raw.get("total"), per_day=raw.get("per_day"))
        case mode:
            raise ScenarioError(f"unknown rule mode: {mode}")


def _play(scenario: Json) -> list[str]:
    holdings = PlainHoldings({raw["id"]: read_performance(raw) for raw in scenario["performances"]})
    for raw in scenario["tickets"]:
        ticket_class = TicketClass(raw["category"], read_rule(raw["rule"]))
        ticket = Ticket(as_identifier(raw["number"]), ticket_class, TicketState(raw["state"]))
        # setdefault: of one number brought twice the first counts
        holdings.tickets.setdefault((raw["performance"], ticket.identifier), ticket)
    checkpoints = {raw["id"]: read_checkpoint(raw) for raw in scenario["checkpoints"]}
    history = History()
    answers = []
    facts_a_step = len(holdings.performances) + 1  # so that sequences keep the steps' order
    for number, raw in enumerate(scenario["steps"]):
        if "scan" in raw:
            answers.append(_scan(raw, number * facts_a_step, checkpoints, holdings, history))
        elif "reset" in raw:
            _reset(raw, number * facts_a_step, holdings, history)
        else:
            _change(raw, holdings)
    return answers


def _scan(
    raw: Json,
    sequence: int,
    checkpoints: Mapping[str, Checkpoint],
    holdings: PlainHoldings,
    history: History,
) -> str:
    checkpoint = checkpoints[raw["checkpoint"]]
    direction = Direction(raw["direction"])
    at = instant(raw["at"])
    verdict = judge(
        raw["scan"],
        checkpoint=checkpoint,
        direction=direction,
        now=at,
        holdings=holdings,
        history=history,
    )
    if isinstance(verdict, Grant) and raw.get("passes", True):
        history.add(
            Passage(
                gate=_RUNNER,
                sequence=sequence,
                at=at,
                checkpoint=checkpoint.id,
                performance=verdict.performance,
                identifier=verdict.ticket.identifier,
                direction=direction,
                ticket_class=verdict.ticket.ticket_class,
            )
        )
    return verdict.answer.value


def _reset(raw: Json, sequence: int, holdings: PlainHoldings, history: History) -> None:
    # a reset names a number, not its performance: every performance that knows it forgets
    for offset, performance in enumerate(sorted(holdings.performances), start=1):
        history.add(
            Reset(
                gate=_RUNNER,
                sequence=sequence + offset,
                at=instant(raw["at"]),
                checkpoint=raw["checkpoint"],
                performance=performance,
                identifier=as_identifier(raw["reset"]),
            )
        )


def _change(raw: Json, holdings: PlainHoldings) -> None:
    name = raw["performance"]
    performance = holdings.performances[name]
    if "set_state" in raw:
        key = (name, as_identifier(raw["set_state"]))
        state = TicketState(raw["state"])
        holdings.tickets[key] = replace(holdings.tickets[key], state=state)
    elif "exclude" in raw:
        excluded = frozenset(raw["exclude"])
        holdings.performances[name] = replace(performance, excluded_categories=excluded)
    elif "canceled" in raw:
        holdings.performances[name] = replace(performance, canceled=raw["canceled"])
    else:
        raise ScenarioError(f"unknown step: {sorted(raw)}")


def _report(scenario: Json) -> Json:
    tickets = {
        (raw["performance"], as_identifier(raw["number"])): ListedTicket(
            rule=read_rule(raw["rule"]),
            states=tuple(
                StateChange(
                    None if change["from"] is None else instant(change["from"]),
                    TicketState(change["state"]),
                )
                for change in raw.get("states", ())
            ),
        )
        for raw in reversed(scenario["tickets"])  # of one number brought twice the first counts
    }
    report = reconcile(
        {raw["id"]: read_performance(raw) for raw in scenario["performances"]},
        [raw["id"] for raw in scenario["checkpoints"]],
        tickets,
        [read_fact(raw) for raw in scenario["facts"]],
    )
    return {
        "anomalies": [
            {
                "gate": anomaly.passage.gate,
                "sequence": anomaly.passage.sequence,
                "reason": anomaly.reason.value,
            }
            for anomaly in report.anomalies
        ],
        "occupancy": dict(report.occupancy),
        "attendance": dict(report.attendance),
    }


def read_fact(raw: Json) -> Fact:
    """Read a scenario's fact."""
    where = {
        "gate": raw["gate"],
        "sequence": raw["sequence"],
        "at": instant(raw["at"]),
        "checkpoint": raw["checkpoint"],
    }
    match raw["kind"]:
        case "passage":
            return Passage(
                **where,
                performance=raw["performance"],
                identifier=as_identifier(raw["number"]),
                direction=Direction(raw["direction"]),
                override=bool(raw.get("override", False)),
            )
        case "reset":
            return Reset(
                **where,
                performance=raw["performance"],
                identifier=as_identifier(raw["number"]),
            )
        case "free":
            return FreeCrossing(**where, direction=Direction(raw["direction"]))
        case kind:
            raise ScenarioError(f"unknown kind of fact: {kind}")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.add_argument("kind", choices=("rules", "reconcile"), help="which scenarios FILE holds")
    parser.add_argument("file", type=Path, metavar="FILE", help="a scenario file")


def run(arguments: argparse.Namespace) -> int:
    """Run the command; see the module's text."""
    runner = run_rules if arguments.kind == "rules" else run_reconcile
    try:
        result = runner(read_scenarios(arguments.file))
    except (KeyError, TypeError, ValueError) as exc:  # a ScenarioError is a ValueError
        problem = f"missing field {exc}" if isinstance(exc, KeyError) else str(exc)
        print(f"portillon conformance: {arguments.file}: {problem}", file=sys.stderr)
        return 1
    json.dump(result, sys.stdout)  # ASCII: it prints whatever the locale, and lone surrogates too
    print()
    return 0
