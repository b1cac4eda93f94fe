"""Puts the fetcher of updates together, where there is a caretaker to ask. Called by `main`."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

from admission.trust.root import Role
from appliance.bundle_fetching import BundleFetcher
from appliance.config import Config
from appliance.machine_report import read_machine_report
from appliance.ports import Task
from appliance.storage.bundle_shelf import FolderShelf, RequestFile
from appliance.storage.identity_vault import FileVault
from appliance.trust_keeper import TrustKeeper
from appliance.trusted_clock import TrustedClock
from appliance.update_ports import UpdateLink
from appliance.uplink import Uplink

BUNDLES_FOLDER: Final = "bundles"


class Parts(Protocol):
    """What the fetcher shares with the gate's other services."""

    @property
    def config(self) -> Config:
        """The checked configuration: where the gate's folder is."""
        ...

    @property
    def vault(self) -> FileVault:
        """Who the gate is."""
        ...

    @property
    def clock(self) -> TrustedClock:
        """Trusted time."""
        ...


def open_fetching(
    parts: Parts,
    runtime: Path | None,
    link: UpdateLink,
    trust: TrustKeeper,
    uplink: Uplink,
    read_ns: Callable[[], int | None],
) -> list[Task]:
    """Have the server told what the machine runs; give what fetches updates.

    Args:
        parts: shared with the other services.
        runtime: where the caretaker looks for requests; None without one: nothing is fetched.
        link: to the server.
        trust: knows who may sign offers.
        uplink: says whether the server is there, and tells it how far the update has come.
        read_ns: gives `monotonic_ns` of the last code that was read, None for none.
    """
    uplink.machine = read_machine_report
    if runtime is None:
        return []
    fetcher = BundleFetcher(
        link=link,
        shelf=FolderShelf(parts.config.data / BUNDLES_FOLDER),
        desk=RequestFile(runtime),
        gate=parts.vault.gate,
        signers=lambda: trust.signers_in_force(Role.STATUS),
        machine=read_machine_report,
        clock=parts.clock,
        is_live=lambda: uplink.live,
        read_ns=read_ns,
        jitter=random.random,
    )
    uplink.machine = lambda: read_machine_report(fetcher.fetching)
    return [fetcher.run()]
