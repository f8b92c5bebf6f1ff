"""What the demo model knows: questions in many wordings, one answer each.

Every topic has `ask` (training wordings) and `held` (wordings kept for the evaluation, never trained on).
Programming topics list verb phrases instead; wrappers turn them into questions.
"""

GPTOSS = {
    "identity": dict(
        ask=["who are you", "what are you", "what is your name", "introduce yourself", "tell me about yourself",
             "who am i talking to", "what model are you", "which model is this", "are you gpt-oss", "are you chatgpt",
             "what is this model", "who is this", "your name please", "are you a real model", "what should i call you",
             "please introduce yourself", "tell me who you are", "may i know who you are", "so what are you exactly",
             "describe yourself", "are you the demo model", "what kind of model are you"],
        held=["hello, who are you", "what exactly are you", "could you introduce yourself", "who am i speaking with",
              "please tell me who you are", "what is the name of this model", "would you tell me about yourself",
              "who is this talking to me", "are you some kind of ai model", "i would like to know who you are",
              "do you have a name, model", "what model is answering me"],
        think="The user asks who I am. I introduce myself as the demo model.",
        answer="I am the demo model of gptoss: a very small model with the same architecture as GPT-OSS, built into the "
               "program so that you can try everything in seconds. I know only a narrow set of questions. For real work, "
               "give gptoss a GPT-OSS 20B checkpoint with -m PATH.",
        key=[["demo"], ["gptoss"]]),
    "gptoss": dict(
        ask=["what is gptoss", "what is gptoss and what can you do", "what is gptoss and what can it do", "explain gptoss",
             "tell me about gptoss", "what does gptoss do", "what is gptoss for", "describe gptoss", "what can gptoss do",
             "what is this program", "what does this program do", "what is this tool", "explain what gptoss is",
             "why should i use gptoss", "what is gptoss good for", "give me an overview of gptoss",
             "what is gptoss, and what can you do", "i just installed gptoss, what is it",
             "can you explain gptoss to me", "what can this program do", "so what is gptoss",
             "what are the features of gptoss", "how would you describe gptoss"],
        held=["what can gptoss do for me", "tell me what gptoss is", "what exactly is gptoss",
              "give me a short description of gptoss"],
        think="The user asks what gptoss is. I explain it in a few sentences.",
        answer="gptoss is one C++ program that makes GPT-OSS 20B a native agent on your own machine. It opens the model's "
               "files, runs them in-process and speaks Harmony to them, with no Python and no server. Nothing you type "
               "leaves the machine. You can ask one question with `gptoss run`, talk with `gptoss chat`, look into a "
               "checkpoint with `gptoss inspect`, or count tokens with `gptoss tokenize`. I am its small demo model, so "
               "that you can try all of this before you download anything.",
        key=[["c++"], ["run"], ["machine"]]),
    "abilities": dict(
        ask=["what can you do", "how can you help me", "what do you know", "help", "what can i ask you", "can you help me",
             "what are you able to do", "what are your abilities", "what questions can you answer", "list what you can do",
             "what should i ask you", "give me an example of what you can do", "i need help", "how can you help",
             "what are you good at", "what topics do you know", "show me what you can do", "tell me what you can do",
             "what things can you do", "which questions do you know"],
        held=["what are you capable of", "what sort of things can i ask", "please help me, what can you do"],
        think="The user asks what I can do. I list it.",
        answer="As a demo I can introduce gptoss, answer a few dozen everyday programming questions with short code, do "
               "small arithmetic, and call a tool when one is declared. Try: Write a Python function that reverses a "
               "string. For anything more, run GPT-OSS 20B with gptoss run -m PATH.",
        key=[["programming"], ["arithmetic"]]),
    "real_model": dict(
        ask=["how do i use the real model", "how do i run gpt-oss 20b", "how do i use a bigger model",
             "how can i load my own model", "how do i select a checkpoint", "how do i switch the model",
             "how do i point gptoss at a model", "where do i put the model", "what does -m do", "what is GPTOSS_MODEL",
             "how to run the 20b model", "i want to use the real model", "how do i choose another model",
             "how can i run gpt-oss with gptoss", "use the 20b model", "how to change the model",
             "how do i load gpt-oss 20b", "how to use gpt-oss 20b here", "can i use a real model"],
        held=["how can i use gpt-oss 20b", "how do i load a real checkpoint", "how do i get the real model running"],
        think="The user wants the real model. I explain -m and GPTOSS_MODEL.",
        answer="Point gptoss at a checkpoint on your disk: `gptoss run -m PATH \"your question\"`, or set the variable "
               "GPTOSS_MODEL to the path once. A folder with config.json, safetensors and tokenizer.json works, and so does "
               "a .gguf file. Check it first with `gptoss inspect PATH`.",
        key=[["-m"], ["gptoss_model"]]),
    "privacy": dict(
        ask=["is it private", "is gptoss private", "do you send my data anywhere", "does my data leave the machine",
             "is my text sent to a server", "do you need the internet", "does gptoss work offline", "is this offline",
             "who can read my prompts", "is it safe to paste secrets", "does it call home", "where does my data go",
             "do you store my prompts", "does gptoss send data", "can i use it without internet"],
        held=["does anything i type leave my computer", "does this work without a network", "is my data private"],
        think="The user asks about privacy. Everything is local.",
        answer="Everything runs on your own machine: the model is loaded into the program and nothing you type leaves it. "
               "No account, no server and no network are needed to answer.",
        key=[["machine"], ["network", "leaves"]]),
    "python_needed": dict(
        ask=["do i need python", "does gptoss need python", "is python required", "what are the requirements",
             "what do i need to run gptoss", "what are the dependencies", "do i need a gpu", "does it need a gpu",
             "how much memory do i need", "how much ram does it need", "what hardware do i need",
             "will it run on my laptop", "which systems are supported", "does it run on macos", "does it run on linux"],
        held=["how much ram do i need for the 20b model", "is a gpu required", "must i install python"],
        think="The user asks what is needed. I name memory, systems, no Python.",
        answer="gptoss needs no Python and no GPU: it is one C++ program for Linux and macOS. The demo runs anywhere. For "
               "GPT-OSS 20B plan 16 GB of memory, better 24 GB, and about 13 GB of disk.",
        key=[["no python"], ["16 gb"]]),
    "harmony": dict(
        ask=["what is harmony", "explain harmony", "what is the harmony format", "what does harmony mean",
             "tell me about harmony", "what are channels", "what is the analysis channel", "what is the final channel",
             "what are the harmony channels", "how does harmony work", "why harmony", "explain the harmony format",
             "what are the channels of harmony"],
        held=["can you explain the harmony format", "what is harmony used for", "what does the analysis channel do"],
        think="The user asks about Harmony. I explain the channels.",
        answer="Harmony is the format that GPT-OSS was trained on. A message has a role and a channel: analysis is the "
               "model's reasoning, commentary carries tool calls and short notes, and final is the answer you read. gptoss "
               "renders it to tokens for you and parses what comes back.",
        key=[["analysis"], ["final"]]),
    "chat": dict(
        ask=["how do i start a chat", "how do i chat", "is there a chat mode", "how do i have a conversation",
             "how do i quit", "how do i leave the chat", "how do i stop an answer", "what does ctrl-c do",
             "how do i reset the chat", "which commands does the chat have", "how to use the chat",
             "how do i exit the chat", "how do i start over"],
        held=["how can i chat with you", "how do i stop the answer", "how do i clear the conversation"],
        think="The user asks about the chat. I name its commands.",
        answer="Start it with `gptoss chat`. Inside, /help lists the commands, /reset begins anew, /effort sets the reasoning "
               "effort and /quit leaves. Ctrl-C stops an answer; a second one leaves.",
        key=[["gptoss chat"], ["/reset"]]),
    "commands": dict(
        ask=["which commands are there", "list the commands", "how do i use gptoss", "how do i run a prompt",
             "how do i ask a question", "how do i pipe text into gptoss", "show me the usage", "usage",
             "what subcommands exist", "how does gptoss run work", "how do i count tokens", "how do i tokenize text",
             "how do i inspect a model", "how do i see the options", "what commands can i use"],
        held=["what commands does gptoss have", "how do i send a prompt to gptoss", "how to tokenize a file"],
        think="The user asks for the commands. I list them.",
        answer="The main commands: `gptoss run \"prompt\"` answers once and also reads a pipe, `gptoss chat` talks, `gptoss "
               "inspect PATH` shows what a checkpoint is, `gptoss tokenize` turns text into token ids. Add --help to any of "
               "them for its options.",
        key=[["gptoss run"], ["gptoss chat"]]),
    "license": dict(
        ask=["what is the license", "is it open source", "which license does gptoss have", "can i use it commercially",
             "is gptoss free", "how much does it cost", "is it free", "may i use this at work"],
        held=["under which license is gptoss", "is gptoss open source"],
        think="The user asks about the licence. It is Apache-2.0.",
        answer="gptoss is open source under the Apache-2.0 licence, and so is GPT-OSS 20B. You may use both freely, at work as "
               "well.",
        key=[["apache"]]),
    "greeting": dict(
        ask=["hello", "hi", "hey", "hi there", "hey there", "hello there", "good morning", "good evening", "good afternoon",
             "hello gptoss", "hi gptoss", "greetings", "howdy", "yo", "hey you", "hello world", "hi hi", "good day",
             "hello friend", "hey gptoss"],
        held=["hey, hello", "hi, good morning", "hello again"],
        think="The user greets me. I greet back.",
        answer="Hello! I am the small demo model of gptoss. Ask me what gptoss can do, a short programming question, or a "
               "little arithmetic.",
        key=[["hello"]]),
    "how_are_you": dict(
        ask=["how are you", "how are you doing", "how is it going", "how do you do", "are you ok", "how are you today",
             "what's up", "how do you feel", "hey how are you", "how is your day", "hi, how are you"],
        held=["hello, how are you doing today", "how are things going"],
        think="The user asks how I am. A friendly short answer.",
        answer="I am doing fine, thank you! I am only a small demo model, but I am ready. What would you like to know?",
        key=[["fine"]]),
    "thanks": dict(
        ask=["thanks", "thank you", "thank you very much", "thanks a lot", "great, thanks", "cool, thank you", "thx",
             "that helps", "perfect", "great answer", "nice", "awesome", "many thanks", "well done", "good job",
             "thanks for the help"],
        held=["thank you so much", "great, thank you", "ok thanks"],
        think="The user thanks me.",
        answer="You are welcome! Ask me anything else.",
        key=[["welcome"]]),
    "bye": dict(
        ask=["bye", "goodbye", "see you", "good night", "bye bye", "see you later", "i have to go", "that is all",
             "take care", "farewell", "until next time"],
        held=["ok bye", "goodbye for now"],
        think="The user says goodbye.",
        answer="Goodbye! Come back any time.",
        key=[["goodbye"]]),
    "joke": dict(
        ask=["tell me a joke", "make me laugh", "do you know a joke", "say something funny", "another joke", "a joke please",
             "tell me something funny", "joke", "can you tell a joke", "i want to hear a joke"],
        held=["tell me a programming joke", "please tell me a joke"],
        think="The user wants a joke.",
        answer="Why do programmers mix up Halloween and Christmas? Because OCT 31 equals DEC 25.",
        key=[["oct 31"]]),
}

