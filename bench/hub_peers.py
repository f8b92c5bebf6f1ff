#!/usr/bin/env python3
"""usage: bench/hub_peers.py GPTOSS [--gb 2] [--rounds 3] [--to FOLDER] [--only NAME,…] [--ways one,many] [--zeros] [--again]
                            [--tls] [--limit MB_S] [--delay MS [--link DELAY_LINK] [--mb-s 125]] [--python HF_PYTHON]

How fast a model comes over loopback: `gptoss install` (every byte hashed, synced, in its place by rename), `curl --location` (which
only writes), `curl+sha256` (the same, and then `openssl sha256` of every file), and `huggingface_hub` (build/test-data/hf, made by
tools/fetch_test_data.sh) with and without hf_xet. A Hub of this script's own answers the API; nginx (which must be installed) sends
the content from memory with sendfile. Each in two ways:
`one`: one file over one connection; `many`: eight files, as many connections as the program likes. Best and median of the rounds,
the programs in turn, and the median of each round's rate as a part of curl's in that round; nothing else should run. Peak memory is what the kernel calls VmHWM, looked at while the program runs.

--zeros: files without content, which need no memory at the server: for sizes like 12 GB. --again: then also how long gptoss takes
to see that all is complete, and for a quick check.

--delay MS (root): client and server each in a network namespace, joined by build/bench/delay_link, which holds every packet up for
half of MS each way and lets --mb-s through: the kernel's netem, where a kernel has none.

--tls: the content comes over TLS, with a certificate authority made for it. --limit: each connection gets no more than that.

The server has no Xet: with hf_xet installed the client is offered plain HTTP, as by any mirror. Nothing here measures Xet itself.
"""
import argparse
import hashlib
import http.server
import json
import os
import pathlib
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/e2e/hub"))
from certificates import Authority  # noqa: E402

HF = ROOT / "build/test-data/hf/bin/python"
COMMIT = "c" * 40
SMALL = {"config.json": b'{"architectures": ["Bench"]}\n', "README.md": b"bench\n"}
CLIENT, SERVER = "gptoss-bench-c", "gptoss-bench-s"
CLIENT_IP, SERVER_IP = "10.77.0.1", "10.77.0.2"


class Hub(http.server.BaseHTTPRequestHandler):
    """What the API says of `bench/one` and `bench/many`; content is nginx's."""
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else a body waits for the head to be acknowledged, 40 ms or a round trip
    repos, cdn = {}, ""

    def log_message(self, *_):
        pass

    def reply(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body)), "X-Repo-Commit": COMMIT} | headers).items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_GET(self):
        path = urllib.parse.urlsplit(self.path).path
        parts = path.strip("/").split("/")
        if parts[:2] == ["api", "models"]:
            files = self.repos["/".join(parts[2:4])]
            if "tree" in parts:
                body = [{"type": "file", "path": name, "size": size, "oid": oid, **({"lfs": {
                    "oid": sha, "size": size, "pointerSize": 130}} if sha else {})} for name, (size, oid, sha) in files.items()]
            else:
                body = {"id": "/".join(parts[2:4]), "sha": COMMIT, "cardData": {"license": "apache-2.0"}, "tags": [],
                        "gated": False, "private": False, "disabled": False, "siblings": [{"rfilename": n} for n in files]}
            return self.reply(200, json.dumps(body).encode(), Content_Type="application/json")
        name = "/".join(parts[4:])  # org/name/resolve/revision/path
        size, oid, sha = self.repos["/".join(parts[:2])][name]
        if sha:
            return self.reply(302, Location=f"{self.cdn}/{sha}", X_Linked_Size=str(size), X_Linked_Etag=f'"{sha}"',
                              ETag=f'"{oid}"')
        return self.reply(200, SMALL[name], ETag=f'"{oid}"')

    do_HEAD = do_GET


