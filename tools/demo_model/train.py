"""Trains the demo model. usage: train.py TOKENIZER.json OUT.pt --until HH:MM | --minutes N [--seed N]

Every batch is made on the fly from the seed and the step, so a run can be repeated; only the number of steps
depends on the clock when a time is given (use --steps N for an exact repetition).
"""
import argparse
import datetime
import random
import time

import torch
import torch.nn.functional as F
from tokenizers import Tokenizer

import data
from model import Config, GptOss

TOKENS_PER_BATCH = 2560


class Encoder:
    def __init__(self, path):
        self.tokenizer = Tokenizer.from_file(path)
        self.cache = {}

    def __call__(self, pieces):
        ids, learned = [], []
        for text, special, learn in pieces:
            key = (text, special)
            got = self.cache.get(key)
            if got is None:
                got = [self.tokenizer.token_to_id(text)] if special else self.tokenizer.encode(text, add_special_tokens=False).ids
                if len(self.cache) < 200000:
                    self.cache[key] = got
            ids += got
            learned += [learn] * len(got)
        return ids, learned


def batches(encoder, seed):
    """Pools of conversations, sorted by length, so that little is spent on padding."""
    step = 0
    while True:
        rng = random.Random(f"{seed}-{step}")
        pool = sorted((encoder(data.conversation(rng)) for _ in range(400)), key=lambda s: len(s[0]))
        groups, current = [], []
        for sample in pool:
            if current and (len(current) + 1) * len(sample[0]) > TOKENS_PER_BATCH:
                groups.append(current)
                current = []
            current.append(sample)
        rng.shuffle(groups)
        for group in groups:
            width = max(len(s[0]) for s in group)
            ids = torch.zeros(len(group), width, dtype=torch.long)
            mask = torch.zeros(len(group), width, dtype=torch.bool)
            for i, (tokens, learned) in enumerate(group):
                ids[i, : len(tokens)] = torch.tensor(tokens)
                mask[i, : len(tokens)] = torch.tensor(learned)
            yield ids, mask
        step += 1


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("tokenizer")
    parser.add_argument("out")
    parser.add_argument("--until")
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=float, default=2.5e-3)
    parser.add_argument("--resume")
    parser.add_argument("--quantize-from", type=float, default=0.7, help="share of the run after which weights are quantized")
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    encoder = Encoder(args.tokenizer)
    model = GptOss(Config(vocab=encoder.tokenizer.get_vocab_size()))
    if args.resume:
        model.load_state_dict(torch.load(args.resume, weights_only=False)["model"])
    print("parameters", sum(p.numel() for p in model.parameters()), flush=True)
    matrices = [p for p in model.parameters() if p.dim() > 1]
    vectors = [p for p in model.parameters() if p.dim() <= 1]
    optimizer = torch.optim.AdamW([{"params": matrices, "weight_decay": 0.05}, {"params": vectors, "weight_decay": 0.0}],
                                  lr=args.rate, betas=(0.9, 0.97), eps=1e-8)
    start = time.time()
    if args.until:
        now = datetime.datetime.now()
        hour, minute = map(int, args.until.split(":"))
        end = start + (now.replace(hour=hour, minute=minute, second=0) - now).total_seconds()
    else:
        end = start + 60 * (args.minutes or 1e9)
    seen, learned, last, running, saved = 0, 0, time.time(), None, time.time()
    for step, (ids, mask) in enumerate(batches(encoder, args.seed)):
        done = step / args.steps if args.steps else (time.time() - start) / (end - start)
        if done >= 1:
            break
        rate = args.rate * min(1, (step + 1) / 200) * (0.02 + 0.98 * (1 - done))
        for group in optimizer.param_groups:
            group["lr"] = rate
        wanted = mask[:, 1:]
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits, balance = model(ids[:, :-1], wanted, quantized=done > args.quantize_from)
        loss = F.cross_entropy(logits.float(), ids[:, 1:][wanted])
        (loss + 0.01 * balance).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        seen, learned = seen + ids.numel(), learned + int(wanted.sum())
        running = loss.item() if running is None else 0.98 * running + 0.02 * loss.item()
        if time.time() - last > 20:
            last = time.time()
            print(f"step {step} done {done:.3f} loss {running:.4f} tokens {seen} ({seen / (last - start):.0f}/s) learned {learned}",
                  flush=True)
        if time.time() - saved > 240:
            saved = time.time()
            torch.save({"model": model.state_dict(), "config": model.c}, args.out)
    torch.save({"model": model.state_dict(), "config": model.c}, args.out)
    print(f"end: steps {step} loss {running:.4f} tokens {seen} seconds {time.time() - start:.0f}")


if __name__ == "__main__":
    main()
