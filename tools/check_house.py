#!/usr/bin/env python3
"""Checks the plan of the house (ARCHITECTURE.md): layers, file sizes, a README in every room.

Usage: tools/check_house.py [ROOT]      exit 1 and one line per violation.
The layers are data: each room lists what it may include besides itself. The data flows one way because no
room may include one that stands below it in this list.
"""
import pathlib
import re
import sys

# room: rooms it may include. Order matters: a room may only name rooms above it.
LAYERS = {
    "base": "",
    "platform": "base",
    "settings": "base platform",
    "net": "base platform",
    "tokenizer": "base platform",
    "model": "base platform",
    "routing": "base",
    "harmony": "base tokenizer",
    "hub": "base platform net",
    "backend": "base platform model net",
    "engine": "base platform model backend",
    "acp": "base platform net",
    "mcp": "base platform net",
    "provider": "base platform settings tokenizer model harmony backend engine hub",
    "sessions": "base platform harmony",
    "agents": "base platform settings harmony sessions provider routing acp mcp",
    "server": "base platform settings net hub sessions provider routing agents acp mcp",
    "cli": "*",
}
MAX_LINES = 600
# Tables made by a program are data, not rooms to live in.
GENERATED = re.compile(r"(^|/)unicode_tables\.(h|cc)$")
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"')
THROW = re.compile(r"(^|[^\w\"])throw\s+[\w:]+[({]")


def plan_errors(layers: dict[str, str]) -> list[str]:
    """The plan itself must be a one-way street."""
    errors, seen = [], set()
    for room, allowed in layers.items():
        for other in allowed.split():
            if other != "*" and other not in seen:
                errors.append(f"plan: {room} may include {other}, which does not stand above it")
        seen.add(room)
    return errors


def file_errors(path: pathlib.Path, source: pathlib.Path) -> list[str]:
    relative = path.relative_to(source).as_posix()
    room = relative.split("/")[0]
    if room not in LAYERS:
        return [f"src/{relative}: the plan has no room '{room}'"]
    allowed = set(LAYERS[room].split()) | {room}
    errors = []
    lines = path.read_text(encoding="utf-8").splitlines()
    if len(lines) > MAX_LINES and not GENERATED.search(relative):
        errors.append(f"src/{relative}: {len(lines)} lines; beyond {MAX_LINES} a file wants splitting")
    is_header = path.suffix == ".h"
    if is_header and "#pragma once" not in lines:
        errors.append(f"src/{relative}: a header without #pragma once")
    for number, line in enumerate(lines, 1):
        if match := INCLUDE.match(line):
            target = match.group(1)
            if "/" not in target or target.startswith("."):
                errors.append(f'src/{relative}:{number}: include "{target}" by its path from src/')
            elif "*" not in allowed and target.split("/")[0] not in allowed:
                errors.append(f'src/{relative}:{number}: {room} may not include "{target}" '
                              f"(allowed: {' '.join(sorted(allowed))})")
            elif "/testing/" in target and not path.name.endswith("_test.cc") and "/testing/" not in relative:
                errors.append(f'src/{relative}:{number}: "{target}" is for tests only')
        if THROW.search(line) and not line.lstrip().startswith("//"):
            errors.append(f"src/{relative}:{number}: throw; errors are values here (base/error.h)")
    return errors


def check(root: pathlib.Path) -> tuple[list[str], int]:
    source = root / "src"
    errors = plan_errors(LAYERS)
    files = sorted(p for p in source.rglob("*") if p.suffix in (".h", ".cc"))
    for path in files:
        errors += file_errors(path, source)
    for room in sorted(p for p in source.iterdir() if p.is_dir()):
        if not (room / "README.md").is_file():
            errors.append(f"src/{room.name}: no README.md (what it is for, what it may include, who owns threads)")
    return errors, len(files)


def main() -> int:
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parent.parent
    errors, count = check(root)
    for error in errors:
        print(error)
    if errors:
        print(f"house: {len(errors)} violations of the plan in {count} files", file=sys.stderr)
        return 1
    print(f"house: {count} files keep to the plan")
    return 0


if __name__ == "__main__":
    sys.exit(main())
