"""Every benchmark still runs: with little to do, and nothing of its figures looked at."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SMALL = {
    "scan_to_journal.py": ["--scans", "20", "1000"],
    "gate_memory.py": ["1000"],
    "million_tickets.py": ["2000"],
    "list_update.py": ["20000"],
    "self_proving.py": [],
    "hostile_payloads.py": [],
    "serial_to_relay.py": ["--scans", "3", "--tickets", "100"],
    "refusal_at_the_other_gate.py": ["--scans", "5", "3"],
    "simulated_events.py": ["--worlds", "1", "--rounds", "1"],
    "catch_up.py": ["--passages", "20", "--alone", "5", "--rounds", "1", "0", "5"],
    "decoder_process.py": ["--rounds", "10"],
    "photos.py": [],
    "gate_scenes.py": ["--scenes", "1", "--seconds", "0.2"],
    "refusal_over_the_lan.py": ["--grants", "10"],
}


def test_every_benchmark_is_tried():
    assert {path.name for path in (ROOT / "benchmarks").glob("*.py")} == set(SMALL)


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_it_runs_to_its_end(name, tmp_path):
    script = ROOT / "benchmarks" / name
    done = subprocess.run(
        [sys.executable, str(script), *SMALL[name]],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout
