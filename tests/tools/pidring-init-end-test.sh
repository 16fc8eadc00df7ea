#!/bin/sh
# SPDX-License-Identifier: MIT
# Tests of pidring-init, from outside: orphans, the end of the tree, what the init holds, what it tells.
#
#     pidring-init-end-test.sh PATH-OF-PIDRING-INIT
#
# One line for each check that failed, a count at the end, exit status 1 if any failed.

. "$(dirname "$0")/init-helpers.sh"

# Starts an orphan: a program whose parent has ended. `orphan FILE [COMMAND ...]` writes its pid to the file.
cat >orphan <<'EOF'
#!/bin/sh
file=$1
shift
[ $# -gt 0 ] || set -- sleep 1000
(setsid sh -c 'echo $$ >"$0"; exec "$@"' "$file" "$@" &)
until [ -s "$file" ]; do sleep 0.01; done
EOF
chmod 755 orphan

children() {
	tr ' ' '\n' <"/proc/$1/task/$1/children" | grep -c .
}
has_children() {
	[ "$(children "$1")" -eq "$2" ]
}
has_only_child() {
	[ "$(tr -d ' ' <"/proc/$1/task/$1/children")" = "$2" ]
}
is_in_root() {
	[ "$(readlink "/proc/$1/cwd")" = / ]
}

# --- orphans ---

rm -f o1 got
begin sh -c './orphan o1 sh -c "read -r line <gate; exit 9"; exec ./listen'
mkfifo gate
orphan=$(pid_in o1)
until_true has_lines got 1
program=$(head -n 1 got)
until_true has_children $pid 2
same 'an orphan comes to the init' "$pid" "$(field PPid "$orphan")"
echo >gate
until_true is_gone "$orphan"
same 'and is reaped when it ends' gone "$(is_gone "$orphan" && echo gone)"
stop_listening
rm -f gate

begin -w sh -c './orphan o2 true; until ! [ -e /proc/$(cat o2) ]; do sleep 0.01; done'
ended $pid
holds '-w: says whom it has reaped' "*Reaped zombie process with pid=$(cat o2)*" "$(cat err)"
ln -sf "$run" tini
rm -f o2
./tini sh -c './orphan o2; read parent </dev/null; sed -n "s/^PPid:[[:space:]]*//p" /proc/$(cat o2)/status; echo $PPID' >out 2>err
same 'like tini without -s, an orphan goes past the init' different \
	"$([ "$(sed -n 1p out)" != "$(sed -n 2p out)" ] && echo different)"
kill -s KILL "$(cat o2)"
rm -f o2
# Children that it had before it was what it is.
sh -c 'sh -c "echo \$\$ >o2; exec sleep 0.01" & exec "$@"' sh "$run" sh -c 'until [ -s o2 ]; do sleep 0.01; done
	while [ -e /proc/$(cat o2) ]; do sleep 0.01; done; exit 5'
same 'children from before the exec are reaped, too' 5 $?

# --- the end of the program ---

rm -f o3 o4
go sh -c './orphan o3; ./orphan o4; sleep 1000 & exit 3'
same 'the program ends: exit status' 3 $status
same 'and everybody else has ended' 'ended' "$(all_have_ended "$(cat o3)" "$(cat o4)" && echo ended)"

rm -f o3 got
begin --grace 1h sh -c './orphan o3 ./listen 15 got; until [ -s got ]; do sleep 0.01; done; exit 4'
ended $pid
same 'the rest gets SIGTERM, and the grace ends when the last has ended' '4 15' "$status $(tail -n +2 got | head -n 1)"

rm -f o3 got
go --grace 100ms sh -c './orphan o3 ./listen none got; until [ -s got ]; do sleep 0.01; done; exit 4'
same 'who does not end in time is killed' '4 ended' "$status $(has_ended "$(head -n 1 got)" && echo ended)"
same 'after SIGTERM' 15 "$(tail -n +2 got | head -n 1)"

rm -f o3
begin --grace 1h sh -c './orphan o3; kill -STOP $(cat o3); exit 4'
ended $pid
same 'one that was stopped hears SIGTERM, too' '4 ended' "$status $(has_ended "$(cat o3)" && echo ended)"

# Somebody who makes another one whenever he is asked to end.
rm -f o3
cat >hydra <<'EOF'
#!/bin/sh
trap 'setsid "$0" & setsid "$0" &' TERM
echo $$ >>heads
while :; do sleep 0.05; done
EOF
chmod 755 hydra
rm -f heads
go --grace 300ms sh -c './orphan o3 ./hydra; until [ -s heads ]; do sleep 0.01; done; exit 4'
# shellcheck disable=SC2046 # A word a pid.
same 'also those who were born meanwhile' '4 ended' "$status $(all_have_ended $(cat heads) && echo ended)"

for mode in leave signal; do
	rm -f o3
	go --end $mode sh -c './orphan o3; exit 4'
	same "--end=$mode: the rest is left" '4 left' "$status $(is_gone "$(cat o3)" || echo left)"
	kill -s KILL "$(cat o3)"
done
rm -f got
go --end signal -g sh -c './listen 15 got & until [ -s got ]; do sleep 0.01; done; exit 4'
until_true has_lines got 2
same '--end=signal: the group gets SIGTERM, nobody waits' '4 15' "$status $(tail -n +2 got)"
rm -f got
ln -sf "$run" dumb-init
timeout 60 ./dumb-init sh -c './listen 15 got & until [ -s got ]; do sleep 0.01; done; exit 4'
status=$?
until_true has_lines got 2
same 'like dumb-init: the same with the session' '4 15' "$status $(tail -n +2 got)"

for mode in wait:4 last:7; do
	rm -f o3 o4 gate
	mkfifo gate
	begin --end ${mode%:*} sh -c './orphan o3 sh -c "read -r line <gate; exit 7"; exit 4'
	orphan=$(pid_in o3)
	until_true has_only_child $pid "$orphan"
	same "--end=${mode%:*}: the init waits" waits "$(is_gone $pid || is_gone "$orphan" || echo waits)"
	echo >gate
	ended $pid
	same "--end=${mode%:*}: and ends with" ${mode#*:} $status
done
rm -f o3 got
begin --end wait sh -c './orphan o3 ./listen 10 got; until [ -s got ]; do sleep 0.01; done; exit 4'
until_true has_lines got 1
until_true has_only_child $pid "$(head -n 1 got)"
kill -USR1 $pid
ended $pid
same '--end=wait: signals go to those who are left' '4 10' "$status $(tail -n +2 got | head -n 1)"

rm -f o3 got
begin --end wait sh -c './orphan o3 ./listen 10 got; until [ -s got ]; do sleep 0.01; done; echo $$ >main; exec sleep 1000'
program=$(pid_in main)
until_true is_in_root $pid
kill -STOP $pid
until_true is_stopped $pid
kill -USR1 $pid
kill -KILL "$program"
until_true has_ended "$program"
kill -CONT $pid
ended $pid
same 'so does a signal that came before the init knew that the program has ended' '137 10' \
	"$status $(tail -n +2 got | grep -x 10)"

# Hundreds who do not listen, each of whom ends by itself.
cat >crowd <<'EOF'
#!/bin/sh
trap '' TERM
for one in $(seq 400); do sleep 1000 & done
echo $$ >crowded
EOF
chmod 755 crowd
rm -f crowded
begin --grace 0 --status-fd 1 ./crowd
ended $pid
same 'a crowd is killed' '0 400' "$status $(grep -c '"event":"orphan".*"signal":9' out)"
same 'a crowd is killed: nobody is left' '' "$(cat err)"

# --- a terminating signal ---

rm -f o3 got got3
begin --grace 1h sh -c './orphan o3 ./listen 15 got3; until [ -s got3 ]; do sleep 0.01; done; exec ./listen 15 got'
until_true has_lines got 1
kill -TERM $pid
ended $pid
same 'SIGTERM ends all, each of whom gets it once' '40 15 1' "$status $(tail -n +2 got3 | head -n 1) $(grep -cx 15 got)"

rm -f got
listening --grace 100ms
kill -TERM $pid
ended $pid
same 'a program that does not end is killed when the grace is over' '137 15' "$status $(tail -n +2 got | head -n 1)"

rm -f o3 got got3
begin -r TERM:QUIT --grace 1h sh -c './orphan o3 ./listen 15 got3; until [ -s got3 ]; do sleep 0.01; done; exec ./listen 3 got'
until_true has_lines got 1
kill -TERM $pid
ended $pid
same 'SIGTERM as SIGQUIT: the program gets that, the rest SIGTERM when it has ended' '40 3 15' \
	"$status $(tail -n +2 got | head -n 1) $(tail -n +2 got3 | head -n 1)"

rm -f got
listening -r TERM:QUIT --grace 1h
kill -STOP "$program"
until_true is_stopped "$program"
kill -TERM $pid
until_true is_not_stopped "$program"
same 'SIGTERM as SIGQUIT: a program that was stopped hears it' 3 "$(until_true heard 3 && echo 3)"
kill -KILL "$program"
ended $pid

listening --end-on INT --grace 100ms
kill -TERM $pid
until_true heard 15
same '--end-on=INT: SIGTERM is only forwarded' '15 ' "$(all_heard)"
kill -INT $pid
ended $pid
same '--end-on=INT: SIGINT begins the end' 137 $status

# --- pause ---

for signal in TERM INT; do
	begin --pause
	until_true is_in_root $pid
	kill -USR1 $pid
	kill -s $signal $pid
	ended $pid
	same "--pause: SIG$signal ends it, others do not" 0 $status
done
rm -f o3
sh -c './orphan o3; sh -c "sleep 1000 & echo \$! >o4"; exec "$@"' sh env --default-signal "$run" -P &
pid=$!
until_true is_in_root $pid
kill -TERM $pid
ended $pid
same '-P is the same' 0 $status
kill -s KILL "$(cat o3)" "$(cat o4)"

finish
