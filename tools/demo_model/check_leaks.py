"""Counts evaluation questions that training would ask too. usage: check_leaks.py EVAL.jsonl [CONVERSATIONS]"""
import json
import random
import sys

import data


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        last = [[m for m in json.loads(line)["conversation"]["messages"] if m["role"] == "user"][-1]["content"] for line in file]
    held = {data.plain(question) for question in last}
    rng, seen, found = random.Random("leaks"), 0, {}
    for _ in range(int(sys.argv[2]) if len(sys.argv) > 2 else 20000):
        _, tools = data.prefix(rng)
        if any(t["kind"] == "calculate" for t in tools):
            continue  # a sum asked there is handed to the tool, and its value is not said
        pieces = data.branch(rng, tools)
        for (_, _, _), (role, _, _), _, (text, _, _) in zip(pieces, pieces[1:], pieces[2:], pieces[3:]):
            if role == "user":
                seen += 1
                if data.plain(text) in held:
                    found[text] = found.get(text, 0) + 1
    print(f"{seen} questions of training, {len(held)} of the evaluation, in both: {found or 'none'}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
