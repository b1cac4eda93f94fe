"""The error tree of the heart; each class says in one sentence who is at fault.

AdmissionError
├── PayloadError            what a reader yielded is no ticket number
├── ListError               a ticket list must not be installed
│   ├── ListFormatError     its bytes are not in the format
│   ├── SignatureError      nobody we trust signed it
│   ├── DigestError         its bytes are not the ones that were signed
│   ├── RollbackError       it is older than the one installed
│   ├── ForeignListError    it belongs to another performance
│   ├── ListExpiredError    its time is over
│   └── CollisionError      two performances of one checkpoint hold one number
├── JournalError            a journal is broken: a gap, a wrong chain, an unreadable record
└── ProtocolError
    ├── RemoteProtocolError the other side broke the protocol
    └── LocalProtocolError  our own side broke the protocol: a fault of this program
"""


class AdmissionError(Exception):
    """Whatever the heart refuses to go on with."""


class PayloadError(AdmissionError):
    """A reader yielded what cannot be a ticket number (too long, not UTF-8)."""


class ListError(AdmissionError):
    """A ticket list must not be installed."""


class ListFormatError(ListError):
    """The list's or document's bytes are not in the format they claim."""


class SignatureError(ListError):
    """No key that we trust signed the document."""


class DigestError(ListError):
    """The bytes received are not the bytes that were signed (cut off, or altered)."""


class RollbackError(ListError):
    """The list is older than one that was installed before."""


class ForeignListError(ListError):
    """The list belongs to another performance, or to another list key."""


class ListExpiredError(ListError):
    """The list's `not_after` has passed."""


class CollisionError(ListError):
    """One checkpoint would control two performances that hold the same number."""


class JournalError(AdmissionError):
    """A journal is broken: a gap, a chain that does not fit, an unreadable record."""


class ProtocolError(AdmissionError):
    """The protocol between gate and server was broken."""


class RemoteProtocolError(ProtocolError):
    """The other side sent what it must not send."""


class LocalProtocolError(ProtocolError):
    """Our own side asked for what it must not ask for: a fault of this program."""
