"""GPT-OSS in small, for training on a CPU. Formulas as in the C++ forward pass (src/backend/cpu)."""
import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn


@dataclass
class Config:
    vocab: int
    hidden: int = 192
    layers: int = 5
    heads: int = 4
    kv_heads: int = 2
    head_dim: int = 64
    experts: int = 8
    experts_per_token: int = 2
    width: int = 192
    window: int = 128
    limit: float = 7.0
    alpha: float = 1.702
    rope_theta: float = 150000.0
    rope_factor: float = 32.0
    rope_original: int = 4096
    eps: float = 1e-5

    def is_window(self, layer):
        return layer % 2 == 0


def rope_tables(c: Config, length):
    """YaRN with the correction range not rounded; cos and sin carry the concentration factor."""
    half = c.head_dim // 2
    i = torch.arange(half, dtype=torch.float64)
    base = c.rope_theta ** (-2 * i / c.head_dim)

    def dim_of(rotations):
        return c.head_dim * math.log(c.rope_original / (rotations * 2 * math.pi)) / (2 * math.log(c.rope_theta))

    low, high = dim_of(32.0), dim_of(1.0)
    ramp = ((i - low) / (high - low)).clamp(0, 1)
    frequency = (1 - ramp) * base + ramp * base / c.rope_factor
    angle = torch.arange(length, dtype=torch.float64)[:, None] * frequency
    scale = 0.1 * math.log(c.rope_factor) + 1
    return (angle.cos() * scale).float(), (angle.sin() * scale).float()


# E2M1 magnitudes and the midpoints between them.
GRID = torch.tensor([0, 0.5, 1, 1.5, 2, 3, 4, 6])
MIDDLES = (GRID[1:] + GRID[:-1]) / 2


def mxfp4_codes(w):
    """w [..., K] -> (magnitude codes, signs, exponents per 32). The exponent with the smaller error of two is taken."""
    groups = w.reshape(*w.shape[:-1], -1, 32)
    top = groups.abs().amax(-1, keepdim=True).clamp(min=2.0 ** -100)
    best = None
    for shift in (0, 1):
        exponent = torch.floor(torch.log2(top / 6)) + shift
        scaled = groups.abs() / torch.exp2(exponent)
        codes = torch.bucketize(scaled, MIDDLES)
        error = ((GRID[codes] - scaled) * torch.exp2(exponent)).square().sum(-1, keepdim=True)
        if best is None:
            best = (codes, exponent, error)
        else:
            better = error < best[2]
            best = (torch.where(better, codes, best[0]), torch.where(better, exponent, best[1]), error)
    return best[0], groups < 0, best[1]


def mxfp4(w):
    codes, negative, exponent = mxfp4_codes(w)
    value = GRID[codes] * torch.exp2(exponent)
    return torch.where(negative, -value, value).reshape(w.shape)


class FakeQuant(torch.autograd.Function):
    """Forward: the value that the exported file holds. Backward: straight through."""

    @staticmethod
    def forward(ctx, w):
        return mxfp4(w)

    @staticmethod
    def backward(ctx, gradient):
        return gradient


def norm(x, gain, eps):
    x = x.float()
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + eps) * gain


