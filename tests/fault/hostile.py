"""Hostile peers (O1 to O5, O7): crowds that say nothing, frames that never end, floods, peers that read nothing, more work than
can be done. The server stays within its budgets, cuts off who has to go, and serves the others; its metrics say so.

How much slower the others are served meanwhile is printed, and judged only by what a busy machine does not explain."""
import contextlib
import multiprocessing
import os
import re
import resource
import select
import socket
import struct
import time
import urllib.request

import rawmq
from fault.bad_input import GROUP, MEBIBYTE, frame, json_header
from fault.load import Producers
from interop.harness import Skip, check, wait_until
from peers import ringmq
from peers.process import Daemon, free_port

TOPIC = 'Hostile'
CONNECTS_A_SECOND = 1500  # below what is taken (acceptsPerSecondMax)
COLLAPSE_MS = 20
SEND, PULL = rawmq.SEND_MESSAGE_V2, rawmq.PULL_MESSAGE


def allow_descriptors(pid, count):
    """Lets the process (0: this one) have `count` open files at least, or skips the test; returns the limits of before."""
    limits = soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    if soft < count:
        try:
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (count, max(count, hard)))
        except (OSError, ValueError) as error:
            raise Skip(f'RLIMIT_NOFILE is {soft}, at most {hard}, and {count} are needed ({error}): run as root, or raise it with '
                       f'ulimit -n {count}') from error
    return limits


