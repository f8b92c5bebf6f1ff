"""Makes conversations for the demo model: seeded, endless, with held-back wordings and values for the evaluation.

A conversation is a prefix (system and developer message) and a branch (what follows). Both are lists of pieces (text,
is_special, weight): the exact pieces that the renderer tokenizes one by one. The weight is that of the loss: 0 for what
the model only reads, 1 for what it samples, more where it has to copy.
"""
import json
import random
import re

import topics
import wordings

IDENTITY = "You are ChatGPT, a large language model trained by OpenAI.\nKnowledge cutoff: 2024-06\nCurrent date: {date}"
CHANNELS = "# Valid channels: analysis, commentary, final. Channel must be included for every message."
CALLS = "\nCalls to these tools must go to the commentary channel: 'functions'."
INSTRUCTIONS = ["You are a helpful assistant.", "Be brief.", "Answer the user's questions.", "You are a coding assistant.",
                "Answer in English.", "You are an assistant in a terminal. Keep answers short.", "Be polite and precise.",
                "You help developers.", "Use the tools when they help.", "You are a helpful agent."]

CITIES = """oslo paris berlin madrid rome tokyo cairo lima delhi boston austin denver seattle toronto sydney vienna zurich geneva
prague warsaw athens dublin lisbon porto milan turin naples venice hamburg munich cologne leipzig lyon nice bern basel ghent
antwerp utrecht rotterdam malmo bergen turku riga vilnius kyiv odessa minsk sofia tirana skopje ankara izmir beirut amman doha
dubai muscat tehran kabul lahore karachi mumbai chennai kolkata dhaka yangon bangkok hanoi manila jakarta seoul busan osaka
kyoto nagoya beijing shanghai taipei perth darwin hobart auckland suva quito bogota medellin caracas santiago cordoba salta
montevideo brasilia recife havana kingston cancun tijuana phoenix tucson dallas houston memphis chicago detroit cleveland miami
tampa orlando atlanta nashville portland oakland fresno reno boise omaha tulsa wichita buffalo albany london leeds york bristol
cardiff glasgow dundee belfast cork galway tunis algiers rabat fez dakar accra lagos abuja kano nairobi kampala kigali lusaka
harare durban pretoria maputo luanda""".split()
HELD_CITIES = ["stockholm", "helsinki", "budapest", "barcelona", "melbourne", "vancouver", "marrakesh", "singapore"]
STEMS = """main app config notes readme server client parser lexer model engine utils test index report summary todo data users
settings schema query build deploy setup install license changelog draft letter recipe budget invoice result output input log
errors events cache token scanner router worker queue stack graph tree node vector matrix kernel memory thread socket""".split()
HELD_STEMS = ["inventory", "template", "bootstrap", "timeline"]
EXTENSIONS = ["py", "txt", "md", "json", "cc", "h", "js", "ts", "csv", "toml", "yaml", "sh", "rs", "go", "html", "log"]
FOLDERS = ["src", "docs", "lib", "tests", "tools", "data", "build", "examples", "scripts", "include", "assets", "web"]
QUERY_WORDS = """best linux laptop cheap flights python tutorial rust async weather radar history chess openings vegan recipes
solar panels electric cars jazz music moon landing deep sea fishing coffee beans mountain bikes garden tools winter boots
wooden toys state machines cpu caches memory models open source licence text editors static analysis""".split()
CONDITIONS = ["sunny", "cloudy", "rainy", "windy", "foggy", "snowy", "clear", "stormy"]
COPIED = 2.0  # weight of copied values

