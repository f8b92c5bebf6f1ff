#!/usr/bin/env python3
"""Signals at random moments of `gptoss run`: none is lost, whatever the program waits for.

Usage: signals_test.py PROGRAM SOURCE_DIR [unittest arguments]
GPTOSS_SIGNALS=300: so many runs of each kind (default 12). Several run at a time, so that they disturb each other.
Only the standard library.
"""
import concurrent.futures
import fcntl
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

PROGRAM = SOURCE = ""
TIMEOUT = 120  # generous: sanitizer builds on shared machines; what it took is printed
RUNS = int(os.environ.get("GPTOSS_SIGNALS", "12"))
AT_A_TIME = 4
PROMPT = "What is the capital of France?"


def full_pipe():
    """A pipe of one page that is full: whoever writes there waits for a reader that never comes."""
    reader, writer = os.pipe()
    fcntl.fcntl(writer, getattr(fcntl, "F_SETPIPE_SZ", 1031), 4096)
    os.set_blocking(writer, False)
    try:
        while True:
            os.write(writer, b"x" * 4096)
    except BlockingIOError:
        pass
    os.set_blocking(writer, True)
    return reader, writer


class SignalTest(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.home = pathlib.Path(temporary.name)
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(("GPTOSS_", "XDG_", "HF_"))}
        self.env.update(HOME=str(self.home), GPTOSS_CONFIG=str(self.home / "config.toml"),
                        GPTOSS_STATE_DIR=str(self.home / "state"))
        self.lock = threading.Lock()
        self.slowest, self.ended, self.finished = 0.0, 0, 0

    def start(self, args, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **env):
        return subprocess.Popen([PROGRAM, *args], stdin=stdin, stdout=stdout, stderr=stderr, env={**self.env, **env})

    def strike(self, process, delay, number):
        """Waits so long, sends the signal, looks how it ends."""
        reading = None
        if process.stdout or process.stderr:
            reading = threading.Thread(target=process.communicate)
            reading.start()
        try:
            time.sleep(delay)
            finished = process.poll() is not None
            sent = time.monotonic()
            process.send_signal(number)
            code = process.wait(TIMEOUT)
            took = time.monotonic() - sent
        except subprocess.TimeoutExpired:
            self.fail(f"{signal.Signals(number).name} after {delay:.3f} s was lost: still there {TIMEOUT} s later")
        finally:
            process.kill()
            if reading:
                reading.join()
        with self.lock:
            if finished or code == 0:
                # It had ended, or ended between the look and the signal.
                self.finished += 1
                self.assertEqual(code, 0)
                return finished
            self.ended += 1
            self.slowest = max(self.slowest, took)
        self.assertIn(code, (-number, 128 + number), f"{signal.Signals(number).name} after {delay:.3f} s")
        return True

    def many(self, name, start, longest, always=False):
        """`start()` gives a process and what to close after it. `always`: it never ends by itself."""
        random.seed(name)
        # Half of them anywhere, half while it starts and loads; the first before anything.
        moments = [(random.uniform(0, longest / random.choice((1, 1, 4, 16))) if i else 0,
                    random.choice((signal.SIGTERM, signal.SIGINT))) for i in range(RUNS)]

        def one(moment):
            process, close = start()
            try:
                return self.strike(process, *moment)
            finally:
                for descriptor in close:
                    os.close(descriptor)

        with concurrent.futures.ThreadPoolExecutor(AT_A_TIME) as pool:
            seen = list(pool.map(one, moments))
        print(f"{name}: {RUNS} signals, {self.ended} ended by them (the slowest after {self.slowest:.2f} s), "
              f"{self.finished} had finished", file=sys.stderr)
        # The moment between the look and the signal is short: hardly ever does a run end in it.
        self.assertLessEqual(seen.count(False), max(2, RUNS // 20))
        if always:
            self.assertEqual(self.finished, 0)
        else:
            self.assertGreater(self.ended, 0)

    def usual(self, *args):
        """Seconds of an undisturbed run, as many at a time as later."""
        begun = time.monotonic()
        running = [self.start(args) for _ in range(AT_A_TIME)]
        for process in running:
            _, err = process.communicate(timeout=TIMEOUT)
            self.assertEqual(process.returncode, 0, err)
        return time.monotonic() - begun

    def test_any_moment_of_a_run(self):
        args = ("run", "--show-reasoning", "--telemetry", PROMPT)
        self.many("a run", lambda: (self.start(args), ()), self.usual(*args))

    def test_a_model_from_a_folder(self):
        args = ("run", "-q", "-m", str(pathlib.Path(SOURCE, "models/demo")), PROMPT)
        self.many("a model from a folder", lambda: (self.start(args), ()), self.usual(*args))

    def test_nobody_reads_the_answer(self):
        def start():
            reader, writer = full_pipe()
            return self.start(("run", "--json", PROMPT), stdout=writer, stderr=subprocess.DEVNULL), (reader, writer)
        self.many("nobody reads the answer", start, 2 * self.usual("run", "--json", PROMPT), always=True)

    def test_nobody_reads_stderr(self):
        def start():
            reader, writer = full_pipe()
            return self.start(("run", "--show-reasoning", "--stats", PROMPT), stdout=subprocess.DEVNULL, stderr=writer,
                              GPTOSS_LOG_LEVEL="debug"), (reader, writer)
        self.many("nobody reads stderr", start, 2 * self.usual("run", PROMPT), always=True)

    def test_the_prompt_never_ends(self):
        def start():
            reader, writer = os.pipe()
            return self.start(("run", PROMPT), stdin=reader), (reader, writer)
        self.many("the prompt never ends", start, 1, always=True)

    def test_another_process_holds_the_log(self):
        folder = self.home / "state" / "telemetry"
        folder.mkdir(parents=True)
        with open(folder / "lock", "w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            args = ("run", "--telemetry", PROMPT)
            self.many("another process holds the log", lambda: (self.start(args), ()), self.usual(*args))

    def test_another_process_holds_the_settings(self):
        with open(self.home / "config.toml.lock", "w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            self.many("another process holds the settings",
                      lambda: (self.start(("config", "set", "memory.kv_bits", "8")), ()), 1, always=True)


if __name__ == "__main__":
    PROGRAM, SOURCE = sys.argv[1], sys.argv[2]
    # A shell starts what it puts into the background with SIGINT ignored, and what we start would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
