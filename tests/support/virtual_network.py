"""A network in memory, for programs that run on a `VirtualLoop`: TCP as its two ends see it.

Bytes keep their order and are never lost; what a cut cable swallows is sent again, later and
later, as a kernel does. So a lost packet is a stall, a cut is a silence, and a machine without
power leaves a connection that is open at one end only.
"""

import asyncio
import random
from asyncio.protocols import BufferedProtocol, _feed_data_to_buffered_proto
from collections import deque
from contextvars import ContextVar
from itertools import count

PROCESS = ContextVar("PROCESS")  # whose code is running
BUFFER_BYTES = 262_144  # what a kernel takes before the writer has to wait
RETRANSMIT_S = 0.2
RETRANSMIT_S_MAX = 60.0
GIVE_UP_S = 900.0
SYN_AGAIN_S = 1.0
_NEAR_S = (0.0003, 0.002)
_FAR_S = (0.005, 0.04)


class Process:
    """One run of a program on a machine with an address.

    Attributes:
        address: of its machine.
        is_dead: whether it was killed; its words reach nobody any more.
        signals: handlers of its signals, by number.
    """

    def __init__(self, address):
        self.address = address
        self.is_dead = False
        self.signals = {}
        self.wires = []


class Network:
    """Who reaches whom, and how well.

    Addresses are `10.0.SITE.HOST`; what is of one site is near. A path is named by an address, a
    site (`10.0.1`) whose line to the others it is, or a pair (from, to) for one direction.

    Attributes:
        loss: how often a segment has to be sent again, from 0 to 1.
        slow_s: by address, how much longer everything to and from it takes.
        without_power: addresses of machines that are off.
        now_s: tells the virtual time; put there by whoever makes the loop.
    """

    def __init__(self, chance):
        self.chance = random.Random(chance.random())
        self.loss = 0.0
        self.slow_s = {}
        self.without_power = set()
        self.now_s = lambda: 0.0
        self.listeners = {}
        self._cuts = {}

    def cut(self, path):
        """Cut a path; what is cut twice has to be mended twice."""
        self._cuts[path] = self._cuts.get(path, 0) + 1

    def mend(self, path):
        """Take back a cut."""
        self._cuts[path] -= 1
        if not self._cuts[path]:
            del self._cuts[path]

    def reaches(self, source, target):
        """Tell whether a packet gets there now."""
        sites = site_of(source), site_of(target)
        paths = [source, target, (source, target)]
        paths += [] if sites[0] == sites[1] else sites
        if self.without_power & {source, target}:
            return False
        return not self._cuts or not any(path in self._cuts for path in paths)

    def latency_s(self, source, target):
        """Draw how long a packet takes."""
        near = site_of(source) == site_of(target)
        drawn = self.chance.uniform(*(_NEAR_S if near else _FAR_S))
        if self.loss and self.chance.random() < self.loss:
            drawn += RETRANSMIT_S * self.chance.choice((1, 1, 1, 3, 7))
        return drawn + self.slow_s.get(source, 0.0) + self.slow_s.get(target, 0.0)

    async def dial(self, process, target):
        """Wait for a connection as a kernel's `connect` does.

        Raises:
            ConnectionRefusedError: if nobody listens there.
        """
        wait_s = SYN_AGAIN_S
        there, back = (process.address, target[0]), (target[0], process.address)
        while process.is_dead or not (self.reaches(*there) and self.reaches(*back)):
            await asyncio.sleep(wait_s)
            wait_s *= 2
        await asyncio.sleep(self.latency_s(*there) + self.latency_s(*back))
        if target not in self.listeners:
            raise ConnectionRefusedError(111, f"nobody listens at {target}")

    def kill(self, process, *, power=False):
        """End a process at once: its kernel hangs up for it, or, without power, nobody does."""
        process.is_dead = True
        for address in [key for key, one in self.listeners.items() if one.process is process]:
            del self.listeners[address]
        for wire in process.wires:
            wire.die(says_so=not power)
        process.wires.clear()


def site_of(address):
    """Give the site of an address."""
    return address.rpartition(".")[0]


class Listener(asyncio.AbstractServer):
    """What `create_server` gives."""

    def __init__(self, network, process, address, factory, context):
        self.network, self.process, self.address = network, process, address
        self.factory, self.context = factory, context

    @property
    def sockets(self):
        return (self,)

    def getsockname(self):
        return self.address

    def close(self):
        if self.network.listeners.get(self.address) is self:
            del self.network.listeners[self.address]

    async def wait_closed(self):
        pass

    def is_serving(self):
        return self.network.listeners.get(self.address) is self


_ports = count(40_000)


def join(loop, network, process, listener):
    """Make both ends of a connection that has just been accepted; the client's comes first."""
    own = (process.address, next(_ports))
    near = Wire(loop, network, process, own, listener.address)
    far = Wire(loop, network, listener.process, listener.address, own)
    near.peer, far.peer = far, near
    return near, far


