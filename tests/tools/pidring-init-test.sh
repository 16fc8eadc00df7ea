#!/bin/sh
# SPDX-License-Identifier: MIT
# Tests of pidring-init, from outside: its command line, its environment, what it ends with, what its program gets.
#
#     pidring-init-test.sh PATH-OF-PIDRING-INIT
#
# One line for each check that failed, a count at the end, exit status 1 if any failed.

. "$(dirname "$0")/init-helpers.sh"

# --- exit status ---

for code in 0 1 2 77 125 126 127 128 200 255; do
	go sh -c "exit $code"
	same "the program ends with $code" $code $status
done
for signal in 1 2 9 11 15 31 34 61 64; do
	go sh -c "ulimit -c 0; kill -$signal \$\$"
	same "the program is ended by signal $signal" $((128 + signal)) $status
done
same 'nothing is said about it' '' "$err"

go /does/not/exist
same 'no such program: exit status' 127 $status
holds 'no such program: says which' '*/does/not/exist*' "$err"
go no-such-command-anywhere
same 'no such command in PATH' 127 $status
: >plain
go ./plain
same 'a file that may not be run' 126 $status
go "$directory"
same 'a directory' 126 $status
printf '#!/no/interpreter\n' >script
chmod 755 script
go ./script
same 'an interpreter that is missing' 127 $status
holds 'an interpreter that is missing: says so' '*interpreter*' "$err"
printf 'echo "by shell $0 $1"; exit 6\n' >shebangless
chmod 755 shebangless
go ./shebangless a
same 'a script without #! is run by a shell' '6 by shell ./shebangless a' "$status $out"
(PATH=$directory:$PATH && export PATH && timeout 60 "$run" shebangless b >out)
same 'also one found in PATH' "by shell $directory/shebangless b" "$(cat out)"

go -e 143 -e 3 sh -c 'exit 3'
same '-e: an expected code becomes 0' 0 $status
go --expect=3,4 sh -c 'exit 4'
same '-e: a list' 0 $status
go -e 4 sh -c 'exit 3'
same '-e: others stay' 3 $status
go --exit-code 137:8,3:9 sh -c 'kill -9 $$'
same '--exit-code: a signal becomes 8' 8 $status
go --exit-code 0:5 true
same '--exit-code: 0 becomes 5' 5 $status

# --- the command line ---

go sh -c 'echo "$@"' sh -e 5 --help -- x
same 'options end at the program' '-e 5 --help -- x' "$out"
go -- echo -v
same 'options end at --' '-v' "$out"
go --help
same '--help: exit status' 0 $status
holds '--help: to standard output' '*Usage: pidring-init*--grace=TIME*125*' "$out"
for option in --version -V; do
	go $option
	holds "$option: the form that dockerd reads" 'tini version [0-9]*.[0-9]*.[0-9]* - pidring-init' "$out"
done
for option in --license -l -L; do
	go $option
	holds "$option" '*MIT*' "$out"
done

# refused WHAT ARGUMENT ...: exit status 125, a sentence that has WHAT in it, and nothing is run
refused() {
	what=$1
	shift
	go "$@" sh -c 'echo ran'
	same "refused: $*" '125 ' "$status $out"
	holds "refused, with a reason: $*" "pidring-init: *$what*" "$err"
}
go
same 'no program' 125 $status
holds 'no program: says so' '*no program*' "$err"
refused 'try --help' --yolo
refused 'unrecognized' --grac-e=1
refused "invalid option -- 'Z'" --quiet -Zg
refused 'invalid option' -x
refused 'no time' --grace soon
refused 'no time' --grace -1
refused 'no time' --grace 1.
refused 'longer than a year' --grace 10000h
refused 'no exit status' -e 256
refused 'no exit status' -e x
refused 'like 143:0' --exit-code 143
refused 'no exit status' --exit-code 143:-1
refused 'no colon' -r 15
refused 'no signal' -r herp:derp
refused 'no signal' -r 15::12
refused 'no signal' -r 15:65
refused 'no signal' -r TERM:RTMIN+99
refused 'no signal' -r TERM:RTMIN+31
refused 'no signal' -r TERM:NOSUCH+9
refused 'empty' -r ''
refused 'empty' -r 'TERM:INT,'
refused 'no time' -r TERM:INT+x
refused 'never reaches' -r KILL:TERM
refused 'never reaches' -r CHLD:TERM
refused 'must end' -r TERM:INT+forever
refused 'no signal' -p NOSUCH
refused 'no signal' --end-on TERM,NOSUCH
refused 'stop, leave, signal, wait, last' --end sometimes
refused 'child, group, tree' --to everybody
refused 'same, group, session' --place here
refused 'one of its own' -g --place same
refused 'tini, dumb-init' --like systemd
refused 'neither yes nor no' --subreaper=perhaps
refused 'no umask' --umask 8
refused 'no umask' --umask 1777
refused 'NAME=VALUE' --env =x
refused 'no limit' --rlimit nofiles=3
refused 'nofile=1024' --rlimit nofile
refused 'no limit' --rlimit nofile=-3
refused 'from -20 to 19' --nice 20
refused 'no number' --nice x
refused 'from -1000 to 1000' --oom-score 1001
refused 'no namespace' --namespaces pid,moon
refused 'begin at /' --root here
refused 'SOURCE:TARGET' --mount /tmp
refused 'begin at /' --mount /tmp:tmp
refused 'flag of a mount' --mount /tmp:/mnt:rx
refused 'begin at /' --tmpfs mnt
refused 'cannot open' --seccomp /no/filter
refused 'BPF program' --seccomp ./script
refused 'no group' --user 0:no-such-group
refused 'no group' --groups no-such-group
refused 'cannot be written' --status-fd 77
refused 'cannot be written' --ready-fd 0 </dev/null
refused 'no descriptor' --ready-fd x
refused 'needs --cgroup' --cgroup-set memory.max=1
refused '*' --chdir /no/such/directory
refused '--user: there is no user' --user no-such-user
refused '--user: *say --user=UID:GROUP' --user 4294901
refused '--user: there is no group' --user 0:no-such-group
refused '--groups: there is no group' --groups no-such-group
refused '--cap-keep: there is no' --cap-keep cap_no_such
refused '--cap-drop: there is no' --cap-drop cap_no_such
refused '--capabilities: ' --capabilities x
refused 'one of --cap-keep, --cap-drop and' --cap-keep cap_chown --cap-drop cap_kill
refused '--root: ' --root /no/such/root
go --pause true
same 'refused: --pause with a program' 125 $status
go --grace
same 'refused: an option without its argument' 125 $status

