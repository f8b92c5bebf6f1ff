#!/usr/bin/env python3
"""usage: synthetic_test.py MAKE_SYNTHETIC GPTOSS TOKENIZER_JSON

A tiny synthetic checkpoint in each layout: the program says what it is and answers with it.
"""
import hashlib
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

MAKE = PROGRAM = TOKENIZER = ""
SHAPE = dict(layers=3, hidden=128, heads=4, kv_heads=2, head_dim=32, experts=8, expert_width=64, vocab=4096)


def make(layout, out, *extra, **changes):
    shape = [f"--{name.replace('_', '-')}={value}" for name, value in (SHAPE | changes).items()]
    return subprocess.run([MAKE, "--layout", layout, "--out", str(out), *shape, *extra], capture_output=True, text=True)


def gptoss(*args, stdin=""):
    done = subprocess.run([PROGRAM, *args], input=stdin, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, (args, done.returncode, done.stderr)
    return done.stdout


class Synthetic(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.path = pathlib.Path(self.folder.name)

    def checkpoint(self, layout, *extra):
        out = self.path / (layout + (".gguf" if layout == "gguf" else ""))
        done = make(layout, out, "--tokenizer", TOKENIZER, *extra)
        self.assertEqual(done.returncode, 0, done.stderr)
        return out

    def test_the_program_knows_and_runs_every_layout(self):
        formats = {"mlx": ("MXFP4", "affine 8-bit"), "openai": ("MXFP4", "BF16"), "gguf": ("MXFP4", "Q8_0")}
        for layout, (experts, dense) in formats.items():
            with self.subTest(layout):
                model = str(self.checkpoint(layout, "--shard-mb=1"))
                about = json.loads(gptoss("inspect", "--json", model))
                self.assertEqual(about["layout"], layout)
                self.assertEqual(about["formats"]["experts"], experts)
                self.assertEqual(about["formats"]["attention"], dense)
                self.assertEqual({k: about["shape"][k] for k in SHAPE}, SHAPE)
                self.assertNotIn("error", about["tokenizer"])
                self.assertGreater(about["memory"]["total"], about["weight_bytes"])
                if layout != "gguf":
                    self.assertGreater(len(about["files"]), 1)
                events = gptoss("run", "-m", model, "--json", "--max-tokens", "4", "--seed", "1", "Hello")
                self.assertTrue([json.loads(line) for line in events.splitlines()])

    def test_weights_have_the_scale_that_keeps_activations_near_one(self):
        prompt = json.dumps({"prompts": [{"ids": list(range(1, 41)), "positions": list(range(8, 40))}]})
        for layout in ("mlx", "openai", "gguf"):
            with self.subTest(layout):
                logits = json.loads(gptoss("eval", "logits", "-m", str(self.checkpoint(layout)), stdin=prompt))["logits"][0]
                for row in logits:
                    deviation = (sum(x * x for x in row) / len(row)) ** 0.5
                    self.assertTrue(1.5 < deviation < 6, deviation)  # the head is made for 3
                self.assertGreater(len({max(range(len(row)), key=row.__getitem__) for row in logits}), 8)

    def test_the_seed_decides_every_byte(self):
        def digest(out):
            return [hashlib.sha256(f.read_bytes()).hexdigest() for f in sorted(out.iterdir())]
        runs = []
        for name, seed in (("a", 1), ("b", 1), ("c", 2)):
            self.assertEqual(make("mlx", self.path / name, f"--seed={seed}").returncode, 0)
            runs.append(digest(self.path / name))
        self.assertEqual(runs[0], runs[1])
        self.assertNotEqual(runs[0], runs[2])

    def test_nothing_is_overwritten_and_bad_shapes_are_refused(self):
        self.assertEqual(make("mlx", self.path / "a").returncode, 0)
        done = make("mlx", self.path / "a")
        self.assertEqual(done.returncode, 1)
        self.assertIn("there already", done.stderr)
        done = make("gguf", self.path / "b.gguf", hidden=100)
        self.assertEqual(done.returncode, 1)
        self.assertIn("multiples of 64", done.stderr)
        self.assertFalse((self.path / "b.gguf").exists())


if __name__ == "__main__":
    MAKE, PROGRAM, TOKENIZER = sys.argv[1:4]
    unittest.main(argv=sys.argv[:1] + sys.argv[4:])
