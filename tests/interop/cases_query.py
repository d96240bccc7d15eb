"""Messages found by KEYS and unique key, by real clients and the real mqadmin 5.3.3; traces of messages, which are found so."""
import re
import time

import rawmq
from interop.cases_admin import VERSION, table
from interop.cases_basic import name_of
from interop.harness import Admin, beside, check, test, test_each_client, wait_until

QUERY_MESSAGE, QUERY_NOT_FOUND = 12, 22
EVER = str(2 ** 63 - 1)


def records(raw, topic, key, **more):
    """The answer to a query, and (queue, offset, store time, body) of each message in it, in its order."""
    header = {'topic': topic, 'key': key, 'maxNum': '64', 'beginTimestamp': '0', 'endTimestamp': EVER, **more}
    answer = raw.call(QUERY_MESSAGE, header)
    return answer, rawmq.decode_records(answer.body) if answer.code == 0 else []


@test_each_client
@beside
def query_by_key(context, version):
    """queryMessage by one of several KEYS, in a time, no more than asked for; viewMessage by the id that the send has returned."""
    clients, topic = context.clients(version), context.topic(name_of('Query', version))
    producer = name_of('query-p', version)
    context.stopping(clients, producer)
    clients.do('producer', name=producer, group='query-producers')
    early = clients.send(producer, topic, 'early', 30, key='order-1  both order-1')
    wait_until(lambda: len(clients.query(producer, topic, 'both')) == 30, 10, 'the first ones to be found')
    time.sleep(1.1)  # the real one counts seconds
    between = int(time.time() * 1000)
    time.sleep(1.1)
    late = clients.send(producer, topic, 'late', 30, key='order-2 both')
    wait_until(lambda: len(clients.query(producer, topic, 'both')) == 60, 10, 'all to be found')

    found = clients.query(producer, topic, 'order-1')
    check(sorted({f['id'] for f in found}) == sorted(early), 'by order-1', len(found))
    check(context.kind != 'ringmq' or len(found) == 30, 'a key that is given twice finds a message twice')
    check({f['id'] for f in clients.query(producer, topic, 'order-2')} == set(late), 'by order-2')
    check({f['id'] for f in clients.query(producer, topic, 'both', begin=between)} == set(late), 'those from a time on')
    check({f['id'] for f in clients.query(producer, topic, 'both', end=between)} == set(early), 'those up to a time')
    times = sorted(f['store'] for f in clients.query(producer, topic, 'both'))
    newest = clients.query(producer, topic, 'both', max=7)  # which of those of one millisecond is open: several logs have no order within it
    check(len({f['id'] for f in newest}) == 7 and sorted(f['store'] for f in newest) == times[-7:], 'the newest seven', newest, 'of', times)
    for key, of in (('order-3', topic), ('order', topic), ('both', 'TBW102')):
        check(not clients.query(producer, of, key), key, 'finds', clients.query(producer, of, key))

    for i in (early[3], late[4]):
        ack = clients.acks[i]
        for message_id in (ack['m'], ack['om']):
            one = clients.view(producer, topic, message_id)
            check(one and (one['id'], one['q'], one['o'], one['t']) == (i, ack['q'], ack['o'], topic), 'viewMessage', message_id, 'finds', one)
    unknown = clients.acks[early[0]]['m'][:-2] + 'ZZ'
    check(clients.view(producer, topic, unknown) is None, 'an id that nobody has finds something')
    if version != VERSION:
        return
    admin = context.own.enter_context(Admin(VERSION, context.fresh_folder('mqadmin'), context.server.namesrv))
    rows = table(admin.run('queryMsgByKey', '-t', topic, '-k', 'order-2'))
    acks = {clients.acks[i]['m']: clients.acks[i] for i in late}
    check({(r[0], int(r[1]), int(r[2])) for r in rows} == {(m, a['q'], a['o']) for m, a in acks.items()}, 'queryMsgByKey:', rows)
    ack = clients.acks[late[5]]
    text = admin.run('queryMsgByUniqueKey', '-t', topic, '-i', ack['m'])
    for name, value in (('Keys', '[order-2 both]'), ('Queue ID', ack['q']), ('Queue Offset', ack['o']), ('CommitLog Offset', int(ack['om'][16:], 16))):
        check(re.search(rf'^{name}:\s+{re.escape(str(value))}$', text, re.M), 'queryMsgByUniqueKey does not say', name, value, ':', text)


