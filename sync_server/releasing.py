"""The store of gates' software: bundles that somebody brought, for gates to fetch. Called by web.

The server keeps bytes and their digest. Whether a bundle is genuine it neither knows nor says:
that the gate's own caretaker finds out, by the bundle's signature, before a byte is installed.
"""

import re
from collections.abc import AsyncIterable
from typing import Final

from admission.software_version import read_version
from admission.sync.update_offer import BUNDLE_BYTES_MAX
from sync_server.account_ports import Role, User
from sync_server.branches import reach
from sync_server.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError
from sync_server.fleet_entities import Release
from sync_server.fleet_ports import BundleFiles
from sync_server.ledger import Ledger
from sync_server.ports import Store, Transaction

COMPATIBLE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._ -]{0,98}[A-Za-z0-9]")
NOTE_CHARACTERS_MAX: Final = 500
BUNDLE_HEAD: Final = b"hsqs"  # a bundle is a squashfs with its signature behind it


class Releasing:
    """The service."""

    def __init__(self, store: Store, ledger: Ledger, files: BundleFiles) -> None:
        self._store = store
        self._ledger = ledger
        self._files = files

    async def releases(self, user: User) -> list[Release]:
        """Give all releases, those added last first, to whoever may set something up."""
        async with self._store.read() as transaction:
            await reach(transaction, user)
            return await transaction.fleet.releases()

    async def may_add(self, user: User) -> bool:
        """Tell whether a user may add and withdraw releases: they are every branch's."""
        async with self._store.read() as transaction:
            return await _is_master_of_all(transaction, user)

    async def add(
        self,
        user: User | None,
        version: str,
        compatible: str,
        note: str,
        chunks: AsyncIterable[bytes],
    ) -> Release:
        """Take a bundle in; it is on the disk and known when this returns, or gone.

        Args:
            user: who brings it, None at the command line.
            version: of what is in it.
            compatible: machines that it is for, as their updater has it.
            note: for people.
            chunks: its bytes.

        Raises:
            ForbiddenError: if the user is not a master of the whole server.
            InvalidError: if something that was said of it cannot be, or it is no bundle.
            ConflictError: if there is a release of that version for those machines.
            StorageError: if the disk does not take it.
        """
        _check(version, compatible, note)
        async with self._store.read() as transaction:
            if user is not None and not await _is_master_of_all(transaction, user):
                raise ForbiddenError
            await _require_new(transaction, version, compatible)
        async with self._files.receive() as incoming:
            async for chunk in chunks:
                if incoming.size + len(chunk) > BUNDLE_BYTES_MAX:
                    raise InvalidError(
                        "file", f"the bundle is over {BUNDLE_BYTES_MAX >> 30} GiB: no gate takes it"
                    )
                await incoming.write(chunk)
            if not incoming.head.startswith(BUNDLE_HEAD):
                raise InvalidError(
                    "file", "this is no update bundle; give the .raucb file that the build made"
                )
            sha256, size = await incoming.keep()
        release = Release(
            id=self._ledger.new_id(),
            version=version,
            compatible=compatible,
            size_bytes=size,
            sha256=sha256,
            note=note,
            added_ms=self._ledger.now_ms(),
            added_by=None if user is None else user.id,
        )
        async with self._store.write() as transaction:
            await _require_new(transaction, version, compatible)
            await transaction.fleet.add_release(release)
            await self._ledger.note(
                transaction,
                release.added_by,
                "release_added",
                release.id,
                version=version,
                compatible=compatible,
                sha256=sha256,
            )
        return release

    async def withdraw(self, user: User | None, release_id: str) -> None:
        """Offer a release to nobody any more; its file goes, unless another release has the same.

        Raises:
            ForbiddenError: if the user is not a master of the whole server.
            NotFoundError: if there is none.
        """
        async with self._store.write() as transaction:
            if user is not None and not await _is_master_of_all(transaction, user):
                raise ForbiddenError
            release = await transaction.fleet.release(release_id)
            if release is None:
                raise NotFoundError("release")
            if release.withdrawn_ms is not None:
                return
            await transaction.fleet.withdraw_release(release.id, self._ledger.now_ms())
            await self._ledger.note(
                transaction,
                None if user is None else user.id,
                "release_withdrawn",
                release.id,
                version=release.version,
            )
            others = await transaction.fleet.releases()
        if not any(one.sha256 == release.sha256 and one.withdrawn_ms is None for one in others):
            await self._files.remove(release.sha256)


def _check(version: str, compatible: str, note: str) -> None:
    if read_version(version) is None:
        raise InvalidError(
            "version", "version must be MAJOR.MINOR.PATCH, or MAJOR.MINOR.PATCH+BUILD"
        )
    if not COMPATIBLE.fullmatch(compatible):
        raise InvalidError(
            "compatible",
            "compatible must be what the machines' updater says, such as portillon-gate-rpi-arm64",
        )
    if len(note) > NOTE_CHARACTERS_MAX:
        raise InvalidError("note", f"the note must have at most {NOTE_CHARACTERS_MAX} characters")


async def _require_new(transaction: Transaction, version: str, compatible: str) -> None:
    wanted = read_version(version)
    for one in await transaction.fleet.releases():
        is_same = read_version(one.version) == wanted and one.compatible == compatible
        if is_same and one.withdrawn_ms is None:
            raise ConflictError(
                "release_known",
                f"version {version} for {compatible} is here already; withdraw it first",
            )


async def _is_master_of_all(transaction: Transaction, user: User) -> bool:
    root = await transaction.organizations.root()
    return user.role is Role.MASTER and root is not None and user.organization_id == root.id
