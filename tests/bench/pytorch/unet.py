"""The U-Net of DDPM (Ho, Jain, Abbeel 2020, appendix B) as a PyTorch user would write it: the other
side of the comparison. Layers are those that oneDNN is fast at; names are our own, since nothing is
loaded into it. Tensors are NCHW."""
import math

import torch
import torch.nn.functional as F
from torch import nn


class GroupNorm(nn.GroupNorm):
    """In float32 also under autocast, as everybody runs it."""

    def forward(self, x):
        with torch.autocast("cpu", enabled=False):
            return super().forward(x.float())


class ResBlock(nn.Module):
    def __init__(self, in_channels, out_channels, time_channels, groups, dropout):
        super().__init__()
        self.norm1 = GroupNorm(groups, in_channels, eps=1e-6)
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.time = nn.Linear(time_channels, out_channels)
        self.norm2 = GroupNorm(groups, out_channels, eps=1e-6)
        self.dropout = nn.Dropout(dropout)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        same = in_channels == out_channels
        self.shortcut = nn.Identity() if same else nn.Conv2d(in_channels, out_channels, 1)

    def forward(self, x, embedding):
        h = self.conv1(F.silu(self.norm1(x)))
        h = h + self.time(embedding)[:, :, None, None]
        h = self.conv2(self.dropout(F.silu(self.norm2(h))))
        return self.shortcut(x) + h


class Attention(nn.Module):
    """One head over all pixels. The projections are one layer: faster than three."""

    def __init__(self, channels, groups):
        super().__init__()
        self.norm = GroupNorm(groups, channels, eps=1e-6)
        self.qkv = nn.Linear(channels, 3 * channels)
        self.out = nn.Linear(channels, channels)

    def forward(self, x):
        n, c, h, w = x.shape
        tokens = self.norm(x).flatten(2).transpose(1, 2)
        q, k, v = self.qkv(tokens).chunk(3, dim=-1)
        weights = torch.softmax(torch.bmm(q, k.transpose(1, 2)) * c ** -0.5, dim=-1)
        out = self.out(torch.bmm(weights.to(v.dtype), v))
        return x + out.transpose(1, 2).reshape(n, c, h, w)


class Downsample(nn.Conv2d):
    """TensorFlow's SAME for stride 2 on an even size: padding at the bottom and right only."""

    def __init__(self, channels):
        super().__init__(channels, channels, 3, stride=2)

    def forward(self, x):
        return super().forward(F.pad(x, (0, 1, 0, 1)))


class Upsample(nn.Conv2d):
    def __init__(self, channels):
        super().__init__(channels, channels, 3, padding=1)

    def forward(self, x):
        return super().forward(F.interpolate(x, scale_factor=2, mode="nearest"))


class UNet(nn.Module):
    def __init__(self, image_size, image_channels, channels, mult, blocks, attention, groups,
                 dropout):
        super().__init__()
        self.channels = channels
        width = 4 * channels
        self.time = nn.Sequential(nn.Linear(channels, width), nn.SiLU(), nn.Linear(width, width),
                                  nn.SiLU())
        self.conv_in = nn.Conv2d(image_channels, channels, 3, padding=1)

        def block(c_in, c_out, size):
            layers = [ResBlock(c_in, c_out, width, groups, dropout)]
            if size in attention:
                layers.append(Attention(c_out, groups))
            return nn.ModuleList(layers)

        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        skips, c = [channels], channels
        for level, factor in enumerate(mult):
            for _ in range(blocks):
                self.down.append(block(c, channels * factor, image_size >> level))
                c = channels * factor
                skips.append(c)
            if level < len(mult) - 1:
                self.down.append(nn.ModuleList([Downsample(c)]))
                skips.append(c)
        self.middle = nn.ModuleList([ResBlock(c, c, width, groups, dropout), Attention(c, groups),
                                     ResBlock(c, c, width, groups, dropout)])
        for level in reversed(range(len(mult))):
            for _ in range(blocks + 1):
                self.up.append(block(c + skips.pop(), channels * mult[level], image_size >> level))
                c = channels * mult[level]
            if level > 0:
                self.up.append(nn.ModuleList([Upsample(c)]))
        self.norm_out = GroupNorm(groups, c, eps=1e-6)
        self.conv_out = nn.Conv2d(c, image_channels, 3, padding=1)
        frequencies = torch.exp(-torch.arange(channels // 2) * math.log(1e4) / (channels // 2 - 1))
        self.register_buffer("frequencies", frequencies)

    @staticmethod
    def run(layers, x, embedding):
        for layer in layers:
            x = layer(x, embedding) if isinstance(layer, ResBlock) else layer(x)
        return x

    def forward(self, x, t):
        angle = t[:, None].float() * self.frequencies
        embedding = self.time(torch.cat([angle.sin(), angle.cos()], dim=1))
        x = self.conv_in(x)
        skips = [x]
        for layers in self.down:
            x = self.run(layers, x, embedding)
            skips.append(x)
        x = self.run(self.middle, x, embedding)
        for layers in self.up:
            if isinstance(layers[0], ResBlock):
                x = torch.cat([x, skips.pop()], dim=1)
            x = self.run(layers, x, embedding)
        return self.conv_out(F.silu(self.norm_out(x)))
