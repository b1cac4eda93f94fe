"""One transaction's repositories, made when first asked for. Handed out by `database`."""

from functools import cached_property

from sqlalchemy.ext.asyncio import AsyncConnection

from sync_server.storage.audit import SqlAudit
from sync_server.storage.checkpoints import SqlCheckpoints
from sync_server.storage.commands import SqlCommands
from sync_server.storage.facts import SqlFacts
from sync_server.storage.fleet import SqlFleet
from sync_server.storage.freight import SqlFreight
from sync_server.storage.gates import SqlGates
from sync_server.storage.journals import SqlJournals
from sync_server.storage.list_pieces import SqlPieces
from sync_server.storage.organizations import SqlOrganizations
from sync_server.storage.performances import SqlPerformances
from sync_server.storage.proving import SqlProving
from sync_server.storage.quarantine import SqlQuarantine
from sync_server.storage.reports import SqlReports
from sync_server.storage.side_lines import SqlSeals, SqlSideLines
from sync_server.storage.sites import SqlSites
from sync_server.storage.tickets import SqlTickets
from sync_server.storage.trust import SqlRoots


class SqlTransaction:
    """The `Transaction` of `ports`."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    @property
    def connection(self) -> AsyncConnection:
        """The connection itself, for the rooms of storage."""
        return self._connection

    @cached_property
    def organizations(self) -> SqlOrganizations:
        """Organizations, venues, events."""
        return SqlOrganizations(self._connection)

    @cached_property
    def audit(self) -> SqlAudit:
        """Who did what."""
        return SqlAudit(self._connection)

    @cached_property
    def performances(self) -> SqlPerformances:
        """Performances and published lists."""
        return SqlPerformances(self._connection)

    @cached_property
    def checkpoints(self) -> SqlCheckpoints:
        """Checkpoints."""
        return SqlCheckpoints(self._connection)

    @cached_property
    def gates(self) -> SqlGates:
        """Gates and enrolment codes."""
        return SqlGates(self._connection)

    @cached_property
    def tickets(self) -> SqlTickets:
        """Tickets and where they come from."""
        return SqlTickets(self._connection)

    @cached_property
    def pieces(self) -> SqlPieces:
        """The files of published lists, and what has changed since."""
        return SqlPieces(self._connection)

    @cached_property
    def journals(self) -> SqlJournals:
        """Journals as the gates wrote them."""
        return SqlJournals(self._connection)

    @cached_property
    def quarantine(self) -> SqlQuarantine:
        """What revoked gates handed in."""
        return SqlQuarantine(self._connection)

    @cached_property
    def facts(self) -> SqlFacts:
        """Facts, what they come to, and the feeds."""
        return SqlFacts(self._connection)

    @cached_property
    def trust(self) -> SqlRoots:
        """The chain of roots."""
        return SqlRoots(self._connection)

    @cached_property
    def commands(self) -> SqlCommands:
        """Operators' commands."""
        return SqlCommands(self._connection)

    @cached_property
    def reports(self) -> SqlReports:
        """Figures for reports."""
        return SqlReports(self._connection)

    @cached_property
    def proving(self) -> SqlProving:
        """Issuers, rotating codes, blocked numbers."""
        return SqlProving(self._connection)

    @cached_property
    def sites(self) -> SqlSites:
        """Site servers, and the codes they join with."""
        return SqlSites(self._connection)

    @cached_property
    def fleet(self) -> SqlFleet:
        """Releases of gates' software, and their rollouts."""
        return SqlFleet(self._connection)

    @cached_property
    def freight(self) -> SqlFreight:
        """On a site server: what it carries."""
        return SqlFreight(self._connection)

    @cached_property
    def lines(self) -> SqlSideLines:
        """Histories of journals beside their main ones."""
        return SqlSideLines(self._connection)

    @cached_property
    def seals(self) -> SqlSeals:
        """What gates have signed of their journals."""
        return SqlSeals(self._connection)
