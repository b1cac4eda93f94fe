"""A gate's trust in an office, for tests: begun at its first root, kept in memory or on a disk."""

from itertools import count

from admission.trust.root import root_digest
from appliance.trust_keeper import TrustKeeper


class ForgetfulTrust:
    """The port `TrustMemory`, gone with the process."""

    def __init__(self):
        self.kept, self.version = [], 0

    async def roots(self, after):
        return [raw for version, raw in self.kept if version > after]

    async def remember_root(self, version, envelope, *, forget_lists, forget_status):
        del forget_lists
        self.kept.append((version, envelope))
        self.version = 0 if forget_status else self.version

    async def status_version(self):
        return self.version

    async def remember_status(self, version):
        self.version = max(self.version, version)


class DeafClock:
    """A trusted clock that does not hear what the server signs of the time."""

    def __init__(self, time):
        self.now, self.boot_ms = time.now, time.boot_ms

    async def note_signed_time(self, *_):
        return False

    async def forget_signed_time(self):
        pass


def trust_in(office, time, memory=None, pinned=None):
    """Trust an office from its first root on; `load` is still to be called where memory matters."""
    questions = count(1)
    return TrustKeeper(
        root=office.roots[0],
        root_digest=pinned or root_digest(office.roots[0]),
        memory=memory or ForgetfulTrust(),
        time=time,
        fresh_nonce=lambda: f"question {next(questions)}",
    )
