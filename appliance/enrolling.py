"""Makes a machine a gate: its keys, a code handed in, and whom it believes from then on.

Called by `portillon gate enrol`, and with what a reader has read by whoever starts a machine for
the first time. What the server says is kept only when all of it is in order.
"""

import hashlib
import secrets
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from admission.errors import ListError, ProtocolError
from admission.sync.enrolment_link import EnrolmentLink, read_link
from admission.sync.messages import Enrol, Enrolled
from admission.trust.keys import check_string
from admission.trust.root import Role, first_root, root_digest, signers
from admission.trust.sealing import agreement_public_key
from admission.trust.status import accept_status
from appliance.config import Config, is_in_clear
from appliance.errors import ConfigError, LinkAnswerError, LinkError, LinkRefusedError
from appliance.identity_keeper import announced_pins, check_certificate
from appliance.identity_ports import PublicKeys
from appliance.storage.device_secrets import device_secrets
from appliance.storage.identity_file import IDENTITY_FILE, Identity, read_identity
from appliance.storage.identity_vault import make_vault, open_vault
from appliance.storage.stored_signer import StoredSigner
from appliance.transport.client import open_link

DRAFT_FILE: Final = "enrolling.json"  # keys of a gate whose server has not answered yet
_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 16
_NAME_CHARACTERS_MAX: Final = 50


@dataclass(frozen=True, slots=True)
class Welcome:
    """How an enrolment ended.

    Attributes:
        identity: who the gate is now.
        check: six digits that the operator's page must show too.
        is_pending: whether the gate gets nothing until an operator has compared them.
    """

    identity: Identity
    check: str
    is_pending: bool


def link_of(config: Config, code: str, pin: str = "") -> EnrolmentLink:
    """Give the link that a typed code stands for: the configured server's.

    Args:
        config: names the server.
        code: as the operator was shown it.
        pin: SHA-256 of the server's certificate, hexadecimal, with or without colons; "" trusts
            the machine's own store.

    Raises:
        ConfigError: if no server is configured, or code or pin cannot be one.
    """
    if not config.server:
        raise ConfigError(
            f'{config.path}: server: is missing; add server = "https://…", or enrol by --link'
        )
    try:
        pins = (bytes.fromhex(pin.replace(":", "")),) if pin else ()
        return EnrolmentLink((config.server,), "-".join(code.upper().split()), pins)
    except ValueError as exc:
        raise ConfigError(f"--code or --pin: {exc}") from None


async def enrol_by_text(config: Config, text: str) -> Welcome:
    """Enrol by the text of a link, typed or read by the gate's own reader.

    Raises:
        ConfigError: if it is no link, or as `enrol`.
        LinkError: as `enrol`.
        StorageError: as `enrol`.
    """
    try:
        link = read_link(text)
    except ProtocolError as exc:
        raise ConfigError(str(exc)) from None
    return await enrol(config, link)


async def enrol(config: Config, link: EnrolmentLink) -> Welcome:
    """Make the gate's keys, hand their public halves in, keep the answer.

    Args:
        config: names the data folder, and what risk is taken.
        link: where the server is, how to know it, and the code.

    Raises:
        ConfigError: if this gate is enrolled already, or would have to speak in clear.
        LinkError: if the server cannot be reached, refuses the code, or names no root.
        StorageError: if the identity cannot be written.
    """
    path = config.data / IDENTITY_FILE
    _require_new(path)
    for server in link.servers:
        if is_in_clear(server) and not config.risk_of_plain_http:
            raise ConfigError(
                f"{config.path}: {server} would be spoken to in clear, where anybody on the way"
                " may read and alter; use https, or take the risk: risk_of_plain_http = true"
            )
    draft = await _draft(config, link)
    private_key, agreement_key = draft.private_key, draft.agreement_key
    signer = StoredSigner(private_key)
    agreement = agreement_public_key(agreement_key)
    name = socket.gethostname()[:_NAME_CHARACTERS_MAX]
    request = Enrol(link.code, signer.public_key, agreement, name)
    server, answer = await _ask(link, signer, request, config.proxy)
    digest = _check_answer(server, link, answer, PublicKeys(signer, agreement))
    identity = Identity(
        gate=answer.gate,
        gate_name=answer.gate_name,
        server=server,
        private_key=private_key,
        agreement_key=agreement_key,
        root=answer.root,
        root_digest=digest,
        pins=await _announced(server, link, answer, signer, config.proxy),
        certificate=answer.certificate,
    )
    await make_vault(path, identity, device_secrets(config.data, config.device_secret))
    (config.data / DRAFT_FILE).unlink(missing_ok=True)
    check = check_string(
        signer.public_key,
        agreement,
        bytes.fromhex(digest),
        link.pins[0] if link.pins else b"",
    )
    return Welcome(identity, check, answer.pending)


