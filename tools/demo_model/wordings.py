"""More training wordings of the topics in topics.py, one per line."""

GPTOSS = {
    "identity": """
who r u
hey who are you
identify yourself
say who you are
what are you called
do you have a name
tell me your name
can you introduce yourself
could you tell me who you are
would you introduce yourself please
i want to know who you are
who am i chatting with
who do i speak to
with whom am i talking
who is speaking
who is answering me
who answers here
what model am i talking to
what am i talking to
which model are you
what language model are you
are you a language model
are you an ai
are you a bot
are you a robot
are you human
are you a person
are you a big model
are you a small model
are you gpt
are you gpt-4
are you openai
who made you
who built you
who trained you
how big are you
how large are you
what is the demo model
what does the demo model know
exactly what are you
what precisely are you
what are you, exactly
what sort of model are you
what type of ai are you
what is your purpose
tell me something about yourself
a few words about yourself please
give me an introduction of yourself
give a short introduction of yourself
and who are you
ok who are you
good morning, who are you
hi there, what are you
please say who you are
""",
    "gptoss": """
gptoss
gptoss?
what's this gptoss thing
what kind of program is gptoss
what kind of software is gptoss
what sort of tool is gptoss
what precisely is gptoss
exactly what is gptoss
tell me more about gptoss
tell me what gptoss does
tell me what gptoss can do
tell me what this program is
say what gptoss is
what is the purpose of gptoss
what is the point of gptoss
what is the idea of gptoss
what does gptoss offer
what can i do with gptoss
what can i use gptoss for
what do i use gptoss for
what could gptoss do for my team
what will gptoss do for me
what can gptoss be used for
how can gptoss help me
how does gptoss work
how does gptoss help
who needs gptoss
who is gptoss for
why does gptoss exist
why gptoss
give me a summary of gptoss
give me a description of gptoss
give me a short overview of gptoss
give me a short explanation of gptoss
a short description of gptoss please
a short summary of gptoss
describe gptoss in a few words
describe gptoss briefly
describe what gptoss does
introduce gptoss
introduce gptoss to me
please explain gptoss
please explain what gptoss is
please tell me what gptoss does
can you tell me what gptoss is
can you tell me about gptoss
can you describe gptoss
could you explain what gptoss is
could you tell me what gptoss does
i am new here, what is gptoss
i have never heard of gptoss
i heard of gptoss, what is it
what did i just install
what have i installed
what is this software
what is this
what is this thing
what is this command
what does this tool do
what does this do
what is the program gptoss
what is the gptoss program
what is the gptoss command
what is gptoss and how does it work
what is gptoss, and what is it for
what is gptoss, what can it do
explain to me what gptoss is and what it can do
define gptoss
summarize gptoss
in short, what is gptoss
in a few words, what is gptoss
""",
    "abilities": """
what can you do for me
what can you help with
what can you help me with
what do you do
what do you offer
what is it that you can do
what are your skills
what are your capabilities
what are your strengths
what are you made for
what are you able to answer
what are you able to help with
what do you understand
what kind of things can you do
what kind of questions can i ask
what kind of questions do you answer
what kinds of questions do you know
what sort of questions can i ask you
what sort of questions do you answer
what things can i ask
what things do you know
what stuff can i ask
what may i ask
what could i ask you
what should i try
what can i try
what can i do here
what questions are possible
what subjects do you know
which topics can i ask about
which things can you do
which tasks can you do
how do you help
how could you help me
how may you help me
help me
help me please
help please
please help
please help me
please help, what do you know
i need some help
i need your help
i don't know what to ask
i do not know what to do
give me a few examples of what you can do
give me some ideas what to ask
suggest a question
suggest something to ask
show me your abilities
show me what you know
tell me about your abilities
tell me your abilities
tell me what i can ask
tell me what you know
tell me how you can help
describe your abilities
list your abilities
explain what you can do
explain what you are able to do
say what you can do
are you able to help me
are you capable of anything
can you do anything useful
can you code
can you program
can you do math
do you know programming
do you know python
hello, what can you do
hi, what can you do for me
so what can you do
""",
    "real_model": """
how can i use the real model
how can i use the real gpt-oss
how can i use the bigger model
how can i use gpt-oss
how can i run the real model
how can i run gpt-oss 20b
how can i load a checkpoint
how can i load gpt-oss 20b
how can i get gpt-oss 20b to run
how do i use gpt-oss 20b
how do i use gpt-oss
how do i use my checkpoint
how do i use another checkpoint
how do i use a real checkpoint
how do i get the real model
how do i get the real gpt-oss running
how do i get the 20b model to run
how do i get gpt-oss running
how do i run the real model
how do i run a real checkpoint
how do i run the big model
how do i run another model
how do i load a model
how do i load the model
how do i load a checkpoint
how do i load the real model
how do i load a gguf file
how do i open a checkpoint
how do i open a model
how do i set the model
how do i set GPTOSS_MODEL
how do i give gptoss a model
how do i give gptoss a checkpoint
how do i tell gptoss which model to use
how do i make gptoss use my model
how do i select the model
how do i change the checkpoint
how should i load gpt-oss 20b
how to load a checkpoint
how to load a real model
how to run a real model
how to use the real model
how to select a model
where do i put the checkpoint
where does gptoss look for the model
where is the model
what is -m
what is -m for
what is the option -m
what is the variable GPTOSS_MODEL
can i use gpt-oss 20b
can i run gpt-oss 20b
can i load my own checkpoint
can i use another model
can i use a gguf file
i want to run gpt-oss 20b
i want to load a checkpoint
i want to use gpt-oss 20b
i have gpt-oss 20b on my disk
i have downloaded the model
i downloaded gpt-oss 20b, what now
i need the real model
run the real model
run gpt-oss 20b
load gpt-oss 20b
load another model
switch to the real model
which checkpoints can i use
which files does gptoss read
which formats can gptoss load
""",
    "privacy": """
is it all private
is everything private
is everything local
is my text private
is my prompt private
is my data safe
is my data secure
is my data sent anywhere
is my data uploaded
is our data private here
is the data kept private
is gptoss safe
is gptoss secure
is gptoss local
is gptoss offline
is there any telemetry
is there a cloud
is any of it sent over the internet
is an internet connection needed
is a network required
is a network connection needed
is a server needed
do you keep my data
do you log my prompts
do you share my data
do you collect data
do you upload anything
do you use the cloud
do you talk to a server
do you need a network
do you need a connection
do you work offline
do you track me
does anything leave my machine
does anything leave my laptop
does anything get sent to a server
does something i write leave my computer
does what i type leave the machine
does my text leave my computer
does my prompt leave this computer
does the program send anything
does the data stay here
does my data stay on my machine
does it send my data
does it send anything to the internet
does it use the internet
does it need internet
does it need a network
does it need a connection
does it work offline
does it work without internet
does it work without a connection
does this work offline
does this need a network
does this run without a network connection
does gptoss run without internet
does gptoss work without a network
does gptoss use the network
does gptoss collect data
does openai see my prompts
can openai read my text
can anyone read what i type
can anybody see my data
can i use gptoss offline
can i use it offline
can i work without a network
can i trust you with secrets
will my data be sent somewhere
will anything be uploaded
who sees my data
who can see what i type
what happens to my data
what happens with my text
what about privacy
what about my privacy
what do you do with my data
tell me about privacy
how private is gptoss
how private is this
how safe is my data
privacy
""",
    "python_needed": """
do i need a graphics card
do i need a fast computer
do i need a big computer
do i need to install python
do i need to install anything
do i have to install python
do i need docker
do i need cuda
do i need a mac
do i need linux
do i have enough memory
do you need python
do you need a gpu
must i have python
must i have a gpu
must i install something
must i install anything first
must i use a gpu
should i install python
should i have a gpu
is python needed
is python necessary
is python a requirement
is python used
is a gpu needed
is a gpu necessary
is a graphics card required
is a graphics card needed
is cuda required
is windows supported
is macos supported
is linux supported
is 16 gb enough
is 8 gb of memory enough
is my computer fast enough
is my laptop good enough
does gptoss need a gpu
does gptoss use python
does gptoss run on a mac
does gptoss run on linux
does gptoss run on windows
does it need python
does it work on macos
does it run on my computer
does the 20b model need a gpu
how much ram do i need
how much ram does gptoss need
how much ram does the 20b model need
how much ram is needed
how much ram for gpt-oss 20b
how much memory does it need
how much memory does gpt-oss 20b need
how much memory does the 20b model need
how much memory is required
how much memory is needed for the 20b model
how much disk do i need
how much disk space does the model need
how much space does it need
how many gb do i need
how big must my memory be
how big a machine do i need
what memory do i need
what machine do i need
what computer do i need
what hardware is needed
what hardware does it need
what hardware is required
what are the system requirements
what are the hardware requirements
what is required
what is needed to run it
what do i need
what do i need for the 20b model
what do i have to install
what must i install
which hardware do i need
which computers does it run on
which operating systems are supported
which platforms are supported
what platforms does it run on
can i run it on my laptop
can i run it on a mac
can i run it without a gpu
can i use it without python
can it run without a gpu
will it run on my machine
will gptoss run on my laptop
requirements
system requirements
""",
    "harmony": """
harmony
harmony format
what's harmony
what is the harmony format used for
what is the harmony format for
what is the point of harmony
what is the purpose of harmony
what is harmony for
what is harmony good for
what is harmony about
what is harmony exactly
what exactly is harmony
what is a channel
what is a channel in harmony
what is the analysis
what is the commentary channel
what is the commentary channel for
what is the analysis channel for
what is the final channel for
what is in the analysis channel
what goes into the final channel
what does harmony do
what does the harmony format do
what does the harmony format look like
what does the final channel do
what does the commentary channel do
what does the analysis channel mean
what does the analysis channel contain
what does analysis mean
what does commentary mean
what do the channels do
what do the channels mean
what do channels do in harmony
what are channels for
what are the channels
what are the channels for
what are analysis, commentary and final
which channels are there
which channels does harmony have
which format does gpt-oss use
which prompt format does gpt-oss use
how is harmony used
how does the harmony format work
how do the channels work
how do channels work
how does gpt-oss format messages
how are messages formatted
why is harmony needed
why does gpt-oss use harmony
why do you use harmony
who uses harmony
explain the channels
explain the analysis channel
explain the final channel
explain what harmony is
explain how harmony works
please explain harmony
please explain the harmony format
please describe harmony
can you explain harmony
can you explain the channels
can you explain what harmony is
can you describe the harmony format
could you explain harmony
could you explain the harmony format
could you describe the channels
describe harmony
describe the harmony format
describe the channels of harmony
define harmony
tell me what harmony is
tell me what harmony is used for
tell me about the harmony format
tell me about the channels
tell me about the analysis channel
i don't understand harmony
help me understand harmony
give me a short explanation of harmony
""",
    "chat": """
chat
chat mode
chat commands
let's chat
can i chat
can i chat with you
can we chat
can we talk
can i talk to you
can i have a conversation with you
can i stop an answer
can i clear the chat
can i reset the conversation
how can i chat
how can i talk to you
how can i start a chat
how can i start the chat
how can i have a chat
how can i open the chat
how can i leave the chat
how can i quit the chat
how can i stop an answer
how can i stop you
how can i interrupt you
how can i clear the chat
how can i reset the conversation
how do i chat with gptoss
how do i chat with the model
how do i talk to gptoss
how do i talk to you
how do i talk with you
how do i start the chat
how do i start chatting
how do i start a conversation
how do i start a new conversation
how do i start a new chat
how do i begin a new chat
how do i begin anew
how do i begin a conversation
how do i open a chat
how do i open the chat
how do i enter chat mode
how do i use chat mode
how do i use the chat
how do i end the chat
how do i end a conversation
how do i end the conversation
how do i close the chat
how do i get out of the chat
how do i get out of here
how do i exit
how do i leave
how do i quit the chat
how do i stop
how do i stop it
how do i stop you
how do i stop the model
how do i stop the output
how do i stop the generation
how do i stop a long answer
how do i interrupt an answer
how do i interrupt the answer
how do i interrupt the model
how do i cancel an answer
how do i cancel the answer
how do i abort an answer
how do i reset
how do i reset the conversation
how do i clear the chat
how do i clear the history
how do i clear everything
how do i forget the conversation
how do i erase the conversation
how do i delete the conversation
how do i set the effort
how do i change the reasoning effort
how do i see the chat commands
what does /reset do
what does /quit do
what does /effort do
what commands does the chat have
what can i type in the chat
what is chat mode
what is gptoss chat
what are the chat commands
which commands can i use in the chat
is there a chat
is there a way to chat
start a chat
i want to chat
i want to talk
i want to leave the chat
i want to stop the answer
i want to start a new conversation
stop the answer
clear the chat
quit
exit
""",
    "commands": """
commands
list commands
list all commands
list of commands
command list
show commands
show me the commands
show me all commands
show the commands of gptoss
show the options
show usage
what commands are there
what commands are available
what commands exist
what commands do you have
what commands does it have
what commands does this program have
what commands does gptoss support
what commands does gptoss offer
what commands can gptoss run
what are the commands
what are the commands of gptoss
what are the main commands
what are the subcommands
what are the options
what is the usage
what is the usage of gptoss
what is gptoss run
what is gptoss inspect
what is gptoss tokenize
what does gptoss run do
what does gptoss inspect do
what does gptoss tokenize do
which commands are available
which commands exist
which commands does gptoss have
which commands does gptoss know
which commands can i use
which command answers a prompt
which subcommands are there
which subcommands does gptoss have
which options are there
how do i use it
how do i use this
how do i use this program
how do i use gptoss run
how do i use the program
how do i use the command line
how do i call gptoss
how do i start gptoss
how do i run gptoss
how do i run a question
how do i ask gptoss something
how do i ask something
how do i ask one question
how do i send a question
how do i send a question to gptoss
how do i send a prompt
how do i send text to gptoss
how do i give gptoss a prompt
how do i give a prompt to gptoss
how do i pass a prompt
how do i pass a prompt to gptoss
how do i pipe a file
how do i pipe a file into gptoss
how do i pipe a prompt to gptoss
how do i use a pipe
how do i see the help
how do i get the help
how do i get token ids
how do i get the tokens of a text
how do i tokenize
how do i tokenize a text
how do i tokenize a prompt
how do i count the tokens of a file
how do i count the tokens of a text
how do i inspect a checkpoint
how do i inspect a file
how do i look into a checkpoint
how do i look at a model
how can i use gptoss
how can i ask a question
how can i send a prompt
how can i count tokens
how can i tokenize a text
how can i inspect a checkpoint
how to use gptoss
how to use gptoss run
how to ask a question
how to send a prompt
how to run a prompt
how to count tokens
how to count the tokens in a file
how to tokenize text
how to tokenize a text
how to inspect a model
how to pipe text into gptoss
can i pipe text into gptoss
can i count tokens
can gptoss count tokens
can gptoss tokenize text
tokenize a text
tokenize my file
inspect a model
give me the commands
give me a list of the commands
tell me the commands
tell me which commands there are
explain the commands
""",
    "license": """
license
licence
what license is it
what license does gptoss have
what license does it use
what licence does gptoss use
what is the license of gptoss
what is the licence of gptoss
what is the price of gptoss
what does gptoss cost
what does it cost
which license is it
which license is used
which license does it have
which licence is gptoss under
under which licence is it
under which license is it released
under what license is it
under what license is this released
is gptoss free software
is gptoss really free
is gptoss free to use
is gptoss apache licensed
is gptoss open
is it open
is it really open source
is it open source software
is it free to use
is it free for commercial use
is the code open
is the code open source
is the source open
is this open source
is this software open source
is this free
is this program free
is the source code available
is there a license
is gpt-oss open source
is gpt-oss free
are you open source
are you free
are there any costs
do i have to pay
do i need a license
do i need to pay for gptoss
does gptoss cost anything
does it cost anything
does it cost money
how is gptoss licensed
how much does gptoss cost
how much is gptoss
how is it licensed
may i use gptoss at work
may i use it commercially
may i use gptoss for my company
may i sell it
may i change the code
can i use gptoss commercially
can i use gptoss for free
can i use it at work
can i use it for free
can i use this in my company
can i see the source code
can i modify gptoss
tell me the license
tell me about the license
""",
    "greeting": """
hello!
hello hello
hello you
hello model
hello demo
hello everyone
hello everybody
hello, good morning
hello, good evening
hello, hi
hello, hey
hello, i am back
hello, it's me
hello, it's me again
hi again
hi, hello
hi, hey
hi, good evening
hi, good afternoon
hi everyone
hi you
hi model
hi demo
hi friend
hi, i am new here
hi, it's me
hi, nice to meet you
hey, hi
hey hey
hey, good morning
hey, good evening
hey, it's me
hey model
hey buddy
hey friend
hey again
hey everyone
good morning!
good morning gptoss
good morning to you
good morning, hello
good morning, hi
good evening gptoss
good evening to you
good day to you
good to see you
nice to meet you
nice to see you
pleased to meet you
greetings, model
greetings to you
greetings from me
morning
evening
a good morning to you
welcome back
i am back
i'm back
i say hello
i wanted to say hello
just saying hi
just wanted to say hi
say hello
say hi
hiya
heya
hallo
ahoy
salutations
oh hello
oh hi
well hello
well, hi
ok hello
yes hello
hello? anyone there
anyone there
anybody home
are you there
you there
wake up
""",
    "how_are_you": """
how are you feeling
how are you feeling today
how are you doing today
how are you this morning
how are you my friend
how are you, model
how are you all
how are you getting on
how are you right now
how have you been
how have you been today
how have things been
how do you do today
how do you feel today
how do you feel right now
how is everything
how is everything going
how is everything today
how is it going today
how is life
how is your day going
how is your morning
how's life
how's everything
how's it going
how's your day
how're you
how are your things
how do things go
how are things
how are things today
how are things with you
how does it go
how goes it
how it's going
are you well
are you fine
are you alright
are you okay
are you doing well
are you doing ok
are you good
are you happy
do you feel good
do you feel well
is everything ok
is everything alright
everything ok
everything all right
all good
you ok
you good
what is up
what's up today
what's new
sup
hello how are you
hello, how are you
hello, how are you today
hello, how is it going
hello, how do you do
hello, are you ok
hi how are you
hi how are you doing
hi, how is it going
hi, how is your day
hi, how do you feel
hey, how is it going
hey, how are you doing
hey, how are things
hey, what's up
good morning, how are you
good morning, how are you today
good evening, how are you
and how are you
so how are you
tell me how you are
tell me how you feel
did you sleep well
had a good day
having a good day
""",
    "thanks": """
thank you!
thanks!
thank you so very much
thank you a lot
thank you kindly
thank you for your help
thank you for the answer
thank you for that
thank you for everything
thank you, that helps
thank you, great
thank you, bye for now, that was good
thank you again
thank you, friend
thank you, model
thanks so much
thanks very much
thanks for that
thanks for everything
thanks for your help
thanks for the answer
thanks for the code
thanks for telling me
thanks again
thanks, great
thanks, cool
thanks, perfect
thanks, that helps
thanks, that was helpful
thanks, got it
thanks, i understand
thanks, model
thanks, friend
ok, thank you
ok, thanks a lot
ok thank you very much
ok great
ok, got it
ok, understood
okay thanks
okay, thank you
alright, thanks
alright, thank you
great thanks
great, thanks a lot
great, thank you very much
great, thank you for the help
great, that helps
great, that works
great
great job
great work
great stuff
good answer
good work
good
very good
very nice
very helpful
very useful
very cool
nice one
nice, thanks
nice, thank you
nice answer
nice work
cool
cool, thanks
wonderful
wonderful, thank you
excellent
excellent, thank you
excellent work
fantastic
amazing
brilliant
perfect, thanks
perfect, thank you
perfect, that is it
that works
that was helpful
that was useful
that is helpful
that is great
that is good
that is nice of you
you are great
you are helpful
you are the best
you helped me
you are good
i thank you
i am grateful
i appreciate it
much appreciated
many thanks to you
a thousand thanks
ty
tysm
cheers
""",
    "bye": """
bye!
bye now
bye for now
bye then
bye, see you
bye, see you later
bye, thanks
bye, have a nice day
bye, take care
bye, good night
bye gptoss
bye model
bye friend
bye, i have to go
ok goodbye
ok, bye now
ok, bye bye
ok, see you
ok, see you later
ok, i am done
ok, good night
okay bye
okay, bye now
alright, bye
alright, goodbye
so long
goodbye!
goodbye now
goodbye then
goodbye gptoss
goodbye model
goodbye friend
goodbye, see you
goodbye and good night
goodbye and thanks
goodbye, take care
goodbye, have a nice day
goodbye, until tomorrow
good night, see you
good night gptoss
see you soon
see you tomorrow
see you around
see you again
see you then
see you next time
see ya
cu
cya
later
catch you later
talk to you later
talk to you soon
talk to you tomorrow
until later
until tomorrow
until then
i must go
i must leave
i must go now
i have to leave
i need to go
i need to leave now
i am leaving
i am leaving now
i am going
i am done
i am done for today
i am finished
i'm off
i'm leaving
that is all for today
that is all for now
that was all
that is it for today
time to go
time to sleep
have a nice day
have a good day
have a good night
have a nice evening
farewell, friend
adieu
ciao
adios
nice talking to you, bye
""",
    "joke": """
a joke
a joke, please
a joke about programmers
a joke about programming
a joke about computers
a programming joke
a programming joke please
a programmer joke
a computer joke
a funny joke
a good joke please
one joke
one more joke
jokes
more jokes
got a joke
got a joke for me
any jokes
any good jokes
joke please
joke about programming
programming joke
programmer humor
tell a joke
tell me one joke
tell me a good joke
tell me a funny joke
tell me a short joke
tell me a nerdy joke
tell me a computer joke
tell me a joke about programmers
tell me a joke about programming
tell me a joke about computers
tell me a joke about code
tell me another joke
tell me some joke
tell me jokes
tell me something to laugh about
tell us a joke
please tell a joke
please tell me something funny
please make me laugh
please say something funny
please, a joke
i want a joke
i need a joke
i need a laugh
i would like a joke
i would like to hear a joke
i want to laugh
i am bored, tell me a joke
give me a joke
give me a programming joke
give me a good joke
give me one joke
know any jokes
know a joke
do you know any jokes
do you know a good joke
do you know a programming joke
do you have a joke
do you have a joke for me
do you tell jokes
can you tell me a joke
can you tell a programming joke
can you make me laugh
can you be funny
can you say something funny
could you tell a joke
could you tell me a joke
could you make me laugh
would you tell me a joke
let me hear a joke
let's hear a joke
make a joke
make me smile
make a programming joke
say a joke
say something to make me laugh
be funny
something funny please
cheer me up
entertain me
""",
}

