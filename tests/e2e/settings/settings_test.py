#!/usr/bin/env python3
"""Tests of `gptoss config`, `gptoss doctor`, --set and the settings of run, with the real program.

Usage: settings_test.py PROGRAM SOURCE_DIR [unittest arguments]
Only the standard library. Every test has folders of its own.
"""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

PROGRAM = SOURCE = ""
TIMEOUT = 120  # generous: sanitizer builds on shared machines


class SettingsCase(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.home = pathlib.Path(temporary.name)
        self.config = self.home / "config" / "config.toml"
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(("GPTOSS_", "XDG_", "HF_"))}
        self.env.update(HOME=str(self.home), TERM="xterm", GPTOSS_CONFIG=str(self.config),
                        GPTOSS_STATE_DIR=str(self.home / "state"), GPTOSS_DATA_DIR=str(self.home / "data"),
                        GPTOSS_CACHE_DIR=str(self.home / "cache"))

    def gptoss(self, *args, stdin=b"", **env):
        done = subprocess.run([PROGRAM, *args], input=stdin, capture_output=True, timeout=TIMEOUT,
                              env={**self.env, **env})
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    def write(self, text):
        self.config.parent.mkdir(exist_ok=True)
        self.config.write_text(text)

    def good(self, *args, **env):
        code, out, err = self.gptoss(*args, **env)
        self.assertEqual((code, err), (0, ""), args)
        return out

    def refused(self, code, *args, **env):
        got, out, err = self.gptoss(*args, **env)
        self.assertEqual((got, out), (code, ""), (args, err))
        self.assertRegex(err, r"^gptoss: error: [^\n]+\n$")
        return err


