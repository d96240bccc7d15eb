"""SQL92 filters: with real consumers, and expression by expression beside RocketMQ's own evaluator."""
import json
import subprocess
import time
import urllib.parse

import rawmq
from peers import rocketmq
from interop import filter_table
from interop.clients import GO, ClientError, compiled
from interop.harness import check, test, test_all_clients_in_time, test_each_client

RANDOM_EXPRESSIONS = 1500
# Where we refuse on purpose what RocketMQ takes (broker/sql/README.md), by our remark.
REFUSED_ON_PURPOSE = ('AND, OR or the end is expected', 'a minus sign stands before numbers only', 'does not begin with 0')


@test_all_clients_in_time
def sql_filter(context, version):
    """Push and lite pull consumers with expressions receive what these say and nothing else, also while pulls are held."""
    clients, suffix = context.clients(version), version.replace('.', '_')
    topic = context.topic(f'Sql_{suffix}')
    producer = f'sql-p-{suffix}'
    wanted = {
        'number between 50 and 149': lambda i, tag: 50 <= i < 150,
        "TAGS is not null and TAGS in ('A', 'C') and number >= 100": lambda i, tag: tag in 'AC' and i >= 100,
        "NOT (number <> 7 AND number <> 207) OR missing = 'x'": lambda i, tag: i in (7, 207),
    }
    push = {f'sql-c{i}-{suffix}': e for i, e in enumerate(wanted)}
    lite = {} if version == GO else {f'sql-l{i}-{suffix}': e for i, e in enumerate(wanted)}
    context.stopping(clients, producer, *push, *lite)
    clients.do('producer', name=producer, group='sql-producers', timeout=10000)
    ids = clients.send(producer, topic, 'sql', 120, tags='A,B,C', number=1, expect_all=False)
    for name, expression in push.items():
        clients.do('consumer', name=name, group=name, topic=topic, sql=expression)
    for name, expression in lite.items():
        clients.do('litepull', name=name, group=name, topic=topic, sql=expression)
    ids += clients.send(producer, topic, 'sql', 120, from_=120, tags='A,B,C', number=1, expect_all=False)
    check(len(ids) > 200, 'only', len(ids), 'of 240 were sent')  # on a busy machine one may time out
    number_of = {m: int(m.rsplit('.', 1)[1]) for m in ids}
    expected_of = {e: {m for m, i in number_of.items() if chosen(i, 'ABC'[i % 3])} for e, chosen in wanted.items()}
    for name, expression in {**push, **lite}.items():
        clients.wait_for_ids(expected_of[expression], 30, [name])
    time.sleep(0.5)  # for what should not come
    for name, expression in {**push, **lite}.items():
        expected = expected_of[expression]
        got = [e['id'] for e in clients.deliveries[name] if e['id'] in ids]
        check(set(got) == expected, name, 'with', expression, 'received', sorted(set(got) ^ expected)[:5], 'in error')


@test_each_client
def sql_refused(context, version):
    """A consumer with a bad expression does not start, and is told where it is wrong."""
    clients, suffix = context.clients(version), version.replace('.', '_')
    topic = context.topic(f'SqlBad_{suffix}')
    for number, expression in enumerate(('a > 5 AND', "a BETWEEN 5 AND 1", "a > 'x'")):
        name = f'sql-bad{number}-{suffix}'
        context.stopping(clients, name)
        try:
            clients.do('consumer', name=name, group=name, topic=topic, sql=expression)
        except ClientError as error:
            check('CODE: 23' in str(error), error)
            check(context.kind != 'ringmq' or 'character' in str(error), error)
        else:
            check(False, expression, 'was taken')


def judged_by_rocketmq(expressions):
    """A line for each: X, or a letter for each message."""
    quote = urllib.parse.quote_plus
    lines = ['P ' + ' '.join(f'{quote(k)}={quote(v)}' for k, v in m.items()) for m in filter_table.MESSAGES]
    lines += [f'E {quote(e)}' for e in expressions]
    done = subprocess.run(['java', *rocketmq.JAVA_SMALL, '-cp', compiled('5.3.3'), 'Filters'], input='\n'.join(lines) + '\n', capture_output=True,
                          text=True, timeout=120, check=True)
    return done.stdout.splitlines()


@test
def sql_semantics(context):
    """Each expression of the table, and random ones, chooses the same messages as RocketMQ's evaluator does, or is refused by both."""
    topic = context.topic('SqlTable', 1)
    raw = context.raw()
    for number, properties in enumerate(filter_table.MESSAGES):
        raw.send(topic, 0, str(number).encode(), **properties)
    count = len(filter_table.MESSAGES)
    expressions = filter_table.EXPRESSIONS + filter_table.random_expressions(92, RANDOM_EXPRESSIONS)
    refused = different = 0
    for expression, theirs in zip(expressions, judged_by_rocketmq(expressions), strict=True):
        if theirs == 'X' and context.kind == 'rocketmq':
            continue  # it then sends everything
        passed, at = set(), 0
        while at < count:
            answer, records = raw.pull(topic, 0, at, subscription=expression, expressionType='SQL92')
            if answer.code == rawmq.SUBSCRIPTION_PARSE_FAILED:
                break
            check(answer.code in (rawmq.SUCCESS, rawmq.PULL_RETRY_IMMEDIATELY), expression, answer)
            passed |= {int(r.body) for r in records}
            at = int(answer.ext['nextBeginOffset'])
        ours = ''.join('T' if i in passed else '-' for i in range(count)) if at == count else 'X'
        if ours == 'X' and theirs != 'X' and any(why in answer.remark for why in REFUSED_ON_PURPOSE):
            different += 1
            continue
        check(ours == theirs, repr(expression), 'ours', ours, 'theirs', theirs, answer.remark if ours == 'X' else '')
        refused += ours == 'X'
    return f'{len(expressions)} expressions over {count} messages, {refused} refused by both, {different} refused on purpose'


@test
def sql_of_a_megabyte(context):
    """Refused with a remark that says how large one may be; the connection and what comes after are unharmed."""
    raw = context.raw()
    large = rawmq.SUBSCRIPTION_PARSE_FAILED if context.kind == 'ringmq' else 0  # RocketMQ compiles it
    for expression, code in (('a' * (1 << 20), large), ('a = 1', 0)):
        body = {'clientId': 'c', 'group': 'g', 'subscriptionData': {'topic': 'T', 'subString': expression, 'expressionType': 'SQL92'}}
        answer = raw.call(rawmq.CHECK_CLIENT_CONFIG, body=json.dumps(body).encode())
        check(answer.code == code, answer)
        check(code == 0 or '65536' in answer.remark, answer)
