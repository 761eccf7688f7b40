"""Labels, colours and key points."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddfast.annotated import LabelCategories, MaskCategories, PointsCategories
from ddfast.errors import CategoriesError

names = st.text(min_size=1, max_size=8)
sets = st.sets(st.text(max_size=4), max_size=3)
label_lists = st.lists(
    st.tuples(names, st.text(max_size=4), sets, st.none() | st.integers() | names),
    max_size=6,
    unique_by=lambda label: label[:2],
)


def through_json(categories):
    return type(categories).from_json(json.loads(json.dumps(categories.to_json())))


@given(label_lists, sets)
def test_labels_come_back_from_json(labels, attributes):
    categories = LabelCategories(attributes=attributes)
    for label in labels:
        categories.add(*label)
    if labels:
        categories.add_label_group("some", [labels[0][0]], "inclusive")
    again = through_json(categories)
    assert again == categories
    assert again.attributes == attributes
    assert [item.id for item in again] == [label[3] for label in labels]


@given(label_lists)
def test_every_label_is_found(labels):
    categories = LabelCategories.from_iterable(label[:3] for label in labels)
    for index, (name, parent, attributes, _) in enumerate(labels):
        first, found = categories.find(name)
        assert first == next(at for at, label in enumerate(labels) if label[0] == name)
        assert found is categories[first]
        assert categories.find(name, parent) == (index, categories.items[index])
        assert (found.name, categories[index].parent, categories[index].attributes) == (
            name,
            parent,
            attributes,
        )
        assert name in categories
        assert index in categories
    assert len(categories) not in categories
    assert -1 not in categories
    assert [item.name for item in categories] == [label[0] for label in labels]
    assert len(categories) == len(labels)


def test_labels_come_from_names_and_tuples():
    categories = LabelCategories.from_iterable(["cat", ("dog",), ("pug", "dog"), ("car", "", {"colour"})])
    assert [item.name for item in categories.items] == ["cat", "dog", "pug", "car"]
    assert categories[2].parent == "dog"
    assert categories[3].attributes == {"colour"}
    assert categories[0] == LabelCategories.Category("cat", parent="", attributes=set())
    assert LabelCategories.from_iterable("cat") == LabelCategories.from_iterable(["cat"])
    assert categories.find("cow") == (None, None)
    assert "cow" not in categories
    assert categories.add("cow", parent=None, attributes=None) == 4


def test_labels_of_one_name_differ_by_parent():
    categories = LabelCategories.from_iterable([("fish", "none"), ("fish", "animal")])
    assert categories.find("fish")[0] == 0
    assert categories.find("fish", "animal")[0] == 1
    with pytest.raises(CategoriesError, match="label 'fish' below 'animal' is there twice; rename one"):
        categories.add("fish", "animal")
    with pytest.raises(CategoriesError, match="label 'cat' is there twice"):
        LabelCategories.from_iterable(["cat", "cat"])
    assert len(categories) == 2


def test_labels_form_groups():
    categories = LabelCategories.from_iterable(["cat", "dog"])
    assert categories.add_label_group("pets", ["cat", "dog"]) == 0
    assert categories.add_label_group("all", ["cat"], 1) == 1
    assert categories.label_groups[0] == LabelCategories.LabelGroup("pets", ["cat", "dog"], "exclusive")
    assert categories.label_groups[1].group_type == "inclusive"
    assert categories != LabelCategories.from_iterable(["cat", "dog"])


def test_ids_and_attributes_of_all_labels_are_not_compared():
    one, other = LabelCategories(attributes={"is_crowd"}), LabelCategories()
    one.add("cat", id=17)
    other.add("cat")
    assert one == other
    assert one != LabelCategories.from_iterable(["dog"])


def test_what_else_a_source_says_about_a_label_comes_back_from_json():
    labels = LabelCategories.from_iterable(["cat", "dog"])
    labels[1].extra = {"frequency": "r", "synonyms": ["hound"]}
    again = LabelCategories.from_json(labels.to_json())
    assert again == labels == LabelCategories.from_iterable(["cat", "dog"])
    assert [label.extra for label in again] == [{}, {"frequency": "r", "synonyms": ["hound"]}]


def test_colours_are_those_of_voc():
    colormap = MaskCategories.generate(22).colormap
    assert [colormap[index] for index in (0, 1, 2, 3, 15, 20, 21)] == [
        (0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0), (192, 128, 128), (0, 64, 128), (128, 64, 128),
    ]  # fmt: skip
    assert MaskCategories.generate().colormap.keys() == set(range(255))
    assert len(set(MaskCategories.generate(256).colormap.values())) == 256
    without = MaskCategories.generate(3, include_background=False)
    assert without.colormap == {0: (128, 0, 0), 1: (0, 128, 0), 2: (128, 128, 0)}


def test_inverse_colours_name_the_first_of_several():
    categories = MaskCategories({0: (0, 0, 0), 1: [1, 2, 3], 2: (1, 2, 3)})
    assert categories.inverse_colormap == {(0, 0, 0): 0, (1, 2, 3): 1}
    assert categories[1] == (1, 2, 3)
    assert 2 in categories
    assert 3 not in categories
    assert len(categories) == 3


def test_colours_are_equal_in_both_directions_or_in_none():
    small, large = MaskCategories.generate(2), MaskCategories.generate(3)
    assert small != large
    assert large != small
    assert large == MaskCategories.generate(3)


colors = st.dictionaries(st.integers(0, 2**31), st.tuples(*[st.integers(0, 255)] * 3), max_size=5)


@given(colors, sets)
def test_colours_come_back_from_json(colormap, attributes):
    again = through_json(MaskCategories(colormap, attributes=attributes))
    assert again == MaskCategories(colormap)
    assert again.attributes == attributes


def test_key_points_have_labels_and_joints():
    categories = PointsCategories.from_iterable(
        [(0, ["head", "tail"], {(0, 1)}), (3, ["a"]), (5, ["x"], [], [0.5, 1])]
    )
    assert categories.items[0] == PointsCategories.Category(["head", "tail"], {(0, 1)})
    assert categories[3].joints == set()
    assert categories[5].positions == [0.5, 1]
    assert 3 in categories
    assert 1 not in categories
    assert len(categories) == 3
    assert through_json(categories) == categories
    assert through_json(PointsCategories(attributes={"a"})).attributes == {"a"}


@given(st.dictionaries(st.integers(0, 99), st.lists(st.text(max_size=3), max_size=4), max_size=4))
def test_key_points_come_back_from_json(labels):
    categories = PointsCategories()
    for label, points in labels.items():
        categories.add(
            label, points, [(at, at + 1) for at in range(len(points) - 1)], [0.25] * 2 * len(points)
        )
    assert through_json(categories) == categories


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LabelCategories.from_iterable([""]), "the name of a label is ''; it must be text, not empty"),
        (lambda: LabelCategories.from_iterable([(5,)]), "the name of a label is 5"),
        (lambda: LabelCategories.Category("cat", parent=5), "the parent of label 'cat' is 5"),
        (lambda: LabelCategories.Category("cat", id=1.5), "the id of label 'cat' is 1.5"),
        (lambda: LabelCategories.from_iterable([("cat", "", "colour")]), "attributes of label 'cat' are 'colour'"),
        (lambda: LabelCategories.from_iterable([("cat", "", [5])]), r"attributes of label 'cat' are \[5\]"),
        (lambda: LabelCategories(attributes=5), "attributes of labels are 5; they must be names"),
        (lambda: LabelCategories().add_label_group("", []), "the name of a group of labels is ''"),
        (lambda: LabelCategories().add_label_group("a", [5]), r"labels of group 'a' are \[5\]"),
        (lambda: LabelCategories().add_label_group("a", [], "any"), "the type of group 'a' is 'any'; .* exclusive"),
        (lambda: LabelCategories.from_json([]), r"labels are \[\]; they must be a map with a list 'labels'"),
        (lambda: LabelCategories.from_json({"labels": [{"nam": "cat"}]}), "labels have an invalid form"),
        (lambda: LabelCategories.from_json({"labels": ["cat"]}), "labels have an invalid form"),
        (lambda: MaskCategories({-1: (0, 0, 0)}), "a colour has the index -1; it must be an integer from 0"),
        (lambda: MaskCategories({"a": (0, 0, 0)}), "a colour has the index 'a'"),
        (lambda: MaskCategories({1: (0, 0, 256)}), r"the colour of label 1 is \(0, 0, 256\)"),
        (lambda: MaskCategories({1: (0, 0)}), r"the colour of label 1 is \(0, 0\)"),
        (lambda: MaskCategories({1: 5}), "the colour of label 1 is 5"),
        (lambda: MaskCategories.from_json({"colormap": {}}), "colours are .* with a list 'colormap'"),
        (lambda: MaskCategories.from_json({"colormap": [[1, 2]]}), "each must be a list of index, red, green"),
        (lambda: PointsCategories().add(-1, ["a"]), "a label with key points has the index -1"),
        (lambda: PointsCategories().add(1, [5]), r"names of points are \[5\]; they must be text"),
        (lambda: PointsCategories().add(1, ["a"], [(1, 2, 3)]), "joints are .* a pair of indices of points"),
        (lambda: PointsCategories().add(1, ["a"], [], ["x", "y"]), "positions of points are .* must be numbers"),
        (lambda: PointsCategories().add(1, ["a"], [], [1, 2, 3]), "there are 3 positions for 1 points"),
        (lambda: PointsCategories.from_json({"items": [5]}), "key points are 5; each entry must be a map"),
        (lambda: PointsCategories.from_json({"items": [{}]}), "a label with key points has the index -1"),
        (lambda: PointsCategories.from_json(None), "key points are None"),
    ],
)  # fmt: skip
def test_categories_that_make_no_sense_are_refused(make, message):
    with pytest.raises(CategoriesError, match=message):
        make()