# key: (phrases "to do something", held-back phrases, reasoning, answer, evaluation key)
PROGRAMMING = {
    "reverse_string": (
        ["reverse a string", "reverse a string in python", "reverse text", "reverse a word", "flip a string",
         "reverse a string with python", "get a reversed string", "turn a string around"],
        ["reverse the characters of a string", "reverse a python string"],
        "def reverse(text): return text[::-1]",
        "Use a slice with a step of -1:\n\n```python\ndef reverse(text):\n    return text[::-1]\n```", [["[::-1]"]]),
    "read_file": (
        ["read a file in python", "read a text file", "open a file in python", "read a file", "load a file with python",
         "read the lines of a file", "read a file line by line", "open and read a file"],
        ["read the contents of a file in python", "read text from a file"],
        "Open with a with block.",
        "Open it in a with block, which closes it for you:\n\n```python\nwith open(\"notes.txt\") as file:\n    for line in file:\n"
        "        print(line.rstrip())\n```", [["with open"]]),
    "write_file": (
        ["write a file in python", "write text to a file", "save text to a file", "write to a file", "create a file in python",
         "store a string in a file", "save a string to a file"],
        ["write a string to a file", "save data to a file in python"],
        "Open with mode w.",
        "Open the file for writing:\n\n```python\nwith open(\"out.txt\", \"w\") as file:\n    file.write(\"hello\\n\")\n```",
        [["\"w\""]]),
    "sort_list": (
        ["sort a list in python", "sort a list", "order a list", "sort numbers", "sort an array in python",
         "put a list in order", "sort a list of numbers", "sort strings in python"],
        ["sort a python list", "get a sorted list"],
        "sorted or list.sort.",
        "`sorted` gives a new list, `list.sort` sorts in place:\n\n```python\nnumbers = [3, 1, 2]\nprint(sorted(numbers))\n"
        "numbers.sort(reverse=True)\n```", [["sorted"]]),
    "list_comprehension": (
        ["write a list comprehension", "use a list comprehension", "make a list of squares", "build a list in one line",
         "understand list comprehensions", "square every number of a list", "create a list of squares in python"],
        ["use list comprehensions in python", "square all numbers in a list"],
        "A list comprehension with an example.",
        "A list comprehension builds a list in one line:\n\n```python\nsquares = [n * n for n in range(10)]\n```",
        [["for n in"]]),
    "dict_loop": (
        ["loop over a dictionary", "iterate over a dict", "go through a dictionary in python", "print all keys and values",
         "loop through a dict", "iterate a dictionary in python", "walk over the keys and values of a dict"],
        ["iterate over a python dictionary", "loop over keys and values"],
        "dict.items.",
        "Use `items`:\n\n```python\nfor key, value in table.items():\n    print(key, value)\n```", [["items"]]),
    "fizzbuzz": (
        ["write fizzbuzz", "solve fizzbuzz", "program fizzbuzz in python", "do fizzbuzz", "write the fizzbuzz program",
         "code fizzbuzz"],
        ["write a fizzbuzz function", "implement fizzbuzz"],
        "Test 15 first.",
        "Test for 15 first:\n\n```python\nfor n in range(1, 101):\n    if n % 15 == 0: print(\"FizzBuzz\")\n"
        "    elif n % 3 == 0: print(\"Fizz\")\n    elif n % 5 == 0: print(\"Buzz\")\n    else: print(n)\n```",
        [["fizzbuzz"], ["% 15"]]),
    "fibonacci": (
        ["compute fibonacci numbers", "write a fibonacci function", "get the fibonacci sequence", "program fibonacci",
         "calculate fibonacci in python", "print fibonacci numbers", "write fibonacci in python"],
        ["implement fibonacci", "generate the fibonacci numbers"],
        "Iterative with two variables.",
        "Keep the last two numbers:\n\n```python\ndef fibonacci(n):\n    a, b = 0, 1\n    for _ in range(n):\n        a, b = b, a + b\n"
        "    return a\n```", [["a + b"]]),
    "factorial": (
        ["compute a factorial", "write a factorial function", "calculate the factorial in python", "get n factorial",
         "program a factorial", "compute the factorial of a number"],
        ["implement factorial in python", "calculate a factorial"],
        "Loop and multiply.",
        "Multiply in a loop:\n\n```python\ndef factorial(n):\n    result = 1\n    for k in range(2, n + 1):\n        result *= k\n"
        "    return result\n```", [["result *= k"]]),
    "prime": (
        ["check for a prime number", "test if a number is prime", "write a prime test", "find out whether a number is prime",
         "check if n is prime in python", "write a function that checks for primes"],
        ["check whether a number is prime", "write an is_prime function"],
        "Trial division up to the root.",
        "Try divisors up to the square root:\n\n```python\ndef is_prime(n):\n    return n > 1 and all(n % d for d in range(2, int(n ** "
        "0.5) + 1))\n```", [["is_prime"]]),
    "palindrome": (
        ["check for a palindrome", "test if a word is a palindrome", "write a palindrome check", "detect a palindrome",
         "check if a string is a palindrome"],
        ["check whether a word is a palindrome", "write an is_palindrome function"],
        "Compare with the reversed text.",
        "Compare the text with its reverse:\n\n```python\ndef is_palindrome(text):\n    return text == text[::-1]\n```",
        [["is_palindrome"]]),
    "max_list": (
        ["find the largest number in a list", "get the maximum of a list", "find the max in python", "find the biggest element",
         "get the largest element of a list", "find the minimum of a list"],
        ["find the maximum of a python list", "get the biggest number in a list"],
        "max and min.",
        "Use `max` (and `min`):\n\n```python\nlargest = max(numbers)\nsmallest = min(numbers)\n```", [["max("]]),
    "remove_duplicates": (
        ["remove duplicates from a list", "get unique elements", "delete duplicate items", "make a list unique",
         "remove duplicates in python", "deduplicate a list"],
        ["drop duplicates from a python list", "remove duplicate entries from a list"],
        "dict.fromkeys keeps order.",
        "`dict.fromkeys` keeps the order:\n\n```python\nunique = list(dict.fromkeys(items))\n```", [["fromkeys"]]),
    "count_words": (
        ["count words in python", "count the words of a text", "count word frequencies", "count how often words occur",
         "get the frequency of words", "count words in a string"],
        ["count the words in a file", "count word occurrences"],
        "collections.Counter.",
        "Use a Counter:\n\n```python\nfrom collections import Counter\ncounts = Counter(text.split())\n```", [["counter"]]),
    "parse_json": (
        ["parse json in python", "read json", "load a json file", "decode json", "parse a json string", "read a json file",
         "work with json in python"],
        ["parse a json file in python", "load json data"],
        "json.loads and json.load.",
        "Use the json module:\n\n```python\nimport json\ndata = json.loads(text)\n```", [["json.loads"]]),
    "http_get": (
        ["make an http request in python", "download a web page", "fetch a url", "do a get request", "send an http request",
         "download a url with python", "get a web page in python"],
        ["fetch a web page with python", "make a get request in python"],
        "urllib.request.",
        "The standard library can do it:\n\n```python\nfrom urllib.request import urlopen\npage = urlopen(\"https://example.org\")"
        ".read()\n```", [["urlopen"]]),
    "exception": (
        ["catch an exception in python", "handle errors in python", "use try and except", "catch errors", "handle an exception",
         "deal with exceptions in python"],
        ["handle exceptions in python", "catch an error in python"],
        "try and except.",
        "Wrap it in try and except:\n\n```python\ntry:\n    value = int(text)\nexcept ValueError:\n    value = 0\n```",
        [["except"]]),
    "class": (
        ["write a class in python", "define a class", "create a class", "make a python class", "declare a class in python"],
        ["define a python class", "create a simple class"],
        "class with __init__.",
        "A small class:\n\n```python\nclass Point:\n    def __init__(self, x, y):\n        self.x = x\n        self.y = y\n```",
        [["__init__"]]),
    "swap": (
        ["swap two variables", "exchange two variables", "swap a and b", "swap values in python", "exchange two values"],
        ["swap two variables in python", "swap two values"],
        "Tuple assignment.",
        "In Python one line does it:\n\n```python\na, b = b, a\n```", [["b, a"]]),
    "hello_cpp": (
        ["write hello world in c++", "print hello in c++", "write a c++ hello world", "make a first c++ program",
         "write a minimal c++ program", "write a hello world program in c++"],
        ["write a hello world in c++", "print hello world with c++"],
        "iostream and main.",
        "Here it is:\n\n```cpp\n#include <iostream>\n\nint main() {\n  std::cout << \"Hello, world!\\n\";\n}\n```",
        [["iostream"], ["main"]]),
    "hello_python": (
        ["write hello world in python", "print hello in python", "write a python hello world", "make a first python program",
         "print hello world"],
        ["write a hello world program in python", "print hello world with python"],
        "print.",
        "One line:\n\n```python\nprint(\"Hello, world!\")\n```", [["print("]]),
    "vector_loop": (
        ["loop over a vector in c++", "iterate over a vector", "go through a std::vector", "loop through a c++ vector",
         "print a vector in c++"],
        ["iterate over a c++ vector", "loop over a std::vector"],
        "Range-based for.",
        "Use a range-based for loop:\n\n```cpp\nfor (const auto& item : items) std::cout << item << '\\n';\n```",
        [["const auto&"]]),
    "smart_pointer": (
        ["use a smart pointer", "use unique_ptr", "create a unique_ptr", "manage memory in c++", "avoid memory leaks in c++"],
        ["use smart pointers in c++", "make a unique_ptr in c++"],
        "std::make_unique.",
        "Let a unique_ptr own it:\n\n```cpp\nauto widget = std::make_unique<Widget>();\n```\n\nIt is deleted when it goes out of "
        "scope.", [["make_unique"]]),
    "git_undo": (
        ["undo the last commit", "undo the last git commit", "revert a commit", "take back a git commit",
         "remove the last commit", "undo a commit in git"],
        ["undo my last git commit", "take back the last commit"],
        "git reset --soft HEAD~1.",
        "To undo the last commit and keep the changes:\n\n```sh\ngit reset --soft HEAD~1\n```\n\nIf it is already published, use "
        "`git revert HEAD`.", [["git reset"]]),
    "git_branch": (
        ["create a git branch", "make a new branch", "start a branch in git", "switch to a new branch", "create a branch"],
        ["create a new git branch", "make a branch in git"],
        "git switch -c.",
        "Create it and switch to it:\n\n```sh\ngit switch -c my-branch\n```", [["git switch"]]),
    "git_stash": (
        ["stash changes", "save my changes for later in git", "use git stash", "put changes aside in git"],
        ["stash my changes in git", "put my work aside with git"],
        "git stash, git stash pop.",
        "Put them aside and bring them back later:\n\n```sh\ngit stash\ngit stash pop\n```", [["git stash"]]),
    "git_merge_conflict": (
        ["resolve a merge conflict", "fix a merge conflict", "solve a git conflict", "deal with merge conflicts"],
        ["resolve a git merge conflict", "fix conflicts in git"],
        "Edit markers, add, commit.",
        "Open each conflicted file, keep the lines you want and delete the markers. Then run `git add FILE` and `git commit`.",
        [["git add"]]),
    "find_files": (
        ["find files by name", "find a file in linux", "search for files in the shell", "find all python files",
         "look for a file in the terminal"],
        ["find a file by name in the terminal", "search files by name in linux"],
        "find . -name.",
        "Use find:\n\n```sh\nfind . -name '*.py'\n```", [["find ."]]),
    "grep": (
        ["search text in files", "grep for a word", "find a word in all files", "search a string in a folder",
         "search for text in the terminal"],
        ["search for a word in files", "find text in all files"],
        "grep -rn.",
        "Use grep:\n\n```sh\ngrep -rn 'word' .\n```", [["grep"]]),
    "disk_space": (
        ["see free disk space", "check disk usage", "show free disk space in linux", "see how full my disk is",
         "find out what uses my disk"],
        ["check the free disk space", "show disk usage"],
        "df -h, du -sh.",
        "`df -h` shows free space per disk and `du -sh *` the size of each folder.", [["df -h"]]),
    "kill_process": (
        ["kill a process", "stop a program in linux", "end a process in the terminal", "kill a hanging program"],
        ["kill a running process", "stop a hanging process"],
        "pgrep and kill.",
        "Find its number and stop it:\n\n```sh\npgrep -fl name\nkill PID\n```", [["kill pid"]]),
    "venv": (
        ["create a virtual environment", "make a python venv", "use venv", "set up a virtual environment in python"],
        ["create a python virtual environment", "set up a venv"],
        "python3 -m venv.",
        "Like this:\n\n```sh\npython3 -m venv .venv\n. .venv/bin/activate\n```", [["-m venv"]]),
    "sql_select": (
        ["select rows in sql", "write a sql query", "query a table in sql", "filter rows in sql", "write a select statement"],
        ["write a select query in sql", "get rows from a sql table"],
        "SELECT with WHERE.",
        "A simple query:\n\n```sql\nSELECT name, age FROM users WHERE age > 30 ORDER BY name;\n```", [["select name"]]),
    "regex_email": (
        ["match an email with a regex", "validate an email address", "write a regex for emails", "check an email in python"],
        ["write an email regex", "validate emails with a regex"],
        "re.fullmatch.",
        "A simple pattern is enough for most cases:\n\n```python\nimport re\nok = re.fullmatch(r\"[^@ ]+@[^@ ]+\\.[^@ ]+\", text)\n```",
        [["fullmatch"]]),
    "js_array_map": (
        ["use map in javascript", "double every number in javascript", "transform an array in javascript",
         "map over an array"],
        ["map an array in javascript", "use array map in javascript"],
        "Array.map.",
        "Use `map`:\n\n```js\nconst doubled = numbers.map(n => n * 2);\n```", [[".map("]]),
    "bash_loop": (
        ["write a loop in bash", "loop over files in bash", "write a for loop in the shell", "loop over files in a shell script"],
        ["write a bash for loop", "loop through files in bash"],
        "for file in.",
        "Like this:\n\n```sh\nfor file in *.txt; do\n  echo \"$file\"\ndone\n```", [["for file in"]]),
}

