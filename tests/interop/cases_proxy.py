"""The real RocketMQ Proxy in front of the broker, and gRPC clients behind it."""
import json
import pathlib
import shutil
import subprocess
import sys
import time

import rawmq
from interop.clients import GRPC
from interop.harness import Clients, beside, check, test, wait_until
from peers import rocketmq
from peers.proxy import Proxy

PYTHON_CLIENT = 'rocketmq-python-client==5.1.2'


def grpc_clients(context, batch_ack=False):
    """Clients whose nameserver is a proxy that tests share: the one that acknowledges in batches, or the other."""
    def make():
        proxy = context.run(Proxy(context.fresh_folder('proxy'), context.server.namesrv, batch_ack=batch_ack), shared=True)
        return context.shared_things.enter_context(Clients(GRPC, context.fresh_folder('clients-grpc'), proxy.address))
    return context.share(('grpc', batch_ack), make)


def typed_topic(context, name, kind, queues=4):
    with rawmq.Connection(context.server.address) as connection:
        connection.create_topic(name, queues, attributes=f'+message.type={kind}')
    rawmq.wait_for_route(context.server.namesrv, name)
    return name


def group(context, name, ordered=False):
    """Proxies take no groups that the broker does not know."""
    with rawmq.Connection(context.server.address) as connection:
        connection.create_group(name, consumeMessageOrderly=ordered)
    return name


@test
@beside
def grpc_push(context):
    """What a gRPC producer sends a push consumer gets, by tag, and again when it fails; behind a proxy that acknowledges in batches."""
    clients = grpc_clients(context, batch_ack=True)
    topic, members = typed_topic(context, 'GrpcPush', 'NORMAL'), group(context, 'grpc-push')
    context.stopping(clients, 'gp-p', 'gp-c')
    clients.do('producer', name='gp-p', topic=topic)
    clients.do('consumer', name='gp-c', group=members, topic=topic, expression='A', failures=1)
    wanted = clients.send('gp-p', topic, 'a', 20, tags='A')
    other = clients.send('gp-p', topic, 'b', 5, tags='B')
    clients.wait(lambda: all(clients.seen.get(i, 0) == 2 for i in wanted), 60, 'two deliveries each')
    time.sleep(1)
    check(all(clients.seen[i] == 2 for i in wanted), 'delivered again though it was consumed')
    check(not any(i in clients.seen for i in other), 'another tag was delivered')
    for event in clients.deliveries['gp-c']:
        check(event['m'] == clients.acks[event['id']]['m'] and event['tag'] == 'A', event)


@test
@beside
def grpc_simple(context):
    """A simple consumer: acknowledged messages do not come again, others after their invisible time, or after the changed one."""
    clients = grpc_clients(context)
    topic, members = typed_topic(context, 'GrpcSimple', 'NORMAL', 1), group(context, 'grpc-simple')
    context.stopping(clients, 'gs-p', 'gs-c')
    clients.do('producer', name='gs-p', topic=topic)
    clients.do('simple', name='gs-c', group=members, topic=topic)
    ids = clients.send('gs-p', topic, 'x', 6)

    def receive_until(times, **arguments):
        deadline = time.monotonic() + 30
        while any(clients.seen.get(i, 0) < times for i in ids):
            check(time.monotonic() < deadline, [clients.seen.get(i, 0) for i in ids], 'deliveries, and not', times)
            clients.do('receive', name='gs-c', count=16, **arguments)
    receive_until(1, invisible_ms=10_000, ack=0)
    receive_until(2, invisible_ms=10_000, ack=0, change_ms=2000)
    receive_until(3, invisible_ms=10_000, ack=1)
    by_id = {}
    for event in clients.deliveries['gs-c']:
        by_id.setdefault(event['id'], []).append(event['now'])
    first = min(times[1] - times[0] for times in by_id.values())
    changed = [times[2] - times[1] for times in by_id.values()]
    # From when the first answer was seen, which a busy machine delays.
    check(first >= 9000, 'came again before the invisible time was over:', first, 'ms')
    check(all(1500 <= waited <= 8000 for waited in changed), 'the changed time does not count:', changed)
    time.sleep(3)
    clients.do('receive', name='gs-c', count=16, invisible_ms=10_000)
    check(all(clients.seen[i] == 3 for i in ids), 'an acknowledged message came again')


