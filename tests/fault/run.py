#!/usr/bin/env python3
"""Crashes the server under test, cuts its power, breaks its disk and feeds it nonsense.

  run.py [--server ringmq|rocketmq] [--binary PATH] [--seed N] [--rounds N] [--full] [--soak HOURS] [--only TEXT]... [--list] [--keep] [-v]

A failure names the command that runs it again. Tests that need what is not here (root, FUSE, loop devices, control groups) are skipped with the
reason, and counted. --server rocketmq runs what is comparable against the real Apache RocketMQ 5.3.3 and measures where RingMQ is judged.
docs/RELIABILITY.md has the list and the figures. Those of BESIDE run first, three at a time.
"""
import argparse
import pathlib
import random
import signal
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from fault import (allocations, bad_input, confinement, damage, delayed, disk_errors, hostile, kill, limits, metadata_cut,  # noqa: E402
                   others, pauses, power_cut, restart, transactional)
from interop import harness, runner  # noqa: E402
from peers import ringmq, rocketmq  # noqa: E402


# Rounds of each test: in CI, and before a release (--full).
ROUNDS = {
    'kill_async_flush': (30, 200),
    'kill_sync_flush': (30, 200),
    'kill_while_waiting': (6, 20),
    'kill_in_transactions': (10, 200),
    'restart_with_backlog': (1, 10),  # GiB
    'restart_with_many_queues': (500, 10_000),  # thousands of messages
    'power_cut_sync_flush': (50, 1000),
    'power_cut_async_flush': (20, 200),
    'power_cut_while_recovering': (10, 100),
    'power_cut_in_operations': (1, 20),
    'failed_writes': (8, 400),  # half of them flushes
    'failed_reads': (5, 100),
    'no_space': (3, 50),
    'stopped_disk': (3, 6),
    'flipped_bits': (40, 10_000),
    'damaged_files': (25, 200),
    'memory_limit': (1, 10),
    'refused_allocations': (16, 1000),
    'stopped_process': (4, 100),
    'clock_steps': (6, 100),
    'nameservers_lost': (2, 50),
    'consumers_killed': (3, 100),
    # Not rounds, but peers or seconds:
    'idle_peers': (2000, 10_000),
    'slowloris': (2000, 10_000),
    'frames_of_strangers': (200, 200),
    'announced_lengths': (500, 2000),
    'connection_flood': (3, 60),
    'deaf_readers': (40, 200),
    'overload': (4, 300),
    'metrics_page': (1, 1),
}


# Which run beside each other (interop/lanes.py): none that judges how late something is by less than a second. Of two with a disk of their own one waits for the other.
DISK = 'a disk'
BESIDE = {
    'kill_async_flush': None, 'kill_sync_flush': None, 'kill_while_waiting': None, 'kill_in_transactions': None, 'power_cut_sync_flush': DISK,
    'power_cut_while_recovering': DISK, 'power_cut_in_operations': DISK, 'failed_reads': DISK, 'flipped_bits': None, 'damaged_files': None, 'consumers_killed': None, 'refused_allocations': None,
}


