"""The error tree of the gate; each class says in one sentence who is at fault.

ApplianceError
├── ConfigError          the configuration file is wrong: file, key and remedy are named
├── DeviceError          a device does not do what it should
│   ├── ReaderLostError
│   ├── DecoderLostError
│   ├── DisplayLostError
│   └── TurnstileFaultError
│       └── TurnstileUnsureError  whether the arm opened cannot be known
├── StorageError         the journal or the list store cannot be written or read
└── LinkError            the server cannot be reached, or answers what is no answer
    ├── LinkAnswerError  the server answers one request with an error
    │   └── LinkBusyError   it has too much to do, and says when to come back
    └── LinkRefusedError the server refuses this gate (not enrolled, revoked)
"""

from appliance.fault_codes import DISK_FAULT


class ApplianceError(Exception):
    """Whatever the gate cannot go on with."""


class ConfigError(ApplianceError):
    """The configuration is wrong; the message names file, key and remedy."""


class DeviceError(ApplianceError):
    """A device does not do what it should."""


class ReaderLostError(DeviceError):
    """A reader is gone or silent."""


class DecoderLostError(DeviceError):
    """What finds the codes on a camera's pictures hangs or crashes."""


class DisplayLostError(DeviceError):
    """A display does not answer."""


class TurnstileFaultError(DeviceError):
    """The relay or a sensor of the turnstile fails."""


class TurnstileUnsureError(TurnstileFaultError):
    """The turnstile was told to open, and nobody knows whether it did."""


class StorageError(ApplianceError):
    """The journal or the list store cannot be written or read.

    Attributes:
        fault: the code that says what is wrong with the card.
    """

    def __init__(self, message: str, fault: str = DISK_FAULT) -> None:
        """Say what could not be done, and by what fault."""
        super().__init__(message)
        self.fault = fault


class LinkError(ApplianceError):
    """The server cannot be reached in time, or what answers is not a sync server."""


class LinkAnswerError(LinkError):
    """The server is there, but answers one request with an error: none such, a fault of its own."""


class LinkBusyError(LinkAnswerError):
    """The server has too much to do just now.

    Attributes:
        window_s: the seconds over which it wants those who wait to come back.
    """

    def __init__(self, message: str, window_s: float) -> None:
        super().__init__(message)
        self.window_s = window_s


class LinkRefusedError(LinkError):
    """The server refuses this gate: not enrolled, revoked, or a signature that does not fit."""
