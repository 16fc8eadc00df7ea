# SPDX-License-Identifier: MIT
# gnuplot -c bench/plot.gp POINTS DIRECTORY: draws the plots from what `suite --points POINTS` has written.
#
#   DIRECTORY/first.svg     how the times until the first instruction are distributed
#   DIRECTORY/reaped.svg    the same from start to reaped
#   DIRECTORY/memory.svg    the cost of a start against the memory of the caller
#
# The background is white, so that they can be read on light and on dark pages.

points = ARG1
directory = ARG2

set terminal svg size 1000,460 font "sans-serif,13" background rgb "white"
set datafile separator tab
# A line goes on over the points that another contender has.
set datafile missing NaN

set border 3 linecolor rgb "#404040"
set grid linecolor rgb "#dddddd" linetype 1
set tics nomirror textcolor rgb "#404040"
set key outside bottom center horizontal Left reverse samplen 2.2 width 2 maxcols 2 textcolor rgb "#202020"
set bmargin 6.5
set tmargin 4
set logscale x 10

# The same colour for the same method in all plots: warm ones for libc, blue and green for pidring, grey for Python.
libc_fork = "#d55e00"
libc_spawn = "#e69f00"
libc_vfork = "#b5659a"
own_fork = "#7a5bd0"
own_exec = "#3fa0dd"
own_server = "#0b5cad"
own_parked = "#00875f"
python_fork = "#555555"
python_server = "#999999"

is(row, contender) = strcol(1) eq row && strcol(2) eq contender
microseconds(row, contender) = is(row, contender) ? $7 / 1000.0 : NaN
share(row, contender) = is(row, contender) ? $6 : NaN

# --- distributions ---

set xtics ("1 µs" 1, "10 µs" 10, "100 µs" 100, "1 ms" 1000, "10 ms" 10000, "100 ms" 100000)
set xrange [5:20000]
set ylabel "share of starts that took at most so long"
set yrange [0:100]
set ytics 25 format "%g %%"

do for [measure in "first reaped"] {
	what = measure eq "first" ? "until the child's first instruction" : "from start to reaped"
	function = "method-function-".measure."-one-core"
	program = "method-program-".measure."-one-core"
	set output directory."/".measure.".svg"
	set multiplot layout 1,2 title "Time ".what.", small caller, one core" font ",16" offset 0,-0.3

	set title "a function that returns at once"
	plot points every ::1 using (microseconds(function, "fork")):(share(function, "fork")) \
			with lines linewidth 2 linecolor rgb libc_fork title "fork", \
		"" every ::1 using (microseconds(function, "pidring-fork")):(share(function, "pidring-fork")) \
			with lines linewidth 2 linecolor rgb own_fork title "pidring fork", \
		"" every ::1 using (microseconds(function, "pidring-forkserver")):(share(function, "pidring-forkserver")) \
			with lines linewidth 2.5 linecolor rgb own_server title "pidring forkserver", \
		"" every ::1 using (microseconds(function, "pidring-parked")):(share(function, "pidring-parked")) \
			with lines linewidth 2.5 linecolor rgb own_parked title "pidring parked", \
		"" every ::1 using (microseconds(function, "python-fork")):(share(function, "python-fork")) \
			with lines linewidth 2 dashtype 2 linecolor rgb python_fork title "Python fork", \
		"" every ::1 using (microseconds(function, "python-forkserver")):(share(function, "python-forkserver")) \
			with lines linewidth 2 dashtype 2 linecolor rgb python_server title "Python forkserver"

	set title "a program without libc that ends at once"
	plot points every ::1 using (microseconds(program, "posix_spawn")):(share(program, "posix_spawn")) \
			with lines linewidth 2 linecolor rgb libc_spawn title "posix\\_spawn", \
		"" every ::1 using (microseconds(program, "vfork")):(share(program, "vfork")) \
			with lines linewidth 2 linecolor rgb libc_vfork title "vfork", \
		"" every ::1 using (microseconds(program, "fork")):(share(program, "fork")) \
			with lines linewidth 2 linecolor rgb libc_fork title "fork", \
		"" every ::1 using (microseconds(program, "pidring-exec")):(share(program, "pidring-exec")) \
			with lines linewidth 2.5 linecolor rgb own_exec title "pidring exec", \
		"" every ::1 using (microseconds(program, "pidring-forkserver")):(share(program, "pidring-forkserver")) \
			with lines linewidth 2.5 linecolor rgb own_server title "pidring forkserver", \
		"" every ::1 using (microseconds(program, "pidring-parked")):(share(program, "pidring-parked")) \
			with lines linewidth 2.5 linecolor rgb own_parked title "pidring parked"
	unset multiplot
}

# --- cost against memory ---

# A small caller has no place on a logarithmic axis: it stands where it would be with 64 MiB.
small = 64
memory(megabytes) = megabytes > 0 ? megabytes : small
is_kind(kind, measure) = strcol(1)[1:strlen("method-".kind."-".measure)] eq "method-".kind."-".measure
# The medians with few descriptors, on one core.
chosen(kind, measure, contender) = is_kind(kind, measure) && strcol(2) eq contender && $3 == 1 && $4 < 100 && $6 == 50
size(kind, measure, contender) = chosen(kind, measure, contender) ? memory($5) : NaN
cost(kind, measure, contender) = chosen(kind, measure, contender) ? $7 / 1000.0 : NaN

unset ylabel
set xrange [48:3000]
set xtics ("small" small, "256 MiB" 256, "1 GiB" 1024, "2 GiB" 2048)
set yrange [3:300000]
set logscale y 10
set ytics ("1 µs" 1, "10 µs" 10, "100 µs" 100, "1 ms" 1000, "10 ms" 10000, "100 ms" 100000)
set output directory."/memory.svg"
set multiplot layout 1,2 title "Starts against the resident memory of the caller, medians, one core (posix\\_spawn: a program, the others: a function)" font ",14" offset 0,-0.3
do for [measure in "blocked reaped"] {
	set title measure eq "blocked" ? "until start returns to the caller" : "from start to reaped"
	plot points every ::1 using (size("function", measure, "fork")):(cost("function", measure, "fork")) \
			with linespoints pointtype 7 pointsize 0.6 linewidth 2 linecolor rgb libc_fork title "fork", \
		"" every ::1 using (size("program", measure, "posix_spawn")):(cost("program", measure, "posix_spawn")) \
			with linespoints pointtype 7 pointsize 0.6 linewidth 2 linecolor rgb libc_spawn title "posix\\_spawn", \
		"" every ::1 using (size("function", measure, "pidring-forkserver")):(cost("function", measure, "pidring-forkserver")) \
			with linespoints pointtype 7 pointsize 0.6 linewidth 2.5 linecolor rgb own_server title "pidring forkserver", \
		"" every ::1 using (size("function", measure, "pidring-parked")):(cost("function", measure, "pidring-parked")) \
			with linespoints pointtype 7 pointsize 0.6 linewidth 2.5 linecolor rgb own_parked title "pidring parked", \
		"" every ::1 using (size("function", measure, "python-fork")):(cost("function", measure, "python-fork")) \
			with linespoints pointtype 7 pointsize 0.6 linewidth 2 dashtype 2 linecolor rgb python_fork title "Python fork", \
		"" every ::1 using (size("function", measure, "python-forkserver")):(cost("function", measure, "python-forkserver")) \
			with linespoints pointtype 7 pointsize 0.6 linewidth 2 dashtype 2 linecolor rgb python_server title "Python forkserver"
}
unset multiplot
