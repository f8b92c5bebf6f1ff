"""GPT-OSS in small, for training on a CPU. Formulas as in the C++ forward pass (src/backend/cpu).

A batch is one prefix (system and developer message) and many branches that go on from it: the prefix is computed once.
Matrix products are PyTorch's in BF16 (AMX where the CPU has it); what lies between them is in kernels.cc.
"""
import math
import os
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.cpp_extension import load

kernels = load("demo_kernels", [os.path.join(os.path.dirname(os.path.abspath(__file__)), "kernels.cc")],
               extra_cflags=["-O3", "-march=native", "-ffast-math", "-fopenmp"])
HALF = torch.bfloat16


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
        return kernels.mxfp4(w.detach().contiguous())

    @staticmethod
    def backward(ctx, gradient):
        return gradient


class Norm(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, gain, eps):
        y, scale = kernels.norm_forward(x, gain, eps)
        ctx.save_for_backward(x, gain, scale)
        return y

    @staticmethod
    def backward(ctx, dy):
        x, gain, scale = ctx.saved_tensors
        dx, dgain = kernels.norm_backward(dy.contiguous(), x, gain, scale)
        return dx, dgain, None


class Attention(torch.autograd.Function):
    """qkv [P + N*L, ...] -> heads' outputs [P + N*L, H*D]. Branches see the prefix and themselves, never each other."""

    @staticmethod
    def forward(ctx, qkv, sinks, cos, sin, shape, kv, group, window, skip):
        p, n, l = shape
        d, scale = 64, 1 / 8
        qp, kp, vp, q, k, v = kernels.rope_forward(qkv.contiguous(), cos, sin, p, n, l, kv, group)
        none = qkv.new_empty(0)
        scores = torch.bmm(qp, kp.transpose(1, 2))
        shares_p = kernels.softmax_forward(none, scores, sinks, 1, group, p, window, skip, scale)
        out_p = torch.bmm(scores, vp)
        before = torch.bmm(q, kp.transpose(1, 2))
        own = torch.bmm(q.view(kv * n, group * l, d), k.transpose(1, 2))
        shares = kernels.softmax_forward(before, own, sinks, n, group, l, window, skip, scale)
        out = torch.bmm(before, vp) + torch.bmm(own, v).view(kv, n * group * l, d)
        ctx.save_for_backward(qp, kp, vp, q, k, v, scores, before, own, shares_p, shares, cos, sin)
        ctx.dims = (p, n, l, kv, group)
        return torch.cat([out_p.view(kv, group, p, d).permute(2, 0, 1, 3).reshape(p, -1),
                          out.view(kv, n, group, l, d).permute(1, 3, 0, 2, 4).reshape(n * l, -1)])

    @staticmethod
    def backward(ctx, dy):
        qp, kp, vp, q, k, v, scores, before, own, shares_p, shares, cos, sin = ctx.saved_tensors
        p, n, l, kv, group = ctx.dims
        d, scale = 64, 1 / 8
        none = dy.new_empty(0)
        dp = dy[:p].reshape(p, kv, group, d).permute(1, 2, 0, 3).reshape(kv, group * p, d)
        do = dy[p:].reshape(n, l, kv, group, d).permute(2, 0, 3, 1, 4).reshape(kv, n * group * l, d)
        own_do, own_q = do.view(kv * n, group * l, d), q.view(kv * n, group * l, d)
        d_scores = torch.bmm(dp, vp.transpose(1, 2))
        d_before = torch.bmm(do, vp.transpose(1, 2))
        d_own = torch.bmm(own_do, v.transpose(1, 2))
        dvp = torch.bmm(scores.transpose(1, 2), dp) + torch.bmm(before.transpose(1, 2), do)
        dv = torch.bmm(own.transpose(1, 2), own_do)
        dsinks = kernels.softmax_backward(none, scores, none, d_scores, shares_p, 1, group, p, scale)
        dsinks = dsinks + kernels.softmax_backward(before, own, d_before, d_own, shares, n, group, l, scale)
        dqp = torch.bmm(d_scores, kp)
        dkp = torch.bmm(d_scores.transpose(1, 2), qp) + torch.bmm(d_before.transpose(1, 2), q)
        dq = torch.bmm(d_before, kp) + torch.bmm(d_own, k).view(kv, n * group * l, d)
        dk = torch.bmm(d_own.transpose(1, 2), own_q)
        dqkv = kernels.rope_backward([dqp, dkp, dvp, dq, dk, dv], cos, sin, p, n, l, kv, group)
        return dqkv, dsinks, None, None, None, None, None, None, None