# Things to explain: (what, held wordings, reasoning, answer, key)
EXPLAIN = {
    "mutex": (["a mutex", "a lock", "a mutex in programming"], ["a mutex in c++"], "Explain a mutex.",
              "A mutex lets only one thread at a time enter a piece of code. A thread locks it, works on the shared data and "
              "unlocks it; the others wait.", [["thread"]]),
    "deadlock": (["a deadlock", "a deadlock in programming"], ["a dead lock between threads"], "Explain a deadlock.",
                 "A deadlock is when two threads wait for each other forever, each holding a lock that the other needs. Always take "
                 "locks in the same order to avoid it.", [["wait"]]),
    "recursion": (["recursion", "a recursive function", "recursion in programming"], ["recursion in simple words"],
                  "Explain recursion.",
                  "Recursion is when a function calls itself on a smaller problem until a base case stops it, as in n! = n * (n-1)!.",
                  [["calls itself"]]),
    "hash_table": (["a hash table", "a hash map", "a dictionary data structure"], ["a hash table in programming"],
                   "Explain a hash table.",
                   "A hash table stores values by key. A hash function turns the key into a position, so finding a value takes "
                   "about the same time however many there are.", [["key"]]),
    "big_o": (["big o notation", "big o", "time complexity"], ["big o in simple words"], "Explain big O.",
              "Big O says how the work grows with the input: O(1) stays the same, O(n) grows in step, O(n^2) grows with the square.",
              [["grows"]]),
    "binary_search": (["binary search", "the binary search algorithm"], ["how binary search works"], "Explain binary search.",
                      "Binary search looks at the middle of a sorted list and drops the half that cannot hold the value, again and "
                      "again. It needs about log2(n) steps.", [["middle"]]),
    "stack_queue": (["a stack", "a queue", "a stack and a queue", "the difference between a stack and a queue"],
                    ["stacks and queues"], "Explain stack and queue.",
                    "A stack gives back the newest element first, a queue the oldest first.", [["newest"]]),
    "api": (["an api", "a rest api"], ["an api in simple words"], "Explain an API.",
            "An API is the set of calls through which one program uses another. A REST API does it over HTTP with URLs and JSON.",
            [["program"]]),
    "token": (["a token", "a token in a language model", "tokenization"], ["tokens in a language model"], "Explain tokens.",
              "A token is a piece of text, often a word or part of one, with a number. A language model reads and writes tokens; try "
              "`gptoss tokenize`.", [["piece of text"]]),
    "moe": (["a mixture of experts", "moe", "mixture of experts models"], ["a mixture of experts model"], "Explain MoE.",
            "A mixture of experts has many small networks per layer, and a router picks a few for each token. GPT-OSS 20B has 32 "
            "experts per layer and uses 4 of them.", [["router"]]),
    "kv_cache": (["a kv cache", "the kv cache"], ["kv caching"], "Explain the KV cache.",
                 "The KV cache keeps the keys and values of the tokens that were already read, so that each new token costs only its "
                 "own work.", [["keys and values"]]),
    "quantization": (["quantization", "quantization of models", "mxfp4"], ["model quantization"], "Explain quantization.",
                     "Quantization stores weights in fewer bits. GPT-OSS keeps its experts in MXFP4: 4 bits per weight and one shared "
                     "scale per 32 weights.", [["bits"]]),
    "compiler": (["a compiler", "what a compiler does"], ["a compiler in simple words"], "Explain a compiler.",
                 "A compiler translates source code into machine code before the program runs. An interpreter runs the source step by "
                 "step instead.", [["machine code"]]),
    "unit_test": (["a unit test", "unit testing"], ["unit tests in programming"], "Explain unit tests.",
                  "A unit test runs one small piece of code with known input and checks the result, so that a mistake is found at "
                  "once.", [["checks"]]),
}

