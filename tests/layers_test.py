#!/usr/bin/env python3
"""The folders are the architecture: this test reads the #include lines and keeps it so.

  - Includes point down only: core <- store, core <- net, net <- nameserver, {store, net} <- broker, {store, net} <- bench,
    all <- main. tests may include anything, bench/micro broker as well; main alone includes bench, and nothing includes main or tests.
  - liburing.h is included by core/uring/ alone.
  - Nothing outside core asks the operating system for time, randomness, disk, network or threads: not by header, not by
    call. Otherwise the simulation would not see it, and one seed would no longer give one history.
  - A header begins with #pragma once, and no file grows beyond 700 lines.

Prints each offence as FILE:LINE: WHY. Before it reads the tree it checks itself against sources that must be flagged
and sources that must not. The last line is 'N passed, N failed'.
"""
import pathlib
import re
import sys

MAY_INCLUDE = {
    "core": {"core"},
    "store": {"core", "store"},
    "net": {"core", "net"},
    "nameserver": {"core", "net", "nameserver"},
    "broker": {"core", "store", "net", "broker"},
    "bench": {"core", "store", "net", "bench"},
    "main": {"core", "store", "net", "nameserver", "broker", "bench", "main"},
}
MAY_INCLUDE["tests"] = set(MAY_INCLUDE) | {"tests"}
MICROBENCHMARKS = ("bench", "micro")  # measure the parts of any folder below main
LINES_MAX = 700

# Headers through which code would get round the Io seam of core.
OS_HEADERS = re.compile(
    r"(unistd|fcntl|poll|pthread|sched|signal|time|dirent|netdb|aio|spawn|ifaddrs|semaphore|threads)\.h"
    r"|(sys|net|netinet|arpa|linux|asm)/.*"
    r"|(chrono|ctime|csignal|random|fstream|filesystem|thread|mutex|shared_mutex|condition_variable|future|semaphore|latch"
    r"|barrier|stop_token)"
    r"|absl/(synchronization|random|debugging)/.*|absl/time/clock\.h")

# The same by name, for what arrives through another header.
OS_CALLS = re.compile(
    r"\b(system_clock|steady_clock|high_resolution_clock|random_device)\b"
    r"|\babsl::(Now|GetCurrentTimeNanos|SleepFor|Mutex|BitGen|InsecureBitGen|LocalTimeZone)\b"
    r"|\bstd::(thread|jthread|mutex|async|this_thread|ifstream|ofstream|fstream|rand|time|filesystem)\b"
    r"|(?<![\w:.>])(::)?(fopen|fsync|fdatasync|pread|pwrite|mmap|munmap|clock_gettime|gettimeofday|getrandom|srand|usleep"
    r"|nanosleep|getaddrinfo|gethostbyname|setsockopt|epoll_create1|popen|execve?|fork)\s*\("
    r"|(?<![\w:>])::(open|openat|read|write|close|socket|bind|listen|accept|connect|send|recv|poll|rename|unlink|stat|time"
    r"|rand|system|getenv)\s*\(")

# What the folders above the seam may use all the same, and why.
ALLOWED = {
    # Reads configuration files and prints before a reactor exists, looks at limits of the process it starts.
    "main": {"fstream", "filesystem", "unistd.h", "sys/resource.h", "sys/stat.h", "sched.h",
             "std::ifstream", "std::ofstream", "std::filesystem", "absl::LocalTimeZone"},
    # Reads CPU time and memory of the broker's process from /proc; never runs inside the simulation.
    "bench": {"fstream", "filesystem", "unistd.h", "std::ifstream", "std::filesystem"},
}
# The yardstick beside which the broker is measured: it must not share the runtime that it measures.
FREE_FILES = {"bench/null_server.cc"}
ONE_FILE_LIBRARIES = {"isa-l.h", "zlib.h"}
RING_USERS = {"tests/unit/core/confinement_test.cc"}  # tries what a confined process can do with a ring that it makes itself
ANYTHING = {"core", "tests"}  # tests need temporary folders, threads and raw sockets

INCLUDE = re.compile(r'^\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)')
NOT_CODE = re.compile(r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])\'', re.DOTALL)


def blank(match):
    """Comments and strings become nothing, their line breaks stay, so that line numbers do."""
    return "\n" * match.group(0).count("\n")


