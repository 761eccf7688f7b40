"""The formats of ddfast by name; each is imported when it is used."""

FORMATS = {
    "coco": "ddfast.formats.coco.format:Coco",
    "coco_captions": "ddfast.formats.coco.format:CocoCaptions",
    "coco_image_info": "ddfast.formats.coco.format:CocoImageInfo",
    "coco_instances": "ddfast.formats.coco.format:CocoInstances",
    "coco_labels": "ddfast.formats.coco.format:CocoLabels",
    "coco_person_keypoints": "ddfast.formats.coco.format:CocoPersonKeypoints",
    "datumaro": "ddfast.formats.datumaro.format:Datumaro",
    "image_dir": "ddfast.formats.image_dir:ImageDir",
    "image_zip": "ddfast.formats.image_zip:ImageZip",
    "imagenet": "ddfast.formats.imagenet:Imagenet",
    "imagenet_txt": "ddfast.formats.imagenet_txt:ImagenetTxt",
    "voc": "ddfast.formats.voc.format:Voc",
    "voc_action": "ddfast.formats.voc.format:VocAction",
    "voc_classification": "ddfast.formats.voc.format:VocClassification",
    "voc_detection": "ddfast.formats.voc.format:VocDetection",
    "voc_layout": "ddfast.formats.voc.format:VocLayout",
    "voc_segmentation": "ddfast.formats.voc.format:VocSegmentation",
    "yolo": "ddfast.formats.yolo.darknet:Yolo",
    "yolo_ultralytics": "ddfast.formats.yolo.ultralytics:YoloUltralytics",
}
