#!/bin/sh
# SPDX-License-Identifier: MIT
# Tests of pidring-init, from outside: where it runs (as PID 1, without root, without /proc, with a read-only /), what it
# holds, what it tells others, and the confinement of its program.
#
#     pidring-init-place-test.sh PATH-OF-PIDRING-INIT
#
# One line for each check that failed, a count at the end, exit status 1 if any failed.

. "$(dirname "$0")/init-helpers.sh"

is_in_root() {
	[ "$(readlink "/proc/$1/cwd")" = / ]
}
closes() {
	[ ! -e "/proc/$1/fd/$2" ]
}

# --- what it holds ---

mkfifo input output
rm -f got
bash -c 'exec 7>seven 200>high; exec env --default-signal "$@"' bash "$run" ./listen <input >output &
pid=$!
exec 7>input 8<output
until_true has_lines got 1
program=$(head -n 1 got)
until_true is_in_root $pid
same 'it holds no directory' / "$(readlink /proc/$pid/cwd)"
until_true closes $pid 200
until_true closes $pid 7
held() {
	for one in "/proc/$1"/fd/*; do
		readlink "$one"
	done
}
released() {
	[ "$(held $pid | grep -c "$directory")" -eq 0 ]
}
until_true released
same 'nor any file that it was handed' 0 "$(held $pid | grep -c "$directory")"
same 'the program has them all' 5 "$(held "$program" | grep -c "$directory")"
same 'standard input and output are /dev/null, standard error stays' "/dev/null /dev/null $(readlink /proc/$$/fd/2)" \
	"$(readlink /proc/$pid/fd/0) $(readlink /proc/$pid/fd/1) $(readlink /proc/$pid/fd/2)"
stop_listening
exec 7>&- 8<&-

# Nothing of its own takes the places of standard descriptors that were closed: each signal arrives, none is lost.
for closed in '<&-' '>&-' '<&- >&-' '<&- >&- 2>&-'; do
	rm -f got
	eval "env --default-signal \"\$run\" ./listen $closed &"
	pid=$!
	until_true has_lines got 1
	program=$(head -n 1 got)
	until_true is_in_root $pid
	kill -USR1 $pid
	until_true heard 10
	same "started with $closed: signals arrive" '10 ' "$(all_heard)"
	stop_listening
done
"$run" sh -c 'for one in 0 1; do [ -e /proc/$$/fd/$one ] || set -- "$@" $one; done; echo "$@" >closed' sh <&- >&-
same 'the program finds closed what was closed' '0 1' "$(cat closed)"

# Asleep, it wakes up when there is something to do, and for nothing else, however long this takes: of a timer there would
# be no end of wake-ups.
listening
until_true is_in_root $pid
is_asleep() {
	[ "$(state $pid)" = S ]
}
until_true is_asleep
slept=$(field voluntary_ctxt_switches $pid)
for signal in 1 2 3 10 12; do
	kill -$signal $pid
	until_true heard $signal
done
until_true is_asleep
woken=$(($(field voluntary_ctxt_switches $pid) - slept))
same "it wakes up for each of five signals ($woken times), and hardly more" yes "$([ $woken -ge 5 ] && [ $woken -le 10 ] && echo yes)"
same 'it has no timer' 0 "$(cat /proc/$pid/timers | wc -l)"
stop_listening

# --- what it tells ---

exec 7>status
listening --status-fd 7 --rewrite HUP:0
exec 7>&-
kill -HUP $pid
kill -USR1 $pid
until_true heard 10
stop_listening
same '--status-fd: each line is one of JSON' 0 "$(grep -cv '^{"event":"[a-z]*"\(,"[a-z]*":\([0-9]*\|"[A-Za-z]*"\)\)*}$' status)"
same '--status-fd: what it tells' 'started signal signal ended stopping exit ' \
	"$(sed 's/{"event":"\([a-z]*\)".*/\1/' status | grep -v orphan | tr '\n' ' ')"
holds '--status-fd: the exit code' '*{"event":"exit","code":*' "$(cat status)"

events() {
	sed -n 's/{"event":"\([a-z]*\)".*/\1/p' "$1" | tr '\n' ' '
}
go --status-fd 1 sh -c 'exit 4'
same '--status-fd=1' '4 started ended stopping exit ' "$status $(events out)"
go --status-fd 2 sh -c 'exit 4'
same '--status-fd=2' '4 started ended stopping exit ' "$status $(events err)"
go --status-fd 0 sh -c 'exit 4' 0>status
same '--status-fd=0' '4 started ended stopping exit ' "$status $(events status)"
bash -c 'exec "$@" 200>status' bash "$run" --status-fd 200 sh -c '[ ! -e /proc/$$/fd/200 ]'
same '--status-fd=200: and not for the program' '0 started ended stopping exit ' "$? $(events status)"
bash -c 'exec "$@" 7>status' bash "$run" --status-fd 7 --ready-fd 7 true
same '--status-fd and --ready-fd are one' '0 started ended stopping exit  1' "$? $(events status) $(grep -cx '' status)"
timeout 20 "$run" --status-fd 1 true >&- 2>err
same '--status-fd=1 that is closed is refused' 125 $?

go --status-fd 1 /no/such/program
same '--status-fd: a failed start' "127 {\"event\":\"failed\",\"step\":\"exec\",\"error\":\"ENOENT\"}${nl}{\"event\":\"exit\",\"code\":127}" \
	"$status $out"
go --status-fd 1 --chdir /no/such/directory true
holds '--status-fd: a step before the program' '{"event":"failed","step":"working directory","error":"ENOENT"}*' "$out"

go --ready-fd 1 sh -c 'exit 0'
same '--ready-fd: a line end when the program runs' 1 "$(wc -l <out)"
go --ready-fd 1 /no/such/program
same '--ready-fd: none if it does not' 0 "$(wc -l <out)"
mkfifo ready
rm -f got
"$run" --ready-fd 7 sh -c 'readlink /proc/$$/fd/7; exec ./listen 15' 7>ready >out &
pid=$!
same '--ready-fd: closed then' 1 "$(timeout 20 cat ready | wc -l)"
until_true has_lines got 1
kill -TERM $pid
ended $pid
same '--ready-fd: and not for the program' '40 ' "$status $(cat out)"

if command -v python3 >/dev/null; then
	cat >manager.py <<'EOF'
import os, socket, subprocess, sys
for name in ("notify.socket", "\0pidring-init-test-%d" % os.getpid()):
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.settimeout(20)
    manager.bind(name)
    environment = dict(os.environ, NOTIFY_SOCKET=os.path.abspath(name) if name[0] != "\0" else "@" + name[1:])
    child = subprocess.Popen([sys.argv[1], "--notify", "sh", "-c", "echo ${NOTIFY_SOCKET-none}; read line"],
                             env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    print(manager.recv(4096).decode().split("\n")[0], end=" ")
    print(child.stdout.readline().decode().strip(), end=" ")
    child.stdin.close()
    print(manager.recv(4096).decode().split("\n")[0], end=" ")
    print(child.wait(), end=" ")
EOF
	same '--notify: the service manager hears of both ends' 'READY=1 none STOPPING=1 1 READY=1 none STOPPING=1 1 ' \
		"$(timeout 60 python3 manager.py "$run")"
else
	skip '--notify: no python3 to be the service manager'
fi

# --- without root ---

# A copy of its own, as the build may be out of reach of others.
common=$(mktemp -d /tmp/pidring-init-test.XXXXXX)
trap 'rm -rf "$directory" "$common"' EXIT
chmod 755 "$common"
cp "$run" "$common/init"
cp listen orphan family "$common" 2>/dev/null
as_nobody() {
	if may_be_root; then
		setpriv --reuid 65534 --regid 65534 --clear-groups "$@"
	else
		"$@"
	fi
}
cd / || exit 2
same 'as an ordinary user' 5 "$(as_nobody timeout 60 "$common/init" sh -c 'exit 5'; echo $?)"
same 'as an ordinary user, to end others' 6 "$(as_nobody timeout 60 "$common/init" sh -c 'sleep 1000 & exit 6'; echo $?)"
same 'as an ordinary user, with namespaces' '1 0' \
	"$(as_nobody timeout 60 "$common/init" --namespaces user,pid,mount sh -c 'echo $$ $(id -u)')"
same 'what he may not do is refused' 125 "$(as_nobody timeout 60 "$common/init" --user 0:0 true 2>/dev/null; echo $?)"
same 'no capability comes from nothing' 125 \
	"$(as_nobody timeout 60 "$common/init" --capabilities '^cap_net_raw' true 2>/dev/null; echo $?)"
cd "$directory" || exit 2

if ! may_be_root; then
	skip 'PID 1 and confinement: not root'
	finish
fi

# --- as PID 1 ---

# as_first ARGUMENT ...: runs it as the init of a new pid namespace
as_first() {
	rm -f out err
	timeout -k 1 60 unshare -pf --mount-proc "$run" "$@" >out 2>err
	status=$?
	out=$(cat out)
	err=$(cat err)
}
as_first sh -c 'echo $PPID; exit 7'
same 'as PID 1: exit status' '7 1' "$status $out"
as_first sh -c 'kill -9 $$'
same 'as PID 1: a signal' 137 $status
as_first sh -c '(setsid sleep 0.01 &); sleep 1000 & until [ "$(ls -d /proc/[0-9]* | wc -l)" -le 6 ]; do sleep 0.01; done; exit 3'
same 'as PID 1: orphans are reaped' 3 $status
as_first --grace 1h sh -c '(setsid sleep 1000 &); exit 8'
same 'as PID 1: the rest is stopped' 8 $status
as_first sh -c 'trap "exit 9" TERM; kill -TERM 1; while :; do sleep 0.02; done'
same 'as PID 1: SIGTERM reaches the program' 9 $status
as_first -r SEGV:TERM sh -c 'trap "exit 9" TERM; kill -SEGV 1; while :; do sleep 0.02; done'
same 'as PID 1: SIGSEGV is forwarded' 9 $status
same 'as PID 1 without /proc: the rest is stopped' 8 "$(timeout 60 unshare -pfm sh -c \
	'mount -t tmpfs none /proc && exec "$@"' sh "$run" --grace 1h sh -c '(setsid sleep 1000 &); exit 8'; echo $?)"
same 'without /proc, elsewhere: the group is stopped' 8 "$(timeout 60 unshare -m sh -c \
	'mount -t tmpfs none /proc && exec "$@"' sh "$run" -q --grace 1h sh -c 'sleep 1000 & exit 8'; echo $?)"
same 'with a read-only /' "fails${nl}8" "$(timeout 60 unshare -m sh -c \
	'mount -o remount,bind,ro / && exec "$@"' sh "$run" sh -c 'touch /pidring-init-test || echo fails; exit 8' 2>/dev/null; echo $?)"
same 'as PID 1 like tini' 4 "$(timeout 60 unshare -pf --mount-proc "$run" --like tini sh -c '(setsid sleep 1000 &); exit 4'; echo $?)"

# --- less power ---

# given WHAT EXPECTED OPTION ... -- COMMAND ...
given() {
	what=$1
	expected=$2
	shift 2
	go "$@"
	same "$what" "$expected" "$out$err"
}
given '--user: a name' '65534 65534 65534' --user nobody sh -c 'echo $(id -u) $(id -g) $(id -G)'
given '--user: user and group' '1234 5678' --user 1234:5678 sh -c 'echo $(id -u) $(id -g)'
given '--user: a group by name' '1 8' --user daemon:mail sh -c 'echo $(id -u) $(id -g)'
given '--user sets HOME' '/nonexistent' --user nobody sh -c 'echo $HOME'
given '--groups' '8 9 34' --user nobody:mail --groups news,34 sh -c 'id -G'
given '--groups: none' 0 --groups '' sh -c 'id -G'
given '--cap-keep' '0000000000000400 0000000000000400' --cap-keep cap_net_bind_service \
	sh -c 'sed -n "s/^Cap\(Eff\|Bnd\):[[:space:]]*//p" /proc/$$/status | tr "\n" " " | sed "s/ $//"'
given '--cap-keep goes with --user' '0000000000000400 65534' --user nobody --cap-keep cap_net_bind_service \
	sh -c 'echo $(sed -n "s/^CapEff:[[:space:]]*//p" /proc/$$/status) $(id -u)'
go --cap-drop cap_chown,cap_kill sh -c 'sed -n "s/^CapBnd:[[:space:]]*//p" /proc/$$/status'
same '--cap-drop' 0 $((0x$out & 0x21))
given '--capabilities' 0000000000002000 --user nobody --capabilities '^cap_net_raw' \
	sh -c 'sed -n "s/^CapAmb:[[:space:]]*//p" /proc/$$/status'
given '--no-new-privs' 1 --no-new-privs sh -c 'sed -n "s/^NoNewPrivs:[[:space:]]*//p" /proc/$$/status'
given '--rlimit' '100 200' --rlimit nofile=100:200 sh -c 'echo $(ulimit -Sn) $(ulimit -Hn)'
given '--rlimit: unlimited, several' 'unlimited 7' --rlimit core=unlimited --rlimit cpu=7 sh -c 'echo $(ulimit -c) $(ulimit -t)'
given '--nice' 5 --nice 5 nice
given '--oom-score' 300 --oom-score 300 cat /proc/self/oom_score_adj
# Instructions: allow everything but uname(2), which fails with 99.
if [ "$(uname -m)" = x86_64 ]; then
	printf '\040\0\0\0\0\0\0\0\025\0\0\001\077\0\0\0\006\0\0\0\143\0\005\0\006\0\0\0\0\0\377\177' >filter
	go --seccomp filter uname
	same '--seccomp' 1 $status
	go --seccomp filter --no-new-privs --user nobody true
	same '--seccomp lets the rest through' 0 $status
fi

# --- a place of its own ---

given '--namespaces pid: it is PID 1 there' 1 --namespaces pid sh -c 'echo $$'
given '--private-proc' 1 --private-proc sh -c 'cat /proc/sys/kernel/ns_last_pid >/dev/null; readlink /proc/self/../1/exe | wc -l'
given '--hostname' islet --hostname islet uname -n
for pair in mount:mnt net:net uts:uts ipc:ipc cgroup:cgroup; do
	go --namespaces ${pair%:*} readlink /proc/self/ns/${pair#*:}
	same "--namespaces ${pair%:*}" different "$([ "$out" != "$(readlink /proc/self/ns/${pair#*:})" ] && echo different)"
done
given '--namespaces user: an ordinary user is root' 0 --namespaces user id -u
go --read-only sh -c ': >/pidring-init-test'
same '--read-only' 2 $status
holds '--read-only: says so' '*ead-only*' "$err"
given '--tmpfs' '/mnt tmpfs' --tmpfs /mnt:size=64k sh -c 'awk "\$2 == \"/mnt\" { print \$2, \$3 }" /proc/self/mounts'
mkdir -p "$directory/shown"
echo text >"$directory/shown/file"
given '--mount' text --mount "$directory/shown:/mnt:ro,nosuid" cat /mnt/file
go --mount "$directory/shown:/mnt:ro" sh -c ': >/mnt/other'
same '--mount: ro' 2 $status
given '--read-only and --tmpfs' yes --read-only --tmpfs /mnt sh -c ': >/mnt/file && echo yes'
if command -v busybox >/dev/null; then
	mkdir -p "$directory/root/bin" "$directory/root/etc"
	cp "$(command -v busybox)" "$directory/root/bin/sh"
	echo 'islander:x:777:778::/home/islander:/bin/sh' >"$directory/root/etc/passwd"
	echo 'islanders:x:779:' >"$directory/root/etc/group"
	given '--root' '/ bin' --root "$directory/root" sh -c 'echo $PWD $(cd / && echo b*)'
	given '--root with --namespaces mount' '/ bin' --root "$directory/root" --namespaces mount sh -c 'echo $PWD $(cd / && echo b*)'
	go --root "$directory/root" --user islander:islanders --env X=1 sh -c 'echo $HOME $X'
	same '--root: users and groups of its files' '/home/islander 1' "$out$err"
	# Links that would lead to the files of this system lead to those of the root, or nowhere.
	mkdir "$directory/root/outside"
	mv "$directory/root/etc/group" "$directory/root/outside/group"
	ln -s /outside/group "$directory/root/etc/group"
	given '--root: a link to a file of its own' '/home/islander' --root "$directory/root" --user islander:islanders \
		sh -c 'echo $HOME'
	echo 'strangers:x:780:' >"$directory/strangers"
	ln -sf "$directory/strangers" "$directory/root/etc/group"
	go --root "$directory/root" --user islander:strangers sh -c 'echo ran'
	same '--root: a link that leaves it' '125 ' "$status $out"
	holds '--root: a link that leaves it: no such group' '*--user: there is no group*strangers*' "$err"
else
	skip '--root: no busybox to put into one'
fi

given 'with a pid namespace LISTEN_PID is 1' 1 sh -c 'LISTEN_PID=$$ exec "$@"' sh "$run" --namespaces pid sh -c 'echo $LISTEN_PID'

mount_of_cgroup=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
if [ -n "$mount_of_cgroup" ] && [ -w "$mount_of_cgroup/cgroup.procs" ]; then
	name=pidring-init-test-$$
	go --cgroup "/$name" sed -n 's/^0:://p' /proc/self/cgroup
	same '--cgroup: the program is in it' "/$name" "$out"
	same '--cgroup: it is removed at the end' '' "$(ls -d "$mount_of_cgroup/$name" 2>/dev/null)"
	go --cgroup "/$name" --cgroup-set cgroup.max.depth=3 cat "$mount_of_cgroup/$name/cgroup.max.depth"
	same '--cgroup-set' 3 "$out"
	go --cgroup "/$name" --grace 100ms sh -c 'trap "" TERM; (setsid sleep 1000 &); exit 3'
	same '--cgroup: everybody in it is ended' '3 ' "$status $(ls -d "$mount_of_cgroup/$name" 2>/dev/null)"
	go --cgroup "/$name" --cgroup-set no.such=1 true
	same '--cgroup-set: no such file' 125 $status
	same '--cgroup-set: nothing is left then' '' "$(ls -d "$mount_of_cgroup/$name" 2>/dev/null)"
	go --cgroup "/no-such-parent/$name" true
	same '--cgroup: no such parent' 125 $status
else
	skip '--cgroup: no control groups of version 2 that can be written to'
fi

finish
