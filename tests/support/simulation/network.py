"""The network between a gate and the server: late, lossy, doubled, out of order, or not there.

A request may be lost, come twice, come after its sender gave up, and its answer may be lost. A live
connection keeps its order, like TCP, until it breaks or goes silent without a word.
"""

import random
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from appliance.errors import LinkAnswerError, LinkError
from simulation.plan import Weather
from simulation.scheduler import Scheduler, Start, Task, wait_for

REQUEST_MS_MAX: Final = 10_000
SILENCE_MS_MAX: Final = 15_000  # then a live connection is taken for dead
_LIVE_MS_MAX: Final = 400


class Road:
    """One gate's way to the server.

    Attributes:
        is_calm: the network heals: nothing is lost or doubled any more.
        up: what goes to the server passes; likewise `down`.
    """

    def __init__(self, scheduler: Scheduler, chance: random.Random, weather: Weather) -> None:
        self.scheduler = scheduler
        self.is_calm = False
        self.up = self.down = True
        self._chance = chance
        self._weather = weather

    def delay_ms(self) -> int:
        """Draw how long one message is under way."""
        if not self.is_calm and self._chance.random() < self._weather.slow:
            return self._chance.randint(500, 14_000)
        return self._chance.randint(2, 80)

    def live_ms(self) -> int:
        """Draw how long one message of a live connection is under way."""
        return self._chance.randint(1, 60 if self.is_calm else _LIVE_MS_MAX)

    def is_lost(self) -> bool:
        """Draw whether a message is lost on a good road."""
        return not self.is_calm and self._chance.random() < self._weather.loss

    def copies(self) -> int:
        """Draw how often a request arrives."""
        return 2 if not self.is_calm and self._chance.random() < self._weather.twice else 1

    def request(self, call: Callable[[Callable[[Any], None]], None]) -> Start:
        """Give the start of a wait for an answer.

        Args:
            call: does the request at the server, and hands its answer on, or an exception; it
                may do neither.
        """

        def start(task: Task) -> None:
            ticket = task.ticket

            def answer(reply: Any) -> None:
                if self.down and not self.is_lost():
                    self.scheduler.at(self.delay_ms(), arrive_back, reply)

            def arrive_back(reply: Any) -> None:
                if not self.down:
                    return
                if isinstance(reply, Exception):
                    task.resume(ticket, error=LinkAnswerError(str(reply)))
                else:
                    task.resume(ticket, reply)

            def arrive() -> None:
                if self.up:
                    call(answer)

            def give_up() -> None:
                task.resume(ticket, error=LinkError("no answer in time"))

            self.scheduler.at(REQUEST_MS_MAX, give_up)
            if self.up and not self.is_lost():
                for _ in range(self.copies()):
                    self.scheduler.at(self.delay_ms(), arrive)

        return start


class LiveConnection:
    """Both ends of one live connection.

    Attributes:
        is_open: nobody has closed it; it may be silent all the same.
        is_silent: something was lost on it, so nothing more arrives.
    """

    def __init__(
        self, road: Road, to_server: Callable[[Any], None], closed: Callable[[], None]
    ) -> None:
        self.is_open = True
        self.is_silent = False
        self.begun_ms = road.scheduler.now_ms
        self._road = road
        self._to_server = to_server
        self._closed = closed
        self._inbox: deque[Any] = deque()
        self._reading: tuple[Task, int] | None = None
        self._last_up = self._last_down = 0
        self._heard_ms = road.scheduler.now_ms
        self._watch()

    # the gate's end: `link_ports.LiveConnection`

    async def send(self, message: Any) -> None:
        """Send to the server; it may never arrive."""
        if not self.is_open:
            raise LinkError("the connection is closed")
        self._last_up = self._carry(self._last_up, self._arrive_up, message)

    async def receive(self) -> Any:
        """Wait for the server's next message.

        Raises:
            LinkError: if the connection is lost.
        """
        return await wait_for(self._read)

    def _read(self, task: Task) -> None:
        self._reading = (task, task.ticket)
        self._hand_over()

    def _hand_over(self) -> None:
        """Give the reader what there is, as an event of its own."""
        if self._reading is None or (self.is_open and not self._inbox):
            return
        task, ticket = self._reading
        self._reading = None
        if self.is_open:
            self._road.scheduler.at(0, task.resume, ticket, self._inbox.popleft())
        else:
            lost = LinkError("the connection is lost")
            self._road.scheduler.at(0, task.resume, ticket, None, lost)

    # the server's end

    def push(self, message: Any) -> None:
        """Send to the gate."""
        if self.is_open:
            self._last_down = self._carry(self._last_down, self._arrive_down, message)

    def close(self) -> None:
        """Break it: both ends know."""
        if self.is_open:
            self.is_open = False
            self._closed()
            self._hand_over()

    def _carry(self, last_ms: int, arrive: Callable[[Any], None], message: Any) -> int:
        now = self._road.scheduler.now_ms
        at = max(last_ms, now + self._road.live_ms())
        self._road.scheduler.at(at - now, arrive, message)
        return at

    def _arrive_up(self, message: Any) -> None:
        if not self._road.up:
            self.is_silent = True
        if self.is_open and not self.is_silent:
            self._to_server(message)

    def _arrive_down(self, message: Any) -> None:
        if not self._road.down:
            self.is_silent = True
        if not self.is_open or self.is_silent:
            return
        self._heard_ms = self._road.scheduler.now_ms
        self._inbox.append(message)
        self._hand_over()

    def _watch(self) -> None:
        if not self.is_open:
            return
        if self._road.scheduler.now_ms - self._heard_ms > SILENCE_MS_MAX:
            self.close()
        else:
            self._road.scheduler.at(SILENCE_MS_MAX // 3, self._watch)
