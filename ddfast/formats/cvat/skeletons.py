"""Skeletons, and the cuboids that are read as skeletons, as text of XML."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ddfast.formats.cvat.attribute_texts import attribute_value, elements_of, parted, state_texts
from ddfast.formats.cvat.shapes import CUBOID


def skeleton_text(
    head: str,
    tail: str,
    names: Sequence[str],
    points: Sequence[float],
    visibility: Sequence[int],
    attributes: dict[str, Any],
    in_tracks: bool,
) -> str:
    """The element of a skeleton.

    Parameters:
        head, tail: its attributes before and after its states.
        names: of its points.
        points: x and y in turn.
        visibility: 0 to 2 of each point.
        attributes: those of points are called ``POINT.NAME``.
        in_tracks: whether it is in a track.
    """
    states, values = parted(attributes, in_tracks)
    head += state_texts(states, in_tracks)
    if tuple(names) == CUBOID:
        place = "".join(
            f' {axis}{name}="{points[2 * at + side]!r}"'
            for at, name in enumerate(names)
            for side, axis in enumerate("xy")
        )
        inner = elements_of(values)
        return f"    <cuboid{head}{place}{tail}" + (f">\n{inner}    </cuboid>\n" if inner else "/>\n")
    lines = []
    for at, name in enumerate(names):
        own = {key: values.pop(key) for key in list(values) if key.startswith(f"{name}.")}
        own = {key[len(name) + 1 :]: value for key, value in own.items()}
        state = visibility[at]
        element = {
            "outside": state == 0,
            "occluded": state == 1 or bool(own.pop("occluded", False)),
            "keyframe": bool(own.pop("keyframe", states.get("keyframe", True))),
        }
        keyframe = f' keyframe="{int(element["keyframe"])}"' if in_tracks else ""
        place = f"{points[2 * at]!r},{points[2 * at + 1]!r}"
        inner = elements_of(own, "        ")
        lines.append(
            f'      <points label="{attribute_value(name)}"{keyframe} outside="{int(element["outside"])}"'
            f' occluded="{int(element["occluded"])}" points="{place}"'
            + (f">\n{inner}      </points>\n" if inner else "/>\n")
        )
    return f"    <skeleton{head}{tail}>\n{''.join(lines)}{elements_of(values)}    </skeleton>\n"