def offences(path, text):
    """[(line number, why)] of one source; `path` is relative to the root of the repository."""
    folder, found = path.parts[0], []
    free = folder in ANYTHING or path.as_posix() in FREE_FILES
    for number, line in enumerate(text.splitlines(), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        header = match.group(1) or match.group(2)
        target = header.split("/")[0]
        if "/" in header and target in MAY_INCLUDE:
            if path.parts[:2] == MICROBENCHMARKS and target == "broker":
                continue
            if target not in MAY_INCLUDE[folder]:
                found.append((number, f"{folder} may not include {target}: includes point down only"))
        elif header == "liburing.h":
            if path.parts[:2] != ("core", "uring") and path.as_posix() not in RING_USERS:
                found.append((number, "liburing.h belongs to core/uring alone"))
        elif match.group(1) and "/" not in header and header not in ONE_FILE_LIBRARIES:
            found.append((number, f'"{header}" is not written from the root of the repository'))
        elif not free and OS_HEADERS.fullmatch(header) and header not in ALLOWED.get(folder, ()):
            found.append((number, f"{header}: only core asks the operating system"))
    if not free:
        code = "\n".join("" if INCLUDE.match(line) else line for line in NOT_CODE.sub(blank, text).splitlines())
        for number, line in enumerate(code.splitlines(), 1):
            for match in OS_CALLS.finditer(line):
                name = match.group(0).rstrip("( \t")
                if name not in ALLOWED.get(folder, ()):
                    found.append((number, f"{name}: only core asks the operating system"))
    if path.suffix == ".h" and "#pragma once" not in text.splitlines()[:40]:
        found.append((1, "a header begins with #pragma once"))
    if text.count("\n") > LINES_MAX:
        found.append((text.count("\n"), f"more than {LINES_MAX} lines: which nouns does it hold?"))
    return found


MUST_BE_FLAGGED = {
    "core/a.cc": '#include "store/log.h"',
    "store/a.cc": '#include "net/frame.h"',
    "net/a.cc": '#include "broker/send.h"',
    "nameserver/a.cc": '#include "store/log.h"',
    "broker/a.cc": '#include "nameserver/table.h"',
    "bench/a.cc": '#include "main/options.h"',
    "bench/b.cc": '#include "broker/send.h"',
    "bench/c.cc": '#include "nameserver/table.h"',
    "bench/micro/a.cc": '#include "main/options.h"',
    "broker/b.cc": '#include "bench/load.h"',
    "main/a.cc": '#include "tests/world.h"',
    "store/b.cc": '#include "log.h"',
    "store/c.cc": "#include <liburing.h>",
    "core/b.cc": '#include "liburing.h"',
    "tests/unit/net/a.cc": "#include <liburing.h>",
    "store/d.cc": "#include <unistd.h>",
    "store/g.cc": '#include "absl/time/clock.h"',
    "net/d.cc": "#include <sys/socket.h>",
    "broker/d.cc": "auto t = std::chrono::steady_clock::now();",
    "broker/e.cc": "const absl::Time now = absl::Now();",
    "store/h.cc": "const absl::TimeZone zone = absl::LocalTimeZone();",
    "store/e.cc": "if (::fsync(fd) != 0) return;",
    "store/f.cc": "int fd = ::open(path, O_RDONLY);",
    "main/b.cc": "#include <sys/socket.h>",
    "net/a.h": "int x;\n",
    "net/e.cc": "\n" * 701,
}
MUST_PASS = {
    "broker/a.cc": '#include "store/log.h"\n#include "net/frame.h"\n#include <vector>\n#include "absl/time/time.h"',
    "bench/a.cc": '#include "store/record.h"\n#include "net/frame.h"',
    "bench/micro/a.cc": '#include "broker/sql/filter.h"',
    "core/uring/a.cc": "#include <liburing.h>\n#include <chrono>\nint fd = ::open(path, O_RDONLY);",
    "store/a.cc": '// std::mutex would be wrong here\nconst char* text = "call fsync(fd)";\nfile.read(3); log->open(4);',
    "store/b.cc": "co_await Segment::open(3); co_await file.fsync(); bool reopen(int); time_t_like time(3);",
    "main/a.cc": '#include <fstream>\n#include "bench/load.h"\nstd::ifstream in(path);',
    "tests/unit/core/confinement_test.cc": "#include <liburing.h>",
    "tests/sim/a.cc": '#include "broker/send.h"\n#include <thread>\nstd::thread t;',
    "net/a.h": "// What it is for.\n#pragma once\n",
}


def check(path, text, want_flagged):
    flagged = offences(pathlib.PurePosixPath(path), text)
    if bool(flagged) != want_flagged:
        print(f"the check itself is wrong about {path}: {text.strip()[:60]!r}: {flagged}")
        return False
    return True


def main():
    checks = [check(path, text, True) for path, text in MUST_BE_FLAGGED.items()]
    checks += [check(path, text, False) for path, text in MUST_PASS.items()]
    results = [all(checks)]
    root = pathlib.Path(__file__).resolve().parent.parent
    for folder in MAY_INCLUDE:
        clean = True
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in (".h", ".cc") and path.is_file():
                for number, why in offences(pathlib.PurePosixPath(path.relative_to(root)), path.read_text()):
                    print(f"{path.relative_to(root)}:{number}: {why}")
                    clean = False
        results.append(clean)
    print(f"{results.count(True)} passed, {results.count(False)} failed")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