def git_id(data):
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def make_content(folder, total, shapes, zeros):
    """{repository: {path: (size, git id, sha256 or None)}}, the content below `folder` by its hash."""
    repos = {}
    for repo, count in shapes.items():
        files = {name: (len(data), git_id(data), None) for name, data in SMALL.items()}
        for i in range(count):
            size, digest = total // count + (i if zeros else 0), hashlib.sha256()  # a size more is another hash
            temporary = folder / "new"
            with open(temporary, "wb") as out:
                left = size
                while left:
                    block = bytes(min(left, 1 << 22)) if zeros else os.urandom(min(left, 1 << 22))
                    digest.update(block)
                    if not zeros:
                        out.write(block)
                    left -= len(block)
                out.truncate(size)
            sha = digest.hexdigest()
            temporary.rename(folder / sha)
            files[f"model-{i + 1:05}-of-{count:05}.bin"] = (size, git_id(sha.encode()), sha)
        repos[repo] = files
    return repos


NGINX = """
daemon off; worker_processes 1; pid {work}/nginx.pid; error_log {work}/error.log; user root;
events {{ worker_connections 256; }}
http {{ access_log off; sendfile on; tcp_nopush on; sendfile_max_chunk 2m; default_type application/octet-stream;
  client_body_temp_path {work}/body; proxy_temp_path {work}/proxy; fastcgi_temp_path {work}/fastcgi;
  uwsgi_temp_path {work}/uwsgi; scgi_temp_path {work}/scgi;
  server {{ listen {host}:{port}{tls}; root {content}; {limit} }} }}
"""


def serve(host, port, content, listing, ready, tls, limit):
    """In a process of its own, in the server's namespace."""
    Hub.repos, Hub.cdn = json.load(open(listing)), f"{'https' if tls else 'http'}://{host}:{port + 1}"
    work = pathlib.Path(tempfile.mkdtemp(prefix="gptoss-nginx-"))
    if tls:
        certificate, key = Authority(tls).files(names=f"IP:{host}")
        tls = f" ssl; ssl_certificate {certificate}; ssl_certificate_key {key}"
    limit = f"limit_rate {int(float(limit) * 1e6)};" if float(limit) else ""
    (work / "nginx.conf").write_text(NGINX.format(work=work, content=content, host=host, port=port + 1, tls=tls, limit=limit))
    nginx = subprocess.Popen([shutil.which("nginx") or "/usr/sbin/nginx", "-c", work / "nginx.conf", "-e", work / "error.log"])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        hub = http.server.ThreadingHTTPServer((host, port), Hub)
        pathlib.Path(ready).touch()
        hub.serve_forever()
    finally:
        nginx.terminate()
        nginx.wait()
        shutil.rmtree(work)


def run(*line, **more):
    return subprocess.run([str(x) for x in line], check=True, **more)


class Link:
    """Two namespaces and the packets between them."""

    def __init__(self, program, delay_ms, mb_s):
        self.close_spaces()
        for space in (CLIENT, SERVER):
            run("ip", "netns", "add", space)
        self.link = subprocess.Popen([program, f"/run/netns/{CLIENT}", f"/run/netns/{SERVER}", str(delay_ms / 2), str(mb_s)])
        for space, here, there in ((CLIENT, CLIENT_IP, SERVER_IP), (SERVER, SERVER_IP, CLIENT_IP)):
            for _ in range(100):
                if subprocess.run(["ip", "-n", space, "link", "show", "wire"], capture_output=True).returncode == 0:
                    break
                time.sleep(0.02)
            run("ip", "-n", space, "addr", "add", here, "peer", there, "dev", "wire")
            run("ip", "-n", space, "link", "set", "wire", "txqueuelen", "20000", "up")
            run("ip", "-n", space, "link", "set", "lo", "up")

    def close_spaces(self):
        for space in (CLIENT, SERVER):
            subprocess.run(["ip", "netns", "del", space], capture_output=True)

    def close(self):
        self.link.terminate()
        self.link.wait()
        self.close_spaces()


