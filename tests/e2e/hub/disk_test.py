#!/usr/bin/env python3
"""Rows 31-35 and 51-53 of the fault matrix: disks that are full, closed, or changed behind our back."""
import os
import pathlib
import re
import resource
import shutil
import subprocess
import sys

import faults
import harness
from harness import MIB, SHARD1, SHARD2

# A process of its own, so that a mount is seen by nobody else and goes with it.
TMPFS = ["unshare", "--mount", "--propagation", "private", "sh", "-c",
         'mount -t tmpfs -o size="$1" tmpfs "$2" && shift 2 && exec "$@"', "sh"]
# The one file system whose quotas need nothing but itself. $1 image, $2 where, $3 limit.
QUOTA = ["unshare", "--mount", "--propagation", "private", "sh", "-c",
         'mkfs.btrfs -f -q "$1" && mount -o loop "$1" "$2" && btrfs quota enable "$2" && btrfs qgroup limit "$3" 0/5 "$2" && '
         'shift 3 && exec "$@"', "sh"]


def may_mount():
    if sys.platform != "linux" or os.geteuid() != 0 or not shutil.which("unshare"):
        return False
    return subprocess.run([*TMPFS, "1m", "/mnt", "true"], capture_output=True).returncode == 0


def may_set_quota(folder):
    image, there = folder / "image", folder / "there"
    there.mkdir()
    with open(image, "wb") as out:
        out.truncate(300_000_000)
    return may_mount() and bool(shutil.which("btrfs")) and subprocess.run(
        [*QUOTA, image, there, "100m", "true"], capture_output=True).returncode == 0


