"""The formats of ddfast by name; each is imported when it is used."""

FORMATS = {
    "coco": "ddfast.formats.coco.format:Coco",
    "coco_captions": "ddfast.formats.coco.format:CocoCaptions",
    "coco_image_info": "ddfast.formats.coco.format:CocoImageInfo",
    "coco_instances": "ddfast.formats.coco.format:CocoInstances",
    "coco_labels": "ddfast.formats.coco.format:CocoLabels",
    "coco_panoptic": "ddfast.formats.coco.format:CocoPanoptic",
    "coco_person_keypoints": "ddfast.formats.coco.format:CocoPersonKeypoints",
    "coco_results": "ddfast.formats.coco.format:CocoResults",
    "coco_stuff": "ddfast.formats.coco.format:CocoStuff",
}
