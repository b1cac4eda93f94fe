"""What a fault's code means and what to do, in the visitor's language. Called by the pages."""

from appliance.local_page.visits import Visit


def what_it_is(code: str, visit: Visit) -> str:
    """Say what a code means; one that is not known yet is only called a fault."""
    return _words(f"{code}.what", visit) or visit.words("fault.other.what")


def remedy(code: str, visit: Visit) -> str:
    """Say what to do about it."""
    return _words(f"{code}.do", visit) or visit.words("fault.other.do")


def _words(key: str, visit: Visit) -> str:
    try:
        return visit.words(f"fault.{key}")
    except KeyError:
        return ""
