"""The checklist that people print is the report's, word for word; and the format is told."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

from appliance.hardware_report import PAYLOAD_TYPE, Answered, Report, written
from appliance.page_ports import CheckLine, CheckOutcome
from appliance.physical_checks import PHYSICAL_CHECKS, Answer

DOCS = Path(__file__).resolve().parent.parent / "docs" / "operations"


def test_the_document_has_each_check_in_its_words_and_no_other():
    rows = [
        tuple(cell.strip(" `") for cell in line.strip("|").split(" | ")[1:])
        for line in (DOCS / "physical-checklist.md").read_text("utf-8").splitlines()
        if line.startswith("| ☐ |")
    ]
    assert rows == [(check.name, check.do, check.ask) for check in PHYSICAL_CHECKS]


def test_every_check_has_a_name_of_its_own_and_a_question():
    assert len({check.name for check in PHYSICAL_CHECKS}) == len(PHYSICAL_CHECKS)
    assert all("?" in check.ask and check.do.endswith(".") for check in PHYSICAL_CHECKS)


def test_the_documented_format_names_every_field_and_answer():
    page = (DOCS / "hardware-report.md").read_text("utf-8")
    lines = [CheckLine("card", "GT-DSK", CheckOutcome.GOOD)]
    answers = [Answered("arm", Answer.YES)]
    at = datetime(2026, 12, 1, tzinfo=UTC)
    document = json.loads(written(Report(at, "0.1.0", b"", {}, lines, [], answers)))
    fields = {*document, *document["checks"][0], *document["answers"][0]}
    fields |= {answer.value for answer in Answer} | {outcome.value for outcome in CheckOutcome}
    assert fields - set(re.findall(r"`([a-z_]+)`", page)) == set()
    assert PAYLOAD_TYPE in page
