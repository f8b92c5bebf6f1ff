#!/usr/bin/env python3
"""The commands around an installed model: install, list, show, verify, update, delete, export; no faults."""
import json
import os
import pathlib
import pty
import select
import tarfile
import time

import content
import harness
from harness import SHARD1, SHARD2


class InstallTest(harness.HubCase):
    def test_json_events(self):
        run = self.check_ok(self.install("--json"))
        events = self.events(run)
        self.assertGreater(len(events), 1)
        self.assertTrue(all(isinstance(e, dict) for e in events))
        self.assertIn(self.repo.head, run.out)

    def test_quiet(self):
        run = self.check_ok(self.install("--quiet"))
        self.assertEqual(run.err, "")

    def test_progress_in_plain_lines(self):
        run = self.check_ok(self.install())
        self.assertNotIn("\r", run.said)
        self.assertNotIn("\x1b", run.said)
        self.assertIn("acme/tiny", run.said)

    def test_licence_must_be_accepted(self):
        run = self.gptoss("install", "acme/tiny", "--yes")
        self.assertNotEqual(run.code, 0)
        self.assertRegex(run.err, "(?i)licen[cs]e.*--accept-license|--accept-license.*licen[cs]e")
        self.assertEqual([e for e in self.hub.log if e.origin == "cdn"], [])
        self.check_not_published(SHARD1)

    def test_acknowledgement_is_recorded(self):
        self.check_ok(self.install())
        texts = [p.read_text() for p in pathlib.Path(self.state).rglob("*.json")]
        manifests = [json.loads(t) for t in texts if self.repo.head in t]
        found = [m["acknowledgement"] for m in manifests if m.get("acknowledgement")]
        self.assertTrue(found, texts)
        self.assertEqual((found[0]["license"], found[0]["commit"]), ("apache-2.0", self.repo.head))
        self.assertRegex(found[0]["time"], r"^20\d\d-\d\d-\d\dT")

    def test_already_complete(self):
        self.check_ok(self.install())
        self.hub.take_log()
        before = {p: os.lstat(p).st_mtime_ns for p in self.cache.rglob("*")}
        run = self.check_ok(self.install())
        self.assertRegex(run.said, "(?i)already|up to date|complete")
        self.assertLessEqual(len(self.hub.log), 2)
        self.assertEqual({p: os.lstat(p).st_mtime_ns for p in self.cache.rglob("*")}, before)

    def test_by_commit_nothing_is_asked(self):
        self.check_ok(self.install("--revision", self.repo.head))
        self.hub.take_log()
        self.check_ok(self.install("--revision", self.repo.head))
        self.assertEqual(self.hub.log, [])

    def test_include_and_exclude(self):
        self.check_ok(self.install("--include", "*.json", "--exclude", "tokenizer*"))
        got = sorted(p.relative_to(self.snapshot()).as_posix() for p in self.snapshot().rglob("*") if p.is_file())
        self.assertEqual(got, ["config.json", "generation_config.json", "model.safetensors.index.json"])
        self.check_ok(self.gptoss("list"))

    def test_pattern_in_the_name(self):
        self.check_ok(self.install("acme/tiny:config.json"))
        self.assertEqual([p.name for p in self.snapshot().rglob("*")], ["config.json"])

    def test_revision_in_the_name(self):
        new = self.repo.commit(content.model_files(self.shards, seed=2), ref="v2")
        self.check_ok(self.install("acme/tiny@v2"))
        self.check_whole(new, ref="v2")

    def test_bad_names(self):
        for name in ("../x", "a/b/c", "a//b", "/etc", "a/..", "-x", "a/b@", "a b/c", "a--b/c", "a/b\nc", "a/b@../x",
                     "a/b:../x", "." * 300):
            with self.subTest(name):
                run = self.gptoss("install", "--accept-license", "--yes", "--", name)
                self.assertIn(run.code, (1, 2), run.said)
                self.assertEqual(run.err.count("gptoss: error:"), 1, run.err)
        self.assertFalse(self.cache.exists() and any(self.cache.glob("models--*")))

    def test_another_cache(self):
        other = self.base / "elsewhere"
        self.check_ok(self.install("--cache-dir", other))
        self.assertFalse(self.cache.exists())
        self.cache = other
        self.check_whole()

    def test_cache_by_the_environment(self):
        other = self.base / "elsewhere"
        for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
            self.check_ok(self.install(env={name: other / name}))
            self.assertTrue((other / name / "models--acme--tiny" / "refs" / "main").exists())
        self.check_ok(self.install(env={"HF_HOME": other / "home"}))
        self.assertTrue((other / "home" / "hub" / "models--acme--tiny" / "refs" / "main").exists())
        self.check_ok(self.install(env={"HF_HOME": None, "XDG_CACHE_HOME": other / "xdg"}))
        self.assertTrue((other / "xdg" / "huggingface" / "hub" / "models--acme--tiny" / "refs" / "main").exists())

    def test_endpoint_with_a_slash(self):
        self.check_ok(self.install(env={"HF_ENDPOINT": self.hub.endpoint + "/"}))
        self.check_whole()

    def test_without_symlinks(self):
        env = {"HF_HUB_DISABLE_SYMLINKS": "1"}
        self.check_ok(self.install(env=env))
        self.check_whole()
        self.assertFalse(any(p.is_symlink() for p in self.snapshot().rglob("*")))
        self.check_ok(self.gptoss("verify", "acme/tiny", "--full", env=env))
        self.hub.take_log()
        self.check_ok(self.install(env=env))
        self.assertEqual([e for e in self.hub.log if e.origin == "cdn"], [])

    def test_in_a_terminal(self):
        pid, terminal = pty.fork()
        if pid == 0:
            os.execve(harness.PROGRAM, [harness.PROGRAM, *self.install_line()], self.env(TERM="xterm"))
        text, deadline = b"", time.monotonic() + harness.TIMEOUT
        while time.monotonic() < deadline:
            if not select.select([terminal], [], [], 1)[0]:
                continue
            try:
                data = os.read(terminal, 65536)
            except OSError:
                break
            if not data:
                break
            text += data
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 0, text)
        os.close(terminal)
        self.assertIn(b"acme/tiny", text)
        self.check_whole()


