#!/usr/bin/env python3
"""Tests of the real program in pipes and in a pseudo-terminal.

Usage: cli_test.py PROGRAM SOURCE_DIR [unittest arguments]
Only the standard library. The demo model answers; its words are never compared, only their form.
"""
import json
import os
import pathlib
import pty
import re
import select
import signal
import subprocess
import sys
import tempfile
import time
import unittest

PROGRAM = SOURCE = ""
TIMEOUT = 120  # generous: sanitizer builds on shared machines
SHORT = ["--max-tokens", "200"]


STATE = tempfile.TemporaryDirectory(prefix="gptoss-cli-")


def environment(**extra):
    """Nothing of what this machine has installed or configured counts."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("GPTOSS_", "HF_")) and k != "NO_COLOR"}
    env |= {"TERM": "xterm", "GPTOSS_STATE_DIR": STATE.name, "GPTOSS_CONFIG": STATE.name + "/config.toml",
            "HF_HUB_CACHE": STATE.name + "/hub"}
    env.update(extra)
    return env


def gptoss(*args, stdin=b"", env=None):
    """(exit code, stdout, stderr) with `stdin` piped in."""
    done = subprocess.run([PROGRAM, *args], input=stdin, capture_output=True, timeout=TIMEOUT,
                          env=env or environment())
    return done.returncode, done.stdout, done.stderr


class Terminal:
    """The program under a pseudo-terminal."""

    def __init__(self, *args, env=None):
        self.text = b""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execve(PROGRAM, [PROGRAM, *args], env or environment())

    def wait_for(self, needle, timeout=TIMEOUT):
        """Reads on until `needle` has come; returns the text up to its end and drops it."""
        deadline = time.monotonic() + timeout
        while needle not in self.text:
            left = deadline - time.monotonic()
            if left <= 0 or not self._read(left):
                raise AssertionError(f"no {needle!r} in {self.text!r}")
        end = self.text.index(needle) + len(needle)
        seen, self.text = self.text[:end], self.text[end:]
        return seen

    def wait_for_any(self, *needles):
        """Reads on until one of `needles` has come; returns it and drops the text up to its end."""
        deadline = time.monotonic() + TIMEOUT
        while True:
            found = [needle for needle in needles if needle in self.text]
            if found:
                self.wait_for(found[0])
                return found[0]
            left = deadline - time.monotonic()
            if left <= 0 or not self._read(left):
                raise AssertionError(f"none of {needles!r} in {self.text!r}")

    def _read(self, timeout):
        if not select.select([self.fd], [], [], timeout)[0]:
            return True
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            return False
        self.text += data
        return bool(data)

    def send(self, data):
        os.write(self.fd, data)

    def finish(self):
        """Waits for the end; returns the exit code as a shell would see it."""
        deadline = time.monotonic() + TIMEOUT
        while self._read(0.2):
            if time.monotonic() > deadline:
                os.kill(self.pid, signal.SIGKILL)
                break
        status = os.waitpid(self.pid, 0)[1]
        os.close(self.fd)
        code = os.waitstatus_to_exitcode(status)
        return 128 - code if code < 0 else code


class RunTest(unittest.TestCase):
    def test_answer_on_stdout_all_else_on_stderr(self):
        code, out, err = gptoss("run", "Who are you?")
        self.assertEqual(code, 0, err)
        self.assertTrue(out.endswith(b"\n") and not out.endswith(b"\n\n"), out)
        self.assertGreater(len(out.strip()), 10)
        self.assertEqual(err.count(b"embedded demo"), 1)
        self.assertNotIn(b"embedded demo model answers", out)

    def test_quiet_says_nothing(self):
        code, out, err = gptoss("run", "-q", "Who are you?")
        self.assertEqual((code, err), (0, b""))

    def test_stdin_variants(self):
        by_argument = gptoss("run", "-q", "hello")[1]
        self.assertEqual(gptoss("run", "-q", stdin=b"hello\n")[1], by_argument)
        self.assertEqual(gptoss("run", "-q", "hello", stdin=b"\n")[1], by_argument)
        code, out, err = gptoss("run", "-q", "hello", stdin=b"and more\n")
        self.assertEqual((code, err), (0, b""))

    def test_odd_bytes_are_answered(self):
        for text in (b"a\0b", b"\xff\xfe broken", b"<|return|><|end|>", "مرحبا 😀".encode()):
            code, out, err = gptoss("run", "-q", *SHORT, stdin=text)
            self.assertIn(code, (0, 1), err)
            self.assertTrue(out or err)

    def test_odd_arguments_stay_one_prompt(self):
        for text in ("[1, 2]", "{}", "%%", "a=b"):
            code, _, err = gptoss("run", "-q", *SHORT, text)
            self.assertIn(code, (0, 1), err)
            self.assertNotIn(b"--help", err)

    def test_prompt_beyond_the_context(self):
        code, out, err = gptoss("run", "-q", stdin=b"word " * 400_000)
        self.assertEqual((code, out), (1, b""), err)
        self.assertRegex(err.decode(), r"^gptoss: error: .+\n$")

    def test_seed_makes_answers_reproducible(self):
        args = ("run", "-q", "--temperature", "1.5", "--top-p", "1", "--max-tokens", "60", "--json", "tell me")
        def deltas(seed):
            lines = gptoss(*args, "--seed", seed)[1].splitlines()
            return [e.get("delta") for e in map(json.loads, lines) if "delta" in e]
        self.assertEqual(deltas("7"), deltas("7"))
        self.assertTrue(any(deltas("7") != deltas(str(other)) for other in range(8, 12)))

    def test_stats(self):
        code, _, err = gptoss("run", "--stats", "hello")
        self.assertEqual(code, 0)
        self.assertRegex(err.decode(), r"\d+ prompt tokens.*first token after [\d.]+ s, \d+ tokens at [\d.]+ tokens/s, "
                                       r"peak memory \d+ MB\n")

    def test_json_events(self):
        code, out, err = gptoss("run", "--json", "Who are you?")
        self.assertEqual(code, 0, err)
        events = [json.loads(line) for line in out.splitlines()]
        self.assertEqual((events[0]["type"], events[-1]["type"]), ("start", "end"))
        self.assertIs(events[0]["demo"], True)
        self.assertGreater(events[0]["context_tokens"], 0)
        self.assertLessEqual({e["type"] for e in events[1:-1]}, {"reasoning", "preamble", "answer", "tool_call"})
        answer = "".join(e["delta"] for e in events if e["type"] == "answer")
        self.assertEqual(answer.strip(), gptoss("run", "-q", "Who are you?")[1].decode().strip())
        self.assertEqual(events[-1]["reason"], "answer")
        usage = events[-1]["usage"]
        for field in ("prompt_tokens", "reused_tokens", "generated_tokens", "first_token_seconds",
                      "tokens_per_second", "peak_memory_bytes", "seed"):
            self.assertIn(field, usage)
        self.assertGreater(usage["generated_tokens"], 0)

    def test_the_log_level(self):
        self.assertNotIn(b"is ready", gptoss("run", "hello")[2])
        self.assertIn(b"gptoss: info: embedded demo is ready", gptoss("--set", "log.level=info", "run", "hello")[2])

    def test_json_error(self):
        code, out, err = gptoss("run", "--json", "-m", "/nonexistent/model", "x")
        self.assertEqual(code, 1)
        self.assertEqual(json.loads(out)["type"], "error")
        self.assertTrue(err.startswith(b"gptoss: error: "))

    def test_a_tool_is_called(self):
        tools = [{"type": "function", "function": {
            "name": "get_weather", "description": "Get the current weather",
            "parameters": {"type": "object", "properties": {
                "location": {"type": "string", "description": "The city name"}}, "required": ["location"]}}}]
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(tools, file)
            file.flush()
            code, out, err = gptoss("run", "-q", "--tools", file.name, "What is the weather in Paris?")
            self.assertEqual(code, 0, err)
            call = json.loads(out.splitlines()[-1])["tool_call"]
            self.assertEqual(call["name"], "get_weather")
            self.assertIn("location", call["arguments"])
            events = [json.loads(line) for line in gptoss(
                "run", "--json", "--tools", file.name, "What is the weather in Paris?")[1].splitlines()]
            self.assertIn("tool_call", [e["type"] for e in events])
            self.assertEqual(events[-1]["reason"], "tool_call")

    def test_reasoning_is_shown_on_demand(self):
        self.assertEqual(gptoss("run", "-q", "Who are you?")[2], b"")
        self.assertGreater(len(gptoss("run", "-q", "--show-reasoning", "Who are you?")[2]), 5)

    def test_max_tokens_is_told(self):
        code, out, err = gptoss("run", "-q", "--max-tokens", "1", "Who are you?")
        self.assertTrue(out or err)
        self.assertIn(code, (0, 1))


class BadUseTest(unittest.TestCase):
    def test_a_sentence_and_2(self):
        for args in (["frobnicate"], ["--frobnicate"], ["run", "--frobnicate", "x"], ["run"], ["run", " \n"],
                     ["run", "two", "prompts"], ["run", "--effort", "huge", "x"], ["run", "--top-p", "7", "x"],
                     ["run", "--temperature", "-1", "x"], ["run", "--temperature", "nan", "x"],
                     ["run", "--seed", "-1", "x"], ["run", "--max-tokens", "many", "x"], ["run", "-m"],
                     ["run", "--tools", "/dev/null", "x"], ["completion"], ["completion", "tcsh"], ["eval"],
                     ["eval", "demo"], ["inspect", "--frobnicate"], ["tokenize", "--frobnicate"], ["harmony"]):
            code, out, err = gptoss(*args)
            self.assertEqual(code, 2, (args, out, err))
            self.assertEqual(out, b"", args)
            self.assertRegex(err.decode(), r"^gptoss: error: [^\n]+\n$", args)

    def test_help_and_version(self):
        for args in ([], ["--help"], ["-h"], ["run", "--help"], ["chat", "--help"], ["eval", "--help"]):
            code, out, err = gptoss(*args)
            self.assertEqual((code, err), (0, b""), args)
            self.assertIn(b"gptoss", out)
        code, out, _ = gptoss("--version")
        self.assertEqual(code, 0)
        self.assertRegex(out.decode(), r"^gptoss \d+\.\d+\.\d+.*\ncompiler: .+\nkernels: .+\ncpu: .+\n$")


class InspectTest(unittest.TestCase):
    def test_says_what_it_assumed_about_layers(self):
        for folder, assumed in (("gguf-q8_0", True), ("openai", False)):
            path = str(pathlib.Path(SOURCE, "tests/golden/models/T2", folder))
            code, out, err = gptoss("inspect", "--json", path)
            self.assertEqual(code, 0, err)
            self.assertIs(json.loads(out)["shape"]["window_layers_assumed"], assumed)
            code, out, err = gptoss("inspect", path)
            self.assertEqual("does not say which" in out.decode(), assumed)


class BrokenModelTest(unittest.TestCase):
    def refused(self, path):
        for args, env in ((["run", "-m", str(path), "x"], None), (["run", "x"], environment(GPTOSS_MODEL=str(path)))):
            code, out, err = gptoss(*args, env=env)
            self.assertEqual((code, out), (1, b""), err)
            self.assertRegex(err.decode(), r"^gptoss: error: [^\n]+\n$")
        return err.decode()

    def test_missing(self):
        code, out, err = gptoss("inspect", "/nonexistent/model")
        self.assertEqual((code, out), (1, b""))
        self.assertRegex(err.decode(), r"^gptoss: error: [^\n]+\n$")
        self.assertIn("GPTOSS_MODEL", self.refused("/nonexistent/model"))

    def test_damaged_copies(self):
        demo = pathlib.Path(SOURCE, "models/demo")
        names = ("config.json", "model.safetensors", "tokenizer.json")
        with tempfile.TemporaryDirectory() as folder:
            def copy(changed, data):
                for name in names:
                    pathlib.Path(folder, name).write_bytes(data if name == changed else (demo / name).read_bytes())
            weights = (demo / "model.safetensors").read_bytes()
            self.assertIn("safetensors", (copy("model.safetensors", weights[:-1000]), self.refused(folder))[1])
            for data in (b"", weights[:5], weights[:4000], b"\xff" * 8 + weights[8:]):
                copy("model.safetensors", data)
                self.refused(folder)
            for data in (b"", b"{", b"[]", b"{}"):
                copy("config.json", data)
                self.refused(folder)
            for data in (b"", b"{}", b"\0" * 100):
                copy("tokenizer.json", data)
                self.refused(folder)
            copy(None, b"")
            pathlib.Path(folder, "tokenizer.json").unlink()
            self.refused(folder)

    def test_an_intact_copy_answers_like_the_demo(self):
        path = str(pathlib.Path(SOURCE, "models/demo"))
        args = ("run", "-q", "--temperature", "0", "Who are you?")
        expected = gptoss(*args)
        self.assertEqual(gptoss(*args, "-m", path), expected)
        self.assertEqual(gptoss(*args, env=environment(GPTOSS_MODEL=path)), expected)
        self.assertNotIn(b"demo model answers", gptoss("run", "-m", path, "hello")[2])


class PipeTest(unittest.TestCase):
    def test_a_closed_pipe_ends_quietly(self):
        for command in ("run 'Who are you?'", "run --json 'Who are you?'", "--help", "completion bash"):
            done = subprocess.run(["bash", "-c", f"'{PROGRAM}' {command} </dev/null 2>err | head -c1; "
                                   "echo \" ${PIPESTATUS[0]}\"; cat err"], capture_output=True, timeout=TIMEOUT,
                                  env=environment(GPTOSS_MODEL=""), cwd=self.folder)
            self.assertEqual(done.stdout.split(b"\n")[0][2:], b"0", (command, done.stdout))
            self.assertNotIn(b"error", done.stdout)

    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = temporary.name

    def shell(self, command):
        return subprocess.run(["bash", "-c", command.replace("gptoss", f"'{PROGRAM}'")], capture_output=True,
                              timeout=TIMEOUT, env=environment())

    def test_lost_output_is_an_error(self):
        for target in ("/dev/full", "&-"):
            done = self.shell(f"gptoss run -q hello </dev/null >{target}")
            self.assertEqual(done.returncode, 1, target)
            self.assertRegex(done.stderr.decode(), r"cannot write the output")

    def test_lost_output_of_the_other_commands(self):
        for command in ("inspect models/demo", "tokenize", "completion bash", "--version", "--help"):
            done = self.shell(f"cd '{SOURCE}'; echo hi | gptoss {command} >/dev/full")
            self.assertEqual(done.returncode, 1, (command, done.stderr))

    def test_closed_stdin_and_stderr(self):
        self.assertEqual(self.shell("gptoss run -q hello <&-").returncode, 0)
        self.assertEqual(self.shell("gptoss run hello </dev/null 2>&-").returncode, 0)


class InterruptTest(unittest.TestCase):
    def test_ctrl_c_in_run(self):
        # Chance without bounds and no stop in sight: long enough to be interrupted.
        process = subprocess.Popen([PROGRAM, "run", "--json", "--temperature", "5", "--top-p", "1", "hello"],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   env=environment())
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=TIMEOUT)
        self.assertEqual(process.returncode, 130)
        self.assertEqual(json.loads(out.splitlines()[-1])["reason"], "cancelled")


class ChatTest(unittest.TestCase):
    def test_a_script_on_stdin(self):
        code, out, err = gptoss("chat", "-q", stdin=b"hello\n/reset\n/effort low\nhello\n/quit\nnever read\n")
        self.assertEqual(code, 0, err)
        self.assertGreaterEqual(out.count(b"\n"), 2)
        self.assertNotIn(b"> ", err)

    def test_a_wrong_command_is_told(self):
        code, _, err = gptoss("chat", "-q", stdin=b"/frobnicate\n/effort\n/stats maybe\n")
        self.assertEqual(code, 2)
        self.assertEqual(err.count(b"gptoss: error: "), 3)

    def test_a_script_without_an_answer_fails(self):
        code, out, err = gptoss("chat", "-q", stdin=b"word " * 40_000)
        self.assertEqual((code, out), (1, b""), err)
        self.assertIn(b"gptoss: error: ", err)

    def test_the_conversation_is_reused(self):
        # A machine that is short of memory at that moment drops what was read, as it should.
        for _ in range(5):
            _, _, err = gptoss("chat", "--stats", stdin=b"hello\nthank you\n")
            if re.search(rb"\(\d+ reused\)", err):
                return
        self.fail(err.decode())

    def test_turns_commands_and_leaving_in_a_terminal(self):
        chat = Terminal("chat", "--stats")
        chat.wait_for(b"> ")
        chat.send(b"hello\n")
        chat.wait_for(b"tokens/s")
        chat.wait_for(b"> ")
        chat.send(b"/help\n")
        chat.wait_for(b"/reset")
        chat.wait_for(b"> ")
        chat.send(b"/effort high\n")
        chat.wait_for(b"effort: high")
        chat.wait_for(b"> ")
        chat.send(b"hello \\\n")
        chat.wait_for(b". ")
        chat.send(b"there\n")
        chat.wait_for(b"tokens/s")
        chat.wait_for(b"> ")
        chat.send(b"/quit\n")
        self.assertEqual(chat.finish(), 0)

    def test_ctrl_c_at_the_prompt_asks_then_leaves(self):
        chat = Terminal("chat")
        chat.wait_for(b"> ")
        chat.send(b"\x03")
        chat.wait_for(b"press Ctrl-C again")
        chat.wait_for(b"> ")
        chat.send(b"hello\n")
        chat.wait_for(b"\n> ")
        chat.send(b"\x03")
        chat.wait_for(b"press Ctrl-C again")
        chat.wait_for(b"> ")
        chat.send(b"\x03")
        self.assertEqual(chat.finish(), 0)

    def test_ctrl_d_leaves(self):
        chat = Terminal("chat")
        chat.wait_for(b"> ")
        chat.send(b"\x04")
        self.assertEqual(chat.finish(), 0)

    def rambling(self):
        """A chat so warm that the demo talks without end."""
        chat = Terminal("chat", "--temperature", "5", "--top-p", "1", "--show-reasoning")
        chat.wait_for(b"> ")
        return chat

    def stopped(self):
        """A chat in which Ctrl-C has stopped an answer, at its prompt."""
        chat = self.rambling()
        # Chance or a fast machine may end an answer before Ctrl-C arrives; then the chat says that Ctrl-C found nothing
        # to stop, and the next answer is tried.
        for _ in range(50):
            chat.send(b"hello\n")
            chat.wait_for(b"hello\r\n")
            time.sleep(0.02)
            chat.send(b"\x03")
            if chat.wait_for_any(b"(stopped)", b"press Ctrl-C again") == b"(stopped)":
                chat.wait_for(b"> ")
                return chat
            chat.wait_for(b"> ")
        self.fail("fifty answers, and none was stopped")

    def test_ctrl_c_stops_the_answer_and_keeps_the_chat(self):
        chat = self.stopped()
        chat.send(b"/quit\n")
        self.assertEqual(chat.finish(), 0)

    def test_a_second_ctrl_c_after_a_stopped_answer_leaves(self):
        chat = self.stopped()
        chat.send(b"\x03")
        self.assertEqual(chat.finish(), 0)

    def test_sigterm_during_an_answer_ends_the_chat(self):
        chat = self.rambling()
        chat.send(b"hello\n")
        chat.wait_for(b"hello\r\n")
        os.kill(chat.pid, signal.SIGTERM)
        self.assertEqual(chat.finish(), 143)

    def test_sigterm_ends_a_waiting_chat(self):
        chat = Terminal("chat")
        chat.wait_for(b"> ")
        os.kill(chat.pid, signal.SIGTERM)
        self.assertEqual(chat.finish(), 143)

    def test_the_terminal_is_left_clean(self):
        chat = Terminal("run", "hello", env=environment(TERM="dumb"))
        self.assertEqual(chat.finish(), 0)
        self.assertNotIn(b"\x1b", chat.text)
        styled = Terminal("run", "hello")
        self.assertEqual(styled.finish(), 0)
        self.assertIn("thinking…".encode(), styled.text)
        self.assertIn(b"\r\x1b[2K", styled.text)


class LinesTest(unittest.TestCase):
    """The commands that take a line of JSON and give one."""
    COMMANDS = (["harmony", "parse", "--jsonl"], ["harmony", "render", "--jsonl"], ["harmony", "parse"],
                ["tokenize", "--jsonl"], ["tokenize", "--jsonl", "--decode"])

    def test_nothing_in_nothing_out(self):
        for command in self.COMMANDS:
            self.assertEqual(gptoss(*command), (0, b"", b""), command)

    def test_a_bad_line_is_told_and_the_others_are_answered(self):
        code, out, err = gptoss("harmony", "parse", "--jsonl", stdin=b'{"ids":[]}\n{"ids":[]}\0\n{\n{"ids":[]}')
        self.assertEqual((code, err), (1, b""))
        self.assertEqual(["error" in json.loads(line) for line in out.splitlines()], [False, True, True, False])

    def test_input_that_cannot_be_read_is_told(self):
        for command in (*self.COMMANDS, ["chat", "-q"], ["eval", "greedy"], ["tokenize", "--decode"]):
            folder = os.open("/", os.O_RDONLY)
            done = subprocess.run([PROGRAM, *command], stdin=folder, capture_output=True, timeout=TIMEOUT,
                                  env=environment())
            os.close(folder)
            self.assertEqual(done.returncode, 2, (command, done))
            self.assertIn(b"cannot read stdin", done.stderr, command)


class InstalledModelTest(unittest.TestCase):
    """The demo's files, installed under a name of their own."""

    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)
        self.env = environment(GPTOSS_STATE_DIR=str(self.folder / "state"), HF_HUB_CACHE=str(self.folder / "hub"),
                               GPTOSS_CONFIG=str(self.folder / "config.toml"))
        source = self.folder / "org-demo"
        source.mkdir()
        for name in ("config.json", "model.safetensors", "tokenizer.json"):
            (source / name).write_bytes(pathlib.Path(SOURCE, "models/demo", name).read_bytes())
        code, _, err = gptoss("install", "org/demo", "--from", str(source), "--accept-license", "--yes", env=self.env)
        self.assertEqual(code, 0, err)

    def test_answers_by_name(self):
        args = ("run", "-q", "--temperature", "0", "Who are you?")
        self.assertEqual(gptoss(*args, "-m", "org/demo", env=self.env), gptoss(*args))
        code, out, err = gptoss("chat", "-q", "-m", "org/demo", stdin=b"hello\n", env=self.env)
        self.assertEqual((code, err), (0, b""))
        self.assertTrue(out.strip())

    def test_one_that_is_not_installed_says_how_to(self):
        for command in ("run", "chat"):
            code, out, err = gptoss(command, "-m", "gpt-oss-20b", stdin=b"x\n", env=self.env)
            self.assertEqual((code, out), (1, b""))
            self.assertIn(b"'gptoss install gpt-oss-20b'", err)

    def test_the_policy_is_asked(self):
        (self.folder / "policy.toml").write_text('[models]\nallowed = ["openai/*"]\n')
        code, out, err = gptoss("run", "-m", "org/demo", "x", env=self.env)
        self.assertEqual((code, out), (1, b""))
        self.assertRegex(err.decode(), r"^gptoss: error: [^\n]*models\.allowed in [^\n]+\n$")
        path = str(self.folder / "org-demo")
        self.assertEqual(gptoss("run", "-m", path, "x", env=self.env)[0], 1)
        self.assertEqual(gptoss("run", "-q", "-m", "demo", "hello", env=self.env)[0], 0)
        code, out, _ = gptoss("doctor", "--json", "-m", "org/demo", env=self.env)
        self.assertEqual(code, 1)
        checks = {check["check"]: check for check in json.loads(out)["checks"]}
        self.assertEqual(checks["selected model"]["status"], "error")
        self.assertIn("models.allowed", checks["model org/demo"]["message"])