class FullDiskTest(harness.HubCase):
    def test_31_too_little_before_the_first_byte(self):
        self.check_failed(self.install(env={"GPTOSS_HUB_DISK_MARGIN": str(10**15)}), "disk|space|free",
                                r"\d+([.,]\d+)? ?[KMGT]i?B")
        self.assertEqual([e for e in self.hub.log if e.origin == "cdn"], [])
        self.check_not_published(SHARD1)

    def test_31_small_disk(self):
        if not may_mount():
            self.skipTest("mounting a tmpfs needs root")
        self.cache.mkdir(parents=True)
        run = harness.Running([*TMPFS, "4m", self.cache, harness.PROGRAM, *self.install_line()], self.env(), self.base)
        self.runs.append(run)
        self.check_failed(run.wait(), "disk|space|free")
        self.assertEqual([e for e in self.hub.log if e.origin == "cdn"], [])

    def test_31_what_was_set_aside_is_not_needed_again(self):
        """Killed with all its space reserved, the next run does not ask for that space once more."""
        if not may_mount():
            self.skipTest("mounting a tmpfs needs root")
        self.cache.mkdir(parents=True)
        script = self.base / "again.sh"
        script.write_text('"$@" & pid=$!\n'
                          f'while [ ! -e {self.base}/go ]; do sleep 0.02; done\n'
                          'kill -9 $pid; wait $pid; df -k --output=avail "$HF_HOME/hub" | tail -1; "$@"\n')
        held = faults.hold(300_000)
        for path in (SHARD1, SHARD2):
            self.hub.on(held, self.file(path).sha256, origin="cdn", times=1)
        line = [*TMPFS, "8m", self.cache, "sh", script, harness.PROGRAM, *self.install_line()]
        run = harness.Running(line, self.env(GPTOSS_HUB_DISK_MARGIN="0"), self.base)
        self.runs.append(run)
        for path in (SHARD1, SHARD2):
            self.hub.wait_sent(self.file(path).sha256, 300_000)
        (self.base / "go").touch()
        run.wait_said(r"(^|\n) *\d+\n")
        held.gate.set()
        self.check_ok(run.wait())

    def test_33_quota_of_the_kernel(self):
        """Over quota: said as that, nothing published; with a larger one the next run goes on."""
        if not may_set_quota(self.base):
            self.skipTest("a quota needs root and btrfs")
        self.cache.mkdir(parents=True)
        script = self.base / "quota.sh"
        script.write_text(f'"$@"; echo "first $?, then" $(ls {self.folder}/refs 2>/dev/null)\n'
                          f'btrfs qgroup limit none 0/5 {self.cache} && "$@"; code=$?; echo "second $code"\n'
                          f'cd {self.folder}/blobs && sha256sum * && exit $code\n')
        line = [*QUOTA, self.base / "image", self.cache, "4m", "sh", script, harness.PROGRAM, *self.install_line()]
        run = harness.Running(line, self.env(GPTOSS_HUB_DISK_MARGIN="0"), self.base)
        self.runs.append(run)
        self.assertEqual(run.wait().code, 0, run.said)
        self.assertIn("first 1, then\n", run.out)
        self.assertRegex(run.err, "gptoss: error: .*quota on that disk is used up.*bytes are needed")
        self.assertIn("second 0", run.out)
        for name in (SHARD1, SHARD2):
            sha256 = self.file(name).sha256
            self.assertIn(f"{sha256}  {sha256}\n", run.out)
        self.assertNotIn(".gptoss-", run.out)

    def test_32_disk_fills_up(self):
        """Something else takes the space while we download: stop, say how much is needed, keep what is there; with
        space again, go on."""
        if not may_mount():
            self.skipTest("mounting a tmpfs needs root")
        self.cache.mkdir(parents=True)
        script = self.base / "fill.sh"
        script.write_text('"$@" & pid=$!\n'
                          f'while [ ! -e {self.base}/go ]; do sleep 0.02; done\n'
                          f'head -c 100000000 /dev/zero >{self.cache}/filler 2>/dev/null\n'
                          f'touch {self.base}/filled; wait $pid; echo "first $?"\n'
                          f'rm {self.cache}/filler; "$@"; code=$?; echo "second $code"\n'
                          f'cd {self.folder}/blobs && ls && exit $code\n')
        held = faults.hold(300_000)
        self.hub.on(held, self.file(SHARD1).sha256, origin="cdn", times=1)
        line = [*TMPFS, "9m", self.cache, "sh", script, harness.PROGRAM, *self.install_line()]
        run = harness.Running(line, self.env(GPTOSS_HUB_DISK_MARGIN="0"), self.base)
        self.runs.append(run)
        self.hub.wait_sent(self.file(SHARD1).sha256, 300_000)
        (self.base / "go").touch()
        while not (self.base / "filled").exists():
            self.assertTrue(run.poll(), run.said)
        held.gate.set()
        run.wait()
        self.assertEqual(run.code, 0, run.said)
        self.assertIn("second 0", run.out)
        if "first 0" not in run.out:  # else the space was reserved before: nothing could be taken from us
            self.assertRegex(run.err, r"(?i)gptoss: error: .*(space|disk|full)")
        for path in (SHARD1, SHARD2):
            self.assertIn(self.file(path).etag, run.out)
        self.assertNotIn(".gptoss-", run.out)

    def test_33_file_size_limit(self):
        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (MIB, MIB))
        self.check_failed(self.install(popen={"preexec_fn": limit}), SHARD1 + "|" + SHARD2,
                          "large|limit|space|quota")
        self.check_not_published(SHARD1)
        self.hub.take_log()
        self.check_ok(self.install())
        self.check_whole()

    def test_33_few_descriptors(self):
        def limit():
            resource.setrlimit(resource.RLIMIT_NOFILE, (12, 12))
        run = self.install(popen={"preexec_fn": limit})
        if run.code != 0:
            self.check_failed(run)
            self.check_ok(self.install())
        self.check_whole()