class ManageTest(harness.HubCase):
    def setUp(self):
        super().setUp()
        self.check_ok(self.install())

    def test_list_and_show(self):
        run = self.check_ok(self.gptoss("list"))
        self.assertIn("acme/tiny", run.out)
        self.assertIn("verified", run.out)
        value = json.loads(self.check_ok(self.gptoss("list", "--json")).out)
        self.assertIn("acme/tiny", json.dumps(value))
        shown = self.check_ok(self.gptoss("show", "acme/tiny")).out
        for word in (self.repo.head, "apache-2.0", SHARD1):
            self.assertIn(word, shown)
        self.assertIn(self.file(SHARD1).sha256, self.check_ok(self.gptoss("show", "acme/tiny", "--json")).out)
        json.loads(self.runs[-1].out)

    def test_list_of_nothing(self):
        self.check_ok(self.gptoss("delete", "acme/tiny", "--yes"))
        self.check_ok(self.gptoss("list"))
        json.loads(self.check_ok(self.gptoss("list", "--json")).out)

    def test_unknown_model(self):
        for command in (["show", "acme/other"], ["verify", "acme/other"], ["delete", "acme/other", "--yes"],
                        ["update", "acme/other"], ["export", "acme/other", str(self.base / "x")]):
            self.check_failed(self.gptoss(*command), "acme/other")

    def test_verify(self):
        for how in ([], ["--quick"], ["--full"]):
            self.check_ok(self.gptoss("verify", "acme/tiny", *how))
        self.check_ok(self.gptoss("verify"))
        json.loads(self.check_ok(self.gptoss("verify", "acme/tiny", "--full", "--json")).out.splitlines()[-1])

    def test_update(self):
        self.hub.take_log()
        self.check_ok(self.gptoss("update", "acme/tiny"))
        self.assertEqual([e for e in self.hub.log if e.origin == "cdn"], [])
        old, files = self.repo.head, dict(self.repo.files())
        files[SHARD2] = content.File(content.safetensors("new", 2_000_000), lfs=True)
        files["model.safetensors.index.json"] = content.File(
            files["model.safetensors.index.json"].data.replace(b"weight.1.1", b"weight.new"))
        new = self.repo.commit(files)
        check = self.gptoss("update", "acme/tiny", "--check")
        self.assertIn(check.code, (0, 1), check.said)
        self.assertIn(new[:7], check.said)
        self.assertEqual(self.ref(), old)
        self.check_ok(self.gptoss("update", "acme/tiny"))
        self.check_whole(new)
        self.assertEqual(self.sent(SHARD1), 0)

    def test_delete_leaves_nothing(self):
        plan = self.check_ok(self.gptoss("delete", "acme/tiny", "--dry-run"))
        self.assertRegex(plan.said, r"5[.,]1\d* ?MB|4[.,]\d+ ?MiB|5[.,]?\d\d\d[.,]?\d\d\d")
        self.check_whole()
        self.check_ok(self.gptoss("delete", "acme/tiny", "--yes"))
        self.assertFalse(self.folder.exists() and any(p.is_file() or p.is_symlink() for p in self.folder.rglob("*")))
        self.assertNotIn("acme/tiny", self.gptoss("list").out)

    def test_delete_asks(self):
        run = self.gptoss("delete", "acme/tiny")
        self.assertNotEqual(run.code, 0)
        self.assertIn("--yes", run.err)
        self.check_whole()

    def test_delete_with_two_revisions(self):
        """Only what the other revision does not need goes."""
        old, files = self.repo.head, dict(self.repo.files())
        files["config.json"] = content.File(b'{"model_type": "gpt_oss", "two": 2}')
        new = self.repo.commit(files, ref="v2")
        self.check_ok(self.install("acme/tiny@v2"))
        listed = self.gptoss("list", "--json").out
        self.check_ok(self.gptoss("delete", "acme/tiny@v2", "--yes"))
        self.check_whole(old)
        self.assertFalse(self.snapshot(new).exists(), listed)
        self.assertFalse((self.folder / "blobs" / files["config.json"].etag).exists())

    def test_delete_keeps_what_another_tool_has(self):
        """A revision that another tool downloaded into the same cache keeps its blobs."""
        other = self.folder / "snapshots" / ("a" * 40)
        other.mkdir()
        (other / SHARD1).symlink_to(f"../../blobs/{self.file(SHARD1).etag}")
        (self.folder / "refs" / "theirs").write_text("a" * 40)
        self.check_ok(self.gptoss("delete", "acme/tiny", "--yes"))
        self.assertEqual((other / SHARD1).read_bytes(), self.file(SHARD1).data)
        self.assertFalse(self.blob(SHARD2).exists())

    def test_export_and_install_from(self):
        for target in ("exported", "exported.tar"):
            with self.subTest(target):
                path = self.base / target
                self.check_ok(self.gptoss("export", "acme/tiny", path))
                source = path
                if target.endswith(".tar"):
                    with tarfile.open(path) as archive:
                        names = archive.getnames()
                        path = self.base / "unpacked"
                        archive.extractall(path)  # ours; Debian 12's Python knows no filter yet
                    self.assertTrue(any(name.endswith(SHARD1) for name in names))
                    inner = [p for p in path.rglob("config.json")]
                    path = inner[0].parent
                self.assertEqual((path / SHARD1).read_bytes(), self.file(SHARD1).data)
                self.check_ok(self.gptoss("delete", "acme/tiny", "--yes"))
                self.hub.take_log()
                self.check_ok(self.install("acme/tiny", "--from", source, env={"HF_ENDPOINT": "http://127.0.0.1:9"}))
                self.assertEqual(self.hub.log, [])
                self.check_ok(self.gptoss("verify", "acme/tiny", "--full"))
                self.check_whole()

    def test_install_from_damaged(self):
        path = self.base / "exported"
        self.check_ok(self.gptoss("export", "acme/tiny", path))
        self.check_ok(self.gptoss("delete", "acme/tiny", "--yes"))
        data = bytearray((path / SHARD1).read_bytes())
        data[1_500_000] ^= 1
        (path / SHARD1).write_bytes(data)
        self.check_failed(self.install("acme/tiny", "--from", path), SHARD1, "hash|differ|damaged")
        self.check_not_published(SHARD1)

    def test_another_repository_with_the_same_files(self):
        copy = content.Repo("acme/copy")
        copy.commit(self.repo.files())
        self.hub.repos["acme/copy"] = copy
        self.check_ok(self.install("acme/copy"))
        self.check_ok(self.gptoss("delete", "acme/copy", "--yes"))
        self.check_whole()


