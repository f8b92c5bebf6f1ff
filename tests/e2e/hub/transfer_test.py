#!/usr/bin/env python3
"""Rows 1-18 of the fault matrix: what happens to bodies on their way. Every row runs twice: files in one stream each,
and files in ranged parts. (README.md has the table of rows and tests.)"""

import faults
import harness
from harness import MIB, SHARD1, SHARD2


class Rows:
    """SHARD1 has 3,000,000 bytes; the faults hit the CDN."""

    def cdn(self, fault, path="", **limits):
        blob = self.file(path).sha256 + "$" if path else ""
        return self.hub.on(fault, blob, origin="cdn", method="GET", **limits)

    def fail_after(self, size, path=SHARD1):
        """A first run that gets `size` bytes of the file and then nothing more; returns the bytes sent."""
        self.cdn(faults.fin(size), path, times=1)
        self.cdn(faults.close(), path, skip=1)
        run = self.check_failed(self.install())
        self.check_not_published(path)
        self.hub.calm()
        sent = self.sent(path, self.hub.take_log())
        self.assertGreater(sent, 0)
        return run, sent

    def test_plain_install(self):
        self.check_ok(self.install())
        self.check_whole()
        for path in self.repo.files():
            # A range whose second half another connection takes over is cut; a little more was on its way.
            self.assertGreaterEqual(self.sent(path), self.file(path).size, path)
            self.assertLessEqual(self.sent(path), self.file(path).size + self.cut, path)

    def test_01_fin_mid_body(self):
        self.cdn(faults.fin(700_000), SHARD1, times=3)
        self.check_ok(self.install())
        self.check_whole()
        self.assertLessEqual(self.sent(SHARD1), self.file(SHARD1).size + 64 * 1024)
        self.assertTrue(any(e.start for e in self.hub.log if e.origin == "cdn"))

    def test_02_rst_mid_body(self):
        self.cdn(faults.rst(700_000), SHARD1, times=3)
        self.check_ok(self.install())
        self.check_whole()
        self.assertLessEqual(self.sent(SHARD1), self.file(SHARD1).size + MIB)

    def test_03_cut_again_and_again(self):
        # Far more cuts than retries: every byte of progress gives new patience.
        self.cdn(faults.fin(150_000), SHARD1)
        self.check_ok(self.install())
        self.check_whole()
        self.assertLessEqual(self.sent(SHARD1), self.file(SHARD1).size + MIB)
        self.assertGreaterEqual(len([e for e in self.hub.log if e.fault == "fin"]), 20)

    def test_04_no_byte_each_time(self):
        run, before = self.fail_after(1_000_000)
        self.check_failed(run, SHARD1, "127.0.0.1", "gptoss install|same command")
        self.check_ok(self.install())
        self.check_whole()
        self.check_resumed(SHARD1, before, self.sent(SHARD1))

    def test_05_stall(self):
        self.cdn(faults.hold(700_000), SHARD1, times=1)
        run = self.check_ok(self.install(env={"HF_HUB_DOWNLOAD_TIMEOUT": "1"}))
        self.check_whole()
        self.assertLessEqual(self.sent(SHARD1), self.file(SHARD1).size + MIB)
        self.assertRegex(run.err, r"127\.0\.0\.1: nothing came from the server for 1 seconds?; connecting again")

    def test_06_trickle(self):
        self.cdn(faults.trickle(500, 0.1), SHARD1, times=1)
        self.check_ok(self.install(env={"HF_HUB_DOWNLOAD_TIMEOUT": "1", "GPTOSS_HUB_MIN_RATE": "100000"}))
        self.check_whole()
        self.assertGreater(len([e for e in self.hub.log if e.path.endswith(self.file(SHARD1).sha256)]), 1)

    def test_07_range_ignored(self):
        _, before = self.fail_after(1_000_000)
        self.cdn(faults.ignore_range(), SHARD1)
        self.check_ok(self.install())
        self.check_whole()
        self.assertLessEqual(self.sent(SHARD1), 2 * self.file(SHARD1).size + 2 * MIB)

    def test_08_partial_answer_from_zero(self):
        _, before = self.fail_after(1_000_000)
        self.cdn(faults.from_zero(), SHARD1, times=1)
        self.check_ok(self.install())
        self.check_whole()

    def test_08_partial_answer_from_zero_always(self):
        self.fail_after(1_000_000)
        self.cdn(faults.from_zero(), SHARD1)
        run = self.install()
        if run.code == 0:  # the whole file asked for without a range, which is as good
            self.check_whole()
        else:
            self.check_failed(run, SHARD1, "127.0.0.1", "range|asked")
            self.check_not_published(SHARD1)

    def test_09_lying_content_range(self):
        for wrong in ({"shift": 5}, {"total": 7}):
            with self.subTest(wrong):
                self.hub.take_log()
                self.fail_after(1_000_000)
                self.cdn(faults.lying_range(**wrong), SHARD1, times=1)
                self.check_ok(self.install())
                self.check_whole()
                self.gptoss("delete", self.repo.name, "--yes")

    def test_09_other_bytes_under_the_right_range(self):
        self.fail_after(1_000_000)
        self.cdn(faults.lying_range(body_shift=3), SHARD1, times=1)
        self.check_ok(self.install())
        self.check_whole()

    def test_09_partial_answer_without_a_range(self):
        self.fail_after(1_000_000)
        self.cdn(faults.no_content_range(), SHARD1, times=1)
        self.check_ok(self.install())
        self.check_whole()

    def test_10_not_satisfiable(self):
        self.fail_after(1_000_000)
        self.cdn(faults.not_satisfiable(), SHARD1, times=1)
        self.check_ok(self.install())
        self.check_whole()

    def test_11_signed_url_expires(self):
        def cut_and_expire(exchange, response):
            exchange.hub.expire_urls()
            return faults.fin(700_000)(exchange, response)
        self.cdn(faults.fault("fin and expire", cut_and_expire), SHARD1, times=1)
        self.check_ok(self.install())
        self.check_whole()
        self.assertTrue(any(e.status == 403 for e in self.hub.log))
        self.assertLessEqual(self.sent(SHARD1), self.file(SHARD1).size + MIB)

    def test_12_shorter(self):
        self.cdn(faults.shorter(1000), SHARD1)
        self.check_failed(self.install(), SHARD1, "127.0.0.1")
        self.check_not_published(SHARD1)
        self.hub.calm()
        self.hub.take_log()
        self.check_ok(self.install())
        self.check_whole()
        self.assertLessEqual(self.sent(SHARD1), self.file(SHARD1).size + MIB)

    def test_13_longer(self):
        self.cdn(faults.longer(1000), SHARD1)
        run = self.install()
        if run.code == 0:  # what came after the end was not asked for, and the hash of the rest is right
            self.check_whole()
        else:
            self.check_failed(run, SHARD1, "127.0.0.1")
            self.check_not_published(SHARD1)

    def test_14_wrong_bytes(self):
        self.cdn(faults.flip(1_234_567), SHARD1)
        self.check_failed(self.install(), SHARD1, "127.0.0.1", "hash|sha-?256|damaged|differ", "again|try|run|report")
        self.check_not_published(SHARD1)
        self.assertLessEqual(self.sent(SHARD1), 2 * (self.file(SHARD1).size + self.cut))
        self.hub.calm()
        self.check_ok(self.install())
        self.check_whole()

    def test_14_wrong_bytes_once(self):
        self.cdn(faults.flip(1_234_567, once=True), SHARD1)
        self.check_ok(self.install())
        self.check_whole()

    def test_15_wrong_bytes_of_a_small_file(self):
        self.hub.on(faults.flip(10), "resolve-cache.*/config.json$", method="GET")
        self.check_failed(self.install(), "config.json", "127.0.0.1", "hash|differ|damaged")
        self.check_not_published("config.json")
        self.hub.calm()
        self.check_ok(self.install())
        self.check_whole()

    def test_16_bytes_change_on_resume(self):
        self.fail_after(1_500_000)
        self.cdn(faults.flip(2_900_000, only_resumed=True, once=True), SHARD1)
        self.check_ok(self.install())
        self.check_whole()

    def test_16_another_etag_on_resume(self):
        _, before = self.fail_after(1_500_000)
        self.hub.cdn_salt = "8"
        self.check_ok(self.install())
        self.check_whole()
        self.assertLessEqual(self.sent(SHARD1), self.file(SHARD1).size + MIB)

    def test_16_no_etag_at_the_cdn(self):
        self.hub.cdn_salt = None
        _, before = self.fail_after(1_500_000)
        self.check_ok(self.install())
        self.check_whole()
        self.check_resumed(SHARD1, before, self.sent(SHARD1))

    def test_17_commit_moves_between_runs(self):
        _, before = self.fail_after(1_500_000)
        old = self.repo.head
        changed = dict(self.repo.files())
        changed["config.json"] = harness.content.File(b'{"model_type": "gpt_oss", "changed": true}')
        new = self.repo.commit(changed)
        self.check_ok(self.install())
        self.check_whole(new)
        self.assertNotEqual(self.ref(), old)
        self.check_resumed(SHARD1, before, self.sent(SHARD1))

    def test_17_commit_moves_during_a_run(self):
        held = faults.hold(500_000)
        self.cdn(held, SHARD1, times=1)
        run = self.start_install()
        self.hub.wait_sent(self.file(SHARD1).sha256, 500_000)
        old = self.repo.head
        self.repo.commit(harness.content.model_files(self.shards, seed=2))
        held.gate.set()
        self.check_ok(run.wait())
        self.check_whole(old)

    def test_18_update_fails_midway(self):
        self.check_ok(self.install())
        old, files = self.repo.head, dict(self.repo.files())
        newer = harness.content.model_files(self.shards, seed=2)
        files[SHARD2], files["config.json"] = newer[SHARD2], newer["config.json"]
        new = self.repo.commit(files)
        self.hub.take_log()
        self.cdn(faults.fin(500_000), SHARD2, times=1)
        self.cdn(faults.close(), SHARD2, skip=1)
        self.check_failed(self.gptoss("update", self.repo.name), SHARD2)
        self.assertEqual(self.ref(), old)
        for path, file in self.repo.commits[old].items():
            self.assertTrue((self.snapshot(old) / path).read_bytes() == file.data, path)
        self.check_ok(self.gptoss("verify", self.repo.name, "--full"))
        self.hub.calm()
        self.check_ok(self.gptoss("update", self.repo.name))
        self.check_whole(new)
        self.assertEqual(self.sent(SHARD1), 0)
        self.assertLessEqual(self.sent(SHARD2), self.file(SHARD2).size + MIB)


class WholeFileTest(Rows, harness.HubCase):
    knobs, cut = harness.WHOLE, 0


class PartsTest(Rows, harness.HubCase):
    knobs, cut = harness.PARTS, MIB

    def test_plain_install(self):
        for path in (SHARD1, SHARD2):  # as on a line: loopback holds megabytes that a cut throws away
            self.cdn(faults.trickle(32 * 1024, 0.003), path)
        super().test_plain_install()


if __name__ == "__main__":
    harness.main()
