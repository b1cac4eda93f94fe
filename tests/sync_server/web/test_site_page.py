"""A site server's page is for whoever is at the machine."""

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from sync_server.web.site_page import add_site_page


class Wire:
    """A connection from somewhere."""

    def __init__(self, address):
        self.address = address

    def get_extra_info(self, name, default=None):
        return (self.address, 40_000) if name == "peername" else default

    def is_closing(self):
        return False


@pytest.mark.parametrize("address", ["192.0.2.7", "2001:db8::7", "10.0.0.4"])
async def test_nobody_on_the_network_reads_it(address):
    app = web.Application()

    async def state():
        raise AssertionError("nothing is gathered for strangers")

    add_site_page(app, state)
    request = make_mocked_request("GET", "/", transport=Wire(address), app=app)
    (route,) = [one for one in app.router.routes() if one.resource.canonical == "/"][:1]
    with pytest.raises(web.HTTPForbidden):
        await route.handler(request)
