"""QR codes inside a page: drawn here, so that nothing is asked of anybody else."""

import segno
from markupsafe import Markup


def qr_svg(text: str, title: str) -> Markup:
    """Draw a text as a QR code, dark on light whatever the page's colours: readers need that.

    Args:
        text: what a reader will yield.
        title: what it is, for those who do not see it; escaped here.
    """
    code = segno.make_qr(text, error="m")
    drawing = code.svg_inline(
        border=4, dark="#000", light="#fff", omitsize=True, svgclass="qr", lineclass=None,
        title=title,
    )  # fmt: skip
    drawing = drawing.replace("<svg ", '<svg role="img" ', 1)
    return Markup(drawing)  # noqa: S704 (segno writes it; the title it escapes)
