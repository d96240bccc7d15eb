#!/usr/bin/env python3
"""RingMQ beside the real Apache RocketMQ and beside the limit: the same load on all, alternating, in one run.

Each round starts a fresh broker of each kind on an empty folder, one after the other, and puts the same loads on it with
`ringmq bench`. The limit is `ringmq bench null`, a server that answers each request and stores nothing: what sockets and load generator
allow at most. Figures are medians over the rounds; every row ends with their ratios. The machine's noise hits all. A load with
failed requests keeps its figures and gets a row that counts the failures; errors of RingMQ fail the run.

Before the first measured load of each broker it is warmed up with the same kind of load, so that the JVM has compiled what is hot.

  compare.py [--rounds 3] [--seconds 8] [--warmup 15] [--version 5.5.0] [--only NAME ...] [--json] [--markdown]
"""
import argparse
import json
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / 'tests'))
from peers import ringmq, rocketmq  # noqa: E402
from peers.process import Daemon, free_port  # noqa: E402

SYNC = {'flushDiskType': 'SYNC_FLUSH'}
# name, what `ringmq bench` is told, broker settings, [(figure, unit, key in the result, better, wanted ratio to RocketMQ or None,
# wanted share of the limit (for latencies: at most this many times the limit's) or None)]
THROUGHPUT = ('throughput', 'messages/s', ('messagesPerSecond',), 'more')
CPU = ('broker CPU', 'us/message', ('brokerCpuUsPerMessage',), 'less')
P50 = ('p50', 'us', ('latencyUs', 'p50'), 'less')
P99 = ('p99', 'us', ('latencyUs', 'p99'), 'less')
P999 = ('p99.9', 'us', ('latencyUs', 'p999'), 'less')


def produce(connections, in_flight, *more):
    return ['produce', '-c', str(connections), '-i', str(in_flight), *more]


LOADS = [
    ('send 4 x 64', produce(4, 64), {}, [(THROUGHPUT, 7, 0.5), (CPU, 10, None), (P50, None, None), (P99, None, None)]),
    ('send 4 x 8', produce(4, 8), {}, [(THROUGHPUT, 6, 0.5), (CPU, None, None), (P50, None, None), (P99, None, None)]),
    ('send 1 x 1', produce(1, 1), {}, [(P50, 3, 2.5), (P99, None, None), (P999, 3, None)]),
    ('send 4 x 8, batches of 32', produce(4, 8, '--batch', '32'), {}, [(THROUGHPUT, 4, 0.4), (CPU, None, None)]),
    ('send 4 x 64, 100 B', produce(4, 64, '-s', '100'), {}, [(THROUGHPUT, 8, None), (CPU, None, None)]),
    ('end to end at 2,000/s', ['latency', '-c', '4', '-r', '2000'], {}, [(P50, 8, None), (P99, 8, None), (P999, 8, None)]),
    ('drain the backlog', ['consume', '-c', '4'], {}, [(THROUGHPUT, 3, None), (CPU, 5, None)]),
    ('send 4 x 64, SYNC_FLUSH', produce(4, 64), SYNC, [(THROUGHPUT, 6, None), (CPU, None, None), (P50, None, None), (P99, None, None)]),
    ('send 4 x 8, SYNC_FLUSH', produce(4, 8), SYNC, [(THROUGHPUT, 5, None), (CPU, None, None), (P50, None, None), (P99, None, None)]),
    ('send 1 x 1, SYNC_FLUSH', produce(1, 1), SYNC, [(P50, 4, None), (P99, None, None), (P999, None, None)]),
]
MEMORY = ('resident after 1,000,000', 'MiB', ('brokerResidentMiB',), 'less')
START = ('start, empty folder to ready', 'ms', ('startMs',), 'less')
IDLE = ('idle', '% of a core', ('idlePercent',), 'less')
LIMITS = {MEMORY: 512, START: 200, IDLE: 1}  # RingMQ's own figure must not be above


def dig(result, path):
    for key in path:
        result = result.get(key) if isinstance(result, dict) else None
    return result


def cpu_seconds(pid):
    words = pathlib.Path(f'/proc/{pid}/stat').read_text(encoding='ascii').rsplit(')', 1)[1].split()
    return (int(words[11]) + int(words[12])) / 100


def run_bench(binary, server, arguments, topic, seconds, load, errors):
    """What `ringmq bench` has measured. errors: {load: {kind: [failures]}}, to which this run's are added if there are any."""
    where = ['-b', f'127.0.0.1:{server.port}'] if server.kind == 'limit' else ['-n', server.namesrv]
    command = [binary, 'bench', arguments[0], '--json', '--quiet', *where, '-t', topic, '--pid', str(server.daemon.pid), *arguments[1:]]
    if arguments[0] != 'consume' and '-m' not in arguments:
        command += ['-d', str(seconds), '--warmup', '2']
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False, timeout=600)
    if not done.stdout.strip():
        raise RuntimeError(f'{" ".join(map(str, command))}: {done.stderr}')
    result = json.loads(done.stdout)
    if done.returncode != 0:
        failures = result['errors'] + result['outOfOrder']
        errors.setdefault(load, {}).setdefault(server.kind, []).append(failures)
        print(f'  {server.kind}, {load}: {result["errors"]} errors, {result["outOfOrder"]} offsets out of order; '
              f'{done.stderr.strip()}', file=sys.stderr)
    return result