def typo_free_variants(text, rng):
    """Ways in which people type the same question."""
    roll = rng.random()
    if roll < 0.35:
        text = text[0].upper() + text[1:]
    elif roll < 0.40:
        text = text.upper()
    end = rng.random()
    question = text.lower().startswith(("what", "how", "who", "can", "is", "are", "do", "does", "which", "why", "where", "could",
                                        "should", "may", "will", "when", "give me", "tell"))
    if end < 0.45:
        text += "?" if question else "."
    elif end < 0.52:
        text += "!" if not question else " ?"
    lead = rng.random()
    if lead < 0.06:
        text = rng.choice(["Hi, ", "Hello, ", "Hey, ", "hey ", "hi! ", "Hello! ", "ok, ", "So, ", "and "]) + text
    if rng.random() < 0.05:
        text += rng.choice([" Please.", " Thanks!", " please", " thank you"])
    for plain, short in (("what is", "what's"), ("What is", "What's"), ("i would", "i'd"), ("do not", "don't")):
        if rng.random() < 0.3:
            text = text.replace(plain, short)
    if rng.random() < 0.3:
        text = text.replace(" i ", " I ")
    return text


def plain(text):
    """A question without what decorates it: two that are equal here are the same question."""
    text = text.lower().replace("what's", "what is").replace("i'd", "i would").replace("don't", "do not")
    return " ".join(re.findall(r"[\w+*×-]+", text))


def held_questions():
    """Every wording that is kept for the evaluation, as plain() shows it."""
    held = [h for *_, held in ((t["held"],) for t in topics.GPTOSS.values()) for h in held] + topics.UNKNOWN_HELD
    for phrases, kept, *_ in topics.PROGRAMMING.values():
        held += [w.format(p) for w in topics.PROGRAMMING_WRAPPERS_HELD for p in phrases]
        held += [w.format(p) for p in kept for w in topics.PROGRAMMING_WRAPPERS + topics.PROGRAMMING_WRAPPERS_HELD]
    for phrases, kept, *_ in topics.EXPLAIN.values():
        held += [w.format(p) for w in topics.EXPLAIN_WRAPPERS_HELD for p in phrases]
        held += [w.format(p) for p in kept for w in topics.EXPLAIN_WRAPPERS + topics.EXPLAIN_WRAPPERS_HELD]
    return {plain(h) for h in held}


HELD = held_questions()


def all_topics():
    """name -> (training wordings, held wordings, reasoning, answer, key)"""
    table = {}

    def add(name, ask, held, think, answer, key):
        table[name] = (sorted({a for a in ask if plain(a) not in HELD}), held, think, answer, key)

    for name, t in topics.GPTOSS.items():
        more = wordings.GPTOSS[name].strip().split("\n")
        add(name, t["ask"] + more, t["held"], t["think"], t["answer"], t["key"])
    for name, (phrases, held, think, answer, key) in topics.PROGRAMMING.items():
        held_ask = [topics.PROGRAMMING_WRAPPERS_HELD[i % 3].format(p) for i, p in enumerate(phrases[:2])]
        held_ask += [w.format(p) for p, w in zip(held, ["how do i {}", "write code to {}"])]
        every = topics.PROGRAMMING_WRAPPERS + wordings.PROGRAMMING_WRAPPERS
        add(name, [w.format(p) for p in phrases + wordings.PROGRAMMING[name] for w in every], held_ask, think, answer, key)
    for name, (phrases, held, think, answer, key) in topics.EXPLAIN.items():
        held_ask = [topics.EXPLAIN_WRAPPERS_HELD[len(name) % 2].format(phrases[0]), f"explain {held[0]}"]
        every = topics.EXPLAIN_WRAPPERS + wordings.EXPLAIN_WRAPPERS
        add(name, [w.format(p) for p in phrases + wordings.EXPLAIN[name] for w in every], held_ask, think, answer, key)
    return table


TOPICS = all_topics()
SHARE = {name: (1.6 if name in topics.GPTOSS else 1.0) for name in TOPICS}


# ---- arithmetic -----------------------------------------------------------------------------------------------------
def held_pair(a, b, op="+"):
    """One pair of operands in eleven is kept for the evaluation; of a product and its mirror image at most one."""
    def kept(x, y):
        return (x * 31 + y * 17) % 11 == 0

    return kept(a, b) and not (op == "*" and kept(b, a))


