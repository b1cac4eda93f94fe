"""Whether a reader's device is there, told to the log once for each change. Called by readers."""

import logging

log = logging.getLogger(__name__)


class Presence:
    """Remembers whether a device is there.

    Args:
        reader: the reader's configured name, for the log.
    """

    def __init__(self, reader: str) -> None:
        self._reader = reader
        self._is_here: bool | None = None
        self._why = ""

    @property
    def is_here(self) -> bool:
        """Whether the device gave a sign of life since it was last lost."""
        return self._is_here is True

    @property
    def why(self) -> str:
        """Why the device is gone; "" where it is not."""
        return self._why if self._is_here is False else ""

    def here(self) -> None:
        """Note a sign of life."""
        if not self.is_here:
            log.info("reader is there", extra={"reader": self._reader})
        self._is_here = True

    def lost(self, why: str, retry_s: float) -> None:
        """Note that the device is gone, or was never there."""
        if self._is_here is not False:
            log.warning(
                "reader lost", extra={"reader": self._reader, "why": why, "retry_s": retry_s}
            )
        self._is_here = False
        self._why = why

    def closed(self) -> None:
        """Note that nobody wants the device any more; this is no fault and not logged."""
        self._is_here = None
