"""Open Images: CSV files of labels, boxes and masks, for versions 4 to 6."""
