"""HTML that cannot be written wrongly: every text is escaped unless it is markup already.

Called by the gate's pages. Makes text only.
"""

from collections.abc import Iterable
from html import escape
from typing import Final

_VOID: Final = frozenset({"br", "hr", "img", "input", "link", "meta"})
_SHAPES: Final = frozenset({"circle", "path", "polygon", "polyline", "rect"})  # inside a picture


class Markup(str):
    """A text that is HTML already; only `element` and `joined` make it."""

    __slots__ = ()


Child = str | int | float | None | Iterable["Child"]


def element(tag: str, *children: Child, **attributes: str | int | bool | None) -> Markup:
    """Make an element.

    Args:
        tag: its name.
        children: texts, which are escaped, elements, and lists of both; None is nothing.
        attributes: `_` in a name stands for `-`, one at its end for nothing (`class_`); True is
            an attribute without a value, False and None are none.
    """
    written = "".join(_attribute(name, value) for name, value in attributes.items())
    if tag in _SHAPES:
        return Markup(f"<{tag}{written}/>")  # not closed, each would hold all that follow
    if tag in _VOID:
        return Markup(f"<{tag}{written}>")
    return Markup(f"<{tag}{written}>{joined(*children)}</{tag}>")


def joined(*children: Child) -> Markup:
    """Put texts and elements behind each other."""
    return Markup("".join(_written(child) for child in children))


def _written(child: Child) -> str:
    if child is None:
        return ""
    if isinstance(child, Markup):
        return child
    if isinstance(child, str):
        return escape(child)
    if isinstance(child, int | float):
        return str(child)
    return joined(*child)


def _attribute(name: str, value: str | int | bool | None) -> str:
    if value is None or value is False:
        return ""
    written = name.rstrip("_").replace("_", "-")
    return f" {written}" if value is True else f' {written}="{escape(str(value))}"'