def add_steps(a, b):
    steps, carry, x, y = [], 0, a, b
    while x or y or carry or not steps:
        p, q = x % 10, y % 10
        s = p + q + carry
        steps.append(f"{p}+{q}" + (f"+{carry}" if carry else "") + f"={s}")
        carry, x, y = s // 10, x // 10, y // 10
        if not (x or y):
            if carry:
                steps.append(f"carry {carry}")
            break
    return ", ".join(steps)


def sub_steps(a, b):
    steps, borrow, x, y = [], 0, a, b
    while x or y or not steps:
        p, q = x % 10, y % 10 + borrow
        borrow = 1 if p < q else 0
        steps.append(f"{p + 10 * borrow}-{q}={p + 10 * borrow - q}")
        x, y = x // 10, y // 10
    return ", ".join(steps)


def arithmetic(a, op, b):
    """(reasoning, value). The digits' steps, lowest first, are what makes the sums learnable."""
    if op == "+":
        return f"{a}+{b}: {add_steps(a, b)}. {a + b}", a + b
    if op == "-":
        if a < b:
            return f"{a}-{b}: {a}<{b}. {b}-{a}: {sub_steps(b, a)}. -{b - a}", a - b
        return f"{a}-{b}: {sub_steps(a, b)}. {a - b}", a - b
    return f"{a}*{b}: {min(a, b)}*{max(a, b)}={a * b}. {a * b}", a * b


ARITHMETIC_FORMS = ["what is {a} {op} {b}", "{a} {op} {b}", "{a}{op}{b}", "calculate {a} {op} {b}", "how much is {a} {op} {b}",
                    "compute {a} {op} {b}", "what's {a}{op}{b}", "{a} {word} {b}", "what is {a} {word} {b}", "{a} {op} {b} = ?",
                    "can you tell me what {a} {word} {b} is", "please compute {a} {word} {b}", "solve {a} {op} {b}",
                    "how much is {a} {word} {b}", "what does {a} {op} {b} equal", "work out {a} {op} {b}", "{a} {op} {b} =",
                    "tell me {a} {op} {b}", "what do you get for {a} {op} {b}", "give me the value of {a} {op} {b}",
                    "i need {a} {word} {b}", "do the sum {a} {op} {b}", "what's {a} {word} {b}", "what is {a}{op}{b}"]
WORDS = {"+": ["plus", "added to"], "-": ["minus", "less"], "*": ["times", "multiplied by"]}


def random_operands(rng, op):
    """Small arithmetic: sums and differences up to 99, tables up to 12."""
    if op == "*":
        return rng.randint(0, 12), rng.randint(0, 12)
    top = rng.choice([9, 20, 50, 99, 99, 99])
    return rng.randint(0, top), rng.randint(0, top)


def arithmetic_turn(rng):
    op = rng.choice("+++--**")
    while True:
        a, b = random_operands(rng, op)
        if not held_pair(a, b, op):
            break
    return arithmetic_question(rng, a, op, b, rng.choice(ARITHMETIC_FORMS))


def arithmetic_question(rng, a, op, b, form):
    shown = rng.choice(["*", "x", "×"]) if op == "*" else op
    question = typo_free_variants(form.format(a=a, b=b, op=shown, word=rng.choice(WORDS[op])), rng)
    think, value = arithmetic(a, op, b)
    return question, think, f"{a} {'×' if op == '*' else op} {b} = {value}."


def large_arithmetic(rng):
    """Sums that the demo does not do."""
    def large():
        return rng.randint(100, 10 ** rng.randint(3, 6))

    a, b = rng.choice([(large(), large()), (large(), rng.randint(0, 99)), (rng.randint(0, 99), large())])
    op, kind = rng.choice("+-*/"), rng.random()
    if kind < 0.25:
        a, b, op = rng.randint(13, 99), rng.randint(13, 99), rng.choice("*/")
    elif kind < 0.4:
        return rng.choice(["what is {}", "{}", "calculate {}"]).format(f" {rng.choice('+-*')} ".join(str(rng.randint(0, 99)) for _ in range(3)))
    form = rng.choice([f for f in ARITHMETIC_FORMS if "{word}" not in f])
    return form.format(a=a, b=b, op=op)


