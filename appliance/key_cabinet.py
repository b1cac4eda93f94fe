"""Keeps list keys as their manifests allow: in a file, sealed under the device, or not at all.

Called by the list keeper. Keys that are in use stay in memory; what is on the disk is never more
than the newest manifest allows, and what it allows no longer is wiped. Never logs a key.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Final

from admission.errors import SignatureError
from admission.ticketlist.acceptance import check_list_key
from admission.ticketlist.key_storage import KeyStorage
from admission.ticketlist.manifest import Manifest, list_key_id
from admission.trust.sealing import BOX_NONCE_BYTES, close_box, open_box, unseal
from appliance.errors import StorageError
from appliance.link_ports import ServerLink
from appliance.ports import DeviceSecret, KeyBox, KeyShelf

log = logging.getLogger(__name__)

SEALED_KEY_CONTEXT: Final = b"list-key:"
_BOX_CONTEXT: Final = b"list-key-box:"
_SEALED: Final = "sealed_"


class KeyCabinet:
    """The gate's list keys.

    Args:
        shelf: where they lie on the disk.
        secrets: of this device, the best first; the first that there is seals.
        agreement_key: gives the X25519 private key of the gate: opens what the server sends.
        random: gives so many unpredictable bytes.
    """

    def __init__(
        self,
        *,
        shelf: KeyShelf,
        secrets: Sequence[DeviceSecret],
        agreement_key: Callable[[], bytes],
        random: Callable[[int], bytes],
    ) -> None:
        self._shelf = shelf
        self._secrets = tuple(secrets)
        self._agreement_key = agreement_key
        self._random = random
        self._secret: tuple[str, bytes] | None = None
        self._keys: dict[str, bytes] = {}
        self._kept: dict[str, str] = {}

    @property
    def kept(self) -> dict[str, str]:
        """What is really done with each key, by performance: the words of `key_kept`."""
        return dict(self._kept)

    def key(self, performance: str) -> bytes | None:
        """Give a key that is in use."""
        return self._keys.get(performance)

    async def find(self, manifest: Manifest) -> bytes | None:
        """Look for a list's key where it was kept over the restart; keep it as is allowed now.

        Returns:
            None where none was kept, or none that opens: it has to be fetched.

        Raises:
            StorageError: if the disk cannot be read or written.
        """
        performance = manifest.performance
        box = await self._shelf.box(performance)
        key = None if box is None else await self._opened(performance, box)
        if box is None or key is None or list_key_id(key) != manifest.list_key_id:
            return None
        how, _ = await self._way(manifest.key_storage)
        if how == "file" != box.how:  # by an older list: no reason to open what was sealed since
            self._keys[performance], self._kept[performance] = key, box.how
        else:
            await self.keep(manifest, key)
        return key

    async def obtain(self, manifest: Manifest, link: ServerLink) -> bytes:
        """Give a list's key: the one in use, else the server's; keep it as the manifest allows.

        Raises:
            LinkError: if the server cannot be reached.
            ListError: if what it hands out is not the list's key.
            StorageError: if it cannot be kept.
        """
        performance = manifest.performance
        key = self._keys.get(performance)
        if key is None:
            sealed = await link.list_key(performance)
            key = unseal(sealed, self._agreement_key(), SEALED_KEY_CONTEXT + performance.encode())
        check_list_key(manifest, key)
        await self.keep(manifest, key)
        return key

    async def keep(self, manifest: Manifest, key: bytes) -> None:
        """Keep a key as its manifest allows, and wipe what was kept otherwise.

        Raises:
            StorageError: if the disk cannot be written.
        """
        performance = manifest.performance
        self._keys[performance] = key
        how, secret = await self._way(manifest.key_storage)
        if self._kept.get(performance) == how:
            return
        known = await self._shelf.box(performance)
        if known is not None and (
            known.how != how or await self._opened(performance, known) != key
        ):
            await self._shelf.wipe(performance)
            known = None
        if known is None and how != "memory":
            await self._shelf.put(performance, KeyBox(how, self._closed(performance, key, secret)))
        log.info("list key kept", extra={"performance": performance, "how": how})
        self._kept[performance] = how

    async def _way(self, allowed: KeyStorage) -> tuple[str, bytes]:
        """Give how a key is kept, and under which secret; never more than is allowed."""
        if allowed is KeyStorage.FILE:
            return "file", b""
        if allowed is KeyStorage.SEALED:
            found = await self._device_secret()
            if found is not None:
                return _SEALED + found[0], found[1]
        return "memory", b""

    async def _device_secret(self) -> tuple[str, bytes] | None:
        if self._secret is None:
            for one in self._secrets:
                try:
                    secret = await one.read()
                except StorageError as exc:
                    log.warning("no device secret", extra={"kind": one.kind, "reason": str(exc)})
                    continue
                if secret is not None:
                    self._secret = one.kind, secret
                    break
        return self._secret

    def _closed(self, performance: str, key: bytes, secret: bytes) -> bytes:
        if not secret:
            return key
        context = _BOX_CONTEXT + performance.encode()
        return close_box(key, secret, context, self._random(BOX_NONCE_BYTES))

    async def _opened(self, performance: str, box: KeyBox) -> bytes | None:
        if not box.how.startswith(_SEALED):
            return box.content
        for one in self._secrets:
            if _SEALED + one.kind != box.how:
                continue
            try:
                secret = await one.read()
                if secret is not None:
                    return open_box(box.content, secret, _BOX_CONTEXT + performance.encode())
            except (StorageError, SignatureError) as exc:
                reason = str(exc)
                log.warning("sealed list key does not open", extra={"reason": reason})
        return None
