"""An event loop whose time is virtual and whose network is in memory; asyncio and aiohttp as usual.

When nothing is ready its clock jumps to the next timer. What goes to a thread elsewhere is done
here by the loop itself, after a drawn delay. So hours pass in seconds, and a run with the same
seed is the same run.
"""

import asyncio
import contextvars
import random
import selectors
import socket
import weakref

from virtual_network import PROCESS, Listener, join

_DISK_S = (0.0002, 0.004)
_DISK_IS_BUSY = 0.1


class JumpingSelector(selectors.SelectSelector):
    """Waits for nothing: time goes on to where the loop would have waken up."""

    def __init__(self):
        super().__init__()
        self.now_s = 0.0

    def select(self, timeout=None):
        if timeout is None:
            raise RuntimeError("every task waits for something that cannot happen any more")
        self.now_s += max(0.0, timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """The loop.

    Args:
        network: where its connections lead.
        chance: draws how long threads take.
    """

    def __init__(self, network, chance):
        self._jumping = JumpingSelector()
        super().__init__(self._jumping)
        self._clock_resolution = 1e-9
        self._network = network
        self._chance = random.Random(chance.random())
        self._dialled = weakref.WeakKeyDictionary()

    def time(self):
        return self._jumping.now_s

    def disk_s(self):
        """Draw how long a thread takes for a piece of work; nothing, mostly."""
        if self._chance.random() > _DISK_IS_BUSY:
            return 0.0
        return self._chance.uniform(*_DISK_S)

    def _write_to_self(self):
        pass  # nobody sleeps in the kernel

    def run_in_executor(self, executor, function, *arguments):
        del executor
        future = self.create_future()
        self.call_later(self.disk_s(), do, future, lambda: function(*arguments))
        return future

    def add_signal_handler(self, number, callback, *arguments):
        PROCESS.get().signals[number] = lambda: callback(*arguments)

    def remove_signal_handler(self, number):
        return PROCESS.get().signals.pop(number, None) is not None

    async def sock_connect(self, sock, address):
        await self._network.dial(PROCESS.get(), tuple(address[:2]))
        self._dialled[sock] = tuple(address[:2])

    async def create_connection(
        self, protocol_factory, host=None, port=None, *, sock=None, ssl=None, **_
    ):
        if ssl:
            raise OSError(95, "the virtual network carries no TLS")
        if sock is None:
            target = (host, port)
            await self._network.dial(PROCESS.get(), target)
        else:
            target = self._dialled.pop(sock)
            sock.close()
        listener = self._network.listeners.get(target)
        if listener is None:
            raise ConnectionRefusedError(111, f"nobody listens at {target}")
        near, far = join(self, self._network, PROCESS.get(), listener)
        context = listener.context.copy()
        self.call_soon(_accept, far, listener, context=context)
        protocol = protocol_factory()
        near.set_protocol(protocol)
        protocol.connection_made(near)
        return near, protocol

    async def create_server(self, protocol_factory, host=None, port=None, *, ssl=None, **_):
        if ssl:
            raise OSError(95, "the virtual network carries no TLS")
        process = PROCESS.get()
        address = (process.address if host in (None, "0.0.0.0") else host, port)
        if address in self._network.listeners:
            raise OSError(98, "address already in use")
        context = contextvars.copy_context()
        listener = Listener(self._network, process, address, protocol_factory, context)
        self._network.listeners[address] = listener
        return listener

    async def sendfile(self, transport, file, offset=0, count=None, *, fallback=True):
        del fallback
        file.seek(offset)
        data = file.read(count)
        transport.write(data)
        return len(data)

    async def getaddrinfo(self, host, port, **_):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (str(host), port))]


def _accept(far, listener):
    protocol = listener.factory()
    far.set_protocol(protocol)
    protocol.connection_made(far)


def do(future, work):
    """Do a thread's work; the future has what comes of it."""
    if future is not None and future.cancelled():
        return
    try:
        result = work()
    except BaseException as exc:
        if future is None or isinstance(exc, (KeyboardInterrupt, SystemExit)):
            raise
        future.set_exception(exc)
    else:
        if future is not None:
            future.set_result(result)