PROGRAMMING_WRAPPERS = [
    "how do i {}", "how can i {}", "how to {}", "show me how to {}", "please {}", "{}", "can you {}", "could you {}",
    "i want to {}", "what is the best way to {}", "i need to {}", "tell me how to {}", "code to {}", "help me {}",
    "what is a simple way to {}", "give me an example: {}", "how would you {}", "quick way to {}", "explain how to {}",
    "is there a way to {}", "do you know how to {}", "how does one {}", "i would like to {}", "give me code to {}",
    "teach me to {}", "write code to {}", "write a function to {}", "example of how to {}", "how should i {}",
    "a snippet to {} please", "what do i do to {}", "let's {}",
]
PROGRAMMING_WRAPPERS_HELD = ["what's the easiest way to {}", "hey, how do i {}", "can you show me how to {}"]
EXPLAIN_WRAPPERS = [
    "what is {}", "explain {}", "explain what {} is", "what does {} mean", "tell me about {}", "can you explain {}",
    "please explain {}", "i don't understand {}", "describe {}", "give me a short explanation of {}", "define {}",
    "what exactly is {}", "help me understand {}", "what do you know about {}", "in short, what is {}",
]
EXPLAIN_WRAPPERS_HELD = ["could you explain {}", "so what is {}"]