class ClosedDiskTest(harness.HubCase):
    def setUp(self):
        super().setUp()
        os.chmod(self.base, 0o755)
        self.program = harness.PROGRAM
        if os.geteuid() == 0:
            self.program = self.base / "gptoss"  # where anybody may run it
            shutil.copy(shutil.which(harness.PROGRAM), self.program)
            for folder in (self.home, self.base / "state", self.base / "hf"):
                folder.mkdir(exist_ok=True)
                os.chown(folder, 65534, 65534)

    def as_nobody(self, *arguments, env=None):
        """The run is an ordinary user's, to whom permissions matter."""
        run = harness.Running([self.program, *arguments], self.env(**(env or {})), self.base, **harness.as_nobody())
        self.runs.append(run)
        return run.wait()

    def close_cache(self):
        for folder, folders, files in os.walk(self.cache):
            for name in files:
                path = os.path.join(folder, name)
                if not os.path.islink(path):
                    os.chmod(path, 0o444)
            os.chmod(folder, 0o555)

    def test_34_read_only_and_complete(self):
        self.check_ok(self.as_nobody(*self.install_line()))
        self.close_cache()
        before = self.everything()
        self.check_ok(self.as_nobody(*self.install_line()))
        self.check_ok(self.as_nobody("verify", self.repo.name, "--full"))
        self.check_ok(self.as_nobody("list"))
        after = self.everything()
        self.assertEqual({p: v for p, v in after.items() if p.startswith("hf")},
                         {p: v for p, v in before.items() if p.startswith("hf")})

    def test_35_read_only_and_incomplete(self):
        self.check_ok(self.as_nobody(*self.install_line()))
        self.blob(SHARD1).unlink()
        self.close_cache()
        self.hub.take_log()
        self.check_failed(self.as_nobody(*self.install_line()), "permission|read-only|write",
                          str(self.cache).replace(".", r"\."))
        self.assertEqual([e for e in self.hub.log if e.origin == "cdn"], [])

    def test_35_folder_of_somebody_else(self):
        self.cache.mkdir(parents=True)
        os.chmod(self.cache, 0o555)
        self.check_failed(self.as_nobody(*self.install_line()), "permission|write", "hub")
        self.assertEqual([e for e in self.hub.log if e.origin == "cdn"], [])

    def test_35_records_of_somebody_else(self):
        self.state.mkdir(exist_ok=True)
        if os.geteuid() == 0:
            os.chown(self.state, 0, 0)
        os.chmod(self.state, 0o555)
        self.check_failed(self.as_nobody(*self.install_line()), "cannot write in " + re.escape(str(self.state)),
                          "permission denied", "GPTOSS_STATE_DIR")
        self.assertEqual(self.hub.log, [])

    def test_35_cache_is_a_file(self):
        self.cache.parent.mkdir(exist_ok=True)
        self.cache.write_text("no folder")
        self.check_failed(self.install(), "hub", "folder|directory")