class Experts(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight, chosen, gate_up, gate_up_bias, down, down_bias):
        tokens, slots, begins = kernels.route(chosen, gate_up.shape[0])
        begins = begins.tolist()
        rows = kernels.gather(x, tokens)
        z = rows.new_empty(rows.shape[0], gate_up.shape[1])
        y = torch.empty_like(rows)
        for e, (a, b) in enumerate(zip(begins, begins[1:])):
            if a < b:
                torch.addmm(gate_up_bias[e], rows[a:b], gate_up[e].t(), out=z[a:b])
        act = kernels.swiglu_forward(z)
        for e, (a, b) in enumerate(zip(begins, begins[1:])):
            if a < b:
                torch.addmm(down_bias[e], act[a:b], down[e].t(), out=y[a:b])
        ctx.save_for_backward(rows, z, act, y, weight, slots, gate_up, down)
        ctx.begins = begins
        return kernels.combine(y, slots, weight)

    @staticmethod
    def backward(ctx, dout):
        rows, z, act, y, weight, slots, gate_up, down = ctx.saved_tensors
        begins = ctx.begins
        dy, dweight = kernels.combine_backward(dout.contiguous(), y, slots, weight)
        dact, drows = torch.empty_like(act), torch.empty_like(rows)
        d_gate_up, d_down = torch.zeros_like(gate_up), torch.zeros_like(down)
        d_gate_up_bias, d_down_bias = gate_up.new_zeros(gate_up.shape[:2]), down.new_zeros(down.shape[:2])
        for e, (a, b) in enumerate(zip(begins, begins[1:])):
            if a < b:
                torch.mm(dy[a:b], down[e], out=dact[a:b])
                torch.mm(dy[a:b].t(), act[a:b], out=d_down[e])
                d_down_bias[e] = dy[a:b].sum(0)
        dz = kernels.swiglu_backward(dact, z)
        for e, (a, b) in enumerate(zip(begins, begins[1:])):
            if a < b:
                torch.mm(dz[a:b], gate_up[e], out=drows[a:b])
                torch.mm(dz[a:b].t(), rows[a:b], out=d_gate_up[e])
                d_gate_up_bias[e] = dz[a:b].sum(0)
        dx = kernels.combine(drows, slots, weight.new_empty(0))
        return dx.to(HALF), dweight, None, d_gate_up, d_gate_up_bias, d_down, d_down_bias


