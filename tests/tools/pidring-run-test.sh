#!/bin/sh
# SPDX-License-Identifier: MIT
# Tests of pidring-run, from outside: what it prints, how it ends, what it leaves behind.
#
#     pidring-run-test.sh PATH-OF-PIDRING-RUN
#
# One line for each check that failed, a count at the end, exit status 1 if any failed.

. "$(dirname "$0")/helpers.sh"

# --- items ---

printf 'a\nb\nc\n' >items
go -j1 echo <items
same 'a line is an item, appended' "a${nl}b${nl}c" "$out"
same 'all well: exit status' 0 $status
same 'all well: nothing on standard error' '' "$err"

printf 'a\nb' >items
go -j1 echo <items
same 'a last line without its end counts' "a${nl}b" "$out"

printf '\n\na\n\nb\n\n' >items
go -j1 echo item <items
same 'empty lines are skipped' "item a${nl}item b" "$out"

printf '  two  words \t"quoted" \\back \n' >items
go -j1 printf '[%s]' <items
same 'a line is taken as it is: blanks, quotes, backslashes' '[  two  words 	"quoted" \back ]' "$out"

printf -- '-n\n' >items
go -j1 printf '%s ' x <items
same 'an item may look like an option' 'x -n ' "$out"

: >items
go -j1 sh -c 'echo ran' <items
same 'no items: no job' '' "$out"
same 'no items: exit status' 0 $status
for option in -r --no-run-if-empty; do
	go $option sh -c 'echo ran' <items
	same "no items, $option: no job" '0 ' "$status $out"
done

printf 'a b\0c\nd\0' >items
go -0 -u -j1 printf '[%s]' <items
same '-0: items end at NUL bytes' "[a b][c${nl}d]" "$out"
go --null -u -j1 printf '[%s]' <items
same '--null is the same' "[a b][c${nl}d]" "$out"

printf 'a\0\0b' >items
go -0 -u -j1 printf '[%s]' <items
same '-0: an empty item is one; the last needs no NUL' '[a][][b]' "$out"

printf 'a\nb\0c\nd\n' >items
go -j1 echo <items
same 'a NUL byte in a line: exit status' 1 $status
holds 'a NUL byte in a line: says which line, and what to do' '*line 2*NUL*-0*' "$err"
same 'a NUL byte in a line: those before it ran' 'a' "$out"

go -j1 echo <"$directory"
same 'unreadable items: exit status' 1 $status
holds 'unreadable items: says so' '*cannot read the items: *' "$err"

go -j1 echo <&-
same 'standard input is closed: exit status' 1 $status

{ echo first; head -c 5000000 /dev/zero | tr '\0' x; echo; echo last; } >items
go -j1 echo <items
same 'an item that is too long: exit status' 1 $status
holds 'an item that is too long: says which' '*line 2*longer*' "$err"

head -c 100000 /dev/zero | tr '\0' x >items
go -j1 sh -c 'echo ${#1}' sh <items
same 'an item of 100,000 bytes' 100000 "$out"

seq 5000 >items
go -j8 echo <items
same '5,000 items, 8 at a time: none is lost or doubled' "$(cat items)" "$(sort -n out)"

{ echo a; sleep 0.5; printf 'b'; sleep 0.5; echo c; } | timeout 60 "$run" -j4 echo >out 2>err
same 'items that come slowly and in pieces' "a${nl}bc" "$(cat out)"

{ echo 3; sleep 2; } | timeout 60 "$run" -j4 sh -c 'exit $1' sh 2>err &
until_true [ -s err ]
same 'a failure is told while further items are waited for' 'pidring-run: 3: exit code 3' "$(cat err)"
wait $!

rm -f err
{ echo 3; yes '' 2>/dev/null; } | env --default-signal=TERM "$run" -j4 sh -c 'exit $1' sh 2>err &
pid=$!
until_true [ -s err ]
same 'a failure is told while empty lines come without end' 'pidring-run: 3: exit code 3' "$(cat err)"
kill -s TERM $pid
ended $pid
same 'SIGTERM while empty lines come without end' 143 $status

{ echo a; yes '' | head -n 500000; echo b; } >items
go -j1 echo <items
same 'many empty lines between two items' "a${nl}b" "$out"

# --- the command ---

