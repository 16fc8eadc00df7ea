# SPDX-License-Identifier: MIT
"""Measures starts of multiprocessing's Process, one for each byte that comes on stdin (see python.c).

Answers with three times in nanoseconds, each from before the Process is constructed: until start() returns, until
the target runs its first line, until the process is joined.
"""
import mmap
import multiprocessing
import multiprocessing.forkserver
import os
import resource
import struct
import sys
import time

MODULE = "python_contender"
METHODS = {b"f": "fork", b"s": "forkserver"}


def take_moment(path):
    """The target. A child of the forkserver inherits nothing, so the file goes by its name."""
    now = time.monotonic_ns()
    descriptor = os.open(path, os.O_WRONLY)
    os.pwrite(descriptor, struct.pack("q", now), 0)
    os.close(descriptor)


def measure(context, moment, path):
    os.pwrite(moment, bytes(8), 0)
    begin = time.monotonic_ns()
    process = context.Process(target=take_moment, args=(path,))
    process.start()
    blocked = time.monotonic_ns()
    process.join()
    reaped = time.monotonic_ns()
    (first,) = struct.unpack("q", os.pread(moment, 8, 0))
    if process.exitcode != 0 or first == 0:
        sys.exit("suite: Python's process did not do its work")
    process.close()
    return struct.pack("qqq", blocked - begin, first - begin, reaped - begin)


def open_descriptors(count):
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    first = os.open("/dev/null", os.O_RDWR)
    for _ in range(count - 1):
        os.dup(first)


def touch_memory(megabytes):
    """As touch_memory in environment.c: private, in pages of the base size."""
    memory = mmap.mmap(-1, megabytes << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    memory.madvise(mmap.MADV_NOHUGEPAGE)
    for offset in range(0, len(memory), mmap.PAGESIZE):
        memory[offset] = 1
    return memory


def main():
    megabytes, descriptors = int(sys.argv[1]), int(sys.argv[2])
    multiprocessing.set_forkserver_preload([MODULE])
    multiprocessing.forkserver.ensure_running()
    moment = os.memfd_create("moment")
    path = "/proc/%d/fd/%d" % (os.getpid(), moment)
    contexts = {key: multiprocessing.get_context(name) for key, name in METHODS.items()}
    if descriptors > 0:
        open_descriptors(descriptors)
    memory = touch_memory(megabytes) if megabytes > 0 else None
    os.write(1, b"r")
    while request := os.read(0, 1):
        os.write(1, measure(contexts[request], moment, path))
    del memory