@test
def query_on_the_wire(context):
    """Order, headers and codes of the answers to request 12."""
    topic, server = context.topic('QueryWire'), context.server
    raw = context.raw(server.address)
    begin = int(time.time() * 1000)
    for number in range(20):
        properties = {'KEYS': f'wire k{number}', 'UNIQ_KEY': f'WIRE{number:028}'}
        raw.send(topic, number % 4, f'body {number}'.encode(), **properties)
        time.sleep(0.002)  # what several logs have stored in the same millisecond comes in any order
    wait_until(lambda: len(records(raw, topic, 'wire')[1]) == 20, 10, 'all to be found')
    answer, found = records(raw, topic, 'wire')
    check([r.body for r in found] == [f'body {n}'.encode() for n in range(20)], 'not in the order of the log:', [r.body for r in found])
    check(int(answer.ext['indexLastUpdateTimestamp']) >= begin and int(answer.ext['indexLastUpdatePhyoffset']) > 0, answer.ext)
    check([r.body for r in records(raw, topic, 'wire', maxNum='3')[1]] == [b'body 17', b'body 18', b'body 19'], 'not the newest three')
    check([r.body for r in records(raw, topic, 'k7')[1]] == [b'body 7'], 'by k7')
    answer, found = records(raw, topic, f'WIRE{8:028}', maxNum='1', _UNIQUE_KEY_QUERY='true')
    check([r.body for r in found] == [b'body 8'], 'by unique key', answer)
    for header in ({'key': 'k99'}, {'topic': 'NoSuchTopic'}, {'maxNum': '0'}, {'endTimestamp': '1'}, {'beginTimestamp': EVER}):
        answer, _ = records(raw, **{'topic': topic, 'key': 'wire', **header})
        check(answer.code == QUERY_NOT_FOUND and answer.remark == 'can not find message, maybe time range not correct', header, 'says', answer)
        check(answer.ext.get('indexLastUpdateTimestamp') == '0' == answer.ext.get('indexLastUpdatePhyoffset'), answer.ext)
    for header in ({'maxNum': '-1'}, {'maxNum': 'many'}, {'beginTimestamp': 'yesterday'}):
        answer, _ = records(raw, **{'topic': topic, 'key': 'wire', **header})
        check(answer.code == 1 and answer.remark, header, 'says', answer)


@test
@beside
def query_what_waits(context):
    """Delayed messages are found once they are delivered, transactions once they are committed, and what is rolled back never."""
    clients, topic = context.clients(VERSION), context.topic('QueryLater')
    context.stopping(clients, 'later-p', 'later-tx')
    clients.do('producer', name='later-p', group='later-producers')
    clients.do('txproducer', name='later-tx', group='later-tx-producers')
    delayed = clients.send('later-p', topic, 'delayed', 5, key='delayed', level=2)
    back = clients.transact('later-tx', topic, 'back', 5, 'ROLLBACK_MESSAGE')
    pending = clients.transact('later-tx', topic, 'pending', 5, 'UNKNOW')
    done = clients.transact('later-tx', topic, 'done', 5, 'COMMIT_MESSAGE')
    wait_until(lambda: all(clients.query('later-p', topic, i) for i in done), 10, 'committed ones to be found')
    check(not clients.query('later-p', topic, 'delayed'), 'delayed ones are found before their time')
    wait_until(lambda: {f['id'] for f in clients.query('later-p', topic, 'delayed')} == set(delayed), 15, 'delayed ones to be found')
    for i in back + pending:
        check(not clients.query('later-p', topic, i), 'found, though not committed:', i)
    for i in delayed + done:
        one = clients.view('later-p', topic, clients.acks[i]['m'])
        check(one and one['id'] == i and one['t'] == topic, 'viewMessage of', i, 'finds', one)


@test_each_client
@beside
def message_trace(context, version):
    """A producer and a consumer that trace: queryMsgTraceById tells when each message was sent and consumed, by whom and how that went."""
    server = context.standalone(name_of('trace', version), traceTopicEnable='true')
    clients = context.clients(version)
    topic, producer, consumer = context.topic('Traced', server=server), name_of('trace-p', version), name_of('trace-c', version)
    context.stopping(clients, producer, consumer)
    admin = context.own.enter_context(Admin(VERSION, context.fresh_folder('mqadmin'), server.namesrv))
    clients.do('producer', name=producer, group='trace-producers', namesrv=server.namesrv, trace=1)
    clients.do('consumer', name=consumer, group='trace-readers', topic=topic, namesrv=server.namesrv, trace=1)
    ids = clients.send(producer, topic, 'traced', 10, key='traced')
    clients.wait_for_ids(ids, 30, [consumer])

    def traced(i):
        try:
            text = admin.run('queryMsgTraceById', '-i', clients.acks[i]['m'])
        except Exception as error:  # the command fails while nothing is there
            return str(error) and None
        return all(re.search(rf'^{who}\s+\S+\s+\d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d\s+\d+ms\s+success', text, re.M) for who in (r'Pub\s+trace-producers', r'Sub\s+trace-readers'))
    for i in ids:
        wait_until(lambda i=i: traced(i), 20, f'the trace of {i}')


@test
@beside
def query_after_restarts(context):
    """After kill -9, and after a clean end, all that was acknowledged is found at once."""
    server = context.standalone('query-restarts')
    context.topic('QueryRestart', server=server)
    clients = context.clients(VERSION)
    context.stopping(clients, 'restart-p')
    clients.do('producer', name='restart-p', group='restart-producers', namesrv=server.namesrv)
    ids = []
    for end in (server.kill, server.stop, server.kill):
        ids += clients.send('restart-p', 'QueryRestart', f'run{len(ids)}', 20, key=f'run{len(ids)} all')
        end()
        server.start()
        wait_until(lambda: len(clients.query('restart-p', 'QueryRestart', 'all')) == len(ids), 20, 'all to be found')
        check({f['id'] for f in clients.query('restart-p', 'QueryRestart', 'all')} == set(ids), 'others are found')