async def _draft(config: Config, link: EnrolmentLink) -> Identity:
    """Give the keys to ask with, which are on the disk by then.

    A code is good once. Where the answer is lost, or the supply, the gate asks again by the same
    keys, and the server knows it by them.
    """
    path, guards = config.data / DRAFT_FILE, device_secrets(config.data, config.device_secret)
    code = hashlib.sha256(link.code.encode()).hexdigest()
    vault = await open_vault(path, guards)
    if vault is not None and vault.identity.gate == code:
        return vault.identity
    draft = Identity(
        gate=code,
        gate_name="",
        server="",
        private_key=secrets.token_bytes(_KEY_BYTES),
        agreement_key=secrets.token_bytes(_KEY_BYTES),
        root=b"",
        root_digest="",
    )
    await make_vault(path, draft, guards)
    return draft


async def _announced(
    server: str, link: EnrolmentLink, answer: Enrolled, signer: StoredSigner, proxy: str
) -> tuple[bytes, ...]:
    """Give the pins that the server signs for its gates: a site server's are among them.

    A link has the central server's alone: whoever else a code is shown to could become the gate.
    A gate that is led to its venue's site server, or starts on a machine from which it reaches no
    other, finds its way there from the first moment on.
    """
    if not link.pins or answer.pending:
        return link.pins
    nonce, root = secrets.token_urlsafe(_NONCE_BYTES), first_root(answer.root, None)
    try:
        async with open_link(server, answer.gate, signer, link.pins, proxy) as opened:
            raw = await opened.status(nonce)
        said = accept_status(
            raw,
            trusted=signers(root, Role.STATUS),
            nonce=nonce,
            version_installed=0,
            root_version=root.version,
            now=None,
        )
    except (LinkError, ListError):
        return link.pins  # the gate asks again once it runs
    pins = announced_pins(said.tls_pins)
    return pins if set(pins) & set(link.pins) else link.pins


def _check_answer(server: str, link: EnrolmentLink, answer: Enrolled, keys: PublicKeys) -> str:
    """Make sure that the root is the pinned one and the certificate is of this gate's keys.

    Returns:
        Digest of the root.
    """
    try:
        root = first_root(answer.root, link.root_digest or None)
    except ListError as exc:
        raise LinkError(f"{server}: names no root to trust: {exc}") from exc
    if not answer.pending:
        try:
            check_certificate(answer.certificate, signers(root, Role.ENROL), answer.gate, keys)
        except ListError as exc:
            raise LinkError(f"{server}: certifies this gate wrongly: {exc}") from exc
    return root_digest(answer.root)


def _require_new(path: Path) -> None:
    if read_identity(path) is not None:
        raise ConfigError(f"{path}: this gate is enrolled already; remove the file to enrol anew")


async def _ask(
    link: EnrolmentLink, signer: StoredSigner, request: Enrol, proxy: str
) -> tuple[str, Enrolled]:
    """Ask the servers of a link in turn; one that answers ends it, whatever it answers."""
    unreached: LinkError | None = None
    for server in link.servers:
        try:
            async with open_link(server, "", signer, link.pins, proxy) as opened:
                return server, await opened.enrol(request)
        except (LinkRefusedError, LinkAnswerError):
            raise
        except LinkError as exc:
            unreached = unreached or exc
    raise unreached or LinkError("the link names no server")
