#!/usr/bin/env python3
"""Rows 44-47 and 50 of the fault matrix: processes that are killed, stopped, put to sleep, or are two.

GPTOSS_HUB_KILLS: how often one install is killed at a random moment (10)."""
import os
import random
import signal
import subprocess
import time

import content
import faults
import harness
from harness import MIB, SHARD1, SHARD2


class KillTest(harness.HubCase):
    knobs = harness.PARTS
    shards = (12_000_000, 1_000_000)

    def hold(self, size=700_000, path=SHARD1):
        """The program comes as far as `size` bytes of the file and waits."""
        held = faults.hold(size)
        self.hub.on(held, self.file(path).sha256, origin="cdn", times=1)
        run = self.start_install()
        self.hub.wait_sent(self.file(path).sha256, size)
        return held, run

    def resume(self, before, path=SHARD1, slack=4 * MIB):
        self.check_ok(self.install())
        self.check_whole()
        self.check_resumed(path, before, self.sent(path), slack)

    def test_44_killed(self):
        held, run = self.hold()
        run.signal(signal.SIGKILL)
        self.assertEqual(run.wait().code, -signal.SIGKILL)
        held.gate.set()
        self.check_not_published(SHARD1)
        self.hub.calm()
        self.resume(self.sent(SHARD1, self.hub.take_log()))

    def test_44_killed_at_random_moments(self):
        """Whatever the moment: the next run goes on, and at the end all is right and nothing is left over."""
        dice, kills = random.Random(os.environ.get("GPTOSS_HUB_SEED", "moments")), 0
        wanted = int(os.environ.get("GPTOSS_HUB_KILLS", "10"))
        total = sum(f.size for f in self.repo.files().values())
        self.hub.on(faults.trickle(32 * 1024, 0.001), origin="cdn")
        while kills < wanted:
            self.hub.take_log()
            goal = dice.randrange(total)
            run = self.start_install()
            while run.poll() and sum(e.sent for e in self.hub.log if e.origin == "cdn") < goal:
                time.sleep(0.002)
            if dice.random() < 0.3:
                time.sleep(dice.random() * 0.05)  # moments after the bytes: hashing, renaming, linking
            if run.poll():
                run.signal(signal.SIGKILL)
                run.wait()
                kills += 1
            else:
                self.check_ok(run)
            self.check_blobs()
            if self.ref() is not None:
                self.check_whole()
                self.check_ok(self.gptoss("delete", self.repo.name, "--yes"))
        self.check_ok(self.install())
        self.check_whole()

    def test_44_each_kill_costs_little(self):
        """Many kills in one download: on one connection each costs no more than the MiB that was being written."""
        self.hub.on(faults.trickle(64 * 1024, 0.002), self.file(SHARD1).sha256, origin="cdn")
        kills, sent = 5, 0
        for i in range(kills):
            run = self.start_install(env=harness.WHOLE)
            self.hub.wait_sent(self.file(SHARD1).sha256, sent + 2_000_000)
            run.signal(signal.SIGKILL)
            run.wait()
            sent = self.sent(SHARD1)
        self.hub.calm()
        self.check_ok(self.install())
        self.check_whole()
        self.assertLessEqual(self.sent(SHARD1), self.file(SHARD1).size + kills * (MIB + 256 * 1024))

    def test_45_interrupt(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(number):
                held, run = self.hold()
                run.signal(number)
                run.wait(30)
                self.assertIn(run.code, (130, 143) if number == signal.SIGTERM else (130,), run.said)
                self.assertRegex(run.err, "gptoss install")
                held.gate.set()
                self.check_not_published(SHARD1)
                self.hub.calm()
                self.resume(self.sent(SHARD1, self.hub.take_log()), slack=4 * MIB)
                self.check_ok(self.gptoss("delete", self.repo.name, "--yes"))
                self.hub.take_log()

    def test_45_interrupt_while_waiting(self):
        self.hub.on(faults.status(429, [("Retry-After", "30")]), "/tree/")
        run = self.start_install()
        self.hub.wait(lambda log: any("/tree/" in e.path and e.complete for e in log))
        run.signal(signal.SIGINT)
        self.assertEqual(run.wait(20).code, 130, run.said)

    def test_46_hang_up_of_the_terminal(self):
        held, run = self.hold()
        run.signal(signal.SIGHUP)
        run.wait(30)
        self.assertNotEqual(run.code, 0)
        held.gate.set()
        self.hub.calm()
        self.resume(self.sent(SHARD1, self.hub.take_log()))

    def hold_in_a_group(self):
        """As `hold`, in a process group of its own as a shell makes one: elsewhere the system lets SIGTSTP stop nobody. One
        connection a file: what others carry when they are closed counts as sent and comes again."""
        held = faults.hold(700_000)
        self.hub.on(held, self.file(SHARD1).sha256, origin="cdn", times=1)
        run = self.start_install(env=harness.WHOLE, popen={"process_group": 0})
        self.hub.wait_sent(self.file(SHARD1).sha256, 700_000)
        return held, run

    def test_stop_and_continue(self):
        held, run = self.hold_in_a_group()
        run.signal(signal.SIGTSTP)
        run.wait_stopped()
        held.gate.set()
        run.signal(signal.SIGCONT)
        self.check_ok(run.wait())
        self.check_whole()
        self.assertLessEqual(self.sent(SHARD1), self.file(SHARD1).size + MIB)

    def test_continued_before_it_stopped(self):
        """Who is slow to stop and is told to go on meanwhile does not stop afterwards, for ever."""
        held, run = self.hold_in_a_group()
        run.signal(signal.SIGTSTP)
        run.signal(signal.SIGCONT)
        time.sleep(1)  # in which it would stop
        held.gate.set()
        self.check_ok(run.wait())
        self.check_whole()

    def test_50_sleep(self):
        """The machine sleeps: connections die and signed URLs expire meanwhile."""
        held, run = self.hold()
        run.signal(signal.SIGSTOP)
        self.hub.drop_connections()
        self.hub.expire_urls()
        held.gate.set()
        run.signal(signal.SIGCONT)
        self.check_ok(run.wait())
        self.check_whole()
        self.assertLessEqual(self.sent(SHARD1), self.file(SHARD1).size + 2 * MIB)

    def test_output_goes_away(self):
        """`gptoss install --json | head -1`: whatever becomes of it, nothing is broken."""
        done = subprocess.run(["bash", "-c", '"$0" "$@" | head -1; exit ${PIPESTATUS[0]}', harness.PROGRAM,
                               *self.install_line("--json")], env=self.env(), capture_output=True, timeout=120)
        self.assertIn(done.returncode, (0, 1, 141), done.stderr)
        self.check_ok(self.install())
        self.check_whole()


class MemoryTest(harness.HubCase):
    knobs = harness.PARTS

    def make_repo(self):
        files = content.model_files((3_000_000, 2_000_000))
        files["large.bin"] = content.File(bytes(300_000_000), lfs=True)
        repo = content.Repo("acme/tiny")
        repo.commit(files)
        return repo

    def test_memory_does_not_grow_with_the_model(self):
        run = self.check_ok(self.install(env={"GPTOSS_HUB_PART_BYTES": str(8 * MIB), "GPTOSS_HUB_CONNECTIONS": "8"}))
        self.check_whole()
        self.assertLess(run.peak_kib, 64 * 1024)


class TwoTest(harness.HubCase):
    def test_47_two_installers(self):
        """One works, the other waits, says so, and is done without a byte of its own."""
        held = faults.hold(500_000)
        self.hub.on(held, self.file(SHARD1).sha256, origin="cdn", times=1)
        first = self.start_install()
        self.hub.wait_sent(self.file(SHARD1).sha256, 500_000)
        second = self.start_install()
        second.wait_said("another (process|gptoss|program|installer)|waiting for")
        self.assertTrue(first.poll())
        held.gate.set()
        self.check_ok(first.wait())
        self.check_ok(second.wait())
        self.check_whole()
        for path in self.repo.files():
            self.assertEqual(self.sent(path), self.file(path).size, path)

    def test_47_the_first_dies(self):
        """The one that waits takes over, from where the other was."""
        held = faults.hold(1_500_000)
        self.hub.on(held, self.file(SHARD1).sha256, origin="cdn", times=1)
        first = self.start_install()
        self.hub.wait_sent(self.file(SHARD1).sha256, 1_500_000)
        second = self.start_install()
        second.wait_said("another (process|gptoss|program|installer)|waiting for")
        first.signal(signal.SIGKILL)
        first.wait()
        held.gate.set()
        self.check_ok(second.wait())
        self.check_whole()
        self.assertLessEqual(self.sent(SHARD1), self.file(SHARD1).size + 2 * MIB)

    def test_47_many_at_once(self):
        runs = [self.start_install() for _ in range(5)]
        for run in runs:
            self.check_ok(run.wait())
        self.check_whole()
        for path in (SHARD1, SHARD2):
            self.assertEqual(self.sent(path), self.file(path).size)

    def test_install_while_deleting(self):
        self.check_ok(self.install())
        for _ in range(3):
            deleting = self.start("delete", self.repo.name, "--yes")
            installing = self.start_install()
            self.assertIn(deleting.wait().code, (0, 1), deleting.said)
            self.assertIn(installing.wait().code, (0, 1), installing.said)
            self.check_blobs()
        self.check_ok(self.install())
        self.check_whole()


if __name__ == "__main__":
    harness.main()
