"""Reads tables of TOML by name and type; unknown keys are errors, and messages name the place."""

import tomllib
from pathlib import Path
from typing import Any, TypeVar

from imaging.errors import RecipeError

T = TypeVar("T")


def read_toml(path: Path) -> "Table":
    """Give a file's outermost table.

    Raises:
        RecipeError: if it cannot be read, or is no TOML.
    """
    try:
        return Table(tomllib.loads(path.read_text(encoding="utf-8")), path.name)
    except (OSError, ValueError) as exc:
        raise RecipeError(f"{path}: {exc}") from exc


class Table:
    """One table; each key is taken once, and what nobody took is an error (`end`)."""

    def __init__(self, values: dict[str, Any], where: str) -> None:
        self._left = dict(values)
        self._where = where

    def take(self, key: str, kind: type[T], default: T | None = None) -> T:
        """Give a key's value.

        Raises:
            RecipeError: if it is missing and has no default, or is of another type.
        """
        value = self._left.pop(key, default)
        if value is None:
            raise RecipeError(f"{self._where}: {key} is missing")
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise RecipeError(
                f"{self._where}: {key} has to be {kind.__name__}, not {type(value).__name__}"
            )
        return value

    def has(self, key: str) -> bool:
        """Tell whether a key is there and was not taken."""
        return key in self._left

    def words(self, key: str) -> tuple[str, ...]:
        """Give a list of texts; empty where it is missing."""
        values = self.take(key, list, [])
        if not all(isinstance(value, str) and value for value in values):
            raise RecipeError(f"{self._where}: {key} has to be a list of texts")
        return tuple(values)

    def tables(self, key: str) -> list["Table"]:
        """Give the tables of an array of them; empty where it is missing."""
        values = self.take(key, list, [])
        if not all(isinstance(value, dict) for value in values):
            raise RecipeError(f"{self._where}: {key} has to be tables: [[{key}]]")
        return [
            Table(value, f"{self._where}, {key} {number}") for number, value in enumerate(values, 1)
        ]

    def table(self, key: str) -> "Table":
        """Give a table; empty where it is missing."""
        return Table(self.take(key, dict, {}), f"{self._where}, {key}")

    def end(self) -> None:
        """Say that no key is left.

        Raises:
            RecipeError: if one is.
        """
        if self._left:
            raise RecipeError(f"{self._where}: unknown: {', '.join(sorted(self._left))}")
