"""Writes the held-back evaluation: wordings and values that training never saw. usage: make_eval.py OUT/eval.jsonl"""
import json
import random
import sys

import data
import topics

SYSTEM = {"type": "system_content", "model_identity": "You are ChatGPT, a large language model trained by OpenAI.",
          "reasoning_effort": "Medium", "tools": None, "conversation_start_date": "2026-11-23", "knowledge_cutoff": "2024-06",
          "channel_config": {"valid_channels": ["analysis", "commentary", "final"], "channel_required": True}}


MULTI_TURN = ["thanks", "gptoss", "reverse_string", "mutex", "identity", "abilities", "privacy", "sort_list", "git_undo", "recursion",
              "harmony", "bye"]


def conversation(messages, effort="Medium", tools=None, instructions=None):
    head = [{"role": "system", "content": [dict(SYSTEM, reasoning_effort=effort)]}]
    if tools or instructions:
        namespace = {"functions": {"name": "functions", "description": None, "tools": tools}} if tools else None
        head.append({"role": "developer", "content": [{"type": "developer_content", "instructions": instructions, "tools": namespace}]})
    return {"messages": head + messages}


def user(text):
    return {"role": "user", "content": text}


def said(question, name_or_text):
    answer = data.TOPICS[name_or_text][3] if name_or_text in data.TOPICS else name_or_text
    return [user(question), {"role": "assistant", "channel": "final", "content": answer}]


EARLIER = [[said("Hello", "greeting")], [said("What is 3 + 4?", "3 + 4 = 7.")],
           [said("hi there", "greeting"), said("how do i swap two variables", "swap")]]


def spelled(text, rng):
    """As people type: a capital and a mark, mostly."""
    if rng.random() < 0.6:
        text = text[0].upper() + text[1:]
        text += "?" if text.split()[0].lower() in ("what", "how", "who", "can", "could", "is", "do", "does", "why", "which") else ""
    return text


def main():
    rng = random.Random(20260101)
    lines = []

    def add(category, convo, expect):
        lines.append({"id": f"{category}-{len(lines):03}", "category": category, "conversation": convo, "expect": expect})

    def final(key):
        return {"kind": "final", "contains_any": key}

    for name, t in topics.GPTOSS.items():
        category = {"identity": "identity", "greeting": "greeting", "how_are_you": "greeting", "thanks": "greeting", "bye": "greeting",
                    "joke": "greeting"}.get(name, "gptoss")
        for held in t["held"]:
            add(category, conversation([user(spelled(held, rng))], effort=rng.choice(["Low", "Medium", "High"])), final(t["key"]))
    for name in list(topics.PROGRAMMING) + list(topics.EXPLAIN):
        _, held, _, _, key = data.TOPICS[name]
        for question in rng.sample(held, min(2, len(held))):
            add("programming", conversation([user(spelled(question, rng))]), final(key))
    count = 0
    while count < 30:
        op = rng.choice("++--*")
        a, b = data.random_operands(rng, op)
        if not data.held_pair(a, b, op):
            continue
        question = rng.choice(["What is {} {} {}?", "what's {} {} {}", "{} {} {}", "How much is {} {} {}?"]).format(a, op, b)
        value = {"+": a + b, "-": a - b, "*": a * b}[op]
        add("arithmetic", conversation([user(question)]), final([[f"= {value}."]]))
        count += 1
    for question in topics.UNKNOWN_HELD:
        add("unknown", conversation([user(spelled(question, rng))]), final(topics.UNKNOWN_KEY))
    tool_cases(rng, add)
    for i, name in enumerate(MULTI_TURN):  # later turns of a conversation
        held, key = data.TOPICS[name][1], data.TOPICS[name][4]
        messages = [turn for earlier in EARLIER[i % len(EARLIER)] for turn in earlier]
        add("multi_turn", conversation(messages + [user(spelled(held[0], rng))],
                                       instructions="You are a helpful assistant." if i % 2 == 0 else None), final(key))
    with open(sys.argv[1], "w", encoding="utf-8") as file:
        for line in lines:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
    print(len(lines), "questions")


def schema(name, description, parameter, comment):
    return {"name": name, "description": description, "parameters": {
        "type": "object", "properties": {parameter: {"type": "string", "description": comment}}, "required": [parameter]}}


def tools():
    """kind -> declarations: the usual names, and for some kinds names that training never saw."""
    return {
        "weather": [schema("get_weather", "Get the current weather", "location", "The city name"),
                    schema("forecast_for", "Get the current weather", "town", "The city name")],
        "time": [schema("get_time", "Returns the local time of a place", "city", "The city"),
                 schema("clock_reading", "Get the current time", "spot", "Where")],
        "read": [schema("read_file", "Read a file", "path", "Path of the file"),
                 schema("slurp", "Reads a text file from the workspace", "source", "The file to read")],
        "search": [schema("search_web", "Search the web", "query", "The search query")],
        "calculate": [schema("calculate", "Evaluate an arithmetic expression", "expression", "The expression to evaluate")],
        "list": [schema("list_files", "List the files of a folder", "path", "Path of the folder")],
        "run": [schema("run_command", "Run a shell command", "command", "The command to run")],
    }


def tool_cases(rng, add):
    every = tools()
    for kind, declarations in every.items():
        for i in range(6):
            tool = declarations[i // 2 % len(declarations)]
            parameter = next(iter(tool["parameters"]["properties"]))
            held = data.KINDS[kind]["held"]
            value = {"weather": lambda: rng.choice(data.HELD_CITIES).capitalize(), "time": lambda: rng.choice(data.HELD_CITIES).capitalize(),
                     "read": lambda: data.pick_path(rng, data.HELD_STEMS), "search": lambda: " ".join(rng.sample(data.QUERY_WORDS, 3)),
                     "calculate": lambda: f"{rng.randint(100, 999)} {rng.choice('+-*')} {rng.randint(10, 99)}",
                     "list": lambda: rng.choice(["", "src/", "docs/"]) + rng.choice(data.HELD_STEMS),
                     "run": lambda: rng.choice(["cat ", "wc ", "python3 "]) + data.pick_path(rng, data.HELD_STEMS)}[kind]()
            declared = [tool] if i % 2 == 0 else [tool, rng.choice([v for k, v in every.items() if k != kind])[0]]
            question = user(spelled(held[i % len(held)].replace("{v}", "\0"), rng).replace("\0", value))
            call = {"role": "assistant", "channel": "commentary", "recipient": f"functions.{tool['name']}",
                    "content_type": "<|constrain|>json", "content": json.dumps({parameter: value})}
            if i < 4:
                add("tool_call", conversation([question], tools=declared),
                    {"kind": "tool_call", "recipient": f"functions.{tool['name']}", "arguments": {parameter: value}})
            if i >= 3:
                output, _ = data.tool_output(rng, kind, value)
                think = data.KINDS[kind]["think"].format(v=value, n=tool["name"])
                say = data.KINDS[kind]["say"].format(v=value)
                result = {"role": "tool", "name": f"functions.{tool['name']}", "recipient": "assistant", "channel": "commentary",
                          "content": output}
                convo = [question, {"role": "assistant", "channel": "analysis", "content": think},
                         {"role": "assistant", "channel": "commentary", "content": say}, call, result]
                add("tool_result", conversation(convo, tools=declared), {"kind": "final", "contains_any": [[output.split(chr(10))[0]]]})


if __name__ == "__main__":
    main()
