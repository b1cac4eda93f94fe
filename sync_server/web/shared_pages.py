"""One reading of the database for all gates that ask for the same page of a feed at once.

A passage wakes every gate of its performance in one moment, and nearly all of them stand at the
same place. Whoever asks first gathers the others, then reads for all; who asks when that reading
has begun needs one that begins later, or it could miss what it was woken for.
"""

import asyncio
from collections.abc import Awaitable, Callable

from admission.sync.messages import Feed


class SharedPages:
    """Readings that are about to begin."""

    def __init__(self) -> None:
        """Begin with none."""
        self._gathering: dict[tuple[str, int], asyncio.Future[Feed | None]] = {}

    async def read(self, stream: str, after: int, page: Callable[[], Awaitable[Feed]]) -> Feed:
        """Give a page that is read after this call.

        Args:
            stream: of the feed; the caller may follow it.
            after: the cursor.
            page: reads it, in the caller's own name.

        Raises:
            what `page` raises, where the caller itself had to read.
        """
        key = (stream, after)
        while (gathering := self._gathering.get(key)) is not None:
            shared = await asyncio.shield(gathering)
            if shared is not None:
                return shared  # else whoever was to read has failed, for reasons of its own
        own = self._gathering[key] = asyncio.get_running_loop().create_future()
        found: Feed | None = None
        try:
            await asyncio.sleep(0)  # all that were woken with us come by
            del self._gathering[key]
            found = await page()
            return found
        finally:
            if self._gathering.get(key) is own:
                del self._gathering[key]
            own.set_result(found)