class NullServer:
    kind = 'limit'

    def __init__(self, folder, binary):
        self.port = free_port()
        self.daemon = Daemon('ringmq bench null', [binary, 'bench', 'null', '-p', self.port], pathlib.Path(folder) / 'null.out',
                             'The null server listens')

    def start(self):
        return self.daemon.start(timeout=10)

    def stop(self):
        self.daemon.stop()


def limit_round(options, figures, errors):
    """The sends again, on a server that does nothing with them. Flushing is no matter there: the loads with SYNC_FLUSH are left out."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix='ringmq-compare-', dir=options.folder))
    server = NullServer(folder, options.binary)
    server.start()
    try:
        for name, arguments, settings, rows in LOADS:
            if arguments[0] != 'produce' or settings or (options.only and name not in options.only):
                continue
            result = run_bench(options.binary, server, [*arguments, '--no-create'], 'Bench', options.seconds, name, errors)
            for figure, _, _ in rows:
                record(figures, name, figure, 'limit', dig(result, figure[2]))
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def start(kind, folder, options, settings):
    if kind == 'ringmq':
        server = ringmq.Standalone(folder, **settings)
    else:
        server = rocketmq.Standalone(folder, version=options.version, heap=options.heap,
                                     **{'mappedFileSizeCommitLog': 1 << 30, **settings})
    # From the start of the broker's process to its 'boot success'; RocketMQ's nameserver is up before.
    if kind == 'ringmq':
        seconds = server.start()
    else:
        server.nameserver.start()
        seconds = server.broker.start()
        rocketmq.rawmq.wait_for_route(server.namesrv, server.name, 60)
    return server, seconds * 1000


def one_round(kind, options, figures, errors):
    """All loads on one kind of broker. figures: {(load, figure): {kind: [values]}}"""
    for settings in ({}, SYNC):
        wanted = [load for load in LOADS if load[2] == settings and (not options.only or load[0] in options.only)]
        if not wanted:
            continue
        folder = pathlib.Path(tempfile.mkdtemp(prefix='ringmq-compare-', dir=options.folder))
        try:
            server, start_ms = start(kind, folder, options, settings)

            def bench(load, arguments, topic, seconds):
                return run_bench(options.binary, server, arguments, topic, seconds, load, errors)  # noqa: B023
            try:
                if not settings:
                    record(figures, 'broker', START, kind, start_ms)
                    time.sleep(3)
                    before, since = cpu_seconds(server.daemon.pid), time.monotonic()
                    time.sleep(5)
                    used = (cpu_seconds(server.daemon.pid) - before) / (time.monotonic() - since)
                    record(figures, 'broker', IDLE, kind, used * 100)
                bench('warming up', ['produce', '-c', '4', '-i', '64'], 'BenchWarmup', options.warmup)
                bench('warming up', ['latency', '-c', '4', '-r', '2000'], 'BenchWarmup', options.warmup / 3)
                for name, arguments, _, rows in wanted:
                    # What is drained is what the first load has left.
                    topic = 'BenchBacklog' if arguments[0] == 'consume' else f"Bench{LOADS.index(next(load for load in LOADS if load[0] == name))}"
                    if arguments[0] == 'consume':
                        bench('the backlog', ['produce', '-c', '4', '-i', '64', '-m', '1000000'], topic, options.seconds)
                        usage = bench('the backlog', ['produce', '-c', '1', '-i', '1', '-m', '100'], topic, options.seconds)
                        record(figures, 'broker', MEMORY, kind, dig(usage, MEMORY[2]))
                    result = bench(name, arguments, topic, options.seconds)
                    for figure, _, _ in rows:
                        record(figures, name, figure, kind, dig(result, figure[2]))
            finally:
                server.stop()
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def record(figures, load, figure, kind, value):
    if value is not None:
        figures.setdefault((load, figure), {}).setdefault(kind, []).append(value)


def summarize(options, figures):
    wanted = {(load[0], figure): (ratio, share) for load in LOADS for figure, ratio, share in load[3]}
    rows = []
    for (load, figure), values in figures.items():
        ours, theirs, limit = (statistics.median(values.get(kind, [float('nan')])) for kind in ('ringmq', 'rocketmq', 'limit'))
        name, unit, _, better = figure
        top, bottom = (ours, theirs) if better == 'more' else (theirs, ours)
        ratio, share = wanted.get((load, figure), (None, None))
        rows.append({'load': load, 'figure': name, 'unit': unit, 'ringmq': ours, 'rocketmq': theirs, 'limit': limit,
                     'ratio': top / bottom if bottom else float('inf'), 'wantedRatio': ratio,
                     'ofLimit': ours / limit if limit else float('nan'), 'wantedOfLimit': share,
                     'wantedAtMost': LIMITS.get(figure), 'better': better, 'all': values})
    return rows


def missed(row):
    """Whether RingMQ's figure is not what is wanted of it."""
    of_limit = row['wantedOfLimit']
    return bool((row['wantedRatio'] and row['ratio'] < row['wantedRatio']) or
                (row['wantedAtMost'] and row['ringmq'] > row['wantedAtMost']) or
                (of_limit and (row['ofLimit'] < of_limit if row['better'] == 'more' else row['ofLimit'] > of_limit)))


