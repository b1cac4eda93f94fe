"""A gate whose clock stands in 1970, at its software's date, or years ahead: it opens all the same.

A container has its host's clock and may not set it. So the gate and the units of its clock are told
another one by libfaketime, and the caretaker's wish to set the clock is refused, as on a machine
whose kernel will not: the worst that can be.
"""

import json

import pytest

from booted import Booted
from caretaker.clock_saving import saved_in
from gate_in_container import GATE, LANE_TOML, said, show, wait_said
from tests.container.conftest import AT_RUN_TIME

pytestmark = [pytest.mark.slow, pytest.mark.container]
CLOCK = "portillon-time-restore.service"
GATE_TOML = 'server = "http://127.0.0.1:8443"\n' + LANE_TOML
IN_1970 = "@1970-01-01 00:10:00"
TEN_YEARS_AHEAD = "+3653d"
FAKED = """\
[Service]
Environment=LD_PRELOAD=/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1
Environment="FAKETIME={time}"
Environment=DONT_FAKE_MONOTONIC=1
"""


def start(image, card, tmp_path, faketime):
    """Turn a machine on whose clock says something else than it is."""
    units = tmp_path / "units"
    (units / "portillon-.service.d").mkdir(parents=True)
    (units / "portillon-.service.d/90-clock.conf").write_text(FAKED.format(time=faketime))
    (card.folder / "boot/gate.toml").write_text(GATE_TOML)
    binds = {**card.binds, f"/{AT_RUN_TIME}": units}
    return Booted(image, tmp_path / "machine", binds, volatile="state")


def says(machine, path):
    return json.loads(machine.run("cat", path).stdout)


def admits_once(image, card, venue, folder, faketime, failed):
    """Start the machine twice, the power cut between: a ticket goes in once, whatever the clock."""
    folder.mkdir()
    with start(image, card, folder / "first", faketime) as machine:
        machine.wait_active(GATE)
        assert machine.failed == failed
        show(machine, folder, venue.tickets[0], 1)
        wait_said(machine, "answer='granted'")
        status = says(machine, "/run/portillon-gate/status.json")
        assert (status["ready"], status["faults"]) == (True, ["GT-CLK"])  # and everybody can see it
    with start(image, card, folder / "second", faketime) as machine:
        machine.wait_active(GATE)
        show(machine, folder, venue.tickets[0], 2)
        wait_said(machine, "answer='already_used'")
        assert said(machine, "answer='granted'") == []
        return machine.journal(CLOCK), says_of_clock(machine)


def says_of_clock(machine):
    found = machine.run("cat", "/run/portillon-care/clock.json", check=False)
    return json.loads(found.stdout) if not found.returncode else None


def test_in_1970_a_gate_admits_once_and_says_that_nobody_vouches_for_its_time(
    image, enrolled, venue, tmp_path
):
    words, clock = admits_once(image, enrolled, venue, tmp_path / "w", IN_1970, [CLOCK])
    assert "the clock cannot be set" in words
    assert clock is None


def test_ten_years_ahead_a_gate_admits_once_and_that_time_is_never_kept(
    image, enrolled, venue, tmp_path
):
    words, clock = admits_once(image, enrolled, venue, tmp_path / "w", TEN_YEARS_AHEAD, [])
    assert "cannot" not in words
    assert (clock["quality"], clock["error_ms"], clock["set_by_ms"]) == ("floor", None, 0)
    with start(image, enrolled, tmp_path / "orderly", TEN_YEARS_AHEAD) as machine:
        machine.turn_off()
    assert saved_in(enrolled.folder / "care/clock") is None


def test_without_any_word_of_the_time_it_is_the_softwares_date_at_least(
    image, enrolled, venue, tmp_path
):
    _, clock = admits_once(image, enrolled, venue, tmp_path / "w", "+0", [])
    assert (clock["quality"], clock["error_ms"], clock["set_by_ms"]) == ("floor", None, 0)


def test_a_time_that_was_saved_in_good_order_is_found_again(image, enrolled, tmp_path):
    with start(image, enrolled, tmp_path / "first", "+1h") as machine:
        machine.wait_active(GATE)
        machine.turn_off()
    saved = saved_in(enrolled.folder / "care/clock")
    with start(image, enrolled, tmp_path / "second", "+2h") as machine:
        machine.wait_active(GATE)
        assert machine.failed == []
        clock = says_of_clock(machine)
    assert (clock["quality"], clock["set_by_ms"]) == ("saved", 0)
    assert clock["wall_ms"] > saved.wall_ms
