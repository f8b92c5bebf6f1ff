#!/usr/bin/env python3
"""usage: make_o200k_tokenizer.py o200k_base.json OUT/tokenizer.json

Turns the ranks of the npm package `tiktoken` into a tokenizer.json of the layout that gpt-oss has on the Hub: the same
vocabulary and added tokens, and every split of every token as a merge (446,189 of them).
"""
import base64
import hashlib
import json
import os
import sys

SHA256 = "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d"  # of o200k_base.tiktoken
NAMES = {199998: "startoftext", 199999: "endoftext", 200002: "return", 200003: "constrain", 200005: "channel", 200006: "start",
         200007: "end", 200008: "message", 200012: "call", 200018: "endofprompt"}


def read_ranks(path):
    """tiktoken's bpe_ranks: lines of "! first-rank token token ..."."""
    tokens = []
    for line in json.load(open(path, encoding="utf-8"))["bpe_ranks"].splitlines():
        _, first, *rest = line.split(" ")
        assert int(first) == len(tokens), "ranks are not consecutive"
        tokens += [base64.b64decode(t) for t in rest]
    return tokens


def alphabet():
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    extra = iter(range(256, 512))
    return [chr(b) if b in printable else chr(next(extra)) for b in range(256)]


def main():
    tokens = read_ranks(sys.argv[1])
    lines = "".join(f"{base64.b64encode(t).decode()} {i}\n" for i, t in enumerate(tokens))
    digest = hashlib.sha256(lines.encode()).hexdigest()
    if digest != SHA256:
        sys.exit(f"the ranks have sha256 {digest}, expected {SHA256}")
    letters = alphabet()
    spell = ["".join(letters[b] for b in t) for t in tokens]
    rank = {t: i for i, t in enumerate(tokens)}
    merges = []
    for token in tokens:
        splits = [(rank[token[:i]], rank[token[i:]]) for i in range(1, len(token)) if token[:i] in rank and token[i:] in rank]
        merges += [[spell[a], spell[b]] for a, b in sorted(splits)]
    pattern = "|".join([
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
        r"\p{N}{1,3}", r" ?[^\s\p{L}\p{N}]+[\r\n/]*", r"\s*[\r\n]+", r"\s+(?!\S)", r"\s+"])
    added = [dict(id=i, content=f"<|{NAMES.get(i, f'reserved_{i}')}|>", single_word=False, lstrip=False, rstrip=False,
                  normalized=False, special=True) for i in range(199998, 200019)]
    level = dict(type="ByteLevel", add_prefix_space=False, trim_offsets=True, use_regex=False)
    out = dict(version="1.0", truncation=None, padding=None, added_tokens=added, normalizer=None,
               pre_tokenizer=dict(type="Sequence", pretokenizers=[
                   dict(type="Split", pattern=dict(Regex=pattern), behavior="Isolated", invert=False), level]),
               post_processor=dict(type="ByteLevel", add_prefix_space=True, trim_offsets=False, use_regex=True),
               decoder=dict(type="ByteLevel", add_prefix_space=True, trim_offsets=True, use_regex=True),
               model=dict(type="BPE", dropout=None, unk_token=None, continuing_subword_prefix=None, end_of_word_suffix=None,
                          fuse_unk=False, byte_fallback=False, ignore_merges=True,
                          vocab={s: i for i, s in enumerate(spell)}, merges=merges))
    with open(sys.argv[2] + ".part", "w", encoding="utf-8") as file:
        json.dump(out, file, ensure_ascii=False, indent=2)
    os.replace(sys.argv[2] + ".part", sys.argv[2])
    print(f"{len(tokens)} tokens, {len(merges)} merges")


if __name__ == "__main__":
    main()
