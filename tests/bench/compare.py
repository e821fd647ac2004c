#!/usr/bin/env python3
"""Holds ddpm-dist against PyTorch (and against itself) on this machine, both sides in turn: A B A B ...

    tests/bench/compare.py [--rounds N] [--steps S] [--quick] [--write docs/performance.md] [ROW...]
    tests/bench/compare.py --list

A row's ratio is its first side over its second: of the best step of all rounds (best), and round by round
(median, min..max). PyTorch runs in the better of two memory layouts, found by a run of each beforehand.
--write puts the rows that were measured into the tables between the file's markers. Needs the release
build (and for the row `kernels` its target bench_kernels), and python3-torch, which no program of this
repository needs otherwise."""
import argparse
import datetime
import json
import os
import re
import statistics
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
CIFAR, QUICKSTART = ROOT / "configs/cifar10.ini", ROOT / "configs/quickstart.ini"
LAYOUTS = ("channels_last", "contiguous_format")
USAGE, MISSING, FAILED, CONFIG = 64, 69, 70, 78  # as docs/errors.md has them


def die(code, message):
    print(f"compare.py: {message}", file=sys.stderr)
    sys.exit(code)


@dataclass
class Side:
    """One program run: its name in tables, its command without --steps, what it is given."""
    name: str
    command: list
    environment: dict = field(default_factory=dict)
    torch: bool = False
    layout: str = ""


@dataclass
class Row:
    name: str
    first: Side
    second: Side
    quantity: str = "images/s"  # or "MiB", where less is better
    note: str = ""


def ours(name, *, config=CIFAR, batch=8, micro_batch=8, threads=1, ranks=1, mode="train", sets=(),
         environment=None):
    command = ["ddpm-dist", "bench", "--config", str(config), "--mode", mode, "--json"]
    keys = [f"train.threads={threads}", *sets]
    if mode == "train":
        keys += [f"train.batch={batch * ranks}", f"train.micro_batch={micro_batch}"]
    else:
        command += ["--batch", str(batch)]
        keys += ["sample.steps=1"]  # so that images/s are evaluations of the network
    for key in keys:
        command += ["--set", key]
    if ranks > 1:
        command = ["bash", "-c", '. "$0"/launch/mpi-env.sh && exec mpirun "$@"', str(ROOT), "-np",
                   str(ranks), *command]
    return Side(name, command, environment or {})


def pytorch(name, *, config=CIFAR, batch=8, threads=1, processes=1, mode="train", precision="fp32",
            environment=None):
    command = ["python3", str(HERE / "pytorch/bench.py"), "--config", str(config), "--mode", mode,
               "--batch", str(batch), "--threads", str(threads), "--processes", str(processes),
               "--precision", precision]
    return Side(name, command, {"OMP_NUM_THREADS": str(threads), **(environment or {})}, torch=True)


# As a processor without AVX-512 would run them, BLAS included.
AVX2 = {"OPENBLAS_CORETYPE": "Haswell"}
ROWS = [
    Row("train-fp32", ours("fp32"), pytorch("fp32"), note="a training step, batch 8, one thread"),
    Row("train-fp32-vs-bf16", ours("fp32"), pytorch("bf16", precision="bf16"),
        note="the same, PyTorch under bf16 autocast"),
    Row("train-bf16", ours("bf16", sets=["train.precision=bf16"]), pytorch("bf16", precision="bf16"),
        note="both in bf16"),
    Row("evaluate-fp32", ours("fp32", mode="sample", batch=16),
        pytorch("fp32", mode="sample", batch=16),
        note="the U-Net without gradients, batch 16, one thread; ours with its sampler's step"),
    Row("train-avx2", ours("avx2", environment={"DDPM_ISA": "avx2", **AVX2}),
        pytorch("AVX2", environment={"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2",
                                     **AVX2}),
        note="both without AVX-512, BLAS too"),
    Row("ranks-2", ours("2 ranks", ranks=2), pytorch("2 DDP processes", processes=2),
        note="8 images and one thread each; ours by MPI, PyTorch by gloo"),
    Row("threads-vs-ranks", ours("2 threads", batch=16, threads=2), ours("2 ranks", ranks=2),
        note="16 images; ours against ours"),
    Row("threads-passive", ours("passive", batch=16, threads=2,
                                environment={"OMP_WAIT_POLICY": "passive"}),
        ours("default", batch=16, threads=2), note="2 threads, OMP_WAIT_POLICY; ours against ours"),
    Row("quickstart", ours("fp32", config=QUICKSTART, batch=32, micro_batch=16),
        pytorch("fp32", config=QUICKSTART, batch=32),
        note="the quickstart's small model, batch 32, one thread"),
    Row("memory", ours("fp32"), pytorch("fp32"), quantity="MiB",
        note="peak memory of the processes of train-fp32, second over first"),
]
KERNELS = "kernels"


