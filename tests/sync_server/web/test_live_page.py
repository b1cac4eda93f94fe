"""The live page: complete without a script, renewed by its stream, escaped, in the venue's time."""

import asyncio
import json
from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest

from sync_server.reporting import GateState, LiveReport
from sync_server.web.back_office import live, live_board
from sync_server.web.back_office.live_parts import PARTS, totals
from sync_server.web.formats import instant

HOSTILE = "<script>alert('x')</script>\"&{{ 7*7 }}{% raw %}\u202egnp"


async def page(browser) -> str:
    status, text = await browser.get("/")
    assert status == 200
    return text


async def test_it_shows_everything_without_a_script(browser, lea):
    await browser.sign_in()
    text = await page(browser)
    for words in ("Samedi 20:30", "516 / 548", "497", "Porte A", "Porte B", "Déjà utilisé", "9e37"):
        assert words in text, words


async def test_a_gates_card_says_how_old_its_knowledge_is_also_while_it_says_nothing(
    browser, lea, reports
):
    silent = reports.report.gates[1]
    degraded = replace(silent, id="g3", state=GateState.ONLINE)
    reports.report = replace(reports.report, gates=(silent, degraded))
    await browser.sign_in()
    text = await page(browser)
    for words in ("il y a", "Plus ancien envoi en attente", "Horloge en avance de 4 s", "120 ppm"):
        assert words in text, words
    assert text.count("Sans réseau") == 1  # what it said before it went is not what it is now
    minutes = (reports.report.at_us // 1000 - silent.last_seen_ms) // 60_000
    assert f"(il y a {minutes}\u00a0min)" in text


async def test_a_handhelds_card_says_how_its_battery_is(browser, lea, reports):
    gate = reports.report.gates[0]
    low = replace(gate, id="low", knowledge=replace(gate.knowledge, battery=18))
    fed = replace(gate, id="fed", knowledge=replace(low.knowledge, battery=17, is_charging=True))
    reports.report = replace(reports.report, gates=(gate, low, fed))
    await browser.sign_in()
    text = await page(browser)
    assert text.count("Batterie") == 2
    assert 'class="gate-seen attention">Batterie : 18 %</p>' in text
    assert 'class="gate-seen">Batterie : 17 % · en charge</p>' in text


async def test_an_anomaly_shows_both_passages_and_why(browser, lea):
    await browser.sign_in()
    text = (await page(browser)).partition('id="anomalies"')[2].partition("</section>")[0]
    assert "il a servi deux fois" in text
    assert text.index("Porte A") < text.index("Porte B")
    assert text.count("<time ") == 2
    assert text.count("celui-ci") == 1
    assert "<code>9f3a</code>" in text


async def test_times_are_the_venues(browser, lea, reports):
    await browser.sign_in()
    in_paris = ZoneInfo("Europe/Paris")
    at = local(reports.report.at_us, in_paris)
    assert at in await page(browser)
    reports.zone_names = ["America/Martinique"]
    there = local(reports.report.at_us, ZoneInfo("America/Martinique"))
    text = await page(browser)
    assert there in text
    assert "America/Martinique" in text


async def test_where_venues_are_in_several_zones_the_reader_chooses(browser, lea, reports):
    await browser.sign_in()
    reports.zone_names = ["Europe/Paris", "Indian/Reunion"]
    assert "Indian/Reunion</option>" in await page(browser)
    _, text = await browser.get("/?zone=Indian/Reunion")
    assert "heures de Indian/Reunion" in text
    _, text = await browser.get("/?zone=../../etc/passwd")
    assert "heures de Europe/Paris" in text


async def test_names_are_shown_as_they_are_and_never_run(browser, lea, reports):
    report = reports.report
    reports.name = HOSTILE
    reports.report = replace(
        report,
        performances=(replace(report.performances[0], name=HOSTILE, event=HOSTILE),),
        checkpoints=(replace(report.checkpoints[0], name=HOSTILE),),
        gates=tuple(replace(gate, name=HOSTILE, checkpoint=HOSTILE) for gate in report.gates),
        last_passages=(replace(report.last_passages[0], gate=HOSTILE, performance=HOSTILE),),
        anomalies=(
            replace(
                report.anomalies[0],
                performance=HOSTILE,
                checkpoint=HOSTILE,
                reason=HOSTILE,
                passages=(replace(report.anomalies[0].passages[0], gate=HOSTILE),),
            ),
        ),
        refusals=((HOSTILE, 1),),
    )
    await browser.sign_in()
    text = await page(browser)
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&#34;&amp;{{ 7*7 }}{% raw %}" in text


async def test_a_name_written_from_right_to_left_stays_within_itself(browser, lea, reports):
    reports.report = replace(
        reports.report, gates=(replace(reports.report.gates[0], name="\u202eA etroP"),)
    )
    await browser.sign_in()
    assert "<h3><bdi>\u202eA etroP</bdi></h3>" in await page(browser)


async def test_before_anything_is_set_up_it_says_what_to_do(browser, lea, reports):
    reports.report = LiveReport(reports.report.at_us, (), (), (), (), (), (), ())
    reports.zone_names = []
    await browser.sign_in()
    text = await page(browser)
    assert "Aucune porte pour l’instant" in text
    assert "Tous les franchissements connus ici respectent les règles" in text


def test_totals_leave_revoked_gates_out(report):
    revoked = replace(report.gates[1], state=GateState.REVOKED)
    summed = totals(replace(report, gates=(report.gates[0], revoked)))
    assert (summed.gates_online, summed.gates) == (1, 1)
    assert (summed.inside, summed.admitted, summed.refused) == (497, 516, 21)


async def test_a_gate_with_an_older_list_than_the_published_one_is_behind(browser, lea):
    await browser.sign_in()
    gates = (await page(browser)).partition('id="gates"')[2]
    first, second = gates.split('data-key="g2"')
    assert "liste 7" in first
    assert "en retard" not in first
    assert "liste 6" in second
    assert "en retard" in second


async def test_two_passages_of_one_second_are_told_apart(browser, lea, reports):
    anomaly = reports.report.anomalies[0]
    at_us = anomaly.at_us // 1_000_000 * 1_000_000
    passages = tuple(replace(one, at_us=at_us + n * 7000) for n, one in enumerate(anomaly.passages))
    reports.report = replace(reports.report, anomalies=(replace(anomaly, passages=passages),))
    await browser.sign_in()
    text = await page(browser)
    assert ",000</time>" in text
    assert ",007</time>" in text


async def events(answer, count: int) -> list[tuple[str, dict[str, dict[str, str]]]]:
    """Read so many events of a stream."""
    found = []
    while len(found) < count:
        frame = (await answer.content.readuntil(b"\n\n")).decode()
        event, _, data = frame.partition("\ndata: ")
        found.append((event.removeprefix("event: "), json.loads(data)))
    return found


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(live, "GAP_S", 0.0)
    monkeypatch.setattr(live_board, "REPORT_AGE_S_MAX", -1.0)


async def test_the_stream_begins_with_every_part(browser, lea, quick):
    await browser.sign_in()
    async with browser.client.get("/live/stream") as answer:
        assert answer.content_type == "text/event-stream"
        [(event, data)] = await events(answer, 1)
    assert event == "parts"
    assert set(data["parts"]) == set(PARTS)


async def test_then_it_sends_only_what_has_changed(browser, lea, quick, app, reports):
    await browser.sign_in()
    async with browser.client.get("/live/stream") as answer:
        await events(answer, 1)
        reports.report = replace(reports.report, refusals=(("already_used", 15),))
        app[live.BOARD].changed()
        [(_, data)] = await events(answer, 1)
    assert set(data["parts"]) == {"refusals", "tiles", "spoken"}
    assert "15" in data["parts"]["refusals"]


async def test_a_later_login_ends_the_stream_at_once(browser, lea, quick, accounts):
    await browser.sign_in()
    async with browser.client.get("/live/stream") as answer:
        await events(answer, 1)
        await accounts.sign_in("lea@theatre.example", "correct horse battery", "192.0.2.9", "")
        [(event, _)] = await events(answer, 1)
        assert event == "ended"
        assert await answer.content.read() == b""


async def test_the_stream_ends_when_the_server_stops(browser, lea, quick, app):
    await browser.sign_in()
    async with browser.client.get("/live/stream") as answer:
        await events(answer, 1)
        app[live.BOARD].close()
        assert await asyncio.wait_for(answer.content.read(), 5) == b""


async def test_open_pages_are_counted_and_bounded(browser, lea, quick, monkeypatch):
    monkeypatch.setattr(live_board, "STREAMS_MAX", 1)
    await browser.sign_in()
    async with browser.client.get("/live/stream") as first:
        await events(first, 1)
        assert (await browser.get("/live/stream"))[0] == 503


async def test_pages_side_by_side_share_one_report_and_its_rendering(app, reports, monkeypatch):
    monkeypatch.setattr(live_board, "REPORT_AGE_S_MAX", 3600.0)
    asked = []
    one_report = reports.live

    async def counting(organization_id):
        asked.append(organization_id)
        return await one_report(organization_id)

    reports.live = counting
    board = app[live.BOARD]
    first = await board.parts("o", "fr", ZoneInfo("Europe/Paris"))
    second = await board.parts("o", "fr", ZoneInfo("Europe/Paris"))
    assert first is second
    assert asked == ["o"]


def local(at_us: int, zone: ZoneInfo) -> str:
    return instant(at_us).astimezone(zone).strftime("%H:%M")
