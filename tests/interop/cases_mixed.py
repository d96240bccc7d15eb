"""Clusters that mix RingMQ with the real RocketMQ 5.3.3, and nameservers that come and go.

There are two nameservers, the one under test and a real one, and two brokers, the one under test and a real one. Both
brokers register with both nameservers. With the real RocketMQ under test all four are real.
"""
import contextlib

import rawmq
from interop.harness import VERSIONS, Admin, beside, check, test, wait_until
from peers import rocketmq

OURS, REAL = 'broker-ours', 'broker-real'


class Cluster:
    def __init__(self, context):
        self.ours = context.peer.NameServer(context.fresh_folder('namesrv-ours'))
        self.real = rocketmq.NameServer(context.fresh_folder('namesrv-real'))
        both = f'{self.ours.address};{self.real.address}'
        self.broker_ours = context.peer.Broker(context.fresh_folder(OURS), both, brokerName=OURS,
                                               registerNameServerPeriod=10_000)
        self.broker_real = rocketmq.Broker(context.fresh_folder(REAL), both, brokerName=REAL,
                                           registerNameServerPeriod=10_000,
                                           forceRegister='false')  # it asks first whether a nameserver knows what it would say
        for server in (self.ours, self.real, self.broker_ours, self.broker_real):
            context.run(server, shared=True)
        for namesrv in (self.ours, self.real):
            for broker in (OURS, REAL):
                rawmq.wait_for_route(namesrv.address, broker, 60)  # each broker has a topic of its own name


def cluster(context):
    return context.share('cluster', lambda: Cluster(context))


def served(context, namesrv, broker, topic):
    """Both client versions, knowing only `namesrv`, send to a topic of `broker` and receive from it."""
    with rawmq.Connection(broker.address) as raw:
        raw.create_topic(topic, 4)
    route = rawmq.wait_for_route(namesrv.address, topic, 30, broker.name)
    check([b['brokerAddrs'] for b in route['brokerDatas']] == [{'0': broker.address}], route)
    for version in VERSIONS:
        clients = context.clients(version)
        producer, consumer = f'{topic}-p-{version}', f'{topic}-c-{version}'
        context.stopping(clients, producer, consumer)
        clients.do('producer', name=producer, group='mixed-producers', namesrv=namesrv.address)
        clients.do('consumer', name=consumer, group=consumer.replace('.', '_'), topic=topic, namesrv=namesrv.address)
        ids = clients.send(producer, topic, 'mixed', 50)
        clients.wait_for_ids(ids, 30, [consumer])
        check({e['b'] for e in clients.deliveries[consumer]} == {broker.name}, 'served by another broker')


@test
@beside
def real_broker_at_our_nameserver(context):
    """A RocketMQ 5.3.3 broker registers with the nameserver under test, and Java clients find it there."""
    all_of = cluster(context)
    served(context, all_of.ours, all_of.broker_real, 'AtOurs')


@test
@beside
def our_broker_at_real_nameserver(context):
    """The broker under test registers with a RocketMQ 5.3.3 nameserver, and Java clients find it there."""
    all_of = cluster(context)
    served(context, all_of.real, all_of.broker_ours, 'AtReal')


