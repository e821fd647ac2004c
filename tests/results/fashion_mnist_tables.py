#!/usr/bin/env python3
"""The tables of tests/results/fashion-mnist.sh: fashion_mnist_tables.py JUDGED"""
import json
import os
import sys

judged = sys.argv[1]


def read(name):
    try:
        with open(os.path.join(judged, name + ".json"), encoding="utf-8") as file:
            return json.load(file)
    except FileNotFoundError:
        return None


def bits(estimate):
    return f"{estimate['mean']:.4f} ± {estimate['standard_error']:.4f}"


checkpoint = read("checkpoint")
print(f"Step {checkpoint['step']:,}, {checkpoint['images_seen']:,} images, "
      f"{checkpoint['train_seconds'] / 3600:.2f} hours of training; "
      f"weights {next(iter(checkpoint['hashes']['ema_by_rate'].values()))}\n")

print("| bits/dim | images | all | L_T | L_1 .. L_{T-1} | L_0 |\n|---|---|---|---|---|---|")
for name, title in ("fashion-mnist-test", "test set"), ("fashion-mnist", "training set"):
    bound = read(name + "/bpd")
    print(f"| {title} | {bound['images']} | {bits(bound['total'])} | {bound['L_T']['mean']:.6f} | "
          f"{bits(bound['L_1_to_T-1'])} | {bits(bound['L_0'])} |")

for metric, title, digits in ("classifier", "Frechet distance in the classifier's features", 3), (
        "swd", "sliced Wasserstein distance", 4):
    data = read("data-" + metric)
    print(f"\n{title}; as many training images: {data['value']:.{digits}f}\n")
    samplers = "ddpm", "ddpm-small", "ddim", "dpm++", "heun", "ddim-eps", "heun-none"
    print("| network evaluations | ddpm | ddpm, `fixedsmall` | ddim | dpm++ | heun | ddim, `--clip eps` | heun, `--no-clip` |")
    print("|---|---|---|---|---|---|---|---|")
    for steps in 10, 20, 50, 100, 1000:
        row = [read(f"{sampler}-{steps}-{metric}") for sampler in samplers]
        cells = [f"{result['value']:.{digits}f}" if result else "" for result in row]
        print(f"| {steps} | " + " | ".join(cells) + " |")
    print()
    for sampler in "ddpm", "ddim":
        seeds = [read(f"{name}-{metric}") for name in
                 (f"{sampler}-50", f"seeds/{sampler}-50-1", f"seeds/{sampler}-50-2")]
        print(f"{sampler}, 50, seeds 0, 1, 2: " + ", ".join(f"{result['value']:.{digits}f}" for result in seeds))

print("\n" + json.dumps(read("memorization/memorization"), indent=2))
