"""Faults: functions that change one answer of the fake Hub.

A fault takes (exchange, response) and returns the response to send, or None when it has used the socket itself.
`hub.on(faults.fin(1000), "safetensors$", method="GET", times=2)` puts one to work. Each factory below is also a name
for scripts (apply_script).
"""
import gzip
import json
import re
import threading
import time


def fault(title, action, gate=None):
    action.title = title
    action.gate = gate
    return action


# --- how a body ends, and how fast it comes ------------------------------------------------------------------


def _stop(title, after, ending, gate=None):
    def act(exchange, response):
        if exchange.request.method != "HEAD":
            response.stop_after, response.ending, response.gate = after, ending, gate
        return response
    return fault(title, act, gate)


def fin(after):
    """The connection closes after `after` body bytes."""
    return _stop("fin", after, "fin")


def rst(after):
    """The connection is reset after `after` body bytes."""
    return _stop("rst", after, "rst")


def hold(after, gate=None):
    """The body stands still after `after` bytes, until `.gate` is set."""
    return _stop("hold", after, "hold", gate or threading.Event())


def fin_at(position):
    """The body ends at this byte of the file, wherever the request began."""
    def act(exchange, response):
        if exchange.request.method != "HEAD":
            response.stop_after, response.ending = max(0, position - exchange.entry.start), "fin"
        return response
    return fault("fin at", act)


def trickle(size, seconds):
    """`size` bytes, then a pause."""
    def act(_, response):
        response.pace = (size, seconds)
        return response
    return fault("trickle", act)


def close():
    """No answer at all: the connection closes."""
    return fault("close", lambda exchange, response: None)


def slow_head(seconds):
    """The head of the answer comes byte by byte."""
    def act(_, response):
        response.head_pace = seconds
        return response
    return fault("slow head", act)


def delay(seconds):
    """The answer comes late."""
    def act(_, response):
        time.sleep(seconds)
        return response
    return fault("delay", act)


# --- ranges ----------------------------------------------------------------------------------------------------


def _whole(exchange):
    """The answer as if no range had been asked for."""
    request = exchange.request
    kept = request.headers[:]
    request.headers.drop("Range")
    response = exchange.hub.answer(exchange.origin, request)
    request.headers[:] = kept
    return response


def ignore_range():
    """200 and the whole file, whatever was asked."""
    return fault("range ignored", lambda exchange, response: _whole(exchange))


def from_zero():
    """206, honest about beginning at 0 although more was asked."""
    def act(exchange, response):
        if response.status != 206:
            return response
        size = int(response.headers.get("Content-Range").split("/")[1])
        whole = _whole(exchange)
        length = len(response.body)
        whole.status, whole.body = 206, whole.body[:length]
        whole.headers.set("Content-Range", f"bytes 0-{length - 1}/{size}")
        return whole
    return fault("206 from 0", act)


def lying_range(shift=0, body_shift=0, total=0):
    """206 whose Content-Range, or whose bytes, are others than those asked for."""
    def act(exchange, response):
        if response.status != 206:
            return response
        first, last, size = map(int, re.findall(r"\d+", response.headers.get("Content-Range")))
        response.headers.set("Content-Range", f"bytes {first + shift}-{last + shift}/{size + total}")
        if body_shift:
            data = _whole(exchange).body
            response.body = data[first - body_shift:last + 1 - body_shift]
        return response
    return fault("lying Content-Range", act)


def no_content_range():
    """206 that does not say which bytes it has."""
    def act(_, response):
        response.headers.drop("Content-Range")
        return response
    return fault("no Content-Range", act)


def not_satisfiable():
    """416 to every range that does not begin at 0."""
    def act(exchange, response):
        if response.status == 206 and exchange.entry.start:
            size = response.headers.get("Content-Range").split("/")[1]
            response.status, response.body = 416, b""
            response.headers.set("Content-Range", f"bytes */{size}")
        return response
    return fault("416", act)


# --- bytes -----------------------------------------------------------------------------------------------------


def shorter(by):
    """The body, and what it says of its length, lack the file's last `by` bytes."""
    def act(exchange, response):
        if response.status in (200, 206):
            size = len(_whole(exchange).body)
            first = exchange.entry.start if response.status == 206 else 0
            keep = max(0, min(len(response.body), size - by - first))
            response.body = response.body[:keep]
            if response.status == 206:
                response.headers.set("Content-Range", f"bytes {first}-{first + keep - 1}/{size - by}")
        return response
    return fault("shorter", act)


def longer(extra):
    """The body goes on after the file's end."""
    def act(exchange, response):
        if response.status in (200, 206):
            response.body = bytes(response.body) + b"\x5a" * extra
            if response.status == 206:
                first, last, size = map(int, re.findall(r"\d+", response.headers.get("Content-Range")))
                if last + 1 == size:
                    response.headers.set("Content-Range", f"bytes {first}-{last + extra}/{size + extra}")
        return response
    return fault("longer", act)