class ConfigTest(SettingsCase):
    def test_list_names_everything_with_origin_range_and_help(self):
        rows = json.loads(self.good("config", "list", "--json"))
        by_name = {row["name"]: row for row in rows}
        self.assertGreater(len(rows), 25)
        for row in rows:
            self.assertEqual(row["origin"], "default", row)
            self.assertTrue(row["help"] and row["range"] and row["environment"].startswith("GPTOSS_"), row)
        self.assertEqual(by_name["generation.temperature"]["value"], 0.7)
        self.assertEqual(by_name["memory.floor"]["value"], 16_000_000_000)
        self.assertIsNone(by_name["generation.max_tokens"]["value"])
        text = self.good("config", "list")
        for row in rows:
            self.assertIn(f"{row['name']} = {row['text']}", text)
        self.assertEqual(self.good("config", "list", "--changed"), "")
        self.assertTrue(all(line.startswith(("memory.", " ")) for line in
                            self.good("config", "list", "memory").splitlines()))

    def test_set_get_unset(self):
        self.assertEqual(self.good("config", "get", "memory.idle_unload"), "10m\n")
        self.assertEqual(self.good("config", "set", "memory.idle_unload", "90m"), "")
        self.assertEqual(self.good("config", "get", "memory.idle_unload"), "1h30m\n")
        entry = json.loads(self.good("config", "get", "--json", "memory.idle_unload"))
        self.assertEqual((entry["origin"], entry["default"]), ("user file", "10m"))
        self.assertRegex(entry["where"], rf"^{self.config}:\d+$")
        self.good("config", "unset", "memory.idle_unload")
        self.assertEqual(self.good("config", "get", "memory.idle_unload"), "10m\n")
        code, out, err = self.gptoss("config", "unset", "memory.idle_unload")
        self.assertEqual((code, out), (0, ""))
        self.assertIn("was not set", err)

    def test_comments_stay(self):
        self.write("# mine\n[memory] # mem\nkv_bits = 16 # bits\n")
        self.good("config", "set", "memory.kv_bits", "8")
        self.assertEqual(self.config.read_text(), "# mine\n[memory] # mem\nkv_bits = 8 # bits\n")

    def test_the_stronger_wins(self):
        self.write("[memory]\nkv_bits = 8\n")
        self.assertEqual(self.good("config", "get", "memory.kv_bits"), "8\n")
        self.assertEqual(self.good("config", "get", "memory.kv_bits", GPTOSS_MEMORY_KV_BITS="16"), "16\n")
        self.assertEqual(self.good("--set", "memory.kv_bits=8", "config", "get", "memory.kv_bits",
                                   GPTOSS_MEMORY_KV_BITS="16"), "8\n")
        self.assertEqual(self.good("config", "get", "--set", "memory.kv_bits=8", "memory.kv_bits"), "8\n")
        code, _, err = self.gptoss("config", "set", "memory.kv_bits", "8", GPTOSS_MEMORY_KV_BITS="16")
        self.assertEqual(code, 0)
        self.assertIn("GPTOSS_MEMORY_KV_BITS is set as well", err)

    def test_bad_use_is_refused_and_changes_nothing(self):
        self.write("[memory]\nkv_bits = 8\n")
        self.assertIn("8 or 16", self.refused(2, "config", "set", "memory.kv_bits", "9"))
        self.assertIn("did you mean memory.kv_bits?", self.refused(2, "config", "set", "memory.kv_bit", "8"))
        self.assertIn("did you mean memory.kv_bits?", self.refused(2, "config", "get", "kv_bits"))
        self.assertIn("1s to 365d, or never", self.refused(2, "config", "get", "memory.idle_unload",
                                                           GPTOSS_MEMORY_IDLE_UNLOAD="soon"))
        self.refused(2, "config", "list", "nothing.like.it")
        self.refused(2, "config", "unset", "nothing.like.it")
        self.refused(2, "--set", "memory.kv_bits", "config", "list")
        self.refused(2, "--set", "memory.kv_bits=3", "config", "get", "memory.kv_bits")
        self.refused(2, "config")
        self.assertEqual(self.config.read_text(), "[memory]\nkv_bits = 8\n")

    def test_a_broken_file_names_the_line(self):
        self.write("[memory]\nkv_bits = = 8\n")
        for args in (["config", "get", "memory.kv_bits"], ["config", "set", "memory.kv_bits", "8"],
                     ["run", "-q", "hello"]):
            self.assertIn(f"{self.config}:2: ", self.refused(2, *args))
        code, out, err = self.gptoss("config", "list")  # shows what there is, and says what is wrong
        self.assertEqual(code, 2)
        self.assertIn("memory.kv_bits = 16", out)
        self.assertIn(f"{self.config}:2: ", err)
        self.assertEqual(self.gptoss("--version")[0], 0)

    def test_a_bad_value_does_not_hide_the_others(self):
        self.write("[memory]\nkv_bits = 9\n[stream]\nbuffer_chunks = 7\n")
        code, out, err = self.gptoss("config", "get", "stream.buffer_chunks")
        self.assertEqual((code, out), (0, "7\n"))
        self.assertIn(f"{self.config}:2: memory.kv_bits is 8 or 16; not 9", err)
        self.assertIn("8 or 16; not 9", self.refused(2, "config", "get", "memory.kv_bits"))
        code, out, _ = self.gptoss("config", "list")
        self.assertEqual(code, 2)
        self.assertIn(f"memory.kv_bits is refused    (user file {self.config}:2: memory.kv_bits is 8 or 16; not 9)", out)
        self.assertIn("stream.buffer_chunks = 7", out)
        self.assertEqual(self.gptoss("config", "list", "stream")[0], 0)
        rows = {row["name"]: row for row in json.loads(self.gptoss("config", "list", "--json")[1])}
        bad, good = rows["memory.kv_bits"], rows["stream.buffer_chunks"]
        self.assertEqual((bad["value"], bad["origin"], bad["problem"]),
                         (None, "user file", "memory.kv_bits is 8 or 16; not 9"))
        self.assertEqual((good["value"], good["problem"]), (7, None))
        code, out, _ = self.gptoss("config", "get", "--json", "memory.kv_bits")
        self.assertEqual((code, json.loads(out)["problem"]), (2, "memory.kv_bits is 8 or 16; not 9"))
        # A stronger value is in force, but what acts on settings refuses until the file is right.
        self.assertEqual(self.gptoss("config", "get", "memory.kv_bits", GPTOSS_MEMORY_KV_BITS="8")[:2], (0, "8\n"))
        self.assertIn("8 or 16", self.refused(2, "run", "-q", "x", GPTOSS_MEMORY_KV_BITS="8"))
        self.good("config", "set", "memory.kv_bits", "8")
        self.assertEqual(self.good("config", "get", "memory.kv_bits"), "8\n")

    def test_every_broken_file_of_the_users_is_bad_use(self):
        policy = self.config.parent / "policy.toml"
        for text in ("[models\n", "[network]\ninstal = false\n", "[license]\n", "[models]\nallowed = 1\n"):
            self.write("")
            policy.write_text(text)
            # A path stands for any model that a policy is asked about.
            error = self.refused(2, "run", "-q", "-m", str(pathlib.Path(SOURCE, "models/demo")), "x")
            self.assertIn(f"{policy}:", error)
            self.assertIn(f"{policy}:", self.refused(2, "install", "gpt-oss-20b"))
        policy.unlink()
        self.config.unlink()
        self.config.mkdir()
        for args in (["config", "get", "memory.kv_bits"], ["config", "set", "memory.kv_bits", "8"],
                     ["run", "-q", "x"]):
            self.assertIn("is not a regular file; move it away", self.refused(2, *args))

    def test_paths_are_absolute_or_begin_at_home(self):
        for path in ("models", "./models", "~", "~bob/models"):
            said = f"hub.cache_dir is a path that is absolute or begins with ~/, or none; not '{path}'"
            self.assertIn(said, self.refused(2, "config", "set", "hub.cache_dir", path))
            self.assertIn(said, self.refused(2, "run", "-q", "x", GPTOSS_HUB_CACHE_DIR=path))
            self.assertIn(said, self.refused(2, "--set", f"hub.cache_dir={path}", "run", "-q", "x"))
            self.write(f'[hub]\ncache_dir = "{path}"\n')
            self.assertIn(f"{self.config}:2: {said}", self.refused(2, "run", "-q", "x"))
            self.config.unlink()
        self.good("config", "set", "hub.cache_dir", "~/models")
        self.assertIn('cache_dir = "~/models"', self.config.read_text())
        self.assertEqual(self.good("config", "get", "hub.cache_dir"), f"{self.home}/models\n")

    def test_a_link_is_written_through(self):
        self.config.parent.mkdir()
        target = self.home / "dotfiles" / "gptoss.toml"
        self.config.symlink_to(target)
        self.good("config", "set", "memory.kv_bits", "8")  # its folder and the file are made
        self.assertTrue(self.config.is_symlink())
        self.assertIn("kv_bits = 8", target.read_text())
        target.chmod(0o600)
        self.good("config", "set", "memory.kv_bits", "16")
        self.assertTrue(self.config.is_symlink())
        self.assertIn("kv_bits = 16", target.read_text())
        self.assertEqual(target.stat().st_mode & 0o777, 0o600)

    def test_what_is_meant_as_a_command_is_named(self):
        self.assertIn("there is no command 'config bogus'", self.refused(2, "config", "bogus"))
        self.assertIn("there is no command 'bogus'", self.refused(2, "bogus"))
        self.assertIn("there is no option --bogus", self.refused(2, "config", "--bogus"))
        self.assertIn("a command is missing", self.refused(2, "config"))

    def test_unknown_keys_are_warned_about(self):
        self.write("[memory]\nidle_unlod = \"5m\"\n")
        code, out, err = self.gptoss("config", "get", "memory.idle_unload")
        self.assertEqual((code, out), (0, "10m\n"))
        self.assertIn("did you mean memory.idle_unload?", err)

    def test_misspelt_variables_are_warned_about_once(self):
        code, out, err = self.gptoss("config", "get", "memory.kv_bits", GPTOSS_MEMORY_KVBITS="8")
        self.assertEqual((code, out), (0, "16\n"))
        self.assertIn("did you mean GPTOSS_MEMORY_KV_BITS?", err)
        code, _, err = self.gptoss("run", "Who are you?", GPTOSS_MEMORY_KVBITS="8")
        self.assertEqual((code, err.count("GPTOSS_MEMORY_KVBITS")), (0, 1), err)

    def test_every_variable_that_something_here_reads_is_known(self):
        names = set()
        for folder in ("src", "tests", "bench", "tools", "examples"):
            for file in pathlib.Path(SOURCE, folder).rglob("*"):
                if (file.suffix in (".cc", ".h", ".py", ".mjs", ".sh") and not file.name.endswith("_test.cc")
                        and file.name != "settings_test.py" and file.stem != "declarations"):  # they name wrong ones
                    names.update(re.findall(r"\b(GPTOSS_[A-Z_]*[A-Z])\b", file.read_text(errors="replace")))
        self.assertIn("GPTOSS_HUB_DISK_MARGIN", names)
        self.assertIn("GPTOSS_STARTED_AS", names)
        moved = set(self.env) | {"GPTOSS_MODEL"}
        self.good("config", "list", **{name: "" for name in names - moved})

    def test_a_section_that_is_no_table_breaks_the_file(self):
        for text in ("[[memory]]\nkv_bits = 16\n", "memory = 3\n"):
            self.write(text)
            for args in (["config", "get", "memory.kv_bits"], ["config", "set", "memory.kv_bits", "8"],
                         ["config", "unset", "memory.kv_bits"], ["run", "-q", "x"]):
                self.assertIn(f"{self.config}:1: memory is a section", self.refused(2, *args))
            code, out, err = self.gptoss("config", "list")
            self.assertEqual(code, 2)
            self.assertIn(f"{self.config}:1: memory is a section", err)
            self.assertEqual(self.config.read_text(), text)
            code, out, _ = self.gptoss("doctor")
            self.assertEqual(code, 1)
            self.assertIn(f"{self.config}:1: memory is a section", out)

    def test_path(self):
        self.assertEqual(self.good("config", "path"), f"{self.config}\n")
        paths = json.loads(self.good("config", "path", "--json"))
        self.assertEqual(paths["state"], str(self.home / "state"))
        self.assertEqual(paths["policy"], str(self.config.parent / "policy.toml"))
        self.assertIn(str(self.config), self.good("config", "path", "--all"))

    def test_many_processes_set_at_once(self):
        names = ["generation.top_k", "generation.max_tokens", "memory.context_tokens", "stream.buffer_chunks"]
        for value in ("300", "301", "302"):
            running = [subprocess.Popen([PROGRAM, "config", "set", name, value], env=self.env) for name in names]
            self.assertEqual([process.wait(TIMEOUT) for process in running], [0] * len(names))
        for name in names:
            self.assertEqual(self.good("config", "get", name), "302\n")

    def test_completions_know_the_names(self):
        if not shutil.which("bash"):
            self.skipTest("no bash")
        script = ("eval \"$('%s' completion bash)\"; COMP_WORDS=(gptoss config get memory.k); COMP_CWORD=3; "
                  "_gptoss; echo ${COMPREPLY[*]}" % PROGRAM)
        done = subprocess.run(["bash", "-c", script], capture_output=True, env=self.env, timeout=TIMEOUT)
        self.assertEqual(done.stdout.decode().strip(), "memory.kv_bits", done.stderr)
        self.assertIn("memory.kv_bits", self.good("completion", "zsh"))


