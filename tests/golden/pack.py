#!/usr/bin/env python3
"""Packs the golden files for the repository: tests/golden/pack.py SOURCE_DIR DEST_DIR

The originals hold float64 throughout. Arrays of more than 64 numbers become float32 where that
is exact (inputs, parameters) or where the bound they are tested to is at least ten roundings of
float32 wide (outputs, gradients, trajectories); digests, schedules and bits/dim stay float64.
Needs python3-h5py.
"""
import sys
from pathlib import Path

import h5py
import numpy as np

FILES = ["ops", "philox", "sampler", "schedule", "train_tiny", "unet_tiny", "vlb"]
WHOLE = {"schedule", "vlb"}


def packed(name, array):
    keep = array.dtype != np.float64 or array.size <= 64 or "digest" in name
    keep = keep or "discretized_gaussian" in name or "timestep_embedding" in name
    if keep or np.abs(array).max() > 3e38:
        return array
    return array.astype(np.float32)


def main(source, dest):
    for stem in FILES:
        with h5py.File(source / f"{stem}.h5") as old, h5py.File(dest / f"{stem}.h5", "w", libver=("earliest", "v108")) as new:
            def visit(name, item):
                if isinstance(item, h5py.Group):
                    copy = new.require_group(name)
                else:
                    data = item[()]
                    copy = new.create_dataset(name, data=data if stem in WHOLE else packed(name, data))
                for key, value in item.attrs.items():
                    copy.attrs[key] = value
            for key, value in old.attrs.items():
                new.attrs[key] = value
            old.visititems(visit)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
