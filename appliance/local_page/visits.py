"""What a page of the gate is given, and what it gives back: no page touches the web library.

Called by the pages and the framework that runs them.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from appliance.local_page import words
from appliance.local_page.markup import Markup, element
from appliance.local_page.sessions import Session
from appliance.page_ports import PageRole


@dataclass(slots=True)
class Visit:
    """One request by one person.

    Attributes:
        path: what was asked for.
        language: in which it is answered.
        query: what stands behind the path.
        form: what was sent; empty for GET.
        session: who it is; None for nobody.
        csrf: what every form of the answer has to carry.
        is_local: whether it comes from this machine itself.
        address: where it comes from.
    """

    path: str
    language: str
    query: Mapping[str, str] = field(default_factory=dict)
    form: Mapping[str, str] = field(default_factory=dict)
    session: Session | None = None
    csrf: str = ""
    is_local: bool = False
    address: str = ""

    @property
    def role(self) -> PageRole | None:
        """Who it is; None for nobody."""
        return None if self.session is None else self.session.role

    def may_act_as(self, role: PageRole) -> bool:
        """Tell whether somebody with this role may do what another is needed for."""
        return self.role is not None and self.role.may_act_as(role)

    def words(self, key: str, **values: str | int | float) -> str:
        """Give a text of the catalogue in the visit's language, `{names}` filled in."""
        return words.worded(key, self.language, **values)

    def counted(self, key: str, count: int) -> str:
        """Give a text with a number in it."""
        return words.counted(key, self.language, count)

    def form_to(self, path: str, *children: Markup | str | None, **attributes: str) -> Markup:
        """Make a form that is sent to a path, with what every form has to carry."""
        token = element("input", type="hidden", name="csrf", value=self.csrf)
        return element("form", token, *children, method="post", action=path, **attributes)

    def tell(self, notice: str) -> None:
        """Have the next page of this session say something, once."""
        if self.session is not None:
            self.session.notice = notice


@dataclass(frozen=True, slots=True)
class Page:
    """A page inside the frame.

    Attributes:
        title: of the document, and its first heading.
        body: what stands under the heading.
        status: of the answer.
        live: path of the stream that keeps its parts up to date; "" is none.
        scripts: further scripts of `static`, by their names.
        styles: further style sheets of `static`, by their names.
        is_bare: whether it fills the screen, without the frame's head and foot.
    """

    title: str
    body: Markup
    status: int = 200
    live: str = ""
    scripts: tuple[str, ...] = ()
    styles: tuple[str, ...] = ()
    is_bare: bool = False


@dataclass(frozen=True, slots=True)
class Redirect:
    """The browser is sent to another page, with GET."""

    path: str


@dataclass(frozen=True, slots=True)
class Content:
    """Something that is no page: a picture, a file.

    Attributes:
        body: its bytes.
        content_type: what it is.
        file_name: under which it is to be kept; "" shows it.
        status: of the answer.
    """

    body: bytes
    content_type: str
    file_name: str = ""
    status: int = 200


Parts = Mapping[str, Markup]  # an element's id -> what is to stand in it


@dataclass(frozen=True, slots=True)
class Live:
    """Parts of a page that follow what happens, for as long as the browser stays.

    Attributes:
        parts: gives all of them as they are now; only what differs is sent.
        every_s: between two looks.
        wait: waits until another look is worth it; None waits `every_s`.
    """

    parts: Callable[[], Awaitable[Parts]]
    every_s: float = 1.0
    wait: Callable[[], Awaitable[None]] | None = None


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """The browser gets a session of its own, and goes on to a page."""

    token: str
    path: str


@dataclass(frozen=True, slots=True)
class LoggedOut:
    """The browser's session is over; it goes on to a page."""

    path: str


Outcome = Page | Redirect | Content | Live | LoggedIn | LoggedOut
Handler = Callable[[Visit], Awaitable[Outcome]]


@dataclass(frozen=True, slots=True)
class Route:
    """One address and who may use it.

    Attributes:
        method: GET or POST.
        path: the address, under `/gate/`.
        role: who may; None is everybody.
        handle: what is done.
        body_bytes_max: of what is sent.
    """

    method: str
    path: str
    role: PageRole | None
    handle: Handler
    body_bytes_max: int = 8192


@dataclass(frozen=True, slots=True)
class NavigationEntry:
    """One link of the navigation.

    Attributes:
        path: where it leads.
        key: of its words.
        role: who sees it.
    """

    path: str
    key: str
    role: PageRole


Navigation = Sequence[NavigationEntry]
