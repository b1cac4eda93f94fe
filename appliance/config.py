"""The gate's one configuration file: TOML, checked whole, every error naming file, key and remedy.

Read by `main` only, which hands each part to its driver. Unknown keys are errors: a misspelt
setting must not be a silent default at a venue's door.
"""

import tomllib
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from admission.scan import KEYED_READER, Direction
from appliance.camera_config import CameraConfig, read_camera
from appliance.config_section import Section
from appliance.errors import ConfigError
from appliance.faces_config import (
    DisplayConfig,
    SignalsConfig,
    read_display,
    read_languages,
    read_signals,
    read_timezone,
)
from appliance.handheld_config import PROFILES, HandheldConfig, read_handheld
from appliance.page_config import PageConfig, read_page
from appliance.peers_config import PeersConfig, read_peers
from appliance.scanners_config import HidConfig, SerialConfig, read_hid, read_serial
from appliance.turnstile_config import TurnstileConfig, read_turnstile

READER_KINDS: Final = ("camera", "clip", "folder", "hid", "serial", "webcam")
IMAGE_KINDS: Final = frozenset({"camera", "clip", "folder", "webcam"})
BATTERIES: Final = ("ask", "yes", "no")
SLOW_CARD_POLICIES: Final = ("wait", "stop")
NAME_CHARACTERS_MAX: Final = 50  # a reader's name rides in every journal record


@dataclass(frozen=True, slots=True)
class ReaderConfig:
    """One reader.

    Attributes:
        name: for logs and the journal; unique.
        kind: one of READER_KINDS.
        direction: the way it lets people go.
        folder: for `folder`, where image files appear.
        serial: for `serial`, where the scanner is and how it is set up.
        hid: for `hid`, likewise.
        symbologies: for images, which codes are looked for; () is the decoder's default.
        itf_lengths: for images with ITF among them, the numbers of digits that are tickets: a
            part of an ITF code is a shorter valid one.
        linear_second_opinion: for images, whether pyzbar looks too.
        camera: for images, how they are taken and looked at.
    """

    name: str
    kind: str
    direction: Direction
    folder: Path | None = None
    serial: SerialConfig | None = None
    hid: HidConfig | None = None
    symbologies: tuple[str, ...] = ()
    itf_lengths: tuple[int, ...] = ()
    linear_second_opinion: bool = False
    camera: CameraConfig = field(default_factory=CameraConfig)


@dataclass(frozen=True, slots=True)
class ClockConfig:
    """What the machine's own clock is worth.

    Attributes:
        battery: one of BATTERIES: whether a clock with a battery set it at the machine's start;
            "ask" the kernel, which does not know of clocks that a unit of its own reads.
    """

    battery: str = "ask"

    @property
    def has_battery(self) -> bool | None:
        """Whether one set it; None where the kernel is asked."""
        return {"yes": True, "no": False}.get(self.battery)


@dataclass(frozen=True, slots=True)
class JournalConfig:
    """What is asked of the card under the journal.

    Attributes:
        slow_commit_ms: a commit that takes as long is a fault, shown and told.
        commit_s_max: one that takes as long takes the lane out of service.
        slow_card_policy: one of SLOW_CARD_POLICIES.
        free_mb_min: with less room on the card nobody enters; who is inside may leave.
        reserve_mb: held for what has to be written on a full card; 0 is none.
    """

    slow_commit_ms: int = 250
    commit_s_max: float = 5.0
    slow_card_policy: str = "wait"
    free_mb_min: int = 16
    reserve_mb: int = 4


@dataclass(frozen=True, slots=True)
class Config:
    """The whole file.

    Attributes:
        path: of the file, for messages.
        data: folder of journal, lists and keys; made if missing.
        device_secret: file outside `data` that list keys are sealed under where the machine's own
            chip has no secret; made if missing.
        server: base address of the sync server; "" is the one that the gate was enrolled at.
        risk_of_plain_http: whether whoever is on the network may read and alter what goes to the
            server and comes back, enrolment included. Signatures still hold; secrecy does not.
        proxy: base address of the web proxy between the gate and its server; "" is none.
        language: of the gate, one of LANGUAGES.
        languages: in which displays tell people in turns, the gate's own first.
        timezone: of the hours in this file.
        readers: at least one.
        turnstile: the arm.
        display: the display.
        signals: light and sound.
        page: the gate's own page.
        clock: the machine's.
        claim_s_max: at a strict checkpoint, how long the server may take to say that a ticket is
            free; then the gate's own rule holds.
        peers: the other gates of the local network.
        journal: what is asked of the card under it.
        profile: one of PROFILES.
        handheld: what a steward's handheld has; of no account on a gate that stands.
    """

    path: Path
    data: Path
    server: str
    language: str
    readers: tuple[ReaderConfig, ...]
    turnstile: TurnstileConfig = field(default_factory=TurnstileConfig)
    display: DisplayConfig = field(default_factory=DisplayConfig)
    signals: SignalsConfig = field(default_factory=SignalsConfig)
    page: PageConfig = field(default_factory=PageConfig)
    risk_of_plain_http: bool = False
    proxy: str = ""
    clock: ClockConfig = field(default_factory=ClockConfig)
    peers: PeersConfig = field(default_factory=PeersConfig)
    device_secret: Path | None = None
    claim_s_max: float = 0.15
    journal: JournalConfig = field(default_factory=JournalConfig)
    languages: tuple[str, ...] = ("fr",)
    timezone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    profile: str = PROFILES[0]
    handheld: HandheldConfig = field(default_factory=HandheldConfig)

    @property
    def is_handheld(self) -> bool:
        """Whether this is a steward's handheld."""
        return self.profile == "handheld"


