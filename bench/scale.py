#!/usr/bin/env python3
"""How the cost of a message grows with the work: connections, queues, sizes, held pulls, shards, and a cold reader beside the tail. A chart for each.

  ./dev bench scale [--only NAME ...] [--out docs/performance] [--seconds 4] [--rounds 3] [--backlog GIB] [--redraw]

Each point is a fresh broker on an empty folder under a load of `ringmq bench`, and the median of some rounds. OUT gets scale.json with all figures and one SVG
a question; --only keeps the others as they are, --redraw draws what is there.
"""
import argparse
import json
import pathlib
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / 'tests'))
sys.path.insert(0, str(ROOT / 'bench'))
import bench_load  # noqa: E402
import rawmq  # noqa: E402
from peers import ringmq  # noqa: E402

CONNECTS_A_SECOND = 1500  # fewer than acceptsPerSecondMax
MEBIBYTE = 1 << 20


class Server:
    """A fresh broker with default settings."""

    def __init__(self, options, **properties):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix='ringmq-scale-', dir=options.folder))
        self.seconds = options.seconds
        arguments, ringmq.extra_arguments = ringmq.extra_arguments, [*ringmq.extra_arguments, *properties.pop('arguments', [])]
        self.server = ringmq.Standalone(self.folder, connectionsPerAddressMax=100_000, **properties)
        ringmq.extra_arguments = arguments

    def __enter__(self):
        self.server.start()
        return self

    def __exit__(self, *_):
        self.server.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def pid(self):
        return self.server.daemon.pid

    def resident(self):
        """Bytes."""
        return int(pathlib.Path(f'/proc/{self.pid}/statm').read_text(encoding='ascii').split()[1]) * resource.getpagesize()

    def arguments(self, mode, arguments):
        return arguments if mode == 'consume' or '-m' in arguments else [*arguments, '-d', self.seconds, '--warmup', 1]

    def command(self, mode, *arguments, topic='Scale'):
        return bench_load.command(self.server, topic, mode, *self.arguments(mode, arguments))

    def bench(self, mode, *arguments, topic='Scale'):
        return bench_load.run(self.server, topic, mode, *self.arguments(mode, arguments))


def figures(result):
    return {'messages/s': result['messagesPerSecond'], 'broker CPU (us/message)': result['brokerCpuUsPerMessage'], 'p99 (us)': result['latencyUs']['p99']}


