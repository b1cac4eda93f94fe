"""Slow proofs run again when what they prove has changed, and only then."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tools"))

import slow_tiers  # noqa: E402

RECORD = """\
# told to people
[disk]
command = "make disk"
files = ["store", "one.py"]
passed = ""
note = ""

[radio]
command = "make radio"
files = ["two.py"]
passed = "aa"
note = "long ago"
"""
KEPT = ["one.py", "store/a.py", "store/deep/b.py", "storeroom.py", "two.py"]


def test_a_tier_has_its_files_and_all_in_its_folders():
    disk, radio = slow_tiers.tiers(RECORD)
    assert slow_tiers.of_tier(disk, KEPT) == ["one.py", "store/a.py", "store/deep/b.py"]
    assert slow_tiers.of_tier(radio, KEPT) == ["two.py"]


def test_a_path_that_names_nothing_is_refused():
    disk, _ = slow_tiers.tiers(RECORD)
    with pytest.raises(ValueError, match=r"disk: no file one\.py"):
        slow_tiers.of_tier(disk, ["store/a.py"])


def test_the_digest_is_another_for_any_byte_and_any_name():
    files = {"a": b"1", "b": b"2"}
    whole = slow_tiers.digest(files, files.__getitem__)
    assert slow_tiers.digest(files, files.__getitem__) == whole
    assert slow_tiers.digest(["a"], files.__getitem__) != whole
    assert slow_tiers.digest(files, {"a": b"1", "b": b"3"}.__getitem__) != whole
    assert slow_tiers.digest(["a", "c"], {"a": b"1", "c": b"2"}.__getitem__) != whole


def test_a_proof_stands_for_the_files_that_it_went_through_with():
    disk, radio = slow_tiers.tiers(RECORD)
    assert slow_tiers.state(disk, "aa") == "never"
    assert slow_tiers.state(radio, "aa") == "stands"
    assert slow_tiers.state(radio, "ab") == "due"


def test_what_a_run_has_shown_is_noted_and_all_else_stays():
    text = slow_tiers.noted(RECORD, "disk", "bb", "today")
    disk, radio = slow_tiers.tiers(text)
    assert (disk.passed, disk.note, disk.command) == ("bb", "today", "make disk")
    assert (radio.passed, radio.note) == ("aa", "long ago")
    assert text.startswith("# told to people\n")
    with pytest.raises(ValueError, match="no tier sound"):
        slow_tiers.noted(RECORD, "sound", "bb", "today")


def tiers_of_the_project() -> tuple[slow_tiers.Tier, ...]:
    return slow_tiers.tiers((ROOT / slow_tiers.RECORD).read_text())


def test_each_tier_of_the_project_is_run_by_make_and_has_files():
    targets = set(
        re.findall(r"^([a-z-][a-z0-9-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    )
    kept = slow_tiers.kept_files()
    for tier in tiers_of_the_project():
        assert tier.command.split()[:1] == ["make"]
        assert tier.command.split()[1] in targets
        assert slow_tiers.of_tier(tier, kept)


def test_a_tiers_own_tests_are_among_its_files():
    kept = slow_tiers.kept_files()
    for tier in tiers_of_the_project():
        chosen = set(slow_tiers.of_tier(tier, kept))
        marked = subprocess.run(
            [
                "git",
                "grep",
                "-l",
                "-E",
                rf"pytestmark = .*pytest\.mark\.{tier.name}\b",
                "--",
                "tests",
            ],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        ).stdout.split()
        if tier.name != "chaos":  # `make chaos` plays longer than its test in the suite does
            assert marked
            assert set(marked) <= chosen, tier.name


def test_the_list_says_of_each_tier_whether_it_stands(capsys):
    assert slow_tiers.main(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in lines] == [tier.name for tier in tiers_of_the_project()]
    assert {line.split()[0] for line in lines} <= {"due", "stands", "never"}


def test_an_unknown_tier_is_named(capsys):
    with pytest.raises(SystemExit):
        slow_tiers.main(["run", "moon"])
    assert "no tier moon" in capsys.readouterr().err