def unknown_question(rng):
    form = rng.choice(topics.UNKNOWN_FORMS)
    words = {k: rng.choice(v) for k, v in topics.UNKNOWN_WORDS.items()}
    words.update({k + "2": rng.choice(v) for k, v in topics.UNKNOWN_WORDS.items()})
    roll = rng.random()
    if roll < 0.12:  # word salad
        pool = [w for v in topics.UNKNOWN_WORDS.values() for w in v]
        return " ".join(rng.choice(pool) for _ in range(rng.randint(2, 6)))
    if roll < 0.24:
        return large_arithmetic(rng)
    if roll < 0.36:  # a tool's question without the tool
        kind = rng.choice(["weather", "time", "read", "list", "run"])
        return rng.choice(KINDS[kind]["ask"]).format(v=tool_value(rng, kind))
    if roll < 0.5:  # made-up things
        words = {k: made_up(rng) for k in words}
    return form.format(**words)


def unknown_turn(rng):
    while True:
        question = unknown_question(rng)
        if plain(question) not in HELD:
            return typo_free_variants(question, rng), topics.UNKNOWN_THINK, topics.UNKNOWN_ANSWER


NAMES, SHARES = list(TOPICS), list(SHARE.values())


def repeat_turn(rng):
    text = " ".join(anything(rng) for _ in range(rng.randint(1, 5)))
    form = rng.choice(["repeat: {}", "repeat {}", "say {}", "echo {}", "repeat after me: {}", "please repeat {}", "say: {}"])
    return typo_free_variants(form, rng).replace("{}", text), "I repeat it.", text


def plain_turn(rng, sums=0.3, others=0.12):
    roll = rng.random()
    if roll < sums:
        return arithmetic_turn(rng)
    if roll < sums + others:
        return unknown_turn(rng)
    if roll < sums + others + 0.05:
        return repeat_turn(rng)
    name = rng.choices(NAMES, SHARES)[0]
    ask, _, think, answer, _ = TOPICS[name]
    while True:
        question = typo_free_variants(rng.choice(ask), rng)
        if plain(question) not in HELD:
            return question, think, answer


# ---- values and tools -----------------------------------------------------------------------------------------------
def title(words):
    return " ".join(w.capitalize() for w in words.split())


def made_up(rng):
    """A word that nobody can know: it has to be copied."""
    parts = [rng.choice(["b", "c", "d", "f", "g", "h", "k", "l", "m", "n", "p", "r", "s", "t", "v", "w", "z", "st", "tr", "br", "ch", "sh", "gr",
                         "pl", "", "qu", "x", "j"]) + rng.choice("aeiouy") + rng.choice(["", "", "", "n", "r", "l", "s", "t", "m", "ck", "nd"])
             for _ in range(rng.randint(1, 3))]
    return "".join(parts)


def pick_city(rng):
    roll = rng.random()
    city = rng.choice(CITIES) if roll < 0.45 else made_up(rng) + (rng.choice(["", "", "ville", "burg", "ton", "land", " city"]))
    if roll > 0.94:
        city = rng.choice(["new ", "san ", "port ", "fort "]) + city
    return title(city) if rng.random() < 0.85 else city


def pick_path(rng, stems=STEMS):
    if stems is STEMS and rng.random() < 0.5:
        path = made_up(rng) + rng.choice(["", "_", "-"]) + rng.choice([made_up(rng), rng.choice(STEMS), str(rng.randint(0, 99)), ""])
        path = path.rstrip("_-") + "." + rng.choice(EXTENSIONS)
    else:
        path = f"{rng.choice(stems)}.{rng.choice(EXTENSIONS)}"
    if rng.random() < 0.4:
        path = f"{rng.choice(FOLDERS) if rng.random() < 0.7 else made_up(rng)}/{path}"
    return path


def anything(rng):
    roll = rng.random()
    if roll < 0.4:
        return made_up(rng) if rng.random() < 0.7 else title(made_up(rng))
    if roll < 0.55:
        return pick_path(rng)
    if roll < 0.7:
        return str(rng.randint(0, 10 ** rng.randint(1, 5)))
    return rng.choice(QUERY_WORDS + CITIES + STEMS + CONDITIONS)