PROGRAMMING_WRAPPERS = """
what's the best way to {}
what's a good way to {}
what's the simplest way to {}
what's the quickest way to {}
what is the easiest way to {}
what is the right way to {}
what is the usual way to {}
what would be the way to {}
can you show how to {}
can you explain how to {}
can you tell me how to {}
can you help me {}
can you give me code to {}
can you write code to {}
could you show me how to {}
could you explain how to {}
could you tell me how i {}
could you help me to {}
could you write code to {}
please show me how to {}
please show how to {}
please help me {}
please write code to {}
please tell me how to {}
please explain how i {}
show me how i can {}
show me code to {}
show me a way to {}
show how to {}
tell me how i can {}
tell me the way to {}
tell me a way to {}
i have to {}
i must {}
i'm trying to {}
i am trying to {}
i do not know how to {}
i don't know how to {}
i would love to {}
i wonder how to {}
i forgot how to {}
how do you {}
how do we {}
how can one {}
how can we {}
how could i {}
how would i {}
how might i {}
how is it possible to {}
how about code to {}
hello, how can i {}
hi, how can i {}
hey, how to {}
hey, can you {}
hello, please {}
ok, now {}
now {}
and how do i {}
so how do i {}
give me a snippet to {}
give me a short example to {}
give an example of how to {}
an example of how to {}
an easy way to {}
a short program to {}
a way to {}
a function to {}
any idea how to {}
the best way to {}
the code to {}
write a program to {}
write a script to {}
write a snippet to {}
write some code to {}
write me code to {}
write me a function to {}
my task is to {}
my homework is to {}
my program has to {}
help, how do i {}
which code do i need to {}
which function can {}
where do i learn to {}
""".strip().split("\n")

