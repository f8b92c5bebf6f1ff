#!/usr/bin/env python3
"""usage: bench/tokenizer_peers.py TOKENIZER_BENCH [TEXT...]        (TOKENIZER_BENCH: build/bench/tokenizer_bench)

Encodes and decodes the same texts with the same vocabulary, one thread, one program after the other: ours, npm's `tiktoken`
(WebAssembly), PyPI's `tiktoken` and PyPI's `tokenizers` (Hugging Face), the latter two native Rust. The peers are
installed below build/peers. Every id is compared. Best of nine runs each, loading left out (it is told apart).

Without texts: this project's sources as code, and the licence texts that Debian has in /usr/share/common-licenses as prose.
"""
import base64
import functools
import json
import os
import pathlib
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
PEERS = ROOT / "build/peers"
VOCABULARY = ROOT / "build/test-data/o200k/tokenizer.json"
PACKAGES = ["tiktoken==0.14.0", "tokenizers==0.23.2"]
NODE = r"""
const { readFileSync } = require("fs");
const { Tiktoken } = require("tiktoken");
const { performance } = require("perf_hooks");
let t = performance.now();
const o = require("tiktoken/encoders/o200k_base.json");
const e = new Tiktoken(o.bpe_ranks, o.special_tokens, o.pat_str);
console.log(JSON.stringify({ load_seconds: (performance.now() - t) / 1000 }));
for (const path of process.argv.slice(2)) {
  const bytes = readFileSync(path), text = bytes.toString("utf8");
  let encode = 1e9, decode = 1e9, ids, back;
  for (let i = 0; i < 9; i++) {
    t = performance.now(); ids = e.encode_ordinary(text); encode = Math.min(encode, performance.now() - t);
  }
  for (let i = 0; i < 9; i++) {
    t = performance.now(); back = Buffer.from(e.decode(ids)).toString("utf8"); decode = Math.min(decode, performance.now() - t);
  }
  console.log(JSON.stringify({ text: path, tokens: ids.length, same: back === text,
    hash: ids.reduce((h, id) => (Math.imul(h, 31) + id) >>> 0, 0),
    encode_mb_s: bytes.length / 1e3 / encode, decode_mb_s: bytes.length / 1e3 / decode }));
}
"""


def best(work, times=9):
    shortest = 1e9
    for _ in range(times):
        begin = time.perf_counter()
        result = work()
        shortest = min(shortest, time.perf_counter() - begin)
    return shortest, result


def worker(which, paths):
    """Runs inside build/peers/venv: one JSON object per line."""
    begin = time.perf_counter()
    if which == "tokenizers":
        import tokenizers

        # Without the added tokens: it would read control tokens out of the text, which ours never does.
        plain = {**json.load(open(VOCABULARY, encoding="utf-8")), "added_tokens": []}
        begin = time.perf_counter()
        tokenizer = tokenizers.Tokenizer.from_str(json.dumps(plain))
        encode = lambda text: tokenizer.encode(text, add_special_tokens=False).ids
        decode = lambda ids: tokenizer.decode(ids, skip_special_tokens=False)
    else:
        import tiktoken

        spec = json.load(open(PEERS / "node_modules/tiktoken/encoders/o200k_base.json", encoding="utf-8"))
        tokens = [base64.b64decode(t) for line in spec["bpe_ranks"].splitlines() for t in line.split(" ")[2:]]
        encoding = tiktoken.Encoding("o200k", pat_str=spec["pat_str"], mergeable_ranks={t: i for i, t in enumerate(tokens)},
                                     special_tokens=spec["special_tokens"])
        encode, decode = encoding.encode_ordinary, encoding.decode
    print(json.dumps({"load_seconds": time.perf_counter() - begin}))
    for path in paths:
        data = open(path, "rb").read()
        text = data.decode()
        encode_s, ids = best(lambda: encode(text))
        decode_s, back = best(lambda: decode(ids))
        print(json.dumps({"text": path, "tokens": len(ids), "same": back == text,
                          "hash": functools.reduce(lambda h, i: (h * 31 + i) & 0xFFFFFFFF, ids, 0),
                          "encode_mb_s": len(data) / 1e6 / encode_s, "decode_mb_s": len(data) / 1e6 / decode_s}))


