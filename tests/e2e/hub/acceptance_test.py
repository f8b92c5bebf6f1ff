#!/usr/bin/env python3
"""Beside the Hub's own client, `huggingface_hub` from PyPI, in one cache: what it makes of ours, what we make of its.

HF_PYTHON names a Python that has it (tools/fetch_test_data.sh); without it all tests are skipped.
GPTOSS_HUB_ROUNDS: how often both tools start together (5)."""
import json
import os
import pathlib
import shutil
import signal
import unittest

import content
import faults
import harness
from harness import HF_PYTHON, SHARD1, SHARD2

SNAPSHOT = "import sys; from huggingface_hub import snapshot_download as s; print(s('acme/tiny', **eval(sys.argv[1])))"


@unittest.skipUnless(HF_PYTHON, "HF_PYTHON names no Python with huggingface_hub")
class AcceptanceCase(harness.HubCase):
    def start_python(self, script, *arguments, env=None):
        line = {"HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_HUB_DISABLE_UPDATE_CHECK": "1",
                "HF_HUB_DISABLE_TELEMETRY": "1"} | (env or {})
        run = harness.Running([HF_PYTHON, "-c", script, *arguments], self.env(**line), self.base)
        self.runs.append(run)
        return run

    def python(self, script, *arguments, env=None):
        return self.start_python(script, *arguments, env=env).wait()

    def hf(self, *arguments, env=None):
        """The command `hf`, without the program in bin/ whose first line names a folder."""
        return self.python("import sys; sys.argv[0] = 'hf'; from huggingface_hub.cli.hf import main; main()",
                           *arguments, env=env)

    def download(self, env=None, **arguments):
        return self.check_ok(self.python(SNAPSHOT, repr(arguments), env=env))

    def bodies(self):
        return [e for e in self.hub.log if e.method == "GET" and (e.origin == "cdn" or "resolve" in e.path)]