printf 'x\ny\n' >items
go -j1 echo 'a{}b{}c' '{}' {} end <items
same '{} is replaced everywhere' "axbxc x x end${nl}aybyc y y end" "$out"

echo 'echo' >items
go -j1 '{}' hello <items
same '{} may be the command' 'hello' "$out"

printf '{}\n' >items
go -j1 echo '<{}>' <items
same 'an item may be {}' '<{}>' "$out"

echo x >items
go -j1 -- echo -j 7 <items
same 'options end at --' '-j 7 x' "$out"
go -j1 echo --costs --help <items
same 'options end at the command' '--costs --help x' "$out"

go -j1 sh -c 'cat; echo read' <items
same "a job's standard input is empty" read "$out"
go -j1 sh -c 'readlink /proc/self/fd/0' sh <items
same "a job's standard input is /dev/null" /dev/null "$out"
go -j1 sh -c 'ls /proc/self/fd | wc -l' <items
same 'a job has no further descriptors (0, 1, 2 and that of ls)' 4 "$out"

mkdir -p one two
printf '#!/bin/sh\necho one "$@"\n' >one/tool
printf '#!/bin/sh\necho two "$@"\n' >two/tool
chmod 644 one/tool
chmod 755 two/tool
PATH="$directory/none:$directory/one:$directory/two:$PATH"
go -j1 tool <items
same 'the command is looked for in PATH, as what can be run' 'two x' "$out"
(cd two && echo x | timeout 60 env PATH= "$run" -j1 tool >../out 2>../err)
same 'an empty PATH is the current directory' 'two x' "$(cat out)"
go -j1 ./two/tool <items
same 'a path is taken as it is' 'two x' "$out"

# --- how jobs end ---

printf '0\n3\n0\n125\n126\n127\n200\n' >items
go -j1 sh -c 'exit {}' <items
same 'jobs fail: exit status' 123 $status
same 'jobs fail: all are run, the failed ones named' "pidring-run: 3: exit code 3
pidring-run: 125: exit code 125
pidring-run: 126: exit code 126
pidring-run: 127: exit code 127
pidring-run: 200: exit code 200" "$err"

printf '1\n255\n0\n' >items
go -j1 sh -c 'echo {}; exit {}' <items
same 'a job exits with 255: exit status' 124 $status
same 'a job exits with 255: the next is not started' "1${nl}255" "$out"
holds 'a job exits with 255: named' '*255: exit code 255; no more jobs are started' "$err"

printf 'KILL\nTERM\n' >items
go -j1 sh -c 'echo {}; kill -{} $$' <items
same 'a job is killed: exit status' 125 $status
same 'a job is killed: the next is not started' KILL "$out"
holds 'a job is killed: named' 'pidring-run: KILL: ended by SIGKILL*' "$err"

printf 'a\nb\n' >items
go -j1 no-such-command-anywhere <items
same 'no such command: exit status' 127 $status
same 'no such command: says which, once, of no item, and not the whole of PATH' \
	"pidring-run: cannot run 'no-such-command-anywhere': there is no such program in PATH" "$err"
go -j64 ./none/such <items
same 'no such file: exit status' 127 $status
holds 'no such file: of no item' "pidring-run: cannot run './none/such': *" "$err"
go -j1 'no-such-{}' <items
same 'no such command, which the item names' \
	"pidring-run: a: cannot run 'no-such-a': there is no such program in PATH" "$err"
go -j1 'echo hi' <items
same 'a shell command: what to do instead' \
	"pidring-run: cannot run 'echo hi': there is no such program in PATH (for a shell command: sh -c '...')" "$err"
same 'a shell command: exit status' 127 $status
go -j1 'cat {} | /bin/cat' <items
holds 'a shell command with a slash and an item' \
	"pidring-run: a: cannot run 'cat a | /bin/cat': *(for a shell command: sh -c '...')" "$err"
go -j1 'no such' word <items
same 'a command with arguments is no shell command' \
	"pidring-run: cannot run 'no such': there is no such program in PATH" "$err"
go -j1 ./one/tool <items
same 'not executable: exit status' 126 $status
go -j1 "$directory" <items
same 'a directory: exit status' 126 $status
printf '#!/none/such\n' >bad
chmod 755 bad
go -j1 ./bad <items
same 'the interpreter is missing: exit status' 127 $status

printf 'sleep 0.3; echo slow\nexit 255\necho never\n' >items
go -j2 sh -c '{}' <items
same 'running jobs are waited for before it stops' slow "$out"

