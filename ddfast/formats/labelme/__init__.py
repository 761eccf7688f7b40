"""labelme: a JSON file of shapes beside each image, as wkentaro's labelme writes it."""
