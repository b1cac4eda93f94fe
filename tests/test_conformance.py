"""The scenarios of docs/rules.md replay to the letter, through the functions and the command."""

import copy
import io
import json
import sys
from itertools import islice
from pathlib import Path

import pytest

from portillon.__main__ import main
from portillon.conformance import (
    ScenarioError,
    instant,
    read_scenarios,
    run_reconcile,
    run_rules,
)

FOLDER = Path(__file__).parent / "conformance"
RULES = sorted(FOLDER.glob("rules-*.json"))
RECONCILE = sorted(FOLDER.glob("reconcile-*.json"))
SCAN = {"at": "2026-07-14T12:00:00Z", "checkpoint": "c", "direction": "entry", "scan": "T1"}
SCENARIO = {
    "performances": [{"id": "p", "timezone": "Europe/Paris"}],
    "checkpoints": [{"id": "c", "performances": ["p"]}],
    "tickets": [
        {
            "number": "T1",
            "performance": "p",
            "category": "x",
            "state": "valid",
            "rule": {"mode": "single"},
        }
    ],
    "steps": [SCAN],
}


def expected_answers(scenarios):
    return [
        [step["expect"] for step in scenario["steps"] if "scan" in step] for scenario in scenarios
    ]


def without_expectations(kind, scenarios):
    bare = copy.deepcopy(scenarios)
    for scenario in bare:
        scenario.pop("expect", None)
        if kind == "rules":
            for step in scenario["steps"]:
                step.pop("expect", None)
    return bare


def as_file(tmp_path, scenarios):
    path = tmp_path / "scenarios.json"
    path.write_text(json.dumps({"format": 1, "scenarios": scenarios}), "utf-8")
    return path


def test_there_are_scenarios_to_replay():
    assert len(RULES) >= 3
    assert len(RECONCILE) >= 2
    for path in (*RULES, *RECONCILE):
        assert len(read_scenarios(path)) >= 50


@pytest.mark.parametrize("path", RULES, ids=lambda path: path.stem)
def test_every_scan_gets_the_answer_that_is_written(path):
    scenarios = read_scenarios(path)
    names = [scenario["name"] for scenario in scenarios]
    answers = run_rules(scenarios)
    assert dict(zip(names, answers["answers"], strict=True)) == dict(
        zip(names, expected_answers(scenarios), strict=True)
    )
    assert answers["format"] == 1


@pytest.mark.parametrize("path", RECONCILE, ids=lambda path: path.stem)
def test_every_set_of_facts_comes_to_the_report_that_is_written(path):
    scenarios = read_scenarios(path)
    reports = run_reconcile(scenarios)
    assert reports == {"format": 1, "reports": [scenario["expect"] for scenario in scenarios]}


@pytest.mark.parametrize("path", RECONCILE, ids=lambda path: path.stem)
def test_the_order_in_which_a_scenarios_facts_arrive_does_not_matter(path):
    scenarios = read_scenarios(path)
    report = json.dumps(run_reconcile(scenarios))
    for scenario in scenarios:
        scenario["facts"] = [*scenario["facts"][::-2], *scenario["facts"]]
    assert json.dumps(run_reconcile(scenarios)) == report


@pytest.mark.parametrize("path", [*RULES, *RECONCILE], ids=lambda path: path.stem)
def test_the_command_prints_what_is_written_also_where_nothing_is_expected(path, tmp_path, capsys):
    kind = path.stem.partition("-")[0]
    scenarios = read_scenarios(path)
    assert main(["conformance", kind, str(path)]) == 0
    printed = capsys.readouterr().out
    expected = (
        {"answers": expected_answers(scenarios)}
        if kind == "rules"
        else {"reports": [scenario["expect"] for scenario in scenarios]}
    )
    assert json.loads(printed) == {"format": 1, **expected}
    bare = as_file(tmp_path, without_expectations(kind, scenarios))
    assert b"expect" not in bare.read_bytes()
    assert main(["conformance", kind, str(bare)]) == 0
    assert capsys.readouterr() == (printed, "")


# --- the runner -------------------------------------------------------------------------------


def test_an_instant_needs_an_offset_and_digits_beyond_microseconds_are_cut_off():
    assert instant("2026-07-14T12:00:00.1234569+02:00") == instant("2026-07-14T10:00:00.123456Z")
    with pytest.raises(ScenarioError, match="without an offset"):
        instant("2026-07-14T12:00:00")


def test_steps_at_one_instant_keep_their_order():
    enter = {**SCAN, "scan": "T1"}
    forget = {"at": SCAN["at"], "checkpoint": "c", "reset": "T1"}
    scenario = {**SCENARIO, "steps": [enter, enter, forget, enter, enter]}
    assert run_rules([scenario])["answers"] == [
        ["granted", "already_used", "granted", "already_used"]
    ]