def connections(options):
    """Cost of a send of 1 KiB, 256 under way in all, by the number of connections that send"""
    for count in (1, 4, 16, 64, 256, 1000):
        with Server(options) as server:
            yield count, figures(server.bench('produce', '-c', count, '-i', max(1, 256 // count)))


def idle_connections(options):
    """Cost of a send of 1 KiB, 4 connections with 64 under way, by the number of others that are idle"""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    for count in (0, 100, 1000, 10_000):
        if count + 100 > hard:
            print(f'  {count} idle connections need more than the {hard} open files that are allowed here', file=sys.stderr)
            return
        with Server(options) as server:
            before, idle = server.resident(), []
            for _ in range(count):
                idle.append(rawmq.Connection(server.server.address))
                time.sleep(1 / CONNECTS_A_SECOND)
            time.sleep(0.5)
            each = (server.resident() - before) / count / 1024 if count else None
            yield count, {**figures(server.bench('produce', '-c', 4, '-i', 64)), 'memory (KiB/connection)': each}
            for connection in idle:
                connection.close()


def queues(options):
    """Cost of a send of 1 KiB, 16 connections with 16 under way, by the number of queues, all with traffic"""
    for topics, each in ((1, 4), (1, 100), (1, 1000), (2, 5000), (16, 6250)):
        with Server(options) as server:
            yield topics * each, figures(server.bench('produce', '-c', 16, '-i', 16, '--topics', topics, '-q', each))


def sizes(options):
    """Cost of a send by the size of its body"""
    for size, in_flight in ((100, 64), (1024, 64), (16 << 10, 16), (256 << 10, 4), (MEBIBYTE, 2)):
        with Server(options) as server:
            result = server.bench('produce', '-c', 4, '-i', in_flight, '-s', size)
            yield size, {**figures(result), 'MiB/s': result['mibPerSecond']}


def held_pulls(options):
    """Cost of a send of 1 KiB, 4 connections with 64 under way, by the number of consumers that wait for another topic"""
    for count in (0, 100, 1000, 3000):
        with Server(options) as server:
            waiting = []
            if count:
                server.bench('produce', '-c', 1, '-i', 1, '-m', 1, '-q', 8, topic='Quiet')
            for number in range(count):
                connection = rawmq.Connection(server.server.address)
                queue = number % 8
                # One message is in queue 0.
                connection.submit(rawmq.PULL_MESSAGE, rawmq.pull_header(f'group-{number % 16}', 'Quiet', queue, 1 if queue == 0 else 0, suspend_ms=30_000))
                waiting.append(connection)
                time.sleep(1 / CONNECTS_A_SECOND)
            time.sleep(0.5)
            yield count, figures(server.bench('produce', '-c', 4, '-i', 64))
            for connection in waiting:
                connection.close()


def shards(options):
    """Cost of a send of 1 KiB, 4 connections with 64 under way, by the number of shards"""
    for count in (1, 2, 4):
        with Server(options, arguments=['--shards', count]) as server:
            yield count, figures(server.bench('produce', '-c', 4, '-i', 64))


def cold_reader(options):
    """A producer at half of the peak: alone (0), and beside a reader of so many MiB that lie on the disk"""
    with Server(options) as server:
        peak = server.bench('produce', '-c', 4, '-i', 64, topic='Peak')['messagesPerSecond']
        rate = int(peak / 2)
        server.bench('produce', '-c', 4, '-i', 64, '-m', options.backlog << 20, topic='Backlog')
        yield 0, figures(server.bench('produce', '-c', 4, '-r', rate))
        reader = subprocess.Popen(server.command('consume', '-c', 1, topic='Backlog'), stdout=subprocess.PIPE, text=True)
        time.sleep(0.5)
        beside = figures(server.bench('produce', '-c', 4, '-r', rate))
        read = json.loads(reader.communicate()[0])
        yield options.backlog << 10, {**beside, 'MiB/s': read['mibPerSecond']}


QUESTIONS = {'connections': (connections, 'connections'), 'idle-connections': (idle_connections, 'idle connections'), 'queues': (queues, 'queues'),
             'sizes': (sizes, 'bytes of a body'), 'held-pulls': (held_pulls, 'held pulls'), 'shards': (shards, 'shards'),
             'cold-reader': (cold_reader, 'MiB of backlog')}


def medians(rounds):
    """One {x: {figure: value}} of several."""
    merged = {}
    for one in rounds:
        for x, values in one.items():
            for name, value in values.items():
                if value is not None:
                    merged.setdefault(x, {}).setdefault(name, []).append(value)
    return {x: {name: statistics.median(values) for name, values in by_name.items()} for x, by_name in merged.items()}


def draw(name, question, points, out):
    import matplotlib  # pylint: disable=import-outside-toplevel
    matplotlib.use('svg')
    matplotlib.rcParams['svg.hashsalt'] = name  # the same figures give the same file
    from matplotlib import pyplot  # pylint: disable=import-outside-toplevel
    title, label = question['title'], question['x']
    xs = [int(x) for x in points]
    rows = list(dict.fromkeys(row for values in points.values() for row in values))
    figure, axes = pyplot.subplots(1, len(rows), figsize=(4 * len(rows), 3.2))
    for axis, row in zip(axes, rows):
        places = [(i, values[row]) for i, values in enumerate(points.values()) if row in values]
        axis.plot([i for i, _ in places], [value for _, value in places], marker='o', color='#2f6f9f')
        axis.set_xticks(range(len(xs)), [f'{x:,}' for x in xs], rotation=30)
        axis.set_ylim(bottom=0)
        axis.set_ylabel(row)
        axis.set_xlabel(label)
        axis.grid(alpha=0.3)
    figure.suptitle(title, fontsize=10)
    figure.tight_layout()
    figure.savefig(out / f'{name}.svg', metadata={'Date': None})
    pyplot.close(figure)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--only', nargs='*', choices=QUESTIONS, default=list(QUESTIONS))
    parser.add_argument('--out', type=pathlib.Path, default=ROOT / 'docs' / 'performance')
    parser.add_argument('--seconds', type=float, default=4)
    parser.add_argument('--rounds', type=int, default=3)
    parser.add_argument('--backlog', type=int, default=4, help='GiB that the cold reader reads; 50 for a release')
    parser.add_argument('--folder', help='where the data folders are made: the disk under test')
    parser.add_argument('--redraw', action='store_true', help='measure nothing')
    options = parser.parse_args()
    ringmq.DEFAULTS = {'brokerIP1': '127.0.0.1', 'metricsListen': ''}
    ringmq.shards = None
    options.out.mkdir(parents=True, exist_ok=True)
    file = options.out / 'scale.json'
    everything = json.loads(file.read_text(encoding='utf-8')) if file.exists() else {}
    for name in [] if options.redraw else options.only:
        run, label = QUESTIONS[name]
        rounds = []
        for number in range(options.rounds):
            rounds.append({})
            for x, values in run(options):
                rounds[-1][x] = values
                print(f'{name}, round {number + 1}: {x:>9,}  ' + '  '.join(f'{key} {value:,.1f}' for key, value in values.items() if value is not None), flush=True)
        everything[name] = {'title': run.__doc__, 'x': label, 'points': {str(x): values for x, values in medians(rounds).items()}}
        file.write_text(json.dumps(everything, indent=1) + '\n', encoding='utf-8')
    for name in options.only:
        if name in everything:
            draw(name, everything[name], everything[name]['points'], options.out)


if __name__ == '__main__':
    main()