def number(value):
    if value != value:
        return '-'
    return f'{value:,.0f}' if value >= 100 else f'{value:.1f}' if value >= 10 else f'{value:.2f}'


def failures_of(errors, load, kind):
    """'12 in 2 runs', or 'none'."""
    runs = errors[load].get(kind, [])
    return f'{sum(runs):,} in {len(runs)} run{"s" if len(runs) > 1 else ""}' if runs else 'none'


def print_rows(options, rows, errors):
    if options.json:
        print(json.dumps({'peer': options.version, 'rounds': options.rounds, 'seconds': options.seconds, 'rows': rows, 'errors': errors}))
        return
    head = ('load', 'figure', 'limit', 'RingMQ', f'RocketMQ {options.version}', 'RingMQ is better by', 'RingMQ to the limit')

    def of_limit(row):
        if row['ofLimit'] != row['ofLimit']:
            return ''
        if row['better'] == 'more':
            return f'{row["ofLimit"]:.0%}' + (f' (goal {row["wantedOfLimit"]:.0%})' if row['wantedOfLimit'] else '')
        return f'{row["ofLimit"]:.1f}x' + (f' (goal: at most {row["wantedOfLimit"]}x)' if row['wantedOfLimit'] else '')
    table = [head] + [(r['load'], f'{r["figure"]} ({r["unit"]})', number(r['limit']), number(r['ringmq']), number(r['rocketmq']),
                       f'{r["ratio"]:.1f}x' + (f' (goal {r["wantedRatio"]}x)' if r['wantedRatio'] else '') +
                       (f' (goal: at most {r["wantedAtMost"]})' if r['wantedAtMost'] else ''), of_limit(r)) for r in rows]
    table += [(load, 'ERRORS', failures_of(errors, load, 'limit'), failures_of(errors, load, 'ringmq'), failures_of(errors, load, 'rocketmq'),
               'figures include them', '') for load in errors]
    if options.markdown:
        for i, line in enumerate(table):
            print('| ' + ' | '.join(line) + ' |')
            if i == 0:
                print('|---|---|---:|---:|---:|---:|---:|')
        return
    widths = [max(len(line[i]) for line in table) for i in range(len(head))]
    for line in table:
        print('  '.join(cell.ljust(width) if i < 2 else cell.rjust(width) for i, (cell, width) in enumerate(zip(line, widths))))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--rounds', type=int, default=3)
    parser.add_argument('--seconds', type=int, default=8, help='measured seconds of each load, after 2 s of warming up')
    parser.add_argument('--warmup', type=float, default=15, help='seconds of load before the first one that is measured')
    parser.add_argument('--version', default='5.5.0', help='of RocketMQ')
    parser.add_argument('--heap', default='4g', help="of RocketMQ's broker")
    parser.add_argument('--only', nargs='*', help='names of loads')
    parser.add_argument('--binary', type=pathlib.Path, default=ROOT / 'build' / 'release' / 'ringmq')
    parser.add_argument('--folder', help='where the data folders are made: the disk under test')
    parser.add_argument('--json', action='store_true')
    parser.add_argument('--markdown', action='store_true')
    options = parser.parse_args()
    ringmq.binary = options.binary
    ringmq.DEFAULTS = {'brokerIP1': '127.0.0.1'}  # what a user gets, not what suits small tests
    ringmq.shards = None
    rocketmq.setup(options.version)
    figures, errors = {}, {}
    for number_of_round in range(options.rounds):
        for kind in ('rocketmq', 'ringmq', 'limit'):
            print(f'round {number_of_round + 1} of {options.rounds}: {kind}', file=sys.stderr, flush=True)
            if kind == 'limit':
                limit_round(options, figures, errors)
            else:
                one_round(kind, options, figures, errors)
    rows = summarize(options, figures)
    print_rows(options, rows, errors)
    misses = [row for row in rows if missed(row)]
    for row in misses:
        print(f'goal missed: {row["load"]}, {row["figure"]}', file=sys.stderr)
    return 1 if misses or any('ringmq' in kinds for kinds in errors.values()) else 0


if __name__ == '__main__':
    sys.exit(main())
