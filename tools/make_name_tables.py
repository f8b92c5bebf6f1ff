#!/usr/bin/env python3
"""Writes src/hub/unicode_tables.cc: what a file system that ignores case and composition sees in a character.

usage: make_name_tables.py unicode_tables.cc        (tables of the Unicode version that this Python has)

Key of a character: canonical decomposition, full case folding, canonical decomposition again. Hangul syllables
are left to arithmetic. Characters that are their own key are not in the table.
"""
import sys
import unicodedata


def key(code_point):
    text = unicodedata.normalize("NFD", chr(code_point))
    return unicodedata.normalize("NFD", text.casefold())


def rows(items, width):
    for i in range(0, len(items), width):
        yield "    " + " ".join(items[i:i + width])


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    pool, entries, seen = [], [], {}
    classes = []
    for code_point in range(0x80, 0x110000):
        if 0xD800 <= code_point <= 0xDFFF or 0xAC00 <= code_point <= 0xD7A3:
            continue
        combining = unicodedata.combining(chr(code_point))
        if combining:
            if classes and classes[-1][1] == code_point - 1 and classes[-1][2] == combining:
                classes[-1][1] = code_point
            else:
                classes.append([code_point, code_point, combining])
        folded = key(code_point)
        if folded == chr(code_point):
            continue
        if folded not in seen:
            seen[folded] = len(pool)
            pool += [ord(c) for c in folded]
        entries.append((code_point, seen[folded], len(folded)))
    lines = [f"// Made by tools/make_name_tables.py from Unicode {unicodedata.unidata_version}; do not edit.",
             '#include "hub/unicode_tables.h"', "", "namespace gptoss::hub::internal {", "", "// clang-format off",
             f"const char32_t kFoldPool[{len(pool)}] = {{"]
    lines += rows([f"0x{c:x}," for c in pool], 13)
    lines += ["};", "", f"const std::size_t kFoldCount = {len(entries)};",
              f"const FoldEntry kFoldEntries[{len(entries)}] = {{"]
    lines += rows([f"{{0x{c:x},{o},{n}}}," for c, o, n in entries], 6)
    lines += ["};", "", f"const std::size_t kCombiningCount = {len(classes)};",
              f"const CombiningRange kCombiningRanges[{len(classes)}] = {{"]
    lines += rows([f"{{0x{a:x},0x{b:x},{c}}}," for a, b, c in classes], 5)
    lines += ["};", "// clang-format on", "", "}  // namespace gptoss::hub::internal", ""]
    with open(sys.argv[1], "w", encoding="utf-8") as file:
        file.write("\n".join(lines))


main()
