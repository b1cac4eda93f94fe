"""The gate's client against servers that hardly are servers: slow, mute, garbled, not there."""

import asyncio
import socket
import ssl
from pathlib import Path

import pytest

from appliance.errors import LinkError
from appliance.transport import client
from appliance.transport.client import open_link
from signed_server import BATCH, GATE, SIGNER
from talking_server import Talk, talking


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every wait short: what is tested here is that there is an end to it."""
    for name in ("CONNECT_S_MAX", "REQUEST_S_MAX", "STALL_S_MAX", "LIVE_SILENCE_S_MAX"):
        monkeypatch.setattr(client, name, 0.06)
    monkeypatch.setattr(client, "CLOSE_S_MAX", 0.02)


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
    async with talking(talk) as url, open_link(url, GATE, SIGNER) as link, asyncio.timeout(4):
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
    async with talking(talk) as url, open_link(url, GATE, SIGNER) as link, asyncio.timeout(5):
        with pytest.raises(LinkError, match=told):
            await link.download("show", "digest", 500, tmp_path / "list")


async def test_a_snapshot_that_breaks_off_is_told(tmp_path: Path):
    async with talking(half_a_body) as url, open_link(url, GATE, SIGNER) as link:
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

    async with talking(steadily) as url, open_link(url, GATE, SIGNER) as link:
        await link.download("show", "digest", 10_000, tmp_path / "list")
    assert (tmp_path / "list").stat().st_size == 10_000


async def test_a_server_that_is_not_there_is_told():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens here
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        async with open_link(url, GATE, SIGNER) as link:
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
        async with open_link(url, GATE, SIGNER) as link, asyncio.timeout(5):
            with pytest.raises(LinkError, match=r"[Tt]imeout|in time"):
                await link.assignment()


async def test_a_name_that_does_not_resolve_is_told(monkeypatch: pytest.MonkeyPatch):
    async def unknown(host: str, *_, **__) -> None:
        raise socket.gaierror(-2, f"Name or service not known: {host}")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", unknown)
    async with open_link("https://gate.invalid", GATE, SIGNER) as link:
        with pytest.raises(LinkError, match=r"gate\.invalid.*Name or service not known"):
            await link.assignment()
        with pytest.raises(LinkError, match=r"live: .*gate\.invalid"):
            async with link.live():
                pass


async def test_a_server_that_speaks_in_clear_is_no_https_server():
    async with (
        talking(no_http) as url,
        open_link(url.replace("http:", "https:"), GATE, SIGNER) as link,
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
        async with open_link(url, GATE, SIGNER) as link:
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


async def test_cancelling_a_request_leaves_nothing_behind():
    async with talking(nothing) as url, open_link(url, GATE, SIGNER) as link:
        task = asyncio.create_task(link.assignment())
        await asyncio.sleep(0.005)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