def load_config(path: Path) -> Config:
    """Read and check a configuration file.

    Raises:
        ConfigError: naming file, key and remedy, for the first thing that is wrong.
    """
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except OSError as exc:
        raise ConfigError(f"{path}: cannot be read ({exc.strerror}); give --config FILE") from exc
    except UnicodeDecodeError as exc:
        raise ConfigError(f"{path}: not UTF-8 at byte {exc.start}; save it as UTF-8") from exc
    except tomllib.TOMLDecodeError as exc:
        raise ConfigError(f"{path}: not TOML: {exc}; mend that line") from exc
    root = Section(path, "", document)
    languages = read_languages(root)
    config = Config(
        path=path,
        data=Path(root.text("data")),
        server=_server(root),
        risk_of_plain_http=root.flag("risk_of_plain_http", False),
        proxy=_proxy(root),
        language=languages[0],
        languages=languages,
        timezone=read_timezone(root),
        readers=tuple(_reader(section) for section in root.sections("readers")),
        turnstile=read_turnstile(root.section("turnstile")),
        display=read_display(root.section("display")),
        signals=read_signals(root.section("signals")),
        page=read_page(root.section("page")),
        clock=_clock(root.section("clock")),
        peers=read_peers(root.section("peers")),
        journal=_journal(root.section("journal")),
        device_secret=Path(secret) if (secret := root.text("device_secret", "")) else None,
        profile=root.choice("profile", PROFILES, PROFILES[0]),
        handheld=read_handheld(root.section("handheld")),
        claim_s_max=root.seconds("claim_s_max", 0.15, 0.02, 1.0),
    )
    root.finish()
    _check_secret(root, config)
    _check_readers(root, config)
    _check_pins(root, config)
    _check_handheld(root, config)
    return config


def _check_secret(root: Section, config: Config) -> None:
    secret = config.device_secret
    if secret is not None and secret.absolute().is_relative_to(config.data.absolute()):
        raise root.error(
            "device_secret", "lies in the data folder, whose keys it seals; name a place outside"
        )


def _server(root: Section) -> str:
    address = root.text("server", "")
    if not address:
        return ""
    try:
        parts = urlsplit(address)
        is_address = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:  # brackets without an end, a port that is none
        is_address = None
    if not is_address:
        raise root.error("server", f"{address!r} is no address; write https://HOST[:PORT]")
    if parts.username is not None or parts.query or parts.fragment:
        raise root.error("server", "holds more than an address; write https://HOST[:PORT] alone")
    if is_in_clear(address) and not root.flag("risk_of_plain_http", False):
        raise root.error(
            "server", f"{address!r} would send in clear; use https outside this machine"
        )
    return address.rstrip("/")


def _proxy(root: Section) -> str:
    address = root.text("proxy", "")
    try:
        parts = urlsplit(address)
        is_proxy = parts.scheme == "http" and bool(parts.hostname) and parts.port != 0
        is_bare = parts.username is None and not parts.query and parts.path in ("", "/")
    except ValueError:
        is_proxy = is_bare = False
    if address and not (is_proxy and is_bare):
        raise root.error("proxy", f"{address!r} is no proxy's address; write http://HOST:PORT")
    return address.rstrip("/")


def is_on_this_machine(address: str) -> bool:
    """Tell whether an address leads no further than this machine."""
    return _is_local(urlsplit(address).hostname or "")


def is_in_clear(address: str) -> bool:
    """Tell whether what is sent to an address could be read and altered on its way."""
    parts = urlsplit(address)
    return parts.scheme != "https" and not _is_local(parts.hostname or "")