# --- the environment ---

PIDRING_INIT_EXIT_CODE='3:4 5:6'
export PIDRING_INIT_EXIT_CODE
go sh -c 'exit 5'
same 'a variable stands for an option, with several values' 6 $status
go --exit-code 5:7 sh -c 'exit 5'
same 'the command line goes before it' 7 $status
go sh -c 'env | grep -c PIDRING_INIT'
same 'the program does not get it' 0 "$out"
PIDRING_INIT_EXIT_CODE=x
go true
same 'a bad value: exit status' 125 $status
holds 'a bad value: says where' '*PIDRING_INIT_EXIT_CODE*' "$err"
unset PIDRING_INIT_EXIT_CODE
PIDRING_INIT_SERVICE_HOST=10.0.0.1 timeout 60 "$run" sh -c 'echo $PIDRING_INIT_SERVICE_HOST' >out 2>err
same 'a variable that stands for no option is left to the program' '0 10.0.0.1' "$? $(cat out)"
holds 'a variable that stands for no option: says which' '*PIDRING_INIT_SERVICE_HOST stands for no option' "$(cat err)"
PIDRING_INIT_PAUSE=no PIDRING_INIT_VERBOSE=2 timeout 60 "$run" true 2>err
holds 'flags and levels' '*has ended with 0*' "$(cat err)"

if command -v python3 >/dev/null; then
	# Only execve(2) itself lets an entry be without a '='.
	cat >bare.py <<'EOT'
import ctypes, sys
def list_of(words):
    return (ctypes.c_char_p * (len(words) + 1))(*[word.encode() for word in words], None)
ctypes.CDLL(None).execve(sys.argv[1].encode(), list_of(sys.argv[1:]),
                         list_of(["PIDRING_INIT_REWRITE", "PIDRING_INIT_GRACE=1s", "KEPT=1"]))
EOT
	same 'a variable without a value' 'KEPT=1 0' "$(timeout 20 python3 bare.py "$run" /usr/bin/env | tr '\n' ' ')$(
		timeout 20 python3 bare.py "$run" /usr/bin/env >out
		echo $?
	)"
else
	skip 'a variable without a value: no python3 to make one'
fi

go --env A=1 --env 'B=x y' --env HOME sh -c 'echo "$A,$B,${HOME-unset}"'
same '--env sets and removes' '1,x y,unset' "$out"
NOTIFY_SOCKET=/nowhere timeout 60 "$run" sh -c 'echo $NOTIFY_SOCKET' >out
same 'NOTIFY_SOCKET is passed on' /nowhere "$(cat out)"

# --- what the program gets ---

mkdir -p here
go --chdir "$directory/here" pwd
same '--chdir' "$directory/here" "$out"
go --umask 027 sh -c umask
same '--umask' 0027 "$out"
(umask 031 && timeout 60 "$run" sh -c umask >out)
same 'the umask is inherited' 0031 "$(cat out)"
go pwd
same 'the working directory is inherited' "$directory" "$out"
(timeout 60 "$run" cat >out <<EOF
some input
EOF
)
same 'standard input is inherited' 'some input' "$(cat out)"

