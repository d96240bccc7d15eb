"""What RingMQ says when it cannot start, or cannot store: one clear message that names the cause, and an exit code."""
import contextlib
import os
import re
import socket
import subprocess
import time

import rawmq
from fault.kill import QUEUES, TOPIC
from fault.ledger import Ledger
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


def start_failure(context, *patterns, data=None, arguments=(), namesrv_port=None, listen_port=None, before=''):
    """Starts a server that must fail within 10 s, exit with a code other than 0 and say all of `patterns`. `before` is what a
    shell does first."""
    folder = context.fresh_folder('start')
    daemon = Daemon('ringmq', [
        *after(before), ringmq.binary, 'standalone', '--data', data or folder / 'data', '--namesrv-port', namesrv_port or free_port(),
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


def after(before):
    """The beginning of a command that is run in place of a shell, once that has done `before`."""
    return ['sh', '-c', f'{before} && exec "$@"', 'sh'] if before else []


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
        pid = re.search(r'pid (\d+)', said)
        check(not pid or int(pid[1]) == server.daemon.pid, 'it names another process than', server.daemon.pid, ':', said)
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
def too_few_descriptors(context):
    """RLIMIT_NOFILE too small: one sentence with the command that mends it, and that command does."""
    said = start_failure(context, 'RLIMIT_NOFILE', r'\b256 open files', before='ulimit -n 256')
    return mended(context, r'ulimit -n \d+', said)


@test
def too_little_locked_memory(context):
    """RLIMIT_MEMLOCK too small for a process that CAP_IPC_LOCK does not free from it: likewise."""
    bound = 'set -- setpriv --bounding-set=-ipc_lock "$@"' if os.geteuid() == 0 else ':'
    said = start_failure(context, 'RLIMIT_MEMLOCK', before=f'ulimit -l 0 && {bound}')
    return mended(context, r'ulimit -l \w+', said, bound)


def mended(context, pattern, said, *also):
    """Starts a server after the command that the message names, where this process may do what it says."""
    command = re.search(pattern, said)
    check(command, f'no {pattern!r} in the last line:', said)
    tried = subprocess.run(['sh', '-c', command[0]], capture_output=True, text=True, check=False)
    if tried.returncode:
        return f'{said}; not tried, as it needs CAP_SYS_RESOURCE: {command[0]}'
    server = ringmq.Standalone(context.fresh_folder('mended'))
    server.daemon.command[:0] = after(' && '.join((command[0], *also)))
    context.run(server)
    return said


@test
def bad_configuration(context):
    """A line that cannot be parsed and values that make no sense are named, with file and line or key."""
    folder = context.fresh_folder('config')
    for number, (text, *patterns) in enumerate((
            ('brokerName=broker-a\nregionId=\\uZZZZ\n', r'line 2\b|:2\b'),
            ('brokerName=broker-a\n = a value without a key\n', r'line 2\b|:2\b'),
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
    config.write_text('brokerNmae=typo\nbrokerClusterName=OtherCluster\nosPageCacheBusyTimeOutMills=1000\n'
                      'a line without an equals sign\n', encoding='ascii')
    folder = context.fresh_folder('unknown-keys')
    server = ringmq.Standalone(folder)
    server.daemon.command[2:2] = ['-c', str(config)]
    context.run(server)
    said = server.daemon.output()
    line = next((text for text in said.splitlines() if 'brokerNmae' in text), '')
    check('brokerName' in line.replace('brokerNmae', ''), 'the nearest key is not offered:', said)
    check('osPageCacheBusyTimeOutMills' in said, 'an ignored key is not reported:', said)
    # Java reads it as the key 'a'; nobody has that key, and the place is named.
    check(re.search(r'unknown.*broker\.conf:4\b', said), 'the line without an equals sign is not reported:', said)
    with rawmq.Connection(server.namesrv) as raw:
        check('OtherCluster' in raw.must(rawmq.GET_BROKER_CLUSTER_INFO).body.decode(), 'a key of the file is not used')


NO_SPACE = r'no space|disk.* full|not enough'


@test
def full_disk_at_start(context):
    """A disk too small for the first segment: a message that says so, not a crash later."""
    with small_disk(context, 'size=1m') as disk:
        return start_failure(context, NO_SPACE, re.escape(str(disk)), data=disk / 'data')


@test
def disk_above_the_warning_level(context):
    """The disk fills up to diskSpaceWarningLevelRatio: sends are refused before the disk is full."""
    return fill_a_disk(context, diskSpaceWarningLevelRatio=80)


@test
def disk_full_to_the_last_byte(context):
    """The disk fills up altogether, because something else takes the rest of it."""
    return fill_a_disk(context, ballast=True, diskSpaceWarningLevelRatio=100)


def fill_a_disk(context, ballast=False, **properties):
    """Sends until refused. The refusal is SERVICE_NOT_AVAILABLE and names the cause; what was acknowledged is still read,
    and is there after a restart; with space again, the restarted server takes messages."""
    with small_disk(context, 'size=192m') as disk:
        server = ringmq.Standalone(context.fresh_folder('full-disk'), data=disk / 'data',
                                   mappedFileSizeCommitLog=8 * 1024 * 1024, **properties)
        context.run(server)
        try:
            if ballast:
                take_the_rest(disk)
            count, remark = fill(server, 'FullDisk')
            server.stop()
            (disk / 'ballast').unlink(missing_ok=True)
            subprocess.run(['mount', '-o', 'remount,size=384m', disk], check=True)
            server.start()
            with rawmq.Connection(server.address, timeout=30) as raw:
                check(raw.max_offset('FullDisk', 0) >= count, 'acknowledged messages are gone after the restart')
                check([len(r.body) for r in raw.read_queue('FullDisk', 0, 0, count)] == [BODY] * count, 'bodies changed')
                offset = raw.send('FullDisk', 0, b'space again')[1]
                check(offset >= count, 'with space again: offset', offset)
            return f'{count} messages, then {remark!r}'
        finally:
            server.kill()


BODY = 100 * 1024


def take_the_rest(disk):
    with contextlib.suppress(OSError), open(disk / 'ballast', 'wb', buffering=0) as file:
        while True:
            file.write(bytes(64 * 1024))


def fill(server, topic):
    """Sends 100 KiB messages until refused; checks the refusal and what is still served. Returns how many were stored."""
    with rawmq.Connection(server.address, timeout=30) as raw:
        raw.create_topic(topic, 1)
        for count in range(2000):
            answer = raw.call(rawmq.SEND_MESSAGE_V2, rawmq.send_header('g', topic, 0), os.urandom(BODY))
            if answer.code != rawmq.SUCCESS:
                break
            check(int(answer.ext['queueOffset']) == count, answer)
        check(count < 1999, '200 MB were stored on a disk of 96 MiB')
        check(count > 20, 'refused after', count, 'messages:', answer)
        check(answer.code == rawmq.SERVICE_NOT_AVAILABLE, 'on a full disk:', answer)
        check(re.search('disk|space', answer.remark, re.IGNORECASE), 'the remark does not name the disk:', answer)
        check(len(raw.read_queue(topic, 0, 0, count)) == count, 'the full server does not read')
        small = raw.call(rawmq.SEND_MESSAGE_V2, rawmq.send_header('g', topic, 0), b'small')
        check(small.code in (rawmq.SUCCESS, rawmq.SERVICE_NOT_AVAILABLE), 'a small message on the full disk:', small)
    return count, answer.remark


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
    ledger = Ledger(TOPIC, QUEUES)
    ledger.add(*producers.results(20))
    server.start()
    stored = ledger.verify(server.address).stored
    return f'{ledger.acknowledged} acknowledged, {stored} stored, {seconds:.2f} s to stop'
