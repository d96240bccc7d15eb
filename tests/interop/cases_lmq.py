"""Light message queues and multi-dispatch, with real clients that use them as RocketMQ's examples do."""
import time

import rawmq
from interop.cases_basic import name_of
from interop.cases_pop import POP_CLIENT, popping
from interop.harness import beside, check, test, test_each_client

ON = {'enableLmq': 'true', 'enableMultiDispatch': 'true'}


def light_server(context, name, **more):
    return context.standalone(name, **ON, **more)


def consuming(context, clients, server, parent, **names_and_topics):
    """A consumer for each light queue, with its group of the same name."""
    context.stopping(clients, *names_and_topics)
    for name, topic in names_and_topics.items():
        clients.do('consumer', name=name, group=f'group-{name}', topic=topic, parent=parent, namesrv=server.namesrv)


def in_order(clients, consumer):
    return [e['id'] for e in clients.deliveries.get(consumer, ())]


@test_each_client
@beside
def light_queues(context, version):
    """What names light queues is in each of them, in order, with the topic to which it was sent; after a crash as well, and consumers go on where they were."""
    clients, server = context.clients(version), light_server(context, name_of('light', version), flushConsumerOffsetInterval=500)
    parent = context.topic('LightParent', server=server)
    run, producer = name_of('light', version), name_of('light-p', version)
    first, second, whole = (name_of(n, version).replace('.', '_') for n in ('light-1', 'light-2', 'light-all'))
    context.stopping(clients, producer, whole)
    clients.do('producer', name=producer, group='light-producers', namesrv=server.namesrv)
    clients.do('consumer', name=whole, group='light-all', topic=parent, namesrv=server.namesrv)
    consuming(context, clients, server, parent, **{first: '%LMQ%one', second: '%LMQ%two'})
    both = clients.send(producer, parent, run, 20, dispatch='%LMQ%one,%LMQ%two')
    one = clients.send(producer, parent, f'{run}-one', 10, dispatch='%LMQ%one')
    none = clients.send(producer, parent, f'{run}-none', 10)
    for consumer, ids in ((whole, both + one + none), (first, both + one), (second, both)):
        clients.wait_for_ids(ids, 60, [consumer])
    check(in_order(clients, first) == both + one, 'in %LMQ%one:', in_order(clients, first))
    check(in_order(clients, second) == both, 'in %LMQ%two:', in_order(clients, second))
    for event in clients.deliveries[first] + clients.deliveries[second]:
        check(event['t'] == parent and event['q'] in (0, clients.acks[event['id']]['q']), event)  # a 5.x shows the queue that it has pulled
        place = dict(zip(event['lq'].split(','), event['lo'].split(',')))
        mine, ids = ('%LMQ%one', both + one) if event['c'] == first else ('%LMQ%two', both)
        check(int(place[mine]) == ids.index(event['id']), event)
    for event in clients.deliveries[whole]:
        check((event['lo'] != 'null') == (event['id'] not in none), event)

    for consumer in (first, second, whole):
        clients.do('stop', name=consumer)  # commits where it is
    time.sleep(1)
    server.kill()
    server.start()
    rawmq.wait_for_route(server.namesrv, parent)
    more = clients.send(producer, parent, f'{run}-more', 10, dispatch='%LMQ%two,%LMQ%one')
    fresh = name_of('light-new', version).replace('.', '_')
    consuming(context, clients, server, parent, **{fresh: '%LMQ%one', first: '%LMQ%one'})
    clients.wait_for_ids(both + one + more, 60, [fresh])
    clients.wait_for_ids(more, 60, [first])
    check(in_order(clients, fresh) == both + one + more, 'after a crash in %LMQ%one:', in_order(clients, fresh))
    if context.kind == 'ringmq':  # a consumer of RocketMQ's commits the offsets in the parent, and so reads again, or not at all
        check(in_order(clients, first) == both + one + more, 'its consumer did not go on where it was:', in_order(clients, first))