# The two that libc hides are left out: make ignores them, and env cannot change that.
ignored() {
	printf 'SigIgn:\t%016x' $((0x$(sed -n 's/^SigIgn:[[:space:]]*//p' out) & ~0x180000000))
}

env --default-signal --block-signal=TTIN,ILL,TERM --ignore-signal=TTOU,SEGV,INT,CHLD "$run" \
	cat /proc/self/status >out
same 'blocked signals are inherited, and no others' 'SigBlk:	0000000000104008' "$(grep SigBlk out)"
same 'ignored signals are inherited, SIGCHLD too' 'SigIgn:	0000000000210402' "$(ignored)"
env --default-signal --ignore-signal=HUP,RTMIN "$run" sh -c 'exec cat /proc/self/status' >out
same 'ignored signals are inherited without SIGCHLD' 'SigIgn:	0000000200000001' "$(ignored)"
env --default-signal "$run" sh -c 'exec cat /proc/self/status' >out
same 'nothing is blocked or ignored otherwise' 'SigBlk:	0000000000000000 SigIgn:	0000000000000000' \
	"$(grep SigBlk out) $(ignored)"
timeout 20 env --ignore-signal=CHLD "$run" sh -c 'exit 9'
same 'SIGCHLD ignored at the start is no hang' 9 $?

timeout 60 bash -c 'exec 7>seven 200>high; "$@"' bash "$run" sh -c 'echo seven >&7; echo high >/dev/fd/200'
same 'other descriptors are inherited' 'seven high' "$(cat seven) $(cat high)"

# The shell is replaced by the init, which so has the pid that the variables name.
same 'LISTEN_PID and WATCHDOG_PID become the pid of the program' 'mine 3 mine' "$(sh -c \
	'LISTEN_PID=$$ LISTEN_FDS=3 WATCHDOG_PID=$$ exec "$@"' sh "$run" sh -c \
	'[ $LISTEN_PID = $$ ] && echo mine $LISTEN_FDS; [ $WATCHDOG_PID = $$ ] && echo mine' | tr '\n' ' ' | sed 's/ $//')"
same 'so it is with a program that is not there' 127 "$(sh -c 'LISTEN_PID=$$ exec "$@"' sh "$run" /none 2>err; echo $?)"
same 'LISTEN_PID of somebody else stays' 1 "$(LISTEN_PID=1 "$run" sh -c 'echo $LISTEN_PID')"

# --- its manners ---

for name in tini docker-init dumb-init pidring-init; do
	ln -sf "$run" $name
done
same 'called tini: --version' 'tini version' "$(./tini --version | cut -d' ' -f1,2)"
same 'called docker-init: --version' 'tini version' "$(./docker-init --version | cut -d' ' -f1,2)"
same 'called dumb-init: --version, to standard error' 'dumb-init' "$(./dumb-init --version 2>&1 >/dev/null | cut -d' ' -f1)"
./tini -e 999 true 2>err
same 'called tini: its own errors are 1' 1 $?
./dumb-init --yolo true 2>err
same 'called dumb-init: its own errors are 1' 1 $?
same 'called dumb-init: a word that is no option' "dumb-init: unrecognized option '--yolo'; try --help" "$(cat err)"
./pidring-init --like tini --yolo true 2>err
same '--like tini: the same' 1 $?
same 'called dumb-init: a session of its own' same \
	"$(./dumb-init sh -c 'set -- $(cat /proc/$$/stat); [ $6 = $$ ] && echo same')"
same 'called dumb-init -c: the group of its parent' same \
	"$(./dumb-init -c sh -c 'set -- $(cat /proc/$$/stat); group=$5; set -- $(cat /proc/$PPID/stat); [ $group = $5 ] && echo same')"
same 'DUMB_INIT_SETSID=0 is the same' same "$(DUMB_INIT_SETSID=0 ./dumb-init sh -c \
	'set -- $(cat /proc/$$/stat); group=$5; set -- $(cat /proc/$PPID/stat); [ $group = $5 ] && echo same')"
same 'its own: a group of its own' same "$("$run" sh -c 'set -- $(cat /proc/$$/stat); [ $5 = $$ ] && [ $6 != $$ ] && echo same')"
./tini true 2>err
holds 'called tini: says that nobody is reaped without -s' '*-s*' "$(cat err)"
./tini -s true 2>err
same 'called tini -s: says nothing' '' "$(cat err)"
TINI_SUBREAPER= ./tini true 2>err
same 'TINI_SUBREAPER: says nothing' '' "$(cat err)"
TINI_VERBOSITY=0 ./tini true 2>err
same 'TINI_VERBOSITY=0: says nothing' '' "$(cat err)"
DUMB_INIT_DEBUG=1 ./dumb-init true 2>err
holds 'DUMB_INIT_DEBUG=1: says much' '*the program runs as*' "$(cat err)"

finish
