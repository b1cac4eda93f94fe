"""What can go wrong beneath a gate. One class for each who is at fault."""


class CareError(Exception):
    """The machine cannot be kept as asked; the message names what, where and the remedy."""


class FileError(CareError):
    """A file that somebody wrote, or a card, is not what it has to be."""


class MachineError(CareError):
    """A program or a device of the machine refused; the message has its own words."""