class UseTest(SettingsCase):
    def end(self, *args, **env):
        code, out, err = self.gptoss("run", "--json", *args, "Who are you?", **env)
        self.assertEqual(code, 0, err)
        return json.loads(out.splitlines()[-1])

    def test_run_takes_its_defaults_from_the_settings(self):
        self.good("config", "set", "generation.max_tokens", "3")
        self.assertEqual(self.gptoss("run", "--json", "-q", "Who are you?")[1].count('"max_tokens"'), 1)
        code, out, _ = self.gptoss("run", "--json", "-q", "--max-tokens", "2", "Who are you?")
        self.assertEqual(json.loads(out.splitlines()[-1])["usage"]["generated_tokens"], 2)
        self.good("config", "unset", "generation.max_tokens")
        self.good("config", "set", "generation.seed", "1234")
        self.assertEqual(self.end()["usage"]["seed"], 1234)
        self.assertEqual(self.end(GPTOSS_GENERATION_SEED="55")["usage"]["seed"], 55)
        self.assertEqual(self.end("--seed", "77", GPTOSS_GENERATION_SEED="55")["usage"]["seed"], 77)

    def test_the_model_comes_from_the_settings(self):
        self.good("config", "set", "model.default", "/nonexistent/model")
        self.assertIn("config.toml", self.refused(1, "run", "-q", "x"))
        self.assertEqual(self.gptoss("run", "-q", "x", GPTOSS_MODEL="")[0], 0)  # the demo, as ever
        demo = str(pathlib.Path(SOURCE, "models/demo"))
        self.good("config", "set", "model.default", demo)
        self.assertNotIn("demo model answers", self.gptoss("run", "hello")[2])