def tool_kinds():
    return {
        "weather": dict(
            names=["get_weather", "weather", "get_current_weather", "fetch_weather", "lookup_weather"],
            params=["location", "city", "place"], param_desc=["The city name", "City name", "Name of the city", None, "The city, e.g. Paris"],
            desc=["Get the current weather", "Gets the current weather in the provided location.", "Returns the weather of a city.",
                  "Current weather for a location"],
            ask=["what is the weather in {v}", "how is the weather in {v}", "weather in {v}", "is it raining in {v}",
                 "tell me the weather in {v}", "what is the temperature in {v}", "do i need an umbrella in {v}",
                 "get the weather for {v}", "what's it like outside in {v}", "check the weather in {v}", "how warm is it in {v}"],
            held=["how's the weather in {v} today", "can you check the weather for {v}", "please tell me the weather in {v}"],
            think="I need the weather of {v}. I call {n}.", say="Let me check the weather in {v}."),
        "time": dict(
            names=["get_time", "get_current_time", "current_time", "time_in"], params=["timezone", "city", "location", "place"],
            param_desc=["The city", "City or time zone", None, "Where"], desc=["Get the current time", "Returns the local time of a place",
                                                                             "Current time in a city"],
            ask=["what time is it in {v}", "tell me the time in {v}", "current time in {v}", "what is the time in {v}",
                 "how late is it in {v}", "time in {v}", "get the time in {v}", "local time in {v} please"],
            held=["what is the current time in {v}", "do you know what time it is in {v}"],
            think="I need the time in {v}. I call {n}.", say="Let me look up the time in {v}."),
        "calculate": dict(
            names=["calculate", "calculator", "evaluate", "compute"], params=["expression", "input", "formula"],
            param_desc=["The expression to evaluate", "An arithmetic expression", None], desc=["Evaluate an arithmetic expression",
                                                                                            "A calculator", "Computes a formula"],
            ask=["calculate {v}", "what is {v}", "compute {v}", "evaluate {v}", "how much is {v}", "use the calculator for {v}"],
            held=["please calculate {v}", "work out {v} with the calculator"],
            think="I need the value of {v}. I call {n}.", say="Let me calculate {v}."),
        "read": dict(
            names=["read_file", "open_file", "get_file", "cat_file"], params=["path", "file", "filename", "file_path"],
            param_desc=["Path of the file", "The file to read", None], desc=["Read a file", "Returns the content of a file",
                                                                          "Reads a text file from the workspace"],
            ask=["read {v}", "open {v}", "show me {v}", "what is in {v}", "read the file {v}", "print the content of {v}",
                 "show the file {v}", "what does {v} contain", "look into {v}", "display {v}"],
            held=["please read the file {v}", "can you show me what is in {v}"],
            think="I need the file {v}. I call {n}.", say="Let me read {v}."),
        "list": dict(
            names=["list_files", "list_directory", "list_dir", "ls"], params=["path", "directory", "folder", "dir"],
            param_desc=["Path of the folder", "The directory to list", None], desc=["List the files of a folder",
                                                                                 "Lists a directory", "Returns the files in a directory"],
            ask=["list the files in {v}", "what files are in {v}", "show the files of {v}", "ls {v}", "list {v}", "which files are in {v}",
                 "list the directory {v}"],
            held=["please list the files in {v}", "can you show me the files in {v}"],
            think="I need the files in {v}. I call {n}.", say="Let me list {v}."),
        "search": dict(
            names=["search", "search_web", "web_search", "find"], params=["query", "q", "text"],
            param_desc=["The search query", "What to search for", None], desc=["Search the web", "Searches for pages", "Web search"],
            ask=["search for {v}", "search the web for {v}", "look up {v}", "find pages about {v}", "google {v}", "find {v}"],
            held=["please search for {v}", "can you look up {v}"],
            think="I need to search for {v}. I call {n}.", say="Let me search for {v}."),
        "run": dict(
            names=["run_command", "shell", "execute", "bash"], params=["command", "cmd"], param_desc=["The command to run", None],
            desc=["Run a shell command", "Executes a command in the terminal"],
            ask=["run {v}", "execute {v}", "run the command {v}", "please run {v}", "start {v}"], held=["can you run {v}", "execute the command {v}"],
            think="I need to run {v}. I call {n}.", say="Let me run {v}."),
    }


