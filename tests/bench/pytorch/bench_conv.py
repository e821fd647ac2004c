#!/usr/bin/env python3
"""What tests/bench/bench_kernels.c measures, by PyTorch (oneDNN): GFLOP/s of 3x3 convolutions, float32,
one thread, forward, gradient of the input (dx) and of the weights (dw); the better of both memory
layouts; best of the repetitions by this thread's CPU time.

    bench_kernels --list | bench_conv.py [--json] [--repetitions N] [SHAPE...]

Shapes are labels of bench_kernels, "8 x 32x32 128 -> 128 /1", as arguments or one a line on stdin.
For stride 2 the input is padded beforehand: that costs nothing here."""
import argparse
import json
import re
import sys
import time

import torch

DIRECTIONS = ("forward", "dx", "dw")
LABEL = re.compile(r"(\d+) x (\d+)x(\d+) (\d+) -> (\d+) /([12])")


def calls_of(label, layout):
    match = LABEL.fullmatch(label)
    if not match:
        sys.exit(f"bench_conv.py: '{label}' is not a shape like '8 x 32x32 128 -> 128 /1'")
    n, h, w, c, k, stride = map(int, match.groups())
    extra, padding = (1, 0) if stride == 2 else (0, 1)  # below and right only
    x = torch.rand(n, c, h + extra, w + extra).sub(0.5).contiguous(memory_format=layout)
    weight = torch.rand(k, c, 3, 3).sub(0.5).contiguous(memory_format=layout)
    y = torch.nn.functional.conv2d(x, weight, stride=stride, padding=padding)
    dy = torch.rand(y.shape).sub(0.5).contiguous(memory_format=layout)

    def forward():
        torch.nn.functional.conv2d(x, weight, stride=stride, padding=padding)

    def backward(*mask):
        torch.ops.aten.convolution_backward(dy, x, weight, None, [stride] * 2, [padding] * 2,
                                            [1, 1], False, [0, 0], 1, [*mask, False])

    gflop = 2e-9 * y.numel() * 9 * c
    return gflop, (forward, lambda: backward(True, False), lambda: backward(False, True))


def measure(label, repetitions):
    best = dict.fromkeys(DIRECTIONS, 0.0)
    both = [calls_of(label, layout) for layout in (torch.channels_last, torch.contiguous_format)]
    for _ in range(repetitions + 1):  # the first one prepares oneDNN's primitives and never wins
        for gflop, calls in both:
            for direction, call in zip(DIRECTIONS, calls):
                begin = time.thread_time()
                call()
                best[direction] = max(best[direction], gflop / (time.thread_time() - begin))
    return best


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--repetitions", type=int, default=7)
    parser.add_argument("shape", nargs="*")
    args = parser.parse_args()
    torch.set_num_threads(1)
    labels = args.shape or [line.strip() for line in sys.stdin if line.strip()]
    rates = {}
    if not args.json:
        print(f"PyTorch {torch.__version__}, GFLOP/s\n{'shape':26}", *(f"{d:>8}" for d in DIRECTIONS))
    with torch.inference_mode():
        for label in labels:
            rates[label] = measure(label, args.repetitions)
            if not args.json:
                print(f"{label:26}", *(f"{rates[label][d]:8.1f}" for d in DIRECTIONS), flush=True)
    if args.json:
        print(json.dumps({"torch": torch.__version__, "gflops": rates}, indent=2))


if __name__ == "__main__":
    main()