class Layer(nn.Module):
    def __init__(self, c: Config, index: int):
        super().__init__()
        self.c, self.window = c, c.window if c.is_window(index) else 1 << 30
        h, d = c.hidden, c.head_dim
        std = 0.7 / math.sqrt(h)
        self.norm1, self.norm2 = nn.Parameter(torch.ones(h)), nn.Parameter(torch.ones(h))
        self.q = nn.Parameter(torch.randn(c.heads * d, h) * std)
        self.k = nn.Parameter(torch.randn(c.kv_heads * d, h) * std)
        self.v = nn.Parameter(torch.randn(c.kv_heads * d, h) * std)
        self.o = nn.Parameter(torch.randn(h, c.heads * d) * std / math.sqrt(c.layers))
        self.q_bias, self.o_bias = nn.Parameter(torch.zeros(c.heads * d)), nn.Parameter(torch.zeros(h))
        self.k_bias, self.v_bias = nn.Parameter(torch.zeros(c.kv_heads * d)), nn.Parameter(torch.zeros(c.kv_heads * d))
        self.sinks = nn.Parameter(torch.zeros(c.heads))
        self.router, self.router_bias = nn.Parameter(torch.randn(c.experts, h) * std), nn.Parameter(torch.zeros(c.experts))
        self.gate = nn.Parameter(torch.randn(c.experts, c.width, h) * std)
        self.up = nn.Parameter(torch.randn(c.experts, c.width, h) * std)
        self.down = nn.Parameter(torch.randn(c.experts, h, c.width) * std / math.sqrt(c.layers))
        self.gate_bias = nn.Parameter(torch.zeros(c.experts, c.width))
        self.up_bias = nn.Parameter(torch.zeros(c.experts, c.width))
        self.down_bias = nn.Parameter(torch.zeros(c.experts, h))

    def half_weights(self, quantized):
        """The BF16 copies of one optimizer step, shared by its batches."""
        gate, up, down = (FakeQuant.apply(w) if quantized else w for w in (self.gate, self.up, self.down))
        half = [torch.cat([self.q, self.k, self.v]), torch.cat([self.q_bias, self.k_bias, self.v_bias]), self.o, self.o_bias,
                torch.cat([gate, up], 1), torch.cat([self.gate_bias, self.up_bias], 1), down, self.down_bias]
        return [w.to(HALF) for w in half]

    def forward(self, x, weights, cos, sin, shape, skip):
        """x [P + N*L, hidden] float, shape (P, N, L); the first `skip` rows are padding."""
        c = self.c
        qkv, qkv_bias, o, o_bias, gate_up, gate_up_bias, down, down_bias = weights
        y = F.linear(Norm.apply(x, self.norm1, c.eps), qkv, qkv_bias)
        y = Attention.apply(y, self.sinks, cos, sin, shape, c.kv_heads, c.heads // c.kv_heads, self.window, skip)
        x = x + F.linear(y, o, o_bias)
        y = Norm.apply(x, self.norm2, c.eps)
        logits = F.linear(y, self.router.to(HALF), self.router_bias.to(HALF)).float()
        top, chosen = logits.topk(c.experts_per_token, -1)
        x = x + Experts.apply(y, torch.softmax(top, -1), chosen, gate_up, gate_up_bias, down, down_bias)
        share = torch.bincount(chosen.flatten(), minlength=c.experts).float() / chosen.numel()
        return x, (share * torch.softmax(logits, -1).mean(0)).sum() * c.experts


class GptOss(nn.Module):
    def __init__(self, c: Config):
        super().__init__()
        self.c = c
        self.embed = nn.Parameter(torch.randn(c.vocab, c.hidden) * 0.5)
        self.layers = nn.ModuleList(Layer(c, i) for i in range(c.layers))
        self.norm = nn.Parameter(torch.ones(c.hidden))
        self.head = nn.Parameter(torch.randn(c.vocab, c.hidden) / math.sqrt(c.hidden))
        self.tables = rope_tables(c, c.rope_original)
        with torch.no_grad():
            self.start_with_copying()

    def start_with_copying(self):
        """Starts as a model that goes on with what followed the last occurrence of a token: the circuit that takes long to
        form by itself and that tool calls and sums rest on. Head 0 of the first layer attends to the token before (only
        through the phases of its biases) and notes it in the coordinates `noted`; head 0 of the second finds the token
        whose note is the current one and writes what stands there to `said`, which the output matrix reads.
        """
        c, first, second = self.c, self.layers[0], self.layers[1]
        shown, read, said, noted = slice(0, 40), slice(40, 88), slice(104, 152), slice(152, 192)
        self.embed[:, said] *= 0.2
        self.embed[:, noted] *= 0.2
        self.head[:, said] = self.embed[:, read] * 0.4
        half, fast, size = c.head_dim // 2, 8, 4.5
        frequency = c.rope_theta ** (-torch.arange(fast) / half)
        first.k[: c.head_dim], first.q[: 2 * c.head_dim] = 0, 0
        first.k_bias[:fast] = size
        for head, distance in ((0, 1), (1, 2)):
            first.q_bias[head * c.head_dim: head * c.head_dim + fast] = size * torch.cos(frequency * distance)
            first.q_bias[head * c.head_dim + half: head * c.head_dim + half + fast] = -size * torch.sin(frequency * distance)
        unit = torch.eye(48)
        first.v[:40] = 0
        first.v[:40, shown] = unit[:40, :40]
        first.o[noted] = 0
        first.o[noted, :40] = 0.6 * unit[:40, :40]
        slow = [*range(12, half), *range(half + 12, 2 * half)]  # coordinates that the positions hardly turn
        second.q[: c.head_dim], second.k[: c.head_dim] = 0, 0
        for i, at in enumerate(slow):
            second.q[at, shown.start + i] = 0.8
            second.k[at, noted.start + i] = 0.8
        second.v[:48] = 0
        second.v[:48, read] = unit
        second.o[said] = 0
        second.o[said, :48] = 0.8 * unit

    def half_weights(self, quantized=False):
        return [layer.half_weights(quantized) for layer in self.layers] + [self.head.to(HALF)]

    def forward(self, weights, prefix, skip, ids, wanted):
        """prefix [P], ids [N, L] -> logits at the wanted places ([N, L] booleans) and the routers' balance loss."""
        shape = (prefix.shape[0], *ids.shape)
        x, balance = F.embedding(torch.cat([prefix, ids.flatten()]), self.embed), 0.0
        for layer, w in zip(self.layers, weights):
            x, b = layer(x, w, *self.tables, shape, skip)
            balance = balance + b
        x = x[shape[0]:][wanted.flatten()]
        return F.linear(Norm.apply(x, self.norm, self.c.eps), weights[-1]), balance / self.c.layers