printf 'a\nb\n' >items
go -j1 sh -c 'exit 1' <items
holds 'exit code 1 of every job' '*a: exit code 1*b: exit code 1' "$err"

printf 'bell\a tab\t back\\ \351 caf\303\251 \342\200\256\n' >items
go -j1 sh -c 'exit 1' <items
same 'names are shown so that they do no harm' \
	'pidring-run: bell\x07 tab\t back\\ \xe9 café \xe2\x80\xae: exit code 1' "$err"

# --- how many at a time ---

# Each job notes its start and its end: never more than $1 between them.
most_at_a_time() {
	awk '{ n += $1; if (n > most) most = n } END { print most + 0 }' notes
}
for jobs in 1 3; do
	: >notes
	seq 9 >items
	go -j$jobs sh -c 'echo 1 >>notes; sleep 0.1; echo -1 >>notes' <items
	same "-j $jobs: as many at a time" $jobs "$(most_at_a_time)"
done
# Here each job stays until all of them have begun.
together='echo 1 >>notes; until [ "$(wc -l <notes)" -ge $0 ]; do sleep 0.05; done; echo -1 >>notes'
: >notes
go -P 9 sh -c "$together" 9 <items
same '-P is -j' 9 "$(most_at_a_time)"
: >notes
seq 40 >items
go -j 0 sh -c "$together" 40 <items
same '-j 0: all at a time' 40 "$(most_at_a_time)"
(ulimit -n 120 && timeout 60 "$run" -j 0 sh -c 'echo {}' <items >out 2>err)
same '-j 0: with few descriptors' "$(cat items)" "$(sort -n out)"
(ulimit -n 120 && timeout 60 "$run" -u -j 1000 true <items >out 2>err)
same '-j 1000 with a limit of 120 descriptors: exit status' 1 $?
holds '-j 1000 with a limit of 120 descriptors: says what is possible' '*1000 jobs*-j 56 *-j 0 *' "$(cat err)"
(ulimit -n 120 && timeout 60 "$run" -u -j 56 true <items >out 2>err)
same '-j 56 with a limit of 120 descriptors' '0 ' "$? $(cat err)"
(ulimit -n 120 && timeout 60 "$run" -j 12 true <items >out 2>err)
holds 'output that is collected takes descriptors, too' '*12 jobs*-j 11 *-j 0 *' "$(cat err)"
(ulimit -n 120 && timeout 60 "$run" -j 11 true <items >out 2>err)
same '-j 11 with a limit of 120 descriptors' '0 ' "$? $(cat err)"
(ulimit -n 250 && timeout 60 "$run" -j 0 sh -c 'echo {}' <items >out 2>err)
same '-j 0: with 250 descriptors' "0$nl$(cat items)" "$?$nl$(sort -n out)"
: >notes
if [ "$(nproc)" -gt 1 ]; then
	timeout 60 taskset -c "$(taskset -cp $$ | sed 's/.*: *\([0-9]*\).*/\1/')" \
		"$run" sh -c 'echo 1 >>notes; sleep 0.05; echo -1 >>notes' <items
	same 'without -j: one for each processor it may use' 1 "$(most_at_a_time)"
else
	skip 'without -j: there is only one processor'
fi

# --- options ---

go --help </dev/null
same '--help: exit status' 0 $status
holds '--help: says how it is used, and every option' \
	'Usage: pidring-run *-j, -P, --jobs=N*-0, --null*--costs*--version*' "$out"
go -h </dev/null
holds '-h is the same' 'Usage: pidring-run *' "$out"
go --version </dev/null
holds '--version' 'pidring-run [0-9]*.[0-9]*.[0-9]*' "$out"
go </dev/null
same 'no command: exit status' 1 $status
holds 'no command: says so' '*no COMMAND*Usage:*' "$err"
go -j </dev/null
holds '-j without a number' "*'-j' needs an argument*" "$err"
for bad in -1 x 1x '' 99999999999999999999; do
	go "-j$bad" true </dev/null
	[ -n "$bad" ] || go --jobs= true </dev/null
	same "-j '$bad': exit status" 1 $status
