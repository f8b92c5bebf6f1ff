#!/usr/bin/env python3
"""What the memory guard predicts for a model and a context, and what a run that fills the context takes.

Usage: memory_table.py GPTOSS MODEL CONTEXT... [--within PERCENT]
Predicted: `gptoss inspect`; measured: the peak of a `gptoss run` whose prompt leaves a few tokens free. Prints
one row of a table per context; exit code 1 where the two differ by more than PERCENT (default 5).
"""
import argparse
import json
import subprocess
import sys

FREE = 16  # tokens that the prompt leaves for the answer


def run(*command, stdin=b""):
    done = subprocess.run(command, input=stdin, capture_output=True, check=False)
    return done.returncode, done.stdout, done.stderr.decode(errors="replace")


def peak(program, model, context):
    """(tokens of the prompt, peak bytes) of a run that fills the context; the size of the prompt is searched for."""
    words = context - FREE
    for _ in range(6):
        code, out, err = run(program, "run", "--json", "-q", "-m", model, "--context", str(context), "--max-tokens", "4",
                             "--temperature", "0", stdin=b"a" + b" a" * (words - 1))
        end = json.loads(out.splitlines()[-1]) if out else {}
        usage = end.get("usage", {})
        if usage.get("generated_tokens", 0) > 0:
            return usage["prompt_tokens"], usage["peak_memory_bytes"]
        if end.get("reason") != "context_limit":
            sys.exit(f"memory_table: {model} with {context} tokens: {err or end}")
        words -= 40 if context < 8192 else 100  # what stands around the prompt
    sys.exit(f"memory_table: no prompt fits {context} tokens")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program")
    parser.add_argument("model")
    parser.add_argument("context", type=int, nargs="+")
    parser.add_argument("--within", type=float, default=5)
    options = parser.parse_args()
    good = True
    print("| model | context | prompt | predicted | measured | difference |\n|---|---|---|---|---|---|")
    for context in options.context:
        code, out, err = run(options.program, "inspect", "--json", "--context", str(context), "-m", options.model)
        if code != 0:
            sys.exit(f"memory_table: {err}")
        about = json.loads(out)
        predicted = about["memory"]["total"]
        prompt, measured = peak(options.program, options.model, context)
        difference = 100 * (predicted - measured) / measured
        good = good and abs(difference) <= options.within
        print(f"| {about['name']} | {context} | {prompt} | {predicted / 1e6:.1f} MB | {measured / 1e6:.1f} MB | "
              f"{difference:+.1f} % |", flush=True)
        print(f"memory_table: {json.dumps(about['memory'])}", file=sys.stderr)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
