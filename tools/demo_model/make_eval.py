"""Writes the held-back evaluation: wordings and values that training never saw. usage: make_eval.py OUT/eval.jsonl"""
import json
import random
import sys

import data
import topics

SYSTEM = {"type": "system_content", "model_identity": "You are ChatGPT, a large language model trained by OpenAI.",
          "reasoning_effort": "Medium", "tools": None, "conversation_start_date": "2026-11-23", "knowledge_cutoff": "2024-06",
          "channel_config": {"valid_channels": ["analysis", "commentary", "final"], "channel_required": True}}


def conversation(messages, effort="Medium", tools=None, instructions=None):
    head = [{"role": "system", "content": [dict(SYSTEM, reasoning_effort=effort)]}]
    if tools or instructions:
        namespace = {"functions": {"name": "functions", "description": None, "tools": tools}} if tools else None
        head.append({"role": "developer", "content": [{"type": "developer_content", "instructions": instructions, "tools": namespace}]})
    return {"messages": head + messages}


def user(text):
    return {"role": "user", "content": text}


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
        if not data.held_pair(a, b):
            continue
        question = rng.choice(["What is {} {} {}?", "what's {} {} {}", "{} {} {}", "How much is {} {} {}?"]).format(a, op, b)
        value = {"+": a + b, "-": a - b, "*": a * b}[op]
        add("arithmetic", conversation([user(question)]), final([[f"= {value}."]]))
        count += 1
    for question in topics.UNKNOWN_HELD:
        add("unknown", conversation([user(spelled(question, rng))]), final(topics.UNKNOWN_KEY))
    tool_cases(rng, add)
    for name in ("thanks", "gptoss", "reverse_string", "mutex"):  # later turns of a conversation
        ask, held, _, _, key = data.TOPICS[name]
        first = data.TOPICS["greeting"]
        add("multi_turn", conversation([user("Hello"), {"role": "assistant", "channel": "final", "content": first[3]},
                                        user(spelled(held[0], rng))], instructions="You are a helpful assistant."), final(key))
    with open(sys.argv[1], "w", encoding="utf-8") as file:
        for line in lines:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
    print(len(lines), "questions")


def schema(name, description, parameter, comment):
    return {"name": name, "description": description, "parameters": {
        "type": "object", "properties": {parameter: {"type": "string", "description": comment}}, "required": [parameter]}}


def tool_cases(rng, add):
    tools = {
        "weather": schema("get_weather", "Get the current weather", "location", "The city name"),
        "time": schema("get_time", "Returns the local time of a place", "city", "The city"),
        "read": schema("read_file", "Read a file", "path", "Path of the file"),
        "search": schema("search_web", "Search the web", "query", "The search query"),
    }
    for kind, tool in tools.items():
        parameter = next(iter(tool["parameters"]["properties"]))
        for i in range(5):
            held = data.KINDS[kind]["held"]
            value = {"weather": lambda: rng.choice(data.HELD_CITIES).capitalize(), "time": lambda: rng.choice(data.HELD_CITIES).capitalize(),
                     "read": lambda: data.pick_path(rng, data.HELD_STEMS),
                     "search": lambda: " ".join(rng.sample(data.QUERY_WORDS, 3))}[kind]()
            declared = [tool] if i % 2 == 0 else [tool, tools[rng.choice([k for k in tools if k != kind])]]
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
