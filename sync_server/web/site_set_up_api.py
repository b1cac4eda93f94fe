"""The operators' JSON API of site servers: make one, give it a code, revoke it, see how it is."""

from aiohttp import web

from sync_server.accounts import Right
from sync_server.entities import Site
from sync_server.siting import Siting
from sync_server.web.json_answers import instant_text
from sync_server.web.json_bodies import read_body
from sync_server.web.public_api import PREFIX, SERVICES
from sync_server.web.qr import qr_svg
from sync_server.web.sessions import check_csrf, reached_by, require_user


def add_site_set_up_api(app: web.Application) -> None:
    """Serve it; the public API has been added before."""
    app.router.add_get(PREFIX + "sites", _sites)
    app.router.add_post(PREFIX + "sites", _add)
    app.router.add_post(PREFIX + "sites/{id}/enrolment-code", _new_code)
    app.router.add_post(PREFIX + "sites/{id}/revoke", _revoke)


async def _sites(request: web.Request) -> web.StreamResponse:
    current = await require_user(request, Right.BACK_OFFICE)
    services = request.config_dict[SERVICES]
    plan = await services.planning.plan(current.user)
    found = await services.siting.sites(current.user, plan.venues)
    return web.json_response([site_document(one, services.siting) for one in found])


async def _add(request: web.Request) -> web.StreamResponse:
    current = await require_user(request, Right.SET_UP)
    check_csrf(request, current)
    body = await read_body(request)
    venue_id, name = body.text("venue_id"), body.text("name")
    body.finish()
    siting = request.config_dict[SERVICES].siting
    made = await siting.add_site(current.user, venue_id, name)
    return web.json_response({"id": made}, status=201)


async def _new_code(request: web.Request) -> web.StreamResponse:
    current = await require_user(request, Right.SET_UP)
    check_csrf(request, current)
    services = request.config_dict[SERVICES]
    made = await services.siting.new_code(current.user, request.match_info["id"])
    link = services.enrollment.link(made.code, reached_by(request))
    document = {
        "code": made.code,
        "expires": instant_text(made.expires_ms * 1000),
        "link": link,
        "qr": str(qr_svg(link, made.code)),
    }
    return web.json_response(document, status=201)


async def _revoke(request: web.Request) -> web.StreamResponse:
    current = await require_user(request, Right.SET_UP)
    check_csrf(request, current)
    await request.config_dict[SERVICES].siting.revoke(current.user, request.match_info["id"])
    return web.json_response({})


def site_document(site: Site, siting: Siting) -> dict[str, object]:
    """Give what a program is told of a site server."""
    seen_ms = site.last_seen_ms
    return {
        "id": site.id,
        "venue_id": site.venue_id,
        "name": site.name,
        "joined": site.joined_ms is not None,
        "revoked": site.revoked_ms is not None,
        "check_string": siting.check_string(site),
        "addresses": list(site.addresses),
        "pins": list(site.pins),
        "last_seen": instant_text(None if seen_ms is None else seen_ms * 1000),
        "status": dict(site.last_status or {}),
    }
