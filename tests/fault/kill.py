"""kill -9 of the broker at random moments under load, over and over on the same data folder.

Producers, the nemesis and a reader write a history; every fifth crash the queues are read from end to end and the checker
(tests/history) judges it: each acknowledged message is there, once, at its place and in its order, with its content intact, and
nothing is there that was not sent. Java clients run along and must carry on by themselves.
"""
import random
import time

import rawmq
from fault.load import Producers, id_of
from history import writer
from interop.harness import check
from peers import ringmq

QUEUES, PRODUCERS = 8, 2
TOPIC, JAVA_TOPIC = 'FaultTopic', 'FaultJava'


class Course:
    """The history of one data folder: what the nemesis did, and what was read after it."""

    def __init__(self, folder):
        self.folder = folder
        self.history = writer.History(folder / 'nemesis.jsonl')
        self.nemesis, self.reader = self.history.worker('nemesis'), self.history.worker('reader')
        self.ends = [0] * QUEUES

    def does(self, what, action):
        op = self.nemesis.invoke('nemesis', v=what)
        result = action()
        self.nemesis.complete(op, 'ok')
        return result

    def read(self, address, whole):
        """Reads the queues (from shortly before the end of the last reading unless `whole`, which is the last phase of the
        history so far); returns the stored total."""
        if whole:
            self.nemesis.once('nemesis', v='scan')
        with rawmq.Connection(address, timeout=30) as connection:
            for queue in range(QUEUES):
                at = 0 if whole else max(0, self.ends[queue] - 50)
                self.ends[queue] = self._read_queue(connection, queue, at, connection.max_offset(TOPIC, queue))
        return sum(self.ends)

    def _read_queue(self, connection, queue, at, end):
        """Returns where it ended."""
        while True:
            op = self.reader.invoke('pull', k=f'{TOPIC}/{queue}', **{'from': at})
            answer, records = connection.pull(TOPIC, queue, at, 512)
            for record in records:
                check(record.queue_id == queue and record.topic == TOPIC, f'{TOPIC}/{queue} at {at}: a record of',
                      f'{record.topic}/{record.queue_id}')
            self.reader.pulled(op, answer, records, id_of)
            after = int(answer.ext.get('nextBeginOffset', at))
            if after >= end:
                return after
            check(after > at, f'{TOPIC}/{queue}: a pull at {at} of {end} says code {answer.code} and to go on at {after}')
            at = after

    def verdict(self):
        """What the checker says of everything so far; a Failure when something fatal is found."""
        producers = sorted(self.folder.glob('w*.jsonl'))
        # Nothing expires in this run, and no power is cut.
        verdict = self.history.check(checker(), *producers, options=['--keeps-all'])
        check(verdict.clean, f'the history in {self.folder}:\n{verdict}')
        return verdict.summary


def checker():
    return ringmq.binary.parent / 'tests' / 'history' / 'history_check'


