"""One table of a TOML file, read key by key: what is missing, wrong or unknown is an error.

Called by `config`. Every error names file, key and remedy.
"""

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from appliance.errors import ConfigError

PIN_MAX: Final = 27  # the Pi's header carries GPIO 0 to 27
PIN_FACTORIES: Final = ("lgpio", "gpiod", "mock")
_MISSING: Final = object()


class Section:
    """One table of the file; remembers which keys were asked for.

    Each getter raises ConfigError if what it finds is not what it gives.

    Attributes:
        path: of the file.
        name: of the table, "" for the file itself.
    """

    def __init__(self, path: Path, name: str, raw: Mapping[str, Any]) -> None:
        self.path, self.name, self._raw = path, name, raw
        self._known: set[str] = set()

    def error(self, key: str, problem: str) -> ConfigError:
        """Make the error for a key."""
        where = f"{self.name}.{key}" if self.name else key
        return ConfigError(f"{self.path}: {where}: {problem}")

    def has(self, key: str) -> bool:
        """Tell whether a key is there; it is known to be a setting from then on."""
        self._known.add(key)
        return key in self._raw

    def text(self, key: str, default: object = _MISSING) -> str:
        """Give a text; a key that is needed must hold one."""
        value = self._get(key, default)
        if not isinstance(value, str):
            raise self.error(key, f'must be a text in quotes, got {value!r}; write {key} = "…"')
        if not value and default != "":
            raise self.error(key, f'is empty; write {key} = "…"')
        return value

    def choice(self, key: str, allowed: tuple[str, ...], default: object = _MISSING) -> str:
        """Give one of some texts."""
        value = self.text(key, default)
        if value not in allowed:
            raise self.error(key, f"{value!r} is unknown; choose one of {', '.join(allowed)}")
        return value

    def flag(self, key: str, default: bool) -> bool:
        """Give true or false."""
        value = self._get(key, default)
        if not isinstance(value, bool):
            raise self.error(key, f"must be true or false, got {value!r}")
        return value

    def integer(self, key: str, default: int, least: int, most: int) -> int:
        """Give a whole number within bounds."""
        value = self._get(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise self.error(key, f"must be a whole number from {least} to {most}, got {value!r}")
        return value

    def seconds(self, key: str, default: float, least: float, most: float) -> float:
        """Give a number of seconds within bounds."""
        value = self._get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.error(key, f"must be a number of seconds, got {value!r}")
        if not least <= value <= most:
            raise self.error(key, f"must be from {least} to {most} seconds, got {value}")
        return float(value)

    def number(self, key: str, default: float, least: float, most: float) -> float:
        """Give a number within bounds."""
        value = self._get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.error(key, f"must be a number, got {value!r}")
        if not least <= value <= most:
            raise self.error(key, f"must be from {least} to {most}, got {value}")
        return float(value)

    def pin(self, key: str, default: int | None) -> int | None:
        """Give a BCM pin number, or None where the key may be left out."""
        self._known.add(key)
        if key not in self._raw:
            return default
        return self.integer(key, 0, 0, PIN_MAX)

    def texts(self, key: str) -> tuple[str, ...]:
        """Give a list of texts."""
        value = self._get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.error(key, f'must be a list of texts, got {value!r}; write {key} = ["…"]')
        return tuple(value)

    def integers(self, key: str, least: int, most: int) -> tuple[int, ...]:
        """Give a list of whole numbers within bounds, empty if it is not there."""
        value = self._get(key, [])
        if not isinstance(value, list) or not all(
            type(item) is int and least <= item <= most for item in value
        ):
            bounds = f"from {least} to {most}"
            raise self.error(key, f"must be a list of whole numbers {bounds}, got {value!r}")
        return tuple(value)

    def section(self, key: str) -> "Section":
        """Give a table, empty if it is not there."""
        value = self._get(key, {})
        if not isinstance(value, dict):
            raise self.error(key, f"must be a table; write [{key}]")
        return Section(self.path, key, value)

    def sections(self, key: str) -> list["Section"]:
        """Give an array of tables, at least one."""
        value = self._get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise self.error(key, f"must be tables; write [[{key}]]")
        if not value:
            raise self.error(key, f"at least one is needed; add a [[{key}]] table")
        return [Section(self.path, f"{key}[{place}]", item) for place, item in enumerate(value, 1)]

    def finish(self) -> None:
        """Refuse keys that nobody asked for."""
        for key in self._raw:
            if key not in self._known:
                close = difflib.get_close_matches(key, self._known, 1)
                hint = f"did you mean {close[0]!r}?" if close else "remove it"
                raise self.error(key, f"is not a setting here; {hint}")

    def _get(self, key: str, default: object) -> object:
        self._known.add(key)
        value = self._raw.get(key, default)
        if value is _MISSING:
            close = difflib.get_close_matches(key, self._raw.keys() - self._known, 1)
            hint = f"; is it what {close[0]!r} was meant to be?" if close else ""
            raise self.error(key, f"is missing; add {key} = …{hint}")
        return value
