#!/usr/bin/env python3
"""first_images.py IMAGES.gz N FIRST: the first N images of an IDX file, as one."""
import gzip
import struct
import sys

with gzip.open(sys.argv[1]) as images:
    magic, _, height, width = struct.unpack(">IIII", images.read(16))
    count = int(sys.argv[2])
    pixels = images.read(count * height * width)
if len(pixels) != count * height * width:
    sys.exit(f"{sys.argv[1]}: there are no {count} images in it")
with open(sys.argv[3], "wb") as first:
    first.write(struct.pack(">IIII", magic, count, height, width) + pixels)
