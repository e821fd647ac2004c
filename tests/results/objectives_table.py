#!/usr/bin/env python3
"""The table of tests/results/objectives.sh: objectives_table.py OUT OBJECTIVE..."""
import json
import statistics
import sys


def read(path):
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except FileNotFoundError:
        return None


def loss(path):
    with open(path, encoding="utf-8") as lines:
        rows = [row for row in map(json.loads, lines) if "loss" in row]
    return statistics.fmean(row["loss"] for row in rows[-5:])


def cell(result, digits):
    return f"{result['value']:.{digits}f}" if result else ""


out, objectives = sys.argv[1], sys.argv[2:]
print("| objective | settings | its own loss | bits/dim | Frechet, ddim or euler | Frechet, ddpm | sliced Wasserstein |")
print("|---|---|---|---|---|---|---|")
data = {metric: read(f"{out}/data/{metric}.json") for metric in ("classifier", "swd")}
print(f"| *training images* | | | | {cell(data['classifier'], 3)} | | {cell(data['swd'], 4)} |")
for objective in objectives:
    name, settings, options = objective.split("|")
    run = f"{out}/{name}"
    said = ", ".join(f"`{one}`" for one in filter(None, settings.split(",") + [options])) or "the defaults"
    print(f"| {name} | {said} | {loss(run + '/metrics.jsonl'):.4f} | {cell(read(run + '/bpd.json'), 3)} | "
          f"{cell(read(run + '/classifier.json'), 3)} | {cell(read(run + '/ddpm.json'), 3)} | {cell(read(run + '/swd.json'), 4)} |")
