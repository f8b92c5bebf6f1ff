#!/usr/bin/env python3
"""Turns the o200k_base list of npm's `tiktoken` into a tokenizer.json as gpt-oss ships it.

usage: make_o200k_tokenizer.py o200k_base.json OUT

The input is `encoders/o200k_base.json` of the package; its `bpe_ranks` holds lines "! FIRST_ID base64
base64 ...". The output has the layout that transformers' converter gives gpt-oss: the vocabulary in the
GPT-2 byte alphabet, every split of every token as a merge, 21 added tokens.
"""
import base64
import hashlib
import json
import os
import sys

LIST_SHA256 = "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d"
VOCABULARY_SIZE = 199998
MERGES = 446189
NAMED = {
    199998: "<|startoftext|>", 199999: "<|endoftext|>", 200002: "<|return|>", 200003: "<|constrain|>",
    200005: "<|channel|>", 200006: "<|start|>", 200007: "<|end|>", 200008: "<|message|>",
    200012: "<|call|>", 200018: "<|endofprompt|>",
}
PATTERN = "|".join([
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"\p{N}{1,3}", r" ?[^\s\p{L}\p{N}]+[\r\n/]*", r"\s*[\r\n]+", r"\s+(?!\S)", r"\s+",
])


def byte_alphabet():
    """GPT-2's printable stand-in for every byte."""
    same = [*range(33, 127), *range(161, 173), *range(174, 256)]
    table, spare = {}, 256
    for byte in range(256):
        if byte in same:
            table[byte] = chr(byte)
        else:
            table[byte] = chr(spare)
            spare += 1
    return table


def read_ranks(path):
    with open(path, encoding="utf-8") as file:
        lines = json.load(file)["bpe_ranks"].splitlines()
    tokens = {}
    for line in lines:
        _, first, *entries = line.split()
        for offset, entry in enumerate(entries):
            tokens[int(first) + offset] = base64.b64decode(entry)
    if sorted(tokens) != list(range(VOCABULARY_SIZE)):
        sys.exit(f"make_o200k_tokenizer: {path}: expected {VOCABULARY_SIZE} dense ids, found {len(tokens)} ids")
    tokens = [tokens[i] for i in range(VOCABULARY_SIZE)]
    listing = b"".join(base64.b64encode(t) + b" %d\n" % i for i, t in enumerate(tokens))
    found = hashlib.sha256(listing).hexdigest()
    if found != LIST_SHA256:
        sys.exit(f"make_o200k_tokenizer: {path}: the list has SHA-256 {found}, expected {LIST_SHA256}")
    return tokens


def build(tokens):
    table = byte_alphabet()
    text = ["".join(table[byte] for byte in token) for token in tokens]
    rank = {token: i for i, token in enumerate(tokens)}
    merges = []
    for token in tokens:
        splits = [(rank[token[:k]], rank[token[k:]]) for k in range(1, len(token))
                  if token[:k] in rank and token[k:] in rank]
        merges.extend([text[a], text[b]] for a, b in sorted(splits))
    if len(merges) != MERGES:
        sys.exit(f"make_o200k_tokenizer: expected {MERGES} merges, made {len(merges)}")
    added = [{"id": i, "content": NAMED.get(i, f"<|reserved_{i}|>"), "single_word": False, "lstrip": False,
              "rstrip": False, "normalized": False, "special": True} for i in range(199998, 200019)]
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False}
    return {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": added, "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": PATTERN}, "behavior": "Isolated", "invert": False},
            byte_level | {"trim_offsets": True}]},
        "post_processor": byte_level | {"use_regex": True, "add_prefix_space": True},
        "decoder": byte_level | {"add_prefix_space": True, "trim_offsets": True, "use_regex": True},
        "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
                  "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False,
                  "ignore_merges": True, "vocab": {t: i for i, t in enumerate(text)}, "merges": merges},
    }


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    tokenizer = build(read_ranks(sys.argv[1]))
    part = sys.argv[2] + ".part"
    with open(part, "w", encoding="utf-8") as file:
        json.dump(tokenizer, file, ensure_ascii=False, indent=2)
        file.write("\n")
    os.replace(part, sys.argv[2])


main()
