"""Commands on annotated datasets: convert, formats, info, index --table, cp."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest

from ddfast.annotated import Bbox, Caption, Dataset, DatasetItem, Label, Polygon
from ddfast.commands.__main__ import main


@pytest.fixture
def coco(tmp_path):
    items = [
        DatasetItem(
            f"image{n}",
            subset=("train", "val")[n % 2],
            annotations=[Bbox(1, 2, 3, 4, label=0), Polygon([0, 0, 5, 0, 5, 5], label=n % 2)],
            image=np.zeros((8, 9, 3), np.uint8),
        )
        for n in range(4)
    ]
    Dataset.from_iterable(items, categories=["cat", "dog"]).export(tmp_path / "coco", "coco", save_media=True)
    return tmp_path / "coco"


def run(*argv):
    return main(list(map(str, argv)))


def test_convert_there_and_back(coco, tmp_path, capsys):
    assert run("convert", coco, tmp_path / "x.msgpack") == 0
    assert run("convert", tmp_path / "x.msgpack", tmp_path / "out", "--to", "coco", "--save-media") == 0
    assert list(Dataset.import_from(tmp_path / "out")) == list(Dataset.import_from(coco))
    out = capsys.readouterr().out
    assert "4 items, 8 annotations, 4 images" in out


def test_convert_a_subset_as_json(coco, tmp_path, capsys):
    assert run("convert", coco, tmp_path / "x.msgpack", "--subset", "val", "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["written"]["counts"] == {"items": 2, "annotations": 4, "images": 2}
    assert run("convert", coco, tmp_path / "y.msgpack", "--subset", "test") == 1
    assert "no subset 'test'" in capsys.readouterr().err


def test_convert_names_what_has_no_place(tmp_path, capsys):
    items = [DatasetItem("a", annotations=[Caption("x"), Bbox(1, 2, 3, 4, rotation=5)])]
    Dataset.from_iterable(items).export(tmp_path / "x.msgpack")
    target = tmp_path / "out"
    assert run("convert", tmp_path / "x.msgpack", target, "--to", "coco", "--strict") == 1
    assert "1 rotation angles have no place in coco" in capsys.readouterr().err
    assert not target.exists()
    assert run("convert", tmp_path / "x.msgpack", target, "--to", "coco") == 0
    assert "1 rotation angles have no place in coco" in capsys.readouterr().out


def test_convert_skips_what_makes_no_sense(coco, tmp_path, capsys):
    file = coco / "annotations" / "instances_val.json"
    content = json.loads(file.read_text())
    content["annotations"][0]["bbox"] = [1, 2, -3, 4]
    file.write_text(json.dumps(content))
    assert run("convert", coco, tmp_path / "x.msgpack") == 1
    error = capsys.readouterr().err
    assert "instances_val.json, record 0 of annotations, field 'bbox': [1.0, 2.0, -3.0, 4.0]" in error
    assert "--on-error skip" in error
    assert run("convert", coco, tmp_path / "x.msgpack", "--on-error", "skip") == 0
    assert "1 problems were skipped:" in capsys.readouterr().out


def test_options_of_a_format_are_options_of_convert(coco, tmp_path, capsys):
    assert run("convert", coco, tmp_path / "out", "--to", "coco", "--merge-images", "--save-media") == 0
    assert sorted(path.name for path in (tmp_path / "out" / "images").iterdir())[0] == "image0.png"
    with pytest.raises(SystemExit):
        run("convert", "--to", "coco", "--help")
    assert "--segmentation-mode {guess,polygons,mask}" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        run("convert", coco, tmp_path / "out", "--to", "cocoo")
    assert "Did you mean 'coco'" in capsys.readouterr().err


def test_formats(capsys):
    assert run("formats") == 0
    assert "coco " in capsys.readouterr().out
    assert run("formats", "coco") == 0
    out = capsys.readouterr().out
    assert "instances_train.json" in out
    assert "segmentation_mode" in out
    assert run("formats", "coco", "--json") == 0
    assert json.loads(capsys.readouterr().out)[0]["name"] == "coco"
    assert run("formats", "kokko") == 1
    assert "no format 'kokko'" in capsys.readouterr().err


def test_info_counts_labels_of_folders_and_files(coco, tmp_path, capsys):
    assert run("info", coco) == 0
    out = capsys.readouterr().out
    assert "4 items, 8 annotations, format coco" in out
    assert "subsets: train 2, val 2" in out
    assert "6  cat" in out
    run("convert", coco, tmp_path / "x.msgpack", "--quiet")
    capsys.readouterr()
    assert run("info", tmp_path / "x.msgpack", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["annotated"][str(tmp_path / "x.msgpack")]["types"] == {"bbox": 4, "polygon": 4}
    (tmp_path / "empty").mkdir()
    assert run("info", tmp_path / "empty") == 1
    assert "No format recognises" in capsys.readouterr().err


def test_index_makes_the_table_again(tmp_path, capsys):
    items = [DatasetItem(str(n), annotations=[Label(n)]) for n in range(3)]
    Dataset.from_iterable(items, categories=["a", "b", "c"]).export(tmp_path / "x.msgpack")
    table = tmp_path / "x.msgpack.table"
    table.write_bytes(b"damaged")
    assert run("index", "--table", "-y", tmp_path / "x.msgpack") == 0
    assert "x.msgpack: 3 annotations" in capsys.readouterr().out
    assert list(Dataset.import_from(tmp_path / "x.msgpack")) == items
    assert run("index", "--table", "s3://bucket/x.msgpack") == 1
    assert "local files only" in capsys.readouterr().err


def test_all_files_move_together(coco, tmp_path):
    run("convert", coco, tmp_path / "x.msgpack", "--quiet")
    assert run("mv", tmp_path / "x.msgpack", tmp_path / "y.msgpack") == 0
    assert len(Dataset.import_from(tmp_path / "y.msgpack").categories()) == 1
    assert not list(tmp_path.glob("x.msgpack*"))
    assert run("verify", tmp_path / "y.msgpack") == 0


def test_without_pyarrow_every_command_says_what_to_install(coco, tmp_path, capsys, monkeypatch):
    run("convert", coco, tmp_path / "x.msgpack", "--quiet")
    capsys.readouterr()
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    for command in (
        ("convert", coco, tmp_path / "y.msgpack"),
        ("convert", tmp_path / "x.msgpack", tmp_path / "out", "--to", "coco"),
        ("info", coco),
        ("index", "--table", "-y", tmp_path / "x.msgpack"),
    ):
        assert run(*command) == 1
        assert "need pyarrow: pip install 'ddfast[annotated]'" in capsys.readouterr().err
