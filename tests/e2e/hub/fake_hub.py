#!/usr/bin/env python3
"""A Hub on loopback that lies, stalls and breaks on command.

It speaks what an installer needs of the Hub's API: model info, revisions, the paginated tree, /resolve/ with its
redirect to signed URLs on a second origin (the "CDN"). A third origin ("other") is a stranger who must never see a
token. Faults (faults.py) change single answers. Standard library only; every request is logged.

As a module:   with FakeHub([model_repo()]) as hub: ... hub.endpoint ... hub.log
As a program:  fake_hub.py --port 8000 [--dir FOLDER --name org/name] [--faults FILE.json] [--log FILE.jsonl]
"""
import argparse
import dataclasses
import gzip
import hashlib
import hmac
import http
import json
import os
import pathlib
import re
import socket
import struct
import sys
import threading
import time
import urllib.parse

import content
import faults

CHUNK = 1 << 16


class Headers(list):
    """(name, value) pairs in order; names compare without case."""

    def get(self, name, default=None):
        for key, value in self:
            if key.lower() == name.lower():
                return value
        return default

    def set(self, name, value):
        self.drop(name)
        self.append((name, str(value)))

    def drop(self, name):
        self[:] = [(k, v) for k, v in self if k.lower() != name.lower()]


@dataclasses.dataclass
class Request:
    method: str
    target: str
    headers: Headers
    body: bytes

    @property
    def path(self):
        return urllib.parse.unquote(urllib.parse.urlsplit(self.target).path)

    @property
    def query(self):
        return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.target).query, keep_blank_values=True))


@dataclasses.dataclass
class Response:
    status: int = 200
    headers: Headers = dataclasses.field(default_factory=Headers)
    body: bytes = b""
    # How it is delivered; faults set these.
    stop_after: int | None = None  # body bytes after which `ending` happens
    ending: str = "fin"            # "fin" | "rst" | "hold"
    gate: threading.Event | None = None  # for "hold": the rest follows when it is set
    pace: tuple[int, float] | None = None  # (bytes, seconds of sleep after them)
    raw: bytes | None = None       # instead of status, headers and body
    announce_length: bool = True   # a Content-Length; else the end of the connection ends the body
    head_pace: float = 0           # seconds after each byte of the head


@dataclasses.dataclass(repr=False)
class Entry:
    """One line of the log. `sent`: body bytes given to the socket."""
    number: int
    time: float
    origin: str
    connection: int
    method: str
    target: str
    path: str
    host: str
    range: str | None
    if_range: str | None
    authorization: bool
    secret: bool  # a known token stood somewhere in the request
    user_agent: str
    via: str
    status: int = 0
    sent: int = 0
    complete: bool = False
    fault: str = ""

    def __repr__(self):
        return (f"\n{self.number}: {self.method} {self.origin} {self.target[:120]} [{self.range or ''}]"
                f"{' with token' if self.authorization else ''} -> {self.status}, {self.sent} bytes {self.fault}")

    @property
    def start(self):
        match = re.match(r"bytes=(\d+)-", self.range or "")
        return int(match[1]) if match else 0


@dataclasses.dataclass
class Rule:
    action: object
    origin: str
    method: str
    path: re.Pattern
    skip: int
    times: int | None
    hits: int = 0

    def takes(self, origin, request):
        if self.origin not in ("", origin) or self.method not in ("", request.method):
            return False
        if not self.path.search(request.path):
            return False
        self.hits += 1
        return self.hits > self.skip and (self.times is None or self.hits <= self.skip + self.times)


def link_header(url):
    return f'<{url}>; rel="next"'