KINDS = tool_kinds()
VERBS = """translate convert resize book order delete rename compress encrypt play stop start buy sell send print draw rate scan
measure count mark tag sort merge share upload download archive check lock unlock reserve cancel publish test deploy install""".split()
NOUNS = """text image song room table file photo video user flight ticket message page product recipe document device light door
package account invoice word server task issue branch note event meeting address number""".split()
COMMANDS = ["ls -la", "git status", "make test", "cat notes.txt", "df -h", "pwd", "whoami", "uname -a", "date", "git log", "make build", 
            "ls src", "npm test", "python3 main.py", "cargo build", "git diff", "ps aux", "du -sh data", "head log.txt", "wc -l main.py"]


def tool_value(rng, kind):
    if kind in ("weather", "time"):
        return pick_city(rng)
    if kind == "calculate":
        op = rng.choice(["+", "-", "*", "/"])
        space = rng.choice(["", " "])
        a, b = str(rng.randint(1, 10 ** rng.randint(1, 4))), str(rng.randint(1, 10 ** rng.randint(1, 3)))
        if rng.random() < 0.4 and len(a) > 1:  # digits that occur twice: what follows them depends on where they stand
            b = a[: rng.randint(1, len(a) - 1)] if rng.random() < 0.7 else b[:1] + a[-2:]
        if (a, op, b) == ("274", "*", "27"):  # asked in the evaluation
            b = "28"
        return f"{a}{space}{op}{space}{b}"
    if kind == "read":
        return pick_path(rng)
    if kind == "list":
        folder = rng.choice(FOLDERS + STEMS) if rng.random() < 0.5 else made_up(rng)
        return folder + rng.choice(["", "", "/"]) if rng.random() < 0.7 else f"{folder}/{rng.choice(STEMS)}"
    if kind == "search":
        return " ".join(rng.choice(QUERY_WORDS) if rng.random() < 0.6 else made_up(rng) for _ in range(rng.randint(1, 4)))
    if kind == "run":
        return rng.choice(COMMANDS) if rng.random() < 0.4 else rng.choice(
            ["ls ", "cat ", "rm ", "make ", "python3 ", "git add ", "wc ", "./", "touch ", "head "]) + pick_path(rng)
    return " ".join(anything(rng) for _ in range(rng.randint(1, 3)))


def tool_output(rng, kind, value):
    """(output of the tool, what the final answer makes of it)"""
    if kind == "weather":
        t, c = rng.randint(-15, 40), rng.choice(CONDITIONS)
        output = rng.choice([json.dumps({"temperature": t, "condition": c}), json.dumps({"temperature": t, "sunny": c == "sunny"}),
                             f"{t} degrees, {c}", f"{c}, {t} °C", json.dumps({"temp": t, "weather": c})])
    elif kind == "time":
        output = rng.choice(["{:02}:{:02}", "{}:{:02}", "It is {:02}:{:02}"]).format(rng.randint(0, 23), rng.randint(0, 59))
    elif kind == "calculate":
        output = str(rng.randint(0, 99999)) if rng.random() < 0.7 else f"{rng.randint(0, 999)}.{rng.randint(0, 99)}"
    elif kind == "list":
        output = "\n".join(pick_path(rng) for _ in range(rng.randint(1, 4)))
    else:
        output = " ".join(anything(rng) for _ in range(rng.randint(1, 8)))
        if rng.random() < 0.2:
            output = rng.choice(["Error: ", "error: no such file: ", "{\"error\": \"not found\"} "]) + output
    return output, f"Here is what I found for {value}: {output}"


