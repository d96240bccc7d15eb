"""POP consumption with the real Java client 5.3.3: a push consumer that is told to pop, by the real mqadmin."""
import time

from interop.cases_admin import VERSION
from interop.cases_basic import name_of
from interop.harness import Admin, beside, check, test, slow_test_with_5_5_0

POP_CLIENT = '5.3.3'  # 4.9 has none
INVISIBLE = 6  # seconds; the client takes no less than 5


def popping(context, topic, group, server):
    """The group is told to pop the topic."""
    admin = context.own.enter_context(Admin(VERSION, context.fresh_folder('mqadmin'), server.namesrv))
    said = admin.run('setConsumeMode', '-c', 'DefaultCluster', '-t', topic, '-g', group, '-m', 'POP', '-q', '0')
    check('success' in said, 'setConsumeMode:', said)
    return admin


@test
@beside
def pop_consumers(context, version=POP_CLIENT):
    """Two members of a group that pops share the messages; each comes once, and none again when its invisible time is over."""
    clients = context.clients(version)
    topic, group = context.topic('Pop'), 'pop-group'
    popping(context, topic, group, context.server)
    context.stopping(clients, 'pop-p', 'pop-1', 'pop-2')
    clients.do('producer', name='pop-p', group='pop-producers')
    for name in ('pop-1', 'pop-2'):
        clients.do('consumer', name=name, group=group, topic=topic, pop=INVISIBLE)
    sent = clients.send('pop-p', topic, 'first', 200)
    clients.wait_for_ids(sent, 60)
    for more in range(30):  # until both have been told which queues to pop
        sent += clients.send('pop-p', topic, f'more{more}', 20)
        clients.wait_for_ids(sent, 60)
        if {'pop-1', 'pop-2'} <= set(clients.deliveries):
            break
        time.sleep(1)
    check({'pop-1', 'pop-2'} <= set(clients.deliveries), 'one of two got nothing')
    time.sleep(INVISIBLE + 3)
    check(all(clients.seen[i] == 1 for i in sent), 'acknowledged messages came again')
    begin = time.monotonic()
    late = clients.send('pop-p', topic, 'late', 1)
    clients.wait_for_ids(late, 10)
    took = time.monotonic() - begin
    check(took < 2, 'a waiting pop was told late:', took)
    return f'{took * 1000:.0f} ms from a send to a pop that waits'


@slow_test_with_5_5_0
@beside
def pop_consumers_by_5_5_0(context):
    return pop_consumers(context, '5.5.0')


@test
@beside
def pop_failures_come_again(context, version=POP_CLIENT):
    """What a listener refuses comes again, counted, after the time that the client chooses; what a consumer dies with comes again to another."""
    clients = context.clients(version)
    topic, group = context.topic('PopRetry'), 'pop-retry-group'
    popping(context, topic, group, context.server)
    context.stopping(clients, 'popr-p', 'popr-c')
    clients.do('producer', name='popr-p', group='pop-producers')
    clients.do('consumer', name='popr-c', group=group, topic=topic, pop=INVISIBLE, failures=1)
    sent = clients.send('popr-p', topic, 'refused', 10)
    clients.wait(lambda: all(clients.seen.get(i, 0) >= 2 for i in sent), 60, 'each to come twice')
    times = {i: sorted(e['r'] for e in clients.deliveries['popr-c'] if e['id'] == i) for i in sent}
    check(all(t == [0, 1] for t in times.values()), 'counted wrongly', times)
    check(all(e['t'] == topic for e in clients.deliveries['popr-c']), 'another topic', clients.deliveries['popr-c'][:2])
    time.sleep(INVISIBLE + 3)
    check(all(clients.seen[i] == 2 for i in sent), 'a third time')


@slow_test_with_5_5_0
@beside
def pop_failures_come_again_by_5_5_0(context):
    return pop_failures_come_again(context, '5.5.0')


@test
@beside
def pop_across_restarts(context):
    """What was acknowledged before the broker was killed does not come again; what was in flight comes, once its time is over."""
    server = context.standalone('pop-restarts')
    topic, group = context.topic('PopRestart', server=server), 'pop-restart-group'
    clients = context.clients(POP_CLIENT)
    popping(context, topic, group, server)
    context.stopping(clients, 'popx-p', 'popx-2')
    clients.do('producer', name='popx-p', group='pop-producers', namesrv=server.namesrv)
    clients.do('consumer', name='popx-1', group=group, topic=topic, pop=INVISIBLE, namesrv=server.namesrv)
    done = clients.send('popx-p', topic, 'done', 50)
    clients.wait_for_ids(done, 60)
    time.sleep(1)  # acknowledgements are oneway
    clients.do('stop', name='popx-1')
    clients.do('consumer', name='popx-slow', group=group, topic=topic, pop=INVISIBLE, sleep_us=8_000_000, namesrv=server.namesrv)
    open_ones = clients.send('popx-p', topic, 'open', 8)
    clients.wait(lambda: any(i in clients.seen for i in open_ones), 30, 'the first of them to come')  # the others wait in its memory
    server.kill()
    server.start()
    clients.do('stop', name='popx-slow')
    clients.do('consumer', name='popx-2', group=group, topic=topic, pop=INVISIBLE, namesrv=server.namesrv)
    clients.wait_for_ids(open_ones, 60, ['popx-2'])
    time.sleep(INVISIBLE + 3)
    check(all(clients.seen[i] == 1 for i in done), 'acknowledged before the kill, and came again')
