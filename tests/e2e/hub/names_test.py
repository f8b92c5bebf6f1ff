#!/usr/bin/env python3
"""Rows 36-43 and 54-58 of the fault matrix: names, numbers and listings that a Hub must not be believed, and folders
that are not what they look like."""
import json
import os
import shutil

import content
import faults
import harness
from harness import SHARD1, SHARD2


class HostileListingTest(harness.HubCase):
    """Refused as a whole, before anything is written and before a body is asked for."""

    def refused(self, fault, *patterns, path="/tree/"):
        before = self.everything()
        self.hub.calm()
        self.hub.on(fault, path)
        run = self.install()
        self.check_failed(run, *patterns)
        self.assertEqual([e for e in self.hub.log if "/resolve" in e.path or e.origin != "hub"], [])
        after = self.everything()
        new = [p for p in after if p not in before and not p.startswith("state")]
        self.assertEqual(new, [])
        for line in run.err.split("\n"):
            self.assertFalse(any(ord(c) < 32 or 127 <= ord(c) < 160 for c in line), f"control characters in {line!r}")

    def refused_names(self, *names):
        for name in names:
            with self.subTest(name):
                self.refused(faults.add_entry(name))

    def test_36_ways_out(self):
        self.refused_names("../evil", "a/../../evil", "..", "a/..", "/etc/evil", "//host/share", "./a", "a//b", "a/",
                           ".", "")

    def test_36_drives_and_shares(self):
        self.refused_names("C:/evil", "C:evil", "c:\\evil", "\\\\host\\share\\x", "\\\\?\\C:\\x")

    def test_37_backslash(self):
        self.refused_names("a\\b", "..\\..\\evil")

    def test_38_control_characters(self):
        self.refused_names("a\nb", "a\x1b[31mred", "a\0b", "a\x7fb", "a\x85b")

    def test_38_too_long(self):
        self.refused_names("a" * 256, "é" * 128, "b/" + "a" * 256, "/".join(["abcdefgh"] * 300))

    def test_38_not_utf8(self):
        entry = b'{"type": "file", "oid": "%s", "size": 3, "path": "bad\xff\xfe.json"}' % (b"0" * 40)
        self.refused(faults.raw_json(b"[" + entry + b"]"))
        self.refused(faults.raw_json(b"[" + entry.replace(b"\xff\xfe", b"\\ud800") + b"]"))

    def test_40_file_and_folder(self):
        self.refused(faults.add_entry("config.json/inner.json"), "config.json")
        self.refused(faults.add_entry("original"), "original")

    def test_40_twice(self):
        self.refused(faults.add_entry("config.json"), "config.json")

    def test_41_hashes(self):
        for oid in ("../../../../x", "0" * 39, "0" * 41, "g" * 40, "", "0" * 38 + "/x", 17, None):
            with self.subTest(oid):
                self.refused(faults.add_entry("extra.json", oid=oid))
        for sha in ("../" * 20 + "x", "0" * 63, "z" * 64, "", 5, None):
            with self.subTest(sha):
                self.refused(faults.add_entry("extra.bin", lfs={"oid": sha, "size": 3, "pointerSize": 100}))

    def test_41_commit(self):
        for sha in ("../../..", "main", "0" * 39, "0" * 64, "", 7, None, ["0" * 40]):
            with self.subTest(sha):
                self.refused(faults.as_json(lambda info: info | {"sha": sha}),
                             path="^/api/models/[^/]+/[^/]+(/revision/main)?$")

    def test_55_sizes(self):
        for size in (-1, 2**63, 2**64, 2**70, 1e300, 0.5, "3", None, 300 * 10**12):
            with self.subTest(size):
                self.refused(faults.add_entry("extra.bin", size=size,
                                              lfs={"oid": "1" * 64, "size": size, "pointerSize": 100}))

    def test_55_sizes_that_disagree(self):
        self.refused(faults.add_entry("extra.bin", size=3, lfs={"oid": "1" * 64, "size": 4, "pointerSize": 100}))

    def test_54_empty(self):
        self.refused(faults.as_json(lambda entries: []))

    def test_54_short(self):
        self.refused_later(faults.as_json(lambda entries: [e for e in entries if e["path"] != SHARD2]),
                           "part 2 of model-")

    def refused_later(self, fault, *patterns):
        """What shows only when the first files have come: nothing is published as a model."""
        self.hub.on(fault, "/tree/")
        self.check_failed(self.install(), *patterns)
        self.assertIsNone(self.ref())

    def test_57_odd_json(self):
        for data in (b"", b"null", b"{}", b'{"error": "x"}', b"[1]", b'["a"]', b"[[]]", b"[{}]", b"not json",
                     b"[" * 100_000, b'[{"type": "file"}]', b'[{"type": 1, "path": 2, "size": 3, "oid": 4}]'):
            with self.subTest(data[:40]):
                self.refused(faults.raw_json(data))

    def test_57_broken_off(self):
        self.refused(faults.truncate_json(400))

    def test_57_info_of_another_form(self):
        for data in (b"[]", b"null", b'"x"', b"{}"):
            with self.subTest(data):
                self.refused(faults.raw_json(data), path="^/api/models/[^/]+/[^/]+(/revision/main)?$")

    def test_56_compressed_bomb(self):
        self.hub.on(faults.gzip_bomb(400_000_000), "/tree/")
        run = self.check_failed(self.install(), "127.0.0.1")
        self.assertLess(run.peak_kib, 200 * 1024)

    def test_56_not_the_compression_it_says(self):
        self.hub.gzip = False
        self.refused(faults.header("Content-Encoding", "gzip"))

    def test_57_listing_of_200_000(self):
        entries = [{"type": "file", "oid": "%040x" % i, "size": 3, "path": f"f/{i:06}.bin"} for i in range(200_000)]
        pages = [json.dumps(entries[at:at + 10_000]).encode() for at in range(0, len(entries), 10_000)]

        def page(exchange, response):
            at = int(exchange.request.query.get("cursor", "0"))
            response.headers.drop("Content-Encoding")
            response.body = pages[at]
            if at + 1 < len(pages):
                response.headers.set("Link", f'<{self.hub.endpoint}/api/models/acme/tiny/tree/{self.repo.head}'
                                             f'?recursive=true&cursor={at + 1}>; rel="next"')
            return response
        self.hub.on(faults.fault("pages", page), "/tree/")
        run = self.check_failed(self.install(), "files|entries|large")
        self.assertLess(run.peak_kib, 300 * 1024)
        self.check_not_published(SHARD1)

    def test_55_other_size_at_the_file(self):
        # The listing says one size, /resolve/ another; the listing's is what was agreed to.
        self.hub.on(faults.header("X-Linked-Size", "40000000000"), f"/resolve/.*/{SHARD1}")
        run = self.install()
        if run.code == 0:
            self.check_whole()
        else:
            self.check_failed(run, SHARD1)
            self.check_not_published(SHARD1)

    def test_41_other_hash_at_the_file(self):
        for value in ('"../../../x"', f'"{"1" * 64}"', '"zzz"', ""):
            with self.subTest(value):
                self.hub.calm()
                self.hub.on(faults.header("X-Linked-Etag", value), f"/resolve/.*/{SHARD1}")
                run = self.install()
                if run.code == 0:  # the listing's hash is the one that counts
                    self.check_whole()
                    self.check_ok(self.gptoss("delete", self.repo.name, "--yes"))
                else:
                    self.check_failed(run, SHARD1)

    def test_41_other_commit_at_the_file(self):
        self.hub.on(faults.header("X-Repo-Commit", "../../x"), "/resolve/")
        run = self.install()
        self.assertIn(run.code, (0, 1), run.said)
        self.assertEqual([p for p in os.listdir(self.base) if p not in ("home", "state", "hf")
                          and not p.endswith((".out", ".err"))], [])


