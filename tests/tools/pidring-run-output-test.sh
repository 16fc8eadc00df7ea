#!/bin/sh
# SPDX-License-Identifier: MIT
# Tests of what pidring-run does with the output of its jobs: nothing is lost, nothing mixed, all in order.
#
#     pidring-run-output-test.sh PATH-OF-PIDRING-RUN

. "$(dirname "$0")/helpers.sh"

mkdir -p spool
TMPDIR=$directory/spool
export TMPDIR

# both ARGUMENT ...: as go, with both streams in one file
both() {
	timeout -k 1 60 "$run" "$@" >out 2>&1
	status=$?
	out=$(cat out)
}

size() {
	wc -c <"$1" | tr -d ' '
}

# Jobs that wait for each other: all of them have come to this point.
meet='echo >>met; until [ "$(wc -l <met)" -ge $meeting ]; do sleep 0.02; done'

# --- grouping ---

# Each job writes its number 20 times, in pieces, while the others do.
pieces='i=0; while [ $i -lt 20 ]; do printf "%s " $1; i=$((i + 1)); sleep 0.01; [ $i != 10 ] || echo; done; echo'
seq 6 >items
go -j6 sh -c "$pieces" sh <items
same 'grouped: exit status' 0 $status
same 'grouped: the output of a job stands together' "$(for i in 1 1 2 2 3 3 4 4 5 5 6 6; do
	printf "$i %.0s" 1 2 3 4 5 6 7 8 9 10
	echo
done)" "$(sort out)"
same 'grouped: no job stands in two places' 6 "$(uniq out | wc -l)"

go -j6 sh -c 'echo out $1; echo err $1 >&2' sh <items
same 'standard output goes to standard output' "$(sed 's/^/out /' items)" "$(sort out)"
same 'standard error goes to standard error' "$(sed 's/^/err /' items)" "$(sort err)"

both -j2 sh -c 'printf 1; printf 2 >&2; echo 3; echo 4 >&2; echo 5' sh <items
same 'to one file: in the order in which a job writes' "$(yes "123${nl}4${nl}5" | head -n 18)" "$out"

echo x >items
go -j1 printf 'no end %s' <items
same 'a last line without end stays so' 8 "$(size out)"
seq 3 >items
go -j1 printf 'no end %s' <items
same 'between two jobs a line ends' "no end 1${nl}no end 2${nl}no end 3" "$out"
same 'the last line stays without end' 26 "$(size out)"
go -j1 sh -c 'printf out; printf err >&2' <items
same 'lines of the two streams end by themselves' '11 11' "$(size out) $(size err)"
both -j1 sh -c 'printf "no end"; exit 3' <items
same 'messages stand on lines of their own' "no end${nl}pidring-run: 1: exit code 3${nl}no end
pidring-run: 2: exit code 3${nl}no end${nl}pidring-run: 3: exit code 3" "$out"
echo x >items
go --costs printf 'no end %s' <items
holds 'the table of costs begins on a line of its own' "no end x$nl* wall s *" "$out"

seq 200 >items
go -j8 true <items
same 'jobs that write nothing: nothing is written' '0 0 0' "$status $(size out) $(size err)"
for mode in --line-buffer --keep-order --ungroup; do
	go -j8 $mode true <items
	same "jobs that write nothing, $mode: nothing is written" '0 0 0' "$status $(size out) $(size err)"
done

# --- any bytes, any amount ---

head -c 3000000 /dev/urandom >bytes
echo >>bytes
cat bytes bytes bytes >expected
seq 3 >items
for mode in --group --keep-order '--line-buffer --keep-order'; do
	rm -f met
	meeting=3 timeout -k 1 60 "$run" -j3 $mode sh -c "cat bytes; $meet" <items >out 2>err
	same "more than memory is to hold, $mode: exit status" '0 ' "$? $(cat err)"
	cmp -s expected out
	same "more than memory is to hold, $mode: every byte" 0 $?
done
same 'no temporary file is left' '' "$(ls spool)"

# Both streams, while nobody's turn has come: the first job waits for the others.
for number in 1 2 3; do
	for stream in out err; do
		seq -f "$stream $number %.0f" 200000 >$stream.$number
	done
