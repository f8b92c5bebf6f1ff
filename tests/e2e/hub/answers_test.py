#!/usr/bin/env python3
"""Rows 19-30 of the fault matrix: redirects, refusals, limits, portals, and networks that are not there."""
import shutil
import socket
import time

import certificates
import faults
import harness
from harness import MIB, SHARD1


def closed_ports(count):
    """Ports of loopback that refuse, as long as nobody else takes them."""
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in listeners]
    for listener in listeners:
        listener.close()
    return ports


def closed_port():
    return closed_ports(1)[0]


class RedirectTest(harness.HubCase):
    def test_19_redirect_loop(self):
        for path in ("/api/models/", "/resolve/"):
            with self.subTest(path):
                self.hub.calm()
                self.hub.on(faults.redirect_loop(), path)
                self.check_failed(self.install(), "redirect", "127.0.0.1")
                self.check_not_published(SHARD1)
        self.assertLess(len(self.hub.log), 300)

    def test_20_redirect_of_the_api_to_another_host(self):
        self.hub.on(faults.redirect(lambda exchange: self.hub.url("other") + exchange.request.target),
                    "^/api/models/[^/]+/[^/]+(/revision/main)?$")
        self.check_failed(self.install())
        self.check_not_published(SHARD1)

    def test_20_redirect_to_another_name_of_the_host(self):
        # localhost:PORT is another origin than 127.0.0.1:PORT, although it is the same server.
        self.hub.on(faults.redirect(lambda exchange: self.hub.url("hub", "localhost") + exchange.request.target),
                    "/resolve/main|/resolve/[0-9a-f]{40}/", times=2)
        self.install()  # either way is fine; the token check after every test decides

    def test_20_redirect_of_a_file_to_a_stranger(self):
        self.hub.on(faults.redirect(self.hub.url("other") + "/x"), f"/resolve/.*/{SHARD1}")
        self.hub.on(faults.body(self.file(SHARD1).data, 200, "application/octet-stream"), origin="other")
        run = self.install()  # a CDN we do not know is a CDN all the same: the hash decides
        if run.code == 0:
            self.check_whole()
        else:
            self.check_failed(run, SHARD1)
        for entry in self.hub.log:
            self.assertFalse(entry.origin == "other" and entry.authorization)

    def test_small_files_without_a_description_on_the_way(self):
        for change in (lambda: self.hub.on(faults.header("X-Linked-Etag"), "/resolve/.*/config.json$"),
                       lambda: setattr(self.hub, "small_redirect", False)):
            change()
            self.check_ok(self.install())
            self.check_whole()
            self.check_ok(self.gptoss("delete", self.repo.name, "--yes"))

    def test_21_next_page_at_another_host(self):
        self.hub.page_size = 4
        self.hub.on(faults.header("Link", f'<{self.hub.url("other")}/api/x?cursor=4>; rel="next"'), "/tree/")
        self.check_failed(self.install(), "127.0.0.1")
        self.assertEqual([e for e in self.hub.log if e.origin == "other"], [])
        self.check_not_published(SHARD1)

    def test_21_next_page_for_ever(self):
        self.hub.page_size = 4
        self.hub.on(faults.header("Link", f'<{self.hub.endpoint}/api/models/acme/tiny/tree/{self.repo.head}'
                                          '?recursive=true&cursor=0>; rel="next"'), "/tree/")
        self.check_failed(self.install())
        self.check_not_published(SHARD1)


