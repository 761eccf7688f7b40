"""LabelMe: XML files of polygons, boxes and masks, as MIT's annotation tool writes them."""