class StatsTest(SettingsCase):
    def test_a_log_of_damaged_lines_is_not_empty(self):
        self.assertIn("there are no numbers yet", self.gptoss("stats")[2])
        log = self.home / "state" / "telemetry" / "generations.jsonl"
        log.parent.mkdir(parents=True)
        log.write_text("garbage\n\x00\n{\"half\":")
        older = log.with_name("generations.1.jsonl")
        older.write_text("\n[]\n")
        said = f"4 lines of the log could not be read: {older} (1, from line 2), {log} (3, from line 1)"
        self.assertIn(said, self.refused(1, "stats"))
        code, out, err = self.gptoss("stats", "--json")
        self.assertEqual((code, json.loads(out)["unreadable_lines"]), (1, 4))
        self.assertIn(said, err)
        self.assertEqual(self.gptoss("run", "-q", "--telemetry", "Who are you?")[0], 0)
        code, out, err = self.gptoss("stats")  # what is good is shown, and what is not is named
        self.assertEqual((code, err), (0, ""))
        self.assertIn("1 generation ", out)
        self.assertIn("4 lines of the log could not be read", out)


    def test_lines_with_what_cannot_be_are_damaged(self):
        log = self.home / "state" / "telemetry" / "generations.jsonl"
        self.assertEqual(self.gptoss("run", "-q", "--telemetry", "Who are you?")[0], 0)
        whole = json.loads(log.read_text())
        bad = [("generated_tokens", -5), ("generated_tokens", 1.5), ("generated_tokens", 10**30),
               ("prompt_tokens", "3"), ("tokens_per_second", "fast"), ("tokens_per_second", 1e308),
               ("first_token_ms", -0.5), ("peak_memory_bytes", 2**63), ("cancelled", "no"), ("repaired", 0),
               ("time", 5), ("stop_reason", None)]
        log.write_text("".join(json.dumps({**whole, name: value}) + "\n" for name, value in bad))
        self.assertIn(f"{len(bad)} lines of the log could not be read", self.refused(1, "stats"))
        with log.open("a") as file:
            file.write(json.dumps(whole) + "\n")
        out = self.good("stats")
        self.assertIn("1 generation ", out)
        self.assertIn(f"{len(bad)} lines of the log could not be read", out)
        self.assertLess(max(map(len, out.splitlines()[:-1])), 120)

    def test_a_log_that_cannot_be_one_is_bad_use(self):
        state = self.home / "state"
        log = state / "telemetry" / "generations.jsonl"
        for spoil in (lambda: log.mkdir(), lambda: os.mkfifo(log), lambda: log.symlink_to(log),
                      lambda: log.symlink_to("nowhere"), lambda: (log.parent.rmdir(), log.parent.write_text("x")),
                      lambda: (log.parent.rmdir(), log.parent.symlink_to(log.parent)),
                      lambda: (shutil.rmtree(state), state.write_text("x"))):
            log.parent.mkdir(parents=True)
            spoil()
            for args in (["stats"], ["stats", "--json"]):
                self.assertIn(str(state), self.refused(2, *args))
            shutil.rmtree(state) if state.is_dir() else state.unlink()
        self.assertEqual(self.gptoss("stats")[0], 0)