@test
@beside
def grpc_ordered_delayed_transactional(context):
    """The other kinds of messages: by message group in order, at their time, and when their transaction is committed, or asked for."""
    clients = grpc_clients(context)
    fifo, later = typed_topic(context, 'GrpcFifo', 'FIFO'), typed_topic(context, 'GrpcLater', 'DELAY')
    tx = typed_topic(context, 'GrpcTx', 'TRANSACTION')
    context.stopping(clients, 'go-p', 'gl-p', 'gt-p', 'go-c', 'gl-c', 'gt-c')
    for producer, topic in (('go-p', fifo), ('gl-p', later), ('gt-p', tx)):
        clients.do('producer', name=producer, topic=topic)
    for consumer, topic, ordered in (('go-c', fifo, True), ('gl-c', later, False), ('gt-c', tx, False)):
        clients.do('consumer', name=consumer, topic=topic, group=group(context, f'grpc-{consumer}', ordered))
    ordered = clients.send('go-p', fifo, 'fifo', 20, group='one')
    delayed = clients.send('gl-p', later, 'later', 3, delay_ms=2000)
    kept = clients.transact('gt-p', tx, 'kept', 3, 'COMMIT')
    dropped = clients.transact('gt-p', tx, 'dropped', 3, 'ROLLBACK')
    clients.wait_for_ids([*ordered, *delayed, *kept], 60)
    check([e['id'] for e in clients.deliveries['go-c']] == ordered, 'not in order:', [e['id'] for e in clients.deliveries['go-c']])
    early = [e for e in clients.deliveries['gl-c'] if e['now'] - e['born'] < 1900]  # an answer may be late
    check(not early, 'came before their time', early)
    check(not any(i in clients.seen for i in dropped), 'what was rolled back was delivered')


@test
@beside
def grpc_dead_letters(context):
    """What fails more often than the group allows the proxy sends to the dead letters (CONSUMER_SEND_MSG_BACK with level -1), where others read it."""
    clients = grpc_clients(context)
    topic = typed_topic(context, 'GrpcDead', 'NORMAL', 1)
    with rawmq.Connection(context.server.address) as connection:
        connection.create_group('grpc-dead', retryMaxTimes=1)
    context.stopping(clients, 'gd-p', 'gd-c')
    clients.do('producer', name='gd-p', topic=topic)
    clients.do('consumer', name='gd-c', group='grpc-dead', topic=topic, failures=99)
    ids = clients.send('gd-p', topic, 'dead', 3)
    raw = context.raw()
    dead = {'topic': '%DLQ%grpc-dead', 'queueId': 0}
    wait_until(lambda: int(raw.call(rawmq.GET_MAX_OFFSET, dead).ext.get('offset', 0)) == 3, 60, 'three dead letters')
    tries = [clients.seen[i] for i in ids]
    check(all(1 <= n <= 2 for n in tries), 'tried more often than the group allows:', tries)
    records = raw.read_queue('%DLQ%grpc-dead', 0, 0, 3, group='grpc-dead-readers')
    check(sorted(r.properties['UNIQ_KEY'] for r in records) == sorted(clients.acks[i]['m'] for i in ids), records)
    check(all(r.properties['RETRY_TOPIC'] == f'%RETRY%grpc-dead_{topic}' for r in records), records)  # where it came from at last, as with RocketMQ


def python_with_client():
    """A Python of its own that has the gRPC client, made once."""
    folder = rocketmq.cache_dir() / PYTHON_CLIENT.replace('==', '-')
    if not (folder / '.done').exists():
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, '-m', 'venv', folder], check=True, timeout=120)
        subprocess.run([folder / 'bin' / 'pip', 'install', '-q', PYTHON_CLIENT], check=True, timeout=600)
        (folder / '.done').touch()
    return folder / 'bin' / 'python'


@test
@beside
def grpc_python(context):
    """The client for Python gets what it has sent, each once."""
    python, clients = python_with_client(), grpc_clients(context)
    topic, members = typed_topic(context, 'GrpcPython', 'NORMAL'), group(context, 'grpc-python')
    script = pathlib.Path(__file__).resolve().parent / 'grpc' / 'round_trip.py'
    done = subprocess.run([python, script, clients.namesrv, topic, members, '20'], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=180,
                          cwd=context.fresh_folder('grpc-python'), env={'HOME': str(context.folder), 'PATH': '/usr/bin:/bin'}, check=False)
    check(done.returncode == 0 and done.stdout.strip(), done.stderr[-2000:])
    result = json.loads(done.stdout.splitlines()[-1])
    got = {message_id: body for message_id, body in result['got']}
    check(len(result['got']) == len(got) == 20 and got == result['sent'], 'sent', result['sent'], 'and got', result['got'])


grpc_python.slow = True