done
cat out.1 out.2 out.3 >expected.out
cat err.1 err.2 err.3 >expected.err
rm -f met
meeting=3 timeout -k 1 60 "$run" -k -j3 sh -c "[ \$1 != 1 ] || { $meet; }; cat out.\$1; cat err.\$1 >&2
	[ \$1 = 1 ] || echo >>met" sh <items >out 2>err
cmp -s expected.out out && cmp -s expected.err err
same 'much on both streams, in order: every byte' 0 $?

printf '\0a\0\n\0' >bytes
seq 2 >items
for mode in --group --line-buffer --ungroup; do
	timeout -k 1 60 "$run" -j1 $mode sh -c 'cat bytes' <items >out 2>err
	printf '\0a\0\n\0\0a\0\n\0' >expected
	[ $mode = --ungroup ] || printf '\0a\0\n\0\n\0a\0\n\0' >expected
	cmp -s expected out
	same "NUL bytes, $mode" 0 $?
done

# --- line by line ---

lines='i=0; while [ $i -lt 20 ]; do printf $1; sleep 0.01; printf "$1$1\n"; printf $1 >&2; sleep 0.01
	echo $1 >&2; i=$((i + 1)); done'
seq 6 >items
for mode in '--line-buffer' '--lb' '--lb -k'; do
	go -j6 $mode sh -c "$lines" sh <items
	same "$mode: whole lines on standard output" 120 "$(grep -c '^\([1-6]\)\1\1$' out)"
	same "$mode: whole lines on standard error" 120 "$(grep -c '^\([1-6]\)\1$' err)"
	same "$mode: nothing else" '120 120' "$(wc -l <out) $(wc -l <err)"
done
same '--lb -k: in the order of the items' "$(for i in $(cat items); do yes $i$i$i | head -n 20; done)" "$(cat out)"
both -j6 --lb sh -c "$lines" sh <items
same '--lb, to one file: whole lines' "240 240" "$(grep -c '^\([1-6]\)\1*$' out) $(wc -l <out)"
both -j6 --lb sh -c "printf begun; sleep 0.1; printf ' ended'; exit 3" <items
same '--lb: messages stand on lines of their own' '6 6 12' \
	"$(grep -c '^begun ended$' out) $(grep -c '^pidring-run: [1-6]: exit code 3$' out) $(grep -c '' out)"

# The job goes on only when its first line has been seen.
rm -f seen out
{ echo x; until [ -e seen ]; do sleep 0.02; done; echo y; } |
	timeout -k 1 60 "$run" -j2 --lb sh -c 'echo line $1; until [ -e seen ]; do sleep 0.02; done' sh >out 2>err &
pid=$!
until_true [ -s out ]
same '--lb: a line is passed on as it comes' 'line x' "$(cat out)"
: >seen
wait $pid
same '--lb: and so on' "0 line x${nl}line y" "$? $(cat out)"

# A line without end does not stop the lines of others, however long it is.
printf 'long\nshort\n' >items
rm -f met
meeting=2 timeout -k 1 60 "$run" -j2 --lb sh -c "
	if [ \$1 = long ]; then
		head -c 3000000 /dev/zero | tr '\\0' x
		$meet
		printf y
	else
		seq 1000
		$meet
	fi" sh <items >out 2>err
same '--lb, a line of three million bytes: exit status' '0 ' "$? $(cat err)"
same '--lb, a line of three million bytes: it stays in one piece' 1 "$(grep -c '^x*y$' out)"
same '--lb, a line of three million bytes: all is there' $((3000001 + $(seq 1000 | wc -c))) \
	"$(tr -d '\n' <out | wc -c | awk '{ print $1 + 1000 }')"

# --- in order ---

printf '3\n2\n1\n0\n' >items
rm -f done.*
# Each waits until the one after it has ended.
backwards='[ $1 = 0 ] || until [ -e done.$(($1 - 1)) ]; do sleep 0.02; done; echo out $1; echo err $1 >&2
	: >done.$1; exit $1'
