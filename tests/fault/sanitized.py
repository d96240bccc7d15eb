#!/usr/bin/env python3
"""The whole server on the real io_uring in a sanitizer's build: load, kill -9, a restart, a clean end under load. No report may appear.

  sanitized.py BINARY [--seconds N] [--keep]

BINARY is the ringmq of build/asan or build/tsan; it is the server and the load generator too. The last line is 'N passed, N failed'.
"""
import argparse
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from peers import process, ringmq  # noqa: E402

REPORT = re.compile(r'^.*(ERROR: \w+Sanitizer|WARNING: \w+Sanitizer|runtime error: |SUMMARY: \w+Sanitizer|assertion failed).*$', re.MULTILINE)
# A sanitizer ends the process with its own code, or aborts it.
ENVIRONMENT = {
    'ASAN_OPTIONS': 'detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1:exitcode=99',
    'UBSAN_OPTIONS': 'print_stacktrace=1:halt_on_error=1:exitcode=99',
    'TSAN_OPTIONS': 'halt_on_error=1:second_deadlock_stack=1:exitcode=99',
}


class Failure(Exception):
    """What went wrong, for a person."""


class Load:
    """One `ringmq bench` under way."""

    def __init__(self, binary, folder, name, *arguments):
        self.name, self.log = name, folder / f'{name}.out'
        with open(self.log, 'wb') as log:
            self.process = subprocess.Popen([binary, 'bench', *map(str, arguments), '--json', '--quiet'],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)

    def output(self):
        return self.log.read_text(errors='replace')

    def end(self, timeout=120):
        """Its result; Failure when it has none."""
        try:
            code = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise Failure(f'{self.name} still ran after {timeout} s\n{self.output()}') from None
        lines = [line for line in self.output().splitlines() if line.startswith('{')]
        if code != 0 or not lines:
            raise Failure(f'{self.name} ended with code {code}\n{self.output()[-4000:]}')
        return json.loads(lines[-1])

    def abandon(self):
        """It has lost its server: only reports count."""
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def rounds(binary, folder, seconds):
    """Yields (what was done, function)."""
    server = ringmq.Standalone(folder, flushDiskType='ASYNC_FLUSH', mappedFileSizeCommitLog=8 << 20)
    server.daemon.env.update(ENVIRONMENT)
    loads = []

    def load(name, mode, *arguments, topic='sanitized'):
        loads.append(Load(binary, folder, name, mode, '-n', server.namesrv, '-t', topic, '-q', 4, '-c', 4, *arguments))
        return loads[-1]

    def everything(number):
        produce = load(f'produce-{number}', 'produce', '-i', 16, '-s', 1000, '--warmup', 0, '-d', seconds)
        batches = load(f'batches-{number}', 'produce', '-i', 4, '--batch', 8, '--warmup', 0, '-d', seconds, topic='batches')
        latency = load(f'latency-{number}', 'latency', '-r', 200, '--warmup', 0, '-d', seconds, topic='latency')
        return produce, batches, latency

    def start():
        server.daemon.start(timeout=60)

    def under_load():
        results = [one.end() for one in everything(1)]
        if not all(result.get('messages', 0) > 0 for result in results):
            raise Failure(f'nothing was sent: {results}')

    def drain(number, timeout=120):
        return load(f'consume-{number}', 'consume', '-i', 4, '--warmup', 0, '-d', 30).end(timeout)

    def kill_under_load():
        under_way = everything(2)
        time.sleep(seconds / 2)
        server.kill()
        for one in under_way:
            one.abandon()
        server.daemon.start(timeout=60)
        drain(2)

    def stop_under_load():
        under_way = everything(3)
        time.sleep(seconds / 2)
        took = server.stop()
        code = server.daemon.process.returncode
        for one in under_way:
            one.abandon()
        if code != 0:
            raise Failure(f'the server ended with code {code} after {took:.1f} s\n{server.daemon.output()[-6000:]}')

    def no_reports():
        texts = {'the server': pathlib.Path(server.daemon.log).read_text(errors='replace'),
                 **{one.name: one.output() for one in loads}}
        for name, text in texts.items():
            found = REPORT.search(text)
            if found:
                raise Failure(f'{name}: {text[max(0, found.start() - 500):found.start() + 8000]}')

    try:
        yield 'starts', start
        yield 'serves producers, batches and waiting consumers', under_load
        yield 'serves a backlog', lambda: drain(1)
        yield 'comes back after kill -9 under load', kill_under_load
        yield 'ends in order under load', stop_under_load
        yield 'no sanitizer has anything to say', no_reports
    finally:
        server.kill()
        for one in loads:
            one.process.kill()
            one.process.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('binary', type=pathlib.Path)
    parser.add_argument('--seconds', type=float, default=6, help='of each load')
    parser.add_argument('--keep', action='store_true', help='leave the data and logs in place')
    options = parser.parse_args()
    ringmq.binary = options.binary.resolve()
    ringmq.extra_arguments = ['--memory', '512M']
    os.environ.update(ENVIRONMENT)
    folder = pathlib.Path(tempfile.mkdtemp(prefix='ringmq-sanitized-'))
    passed = failed = 0
    steps = rounds(ringmq.binary, folder, options.seconds)
    for name, step in steps:
        begin = time.monotonic()
        try:
            step()
        except (Failure, process.StartError) as error:
            failed += 1
            print(f'FAILED {name}: {error}', flush=True)
            continue
        passed += 1
        print(f'ok     {name} ({time.monotonic() - begin:.1f} s)', flush=True)
    if options.keep or failed:
        print(f'left in {folder}')
    else:
        shutil.rmtree(folder)
    print(f'{passed} passed, {failed} failed')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