class RefusalTest(harness.HubCase):
    def count(self, path=""):
        return len([e for e in self.hub.log if path in e.path])

    def test_23_gated_without_a_token(self):
        self.repo.gated = "auto"
        self.check_failed(self.install(env={"HF_TOKEN": None}), "acme/tiny", "token|HF_TOKEN")
        self.check_not_published(SHARD1)
        self.assertLessEqual(self.count("/resolve/"), len(self.repo.files()))

    def test_23_gated_and_not_accepted(self):
        self.repo.gated, self.hub.tokens = "manual", {harness.TOKEN: []}
        self.check_failed(self.install(), "acme/tiny", self.hub.endpoint.replace(".", r"\.") + "/acme/tiny",
                          "accept|licen[cs]e|access")

    def test_23_gated_and_accepted(self):
        self.repo.gated = "auto"
        self.check_ok(self.install())
        self.check_whole()

    def test_23_private_without_a_token(self):
        self.repo.private = True
        self.check_failed(self.install(env={"HF_TOKEN": None}), "acme/tiny", "private|not found|does not exist", "token")
        self.check_ok(self.install())
        self.check_whole()

    def test_23_bad_token(self):
        self.check_failed(self.install(env={"HF_TOKEN": "hf_wrong"}), "token", "127.0.0.1")
        self.assertLessEqual(self.count(), 2)

    def test_23_token_from_a_file(self):
        self.repo.private = True
        (self.base / "token").write_text(f"{harness.TOKEN} \r\n")
        self.check_ok(self.install(env={"HF_TOKEN": None, "HF_TOKEN_PATH": self.base / "token"}))
        (self.base / "token").unlink()
        self.check_whole()

    def test_23_disabled(self):
        self.repo.disabled = True
        self.check_failed(self.install(), "acme/tiny", "disabled")
        self.assertLessEqual(self.count(), 2)

    def test_24_no_such_repository(self):
        self.check_failed(self.install("acme/nothing"), "acme/nothing", "127.0.0.1")
        self.assertLessEqual(self.count(), 2)

    def test_24_no_such_revision(self):
        for line in (["acme/tiny@nope"], ["acme/tiny", "--revision", "nope"]):
            self.check_failed(self.install(*line), "acme/tiny", "nope", "revision")

    def test_24_no_such_file(self):
        self.hub.on(faults.status(404, text="Entry not found", error_code="EntryNotFound"), f"/resolve/.*/{SHARD1}")
        self.check_failed(self.install(), SHARD1, "127.0.0.1")
        self.assertFalse((self.folder / ".no_exist").exists())
        self.hub.calm()
        self.check_ok(self.install())
        self.check_whole()


class LimitTest(harness.HubCase):
    PLACES = {"api": ("hub", "^/api/models/"), "tree": ("hub", "/tree/"), "resolve": ("hub", "/resolve/"),
              "cdn": ("cdn", "/repos/")}

    def each_place(self, fault, times=2):
        for name, (origin, path) in self.PLACES.items():
            with self.subTest(name):
                self.hub.calm()
                self.hub.on(fault, path, origin=origin, times=times)
                run = self.check_ok(self.install())
                self.check_whole()
                yield run
                self.check_ok(self.gptoss("delete", self.repo.name, "--yes"))

    def test_25_retry_after(self):
        for run in self.each_place(faults.status(429, [("Retry-After", "1")], "too fast")):
            self.assertRegex(run.err, "(?i)rate limit|wait|too many")

    def test_25_rate_limit_header(self):
        headers = [("RateLimit", '"api";r=0;t=1'), ("RateLimit-Policy", '"fixed window";"api";q=500;w=300')]
        for _ in self.each_place(faults.status(429, headers), times=1):
            pass

    def test_25_waits_no_day(self):
        self.hub.on(faults.status(429, [("Retry-After", "86400")], "too fast"), "/api/")
        self.check_failed(self.install(), "127.0.0.1", "rate limit|too many|429")

    def test_25_odd_retry_after(self):
        for value in ("Wed, 21 Oct 2015 07:28:00 GMT", "soon", "-5", "1e99", ""):
            with self.subTest(value):
                self.hub.calm()
                self.hub.on(faults.status(429, [("Retry-After", value)]), "/revision/|/tree/", times=1)
                self.check_ok(self.install())
                self.check_ok(self.gptoss("delete", self.repo.name, "--yes"))

    def test_26_server_errors(self):
        for code in (500, 502, 503, 504):
            for _ in self.each_place(faults.status(code)):
                pass

    def test_26_server_errors_for_ever(self):
        self.hub.on(faults.fin(1_000_000), self.file(SHARD1).sha256, origin="cdn", times=1)
        self.hub.on(faults.status(503), self.file(SHARD1).sha256, origin="cdn", skip=1)
        self.check_failed(self.install(), SHARD1, "127.0.0.1", "503", "gptoss install|same command")
        self.check_not_published(SHARD1)
        self.hub.calm()
        before = self.sent(SHARD1, self.hub.take_log())
        self.check_ok(self.install())
        self.check_resumed(SHARD1, before, self.sent(SHARD1))

    def test_26_no_answer(self):
        for name, (origin, path) in self.PLACES.items():
            with self.subTest(name):
                self.hub.calm()
                self.hub.on(faults.close(), path, origin=origin, times=1)
                self.check_ok(self.install())
                self.check_ok(self.gptoss("delete", self.repo.name, "--yes"))

    def test_27_captive_portal(self):
        for name, (origin, path) in self.PLACES.items():
            with self.subTest(name):
                self.hub.calm()
                self.hub.on(faults.portal(), path, origin=origin)
                self.check_failed(self.install(), "127.0.0.1")
                self.check_not_published(SHARD1)
        self.hub.calm()
        self.hub.on(faults.portal())
        self.check_failed(self.install(), "127.0.0.1", "as a hub", "sign in")

    def test_slow_head(self):
        # A head that comes byte by byte is progress, if it is a slow one.
        self.hub.on(faults.slow_head(0.01), "/revision/")
        self.check_ok(self.install())

    def test_endless_head(self):
        self.hub.on(faults.raw(b"HTTP/1.1 200 OK\r\n" + b"X-Filler: " + b"a" * 65536 + b"\r\n"
                               + b"X-More: b\r\n" * 100_000), "/revision/")
        self.check_failed(self.install(), "127.0.0.1")

    def test_no_http(self):
        self.hub.on(faults.raw(b"SSH-2.0-OpenSSH_9.2\r\n"), "/revision/")
        self.check_failed(self.install(), "127.0.0.1")


