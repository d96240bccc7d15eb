"""Hostile peers (O1 to O5, O7): crowds that say nothing, frames that never end, floods, peers that read nothing, more work than
can be done. The server stays within its budgets, cuts off who has to go, and serves the others; its metrics say so.

Others are served at most twice as slowly as alone, or as beside the same crowd at another server that does nothing, for the crowd itself takes time
from a small machine. A busy one is given three tries."""
import contextlib
import json
import multiprocessing
import os
import re
import resource
import select
import shutil
import socket
import struct
import subprocess
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
TRIES = 3
TAIL_MS_MIN = 5  # less than that is no harm: a slice or two of a busy processor
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

    @property
    def place(self):
        return self.host, self.port

    def tail_ms(self, count=400):
        """The time that 99 of 100 sends of somebody else take at most, in ms."""
        return self._tail(lambda done, _: done < count)

    def tail_while(self, seconds, meanwhile=lambda: None):
        """The same over so many seconds. `meanwhile` is called now and then."""
        called = 0.0

        def goes_on(_, passed):
            nonlocal called
            if passed > called + 0.05:
                called = passed
                meanwhile()
            return passed < seconds
        return self._tail(goes_on)

    def _tail(self, goes_on):
        waits, first = [], time.monotonic()
        with rawmq.Connection(self.address, timeout=30) as raw:
            while goes_on(len(waits), time.monotonic() - first):
                begin = time.monotonic()
                raw.send(TOPIC, 0, b'of somebody else')
                waits.append(time.monotonic() - begin)
        self.longest_ms = max(waits) * 1000
        return sorted(waits)[len(waits) * 99 // 100] * 1000


@contextlib.contextmanager
def null_server(context, connections=0):
    """(host, port) of a server that takes every connection and has nothing to do with the one under test."""
    port = free_port()
    daemon = Daemon('ringmq bench null', [ringmq.binary, 'bench', 'null', '-p', port], context.fresh_folder('null') / 'null.out',
                    'The null server listens')
    daemon.start()
    try:
        allow_descriptors(daemon.pid, connections + 100)
        yield '127.0.0.1', port
    finally:
        daemon.stop()


class Tails:
    """How long 99 of 100 sends of somebody else take at most: alone, amid an attack, and beside the same on a server that has nothing to do with it,
    which is only looked at where the first two differ. `attack(place)` is a context manager, `tail()` measures."""

    def __init__(self, context, attack, target, tail, connections=0):
        self.context, self.attack, self.target, self.tail, self.connections = context, attack, target, tail, connections
        self.alone, self.amid, self.beside = tail(), None, None

    def measure(self):
        """Amid the attack, which is under way."""
        tail = self.tail()
        self.amid = tail if self.amid is None else min(self.amid, tail)

    def within(self):
        return self.amid <= max(2 * self.alone, 2 * (self.beside or 0), TAIL_MS_MIN)

    def compare(self):
        self.alone = max(self.alone, self.tail())
        with null_server(self.context, self.connections) as place, self.attack(place):
            self.beside = max(self.beside or 0, self.tail())

    def judge(self):
        """Once the attack is over. What there is to say."""
        for again in range(TRIES):
            if again and not self.within():
                with self.attack(self.target.place):
                    self.measure()
            if not self.within():
                self.compare()
        check(self.within(), 'others are served too slowly:', self)
        return str(self)

    def __str__(self):
        beside = '' if self.beside is None else f'{self.beside:.1f} ms beside the same at another server, '
        return f'p99 of another {self.alone:.1f} ms alone, {beside}{self.amid:.1f} ms amid them'


def connect(place, number=0, **more):
    return socket.create_connection(place, 10, (f'127.0.0.{2 + number % 200}', 0), **more)


@contextlib.contextmanager
def crowd(place, count, says=lambda _: b'', meanwhile=lambda: None):
    """So many connections, from many addresses, no faster than they are taken. Peer N says `says(N)` and no more; `meanwhile` is called now and then."""
    begin, peers = time.monotonic(), []
    try:
        for number in range(count):
            peers.append(connect(place, number))
            said = says(number)
            if said:
                say(peers[-1], said)
            if number % 100 == 0:
                meanwhile()
            ahead = number / CONNECTS_A_SECOND - (time.monotonic() - begin)
            if ahead > 0:
                time.sleep(ahead)
        yield peers
    finally:
        for peer in peers:
            peer.close()


def say(peer, what):
    """As much of it as the other side takes: it may be made to wait."""
    peer.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while what:
            what = what[peer.send(what):]


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


@contextlib.contextmanager
def descriptors(target, count):
    """This process and the server may have so many connections with each other."""
    limits = allow_descriptors(0, count + 500)
    allow_descriptors(target.server.daemon.pid, count + 500)
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def idle_peers(context, count, _seed):
    """O1: peers that connect and say nothing cost little, and nothing to the others."""
    target = Target(context)
    with descriptors(target, count):
        tails = Tails(context, lambda place: crowd(place, count), target, target.tail_ms, count)
        before, files = target.resident, target.open_files
        with crowd(target.place, count) as peers:
            wait_until(lambda: target.budget('connections') >= count, 20, 'the crowd to be taken')
            grown = target.resident - before
            tails.measure()
            check(grown <= count * 16 * 1024, f'{count} idle connections cost {grown / count / 1024:.1f} KiB each')
            check(not gone(peers, 0.5), 'some of the crowd were refused')
            check(target.budget('connections', 'hits_total') == 0, 'connections were refused')
        wait_until(lambda: target.open_files < files + 50, 20, 'the server to close what its peers closed')
        said = tails.judge()
    return f'{count} connections, {grown / count / 1024:.1f} KiB each; {said}'


def slowloris(context, count, _seed):
    """O2: half frames, a byte of the rest now and then. They are closed in time, and hold no more than their budget together."""
    target = Target(context)

    def half(number):
        return frame(json_header(code=SEND), b'x' * (500 + number % 3000), length=4 * MEBIBYTE)
    with descriptors(target, count):
        tails = Tails(context, lambda place: crowd(place, count, half), target, target.tail_ms, count)
        before, most = target.resident, []
        begin = time.monotonic()
        with crowd(target.place, count, half, lambda: most.append(target.resident - before)) as peers:
            tails.measure()
            limit = target.budget('partial_frame_bytes', 'limit')
            check(0 < target.budget('partial_frame_bytes') <= limit, 'half frames hold more than they may, or nothing')
            end = time.monotonic() + 35  # 15 s for the last one, and what a busy machine takes
            while time.monotonic() < begin + 12:
                for peer in peers:
                    with contextlib.suppress(OSError):
                        peer.send(b'x')
                most.append(target.resident - before)
                time.sleep(5)
            closed = gone(peers, end - time.monotonic())
            check(closed == count, f'{count - closed} of {count} half frames are still there')
            check(target.budget('partial_frame_bytes') == 0, 'half frames that are gone hold memory')
            cut = sum(v for k, v in target.metrics().items() if k.startswith('ringmq_connections_cut_off_total') and 'frame_deadline' in k)
        # Twice the budget: sockets hold what has not been looked at yet, and the allocator keeps some.
        check(max(most) <= 2 * limit + count * 16 * 1024, f'half frames cost {max(most) >> 20} MiB, their budget is {int(limit) >> 20} MiB')
        said = tails.judge()
    return (f'{count} half frames cost {max(most) >> 20} MiB at most, {cut:.0f} closed at the deadline and the others before, for want of '
            f'memory; {said}')


SMALL_FRAME = 64 * 1024
HALF_FRAME = 200 * 1024
# One at a time in each shard has more than 64 KiB. Whose peer sends no more of it has had its turn after 100 ms, and is closed after a second.
TURNS = 12


def frames_of_strangers(context, count, _seed):
    """O2: whoever has not sent a whole frame yet holds 64 KiB at most of its first one, however much of it comes, but for those whose turn it is."""
    target = Target(context)
    half = frame(json_header(code=SEND), b'x' * HALF_FRAME, length=4 * MEBIBYTE)
    tails = Tails(context, lambda place: crowd(place, count, lambda _: half), target, target.tail_ms, count)
    before, held, resident, shards = target.resident, [], [], ringmq.shards
    with crowd(target.place, count, lambda _: half) as peers:
        wait_until(lambda: target.budget('connections') >= count, 20, 'the strangers to be taken')
        begin = time.monotonic()
        while time.monotonic() < begin + 2.5:
            held.append(target.budget('partial_frame_bytes'))
            resident.append(target.resident - before)
            time.sleep(0.05)
        tails.measure()
        check(target.budget('partial_frame_bytes') > 0, 'the half frames are gone already')
        # Nobody answers: a request that is whole comes before them all.
        with rawmq.Connection(target.address, timeout=10) as honest:
            honest.send(TOPIC, 0, b'first of all')
            honest.send(TOPIC, 0, b'x' * (2 * MEBIBYTE))
        closed = gone(peers, 0.1)
    most, allowed = max(held), count * SMALL_FRAME + shards * TURNS * 4 * SMALL_FRAME
    check(most <= allowed, f'{count} half frames of strangers hold {most / count / 1024:.0f} KiB each, together {int(most) >> 10} KiB, and may hold '
          f'{allowed >> 10} KiB')
    # What was received and not gathered yet, and what the allocator keeps of buffers that were too small.
    check(max(resident) <= 2 * allowed + 16 * MEBIBYTE, f'{count} half frames of strangers cost {max(resident) >> 20} MiB')
    said = tails.judge()
    return (f'{count} strangers with {HALF_FRAME >> 10} KiB of a frame hold {most / count / 1024:.0f} KiB each at most, memory {max(resident) >> 20} MiB '
            f'up, {closed} closed in {time.monotonic() - begin:.0f} s; {said}')


def announced_lengths(context, count, _seed):
    """O3: a length costs nothing until its bytes come. The largest frame is taken; one byte more is not."""
    target = Target(context)
    before, peers = target.resident, []
    try:
        for number in range(count):
            peers.append(connect(target.place, number))
            peers[-1].sendall(struct.pack('>I', 16 * MEBIBYTE - 4))
        time.sleep(0.5)
        grown = target.resident - before
        check(grown <= count * 16 * 1024, f'{count} announced frames of 16 MiB cost {grown >> 10} KiB')
    finally:
        for peer in peers:
            peer.close()
    header = json_header(code=9999)
    largest = frame(header, b'x' * (16 * MEBIBYTE - 8 - len(header)))
    check(len(largest) == 16 * MEBIBYTE, len(largest))
    with rawmq.Connection(target.address, timeout=30) as raw:
        raw.write(largest)
        answer = raw.read_command()
        check(answer.code == 3, 'the largest frame was answered', answer)
    for length in (16 * MEBIBYTE - 3, 0x7FFFFFFF, 0xFFFFFFFF, 0x80000000, 0, 3):
        with connect(target.place) as peer:
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
    """O4: connections come much faster than they are taken. Who is there is served, and the flood over, new ones are taken at once."""
    rate = 500
    target = Target(context, acceptsPerSecondMax=rate)
    tails = Tails(context, lambda place: Flood(*place), target, lambda: target.tail_while(seconds))
    before = target.metrics()
    with Flood(*target.place) as flood:
        tails.measure()
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
    return (f'{flood.opened / flood.seconds:.0f} connections a second came, {taken / flood.seconds:.0f} were taken; {tails.judge()}; a new one was '
            f'served {recovered:.2f} s after')


@contextlib.contextmanager
def deaf(place, count):
    """So many peers that ask for the largest answers, 64 each, and read none."""
    peers = []
    asked = b''.join(rawmq.encode(rawmq.Command(PULL, rawmq.pull_header(GROUP, 'Large', i % 4, i % 4, 32), b'', i + 1)) for i in range(64))
    try:
        for _ in range(count):
            peer = socket.socket()
            peers.append(peer)
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
            peer.connect(place)
            peer.sendall(asked)
        yield peers
    finally:
        for peer in peers:
            peer.close()


def deaf_readers(context, count, _seed):
    """O5: peers that ask for the largest answers and read none. Each costs one answer or 1 MiB at most, all of them no more than their
    budget, others get theirs, and who takes nothing is closed."""
    target = Target(context, ['--memory', '128M'], outputStallTimeoutMillis=6000)
    with rawmq.Connection(target.address, timeout=30) as raw:
        raw.create_topic('Large', 4)
        for number in range(16):
            raw.send('Large', number % 4, b'x' * (4 * MEBIBYTE))
        raw.read_queue('Large', 0, 0, 4)  # what is read is cached before the measurement
    resident = []
    tails = Tails(context, lambda place: deaf(place, count), target, lambda: target.tail_while(2, lambda: resident.append(target.resident)))
    before = target.resident
    with deaf(target.place, count):
        tails.measure()
        longest = target.longest_ms
        check(stalled(target) < count, 'those that take nothing were closed at once')
        begin = time.monotonic()
        with rawmq.Connection(target.address, timeout=60) as honest:
            for offset in range(4):
                answer, records = honest.pull('Large', 1, offset, suspend_ms=0)
                check(answer.code == 0 and len(records[0].body) == 4 * MEBIBYTE, 'a peer that reads was given', answer)
        waited = time.monotonic() - begin
        most = max(*resident, target.resident) - before
        limit = sum(target.budget(name, 'limit') for name in ('answer_bytes', 'pinned_log_bytes'))
        caches = 48 * MEBIBYTE  # of 128 MiB: what was read, and buffers kept for reuse, both perhaps still empty before
        check(most <= min(limit, count * 5 * MEBIBYTE) + caches + 64 * MEBIBYTE, f'{count} deaf readers cost {most >> 20} MiB, the budget '
              f'is {int(limit) >> 20} MiB')
        # Their own sockets would not tell before they are read.
        wait_until(lambda: stalled(target) >= count, 30, 'those that take nothing to be closed')
        closed = stalled(target)
    return (f'{count} deaf readers cost {most >> 20} MiB, {closed} were closed; 4 answers of 4 MiB to a peer that reads took {waited:.1f} s '
            f'meanwhile; {tails.judge()}, {longest:.0f} ms the longest, as the first answers go out')


def stalled(target):
    """How many were closed because they took nothing."""
    return int(sum(v for k, v in target.metrics().items() if k.startswith('ringmq_connections_cut_off_total') and 'output_stalled' in k))


OVERLOAD = 3
GOODPUT_MIN = 0.9
SHORT_GOODPUT_MIN = 0.6  # of some seconds, which on a machine with other work are no measurement
SHORT_SECONDS = 60


def overload(context, seconds, seed):
    """O7: three times as many requests as it can do come in, whether they are answered or not. What is done does not become less, who is refused gets
    code 2, memory stays flat. What it can do is measured right before, with answers waited for, and with the same watcher beside it."""
    watcher = Producers(1, TOPIC, 4, seed)
    context.own.callback(watcher.close)
    least = GOODPUT_MIN if seconds >= SHORT_SECONDS else SHORT_GOODPUT_MIN
    tries, grown, refused = [], 0, []
    while not tries or (max(did / can for can, did, _ in tries) < least and len(tries) < TRIES):
        target = Target(context, ['--memory', '128M'])
        measured = max(2, seconds / 4)
        can = bench_sends(target, measured)
        watcher.go(target.address, measured, in_flight=4, pause=0.01)
        can = can()['messagesPerSecond']
        check(can > 0, 'nothing was taken: is the disk full? A try of 300 s stores some ten GB')
        watcher.results(measured + 60)
        begin, seen = time.monotonic(), []
        result = bench_sends(target, seconds, OVERLOAD * can)
        watcher.go(target.address, seconds, in_flight=4, pause=0.01)
        while time.monotonic() - begin < seconds:
            time.sleep(0.1)
            seen.append(target.resident)
        result = result()
        tries.append((can, result['messagesPerSecond'], result['errors']))
        grown = max(grown, max(seen[len(seen) // 2:]) - seen[len(seen) // 2])
        refused += watcher.results(seconds + 60)[2]
        target.server.stop()
        shutil.rmtree(target.server.folder / 'data')  # each try stores some ten GB in 300 s
    check(all(r.code == rawmq.SYSTEM_BUSY for r in refused), 'refused with', {r.code for r in refused})
    can, did, errors = max(tries, key=lambda one: one[1] / one[0])
    check(did >= least * can, f'of {OVERLOAD * can:.0f} messages a second {did:.0f} were stored, of as many as it can do {can:.0f}; all tries', tries)
    check(grown < 48 * MEBIBYTE, f'memory grew by {grown >> 20} MiB in the second half of the overload')
    return (f'{did / can * 100:.0f} % of the capacity under {OVERLOAD} times as much ({can:.0f} and {did:.0f} messages a second), {errors} refused, memory '
            f'{max(0, grown) >> 20} MiB up in the second half; {len(tries)} tries')


def bench_sends(target, seconds, rate=None):
    """Begins to send for so long, as fast as it is answered or `rate` a second; a function that waits for the result."""
    run = subprocess.Popen([ringmq.binary, 'bench', 'produce', '-b', target.address, '-t', TOPIC, '-q', '4', '-s', '100', '-c', '4', '-i', '64',
                            '--warmup', '0.5', '-d', str(seconds), '--json', '--quiet', *(['-r', str(rate)] if rate else [])],
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def result():
        out, errors = run.communicate(timeout=seconds + 120)
        lines = [line for line in out.splitlines() if line.startswith('{')]
        check(lines, 'the load generator failed:', errors, out)
        return json.loads(lines[-1])
    return result


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
