#!/usr/bin/env python3
"""Rows 32, 33, 49 and 50 of the fault matrix, call by call: no space, no quota, no locks, a clock that jumps. Linux; needs a
C compiler for what is preloaded (failing_calls.c)."""
import atexit
import errno
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

import faults
import harness
from harness import SHARD1, SHARD2


def build():
    """The file to preload, or None."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if sys.platform != "linux" or not compiler:
        return None
    folder = tempfile.mkdtemp(prefix="gptoss-calls-")
    atexit.register(shutil.rmtree, folder)
    library = pathlib.Path(folder) / "failing_calls.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library,
                    pathlib.Path(__file__).parent / "failing_calls.c", "-ldl"], check=True)
    return library


LIBRARY = build()


class CallsCase(harness.HubCase):
    shards = (700_000, 400_000)

    def setUp(self):
        super().setUp()
        if LIBRARY is None:
            self.skipTest("no C compiler, or not Linux")
        self.mark = self.base / "mark"

    def failing(self, call, number, after=0, **extra):
        return {"LD_PRELOAD": str(LIBRARY), "FAIL_CALL": call, "FAIL_ERRNO": str(number), "FAIL_AFTER": str(after),
                "FAIL_UNDER": str(self.base / "hf"), "FAIL_MARK": str(self.mark)} | extra

    def check_call(self, call, step=1):
        """Its first, second, third… call in the cache fails, each in an install of its own."""
        count = after = 0
        while True:
            self.mark.unlink(missing_ok=True)
            shutil.rmtree(self.base / "hf", ignore_errors=True)
            shutil.rmtree(self.state, ignore_errors=True)
            number, said = ((errno.EDQUOT, "quota|Disk quota"), (errno.ENOSPC, "full|No space"))[count % 2]
            run = self.install(env=self.failing(call, number, after))
            if not self.mark.exists():
                break
            count += 1
            if run.code == 0:
                self.check_whole()  # it was not needed
            else:
                self.check_failed(run, said)
                self.assertIsNone(self.ref(), f"{call} {after}")
            self.check_blobs()
            self.check_ok(self.install())
            self.check_whole()
            after += step
        self.assertGreater(count, 0, f"{call} is never called in the cache")


class QuotaTest(CallsCase):
    def test_33_pwrite(self):
        self.check_call("pwrite", step=7)

    def test_33_write(self):
        self.check_call("write")

    def test_33_fallocate(self):
        self.check_call("fallocate")

    def test_33_fdatasync(self):
        self.check_call("fdatasync")

    def test_33_fsync(self):
        self.check_call("fsync")

    def test_33_rename(self):
        self.check_call("rename")

    def test_33_new_files(self):
        self.check_call("openat")

    def test_33_new_folders(self):
        self.check_call("mkdir")

    def test_33_input_output_error(self):
        """The disk is broken: no promise about what is there, but nothing damaged gets its place."""
        for call in ("pwrite", "fdatasync", "fsync"):
            run = self.install(env=self.failing(call, errno.EIO, 3))
            if run.code != 0:
                self.check_failed(run, "error")
            self.check_blobs()
        self.check_ok(self.install())
        self.check_whole()


class NoLocksTest(CallsCase):
    knobs = harness.PARTS
    shards = (3_000_000, 2_000_000)

    def check_two(self, number):
        """Two at once, where locks do not exclude: double traffic at worst, both whole."""
        held = faults.hold(500_000)
        self.hub.on(held, self.file(SHARD1).sha256, origin="cdn", times=1)
        first = self.start_install(env=self.failing("flock", number))
        self.hub.wait_sent(self.file(SHARD1).sha256, 500_000)
        second = self.install(env=self.failing("flock", number))
        held.gate.set()
        self.check_ok(first.wait())
        self.check_ok(second)
        self.assertTrue(self.mark.exists())
        self.check_whole()

    def test_49_flock_always_succeeds(self):
        self.check_two(0)

    def test_49_flock_is_not_supported(self):
        self.check_two(errno.ENOLCK)


class ClockTest(CallsCase):
    def test_50_the_clock_jumps(self):
        """A year ahead and back by turns: stalls are seen, waits are waited, in the usual time."""
        self.hub.on(faults.hold(100_000), self.file(SHARD1).sha256, origin="cdn", times=1)
        self.hub.on(faults.status(503), self.file(SHARD2).sha256, origin="cdn", times=2)
        begin = time.monotonic()
        run = self.install("--json", env={"LD_PRELOAD": str(LIBRARY), "CLOCK_JUMPS": "1",
                                            "HF_HUB_DOWNLOAD_TIMEOUT": "1"})
        self.check_ok(run)
        self.check_whole()
        self.assertGreaterEqual(time.monotonic() - begin, 1)
        self.assertLess(time.monotonic() - begin, 60)
        for event in self.events(run):
            if event["type"] == "progress" and event["eta_seconds"] is not None:
                self.assertLess(event["eta_seconds"], 600)


if __name__ == "__main__":
    harness.main()