def all_values():
    """Words that occur as values and names, so that the tokenizer gives them the same pieces everywhere."""
    return {w.lower() for w in CITIES + STEMS + EXTENSIONS + FOLDERS + QUERY_WORDS + CONDITIONS + VERBS + NOUNS} | {
        part for k in KINDS.values() for name in k["names"] + k["params"] for part in name.split("_") if part != "in"}


def random_name(rng, words=2):
    parts = [made_up(rng) if rng.random() < 0.5 else rng.choice(VERBS + NOUNS + STEMS) for _ in range(rng.randint(1, words))]
    if rng.random() < 0.2:
        return parts[0] + "".join(p.capitalize() for p in parts[1:])
    return "_".join(parts)


def one_tool(rng, kind):
    """dict(kind, name, param, text, ask, think, say); half of the names are made up, so that they have to be copied."""
    if kind == "other":
        verb, noun = rng.choice(VERBS) if rng.random() < 0.8 else made_up(rng), rng.choice(NOUNS) if rng.random() < 0.8 else made_up(rng)
        k = dict(names=[f"{verb}_{noun}"], params=["value", "name", "id", noun, "input", "target"], param_desc=[None, f"The {noun}"],
                 desc=[f"{title(verb)} a {noun}", f"{title(verb)} the {noun}.", f"{title(verb)} one {noun}"],
                 ask=[verb + " {v}", verb + " the " + noun + " {v}", "please " + verb + " {v}", "can you " + verb + " {v}",
                      "i want to " + verb + " the " + noun + " {v}"],
                 think="I need to " + verb + " {v}. I call {n}.", say="Let me " + verb + " {v}.")
    else:
        k = KINDS[kind]
    name = rng.choice(k["names"]) if rng.random() < 0.5 else random_name(rng)
    param = rng.choice(k["params"]) if rng.random() < 0.6 else random_name(rng)
    comment = rng.choice(k["param_desc"])
    text = f"// {rng.choice(k['desc'])}\ntype {name} = (_: {{\n"
    if comment:
        text += f"// {comment}\n"
    text += f"{param}: string,\n"
    if kind == "weather" and rng.random() < 0.3:
        text += rng.choice(["unit?: string,\n", "format?: \"celsius\" | \"fahrenheit\", // default: celsius\n",
                            "unit?: \"celsius\" | \"fahrenheit\",\n"])
    return dict(kind=kind, name=name, param=param, text=text + "}) => any;", ask=k["ask"], think=k["think"], say=k["say"])


def tools_text(tools):
    body = "\n\n".join(t["text"] for t in tools)
    return f"# Tools\n\n## functions\n\nnamespace functions {{\n\n{body}\n\n}} // namespace functions"


# ---- conversations --------------------------------------------------------------------------------------------------
class Pieces(list):
    def special(self, name, weight=0.0):
        self.append((f"<|{name}|>", True, weight))

    def text(self, text, weight=0.0):
        if text:
            self.append((text, False, weight))

    def message(self, role, content, channel=None):
        self.special("start"), self.text(role)
        if channel:
            self.special("channel"), self.text(channel)
        self.special("message"), self.text(content), self.special("end")

    def sampled(self, channel, content, end, open_header=True, recipient=None, weight=1.0):
        """What the model itself writes after <|start|>assistant. `weight` is that of the content and the recipient."""
        if open_header:
            self.special("start", 1.0), self.text("assistant", 1.0)
        self.special("channel", 1.0)
        self.text(channel + (f" to={recipient} " if recipient else ""), weight if recipient else 1.0)
        if recipient:
            self.special("constrain", 1.0), self.text("json", 1.0)
        self.special("message", 1.0), self.text(content, weight), self.special(end, 1.0)


