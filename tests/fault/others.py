"""Others that die: nameservers (N4), consumers (R1). With unmodified Java clients."""
import random
import time

import rawmq
from interop.clients import Clients
from interop.harness import Failure, check

RETURN_SECONDS_MAX = 30
# Of what was sent, twice although nobody who had it was killed: a queue goes to who joins while its last messages are still with the other.
MOVED_TWICE_MAX = 0.01
MOVED_TWICE_FEW = 5


def nameservers_lost(context, rounds, seed):
    """Two nameservers, a broker that registers with both, Java clients that know both. Round by round one or all are
    killed, for a while, and come back empty. Sends to topics that are known never stop, what is sent is received, and
    the broker is registered again within 30 s."""
    rng = random.Random(seed)
    servers = [context.run(context.peer.NameServer(context.fresh_folder('namesrv'))) for _ in range(2)]
    both = ';'.join(s.address for s in servers)
    broker = context.run(context.peer.Broker(context.fresh_folder('broker'), both, registerNameServerPeriod=10_000))
    with rawmq.Connection(broker.address) as connection:
        connection.create_topic('Lasting', 4)
    for one in servers:
        rawmq.wait_for_route(one.address, 'Lasting', 60)
    clients = context.clients('5.3.3')
    context.stopping(clients, 'n4-p', 'n4-c')
    clients.do('producer', name='n4-p', group='n4-producers', namesrv=both)
    clients.do('consumer', name='n4-c', group='n4-c', topic='Lasting', namesrv=both)
    clients.wait_for_ids(clients.send('n4-p', 'Lasting', 'before', 20), 40, ['n4-c'])
    slowest, sent = 0.0, 0
    for number in range(rounds):
        try:
            gone = servers if number % 2 else [rng.choice(servers)]
            for one in gone:
                one.kill()
            ids = clients.send('n4-p', 'Lasting', f'without{number}', 50, pause_us=10_000)  # an error unless all are SEND_OK
            clients.wait_for_ids(ids, 30, ['n4-c'])
            sent += len(ids)
            for one in gone:
                one.start()
            begin = time.monotonic()
            for one in gone:
                rawmq.wait_for_route(one.address, 'Lasting', RETURN_SECONDS_MAX if context.kind == 'ringmq' else 60)
            slowest = max(slowest, time.monotonic() - begin)
            with rawmq.Connection(broker.address) as connection:
                connection.create_topic(f'New{number}', 1)
            for one in servers:
                rawmq.wait_for_route(one.address, f'New{number}', 30)
            clients.send('n4-p', f'New{number}', f'new{number}', 5)
        except Exception as error:
            raise Failure(f'round {number}: {type(error).__name__}: {error}') from error
    return f'{rounds} losses, {sent} sent meanwhile, registered again after at most {slowest:.1f} s; seed {seed}'


def consumers_killed(context, rounds, seed):
    """Consumers of one group in JVMs of their own are killed and others join, while a producer sends. Every message
    is received by somebody; twice only what a killed one had and had not reported yet, and 1 % where queues move to who joins."""
    rng = random.Random(seed)
    topic, group = 'Mortal', 'mortal-group'
    context.topic(topic, 8)
    sender = context.clients('5.3.3')
    context.stopping(sender, 'r1-p')
    sender.do('producer', name='r1-p', group='r1-producers')
    living, dead, reported = [], [], {}

    def join(number):
        clients = Clients('5.3.3', context.fresh_folder(f'mortal-{number}'), context.server.namesrv,
                          ['-Dpeer.flushEach=true'])
        living.append(clients)
        clients.do('consumer', name=f'r1-c{number}', group=group, topic=topic)
    try:
        join(0)
        call = sender.start('send', name='r1-p', topic=topic, run=f'r1-{seed}', worker='r1-p', mode='sync', count=10_000_000,
                            pause_us=1_000)
        for number in range(1, rounds + 1):
            join(number)
            time.sleep(rng.uniform(0.2, 1.0))
            victim = living.pop(0)
            reported[f'r1-c{number - 1}'] = offsets_of(context.server.address, group, topic, 8)  # each victim is the oldest
            victim.process.kill()
            victim.process.wait()
            dead.append(victim)
        sender.do('pause', name='r1-p')
        sender.finish(call, 30)
        ids = [i for i in sender.acks if i.startswith(f'r1-{seed}.')]
        check(ids, 'nothing was sent')
        deadline = time.monotonic() + 60
        while True:
            seen = {}
            for clients in living + dead:
                with clients.lock:
                    for message_id, times in clients.seen.items():
                        seen[message_id] = seen.get(message_id, 0) + times
            missing = [i for i in ids if i not in seen]
            if not missing:
                break
            check(time.monotonic() < deadline, len(missing), 'of', len(ids), 'never reached a consumer, such as', missing[:3])
            time.sleep(0.2)
        had = {}
        for clients in living + dead:
            for consumer, events in clients.deliveries.items():
                for event in events:
                    had.setdefault(event['id'], []).append((consumer, event['q'], event['o']))
        twice = {i: places for i, places in had.items() if len(places) > 1}
        again = sum(len(places) - 1 for places in twice.values())
        beside = [i for i, places in twice.items() if not any(c in reported and offset >= reported[c][queue] for c, queue, offset in places)]
        check(len(beside) <= max(MOVED_TWICE_FEW, MOVED_TWICE_MAX * len(ids)), len(beside), 'of', len(ids), 'came twice that no killed consumer had, or that it',
              'had reported, such as', [(i, twice[i]) for i in beside[:3]])
    finally:
        for clients in living:
            clients.close()
    return (f'{rounds} consumers killed, {len(ids)} sent, 0 missing, {again} delivered again '
            f'({100 * again / len(ids):.1f} %), {len(beside)} of them where a queue moved; seed {seed}')


def offsets_of(address, group, topic, queues):
    """What the group has reported of each queue; 0 for nothing."""
    offsets = []
    with rawmq.Connection(address, timeout=30) as connection:
        for queue in range(queues):
            answer = connection.call(rawmq.QUERY_CONSUMER_OFFSET, {'consumerGroup': group, 'topic': topic, 'queueId': queue})
            offsets.append(int(answer.ext['offset']) if answer.code == rawmq.SUCCESS else 0)
    return offsets
