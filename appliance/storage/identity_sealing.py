"""The private keys of the identity file, sealed under a secret of the device.

What lies on the card is then useless without the board (`otp`), or at least without the file that
is kept outside the data folder (`file_beside`): see `device_secrets` for what each is worth.
"""

import secrets as chance
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

from admission.errors import SignatureError
from admission.trust.sealing import BOX_NONCE_BYTES, close_box, open_box
from appliance.errors import StorageError
from appliance.ports import DeviceSecret
from appliance.storage.identity_file import Identity

_CONTEXT: Final = b"identity-box:"
_PRIVATE: Final = ("private_key", "agreement_key", "next_private_key", "next_agreement_key")


@dataclass(frozen=True, slots=True)
class Seal:
    """What an identity is sealed under.

    Attributes:
        kind: of the device secret.
        secret: itself.
    """

    kind: str
    secret: bytes = field(repr=False)


async def find_seal(secrets: Sequence[DeviceSecret], kind: str = "") -> Seal | None:
    """Give the first secret that this device has.

    Args:
        secrets: the best first.
        kind: the only one that will do; "" is any.

    Raises:
        StorageError: if one is there and cannot be used.
    """
    for one in secrets:
        if kind in ("", one.kind) and (secret := await one.read()) is not None:
            return Seal(one.kind, secret)
    return None


def sealed(identity: Identity, seal: Seal | None) -> Identity:
    """Give an identity as it is written: no private key in clear where there is a seal."""
    if seal is None:
        return identity
    keys = msgspec.msgpack.encode([getattr(identity, name) for name in _PRIVATE])
    nonce = chance.token_bytes(BOX_NONCE_BYTES)
    box = close_box(keys, seal.secret, _CONTEXT + identity.gate.encode(), nonce)
    bare = dict.fromkeys(_PRIVATE, b"")
    return msgspec.structs.replace(identity, **bare, sealed_with=seal.kind, box=box)


async def opened(identity: Identity, secrets: Sequence[DeviceSecret]) -> Identity:
    """Give an identity with its private keys.

    Raises:
        StorageError: if this device has not the secret that it was sealed under.
    """
    if not identity.sealed_with:
        return identity
    seal = await find_seal(secrets, identity.sealed_with)
    if seal is None:
        raise StorageError(
            f"the gate's keys are sealed under a secret ({identity.sealed_with}) that this machine"
            " has not: a card from another board? Enrol the gate anew"
        )
    try:
        raw = open_box(identity.box, seal.secret, _CONTEXT + identity.gate.encode())
    except SignatureError as exc:
        raise StorageError(
            f"the gate's keys do not open under this machine's secret ({seal.kind}): {exc};"
            " enrol the gate anew"
        ) from exc
    keys = msgspec.msgpack.decode(raw, type=list[bytes])
    plain = dict(zip(_PRIVATE, keys, strict=True))
    return msgspec.structs.replace(identity, **plain, sealed_with="", box=b"")