class FoundTest(harness.HubCase):
    """Files that other tools have are taken instead of fetched, after their hash was seen to be right."""

    def check_taken(self, *paths):
        self.hub.take_log()
        self.check_ok(self.install())
        self.check_whole()
        for path in paths:
            self.assertEqual(self.sent(path), 0, path)

    def test_ollama(self):
        blobs = self.home / ".ollama" / "models" / "blobs"
        blobs.mkdir(parents=True)
        (blobs / f"sha256-{self.file(SHARD1).sha256}").write_bytes(self.file(SHARD1).data)
        self.check_taken(SHARD1)

    def test_ollama_damaged(self):
        blobs = self.home / ".ollama" / "models" / "blobs"
        blobs.mkdir(parents=True)
        data = bytearray(self.file(SHARD1).data)
        data[5] ^= 1
        (blobs / f"sha256-{self.file(SHARD1).sha256}").write_bytes(data)
        self.check_ok(self.install())
        self.check_whole()
        self.assertEqual(self.sent(SHARD1), self.file(SHARD1).size)

    def test_lm_studio(self):
        folder = self.home / ".lmstudio" / "models" / "acme" / "tiny"
        folder.mkdir(parents=True)
        (folder / SHARD2).write_bytes(self.file(SHARD2).data)
        self.check_taken(SHARD2)


if __name__ == "__main__":
    harness.main()
