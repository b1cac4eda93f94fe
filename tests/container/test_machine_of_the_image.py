"""A gate's machine as the image has it: a read-only system, a card, and all its units.

Each boot is a start of the same machine: power is cut, and what lies on the card is what is left.
A container cannot set the clock: that the caretaker would is seen by its being refused.
"""

import json
import os
import re
import stat
import time
from pathlib import Path

import pytest

from admission.sync.enrolment_link import HEAD
from booted import Booted
from caretaker.clock_saving import saved_in
from caretaker.saved_clock import Saved, write_saved
from gate_in_container import (
    GATE,
    LANE_TOML,
    said,
    show,
    wait_file,
    wait_said,
)

pytestmark = [pytest.mark.slow, pytest.mark.container]
CLOCK = "portillon-time-restore.service"
DAY_MS = 86_400_000
RESULT = "gate-result.txt"
GATE_TOML = 'server = "http://127.0.0.1:8443"\n' + LANE_TOML
# What Debian has to have them for; each takes a right that its caller lacks.
SETUID = {
    "usr/bin/chage", "usr/bin/chfn", "usr/bin/chsh", "usr/bin/expiry", "usr/bin/gpasswd",
    "usr/bin/mount", "usr/bin/newgrp", "usr/bin/passwd", "usr/bin/su", "usr/bin/umount",
    "usr/lib/dbus-1.0/dbus-daemon-launch-helper", "usr/sbin/unix_chkpwd",
}  # fmt: skip


def start(image, card, tmp_path, name="machine"):
    """Turn the machine on."""
    return Booted(image, tmp_path / name, card.binds, volatile="state")


def outcome(machine):
    return json.loads(machine.run("cat", "/run/portillon-care/machine.json").stdout)["provision"]


