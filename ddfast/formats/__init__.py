"""Formats of annotated datasets: each module reads one layout of files, recognises it, and writes it."""

from ddfast._util.lazily import from_stub

__getattr__, __dir__, __all__ = from_stub(__name__)

BUILTIN = {
    "coco": "ddfast.formats.coco:Coco",
    "coco_image_info": "ddfast.formats.coco:CocoImageInfo",
    "coco_instances": "ddfast.formats.coco:CocoInstances",
    "coco_person_keypoints": "ddfast.formats.coco:CocoPersonKeypoints",
    "coco_captions": "ddfast.formats.coco:CocoCaptions",
    "coco_labels": "ddfast.formats.coco:CocoLabels",
}
"""Where each format of ddfast is; imported when it is used."""
