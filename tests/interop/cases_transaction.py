"""Transaction messages with real clients: commit, rollback, check-backs to any producer of the group, what nobody ends, restarts."""
import time

from interop.cases_basic import name_of
from interop.harness import beside, check, test, test_all_clients

# So that a test need not take the half minute of the default.
FAST = {'transactionTimeOut': '1000', 'transactionCheckInterval': '1500'}


def checks_of(clients, ids):
    return [e for e in clients.checks if e['id'] in ids]


@test_all_clients
@beside
def transactions(context, version):
    """What is committed comes, once, and looks like any message; what is rolled back or left open does not."""
    clients, topic = context.clients(version), context.topic(name_of('Transactions', version))
    producer, consumer = name_of('tx-p', version), name_of('tx-c', version)
    context.stopping(clients, producer, consumer)
    clients.do('txproducer', name=producer, group=name_of('tx-producers', version))
    clients.do('consumer', name=consumer, group=name_of('tx-group', version), topic=topic)
    open_ones = clients.transact(producer, topic, 'open', 5, 'UNKNOW')
    rolled_back = clients.transact(producer, topic, 'back', 20, 'ROLLBACK_MESSAGE')
    committed = clients.transact(producer, topic, 'done', 50, 'COMMIT_MESSAGE', tags='B')
    clients.wait_for_ids(committed, 20)
    time.sleep(1)
    check(all(clients.seen[i] == 1 for i in committed), 'delivered more than once')
    check(not [i for i in open_ones + rolled_back if i in clients.seen], 'what nobody has committed was delivered')
    for event in clients.deliveries[consumer]:
        ack = clients.acks[event['id']]
        check((event['tag'], event['m'], event['r'], event['t']) == ('B', ack['m'], 0, topic), event, ack)
        check(event['q'] == ack['q'], 'another queue than was chosen', event, ack)


@test
@beside
def transaction_check_backs(context):
    """Who does not say is asked, and his answer counts; when he has died another producer of his group is asked."""
    server = context.standalone('check-backs', **FAST)
    context.topic('CheckBacks', server=server)
    for version in ('4.9.7', '5.3.3'):
        clients = context.clients(version)
        first, second, consumer = name_of('cb-1', version), name_of('cb-2', version), name_of('cb-c', version)
        context.stopping(clients, second, consumer)
        group = name_of('cb-producers', version)
        clients.do('consumer', name=consumer, group=name_of('cb-group', version), topic='CheckBacks', namesrv=server.namesrv)
        clients.do('txproducer', name=first, group=group, namesrv=server.namesrv)
        kept = clients.transact(first, 'CheckBacks', f'kept{version}', 5, 'UNKNOW', check='UNKNOW,COMMIT_MESSAGE')
        dropped = clients.transact(first, 'CheckBacks', f'dropped{version}', 5, 'UNKNOW', check='ROLLBACK_MESSAGE')
        clients.wait_for_ids(kept, 20, [consumer])
        asked = checks_of(clients, kept + dropped)
        if context.kind == 'ringmq':  # the original notes what has ended every 3 s, and asks about it meanwhile
            check([len(checks_of(clients, [i])) for i in kept] == [2] * 5, 'not asked twice')
            check([len(checks_of(clients, [i])) for i in dropped] == [1] * 5, 'not asked once')
        check(all(e['intact'] and e['t'] == 'CheckBacks' and e['m'] == clients.acks[e['id']]['m'] for e in asked), asked[:2])
        inherited = clients.transact(first, 'CheckBacks', f'inherited{version}', 5, 'UNKNOW', check='COMMIT_MESSAGE')
        clients.do('stop', name=first)
        clients.do('txproducer', name=second, group=group, namesrv=server.namesrv)
        clients.transact(second, 'CheckBacks', f'hello{version}', 1, 'COMMIT_MESSAGE')  # a new client of 5.x knows no broker before
        clients.wait_for_ids(inherited, 20, [consumer])
        check(all(e['p'] == second for e in checks_of(clients, inherited)), 'who was asked has gone', checks_of(clients, inherited)[:2])
        time.sleep(0.5)
        if context.kind == 'ringmq':  # the original commits as often as it is told to
            check(all(clients.seen[i] == 1 for i in kept + inherited), 'delivered more than once')
        check(not [i for i in dropped if i in clients.seen], 'what was rolled back was delivered')


@test
@beside
def transactions_across_restarts(context):
    """What is pending when the broker is killed is pending afterwards: its end counts, and its producer is asked."""
    server = context.standalone('tx-restarts', flushDiskType='ASYNC_FLUSH', **FAST)
    context.topic('TxRestart', server=server)
    clients = context.clients('5.3.3')
    context.stopping(clients, 'txr-p', 'txr-c')
    clients.do('consumer', name='txr-c', group='txr-group', topic='TxRestart', namesrv=server.namesrv)
    clients.do('txproducer', name='txr-p', group='txr-producers', namesrv=server.namesrv)
    done = clients.transact('txr-p', 'TxRestart', 'done', 20, 'COMMIT_MESSAGE')
    clients.wait_for_ids(done, 20, ['txr-c'])
    back = clients.transact('txr-p', 'TxRestart', 'back', 20, 'ROLLBACK_MESSAGE')
    time.sleep(0.5)  # the answers are oneway
    pending = clients.transact('txr-p', 'TxRestart', 'pending', 20, 'UNKNOW', check='COMMIT_MESSAGE')
    server.kill()
    server.start()
    clients.wait_for_ids(pending, 40, ['txr-c'])
    time.sleep(2)
    check(not [i for i in back if i in clients.seen], 'what was rolled back was delivered')
    if context.kind != 'ringmq':  # the original asks about what has ended, and commits it again
        return
    check(not checks_of(clients, done + back), 'asked about what has ended', checks_of(clients, done + back)[:2])
    # At least once is all a push consumer promises across a crash: what counts is that the queue has each once.
    places = {}
    for event in clients.deliveries['txr-c']:
        places.setdefault(event['id'], set()).add((event['q'], event['o']))
    twice = [(i, p) for i, p in places.items() if len(p) > 1]
    check(not twice, 'committed twice', twice[:2])


@test
@beside
def transactions_put_aside(context):
    """Who is asked as often as transactionCheckMax allows and never knows has his message in TRANS_CHECK_MAX_TIME_TOPIC."""
    server = context.standalone('tx-aside', transactionCheckMax='2', **FAST)
    context.topic('TxAside', server=server)
    clients = context.clients('5.3.3')
    context.stopping(clients, 'txa-p', 'txa-c', 'txa-aside')
    clients.do('consumer', name='txa-c', group='txa-group', topic='TxAside', namesrv=server.namesrv)
    clients.do('txproducer', name='txa-p', group='txa-producers', namesrv=server.namesrv)
    ids = clients.transact('txa-p', 'TxAside', 'never', 5, 'UNKNOW', check='UNKNOW')
    clients.wait(lambda: len(checks_of(clients, ids)) >= 10, 30, 'two questions about each')
    clients.do('consumer', name='txa-aside', group='txa-readers', topic='TRANS_CHECK_MAX_TIME_TOPIC', namesrv=server.namesrv)
    clients.wait_for_ids(ids, 30, ['txa-aside'])
    time.sleep(2)
    if context.kind == 'ringmq':
        check([len(checks_of(clients, [i])) for i in ids] == [2] * 5, 'not asked twice')
    check('txa-c' not in clients.deliveries, 'what nobody has committed was delivered')