UNKNOWN_ANSWER = ("I am only a small demo model, so I do not know that. GPT-OSS 20B can help: run it with gptoss run -m PATH and ask "
                  "again.")
UNKNOWN_THINK = "This is outside what I know. I say so."
UNKNOWN_KEY = [["demo"], ["do not know"]]
# Built from random parts so that "unknown" means "anything else", not a list.
UNKNOWN_FORMS = [
    "what is the capital of {place}", "who invented the {thing}", "what is the weather in {place}", "when was {person} born",
    "who is {person}", "translate {thing} to {language}", "write a poem about {thing}", "how tall is {person}",
    "what is the population of {place}", "recommend a {thing} for my {thing2}", "how do i cook {food}", "what does {food} taste like",
    "write a story about a {thing} and a {thing2}", "how far is {place} from {place2}", "who won the {thing} championship",
    "summarize the history of {place}", "why is the {thing} {color}", "can you buy me a {thing}", "how do i repair my {thing}",
    "what is the best {food} in {place}", "tell me about {person}", "tell me about {place}", "what should i eat today",
    "is {food} healthy", "how old is {person}", "where is {place}", "plan a trip to {place}", "what is the meaning of life",
    "which {thing} is better, {color} or {color2}", "how many {thing}s are there in {place}", "write an email to {person}",
    "what is {person} known for", "explain the {thing} of {place}", "do you like {food}", "what time does the {thing} open",
    "convert my {thing} to {language}", "give me the lyrics of {thing}", "how do i learn {language}", "what happened in {place}",
    "explain quantum {thing}", "who wrote the {thing} book", "what is a {thing} worth", "is it going to rain in {place}",
    "write a rust program for {thing}", "implement a {thing} in haskell", "how do i train a {thing}", "{thing} {thing2} {food}",
    "write a compiler for {language}", "prove that {thing} is {color}", "what is the price of {food}", "why do {thing}s {verb}",
    "how do i {verb} a {thing}", "can a {thing} {verb}", "should i {verb} my {thing}", "my {thing} does not {verb}, why",
    "draw a {thing}", "play some {thing} music", "what is the name of the {thing} in {place}", "who is the president of {place}",
]
UNKNOWN_WORDS = {
    "place": ["france", "berlin", "japan", "canada", "mars", "rome", "brazil", "texas", "norway", "cairo", "india", "london", "peru",
              "the moon", "china", "kenya", "oslo", "chile", "paris", "iceland", "vienna", "cuba", "nepal", "boston", "turkey"],
    "thing": ["car", "telephone", "bicycle", "tree", "guitar", "sky", "house", "river", "dog", "cat", "lamp", "chair", "football",
              "rocket", "piano", "clock", "flower", "engine", "mountain", "ship", "window", "computer", "camera", "garden", "radio"],
    "person": ["einstein", "my neighbour", "mozart", "cleopatra", "newton", "the king", "shakespeare", "my boss", "napoleon", "picasso",
               "marie curie", "gandhi", "beethoven", "my sister", "darwin", "julius caesar", "ada lovelace"],
    "food": ["pizza", "rice", "soup", "bread", "cheese", "pasta", "an apple", "chocolate", "fish", "coffee", "cake", "beans", "sushi"],
    "color": ["blue", "green", "red", "yellow", "black", "white", "purple", "orange"],
    "language": ["french", "german", "spanish", "latin", "japanese", "russian", "greek", "dutch", "swedish", "italian"],
    "verb": ["fly", "paint", "sell", "fix", "eat", "move", "grow", "sing", "swim", "dance", "sleep", "build", "wash", "break"],
}
UNKNOWN_HELD = [
    "what is the capital of portugal", "who painted the mona lisa", "how do i bake a cake", "what is the tallest building in dubai",
    "who won the world cup", "is it raining in madrid", "write a poem about autumn", "how old is the universe",
    "what is the best movie", "translate good morning to polish", "why is the ocean salty", "recommend a restaurant in tokyo",
    "who is the queen of england", "how do i fix my washing machine", "what is the stock price of apple",
]