class TelemetryTest(unittest.TestCase):
    """A log of numbers, only for those who ask for it, and never a word of what was said."""

    PROMPT = "Tell zanzibar-7431 who you are"
    FIELDS = {"time", "model", "prompt_tokens", "cached_tokens", "generated_tokens", "first_token_ms",
              "tokens_per_second", "peak_memory_bytes", "cancelled", "stop_reason", "repaired"}

    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.home = pathlib.Path(temporary.name)
        env = {k: v for k, v in environment(HOME=str(self.home)).items()
               if not k.startswith(("GPTOSS_", "HF_", "XDG_"))}
        self.env = env
        self.log = self.home / ".local/state/gptoss/telemetry/generations.jsonl"

    def files(self):
        return [path for path in self.home.rglob("*") if path.is_file()]

    def test_nothing_is_written_unless_asked(self):
        for args in (("run", "-q", self.PROMPT), ("run", "--json", self.PROMPT), ("chat", "-q"), ("stats",)):
            code, _, err = gptoss(*args, stdin=b"hello\n", env=self.env)
            self.assertEqual(code, 0, err)
        self.assertEqual(self.files(), [])
        code, out, _ = gptoss("stats", "--json", env=self.env)
        self.assertEqual((code, json.loads(out)["generations"]), (0, 0))

    def test_numbers_and_no_text(self):
        code, answer, _ = gptoss("run", "-q", "--telemetry", self.PROMPT, env=self.env)
        self.assertEqual(code, 0)
        gptoss("run", "-q", "--telemetry", "--max-tokens", "3", self.PROMPT, env=self.env)
        code, _, err = gptoss("chat", "-q", "--instructions", "Say zanzibar-7431", stdin=b"zanzibar-7431\n",
                              env=self.env | {"GPTOSS_TELEMETRY_ENABLED": "true"})
        lines = self.log.read_text().splitlines()
        self.assertEqual(len(lines), 3)
        for line in lines:
            self.assertEqual(set(json.loads(line)), self.FIELDS)
            self.assertRegex(json.loads(line)["model"], "^[0-9a-f]{12}$")
        self.assertEqual([json.loads(line)["stop_reason"] for line in lines][:2], ["answer", "max_tokens"])
        for path in self.files():
            text = path.read_text()
            self.assertNotIn("zanzibar", text, path)
            ours = " ".join(self.FIELDS) + " answer max_tokens"
            for word in {word.strip(".,!?") for word in answer.decode().split()}:
                self.assertFalse(len(word) > 5 and word in text and word not in ours, (word, path))
        self.assertEqual(self.log.stat().st_mode & 0o077, 0)
        # Off again for one call.
        gptoss("run", "-q", "--no-telemetry", self.PROMPT, env=self.env | {"GPTOSS_TELEMETRY_ENABLED": "true"})
        self.assertEqual(len(self.log.read_text().splitlines()), 3)
        code, out, _ = gptoss("stats", env=self.env)
        self.assertEqual(code, 0)
        self.assertIn("3 generations", out.decode())
        self.assertRegex(out.decode(), r"tokens/s +[\d.]+ +[\d.]+ +[\d.]+ +[▁▂▃▄▅▆▇█]{1,3}\n")
        numbers = json.loads(gptoss("stats", "--json", env=self.env)[1])
        self.assertEqual(numbers["generations"], 3)
        self.assertGreater(numbers["first_token_ms"]["p95"], 0)

    def test_a_log_that_cannot_be_written_stops_nothing(self):
        self.log.parent.parent.mkdir(parents=True)
        self.log.parent.write_text("in the way")
        code, out, err = gptoss("run", "--telemetry", "hello", env=self.env)
        self.assertEqual(code, 0, err)
        self.assertTrue(out.strip())
        self.assertIn(b"telemetry", err)