def programs(gptoss, endpoint, repos, folder, ca=None, python=HF):
    """{name: function(way) -> [command line, environment]}"""
    clean = {k: v for k, v in os.environ.items() if not k.upper().endswith("_PROXY") and not k.startswith(("HF_", "GPTOSS_"))}
    if ca:
        clean |= {"SSL_CERT_FILE": str(ca), "CURL_CA_BUNDLE": str(ca)}
    home = clean | {"HOME": str(folder), "HF_HOME": str(folder / "hf"), "HF_ENDPOINT": endpoint, "HF_HUB_DISABLE_TELEMETRY": "1",
                    "HF_HUB_DISABLE_PROGRESS_BARS": "1", "GPTOSS_STATE_DIR": str(folder / "state"),
                    "GPTOSS_HUB_DISK_MARGIN": "0"}

    def ours(way):
        one = {"GPTOSS_HUB_CONNECTIONS": "1"} if way == "one" else {}
        return [gptoss, "install", f"bench/{way}", "--accept-license", "--yes", "--quiet"], home | one

    def curl(way):
        line = ["curl", "--silent", "--show-error", "--fail", "--location", *(["--parallel", "--parallel-immediate"] if way == "many" else [])]
        for path, (_, _, sha) in repos[f"bench/{way}"].items():
            if sha:
                line += ["--output", str(folder / path), f"{endpoint}/bench/{way}/resolve/main/{path}"]
        return line, clean

    def curl_and_check(way):
        files = " ".join(str(folder / path) for path, (_, _, sha) in repos[f"bench/{way}"].items() if sha)
        return ["sh", "-c", f'"$@" && openssl sha256 {files}', "sh", *curl(way)[0]], clean

    def hf(way, **extra):
        code = f"from huggingface_hub import snapshot_download as s; s('bench/{way}')"
        return [str(python), "-c", code], home | extra

    found = {"gptoss": ours, "curl": curl, "curl+sha256": curl_and_check}
    if pathlib.Path(python).exists():
        found |= {"huggingface_hub": lambda way: hf(way, HF_HUB_DISABLE_XET="1"), "huggingface_hub+hf_xet": hf}
    return found


