"""CVAT for video: tracks, keyframes and frames, and that nothing changes on the way out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddfast.annotated import Bbox, Dataset, DatasetItem, Label, Mask, Polygon, Skeleton
from ddfast.annotated.boxes import Ellipse
from ddfast.errors import FormatError, LossyExportError

HEAD = """<?xml version="1.0" encoding="utf-8"?>
<annotations>
<version>1.1</version>
<meta><task><id>5</id><name>traffic</name><size>6</size><mode>interpolation</mode><overlap>5</overlap>
<start_frame>{start}</start_frame><stop_frame>{stop}</stop_frame><frame_filter>{filter}</frame_filter>
<labels>
<label><name>car</name><color>#ff00ff</color><attributes>
<attribute><name>speed</name><mutable>True</mutable><input_type>number</input_type></attribute>
</attributes></label>
<label><name>person</name><type>skeleton</type><attributes/></label>
<label><name>nose</name><type>points</type><attributes/><parent>person</parent></label>
<label><name>eye</name><type>points</type><attributes/><parent>person</parent></label>
</labels><original_size><width>80</width><height>60</height></original_size></task><source>traffic.mp4</source></meta>
"""

TRACKS = """
<track id="0" label="car" source="manual" group_id="3">
  <box frame="1" keyframe="1" outside="0" occluded="0" xtl="10.00" ytl="20.00" xbr="30.00" ybr="40.00" z_order="2">
    <attribute name="speed">50</attribute>
  </box>
  <box frame="3" keyframe="1" outside="0" occluded="1" xtl="14.00" ytl="20.00" xbr="38.00" ybr="40.10" z_order="2">
    <attribute name="speed">60</attribute>
  </box>
  <box frame="4" keyframe="1" outside="1" occluded="1" xtl="14.00" ytl="20.00" xbr="38.00" ybr="40.10" z_order="2">
    <attribute name="speed">60</attribute>
  </box>
</track>
<track id="1" label="car" source="auto">
  <polygon frame="0" keyframe="1" outside="0" occluded="0" points="0,0;4,0;4,4" z_order="0"/>
  <polygon frame="1" keyframe="0" outside="0" occluded="0" points="1,0;5,0;5,4" z_order="0"/>
</track>
<track id="7" label="person" source="manual">
  <skeleton frame="2" keyframe="1" z_order="0">
    <points label="eye" keyframe="0" outside="1" occluded="1" points="7.00,8.00"/>
    <points label="nose" keyframe="1" outside="0" occluded="0" points="5.00,6.00"/>
  </skeleton>
</track>
<track id="8" label="car">
  <mask frame="2" keyframe="1" outside="0" occluded="0" rle="1, 2, 1" left="3" top="4" width="2" height="2"/>
</track>
<track id="9" label="car">
  <ellipse frame="5" keyframe="1" outside="0" occluded="0" cx="10.5" cy="20" rx="2.5" ry="1" rotation="350"/>
