#!/usr/bin/env python3
"""How long `gptoss acp` takes to list many sessions: the first page, one of a folder, and all pages.

usage: bench/acp_list.py PROGRAM [SESSIONS]     (default 10,000; a state folder of its own, removed at the end)
"""
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time


class Agent:
    def __init__(self, program, home):
        env = dict(os.environ, GPTOSS_STATE_DIR=home, GPTOSS_CONFIG="/nonexistent/config.toml")
        self.process = subprocess.Popen([program, "acp", "-m", "demo"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env)
        self.next = 0
        self.ask("initialize", {"protocolVersion": 1})

    def ask(self, method, params):
        self.next += 1
        line = json.dumps({"jsonrpc": "2.0", "id": self.next, "method": method, "params": params})
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()
        while True:
            answer = json.loads(self.process.stdout.readline())
            if answer.get("id") == self.next:
                return answer["result"]

    def stop(self):
        self.process.stdin.close()
        self.process.wait()


def fill(database, count):
    rows = ((f"sess_{i:032x}", f"/home/a/project{i % 50}", "[]", f"What was asked in session {i}", "gptoss_20b", "{}",
             i, 1_700_000_000_000 + i * 997, 0, 0, 0) for i in range(count))
    with sqlite3.connect(database) as connection:
        connection.executemany("INSERT INTO sessions VALUES (?,?,?,?,?,?,?,?,?,?,?)", rows)
        messages = ((f"sess_{i:032x}", n, '{"sessionUpdate":"agent_message_chunk"}') for i in range(count) for n in range(5))
        connection.executemany("INSERT INTO transcript VALUES (?,?,?)", messages)


def timed(name, work, repeat=5):
    times = []
    for _ in range(repeat):
        begin = time.perf_counter()
        work()
        times.append((time.perf_counter() - begin) * 1000)
    print(f"{name}: {min(times):.1f} ms at best, {max(times):.1f} ms at worst of {repeat}")


def main():
    program, count = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 10_000
    with tempfile.TemporaryDirectory() as home:
        Agent(program, home).stop()  # makes the database
        fill(os.path.join(home, "sessions.db"), count)
        agent = Agent(program, home)

        def every_page():
            cursor, seen = None, 0
            while True:
                page = agent.ask("session/list", {"cursor": cursor} if cursor else {})
                seen += len(page["sessions"])
                cursor = page.get("nextCursor")
                if not cursor:
                    break
            assert seen == count, seen

        print(f"{count} sessions, pages of {len(agent.ask('session/list', {})['sessions'])}")
        timed("first page", lambda: agent.ask("session/list", {}))
        timed("first page of one folder", lambda: agent.ask("session/list", {"cwd": "/home/a/project7"}))
        timed("every page, one after the other", every_page)
        agent.stop()


main()
