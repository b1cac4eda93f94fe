"""What a gate's configuration says of its own page. Called by `config`."""

from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from appliance.config_section import Section


@dataclass(frozen=True, slots=True)
class PageConfig:
    """The gate's own page.

    Attributes:
        address: loopback unless said otherwise.
        port: 0 is off.
        names: host names under which it may be asked for, besides addresses and `localhost`.
        certificate: PEM of the certificate that it shows; None is one that the gate makes itself.
        key: PEM of that certificate's private key; None where it stands in the same file.
        risk_of_plain_http: whether it is served in clear beyond this machine: whoever is on the
            network may then read the PINs.
        kiosk: whether whoever stands at this machine's own screen is a steward without a PIN.
        idle_min: minutes after which a supervisor who does nothing is asked for the PIN again.
        steward_idle_min: likewise for a steward.
    """

    address: str = "127.0.0.1"
    port: int = 0
    names: tuple[str, ...] = ()
    certificate: Path | None = None
    key: Path | None = None
    risk_of_plain_http: bool = False
    kiosk: bool = False
    idle_min: int = 10
    steward_idle_min: int = 240

    @property
    def is_tls(self) -> bool:
        """Whether it is served over TLS: beyond this machine always, unless told otherwise."""
        if self.certificate is not None:
            return True
        return not ip_address(self.address).is_loopback and not self.risk_of_plain_http


def read_page(section: Section) -> PageConfig:
    """Read the table of the gate's own page.

    Raises:
        ConfigError: naming file, key and remedy.
    """
    address = section.text("address", "127.0.0.1")
    try:
        ip_address(address)
    except ValueError:
        raise section.error(
            "address", f"{address!r} is no IP address; write 127.0.0.1, or 0.0.0.0 for everybody"
        ) from None
    certificate, key = section.text("certificate", ""), section.text("key", "")
    if key and not certificate:
        raise section.error("certificate", "is missing, and there is a key for it; add it")
    config = PageConfig(
        address=address,
        port=section.integer("port", 0, 0, 65_535),
        names=section.texts("names"),
        certificate=Path(certificate) if certificate else None,
        key=Path(key) if key else None,
        risk_of_plain_http=section.flag("risk_of_plain_http", False),
        kiosk=section.flag("kiosk", False),
        idle_min=section.integer("idle_min", 10, 1, 240),
        steward_idle_min=section.integer("steward_idle_min", 240, 1, 1440),
    )
    if certificate and config.risk_of_plain_http:
        raise section.error("risk_of_plain_http", "contradicts certificate; leave one out")
    section.finish()
    return config
