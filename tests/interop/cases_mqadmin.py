"""Every command of mqadmin 5.3.3 that a broker and a nameserver can answer, run and compared with RocketMQ's on the same data. The table is mqadmin_commands.py."""
import json
import re
import time

import rawmq
from interop import access_commands
from interop.cases_admin import VERSION
from interop.clients import ClientError, Clients
from interop.harness import Admin, Failure, Skip, beside, check, test, wait_until
from interop.mqadmin_commands import COMMANDS, DIFFERENCES, NOT_RUN, VARYING
from peers import rocketmq


class Scene:
    """A server with what the commands ask about, and the tool. `names` stand in braces in the commands."""

    def __init__(self, context, server):
        self.context = context
        self.raw = context.own.enter_context(rawmq.Connection(server.address))
        files = context.fresh_folder('files')
        self.out = files / 'out'
        self.names = {'broker': server.address, 'cluster': 'DefaultCluster', 'files': files, 'begin': int(time.time() * 1000) - 60_000}
        (files / 'topics.json').write_text(json.dumps([
            {'topicName': name, 'readQueueNums': 2, 'writeQueueNums': 2, 'perm': 6} for name in ('ListA', 'ListB')]), encoding='ascii')
        (files / 'groups.json').write_text(json.dumps([{'groupName': 'list-a', 'retryMaxTimes': 3}, {'groupName': 'list-b'}]), encoding='ascii')
        self.admin = context.own.enter_context(Admin(VERSION, context.fresh_folder('mqadmin'), server.namesrv))
        self.clients = context.own.enter_context(Clients(VERSION, context.fresh_folder('clients'), server.namesrv))
        for topic, queues in (('Tools', 4), ('ToolsOther', 1)):
            context.topic(topic, queues, server)
        self._send_and_consume()

    def _send_and_consume(self):
        """40 messages in Tools, 10 a queue, consumed by a running tools-group and, half of them, by an idle-group; 4 in ToolsOther by a running producer."""
        sent = [self.raw.send('Tools', i % 4, f'body {i}'.encode(), TAGS='a', KEYS=f'k{i}', UNIQ_KEY=f'7F{i:030X}') for i in range(40)]
        self.names['id'] = sent[13][2]
        consumer = {'name': 'tools-c', 'group': 'tools-group', 'topic': 'Tools'}
        self.clients.do('consumer', **consumer)
        self.clients.do('producer', name='tools-p', group='tools-producers')
        self.clients.send('tools-p', 'ToolsOther', 'other', 4)
        wait_until(lambda: len(self.clients.deliveries.get('tools-c', ())) == 40, 30, 'all 40 messages')
        self.clients.do('stop', name='tools-c')  # its offsets are stored now
        self.clients.do('consumer', **consumer)
        self.raw.must(rawmq.HEART_BEAT, {}, rawmq.heartbeat_body('idle', 'idle-group', ['Tools']))
        for queue in range(4):
            self.raw.must(rawmq.UPDATE_CONSUMER_OFFSET, {'consumerGroup': 'idle-group', 'topic': 'Tools', 'queueId': queue, 'commitOffset': 5})
        self.raw.must(rawmq.UNREGISTER_CLIENT, {'clientID': 'idle', 'consumerGroup': 'idle-group'})
        rawmq.wait_for_route(self.admin.namesrv, '%RETRY%idle-group')
        time.sleep(11)  # a sample of the statistics is taken every 10 s
        retries = {'consumerGroup': 'tools-group', 'topic': '%RETRY%tools-group', 'queueId': 0, 'setZeroIfNotFound': 'false'}
        wait_until(lambda: self.raw.call(rawmq.QUERY_CONSUMER_OFFSET, retries).code == 0, 30, 'the running consumer to commit its offsets')
        members = json.loads(self.raw.must(rawmq.GET_CONSUMER_LIST_BY_GROUP, {'consumerGroup': 'tools-group'}).body)
        self.names['client'] = members['consumerIdList'][0]

    def run(self, command):
        """What the command printed, and the files that it wrote."""
        try:
            text = self.admin.run(*command.words.format(**self.names).split(), timeout=60)
        except ClientError as error:
            raise Failure(f'{command.words}: {error}') from error
        for file in sorted(f for f in self.out.glob('**/*') if f.is_file()):
            text += '\n' + file.read_text(encoding='utf-8')
            file.unlink()
        return text