done
go --nonsense true </dev/null
holds 'an unknown option is named' "*'--nonsense' is no option*" "$err"
same 'an unknown option: exit status' 1 $status
go --null -n1 true </dev/null
same '-n: what to know instead' "pidring-run: '-n' is no option: each job gets one item" "$(head -n 1 err)"
go -L 1 true </dev/null
same '-L: what to know instead' "pidring-run: '-L' is no option: each job gets one item" "$(head -n 1 err)"
go -I{} true </dev/null
same '-I: what to know instead' "pidring-run: '-I' is no option: {} is always replaced" "$(head -n 1 err)"
go -d, true </dev/null
holds '-d: what to know instead' "pidring-run: '-d' is no option: *-0*" "$err"
go -x true </dev/null
same 'any other option' "pidring-run: '-x' is no option" "$(head -n 1 err)"
go --null=1 true </dev/null
same 'an argument too many' "pidring-run: '--null=1' takes no argument" "$(head -n 1 err)"
if [ -w /dev/full ]; then
	timeout 60 "$run" --help >/dev/full 2>err </dev/null
	same '--help to a full disk: exit status' 1 $?
	echo x | timeout 60 "$run" --costs true >/dev/full 2>err
	same '--costs to a full disk: exit status' 1 $?
	holds '--costs to a full disk: says so' '*cannot write*' "$(cat err)"
fi
timeout 60 "$run" --version >&- 2>err </dev/null
same '--version to a closed standard output: exit status' 1 $?

# --- time limits ---

printf '1000\n2000\n' >items
go -j1 --timeout 0.3 sleep <items
same '--timeout: jobs that take longer are stopped and named, the others are run' \
	"pidring-run: 1000: timed out after 0.3 s${nl}pidring-run: 2000: timed out after 0.3 s" "$err"
same '--timeout: they count as failed' 123 $status
# They do not follow SIGTERM.
echo x >items
env --ignore-signal=TERM timeout -k 1 60 "$run" --timeout 0.1 sh -c 'sleep 1; exit 255' <items 2>err
same '--timeout: however the job ends then' '123 pidring-run: x: timed out after 0.1 s' "$? $(cat err)"
env --ignore-signal=TERM timeout -k 1 60 "$run" --timeout 0.1 sh -c 'echo $$ >stubborn; exec sleep 1000' <items 2>err
same '--timeout: whoever does not follow is killed' '123 pidring-run: x: timed out after 0.1 s' "$? $(cat err)"
same '--timeout: it is gone' 0 "$(all_have_ended $(cat stubborn); echo $?)"
go --timeout 0.5 --drain 0 sh -c 'sleep 100 & echo $! >sleeper; wait' <items
same '--timeout: what it leaves running is not named as well' 'pidring-run: x: timed out after 0.5 s' "$err"
[ ! -s sleeper ] || kill "$(cat sleeper)"
go --timeout 1000 echo <items
same '--timeout: jobs that end in time' '0 x ' "$status $out $err"
echo 0.2 >items
go --timeout 0 sleep <items
same '--timeout 0 is none' '0 ' "$status $err"
rm -f err
{ echo 1000; until_true [ -s err ] || : >late; } | timeout -k 1 60 "$run" -j2 --timeout 0.2 sleep 2>err
same '--timeout: also while items are awaited' '123 pidring-run: 1000: timed out after 0.2 s' "$? $(cat err)"
[ ! -e late ]
same '--timeout: also while items are awaited, at once' 0 $?
go --costs --timeout 0.1 sleep 1000 <items
holds '--timeout: costs name the signal' '* SIGTERM  0.2*' "$out"
for bad in x '' . 1x -1 1.0000000000; do
	go --timeout="$bad" true <items
	same "--timeout='$bad': exit status" 1 $status
	same "--timeout='$bad': says so" "pidring-run: '$bad' is no number of seconds" "$(head -n 1 err)"
done

# --- costs ---

printf '0.2 0\n0 3\n' >items
go --costs -j2 sh -c 'set -- $1; sleep $1; exit $2' sh <items
same '--costs: exit status stays' 123 $status
same '--costs: a heading, a row for each job in their order, a sum' 4 "$(wc -l <out)"
holds '--costs: what it says' "*wall s*item${nl}* 0.2* 0  0.2 0${nl}* 3  0 3${nl}*all 2 jobs, 1 failed*" "$out"
go --costs=table -j2 echo job <items
holds '--costs=FILE: the jobs have standard output to themselves' "job 0*${nl}job 0*" "$out"
same '--costs=FILE: the table' 4 "$(wc -l <table)"
go --costs=none/table -j2 echo job <items
same '--costs=FILE that cannot be: no job, exit status' '1 ' "$status $out"
same '--costs=FILE that cannot be: says which' \
	"pidring-run: cannot write the costs to 'none/table': No such file or directory" "$err"

