#!/usr/bin/env python3
"""The fake Hub is what it says: the protocol by hand, every fault seen by a plain client, and the Hub's own client.

Usage: fake_hub_test.py [unittest arguments]      HF_PYTHON names a Python that has huggingface_hub.
"""
import gzip
import http.client
import json
import os
import re
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.parse

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import certificates
import content
import faults
from fake_hub import FakeHub, body_bytes

SHARD = "model-00001-of-00002.safetensors"


class Answer:
    def __init__(self, response):
        self.status, self.headers = response.status, response.headers
        try:
            self.body, self.whole = response.read(), True
        except http.client.IncompleteRead as cut:
            self.body, self.whole = cut.partial, False


def ask(url, method="GET", headers=None, context=None, timeout=20):
    """One request, no redirects followed."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme == "https":
        connection = http.client.HTTPSConnection(parts.hostname, parts.port, timeout=timeout, context=context)
    else:
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout)
    try:
        connection.request(method, url[len(f"{parts.scheme}://{parts.netloc}"):], headers=headers or {})
        return Answer(connection.getresponse())
    finally:
        connection.close()


class Case(unittest.TestCase):
    def setUp(self):
        self.repo = content.model_repo(shards=(300_000, 200_000))
        self.hub = FakeHub([self.repo])
        self.addCleanup(self.hub.close)

    def api(self, rest="", **headers):
        return ask(f"{self.hub.endpoint}/api/models/acme/tiny{rest}", headers=headers)

    def resolve(self, path, method="GET", **headers):
        return ask(f"{self.hub.endpoint}/acme/tiny/resolve/main/{path}", method, headers)

    def location(self, path=SHARD):
        return self.resolve(path, "HEAD").headers["Location"]


class ProtocolTest(Case):
    def test_info_names_the_commit(self):
        info = json.loads(self.api("/revision/main").body)
        self.assertEqual(info["sha"], self.repo.head)
        self.assertEqual(json.loads(self.api().body)["cardData"]["license"], "apache-2.0")
        self.repo.refs["refs/pr/1"] = self.repo.head
        self.assertEqual(self.api("/revision/refs%2Fpr%2F1").status, 200)
        missing = self.api("/revision/nope")
        self.assertEqual((missing.status, missing.headers["X-Error-Code"]), (404, "RevisionNotFound"))

    def test_tree_in_pages(self):
        self.hub.page_size = 5
        url, paths = f"{self.hub.endpoint}/api/models/acme/tiny/tree/main?recursive=true", []
        while url:
            answer = ask(url)
            paths += [e["path"] for e in json.loads(answer.body) if e["type"] == "file"]
            link = re.match(r'<(.+)>; rel="next"', answer.headers["Link"] or "")
            url = link and link[1]
        self.assertEqual(paths, sorted(self.repo.files()))
        self.assertEqual(len(self.hub.log), 3)

    def test_json_is_compressed_on_request_only(self):
        self.assertIsNone(self.api().headers["Content-Encoding"])
        answer = self.api(**{"Accept-Encoding": "gzip, deflate"})
        self.assertEqual(answer.headers["Content-Encoding"], "gzip")
        json.loads(gzip.decompress(answer.body))

    def test_large_file_is_elsewhere(self):
        file = self.repo.files()[SHARD]
        head = self.resolve(SHARD, "HEAD")
        self.assertEqual(head.status, 302)
        self.assertEqual(head.headers["X-Repo-Commit"], self.repo.head)
        self.assertEqual(head.headers["X-Linked-Etag"], f'"{file.sha256}"')
        self.assertEqual(head.headers["X-Linked-Size"], str(file.size))
        self.assertTrue(head.headers["Location"].startswith(self.hub.url("cdn")))
        self.assertEqual(ask(head.headers["Location"]).body, file.data)

    def test_small_file(self):
        file = self.repo.files()["config.json"]
        answer = self.resolve("config.json")
        self.assertEqual(answer.status, 307)
        self.hub.small_redirect = False
        answer = self.resolve("config.json")
        self.assertEqual((answer.status, answer.body), (200, file.data))
        self.assertEqual(answer.headers["ETag"], f'"{file.git_oid}"')
        missing = self.resolve("nope.json")
        self.assertEqual((missing.status, missing.headers["X-Error-Code"]), (404, "EntryNotFound"))

    def test_git_ids_are_gits(self):
        self.assertEqual(content.git_blob_id(b"hello\n"), "ce013625030ba8dba906f756967f9e9ca394464a")

    def test_ranges(self):
        url, data = self.location(), self.repo.files()[SHARD].data
        tag = ask(url, "HEAD").headers["ETag"]
        part = ask(url, headers={"Range": "bytes=1000-1999", "If-Range": tag})
        self.assertEqual((part.status, part.body), (206, data[1000:2000]))
        self.assertEqual(part.headers["Content-Range"], "bytes 1000-1999/300000")
        self.assertEqual(ask(url, headers={"Range": "bytes=299990-"}).body, data[-10:])
        self.assertEqual(ask(url, headers={"Range": "bytes=-5"}).body, data[-5:])
        self.assertEqual(ask(url, headers={"Range": "bytes=0-9", "If-Range": '"other"'}).status, 200)
        beyond = ask(url, headers={"Range": "bytes=300000-"})
        self.assertEqual((beyond.status, beyond.headers["Content-Range"]), (416, "bytes */300000"))

    def test_signed_urls_expire(self):
        url = self.location()
        self.assertEqual(ask(url).status, 200)
        self.hub.expire_urls()
        self.assertEqual(ask(url).status, 403)
        self.assertEqual(ask(self.location()).status, 200)
        self.assertEqual(ask(url.replace("Signature=", "Signature=0")).status, 403)

    def test_who_may_read(self):
        self.hub.tokens = {"hf_in": ["acme/tiny"], "hf_out": []}
        self.repo.gated = "auto"
        cases = [({}, 401), ({"Authorization": "Bearer hf_out"}, 403), ({"Authorization": "Bearer hf_in"}, 307)]
        for headers, status in cases:
            self.assertEqual(self.resolve("config.json", **headers).status, status)
        self.assertEqual(self.resolve("config.json").headers["X-Error-Code"], "GatedRepo")
        self.assertEqual(self.api().status, 200)
        self.repo.gated, self.repo.private = False, True
        self.assertEqual(self.api().headers["X-Error-Code"], "RepoNotFound")
        self.assertEqual([self.api(**headers).status for headers, _ in cases], [401, 404, 200])
        self.repo.private, self.repo.disabled = False, True
        self.assertIn("disabled", self.api().headers["X-Error-Message"])
        self.assertEqual(self.api(Authorization="Bearer wrong").status, 401)
        self.assertTrue(any(e.secret for e in self.hub.log))

    def test_log(self):
        with tempfile.TemporaryDirectory() as folder:
            with FakeHub([self.repo], log_file=f"{folder}/log") as hub:
                ask(f"{hub.endpoint}/acme/tiny/resolve/main/LICENSE", headers={"Authorization": "Bearer x"})
                # The entry is written when the answer has gone out, so the client may be faster.
                deadline = time.monotonic() + 30
                while not os.path.getsize(f"{folder}/log") and time.monotonic() < deadline:
                    time.sleep(0.01)
            with open(f"{folder}/log", encoding="utf-8") as log:
                lines = [json.loads(line) for line in log]
        self.assertEqual([(e["method"], e["path"], e["authorization"], e["status"]) for e in lines],
                         [("GET", "/acme/tiny/resolve/main/LICENSE", True, 401)])

    def test_tls(self):
        if not certificates.available():
            self.skipTest("no openssl program")
        with tempfile.TemporaryDirectory() as folder:
            authority = certificates.Authority(folder)
            trusting = ssl.create_default_context(cafile=str(authority.ca))
            with FakeHub([self.repo], tls=authority.context()) as hub:
                answer = ask(f"{hub.endpoint}/acme/tiny/resolve/main/{SHARD}", context=trusting)
                body = ask(answer.headers["Location"], context=trusting).body
                self.assertEqual(body, self.repo.files()[SHARD].data)
                with self.assertRaises(ssl.SSLCertVerificationError):
                    ask(hub.endpoint, context=ssl.create_default_context())
            for settings in ({"days": -1, "label": "old"}, {"names": "DNS:elsewhere.example", "label": "moved"}):
                with FakeHub([self.repo], tls=authority.context(**settings)) as hub:
                    with self.assertRaises(ssl.SSLCertVerificationError):
                        ask(hub.endpoint, context=trusting)

    def test_proxy(self):
        port = int(self.hub.url("proxy").rsplit(":", 1)[1])
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        connection.request("GET", f"{self.hub.endpoint}/api/models/acme/tiny")
        self.assertEqual(json.loads(connection.getresponse().read())["id"], "acme/tiny")
        connection.close()
        tunnel = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        hub = urllib.parse.urlsplit(self.hub.endpoint)
        tunnel.set_tunnel("127.0.0.1", hub.port)
        tunnel.request("GET", "/api/models/acme/tiny")
        self.assertEqual(tunnel.getresponse().status, 200)
        tunnel.close()
        self.assertEqual([e.method for e in self.hub.log if e.origin == "proxy"], ["GET", "CONNECT"])


class FaultTest(Case):
    def body(self, fault, **headers):
        self.hub.calm()
        self.hub.on(fault, origin="cdn")
        return ask(self.location(), headers=headers)

    def test_cuts(self):
        data = self.repo.files()[SHARD].data
        for make in (faults.fin, faults.fin_at):
            cut = self.body(make(100_000))
            self.assertEqual((cut.whole, cut.body), (False, data[:100_000]))
        cut = self.body(faults.fin_at(100_000), Range="bytes=60000-")
        self.assertEqual((cut.status, len(cut.body)), (206, 40_000))
        self.assertEqual(len(self.body(faults.fin(0)).body), 0)
        with self.assertRaises(ConnectionResetError):
            self.body(faults.rst(100_000))
        with self.assertRaises((ConnectionError, http.client.HTTPException)):
            self.body(faults.close())
        self.assertEqual(body_bytes(self.hub.log, "/repos/"), 340_000)

    def test_times_and_skip(self):
        self.hub.on(faults.status(503), "tree", skip=1, times=2)
        self.assertEqual([self.api("/tree/main").status for _ in range(4)], [200, 503, 503, 200])
        self.assertEqual([e.fault for e in self.hub.log], ["", "503", "503", ""])

    def test_hold(self):
        held = faults.hold(50_000)
        self.hub.on(held, origin="cdn")
        url, result = self.location(), []
        reader = threading.Thread(target=lambda: result.append(ask(url)))
        reader.start()
        self.hub.wait_sent("/repos/", 50_000)
        self.assertFalse(result)
        held.gate.set()
        reader.join(20)
        self.assertEqual(result[0].body, self.repo.files()[SHARD].data)

    def test_stall_ends_with_the_clients_patience(self):
        self.hub.on(faults.hold(10), origin="cdn")
        with self.assertRaises(TimeoutError):
            ask(self.location(), timeout=0.3)

    def test_pace(self):
        self.hub.on(faults.trickle(100_000, 0.1), origin="cdn")
        self.hub.on(faults.slow_head(0.001), "/api/")
        begin = time.monotonic()
        self.assertTrue(ask(self.location()).whole and self.api().status == 200)
        self.assertGreater(time.monotonic() - begin, 0.3)

    def test_ranges(self):
        data = self.repo.files()[SHARD].data
        asked = {"Range": "bytes=1000-1999"}
        self.assertEqual(self.body(faults.ignore_range(), **asked).body, data)
        zero = self.body(faults.from_zero(), **asked)
        self.assertEqual((zero.status, zero.body), (206, data[:1000]))
        self.assertEqual(zero.headers["Content-Range"], "bytes 0-999/300000")
        lying = self.body(faults.lying_range(shift=5), **asked)
        self.assertEqual((lying.body, lying.headers["Content-Range"]), (data[1000:2000], "bytes 1005-2004/300000"))
        lying = self.body(faults.lying_range(body_shift=7), **asked)
        self.assertEqual((lying.body, lying.headers["Content-Range"]), (data[993:1993], "bytes 1000-1999/300000"))
        self.assertIsNone(self.body(faults.no_content_range(), **asked).headers["Content-Range"])
        self.assertEqual(self.body(faults.not_satisfiable(), **asked).status, 416)
        self.assertEqual(self.body(faults.not_satisfiable()).status, 200)

    def test_bytes(self):
        data = self.repo.files()[SHARD].data
        self.assertEqual(self.body(faults.shorter(10)).body, data[:-10])
        self.assertEqual(self.body(faults.shorter(10), Range="bytes=299000-").body, data[299_000:-10])
        self.assertEqual(self.body(faults.longer(10)).body[:-10], data)
        flipped = self.body(faults.flip(1234))
        self.assertEqual([i for i in range(len(data)) if data[i] != flipped.body[i]], [1234])
        self.assertEqual(self.body(faults.flip(1234), Range="bytes=2000-").body, data[2000:])
        self.assertEqual(self.body(faults.flip(1234, only_resumed=True)).body, data)
        self.assertNotEqual(self.body(faults.flip(1234, only_resumed=True), Range="bytes=1000-").body, data[1000:])

    def test_answers(self):
        self.assertIn(b"Hotel", self.body(faults.portal()).body)
        limited = self.body(faults.status(429, [("Retry-After", "3")], "slow down"))
        self.assertEqual((limited.status, limited.headers["Retry-After"]), (429, "3"))
        self.assertEqual(self.body(faults.header("ETag")).headers["ETag"], None)
        moved = self.body(faults.redirect(self.hub.url("other") + "/x"))
        self.assertEqual(moved.headers["Location"], self.hub.url("other") + "/x")
        first = self.body(faults.redirect_loop())
        second = ask(self.hub.url("cdn") + first.headers["Location"])
        self.assertNotEqual(first.headers["Location"], second.headers["Location"])
        with self.assertRaises((http.client.HTTPException, ConnectionError)):
            self.body(faults.raw(b"\x16\x03garbage"))

    def test_listings(self):
        self.hub.on(faults.add_entry("../evil", size=-1), "/tree/")
        last = json.loads(self.api("/tree/main").body)[-1]
        self.assertEqual((last["path"], last["size"]), ("../evil", -1))
        self.hub.calm()
        self.hub.on(faults.as_json(lambda entries: []), "/tree/")
        self.assertEqual(self.api("/tree/main").body, b"[]")
        self.hub.calm()
        self.hub.on(faults.truncate_json(50), "/tree/")
        self.assertEqual(len(self.api("/tree/main").body), 50)
        self.hub.calm()
        self.hub.on(faults.gzip_bomb(1_000_000), "/tree/")
        bomb = self.api("/tree/main")
        self.assertLess(len(bomb.body), 2000)
        self.assertEqual(len(gzip.decompress(bomb.body)), 1_000_002)

    def test_script(self):
        faults.apply_script(self.hub, [{"fault": "status", "code": 500, "path": "LICENSE$", "times": 1}])
        self.assertEqual([self.resolve("LICENSE").status for _ in range(2)], [500, 307])


@unittest.skipUnless(os.environ.get("HF_PYTHON"), "HF_PYTHON names no Python with huggingface_hub")
class ReferenceClientTest(Case):
    """The Hub's own client takes the fake for real."""

    def hf(self, script, **extra):
        env = {k: v for k, v in os.environ.items() if not k.startswith("HF_")}
        env |= {"HF_ENDPOINT": self.hub.endpoint, "HF_HOME": self.home.name, "HF_HUB_DISABLE_XET": "1",
                "HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_HUB_DISABLE_UPDATE_CHECK": "1"} | extra
        done = subprocess.run([os.environ["HF_PYTHON"], "-c", script], env=env, capture_output=True, timeout=120,
                              text=True)
        return done.returncode, done.stdout.strip(), done.stderr

    def setUp(self):
        super().setUp()
        self.home = tempfile.TemporaryDirectory()
        self.addCleanup(self.home.cleanup)

    def test_snapshot(self):
        self.hub.page_size = 4
        code, path, errors = self.hf("from huggingface_hub import snapshot_download as s; print(s('acme/tiny'))")
        self.assertEqual(code, 0, errors)
        for name, file in self.repo.files().items():
            with open(os.path.join(path, name), "rb") as stored:
                self.assertEqual(stored.read(), file.data)
        self.assertEqual({e.status for e in self.hub.log if "/resolve" in e.path}, {200, 302, 307})
        self.assertEqual({e.authorization for e in self.hub.log}, {False})

    def test_private_gated_and_resumed(self):
        self.hub.tokens = {"hf_in": ["acme/tiny"]}
        self.repo.gated = self.repo.private = True
        script = "from huggingface_hub import snapshot_download as s; print(s('acme/tiny'))"
        code, _, errors = self.hf(script)
        self.assertIn("RepositoryNotFoundError", errors)
        self.hub.on(faults.fin(100_000), origin="cdn", times=2)
        code, _, errors = self.hf(script, HF_TOKEN="hf_in")
        self.assertEqual(code, 0, errors)
        # That client keeps whole chunks of 10 MiB only, so it begins again from 0.
        gets = [e for e in self.hub.log if e.origin == "cdn" and e.method == "GET"]
        self.assertEqual(len(gets), 2 + len([f for f in self.repo.files().values() if f.lfs]))
        self.assertFalse(any(e.secret for e in self.hub.log if e.origin == "cdn"))


if __name__ == "__main__":
    unittest.main(verbosity=1)
