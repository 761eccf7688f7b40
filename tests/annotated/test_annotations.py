"""Annotations: values, defaults, checks and equality."""

from __future__ import annotations

import copy
import pickle
from datetime import datetime, timezone

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddfast.annotated import (
    AnnotationType,
    Bbox,
    Caption,
    Cuboid3d,
    Ellipse,
    Label,
    Mask,
    Points,
    Polygon,
    PolyLine,
    RleMask,
    RotatedBbox,
    Skeleton,
    Span,
)
from ddfast.errors import AnnotationError, DdfastError

numbers = st.floats(allow_nan=False, allow_infinity=False, width=64)
places = st.floats(-1e9, 1e9)
sizes = st.floats(0, 1e9)
labels = st.none() | st.integers(0, 2**31 - 1)
attributes = st.dictionaries(st.text(), st.booleans() | st.integers() | st.text() | numbers, max_size=3)
details = st.fixed_dictionaries(
    {},
    optional={
        "id": st.integers(-(2**63), 2**63 - 1),
        "group": st.integers(-(2**63), 2**63 - 1),
        "attributes": attributes,
        "track": st.none() | st.integers(-(2**63), 2**63 - 1),
        "frame": st.none() | st.integers(0, 2**31 - 1),
        "author": st.none() | st.text(),
        "source": st.none() | st.text(),
        "status": st.none() | st.text(),
        "created": st.none() | st.datetimes() | st.datetimes(timezones=st.just(timezone.utc)),
        "score": st.none() | numbers,
    },
)
shape = st.fixed_dictionaries({}, optional={"label": labels, "z_order": st.integers(-(2**31), 2**31 - 1)})


def flat(fewest):
    return st.lists(st.tuples(numbers, numbers), min_size=fewest, max_size=6).map(
        lambda pairs: [number for pair in pairs for number in pair]
    )


@st.composite
def annotations(draw):
    kind = draw(
        st.sampled_from(
            [Label, Caption, Span, Cuboid3d, Bbox, RotatedBbox, Ellipse, Polygon, PolyLine, Points]
        )
    )
    more = draw(details)
    if kind is Label:
        return Label(draw(st.integers(0, 2**31 - 1)), **more)
    if kind is Caption:
        return Caption(draw(st.text()), **more)
    if kind is Span:
        start = draw(st.integers(0, 1000))
        return Span(start, start + draw(st.integers(1, 1000)), draw(labels), **more)
    more.update(draw(shape))
    if kind is Cuboid3d:
        return Cuboid3d(*draw(st.tuples(*[st.tuples(numbers, numbers, numbers)] * 3)), **more)
    if kind is Bbox:
        return Bbox(draw(places), draw(places), draw(sizes), draw(sizes), rotation=draw(places), **more)
    if kind is RotatedBbox:
        return RotatedBbox(draw(places), draw(places), draw(sizes), draw(sizes), draw(places), **more)
    if kind is Ellipse:
        x, y = draw(places), draw(places)
        return Ellipse(x, y, x + draw(sizes), y + draw(sizes), rotation=draw(places), **more)
    return kind(draw(flat({Polygon: 3, PolyLine: 2, Points: 1}[kind])), **more)


@given(annotations())
def test_copies_are_equal_and_independent(annotation):
    for twin in (annotation.wrap(), copy.deepcopy(annotation), pickle.loads(pickle.dumps(annotation))):
        assert twin == annotation
        assert repr(twin) == repr(annotation)
        twin.attributes["changed"] = 1
        assert twin != annotation
    annotation.check()


@given(annotations(), annotations())
def test_equality_is_that_of_types_and_all_values(one, other):
    box = isinstance(one, Bbox) and isinstance(other, Bbox)
    if type(one) is type(other) and not box:
        assert (one == other) == (one.as_dict() == other.as_dict())
    elif not box:
        assert one != other


