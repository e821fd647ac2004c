#!/usr/bin/env python3
"""The tables of docs/scaling.md: `ddpm-dist plan --rate --network` over numbers of cores.

    tests/bench/scaling_table.py [--config FILE] [--core-rate R] [--write docs/scaling.md]

The rate of one core is measured here by `ddpm-dist bench` for every size of micro-batch that occurs
(nothing else should be running), or given by --core-rate, images/s. A rank of T threads is taken to do
T times that, times a share that is assumed (SHARES): a node of many cores is needed to measure it."""
import argparse
import functools
import json
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
NETWORKS = (("10G", "tcp"), ("100G", "rdma"), ("200G", "rdma"))
NODE_CORES = 64
SHARES = {1: 1.0, 8: 0.8, 64: 0.5}  # of what T cores would do by themselves, by T
# title, threads a rank, (cores, batch)
TABLES = (
    ("strong-1", 1, [(16 << k, 128) for k in range(4)]),
    ("strong-8", 8, [(16 << k, 128) for k in range(7)]),
    ("strong-64", 64, [(64 << k, 128) for k in range(5)]),
    ("weak-8", 8, [(16 << k, 2 * (16 << k)) for k in range(7)]),
)


def die(code, message):
    print(f"scaling_table.py: {message}", file=sys.stderr)
    sys.exit(code)


def ddpm_dist(args, *command):
    env = {k: v for k, v in os.environ.items() if k not in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")}
    done = subprocess.run([args.bin / "ddpm-dist", *command, "--config", args.config, "--json"],
                          env=env, capture_output=True, text=True)
    if done.returncode != 0:
        die(done.returncode, done.stderr.strip())
    return json.loads(done.stdout)


def sizes(micro_batch, batch):
    return "--set", f"train.micro_batch={micro_batch}", "--set", f"train.batch={batch}"


def core_rate_of(args):
    @functools.cache
    def rate(micro_batch, leaves):
        if args.core_rate:
            return args.core_rate
        found = ddpm_dist(args, "bench", "--set", "train.threads=1", "--steps", "3",
                          *sizes(micro_batch, micro_batch * leaves))["best_images_per_second"]
        print(f"  one core, {leaves} x {micro_batch} images a step: {found:.2f} images/s", file=sys.stderr)
        return found
    return rate


def line(args, core_rate, threads, cores, batch):
    ranks = cores // threads
    micro_batch = min(8, batch // ranks)
    rate = core_rate(micro_batch, batch // ranks // micro_batch)
    rate *= threads * SHARES[threads]
    per_node = min(NODE_CORES, cores) // threads
    cells = []
    for network, transport in NETWORKS:
        plan = ddpm_dist(args, "plan", "--ranks", str(ranks), "--ranks-per-node", str(per_node),
                         "--set", f"train.threads={threads}", "--network", network, "--transport", transport, "--rate", str(rate),
                         *sizes(micro_batch, batch))
        speed = plan["speed"]
        cells.append(f"{speed['overlapped_days']:.2f} d, {100 * speed['overlapped_communication_share']:.0f}% "
                     f"({speed['days']:.2f} d, {100 * speed['communication_share']:.0f}%)")
    head = [f"{cores}", f"{ranks} x {threads}", f"{speed['nodes']}", f"{batch}",
            f"{plan['micro_batches_per_rank']} x {micro_batch}", f"{rate:.1f}",
            f"{speed['node_memory_bytes'] / 2**30:.1f} GiB"]
    return head + cells


def table_text(args, core_rate, threads, rows):
    head = ["cores", "ranks x threads", "nodes", "batch", "micro-batches a rank", "images/s a rank",
            "memory a node", *(f"{network} {transport}" for network, transport in NETWORKS)]
    lines = [head, ["---"] * len(head)]
    lines += [line(args, core_rate, threads, cores, batch) for cores, batch in rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def write(path, title, text):
    begin, end = f"<!-- scaling_table.py: {title} -->", "<!-- end -->"
    page = path.read_text(encoding="utf-8")
    found = re.search(re.escape(begin) + r"\n.*?" + re.escape(end), page, re.DOTALL)
    if not found:
        die(65, f"{path}: no '{begin}' with an '{end}' below it")
    page = page[:found.start()] + f"{begin}\n{text}\n{end}" + page[found.end():]
    path.write_text(page, encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, default=ROOT / "configs/cifar10.ini")
    parser.add_argument("--core-rate", type=float, default=0.0)
    parser.add_argument("--write", type=Path, metavar="FILE")
    parser.add_argument("--bin", type=Path, default=ROOT / "build/release/bin", metavar="DIR")
    try:
        args = parser.parse_args()
    except SystemExit as stop:
        sys.exit(64 if stop.code else 0)
    args.bin = args.bin.resolve()
    if not os.access(args.bin / "ddpm-dist", os.X_OK):
        die(66, f"no {args.bin}/ddpm-dist; build it, or say --bin")
    core_rate = core_rate_of(args)
    for title, threads, rows in TABLES:
        text = table_text(args, core_rate, threads, rows)
        print(f"{title}\n{text}\n")
        if args.write:
            write(args.write, title, text)


if __name__ == "__main__":
    main()