class NoNetworkTest(harness.HubCase):
    def test_28_refused(self):
        port = closed_port()
        self.check_failed(self.install(env={"HF_ENDPOINT": f"http://127.0.0.1:{port}"}), "127.0.0.1",
                          "refused|connect")

    def test_28_no_such_host(self):
        self.check_failed(self.install(env={"HF_ENDPOINT": "http://no-such-host.invalid"}), "no-such-host.invalid",
                          "resolve|DNS|name")

    def test_28_bad_endpoint(self):
        for endpoint in ("ftp://127.0.0.1", "127.0.0.1", "http://", "http://user:pw@127.0.0.1", "http://x y"):
            with self.subTest(endpoint):
                run = self.install(env={"HF_ENDPOINT": endpoint})
                self.assertIn(run.code, (1, 2), run.said)
                self.assertRegex(run.err, "gptoss: error: .")
                self.assertNotIn("user:pw", run.err)

    def test_28_offline_opens_no_socket(self):
        self.check_failed(self.install(env={"HF_HUB_OFFLINE": "1"}), "offline|HF_HUB_OFFLINE")
        self.assertEqual(self.hub.log, [])
        self.check_ok(self.install())
        self.hub.take_log()
        for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
            self.check_ok(self.install(env={name: "YES"}))
        self.assertEqual(self.hub.log, [])

    def test_28_refused_but_complete(self):
        self.check_ok(self.install())
        before = self.everything()
        self.hub.close()
        run = self.install()
        self.assertEqual(run.code, 0, run.said)
        self.assertEqual(self.everything(), before)

    def test_30_dead_proxy(self):
        port = closed_port()
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
            with self.subTest(name):
                self.check_failed(self.install(env={name: f"http://127.0.0.1:{port}"}), f"127.0.0.1:{port}", "proxy")
        self.assertEqual(self.hub.log, [])

    def test_30_proxy(self):
        self.check_ok(self.install(env={"http_proxy": self.hub.url("proxy")}))
        self.check_whole()
        through = [e for e in self.hub.log if e.origin == "proxy"]
        self.assertGreaterEqual(len(through), len(self.repo.files()))
        # A signed URL's host is another origin through a proxy as well.
        cdn = self.hub.url("cdn")
        self.assertFalse(any(e.secret for e in through if e.target.startswith(cdn)))

    def test_30_no_proxy(self):
        dead = f"http://127.0.0.1:{closed_port()}"
        self.check_ok(self.install(env={"http_proxy": dead, "no_proxy": "127.0.0.1"}))

    def test_30_password_of_the_proxy_is_not_shown(self):
        port = closed_port()
        run = self.check_failed(self.install(env={"http_proxy": f"http://me:Hunter2@127.0.0.1:{port}"}), "proxy")
        self.assertNotIn("Hunter2", run.said)


