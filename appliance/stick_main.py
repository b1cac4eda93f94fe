"""Binds a stick's visit together, while the gate's daemon does not run. Called by `portillon gate`.

The daemon has the gate's database to itself; while it runs, this ends with a message that says so.
"""

import asyncio
import secrets
from pathlib import Path
from typing import Final

from admission.errors import ListError
from admission.sync.messages import Moment
from admission.trust.root import Role
from appliance.carrying import Carrying, Visit
from appliance.clock import SystemClock, boot_id, fresh_id, software_date
from appliance.commanding import obey_at_rest
from appliance.config import Config
from appliance.errors import ConfigError, LinkError, StorageError
from appliance.holdings import GateHoldings
from appliance.key_cabinet import KeyCabinet
from appliance.lists import ListKeeper
from appliance.recording import Recorder
from appliance.starting import note_start
from appliance.storage.command_store import SqliteCommands
from appliance.storage.database import open_database
from appliance.storage.device_secrets import device_secrets
from appliance.storage.identity_file import IDENTITY_FILE
from appliance.storage.identity_vault import FileVault, open_vault
from appliance.storage.journal_store import SqliteJournal
from appliance.storage.memory_store import SqliteMemory
from appliance.storage.trust_store import SqliteTrust
from appliance.transport.stick import StickLink
from appliance.trust_keeper import TrustKeeper
from appliance.trusted_clock import TrustedClock

DATABASE_FILE: Final = "journal.sqlite"
LISTS_FOLDER: Final = "lists"


async def visit_stick(config: Config, folder: Path, software: str) -> Visit:
    """Take what a stick brings for this gate, and hand it the gate's journal.

    Args:
        config: the checked configuration.
        folder: where the stick is mounted.
        software: version of this program.

    Raises:
        ConfigError: if this gate is not enrolled.
        LinkError: if the stick cannot be read or written.
        StorageError: if the gate's disk cannot be, or its daemon runs.
    """
    if not await asyncio.to_thread(folder.is_dir):
        raise LinkError(f"{folder}: is no folder; name where the stick is mounted")
    vault = await open_vault(
        config.data / IDENTITY_FILE, device_secrets(config.data, config.device_secret)
    )
    if vault is None:
        raise ConfigError(f"{config.data / IDENTITY_FILE}: this gate is not enrolled")
    async with open_database(config.data / DATABASE_FILE) as connection:
        boot = boot_id()
        journal = await SqliteJournal.open(connection, fresh_id())
        memory = SqliteMemory(connection, config.data / LISTS_FOLDER)
        machine = SystemClock(config.clock.has_battery)
        clock = await TrustedClock.open(machine, boot, software_date(), journal, memory)
        recorder = Recorder(journal, clock, boot)
        if journal.head == 0:  # a journal begins with its own beginning
            await note_start(recorder, vault.gate, software)
        trust = await _trust(vault, SqliteTrust(connection), clock)
        keeper = _keeper(config, vault, trust, memory, recorder, clock)
        await keeper.load()

        async def obey(raw: bytes) -> None:
            try:
                await obey_at_rest(
                    raw,
                    gate=vault.gate,
                    signers=trust.signers_in_force(Role.OPERATOR),
                    memory=SqliteCommands(connection),
                    recorder=recorder,
                    now=clock.now(),
                )
            except ListError:
                return  # over, or obeyed before: the stick may come again and again

        def moment() -> Moment:
            reading = clock.look().reading
            return Moment(reading.wall_ms, reading.boot_ms, boot)

        carrying = Carrying(
            gate=vault.gate,
            signer=vault,
            keeper=keeper,
            journal=journal,
            moment=moment,
            obey=obey,
        )
        return await carrying.visit(StickLink(folder, vault.gate))


async def _trust(vault: FileVault, memory: SqliteTrust, clock: TrustedClock) -> TrustKeeper:
    identity = vault.identity
    try:
        trust = TrustKeeper(
            root=identity.root,
            root_digest=identity.root_digest,
            memory=memory,
            time=clock,
            fresh_nonce=lambda: "",  # a stick answers none
        )
        await trust.load()
    except ListError as exc:
        raise StorageError(f"what this gate trusts was altered on its card: {exc}") from exc
    return trust


def _keeper(
    config: Config,
    vault: FileVault,
    trust: TrustKeeper,
    memory: SqliteMemory,
    recorder: Recorder,
    clock: TrustedClock,
) -> ListKeeper:
    cabinet = KeyCabinet(
        shelf=memory.keys,
        secrets=device_secrets(config.data, config.device_secret),
        agreement_key=lambda: vault.agreement_key,
        random=secrets.token_bytes,
    )
    return ListKeeper(
        gate=vault.gate,
        trust=trust,
        cabinet=cabinet,
        memory=memory,
        holdings=GateHoldings(),
        recorder=recorder,
        now=clock.now,
    )
