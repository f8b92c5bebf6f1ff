"""Trains the demo's tokenizer (o200k scheme) and writes tokenizer.json in the layout of gpt-oss' own file."""
import collections
import json
import random
import sys

import regex
from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

import data

PATTERN = "|".join([
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"\p{N}{1,3}", r" ?[^\s\p{L}\p{N}]+[\r\n/]*", r"\s*[\r\n]+", r"\s+(?!\S)", r"\s+"])
SPECIALS = ["startoftext", "endoftext", "return", "constrain", "channel", "start", "end", "message", "call"]
ENTRIES = 2292  # and the special tokens: 2304
SPACED = 800  # of them a word with its space


def byte_alphabet():
    """GPT-2's spelling of the 256 bytes as printable characters."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    table, extra = {}, 0
    for byte in range(256):
        if byte in printable:
            table[byte] = chr(byte)
        else:
            table[byte] = chr(256 + extra)
            extra += 1
    return table


def corpus(rng, count):
    for _ in range(count // 12):
        pieces, tools = data.prefix(rng)
        for _ in range(12):
            pieces = pieces + data.branch(rng, tools)
        for text, special, _ in pieces:
            if not special:
                yield text


def build(seed):
    """Merges of letters first, spaces joined last. So a word has the same pieces after a space, a quote, a dot or an
    underscore, and copying it from a question into a call is copying tokens. Only words that are no names or values get
    an entry with their space. Digits stay single tokens: sums are learnable digit by digit.
    """
    rng = random.Random(seed)
    texts = list(corpus(rng, 14000))
    learner = Tokenizer(models.BPE())
    learner.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(PATTERN), "isolated"),
        pre_tokenizers.Split(Regex(r"\p{L}+|\p{N}|[^\p{L}\p{N}\s]+[\r\n/]*|[\r\n]+|\s+(?!\S)|\s"), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    alphabet = byte_alphabet()
    learner.train_from_iterator(texts, trainers.BpeTrainer(
        vocab_size=ENTRIES - SPACED, initial_alphabet=list(alphabet.values()), min_frequency=6, show_progress=False))
    learned = sorted(learner.get_vocab().items(), key=lambda item: item[1])
    entries = [alphabet[b] for b in range(256)] + [t for t, _ in learned if len(t) > 1]
    known, values = set(entries), set(data.all_values())
    spaced = collections.Counter()
    for text in texts:
        for word in regex.findall(r" (?:\p{L}+|[^\p{L}\p{N}\s]+)", text):
            bare = "".join(alphabet[b] for b in word[1:].encode())
            if bare in known and word[1:].lower() not in values:
                spaced[alphabet[32] + bare] += 1
    frequent = [t for t, count in sorted(spaced.items(), key=lambda item: (-item[1], item[0])) if count >= 60]
    entries += frequent[:ENTRIES - len(entries)]
    rank = {token: i for i, token in enumerate(entries)}
    merges = []
    for token in entries[256:]:
        splits = [(rank[token[:i]], rank[token[i:]], token[:i], token[i:]) for i in range(1, len(token))
                  if token[:i] in rank and token[i:] in rank]
        merges += [[left, right] for _, _, left, right in sorted(splits)]
    names = [f"<|{s}|>" for s in SPECIALS]
    while (len(entries) + len(names)) % 64 != 0:
        names.append(f"<|reserved_{len(entries) + len(names)}|>")
    added = [dict(id=len(entries) + i, content=n, single_word=False, lstrip=False, rstrip=False, normalized=False, special=True)
             for i, n in enumerate(names)]
    split = {"type": "Split", "pattern": {"Regex": PATTERN}, "behavior": "Isolated", "invert": False}
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    return {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": added, "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [split, level]},
        "post_processor": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False, "use_regex": True},
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
        "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
                  "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": True,
                  "vocab": rank, "merges": merges},
    }


if __name__ == "__main__":
    with open(sys.argv[1], "w", encoding="utf-8") as file:
        json.dump(build(seed=1), file, ensure_ascii=False, separators=(",", ":"))
