"""The head of CVAT's files as text: labels and their attributes, the task and its frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ddfast.annotated.categories import LabelCategories
from ddfast.annotated.colors import MaskCategories
from ddfast.annotated.keypoints import PointsCategories, PointsCategory
from ddfast.annotated.kinds import AnnotationType
from ddfast.formats.cvat.attributes import STATES
from ddfast.formats.cvat.svg import svg_of
from ddfast.formats.xml import escaped

if TYPE_CHECKING:
    from ddfast.annotated.tables import Tables


def label_names(tables: Tables) -> list[str]:
    """The name of each label; with that of its parent before it if another label has the same."""
    labels = tables.categories.get(AnnotationType.label)
    if not isinstance(labels, LabelCategories):
        return []
    names: list[str] = []
    for label in labels:
        name = label.name
        if name in names:
            name = f"{label.parent}/{name}"
        while name in names:
            name += "_"
        names.append(name)
    return names


def task_text(values: Mapping[str, object], size: tuple[int, int] | None, labels: str) -> str:
    """The head of a file.

    Parameters:
        values: of the task, by name.
        size: height and width of the frames of a video.
        labels: text of the labels.
    """
    lines = "".join(f"      <{name}>{escaped(str(value))}</{name}>\n" for name, value in values.items())
    original = ""
    if size is not None:
        original = (
            "      <original_size>\n"
            f"        <width>{size[1]}</width>\n        <height>{size[0]}</height>\n"
            "      </original_size>\n"
        )
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n  <version>1.1</version>\n  <meta>\n    <task>\n'
        f"{lines}      <labels>\n{labels}      </labels>\n{original}    </task>\n  </meta>\n"
    )


def labels_text(
    tables: Tables,
    names: Sequence[str],
    types: Mapping[int, Mapping[str, str]],
    skeletons: Mapping[int, Sequence[str]],
) -> str:
    """The labels.

    Parameters:
        tables: of the dataset, with the categories.
        names: of the labels.
        types: input types of the attributes that annotations have, by label.
        skeletons: names of the points of skeletons, by label that has any.
    """
    labels = tables.categories.get(AnnotationType.label)
    colors = tables.categories.get(AnnotationType.mask)
    points = tables.categories.get(AnnotationType.points)
    if not isinstance(labels, LabelCategories):
        return ""
    colormap = colors.colormap if isinstance(colors, MaskCategories) else {}
    categories = dict(points.items) if isinstance(points, PointsCategories) else {}
    for number, order in skeletons.items():
        if number not in categories or not categories[number].labels:
            categories[number] = PointsCategory(list(order))
    found = []
    for number, label in enumerate(labels):
        used = types.get(number, {})
        attributes = {name: used.get(name, "text") for name in sorted(label.attributes | used.keys())}
        category = categories.get(number, PointsCategory())
        kind = "skeleton" if number in skeletons else "any"
        found.append(_label(names[number], kind, colormap.get(number), attributes, category))
    return "".join(found)


def _label(
    name: str,
    kind: str,
    color: tuple[int, int, int] | None,
    attributes: Mapping[str, str],
    category: PointsCategory,
) -> str:
    """A label, and after it the points of its skeleton."""
    of_points: dict[str, dict[str, str]] = {point: {} for point in category.labels}
    own = {}
    for attribute, type_ in attributes.items():
        point = next((one for one in of_points if attribute.startswith(f"{one}.")), None)
        if point is None:
            own[attribute] = type_
        elif attribute[len(point) + 1 :] not in STATES:
            of_points[point][attribute[len(point) + 1 :]] = type_
    svg = svg_of(category)
    text = _entry(name, kind, color, own, f"          <svg>{escaped(svg)}</svg>\n" if svg else "")
    parent = f"          <parent>{escaped(name)}</parent>\n"
    return text + "".join(_entry(point, "points", None, own, parent) for point, own in of_points.items())


def _entry(
    name: str, kind: str, color: tuple[int, int, int] | None, attributes: Mapping[str, str], rest: str
) -> str:
    shade = "" if color is None else f"          <color>#{bytes(color).hex()}</color>\n"
    return (
        f"        <label>\n          <name>{escaped(name)}</name>\n{shade}          <type>{kind}</type>\n"
        "          <attributes>\n"
        + "".join(_attribute(*pair) for pair in attributes.items())
        + f"          </attributes>\n{rest}        </label>\n"
    )


def _attribute(name: str, kind: str) -> str:
    default, values = ("false", "false") if kind == "checkbox" else ("", "")
    return (
        f"            <attribute>\n              <name>{escaped(name)}</name>\n"
        f"              <mutable>True</mutable>\n              <input_type>{kind}</input_type>\n"
        f"              <default_value>{default}</default_value>\n              <values>{values}</values>\n"
        "            </attribute>\n"
    )
