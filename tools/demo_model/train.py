"""Trains the demo model. usage: train.py TOKENIZER.json OUT.pt --steps N [--decay N] [--resume FILE] [--seed N]

The batches depend on the seed and the step only. The learning rates are constant and fall to zero over the last --decay
steps, in which the experts see the values that MXFP4 will hold. A run that is stopped before its decay can go on from
its last checkpoint with --resume, with other --steps too: what comes out is what one run of that many steps gives.
"""
import argparse
import os
import random
import resource
import sys
import time

# The memory of the passes is kept instead of being given back and faulted in again each time.
if "MALLOC_TRIM_THRESHOLD_" not in os.environ:
    os.environ.update(MALLOC_MMAP_THRESHOLD_="33554432", MALLOC_TRIM_THRESHOLD_="10000000000", MALLOC_TOP_PAD_="268435456",
                      ONEDNN_PRIMITIVE_CACHE_CAPACITY="8192")
    os.execv(sys.executable, [sys.executable] + sys.argv)

import torch
import torch.multiprocessing
import torch.nn.functional as F
from tokenizers import Tokenizer

import data
from model import Config, GptOss

TOKENS_PER_BATCH = 3584
BATCHES_PER_STEP = 2


class Encoder:
    def __init__(self, path):
        self.tokenizer = Tokenizer.from_file(path)
        self.cache = {}

    def __call__(self, pieces):
        """(ids, weights of the loss)"""
        ids, learned = [], []
        for text, special, weight in pieces:
            key = (text, special)
            got = self.cache.get(key)
            if got is None:
                got = [self.tokenizer.token_to_id(text)] if special else self.tokenizer.encode(text, add_special_tokens=False).ids
                if len(self.cache) < 100000:
                    self.cache[key] = got
            ids += got
            learned += [float(weight)] * len(got)
        return ids, learned


def repeated(rng, vocabulary):
    """Random tokens twice: the shortest way to learn to copy."""
    ids = [rng.randrange(vocabulary) for _ in range(rng.randint(6, 30))]
    return ids + ids, [0.0] * (len(ids) + 2) + [0.5] * (len(ids) - 2)


