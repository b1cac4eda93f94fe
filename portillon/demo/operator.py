"""The operator of the demonstration: does over the server's API what a person does on its pages."""

import urllib.parse
from dataclasses import dataclass
from typing import Any

import aiohttp


class OperatorError(Exception):
    """The server did not do what the operator asked; the message says what it answered."""


@dataclass(slots=True)
class Operator:
    """A signed-in operator."""

    session: aiohttp.ClientSession
    server: str
    csrf: str = ""

    async def sign_in(self, login: str, password: str) -> None:
        """Sign in.

        Raises:
            OperatorError: if the server does not let the operator in.
        """
        answer = await self.post("login", {"login": login, "password": password})
        self.csrf = answer["csrf"]

    async def create(self, kind: str, **fields: object) -> str:
        """Create a thing; give its id."""
        return str((await self.post(kind, fields))["id"])

    async def upload(self, performance: str, name: str, csv: bytes) -> dict[str, Any]:
        """Import a ticket file; give the report."""
        query = urllib.parse.urlencode({"source": "box office", "filename": name, "mode": "add"})
        return await self._request("POST", f"performances/{performance}/imports?{query}", data=csv)

    async def post(self, path: str, fields: object = None) -> dict[str, Any]:
        """Post JSON."""
        return await self._request("POST", path, json=fields if fields is not None else {})

    async def get(self, path: str) -> dict[str, Any]:
        """Get JSON."""
        return await self._request("GET", path)

    async def _request(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        headers = {"X-CSRF-Token": self.csrf} if self.csrf else {}
        url = f"{self.server}/api/v1/{path}"
        try:
            async with self.session.request(method, url, headers=headers, **options) as response:
                document = await response.json(content_type=None)
                if response.status >= 400:
                    raise OperatorError(f"{method} {path}: {response.status} {document}")
        except (aiohttp.ClientError, TimeoutError, ValueError) as exc:
            raise OperatorError(f"{method} {path}: {exc or type(exc).__name__}") from exc
        return document if isinstance(document, dict) else {"items": document}