def test_who_was_admitted_and_did_not_go_uses_nothing_up():
    scenario = {**SCENARIO, "steps": [{**SCAN, "passes": False}, SCAN, SCAN]}
    assert run_rules([scenario])["answers"] == [["granted", "granted", "already_used"]]


def test_states_filters_and_cancellations_change_with_the_steps():
    def change(**fields):
        return {"at": SCAN["at"], "performance": "p", **fields}

    steps = [
        change(set_state="T1", state="blocked"),
        SCAN,
        change(set_state="T1", state="valid"),
        change(exclude=["x"]),
        SCAN,
        change(exclude=[]),
        change(canceled=True),
        SCAN,
        change(canceled=False),
        SCAN,
    ]
    assert run_rules([{**SCENARIO, "steps": steps}])["answers"] == [
        ["blocked", "category_excluded", "performance_canceled", "granted"]
    ]


def test_of_one_number_brought_twice_the_first_counts():
    first = SCENARIO["tickets"][0]
    doubled = [{**first, "state": "blocked"}, first]
    scenario = {**SCENARIO, "tickets": doubled}
    assert run_rules([scenario])["answers"] == [["blocked"]]
    fact = {
        "gate": "g",
        "sequence": 1,
        "at": SCAN["at"],
        "checkpoint": "c",
        "kind": "passage",
        "performance": "p",
        "number": "T1",
        "direction": "entry",
    }
    tickets = [
        {**ticket, "states": [{"from": None, "state": ticket["state"]}]} for ticket in doubled
    ]
    report = run_reconcile([{**SCENARIO, "tickets": tickets, "facts": [fact]}])["reports"][0]
    assert report["anomalies"] == [{"gate": "g", "sequence": 1, "reason": "blocked"}]


def test_what_is_printed_is_ascii_whatever_the_names_are(tmp_path, monkeypatch):
    facts = [
        {
            "gate": "g",
            "sequence": 1,
            "at": SCAN["at"],
            "checkpoint": "portail é",
            "kind": "free",
            "direction": "entry",
        }
    ]
    scenario = {**SCENARIO, "checkpoints": [], "tickets": [], "facts": facts}
    printed = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(printed, "ascii"))
    assert main(["conformance", "reconcile", str(as_file(tmp_path, [scenario]))]) == 0
    sys.stdout.flush()
    assert json.loads(printed.getvalue())["reports"][0]["occupancy"] == {"portail é": 1}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b'{"format": 2, "scenarios": []}',
        b'{"format": 1}',
        b'{"format": 1, "scenarios": {}}',
        b'{"format": 1, "scenarios": [{}]}',
    ],
)
def test_what_is_no_scenario_file_is_told_in_a_sentence(content, tmp_path, capsys):
    path = tmp_path / "no scenarios.json"
    path.write_bytes(content)
    for kind in ("rules", "reconcile"):
        assert main(["conformance", kind, str(path)]) == 1
        printed = capsys.readouterr()
        assert printed.out == ""
        assert printed.err.startswith(f"portillon conformance: {path}: ")
        assert "Traceback" not in printed.err


@pytest.mark.parametrize(
    "step",
    [
        {**SCAN, "at": "2026-07-14T12:00:00"},
        {**SCAN, "at": "yesterday"},
        {**SCAN, "direction": "sideways"},
        {**SCAN, "checkpoint": "nowhere"},
        {"at": SCAN["at"], "performance": "p", "set_state": "T9", "state": "valid"},
        {"at": SCAN["at"], "performance": "p", "dance": True},
    ],
)
def test_a_step_that_makes_no_sense_is_told_in_a_sentence(step, tmp_path, capsys):
    path = as_file(tmp_path, [{**SCENARIO, "steps": [step]}])
    assert main(["conformance", "rules", str(path)]) == 1
    assert capsys.readouterr().err.startswith("portillon conformance: ")


def test_a_file_that_is_not_there_is_told_in_a_sentence(tmp_path, capsys):
    assert main(["conformance", "rules", str(tmp_path / "none.json")]) == 1
    assert "none.json" in capsys.readouterr().err


def test_the_scenarios_exercise_every_answer_that_they_can():
    given = {
        answer
        for path in RULES
        for answers in expected_answers(read_scenarios(path))
        for answer in answers
    }
    assert given >= {
        "granted",
        "malformed",
        "unknown_ticket",
        "wrong_performance",
        "performance_canceled",
        "canceled",
        "blocked",
        "exit_not_allowed",
        "already_used",
        "already_inside",
        "not_inside",
        "no_passes_left",
        "daily_limit_reached",
        "category_excluded",
        "wrong_checkpoint",
        "not_yet_valid",
        "no_longer_valid",
        "full",
    }


def test_a_scenario_is_played_on_its_own():
    scenarios = list(islice(read_scenarios(RULES[0]), 5))
    alone = [run_rules([scenario])["answers"][0] for scenario in scenarios]
    assert run_rules(scenarios)["answers"] == alone