def pool(encoder, seed, number, args):
    """Batches (prefix, skip, ids, weights) in random order. Early pools are cheap to learn from: 12 prefixes with some ten
    batches each, and sequences that only copy. But then names can be remembered from one batch to the next, so later
    pools have a new prefix for each batch.
    """
    rng = random.Random(f"{seed}-{number}")
    early, out = number < args.early_pools, []
    kinds = [False] * 12 + [True] * (5 if number < args.copy_pools else 0) if early else [False] * 38 + [True] * 2
    for kind in kinds:
        pieces, tools = data.prefix(rng)
        prefix, _ = encoder(pieces)
        if kind:
            branches = [repeated(rng, encoder.tokenizer.get_vocab_size() - 72) for _ in range(80)]
        else:
            branches = [encoder(data.branch(rng, tools)) for _ in range((110 if tools else 130) if early else 60)]
        branches.sort(key=lambda b: len(b[0]))
        skip, groups = -len(prefix) % 16, []
        while branches:
            # The longest branch that fits decides the width.
            count = 0
            while count < len(branches) and (count + 1) * (-(-len(branches[count][0]) // 16) * 16) <= TOKENS_PER_BATCH:
                count += 1
            group, branches = branches[:count], branches[count:]
            width = -(-len(group[-1][0]) // 16) * 16
            ids = torch.zeros(len(group), width, dtype=torch.int32)
            weights = torch.zeros(len(group), width, dtype=torch.float16)
            for i, (tokens, learned) in enumerate(group):
                ids[i, : len(tokens)] = torch.tensor(tokens)
                weights[i, : len(tokens)] = torch.tensor(learned)
            groups.append((torch.tensor([0] * skip + prefix), skip, ids, weights))
        out += groups if early else [rng.choice(groups)]
    rng.shuffle(out)
    return out


def produce(queue, first_pool, args):
    torch.set_num_threads(1)
    os.nice(5)
    if hasattr(os, "sched_setaffinity"):  # the training may be pinned to one core; this need not share it
        os.sched_setaffinity(0, range(os.cpu_count()))
    encoder = Encoder(args.tokenizer)
    number = first_pool
    while True:
        queue.put((number, pool(encoder, args.seed, number, args)))
        number += 1


class Muon:
    """Momentum, orthogonalized per matrix by five Newton-Schulz steps; AdamW for what is no matrix of a layer."""

    def __init__(self, model):
        self.matrices, self.others = {}, []
        for name, p in model.named_parameters():
            if p.dim() >= 2 and name.startswith("layers") and not name.endswith("bias") and "router" not in name:
                self.matrices.setdefault(tuple(p.shape[-2:]), []).append(p)
            else:
                self.others.append(p)
        self.momentum = [torch.zeros(sum(p.numel() for p in group) // (s[0] * s[1]), *s) for s, group in self.matrices.items()]
        tables = [p for p in self.others if p.dim() == 2 and p.shape[0] > 1000]
        rest = [p for p in self.others if not (p.dim() == 2 and p.shape[0] > 1000)]
        self.adam = torch.optim.AdamW([{"params": tables}, {"params": rest}], lr=1e-3, betas=(0.9, 0.98), eps=1e-8, weight_decay=0.0,
                                      fused=True)

    @torch.no_grad()
    def step(self, rate, adam_rate, momentum=0.95, decay=0.02):
        for (shape, group), m in zip(self.matrices.items(), self.momentum):
            g = torch.cat([p.grad.view(-1, *shape) for p in group])
            m.mul_(momentum).add_(g, alpha=1 - momentum)
            update = orthogonal(g.lerp_(m, momentum)).float()
            update *= rate * max(1, shape[0] / shape[1]) ** 0.5
            at = 0
            for p in group:
                n = p.numel() // (shape[0] * shape[1])
                p.mul_(1 - rate * decay).sub_(update[at: at + n].view_as(p))
                p.grad = None
                at += n
        for group in self.adam.param_groups:
            group["lr"] = adam_rate
        self.adam.step()
        self.adam.zero_grad(set_to_none=True)

    def state(self):
        return {"momentum": self.momentum, "adam": self.adam.state_dict()}

    def load(self, state):
        self.momentum = state["momentum"]
        self.adam.load_state_dict(state["adam"])


def orthogonal(g):
    x = g.to(torch.bfloat16)
    flip = x.shape[1] > x.shape[2]
    if flip:
        x = x.transpose(1, 2)
    x = (x / (x.float().norm(dim=(1, 2), keepdim=True) + 1e-10).to(x.dtype)).contiguous()
    for _ in range(5):
        a = torch.bmm(x.transpose(1, 2), x)
        b = torch.baddbmm(a, a, a, beta=-4.7750, alpha=2.0315)
        x = torch.baddbmm(x, x, b, beta=3.4445, alpha=1.0)
    return x.transpose(1, 2) if flip else x


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("tokenizer")
    parser.add_argument("out")
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--decay", type=int, default=0, help="steps in which the rates fall to zero (default: 35 %% of --steps)")
    parser.add_argument("--copy-pools", type=int, default=6, help="pools of batches, from the first, with sequences that only copy")
    parser.add_argument("--early-pools", type=int, default=84, help="pools that use a prefix for several batches")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=float, default=0.02)
    parser.add_argument("--adam-rate", type=float, default=4e-3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--resume")
    parser.add_argument("--stop", type=int, help="stop after this step, to go on with --resume")
    args = parser.parse_args()
    args.decay = args.decay or args.steps * 35 // 100
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    vocabulary = Tokenizer.from_file(args.tokenizer).get_vocab_size()
    model = GptOss(Config(vocab=vocabulary))
    optimizer = Muon(model)
    at = {"step": 0, "pool": 0, "batch": 0, "seen": 0, "learned": 0, "seconds": 0.0, "cpu": 0.0}
    if args.resume:
        saved = torch.load(args.resume, weights_only=False)
        model.load_state_dict(saved["model"])
        optimizer.load(saved["optimizer"])
        at = saved["at"]
    print("parameters", sum(p.numel() for p in model.parameters()), "from", at, flush=True)
    queue = torch.multiprocessing.get_context("fork").Queue(3)
    torch.multiprocessing.set_sharing_strategy("file_system")
    torch.multiprocessing.get_context("fork").Process(
        target=produce, args=(queue, at["pool"], args), daemon=True).start()
    last, running, saved_at, clock, ready = time.time(), {}, time.time(), time.time(), []
    cpu = cpu_seconds()
    end = min(args.stop or args.steps, args.steps)
    while at["step"] < end:
        step = at["step"]
        left = (args.steps - step) / args.decay
        level = min(1.0, (step + 1) / 50, left)
        weights = model.half_weights(quantized=left <= 1)
        losses, total = [], 0.0
        for _ in range(BATCHES_PER_STEP):
            if not ready:
                number, ready = queue.get()
                if at["pool"] != number:
                    at["pool"], at["batch"] = number, 0
            prefix, skip, ids, weight = ready[at["batch"]]
            at["batch"] += 1
            if at["batch"] == len(ready):
                at["pool"], at["batch"], ready = at["pool"] + 1, 0, []
            ids, weight = ids.long(), weight.float()
            wanted = weight > 0
            wanted[:, 0] = False
            before = torch.zeros_like(wanted)
            before[:, :-1] = wanted[:, 1:]
            logits, balance = model(weights, prefix, skip, ids, before)
            each = F.cross_entropy(logits.float(), ids[wanted], reduction="none")
            w = weight[wanted]
            losses.append((each * w).sum() / w.sum() + 0.01 * balance)
            total += float((each.detach() * w).sum() / w.sum())
            at["seen"], at["learned"] = at["seen"] + prefix.numel() + ids.numel(), at["learned"] + int(wanted.sum())
        (sum(losses) / len(losses)).backward()
        optimizer.step(args.rate * level, args.adam_rate * level)
        running = total / 2 if not running else 0.98 * running + 0.01 * total
        at["step"] += 1
        if time.time() - last > 20 or at["step"] == end:
            last = time.time()
            used = cpu_seconds() - cpu
            print(f"step {at['step']} loss {running:.4f} level {level:.2f} tokens {at['seen']} learned {at['learned']} "
                  f"seconds {at['seconds'] + last - clock:.0f} cpu {at['cpu'] + used:.0f}", flush=True)
        if time.time() - saved_at > 120 or at["step"] == end:
            saved_at = time.time()
            now = dict(at, seconds=at["seconds"] + saved_at - clock, cpu=at["cpu"] + cpu_seconds() - cpu)
            torch.save({"model": model.state_dict(), "config": model.c, "optimizer": optimizer.state(), "at": now}, args.out + ".new")
            os.replace(args.out + ".new", args.out)


def cpu_seconds():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
