"""Who speaks: two gates that were enrolled at one server prove it to each other. No socket.

Each shows its device certificate and signs under a nonce of the other's, so that nothing can be
played a second time; a question is good once, and an answer belongs to one question. `Visitor` asks
one other gate, `Doorkeeper` answers all of them.
"""

import hashlib
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from admission.errors import (
    ListError,
    ListExpiredError,
    LocalProtocolError,
    RemoteProtocolError,
    SignatureError,
)
from admission.sync.peer_messages import (
    Heads,
    Hello,
    Piece,
    Said,
    Shout,
    Shouted,
    Stranger,
    Told,
    Wanted,
    Welcome,
    decode_shouted,
    decode_spoken,
    decode_told,
    encode,
)
from admission.sync.request_signing import ReplayWindow
from admission.trust.certificate import DeviceCertificate, accept_certificate
from admission.trust.envelope import pre_authentication_encoding
from admission.trust.keys import verify
from admission.trust.root import Signers

ACQUAINTANCES_MAX: Final = 500  # gates of one network; beyond, the one met first is forgotten
_WELCOME: Final = "application/vnd.portillon.peer-welcome.v1"
_QUESTION: Final = "application/vnd.portillon.peer-question.v1"
_ANSWER: Final = "application/vnd.portillon.peer-answer.v1"
_SHOUT: Final = "application/vnd.portillon.peer-datagram.v1"


class RevokedError(SignatureError):
    """The gate is enrolled no more: the server has revoked it."""


class StrangerError(RemoteProtocolError):
    """The other gate does not know us (any more): it was started anew, say."""


class NotEnrolledError(RemoteProtocolError):
    """The other gate is none of ours, or not any more: no fault, another house may be near."""


