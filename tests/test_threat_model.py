"""The threat model names tests that exist, and no threat without one."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs/threat-model.md").read_text("utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in PAGE.splitlines()
    if line.startswith("| ") and not line.startswith(("| threat", "| ---"))
]


def test_every_threat_has_prevention_detection_rest_and_a_test():
    assert len(ROWS) > 40
    assert [row[0] for row in ROWS if len(row) != 5 or not all(row)] == []
    assert [row[0] for row in ROWS if "`" not in row[4]] == []


def test_every_test_it_names_is_there():
    named = [one for row in ROWS for one in re.findall(r"`([^`]+)`", row[4])]
    assert [one for one in named if not _is_there(one)] == []


def _is_there(named):
    path, _, name = named.partition("::")
    file = ROOT / path
    return file.is_file() and (not name or re.search(rf"\b{name}\b", file.read_text("utf-8")))
