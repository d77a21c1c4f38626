"""Turns a matplotlib figure into an SVG to be put into a page: without its own styles, in the page's colours and font."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING
from xml.etree import ElementTree

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SVG = "http://www.w3.org/2000/svg"
XLINK = "http://www.w3.org/1999/xlink"
_HREF = f"{{{XLINK}}}href"
_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}
"""Left out: the same data must give the same bytes."""


def svg_text(figure: Figure, *, name: str, title: str, description: str, colours: Mapping[str, str]) -> str:
    """Return the figure as an `<svg>` element that a screen reader tells by title and description.

    `colours` maps the figure's colours (`#rrggbb`) to the page's custom properties. All ids begin with `name`. Styles become
    attributes, so that a page which forbids inline styles shows them.
    """
    root = _drawn(figure, name)
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in (f"{{{SVG}}}metadata", f"{{{SVG}}}style"):
                parent.remove(child)
    for element in root.iter():
        _plain(element, name, colours)
    for attribute in ("width", "height", "id", "version"):
        root.attrib.pop(attribute, None)
    root.attrib |= {"class": "chart", "role": "img", "aria-labelledby": f"{name}-title {name}-description"}
    for place, (tag, text) in enumerate((("title", title), ("desc", description))):
        label = ElementTree.Element(f"{{{SVG}}}{tag}", {"id": f"{name}-{'title' if tag == 'title' else 'description'}"})
        label.text = text
        root.insert(place, label)
    ElementTree.register_namespace("", SVG)
    ElementTree.register_namespace("xlink", XLINK)
    return re.sub(r">\s+<", "><", ElementTree.tostring(root, encoding="unicode"))


def _drawn(figure: Figure, name: str) -> ElementTree.Element:
    import matplotlib as mpl

    buffer = io.BytesIO()
    # What matplotlib writes here is trusted: texts in it are escaped, and no entity is declared.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        figure.savefig(buffer, format="svg", transparent=True, metadata=_METADATA)
    return ElementTree.fromstring(buffer.getvalue())  # noqa: S314


def _plain(element: ElementTree.Element, name: str, colours: Mapping[str, str]) -> None:
    for declaration in element.attrib.pop("style", "").split(";"):
        key, _, value = (part.strip() for part in declaration.partition(":"))
        if key and key != "font-family":
            element.set(key, f"var(--{colours[value]})" if value in colours else value)
    if re.fullmatch(r"rotate\(-?0 .*\)", element.get("transform", "")):
        del element.attrib["transform"]
    if element.tag == f"{{{SVG}}}g":
        element.attrib.pop("id", None)
    if "id" in element.attrib:
        element.set("id", f"{name}-{element.get('id')}")
    if _HREF in element.attrib:
        element.set(_HREF, f"#{name}-{element.attrib[_HREF].removeprefix('#')}")
    if "clip-path" in element.attrib:
        element.set("clip-path", element.attrib["clip-path"].replace("url(#", f"url(#{name}-"))
    if "d" in element.attrib:
        element.set("d", re.sub(r"(\.\d)\d+", r"\1", " ".join(element.attrib["d"].split())))
