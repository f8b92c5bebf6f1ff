"""What the tests of `gptoss install` stand on: a home of its own, a fake Hub, the program, and what must always hold.

Usage of a test file: x_test.py [--jobs N] [unittest names]     GPTOSS_PROGRAM names the program.
After every test, whatever it was about: a blob's content is what its name says, and the token has gone to nobody but
the Hub and stands in nothing that the program said.
"""
import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import content
from fake_hub import FakeHub, body_bytes

PROGRAM = os.environ.get("GPTOSS_PROGRAM", "gptoss")
HF_PYTHON = os.environ.get("HF_PYTHON", "")
TIMEOUT = 120  # generous: sanitizer builds on shared machines
TOKEN = "hf_ThisMustStaySecret"
SHARD1, SHARD2 = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"
MIB = 1 << 20
# How bodies are fetched. Small retries, so that giving up takes no minutes.
QUICK = {"GPTOSS_HUB_RETRY_LIMIT": "4", "GPTOSS_HUB_RETRY_BASE_MS": "20", "GPTOSS_HUB_DISK_MARGIN": "1000000"}
WHOLE = {"GPTOSS_HUB_PART_BYTES": str(1 << 40), "GPTOSS_HUB_CONNECTIONS": "4"}
PARTS = {"GPTOSS_HUB_PART_BYTES": str(MIB), "GPTOSS_HUB_CONNECTIONS": "4"}


class Running:
    """A program at work; its output is in files, to be looked at while it runs."""

    def __init__(self, arguments, env, folder, **popen):
        self._out = tempfile.NamedTemporaryFile(dir=folder, suffix=".out")
        self._err = tempfile.NamedTemporaryFile(dir=folder, suffix=".err")
        self.process = subprocess.Popen([str(a) for a in arguments], env=env, stdin=subprocess.DEVNULL,
                                        stdout=self._out, stderr=self._err, **popen)
        self.code, self.peak_kib = None, 0
        self.last_words = ""

    @property
    def out(self):
        return pathlib.Path(self._out.name).read_text("utf-8", "replace")

    @property
    def err(self):
        return pathlib.Path(self._err.name).read_text("utf-8", "replace")

    @property
    def said(self):
        return self.out + self.err

    def signal(self, number):
        self.process.send_signal(number)

    def poll(self):
        """True while it runs."""
        if self.code is not None:
            return False
        self._look_at_memory()
        pid, status = os.waitpid(self.process.pid, os.WNOHANG)
        if pid == 0:
            return True
        self.code = self.process.returncode = os.waitstatus_to_exitcode(status)
        return False

    def _look_at_memory(self):
        """The kernel's high-water mark; wait4() would count this Python, whose fork the process was, as well."""
        try:
            found = re.search(r"VmHWM:\s*(\d+)", pathlib.Path(f"/proc/{self.process.pid}/status").read_text())
        except OSError:
            return
        if found:
            self.peak_kib = max(self.peak_kib, int(found[1]))

    def wait(self, timeout=TIMEOUT):
        deadline = time.monotonic() + timeout
        while self.poll():
            if time.monotonic() > deadline:
                self.signal(signal.SIGKILL)
                raise AssertionError(f"still running after {timeout} s; it said:\n{self.said}")
            time.sleep(0.005)
        return self

    def wait_stopped(self, timeout=TIMEOUT):
        """Until the process stands still (SIGSTOP, SIGTSTP)."""
        deadline = time.monotonic() + timeout
        state = ["ps", "-o", "state=", "-p", str(self.process.pid)]
        while not subprocess.run(state, capture_output=True, text=True).stdout.startswith("T"):
            if not self.poll() or time.monotonic() > deadline:
                raise AssertionError(f"never stopped; it said:\n{self.said}")
            time.sleep(0.01)

    def wait_said(self, pattern, timeout=TIMEOUT):
        """Until its output matches."""
        deadline = time.monotonic() + timeout
        while not re.search(pattern, self.said, re.I):
            if not self.poll() or time.monotonic() > deadline:
                raise AssertionError(f"never said /{pattern}/, but:\n{self.said}")
            time.sleep(0.01)

    def end(self):
        if self.code is None and self.poll():
            self.signal(signal.SIGKILL)
            self.wait()
        self.last_words = self.said
        self._out.close()
        self._err.close()