class OursThenTheirsTest(AcceptanceCase):
    def test_offline_snapshot(self):
        self.check_ok(self.install())
        run = self.download(env={"HF_HUB_OFFLINE": "1"})
        self.assertEqual(pathlib.Path(run.out.strip()), self.snapshot())
        self.download(local_files_only=True)

    def test_cache_is_well_formed(self):
        self.check_ok(self.install())
        listed = self.check_ok(self.hf("cache", "ls", "--show-warnings"))
        self.assertIn("acme/tiny", listed.out)
        self.assertNotRegex(listed.said, "(?i)warning")
        scan = self.check_ok(self.python(
            "from huggingface_hub import scan_cache_dir as s; i = s(); print(len(i.warnings),"
            " [(r.repo_id, r.size_on_disk, [sorted(v.refs) for v in r.revisions]) for r in i.repos],"
            " len(getattr(i, 'incomplete_files', ())))"))
        size = sum({f.etag: f.size for f in self.repo.files().values()}.values())
        self.assertEqual(scan.out.strip(), f"0 [('acme/tiny', {size}, [['main']])] 0")
        tree = json.loads((self.folder / "trees" / f"{self.repo.head}.json").read_text())
        self.assertEqual(sorted(tree["files"]), sorted(self.repo.files()))

    def test_verify(self):
        self.check_ok(self.install())
        self.check_ok(self.hf("cache", "verify", "acme/tiny", "--fail-on-missing-files", "--fail-on-extra-files"))

    def test_their_download_asks_for_nothing(self):
        self.check_ok(self.install())
        self.hub.take_log()
        self.check_ok(self.hf("download", "acme/tiny", "--revision", self.repo.head))
        self.check_ok(self.hf("download", "acme/tiny"))
        self.assertEqual(self.bodies(), [])

    def test_filtered_install(self):
        self.check_ok(self.install("--exclude", "original/*"))
        self.download(env={"HF_HUB_OFFLINE": "1"}, ignore_patterns=["original/*"])

    def test_without_symlinks(self):
        env = {"HF_HUB_DISABLE_SYMLINKS": "1"}
        self.check_ok(self.install(env=env))
        self.download(env=env | {"HF_HUB_OFFLINE": "1"})
        self.hub.take_log()
        self.download(env=env)
        self.assertEqual(self.bodies(), [])

    def test_their_delete_leaves_nothing_of_ours(self):
        self.check_ok(self.install())
        self.check_ok(self.hf("cache", "rm", "model/acme/tiny", "-y"))
        self.assertFalse(self.folder.exists())
        self.assertIn(self.gptoss("verify", "acme/tiny").code, (1,))
        self.check_ok(self.install())
        self.check_whole()

    def test_flip_on_disk_is_seen_by_both(self):
        self.check_ok(self.install())
        blob = self.blob(SHARD1)
        data = bytearray(blob.read_bytes())
        data[2_000_000] ^= 1
        blob.write_bytes(data)
        self.damaged.add(blob.name)
        self.check_failed(self.gptoss("verify", "acme/tiny", "--full"))
        self.assertNotEqual(self.hf("cache", "verify", "acme/tiny").code, 0)

    def test_failed_update_keeps_the_old_version_for_both(self):
        self.check_ok(self.install())
        old = self.repo.head
        self.repo.commit(content.model_files(self.shards, seed=2))
        self.hub.on(faults.close(), self.file(SHARD2).sha256, origin="cdn")
        self.check_failed(self.gptoss("update", "acme/tiny"))
        run = self.download(env={"HF_HUB_OFFLINE": "1"})
        self.assertEqual(pathlib.Path(run.out.strip()), self.snapshot(old))
        self.check_ok(self.gptoss("verify", "acme/tiny", "--full"))

    def test_prune_during_a_paused_install(self):
        self.check_ok(self.install())
        self.repo.commit(content.model_files(self.shards, seed=2))
        self.hub.take_log()
        held = faults.hold(1_500_000)
        self.hub.on(held, self.file(SHARD1).sha256, origin="cdn", times=1)
        run = self.start("update", "acme/tiny")
        self.hub.wait_sent(self.file(SHARD1).sha256, 1_500_000)
        run.signal(signal.SIGINT)
        run.wait()
        before = self.sent(SHARD1, self.hub.take_log())
        self.check_ok(self.hf("cache", "prune", "-y"))
        held.gate.set()
        self.hub.calm()
        self.check_ok(self.gptoss("update", "acme/tiny"))
        self.check_whole()
        self.check_resumed(SHARD1, before, self.sent(SHARD1))

    def test_delete_with_two_revisions_of_theirs(self):
        self.check_ok(self.install())
        old, files = self.repo.head, dict(self.repo.files())
        files["config.json"] = content.File(b'{"model_type": "gpt_oss", "two": 2}')
        self.repo.commit(files, ref="v2")
        self.download(revision="v2")
        self.check_ok(self.gptoss("delete", "acme/tiny", "--yes"))
        self.check_whole(self.repo.refs["v2"], ref="v2")
        self.check_ok(self.hf("cache", "verify", "acme/tiny", "--revision", "v2"))
        self.assertFalse(self.snapshot(old).exists())


