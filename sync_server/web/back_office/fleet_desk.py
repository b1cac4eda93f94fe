"""What the page of the fleet needs of the services; part of `desk`. All raise ServerError."""

from collections.abc import AsyncIterable
from typing import Protocol

from sync_server.account_ports import User
from sync_server.fleet_entities import Plan, Release
from sync_server.rolling_out import FleetReport


class FleetDesk(Protocol):
    """The services of updates, as the pages see them."""

    async def fleet(self, user: User) -> FleetReport:
        """Give what the gates of the user's branch run, and its rollouts."""
        ...

    async def releases(self, user: User) -> list[Release]:
        """Give the bundles, those added last first."""
        ...

    async def may_add_releases(self, user: User) -> bool:
        """Tell whether the user may add and withdraw bundles, which are every branch's."""
        ...

    async def add_release(
        self, user: User, version: str, compatible: str, note: str, chunks: AsyncIterable[bytes]
    ) -> Release:
        """Take a bundle in."""
        ...

    async def withdraw_release(self, user: User, release_id: str) -> None:
        """Offer a bundle to nobody any more."""
        ...

    async def start_rollout(self, user: User, plan: Plan) -> str:
        """Begin to bring a version to gates; give the rollout's id."""
        ...

    async def change_rollout(self, user: User, rollout_id: str, action: str) -> None:
        """Have a rollout `approve`d, `pause`d, `resume`d or `abort`ed."""
        ...
