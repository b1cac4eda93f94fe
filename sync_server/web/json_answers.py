"""JSON that programs get: things, reports, and errors. Used by `public_api`."""

import json
from dataclasses import asdict
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler

from admission.ticketlist.guessability import Guessability
from sync_server.entities import Checkpoint, Gate, Performance, Standing, instant
from sync_server.errors import (
    ConflictError,
    ForbiddenError,
    InvalidError,
    LockedOutError,
    NotFoundError,
    ServerError,
    StorageError,
    TicketFileError,
)
from sync_server.importing import ImportReport
from sync_server.journal_ports import SideLine
from sync_server.web.json_bodies import BodyError
from sync_server.web.sessions import ForgedRequestError, NotSignedInError, RightMissingError

ApiError = BodyError
API: Final = "/api/"
_STATUS: Final[tuple[tuple[type[ServerError], int], ...]] = (
    (NotFoundError, 404),
    (InvalidError, 422),
    (TicketFileError, 422),
    (ConflictError, 409),
    (ForbiddenError, 403),
    (LockedOutError, 429),
    (StorageError, 507),
)


@web.middleware
async def answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn what goes wrong under `/api/` into JSON; elsewhere do nothing."""
    if not request.path.startswith(API):
        return await handler(request)
    try:
        return await handler(request)
    except NotSignedInError:
        return _error(401, "not_signed_in", "sign in first: POST /api/v1/login")
    except RightMissingError:
        return _error(403, "forbidden", "your role does not allow this")
    except ForgedRequestError:
        return _error(403, "csrf", "send the session's token in the header X-CSRF-Token")
    except ServerError as exc:
        return _refusal(exc)
    except web.HTTPException as exc:
        if exc.status < web.HTTPBadRequest.status_code:
            raise
        return _error(exc.status, "http", exc.reason)


def _refusal(exc: ServerError) -> web.Response:
    status = exc.status if isinstance(exc, BodyError) else 400
    for kind, its_status in _STATUS:
        if isinstance(exc, kind):
            status = its_status
    more: dict[str, object] = {}
    headers = {}
    if isinstance(exc, InvalidError):
        more["field"] = exc.field
    if isinstance(exc, TicketFileError) and exc.line is not None:
        more["line"] = exc.line
    if isinstance(exc, LockedOutError):
        headers["Retry-After"] = str(exc.retry_s)
    return _error(status, exc.code, exc.message, more, headers)


def _error(
    status: int,
    code: str,
    message: str,
    more: dict[str, object] | None = None,
    headers: dict[str, str] | None = None,
) -> web.Response:
    document = {"error": {"code": code, "message": message} | (more or {})}
    return web.Response(
        text=json.dumps(document), status=status, headers=headers, content_type="application/json"
    )


def instant_text(at_us: int | None) -> str | None:
    """Write an instant with its offset, None where there is none."""
    return None if at_us is None else instant(at_us).isoformat()


def side_line_document(line: SideLine) -> dict[str, object]:
    """Give what a program is told of a journal that goes on in two ways."""
    return {
        "gate": line.gate_id,
        "journal": line.journal_id,
        "found_at": instant_text(line.found_ms * 1000),
    } | {
        name: {"sequence": place.sequence, "chain": place.chain.hex()}
        for name, place in (("shared", line.after), ("main", line.main), ("aside", line.head))
    }


def performance_document(performance: Performance) -> dict[str, object]:
    """Give what a program is told of a performance; never its list key."""
    starts_ms = performance.starts_ms
    return {
        "id": performance.id,
        "event_id": performance.event_id,
        "name": performance.name,
        "starts_at": instant_text(None if starts_ms is None else starts_ms * 1000),
        "timezone": performance.timezone,
        "day_starts_at": performance.day_starts_at,
        "excluded_categories": list(performance.excluded_categories),
        "admits_from": instant_text(performance.admits_from_us),
        "admits_until": instant_text(performance.admits_until_us),
        "canceled": performance.canceled,
        "gate_fields": list(performance.gate_fields),
        "published_version": performance.published_version,
        "guessability": guessability_document(performance.guessability),
        "key_storage": performance.key_storage.value,
        "key_storage_in_force": performance.key_storage_in_force.value,
    }


def guessability_document(measured: Guessability | None) -> dict[str, object] | None:
    """Give what a program is told of how guessable numbers are; None where there are none."""
    if measured is None:
        return None
    return {
        "strength": measured.strength.value,
        "bits_per_number": round(measured.bits_per_number, 1),
        "bits_per_ticket": round(measured.bits_per_ticket, 1),
        "bits_for_all": round(measured.bits_for_all, 1),
        "reasons": [reason.value for reason in measured.reasons],
        "numbers": measured.numbers,
        "easiest": measured.easiest,
    }


def checkpoint_document(checkpoint: Checkpoint) -> dict[str, object]:
    """Give what a program is told of a checkpoint."""
    return asdict(checkpoint)


def gate_document(gate: Gate, check_string: str) -> dict[str, object]:
    """Give what a program is told of a gate."""
    seen_ms = gate.last_seen_ms
    return {
        "id": gate.id,
        "venue_id": gate.venue_id,
        "checkpoint_id": gate.checkpoint_id,
        "name": gate.name,
        "direction": gate.direction.value,
        "exit_policy": gate.exit_policy.value,
        "clock_policy": gate.clock_policy.value,
        "strict": gate.strict,
        "enrolled": gate.enrolled_ms is not None,
        "revoked": gate.revoked_ms is not None,
        "pending": gate.standing is Standing.PENDING,
        "check_string": check_string,
        "last_seen": instant_text(None if seen_ms is None else seen_ms * 1000),
    }


def import_document(report: ImportReport) -> dict[str, object]:
    """Give what a program is told of an import."""
    return asdict(report) | {
        "notes": [note._asdict() for note in report.notes],
        "guessability": guessability_document(report.guessability),
    }