def flip(position, only_resumed=False, once=False):
    """The byte at this position of the file has one wrong bit; `once`: the first time that it is sent."""
    done = threading.Event()

    def act(exchange, response):
        if once and done.is_set():
            return response
        if response.status not in (200, 206) or (only_resumed and response.status != 206):
            return response
        if only_resumed and not exchange.entry.start:
            return response
        at = position - (exchange.entry.start if response.status == 206 else 0)
        if 0 <= at < len(response.body):
            body = bytearray(response.body)
            body[at] ^= 1
            response.body = bytes(body)
            done.set()
        return response
    return fault("flip", act)


def body(data, status=None, content_type=None, keep_headers=True):
    """Another body, and the length that goes with it."""
    def act(_, response):
        if status:
            response.status = status
        if not keep_headers:
            response.headers.clear()
        response.headers.drop("Content-Encoding")
        response.headers.drop("Content-Range")
        if content_type:
            response.headers.set("Content-Type", content_type)
        response.body = data
        return response
    return fault("other body", act)


def truncate_json(at):
    """JSON that breaks off, at the right length."""
    def act(_, response):
        data = gzip.decompress(response.body) if response.headers.get("Content-Encoding") else response.body
        response.headers.drop("Content-Encoding")
        response.body = data[:at]
        return response
    return fault("truncated JSON", act)


# --- status and headers ----------------------------------------------------------------------------------------


def status(code, headers=(), text="", error_code=""):
    """Another status; the body is the Hub's JSON error."""
    def act(_, response):
        response.headers.clear()
        response.status = code
        for name, value in headers:
            response.headers.set(name, value)
        if error_code:
            response.headers.set("X-Error-Code", error_code)
        if text:
            response.headers.set("X-Error-Message", text)
        response.headers.set("Content-Type", "application/json")
        response.body = json.dumps({"error": text or f"made-up error {code}"}).encode()
        return response
    return fault(str(code), act)


def header(name, value=None):
    """One header set, or taken away."""
    def act(_, response):
        response.headers.drop(name)
        if value is not None:
            response.headers.set(name, value)
        return response
    return fault(f"header {name}", act)


def redirect(target, code=302):
    """To `target`: a URL, or a function of the exchange that gives one."""
    def act(exchange, response):
        response.status, response.body = code, b"moved"
        response.headers.drop("Content-Encoding")
        response.headers.set("Location", target(exchange) if callable(target) else target)
        return response
    return fault("redirect", act)


def redirect_loop():
    """To itself, with a counter so that no cache of URLs sees it."""
    def target(exchange):
        path = exchange.request.target.split("?")[0]
        return f"{path}?again={exchange.entry.number}"
    return redirect(target)


def portal():
    """A captive portal: 200 and a page to log in, whatever was asked."""
    page = b"<!doctype html><html><head><title>Welcome to Hotel WiFi</title></head><body>Log in</body></html>"
    return body(page, 200, "text/html; charset=utf-8", keep_headers=False)


def raw(data):
    """These bytes instead of an HTTP answer."""
    def act(_, response):
        response.raw = data
        return response
    return fault("raw", act)


# --- listings --------------------------------------------------------------------------------------------------


def as_json(change):
    """The JSON of the answer, changed by a function (which may also return something new)."""
    def act(_, response):
        data = gzip.decompress(response.body) if response.headers.get("Content-Encoding") else response.body
        response.headers.drop("Content-Encoding")
        value = json.loads(data)
        changed = change(value)
        response.body = json.dumps(value if changed is None else changed).encode()
        return response
    return fault("JSON", act)


def add_entry(path, **fields):
    """One more entry in the listing."""
    entry = {"type": "file", "oid": "0" * 40, "size": 3, "path": path} | fields
    return as_json(lambda entries: entries + [entry])


def raw_json(data, compress=False):
    """These bytes as the JSON of the answer."""
    def act(_, response):
        response.headers.drop("Content-Encoding")
        response.body = gzip.compress(data) if compress else data
        if compress:
            response.headers.set("Content-Encoding", "gzip")
        return response
    return fault("raw JSON", act)


def gzip_bomb(size):
    """JSON of `size` bytes in a thousandth of them."""
    data = gzip.compress(b"[" + b" " * size + b"]", 9)

    def act(_, response):
        response.headers.set("Content-Encoding", "gzip")
        response.body = data
        return response
    return fault("gzip bomb", act)


# --- scripts ---------------------------------------------------------------------------------------------------

SCRIPTED = {f.__name__: f for f in (
    fin, rst, hold, fin_at, trickle, close, slow_head, delay, ignore_range, from_zero, lying_range,
    no_content_range, not_satisfiable, shorter, longer, flip, truncate_json, status, header, redirect, redirect_loop,
    portal, gzip_bomb)}


def apply_script(hub, script):
    """[{"fault": NAME, "path": REGEX, "method": "", "origin": "", "skip": 0, "times": null, ...arguments}]"""
    for line in script:
        line = dict(line)
        make = SCRIPTED[line.pop("fault")]
        where = {key: line.pop(key) for key in ("method", "origin", "skip", "times") if key in line}
        path = line.pop("path", "")
        hub.on(make(**line), path, **where)
