"""Power cuts: everything that the disk had not flushed is lost, or each sector of it by the toss of a coin.

One round: producers send, at a random moment the disk dies, the broker is killed, the power comes back, the broker
starts, and each message is held against what was acknowledged. After some rounds a new store is made, so that both
young and old ones are met. What the cut takes follows from the
seed; when it comes, from the machine too.
"""
import contextlib
import pathlib
import random
import time

import rawmq
from fault.device import Device, server_on
from fault.ledger import Ledger
from fault.load import Producers
from fault.scan import start
from interop.harness import Failure, check
from peers.process import StartError

TOPIC, QUEUES, PRODUCERS = 'PowerCut', 4, 2
ALIVE = 'Alive'  # gets the first message after each start
START_SECONDS_MAX = 1.0  # half of the starts; the machine may be busy at others
SLOW_START_SECONDS_MAX = 5.0
COLD_JVM = 8  # RocketMQ is slow at first: so much longer rounds, to have about as many acknowledgements
ROUNDS_PER_STORE = 10
DISK_MEBIBYTES = 512  # two append buffers of 64 MiB, what a start makes anew beside an old one, and a fast machine's rounds
SEGMENT_BYTES = 8 << 20  # the smallest: the log goes on to new files under load
# ASYNC_FLUSH: flushed every 20 ms, and the flush takes its time. How long a thread of the broker, and a producer that reads the answers, have waited for a
# processor comes on top.
ASYNC_LOSS_SECONDS_MAX = 0.05
LAST_SECONDS = 0.15  # before a cut, in which that counts
CHAIN_FLUSHES = 6  # of the first start that is interrupted; from then on as many as the last whole one had


class Lateness:
    """How long the threads of these processes, those of their io_uring among them, wait for a processor from now on."""

    def __init__(self, *processes):
        self.processes, self.before = processes, [self._waited(p) for p in processes]

    @staticmethod
    def _waited(process):
        found = {}
        for task in pathlib.Path(f'/proc/{process}/task').iterdir():
            with contextlib.suppress(OSError):  # it has ended meanwhile
                found[task.name] = int((task / 'schedstat').read_text(encoding='ascii').split()[1]) / 1e9
        return found

    def each(self):
        """Of each process the thread that has waited longest, in seconds."""
        return [max((seconds - before.get(task, 0) for task, seconds in self._waited(p).items()), default=0.0)
                for p, before in zip(self.processes, self.before)]