class FakeHub:
    """Repositories behind three origins. Thread rule: all methods from any thread; answers run on threads of their
    own. Attributes are settings that a test changes at will."""

    def __init__(self, repos=(), *, tls=None, port=0, log_file=None):
        self.repos = {repo.name: repo for repo in repos}
        self.tokens = {}             # token -> names of the repositories that it may read
        self.page_size = 1000        # entries of a tree page
        self.small_redirect = True   # small files: 307 to /api/resolve-cache/, as the Hub has done since 2025
        self.gzip = True             # JSON and small files compressed for those who ask
        self.sign_seconds = 3600     # life of a signed URL
        self.epoch = 0               # signed URLs of earlier epochs are refused: expire_urls()
        self.cdn_salt = "7"          # part of the CDN's strong ETags; None: it gives none
        self.fronts = {}             # origin -> URL by which clients reach it, where something stands before it
        self.log, self.rules = [], []
        self._log_file = open(log_file, "a", encoding="utf-8") if log_file else None
        self._key = os.urandom(16)
        self._change = threading.Condition()
        self._closed = False
        self._connections = {}
        self._count = 0
        self._tls = tls
        self._listeners, self._ports = {}, {}
        for origin in ("hub", "cdn", "other", "proxy"):
            listener = socket.create_server(("127.0.0.1", port if origin == "hub" else 0), backlog=128)
            self._listeners[origin] = listener
            self._ports[origin] = listener.getsockname()[1]
            threading.Thread(target=self._accept, args=(origin, listener), daemon=True).start()

    # --- for tests -------------------------------------------------------------------------------------------

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def url(self, origin, host="127.0.0.1"):
        if origin in self.fronts:
            return self.fronts[origin]
        scheme = "https" if self._tls and origin != "proxy" else "http"
        return f"{scheme}://{host}:{self.port(origin)}"

    def port(self, origin):
        return self._ports[origin]

    @property
    def endpoint(self):
        return self.url("hub")

    def on(self, action, path="", *, method="", origin="", skip=0, times=None):
        """From now on `action` changes the answers to matching requests: after `skip` of them, for `times`."""
        rule = Rule(action, origin, method, re.compile(path), skip, times)
        with self._change:
            self.rules.append(rule)
        return rule

    def calm(self):
        """Takes all faults back."""
        with self._change:
            self.rules.clear()

    def expire_urls(self):
        """Every URL signed so far is refused from now on."""
        self.epoch += 1

    def take_log(self):
        """The log so far; starts a new one."""
        with self._change:
            log, self.log = self.log, []
        return log

    def wait(self, predicate, timeout=60):
        """Until `predicate(log)` holds; its value."""
        deadline = time.monotonic() + timeout
        with self._change:
            while not (value := predicate(self.log)):
                left = deadline - time.monotonic()
                if left <= 0:
                    raise AssertionError("the fake Hub waited in vain; its log:\n" +
                                         "\n".join(map(str, self.log)))
                self._change.wait(min(left, 0.5))
            return value

    def wait_sent(self, path, size, timeout=60):
        """Until `size` body bytes of paths that match have been sent."""
        return self.wait(lambda log: body_bytes(log, path) >= size, timeout)

    def drop_connections(self):
        """A network that goes away: every open connection ends at once."""
        with self._change:
            sockets = list(self._connections.values())
        for sock in sockets:
            _shut(sock)

    def close(self):
        self._closed = True
        for listener in self._listeners.values():
            _shut(listener)
        self.drop_connections()
        with self._change:
            for rule in self.rules:
                gate = getattr(rule.action, "gate", None)
                if gate:
                    gate.set()
            self._change.notify_all()
        if self._log_file:
            self._log_file.close()

    # --- connections -----------------------------------------------------------------------------------------

    def _accept(self, origin, listener):
        while not self._closed:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            with self._change:
                self._count += 1
                number = self._count
            threading.Thread(target=self._serve, args=(origin, sock, number), daemon=True).start()

    def _serve(self, origin, sock, number):
        try:
            # Little stays in the kernel's buffer, so that `sent` is near to what the client has got.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 17)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls and origin != "proxy":
                sock = self._tls.wrap_socket(sock, server_side=True)
            with self._change:
                self._connections[number] = sock
            with sock.makefile("rb") as reader:
                while not self._closed and (request := read_request(reader)):
                    if not self._exchange(origin, sock, number, request):
                        break
        except (OSError, ValueError):
            pass  # the client has gone, or speaks no HTTP
        finally:
            with self._change:
                self._connections.pop(number, None)
            _shut(sock)

    def _exchange(self, origin, sock, number, request):
        """One request and its answer; true if the connection lives on."""
        if origin == "proxy":
            return self._proxy(sock, number, request)
        entry = self._note(origin, number, request)
        response = self.answer(origin, request)
        with self._change:
            taken = [rule for rule in self.rules if rule.takes(origin, request)]
        exchange = Exchange(self, origin, sock, request, entry)
        for rule in taken:
            entry.fault = f"{entry.fault} {getattr(rule.action, 'title', '?')}".strip()
            response = rule.action(exchange, response)
            if response is None:
                self._done(entry)
                return False
        entry.status = response.status
        alive = False
        try:
            alive = self._send(sock, request, response, entry)
        finally:
            self._done(entry)
        return alive and (request.headers.get("Connection") or "").lower() != "close"

    def _note(self, origin, number, request, target=None):
        head = request.target + "".join(f"\n{k}:{v}" for k, v in request.headers)
        with self._change:
            entry = Entry(
                number=len(self.log), time=time.time(), origin=origin, connection=number, method=request.method,
                target=target or request.target, path=request.path, host=request.headers.get("Host", ""),
                range=request.headers.get("Range"), if_range=request.headers.get("If-Range"),
                authorization=request.headers.get("Authorization") is not None,
                secret=any(token in head for token in self.tokens),
                user_agent=request.headers.get("User-Agent", ""), via=request.headers.get("Via", ""))
            self.log.append(entry)
            self._change.notify_all()
        return entry

    def _done(self, entry):
        with self._change:
            entry.complete = True
            if self._log_file and not self._log_file.closed:
                self._log_file.write(json.dumps(dataclasses.asdict(entry)) + "\n")
                self._log_file.flush()
            self._change.notify_all()

    def _send(self, sock, request, response, entry):
        if response.raw is not None:
            sock.sendall(response.raw)
            return False
        headers = Headers(response.headers)
        bodiless = request.method == "HEAD" or response.status in (204, 304)
        if response.announce_length and headers.get("Content-Length") is None:
            headers.set("Content-Length", len(response.body))
        if not response.announce_length:
            headers.drop("Content-Length")
            headers.set("Connection", "close")
        headers.set("Date", time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime()))
        head = f"HTTP/1.1 {response.status} {phrase(response.status)}\r\n" + "".join(
            f"{k}: {v}\r\n" for k, v in headers) + "\r\n"
        head = head.encode("utf-8", "surrogateescape")
        if response.head_pace:
            for i in range(len(head)):
                sock.sendall(head[i:i + 1])
                time.sleep(response.head_pace)
        else:
            sock.sendall(head)
        if bodiless:
            return True
        return self._send_body(sock, response, entry) and response.announce_length

    def _send_body(self, sock, response, entry):
        body = memoryview(response.body)
        stop = len(body) if response.stop_after is None else min(response.stop_after, len(body))
        sent = self._send_part(sock, body[:stop], response.pace, entry)
        if response.stop_after is None or (sent and response.stop_after > len(body)):
            return sent
        if response.ending == "hold":
            (response.gate or threading.Event()).wait(600)
            return self._send_part(sock, body[stop:], response.pace, entry)
        if response.ending == "rst":
            # Closed with a linger of zero: the kernel sends RST and drops what it has not sent.
            time.sleep(0.05)
            raw = sock
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            with self._change:
                self._connections.pop(entry.connection, None)
            os.close(raw.detach())
        return False

    def _send_part(self, sock, body, pace, entry):
        step = pace[0] if pace else CHUNK
        for at in range(0, len(body), step):
            part = body[at:at + step]
            sock.sendall(part)
            with self._change:
                entry.sent += len(part)
                self._change.notify_all()
            if pace:
                time.sleep(pace[1])
        return True

    # --- answers ---------------------------------------------------------------------------------------------

    def answer(self, origin, request):
        if origin == "cdn":
            return self._answer_cdn(request)
        if origin == "other":
            return error(404, "EntryNotFound", "nothing here")
        raw = urllib.parse.urlsplit(request.target).path
        if match := re.fullmatch(r"/api/models/([^/]+/[^/]+)", raw):
            return self._answer_info(request, match[1], "main")
        if match := re.fullmatch(r"/api/models/([^/]+/[^/]+)/revision/([^/]+)", raw):
            return self._answer_info(request, match[1], urllib.parse.unquote(match[2]))
        if match := re.fullmatch(r"/api/models/([^/]+/[^/]+)/tree/([^/]+)(?:/(.*))?", raw):
            return self._answer_tree(request, match[1], urllib.parse.unquote(match[2]),
                                     urllib.parse.unquote(match[3] or ""))
        if match := re.fullmatch(r"/api/resolve-cache/models/([^/]+/[^/]+)/([^/]+)/(.+)", raw):
            return self._answer_resolve(request, match[1], match[2], urllib.parse.unquote(match[3]), cached=True)
        if match := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", raw):
            return self._answer_resolve(request, match[1], urllib.parse.unquote(match[2]),
                                        urllib.parse.unquote(match[3]))
        if raw == "/api/whoami-v2":
            known = self._token(request) in self.tokens
            return as_json({"name": "somebody", "type": "user"}) if known else refused()
        return error(404, "", "Not found")

    def _token(self, request):
        value = request.headers.get("Authorization", "")
        return value[7:] if value.startswith("Bearer ") else None

    def _open(self, request, name, listing=False):
        """(repository, None) or (None, the refusal), with the codes that the Hub uses."""
        repo = self.repos.get(urllib.parse.unquote(name))
        token = self._token(request)
        if token is not None and token not in self.tokens:
            return None, refused("Invalid credentials in Authorization header")
        may_read = repo and repo.name in self.tokens.get(token, ())
        if not repo or (repo.private and not may_read):
            if token is None:
                return None, refused("Invalid username or password.", "RepoNotFound")
            return None, error(404, "RepoNotFound", "Repository not found")
        if repo.disabled:
            return None, error(403, "", "Access to this resource is disabled.")
        if repo.gated and not may_read and not listing:
            text = f"Access to model {repo.name} is restricted."
            if token is None:
                return None, error(401, "GatedRepo", text + " You must have access to it and be authenticated.")
            return None, error(403, "GatedRepo", text + f" Visit {self.endpoint}/{repo.name} to ask for access.")
        return repo, None

    def _answer_info(self, request, name, revision):
        repo, refusal = self._open(request, name, listing=True)
        if refusal:
            return refusal
        if repo.resolve(revision) is None:
            return error(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return self._json(request, repo.info(revision, blobs=request.query.get("blobs") in ("true", "1", "True")))

    def _answer_tree(self, request, name, revision, under):
        repo, refusal = self._open(request, name, listing=True)
        if refusal:
            return refusal
        if repo.resolve(revision) is None:
            return error(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        entries = repo.tree(revision, under, request.query.get("recursive", "").lower() in ("true", "1"))
        if under and not entries:
            return error(404, "EntryNotFound", f"{under} does not exist")
        size = min(self.page_size, int(request.query.get("limit", self.page_size)))
        start = int(request.query.get("cursor", "0"))
        response = self._json(request, entries[start:start + size])
        if start + size < len(entries):
            parts = urllib.parse.urlsplit(request.target)
            query = urllib.parse.urlencode(request.query | {"cursor": start + size})
            response.headers.set("Link", link_header(f"{self.endpoint}{parts.path}?{query}"))
        return response

    def _answer_resolve(self, request, name, revision, path, cached=False):
        repo, refusal = self._open(request, name)
        if refusal:
            return refusal
        sha = repo.resolve(revision)
        if sha is None:
            return error(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        file = repo.commits[sha].get(path)
        if file is None:
            response = error(404, "EntryNotFound", "Entry not found")
            response.headers.set("X-Repo-Commit", sha)
            return response
        headers = Headers([("X-Repo-Commit", sha), ("Accept-Ranges", "bytes")])
        if file.lfs:
            headers += [("X-Linked-Size", str(file.size)), ("X-Linked-Etag", f'"{file.etag}"'),
                        ("ETag", f'"{hashlib.md5(path.encode()).hexdigest()}"'),
                        ("Location", self.sign(file, path)), ("Content-Type", "text/plain; charset=utf-8")]
            return Response(302, headers, b"Found. Redirecting")
        if self.small_redirect and not cached:
            quoted = urllib.parse.quote(path)
            headers += [("X-Linked-Etag", f'"{file.etag}"'), ("X-Linked-Size", str(file.size)),
                        ("Location", f"/api/resolve-cache/models/{repo.name}/{sha}/{quoted}?etag=%22{file.etag}%22")]
            return Response(307, headers, b"Temporary Redirect. Redirecting")
        headers += [("ETag", f'"{file.etag}"'), ("Content-Type", "text/plain; charset=utf-8")]
        if request.method == "GET" and self._wants_gzip(request):
            headers.set("ETag", f'W/"{file.etag}"')
            headers.set("Content-Encoding", "gzip")
            return Response(200, headers, gzip.compress(file.data))
        return ranged(request, headers, file.data, f'"{file.etag}"')

    def sign(self, file, path):
        name = urllib.parse.quote(f'inline; filename="{path.split("/")[-1]}";')
        expires = int(time.time()) + self.sign_seconds
        return (f"{self.url('cdn')}/repos/aa/bb/{file.sha256}?response-content-disposition={name}"
                f"&Expires={expires}&Epoch={self.epoch}&Signature={self._signature(file.sha256, expires, self.epoch)}")

    def _signature(self, sha256, expires, epoch):
        return hmac.new(self._key, f"{sha256} {expires} {epoch}".encode(), "sha256").hexdigest()

    def _answer_cdn(self, request):
        sha256 = request.path.split("/")[-1]
        query = request.query
        expires, epoch = query.get("Expires", "0"), query.get("Epoch", "-1")
        if query.get("Signature") != self._signature(sha256, expires, epoch):
            return xml_denied("SignatureDoesNotMatch")
        if int(expires) < time.time() or int(epoch) < self.epoch:
            return xml_denied("AccessDenied: Request has expired")
        for repo in self.repos.values():
            for files in repo.commits.values():
                for file in files.values():
                    if file.lfs and file.sha256 == sha256:
                        headers = Headers([("Accept-Ranges", "bytes"), ("Content-Type", "application/octet-stream")])
                        tag = (f'"{hashlib.md5(sha256.encode()).hexdigest()}-{self.cdn_salt}"'
                               if self.cdn_salt else None)
                        if tag:
                            headers.set("ETag", tag)
                        return ranged(request, headers, file.data, tag)
        return xml_denied("NoSuchKey", 404)

    def _wants_gzip(self, request):
        return self.gzip and "gzip" in (request.headers.get("Accept-Encoding") or "")

    def _json(self, request, value):
        response = as_json(value)
        if self._wants_gzip(request):
            response.body = gzip.compress(response.body, 1)
            response.headers.set("Content-Encoding", "gzip")
        return response

    # --- a forward proxy -------------------------------------------------------------------------------------

    def _proxy(self, sock, number, request):
        """CONNECT, and requests with a whole URL. Logged as origin "proxy". Every name is loopback to it, so that a
        test may call the Hub by a name that is not."""
        entry = self._note("proxy", number, request)
        if request.method == "CONNECT":
            port = request.target.rsplit(":", 1)[1]
            head = b""
        else:
            url = urllib.parse.urlsplit(request.target)
            port = url.port or 80
            target = urllib.parse.urlunsplit(("", "", url.path or "/", url.query, ""))
            lines = [f"{request.method} {target} HTTP/1.1"] + [
                f"{k}: {v}" for k, v in request.headers if not k.lower().startswith(("proxy-", "connection"))]
            head = ("\r\n".join(lines) + "\r\nConnection: close\r\n\r\n").encode() + request.body
        with socket.create_connection(("127.0.0.1", int(port)), 10) as upstream:
            if head:
                upstream.sendall(head)
            else:
                sock.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                threading.Thread(target=pump, args=(sock, upstream, None), daemon=True).start()
            pump(upstream, sock, entry)
        self._done(entry)
        return False


@dataclasses.dataclass
class Exchange:
    """What a fault may know and touch."""
    hub: FakeHub
    origin: str
    sock: socket.socket
    request: Request
    entry: Entry


def _shut(sock):
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    try:
        sock.close()
    except OSError:
        pass


def pump(source, sink, entry):
    try:
        while data := source.recv(CHUNK):
            sink.sendall(data)
            if entry:
                entry.sent += len(data)
    except OSError:
        pass
    try:
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def read_request(reader):
    line = reader.readline(65537)
    if not line.strip():
        return None
    method, target, _ = line.decode("latin-1").split(" ", 2)
    headers = Headers()
    while (line := reader.readline(65537)).strip():
        name, _, value = line.decode("latin-1").partition(":")
        headers.append((name.strip(), value.strip()))
    length = int(headers.get("Content-Length", "0"))
    return Request(method, target, headers, reader.read(length) if length else b"")


def phrase(status):
    try:
        return http.HTTPStatus(status).phrase
    except ValueError:
        return "Odd"


def as_json(value, status=200):
    return Response(status, Headers([("Content-Type", "application/json; charset=utf-8")]),
                    json.dumps(value).encode())


def error(status, code, message):
    response = as_json({"error": message}, status)
    if code:
        response.headers.set("X-Error-Code", code)
    response.headers.set("X-Error-Message", message)
    response.headers.set("X-Request-Id", "Root=1-fake-hub")
    return response


def refused(message="Invalid username or password.", code=""):
    response = error(401, code, message)
    response.headers.set("WWW-Authenticate", 'Bearer realm="Authentication required"')
    return response


def xml_denied(code, status=403):
    return Response(status, Headers([("Content-Type", "application/xml")]),
                    f"<?xml version='1.0'?><Error><Code>{code}</Code></Error>".encode())


def ranged(request, headers, data, tag):
    """200, 206 or 416, as the request's Range and If-Range ask."""
    size = len(data)
    match = re.fullmatch(r"bytes=(\d*)-(\d*)", (request.headers.get("Range") or "").strip())
    condition = request.headers.get("If-Range")
    if not match or match.groups() == ("", "") or (condition is not None and condition != tag):
        return Response(200, headers, data)
    if match[1]:
        first, last = int(match[1]), min(int(match[2] or size - 1), size - 1)
    else:
        first, last = max(0, size - int(match[2])), size - 1
    if first > last:
        headers.set("Content-Range", f"bytes */{size}")
        return Response(416, headers, b"")
    headers.set("Content-Range", f"bytes {first}-{last}/{size}")
    return Response(206, headers, memoryview(data)[first:last + 1])


def body_bytes(log, path, method="GET"):
    """Body bytes sent for paths that match. A blob's path on the CDN ends with its SHA-256."""
    return sum(e.sent for e in log if e.method == method and re.search(path, e.path))


def folder_repo(folder, name):
    repo, files = content.Repo(name), {}
    for path in sorted(pathlib.Path(folder).rglob("*")):
        if path.is_file():
            data = path.read_bytes()
            files[path.relative_to(folder).as_posix()] = content.File(data, lfs=len(data) > 100_000)
    repo.commit(files)
    return repo


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--dir", help="a folder to serve as a repository; default: a made-up model acme/tiny")
    parser.add_argument("--name", default="acme/tiny")
    parser.add_argument("--size", type=int, default=5_000_000, help="bytes of the made-up model's weights")
    parser.add_argument("--faults", help='JSON: [{"fault": "fin", "after": 1000, "path": "x", "times": 2}, ...]')
    parser.add_argument("--log", help="append one JSON line per request")
    options = parser.parse_args()
    repo = (folder_repo(options.dir, options.name) if options.dir else
            content.model_repo(options.name, (options.size * 3 // 5, options.size * 2 // 5)))
    with FakeHub([repo], port=options.port, log_file=options.log) as hub:
        faults.apply_script(hub, json.loads(pathlib.Path(options.faults).read_text()) if options.faults else [])
        print(f"HF_ENDPOINT={hub.endpoint}   {repo.name}@{repo.head}", flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            pass


if __name__ == "__main__":
    sys.exit(main())