def all_tests(options):
    """(name, function of the context) of each test, with its rounds and its seed."""
    seed = options.seed

    def sized(name, function, *arguments):
        rounds = options.rounds or ROUNDS[name][options.full]
        return again(name, lambda context: function(context, *arguments, rounds, seed), f'--seed {seed} --rounds {rounds}')

    def again(name, function, how=''):
        command = ['./dev test --fault --', *([how] if how else []), '--only', name]
        command += ['--server', options.server] if options.server != 'ringmq' else []

        def run(context):
            return function(context)
        run.again, run.beside, run.uses = ' '.join(command), name in BESIDE, BESIDE.get(name)
        return name, run
    return [
        sized('kill_async_flush', kill.kill_under_load, '5.3.3', 'ASYNC_FLUSH'),
        sized('kill_sync_flush', kill.kill_under_load, '4.9.7', 'SYNC_FLUSH'),
        sized('kill_while_waiting', delayed.kill_while_waiting),
        sized('kill_in_transactions', transactional.kill_in_transactions),
        sized('restart_with_backlog', restart.with_backlog),
        sized('restart_with_many_queues', restart.with_many_queues),
        sized('power_cut_sync_flush', power_cut.sync_flush),
        sized('power_cut_async_flush', power_cut.async_flush),
        sized('power_cut_while_recovering', power_cut.chains),
        sized('power_cut_in_operations', metadata_cut.at_each_flush),
        sized('failed_writes', disk_errors.failed_writes),
        sized('failed_reads', disk_errors.failed_reads),
        sized('no_space', disk_errors.no_space),
        sized('stopped_disk', disk_errors.stopped_disk),
        sized('flipped_bits', damage.flipped_bits),
        sized('damaged_files', damage.damaged_files),
        sized('memory_limit', limits.memory_limit),
        sized('refused_allocations', allocations.refused_allocations),
        sized('stopped_process', pauses.stopped_process),
        sized('clock_steps', pauses.clock_steps),
        sized('nameservers_lost', others.nameservers_lost),
        sized('consumers_killed', others.consumers_killed),
        sized('idle_peers', hostile.idle_peers),
        sized('slowloris', hostile.slowloris),
        sized('frames_of_strangers', hostile.frames_of_strangers),
        sized('announced_lengths', hostile.announced_lengths),
        sized('connection_flood', hostile.connection_flood),
        sized('deaf_readers', hostile.deaf_readers),
        sized('overload', hostile.overload),
        sized('metrics_page', hostile.metrics_page),
        *(again(*one) for one in (*bad_input.TESTS, *confinement.TESTS))]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--server', choices=('ringmq', 'rocketmq'), default='ringmq')
    parser.add_argument('--binary', type=pathlib.Path, default=ringmq.binary, help='the ringmq to test')
    parser.add_argument('--seed', type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument('--rounds', type=int, help='of each test that has rounds')
    parser.add_argument('--full', action='store_true', help='as many rounds as a release needs, some hours')
    parser.add_argument('--soak', type=float, metavar='HOURS', help='over and over, in any order, with new seeds')
    parser.add_argument('--only', action='append', default=[], help='only tests whose name contains this')
    parser.add_argument('--list', action='store_true')
    parser.add_argument('--keep', action='store_true', help='leave the data and logs in place')
    parser.add_argument('-v', '--verbose', action='store_true')
    options = parser.parse_args()
    tests = all_tests(options)
    tests = [t for t in tests if not options.only or any(o in t[0] for o in options.only)]
    if options.list:
        print('\n'.join(name for name, _ in tests))
        return 0
    if not tests:
        parser.error('no such test')
    # A mounted disk whose FUSE server dies with us keeps its loop device, and each later mount waits for it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    ringmq.binary = options.binary.resolve()
    if options.server == 'ringmq' and not ringmq.binary.exists():
        parser.error(f'{ringmq.binary} is not there: ./dev build')
    for version in harness.VERSIONS:
        rocketmq.setup(version)
    print(f'seed {options.seed}', flush=True)

    def run(these):
        folder = tempfile.mkdtemp(prefix='ringmq-fault-')
        return runner.run_all(options.server, folder, these, options.verbose, options.keep)
    if not options.soak:
        return 1 if run(tests)[0] else 0
    names, failed, skipped, passes = {name for name, _ in tests}, 0, 0, 0
    deadline, rng = time.monotonic() + options.soak * 3600, random.Random(options.seed)
    while time.monotonic() < deadline:
        options.seed = rng.randrange(1 << 32)
        these = [t for t in all_tests(options) if t[0] in names]
        rng.shuffle(these)
        result = run(these)
        failed, skipped, passes = failed + result[0], skipped + result[1], passes + 1
    print(f'{passes} times all of it in {options.soak} h\n{passes * len(names) - failed - skipped} passed, {failed} failed' +
          (f', {skipped} skipped' if skipped else ''))
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
