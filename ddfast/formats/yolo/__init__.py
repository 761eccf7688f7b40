"""YOLO: a text file for each image, with relative coordinates; the layouts of Darknet and of Ultralytics."""
