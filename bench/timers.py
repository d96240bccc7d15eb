#!/usr/bin/env python3
"""Millions of messages that wait for their time: what they cost, how late they come, and whether a crash loses or doubles one.

  ./dev bench timers [--millions 10] [--rate 5000] [--seconds 60] [--kills 10] [--json]

A fresh broker takes all of them as fast as it can. They become due one after the other, --rate a second, once all are there: a waiting consumer measures for
--seconds how much later than its time each one comes. Then the broker is killed (-9) and started again, over and over, while they go on becoming due. In the end
everything that was delivered is read: it must be all that was due by then, each once.
Goals: p99 at most 50 ms, 0 lost, 0 doubled.
"""
import argparse
import json
import pathlib
import random
import shutil
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / 'tests'))
sys.path.insert(0, str(ROOT / 'bench'))
import bench_load  # noqa: E402
import metrics_page  # noqa: E402
import rawmq  # noqa: E402
from peers import ringmq  # noqa: E402
from peers.process import free_port  # noqa: E402

TOPIC, QUEUES, CONNECTIONS = 'Timers', 8, 4
FILL_RATE_MIN = 50_000  # messages a second that every machine should take
P99_GOAL_US = 50_000


def resident_mib(pid):
    """(all, without the pages of files) that are in memory."""
    fields = dict(line.split(':', 1) for line in pathlib.Path(f'/proc/{pid}/status').read_text(encoding='ascii').splitlines())
    return int(fields['VmRSS'].split()[0]) / 1024, int(fields['RssAnon'].split()[0]) / 1024


def delivered(server):
    """connection -> the numbers of its messages that are in the topic, in the order of the queues."""
    found = {connection: [] for connection in range(CONNECTIONS)}
    with rawmq.Connection(server.address, timeout=60) as connection:
        for queue in range(QUEUES):
            for record in connection.read_queue(TOPIC, queue, 0, connection.max_offset(TOPIC, queue)):
                key = int(record.properties['UNIQ_KEY'][12:])
                found[key >> 40].append(key & ((1 << 40) - 1))
    return found


def judge(found, due):
    """(lost, doubled): the first `due` messages of each connection must be there; those that become due while the queues are read may."""
    lost = sum(due - sum(number < due for number in set(numbers)) for numbers in found.values())
    return lost, sum(len(numbers) - len(set(numbers)) for numbers in found.values())


def fill(server, options):
    """Sends all; returns its result, and when the first one is due, by time.monotonic()."""
    count = int(options.millions * 1_000_000)
    after = 20 + count / FILL_RATE_MIN
    begin = time.monotonic()
    result = bench_load.run(server, TOPIC, 'produce', '-q', QUEUES, '-c', CONNECTIONS, '-i', 64, '-s', 100, '-m', count,
                            '--deliver-rate', options.rate, '--deliver-after', after)
    due = begin + after
    if time.monotonic() > due - 5:
        raise RuntimeError(f'this machine takes less than {FILL_RATE_MIN:,} messages a second: fewer --millions')
    return result, due


def kill_over_and_over(server, kills, rng):
    """The slowest start, in seconds."""
    slowest = 0.0
    for _ in range(kills):
        time.sleep(rng.uniform(0.5, 4))
        server.kill()
        begin = time.monotonic()
        server.start()
        slowest = max(slowest, time.monotonic() - begin)
    return slowest


def measure(options, folder):
    page = free_port()
    server = ringmq.Standalone(folder, metricsListen=f'127.0.0.1:{page}')
    server.start()
    try:
        filled, due = fill(server, options)
        samples = metrics_page.read(page)
        memory, own = resident_mib(server.daemon.pid)
        result = {
            'pending': int(metrics_page.total(samples, 'ringmq_delayed_messages')),
            'files': int(metrics_page.total(samples, 'ringmq_delayed_index_files')),
            'fillPerSecond': filled['messagesPerSecond'], 'fillCpuUs': filled['brokerCpuUsPerMessage'],
            'residentMiB': round(memory), 'ownMiB': round(own)}
        print(f'{result["pending"]:,} wait; {memory:.0f} MiB resident, {own:.0f} of it not of files', file=sys.stderr, flush=True)
        late = bench_load.run(server, TOPIC, 'tail', '-q', QUEUES, '-c', 2, '--warmup', max(0.0, due - time.monotonic()) + 2, '-d', options.seconds)
        result |= {'perSecond': late['messagesPerSecond'], 'lateUs': late['latencyUs'], 'cpuUs': late['brokerCpuUsPerMessage']}
        result['slowestStart'] = kill_over_and_over(server, options.kills, random.Random(options.seed))
        # Counted from before the load generator had started, whose times lie a little later.
        count = int((time.monotonic() - due - 1) * options.rate / CONNECTIONS)
        time.sleep(3)  # what became due while there was no broker comes at once
        found = delivered(server)
        result['delivered'] = sum(len(numbers) for numbers in found.values())
        result['lost'], result['doubled'] = judge(found, count)
        return result
    finally:
        server.kill()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--millions', type=float, default=10)
    parser.add_argument('--rate', type=int, default=5000, help='messages that become due a second')
    parser.add_argument('--seconds', type=float, default=60)
    parser.add_argument('--kills', type=int, default=10)
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--binary', type=pathlib.Path, default=ROOT / 'build' / 'release' / 'ringmq')
    parser.add_argument('--json', action='store_true')
    options = parser.parse_args()
    ringmq.binary = options.binary.resolve()
    folder = pathlib.Path(tempfile.mkdtemp(prefix='ringmq-timers-'))
    try:
        result = measure(options, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if options.json:
        print(json.dumps(result))
    else:
        late = result['lateUs']
        print(f'pending        {result["pending"]:,} messages, taken at {result["fillPerSecond"]:,.0f}/s and {result["fillCpuUs"]:.1f} us of the broker each\n'
              f'memory         {result["residentMiB"]} MiB resident, {result["ownMiB"]} MiB of it not of files; {result["files"]} files of the index\n'
              f'at their time  {result["perSecond"]:,.0f}/s: late by p50 {late["p50"] / 1000:.1f} ms, p99 {late["p99"] / 1000:.1f}, p99.9 {late["p999"] / 1000:.1f}, '
              f'at most {late["max"] / 1000:.1f}; {result["cpuUs"]:.1f} us of the broker each\n'
              f'{options.kills} kills       {result["delivered"]:,} delivered, {result["lost"]} lost, {result["doubled"]} doubled; slowest start {result["slowestStart"]:.2f} s')
    return 0 if reached(result) else 1


def reached(result):
    return result['lateUs']['p99'] <= P99_GOAL_US and not result['lost'] and not result['doubled']


if __name__ == '__main__':
    sys.exit(main())
