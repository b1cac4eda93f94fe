"""What site servers need of storage: at the central server `Sites`, on a site `Freight`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from sync_server.entities import JsonValue, Site, SiteCode


class Sites(Protocol):
    """The site servers that this server knows, and the codes that make them."""

    async def add_site(self, site: Site) -> None:
        """Keep a new one."""
        ...

    async def save_site(self, site: Site) -> None:
        """Replace what is kept of one, except what `note_site` keeps.

        Raises:
            ConflictError: if its public key is another site's.
        """
        ...

    async def note_site(
        self, site_id: str, seen_ms: int, status: dict[str, JsonValue] | None
    ) -> None:
        """Note that a site was heard, and what it said of itself (None: nothing new)."""
        ...

    async def site(self, site_id: str) -> Site | None:
        """Give one, or None."""
        ...

    async def sites_at(self, venue_ids: Sequence[str]) -> list[Site]:
        """Give those of some venues, by name."""
        ...

    async def add_code(self, code: SiteCode) -> None:
        """Keep a new code; earlier unused ones of its site are dropped."""
        ...

    async def codes(self) -> list[SiteCode]:
        """Give the unused codes."""
        ...

    async def spend_code(self, code_hash: bytes, used_ms: int) -> bool:
        """Mark a code used; False where it was used before."""
        ...


@dataclass(frozen=True, slots=True)
class Document:
    """Something that a site has from upstream, as it came.

    Attributes:
        raw: its bytes.
        fetched_ms: when, milliseconds since 1970.
    """

    raw: bytes
    fetched_ms: int


@dataclass(frozen=True, slots=True)
class Load:
    """A batch as a gate handed it in: its bytes, seal and all.

    Attributes:
        id: in the order in which they were taken.
        journal_id: whose records.
        gate_id: who wrote them.
        first: sequence of its first record.
        last: of its last.
        raw: the batch's own bytes.
        taken_ms: when.
    """

    id: int
    journal_id: str
    gate_id: str
    first: int
    last: int
    raw: bytes
    taken_ms: int


class Freight(Protocol):
    """What a site keeps of what it carries, in both directions."""

    async def keep(self, kind: str, name: str, document: Document) -> None:
        """Keep a document in the place of the one before."""
        ...

    async def document(self, kind: str, name: str) -> Document | None:
        """Give one, or None."""
        ...

    async def names(self, kind: str) -> list[str]:
        """Give the names under which there are documents of a kind."""
        ...

    async def drop(self, kind: str, names: Sequence[str]) -> None:
        """Forget some documents of a kind."""
        ...

    async def load(self, new: Load) -> None:
        """Keep a batch until upstream has it; its id is given by the store."""
        ...

    async def waiting(self, limit: int) -> list[Load]:
        """Give, of each journal, the batch that is to go up next: the oldest that waits."""
        ...

    async def carried(self, load_id: int, at_ms: int) -> None:
        """Note that upstream has a batch, durably."""
        ...

    async def carry_again(self, journal_id: str, after: int) -> int:
        """Have batches with records after a sequence go up again; tell how many."""
        ...

    async def backlog(self) -> int:
        """Give how many records wait."""
        ...

    async def forget_carried(self, before_ms: int) -> None:
        """Forget the batches that upstream has since before an instant."""
        ...

    async def cursors(self) -> tuple[dict[str, int], str]:
        """Give how far upstream's feeds were taken in, and whose numbers these are."""
        ...

    async def keep_cursor(self, stream: str, cursor: int, numbering: str) -> None:
        """Keep how far a feed was taken in."""
        ...

    async def know_journal(self, journal_id: str) -> None:
        """Have a place for facts of a journal whose records are not here."""
        ...

    async def adopt(self, journal_id: str, gate_id: str) -> None:
        """Say whose a journal is, of which only facts were here until now."""
        ...