class GroupTest(SettingsCase):
    """A real limit around the process: a control group of version 1, or 2 where memory is there. Needs root."""

    def setUp(self):
        super().setUp()
        for folder, self.limit in (("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max")):
            self.group = pathlib.Path(folder, f"gptoss-test-{os.getpid()}")
            try:
                self.group.mkdir()
            except OSError:
                continue
            self.addCleanup(self.group.rmdir)
            if (self.group / self.limit).exists():
                return
        self.skipTest("no control group of memory can be made here")

    def inside(self, limit, *args):
        (self.group / self.limit).write_text(str(limit))
        done = subprocess.run(["sh", "-c", f"echo $$ > '{self.group}/cgroup.procs' && exec \"$0\" \"$@\"", PROGRAM, *args],
                              capture_output=True, timeout=TIMEOUT, env=self.env, stdin=subprocess.DEVNULL)
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    def test_the_limit_is_what_the_guard_looks_at(self):
        code, out, err = self.inside(700_000_000, "run", "-q", "Who are you?")
        self.assertEqual((code, err), (0, ""))
        self.assertTrue(out.strip())
        code, out, err = self.inside(510_000_000, "run", "-q", "Who are you?")  # 500 MB of it are for others
        self.assertEqual((code, out), (1, ""))
        self.assertRegex(err, r"needs \d+ MB with its smallest context .* is available; close applications that hold")
        self.assertIn("a control group allows 510.0 MB", self.inside(510_000_000, "doctor")[1])
        events = self.group / ("memory.oom_control" if "limit_in" in self.limit else "memory.events")
        self.assertRegex(events.read_text(), r"(?m)^oom_kill 0$")