class Wire(asyncio.Transport):
    """One end of a connection."""

    def __init__(self, loop, network, process, own, other):
        super().__init__({"sockname": own, "peername": other})
        self._loop, self._network = loop, network
        self._own, self._other = own[0], other[0]
        self._protocol = None
        self._out = deque()  # on the way: when it arrives, what it is, its bytes
        self._pump = None
        self._silent_s = 0.0
        self._sent_until = 0.0
        self._unread = 0  # bytes that the other end has not taken
        self._inbox = deque()
        self._is_paused = self._holds_writer = False
        self._closing = self._is_lost = self._is_dead = False
        self.peer = None
        process.wires[:] = [wire for wire in process.wires if not wire._is_lost]
        process.wires.append(self)

    # --- what the protocol sees ---------------------------------------------------------------

    def set_protocol(self, protocol):
        self._protocol = protocol

    def get_protocol(self):
        return self._protocol

    def is_closing(self):
        return self._closing

    def write(self, data):
        if self._closing or not data:
            return
        self._unread += len(data)
        self._send("data", bytes(data))
        if self._unread > BUFFER_BYTES and not self._holds_writer:
            self._holds_writer = True
            self._protocol.pause_writing()

    def writelines(self, chunks):
        self.write(b"".join(chunks))

    def can_write_eof(self):
        return False

    def get_write_buffer_size(self):
        return max(0, self._unread - BUFFER_BYTES)

    def get_write_buffer_limits(self):
        return 0, BUFFER_BYTES

    def set_write_buffer_limits(self, high=None, low=None):
        pass

    def is_reading(self):
        return not self._is_paused and not self._closing

    def pause_reading(self):
        self._is_paused = True

    def resume_reading(self):
        if self._is_paused:
            self._is_paused = False
            self._loop.call_soon(self._read_inbox)

    def close(self):
        if not self._closing:
            self._send("end", b"")
            self._lose(None)

    def abort(self):
        if not self._is_lost:
            self._out.clear()
            self._send("reset", b"")
            self._lose(None)

    # --- what the network does ----------------------------------------------------------------

    def die(self, *, says_so):
        """Go with the process; its protocol hears of nothing any more, and is not heard."""
        if not self._is_lost:
            self._out.clear()
            if says_so:
                self._send("reset", b"")
            self._lose(None)
        self._is_dead = True

    def _send(self, what, data):
        if self._is_dead:
            return
        latency_s = self._network.latency_s(self._own, self._other)
        self._sent_until = max(self._sent_until, self._loop.time() + latency_s)
        self._out.append((self._sent_until, what, data))
        if self._pump is None:
            self._pump = self._loop.call_at(self._sent_until, self._deliver)

    def _deliver(self):
        self._pump = None
        while self._out and self._out[0][0] <= self._loop.time():
            if not self._network.reaches(self._own, self._other):
                self._wait_for_the_line()
                return
            self._silent_s = 0.0
            _, what, data = self._out.popleft()
            self.peer._take(what, data)
        if self._out:
            self._pump = self._loop.call_at(self._out[0][0], self._deliver)

    def _wait_for_the_line(self):
        again_s = min(max(self._silent_s, RETRANSMIT_S), RETRANSMIT_S_MAX)
        self._silent_s += again_s
        if self._silent_s > GIVE_UP_S:
            self._out.clear()
            self._lose(TimeoutError(110, "the other end does not answer"))
        else:
            self._pump = self._loop.call_later(again_s, self._deliver)

    def _take(self, what, data):
        if what == "reset":
            self._lose(ConnectionResetError(104, "reset by the other end"))
        elif self._closing or self._is_dead:
            if what == "data":  # the kernel answers for an end that is not there
                self.peer._lose(ConnectionResetError(104, "reset by the other end"))
        else:
            self._inbox.append((what, data))
            self._read_inbox()

    def _read_inbox(self):
        while self._inbox and not self._is_paused and not self._closing:
            what, data = self._inbox.popleft()
            if what == "end":
                if not self._protocol.eof_received():
                    self.close()
            else:
                self._read(data)

    def _read(self, data):
        self.peer._was_read(len(data))
        if isinstance(self._protocol, BufferedProtocol):
            _feed_data_to_buffered_proto(self._protocol, data)
        else:
            self._protocol.data_received(data)

    def _was_read(self, size):
        self._unread -= size
        if self._holds_writer and self._unread <= BUFFER_BYTES // 4:
            self._holds_writer = False
            if not self._is_lost:
                self._protocol.resume_writing()

    def _lose(self, reason):
        self._closing = True
        if self._is_lost:
            return
        self._is_lost = True
        if reason is not None:
            self._out.clear()
        if self._protocol is not None:
            self._loop.call_soon(self._protocol.connection_lost, reason)