class HubCase(unittest.TestCase):
    """`self.hub` serves `self.repo`; `self.base` holds cache, state and home."""

    knobs = WHOLE
    shards = (3_000_000, 2_000_000)
    longMessage = True

    def setUp(self):
        self.base = pathlib.Path(tempfile.mkdtemp(prefix="gptoss-hub-"))
        self.addCleanup(self._clear)
        self.home, self.state, self.cache = self.base / "home", self.base / "state", self.base / "hf" / "hub"
        self.home.mkdir()
        self.repo = self.make_repo()
        self.hub = self.make_hub([self.repo])
        self.runs = []
        self.damaged = set()  # blobs that the test itself has damaged

    def make_repo(self):
        return content.model_repo(shards=self.shards)

    def make_hub(self, repos, **settings):
        hub = FakeHub(repos, **settings)
        hub.tokens = {TOKEN: [repo.name for repo in repos]}
        self.addCleanup(hub.close)
        return hub

    def tearDown(self):
        for run in self.runs:
            run.end()
        if self._outcome.success:  # else the first failure says more
            self.check_blobs()
            self.check_token()

    def _clear(self):
        for folder, folders, _ in os.walk(self.base):
            for name in folders:
                path = os.path.join(folder, name)
                if not os.path.islink(path):
                    os.chmod(path, 0o700)
        shutil.rmtree(self.base, ignore_errors=True)

    # --- the program -----------------------------------------------------------------------------------------

    def env(self, **extra):
        env = {k: v for k, v in os.environ.items()
               if not k.upper().startswith(("HF_", "HUGGING", "GPTOSS_", "XDG_", "OLLAMA", "LLAMA", "SSL_CERT"))
               and not k.upper().endswith("_PROXY") and k != "TRANSFORMERS_OFFLINE"}
        env |= {"HOME": str(self.home), "HF_HOME": str(self.base / "hf"), "HF_ENDPOINT": self.hub.endpoint,
                "HF_TOKEN": TOKEN, "GPTOSS_STATE_DIR": str(self.state), "NO_COLOR": "1", "LC_ALL": "C.UTF-8"}
        env |= QUICK | self.knobs
        for key, value in extra.items():
            if value is None:
                env.pop(key, None)
            else:
                env[key] = str(value)
        return env

    def start(self, *arguments, env=None, popen=None):
        running = Running([PROGRAM, *arguments], self.env(**(env or {})), self.base, **(popen or {}))
        self.runs.append(running)
        return running

    def gptoss(self, *arguments, env=None, popen=None):
        return self.start(*arguments, env=env, popen=popen).wait()

    def install(self, *arguments, env=None, popen=None):
        return self.gptoss(*self.install_line(*arguments), env=env, popen=popen)

    def start_install(self, *arguments, env=None, popen=None):
        return self.start(*self.install_line(*arguments), env=env, popen=popen)

    def install_line(self, *arguments):
        model = [] if arguments and not str(arguments[0]).startswith("-") else [self.repo.name]
        return ["install", *model, *arguments, "--accept-license", "--yes"]

    # --- where things are ------------------------------------------------------------------------------------

    @property
    def folder(self):
        return self.cache / f"models--{self.repo.name.replace('/', '--')}"

    def file(self, path, revision="main"):
        return self.repo.files(revision)[path]

    def blob(self, path, revision="main"):
        return self.folder / "blobs" / self.file(path, revision).etag

    def ref(self, revision="main"):
        path = self.folder / "refs" / revision
        return path.read_text() if path.exists() else None

    def snapshot(self, commit=None):
        return self.folder / "snapshots" / (commit or self.repo.head)

    def leftovers(self):
        """Partials, journals and temporary files of whatever name in blobs/."""
        blobs = self.folder / "blobs"
        return sorted(p.name for p in blobs.iterdir() if not re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", p.name)
                      ) if blobs.is_dir() else []

    def sent(self, path, log=None):
        """Body bytes that the server sent of this file's content."""
        file, name = self.file(path), re.escape(path)
        return body_bytes(self.hub.log if log is None else log,
                          f"/{file.sha256}$" if file.lfs else f"resolve.*/{name}$")

    # --- what must hold --------------------------------------------------------------------------------------

    def check_blobs(self):
        for path in self.cache.glob("models--*/blobs/*"):
            if not re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", path.name) or path.name in self.damaged:
                continue
            data = path.read_bytes()
            is_sha256 = len(path.name) == 64
            name = hashlib.sha256(data).hexdigest() if is_sha256 else content.git_blob_id(data)
            self.assertEqual(name, path.name, f"{path} has other content than its name says")

    def check_token(self):
        for entry in self.hub.log:
            if (entry.authorization or entry.secret) and entry.origin != "proxy":
                self.assertEqual(f"{entry.origin} {entry.host}", "hub " + self.hub.endpoint.split("//")[1],
                                 f"the token went astray: {entry}")
        for run in self.runs:
            self.assertNotIn(TOKEN, run.last_words)
        for folder, _, files in os.walk(self.base):
            for name in files:
                path = pathlib.Path(folder, name)
                if path.is_file() and path.stat().st_size < MIB:
                    self.assertNotIn(TOKEN.encode(), path.read_bytes(), path)

    def check_whole(self, commit=None, ref="main", paths=None):
        """The snapshot is complete and right, the ref names it, nothing is left over."""
        commit = commit or self.repo.head
        if ref:
            self.assertEqual(self.ref(ref), commit)
        for path in paths or self.repo.commits[commit]:
            stored = self.snapshot(commit) / path
            self.assertTrue(stored.exists(), f"{path} is missing")
            self.assertTrue(stored.read_bytes() == self.repo.commits[commit][path].data, f"{path} has other bytes")
        self.assertEqual(self.leftovers(), [])

    def check_ok(self, run):
        self.assertEqual(run.code, 0, run.said)
        return run

    def check_failed(self, run, *patterns, code=1):
        """One sentence on stderr that has all of these in it."""
        self.assertEqual(run.code, code, run.said)
        lines = [line for line in run.err.splitlines() if line.startswith("gptoss: error:")]
        self.assertEqual(len(lines), 1, run.err)
        for pattern in patterns:
            self.assertRegex(lines[0], f"(?i){pattern}")
        return run

    def check_not_published(self, *paths):
        for path in paths:
            self.assertFalse(self.blob(path).exists(), f"{path} was published")
        self.assertIsNone(self.ref())

    def check_resumed(self, path, before, after, slack=MIB):
        """Of what the first run got, the second fetched no more than `slack` again."""
        missing = self.file(path).size - min(before, self.file(path).size)
        self.assertLessEqual(after, missing + slack, f"{path}: {before} bytes came first, {after} then")

    def everything(self):
        """{path: size or link} below the base, without what tests themselves write there."""
        found = {}
        for folder, folders, files in os.walk(self.base):
            for name in folders + files:
                path = os.path.join(folder, name)
                if not name.endswith((".out", ".err")):
                    found[os.path.relpath(path, self.base)] = (
                        os.readlink(path) if os.path.islink(path) else
                        os.path.getsize(path) if os.path.isfile(path) else "folder")
        return found

    def events(self, run):
        """The lines of --json."""
        return [json.loads(line) for line in run.out.splitlines()]


