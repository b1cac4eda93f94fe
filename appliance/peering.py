"""Binds the gate's part in its local network: wire, datagrams, discovery, disk. Called by `main`.

A gate without it is a gate all the same: a port or a disk that cannot be had is told, and nothing
more.
"""

import asyncio
import logging
import random
import secrets
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from admission.journal import Kind
from admission.passage import History
from admission.sync.peer import Circle
from admission.sync.peer_proof import Enrolment, Self
from admission.trust.root import Role
from appliance.errors import ApplianceError
from appliance.handing_on import HandingOn
from appliance.hinting import Hinting
from appliance.holdings import GateHoldings
from appliance.link_ports import ServerLink
from appliance.local_network import LocalNetwork, Revoked
from appliance.peers_config import PeersConfig
from appliance.ports import Task
from appliance.recording import Recorder
from appliance.storage.carried_store import SqliteCarried, open_carried
from appliance.storage.identity_vault import FileVault
from appliance.transport.datagrams import UdpDatagrams
from appliance.transport.peer_wire import open_wire, serve_peers
from appliance.trust_keeper import TrustKeeper
from appliance.trusted_clock import TrustedClock

log = logging.getLogger(__name__)

CARRIED_FILE: Final = "carried.sqlite"
_NONCE_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class Parts:
    """What the local network is given of the gate.

    Attributes:
        config: how it is set up.
        data: folder of the gate's files.
        vault: the gate's keys.
        trust: whom it believes.
        recorder: the journal's pen.
        history: what it judges by.
        hinting: tells and hears hints.
        holdings: the lists held.
        link: to the server.
        is_live: tells whether there is a link now.
        changed: called when there is something new to judge by.
        clock: trusted time.
    """

    config: PeersConfig
    data: Path
    vault: FileVault
    trust: TrustKeeper
    recorder: Recorder
    history: History
    hinting: Hinting
    holdings: GateHoldings
    link: ServerLink
    is_live: Callable[[], bool]
    changed: Callable[[], None]
    clock: TrustedClock


@dataclass(frozen=True, slots=True)
class Peering:
    """The gate's part in its local network, ready to run.

    Attributes:
        network: it.
        tasks: what runs until the gate stops.
    """

    network: LocalNetwork
    tasks: list[Task]


async def open_peering(parts: Parts, stack: AsyncExitStack) -> Peering | None:
    """Open what the local network needs.

    Args:
        parts: of the gate.
        stack: closes it in the end.

    Returns:
        None where it is turned off, or cannot be had.
    """
    if not parts.config.enabled:
        return None
    try:
        return await _opened(parts, stack)
    except ApplianceError as exc:
        log.warning("no local network", extra={"reason": str(exc)})
        return None


async def _opened(parts: Parts, stack: AsyncExitStack) -> Peering:
    config = parts.config
    carried = await stack.enter_async_context(open_carried(parts.data / CARRIED_FILE))
    datagrams = UdpDatagrams()
    network = await _network(parts, stack, carried, datagrams)
    await network.load()
    answering = network.answering
    serving = serve_peers(config.listen, config.port, answering.answer)
    answering.port = await stack.enter_async_context(serving)
    hear = network.shouting.hear
    await stack.enter_async_context(datagrams.listening(config.listen, answering.port, hear))
    for address in config.addresses:
        network.neighbours.found(address, is_configured=True)
    network.neighbours.changed = parts.changed
    parts.hinting.lanes.append(network.shouting)
    handing_on = HandingOn(
        link=parts.link,
        circle=network.circle,
        carried=carried,
        is_live=parts.is_live,
        clock=parts.clock,
        jitter=random.random,
    )
    tasks = [network.run(), handing_on.run()]
    if config.discovery:
        from appliance.transport.discovery import discover  # as drivers are: where it is used

        found = network.neighbours.found
        tasks.append(discover(parts.vault.gate, answering.port, config.interfaces, found))
    log.info("local network", extra={"port": answering.port})
    return Peering(network, tasks)


async def _network(
    parts: Parts, stack: AsyncExitStack, carried: SqliteCarried, datagrams: UdpDatagrams
) -> LocalNetwork:
    trust, clock, recorder = parts.trust, parts.clock, parts.recorder

    def told() -> tuple[str, ...] | None:
        return None if trust.status is None else trust.status.revoked_gates

    async def note(code: str, text: str) -> None:
        await recorder.note(Kind.FAULT, detail={"code": code, "peer": text})

    revoked = Revoked(carried, told)
    recorder.followers.append(grew := asyncio.Event())
    return LocalNetwork(
        own=_self(parts.vault),
        enrolment=Enrolment(
            signers=lambda: trust.signers(Role.ENROL),
            now=lambda: clock.now() if clock.is_trusted else None,
            revoked=revoked,
        ),
        revoked=revoked,
        circle=Circle([recorder.journal.id], await carried.held()),
        carried=carried,
        journals=lambda: [recorder.journal, *recorder.journal.former],
        grew=grew,
        wire=await stack.enter_async_context(open_wire()),
        datagrams=datagrams,
        history=parts.history,
        hear=parts.hinting.hear,
        confirm=parts.hinting.board.confirm,
        performances=lambda: parts.holdings.performances.keys(),
        note=note,
        nonce=lambda: secrets.token_bytes(_NONCE_BYTES),
        jitter=random.random,
        clock=clock,
        port=parts.config.port,
    )


def _self(vault: FileVault) -> Self:
    """Give what the gate shows; it signs with the key of its certificate, whatever it tries."""
    return Self(vault.gate, lambda: vault.certificate, vault.sign_certified)
