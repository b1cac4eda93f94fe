"""A sync server that checks signatures, and what its gate sends it. For tests of the client."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from admission.errors import SignatureError
from admission.sync.messages import Ack, Batch, Moment
from admission.sync.request_signing import (
    COUNTER_HEADER,
    NONCE_HEADER,
    ReplayWindow,
    check_request,
    read_authorization,
)
from admission.trust.keys import public_key
from appliance.storage.stored_signer import StoredSigner

KEY = b"k" * 32
SIGNER = StoredSigner(KEY)
GATE = "gate-a"
BATCH = Batch("journal-a", 1, bytes(32), [b"blob"], Moment(1, 2, b"boot"))
ACK = Ack("journal-a", 1, b"c" * 32, 5)


class Server:
    """A sync server that checks signatures as the real one does, and answers as it is told."""

    def __init__(self) -> None:
        self.nonce = "nonce-1"
        self.windows = {GATE: ReplayWindow()}
        self.counters: list[int] = []
        self.requests: list[web.Request] = []
        self.refused = 0
        self.tells_nonce = True
        self.answers: dict[str, bytes | web.Response] = {}
        self.live: Callable[[web.WebSocketResponse], Awaitable[None]] | None = None
        self.url = ""

    def start_anew(self) -> None:
        """As after a restart: another nonce, and nothing known of counters."""
        self.nonce += "+"
        self.windows = {GATE: ReplayWindow()}

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        body = await request.read()
        if not request.path.startswith("/sync/v1/enrolments") and not self.is_signed(request, body):
            self.refused += 1
            highest = str(self.windows[GATE].highest)
            headers = {NONCE_HEADER: self.nonce, COUNTER_HEADER: highest}
            return web.Response(status=401, headers=headers if self.tells_nonce else {})
        if self.live is not None and request.path == "/sync/v1/live":
            ws = web.WebSocketResponse(timeout=0.05)
            await ws.prepare(request)
            await self.live(ws)
            return ws
        answer = self.answers.get(request.raw_path, self.answers.get("*", b""))
        return answer if isinstance(answer, web.Response) else web.Response(body=answer)

    def is_signed(self, request: web.Request, body: bytes) -> bool:
        credentials = read_authorization(request.headers["Authorization"])
        try:
            check_request(
                credentials,
                public_key=public_key(KEY),
                method=request.method,
                target=request.raw_path,
                body=body,
                nonce=self.nonce,
                window=self.windows[credentials.gate],
            )
        except SignatureError:
            return False
        self.counters.append(credentials.counter)
        return True
