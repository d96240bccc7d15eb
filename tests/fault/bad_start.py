"""What RingMQ says when it cannot start, or cannot store: one clear message that names the cause, and an exit code."""
import contextlib
import os
import re
import socket
import subprocess
import time

import rawmq
from fault.kill import QUEUES, TOPIC, Ledger
from fault.load import Producers
from interop.harness import Skip, check
from peers import ringmq
from peers.process import Daemon, StartError, free_port

TESTS = []


def test(function):
    def only_ours(context):
        if context.kind != 'ringmq':
            raise Skip('a promise of RingMQ')
        return function(context)
    TESTS.append((function.__name__, only_ours))
    return function


def start_failure(context, *patterns, data=None, arguments=(), namesrv_port=None, listen_port=None):
    """Starts a server that must fail within 10 s, exit with a code other than 0 and say all of `patterns`."""
    folder = context.fresh_folder('start')
    daemon = Daemon('ringmq', [
        ringmq.binary, 'standalone', '--data', data or folder / 'data', '--namesrv-port', namesrv_port or free_port(),
        '--listen-port', listen_port or free_port(), *ringmq.extra_arguments, *arguments,
        *([] if arguments else ['mappedFileSizeCommitLog=33554432'])],
        folder / 'out', ringmq.READY_BROKER, cwd=str(folder))
    try:
        daemon.start(timeout=10)
    except StartError as error:
        check(error.code is not None, 'it neither started nor ended within 10 s:', error.output)
        check(error.code > 0, f'it ended with code {error.code}:', error.output)
        for pattern in patterns:
            check(re.search(pattern, error.output, re.IGNORECASE), f'the message does not say {pattern!r}:',
                  error.output)
        check(len(error.output.splitlines()) <= 40, 'too many words:', error.output)
        return error.output.strip().splitlines()[-1] if error.output.strip() else ''
    finally:
        daemon.kill()
    raise AssertionError('it started: ' + daemon.output())


@contextlib.contextmanager
def small_disk(context, options):
    """A tmpfs mounted for the test."""
    if os.geteuid() != 0:
        raise Skip('mounting a small file system needs root')
    folder = context.fresh_folder('disk')
    done = subprocess.run(['mount', '-t', 'tmpfs', '-o', options, 'ringmq-fault', folder], capture_output=True,
                          text=True, check=False)
    if done.returncode:
        raise Skip(f'no tmpfs can be mounted here: {done.stderr.strip()}')
    try:
        yield folder
    finally:
        subprocess.run(['umount', '-l', folder], check=True)


@test
def data_folder_not_writable(context):
    """A read-only file system, and a path that leads through a file."""
    file = context.fresh_folder('file') / 'plain'
    file.write_text('not a folder', encoding='ascii')
    start_failure(context, re.escape(str(file)), data=file / 'data')
    start_failure(context, re.escape(str(file)), data=file)
    check(file.read_text(encoding='ascii') == 'not a folder', 'the file was overwritten')
    with small_disk(context, 'size=8m,ro') as disk:
        return start_failure(context, re.escape(str(disk)), 'read-only|not writable|permission', data=disk / 'data')


@test
def data_folder_in_use(context):
    """A second server on the same folder is refused, and the first does not notice."""
    server = context.standalone('in-use')
    with rawmq.Connection(server.address) as raw:
        raw.create_topic('InUse', 1)
        raw.send('InUse', 0, b'first')
        said = start_failure(context, 'in use|another process|locked', re.escape(str(server.folder / 'data')),
                             data=server.folder / 'data')
        raw.send('InUse', 0, b'second')
        check([r.body for r in raw.read_queue('InUse', 0, 0, 2)] == [b'first', b'second'], 'the first server suffered')
    return said


@test
def port_in_use(context):
    """A port that is taken is named, for the broker and for the nameserver."""
    with socket.create_server(('0.0.0.0', 0)) as taken:
        port = taken.getsockname()[1]
        start_failure(context, str(port), 'in use', listen_port=port)
        return start_failure(context, str(port), 'in use', namesrv_port=port)


@test
def bad_configuration(context):
    """A line that cannot be parsed and values that make no sense are named, with file and line or key."""
    folder = context.fresh_folder('config')
    for number, (text, *patterns) in enumerate((
            ('brokerName=broker-a\nthis line has no equals sign\n', 'line 2|:2'),
            ('listenPort=many\n', 'listenPort', 'many'),
            ('listenPort=70000\n', 'listenPort', '70000'),
            ('flushDiskType=SOMETIMES\n', 'flushDiskType', 'SOMETIMES'),
            ('maxMessageSize=-1\n', 'maxMessageSize', '-1'),
            ('autoCreateTopicEnable=perhaps\n', 'autoCreateTopicEnable', 'perhaps'))):
        config = folder / f'{number}.conf'
        config.write_text(text, encoding='ascii')
        start_failure(context, *patterns, re.escape(config.name), arguments=['-c', config])
    start_failure(context, 'nowhere.conf', arguments=['-c', folder / 'nowhere.conf'])
    start_failure(context, 'bananas', arguments=['--shards', 'bananas'])
    start_failure(context, 'no-such-flag', arguments=['--no-such-flag'])