def install():
    PEERS.mkdir(parents=True, exist_ok=True)
    if not (PEERS / "venv/ready").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", PEERS / "venv"], check=True)
        subprocess.run([PEERS / "venv/bin/pip", "install", "-q", "--disable-pip-version-check", *PACKAGES], check=True)
        (PEERS / "venv/ready").touch()
    if not (PEERS / "node_modules/tiktoken").exists():
        subprocess.run(["npm", "install", "--silent", "--no-save", "--prefix", PEERS, "tiktoken@1.0.22"], check=True)
    (PEERS / "peer.js").write_text(NODE)
    subprocess.run([ROOT / "tools/fetch_test_data.sh"], check=True)


def default_texts():
    code = sorted(p for p in (ROOT / "src").rglob("*") if p.suffix in (".cc", ".h"))
    prose = sorted(p for p in pathlib.Path("/usr/share/common-licenses").glob("*") if not p.is_symlink())
    for name, files in (("code", code), ("prose", prose)):
        if files:
            (PEERS / name).write_bytes(b"".join(p.read_bytes() for p in files))
            yield str(PEERS / name)


def cpu():
    for line in open("/proc/cpuinfo", encoding="utf-8"):
        if line.startswith("model name"):
            return line.split(":")[1].strip()
    return "unknown CPU"


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    if sys.argv[1] == "--worker":
        return worker(sys.argv[2], sys.argv[3:])
    install()
    texts = sys.argv[2:] or list(default_texts())
    one_thread = {**os.environ, "RAYON_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    python = [PEERS / "venv/bin/python", __file__, "--worker"]
    programs = {"gptoss": [sys.argv[1], "--tokenizer", VOCABULARY], "npm tiktoken": ["node", PEERS / "peer.js"],
                "PyPI tiktoken": [*python, "tiktoken"], "HF tokenizers": [*python, "tokenizers"]}
    print(f"{cpu()}; one thread; best of 9")
    rows, hashes = {}, {}
    for name, command in programs.items():
        output = subprocess.run([*command, *texts], check=True, capture_output=True, text=True, env=one_thread).stdout
        for line in output.splitlines():
            if not line.startswith("{"):
                continue
            result = json.loads(line)
            if "load_seconds" in result:
                print(f"{name:<15} loads in {1000 * result['load_seconds']:.0f} ms")
            elif "piece" in result:
                print(f"{name:<15} {result['piece']}: {1000 * result['seconds']:.0f} ms")
            elif "text" in result:
                text = os.path.basename(result["text"])
                rows.setdefault(text, []).append((name, result))
                hashes.setdefault(text, set()).add(result["hash"])
                if not result["same"]:
                    sys.exit(f"{name}: decoding {text} does not give the text back")
    for text, results in rows.items():
        print(f"\n{text}: {os.path.getsize([t for t in texts if os.path.basename(t) == text][0]) / 1e6:.2f} MB, "
              f"{results[0][1]['tokens']} tokens, ids {'equal' if len(hashes[text]) == 1 else 'DIFFERENT'}")
        for kind in ("encode_mb_s", "decode_mb_s"):
            peers = max(result[kind] for name, result in results if name != "gptoss")
            speeds = ", ".join(f"{name} {result[kind]:.1f}" for name, result in results)
            print(f"  {kind[:6]} MB/s: {speeds}; {results[0][1][kind] / peers:.1f} times the fastest peer")
    if any(len(h) != 1 for h in hashes.values()):
        sys.exit(1)


if __name__ == "__main__":
    main()