def _is_local(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _reader(section: Section) -> ReaderConfig:
    kind = section.choice("kind", READER_KINDS)
    name = section.text("name", kind)
    if len(name) > NAME_CHARACTERS_MAX:
        raise section.error("name", f"is over {NAME_CHARACTERS_MAX} characters; shorten it")
    direction = Direction(section.choice("direction", ("entry", "exit"), "entry"))
    is_image = kind in IMAGE_KINDS
    config = ReaderConfig(
        name=name,
        kind=kind,
        direction=direction,
        folder=Path(section.text("folder")) if kind == "folder" else None,
        serial=read_serial(section) if kind == "serial" else None,
        hid=read_hid(section) if kind == "hid" else None,
        symbologies=section.texts("symbologies") if is_image else (),
        itf_lengths=section.integers("itf_lengths", 2, 80) if is_image else (),
        linear_second_opinion=(section.flag("linear_second_opinion", False) if is_image else False),
        camera=read_camera(section, kind) if is_image else CameraConfig(),
    )
    section.finish()
    return config


def _clock(section: Section) -> ClockConfig:
    config = ClockConfig(battery=section.choice("battery", BATTERIES, "ask"))
    section.finish()
    return config


def _journal(section: Section) -> JournalConfig:
    config = JournalConfig(
        slow_commit_ms=section.integer("slow_commit_ms", 250, 10, 60_000),
        commit_s_max=section.seconds("commit_s_max", 5.0, 0.5, 120.0),
        slow_card_policy=section.choice("slow_card_policy", SLOW_CARD_POLICIES, "wait"),
        free_mb_min=section.integer("free_mb_min", 16, 0, 1_000_000),
        reserve_mb=section.integer("reserve_mb", 4, 0, 1_000),
    )
    if config.commit_s_max * 1000 <= config.slow_commit_ms:
        raise section.error("commit_s_max", "must be longer than slow_commit_ms; raise it")
    section.finish()
    return config


def _check_readers(root: Section, config: Config) -> None:
    devices: dict[object, str] = {}
    names: set[str] = set()
    for reader in config.readers:
        if reader.name in names:
            raise root.error("readers", f"two are called {reader.name!r}; give each its own name")
        names.add(reader.name)
        if reader.name == KEYED_READER:
            raise root.error(
                "readers", f"{KEYED_READER!r} names what is typed by hand; choose another name"
            )
        twin = devices.setdefault((reader.kind, _device(reader)), reader.name)
        if twin != reader.name:
            raise root.error(
                "readers", f"{twin!r} and {reader.name!r} read one {reader.kind}; leave one out"
            )
    arm = config.turnstile
    leaving = [reader.name for reader in config.readers if reader.direction is Direction.EXIT]
    if leaving and arm.is_on_pins and arm.exit_pin is None:
        raise root.error(
            "turnstile.exit_pin", f"is missing, and reader {leaving[0]!r} lets people out; add it"
        )


def _device(reader: ReaderConfig) -> object:
    """Give what of the machine a reader reads from."""
    scanner = reader.serial or reader.hid
    if scanner is not None:
        return scanner.device
    camera = reader.camera
    return reader.folder or camera.clip or camera.device or camera.camera


def _check_handheld(root: Section, config: Config) -> None:
    if not config.is_handheld:
        return
    if config.turnstile.kind not in ("none", "confirm"):
        raise root.error(
            "turnstile.kind",
            f"{config.turnstile.kind!r} is an arm, which no handheld has; write none or confirm",
        )
    if not config.page.port:
        raise root.error("page.port", "is missing, and a handheld is its page; add it")


def _check_pins(root: Section, config: Config) -> None:
    used: dict[tuple[str, int], str] = {}
    for header, key, pin in _pins(config):
        place = "mock" if header == "mock" else "board"  # whichever library drives it
        twin = used.setdefault((place, pin), key)
        if twin != key:
            raise root.error(key, f"pin {pin} is used by {twin} too; give each its own pin")


def _pins(config: Config) -> list[tuple[str, str, int]]:
    """Give every pin in use: on which header, by which key, its number."""
    arm, light, panel = config.turnstile, config.signals, config.display
    pins: list[tuple[str, str, int | None]] = []
    pins += panel.pins()
    pins += arm.pins()
    pins += light.pins()
    if config.is_handheld:
        hand = config.handheld
        pins += [
            (hand.pin_factory, "handheld.trigger_pin", hand.trigger_pin),
            (hand.pin_factory, "handheld.vibration_pin", hand.vibration_pin),
        ]
    return [(header, key, pin) for header, key, pin in pins if pin is not None]