@dataclass(frozen=True, slots=True)
class Self:
    """What a gate shows and signs with.

    Attributes:
        gate: its id.
        certificate: gives the envelope of its device certificate.
        sign: signs with its device key.
    """

    gate: str
    certificate: Callable[[], bytes]
    sign: Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What a gate believes of others' certificates.

    Attributes:
        signers: gives who may sign for the enrol role now.
        now: gives aware trusted time, None where it is not known.
        revoked: gives the ids of gates that the server has revoked.
    """

    signers: Callable[[], Signers]
    now: Callable[[], datetime | None]
    revoked: Callable[[], Collection[str]]

    def accept(self, raw: bytes) -> DeviceCertificate:
        """Check a certificate's envelope.

        Raises:
            ListError: if it is not to be believed, or not any more.
        """
        certificate = accept_certificate(raw, trusted=self.signers(), gate=None, now=None)
        self.check(certificate)
        return certificate

    def check(self, certificate: DeviceCertificate) -> None:
        """Look again at a certificate that was believed before.

        Raises:
            ListExpiredError: if its time is over.
            RevokedError: if its gate was revoked.
        """
        now = self.now()
        if now is not None and now >= certificate.not_after:
            until = certificate.not_after.isoformat()
            raise ListExpiredError(f"gate {certificate.gate}'s certificate expired at {until}")
        if certificate.gate in self.revoked():
            raise RevokedError(f"gate {certificate.gate} is revoked")


class Visitor:
    """Asks one other gate, one question at a time.

    Attributes:
        gate: id of that gate; "" until it has proven who it is.
        nonce: of its start, b"" until then.
    """

    def __init__(self, own: Self, enrolment: Enrolment) -> None:
        """Take who asks.

        Args:
            own: the asking gate.
            enrolment: what it believes of the other one's certificate.
        """
        self.gate = ""
        self.nonce = b""
        self._own = own
        self._enrolment = enrolment
        self._certificate: DeviceCertificate | None = None
        self._asked = b""
        self._counter = 0

    def greet(self, nonce: bytes) -> bytes:
        """Begin, or begin anew.

        Args:
            nonce: 16 random bytes, never used before.
        """
        self.gate, self.nonce, self._asked, self._certificate = "", b"", nonce, None
        return encode(Hello(self._own.certificate(), nonce))

    def welcomed(self, raw: bytes) -> DeviceCertificate:
        """Take the answer to a greeting; give the certificate of the gate that it comes from.

        Raises:
            NotEnrolledError: if its certificate is not believed here.
            AdmissionError: if it proves nothing.
        """
        message = decode_spoken(raw)
        if not isinstance(message, Welcome):
            raise RemoteProtocolError(f"a greeting is not answered by {type(message).__name__}")
        try:
            certificate = self._enrolment.accept(message.certificate)
        except ListError as exc:
            raise NotEnrolledError(str(exc)) from exc
        text = _welcome_text(certificate.gate, self._own.gate, self._asked, message.nonce)
        verify(certificate.device_key, message.proof, text)
        self.gate, self.nonce = certificate.gate, message.nonce
        self._certificate, self._counter = certificate, message.counter
        return certificate

    def ask(self, message: Heads | Wanted) -> bytes:
        """Sign a question."""
        self._counter += 1
        body = encode(message)
        text = _said_text(_QUESTION, self._own.gate, self.gate, self.nonce, self._counter, body)
        return encode(Said(self._own.gate, self.nonce, self._counter, body, self._own.sign(text)))

    def answered(self, raw: bytes) -> Told:
        """Take the answer to the last question.

        Raises:
            StrangerError: if a greeting has to come first.
            NotEnrolledError: if its certificate is not believed any more.
            AdmissionError: if it is none of that gate's to just this question.
        """
        certificate = self._certificate
        if certificate is None:
            raise LocalProtocolError("nobody was asked")
        try:
            self._enrolment.check(certificate)
        except ListError as exc:
            raise NotEnrolledError(str(exc)) from exc
        message = decode_spoken(raw)
        if isinstance(message, Stranger):
            raise StrangerError(f"gate {self.gate} does not know us any more")
        if not isinstance(message, Said):
            raise RemoteProtocolError(f"a question is not answered by {type(message).__name__}")
        text = _said_text(
            _ANSWER, self.gate, self._own.gate, self.nonce, self._counter, message.body
        )
        verify(certificate.device_key, message.signature, text)
        return decode_told(message.body)


@dataclass(slots=True)
class _Acquaintance:
    certificate: DeviceCertificate
    window: ReplayWindow = field(default_factory=ReplayWindow)


@dataclass(frozen=True, slots=True)
class Question:
    """A question whose asker is proven.

    Attributes:
        gate: id of the gate that asks.
        counter: of the question.
        message: what it asks.
    """

    gate: str
    counter: int
    message: Heads | Wanted


class Doorkeeper:
    """Answers every other gate, and knows their voices."""

    def __init__(self, own: Self, enrolment: Enrolment, nonce: bytes) -> None:
        """Take who answers.

        Args:
            own: the answering gate.
            enrolment: what it believes of the others' certificates.
            nonce: 16 random bytes of this start.
        """
        self.nonce = nonce
        self._own = own
        self._enrolment = enrolment
        self._known: dict[str, _Acquaintance] = {}

    def welcome(self, hello: Hello) -> bytes:
        """Answer a greeting; whoever greets has proven nothing yet.

        Raises:
            ListError: if its certificate is not to be believed.
        """
        certificate = self._enrolment.accept(hello.certificate)
        known = self.meet(certificate)
        text = _welcome_text(self._own.gate, certificate.gate, hello.nonce, self.nonce)
        return encode(
            Welcome(self._own.certificate(), self.nonce, known.window.highest, self._own.sign(text))
        )

    def meet(self, certificate: DeviceCertificate) -> _Acquaintance:
        """Know a gate by a certificate that was checked; an older one never takes its place."""
        known = self._known.get(certificate.gate)
        if known is None:
            if len(self._known) >= ACQUAINTANCES_MAX:
                del self._known[next(iter(self._known))]
            known = self._known[certificate.gate] = _Acquaintance(certificate)
        elif certificate.serial > known.certificate.serial:
            known.certificate = certificate
        return known

    def knows(self, gate: str) -> bool:
        """Tell whether a gate has shown its certificate since our start."""
        return gate in self._known

    def question(self, said: Said) -> Question:
        """Take a question.

        Raises:
            StrangerError: if its asker has to greet first.
            AdmissionError: if it is not this gate's, was asked before, or is no question.
        """
        known = self._known.get(said.gate)
        if known is None or said.nonce != self.nonce:
            raise StrangerError(f"gate {said.gate} did not greet since our start")
        self._enrolment.check(known.certificate)
        text = _said_text(_QUESTION, said.gate, self._own.gate, self.nonce, said.counter, said.body)
        verify(known.certificate.device_key, said.signature, text)
        known.window.take(said.counter)
        message = decode_told(said.body)
        if isinstance(message, Piece):
            raise RemoteProtocolError("a piece is an answer, not a question")
        return Question(said.gate, said.counter, message)

    def answer(self, question: Question, message: Heads | Piece) -> bytes:
        """Sign the answer to a question."""
        body = encode(message)
        text = _said_text(
            _ANSWER, self._own.gate, question.gate, self.nonce, question.counter, body
        )
        return encode(
            Said(self._own.gate, self.nonce, question.counter, body, self._own.sign(text))
        )

    def heard(self, shout: Shout) -> Shouted:
        """Take a datagram of a gate that we know.

        Raises:
            StrangerError: if we do not.
            AdmissionError: if it is not this gate's, or says nothing.
        """
        known = self._known.get(shout.gate)
        if known is None:
            raise StrangerError(f"gate {shout.gate} is not known")
        self._enrolment.check(known.certificate)
        verify(known.certificate.device_key, shout.signature, _shout_text(shout.gate, shout.body))
        return decode_shouted(shout.body)


def shout(own: Self, message: Shouted) -> bytes:
    """Sign a datagram."""
    body = encode(message)
    return encode(Shout(own.gate, body, own.sign(_shout_text(own.gate, body))))


def _text(kind: str, *fields: bytes) -> bytes:
    body = b"".join(len(raw).to_bytes(4) + raw for raw in fields)
    return pre_authentication_encoding(kind, body)


def _welcome_text(gate: str, asker: str, asked: bytes, nonce: bytes) -> bytes:
    return _text(_WELCOME, gate.encode(), asker.encode(), asked, nonce)


def _said_text(
    kind: str, speaker: str, listener: str, nonce: bytes, counter: int, body: bytes
) -> bytes:
    digest = hashlib.sha256(body).digest()
    count = str(counter).encode()
    return _text(kind, speaker.encode(), listener.encode(), nonce, count, digest)


def _shout_text(gate: str, body: bytes) -> bytes:
    return _text(_SHOUT, gate.encode(), body)
