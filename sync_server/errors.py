"""The error tree of the server; each class says in one sentence who is at fault.

ServerError
├── NotFoundError       the thing asked for does not exist, or not for this user
├── InvalidError        the caller gave a value that cannot be
├── ConflictError       the request is sound, but the state of things forbids it
├── ForbiddenError      the user has not the right
├── LockedOutError      too many failures: ask again later
├── EnrolmentError      a gate gave a code that is wrong, used or too old
├── TicketFileError     a whole ticket file is refused
├── ConfigError         the configuration file is wrong
└── StorageError        the database is not one this program can use
"""


class ServerError(Exception):
    """Whatever the server refuses to go on with.

    Attributes:
        code: stable word for programs and for the message catalogues.
        message: one English sentence with the remedy; holds no ticket number and no secret.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class NotFoundError(ServerError):
    """The thing asked for does not exist, or not for this user."""

    def __init__(self, kind: str) -> None:
        super().__init__("not_found", f"there is no such {kind}")


class InvalidError(ServerError):
    """The caller gave a value that cannot be.

    Attributes:
        field: the value's name in the request.
    """

    def __init__(self, field: str, message: str) -> None:
        super().__init__("invalid", message)
        self.field = field


class ConflictError(ServerError):
    """The request is sound, but the state of things forbids it."""


class ForbiddenError(ServerError):
    """The user has not the right."""

    def __init__(self) -> None:
        super().__init__("forbidden", "your role does not allow this")


class LockedOutError(ServerError):
    """Too many failures: ask again later.

    Attributes:
        retry_s: seconds until another try is heard.
    """

    def __init__(self, retry_s: int) -> None:
        super().__init__("locked_out", f"too many failures; try again in {retry_s} s")
        self.retry_s = retry_s


class EnrolmentError(ServerError):
    """A gate gave a code that is wrong, used or too old; which of them, it is not told."""

    def __init__(self) -> None:
        super().__init__("code_refused", "the enrolment code is not valid; make a new one")


class TicketFileError(ServerError):
    """A whole ticket file is refused; nothing of it is applied.

    Attributes:
        line: where it was seen, counted from 1, or None.
    """

    def __init__(self, code: str, message: str, line: int | None = None) -> None:
        super().__init__(code, message)
        self.line = line


class ConfigError(ServerError):
    """The configuration file is wrong: the message names file, key and remedy."""

    def __init__(self, message: str) -> None:
        super().__init__("config", message)


class StorageError(ServerError):
    """The database is not one this program can use."""

    def __init__(self, message: str) -> None:
        super().__init__("storage", message)


class UpstreamError(ServerError):
    """A site server's upstream was not reached, or did not give what was asked for.

    Attributes:
        status: of its answer, by HTTP; 0 if there was none.
    """

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__("upstream", message)
        self.status = status

    @property
    def is_refusal(self) -> bool:
        """Whether upstream has heard and said no: asking again at once would not help."""
        return 400 <= self.status < 500 and self.status not in (401, 408, 429)
