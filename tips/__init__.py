"""Reproduces TIPS, temporal-interim pose synthesis and distillation."""

import os
from typing import Final

LARGEST_IMAGE: Final = 2**26  # px; a frame of 8K video has half as many

# OpenCV reads this when it is first imported. It then refuses a larger picture by its header,
# before it takes memory for the pixels: a file of a few kB can promise a billion of them.
os.environ["OPENCV_IO_MAX_IMAGE_PIXELS"] = str(LARGEST_IMAGE)
