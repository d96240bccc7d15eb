"""Messages for later and consumer retry, with real clients: delay levels, timers, recall, RECONSUME_LATER, dead letters."""
import time

from interop.cases_basic import name_of
from interop.harness import ClientError, beside, check, test, test_all_clients, test_all_clients_in_time, test_the_oldest_and_in_time_java, slow_test_with_5_5_0

# The broker keeps times to 50 ms. A machine that is busy with the tests themselves adds to what the client sees.
LATE_MS = 400


def check_time(event, ack, delay_ms, early_ms=0):
    """Stored in its queue `delay_ms` after it was sent. The client's clock is the broker's."""
    waited = event['store'] - ack['at']
    check(-ack['us'] // 1000 - early_ms <= waited - delay_ms <= LATE_MS, event['id'], 'came', waited, 'ms after its send, not', delay_ms)


@test_all_clients
def delay_levels(context, version):
    """Levels 1 and 2 are 1 s and 5 s; nothing comes before; what comes is what was sent, once."""
    clients, topic = context.clients(version), context.topic(name_of('Levels', version))
    producer, consumer = name_of('level-p', version), name_of('level-c', version)
    context.stopping(clients, producer, consumer)
    clients.do('producer', name=producer, group='level-producers')
    clients.do('consumer', name=consumer, group=name_of('level-group', version), topic=topic)
    ids = {level: clients.send(producer, topic, f'level{level}', 10, tags='A', level=level) for level in (2, 1)}
    clients.wait_for_ids(ids[1] + ids[2], 20)
    time.sleep(0.3)
    for event in clients.deliveries[consumer]:
        level = 1 if event['id'] in ids[1] else 2
        check_time(event, clients.acks[event['id']], {1: 1000, 2: 5000}[level])
        check((event['tag'], event['r'], event['m']) == ('A', 0, clients.acks[event['id']]['m']), event)
    check(all(clients.seen[i] == 1 for i in ids[1] + ids[2]), 'delivered more than once')


@test_all_clients_in_time
@beside
def retry_until_consumed(context, version):
    """A consumer that fails twice gets the message three times, with its topic and its first id, counted from 0."""
    clients, topic = context.clients(version), context.topic(name_of('Retry', version))
    producer, consumer = name_of('retry-p', version), name_of('retry-c', version)
    context.stopping(clients, producer, consumer)
    clients.do('producer', name=producer, group='retry-producers')
    clients.do('consumer', name=consumer, group=name_of('retry-group', version), topic=topic, failures=2, retry_level=1)
    ids = clients.send(producer, topic, 'retry', 5, tags='T', key='K')
    clients.wait(lambda: all(clients.seen.get(i, 0) == 3 for i in ids), 60, 'three deliveries each')
    time.sleep(1.5)
    check(all(clients.seen[i] == 3 for i in ids), 'delivered again though it was consumed')
    for number in ids:
        tries = [e for e in clients.deliveries[consumer] if e['id'] == number]
        check([e['r'] for e in tries] == [0, 1, 2], tries)
        check(all((e['t'], e['tag'], e['keys'], e['m']) == (topic, 'T', 'K', clients.acks[number]['m']) for e in tries), tries)
        check([e['origin'] for e in tries] == ['null'] + [clients.acks[number]['om']] * 2, tries)
        for before, after in zip(tries, tries[1:]):
            check(after['store'] - before['now'] >= 900, 'tried again after', after['store'] - before['now'], 'ms')


@test_all_clients_in_time
@beside
def dead_letters(context, version):
    """What fails more often than the consumer allows is in %DLQ%group, and everybody may read it there."""
    clients, topic = context.clients(version), context.topic(name_of('Dead', version))
    producer, consumer, reader = name_of('dead-p', version), name_of('dead-c', version), name_of('dead-r', version)
    group = name_of('dead-group', version)
    context.stopping(clients, producer, consumer, reader)
    clients.do('producer', name=producer, group='dead-producers')
    clients.do('consumer', name=consumer, group=group, topic=topic, failures=99, retry_level=1, max_tries=2)
    ids = clients.send(producer, topic, 'dead', 3)
    clients.wait(lambda: all(clients.seen.get(i, 0) == 3 for i in ids), 60, 'all tries')
    time.sleep(1)
    clients.do('consumer', name=reader, group=name_of('dead-readers', version), topic=f'%DLQ%{group}')
    clients.wait_for_ids(ids, 30, [reader])
    check(len(clients.deliveries[reader]) == 3, clients.deliveries[reader])
    for event in clients.deliveries[reader]:
        check(event['origin'] == clients.acks[event['id']]['om'], event)
    check([e['r'] for e in clients.deliveries[consumer]].count(3) == 0, 'a dead letter was consumed as a retry')


@test_the_oldest_and_in_time_java
@beside
def dead_letters_of_ordered_consumers(context, version):
    """What fails in order holds its queue up until it was tried often enough; then the client itself sends it to the retry topic, and it is a dead letter."""
    clients, topic = context.clients(version), context.topic(name_of('DeadOrder', version), 1)
    producer, consumer, reader = name_of('deado-p', version), name_of('deado-c', version), name_of('deado-r', version)
    group = name_of('deado-group', version)
    context.stopping(clients, producer, consumer, reader)
    clients.do('producer', name=producer, group='dead-producers')
    clients.do('consumer', name=consumer, group=group, topic=topic, listener='orderly', failures=99, max_tries=2)
    ids = clients.send(producer, topic, name_of('deado', version), 3)
    clients.wait(lambda: all(clients.seen.get(i, 0) == 3 for i in ids), 60, 'all tries')
    check([e['id'] for e in clients.deliveries[consumer]] == [i for i in ids for _ in range(3)], 'not one after the other:', clients.deliveries[consumer])
    clients.do('consumer', name=reader, group=name_of('deado-readers', version), topic=f'%DLQ%{group}')
    clients.wait_for_ids(ids, 30, [reader])
    time.sleep(1)
    check(len(clients.deliveries[reader]) == 3 and len(clients.deliveries[consumer]) == 9, clients.deliveries[reader], clients.deliveries[consumer])


@test
def timers(context, version='5.3.3'):
    """5.x: any delay in milliseconds, and an absolute time."""
    clients, topic = context.clients(version), context.topic('Timers')
    context.stopping(clients, 'timer-p', 'timer-c')
    clients.do('producer', name='timer-p', group='timer-producers')
    clients.do('consumer', name='timer-c', group='timer-group', topic=topic)
    sent = {}
    for run, delay, more in (('ms', 700, {'TIMER_DELAY_MS': 700}), ('sec', 2000, {'TIMER_DELAY_SEC': 2}), ('at', 1500, {'deliver_in_ms': 1500})):
        for number in clients.send('timer-p', topic, run, 3, **more):
            sent[number] = delay
    clients.wait_for_ids(sent, 20)
    if context.kind == 'ringmq':  # the original rounds down to whole seconds
        for event in clients.deliveries['timer-c']:
            check_time(event, clients.acks[event['id']], sent[event["id"]], early_ms=20)
    check(all(clients.seen[i] == 1 for i in sent), 'delivered more than once')


@slow_test_with_5_5_0
@beside
def timers_by_5_5_0(context):
    return timers(context, '5.5.0')


@test
def recall(context, version='5.3.3'):
    """5.x: a producer takes a timer message back by the handle of its send; another stays. Nobody may unless it is switched on."""
    server = context.standalone('recall', recallMessageEnable='true')
    clients = context.clients(version)
    context.topic('Recall', server=server)
    context.stopping(clients, 'recall-p', 'recall-c')
    clients.do('producer', name='recall-p', group='recall-producers', namesrv=server.namesrv)
    clients.do('consumer', name='recall-c', group='recall-group', topic='Recall', namesrv=server.namesrv)
    gone, stays = clients.send('recall-p', 'Recall', 'recall', 2, TIMER_DELAY_MS=4000)
    clients.do('recall', name='recall-p', topic='Recall', handle=clients.acks[gone]['handle'], **{'as': 'recalled'})
    check(clients.acks['recalled']['m'] == clients.acks[gone]['m'], clients.acks['recalled'])
    clients.wait_for_ids([stays], 15)
    time.sleep(0.5)
    check(gone not in clients.seen, 'a recalled message was delivered')
    if context.kind == 'ringmq':  # the original cannot tell
        try:
            clients.do('recall', name='recall-p', topic='Recall', handle=clients.acks[gone]['handle'], **{'as': 'again'})
            check(False, 'recalled twice')
        except ClientError:
            pass


@slow_test_with_5_5_0
@beside
def recall_by_5_5_0(context):
    return recall(context, '5.5.0')