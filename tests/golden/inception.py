#!/usr/bin/env python3
"""Makes tests/golden/inception.npz: /usr/bin/python3 tests/golden/inception.py DEST.npz

The network of pytorch-fid (Inception v3 as it was ported from TensorFlow's graph of 2015-12-05), written
down once more in plain PyTorch, in float64, with weights and images that test_inception.c makes by the
same formulas; and the Frechet distance by pytorch-fid's formula between two sets of features.
Needs python3-torch and python3-numpy; takes half a minute.
"""
import sys

import numpy as np
import torch
import torch.nn.functional as F

U64 = np.uint64


def uniform(name, count):
    """In [0,1), multiples of 2^-24: splitmix64, seeded with FNV-1a of the name."""
    seed = 0xCBF29CE484222325
    for byte in name.encode():
        seed = (seed ^ byte) * 0x100000001B3 % 2**64
    with np.errstate(over="ignore"):
        z = U64(seed) + np.arange(1, count + 1, dtype=U64) * U64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> U64(30))) * U64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> U64(27))) * U64(0x94D049BB133111EB)
        z = z ^ (z >> U64(31))
    return (z >> U64(40)).astype(np.float64) / 2**24


def tensor(name, shape, low, high):
    values = low + (high - low) * uniform(name, int(np.prod(shape)))
    return torch.from_numpy(values.astype(np.float32).astype(np.float64)).reshape(shape)


def conv(name, x, k, kernel, stride=1, padding=0):
    """BasicConv2d: a convolution without bias, batch norm with eps 0.001, ReLU."""
    kh, kw = kernel if isinstance(kernel, tuple) else (kernel, kernel)
    c = x.shape[1]
    bound = np.sqrt(6.0 / (c * kh * kw))
    w = tensor(f"{name}.conv.weight", (k, c, kh, kw), -bound, bound)
    gamma = tensor(f"{name}.bn.weight", (k,), 0.75, 1.25)
    beta = tensor(f"{name}.bn.bias", (k,), -0.2, 0.2)
    mean = tensor(f"{name}.bn.running_mean", (k,), -0.2, 0.2)
    var = tensor(f"{name}.bn.running_var", (k,), 0.6, 1.6)
    x = F.conv2d(x, w, stride=stride, padding=padding)
    return F.relu(F.batch_norm(x, mean, var, gamma, beta, training=False, eps=0.001))


def mean_pool(x):
    return F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)


def block_a(m, x, pool):
    a = conv(f"{m}.branch1x1", x, 64, 1)
    b = conv(f"{m}.branch5x5_2", conv(f"{m}.branch5x5_1", x, 48, 1), 64, 5, padding=2)
    c = conv(f"{m}.branch3x3dbl_1", x, 64, 1)
    c = conv(f"{m}.branch3x3dbl_2", c, 96, 3, padding=1)
    c = conv(f"{m}.branch3x3dbl_3", c, 96, 3, padding=1)
    return torch.cat([a, b, c, conv(f"{m}.branch_pool", mean_pool(x), pool, 1)], 1)


def block_b(m, x):
    a = conv(f"{m}.branch3x3", x, 384, 3, stride=2)
    b = conv(f"{m}.branch3x3dbl_1", x, 64, 1)
    b = conv(f"{m}.branch3x3dbl_2", b, 96, 3, padding=1)
    b = conv(f"{m}.branch3x3dbl_3", b, 96, 3, stride=2)
    return torch.cat([a, b, F.max_pool2d(x, 3, stride=2)], 1)


def block_c(m, x, c7):
    a = conv(f"{m}.branch1x1", x, 192, 1)
    b = conv(f"{m}.branch7x7_1", x, c7, 1)
    b = conv(f"{m}.branch7x7_2", b, c7, (1, 7), padding=(0, 3))
    b = conv(f"{m}.branch7x7_3", b, 192, (7, 1), padding=(3, 0))
    c = conv(f"{m}.branch7x7dbl_1", x, c7, 1)
    c = conv(f"{m}.branch7x7dbl_2", c, c7, (7, 1), padding=(3, 0))
    c = conv(f"{m}.branch7x7dbl_3", c, c7, (1, 7), padding=(0, 3))
    c = conv(f"{m}.branch7x7dbl_4", c, c7, (7, 1), padding=(3, 0))
    c = conv(f"{m}.branch7x7dbl_5", c, 192, (1, 7), padding=(0, 3))
    return torch.cat([a, b, c, conv(f"{m}.branch_pool", mean_pool(x), 192, 1)], 1)


