"""Codes that pages show in words, named for the catalogues. Holds nothing else; read by Babel.

A template says `pgettext("answer", line.answer)`, from which no tool can tell which answers there
are. A test holds this list against the code.
"""

from typing import Final


def keyed(context: str, code: str) -> tuple[str, str]:
    """Name a code within its context; the translation is the catalogue's, English included."""
    return context, code


CODES: Final = (
    keyed("answer", "granted"),
    keyed("answer", "malformed"),
    keyed("answer", "wrong_performance"),
    keyed("answer", "unknown_ticket"),
    keyed("answer", "performance_canceled"),
    keyed("answer", "canceled"),
    keyed("answer", "reissued"),
    keyed("answer", "blocked"),
    keyed("answer", "unpaid"),
    keyed("answer", "incomplete"),
    keyed("answer", "exit_not_allowed"),
    keyed("answer", "already_used"),
    keyed("answer", "already_inside"),
    keyed("answer", "not_inside"),
    keyed("answer", "no_passes_left"),
    keyed("answer", "daily_limit_reached"),
    keyed("answer", "category_excluded"),
    keyed("answer", "wrong_checkpoint"),
    keyed("answer", "not_yet_valid"),
    keyed("answer", "no_longer_valid"),
    keyed("answer", "full"),
    keyed("answer", "gate_locked"),
    keyed("answer", "list_untrusted"),
    keyed("answer", "list_expired"),
    # why reconciliation calls a passage an anomaly: lines 4 and 6 to 12 of docs/rules.md
    keyed("why", "unknown_ticket"),
    keyed("why", "performance_canceled"),
    keyed("why", "canceled"),
    keyed("why", "reissued"),
    keyed("why", "blocked"),
    keyed("why", "unpaid"),
    keyed("why", "incomplete"),
    keyed("why", "exit_not_allowed"),
    keyed("why", "already_used"),
    keyed("why", "already_inside"),
    keyed("why", "not_inside"),
    keyed("why", "no_passes_left"),
    keyed("why", "daily_limit_reached"),
    keyed("state", "valid"),
    keyed("state", "canceled"),
    keyed("state", "reissued"),
    keyed("state", "blocked"),
    keyed("state", "unpaid"),
    keyed("state", "incomplete"),
    keyed("direction", "entry"),
    keyed("direction", "exit"),
    keyed("gate", "online"),
    keyed("gate", "offline"),
    keyed("gate", "never"),
    keyed("gate", "revoked"),
    keyed("gate", "degraded"),
    keyed("performance", "draft"),
    keyed("performance", "published"),
    keyed("performance", "canceled"),
    keyed("role", "master"),
    keyed("role", "admin"),
    keyed("role", "operator"),
)
