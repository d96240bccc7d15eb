#!/usr/bin/env python3
"""RingMQ beside the real Apache RocketMQ: the same load on both, alternating, in one run.

Each round starts a fresh broker of each kind on an empty folder, one after the other, and puts the same loads on it with
`ringmq bench`. Figures are medians over the rounds; every row ends with their ratio. The machine's noise hits both. A load with
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

SYNC = {'flushDiskType': 'SYNC_FLUSH'}
# name, what `ringmq bench` is told, broker settings, [(figure, unit, key in the result, better, wanted ratio or None)]
THROUGHPUT = ('throughput', 'messages/s', ('messagesPerSecond',), 'more')
CPU = ('broker CPU', 'us/message', ('brokerCpuUsPerMessage',), 'less')
P50 = ('p50', 'us', ('latencyUs', 'p50'), 'less')
P99 = ('p99', 'us', ('latencyUs', 'p99'), 'less')
LOADS = [
    ('send 4 x 64', ['produce', '-c', '4', '-i', '64'], {}, [(THROUGHPUT, 4), (CPU, 5), (P50, None), (P99, None)]),
    ('send 4 x 8', ['produce', '-c', '4', '-i', '8'], {}, [(THROUGHPUT, 3), (CPU, None), (P50, None), (P99, None)]),
    ('send 1 x 1', ['produce', '-c', '1', '-i', '1'], {}, [(P50, None), (P99, None)]),
    ('end to end at 2,000/s', ['latency', '-c', '4', '-r', '2000'], {}, [(P50, 3), (P99, 3)]),
    ('drain the backlog', ['consume', '-c', '4'], {}, [(THROUGHPUT, None), (CPU, None)]),
    ('send 4 x 64, SYNC_FLUSH', ['produce', '-c', '4', '-i', '64'], SYNC, [(THROUGHPUT, 3), (CPU, None), (P50, None), (P99, None)]),
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
    command = [binary, 'bench', arguments[0], '--json', '--quiet', '-n', server.namesrv, '-t', topic, '--pid', str(server.daemon.pid),
               *arguments[1:]]
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
                    for figure, _ in rows:
                        record(figures, name, figure, kind, dig(result, figure[2]))
            finally:
                server.stop()
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def record(figures, load, figure, kind, value):
    if value is not None:
        figures.setdefault((load, figure), {}).setdefault(kind, []).append(value)


def summarize(options, figures):
    wanted = {(load[0], figure): ratio for load in LOADS for figure, ratio in load[3]}
    rows = []
    for (load, figure), values in figures.items():
        ours = statistics.median(values.get('ringmq', [float('nan')]))
        theirs = statistics.median(values.get('rocketmq', [float('nan')]))
        name, unit, _, better = figure
        top, bottom = (ours, theirs) if better == 'more' else (theirs, ours)
        ratio = top / bottom if bottom else float('inf')
        rows.append({'load': load, 'figure': name, 'unit': unit, 'ringmq': ours, 'rocketmq': theirs, 'ratio': ratio,
                     'wanted': wanted.get((load, figure)), 'limit': LIMITS.get(figure), 'better': better, 'all': values})
    return rows


def number(value):
    return f'{value:,.0f}' if value >= 100 else f'{value:.1f}' if value >= 10 else f'{value:.2f}'


def failures_of(errors, load, kind):
    """'12 in 2 runs', or 'none'."""
    runs = errors[load].get(kind, [])
    return f'{sum(runs):,} in {len(runs)} run{"s" if len(runs) > 1 else ""}' if runs else 'none'


def print_rows(options, rows, errors):
    if options.json:
        print(json.dumps({'peer': options.version, 'rounds': options.rounds, 'seconds': options.seconds, 'rows': rows, 'errors': errors}))
        return
    head = ('load', 'figure', 'RingMQ', f'RocketMQ {options.version}', 'RingMQ is better by')
    table = [head] + [(r['load'], f'{r["figure"]} ({r["unit"]})', number(r['ringmq']), number(r['rocketmq']),
                       f'{r["ratio"]:.1f}x' + (f' (goal {r["wanted"]}x)' if r['wanted'] else '') +
                       (f' (goal: at most {r["limit"]})' if r['limit'] else '')) for r in rows]
    table += [(load, 'ERRORS', failures_of(errors, load, 'ringmq'), failures_of(errors, load, 'rocketmq'), 'figures include them')
              for load in errors]
    if options.markdown:
        for i, line in enumerate(table):
            print('| ' + ' | '.join(line) + ' |')
            if i == 0:
                print('|---|---|---:|---:|---:|')
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
    rocketmq.setup(options.version)
    figures, errors = {}, {}
    for number_of_round in range(options.rounds):
        for kind in ('rocketmq', 'ringmq'):
            print(f'round {number_of_round + 1} of {options.rounds}: {kind}', file=sys.stderr, flush=True)
            one_round(kind, options, figures, errors)
    rows = summarize(options, figures)
    print_rows(options, rows, errors)
    missed = [r for r in rows if (r['wanted'] and r['ratio'] < r['wanted']) or (r['limit'] and r['ringmq'] > r['limit'])]
    for row in missed:
        print(f'goal missed: {row["load"]}, {row["figure"]}', file=sys.stderr)
    return 1 if missed or any('ringmq' in kinds for kinds in errors.values()) else 0


if __name__ == '__main__':
    sys.exit(main())