# --- signals ---

# Starts it in the background, in $pid, with standard signals, three sleepers as jobs, whose numbers are in $jobs.
begin() {
	rm -f jobs
	seq 20 | env --default-signal=TERM,INT,HUP,PIPE "$run" -j3 sh -c "$1" 2>err >out &
	pid=$!
	until_true has_lines jobs 3
	jobs=$(cat jobs)
}

for row in TERM:143 INT:130 HUP:129; do
	signal=${row%:*}
	begin 'echo $$ >>jobs; exec sleep 60'
	kill -s $signal $pid
	wait $pid 2>/dev/null
	same "SIG$signal: ends by the same signal" ${row#*:} $?
	all_have_ended $jobs
	same "SIG$signal: no job is left" 0 $?
	same "SIG$signal: no further job was started" 3 "$(wc -l <jobs)"
	same "SIG$signal: says what became of the jobs" \
		"pidring-run: SIG$signal: 3 running jobs were asked to end: 3 did so, 0 had to be killed" "$(cat err)"
done

begin 'echo $$ >>jobs; trap "sleep 0.3; echo tidy; exit 0" TERM; while :; do sleep 0.1; done'
kill -s TERM $pid
wait $pid 2>/dev/null
same 'jobs that tidy up on SIGTERM have the time' "tidy${nl}tidy${nl}tidy" "$(cat out)"
same 'jobs that tidy up on SIGTERM have ended as asked' \
	'pidring-run: SIGTERM: 3 running jobs were asked to end: 3 did so, 0 had to be killed' "$(cat err)"

# Of two that are pending the kernel delivers SIGHUP first.
begin 'echo $$ >>jobs; trap "sleep 0.3; echo tidy; exit 0" TERM; while :; do sleep 0.1; done'
kill -s HUP $pid
kill -s TERM $pid
wait $pid 2>/dev/null
same 'two signals at once are one request: ends by the first' 129 $?
same 'two signals at once are one request: jobs have the time' "tidy${nl}tidy${nl}tidy" "$(cat out)"

rm -f jobs
echo x | env --default-signal=TERM "$run" sh -c 'echo $$ >>jobs; exec sleep 60' 2>err &
pid=$!
until_true has_lines jobs 1
kill -s TERM $pid
wait $pid 2>/dev/null
same 'one running job' 'pidring-run: SIGTERM: 1 running job was asked to end: 1 did so, 0 had to be killed' "$(cat err)"

begin 'echo $$ >>jobs; trap "" TERM; while :; do sleep 0.1; done'
kill -s TERM $pid
sleep 0.3
same 'jobs that ignore SIGTERM are waited for' 1 "$(all_have_ended $jobs; echo $?)"
sleep 1.2
kill -s TERM $pid
wait $pid 2>/dev/null
same 'a later signal kills them: ends by the signal' 143 $?
same 'a later signal kills them: none is left' 0 "$(all_have_ended $jobs; echo $?)"
same 'a later signal kills them: says so' \
	'pidring-run: SIGTERM: 3 running jobs were asked to end: 0 did so, 3 had to be killed' "$(cat err)"

begin 'echo $$ >>jobs; trap "" TERM; while :; do sleep 0.1; done'
kill -s TERM $pid
begun=$(date +%s)
wait $pid 2>/dev/null
same 'after a grace period they are killed: ends by the signal' 143 $?
holds 'after a grace period they are killed: it is that of five seconds' '[456789]' $(($(date +%s) - begun))

begin 'echo $$ >>jobs; kill -STOP $$; sleep 60'
kill -s TERM $pid
begun=$(date +%s)
wait $pid 2>/dev/null
holds 'stopped jobs are ended, too, before the grace period is over' '[0123]' $(($(date +%s) - begun))

begin 'echo $$ >>jobs; exec sleep 60'
kill -s KILL $pid
wait $pid 2>/dev/null
until_true all_have_ended $jobs
same 'SIGKILL: the jobs die with it' 0 $?

rm -f jobs
seq 3 | env --default-signal=TERM,INT --ignore-signal=HUP "$run" -j3 sh -c 'echo $$ >>jobs; exec sleep 2' 2>err &
pid=$!
until_true has_lines jobs 3
kill -s HUP $pid $(cat jobs)
wait $pid 2>/dev/null
same 'what was ignored (nohup) stays ignored, for it and for the jobs' '0 ' "$? $(cat err)"

echo x | env --default-signal=PIPE --ignore-signal=CHLD "$run" -j1 sh -c 'kill -s PIPE $$; exit 3' 2>err
same 'an ignored SIGCHLD loses no exit code, jobs have SIGPIPE as usual' 125 $?
echo x | env --ignore-signal=PIPE "$run" -j1 sh -c 'kill -s PIPE $$; exit 3' 2>err
same 'jobs have SIGPIPE ignored where it was' '123 pidring-run: x: exit code 3' "$? $(cat err)"

# Messages into a full pipe that nobody reads: one job fails, the others sleep.
mkfifo full
exec 9<>full
dd if=/dev/zero of=full bs=4096 oflag=nonblock 2>/dev/null
for row in TERM:143 INT:130 HUP:129; do
	signal=${row%:*}
	rm -f jobs
	seq 3 | env --default-signal=TERM,INT,HUP "$run" -j3 sh -c '[ $1 != 1 ] || echo $$ >failing
		echo $$ >>jobs
		[ $1 != 1 ] || exit 3
		exec sleep 60' sh 2>&9 9>&- &
	pid=$!
	until_true has_lines jobs 3
	until_true is_gone "$(cat failing)"
	kill -s $signal $pid
	ended $pid
	same "SIG$signal while nobody reads the messages" ${row#*:} $status
	until_true all_have_ended $(cat jobs)
	same "SIG$signal while nobody reads the messages: no job is left" 0 $?
done
exec 9>&-

# dd leaves its standard output non-blocking; the reader comes late.
mkfifo slow
exec 9<>slow
dd if=/dev/null oflag=nonblock >&9 2>/dev/null
seq -f "$(printf '%0300d' 0)%04g" 1000 >items
timeout 60 "$run" -j4 false <items 2>&9 9>&- &
pid=$!
sleep 0.5
cat <slow >err 9>&- &
reader=$!
exec 9>&-
wait $pid
same 'non-blocking standard error: exit status' 123 $?
wait $reader
same 'non-blocking standard error: no message is cut' 1000 \
	"$(grep -c '^pidring-run: [0-9]\{304\}: exit code 1$' err)"
same 'non-blocking standard error: there is nothing else' 1000 "$(wc -l <err)"

mkfifo endless
exec 9<>endless
env --default-signal=TERM "$run" true <endless 2>err &
pid=$!
sleep 0.3
kill -s TERM $pid
wait $pid 2>/dev/null
same 'SIGTERM while waiting for items' 143 $?
same 'SIGTERM while waiting for items: there is nothing to say' '' "$(cat err)"
exec 9>&-

# --- the status line ---

if command -v script >/dev/null && command -v stty >/dev/null; then
	seq 4 | sed 's/^/an-item-/' >items
	text=$(on_terminal 80 "$run -j2 sleep 0.2 <items; :" 2>&1)
	text=$(on_terminal 80 "$run -j2 sh -c 'sleep 0.3; exit 1' <items")
	# In a pattern, ^[[][[]K stands for ^[[K.
	holds 'a status line on a terminal' '*^M^[[][[]K*done, 2 running, *failed | an-item-[234]^M*' "$text"
	holds 'the status line makes way for messages' '*^M^[[][[]Kpidring-run: an-item-[12]: exit code 1*' "$text"
	text=$(on_terminal 30 "$run -j2 sh -c 'sleep 0.3' <items")
	holds 'the status line is cleared at the end' '*^M^[[][[]K' "$text"
	same 'the status line is cut at the width of the terminal' '' \
		"$(printf '%s' "$text" | sed 's/\^M\|\^\[\[K/\n/g' | grep '..............................')"
	terminal_type=dumb
	same 'no status line on a dumb terminal' '' "$(on_terminal 80 "$run -j2 sh -c 'sleep 0.3' <items")"
	terminal_type=
else
	skip 'the status line: no script(1)'
fi
seq 2 >items
go -j2 sh -c 'sleep 0.3' <items
same 'no status line where there is no terminal' '' "$err"

finish