</track>
</annotations>
"""


def read(
    folder: Path, body: str = TRACKS, start: int = 0, stop: Any = 5, filter: str = "", **options: Any
) -> Dataset:
    text = HEAD.format(start=start, stop=stop, filter=filter) + body
    (folder / "annotations.xml").write_text(text, encoding="utf-8")
    return Dataset.import_from(folder, "cvat", **options)


def states(
    keyframe: bool = True, outside: bool = False, occluded: bool = False, **others: Any
) -> dict[str, Any]:
    return {"occluded": occluded, "outside": outside, "keyframe": keyframe, **others}


class TestDocumentedSource:
    def test_all_frames_are_items(self, tmp_path: Path) -> None:
        found = [(item.id, item.attributes, item.image.size) for item in read(tmp_path)]
        assert found == [(f"frame_{number:06d}", {"frame": number}, (60, 80)) for number in range(6)]

    def test_shapes_of_tracks(self, tmp_path: Path) -> None:
        mask = np.zeros((60, 80), bool)
        mask[4:6, 3:5] = [[0, 1], [1, 0]]
        first = {"label": 0, "z_order": 2, "group": 3, "source": "manual", "track": 0}
        second = {"label": 0, "source": "auto", "track": 1}
        points = {"eye.occluded": True, "eye.keyframe": False}
        assert [item.annotations for item in read(tmp_path)] == [
            [Polygon([0, 0, 4, 0, 4, 4], attributes=states(), frame=0, **second)],
            [
                Bbox(10, 20, 20, 20, attributes=states(speed=50), frame=1, **first),
                Polygon([1, 0, 5, 0, 5, 4], attributes=states(False), frame=1, **second),
            ],
            [
                Skeleton(
                    [5, 6, 7, 8], [2, 0], ["nose", "eye"], label=1, source="manual", track=7, frame=2,
                    attributes=states(**points),
                ),
                Mask(mask, label=0, track=8, frame=2, attributes=states()),
            ],
            [Bbox(14, 20, 24, 20.1, attributes=states(occluded=True, speed=60), frame=3, **first)],
            [Bbox(14, 20, 24, 20.1, attributes=states(occluded=True, outside=True, speed=60), frame=4, **first)],
            [Ellipse(8, 19, 13, 21, label=0, track=9, frame=5, attributes=states(), rotation=350)],
        ]  # fmt: skip

    def test_round_trip_is_lossless(self, tmp_path: Path) -> None:
        before = read(tmp_path)
        report = before.export(tmp_path / "out", "cvat", strict=True)
        after = Dataset.import_from(tmp_path / "out", "cvat")
        assert list(after) == list(before)
        assert after.categories() == before.categories()
        assert report.counts["annotations"] == 8
        text = (tmp_path / "out" / "default.xml").read_text()
        assert "<image" not in text
        assert text.count("<track ") == 5

    def test_round_trip_through_one_file(self, tmp_path: Path) -> None:
        before = read(tmp_path)
        before.export(tmp_path / "x.msgpack")
        Dataset.import_from(tmp_path / "x.msgpack").export(tmp_path / "out", "cvat")
        after = Dataset.import_from(tmp_path / "out", "cvat")
        assert [item.annotations for item in after] == [item.annotations for item in before]

    def test_shapes_that_are_outside_can_be_left_out(self, tmp_path: Path) -> None:
        found = read(tmp_path, keep_outside=False)
        assert [len(item.annotations) for item in found] == [1, 2, 2, 1, 0, 1]


class TestFrames:
    def test_a_part_of_a_video_with_a_step(self, tmp_path: Path) -> None:
        before = read(tmp_path, "</annotations>", start=10, stop=17, filter="step=3")
        assert [item.attributes["frame"] for item in before] == [10, 13, 16]
        before.export(tmp_path / "out", "cvat", mode="interpolation")
        assert list(Dataset.import_from(tmp_path / "out")) == list(before)
        assert "<frame_filter>step=3</frame_filter>" in (tmp_path / "out" / "default.xml").read_text()

    def test_frames_in_no_order_without_a_range(self, tmp_path: Path) -> None:
        box = '<box frame="{}" keyframe="1" outside="0" occluded="0" xtl="1" ytl="2" xbr="3" ybr="4" z_order="0"/>'
        found = read(
            tmp_path,
            f'<track id="0" label="car">{box.format(9)}{box.format(2)}</track></annotations>',
            stop="",
        )
        assert [item.id for item in found] == ["frame_000002", "frame_000009"]

    def test_images_of_frames_are_found(self, tmp_path: Path) -> None:
        (tmp_path / "images").mkdir()
        (tmp_path / "images" / "frame_000003.PNG").write_bytes(b"png")
        found = read(tmp_path)
        assert [item.image.path for item in found if item.image.path] == [
            str(tmp_path / "images" / "frame_000003.PNG")
        ]

    def test_frames_with_gaps_names_and_sizes_of_their_own(self, tmp_path: Path) -> None:
        before = Dataset.from_iterable(
            [
                DatasetItem(
                    "frame_000001", attributes={"frame": 1}, annotations=[box(1)], image=image(60, 80)
                ),
                DatasetItem("frame_000002", attributes={"frame": 2}, image=image(60, 80)),
                DatasetItem("own/name.x", attributes={"frame": 5}, annotations=[box(5)], image=image(60, 80)),
                DatasetItem("frame_000007", attributes={"frame": 7}, annotations=[box(7)], image=image(6, 8)),
            ],
            categories=["car"],
        )
        before.export(tmp_path / "out", "cvat", save_media=True)
        assert list(Dataset.import_from(tmp_path / "out")) == list(before)

    def test_tags_and_shapes_without_a_track_are_kept(self, tmp_path: Path) -> None:
        loose = Bbox(1, 2, 3, 4, label=0, attributes={"occluded": False})
        items = [
            DatasetItem("frame_000000", attributes={"frame": 0}, annotations=[Label(0, track=1), loose]),
            DatasetItem("frame_000001", attributes={"frame": 1}, annotations=[box(1)]),
        ]
        before = Dataset.from_iterable(items, categories=["car"])
        before.export(tmp_path / "out", "cvat")
        after = Dataset.import_from(tmp_path / "out")
        assert [item.annotations for item in after] == [[Label(0), loose], [box(1)]]

    def test_two_videos_of_a_project(self, tmp_path: Path) -> None:
        shape = '<box frame="1" keyframe="1" xtl="1" ytl="2" xbr="3" ybr="4"/>'
        tasks = "".join(
            f"<task><id>{number}</id><name>{name}</name><subset>Train</subset><mode>interpolation</mode>"
            f"<start_frame>0</start_frame><stop_frame>1</stop_frame></task>"
            for number, name in ((3, "north"), (4, "south"))
        )
        (tmp_path / "annotations.xml").write_text(
            f"<annotations><version>1.1</version><meta><project><tasks>{tasks}</tasks>"
            "<labels><label><name>car</name></label></labels></project></meta>"
            f'<track id="0" label="car" task_id="4" subset="Train">{shape}</track></annotations>'
        )
        found = [(item.id, len(item.annotations)) for item in Dataset.import_from(tmp_path)]
        assert found == [
            ("north/frame_000000", 0), ("north/frame_000001", 0), ("south/frame_000000", 0), ("south/frame_000001", 1)
        ]  # fmt: skip

    @pytest.mark.parametrize(
        ("number", "message"), [("-1", "integer from 0"), ("x", "integer"), ("", "missing")]
    )
    def test_a_frame_that_makes_no_sense(self, number: str, message: str, tmp_path: Path) -> None:
        shape = f'<box frame="{number}" xtl="1" ytl="1" xbr="2" ybr="2"/>'
        track = f'<track id="0" label="car">{shape}</track></annotations>'
        with pytest.raises(FormatError, match=f"field 'frame': box: it is .*{message}"):
            read(tmp_path, track)

    def test_a_track_that_makes_no_sense(self, tmp_path: Path) -> None:
        with pytest.raises(FormatError, match="line 14, field 'id': track: it is 'x'"):
            read(tmp_path, '<track id="x" label="car"/></annotations>')


class TestInterpolation:
    def boxes(self, folder: Path, *shapes: str, tag: str = "box", **options: Any) -> list[Any]:
        rest = 'keyframe="1" occluded="0"'
        body = "".join(f"<{tag} {rest} {shape}/>" for shape in shapes)
        found = read(
            folder, f'<track id="0" label="car">{body}</track></annotations>', interpolate=True, **options
        )
        return [[one.wrap(attributes={}) for one in item.annotations] for item in found]

    def test_boxes_move_evenly_to_the_next_keyframe_and_stay_after_the_last(self, tmp_path: Path) -> None:
        found = self.boxes(
            tmp_path,
            'frame="1" xtl="0" ytl="0" xbr="10" ybr="10" outside="0"',
            'frame="4" xtl="3" ytl="6" xbr="16" ybr="16" outside="0"',
        )
        common = {"label": 0, "track": 0}
        assert found == [
            [],
            [Bbox(0, 0, 10, 10, frame=1, **common)],
            [Bbox(1, 2, 11, 10, frame=2, **common)],
            [Bbox(2, 4, 12, 10, frame=3, **common)],
            [Bbox(3, 6, 13, 10, frame=4, **common)],
            [Bbox(3, 6, 13, 10, frame=5, **common)],
        ]

    def test_nothing_follows_a_shape_that_is_outside(self, tmp_path: Path) -> None:
        found = self.boxes(
            tmp_path,
            'frame="0" xtl="0" ytl="0" xbr="10" ybr="10" outside="0"',
            'frame="2" xtl="0" ytl="0" xbr="10" ybr="10" outside="1"',
            'frame="4" xtl="0" ytl="0" xbr="10" ybr="10" outside="0"',
        )
        assert [len(one) for one in found] == [1, 1, 1, 0, 1, 1]

    def test_angles_turn_the_shorter_way(self, tmp_path: Path) -> None:
        found = self.boxes(
            tmp_path,
            'frame="0" xtl="0" ytl="0" xbr="10" ybr="10" rotation="350"',
            'frame="2" xtl="0" ytl="0" xbr="10" ybr="10" rotation="20"',
            stop=2,
        )
        assert [one[0].rotation for one in found] == [350, 5, 20]

    def test_polygons_with_other_numbers_of_points_stay(self, tmp_path: Path) -> None:
        found = self.boxes(
            tmp_path,
            'frame="0" points="0,0;4,0;4,4"',
            'frame="2" points="2,0;6,0;6,4"',
            'frame="4" points="2,0;6,0;6,4;2,4"',
            tag="polygon",
            stop=4,
        )
        assert [one[0].points for one in found] == [
            [0, 0, 4, 0, 4, 4], [1, 0, 5, 0, 5, 4], [2, 0, 6, 0, 6, 4], [2, 0, 6, 0, 6, 4], [2, 0, 6, 0, 6, 4, 2, 4]
        ]  # fmt: skip

    def test_it_is_done_for_all_types_only_on_request(self, tmp_path: Path) -> None:
        assert len(read(tmp_path).annotations_table()) == 8
        found = read(tmp_path, interpolate=True)
        assert len(found.annotations_table()) == 8 + 1 + 4 + 3 + 3
        added = found.get("frame_000002").annotations[2]  # type: ignore[union-attr]
        assert added == Bbox(
            12, 20, 22, 20.05, label=0, z_order=2, group=3, source="manual", track=0, frame=2,
            attributes=states(False, speed=50),
        )  # fmt: skip

    def test_without_a_range_of_frames(self, tmp_path: Path) -> None:
        shapes = [f'frame="{number}" xtl="{number}" ytl="0" xbr="10" ybr="10"' for number in (3, 6)]
        found = self.boxes(tmp_path, *shapes, stop="")
        assert [one[0].x for one in found] == [3, 4, 5, 6]


class TestWriting:
    def test_in_files_of_images_tracks_are_counted_as_lost(self, tmp_path: Path) -> None:
        dataset = read(tmp_path)
        with pytest.raises(
            LossyExportError, match="8 track numbers, 8 frame numbers and 1 shapes outside of"
        ):
            dataset.export(tmp_path / "out", "cvat", mode="annotation", strict=True)
        dataset.export(tmp_path / "out", "cvat", mode="annotation")
        found = Dataset.import_from(tmp_path / "out")
        assert [item.attributes["frame"] for item in found] == list(range(6))
        assert [len(item.annotations) for item in found] == [1, 2, 2, 1, 0, 1]
        assert all(one.track is None for item in found for one in item.annotations)

    def test_a_track_with_several_labels(self, tmp_path: Path) -> None:
        items = [
            DatasetItem(f"frame_{number:06d}", attributes={"frame": number}, annotations=[box(number, label)])
            for number, label in enumerate([0, 1, 0])
        ]
        before = Dataset.from_iterable(items, categories=["car", "bus"])
        before.export(tmp_path / "out", "cvat")
        assert [item.annotations for item in Dataset.import_from(tmp_path / "out")] == [
            item.annotations for item in before
        ]

    @given(st.data())
    def test_any_tracks(self, tmp_path_factory: pytest.TempPathFactory, data: Any) -> None:
        folder = tmp_path_factory.mktemp("tracks")
        number = st.floats(-1e4, 1e4).map(lambda value: round(value, 3))
        before = []
        for frame in data.draw(st.sets(st.integers(0, 50), min_size=1)):
            annotations = [
                Bbox(
                    data.draw(number), data.draw(number), abs(data.draw(number)), abs(data.draw(number)),
                    label=track % 2, track=track, frame=frame, source=[None, "auto", "manual"][track % 3],
                    attributes=states(data.draw(st.booleans()), data.draw(st.booleans())),
                )
                for track in sorted(data.draw(st.sets(st.integers(-1, 5))))
            ]  # fmt: skip
            before.append(
                DatasetItem(f"frame_{frame:06d}", annotations=annotations, attributes={"frame": frame})
            )
        dataset = Dataset.from_iterable(before, categories=["a", "b"])
        dataset.export(folder / "out", "cvat", mode="interpolation")
        after = Dataset.import_from(folder / "out", "cvat")
        assert sorted((item.id, item.annotations) for item in after) == sorted(
            (item.id, item.annotations) for item in before
        )


def box(frame: int, label: int = 0) -> Bbox:
    return Bbox(1, 2, 3, 4, label=label, track=4, frame=frame, attributes=states())


def image(height: int, width: int) -> Any:
    return np.zeros((height, width, 3), np.uint8)
