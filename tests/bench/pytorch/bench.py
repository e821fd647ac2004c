#!/usr/bin/env python3
"""What `ddpm-dist bench` does, in PyTorch: the same model from the same configuration file, the same
step (draw t and eps, forward, backward, clip, Adam, averages), random images. Prints JSON.

    bench.py --config configs/cifar10.ini --batch 8 [--mode train|sample] [--precision fp32|bf16]
             [--steps 3] [--threads 1] [--processes 1] [--layout channels_last|contiguous_format]

--processes above 1: DistributedDataParallel over gloo, --batch images in each process."""
import argparse
import configparser
import contextlib
import json
import os
import resource
import time

import torch
import torch.distributed as dist
import torch.multiprocessing as multiprocessing

from unet import UNet


def read_config(path):
    ini = configparser.ConfigParser(inline_comment_prefixes=("#", ";"))
    with open(path, encoding="utf-8") as file:
        ini.read_file(file)

    def integers(text):
        return [int(part) for part in text.split(",") if part.strip()]

    model, train = ini["model"], ini["train"]
    shape = {
        "image_size": model.getint("image_size"),
        "image_channels": model.getint("image_channels"),
        "channels": model.getint("channels"),
        "mult": integers(model["channel_mult"]),
        "blocks": model.getint("blocks"),
        "attention": integers(model["attention"]),
        "groups": model.getint("groups"),
        "dropout": model.getfloat("dropout"),
    }
    rates = [float(part) for part in ini["ema"]["rates"].split(",")]
    return shape, train.getfloat("lr"), train.getfloat("clip", 1.0), rates


class Trainer:
    def __init__(self, args, network, lr, clip, rates):
        self.network, self.clip, self.rates, self.precision = network, clip, rates, args.precision
        self.parameters = list(network.parameters())
        self.optimizer = torch.optim.Adam(self.parameters, lr=lr, foreach=True)
        self.averages = [[p.detach().clone() for p in self.parameters] for _ in rates]
        betas = torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64)
        alpha_bar = torch.cumprod(1 - betas, 0)
        self.signal, self.noise = alpha_bar.sqrt().float(), (1 - alpha_bar).sqrt().float()

    def step(self, x0):
        t = torch.randint(0, 1000, (x0.shape[0],))
        eps = torch.randn_like(x0)
        xt = self.signal[t].view(-1, 1, 1, 1) * x0 + self.noise[t].view(-1, 1, 1, 1) * eps
        self.optimizer.zero_grad(set_to_none=True)
        with autocast(self.precision):
            prediction = self.network(xt, t)
        torch.nn.functional.mse_loss(prediction.float(), eps).backward()
        torch.nn.utils.clip_grad_norm_(self.parameters, self.clip)
        self.optimizer.step()
        with torch.no_grad():
            for average, rate in zip(self.averages, self.rates):
                torch._foreach_mul_(average, rate)
                torch._foreach_add_(average, self.parameters, alpha=1 - rate)


def autocast(precision):
    if precision == "fp32":
        return contextlib.nullcontext()
    return torch.autocast("cpu", dtype=torch.bfloat16)


def measure(work, steps):
    work()
    seconds = []
    for _ in range(steps):
        begin = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - begin)
    return seconds


def run(rank, args):
    torch.set_num_threads(args.threads)
    torch.manual_seed(rank)
    shape, lr, clip, rates = read_config(args.config)
    layout = getattr(torch, args.layout)
    network = UNet(**shape).to(memory_format=layout)
    size = shape["image_size"]
    x = torch.rand(args.batch, shape["image_channels"], size, size) * 2 - 1
    x = x.contiguous(memory_format=layout)
    if args.mode == "train":
        replica = network
        if args.processes > 1:
            dist.init_process_group("gloo", rank=rank, world_size=args.processes)
            replica = torch.nn.parallel.DistributedDataParallel(network)
        trainer = Trainer(args, replica, lr, clip, rates)
        seconds = measure(lambda: trainer.step(x), args.steps)
    else:
        network.eval()
        t = torch.full((args.batch,), 500)

        def evaluate():
            with torch.inference_mode(), autocast(args.precision):
                network(x, t)

        seconds = measure(evaluate, args.steps)
    if rank != 0:
        return
    images = args.batch * args.processes
    print(json.dumps({
        "mode": args.mode,
        "parameters": sum(p.numel() for p in network.parameters()),
        "images_per_second": images * len(seconds) / sum(seconds),
        "best_images_per_second": images / min(seconds),
        "step_seconds": sum(seconds) / len(seconds),
        "peak_rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "torch": torch.__version__,
        "threads": args.threads,
        "processes": args.processes,
    }, indent=2))


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", required=True)
    parser.add_argument("--mode", choices=("train", "sample"), default="train")
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    parser.add_argument("--layout", choices=("channels_last", "contiguous_format"),
                        default="channels_last")
    for name, default in (("batch", 8), ("steps", 3), ("threads", 1), ("processes", 1)):
        parser.add_argument(f"--{name}", type=int, default=default)
    args = parser.parse_args()
    if args.processes == 1:
        run(0, args)
        return
    os.environ.setdefault("MASTER_ADDR", "127.0.0.1")
    os.environ.setdefault("MASTER_PORT", "29517")
    multiprocessing.spawn(run, (args,), nprocs=args.processes)


if __name__ == "__main__":
    main()
