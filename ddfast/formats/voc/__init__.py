"""Pascal VOC: an XML file for each image, lists of the images of subsets, and masks as PNG."""