both -k -j4 sh -c "$backwards" sh <items
same '-k: in the order of the items, messages as well' "out 3${nl}err 3${nl}pidring-run: 3: exit code 3
out 2${nl}err 2${nl}pidring-run: 2: exit code 2${nl}out 1${nl}err 1${nl}pidring-run: 1: exit code 1
out 0${nl}err 0" "$out"
same '-k: exit status' 123 $status
rm -f done.*
go --keep-order -j4 sh -c "$backwards" sh <items
same '--keep-order: standard output' "out 3${nl}out 2${nl}out 1${nl}out 0" "$out"
# Here until it has been printed.
go -j4 sh -c '[ $1 = 0 ] || until grep -q "out $(($1 - 1))" out; do sleep 0.02; done; echo out $1' sh <items
same 'without it: in the order in which they end' "out 0${nl}out 1${nl}out 2${nl}out 3" "$out"

seq 2000 >items
go -k -j16 echo <items
same '-k: 2,000 jobs' "$(cat items)" "$out"

rm -f seen out
{ echo x; echo y; } |
	timeout -k 1 60 "$run" -j2 -k sh -c 'echo line $1; until [ -e seen ]; do sleep 0.02; done' sh >out 2>err &
pid=$!
until_true [ -s out ]
same '-k: the first job is passed on as it comes' 'line x' "$(cat out)"
: >seen
wait $pid
same '-k: and the second then' "0 line x${nl}line y" "$? $(cat out)"

go -k -j2 ./none/such <items
same '-k: a command that is not there' '127 1' "$status $(wc -l <err)"

go -k -u true <items
same '-k with -u: exit status' 1 $status
same '-k with -u: says so' 'pidring-run: --keep-order cannot be had with --ungroup' "$(head -n 1 err)"
echo x >items
go -u --group -k echo <items
same 'of --group, --line-buffer and --ungroup the last counts' '0 x' "$status $out"
go -u sh -c 'readlink /proc/$$/fd/1' <items
same '-u: jobs have the output itself' "$directory/out" "$out"
go -j1 sh -c 'readlink /proc/$$/fd/1 | sed s/:.*//' <items
same 'grouped: jobs have a pipe' pipe "$out"

# --- somebody else keeps the output open ---

for mode in --group --lb -k; do
	rm -f sleeper
	go $mode --drain 0.2 sh -c 'sleep 60 & echo $! >sleeper; echo hi' <items
	same "a grandchild has the output open, $mode: exit status, output" '0 hi' "$status $out"
	same "a grandchild has the output open, $mode: it is told" \
		'pidring-run: x: its output is cut: something that it left running still had it open after 0.2 s' "$err"
	has_ended "$(cat sleeper)"
	same "a grandchild has the output open, $mode: it was not waited for" 1 $?
	kill "$(cat sleeper)"
done
go --drain 0 sh -c 'sleep 60 & echo $! >sleeper; head -c 60000 /dev/zero' <items
same '--drain 0: what the job itself wrote is all there' 60000 "$(size out)"
kill "$(cat sleeper)"

# The grandchild of the first job writes when the second has begun, with one job at a time.
seq 2 >items
rm -f second
go -j1 --drain 60 sh -c 'echo job $1; if [ $1 = 2 ]; then : >second
	else { until [ -e second ]; do sleep 0.02; done; echo late; } & fi' sh <items
same 'a job that has ended is none of those at a time' "0 job 1${nl}late${nl}job 2" "$status $out"
same 'output that ends in time is not cut' '' "$err"

for bad in x '' . 1x -1 1e3 1.0000000000; do
	go --drain="$bad" true <items
	same "--drain='$bad': exit status" 1 $status
done

# --- output that cannot be written or kept ---

for mode in --group --lb -k; do
	timeout -k 1 60 "$run" $mode echo <items >&- 2>err
	same "standard output is closed, $mode: exit status" 1 $?
	same "standard output is closed, $mode: says so" \
		'pidring-run: cannot write what the jobs print to standard output: Bad file descriptor' "$(cat err)"
	timeout -k 1 60 "$run" $mode true <items >&- 2>err
	same "standard output is closed, $mode, but nobody needs it" '0 ' "$? $(cat err)"
	[ -w /dev/full ] || continue
	timeout -k 1 60 "$run" $mode -j1 sh -c 'echo >>ran.$0; echo' "x$mode" <items >/dev/full 2>err
	same "a full disk, $mode: exit status" 1 $?
	same "a full disk, $mode: says so" \
		'pidring-run: cannot write what the jobs print to standard output: No space left on device' "$(cat err)"
	same "a full disk, $mode: nothing more is started" 1 "$(wc -l <"ran.x$mode")"
