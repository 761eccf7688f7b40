"""How CVAT draws skeletons: the SVG in the head of its files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from ddfast.annotated.keypoints import PointsCategory
from ddfast.formats.xml import escaped

ELEMENT = re.compile(r"<(line|circle)\b([^<>]*)>")
ATTRIBUTE = re.compile(r"([\w-]+)\s*=\s*\"([^\"]*)\"")
ENTITIES = {"&lt;": "<", "&gt;": ">", "&quot;": '"', "&amp;": "&"}


@dataclass
class Drawing:
    """The points of a skeleton and the lines between them.

    Attributes:
        names: name of each node; empty for those that have none.
        positions: x and y of each node that has them.
        edges: pairs of nodes.
    """

    names: dict[str, str] = field(default_factory=dict)
    positions: dict[str, tuple[float, float]] = field(default_factory=dict)
    edges: list[tuple[str, str]] = field(default_factory=list)

    def joints(self, points: Sequence[str]) -> list[tuple[int, int]]:
        """The edges as pairs of indices of points."""
        places = self._places(points)
        return [(places[one], places[two]) for one, two in self.edges if one in places and two in places]

    def arranged(self, points: Sequence[str]) -> list[float]:
        """x and y in turn of all points; empty if one of them has no position."""
        nodes = {place: node for node, place in self._places(points).items()}
        if not all(nodes.get(place) in self.positions for place in range(len(points))):
            return []
        return [number for place in range(len(points)) for number in self.positions[nodes[place]]]

    def _places(self, points: Sequence[str]) -> dict[str, int]:
        """Index of the point of each node: by its name, else nodes are numbered from 1 on."""
        order = {name: place for place, name in enumerate(points)}
        found = {}
        for node, name in self.names.items():
            place = order.get(name, int(node) - 1 if not name and node.isdecimal() else -1)
            if 0 <= place < len(points):
                found[node] = place
        return found


def drawing_of(svg: str) -> Drawing:
    """The nodes and edges of an SVG text."""
    drawing = Drawing()
    for tag, text in ELEMENT.findall(svg):
        values = {name: _plain(value) for name, value in ATTRIBUTE.findall(text)}
        if tag == "line":
            one, two = values.get("data-node-from"), values.get("data-node-to")
            if one and two:
                drawing.edges.append((one, two))
        elif values.get("data-node-id"):
            node = values["data-node-id"]
            drawing.names[node] = values.get("data-label-name", "")
            try:
                drawing.positions[node] = (float(values["cx"]), float(values["cy"]))
            except (KeyError, ValueError):
                continue
    return drawing


def svg_of(category: PointsCategory) -> str:
    """The SVG of a skeleton, not escaped; empty if it has neither joints nor positions."""
    if not category.joints and not category.positions:
        return ""
    lines = [
        f'<line stroke="black" data-type="edge" data-node-from="{one + 1}" stroke-width="0.5" data-node-to="{two + 1}">'
        "</line>"
        for one, two in sorted(category.joints)
    ]
    positions = category.positions
    for number, name in enumerate(category.labels):
        place = f' cx="{positions[2 * number]!r}" cy="{positions[2 * number + 1]!r}"' if positions else ""
        lines.append(
            f'<circle r="1.5" stroke="black" fill="#b3b3b3"{place} stroke-width="0.1" data-type="element node"'
            f' data-element-id="{number + 1}" data-node-id="{number + 1}" data-label-name="{escaped(name)}"></circle>'
        )
    return "\n".join(lines)


def _plain(text: str) -> str:
    return re.sub("&(lt|gt|quot|amp);", lambda match: ENTITIES[match[0]], text)
