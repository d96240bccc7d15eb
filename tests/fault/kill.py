"""kill -9 of the broker at random moments under load, over and over on the same data folder.

After every restart: each acknowledged message is in its queue at the offset that was acknowledged, with its body intact;
each queue is dense from its first offset to its last; nothing is stored that was not sent, and nothing twice, because
these producers never send twice. A message is acknowledged within a second from the start of the process. Java clients
run along and must carry on by themselves.
"""
import random
import time

from fault.ledger import Ledger, reads_all
from fault.load import Producers
from fault.scan import start
from interop.harness import Failure, check

QUEUES, PRODUCERS = 8, 2
TOPIC, JAVA_TOPIC, ALIVE = 'FaultTopic', 'FaultJava', 'FaultAlive'
FIRST_ACK_SECONDS_MAX = 1.0  # after half of the starts; the machine may be busy at others
SLOW_FIRST_ACK_SECONDS_MAX = 5.0


def kill_under_load(context, version, flush, kills, seed):
    """One data folder, `kills` crashes. Returns a line for the report."""
    rng = random.Random(seed)
    server = context.standalone(f'kill-{flush.lower()}', flushDiskType=flush)
    context.topic(TOPIC, QUEUES, server)
    context.topic(JAVA_TOPIC, 4, server)
    context.topic(ALIVE, 1, server)
    producers = Producers(PRODUCERS, TOPIC, QUEUES, seed)
    context.own.callback(producers.close)
    ledger, java = Ledger(TOPIC, QUEUES, flush), JavaSide(context, version, server, flush, kills)
    started, firsts = time.monotonic(), []
    for kill in range(kills):
        moment = rng.uniform(0.05, 0.7)
        producers.go(server.address, 30, pause=0.003)
        time.sleep(moment)
        killed = time.monotonic()
        server.kill()
        results = producers.results(20)
        # RocketMQ drops what waited 200 ms (SYSTEM_BUSY); RingMQ makes senders wait.
        check(context.kind == 'rocketmq' or not results[2], 'crash', kill, ': sends were refused, such as', results[2][:2])
        check(results[0] or moment < 0.3, 'crash', kill, ': nothing was acknowledged in', round(moment, 2), 's')
        ledger.add(*results)
        ledger.happened('kill', killed)
        firsts.append(start(server, ALIVE, 0, f'alive{kill}')[1])
        check(context.kind == 'rocketmq' or firsts[-1] <= SLOW_FIRST_ACK_SECONDS_MAX, 'crash', kill, ': the first acknowledgement came', firsts[-1],
              's after the start')
        ledger.happened('start')
        try:
            stored = ledger.verify(server.address, whole=reads_all(kill, kills)).stored
        except Exception as error:
            raise Failure(f'crash {kill} after {moment:.3f} s: {error}') from error
        java.must_carry_on(kill)
    java.finish()
    firsts.sort()
    usual = firsts[len(firsts) // 2]
    check(context.kind == 'rocketmq' or usual <= FIRST_ACK_SECONDS_MAX, 'the first acknowledgement comes', usual, 's after the start')
    return (f'{kills} crashes in {time.monotonic() - started:.0f} s, {ledger.acknowledged} acknowledged, {stored} read at the end, '
            f'first acknowledgement {usual:.2f} s after the start, at most {firsts[-1]:.2f} s, {java.report()}, seed {seed}')


class JavaSide:
    """A Java producer and push consumer that know nothing of the crashes."""

    def __init__(self, context, version, server, flush, kills):
        self.clients, self.server, self.kills = context.clients(version), server, kills
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
        timeout of 30 s then, whatever broker it is, and the next may meet the next crash. So it is not waited for after every crash.
        A 5.3.3 client does, unless its heartbeat has opened the next connection a moment before: then it finds the old one
        out of its table and does not fail what waits for it (NettyRemotingClient.closeChannel), so these pulls wait for 30 s too.
        """
        old_client = self.clients.version.startswith('4.')
        begin, sent = time.monotonic(), len(self.clients.acks)
        self.clients.wait(lambda: len(self.clients.acks) > sent, 30, f'the Java producer to go on after crash {kill}')
        if old_client and kill % 10 != 9 and kill + 1 != self.kills:
            return
        newest = next(reversed(self.clients.acks))
        self.clients.wait(lambda: newest in self.clients.seen, 80,
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