@test
def unknown_configuration_keys(context):
    """Keys that are not ours are reported, with the nearest one that is; the server starts."""
    config = context.fresh_folder('config') / 'broker.conf'
    config.write_text('brokerNmae=typo\nbrokerClusterName=OtherCluster\nosPageCacheBusyTimeOutMills=1000\n',
                      encoding='ascii')
    folder = context.fresh_folder('unknown-keys')
    server = ringmq.Standalone(folder)
    server.daemon.command[2:2] = ['-c', str(config)]
    context.run(server)
    said = server.daemon.output()
    line = next((text for text in said.splitlines() if 'brokerNmae' in text), '')
    check('brokerName' in line.replace('brokerNmae', ''), 'the nearest key is not offered:', said)
    check('osPageCacheBusyTimeOutMills' in said, 'an ignored key is not reported:', said)
    with rawmq.Connection(server.namesrv) as raw:
        check('OtherCluster' in raw.must(rawmq.GET_BROKER_CLUSTER_INFO).body.decode(), 'a key of the file is not used')


@test
def full_disk_at_start(context):
    """A disk too small for the first segment: a message that says so, not a crash later."""
    with small_disk(context, 'size=1m') as disk:
        return start_failure(context, 'space', re.escape(str(disk)), data=disk / 'data')


@test
def full_disk_under_load(context):
    """The disk fills up: sends are refused with SERVICE_NOT_AVAILABLE and the cause, what was acknowledged is still
    read, and is there after a restart."""
    with small_disk(context, 'size=96m') as disk:
        folder = context.fresh_folder('full-disk')
        server = ringmq.Standalone(folder, data=disk / 'data', mappedFileSizeCommitLog=8 * 1024 * 1024,
                                   diskMaxUsedSpaceRatio=99, fileReservedTime=1000)
        try:
            server.start()
        except StartError as error:  # also honest, if it names the cause
            check(error.code is not None and 'space' in error.output.lower(), 'on 96 MiB it said', error.output)
            return 'refuses to start on 96 MiB: ' + error.output.strip().splitlines()[-1]
        try:
            return fill(server)
        finally:
            server.kill()


def fill(server):
    """Sends 100 KiB messages until refused; checks the refusal and what is left."""
    topic, count, body = 'FullDisk', 0, os.urandom(100 * 1024)
    with rawmq.Connection(server.address, timeout=30) as raw:
        raw.create_topic(topic, 1)
        while count < 2000:
            answer = raw.call(rawmq.SEND_MESSAGE_V2, rawmq.send_header('g', topic, 0), body)
            if answer.code != rawmq.SUCCESS:
                break
            check(int(answer.ext['queueOffset']) == count, answer)
            count += 1
        check(count < 2000, '200 MB were stored on a disk of 96 MiB')
        check(count > 50, 'refused after', count, 'messages:', answer)
        check(answer.code == rawmq.SERVICE_NOT_AVAILABLE, 'on a full disk:', answer)
        check(re.search('disk|space', answer.remark, re.IGNORECASE), 'the remark does not name the disk:', answer)
        check(len(raw.read_queue(topic, 0, 0, count)) == count, 'the full server does not read')
    server.stop()
    try:
        server.start()
    except StartError as error:
        check(error.code is not None and 'space' in error.output.lower(), 'the restart on a full disk said', error.output)
        return f'{count} messages, then {answer.remark!r}; the restart asks for space'
    with rawmq.Connection(server.address, timeout=30) as raw:
        check(raw.max_offset(topic, 0) >= count, 'acknowledged messages are gone after the restart')
        check(all(r.body == body for r in raw.read_queue(topic, 0, 0, count)), 'a body changed')
    return f'{count} messages, then {answer.remark!r}'


@test
def stop_under_load(context):
    """SIGTERM under load ends within 5 s with code 0, and what was acknowledged is there after the restart."""
    server = context.standalone('stop-under-load')
    context.topic(TOPIC, QUEUES, server)
    producers = Producers(2, TOPIC, QUEUES, 'stop')
    context.own.callback(producers.close)
    producers.go(server.address, 3)
    time.sleep(1)
    seconds = server.stop()
    check(seconds <= 5, f'took {seconds:.1f} s')
    check(server.daemon.process.returncode == 0, 'exit code', server.daemon.process.returncode)
    acknowledged, open_ids, refused = producers.results(20)
    ledger = Ledger()
    ledger.add(acknowledged, open_ids + [i for ids, _, _ in refused for i in ids])
    server.start()
    stored = ledger.verify(server.address, whole=True)
    return f'{len(acknowledged)} acknowledged, {stored} stored, {seconds:.2f} s to stop'
