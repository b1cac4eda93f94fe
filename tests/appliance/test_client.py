"""The gate's requests over HTTP, against servers that answer, rightly and wrongly."""

import asyncio
import hashlib
from pathlib import Path

import pytest
from aiohttp import web

from admission.errors import SignatureError
from admission.sync import codec
from admission.sync.messages import Ack, Beat, Enrol, Enrolled, Feed
from admission.sync.request_signing import (
    ReplayWindow,
    check_request,
    read_authorization,
)
from admission.trust.keys import public_key
from appliance.errors import LinkAnswerError, LinkError, LinkRefusedError, StorageError
from appliance.storage.stored_signer import StoredSigner
from appliance.transport import client
from appliance.transport.client import HttpLink, open_link
from signed_server import ACK, BATCH, GATE, KEY, SIGNER, Server

ENROL = Enrol("code", bytes(32), bytes(32))
ODD_NAME = "Été / soirée ? #1 100%"


# --- servers that behave --------------------------------------------------------------------------


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
        async with open_link(server.url, GATE, SIGNER) as link:
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
    answer = Enrolled(GATE, "Porte A", b"root", "123456", 0)
    server.answers["*"] = codec.encode(answer)
    async with open_link(server.url, "", SIGNER) as link:
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
    async with open_link(server.url, GATE, SIGNER) as link:
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
    async with open_link(server.url, GATE, StoredSigner(b"w" * 32)) as link:
        with pytest.raises(LinkRefusedError):
            await link.assignment()
        with pytest.raises(LinkRefusedError):
            async with link.live():
                pass
    assert server.refused == 6  # the live connection asks both ways


@pytest.mark.parametrize(
    ("after", "window_s"), [("7", 7.0), ("Wed, 25 Nov 2026", None), ("", None)]
)
async def test_a_server_with_too_much_to_do_says_when_to_come_back(
    server: Server, link: HttpLink, after: str, window_s: float | None
):
    server.answers["*"] = web.Response(status=503, headers={"Retry-After": after})
    with pytest.raises(LinkAnswerError) as caught:
        await link.status("nonce")
    assert getattr(caught.value, "window_s", None) == window_s