def block_d(m, x):
    a = conv(f"{m}.branch3x3_2", conv(f"{m}.branch3x3_1", x, 192, 1), 320, 3, stride=2)
    b = conv(f"{m}.branch7x7x3_1", x, 192, 1)
    b = conv(f"{m}.branch7x7x3_2", b, 192, (1, 7), padding=(0, 3))
    b = conv(f"{m}.branch7x7x3_3", b, 192, (7, 1), padding=(3, 0))
    b = conv(f"{m}.branch7x7x3_4", b, 192, 3, stride=2)
    return torch.cat([a, b, F.max_pool2d(x, 3, stride=2)], 1)


def block_e(m, x, pool):
    a = conv(f"{m}.branch1x1", x, 320, 1)
    b = conv(f"{m}.branch3x3_1", x, 384, 1)
    b = [conv(f"{m}.branch3x3_2a", b, 384, (1, 3), padding=(0, 1)),
         conv(f"{m}.branch3x3_2b", b, 384, (3, 1), padding=(1, 0))]
    c = conv(f"{m}.branch3x3dbl_2", conv(f"{m}.branch3x3dbl_1", x, 448, 1), 384, 3, padding=1)
    c = [conv(f"{m}.branch3x3dbl_3a", c, 384, (1, 3), padding=(0, 1)),
         conv(f"{m}.branch3x3dbl_3b", c, 384, (3, 1), padding=(1, 0))]
    return torch.cat([a, *b, *c, conv(f"{m}.branch_pool", pool(x), 192, 1)], 1)


def inception(x):
    """[N,3,H,W] in [0,1] to [N,2048]."""
    x = F.interpolate(x, size=(299, 299), mode="bilinear", align_corners=False)
    x = 2 * x - 1
    x = conv("Conv2d_1a_3x3", x, 32, 3, stride=2)
    x = conv("Conv2d_2a_3x3", x, 32, 3)
    x = conv("Conv2d_2b_3x3", x, 64, 3, padding=1)
    x = F.max_pool2d(x, 3, stride=2)
    x = conv("Conv2d_3b_1x1", x, 80, 1)
    x = conv("Conv2d_4a_3x3", x, 192, 3)
    x = F.max_pool2d(x, 3, stride=2)
    for name, pool in ("5b", 32), ("5c", 64), ("5d", 64):
        x = block_a(f"Mixed_{name}", x, pool)
    x = block_b("Mixed_6a", x)
    for name, c7 in ("6b", 128), ("6c", 160), ("6d", 160), ("6e", 192):
        x = block_c(f"Mixed_{name}", x, c7)
    x = block_d("Mixed_7a", x)
    x = block_e("Mixed_7b", x, mean_pool)
    x = block_e("Mixed_7c", x, lambda x: F.max_pool2d(x, 3, stride=1, padding=1))
    return x.mean((2, 3))


def image(name, h, w, c):
    """Bytes of the formula, read as [H,W,C]; grey is three times the same."""
    pixels = np.floor(uniform(name, h * w * c) * 256).reshape(h, w, c) / 255
    return torch.from_numpy(np.broadcast_to(pixels, (h, w, 3)).transpose(2, 0, 1)[None].copy())


def frechet(a, b):
    """pytorch-fid's calculate_frechet_distance. tr sqrtm(S1 S2) is the sum of the roots of the eigenvalues."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    s1, s2 = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    apart = a.mean(0) - b.mean(0)
    roots = np.sqrt(np.linalg.eigvals(s1 @ s2).astype(np.complex128))
    assert np.abs(roots.imag).max() < 1e-3
    return apart @ apart + np.trace(s1) + np.trace(s2) - 2 * roots.real.sum()


def feature_sets(n, d):
    """Correlated, of unlike scales, with different means: as features of a network are."""
    sets = []
    for name, shift in ("real", 0.0), ("fake", 0.25):
        mix = uniform(f"{name} mix", d * d).reshape(d, d) - 0.4
        scale = 0.1 + uniform("scale", d) ** 2
        x = (uniform(name, n * d).reshape(n, d) - 0.5) @ mix * scale + shift * scale
        sets.append(np.maximum(x, 0).astype(np.float32))
    return sets


def main(path):
    torch.set_grad_enabled(False)
    images = [image("grey", 32, 32, 1), image("colour", 40, 36, 3), image("large", 311, 420, 3)]
    features = np.concatenate([inception(x).numpy() for x in images])
    a, b = feature_sets(150, 24)
    few, other = feature_sets(20, 24)  # covariances without an inverse
    np.savez_compressed(path, features=features.astype(np.float32), fid_a=a, fid_b=b, fid_few_a=few, fid_few_b=other,
                        fid=np.array([frechet(a, b), frechet(few, other)]))
    apart = np.abs(features[0] - features[1]).max() / np.abs(features).max()
    print(f"features of mean {features.mean():.4f}, up to {features.max():.4f}; images are {apart:.3f} apart; "
          f"distances {frechet(a, b):.6f}, {frechet(few, other):.6f}")


if __name__ == "__main__":
    main(sys.argv[1])