class Bench:
    def __init__(self, args):
        self.args, self.cache = args, {}

    def environment(self, side):
        env = {k: v for k, v in os.environ.items()
               if not k.startswith(("OMP_", "DDPM_", "ONEDNN_")) and
               k not in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "ATEN_CPU_CAPABILITY")}
        env.update(side.environment)
        env["PATH"] = f"{self.args.bin}:{env['PATH']}"
        return env

    def run(self, side, steps, layout=""):
        """Its JSON; a string where the program does not know the configuration."""
        command = list(side.command) + ["--steps", str(steps)]
        if side.torch:
            command[0] = self.args.python
            command += ["--layout", layout or side.layout]
        done = subprocess.run(command, env=self.environment(side), capture_output=True, text=True)
        if done.returncode == CONFIG and not side.torch:
            return done.stderr.strip().splitlines()[-1]
        if done.returncode != 0:
            die(FAILED, f"'{' '.join(command)}' ended with {done.returncode}:\n{done.stderr[-2000:]}")
        return json.loads(done.stdout)

    def pick_layout(self, side):
        rate = {layout: self.run(side, 1, layout)["best_images_per_second"] for layout in LAYOUTS}
        side.layout = max(rate, key=rate.get)

    def measure(self, row):
        """[(first, second)] of every round; a string where a side cannot run."""
        key = (str(row.first), str(row.second))
        if key in self.cache:
            row.second.layout = self.cache[key][1]
            return self.cache[key][0]
        probe = self.run(row.first, 1)  # also brings files into memory
        if isinstance(probe, str):
            return probe
        if row.second.torch:
            self.pick_layout(row.second)
        rounds = []
        for k in range(self.args.rounds):
            rounds.append((self.run(row.first, self.args.steps), self.run(row.second, self.args.steps)))
            print(f"  {row.name} {k + 1}/{self.args.rounds}", file=sys.stderr, flush=True)
        self.cache[key] = (rounds, row.second.layout)
        return rounds

    def line(self, row):
        rounds = self.measure(row)
        if isinstance(rounds, str):
            return [row.name, row.note, f"{row.first.name}: refused ({rounds})", row.second.name, "-",
                    "-", "-", "-"]
        if row.quantity == "MiB":
            values = [[side["peak_rss_bytes"] / 2**20 for side in both] for both in rounds]
            best = [max(side) for side in zip(*values)]
            ratios = [second / first for first, second in values]
            ratio = best[1] / best[0]
        else:
            values = [[side["best_images_per_second"] for side in both] for both in rounds]
            best = [max(side) for side in zip(*values)]
            ratios = [first / second for first, second in values]
            ratio = best[0] / best[1]
        layout = f" ({row.second.layout})" if row.second.layout else ""
        return [row.name, row.note, f"{row.first.name}: {best[0]:.4g} {row.quantity}",
                f"{row.second.name}: {best[1]:.4g} {row.quantity}{layout}", f"{ratio:.2f}",
                f"{statistics.median(ratios):.2f}", f"{min(ratios):.2f}..{max(ratios):.2f}",
                run_of(self.args)]

    def kernels(self):
        """Lines of the table of convolutions, and our FMA peak."""
        program = self.args.bench_kernels
        if not os.access(program, os.X_OK):
            die(66, f"no {program}; build it: cmake --build --preset release --target bench_kernels")
        env = self.environment(Side("", []))
        env["OMP_NUM_THREADS"] = "1"

        def output(command, text=None):
            done = subprocess.run(command, env=env, input=text, capture_output=True, text=True)
            if done.returncode != 0:
                die(FAILED, f"'{' '.join(command)}' ended with {done.returncode}:\n{done.stderr[-2000:]}")
            return done.stdout

        labels = output([program, "--list"])
        best, peak = {}, 0.0
        for k in range(self.args.rounds):
            a = json.loads(output([program, "--json", "--repetitions", str(self.args.steps + 2)]))
            b = json.loads(output([self.args.python, str(HERE / "pytorch/bench_conv.py"), "--json",
                                   "--repetitions", str(self.args.steps + 2)], labels))
            peak = max(peak, a["fma_peak_gflops"])
            for number, side in enumerate((a, b)):
                for label, rates in side["gflops"].items():
                    for direction, rate in rates.items():
                        at = (label, direction, number)
                        best[at] = max(best.get(at, 0.0), rate)
            print(f"  {KERNELS} {k + 1}/{self.args.rounds}", file=sys.stderr, flush=True)
        lines = []
        for label in labels.splitlines():
            cells = [label]
            for direction in ("forward", "dx", "dw"):
                mine, other = best[label, direction, 0], best[label, direction, 1]
                cells.append(f"{mine:.0f} ({100 * mine / peak:.0f}%) / {other:.0f} = {mine / other:.1f}")
            lines.append(cells)
        return lines, peak


HEADS = {
    "rows": ["row", "what", "first", "second", "best", "median", "min..max", "rounds x steps"],
    KERNELS: ["shape", "forward", "dx", "dw"],
}


def commit():
    done = subprocess.run(["git", "-C", str(ROOT), "describe", "--always", "--dirty"],
                          capture_output=True, text=True)
    return done.stdout.strip() or "no commit"