class DoctorTest(SettingsCase):
    def doctor(self, *args, **env):
        code, out, err = self.gptoss("doctor", "--json", *args, **env)
        self.assertEqual(err, "")
        report = json.loads(out)
        self.assertEqual(code, 0 if report["healthy"] else 1)
        for check in report["checks"]:
            self.assertIn(check["status"], ("ok", "warning", "error"))
            self.assertEqual(check["advice"] is None, check["status"] == "ok", check)
        self.assertEqual(report["healthy"], all(c["status"] != "error" for c in report["checks"]))
        return {check["check"]: check for check in report["checks"]}

    def test_a_new_machine_is_healthy(self):
        checks = self.doctor()
        for name in ("platform", "cpu", "memory", "disk", "settings", "policy", "folder config", "folder state",
                     "selected model", "models"):
            self.assertIn(name, checks)
            self.assertNotEqual(checks[name]["status"], "error", checks[name])
        text = self.gptoss("doctor")[1]
        for name in checks:
            self.assertRegex(text, rf"(?m)^(ok|warning) +{name} +\S")
        self.assertFalse(self.config.parent.exists() or (self.home / "state").exists())  # looking changes nothing

    def test_what_is_wrong_is_an_error_with_advice(self):
        self.assertEqual(self.doctor("-m", "/nonexistent")["selected model"]["status"], "error")
        self.write("[memory]\nkv_bits = 9\n")
        found = self.doctor()["settings"]
        self.assertEqual(found["status"], "error")
        self.assertIn(f"{self.config}:2", found["message"])
        self.write("[memory]\nkv_bit = 8\n")
        self.assertEqual(self.doctor()["settings"]["status"], "warning")
        self.write("")
        policy = self.config.parent / "policy.toml"
        policy.write_text("[platforms]\nallowed = [\"plan9-*\"]\n")
        found = self.doctor()["policy"]
        self.assertEqual(found["status"], "error")
        self.assertIn(f"platforms.allowed in {policy}", found["message"])
        policy.write_text("[network]\ninstal = false\n")
        self.assertIn("network.install", self.doctor()["policy"]["message"])
        policy.write_text("[network]\ninstall = false\n")
        self.assertIn("not be downloaded", self.doctor()["policy"]["message"])

    def test_folders(self):
        (self.home / "state").write_text("in the way")
        self.assertEqual(self.doctor()["folder state"]["status"], "error")
        (self.home / "cache").mkdir()
        (self.home / "cache").chmod(0o777)
        self.assertEqual(self.doctor()["folder cache"]["status"], "warning")

    def test_the_disk_is_that_of_the_cache(self):
        moved = self.home / "elsewhere"
        for env, place in (({}, self.home / ".cache/huggingface/hub"),
                           ({"HF_HOME": str(moved)}, moved / "hub"),
                           ({"HF_HOME": "/nowhere", "HF_HUB_CACHE": str(moved)}, moved),
                           ({"HF_HUB_CACHE": "/nowhere", "GPTOSS_HUB_CACHE_DIR": str(moved)}, moved)):
            self.assertIn(f"({place})", self.doctor(**env)["disk"]["message"])

    def test_little_memory_is_a_warning(self):
        found = self.doctor(GPTOSS_MEMORY_FLOOR="1TB")["memory"]
        self.assertEqual(found["status"], "warning")
        self.assertIn("memory.floor", found["advice"])

    def test_damaged_models_are_found(self):
        models = self.home / "state" / "models"
        models.mkdir(parents=True)
        (models / "broken.json").write_text("{")
        checks = self.doctor()
        self.assertEqual(checks["models"]["status"], "error")


if __name__ == "__main__":
    PROGRAM, SOURCE = sys.argv[1], sys.argv[2]
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
