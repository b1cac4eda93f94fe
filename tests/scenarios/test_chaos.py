"""Everything at once against the real daemons, for a short while; `make chaos` does it for minutes.

Server and gates run in network namespaces and on small disks of their own: kill -9, cut cables
and sites, lost packets, half-open connections, full disks, stepped clocks, a copied card. In the
end the turnstiles' own books, the gates' journals, the server's and its report are one truth.
"""

import subprocess
import sys
from pathlib import Path

import pytest

TRIAL = Path(__file__).parent.parent / "support" / "chaos_trial.py"

pytestmark = [pytest.mark.chaos, pytest.mark.slow]


@pytest.mark.parametrize("seed", [1, 2])
def test_chaos_costs_no_passage(tmp_path, seed):
    words = ["--seconds", "25", "--gates", "4", "--seed", str(seed), "--folder", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, TRIAL, *words], capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr
