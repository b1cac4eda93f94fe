"""The page on faults explains every code that a gate can show, and no other."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs/operations/faults.md").read_text("utf-8")
CODE = re.compile(r"GT-[A-Z]+")


def raised() -> set[str]:
    """Give every code that stands in the gate's own modules."""
    return {
        code
        for file in (ROOT / "appliance").rglob("*.py")
        for code in CODE.findall(file.read_text("utf-8"))
    }


def test_every_code_has_its_row_with_what_to_do():
    rows = [line for line in PAGE.splitlines() if line.startswith("| `GT-")]
    assert sorted(row.split("`")[1] for row in rows) == sorted(raised())
    assert all(cell.strip() for row in rows for cell in row.strip("|").split("|"))


def test_every_code_is_explained_on_the_display_in_every_language():
    for file in (ROOT / "appliance/displays/catalogues").rglob("gate.po"):
        known = set(re.findall(r"fault\.(GT-[A-Z]+)\.line", file.read_text("utf-8")))
        assert raised() <= known, file


def test_the_gates_page_says_of_every_code_what_it_is_and_what_to_do():
    for file in (ROOT / "appliance/local_page/catalogues").rglob("local_page.po"):
        text = file.read_text("utf-8")
        for part in ("what", "do"):
            known = set(re.findall(rf'msgid "fault\.(GT-[A-Z]+)\.{part}"', text))
            assert raised() <= known, file
