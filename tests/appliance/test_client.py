"""The gate's requests over HTTP, against servers that behave, and every kind that does not."""

import asyncio
import hashlib
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import WSMsgType, web

from admission.errors import SignatureError
from admission.sync import codec
from admission.sync.messages import Ack, Batch, Beat, Enrol, Enrolled, Feed, Moment, Subscribe
from admission.sync.request_signing import (
    COUNTER_HEADER,
    NONCE_HEADER,
    ReplayWindow,
    check_request,
    read_authorization,
)
from admission.ticketlist.keys import public_key
from appliance.errors import LinkAnswerError, LinkError, LinkRefusedError, StorageError
from appliance.transport import client
from appliance.transport.client import HttpLink, open_link

KEY = b"k" * 32
GATE = "gate-a"
BATCH = Batch("journal-a", 1, bytes(32), [b"blob"], Moment(1, 2, b"boot"))
ACK = Ack("journal-a", 1, b"c" * 32, 5)
ENROL = Enrol("code", bytes(32), bytes(32))
ODD_NAME = "Été / soirée ? #1 100%"


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every wait short: what is tested here is that there is an end to it."""
    for name in ("CONNECT_S_MAX", "REQUEST_S_MAX", "STALL_S_MAX", "LIVE_SILENCE_S_MAX"):
        monkeypatch.setattr(client, name, 0.06)
    monkeypatch.setattr(client, "CLOSE_S_MAX", 0.02)


# --- servers that behave --------------------------------------------------------------------------


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


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    served = Server()
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", served.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.05)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    served.url = runner.addresses and f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield served
    await runner.cleanup()


@pytest.fixture
async def link(server: Server) -> AsyncIterator[HttpLink]:
    async with open_link(server.url, GATE, KEY) as opened:
        yield opened


async def test_every_request_is_signed_over_method_path_and_body(server: Server, link: HttpLink):
    server.answers = {
        "/sync/v1/assignment": b"assignment",
        "/sync/v1/performances/show/manifest": b"manifest",
        "/sync/v1/performances/show/key": b"sealed",
        "/sync/v1/journals/journal-a": codec.encode(ACK),
        "/sync/v1/feed/show?after=7": codec.encode(Feed("show", 7, [], 7)),
    }
    assert await link.assignment() == b"assignment"
    assert await link.manifest("show") == b"manifest"
    assert await link.list_key("show") == b"sealed"
    assert await link.upload(BATCH) == ACK
    assert await link.feed("show", 7) == Feed("show", 7, [], 7)
    assert server.refused == 1  # only the first, which could not know the nonce
    assert server.counters == [1, 2, 3, 4, 5]


async def test_names_that_need_quoting_are_signed_as_they_arrive(server: Server, link: HttpLink):
    server.answers["*"] = b"manifest"
    assert await link.manifest(ODD_NAME) == b"manifest"
    assert server.requests[-1].path == f"/sync/v1/performances/{ODD_NAME}/manifest"
    assert server.refused == 1


async def test_what_was_signed_for_one_request_is_good_for_no_other(server: Server, link: HttpLink):
    server.answers["*"] = b"manifest"
    await link.manifest("show")
    credentials = read_authorization(server.requests[-1].headers["Authorization"])
    good = {"method": "GET", "target": "/sync/v1/performances/show/manifest", "body": b""}
    for change in ({"method": "PUT"}, {"target": "/sync/v1/assignment"}, {"body": b"x"}):
        with pytest.raises(SignatureError):
            check_request(
                credentials,
                public_key=public_key(KEY),
                nonce=server.nonce,
                window=ReplayWindow(),
                **good | change,
            )
    with pytest.raises(SignatureError, match="was used before"):
        check_request(
            credentials,
            public_key=public_key(KEY),
            nonce=server.nonce,
            window=server.windows[GATE],
            **good,
        )


async def test_a_server_that_was_started_anew_is_answered_with_its_new_nonce(
    server: Server, link: HttpLink
):
    server.answers["*"] = b"manifest"
    for _ in range(3):
        await link.manifest("show")
    server.start_anew()
    assert await link.manifest("matinee") == b"manifest"
    assert server.counters == [1, 2, 3, 1]


async def test_a_gate_that_was_started_anew_goes_on_from_its_counter(server: Server):
    server.answers["*"] = b"manifest"
    for _ in range(3):
        async with open_link(server.url, GATE, KEY) as link:
            await link.manifest("show")
            await link.manifest("matinee")
    assert server.counters == [1, 2, 3, 4, 5, 6]


async def test_requests_that_overlap_all_get_over_a_new_nonce(server: Server, link: HttpLink):
    server.answers["*"] = b"manifest"
    await link.manifest("show")
    server.start_anew()
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(link.manifest(f"show {n}")) for n in range(8)]
    assert [task.result() for task in tasks] == [b"manifest"] * 8
    assert sorted(server.counters[1:]) == list(range(1, 9))


@pytest.mark.parametrize("counter", ["", "-5", "x", "١", "9" * 40])
async def test_a_counter_that_is_none_is_taken_for_the_beginning(
    server: Server, link: HttpLink, counter: str
):
    class Odd(ReplayWindow):
        highest = counter

    server.windows = {GATE: Odd()}
    server.answers["*"] = b"manifest"
    assert await link.manifest("show") == b"manifest"
    assert server.counters == [1]


async def test_a_document_that_has_not_changed_is_not_sent_again(server: Server, link: HttpLink):
    target = "/sync/v1/performances/show/manifest"
    server.answers[target] = web.Response(body=b"manifest", headers={"ETag": '"1"'})
    assert await link.manifest("show") == b"manifest"
    server.answers[target] = web.Response(status=304)
    assert await link.manifest("show") is None
    assert server.requests[-1].headers["If-None-Match"] == '"1"'
    server.answers[target] = web.Response(body=b"manifest", headers={"ETag": '"1"'})
    link.forget("show")
    assert await link.manifest("show") == b"manifest"
    assert "If-None-Match" not in server.requests[-1].headers


async def test_an_assignment_that_could_not_be_taken_is_asked_for_in_full(
    server: Server, link: HttpLink
):
    server.answers["*"] = web.Response(body=b"assignment", headers={"ETag": '"1"'})
    await link.assignment()
    link.forget_assignment()
    server.answers["*"] = web.Response(body=b"assignment")
    assert await link.assignment() == b"assignment"
    assert "If-None-Match" not in server.requests[-1].headers


async def test_unchanged_is_no_answer_where_nothing_was_known(server: Server, link: HttpLink):
    server.answers["*"] = web.Response(status=304)
    with pytest.raises(LinkAnswerError, match="the server answers 304"):
        await link.manifest("show")


async def test_enrolment_is_not_signed_since_nobody_knows_the_key_yet(server: Server):
    answer = Enrolled(GATE, "Porte A", [bytes(32)], "123456", 0)
    server.answers["*"] = codec.encode(answer)
    async with open_link(server.url, "", KEY) as link:
        assert await link.enrol(ENROL) == answer
    assert "Authorization" not in server.requests[0].headers


async def test_a_conflict_is_an_answer(server: Server, link: HttpLink):
    conflict = Ack("journal-a", 9, b"d" * 32, 5, conflict=True)
    server.answers["*"] = web.Response(status=409, body=codec.encode(conflict))
    assert await link.upload(BATCH) == conflict


async def test_no_proxy_of_the_environment_comes_between(
    server: Server, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    server.answers["*"] = b"manifest"
    async with open_link(server.url, GATE, KEY) as link:
        assert await link.manifest("show") == b"manifest"


async def test_no_cookie_is_kept(server: Server, link: HttpLink):
    server.answers["*"] = web.Response(body=b"m", headers={"Set-Cookie": "who=gate"})
    await link.manifest("show")
    server.answers["*"] = b"m"
    await link.manifest("matinee")
    assert "Cookie" not in server.requests[-1].headers


# --- snapshots ------------------------------------------------------------------------------------


async def test_a_snapshot_is_written_to_its_file(server: Server, link: HttpLink, tmp_path: Path):
    snapshot = b"x" * 300_000
    digest = hashlib.sha256(snapshot).hexdigest()
    server.answers[f"/sync/v1/performances/show/lists/{digest}"] = snapshot
    await link.download("show", digest, len(snapshot), tmp_path / "list")
    assert (tmp_path / "list").read_bytes() == snapshot


async def test_a_snapshot_longer_than_was_signed_is_broken_off(
    server: Server, link: HttpLink, tmp_path: Path
):
    server.answers["*"] = b"x" * 300_000
    with pytest.raises(LinkError, match="snapshot is over the 1000 bytes that were signed"):
        await link.download("show", "digest", 1_000, tmp_path / "list")
    assert (tmp_path / "list").stat().st_size <= 1_000


async def test_a_snapshot_that_is_not_there_is_told_in_the_servers_words(
    server: Server, link: HttpLink, tmp_path: Path
):
    server.answers["*"] = web.Response(status=404, text="not published yet")
    with pytest.raises(LinkAnswerError, match="the server answers 404: not published yet"):
        await link.download("show", "digest", 1_000, tmp_path / "list")


async def test_a_disk_that_takes_no_snapshot_is_not_blamed_on_the_link(
    server: Server, link: HttpLink, tmp_path: Path
):
    server.answers["*"] = b"x"
    with pytest.raises(StorageError, match="cannot be written: No such file"):
        await link.download("show", "digest", 1, tmp_path / "nowhere" / "list")
    with pytest.raises(StorageError, match="snapshot cannot be written: No space left"):
        await link.download("show", "digest", 1, Path("/dev/full"))


# --- servers that answer, but not as they should --------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "error", "told"),
    [
        (web.Response(status=500), LinkAnswerError, "the server answers 500"),
        (
            web.Response(status=503, text="back\nsoon\x1b[2J"),
            LinkAnswerError,
            r"the server answers 503: back soon \[2J",
        ),
        (web.Response(status=404, text="y" * 5_000), LinkAnswerError, "404: y{200}$"),
        (web.Response(status=302, headers={"Location": "/"}), LinkAnswerError, "answers 302"),
        (web.Response(status=511, body=b"<html>"), LinkAnswerError, "answers 511"),
        (web.Response(status=403, text="revoked"), LinkRefusedError, r"gate \(403\): revoked"),
        (
            web.Response(text="<html>Wi-Fi", content_type="text/html"),
            LinkError,
            "is a web page, not a sync server; is there a login portal",
        ),
        (b"\xc1garbage", LinkError, "what answers is no sync server: expected Ack"),
        (b"", LinkError, "what answers is no sync server"),
        (codec.encode(Beat()), LinkError, "what answers is no sync server"),
        (codec.encode(ACK)[:-3], LinkError, "what answers is no sync server"),
        (b"\x00" * (client.MESSAGE_BYTES_MAX + 1), LinkError, "answer is over 4194304 bytes"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_what_is_no_answer_is_told(server: Server, link: HttpLink, answer, error, told):
    server.answers["*"] = answer
    with pytest.raises(LinkError, match=told) as caught:
        await link.upload(BATCH)
    assert type(caught.value) is error


async def test_small_documents_are_bounded_too(server: Server, link: HttpLink):
    server.answers["*"] = b"x" * 70_000
    with pytest.raises(LinkError, match="answer is over 65536 bytes"):
        await link.manifest("show")
    with pytest.raises(LinkError, match="answer is over 1024 bytes"):
        await link.list_key("show")


async def test_a_refusal_without_a_nonce_is_final(server: Server, link: HttpLink):
    server.tells_nonce = False
    with pytest.raises(LinkRefusedError, match=r"refuses this gate \(401\)"):
        await link.assignment()
    assert len(server.requests) == 1


async def test_a_key_that_the_server_does_not_know_is_refused_after_one_more_try(server: Server):
    async with open_link(server.url, GATE, b"w" * 32) as link:
        with pytest.raises(LinkRefusedError):
            await link.assignment()
        with pytest.raises(LinkRefusedError):
            async with link.live():
                pass
    assert server.refused == 4


# --- servers that hardly are servers --------------------------------------------------------------

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def talking(talk: Talk) -> AsyncIterator[str]:
    """Run a server that says just what it is told to."""
    tasks: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())
        try:
            await talk(reader, writer)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    listening = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with listening:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks)


async def nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readline()


async def drip_head(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    for byte in b"HTTP/1.1 200 OK\r\nX: " + b"y" * 500:
        writer.write(bytes([byte]))
        await asyncio.sleep(0.005)


async def drip_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n")
    for _ in range(500):
        writer.write(b"z")
        await asyncio.sleep(0.005)


async def half_a_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nhalf")


async def no_http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"SSH-2.0-OpenSSH_9.2p1 Debian\r\n")


async def no_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"10000\r\n" + b"e" * 0x10000 + b"\r\n")
        await writer.drain()


async def bad_encoding(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope")


async def odd_kind(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: ;;;\xff\r\nContent-Length: 4\r\n\r\nnope")


async def endless_error(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 500 No\r\nContent-Type: text/plain\r\nContent-Length: 9\r\n\r\nx")
    await asyncio.Event().wait()


SLOW = {
    "accepts and never answers": (nothing, "no answer in time|[Tt]imeout"),
    "sends its head byte by byte": (drip_head, "no answer in time|[Tt]imeout"),
    "sends its answer byte by byte": (drip_body, "no answer in time"),
    "does not finish its complaint": (endless_error, "the server answers 500|no answer in time"),
}
WRONG = {
    "hangs up": (hang_up, "disconnected|reset"),
    "breaks off in the middle": (half_a_body, "answer broke off"),
    "speaks no HTTP": (no_http, "Bad|Expected|Invalid|400"),
    "never stops": (no_end, "answer is over 4194304 bytes"),
    "packs wrongly": (bad_encoding, "broke off|[Dd]ecode|400"),
    "names an odd kind": (odd_kind, "no sync server|Invalid|400"),
}


@pytest.mark.parametrize("how", SLOW)
@pytest.mark.usefixtures("short")
async def test_a_server_that_is_too_slow_is_a_link_error_in_bounded_time(how: str):
    await expect_link_errors(*SLOW[how])


@pytest.mark.parametrize("how", WRONG)
async def test_a_server_that_talks_nonsense_is_a_link_error(how: str):
    await expect_link_errors(*WRONG[how])


async def expect_link_errors(talk: Talk, told: str) -> None:
    async with talking(talk) as url, open_link(url, GATE, KEY) as link, asyncio.timeout(4):
        with pytest.raises(LinkError, match=told):
            await link.upload(BATCH)
        with pytest.raises(LinkError):
            async with link.live():
                pass


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize(
    ("talk", "told"),
    [
        (nothing, "no answer in time|[Tt]imeout"),
        (drip_head, "no answer in time|[Tt]imeout"),
        (drip_body, "no answer in time|[Tt]imeout"),
    ],
)
async def test_a_snapshot_that_does_not_come_is_given_up(tmp_path: Path, talk: Talk, told: str):
    async with talking(talk) as url, open_link(url, GATE, KEY) as link, asyncio.timeout(5):
        with pytest.raises(LinkError, match=told):
            await link.download("show", "digest", 500, tmp_path / "list")


async def test_a_snapshot_that_breaks_off_is_told(tmp_path: Path):
    async with talking(half_a_body) as url, open_link(url, GATE, KEY) as link:
        with pytest.raises(LinkError, match="snapshot broke off"):
            await link.download("show", "digest", 500, tmp_path / "list")


async def test_a_long_snapshot_is_not_given_up_while_it_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(client, "REQUEST_S_MAX", 0.05)

    async def steadily(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n")
        for _ in range(20):
            writer.write(b"s" * 500)
            await asyncio.sleep(0.01)  # more in all than a whole request may take

    async with talking(steadily) as url, open_link(url, GATE, KEY) as link:
        await link.download("show", "digest", 10_000, tmp_path / "list")
    assert (tmp_path / "list").stat().st_size == 10_000


async def test_a_server_that_is_not_there_is_told():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens here
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        async with open_link(url, GATE, KEY) as link:
            with pytest.raises(LinkError, match=r"GET /sync/v1/assignment: Cannot connect"):
                await link.assignment()
            with pytest.raises(LinkError, match="live: Cannot connect"):
                async with link.live():
                    pass


@pytest.mark.usefixtures("short")
async def test_a_server_that_does_not_even_accept_is_given_up():
    with socket.socket() as full, socket.socket() as first, socket.socket() as second:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for waiting in (first, second):  # nobody takes them in, so that no more fit in
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        url = f"http://127.0.0.1:{full.getsockname()[1]}"
        async with open_link(url, GATE, KEY) as link, asyncio.timeout(5):
            with pytest.raises(LinkError, match=r"[Tt]imeout|in time"):
                await link.assignment()


async def test_a_name_that_does_not_resolve_is_told(monkeypatch: pytest.MonkeyPatch):
    async def unknown(host: str, *_, **__) -> None:
        raise socket.gaierror(-2, f"Name or service not known: {host}")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", unknown)
    async with open_link("https://gate.invalid", GATE, KEY) as link:
        with pytest.raises(LinkError, match=r"gate\.invalid.*Name or service not known"):
            await link.assignment()
        with pytest.raises(LinkError, match=r"live: .*gate\.invalid"):
            async with link.live():
                pass


async def test_a_server_that_speaks_in_clear_is_no_https_server():
    async with (
        talking(no_http) as url,
        open_link(url.replace("http:", "https:"), GATE, KEY) as link,
    ):
        with pytest.raises(LinkError, match=r"[Cc]annot connect|SSL"):
            await link.assignment()


async def test_a_certificate_that_nobody_signed_is_not_trusted(tmp_path: Path):
    certificate = make_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    listening = await asyncio.start_server(hang_up, "127.0.0.1", 0, ssl=context)
    async with listening:
        url = f"https://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        async with open_link(url, GATE, KEY) as link:
            with pytest.raises(LinkError, match=r"certificate verify failed|CERTIFICATE_VERIFY"):
                await link.assignment()


def make_certificate(folder: Path) -> Path:
    from datetime import UTC, datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    path = folder / "server.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.write_bytes(secret + made.public_bytes(serialization.Encoding.PEM))
    return path


# --- the live connection --------------------------------------------------------------------------


async def test_a_live_connection_carries_messages_both_ways(server: Server, link: HttpLink):
    heard = []

    async def converse(ws: web.WebSocketResponse) -> None:
        heard.append(codec.decode_live((await ws.receive()).data))
        await ws.send_bytes(codec.encode(Beat(7)))
        await ws.receive()

    server.live = converse
    async with link.live() as connection:
        await connection.send(Subscribe({"show": 3}))
        assert await connection.receive() == Beat(7)
    assert heard == [Subscribe({"show": 3})]
    assert server.counters == [1]


async def test_a_live_connection_gets_over_a_new_nonce_and_loses_no_assignment(
    server: Server, link: HttpLink
):
    async def greet(ws: web.WebSocketResponse) -> None:
        await ws.send_bytes(codec.encode(Beat(7)))
        await ws.receive()

    server.live = greet
    server.answers["*"] = web.Response(body=b"assignment", headers={"ETag": '"1"'})
    async with link.live() as connection:
        assert await connection.receive() == Beat(7)
    server.start_anew()
    async with link.live() as connection:
        assert await connection.receive() == Beat(7)
    assert await link.assignment() == b"assignment"


async def say_text(ws: web.WebSocketResponse) -> None:
    await ws.send_str("hello")
    await ws.receive()


async def say_garbage(ws: web.WebSocketResponse) -> None:
    await ws.send_bytes(b"\xc1")
    await ws.receive()


async def say_too_much(ws: web.WebSocketResponse) -> None:
    await ws.send_bytes(b"x" * (client.MESSAGE_BYTES_MAX + 1))
    await ws.receive()


async def say_what_is_not_live(ws: web.WebSocketResponse) -> None:
    await ws.send_bytes(codec.encode(ACK))
    await ws.receive()


async def close(ws: web.WebSocketResponse) -> None:
    await ws.close()


async def cut_off(ws: web.WebSocketResponse) -> None:
    ws._req.transport.abort()


@pytest.mark.parametrize(
    ("talk", "told"),
    [
        (close, r"live connection ended \(close"),
        (cut_off, r"live connection ended \(clos"),
        (say_text, r"live connection ended \(text\)"),
        (say_garbage, "live connection: not a live message"),
        (say_what_is_not_live, "live connection: not a live message"),
        (say_too_much, r"live connection ended \((error|close)"),
    ],
)
async def test_a_live_connection_that_goes_wrong_is_a_link_error(
    server: Server, link: HttpLink, talk, told: str
):
    server.live = talk
    async with asyncio.timeout(5), link.live() as connection:
        with pytest.raises(LinkError, match=told):
            await connection.receive()


async def test_a_live_connection_that_says_nothing_is_lost_after_a_while(
    server: Server, link: HttpLink, monkeypatch: pytest.MonkeyPatch
):
    async def listen(ws: web.WebSocketResponse) -> None:
        while (await ws.receive()).type is WSMsgType.BINARY:
            pass

    server.live = listen
    monkeypatch.setattr(client, "LIVE_SILENCE_S_MAX", 0.02)
    async with asyncio.timeout(5), link.live() as connection:
        with pytest.raises(LinkError, match=r"live connection silent for 0\.02 s"):
            await connection.receive()


async def test_what_cannot_be_sent_any_more_is_a_link_error(server: Server, link: HttpLink):
    server.live = cut_off
    async with asyncio.timeout(5), link.live() as connection:
        with pytest.raises(LinkError):
            await connection.receive()
        with pytest.raises(LinkError, match="live connection: "):
            await connection.send(Beat())


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"no upgrade", LinkAnswerError),
        (web.Response(status=404), LinkAnswerError),
        (web.Response(status=403), LinkRefusedError),
    ],
)
async def test_a_server_without_a_live_connection_is_told(
    server: Server, link: HttpLink, answer, error: type[LinkError]
):
    server.answers["*"] = answer
    with pytest.raises(error, match="live"):
        async with link.live():
            pass


async def test_a_good_bye_that_nobody_answers_holds_nobody_up(monkeypatch: pytest.MonkeyPatch):
    """The other side upgrades, and is gone without a word."""
    monkeypatch.setattr(client, "LIVE_SILENCE_S_MAX", 0.02)
    monkeypatch.setattr(client, "CLOSE_S_MAX", 0.02)

    async def upgrade(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        (key,) = [
            line.split(b": ")[1]
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"sec-websocket-key")
        ]
        accept = _accept(key)
        writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )
        await asyncio.Event().wait()

    async with (
        asyncio.timeout(5),
        talking(upgrade) as url,
        open_link(url, GATE, KEY) as link,
        link.live() as connection,
    ):
        with pytest.raises(LinkError, match="silent"):
            await connection.receive()


def _accept(key: bytes) -> bytes:
    import base64

    magic = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    return base64.b64encode(hashlib.sha1(key + magic, usedforsecurity=False).digest())


async def test_cancelling_a_request_leaves_nothing_behind():
    async with talking(nothing) as url, open_link(url, GATE, KEY) as link:
        task = asyncio.create_task(link.assignment())
        await asyncio.sleep(0.005)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