@given(annotations(), details)
def test_wrap_changes_what_it_is_told_and_nothing_else(annotation, changes):
    changed = annotation.wrap(**changes)
    expected = {**annotation.as_dict(), **changes}
    if isinstance(expected["created"], datetime):
        expected["created"] = expected["created"].isoformat()
    assert changed.as_dict() == expected


def test_defaults_are_those_that_are_documented():
    box = Bbox(1, 2, 3, 4)
    assert (box.id, box.group, box.attributes, box.label, box.z_order) == (0, 0, {}, None, 0)
    assert (box.track, box.frame, box.author, box.source, box.status, box.created, box.score) == (None,) * 7
    assert box.object_id == -1
    assert Cuboid3d([1, 2, 3]).points == [1, 2, 3, 0, 0, 0, 1, 1, 1]


def test_arguments_have_the_documented_order():
    attributes = {"a": 1}
    assert Bbox(1, 2, 3, 4, 5, 6, 7, attributes, 8) == Bbox(
        x=1, y=2, w=3, h=4, label=5, z_order=6, id=7, attributes=attributes, group=8
    )
    assert Polygon([0, 0, 1, 0, 1, 1], 5, 6).z_order == 6
    assert Points([0, 0], [1], 5).label == 5
    assert Label(3, 4).id == 4
    assert Cuboid3d([1, 2, 3], [4, 5, 6], [7, 8, 9]).points == list(range(1, 10))


def test_none_means_the_default_of_numbers_and_attributes():
    box = Bbox(1, 2, 3, 4, z_order=None, id=None, attributes=None, group=None)
    assert box == Bbox(1, 2, 3, 4)


def test_coordinates_keep_every_digit():
    points = [0.1, 1 / 3, 1e-300, 123456.789012345, 2**53 + 1, -0.1]
    assert Polygon(points).points == points
    assert Bbox(0.1, 0.2, 0.3, 0.7).get_bbox() == [0.1, 0.2, 0.3, 0.7]


def test_attributes_are_not_copied_but_those_of_a_copy_are():
    attributes = {"occluded": True}
    box = Bbox(1, 2, 3, 4, attributes=attributes)
    assert box.attributes is attributes
    assert box.wrap(label=1).attributes is not attributes


def test_numbers_of_numpy_become_numbers_of_python():
    box = Bbox(
        *np.array([1.5, 2, 3, 4], np.float32), label=np.int64(3), id=np.uint8(5), rotation=np.float64(1)
    )
    assert {type(value) for value in (box.x, box.y, box.w, box.h, box.rotation)} == {float}
    assert (type(box.label), type(box.id)) == (int, int)
    points = Polygon(np.array([[0, 0], [1, 0], [1, 1]])).points
    assert points == [0, 0, 1, 0, 1, 1]
    assert {type(number) for number in Polygon(list(np.arange(6.0))).points} == {float}


def test_created_is_iso_text():
    assert Label(1, created=datetime(2024, 5, 17, 8, 30)).created == "2024-05-17T08:30:00"
    for written in ("2013-11-14 11:18:45", "2024-05-17", "2024-05-17T08:30:00Z", "2024-05-17T08:30:00+02:00"):
        assert Label(1, created=written).created == written


def test_object_id_is_a_second_name_of_track():
    assert Label(1, object_id=7) == Label(1, track=7)
    assert Label(1, object_id=-1).track is None
    assert Label(1, track=7).object_id == 7


def test_label_0_is_a_label():
    assert Bbox(1, 2, 3, 4, label=0).label == 0
    assert Bbox(1, 2, 3, 4, label=0) != Bbox(1, 2, 3, 4)
    assert "label=0" in repr(Bbox(1, 2, 3, 4, label=0))


