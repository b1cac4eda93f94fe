"""From a serial scanner's settings and its engine's entry in the table to how its port is driven.

Called by `main`'s drivers. Pure: what the configuration says comes before what the engine has.
"""

from typing import TypeVar

from appliance.readers.engines import ENGINES, TriggerMode, opening
from appliance.readers.framing import Framing
from appliance.readers.serial_line import SerialPort
from appliance.readers.usb_names import UsbName
from appliance.scanners_config import SerialConfig

T = TypeVar("T")


def serial_port(config: SerialConfig) -> SerialPort:
    """Give how a scanner's port is driven.

    Raises:
        ValueError: if the engine cannot do what is asked; the message says what to do.
    """
    engine = ENGINES[config.engine]
    mode = TriggerMode(config.trigger)
    start = _or(config.trigger_start, engine.start)
    if mode is TriggerMode.HOST and not start:
        raise ValueError(
            f"trigger: no command is known that starts engine {config.engine!r};"
            " write trigger_start, or name another engine"
        )
    if config.opening is not None:
        first = config.opening
    else:
        try:
            first = opening(engine, mode, is_quiet=config.beeper == "off")
        except ValueError as exc:
            raise ValueError(f"beeper: of engine {config.engine!r}: {exc}") from exc
    is_host = mode is TriggerMode.HOST
    return SerialPort(
        port=config.port,
        usb=UsbName.read(config.usb) if config.usb else None,
        baudrate=_or(config.baud, engine.baud),
        data_format=_or(config.data_format, engine.data_format),
        framing=Framing(
            prefix=config.prefix.encode(),
            suffix=config.suffix.encode(),
            answers=engine.answers,
            has_aim=config.aim_identifier,
        ),
        duplicates_s=config.duplicates_s,
        opening=first,
        start=start if is_host else b"",
        stop=_or(config.trigger_stop, engine.stop) if is_host else b"",
    )


def _or(said: T | None, otherwise: T) -> T:
    return otherwise if said is None else said
