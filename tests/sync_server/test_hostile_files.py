"""Ticket files, names and requests that mean harm, against a whole server."""

import pytest

from hostile_texts import MARK, PAYLOADS, TEXTS


@pytest.fixture
async def performance(operator):
    venue = await operator.made("venues", name="Hall", timezone="Europe/Paris")
    event = await operator.made("events", venue_id=venue, name="Show")
    return await operator.made("performances", event_id=event, name="Tonight")


def _logged(caplog) -> str:
    return "\n".join(repr(vars(one)) + one.getMessage() for one in caplog.records)


async def test_hostile_numbers_are_reported_by_row_and_never_quoted(operator, performance, caplog):
    caplog.set_level(1)
    numbers = [text for text in TEXTS.values() if "\0" not in text]  # with it, it is no text at all
    rows = ["number", *['"' + number.replace('"', '""') + '"' for number in numbers], "GOOD-1"]
    data = "\n".join(rows).encode()
    status, report, _ = await operator.call(
        "POST", f"performances/{performance}/imports", data=data
    )
    assert status == 200
    assert report["added"] + report["refused"] + report["conflicts"] == len(numbers) + 1
    assert {problem["code"] for problem in report["problems"]} == {
        "number_invisible",
        "number_unreadable",
        "number_too_long",
    }
    assert MARK not in str(report)
    assert MARK not in _logged(caplog)
    details = {one["detail"] for one in report["problems"] if one["code"] == "number_invisible"}
    assert "U+202E RIGHT-TO-LEFT OVERRIDE" in details
    status, published, _ = await operator.call("POST", f"performances/{performance}/publish")
    assert (status, published) == (200, {"version": 1})


@pytest.mark.parametrize("name", PAYLOADS)
async def test_any_file_is_taken_or_refused_and_the_server_goes_on(
    operator, performance, caplog, name: str
):
    caplog.set_level(1)
    path = f"performances/{performance}/imports"
    for data in (PAYLOADS[name], b"number\n" + PAYLOADS[name]):
        status, answer, _ = await operator.call("POST", path, data=data)
        assert status in (200, 422)
        assert MARK not in str(answer)
    assert MARK not in _logged(caplog)
    status, _, _ = await operator.call("POST", path, data=b"number\nGOOD-1\n")
    assert status == 200


@pytest.mark.parametrize("name", ["right-to-left override", "zero width", "ANSI colours", "NUL"])
async def test_names_that_cannot_be_seen_whole_are_refused(operator, performance, name: str):
    text = TEXTS[name]
    status, refused, _ = await operator.call(
        "POST", "venues", json={"name": text, "timezone": "Europe/Paris"}
    )
    assert (status, refused["error"]["field"]) == (422, "name")
    body = {"excluded_categories": [text]}
    status, refused, _ = await operator.call("PATCH", f"performances/{performance}", json=body)
    assert (status, refused["error"]["field"]) == (422, "excluded_categories")


async def test_sql_in_a_name_is_a_name(operator):
    text = TEXTS["SQL"]
    await operator.made("venues", name=text, timezone="Europe/Paris")
    _, venues, _ = await operator.call("GET", "venues")
    assert text in [one["name"] for one in venues]