class FriendlyListingTest(harness.HubCase):
    def test_39_names_that_differ_in_case(self):
        files = dict(self.repo.files())
        files["readme.MD"] = content.File(b"another\n")
        self.repo.commit(files)
        self.check_ok(self.install())  # this disk tells them apart; where one does not, unit tests say what happens
        self.check_whole()

    def test_names_that_need_quoting(self):
        files = dict(self.repo.files())
        for i, name in enumerate(("a b.txt", "100%.txt", "a#b?c&d=e+f.txt", "ünïcode/日本.txt", "%2e%2e/x.txt",
                                  "a'b\"c.txt", "~/x", "-rf", "a;b|c.txt", "COM1.txt")):
            files[name] = content.File(b"content %d\n" % i, lfs=i % 2 == 1)
        self.repo.commit(files)
        self.check_ok(self.install())
        self.check_whole()

    def test_pages_and_revisions(self):
        self.hub.page_size = 2
        old = self.repo.head
        new = self.repo.commit(content.model_files(self.shards, seed=2), ref="refs/pr/1")
        self.check_ok(self.install("--revision", "refs/pr/1"))
        self.assertEqual((self.folder / "refs" / "refs" / "pr" / "1").read_text(), new)
        self.check_whole(new, ref=None)
        self.check_ok(self.install("--revision", old))
        self.check_whole(old, ref=None)

    def test_empty_file(self):
        self.repo.commit(dict(self.repo.files()) | {"empty.txt": content.File(b""),
                                                    "empty.bin": content.File(b"", lfs=True)})
        self.check_ok(self.install())
        self.check_whole()

    def test_two_files_with_one_content(self):
        files = dict(self.repo.files())
        files["copy.safetensors"] = files[SHARD1]
        files["copy.json"] = files["config.json"]
        self.repo.commit(files)
        self.check_ok(self.install())
        self.check_whole()
        self.assertEqual(self.sent(SHARD1), self.file(SHARD1).size)


