"""Datasets: readers of every layout, person windows, augmentation, boxes, packed frames."""
