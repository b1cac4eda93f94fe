"""How the daemons' logs look: an event and its fields, as text for people or JSON for machines."""

import json
import logging
from typing import Final

_OWN: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def fields_of(record: logging.LogRecord) -> dict[str, object]:
    """Give what was passed as `extra`."""
    return {name: value for name, value in vars(record).items() if name not in _OWN}


class TextLines(logging.Formatter):
    """`12:00:01 WARNING gate reader lost reader=camera retry_s=2.0`."""

    def format(self, record: logging.LogRecord) -> str:
        """Write one record."""
        at = self.formatTime(record, "%H:%M:%S")
        fields = "".join(f" {name}={value!r}" for name, value in fields_of(record).items())
        line = f"{at} {record.levelname} {record.name} {record.getMessage()}{fields}"
        return line + ("\n" + self.formatException(record.exc_info) if record.exc_info else "")


class JsonLines(logging.Formatter):
    """One JSON object a line: at, level, logger, event, and the fields."""

    def format(self, record: logging.LogRecord) -> str:
        """Write one record."""
        document: dict[str, object] = {
            "at": record.created,
            "level": record.levelname,
            "logger": record.name,
            "event": record.getMessage(),
            **fields_of(record),
        }
        if record.exc_info:
            document["exception"] = self.formatException(record.exc_info)
        return json.dumps(document, ensure_ascii=False, default=str)


def set_up(style: str) -> None:
    """Send all logs to standard error.

    Args:
        style: `text` or `json`.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines() if style == "json" else TextLines())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)