def as_nobody():
    """Popen arguments that make permissions count when the tests run as root."""
    return {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}


def _run_one(test):
    result = unittest.TestResult()
    begin = time.monotonic()
    try:
        test.run(result)
    except Exception:  # a broken runner must not lose the others' results
        result.errors.append((test, traceback.format_exc()))
    return test, result, time.monotonic() - begin


def _flatten(suite):
    for item in suite:
        if isinstance(item, unittest.TestSuite):
            yield from _flatten(item)
        else:
            yield item


def main():
    """Runs the tests of __main__ several at a time: they wait for network and timers most of the time."""
    arguments = sys.argv[1:]
    jobs = 4
    if arguments[:1] == ["--jobs"]:
        jobs, arguments = int(arguments[1]), arguments[2:]
    loader, module = unittest.defaultTestLoader, sys.modules["__main__"]
    suite = loader.loadTestsFromNames(arguments, module) if arguments else loader.loadTestsFromModule(module)
    tests = list(_flatten(suite))
    failed, skipped = 0, []
    begin = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        for future in concurrent.futures.as_completed([pool.submit(_run_one, test) for test in tests]):
            test, result, seconds = future.result()
            skipped += [f"{test.id()}: {reason}" for _, reason in result.skipped]
            problems = result.failures + result.errors
            failed += bool(problems)
            print(f"{'FAILED' if problems else 'ok':6} {seconds:6.1f} s  {test.id().removeprefix('__main__.')}",
                  flush=True)
            for _, text in problems:
                print(text, flush=True)
    for line in skipped:
        print("skipped", line)
    print(f"{len(tests)} tests, {failed} failed, {len(skipped)} skipped, {time.monotonic() - begin:.1f} s")
    sys.exit(1 if failed or not tests else 0)