def run_of(args):
    return f"{args.rounds} x {args.steps}, {commit()}, {datetime.date.today()}"


def provenance(args, what):
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        found = re.search(r"model name\s*:\s*(.*)", file.read())
    return (f"*{found.group(1) if found else 'unknown processor'}, {os.cpu_count()} cores, PyTorch "
            f"{args.torch}, by `tests/bench/compare.py --rounds R --steps S {what}`*")


def table_text(table, lines):
    rows = [HEADS[table], ["---"] * len(HEADS[table]), *lines]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in rows)


def write(path, table, lines, caption):
    """Replaces the table's lines of the same first cell, in the order of ROWS, and keeps the others."""
    begin, end = f"<!-- compare.py: {table} -->", "<!-- end -->"
    text = path.read_text(encoding="utf-8")
    found = re.search(re.escape(begin) + r"\n(.*?)" + re.escape(end), text, re.DOTALL)
    if not found:
        die(65, f"{path}: no '{begin}' with an '{end}' below it")
    if table == "rows":
        old = [[cell.strip() for cell in line.strip("|").split(" | ")]
               for line in found.group(1).splitlines() if line.startswith("| ")][2:]
        merged = {cells[0]: cells for cells in old}
        merged.update({cells[0]: cells for cells in lines})
        lines = [merged[row.name] for row in ROWS if row.name in merged]
    block = f"{begin}\n{table_text(table, lines)}\n\n{caption}\n{end}"
    path.write_text(text[:found.start()] + block + text[found.end():], encoding="utf-8")


def show(lines):
    widths = [max(len(cells[i]) for cells in lines) for i in range(len(lines[0]))]
    for cells in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(cells, widths)).rstrip())


def find_torch(args):
    probe = "import torch; print(torch.__version__)"
    for python in [args.python] if args.python else [sys.executable, "/usr/bin/python3"]:
        try:
            done = subprocess.run([python, "-c", probe], capture_output=True, text=True)
        except OSError:
            continue
        if done.returncode == 0:
            args.python, args.torch = python, done.stdout.strip()
            return
    die(MISSING, "PyTorch is not there: apt-get install python3-torch, or name a Python that has it by "
                 "--python")


def arguments():
    names = [row.name for row in ROWS] + [KERNELS]
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="default 5")
    parser.add_argument("--steps", type=int, default=3, help="timed steps a run (3)")
    parser.add_argument("--quick", action="store_true", help="one round of two steps")
    parser.add_argument("--write", type=Path, metavar="FILE")
    parser.add_argument("--python", help="a Python with PyTorch (this one, then /usr/bin/python3)")
    parser.add_argument("--bin", type=Path, default=ROOT / "build/release/bin", metavar="DIR",
                        help="of ddpm-dist (build/release/bin)")
    parser.add_argument("--bench-kernels", default=ROOT / "build/release/tests/bin/bench_kernels",
                        metavar="PROGRAM")
    parser.add_argument("--list", action="store_true", help="name the rows")
    parser.add_argument("row", nargs="*", metavar="ROW", help="default: all")
    try:
        args = parser.parse_args()
    except SystemExit as stop:
        sys.exit(USAGE if stop.code else 0)
    if args.list:
        show([[row.name, row.note] for row in ROWS] + [[KERNELS, "3x3 convolutions, one thread"]])
        sys.exit(0)
    for name in args.row:
        if name not in names:
            die(USAGE, f"there is no row '{name}'; there are {', '.join(names)}")
    if args.rounds < 1 or args.steps < 1:
        die(USAGE, "--rounds and --steps are at least 1")
    if args.quick:
        args.rounds, args.steps = 1, 2
    args.row = args.row or names
    args.bench_kernels = str(args.bench_kernels)
    args.bin = args.bin.resolve()
    if not os.access(args.bin / "ddpm-dist", os.X_OK):
        die(66, f"no {args.bin}/ddpm-dist; build it (cmake --build --preset release), or say --bin")
    if args.write and not os.access(args.write, os.W_OK):
        die(66, f"{args.write} is not there to be written")
    find_torch(args)
    return args


def main():
    args = arguments()
    if os.getloadavg()[0] > 0.5:
        print(f"compare.py: the load is {os.getloadavg()[0]:.1f}: others run here, ratios will spread",
              file=sys.stderr)
    bench = Bench(args)
    rows = [row for row in ROWS if row.name in args.row]
    if rows:
        lines = [bench.line(row) for row in rows]
        show([HEADS["rows"], *lines])
        if args.write:
            write(args.write, "rows", lines, provenance(args, "ROW"))
    if KERNELS in args.row:
        lines, peak = bench.kernels()
        print(f"\nGFLOP/s counted as direct convolution, (% of the FMA peak, {peak:.0f}) / oneDNN's")
        show([HEADS[KERNELS], *lines])
        if args.write:
            write(args.write, KERNELS, lines,
                  f"{provenance(args, KERNELS)[:-1]}, {run_of(args)}; FMA peak of one core {peak:.0f} "
                  "GFLOP/s*")


if __name__ == "__main__":
    main()