def kill_under_load(context, version, flush, kills, seed):
    """One data folder, `kills` crashes. Returns a line for the report."""
    rng = random.Random(seed)
    server = context.standalone(f'kill-{flush.lower()}', flushDiskType=flush)
    context.topic(TOPIC, QUEUES, server)
    context.topic(JAVA_TOPIC, 4, server)
    course = Course(context.fresh_folder(f'history-{flush.lower()}'))
    # RocketMQ drops what waited 200 ms (SYSTEM_BUSY, not stored or not known to be); RingMQ makes senders wait.
    doubted = (rawmq.SYSTEM_BUSY,) if context.kind == 'rocketmq' else ()
    producers = Producers(PRODUCERS, TOPIC, QUEUES, seed,
                          {'folder': course.folder, 'store': flush.split('_')[0], 'doubted': doubted})
    context.own.callback(producers.close)
    java = JavaSide(context, version, server, flush)
    started, slowest, total = time.monotonic(), 0.0, 0
    for kill in range(kills):
        moment = rng.uniform(0.05, 1.0)
        producers.go(server.address, 30)
        time.sleep(moment)
        course.does('kill', server.kill)
        acknowledged, _, refused = producers.results(20)
        refused = [r for r in refused if r[1] not in doubted]
        check(not refused, 'crash', kill, ': sends were refused, such as', refused[:2])
        check(acknowledged or moment < 0.3, 'crash', kill, ': nothing was acknowledged in', round(moment, 2), 's')
        total += len(acknowledged)
        slowest = max(slowest, course.does('start', server.start))
        whole = kill % 5 == 4 or kill == kills - 1
        try:
            stored = course.read(server.address, whole)
            summary = course.verdict() if whole else ''
        except Exception as error:
            raise type(error)(f'crash {kill} after {moment:.3f} s, seed {seed}: {error}') from error
        java.must_carry_on(kill)
    java.finish()
    return (f'{kills} crashes in {time.monotonic() - started:.0f} s, {total} acknowledged, {stored} stored, '
            f'slowest start {slowest:.2f} s, {java.report()}, seed {seed}; {summary}')


class JavaSide:
    """A Java producer and push consumer that know nothing of the crashes."""

    def __init__(self, context, version, server, flush):
        self.clients, self.server = context.clients(version), server
        self.producer, self.consumer = f'fault-p-{flush}-{version}', f'fault-c-{flush}-{version}'
        context.stopping(self.clients, self.producer, self.consumer)
        self.clients.do('producer', name=self.producer, group='fault-java', namesrv=server.namesrv, timeout=1000)
        self.clients.do('consumer', name=self.consumer, group=self.consumer.replace('.', '_'), topic=JAVA_TOPIC,
                        namesrv=server.namesrv)
        self.run = f'fault{flush}{version.replace(".", "_")}'
        self.call = self.clients.start('send', name=self.producer, topic=JAVA_TOPIC, run=self.run,
                                       worker=self.producer.replace('.', '_'), mode='sync', count=10_000_000,
                                       pause_us=5_000)
        self.slowest = 0.0

    def _acknowledged(self):
        return [i for i in self.clients.acks if i.startswith(self.run + '.')]

    def must_carry_on(self, kill):
        """The producer sends something new, and the consumer receives it.

        A 4.9.7 client does not notice that its connection ended unless the end was a reset: its pulls wait for their own
        timeout of 30 s then, whatever broker it is. So it is not waited for after every crash, and longer.
        """
        old_client = self.clients.version.startswith('4.')
        begin, sent = time.monotonic(), len(self.clients.acks)
        self.clients.wait(lambda: len(self.clients.acks) > sent, 30, f'the Java producer to go on after crash {kill}')
        if old_client and kill % 5 != 4:
            return
        newest = next(reversed(self.clients.acks))
        self.clients.wait(lambda: newest in self.clients.seen, 50 if old_client else 30,
                          f'the Java consumer to go on after crash {kill}')
        self.slowest = max(self.slowest, time.monotonic() - begin)

    def finish(self):
        """Everything that the Java producer was told is stored reached the consumer, from where it was stored."""
        self.clients.do('pause', name=self.producer)
        self.clients.finish(self.call, 30)
        ids = self._acknowledged()
        self.clients.wait_for_ids(ids, 60)
        places = {}
        for event in self.clients.deliveries[self.consumer]:
            places.setdefault(event['id'], set()).add((event['q'], event['o']))
        for i in ids:
            ack = self.clients.acks[i]
            check((ack['q'], ack['o']) in places[i], 'acknowledged as', ack, 'received from', places[i])

    def report(self):
        failed = sum(1 for i in self.clients.fails if i.startswith(self.run + '.'))
        return (f'Java {self.clients.version}: {len(self._acknowledged())} acknowledged, {failed} failed, '
                f'slowest to go on {self.slowest:.1f} s')