class CompletionTest(unittest.TestCase):
    def complete(self, line):
        script = (f"eval \"$('{PROGRAM}' completion bash)\"; COMP_WORDS=({line}); "
                  "[[ \"$LINE\" == *' ' ]] && COMP_WORDS+=(''); "
                  "COMP_CWORD=$((${#COMP_WORDS[@]}-1)); _gptoss; echo \"${COMPREPLY[*]}\"")
        done = subprocess.run(["bash", "-c", script], capture_output=True, timeout=TIMEOUT, check=True,
                              env=environment(LINE=line))
        return done.stdout.decode().split()

    def test_bash(self):
        self.assertEqual(self.complete("gptoss ru"), ["run"])
        self.assertEqual(self.complete("gptoss run --eff"), ["--effort"])
        self.assertEqual(self.complete("gptoss run --effort "), ["low", "medium", "high"])
        self.assertEqual(sorted(self.complete("gptoss eval "))[-2:], ["greedy", "logits"])
        self.assertEqual(self.complete("gptoss completion z"), ["zsh"])

    def test_scripts_parse(self):
        for shell in ("bash", "zsh", "fish"):
            code, script, _ = gptoss("completion", shell)
            self.assertEqual(code, 0)
            self.assertIn(b"show-reasoning", script)
            try:
                subprocess.run([shell, "-n"], input=script, check=True, timeout=TIMEOUT)
            except FileNotFoundError:
                continue  # this shell is not installed here


class EvalDemoTest(unittest.TestCase):
    def case(self, **expect):
        return json.dumps({"id": "1", "category": "c", "conversation": {"messages": [
            {"role": "system", "content": [{"type": "system_content", "reasoning_effort": "Low"}]},
            {"role": "user", "content": "Who are you?"}]}, "expect": expect}) + "\n"

    def run_on(self, text, *args):
        with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
            file.write(text)
            file.flush()
            return gptoss("eval", "demo", file.name, *args)

    def test_wrong_answers_fail(self):
        code, out, err = self.run_on(self.case(kind="final", contains_any=[["no answer says this"]]), "--verbose")
        self.assertEqual(code, 1)
        self.assertIn(b"has none of", err)
        code, out, _ = self.run_on(self.case(kind="final", contains_any=[]), "--json")
        self.assertEqual((code, json.loads(out)["all"]["right"]), (0, 1.0))

    def test_bad_files_are_bad_use(self):
        for text in ("", "{}\n", "x\n", self.case(kind="other")):
            code, _, err = self.run_on(text)
            self.assertEqual(code, 2, err)


if __name__ == "__main__":
    PROGRAM, SOURCE = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
