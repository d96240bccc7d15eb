#!/usr/bin/env python3
"""Half of the peak for long, with segments rolling, old ones going, and a reader of the backlog: what are the worst latencies?

  ./dev bench soak [--minutes 30] [--json]

A fresh broker on an empty folder; a minute at full load finds its peak, which is the disk's as soon as its caches and the append buffer are full. Then messages of 1 KiB come at half of it, while another client reads the topic from
its oldest message on, again and again, a quarter as fast. The log is kept at about --keep by cleanFileForciblyEnable, so that its oldest segments go all the time.
Goals: p99.9 of a send at most 2 ms, no round of a shard above 16 ms (the buckets are powers of two; 8.4 ms is told too), no errors.
"""
import argparse
import json
import math
import pathlib
import shutil
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / 'tests'))
sys.path.insert(0, str(ROOT / 'bench'))
import bench_load  # noqa: E402
import metrics_page  # noqa: E402
from peers import ringmq  # noqa: E402
from peers.process import free_port  # noqa: E402

TOPIC, QUEUES = 'Soak', 8
P999_GOAL_US = 2000
SECONDS_PER_READ = 5


def bench(server, mode, *arguments):
    return bench_load.run(server, TOPIC, mode, '-q', QUEUES, *arguments, failures=True)


class Reader(threading.Thread):
    """Reads from the oldest message on, in pieces with pauses between them, until told to stop."""

    def __init__(self, server, rate):
        super().__init__(daemon=True)
        self.server, self.piece = server, int(rate * SECONDS_PER_READ)
        self.messages, self.failures, self.stopping = 0, [], threading.Event()

    def run(self):
        while not self.stopping.is_set():
            begin = time.monotonic()
            try:
                self.messages += bench(self.server, 'consume', '-c', 1, '-m', self.piece)['messages']
            except (RuntimeError, KeyError, ValueError) as error:
                self.failures.append(str(error))
            self.stopping.wait(max(0.0, SECONDS_PER_READ - (time.monotonic() - begin)))


def room(folder, keep):
    """The percentage of the disk that is in use with `keep` bytes more than now."""
    usage = shutil.disk_usage(folder)
    return max(30, math.ceil(100 * (usage.used + keep) / usage.total))


def ticks_above(before, after, limit):
    """Rounds of shards that took longer than the limit of that bucket, of those between two readings."""
    def count(samples):
        return (metrics_page.total(samples, 'ringmq_reactor_tick_seconds_count') -
                metrics_page.total(samples, 'ringmq_reactor_tick_seconds_bucket', le=limit))
    return int(count(after) - count(before))


def soak(options, folder):
    page = free_port()
    server = ringmq.Standalone(folder, mappedFileSizeCommitLog=64 << 20, metricsListen=f'127.0.0.1:{page}', cleanFileForciblyEnable='true',
                               diskSpaceCleanForciblyRatio=room(folder, options.keep << 30), diskSpaceWarningLevelRatio=95, diskMaxUsedSpaceRatio=30)
    server.start()
    try:
        peak = bench(server, 'produce', '-c', 4, '-i', 64, '--warmup', 30, '-d', 30)['messagesPerSecond']
        rate = int(peak / 2)
        print(f'peak {peak:,.0f} messages/s; {options.minutes} minutes at {rate:,}/s', file=sys.stderr, flush=True)
        reader = Reader(server, rate / 4)
        reader.start()
        before = metrics_page.read(page)
        sent = bench(server, 'produce', '-c', 4, '-r', rate, '--warmup', 5, '-d', int(options.minutes * 60))
        after = metrics_page.read(page)
        reader.stopping.set()
        reader.join(120)
    finally:
        server.stop()
    begin, end = (metrics_page.total(samples, 'ringmq_log_begin_bytes') for samples in (before, after))
    stages = {stage: metrics_page.quantile(before, after, 'ringmq_stage_seconds', 0.999, stage=stage)
              for stage in ('receive', 'decode', 'hand_over', 'append', 'write', 'flush', 'acknowledge', 'send')}
    return {'peak': peak, 'rate': rate, 'minutes': options.minutes, 'sent': sent['messages'], 'errors': sent['errors'] + sent['outOfOrder'],
            'latencyUs': sent['latencyUs'], 'read': reader.messages, 'readFailures': len(reader.failures), 'readFailure': (reader.failures or [''])[0],
            'deletedMiB': int((end - begin) / 2**20), 'ticksAbove8ms': ticks_above(before, after, '0.008388608'), 'ticksAbove16ms': ticks_above(before, after, '0.016777216'),
            'residentMiB': sent.get('brokerResidentMiB'), 'brokerCpuUsPerMessage': sent.get('brokerCpuUsPerMessage'),
            'stageP999Us': {stage: value and value * 1e6 for stage, value in stages.items()}}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--minutes', type=float, default=30)
    parser.add_argument('--keep', type=int, default=6, help='GiB of log that are kept')
    parser.add_argument('--folder', help='where the data folder is made: the disk under test')
    parser.add_argument('--json', action='store_true')
    options = parser.parse_args()
    ringmq.DEFAULTS = {'brokerIP1': '127.0.0.1'}
    ringmq.shards = None
    folder = pathlib.Path(tempfile.mkdtemp(prefix='ringmq-soak-', dir=options.folder))
    try:
        result = soak(options, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if options.json:
        print(json.dumps(result))
    else:
        for name, value in result.items():
            print(f'{name:24} {value:,.1f}' if isinstance(value, float) else f'{name:24} {value}')
    misses = [text for wrong, text in (
        (result['errors'], 'sends failed'),
        (result['readFailures'], 'the reader of the backlog failed'),
        (not result['deletedMiB'], 'no segment was deleted: --keep is more than what was sent'),
        (result['latencyUs']['p999'] > P999_GOAL_US, f'p99.9 is above {P999_GOAL_US} us'),
        (result['ticksAbove16ms'], 'a shard was busy for more than 16 ms at a time')) if wrong]
    for text in misses:
        print('goal missed:', text, file=sys.stderr)
    return 1 if misses else 0


if __name__ == '__main__':
    sys.exit(main())
