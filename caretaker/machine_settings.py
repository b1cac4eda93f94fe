"""What was provisioned of the machine itself, kept so that every start makes it anew.

`/etc` of an image is read-only: names, networks and keys to the machine are written below `/run` at
each start (`network_files`), from this one file that only root reads. It is written whole when a
`gate.toml` was applied, and says too what that file was.
"""

import json
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Self

from caretaker.errors import FileError
from caretaker.kept_files import read_small, write_whole
from caretaker.places import Places

SETTINGS_FILE: Final = "provisioned.json"
FORMAT: Final = 1
NO_RTC: Final = "none"
ANY_RTC: Final = "auto"


@dataclass(frozen=True, slots=True)
class Wifi:
    """A wireless network.

    Attributes:
        country: two letters; without it a radio may not send.
        ssid: its name.
        passphrase: "" is an open network.
        hidden: whether it does not say its name.
    """

    country: str
    ssid: str
    passphrase: str = field(default="", repr=False)
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class Settings:
    """The machine's own part of a `gate.toml`.

    Attributes:
        name: of the machine in its network; "" is the image's own.
        wifi: the wireless network; None is a cable.
        address: fixed, with its prefix ("10.0.0.20/24"); "" asks the network.
        gateway: with a fixed address; "" is none.
        dns: name servers, besides those that the network names.
        time_servers: NTP, besides those that the network names.
        rtc: NO_RTC, ANY_RTC (what the kernel shows) or the name of a chip on I2C.
        ssh_keys: public keys that may log in; without any there is no ssh.
        reset_pin: GPIO of a button to ground that asks for a factory reset; None is none.
    """

    name: str = ""
    wifi: Wifi | None = None
    address: str = ""
    gateway: str = ""
    dns: tuple[str, ...] = ()
    time_servers: tuple[str, ...] = ()
    rtc: str = ANY_RTC
    ssh_keys: tuple[str, ...] = ()
    reset_pin: int | None = None

    @classmethod
    def read(cls, said: dict[str, Any]) -> Self:
        """Read what `asdict` made.

        Raises:
            TypeError: if it is something else.
        """
        wifi = said.get("wifi")
        lists = {name: tuple(said.get(name, ())) for name in ("dns", "time_servers", "ssh_keys")}
        return cls(**(said | lists | {"wifi": Wifi(**wifi) if wifi else None}))


@dataclass(frozen=True, slots=True)
class Provisioned:
    """What was applied, and of which file.

    Attributes:
        settings: the machine's.
        digest: SHA-256 of the card's file as the person wrote it; "" before the first.
        stick_digest: of the file that came on a stick last, likewise.
        clean: the file without its secrets, as it was or is to be left on the FAT; "" for one that
            had none. In hexadecimal: it may have been written in UTF-16.
        is_cleaned: whether that has been done.
    """

    settings: Settings = field(default_factory=Settings)
    digest: str = ""
    stick_digest: str = ""
    clean: str = field(default="", repr=False)
    is_cleaned: bool = True


def kept(places: Places) -> Provisioned:
    """Give what was provisioned last; nothing where nothing was.

    Raises:
        FileError: if the file is damaged.
    """
    path = places.care / SETTINGS_FILE
    raw = read_small(path, 4 << 16)
    if raw is None:
        return Provisioned()
    try:
        said = json.loads(raw)
        settings = Settings.read(said["settings"])
        texts = (said["digest"], said["stick_digest"], said["clean"])
        return Provisioned(settings, *texts, said["is_cleaned"])
    except (ValueError, TypeError, KeyError, AttributeError) as exc:
        raise FileError(f"{path}: damaged: {exc}; provision the gate anew") from exc


def kept_settings(places: Places) -> Settings:
    """Give the machine's settings; those of an image where none can be read."""
    try:
        return kept(places).settings
    except FileError:  # told by `provision`; clock and reset go on
        return Settings()


def keep(places: Places, provisioned: Provisioned) -> None:
    """Write it down, whole.

    Raises:
        FileError: if it cannot be.
    """
    said = {"format": FORMAT} | asdict(provisioned)
    write_whole(places.care / SETTINGS_FILE, json.dumps(said).encode())
