"""Each line of the daemons' sandboxes, by an act that it forbids and that works without it."""

import json
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.container]
FORBIDDEN = Path(__file__).parent / "inside/forbidden.py"
# By root's own word, so that it is the sandbox that refuses and not the user's rights.
AS_ROOT = """\
[Service]
Type=oneshot
User=root
Group=root
Restart=no
WatchdogSec=0
ExecStart=
ExecStart=/usr/bin/python3 -IB /usr/lib/forbidden.py
ExecStopPost=
StandardOutput=truncate:/run/portillon-found/{name}
"""
# What is hidden from a user's eyes is not hidden from root's.
AS_ITSELF = """\
[Service]
User={user}
Group={user}
ExecStart=
ExecStart=/usr/bin/python3 -IB /usr/lib/forbidden.py "{act}"
StandardOutput=truncate:/run/portillon-found/{name}
"""
FREELY = "without-a-sandbox"
BY_USERS = "see the first process"
FREE = """\
[Service]
Type=oneshot
ExecStart=/usr/bin/python3 -IB /usr/lib/forbidden.py
StandardOutput=truncate:/run/portillon-found/without-a-sandbox
"""
UNITS = ("portillon-gate", "portillon-server")


@pytest.fixture(scope="module")
def tried(machine):
    """What came of each act, by unit, and without any sandbox."""
    machine.write("/usr/lib/forbidden.py", FORBIDDEN.read_text())
    for name in ("gate", "server"):
        machine.write(f"/etc/portillon/{name}.toml", "")
    machine.run("mkdir", "-p", "/run/portillon-found", "/var/lib/portillon-care")
    machine.run("touch", "/tmp/portillon-of-everybody")
    machine.write("/run/systemd/system/without-a-sandbox.service", FREE)
    for unit in UNITS:
        probe(machine, unit, "zz-probe", AS_ROOT.format(name=unit))
    found = {unit: run(machine, unit) for unit in UNITS}
    found[FREELY] = run(machine, FREELY)
    for unit in (FREELY, *UNITS):
        user = unit if unit in UNITS else "portillon-gate"
        text = AS_ITSELF.format(name=unit, user=user, act=BY_USERS)
        probe(machine, unit, "zzz-probe", text)
        found[unit] |= run(machine, unit)
    return found


def probe(machine, unit, name, text):
    machine.write(f"/run/systemd/system/{unit}.service.d/{name}.conf", text)
    machine.run("systemctl", "daemon-reload")


def run(machine, unit):
    machine.run("systemctl", "start", f"{unit}.service")
    return json.loads(machine.run("cat", f"/run/portillon-found/{unit}").stdout)


def acts():
    names = {}
    exec(compile(FORBIDDEN.read_text().replace("\nmain()\n", "\n"), "forbidden", "exec"), names)
    return list(names["ACTS"])


@pytest.mark.parametrize("act", acts())
def test_it_works_without_a_sandbox(tried, act):
    assert tried[FREELY][act] == "done"


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("act", acts())
def test_a_sandbox_forbids_it(tried, unit, act):
    assert tried[unit][act] != "done"
