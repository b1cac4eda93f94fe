"""Who is logged in at the gate's page. Called by the framework; knows no clock and no cookies.

A session lives in memory: a restart of the gate ends them all. Its token is known to one browser
alone; here only the token's hash is kept.
"""

import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from appliance.page_ports import PageRole

SESSIONS_MAX: Final = 32  # a gate has a handful of people; the one unused for longest goes first
AGE_S_MAX: Final = 16 * 3600.0  # a long day; then everybody logs in again
_TOKEN_BYTES: Final = 32
_NS: Final = 1_000_000_000


@dataclass(slots=True)
class Session:
    """One browser that is logged in.

    Attributes:
        role: who is behind it.
        csrf: what every form of this session carries.
        stamp: of the PIN that opened it, "" where none was asked for.
        begun_ns: when it was opened, on a clock that never steps.
        used_ns: when it was last used by a person; live streams do not count.
        notice: what the next page tells once; "" is nothing.
    """

    role: PageRole
    csrf: str
    stamp: str
    begun_ns: int
    used_ns: int
    notice: str = ""


class Sessions:
    """All of them."""

    def __init__(
        self,
        idle_s: Mapping[PageRole, float],
        random: Callable[[], str] = lambda: secrets.token_urlsafe(_TOKEN_BYTES),
    ) -> None:
        """Begin with nobody.

        Args:
            idle_s: for each role, after how long without a person's doing it ends.
            random: makes tokens.
        """
        self._idle_s = idle_s
        self._random = random
        self._sessions: OrderedDict[str, Session] = OrderedDict()

    def open(self, role: PageRole, stamp: str, now_ns: int) -> tuple[str, Session]:
        """Log somebody in; give the token for the browser, too."""
        token = self._random()
        session = Session(role, self._random(), stamp, now_ns, now_ns)
        self._sessions[_named(token)] = session
        while len(self._sessions) > SESSIONS_MAX:
            self._sessions.popitem(last=False)
        return token, session

    def find(self, token: str, stamps: Mapping[PageRole, str], now_ns: int) -> Session | None:
        """Give the session of a token, None where it is over.

        Args:
            token: as the browser gave it.
            stamps: of the PINs as they are now: another PIN ends the sessions of the one before.
            now_ns: the caller's clock.
        """
        session = self._sessions.get(_named(token))
        if session is None:
            return None
        if self.is_over(session, now_ns) or session.stamp != stamps.get(session.role, ""):
            self.close(token)
            return None
        return session

    def is_over(self, session: Session, now_ns: int) -> bool:
        """Tell whether nobody has used it for too long, or it is too old."""
        idle_ns = round(self._idle_s[session.role] * _NS)
        is_old = now_ns - session.begun_ns >= round(AGE_S_MAX * _NS)
        return is_old or now_ns - session.used_ns >= idle_ns

    def is_open(self, session: Session) -> bool:
        """Tell whether a session is still one of these."""
        return any(one is session for one in self._sessions.values())

    def use(self, token: str, session: Session, now_ns: int) -> None:
        """Note that its person did something."""
        session.used_ns = now_ns
        self._sessions.move_to_end(_named(token))

    def close(self, token: str) -> None:
        """Log somebody out."""
        self._sessions.pop(_named(token), None)

    def close_all(self) -> None:
        """Log everybody out."""
        self._sessions.clear()


def _named(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