done

for mode in --group --lb -k; do
	rm -f jobs code
	{
		seq 3 | timeout -k 1 60 env --default-signal=PIPE,TERM "$run" -j3 $mode \
			sh -c 'echo $$ >>jobs; until [ "$(wc -l <jobs)" = 3 ]; do sleep 0.02; done
				[ $1 = 1 ] || exec sleep 60; exec seq 10000000' sh 2>err
		echo $? >code
	} | head -n 1 >out
	same "nobody reads any more, $mode: ends as by SIGPIPE" '1 141' "$(cat out) $(cat code)"
	same "nobody reads any more, $mode: without a word" '' "$(cat err)"
	same "nobody reads any more, $mode: no job is left" 0 "$(all_have_ended $(cat jobs); echo $?)"

	# Something that the others have started keeps their output open, for longer than the test may take.
	rm -f jobs sleepers code
	{
		seq 3 | timeout -k 1 60 env --default-signal=PIPE,TERM "$run" -j3 $mode --drain 1000 \
			sh -c 'trap "exit 7" TERM; [ $1 = 1 ] || { sleep 100 & echo $! >>sleepers; }
				echo >>jobs; until [ "$(wc -l <jobs)" = 3 ]; do sleep 0.02; done
				[ $1 = 1 ] || while :; do sleep 0.1; done; exec seq 10000000' sh 2>err
		echo $? >code
	} | head -n 1 >out
	same "nobody reads any more, grandchildren stay, $mode: it waits for none" '1 141' "$(cat out) $(cat code)"
	same "nobody reads any more, grandchildren stay, $mode: without a word" '' "$(cat err)"
	kill $(cat sleepers)
done
{
	yes | timeout -k 1 60 env --ignore-signal=PIPE "$run" -j2 echo 2>err
	echo $? >code
} | head -n 1 >out
same 'nobody reads any more, SIGPIPE ignored: exit status' 'y 1' "$(cat out) $(cat code)"
same 'nobody reads any more, SIGPIPE ignored: says so' \
	'pidring-run: cannot write what the jobs print to standard output: Broken pipe' "$(grep '^pidring-run: cannot' err)"

# A limit of the size of files stands for a full disk; the output is a pipe.
seq 2 >items
rm -f met
(ulimit -f 4000 && meeting=2 timeout -k 1 60 "$run" -j2 sh -c "head -c 8000000 /dev/zero; $meet" <items 2>err
	echo $? >code) | wc -c >out
same 'no room for a temporary file: exit status' 1 "$(cat code)"
holds 'no room for a temporary file: says so' \
	"pidring-run: cannot keep what the jobs print in a temporary file in '$TMPDIR': File too large$nl*" "$(cat err)"
holds 'no room for a temporary file: says which' '*pidring-run: [12]: a part of its output is lost*' "$(cat err)"
rm -f met
TMPDIR=/none/such meeting=2 timeout -k 1 60 "$run" -j2 sh -c "head -c 3000000 /dev/zero; $meet" <items >out 2>err
same 'nowhere to make a temporary file: exit status' 1 $?
holds 'nowhere to make a temporary file: says so' \
	"pidring-run: cannot keep what the jobs print in a temporary file in '/none/such': No such *" "$(cat err)"

# --- a reader that takes nothing ---

# is_full FIFO: not one byte more
is_full() {
	! dd if=/dev/zero of="$1" bs=1 count=1 oflag=nonblock 2>/dev/null
}