EXPLAIN_WRAPPERS = """
what's {}
whats {}
what is meant by {}
what do you mean by {}
what do people mean by {}
what is {} in simple words
what is {} exactly
what is {} about
what is the meaning of {}
what is the idea of {}
what is the idea behind {}
what is the definition of {}
what would you say is {}
what does the term {} mean
what can you tell me about {}
and what is {}
ok, what is {}
now what is {}
hello, what is {}
hey, what is {}
hi, can you explain {}
can you describe {}
can you define {}
can you tell me what {} is
can you tell me about {}
can you help me understand {}
can you explain what {} is
could you describe {}
could you define {}
could you tell me what {} is
could you explain what {} means
could you please tell me about {}
would you explain {}
will you explain {}
please describe {}
please define {}
please tell me what {} is
please tell me about {}
please explain what {} means
explain {} to me
explain {} please
explain {} briefly
explain {} in simple words
explain {} in one sentence
explain to me {}
explain to me what {} is
explain the term {}
explain the concept of {}
explain how {} works
tell me what {} is
tell me what {} means
tell me something about {}
tell me more about {}
tell me in short what {} is
give me a definition of {}
give me an explanation of {}
give a short explanation of {}
i want to understand {}
i want to know what {} is
i would like to understand {}
i do not understand {}
i do not know what {} is
i don't know what {} is
i need to understand {}
i have heard of {}, what is it
i keep hearing about {}
teach me about {}
teach me {}
how does {} work
how would you explain {}
how would you define {}
how would you describe {}
how do you explain {}
why do we need {}
why is there {}
what is the use of {}
{}
{} explained
{}, what is that
{} in simple words
describe to me {}
describe {} in simple words
in simple words, what is {}
in simple words, explain {}
in programming, what is {}
do you know what {} is
do you know {}
do you understand {}
define the term {}
""".strip().split("\n")

