"""The demonstration, as a new user's `make demo` runs it where standard output is no terminal."""

import subprocess
import sys

import pytest

from portillon.demo.tickets import make_tickets


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """Run it once; give how it ended, and its folder."""
    folder = tmp_path_factory.mktemp("demo") / "demo"
    done = subprocess.run(
        [sys.executable, "-m", "portillon", "demo", "--folder", str(folder)],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    return done, folder


def test_the_demonstration_ends_with_every_answer_right_and_an_exact_report(demo):
    done, _ = demo
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    assert "All answers and the merged report are exact." in done.stdout
    assert "EXPECTED" not in done.stdout


def test_it_tells_of_the_ticket_that_was_let_in_at_both_gates(demo):
    done, _ = demo
    (line,) = [line for line in done.stdout.splitlines() if "anomaly already_used" in line]
    assert "gate A (entry)" in line
    assert "gate B (entry)" in line


def test_it_writes_no_colour_where_there_is_no_terminal(demo):
    done, _ = demo
    assert "\x1b[" not in done.stdout


def test_no_ticket_number_reaches_a_log(demo):
    _, folder = demo
    written = b"".join(path.read_bytes() for path in folder.rglob("*.jsonl"))
    assert b"list installed" in written
    tonight, tomorrow, cast = make_tickets()
    numbers = [row.number for row in (*tonight, *tomorrow)] + [cast.unknown]
    assert not [number for number in numbers if number.encode() in written]
