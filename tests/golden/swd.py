#!/usr/bin/env python3
"""Makes tests/golden/swd.npz: /usr/bin/python3 tests/golden/swd.py DEST.npz

The sliced Wasserstein distance of Karras et al. 2018, written down once more in numpy, in float64: Laplacian
pyramids as in their code (5-tap binomial filter, mirrored at the edge pixel), patches of 7x7, each channel of a
set to mean 0 and deviation 1, directions uniform on the sphere. Images come from a formula that
test_swd_golden.c has too, patches and directions from Philox as src/eval draws them. Needs python3-numpy.
"""
import sys

import numpy as np

IMAGES, PATCHES, DIRECTIONS, SEED, PATCH = 70, 3, 10, 5, 7
PURPOSE, STREAM_DIRECTIONS = 18, 1 << 16
CASES = [("colour", 32, 32, 3), ("grey", 64, 64, 1)]
U64 = np.uint64


def uniform(name, *shape):
    """In [0,1), multiples of 2^-24: splitmix64, seeded with FNV-1a of the name."""
    seed = 0xCBF29CE484222325
    for byte in name.encode():
        seed = (seed ^ byte) * 0x100000001B3 % 2**64
    with np.errstate(over="ignore"):
        z = U64(seed) + np.arange(1, int(np.prod(shape)) + 1, dtype=U64) * U64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> U64(30))) * U64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> U64(27))) * U64(0x94D049BB133111EB)
        z = z ^ (z >> U64(31))
    return ((z >> U64(40)).astype(np.float64) / 2**24).reshape(shape)


def images(set_name, h, w, c, coarse, fine):
    """Blocks of 8x8 and noise, of unlike scale and mean by channel."""
    blocks = uniform(f"{set_name} coarse", IMAGES, h // 8, w // 8, c).repeat(8, 1).repeat(8, 2)
    noise = uniform(f"{set_name} fine", IMAGES, h, w, c)
    channel = np.arange(c)
    x = (coarse * blocks + fine * noise - 1) * (1 + channel / 2) + channel / 4
    return x.astype(np.float32).astype(np.float64)


def philox(counter, key):
    c, k = list(counter), list(key)
    for _ in range(10):
        a, b = c[0] * 0xD2511F53, c[2] * 0xCD9E8D57
        c = [b >> 32 ^ c[1] ^ k[0], b & 0xFFFFFFFF, a >> 32 ^ c[3] ^ k[1], a & 0xFFFFFFFF]
        k = [(k[0] + 0x9E3779B9) & 0xFFFFFFFF, (k[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return c


def block(number, index, stream):
    counter = number, index & 0xFFFFFFFF, index >> 32, PURPOSE << 24 | stream
    return philox(counter, (SEED & 0xFFFFFFFF, SEED >> 32))


def below(bound, index, stream):
    words = block(0, index, stream)
    return (words[1] << 32 | words[0]) * bound >> 64


def direction(d, index):
    words = [w for number in range((d + 3) // 4) for w in block(number, index, STREAM_DIRECTIONS)]
    u = (np.array(words) + 0.5) / 2**32
    radius, angle = np.sqrt(-2 * np.log(u[0::2])), 2 * np.pi * u[1::2]
    normal = np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1).ravel()[:d]
    return normal / np.sqrt(normal @ normal)


def blurred(x):
    """Of [N,H,W,C], by the outer product of (1 4 6 4 1) / 16 with itself."""
    padded = np.pad(x, ((0, 0), (2, 2), (2, 2), (0, 0)), mode="reflect")
    weight = np.array([1, 4, 6, 4, 1]) / 16
    h, w = x.shape[1:3]
    rows = sum(weight[i] * padded[:, i:i + h] for i in range(5))
    return sum(weight[i] * rows[:, :, i:i + w] for i in range(5))


def enlarged(x):
    n, h, w, c = x.shape
    apart = np.zeros((n, 2 * h, 2 * w, c))
    apart[:, ::2, ::2] = x
    return 4 * blurred(apart)


def pyramid(x):
    levels = [x]
    while min(levels[-1].shape[1:3]) >= 32:
        levels.append(blurred(levels[-1])[:, ::2, ::2])
        levels[-2] = levels[-2] - enlarged(levels[-1])
    return levels


def patches(x, level, which):
    n, h, w, c = x.shape
    cut = np.empty((n, PATCHES, PATCH, PATCH, c))
    for i in range(n):
        for p in range(PATCHES):
            y, at = divmod(below((h - PATCH + 1) * (w - PATCH + 1), (i << 1 | which) << 16 | p, level), w - PATCH + 1)
            cut[i, p] = x[i, y:y + PATCH, at:at + PATCH]
    cut = (cut - cut.mean((0, 1, 2, 3))) / cut.std((0, 1, 2, 3))
    return cut.reshape(n * PATCHES, -1)


def distances(a, b):
    found = []
    for level, (x, y) in enumerate(zip(pyramid(a), pyramid(b))):
        x, y = patches(x, level, 0), patches(y, level, 1)
        u = np.stack([direction(x.shape[1], k) for k in range(DIRECTIONS)], 1)
        found.append(1000 * np.abs(np.sort(x @ u, 0) - np.sort(y @ u, 0)).mean())
    return np.array(found)


def main(path):
    arrays = {}
    for name, h, w, c in CASES:
        a = images(f"{name} samples", h, w, c, 1.5, 0.5)
        b = images(f"{name} data", h, w, c, 1.0, 1.0)
        arrays[name] = distances(a, b)
        for level, x in enumerate(pyramid(a[:1])):
            arrays[f"{name}_level{level}"] = x.reshape(x.shape[1], -1)
        print(name, arrays[name], "mean", arrays[name].mean())
    np.savez_compressed(path, **arrays)


if __name__ == "__main__":
    main(sys.argv[1])
