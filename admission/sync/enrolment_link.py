"""The link that makes a machine a gate: where its server is, how to know it, and the code.

Shown by the server as text and as a QR code, read by a person, or by the gate's own reader:

    portillon:enrol?v=1&server=https://10.0.0.5:8080&code=ABCD-EFGH-JKMN-PQRS&pin=…&root=…

`server` and `pin` may be there several times, nearest and present one first. `pin` and `root` are
SHA-256 digests in base64url. Nothing is escaped, and nothing unknown is passed over: what is not
exactly of this form is refused whole.
"""

import base64
import re
from dataclasses import dataclass
from typing import Final

from admission.errors import RemoteProtocolError

HEAD: Final = "portillon:enrol?"
LINK_CHARACTERS_MAX: Final = 1200  # a QR code that a camera still reads from a screen
SERVERS_MAX: Final = 4
PINS_MAX: Final = 4
_ADDRESS: Final = re.compile(
    r"https?://(?P<host>[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|\[[0-9a-f:.]{2,45}\])"
    r"(?::(?P<port>[1-9][0-9]{0,4}))?",
    re.ASCII,
)
_CODE: Final = re.compile(r"[0-9A-Z-]{4,64}", re.ASCII)
_DIGEST: Final = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
_DIGEST_BYTES: Final = 32
_PORT_MAX: Final = 65_535


@dataclass(frozen=True, slots=True)
class EnrolmentLink:
    """What the link says.

    Attributes:
        servers: base addresses, the nearest first; at least one.
        code: the enrolment code.
        pins: SHA-256 of each certificate that the server may show, the present one first; without
            any, the machine's own store vouches for the server.
        root_digest: SHA-256 of the root document, hexadecimal; "" where there is none.
    """

    servers: tuple[str, ...]
    code: str
    pins: tuple[bytes, ...] = ()
    root_digest: str = ""

    def __post_init__(self) -> None:
        """Hold to the bounds that a reader of the link will hold it to."""
        if not 1 <= len(self.servers) <= SERVERS_MAX:
            raise ValueError(f"1 to {SERVERS_MAX} server addresses, got {len(self.servers)}")
        if len(self.pins) > PINS_MAX or any(len(pin) != _DIGEST_BYTES for pin in self.pins):
            raise ValueError(f"at most {PINS_MAX} pins of {_DIGEST_BYTES} bytes each")
        if not all(_is_address(server) for server in self.servers):
            raise ValueError("a server address must be https://HOST[:PORT]")
        if not _CODE.fullmatch(self.code):
            raise ValueError("the code must be letters, digits and dashes")
        if self.pins and not all(server.startswith("https://") for server in self.servers):
            raise ValueError("a pinned server is reached by https")
        if self.root_digest and len(bytes.fromhex(self.root_digest)) != _DIGEST_BYTES:
            raise ValueError("the root's digest must be a SHA-256")


def write_link(link: EnrolmentLink) -> str:
    """Write a link."""
    fields = ["v=1", *(f"server={server}" for server in link.servers), f"code={link.code}"]
    fields += [f"pin={_text(pin)}" for pin in link.pins]
    if link.root_digest:
        fields.append(f"root={_text(bytes.fromhex(link.root_digest))}")
    return HEAD + "&".join(fields)


def read_link(text: str) -> EnrolmentLink:
    """Read a link.

    Raises:
        RemoteProtocolError: if it is none. The message does not repeat it: the code is secret.
    """
    if len(text) > LINK_CHARACTERS_MAX:
        raise RemoteProtocolError(f"enrolment link: over {LINK_CHARACTERS_MAX} characters")
    if not text.startswith(HEAD) or not text.isascii():
        raise RemoteProtocolError(f"enrolment link: must begin with {HEAD}")
    found: dict[str, list[str]] = {}
    for field in text.removeprefix(HEAD).split("&"):
        name, _, value = field.partition("=")
        found.setdefault(name, []).append(value)
    if found.keys() - {"v", "server", "code", "pin", "root"}:
        raise RemoteProtocolError("enrolment link: says more than this program knows; update it")
    if found.get("v") != ["1"]:
        raise RemoteProtocolError("enrolment link: of a version that this program does not know")
    code, root = _one(found, "code"), _one(found, "root")
    try:
        pins = tuple(_digest(pin) for pin in found.get("pin", []))
        servers = tuple(found.get("server", []))
        return EnrolmentLink(servers, code, pins, _digest(root).hex() if root else "")
    except ValueError as exc:
        raise RemoteProtocolError(f"enrolment link: {exc}") from None


def _one(found: dict[str, list[str]], name: str) -> str:
    values = found.get(name, [""])
    if len(values) != 1:
        raise RemoteProtocolError(f"enrolment link: {name} is there {len(values)} times")
    return values[0]


def _is_address(text: str) -> bool:
    found = _ADDRESS.fullmatch(text)
    return found is not None and int(found["port"] or 1) <= _PORT_MAX


def _text(digest: bytes) -> str:
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def _digest(text: str) -> bytes:
    if not _DIGEST.fullmatch(text):
        raise ValueError("a digest must be 43 letters of base64url")
    digest = base64.urlsafe_b64decode(text + "=")
    if _text(digest) != text:
        raise ValueError("a digest is not in its one spelling")
    return digest