class Layer(nn.Module):
    def __init__(self, c: Config, index: int):
        super().__init__()
        self.c, self.window = c, c.is_window(index)
        h, d = c.hidden, c.head_dim
        std = 0.7 / math.sqrt(h)
        self.norm1, self.norm2 = nn.Parameter(torch.ones(h)), nn.Parameter(torch.ones(h))
        self.q, self.k, self.v = nn.Linear(h, c.heads * d), nn.Linear(h, c.kv_heads * d), nn.Linear(h, c.kv_heads * d)
        self.o = nn.Linear(c.heads * d, h)
        self.sinks = nn.Parameter(torch.zeros(c.heads))
        self.router = nn.Linear(h, c.experts)
        self.gate = nn.Parameter(torch.randn(c.experts, c.width, h) * std)
        self.up = nn.Parameter(torch.randn(c.experts, c.width, h) * std)
        self.down = nn.Parameter(torch.randn(c.experts, h, c.width) * std / math.sqrt(c.layers))
        self.gate_bias = nn.Parameter(torch.zeros(c.experts, c.width))
        self.up_bias = nn.Parameter(torch.zeros(c.experts, c.width))
        self.down_bias = nn.Parameter(torch.zeros(c.experts, h))
        for m in (self.q, self.k, self.v, self.o, self.router):
            nn.init.normal_(m.weight, std=std)
            nn.init.zeros_(m.bias)

    def attention(self, x, cos, sin):
        c, (b, t, _) = self.c, x.shape
        q = self.q(x).view(b, t, c.heads, c.head_dim).transpose(1, 2)
        k = self.k(x).view(b, t, c.kv_heads, c.head_dim).transpose(1, 2)
        v = self.v(x).view(b, t, c.kv_heads, c.head_dim).transpose(1, 2)
        q, k = rotate(q, cos, sin), rotate(k, cos, sin)
        group = c.heads // c.kv_heads
        k, v = k.repeat_interleave(group, 1), v.repeat_interleave(group, 1)
        # The sink is one more key without a value: an extra dimension carries its logit, so that the fused kernel
        # (2 x faster here than explicit scores) can be used and the sink still gets its gradient.
        root = math.sqrt(c.head_dim)
        one = torch.ones_like(q[..., :1])
        q = torch.cat([q, one], -1)
        k = torch.cat([k, torch.zeros_like(one)], -1)
        sink = F.pad((self.sinks * root).to(k.dtype).view(1, -1, 1, 1), (c.head_dim, 0)).expand(b, -1, 1, -1)
        k = torch.cat([k, sink], 2)
        v = F.pad(v, (0, 1, 0, 1))
        i = torch.arange(t)
        seen = i[:, None] >= i[None, :]
        if self.window:
            seen &= i[:, None] - i[None, :] < c.window
        seen = F.pad(seen, (0, 1), value=True)
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=seen, scale=1 / root)[..., : c.head_dim]
        return self.o(out.transpose(1, 2).reshape(b, t, -1))

    def experts_of(self, x, quantized):
        c = self.c
        gate, up, down = (FakeQuant.apply(w) if quantized else w for w in (self.gate, self.up, self.down))
        logits = F.linear(x.float(), self.router.weight, self.router.bias)
        top, chosen = logits.topk(c.experts_per_token, -1)
        weight = torch.softmax(top, -1)
        out = torch.zeros_like(x, dtype=torch.float32)
        for e in range(c.experts):
            row, slot = (chosen == e).nonzero(as_tuple=True)
            rows = x.index_select(0, row)
            g = F.linear(rows, gate[e], self.gate_bias[e]).clamp(max=c.limit)
            u = F.linear(rows, up[e], self.up_bias[e]).clamp(-c.limit, c.limit)
            y = F.linear(g * torch.sigmoid(c.alpha * g) * (u + 1), down[e], self.down_bias[e])
            out = out.index_add(0, row, y.float() * weight[row, slot, None])
        share = F.one_hot(chosen, c.experts).float().mean((0, 1))
        balance = (share * torch.softmax(logits, -1).mean(0)).sum() * c.experts
        return out, balance

    def forward(self, x, cos, sin, quantized):
        c = self.c
        x = x + self.attention(norm(x, self.norm1, c.eps), cos, sin)
        y, balance = self.experts_of(norm(x, self.norm2, c.eps).reshape(-1, c.hidden), quantized)
        return x + y.view_as(x), balance


def rotate(x, cos, sin):
    a, b = x.float().chunk(2, -1)
    return torch.cat([a * cos - b * sin, b * cos + a * sin], -1).to(x.dtype)


class GptOss(nn.Module):
    def __init__(self, c: Config):
        super().__init__()
        self.c = c
        self.embed = nn.Parameter(torch.randn(c.vocab, c.hidden) * 0.5)
        self.layers = nn.ModuleList(Layer(c, i) for i in range(c.layers))
        self.norm = nn.Parameter(torch.ones(c.hidden))
        self.head = nn.Parameter(torch.randn(c.vocab, c.hidden) / math.sqrt(c.hidden))

    def forward(self, ids, wanted=None, quantized=False):
        """ids [B, T] -> logits of the wanted positions (a boolean mask) and the routers' balance loss."""
        cos, sin = rope_tables(self.c, ids.shape[1])
        x, balance = self.embed[ids], 0.0
        for layer in self.layers:
            x, b = layer(x, cos, sin, quantized)
            balance = balance + b
        x = norm(x, self.norm, self.c.eps)
        if wanted is not None:
            x = x[wanted]
        return F.linear(x, self.head), balance / self.c.layers
