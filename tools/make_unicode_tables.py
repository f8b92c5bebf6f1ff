#!/usr/bin/env python3
"""Writes src/tokenizer/unicode_tables.cc from the class ranges in tests/golden (Unicode 16).

usage: make_unicode_tables.py o200k_char_classes_unicode16.json unicode_tables.cc
"""
import json
import sys

SHIFT = 6
LIMIT = 0x32400  # beyond it only the variation selectors E0100..E01EF have a class
MARK = 4 | 8


def classes(path):
    with open(path, encoding="utf-8") as file:
        ranges = json.load(file)
    table = [0] * 0x110000
    for bit, name in enumerate("LNUWS"):
        for first, last in ranges[name]:
            for code_point in range(first, last + 1):
                table[code_point] |= 1 << bit
    for code_point in range(LIMIT, 0x110000):
        expected = MARK if 0xE0100 <= code_point <= 0xE01EF else 0
        if table[code_point] != expected:
            sys.exit(f"make_unicode_tables: U+{code_point:X} has a class; raise LIMIT")
    return table[:LIMIT]


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    table = classes(sys.argv[1])
    blocks, index = {}, []
    for start in range(0, LIMIT, 1 << SHIFT):
        block = "".join(chr(0x40 + c) for c in table[start:start + (1 << SHIFT)])
        index.append(blocks.setdefault(block, len(blocks)))
    lines = ["// Made by tools/make_unicode_tables.py from Unicode 16; do not edit.",
             '#include "tokenizer/unicode_tables.h"', "", "namespace gptoss::tokenizer_internal {", "",
             "// clang-format off", f"const std::uint16_t kClassBlocks[{len(index)}] = {{"]
    for i in range(0, len(index), 24):
        lines.append("    " + " ".join(f"{n}," for n in index[i:i + 24]))
    lines += ["};", "", f"const char kClassTable[{len(blocks) << SHIFT} + 1] ="]
    lines += [f'    "{block}"' for block in blocks]
    lines[-1] += ";"
    lines += ["// clang-format on", "", "}  // namespace gptoss::tokenizer_internal", ""]
    with open(sys.argv[2], "w", encoding="utf-8") as file:
        file.write("\n".join(lines))


main()
