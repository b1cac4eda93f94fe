"""What must hold for any bytes that somebody hands in as a board's report."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from appliance.errors import ApplianceError
from appliance.hardware_report import Answered, Report, as_text, checked, signed, written
from appliance.physical_checks import Answer

KEY = bytes(range(32))


def hardware_report(data: bytes, attempt: Callable[..., Any]) -> None:
    """Read it, unsigned and as what a gate signed; show it where it can be read."""
    for raw in (data, signed(data, KEY) if len(data) < 1 << 14 else data):
        read = attempt((ApplianceError,), checked, raw)
        if read is not None:
            attempt((ApplianceError,), as_text, read[0])


def reports() -> dict[str, bytes]:
    """Give some that are good."""
    now = datetime(2026, 12, 1, tzinfo=UTC)
    said = [Answered("arm", Answer.YES, "once")]
    body = written(Report(now, "0.1.0", b"", {"board": {"model": "Pi"}}, [], [], said))
    return {"unsigned": body, "signed": signed(body, KEY)}