mkfifo full
for mode in --group --lb -k; do
	rm -f jobs
	exec 9<>full
	seq 3 | env --default-signal=TERM,PIPE "$run" -j3 $mode sh -c 'echo $$ >>jobs
		until [ "$(wc -l <jobs)" = 3 ]; do sleep 0.02; done
		head -c 300000 /dev/zero | tr "\0" "\n"; [ $1 = 1 ] || exec sleep 60' sh >&9 2>err 9>&- &
	pid=$!
	until_true has_lines jobs 3
	until_true is_full full
	kill -s TERM $pid
	ended $pid
	same "SIGTERM while nobody reads the output, $mode" 143 $status
	until_true all_have_ended $(cat jobs)
	same "SIGTERM while nobody reads the output, $mode: no job is left" 0 $?
	holds "SIGTERM while nobody reads the output, $mode: says what became of it" \
		'pidring-run: SIGTERM: *the rest of what the jobs printed is lost: nobody reads it' "$(cat err)"
	same "SIGTERM while nobody reads the output, $mode: in one line" 1 "$(wc -l <err)"
	exec 9>&-
done

# The reader comes late, and the descriptor does not block.
exec 9<>full
dd if=/dev/null oflag=nonblock >&9 2>/dev/null
seq 4 | timeout -k 1 60 "$run" -k -j2 sh -c 'seq 100000' >&9 2>err 9>&- &
pid=$!
sleep 0.3
cat <full >out 9>&- &
reader=$!
exec 9>&-
wait $pid
same 'a late reader: exit status' '0 ' "$? $(cat err)"
wait $reader
for i in 1 2 3 4; do seq 100000; done >expected
cmp -s expected out
same 'a late reader: every byte' 0 $?

# --- signals ---

rm -f jobs
seq 3 | env --default-signal=TERM "$run" -j3 sh -c 'trap "echo tidy $1; exit 0" TERM; echo begun $1
	echo >>jobs; while :; do sleep 0.1; done' sh >out 2>err &
pid=$!
until_true has_lines jobs 3
kill -s TERM $pid
ended $pid
same 'SIGTERM: what the jobs have written until then is written, grouped' \
	"143 begun 1 tidy 1${nl}begun 2 tidy 2${nl}begun 3 tidy 3" "$status $(paste -d' ' - - <out | sort)"

rm -f jobs sleeper
echo x | env --default-signal=TERM "$run" --drain 60 sh -c 'sleep 60 & echo $! >sleeper; echo hi; echo >>jobs' >out 2>err &
pid=$!
until_true has_lines jobs 1
kill -s TERM $pid
ended $pid
same 'SIGTERM while a grandchild has the output open' '143 hi' "$status $(cat out)"
kill "$(cat sleeper)"

rm -f jobs sleepers
seq 3 | env --default-signal=TERM "$run" -j3 --drain 1000 sh -c 'sleep 100 & echo $! >>sleepers
	trap "head -c 399999 /dev/zero; echo; exit 7" TERM; echo >>jobs; while :; do sleep 0.1; done' >out 2>err &
pid=$!
until_true has_lines jobs 3
kill -s TERM $pid
ended $pid
same 'SIGTERM, grandchildren stay: all that the jobs themselves wrote is there' '143 1200000' "$status $(size out)"
same 'SIGTERM, grandchildren stay: one line tells how it went' \
	'pidring-run: SIGTERM: 3 running jobs were asked to end: 3 did so, 0 had to be killed' "$(cat err)"
kill $(cat sleepers)

# Somebody else writes on and on.
rm -f jobs sleepers
echo x | env --default-signal=TERM "$run" --lb --drain 1000 sh -c 'yes & echo $! >>sleepers; echo >>jobs; exec sleep 60' \
	2>err >/dev/null &
pid=$!
until_true has_lines jobs 1
kill -s TERM $pid
ended $pid
same 'SIGTERM while a grandchild writes without end' 143 $status
kill $(cat sleepers) 2>/dev/null

# --- the status line ---

if command -v script >/dev/null && command -v stty >/dev/null; then
	seq 2 >items
	text=$(on_terminal 80 "$run -j2 sh -c 'sleep 0.4; echo job; sleep 0.4' <items")
	holds 'the status line makes way for output' '*, 2 running, *^M^M^[[][[]Kjob^M*job^M*' "$text"
	text=$(on_terminal 80 "$run -j1 sh -c 'sleep 0.4; printf job; sleep 0.4; exit 3' <items")
	holds 'no status line in the middle of a line' '*^Kjob^Mpidring-run: 1: exit code 3^M*' \
		"$(printf '%s' "$text" | sed 's/\^\[\[K/^K/g')"
else
	skip 'the status line: no script(1)'
fi

finish