class Target:
    """A server of the test's own, with metrics."""

    def __init__(self, context, arguments=(), **properties):
        if context.kind != 'ringmq':
            raise Skip('these budgets and metrics are those of RingMQ')
        self.metrics_port = free_port()
        self.server = context.peer.Standalone(context.fresh_folder('hostile'), metricsListen=f'127.0.0.1:{self.metrics_port}',
                                              **properties)
        self.server.daemon.command[2:2] = [str(a) for a in arguments]
        context.run(self.server)
        self.address = self.server.address
        self.host, port = self.address.split(':')
        self.port = int(port)
        with rawmq.Connection(self.address) as raw:
            raw.create_topic(TOPIC, 4)

    @property
    def resident(self):
        return self.server.daemon.resident_bytes()

    @property
    def open_files(self):
        return len(os.listdir(f'/proc/{self.server.daemon.pid}/fd'))

    def metrics(self):
        """{name{labels}: value}, the page having been found valid."""
        with urllib.request.urlopen(f'http://127.0.0.1:{self.metrics_port}/metrics', timeout=10) as answer:
            check(answer.headers['Content-Type'].startswith('text/plain; version=0.0.4'), answer.headers)
            page = answer.read().decode()
        samples, typed = {}, {}
        for line in page.splitlines():
            if line.startswith('# TYPE '):
                name, kind = line.split()[2:]
                check(name not in typed and kind in ('counter', 'gauge', 'histogram'), 'in the metrics:', line)
                typed[name] = kind
            elif not line.startswith('# HELP '):
                match = re.fullmatch(r'([a-z_]+)(\{[^}]*\}) (\S+)', line)
                family = match and (match[1] if match[1] in typed else re.sub('_(bucket|sum|count)$', '', match[1]))
                check(match and family in typed and (family == match[1]) == (typed[family] != 'histogram') and match[1] + match[2] not in samples,
                      'in the metrics:', line)
                samples[match[1] + match[2]] = float(match[3])
        return samples

    def budget(self, resource_name, what='used', server='broker'):
        """The sum over the shards."""
        wanted = f'ringmq_budget_{what}{{server="{server}"', f'resource="{resource_name}"}}'
        found = [v for k, v in self.metrics().items() if k.startswith(wanted[0]) and k.endswith(wanted[1])]
        check(found, 'no metric of the budget', resource_name, what)
        return sum(found)

    def connect(self, number=0, **more):
        return socket.create_connection((self.host, self.port), 10, (f'127.0.0.{2 + number % 200}', 0), **more)

    def crowd(self, count):
        """So many connections, from many addresses, no faster than they are taken."""
        begin, peers = time.monotonic(), []
        for number in range(count):
            peers.append(self.connect(number))
            ahead = number / CONNECTS_A_SECOND - (time.monotonic() - begin)
            if ahead > 0:
                time.sleep(ahead)
        return peers

    def tail_ms(self, count=400):
        """The time that 99 of 100 sends of somebody else take at most, in ms."""
        return self._tail(lambda done, _: done < count)

    def tail_while(self, seconds):
        """The same over so many seconds."""
        return self._tail(lambda _, passed: passed < seconds)

    def _tail(self, goes_on):
        waits, first = [], time.monotonic()
        with rawmq.Connection(self.address, timeout=30) as raw:
            while goes_on(len(waits), time.monotonic() - first):
                begin = time.monotonic()
                raw.send(TOPIC, 0, b'of somebody else')
                waits.append(time.monotonic() - begin)
        return sorted(waits)[len(waits) * 99 // 100] * 1000


@contextlib.contextmanager
def null_server(context):
    """(host, port) of a server that takes every connection and has nothing to do with the one under test."""
    port = free_port()
    daemon = Daemon('ringmq bench null', [ringmq.binary, 'bench', 'null', '-p', port], context.fresh_folder('null') / 'null.out',
                    'The null server listens')
    daemon.start()
    try:
        yield '127.0.0.1', port
    finally:
        daemon.stop()


def close_all(peers):
    for peer in peers:
        peer.close()


def gone(peers, seconds):
    """How many of the peers have been closed by the server, `seconds` later at the latest."""
    waiting, poll = {p.fileno(): p for p in peers}, select.poll()
    for number in waiting:
        poll.register(number, select.POLLIN)
    deadline = time.monotonic() + seconds
    while waiting and time.monotonic() < deadline:
        for number, _ in poll.poll(500):
            try:
                ended = not waiting[number].recv(65536)
            except OSError:
                ended = True
            if ended:
                poll.unregister(number)
                del waiting[number]
    return len(peers) - len(waiting)


def idle_peers(context, count, _seed):
    """O1: peers that connect and say nothing cost little, and nothing to the others."""
    limits = allow_descriptors(0, count + 500)
    target = Target(context)
    allow_descriptors(target.server.daemon.pid, count + 500)
    alone = target.tail_ms()
    before, files, peers = target.resident, target.open_files, []
    try:
        peers = target.crowd(count)
        wait_until(lambda: target.budget('connections') >= count, 20, 'the crowd to be taken')
        grown = target.resident - before
        amid = target.tail_ms()
        check(grown <= count * 16 * 1024, f'{count} idle connections cost {grown / count / 1024:.1f} KiB each')
        check(not gone(peers, 0.5), 'some of the crowd were refused')
        check(target.budget('connections', 'hits_total') == 0, 'connections were refused')
    finally:
        close_all(peers)
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    wait_until(lambda: target.open_files < files + 50, 20, 'the server to close what its peers closed')
    return f'{count} connections, {grown / count / 1024:.1f} KiB each; p99 of another {alone:.1f} ms alone, {amid:.1f} ms amid them'


def slowloris(context, count, _seed):
    """O2: half frames, a byte of the rest now and then. They are closed in time, and hold no more than their budget together."""
    limits = allow_descriptors(0, count + 500)
    target = Target(context)
    allow_descriptors(target.server.daemon.pid, count + 500)
    alone = target.tail_ms()
    before, peers = target.resident, []
    most = 0
    try:
        begin = time.monotonic()
        for number in range(count):
            peers.append(target.connect(number))
            peers[-1].sendall(frame(json_header(code=SEND), b'x' * (500 + number % 3000), length=4 * MEBIBYTE))
            if number % 100 == 0:
                ahead = number / CONNECTS_A_SECOND - (time.monotonic() - begin)
                time.sleep(max(0, ahead))
                most = max(most, target.resident - before)
        amid = target.tail_ms()
        limit = target.budget('partial_frame_bytes', 'limit')
        check(target.budget('partial_frame_bytes') <= limit, 'half frames hold more than they may')
        end = begin + 35  # 15 s for the last one, and what a busy machine takes
        while time.monotonic() < begin + 12:
            for peer in peers:
                try:
                    peer.send(b'x')
                except OSError:
                    pass
            most = max(most, target.resident - before)
            time.sleep(5)
        closed = gone(peers, end - time.monotonic())
        check(closed == count, f'{count - closed} of {count} half frames are still there')
        check(target.budget('partial_frame_bytes') == 0, 'half frames that are gone hold memory')
        cut = sum(v for k, v in target.metrics().items() if k.startswith('ringmq_connections_cut_off_total') and 'frame_deadline' in k)
        # Twice the budget: sockets hold what has not been looked at yet, and the allocator keeps some.
        check(most <= 2 * limit + count * 16 * 1024, f'half frames cost {most >> 20} MiB, their budget is {int(limit) >> 20} MiB')
    finally:
        close_all(peers)
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    return (f'{count} half frames cost {most >> 20} MiB at most, {cut:.0f} closed at the deadline and the others before, for want of '
            f'memory; p99 of another {alone:.1f} ms alone, {amid:.1f} ms amid them')


def announced_lengths(context, count, _seed):
    """O3: a length costs nothing until its bytes come. The largest frame is taken; one byte more is not."""
    target = Target(context)
    before, peers = target.resident, []
    try:
        for number in range(count):
            peers.append(target.connect(number))
            peers[-1].sendall(struct.pack('>I', 16 * MEBIBYTE - 4))
        time.sleep(0.5)
        grown = target.resident - before
        check(grown <= count * 16 * 1024, f'{count} announced frames of 16 MiB cost {grown >> 10} KiB')
    finally:
        close_all(peers)
    header = json_header(code=9999)
    largest = frame(header, b'x' * (16 * MEBIBYTE - 8 - len(header)))
    check(len(largest) == 16 * MEBIBYTE, len(largest))
    with rawmq.Connection(target.address, timeout=30) as raw:
        raw.write(largest)
        answer = raw.read_command()
        check(answer.code == 3, 'the largest frame was answered', answer)
    for length in (16 * MEBIBYTE - 3, 0x7FFFFFFF, 0xFFFFFFFF, 0x80000000, 0, 3):
        with target.connect() as peer:
            peer.sendall(struct.pack('>I', length) + b'x' * 100)
            check(gone([peer], 5) == 1, 'a frame of length', length, 'is waited for')
    return f'{count} announced frames of 16 MiB cost {max(0, grown) >> 10} KiB'


def _flood(host, port, stop, opened):
    """Connects and leaves, as fast as it can; in a process of its own."""
    while not stop.is_set():
        try:
            with socket.create_connection((host, port), 10, (f'127.0.0.{2 + opened.value % 200}', 0)):
                opened.value += 1
        except OSError:
            time.sleep(0.01)


class Flood:
    """Connections that come much faster than they are taken, while the `with` lasts."""

    def __init__(self, host, port, processes=2):
        self.stop = multiprocessing.Event()
        self.counts = [multiprocessing.Value('q', 0) for _ in range(processes)]
        self.processes = [multiprocessing.Process(target=_flood, args=(host, port, self.stop, c), daemon=True) for c in self.counts]

    def __enter__(self):
        self.begin = time.monotonic()
        for process in self.processes:
            process.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for process in self.processes:
            process.join()
        self.seconds = time.monotonic() - self.begin

    @property
    def opened(self):
        return sum(c.value for c in self.counts)


def connection_flood(context, seconds, _seed):
    """O4: connections come much faster than they are taken. Who is there is served, and the flood over, new ones are taken at once.
    What the flood costs others is told from what the machine loses to whoever makes it: by a flood of a server beside it."""
    rate = 500
    target = Target(context, acceptsPerSecondMax=rate)
    alone = target.tail_ms()
    with null_server(context) as beside, Flood(*beside):
        elsewhere = target.tail_while(seconds)
    before = target.metrics()
    with Flood(target.host, target.port) as flood:
        amid = target.tail_while(seconds)
    check(amid <= max(2 * alone, 2 * elsewhere, COLLAPSE_MS), f'p99 of another: {alone:.1f} ms alone, {elsewhere:.1f} ms beside a flood of another '
          f'server, {amid:.1f} ms amid its own')
    over = time.monotonic()
    with rawmq.Connection(target.address, timeout=30) as new:
        new.send(TOPIC, 0, b'after the flood')
    recovered = time.monotonic() - over
    after = target.metrics()
    taken = sum(v - before[k] for k, v in after.items() if k.startswith('ringmq_connections_accepted_total{server="broker"'))
    # Two shards have a quarter more each; seconds begin and end within the flood, and a backlog still waits when it ends.
    check(taken <= 1.25 * rate * (flood.seconds + recovered + 2) + 100,
          f'{taken:.0f} connections were taken in {flood.seconds + recovered:.1f} s')
    check(flood.opened > rate * flood.seconds, 'there was no flood:', flood.opened)
    check(target.budget('accepts_per_second', 'hits_total') > 0, 'nobody had to wait')
    check(recovered < 10, f'after the flood a new connection was served only after {recovered:.1f} s')
    return (f'{flood.opened / flood.seconds:.0f} connections a second came, {taken / flood.seconds:.0f} were taken; p99 of another {alone:.1f} ms '
            f'alone, {elsewhere:.1f} ms beside a flood of another server, {amid:.1f} ms amid its own; a new one was served {recovered:.2f} s after')


def deaf_readers(context, count, _seed):
    """O5: peers that ask for the largest answers and read none. Each costs one answer or 1 MiB at most, all of them no more than their
    budget, others get theirs, and who takes nothing is closed."""
    target = Target(context, ['--memory', '128M'], outputStallTimeoutMillis=6000)
    with rawmq.Connection(target.address, timeout=30) as raw:
        raw.create_topic('Large', 4)
        for number in range(16):
            raw.send('Large', number % 4, b'x' * (4 * MEBIBYTE))
        raw.read_queue('Large', 0, 0, 4)  # what is read is cached before the measurement
    alone, before, most, peers = target.tail_ms(), target.resident, 0, []
    try:
        for number in range(count):
            peer = socket.socket()
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
            peer.connect((target.host, target.port))
            peers.append(peer)
            header = [rawmq.encode(rawmq.Command(PULL, rawmq.pull_header(GROUP, 'Large', i % 4, i % 4, 32), b'', i + 1)) for i in range(64)]
            peer.sendall(b''.join(header))
        deadline = time.monotonic() + 2
        while time.monotonic() < deadline:
            most = max(most, target.resident - before)
            time.sleep(0.05)
        begin = time.monotonic()
        with rawmq.Connection(target.address, timeout=60) as honest:
            for offset in range(4):
                answer, records = honest.pull('Large', 1, offset, suspend_ms=0)
                check(answer.code == 0 and len(records[0].body) == 4 * MEBIBYTE, 'a peer that reads was given', answer)
        waited = time.monotonic() - begin
        amid = target.tail_ms()
        most = max(most, target.resident - before)
        limit = sum(target.budget(name, 'limit') for name in ('answer_bytes', 'pinned_log_bytes'))
        caches = 48 * MEBIBYTE  # of 128 MiB: what was read, and buffers kept for reuse, both perhaps still empty before
        check(most <= min(limit, count * 5 * MEBIBYTE) + caches + 64 * MEBIBYTE, f'{count} deaf readers cost {most >> 20} MiB, the budget '
              f'is {int(limit) >> 20} MiB')
        closed = gone_without_reading(target, count)
    finally:
        close_all(peers)
    return (f'{count} deaf readers cost {most >> 20} MiB, {closed} were closed; 4 answers of 4 MiB to a peer that reads took {waited:.1f} s '
            f'meanwhile; p99 of a send {alone:.1f} ms alone, {amid:.1f} ms amid them')


def gone_without_reading(target, count):
    """Waits until the server has closed the deaf, whose own sockets would not tell before they are read."""
    def closed():
        return sum(v for k, v in target.metrics().items() if k.startswith('ringmq_connections_cut_off_total') and 'output_stalled' in k)
    wait_until(lambda: closed() >= count, 30, 'those that take nothing to be closed')
    return int(closed())


def overload(context, seconds, seed):
    """O7: three times as many requests as keep it busy. What is done does not become less, who is refused gets code 2, memory stays flat."""
    target = Target(context, ['--memory', '128M'])
    rates, most = [], []
    for number, (senders, in_flight) in enumerate(((2, 64), (6, 64))):
        producers = Producers(senders, TOPIC, 4, seed + number)
        context.own.callback(producers.close)
        begin = time.monotonic()
        producers.go(target.address, seconds, sizes=(1000, 4000), in_flight=in_flight)
        seen = []
        while time.monotonic() - begin < seconds:
            time.sleep(0.1)
            seen.append(target.resident)
        acks, _, refused = producers.results(seconds + 60)
        check(acks, 'nothing was acknowledged')
        check(all(r.code == 2 for r in refused), 'refused with', {r.code for r in refused})
        rates.append(len(acks) / (time.monotonic() - begin))
        most.append(max(seen[len(seen) // 2:]) - seen[len(seen) // 2])
    check(most[1] < 48 * MEBIBYTE, f'memory grew by {most[1] >> 20} MiB in the second half of the overload')
    return (f'{rates[1] / rates[0] * 100:.0f} % of the goodput of a third of the load ({rates[0]:.0f} and {rates[1]:.0f} messages a second), memory '
            f'{max(0, most[1]) >> 20} MiB up in the second half')


def metrics_page(context, _rounds, _seed):
    """Prometheus' page shows every budget of both servers, and a taken port costs the metrics, not the server."""
    target = Target(context)
    with rawmq.Connection(target.address) as raw:
        raw.send(TOPIC, 0, b'counted')
    samples = target.metrics()
    for server in ('broker', 'namesrv'):
        for name in ('connections', 'address_connections', 'accepts_per_second', 'partial_frame_bytes', 'requests', 'request_bytes',
                     'connection_requests', 'connection_request_bytes', 'connection_output_bytes', 'answer_bytes', 'output_bytes',
                     'pinned_log_bytes'):
            for what in ('used', 'limit', 'hits_total'):
                target.budget(name, what, server)
    for name in ('held_pulls', 'connection_held_pulls', 'pull_read_bytes', 'buffer_bytes'):
        check(target.budget(name, 'limit') > 0, name)
    stored = sum(v for k, v in samples.items() if k.startswith('ringmq_messages_in_total'))
    check(stored == 1, stored, 'messages counted')
    second = context.run(context.peer.Standalone(context.fresh_folder('second'), metricsListen=f'127.0.0.1:{target.metrics_port}'))
    check('metricsListen chooses another' in second.daemon.output(), 'a taken port for metrics is not mentioned:', second.daemon.output())
    with rawmq.Connection(second.address) as raw:
        raw.create_topic(TOPIC, 1)
    return f'{len(samples)} samples'