def test_a_new_card_starts_with_no_failed_unit_and_awaits_its_file(image, blank, tmp_path):
    with start(image, blank, tmp_path) as machine:
        assert machine.failed == []
        assert "ordering cycle" not in machine.run("journalctl", "--no-pager").stdout
        assert machine.shows(GATE, "ActiveState", "ConditionResult") == {
            "ActiveState": "inactive",
            "ConditionResult": "no",
        }
        for folder in ("/usr", "/etc", "/etc/systemd/system"):
            touched = machine.run("touch", f"{folder}/here", check=False)
            assert "Read-only file system" in touched.stderr
        machine.run("touch", "/var/here")  # which is what the same does where it may
        clock = json.loads(machine.run("cat", "/run/portillon-care/clock.json").stdout)
        assert clock["quality"] in {"floor", "saved", "rtc"}
        machine.turn_off()
    saved = saved_in(blank.folder / "care/clock")  # an orderly stop saves the time
    assert saved is not None
    assert abs(saved.wall_ms - time.time_ns() // 1_000_000) < DAY_MS


def test_a_card_is_made_a_gate_by_its_file_and_admits_offline(image, enrolled, venue, tmp_path):
    boot = enrolled.folder / "boot"
    (boot / "gate.toml").write_bytes(b"\xef\xbb\xbf" + GATE_TOML.replace("\n", "\r\n").encode())
    with start(image, enrolled, tmp_path) as machine:
        machine.wait_active(GATE)
        assert machine.failed == []
        assert outcome(machine)["outcome"] == "applied"
        show(machine, tmp_path, venue.tickets[0], 1)
        wait_said(machine, "answer='granted'")
    # The power was cut. What was admitted stays admitted, by the journal on the card.
    with start(image, enrolled, tmp_path, "again") as machine:
        machine.wait_active(GATE)
        assert machine.failed == []
        show(machine, tmp_path, venue.tickets[0], 2)
        wait_said(machine, "answer='already_used'")
        assert said(machine, "answer='granted'") == []


def test_a_file_that_cannot_be_is_refused_by_line_and_the_gate_goes_on(image, enrolled, tmp_path):
    boot = enrolled.folder / "boot"
    (boot / "gate.toml").write_text(GATE_TOML)
    with start(image, enrolled, tmp_path) as machine:
        machine.wait_active(GATE)
        before = machine.shows(GATE, "MainPID")
        written = (enrolled.folder / "config/gate.toml").read_bytes()
        wrong = GATE_TOML + "[machine]\nnmae = 'x'\n"
        (boot / "gate.toml").write_text(wrong)  # in place, as an editor on the partition does
        line = wrong.splitlines().index("nmae = 'x'") + 1
        told = wait_file(boot / RESULT, "nmae")
        assert re.search(rf"\b{line}\b", told)
        assert outcome(machine)["outcome"] == "refused"
        assert machine.shows(GATE, "MainPID") == before
        assert (enrolled.folder / "config/gate.toml").read_bytes() == written
        assert machine.failed == []


def test_a_file_on_a_running_gate_is_applied_and_the_gate_reads_it(image, enrolled, tmp_path):
    boot = enrolled.folder / "boot"
    (boot / "gate.toml").write_text(GATE_TOML)
    with start(image, enrolled, tmp_path) as machine:
        machine.wait_active(GATE)
        before = machine.shows(GATE, "MainPID")
        (boot / "gate.toml").write_text(
            GATE_TOML.replace('"outside"', '"door"') + '[machine]\nname = "door-1"\n'
        )
        wait_file(boot / RESULT, "door-1")
        end = time.monotonic() + 20
        while machine.shows(GATE, "MainPID")["MainPID"] in (before["MainPID"], "0"):
            assert time.monotonic() < end, machine.journal(GATE)
            time.sleep(0.05)
        machine.wait_active(GATE)
        assert machine.run("uname", "-n").stdout.strip() == "door-1"
        assert machine.failed == []


def test_a_secret_is_off_the_card_once_it_is_kept(image, blank, tmp_path):
    code = f"{HEAD}v=1&server=https://10.0.0.5:8080&code=ABCD-EFGH-JKMN-PQRS"
    gate = GATE_TOML.replace('server = "http://127.0.0.1:8443"\n', "")
    (blank.folder / "boot/gate.toml").write_text(gate + f'[machine]\nenrol = "{code}"\n')
    with start(image, blank, tmp_path) as machine:
        assert outcome(machine)["outcome"] == "applied"
        machine.wait_active(GATE)
        assert machine.failed == []
    assert "ABCD-EFGH" not in (blank.folder / "boot/gate.toml").read_text()
    assert "ABCD-EFGH" not in (blank.folder / "boot" / RESULT).read_text()
    kept = blank.folder / "gate/enrol.link"
    assert (kept.stat().st_uid, stat.S_IMODE(kept.stat().st_mode)) == (blank.user, 0o600)
    assert "ABCD-EFGH" in kept.read_text()


def test_a_gate_starts_all_the_same_where_the_clock_cannot_be_set(image, enrolled, tmp_path):
    ahead = Saved(time.time_ns() // 1_000_000 + DAY_MS)
    (enrolled.folder / "care/clock").write_bytes(write_saved(ahead))
    (enrolled.folder / "boot/gate.toml").write_text(GATE_TOML)
    with start(image, enrolled, tmp_path) as machine:
        machine.wait_active(GATE)
        assert machine.failed == [CLOCK]
        assert "the clock cannot be set" in machine.journal(CLOCK)


@pytest.mark.parametrize(
    "kept",
    [None, b"torn off", write_saved(Saved(4_000_000_000_000))],
    ids=["none", "torn", "in 2096"],
)
def test_a_saved_time_that_cannot_be_is_none(image, blank, tmp_path, kept):
    if kept is not None:
        (blank.folder / "care/clock").write_bytes(kept)
    with start(image, blank, tmp_path) as machine:
        assert machine.failed == []
        clock = json.loads(machine.run("cat", "/run/portillon-care/clock.json").stdout)
        assert (clock["quality"], clock["set_by_ms"]) == ("floor", 0)


def fail_the_gate(machine):
    machine.write(
        f"/run/systemd/system/{GATE}.d/broken.conf",
        "[Service]\nType=exec\nExecStart=\nExecStart=/bin/false\nExecStopPost=\nRestartSec=0\n",
    )
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "restart", GATE, check=False)


def test_a_gate_that_never_starts_has_its_machine_started_anew(image, enrolled, tmp_path):
    (enrolled.folder / "boot/gate.toml").write_text(GATE_TOML)
    noted = enrolled.folder / "care/reboots.json"
    with start(image, enrolled, tmp_path) as machine:
        machine.wait_active(GATE)
        fail_the_gate(machine)
        machine.wait_restarts_itself()
    assert len(json.loads(noted.read_text())["reboots_ms"]) == 1


def test_after_three_in_an_hour_the_gate_alone_is_tried_again(image, enrolled, tmp_path):
    (enrolled.folder / "boot/gate.toml").write_text(GATE_TOML)
    now_ms = time.time_ns() // 1_000_000
    noted = enrolled.folder / "care/reboots.json"
    noted.write_text(
        json.dumps({"format": 1, "reboots_ms": [now_ms - 1000 * n for n in (3, 2, 1)]})
    )
    with start(image, enrolled, tmp_path) as machine:
        machine.wait_active(GATE)
        fail_the_gate(machine)
        # the timer is set at the first failure, before anybody knows whether it is the last
        machine.wait_active("portillon-gate-retry.timer")
        machine.wait(["systemctl", "is-failed", "--quiet", GATE], {0})
        assert "Start request repeated too quickly" in machine.journal(GATE)
        assert len(json.loads(noted.read_text())["reboots_ms"]) == 3


def test_a_machine_in_emergency_says_why_and_starts_anew(image, enrolled, tmp_path):
    """Where systemd would ask for root's password, at a keyboard that no gate has."""
    noted = enrolled.folder / "care/reboots.json"
    with start(image, enrolled, tmp_path) as machine:
        broken = "[Mount]\nWhat=/dev/none\nWhere=/mnt\nType=ext4\n"
        machine.write("/run/systemd/system/mnt.mount", broken)
        machine.run("systemctl", "start", "mnt.mount", check=False)
        machine.run("systemctl", "--no-block", "isolate", "emergency.target")
        told = ["sh", "-c", "journalctl -o cat -u emergency.service | grep 'started anew in 30 s'"]
        machine.wait(told, {0})
        assert "did not start: mnt.mount" in machine.journal("emergency.service")
        machine.wait_restarts_itself()
    assert len(json.loads(noted.read_text())["reboots_ms"]) == 1


def files_of(root: Path):
    for folder, _, names in os.walk(root):
        for name in ("", *names):
            path = Path(folder, name)
            yield path, path.lstat()


def test_nothing_in_it_lends_rights_but_what_debian_needs(image):
    lending = {
        str(path.relative_to(image))
        for path, found in files_of(image)
        if stat.S_ISREG(found.st_mode) and found.st_mode & (stat.S_ISUID | stat.S_ISGID)
    }
    assert lending <= SETUID
    assert "usr/bin/su" in lending  # which shows that they are seen


def test_nothing_in_it_is_everybodys_or_nobodys(image):
    numbers = {
        kind: {int(line.split(":")[2]) for line in (image / "etc" / kind).read_text().splitlines()}
        for kind in ("passwd", "group")
    }
    writable, unowned = [], []
    for path, found in files_of(image):
        is_sticky = stat.S_ISDIR(found.st_mode) and found.st_mode & stat.S_ISVTX
        is_node = stat.S_ISCHR(found.st_mode) or stat.S_ISLNK(found.st_mode)
        if found.st_mode & stat.S_IWOTH and not (is_sticky or is_node):
            writable.append(path)
        if found.st_uid not in numbers["passwd"] or found.st_gid not in numbers["group"]:
            unowned.append(path)
    assert (writable, unowned) == ([], [])


def test_nothing_in_it_is_one_machines_own(image):
    assert (image / "etc/machine-id").read_text() == ""
    assert list((image / "etc").glob("ssh/ssh_host_*")) == []
    assert list((image / "var/lib").glob("portillon-*/*")) == []
    root = next(
        line for line in (image / "etc/shadow").read_text().splitlines() if line.startswith("root:")
    )
    assert root.split(":")[1] in {"*", "!", "!*"}  # nobody logs in by a password