def measure(line, env, space):
    if space:
        line = ["ip", "netns", "exec", space, *line]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begin = time.perf_counter()
    child = subprocess.Popen([str(x) for x in line], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    seen = []
    watcher = threading.Thread(target=watch_memory, args=(child, seen))
    watcher.start()
    errors = child.communicate()[1]
    seconds = time.perf_counter() - begin
    watcher.join()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if child.returncode != 0:
        sys.exit(f"{line[:3]} failed: {errors[-2000:]}")
    return seconds, after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime, max(seen, default=0)


def watch_memory(child, seen):
    """Megabytes; the first looks may still be of the Python that becomes the program."""
    time.sleep(0.05)
    while child.returncode is None:
        try:
            for line in open(f"/proc/{child.pid}/status", encoding="utf-8"):
                if line.startswith("VmHWM:"):
                    seen.append(int(line.split()[1]) * 1024 / 1e6)
        except OSError:
            return
        time.sleep(0.05)


def again(gptoss, way, env, space):
    for name, line in (("complete", [gptoss, "install", f"bench/{way}", "--accept-license", "--yes"]),
                       ("quick check", [gptoss, "verify", f"bench/{way}", "--quick"]), ("version", [gptoss, "--version"])):
        times = [measure(line, env, space)[0] * 1000 for _ in range(9)]
        print(f"  {way:<5} {name:<23} best {min(times):7.1f}  median {statistics.median(times):7.1f} ms", flush=True)


def touch_memory(size):
    """A virtual machine may have given free memory back to its host: whoever touches it first pays more for that than for all
    else. So it is touched just before each run."""
    block = bytearray(size)
    del block


def compare(arguments, names, repos, endpoint, space, ca):
    total = sum(size for size, _, sha in next(iter(repos.values())).values() if sha)
    rates, cpus, peaks = {}, {}, {}
    for _ in range(arguments.rounds):
        for way in arguments.ways.split(","):
            for name in names:
                folder = pathlib.Path(tempfile.mkdtemp(prefix="gptoss-peers-", dir=arguments.to))
                try:
                    line, env = programs(arguments.gptoss, endpoint, repos, folder, ca, arguments.python)[name](way)
                    os.sync()
                    touch_memory(total + total // 2)
                    seconds, cpu, peak = measure(line, env, space)
                    if arguments.again and name == "gptoss":
                        again(arguments.gptoss, way, env, space)
                finally:
                    shutil.rmtree(folder)
                rates.setdefault((way, name), []).append(total / 1e6 / seconds)
                cpus.setdefault((way, name), []).append(cpu)
                peaks.setdefault((way, name), []).append(peak)
    print(f"{total / 1e6:.0f} MB to {arguments.to}, {arguments.rounds} rounds" + (f", {arguments.delay} ms delay, {arguments.mb_s} MB/s"
          if arguments.delay else ", loopback") + (", TLS" if arguments.tls else "")
          + (f", {arguments.limit:g} MB/s a connection" if arguments.limit else ""))
    for (way, name), found in rates.items():
        print(f"  {way:<5} {name:<23} best {max(found):7.1f}  median {statistics.median(found):7.1f} MB/s   "
              f"{statistics.median(cpus[way, name]):5.2f} CPU s {max(peaks[way, name]):6.1f} MB"
              + (f"  {statistics.median(map(float.__truediv__, found, rates[way, 'curl'])):5.2f} x curl" if (way, "curl") in rates
                 else ""), flush=True)


def main():
    if sys.argv[1:2] == ["--serve"]:
        return serve(sys.argv[2], int(sys.argv[3]), *sys.argv[4:9])
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("gptoss", type=lambda text: str(pathlib.Path(text).resolve()))
    parser.add_argument("--gb", type=float, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--to", default=tempfile.gettempdir())
    parser.add_argument("--delay", type=float, default=0)
    parser.add_argument("--mb-s", type=float, default=125)
    parser.add_argument("--link", default=str(ROOT / "build/bench/delay_link"))
    parser.add_argument("--only", default="")
    parser.add_argument("--ways", default="one,many")
    parser.add_argument("--tls", action="store_true")
    parser.add_argument("--limit", type=float, default=0)
    parser.add_argument("--python", default=HF)
    parser.add_argument("--zeros", action="store_true")
    parser.add_argument("--again", action="store_true")
    arguments = parser.parse_args()
    host, port = (SERVER_IP if arguments.delay else "127.0.0.1"), 18_080
    content = pathlib.Path(tempfile.mkdtemp(prefix="gptoss-content-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None))
    link = server = None
    tls = tempfile.mkdtemp(prefix="gptoss-ca-") if arguments.tls else None
    try:
        repos = make_content(content, int(arguments.gb * 1e9) // 8 * 8, {f"bench/{way}": {"one": 1, "many": 8}[way]
                                                                              for way in arguments.ways.split(",")}, arguments.zeros)
        (content / "listing").write_text(json.dumps(repos))
        if arguments.delay:
            link = Link(arguments.link, arguments.delay, arguments.mb_s)
        enter = ["ip", "netns", "exec", SERVER] if link else []
        server = subprocess.Popen([*enter, sys.executable, __file__, "--serve", host, str(port), content, content / "listing",
                                   content / "ready", tls or "", str(arguments.limit)])
        while not (content / "ready").exists():
            if server.poll() is not None:
                sys.exit("the server did not start; is nginx installed?")
            time.sleep(0.02)
        time.sleep(0.5)
        names = list(programs(arguments.gptoss, "", {}, content, python=arguments.python))
        if arguments.only:
            names = [name for name in names if name in arguments.only.split(",")]
        compare(arguments, names, repos, f"http://{host}:{port}", CLIENT if link else None,
                pathlib.Path(tls) / "ca.pem" if tls else None)
    finally:
        if server:
            server.terminate()
            server.wait()
        if link:
            link.close()
        shutil.rmtree(content)
        if tls:
            shutil.rmtree(tls)


if __name__ == "__main__":
    main()