class ChangedDiskTest(harness.HubCase):
    def setUp(self):
        super().setUp()
        self.check_ok(self.install())
        self.hub.take_log()

    def state_of(self):
        listed = self.check_ok(self.gptoss("list", "--json"))
        models = [m for line in listed.out.splitlines() for m in self._models(harness.json.loads(line))]
        found = [m for m in models if self.repo.name in (m.get("model"), m.get("repository"))]
        self.assertEqual(len(found), 1, listed.out)
        return found[0].get("integrity") or found[0].get("state")

    def _models(self, value):
        if isinstance(value, dict) and isinstance(value.get("installed"), list):
            return value["installed"]
        return value if isinstance(value, list) else [value]

    def check_repaired(self, *paths):
        """--repair fetches these and nothing else."""
        self.check_ok(self.gptoss("verify", self.repo.name, "--repair"))
        self.check_whole()
        for path in self.repo.files():
            self.assertEqual(self.sent(path), self.file(path).size if path in paths else 0, path)
        self.check_ok(self.gptoss("verify", self.repo.name, "--full"))
        self.assertEqual(self.state_of(), "verified")

    def test_51_truncated(self):
        blob = self.blob(SHARD1)
        os.truncate(blob, 1000)
        for how in ("--quick", "--full"):
            self.check_failed(self.gptoss("verify", self.repo.name, how), "acme/tiny", "damaged|incomplete|repair")
            self.assertIn(SHARD1, self.runs[-1].said)
        self.assertIn(self.state_of(), ("damaged", "incomplete", "changed"))
        self.check_repaired(SHARD1)

    def test_51_flipped_on_disk(self):
        blob = self.blob(SHARD1)
        with open(blob, "r+b") as stored:
            stored.seek(1_500_000)
            byte = stored.read(1)[0]
            stored.seek(1_500_000)
            stored.write(bytes([byte ^ 1]))
        self.check_failed(self.gptoss("verify", self.repo.name, "--full"), "acme/tiny")
        self.assertIn(SHARD1, self.runs[-1].said)
        self.check_repaired(SHARD1)

    def test_51_flipped_with_its_time_put_back(self):
        blob, times = self.blob(SHARD2), os.stat(self.blob(SHARD2))
        with open(blob, "r+b") as stored:
            stored.seek(1_000_000)
            byte = stored.read(1)[0]
            stored.seek(1_000_000)
            stored.write(bytes([byte ^ 1]))
        os.utime(blob, ns=(times.st_atime_ns, times.st_mtime_ns))
        self.check_failed(self.gptoss("verify", self.repo.name, "--full"))
        self.check_repaired(SHARD2)

    def test_51_installing_again_repairs(self):
        os.truncate(self.blob(SHARD1), 1000)
        self.check_ok(self.install())
        self.check_whole()
        self.assertEqual(self.sent(SHARD2), 0)

    def test_52_blob_in_use(self):
        """Who has a blob open keeps its bytes, whether it is repaired or deleted meanwhile."""
        data = self.file(SHARD1).data
        with open(self.blob(SHARD1), "rb") as reader:
            inode = os.fstat(reader.fileno()).st_ino
            (self.snapshot() / SHARD1).unlink()
            self.blob(SHARD1).unlink()
            self.check_repaired(SHARD1)
            self.assertNotEqual(os.stat(self.blob(SHARD1)).st_ino, inode)
            self.assertTrue(reader.read() == data)
        with open(self.blob(SHARD1), "rb") as reader:
            self.check_ok(self.gptoss("delete", self.repo.name, "--yes"))
            self.assertTrue(reader.read() == data)

    def test_53_partly_deleted(self):
        (self.snapshot() / "config.json").unlink()
        (self.snapshot() / SHARD2).unlink()
        self.blob(SHARD2).unlink()
        run = self.check_failed(self.gptoss("verify", self.repo.name))
        for path in ("config.json", SHARD2):
            self.assertIn(path, run.said)
        self.check_repaired(SHARD2)

    def test_53_snapshot_folder_deleted(self):
        shutil.rmtree(self.snapshot())
        self.check_failed(self.gptoss("verify", self.repo.name))
        self.check_repaired()

    def test_53_all_deleted_by_another_tool(self):
        shutil.rmtree(self.folder)
        self.check_failed(self.gptoss("verify", self.repo.name))
        self.check_ok(self.install())
        self.check_whole()

    def test_53_manifest_deleted(self):
        shutil.rmtree(self.state)
        self.check_ok(self.install())
        self.assertEqual([e for e in self.hub.log if e.origin == "cdn"], [])
        self.check_whole()
        self.assertEqual(self.state_of(), "verified")

    def test_53_manifest_damaged(self):
        manifests = [p for p in pathlib.Path(self.state).rglob("*.json")]
        self.assertTrue(manifests)
        for data in (b"", b"{", b"[]", b"\0" * 1000, b'{"schema": 99}', b'{"schema": 1}'):
            with self.subTest(data[:20]):
                for path in manifests:
                    path.write_bytes(data)
                listed = self.gptoss("list")
                self.assertIn(listed.code, (0, 1), listed.said)
                self.check_ok(self.install())
                self.check_ok(self.gptoss("verify", self.repo.name, "--full"))
        self.assertEqual([e for e in self.hub.log if e.origin == "cdn"], [])


if __name__ == "__main__":
    harness.main()