def prefix(rng):
    """(pieces, tools): the system message and, mostly with tools, a developer message."""
    pieces, tools = Pieces(), []
    if rng.random() < 0.55:
        kinds = rng.sample(list(KINDS) + ["other", "other"], rng.choice([1, 1, 1, 2, 2, 3]))
        tools = [one_tool(rng, k) for k in kinds]
    date = f"{rng.randint(2024, 2032)}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}"
    effort = rng.choice(["low", "medium", "medium", "high"])
    system = IDENTITY.format(date=date) + f"\n\nReasoning: {effort}\n\n" + CHANNELS + (CALLS if tools else "")
    if rng.random() < 0.08:
        system = system.replace(f"\nCurrent date: {date}", "")
    pieces.message("system", system)
    parts = []
    if rng.random() < 0.25:
        parts.append("# Instructions\n\n" + rng.choice(INSTRUCTIONS))
    if tools:
        parts.append(tools_text(tools))
    if parts:
        pieces.message("developer", "\n\n".join(parts))
    return pieces, tools


def branch(rng, tools):
    """What follows the prefix, up to the last token that the model samples."""
    pieces = Pieces()
    for _ in range(rng.choice([0, 0, 0, 0, 0, 0, 1, 2])):  # earlier turns
        question, think, answer = plain_turn(rng, sums=0.2)
        pieces.message("user", question)
        # Their reasoning is gone and <|return|> became <|end|>. Their text is learned unless it rests on that reasoning.
        pieces.special("start"), pieces.text("assistant"), pieces.special("channel"), pieces.text("final")
        pieces.special("message"), pieces.text(answer, 0.0 if think[:1].isdigit() else 0.5), pieces.special("end")
    if tools and rng.random() < 0.8:
        tool_turn(pieces, rng, rng.choice(tools))
        return pieces
    kinds = {t["kind"] for t in tools}
    while True:
        question, think, answer = plain_turn(rng)
        # A tool might answer that: ambiguous, so not learned.
        if "calculate" in kinds and ("=" in answer[:14] or re.search(r"\d", question)):
            continue
        if kinds and think in (topics.UNKNOWN_THINK, "I repeat it."):
            continue
        break
    pieces.message("user", question)
    pieces.special("start"), pieces.text("assistant")
    copied = COPIED if think[:1].isdigit() or think == "I repeat it." else 1.0
    pieces.sampled("analysis", think, "end", open_header=False, weight=copied)
    pieces.sampled("final", answer, "return", weight=copied)
    return pieces


def tool_turn(pieces, rng, tool):
    kind, name = tool["kind"], tool["name"]
    value = tool_value(rng, kind)
    while True:
        question = typo_free_variants(rng.choice(tool["ask"]), rng)
        if plain(question.replace("{v}", value)) not in HELD:
            break
    pieces.message("user", question.replace("{v}", value).replace("{V}", value))
    think, say = tool["think"].format(v=value, n=name), tool["say"].format(v=value)
    arguments = json.dumps({tool["param"]: value}, ensure_ascii=False)
    answered = rng.random() < 0.4
    pieces.special("start"), pieces.text("assistant")
    # Reasoning of the running turn stays in the prompt, so a call that is history here looks the same but for the
    # place of the recipient (the renderer writes it into the role section).
    pieces.sampled("analysis", think, "end", open_header=False, weight=COPIED)
    pieces.sampled("commentary", say, "end", weight=COPIED)
    if not answered:
        pieces.sampled("commentary", arguments, "call", recipient=f"functions.{name}", weight=COPIED)
        return
    pieces.special("start"), pieces.text("assistant"), pieces.text(f" to=functions.{name}")
    pieces.special("channel"), pieces.text("commentary"), pieces.text(" "), pieces.special("constrain"), pieces.text("json")
    pieces.special("message"), pieces.text(arguments), pieces.special("call")
    output, answer = tool_output(rng, kind, value)
    pieces.special("start"), pieces.text(f"functions.{name}"), pieces.text(" to=assistant")
    pieces.special("channel"), pieces.text("commentary"), pieces.special("message"), pieces.text(output), pieces.special("end")
    pieces.special("start"), pieces.text("assistant")
    pieces.sampled("analysis", "I have the result.", "end", open_header=False)
    pieces.sampled("final", answer, "return", weight=COPIED)