class TlsTest(harness.HubCase):
    def setUp(self):
        if not certificates.available():
            self.skipTest("no openssl program")
        super().setUp()
        self.authority = certificates.Authority(self.base / "ca")
        self.plain = self.hub
        self.hub = self.make_hub([self.repo], tls=self.authority.context())

    def env(self, **extra):
        return super().env(**({"SSL_CERT_FILE": self.authority.ca} | extra))

    def test_29_install_over_tls(self):
        self.check_ok(self.install())
        self.check_whole()
        self.assertEqual(self.plain.log, [])

    def test_29_tls_and_cuts(self):
        blob = self.file(SHARD1).sha256
        self.hub.on(faults.rst(700_000), blob, origin="cdn", times=2)
        self.hub.on(faults.fin(300_000), blob, origin="cdn", skip=2, times=2)
        self.check_ok(self.install())
        self.check_whole()
        self.assertLessEqual(self.sent(SHARD1), self.file(SHARD1).size + MIB)

    def test_29_unknown_issuer(self):
        self.check_failed(self.install(env={"SSL_CERT_FILE": None}), "127.0.0.1", "certificate", "gptoss tests",
                          "SSL_CERT_FILE")
        self.assertEqual(self.hub.log, [])

    def test_29_expired_and_misnamed(self):
        for settings, cause in (({"label": "old", "days": -1}, "expired"),
                                ({"label": "moved", "names": "DNS:elsewhere.example"}, "name|127.0.0.1")):
            hub = self.make_hub([self.repo], tls=self.authority.context(**settings))
            self.check_failed(self.install(env={"HF_ENDPOINT": hub.endpoint}), "127.0.0.1", "certificate", cause)
            self.assertEqual(hub.log, [])

    def test_29_certificate_goes_bad_between_runs(self):
        blob = self.file(SHARD1).sha256
        self.hub.on(faults.fin(1_000_000), blob, origin="cdn", times=1)
        self.hub.on(faults.close(), blob, origin="cdn", skip=1)
        self.check_failed(self.install())
        self.hub.calm()
        before = self.sent(SHARD1, self.hub.take_log())
        self.check_failed(self.install(env={"SSL_CERT_FILE": None}))
        self.check_ok(self.install())
        self.check_whole()
        self.check_resumed(SHARD1, before, self.sent(SHARD1))

    def by_name(self):
        """The Hub by a name that is not loopback's, through the proxy: environment for the program."""
        hub = self.make_hub([self.repo], tls=self.authority.context("named", "DNS:hub.test"))
        for origin in ("hub", "cdn"):
            hub.fronts[origin] = f"https://hub.test:{hub.port(origin)}"
        self.hub = hub
        return {"HF_ENDPOINT": hub.endpoint, "https_proxy": self.plain.url("proxy"),
                "http_proxy": self.plain.url("proxy")}

    def test_29_install_by_name_through_a_proxy(self):
        env = self.by_name()
        self.check_ok(self.install(env=env))
        self.check_whole()
        self.assertEqual({e.method for e in self.plain.log}, {"CONNECT"})

    def test_22_never_down_to_http(self):
        env = self.by_name()
        plain = f"http://hub.test:{self.plain.port('hub')}"
        for path in ("/revision/", "/tree/", "/resolve/"):
            with self.subTest(path):
                self.hub.calm()
                self.hub.on(faults.redirect(lambda exchange: plain + exchange.request.target), path)
                self.check_failed(self.install(env=env), "https?|encrypt")
                self.assertEqual([e for e in self.plain.log if e.method != "CONNECT"], [])
                self.check_not_published(SHARD1)

    def test_22_next_page_over_http(self):
        env = self.by_name()
        self.hub.page_size = 4
        self.hub.on(faults.header("Link", f'<http://hub.test:{self.plain.port("hub")}/api/x>; rel="next"'), "/tree/")
        self.check_failed(self.install(env=env))
        self.assertEqual([e for e in self.plain.log if e.method != "CONNECT"], [])
        self.check_not_published(SHARD1)


class Http2Test(harness.HubCase):
    """HTTP/2 by nghttpx before the fake Hub; skipped where that program is not."""

    def setUp(self):
        if not (shutil.which("nghttpx") and certificates.available()):
            self.skipTest("no nghttpx (Debian: nghttp2-proxy) or no openssl")
        super().setUp()
        self.authority = certificates.Authority(self.base / "ca")
        certificate, key = self.authority.files()
        for origin, port in zip(("hub", "cdn"), closed_ports(2)):
            front = harness.Running(["nghttpx", "--workers=1", "--conf=/dev/null", "--no-ocsp", "--no-location-rewrite", f"--frontend=127.0.0.1,{port}",
                                     f"--backend=127.0.0.1,{self.hub.port(origin)}", key, certificate],
                                    self.env(), self.base)
            self.addCleanup(front.end)
            self.hub.fronts[origin] = f"https://127.0.0.1:{port}"
            for _ in range(500):
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.02)

    def test_install(self):
        for knobs in (harness.WHOLE, harness.PARTS):
            self.check_ok(self.install(env={"SSL_CERT_FILE": self.authority.ca} | knobs))
            self.check_whole()
            self.check_ok(self.gptoss("delete", self.repo.name, "--yes"))
        self.assertTrue(all(e.via.startswith("2") for e in self.hub.log), self.hub.log)

    def test_cuts(self):
        self.hub.on(faults.rst(700_000), self.file(SHARD1).sha256, origin="cdn", times=3)
        self.check_ok(self.install(env={"SSL_CERT_FILE": self.authority.ca}))
        self.check_whole()


if __name__ == "__main__":
    harness.main()