# Further phrases of the programming topics.
PROGRAMMING = {
    "reverse_string": ["reverse the letters of a word", "reverse the letters of a string", "reverse the order of characters",
                       "invert a string", "write a string backwards", "print a string backwards", "reverse a str",
                       "write a python function that reverses a string", "write a function that reverses a string"],
    "read_file": ["read the contents of a text file", "read the content of a file", "read a python text file", "get the text of a file",
                  "get the contents of a file in python", "read data from a file", "load text from a file", "read some text from disk",
                  "read in a file", "open a text file for reading"],
    "write_file": ["write a string into a file", "write a text file", "write data to a file", "write something to a file in python",
                   "save data to a file", "save data in a file with python", "save a file in python", "put text in a file",
                   "store data in a file", "output text to a file", "save my data to disk"],
    "sort_list": ["sort a python list of numbers", "sort lists in python", "sort my list", "sort a list in descending order",
                  "get a list in sorted order", "get a list sorted", "sort the elements of a list", "sort items", "have a sorted list",
                  "make a sorted list", "order the items of a list"],
    "list_comprehension": ["use a list comprehension in python", "use comprehensions", "use comprehensions in python",
                           "write list comprehensions in python", "square all elements of a list", "square the numbers in a list",
                           "square each number in a list", "create a list with one line", "do a list comprehension"],
    "dict_loop": ["iterate over a dictionary in python", "iterate through a python dict", "iterate over keys and values",
                  "loop over the keys and values of a dict", "loop over a python dict", "loop through all keys and values",
                  "loop over dict items", "go over a dictionary", "visit all keys of a dictionary"],
    "fizzbuzz": ["write a fizzbuzz program", "write fizzbuzz in python", "implement a fizzbuzz program", "make fizzbuzz", "fizzbuzz",
                 "build a fizzbuzz function", "do the fizzbuzz exercise", "implement the fizzbuzz game", "print fizzbuzz"],
    "fibonacci": ["implement a fibonacci function", "implement the fibonacci sequence", "generate fibonacci numbers",
                  "generate the fibonacci sequence", "compute the nth fibonacci number", "do fibonacci", "fibonacci",
                  "make the fibonacci series", "list the fibonacci numbers"],
    "factorial": ["implement a factorial", "implement a factorial function", "implement the factorial", "calculate factorials",
                  "calculate the factorial of n", "compute n!", "find the factorial of a number", "do a factorial in python",
                  "write factorial in python"],
    "prime": ["check whether n is prime", "check if a number is a prime", "check primes", "determine whether a number is prime",
              "write a prime check", "write an is prime check", "write a function is_prime", "implement is_prime", "test for primality",
              "see whether a number is prime", "find prime numbers"],
    "palindrome": ["check whether a string is a palindrome", "check if a word is a palindrome", "check whether text is a palindrome",
                   "write a palindrome function", "write a function is_palindrome", "implement is_palindrome", "recognize a palindrome",
                   "find out if a word is a palindrome", "test for palindromes"],
    "max_list": ["find the maximum of a list", "find the maximum in a python list", "find the maximum value of a list",
                 "find the biggest number in a list", "get the biggest element of a list", "get the largest number of a list",
                 "get the biggest value in a list", "get the smallest number in a list", "compute the max of a list",
                 "determine the largest value"],
    "remove_duplicates": ["drop duplicates from a list", "drop duplicates in python", "drop duplicate items",
                          "remove duplicate items from a list", "remove duplicate elements", "remove repeated entries from a list",
                          "remove repeated items", "get rid of duplicates in a list", "delete duplicates from a python list",
                          "filter out duplicates", "keep only unique entries of a list"],
    "count_words": ["count the words in a text", "count the words of a file", "count words in a text file", "count all words",
                    "count the occurrences of words", "count the occurrences of each word", "count word frequency in python",
                    "count how many times a word occurs", "find the number of words"],
    "parse_json": ["parse a json file", "parse json data", "parse json text in python", "load json in python", "load json from a file",
                   "load a json string", "load data from json", "read json data", "get data out of json", "decode a json file"],
    "http_get": ["fetch a web page", "fetch a web page in python", "fetch a website with python", "fetch a page from the internet",
                 "make a get request", "make a http get request", "make a web request in python", "make an http call",
                 "get the content of a url", "open a url in python", "load a web page", "request a url"],
    "exception": ["handle exceptions", "handle python exceptions", "handle an error in python", "catch exceptions in python",
                  "catch an error", "catch a python error", "catch a ValueError", "use try except in python", "do error handling",
                  "do exception handling in python"],
    "class": ["define a class in python", "define a simple python class", "define my own class", "create a class in python",
              "create a python class", "create a small class", "write a simple class", "write a python class", "build a class",
              "make a simple class with a constructor"],
    "swap": ["swap two variables in a line", "swap the values of two variables", "swap two values in python", "swap two numbers",
             "swap variables", "swap x and y in python", "interchange two values", "switch two variables"],
    "hello_cpp": ["write hello world with c++", "print hello world in c++", "print hello world using c++", "program hello world in c++",
                  "do hello world in c++", "output hello world in c++", "create a hello world in c++", "a hello world in c++",
                  "make a c++ program that says hello"],
    "hello_python": ["write a hello world in python", "write a python hello world program", "write a hello world python script",
                     "print hello world in python", "print hello world using python", "print hello with python",
                     "output hello world in python", "do hello world in python", "make a hello world program with python"],
    "vector_loop": ["iterate over a vector in c++", "iterate through a c++ vector", "iterate over std::vector", "loop over a c++ vector",
                    "loop over std::vector", "loop over the elements of a vector", "loop through a std::vector in c++",
                    "go over all elements of a vector", "visit the items of a c++ vector"],
    "smart_pointer": ["use a smart pointer in c++", "use smart pointers", "use unique_ptr in c++", "use std::unique_ptr",
                      "make a unique_ptr", "make a smart pointer in c++", "create a smart pointer", "create a unique_ptr in c++",
                      "own memory safely in c++", "avoid new and delete"],
    "git_undo": ["undo my last commit", "undo my commit", "undo a git commit", "undo the most recent commit", "revert my last commit",
                 "revert the last git commit", "take back a commit", "take back my last commit in git", "cancel the last commit",
                 "uncommit", "go back one commit in git"],
    "git_branch": ["create a branch in git", "create a new branch", "create a new branch in git", "make a git branch",
                   "make a new git branch", "make a branch", "open a new branch in git", "add a branch in git", "start a new git branch"],
    "git_stash": ["stash my changes", "stash my work", "stash changes in git", "put my changes aside", "put my work aside",
                  "put work aside in git", "set my changes aside with git", "save unfinished work in git", "hide my changes in git"],
    "git_merge_conflict": ["resolve merge conflicts", "resolve conflicts in git", "resolve a conflict in git", "fix merge conflicts",
                           "fix a git conflict", "fix a conflict in git", "handle a merge conflict", "solve merge conflicts in git",
                           "get rid of a git merge conflict"],
    "find_files": ["find a file by name", "find a file in the terminal", "find files by name in linux", "find a file by its name",
                   "search for a file by name", "search files by name", "search a file in linux", "locate a file", "look for files by name"],
    "grep": ["search for a word in all files", "search for text in files", "search a word in my files", "search text in a folder",
             "find text in files", "find a text in all files", "find a string in files", "find where a word is used", "use grep"],
    "disk_space": ["check free disk space", "check the disk space", "check how much disk is free", "show the disk usage",
                   "show disk usage in linux", "show free space", "show the free disk space", "see the disk usage", "find large folders"],
    "kill_process": ["kill a running program", "kill a hanging process", "kill a process in linux", "stop a running process",
                     "stop a process", "stop a hanging program", "end a hanging process", "terminate a process", "terminate a program"],
    "venv": ["create a python venv", "create a venv", "create a virtual environment for python", "create a python environment",
             "set up a python venv", "set up a virtual environment", "make a virtual environment", "start a venv", "activate a venv"],
    "sql_select": ["write a select query", "write a select in sql", "write an sql query", "write a query in sql", "select data in sql",
                   "get rows from a table", "get data from an sql table", "get rows in sql", "read rows from a sql table", "query sql",
                   "fetch rows from a table in sql"],
    "regex_email": ["write a regex for an email", "write an email pattern", "write a regular expression for emails",
                    "validate an email with a regex", "validate an email in python", "validate email addresses", "match emails",
                    "check emails with a regex", "check whether an email is valid", "find an email regex"],
    "js_array_map": ["map an array", "map a javascript array", "map over a list in javascript", "use map on an array",
                     "use the map function in javascript", "use array.map", "use map on arrays in javascript", "apply a function to an array",
                     "change every element of an array in javascript"],
    "bash_loop": ["write a bash loop", "write a for loop in bash", "write a shell loop", "write a bash script with a for loop",
                  "loop through files", "loop through all files in bash", "loop through files in the shell", "do a for loop in bash",
                  "iterate over files in bash", "go over all files in a shell script"],
}
EXPLAIN = {
    "mutex": ["mutex", "mutexes", "a mutex in c", "a mutex in threads", "mutual exclusion", "a mutex in a c++ program"],
    "deadlock": ["deadlocks", "deadlock", "a deadlock between threads", "a deadlock of threads", "a dead lock"],
    "recursion": ["recursive functions", "a recursion", "recursion in python", "recursion in simple terms", "recursive calls"],
    "hash_table": ["hash tables", "a hash table in computer science", "hash maps", "a hashmap", "hashing"],
    "big_o": ["the big o notation", "big o in programming", "big o complexity", "o(n)", "the complexity of an algorithm"],
    "binary_search": ["a binary search", "binary search in a list", "how a binary search works", "bisection", "binary searching"],
    "stack_queue": ["stacks", "queues", "queues and stacks", "stack and queue", "a stack in programming", "a queue in programming"],
    "api": ["apis", "an api in programming", "rest", "a web api", "an application programming interface", "an api in simple terms"],
    "token": ["tokens", "tokens in language models", "a token in gpt", "tokens of a language model", "tokenizing", "a tokenizer"],
    "moe": ["mixture of experts", "a moe model", "the mixture of experts", "experts in gpt-oss", "a mixture-of-experts model"],
    "kv_cache": ["kv cache", "kv caches", "the key value cache", "a key-value cache", "caching keys and values"],
    "quantization": ["quantized weights", "quantizing a model", "quantization of weights", "the mxfp4 format", "quantized models"],
    "compiler": ["compilers", "compiling", "a compiler in programming", "a compiler in simple terms", "compilation", "a compiler in short"],
    "unit_test": ["unit tests", "a unit test in programming", "a unit test in python", "tests of units", "unit tests in python"],
}