def test_types_have_the_documented_names():
    assert [Label.type.name, Mask.type.name, RleMask.type.name, Points.type.name, Polygon.type.name] == [
        "label", "mask", "mask", "points", "polygon",
    ]  # fmt: skip
    assert [PolyLine.type.name, Bbox.type.name, Caption.type.name, Cuboid3d.type.name] == [
        "polyline", "bbox", "caption", "cuboid_3d",
    ]  # fmt: skip
    assert [Skeleton.type.name, Span.type.name, Ellipse.type.name] == ["skeleton", "span", "ellipse"]
    assert RotatedBbox(1, 2, 3, 4, 5).type is AnnotationType.bbox is AnnotationType.rotated_bbox


NAN, INF = float("nan"), float("inf")
TRIANGLE = [0, 0, 1, 0, 1, 1]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Bbox(1, NAN, 3, 4), r"Bbox\.y is nan; it must be a finite number"),
        (lambda: Bbox(INF, 2, 3, 4), r"Bbox\.x is inf"),
        (lambda: Bbox(1, 2, "3", 4), r"Bbox\.w is '3'"),
        (lambda: Bbox(True, 2, np.float64(3), 4), r"Bbox\.x is True"),
        (lambda: Bbox(1, 2, 3, 10**400), r"Bbox\.h is 1000"),
        (lambda: Bbox(1, 2, -3, 4), r"Bbox\.w is -3; a size cannot be negative"),
        (lambda: Bbox(1, 2, 3, -0.5), r"Bbox\.h is -0\.5; a size cannot be negative"),
        (lambda: Bbox(1, 2, 3, 4, rotation=NAN), r"Bbox\.rotation is nan"),
        (lambda: RotatedBbox(1, None, 3, 4, 5), r"RotatedBbox\.cy is None"),
        (lambda: RotatedBbox.from_rectangle([(0, 0), (1, 0), (1, 1)]), "needs four pairs of x and y"),
        (lambda: Ellipse(5, 0, 4, 1), r"Ellipse\.w is -1\.0; a size cannot be negative"),
        (lambda: Bbox(1, 2, 3, 4, label=-1), r"Bbox\.label is -1; it must be an integer from 0"),
        (lambda: Bbox(1, 2, 3, 4, label=1.0), r"Bbox\.label is 1\.0; it must be a whole number"),
        (lambda: Bbox(1, 2, 3, 4, label="cat"), r"Bbox\.label is 'cat'"),
        (lambda: Bbox(1, 2, 3, 4, label=True), r"Bbox\.label is True"),
        (lambda: Bbox(1, 2, 3, 4, label=2**31), r"2147483648; it must be an integer from 0 to 2147483647"),
        (lambda: Bbox(1, 2, 3, 4, id="7"), r"Bbox\.id is '7'; it must be a whole number"),
        (lambda: Bbox(1, 2, 3, 4, id=2**63), r"Bbox\.id is 9223372036854775808"),
        (lambda: Bbox(1, 2, 3, 4, group=1.5), r"Bbox\.group is 1\.5"),
        (lambda: Bbox(1, 2, 3, 4, z_order=2**31), r"Bbox\.z_order is 2147483648"),
        (lambda: Bbox(1, 2, 3, 4, attributes=[1]), r"Bbox\.attributes is \[1\]; it must be a dict"),
        (lambda: Bbox(1, 2, 3, 4, author=5), r"Bbox\.author is 5; it must be a string"),
        (lambda: Bbox(1, 2, 3, 4, created="yesterday"), r"Bbox\.created is 'yesterday'; .* ISO 8601"),
        (lambda: Bbox(1, 2, 3, 4, created=5), r"Bbox\.created is 5"),
        (lambda: Bbox(1, 2, 3, 4, score=NAN), r"Bbox\.score is nan"),
        (lambda: Bbox(1, 2, 3, 4, track="a"), r"Bbox\.track is 'a'"),
        (lambda: Bbox(1, 2, 3, 4, frame=-1), r"Bbox\.frame is -1"),
        (lambda: Label(None), r"Label\.label is None; it must be a whole number"),
        (lambda: Caption(None), r"Caption\.caption is None; it must be a text"),
        (lambda: Polygon([0, 0, 1, 0]), r"Polygon\.points has 4 numbers .* needs at least 6, in groups of 2"),
        (lambda: Polygon([*TRIANGLE, 1]), r"Polygon\.points has 7 numbers"),
        (lambda: Polygon([0, 0, NAN, 0, 1, 1]), r"Polygon\.points\[2\] is nan; coordinates must be finite"),
        (lambda: Polygon([0, 0, INF, -INF, 1, 1]), r"Polygon\.points\[2\] is inf"),
        (lambda: Polygon(["0"] * 6), r"Polygon\.points is .*; it must be a flat list of finite numbers"),
        (lambda: Polygon([(0, 0), (1, 0), (1, 1)]), r"Polygon\.points is .*; it must be a flat list"),
        (lambda: Polygon([None] * 6), r"Polygon\.points is"),
        (lambda: Polygon(5), r"Polygon\.points is 5"),
        (lambda: Polygon([10**400] * 6), r"Polygon\.points is"),
        (lambda: PolyLine([0, 0]), r"PolyLine\.points has 2 numbers"),
        (lambda: Points([]), r"Points\.points has 0 numbers"),
        (lambda: Points([0, 0], [1, 2]), r"Points\.visibility has 2 values for 1 points"),
        (lambda: Points([0, 0], [3]), r"Points\.visibility is \[3\]; each must be 0 \(absent\)"),
        (lambda: Points([0, 0], [[]]), r"Points\.visibility is \[\[\]\]"),
        (lambda: Skeleton([0, 0], names=["a", "b"]), r"Skeleton\.names has 2 values for 1 points"),
        (lambda: Skeleton([0, 0, 1, 1], names=["a", "a"]), r"Skeleton\.names is .* all different"),
        (lambda: Skeleton.from_elements({"a": (1,)}), r"Skeleton 'a' is \(1,\); it must be x, y and visibility"),
        (lambda: Skeleton([0, 0]).elements(), "Skeleton 0 has no names for its points"),
        (lambda: Skeleton([0, 0]).ordered(["a", "b"]), "has 1 points without names, but its label has 2"),
        (lambda: Skeleton([0, 0], names=["tail"]).ordered(["head"]), r"not have: \['tail'\]; known are \['head'\]"),
        (lambda: Cuboid3d([1, 2]), r"Cuboid3d\.position has 2 numbers \(\[1, 2\]\); it must have x, y and z"),
        (lambda: Cuboid3d([1, 2, 3], [0, 0, NAN]), r"Cuboid3d\.rotation\[2\] is nan"),
        (lambda: Span(-1, 5), r"Span\.start is -1"),
        (lambda: Span(5, 5), r"Span \[5, 5\) has no character"),
        (lambda: Span(11, 15, text="India"), r"Span \[11, 15\) has 4 characters, but its text 'India' has 5"),
        (lambda: Span(0, 5, text=b"India"), r"Span\.text is b'India'; it must be a string"),
    ],
)  # fmt: skip
def test_value_that_makes_no_sense_is_refused_by_name(make, message):
    with pytest.raises(AnnotationError, match=message) as caught:
        make()
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, DdfastError)


def test_unknown_argument_is_refused():
    with pytest.raises(TypeError, match=r"Bbox\(\) has no parameter 'colour'"):
        Bbox(1, 2, 3, 4, colour=1)


def test_sum_that_overflows_is_no_infinite_coordinate():
    points = [1e308, 1e308, 0, 0, 1, 1]
    assert Polygon(points).points == points


def test_long_value_is_cut_in_the_message():
    with pytest.raises(AnnotationError) as caught:
        Polygon(["x" * 10000] * 6)
    assert len(str(caught.value)) < 200


def test_check_finds_what_was_changed_to_nonsense():
    box = Bbox(1, 2, 3, 4)
    box.w = NAN
    with pytest.raises(AnnotationError, match=r"Bbox\.w is nan"):
        box.check()


def test_annotations_have_no_hash():
    with pytest.raises(TypeError, match="unhashable"):
        hash(Label(1))