class TheirsThenOursTest(AcceptanceCase):
    def test_nothing_is_fetched_again(self):
        self.download()
        self.hub.take_log()
        self.check_ok(self.install())
        self.assertEqual(self.bodies(), [])
        self.check_whole()
        self.check_ok(self.gptoss("verify", "acme/tiny", "--full"))

    def test_what_they_did_not_verify_we_do(self):
        self.hub.on(faults.flip(1_000_000), self.file(SHARD1).sha256, origin="cdn")
        self.download()  # accepted by them
        self.hub.calm()
        self.hub.take_log()
        self.check_ok(self.install())
        self.check_whole()
        self.assertEqual(self.sent(SHARD1), self.file(SHARD1).size)
        self.assertEqual(self.sent(SHARD2), 0)

    def test_cache_without_symlinks(self):
        env = {"HF_HUB_DISABLE_SYMLINKS": "1"}
        self.download(env=env)
        self.hub.take_log()
        self.check_ok(self.install(env=env))
        self.assertEqual(self.bodies(), [])
        self.check_ok(self.gptoss("verify", "acme/tiny", "--full"))

    def test_cache_with_hard_links(self):
        self.download()
        for path, file in self.repo.files().items():
            entry = self.snapshot() / path
            entry.unlink()
            os.link(self.folder / "blobs" / file.etag, entry)
        self.hub.take_log()
        self.check_ok(self.install())
        self.assertEqual(self.bodies(), [])
        self.check_ok(self.gptoss("verify", "acme/tiny", "--full"))

    def test_shared_store(self):
        """As their Xet downloads leave it: the blob is a link into a store that repositories share."""
        self.download()
        store, xet = self.cache / "blobs", "ab" + "0" * 62
        (store / "ab").mkdir(parents=True)
        (store / ".huggingface-shared-blobs").write_text("1\n")
        blob = self.blob(SHARD1)
        shutil.move(blob, store / "ab" / xet)
        os.chmod(store / "ab" / xet, 0o444)
        blob.symlink_to(f"../../blobs/ab/{xet}")
        (store / "ab" / f"{xet}.refs").write_text(f"models--acme--tiny/blobs/{blob.name}\n")
        self.hub.take_log()
        self.check_ok(self.install())
        self.assertEqual(self.bodies(), [])
        self.check_ok(self.gptoss("verify", "acme/tiny", "--full"))
        self.check_whole()
        self.download(env={"HF_HUB_OFFLINE": "1"})
        self.check_ok(self.gptoss("delete", "acme/tiny", "--yes"))
        self.assertEqual((store / "ab" / xet).read_bytes(), self.file(SHARD1).data, "the store is theirs to clean")

    def test_partials_of_theirs(self):
        """A client that was killed leaves its own partials: not taken, not touched."""
        self.hub.on(faults.hold(1_000_000), self.file(SHARD1).sha256, origin="cdn", times=1)
        theirs = self.start_python(SNAPSHOT, "{}")
        self.hub.wait_sent(self.file(SHARD1).sha256, 1_000_000)
        theirs.signal(signal.SIGKILL)
        theirs.wait()
        self.check_ok(self.install())
        self.assertEqual([n for n in self.leftovers() if "gptoss" in n], [])
        self.download(env={"HF_HUB_OFFLINE": "1"})


class TogetherTest(AcceptanceCase):
    def test_48_theirs_waits_for_ours(self):
        held = faults.hold(1_000_000)
        self.hub.on(held, self.file(SHARD1).sha256, origin="cdn", times=1)
        ours = self.start_install()
        self.hub.wait_sent(self.file(SHARD1).sha256, 1_000_000)
        theirs = self.start_python(SNAPSHOT, "{}")
        self.hub.wait(lambda log: any(e.user_agent.find("hf_hub") >= 0 and e.path.endswith(SHARD1) and e.complete
                                      for e in log))
        held.gate.set()
        self.check_ok(ours.wait())
        self.check_ok(theirs.wait())
        self.check_whole()
        self.assertEqual(self.sent(SHARD1), self.file(SHARD1).size)

    def test_48_ours_waits_for_theirs(self):
        held = faults.hold(1_000_000)
        self.hub.on(held, self.file(SHARD1).sha256, origin="cdn", times=1)
        theirs = self.start_python(SNAPSHOT, "{}")
        self.hub.wait_sent(self.file(SHARD1).sha256, 1_000_000)
        ours = self.start_install()
        ours.wait_said("another (process|program|tool)|waiting for")
        held.gate.set()
        self.check_ok(ours.wait())
        self.check_ok(theirs.wait())
        self.check_whole()
        self.assertEqual(self.sent(SHARD1), self.file(SHARD1).size)

    def test_48_started_together(self):
        for _ in range(int(os.environ.get("GPTOSS_HUB_ROUNDS", "5"))):
            self.hub.take_log()
            theirs, ours = self.start_python(SNAPSHOT, "{}"), self.start_install()
            self.check_ok(ours.wait())
            self.check_ok(theirs.wait())
            self.check_whole()
            for path in (SHARD1, SHARD2, "tokenizer.json"):
                self.assertEqual(self.sent(path), self.file(path).size, path)
            self.check_ok(self.gptoss("delete", "acme/tiny", "--yes"))
            shutil.rmtree(self.folder, ignore_errors=True)


if __name__ == "__main__":
    harness.main()