@test
@beside
def light_queues_later(context):
    """What waits for its time or its commit is in its light queues when it is delivered, not before."""
    clients, server = context.clients(POP_CLIENT), light_server(context, 'light-later')
    parent = context.topic('LightLater', server=server)
    context.stopping(clients, 'later-lp', 'later-lt')
    clients.do('producer', name='later-lp', group='later-producers', namesrv=server.namesrv)
    clients.do('txproducer', name='later-lt', group='later-tx', namesrv=server.namesrv)
    consuming(context, clients, server, parent, later_c='%LMQ%later')
    delayed = clients.send('later-lp', parent, 'later', 5, level=2, dispatch='%LMQ%later')
    # RocketMQ stores batches without dispatching them.
    now = clients.send('later-lp', parent, 'now', 5, mode='batch' if context.kind == 'ringmq' else 'sync', dispatch='%LMQ%later')
    for local, run in (('COMMIT_MESSAGE', 'kept'), ('ROLLBACK_MESSAGE', 'dropped')):
        clients.do('transact', name='later-lt', topic=parent, run=run, worker='w', local=local, count=3, dispatch='%LMQ%later')
    kept = [f'kept.w.{i}' for i in range(3)]
    clients.wait_for_ids([*now, *kept, *delayed], 30, ['later_c'])
    check(not any(i.startswith('dropped') for i in clients.seen), 'what was rolled back was delivered')
    for event in clients.deliveries['later_c']:
        check(event['t'] == parent, event)
        if event['id'] in delayed:
            check(event['now'] - event['born'] >= 4900, 'came before its time:', event)
    check(all(clients.seen[i] == 1 for i in [*now, *kept, *delayed]), 'delivered more than once')


@test
@beside
def light_queues_popped(context):
    """A group that pops a light queue: each message once, and what was not acknowledged again."""
    clients, server = context.clients(POP_CLIENT), light_server(context, 'light-pop')
    parent = context.topic('LightPop', server=server)
    popping(context, '%LMQ%pop', 'light-pop-group', server)
    context.stopping(clients, 'lpop-p', 'lpop-c')
    clients.do('producer', name='lpop-p', group='lpop-producers', namesrv=server.namesrv)
    clients.do('consumer', name='lpop-c', group='light-pop-group', topic='%LMQ%pop', parent=parent, pop=6, failures=1, namesrv=server.namesrv)
    ids = clients.send('lpop-p', parent, 'lpop', 20, dispatch='%LMQ%other,%LMQ%pop')
    clients.wait(lambda: all(clients.seen.get(i, 0) == 2 for i in ids), 60, 'two deliveries each')
    time.sleep(9)
    check(all(clients.seen[i] == 2 for i in ids), 'acknowledged messages came again')
    places = [dict(zip(e['lq'].split(','), e['lo'].split(','))) for e in clients.deliveries['lpop-c'] if e['r'] == 0]
    check([p['%LMQ%pop'] for p in places] == [str(i) for i in range(20)], places)


@test
@beside
def light_queues_refused(context):
    """Names that are none, too many queues, and a broker that has no light queues."""
    if context.kind != 'ringmq':
        return

    def send(connection, topic, dispatch, number):
        properties = rawmq.encode_properties({'INNER_MULTI_DISPATCH': dispatch})
        return connection.call(rawmq.SEND_MESSAGE_V2, rawmq.send_header('light-producers', topic, 0, properties), b'message %d' % number)

    server = light_server(context, 'light-refused', maxLmqConsumeQueueNum='2')
    parent = context.topic('LightRefused', 1, server=server)
    connection = context.raw(server.address)
    for wrong in ('plain', '%LMQ%a,plain', '%LMQ%', '%LMQ%a/b', '%LMQ%' + 'x' * 200):
        answer = send(connection, parent, wrong, 0)
        check(answer.code == 13 and 'INNER_MULTI_DISPATCH' in answer.remark, wrong, answer)
    check(send(connection, parent, ','.join(f'%LMQ%{i}' for i in range(1025)), 0).code == 13, 'too many names')
    answers = [send(connection, parent, f'%LMQ%mqtt+/{i}#'.replace('/', '%'), i) for i in range(40)]
    refused = [a for a in answers if a.code != 0]
    check(refused and all(a.code == 1 and 'maxLmqConsumeQueueNum' in a.remark for a in refused), answers[-1])
    stored = [i for i, a in enumerate(answers) if a.code == 0]
    check(len(connection.read_queue(parent, 0, 0, len(stored))) == len(stored), 'what was refused must not be stored')
    direct = connection.call(rawmq.SEND_MESSAGE_V2, rawmq.send_header('light-producers', '%LMQ%direct', 0), b'direct')
    check(direct.code == 1 and 'maxLmqConsumeQueueNum' in direct.remark, direct)
    check('%LMQ%' not in str(connection.call(21, {}).body), 'a light queue is in the list of topics')
    connection.must(215, {'topic': f'%LMQ%mqtt+%{stored[0]}#'})  # deleted: there is room again
    check(send(connection, parent, f'%LMQ%mqtt+%{stored[0]}#', 99).code == 0, 'no room after one was deleted')

    off = context.standalone('light-off')
    parent = context.topic('LightOff', 1, server=off)
    connection = context.raw(off.address)
    check(send(connection, parent, '%LMQ%a', 0).code == 0, 'the property means nothing to a broker without light queues')
    check(connection.pull('%LMQ%a', 0, 0)[0].code == 17, 'no such topic')