def missing(scene, command, text):
    """What of the expected the output lacks."""
    lacks = []
    for expected in command.expects:
        times, pattern = expected if isinstance(expected, tuple) else (1, expected)
        pattern = pattern.replace('{broker}', re.escape(scene.names['broker']))
        if len(re.findall(pattern, text)) < times:
            lacks.append(expected)
    return lacks


@test
@beside
def mqadmin_commands(context):
    """Each command that applies does what it is for; and the table names every command that the tool has."""
    scene = Scene(context, context.standalone('mqadmin'))
    ours = {command.name for command in (*COMMANDS, *access_commands.COMMANDS) if not command.name.startswith('call:')}
    check(not ours & set(NOT_RUN), 'run and not run:', ours & set(NOT_RUN))
    check(scene.admin.commands() == ours | set(NOT_RUN), 'the table and the tool differ in', scene.admin.commands() ^ (ours | set(NOT_RUN)))
    begin, bad = time.monotonic(), []
    for command in COMMANDS:
        text = scene.run(command)
        lacks = missing(scene, command, text)
        if lacks:
            bad.append(f'{command.words}\n  lacks {lacks} in\n{normal(scene, command, text)}')
    check(not bad, '\n'.join(bad))
    return f'{len(COMMANDS)} runs of {len(ours)} of {len(ours) + len(NOT_RUN)} commands in {time.monotonic() - begin:.0f} s'


def normal(scene, command, text):
    """The output without what differs between any two runs."""
    text = text.replace(str(scene.names['files']), 'FILES').replace(str(scene.context.folder), 'FOLDER')
    for pattern, instead in VARYING:
        text = pattern.sub(instead, text)
    lines = [line for line in text.splitlines() if line.strip()]
    return '\n'.join(sorted(lines) if command.unordered else lines)


@test
@beside
def mqadmin_beside_rocketmq(context):
    """The same commands on the same data of RingMQ and of the real RocketMQ 5.3.3 print the same, but for what DIFFERENCES names."""
    if context.kind == 'rocketmq':
        raise Skip('it would be compared with itself')
    ours = Scene(context, context.standalone('mqadmin'))
    theirs = Scene(context, context.run(rocketmq.Standalone(context.fresh_folder('rocketmq'))))
    met, bad = set(), []
    for command in COMMANDS:
        if command.varies:
            for scene in (ours, theirs):
                scene.run(command)  # it may change something
            continue
        listed = [(i, re.compile(line)) for i, (names, line, _) in enumerate(DIFFERENCES) if re.match(names, command.words)]
        sides = []
        for scene in (ours, theirs):
            lines = normal(scene, command, scene.run(command)).splitlines()
            met.update(i for i, pattern in listed for line in lines if pattern.search(line))
            sides.append([line for line in lines if not any(pattern.search(line) for _, pattern in listed)])
        if command.settings:
            keys = [{line.split(' ')[0] for line in side} for side in sides]
            sides = [[line for line in side if line.split(' ')[0] in keys[0] & keys[1]] for side in sides]
        if sides[0] != sides[1]:
            only = [[f'  {sign} {line}' for line in side if line not in other] for sign, side, other in
                    (('ours', sides[0], sides[1]), ('theirs', sides[1], sides[0]))]
            bad.append('\n'.join([command.words, *(only[0] + only[1] or ['  the same lines in another order'])]))
    check(not bad, '\n'.join(bad))
    check(len(met) == len(DIFFERENCES), 'nothing shows these differences any more:', [d for i, d in enumerate(DIFFERENCES) if i not in met])
    return f'{len(COMMANDS)} runs print the same, but for {len(DIFFERENCES)} known differences'


mqadmin_beside_rocketmq.slow = True