@test
@beside
def mixed_cluster(context):
    """A topic on both brokers: one producer and one consumer use both; both nameservers say the same."""
    all_of, topic = cluster(context), 'OnBoth'
    for broker in (all_of.broker_ours, all_of.broker_real):
        with rawmq.Connection(broker.address) as raw:
            raw.create_topic(topic, 2)
    routes = []
    for namesrv in (all_of.ours, all_of.real):
        rawmq.wait_for_route(namesrv.address, topic, 30, OURS)
        route = rawmq.wait_for_route(namesrv.address, topic, 30, REAL)
        route['brokerDatas'].sort(key=lambda b: b['brokerName'])
        route['queueDatas'].sort(key=lambda q: q['brokerName'])
        routes.append(route)
    for key in ('brokerDatas', 'queueDatas'):
        ours, real = ([{k: v for k, v in d.items() if v is not None} for d in r[key]] for r in routes)
        check(ours == real, key, 'of our nameserver:', ours, 'of the real one:', real)
    clients = context.clients(VERSIONS[-1])
    context.stopping(clients, 'both-p', 'both-c')
    clients.do('producer', name='both-p', group='mixed-producers', namesrv=all_of.ours.address)
    clients.do('consumer', name='both-c', group='both-c', topic=topic, namesrv=all_of.ours.address)
    ids = clients.send('both-p', topic, 'both', 100)
    clients.wait_for_ids(ids, 30, ['both-c'])
    check({e['b'] for e in clients.deliveries['both-c']} == {OURS, REAL}, 'one of the brokers was left out')
    admin = context.own.enter_context(Admin('5.3.3', context.fresh_folder('mqadmin'), all_of.ours.address))
    text = admin.run('clusterList')
    check(OURS in text and REAL in text, 'clusterList:', text)


@test
@beside
def nameserver_lost_and_back(context):
    """The nameserver under test is killed: clients go on with what they know. It comes back empty: both brokers
    register again by themselves, and new clients find everything."""
    all_of, topic = cluster(context), 'Survivor'
    for broker in (all_of.broker_ours, all_of.broker_real):
        with rawmq.Connection(broker.address) as raw:
            raw.create_topic(topic, 2)
        rawmq.wait_for_route(all_of.ours.address, topic, 30, broker.name)
    lasting = {}
    for version in VERSIONS:
        clients = context.clients(version)
        producer, consumer = f'lasting-p-{version}', f'lasting-c-{version}'
        context.stopping(clients, producer, consumer)
        clients.do('producer', name=producer, group='mixed-producers', namesrv=all_of.ours.address)
        clients.do('consumer', name=consumer, group=consumer.replace('.', '_'), topic=topic,
                   namesrv=all_of.ours.address)
        clients.wait_for_ids(clients.send(producer, topic, 'before', 20), 30, [consumer])
        lasting[version] = clients, producer, consumer
    all_of.ours.kill()
    for clients, producer, consumer in lasting.values():
        clients.wait_for_ids(clients.send(producer, topic, 'without', 100, pause_us=10_000), 30, [consumer])
    all_of.ours.start()
    for name in (OURS, REAL):
        rawmq.wait_for_route(all_of.ours.address, topic, 40, name)
    for version, (clients, producer, consumer) in lasting.items():
        late = f'late-p-{version}'
        context.stopping(clients, late)
        clients.do('producer', name=late, group='mixed-producers', namesrv=all_of.ours.address)
        ids = clients.send(late, topic, 'after', 50) + clients.send(producer, topic, 'after', 50)
        clients.wait_for_ids(ids, 30, [consumer])


@test
@beside
def broker_gone_from_nameservers(context):
    """A broker that is killed leaves the routes of both nameservers at once, not after the 120 s without heart-beat. One that is stopped
    takes its leave itself."""
    all_of, topic = cluster(context), 'Leaver'
    with rawmq.Connection(all_of.broker_ours.address) as raw:
        raw.create_topic(topic, 1)
    for namesrv in (all_of.ours, all_of.real):
        rawmq.wait_for_route(namesrv.address, topic, 30, OURS)
    all_of.broker_ours.kill()
    for namesrv in (all_of.ours, all_of.real):
        def gone(address=namesrv.address):
            with rawmq.Connection(address) as raw:
                cluster_info = rawmq.parse_fastjson(raw.must(rawmq.GET_BROKER_CLUSTER_INFO).body)
                return raw.route(topic) is None and OURS not in cluster_info['brokerAddrTable']
        wait_until(gone, 10, f'the killed broker to leave {namesrv.address}')
    all_of.broker_real.stop()
    with rawmq.Connection(all_of.ours.address) as raw:
        wait_until(lambda: raw.route(REAL) is None, 10, 'the stopped broker to leave')
    with contextlib.suppress(KeyError):
        del context.shared['cluster']
