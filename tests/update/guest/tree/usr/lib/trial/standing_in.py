"""A stand-in for the gate: writes status.json, as one that serves, or never does."""

import json
import time
from pathlib import Path

FILE = Path("/run/portillon-gate/status.json")
IS_SICK = Path("/usr/lib/trial/sick").exists()

while True:
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip().replace("-", "")
    said = {
        "format": 1,
        "version": "0.0.0",
        "written_ms": time.time_ns() // 1_000_000,
        "boot_id": boot,
        "ready": not IS_SICK,
        "faults": ["GT-RLY"] if IS_SICK else [],
        "tickets": 7,
        "lists": [],
        "server_reached_ms": None,
        "last_scan_ms": None,
        "on_until_ms": None,
    }
    unfinished = FILE.with_suffix(".part")
    unfinished.write_text(json.dumps(said))
    unfinished.replace(FILE)
    time.sleep(1)
