"""A local network without a socket: who hears whom, and what is lost on the way. Bound by tests."""

from collections.abc import Awaitable, Callable, Iterable

from appliance.errors import LinkError

Answer = Callable[[str, bytes], Awaitable[bytes | None]]
Hear = Callable[[bytes], None]


class ImaginedNetwork:
    """Gates by address, host and port; each on an island, 0 unless it was moved.

    Attributes:
        is_lost: tells of a question or a datagram, by sender and receiver, whether it is lost.
        questions: sender and receiver of every question that arrived.
        datagrams: sender, receiver and bytes of every datagram that was sent.
        alter: makes of an answer, by who gives it, what arrives.
    """

    def __init__(self) -> None:
        self.is_lost: Callable[[str, str], bool] = lambda _sender, _receiver: False
        self.questions: list[tuple[str, str]] = []
        self.datagrams: list[tuple[str, str, bytes]] = []
        self.alter: Callable[[str, bytes], bytes] = lambda _sender, raw: raw
        self._doors: dict[str, Answer] = {}
        self._ears: dict[str, Hear] = {}
        self._islands: dict[str, int] = {}

    def open(self, address: str, answer: Answer, hear: Hear) -> None:
        """Let a gate be asked, and hear, at an address."""
        self._doors[address] = answer
        self._ears[address] = hear

    def close(self, address: str) -> None:
        """Let nobody be there any more."""
        self._doors.pop(address, None)
        self._ears.pop(address, None)

    def move(self, island: int, *addresses: str) -> None:
        """Move gates to an island: only those on one island reach each other."""
        for address in addresses:
            self._islands[address] = island

    def reaches(self, sender: str, receiver: str) -> bool:
        """Tell whether what one sends reaches the other."""
        same = self._islands.get(sender, 0) == self._islands.get(receiver, 0)
        return same and not self.is_lost(sender, receiver)

    async def bring(self, sender: str, receiver: str, raw: bytes) -> bytes:
        """Bring a question, and its answer back.

        Raises:
            LinkError: if either does not arrive.
        """
        door = self._doors.get(receiver)
        if door is None or not self.reaches(sender, receiver):
            raise LinkError(f"{receiver}: nobody answers")
        self.questions.append((sender, receiver))
        answer = await door(sender.rpartition(":")[0], raw)
        if answer is None or not self.reaches(receiver, sender):
            raise LinkError(f"{receiver}: no answer")
        return self.alter(receiver, answer)

    def throw(self, sender: str, receiver: str, raw: bytes) -> None:
        """Let a datagram arrive, or not."""
        self.datagrams.append((sender, receiver, raw))
        ear = self._ears.get(receiver)
        if ear is not None and self.reaches(sender, receiver):
            ear(raw)


class ImaginedWire:
    """The port `PeerWire` of the gate at an address."""

    def __init__(self, network: ImaginedNetwork, address: str) -> None:
        self._network = network
        self._address = address

    async def ask(self, address: str, raw: bytes) -> bytes:
        """Bring a question to a gate, and its answer back."""
        return await self._network.bring(self._address, address, raw)


class ImaginedDatagrams:
    """The port `Datagrams` of the gate at an address."""

    def __init__(self, network: ImaginedNetwork, address: str) -> None:
        self._network = network
        self._address = address

    def send(self, raw: bytes, addresses: Iterable[str]) -> None:
        """Send one to each address."""
        for address in addresses:
            self._network.throw(self._address, address, raw)
