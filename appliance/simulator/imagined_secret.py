"""A device secret that a test chooses. Implements `ports.DeviceSecret`."""


class ImaginedSecret:
    """What a chip would yield.

    Attributes:
        kind: as which it presents itself.
        secret: what it yields; None is a chip without a key.
    """

    def __init__(self, secret: bytes | None, kind: str = "otp") -> None:
        """Take what it yields."""
        self.kind = kind
        self.secret = secret

    async def read(self) -> bytes | None:
        """Give the secret, None for none."""
        return self.secret
