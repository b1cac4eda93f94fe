"""From a code that a scanner sent to a scan that the gate answers. Called by scanners' readers.

Drops what the scanner only repeats and what comes faster than people can; looks at the rest for
codes that set up scanners, which are answered like any other and counted.
"""

import logging
from typing import Final

from admission.scan import Direction
from appliance.ports import Payload
from appliance.readers.debounce import Debounce
from appliance.readers.flood import TokenBucket
from appliance.readers.setup_codes import is_setup_code

log = logging.getLogger(__name__)

_NS_PER_S: Final = 1_000_000_000


class NewScans:
    """Tells a reader's new scans from everything else.

    Args:
        reader: its configured name.
        direction: the way it lets people go.
        duplicates_s: seconds within which a scanner's repeating of a code is not a new scan.
    """

    def __init__(self, reader: str, direction: Direction, duplicates_s: float) -> None:
        """Know of no code yet."""
        self._reader = reader
        self._direction = direction
        window_ns = round(duplicates_s * _NS_PER_S)
        self._debounce = Debounce[bytes](window_ns=window_ns, replaced_ns=window_ns)
        self._bucket = TokenBucket()
        self._setup_codes = 0

    @property
    def counts(self) -> dict[str, int]:
        """What was dropped, and what looked like a setup code."""
        return {"flooded": self._bucket.dropped, "setup_codes": self._setup_codes}

    def take(self, data: bytes, symbology: str, received_ns: int) -> Payload | None:
        """Give the payload of a code, or None where it is no new scan."""
        if not self._debounce.see([data], received_ns):
            return None
        if not self._bucket.admit(received_ns):
            self._debounce.forget(data)  # it was not handed on, so it is no duplicate
            return None
        if is_setup_code(data):
            self._setup_codes += 1
            log.warning("reader read what looks like a setup code", extra={"reader": self._reader})
        return Payload(self._reader, self._direction, data, symbology, received_ns)