class OddFolderTest(harness.HubCase):
    def outside(self):
        path = self.base / "outside"
        path.mkdir(exist_ok=True)
        return path

    def test_42_blobs_is_a_link_out(self):
        self.folder.mkdir(parents=True)
        (self.folder / "blobs").symlink_to(self.outside())
        self.check_failed(self.install(), "blobs", "link")
        self.assertEqual(os.listdir(self.outside()), [])

    def test_42_snapshots_and_refs_are_links_out(self):
        for name in ("snapshots", "refs", "trees"):
            with self.subTest(name):
                self.folder.mkdir(parents=True, exist_ok=True)
                (self.folder / name).symlink_to(self.outside())
                self.check_failed(self.install(), name, "link")
                self.assertEqual(os.listdir(self.outside()), [])
                shutil.rmtree(self.folder)

    def test_42_the_root_may_be_a_link(self):
        self.cache.parent.mkdir(parents=True)
        self.cache.symlink_to(self.outside())
        self.check_ok(self.install())
        self.check_whole()

    def test_43_snapshot_entry_links_elsewhere(self):
        secret = self.outside() / "secret"
        secret.write_text("mine")
        self.snapshot().mkdir(parents=True)
        (self.snapshot() / "config.json").symlink_to(secret)
        (self.snapshot() / SHARD1).symlink_to("/dev/zero")
        self.check_ok(self.install())
        self.check_whole()
        self.assertEqual(secret.read_text(), "mine")

    def test_43_partial_and_journal_are_links(self):
        victim = self.outside() / "victim"
        victim.write_text("mine")
        blobs = self.folder / "blobs"
        blobs.mkdir(parents=True)
        for end in ("gptoss-part", "gptoss-journal"):
            (blobs / f"{self.file(SHARD1).etag}.{end}").symlink_to(victim)
        self.install()
        self.assertEqual(victim.read_text(), "mine")

    def test_58_odd_trees_json(self):
        for text in ("", "{", "[]", '{"format_version": 1, "files": {}}', '{"format_version": 99}', "\0" * 100):
            with self.subTest(text):
                trees = self.folder / "trees"
                trees.mkdir(parents=True, exist_ok=True)
                (trees / f"{self.repo.head}.json").write_text(text)
                self.check_ok(self.install())
                self.check_whole()
                stored = json.loads((trees / f"{self.repo.head}.json").read_text())
                self.assertEqual(sorted(stored["files"]), sorted(self.repo.files()))
                self.check_ok(self.gptoss("delete", self.repo.name, "--yes"))

    def test_58_odd_ref(self):
        self.check_ok(self.install())
        for text in ("", "../..", "\0" * 40, "g" * 40, self.repo.head + "\n", self.repo.head[:39]):
            with self.subTest(text):
                (self.folder / "refs" / "main").write_text(text)
                self.hub.take_log()
                self.check_ok(self.install())
                self.check_whole()
                self.assertEqual([e for e in self.hub.log if e.origin == "cdn"], [])

    def test_58_odd_journal(self):
        for data in (b"", b"\0" * 64, b"{", b"\xff" * 5000, b'{"version": 99}'):
            with self.subTest(data[:8]):
                blobs = self.folder / "blobs"
                blobs.mkdir(parents=True, exist_ok=True)
                (blobs / f"{self.file(SHARD1).etag}.gptoss-journal").write_bytes(data)
                (blobs / f"{self.file(SHARD1).etag}.gptoss-part").write_bytes(b"x" * 1000)
                self.check_ok(self.install())
                self.check_whole()
                self.check_ok(self.gptoss("delete", self.repo.name, "--yes"))

    def test_foreign_partials_are_let_be(self):
        blobs = self.folder / "blobs"
        blobs.mkdir(parents=True)
        foreign = [blobs / f"{self.file(SHARD1).etag}.{end}" for end in
                   ("incomplete", "1a2b3c4d.incomplete", "downloadInProgress")]
        for path in foreign:
            path.write_bytes(b"garbage")
        self.check_ok(self.install())
        self.assertEqual([p.read_bytes() for p in foreign], [b"garbage"] * 3)
        for path in foreign:
            path.unlink()
        self.check_whole()


if __name__ == "__main__":
    harness.main()
