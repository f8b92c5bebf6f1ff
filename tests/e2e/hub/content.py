"""Repositories as the Hub has them: commits that share blobs, small git files, large LFS files.

Every byte is a function of a seed, so that two runs speak of the same hashes.
"""
import dataclasses
import functools
import hashlib
import json
import random


def seeded_bytes(seed, size):
    return random.Random(seed).randbytes(size)


def git_blob_id(data):
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


@dataclasses.dataclass(frozen=True)
class File:
    data: bytes
    lfs: bool = False

    @functools.cached_property
    def sha256(self):
        return hashlib.sha256(self.data).hexdigest()

    @functools.cached_property
    def pointer(self):
        return (f"version https://git-lfs.github.com/spec/v1\noid sha256:{self.sha256}\n"
                f"size {len(self.data)}\n").encode()

    @functools.cached_property
    def git_oid(self):
        """What git has: the id of the file, or of the pointer for LFS."""
        return git_blob_id(self.pointer if self.lfs else self.data)

    @functools.cached_property
    def etag(self):
        """The name of the blob in the cache."""
        return self.sha256 if self.lfs else self.git_oid

    @property
    def size(self):
        return len(self.data)

    def tree_entry(self, path):
        entry = {"type": "file", "oid": self.git_oid, "size": self.size, "path": path}
        if self.lfs:
            entry["lfs"] = {"oid": self.sha256, "size": self.size, "pointerSize": len(self.pointer)}
        return entry


class Repo:
    """`refs` names commits; a commit is {path: File}. Settings are plain attributes, to be changed at will."""

    def __init__(self, name, *, private=False, gated=False, disabled=False, license_id="apache-2.0"):
        self.name, self.private, self.gated, self.disabled = name, private, gated, disabled
        self.license_id = license_id
        self.commits, self.refs = {}, {}

    def commit(self, files, ref="main", sha=None):
        sha = sha or hashlib.sha1(f"{self.name} {len(self.commits)} {sorted(files)}".encode()).hexdigest()
        self.commits[sha] = dict(files)
        self.refs[ref] = sha
        return sha

    def resolve(self, revision):
        if revision in self.commits:
            return revision
        return self.refs.get(revision)

    @property
    def head(self):
        return self.refs["main"]

    def files(self, revision="main"):
        return self.commits[self.resolve(revision)]

    def info(self, revision, blobs=False):
        sha = self.resolve(revision)
        siblings = []
        for path, file in self.commits[sha].items():
            sibling = {"rfilename": path}
            if blobs:
                sibling |= {"size": file.size, "blobId": file.git_oid}
                if file.lfs:
                    sibling["lfs"] = {"sha256": file.sha256, "size": file.size, "pointerSize": len(file.pointer)}
            siblings.append(sibling)
        return {
            "_id": "66" + "0" * 22, "id": self.name, "modelId": self.name, "author": self.name.split("/")[0],
            "sha": sha, "lastModified": "2025-08-05T17:00:00.000Z", "createdAt": "2025-08-04T17:00:00.000Z",
            "private": self.private, "gated": self.gated, "disabled": self.disabled, "downloads": 1, "likes": 1,
            "library_name": "transformers", "pipeline_tag": "text-generation",
            "tags": ["safetensors", f"license:{self.license_id}"], "cardData": {"license": self.license_id},
            "siblings": siblings, "usedStorage": sum(f.size for f in self.commits[sha].values()),
        }

    def tree(self, revision, under="", recursive=True):
        """Entries of the tree API, folders included, in the Hub's order (by path)."""
        files = self.commits[self.resolve(revision)]
        folders, entries = set(), []
        for path, file in files.items():
            parts = path.split("/")
            folders |= {"/".join(parts[:i]) for i in range(1, len(parts))}
            entries.append(file.tree_entry(path))
        entries += [{"type": "directory", "oid": git_blob_id(p.encode()), "size": 0, "path": p} for p in folders]
        prefix = under + "/" if under else ""
        entries = [e for e in entries if e["path"].startswith(prefix)]
        if not recursive:
            entries = [e for e in entries if "/" not in e["path"][len(prefix):]]
        return sorted(entries, key=lambda e: e["path"])


def safetensors(seed, size):
    """A well-formed safetensors file of exactly `size` bytes."""
    header, length = b"", -1
    while length != size - 8 - len(header):  # the header names the length of the data, which depends on its own
        length = size - 8 - len(header)
        text = json.dumps({f"weight.{seed}": {"dtype": "U8", "shape": [length], "data_offsets": [0, length]}})
        header = text.encode() + b" " * (-len(text) % 8)
    return len(header).to_bytes(8, "little") + header + seeded_bytes(seed, length)


def model_files(shards=(3_000_000, 2_000_000), seed=1, extra=None):
    """The files of a small but well-formed model in shards of these sizes."""
    names = [f"model-{i + 1:05}-of-{len(shards):05}.safetensors" for i in range(len(shards))]
    files = {
        "config.json": File(json.dumps({"model_type": "gpt_oss", "architectures": ["GptOssForCausalLM"],
                                        "vocab_size": 201088, "seed": seed}, indent=2).encode()),
        "generation_config.json": File(b'{"eos_token_id": [200002, 199999]}\n'),
        "tokenizer.json": File(seeded_bytes(f"tokenizer {seed}", 120_000), lfs=True),
        "tokenizer_config.json": File(b'{"tokenizer_class": "PreTrainedTokenizerFast"}\n'),
        "chat_template.jinja": File(b"{{ messages }}\n"),
        "LICENSE": File(b"Apache License, Version 2.0\nFree to use, and so on.\n"),
        "README.md": File(b"---\nlicense: apache-2.0\n---\n# A small model\n"),
        "original/notes.txt": File(b"in a folder of its own\n"),
    }
    weights = {}
    for i, (name, size) in enumerate(zip(names, shards)):
        files[name] = File(safetensors(f"{seed}.{i}", size), lfs=True)
        weights[f"weight.{seed}.{i}"] = name
    files["model.safetensors.index.json"] = File(json.dumps(
        {"metadata": {"total_size": sum(shards)}, "weight_map": weights}, indent=2).encode())
    files.update(extra or {})
    return files


def model_repo(name="acme/tiny", shards=(3_000_000, 2_000_000), seed=1, extra=None, **settings):
    repo = Repo(name, **settings)
    repo.commit(model_files(shards, seed, extra))
    return repo