class Rounds:
    """The broker on its faulty disk, round after round."""

    def __init__(self, context, flush, seed, window=ASYNC_LOSS_SECONDS_MAX):
        self.context, self.flush, self.seed, self.window = context, flush, seed, window
        self.rng = random.Random(seed)
        self.device = Device(context, DISK_MEBIBYTES)
        self.producers = Producers(PRODUCERS, TOPIC, QUEUES, seed)
        context.own.callback(self.producers.close)
        self.server = self.ledger = self.alive = None
        self.starts, self.acknowledged, self.lost = [], 0, 0
        self.flushes, self.before_ready = CHAIN_FLUSHES, []

    def new_store(self):
        if self.server is not None:
            self.ledger.settle(self.server.address)
            self.server.kill()
            self.device.format()
        self.server = server_on(self.context, self.device.folder, flushDiskType=self.flush,
                                mappedFileSizeCommitLog=SEGMENT_BYTES if self.context.kind == 'ringmq' else 16 << 20)
        self.server.start()
        with rawmq.Connection(self.server.address, timeout=30) as connection:
            connection.create_topic(TOPIC, QUEUES)
            connection.create_topic(ALIVE, 1)
        self.ledger, self.alive = Ledger(TOPIC, QUEUES, self.flush, self.window), Ledger(ALIVE, 1)

    def load_and_cut(self, seconds, how):
        """(the moment of the cut, or of the last acknowledgement where a slow disk had ended them already; how late everybody was until then)."""
        self.producers.go(self.server.address, 30)
        time.sleep(max(0, (seconds if self.context.kind == 'ringmq' else seconds * COLD_JVM) - LAST_SECONDS))
        lateness = Lateness(self.server.daemon.pid, *(p.pid for p in self.producers.processes))
        time.sleep(min(seconds, LAST_SECONDS))
        moment = self.device.cut(how)
        broker, *producers = lateness.each()
        late = broker + max(producers)
        self.server.kill()
        # Until it dies a process without a disk goes on acknowledging what ASYNC_FLUSH lets it: a real cut would have taken both at once.
        died = time.monotonic()
        results = self.producers.results(40)
        self.ledger.add(*results)
        self.ledger.happened('cut', died)
        last = min(moment, max((a.acked for a in results[0]), default=moment))
        # The checker has one window for all cuts of a store; each is held against its own in async_flush.
        self.ledger.window = max(self.ledger.window, died - last + self.window + late)
        self.acknowledged += len(results[0])
        self.device.power_up()
        return last, late

    def cut_while_starting(self, how):
        """Starts the broker; the power goes at a random flush of its start, or a moment later when it has fewer."""
        self.device.tell(f'cutflush {self.rng.randint(1, self.flushes)} {how}')
        self.server.daemon.spawn()
        deadline = time.monotonic() + 0.3
        while self.device.event is None and self.server.daemon.running and time.monotonic() < deadline:
            time.sleep(0.002)
        self.before_ready.append(not self.server.daemon.ready.search(self.server.daemon.output()))
        if self.device.event is None:
            self.device.cut(how)
        self.ledger.happened('cut')
        self.server.kill()
        self.device.power_up()

    def start_and_verify(self, number):
        """The broker starts, acknowledges within its time, and holds what it must."""
        flushes = self.device.state()['flushes']
        ack, seconds, maybe = start(self.server, ALIVE, 0, f'alive{number}')
        self.flushes = max(1, self.device.state()['flushes'] - flushes - 1)  # one is that of the acknowledgement
        self.starts.append(seconds)
        if self.context.kind == 'ringmq':
            check(seconds <= SLOW_START_SECONDS_MAX, f'the first acknowledgement came {seconds:.2f} s after the start')
        self.ledger.happened('start')
        judgement = self.ledger.verify(self.server.address, whole=number % 5 == 4)
        if self.flush == 'SYNC_FLUSH':
            self.alive.add([ack], maybe)
            self.alive.verify(self.server.address)
        return judgement

    def run(self, rounds, one_round):
        for number in range(rounds):
            try:
                if number % ROUNDS_PER_STORE == 0 or self.device.used > 0.6:
                    self.new_store()
                one_round(number)
                if number == rounds - 1:
                    self.ledger.settle(self.server.address)
            except (Failure, StartError, rawmq.ProtocolError, rawmq.ResponseError, TimeoutError, OSError) as error:
                raise Failure(f'round {number}: {type(error).__name__}: {error}') from error

    def report(self, rounds):
        self.starts.sort()
        usual = self.starts[len(self.starts) // 2]
        check(self.context.kind != 'ringmq' or usual <= START_SECONDS_MAX, 'the first acknowledgement comes', usual,
              's after the start')
        return (f'{rounds} cuts, {self.acknowledged} acknowledged, {self.lost} lost, first acknowledgement '
                f'{usual:.2f} s after the start, at most {self.starts[-1]:.2f} s; seed {self.seed}')


def sync_flush(context, rounds, seed):
    """D3: SYNC_FLUSH loses nothing, whatever the cut takes."""
    these = Rounds(context, 'SYNC_FLUSH', seed)

    def one(number):
        how = f'rand {seed + number}' if number % 4 else 'all'
        these.load_and_cut(these.rng.uniform(0.05, 0.3), how)
        these.start_and_verify(number)
    these.run(rounds, one)
    return these.report(rounds)


def async_flush(context, rounds, seed):
    """D4: ASYNC_FLUSH loses a suffix of each queue, of the last 50 ms at most. RocketMQ flushes every 500 ms: it is
    measured, not judged by our figure."""
    these, ages = Rounds(context, 'ASYNC_FLUSH', seed, ASYNC_LOSS_SECONDS_MAX if context.kind == 'ringmq' else 60.0), []

    def one(number):
        last, late = these.load_and_cut(these.rng.uniform(0.1, 0.3), f'rand {seed + number}' if number % 2 else 'all')
        lost = these.start_and_verify(number).lost
        these.lost += len(lost)
        age = max((last - a.acked for a in lost), default=0.0)
        ages.append((age, late))
        check(context.kind != 'ringmq' or age <= ASYNC_LOSS_SECONDS_MAX + late, f'lost were messages of the last {age * 1000:.0f} ms before the cut;',
              f'in the last {LAST_SECONDS * 1000:.0f} a thread of the broker and a producer had waited {late * 1000:.0f} ms for a processor')
        time.sleep(0.1)  # what was read back is flushed by now and has to stay
    these.run(rounds, one)
    ages.sort()
    most, late = ages[-1]
    return (f'{these.report(rounds)}; the oldest lost {ages[len(ages) // 2][0] * 1000:.0f} ms before its cut, {ages[len(ages) * 4 // 5][0] * 1000:.0f} ms '
            f'in one round of five, {most * 1000:.0f} ms at most, when broker and producers had waited {late * 1000:.0f} ms for a processor')


def chains(context, rounds, seed):
    """D5: the power goes again while the broker recovers, and again: after the third recovery all is as after one."""
    these = Rounds(context, 'SYNC_FLUSH', seed)

    def one(number):
        how = f'rand {seed + number}'
        these.load_and_cut(these.rng.uniform(0.05, 0.2), how)
        for again in range(2):
            these.cut_while_starting(f'rand {seed + 1000 * (again + 1) + number}')
        these.start_and_verify(number)
    these.run(rounds, one)
    early = sum(these.before_ready)
    check(context.kind != 'ringmq' or 2 * early > len(these.before_ready), 'only', early, 'of', len(these.before_ready), 'starts were cut before they were ready')
    return f'{these.report(3 * rounds)}; {early} of {len(these.before_ready)} starts were cut before they were ready'
