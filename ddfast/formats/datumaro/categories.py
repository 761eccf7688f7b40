"""Categories as Datumaro's files have them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ddfast.annotated.categories import Categories, GroupOfLabels, LabelCategories, LabelCategory
from ddfast.annotated.colors import MaskCategories
from ddfast.annotated.keypoints import PointsCategories
from ddfast.annotated.kinds import AnnotationType
from ddfast.errors import CategoriesError

AllCategories = Mapping[AnnotationType, Categories]


def to_form(categories: AllCategories) -> dict[str, Any]:
    """The member ``categories`` of a file."""
    form: dict[str, Any] = {}
    for kind, one in categories.items():
        if isinstance(one, LabelCategories):
            form[kind.name] = one.to_json()
        elif isinstance(one, MaskCategories):
            colors = [
                {"label_id": label, "r": red, "g": green, "b": blue}
                for label, (red, green, blue) in one.colormap.items()
            ]
            form[kind.name] = {"colormap": colors}
        elif isinstance(one, PointsCategories):
            points = [
                {
                    "label_id": label,
                    "labels": list(entry.labels),
                    "joints": [list(joint) for joint in sorted(entry.joints)],
                    "positions": list(entry.positions),
                }
                for label, entry in one.items.items()
            ]
            form[kind.name] = {"items": points}
    return form


def from_form(form: Any) -> dict[AnnotationType, Categories]:
    """The categories of a file.

    Raises:
        CategoriesError: the value has another form.
    """
    if not isinstance(form, Mapping):
        raise CategoriesError("categories must be an object with label, mask and points")
    found: dict[AnnotationType, Categories] = {}
    try:
        if form.get("label"):
            found[AnnotationType.label] = _labels(form["label"])
        if form.get("mask"):
            colors = {one["label_id"]: (one["r"], one["g"], one["b"]) for one in form["mask"]["colormap"]}
            found[AnnotationType.mask] = MaskCategories(colors)
        if form.get("points"):
            entries = [
                (one["label_id"], one.get("labels"), one.get("joints"), one.get("positions"))
                for one in form["points"]["items"]
            ]
            found[AnnotationType.points] = PointsCategories.from_iterable(entries)
    except (KeyError, TypeError, AttributeError) as error:
        what = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise CategoriesError(f"categories have another form than Datumaro's: {what}") from error
    return found


def _labels(form: Any) -> LabelCategories:
    return LabelCategories(
        [
            LabelCategory(one["name"], one.get("parent"), set(one.get("attributes") or ()), one.get("id"))
            for one in form["labels"]
        ],
        [
            GroupOfLabels(one["name"], list(one["labels"]), one.get("group_type", "exclusive"))
            for one in form.get("label_groups") or ()
        ],
        form.get("attributes"),
    )
