"""The clients of the interop tests: builds the programs that hold them against a client version, and drives them."""
import hashlib
import json
import os
import pathlib
import queue
import re
import shutil
import subprocess
import threading
import time
import urllib.parse

from peers import rocketmq

HERE = pathlib.Path(__file__).resolve().parent
VERSIONS = ('4.9.7', '5.3.3')  # of the Java client, that everything is tested with
GRPC = '5.0.7'  # the gRPC client for Java
GO = 'go'  # the Go client, in the version that go/go.mod names
OTHER_CLIENTS = ('5.5.0', GO)  # that what most applications use is tested with, too


class ClientError(Exception):
    """A command to the clients failed or took too long."""


def _built(name, sources, build):
    """The folder that `build` has filled, once for each content of `sources`."""
    digest = hashlib.sha256(b''.join(s.name.encode() + s.read_bytes() for s in sources)).hexdigest()[:16]
    folder = rocketmq.cache_dir() / 'interop-classes' / f'{name}-{digest}'
    if not folder.exists():
        partial = folder.with_name(f'{folder.name}.{os.getpid()}.{threading.get_ident()}.partial')
        partial.mkdir(parents=True)
        build(partial)
        try:
            partial.rename(folder)
        except OSError:  # another run was faster
            shutil.rmtree(partial)
    return folder


def _compiled(name, sources, jars):
    """Compiles Java sources against `jars`; returns the class path of both."""
    folder = _built(name, sources, lambda into: subprocess.run(
        ['javac', '-nowarn', '-XDsuppressNotes', '-d', into, '-cp', jars, *sources], check=True, timeout=120))
    return f'{folder}:{jars}'


def compiled(version):
    """Class path of the Java clients of `version`."""
    return _compiled(version, sorted((HERE / 'java').glob('*.java')), rocketmq.class_path(version))


def compiled_tools(version):
    """The same of the program that holds RocketMQ's tools; it needs a 5.x."""
    return _compiled(f'tools-{version}', sorted((HERE / 'tools').glob('*.java')), rocketmq.class_path(version))


def compiled_grpc():
    """The same of the sources for the gRPC client, which need the remoting client for nothing but what both share."""
    sources = [*sorted((HERE / 'grpc').glob('*.java')), *(HERE / 'java' / name for name in ('Arguments.java', 'Events.java', 'Payload.java'))]
    return _compiled(f'grpc-{GRPC}', sources, f'{rocketmq.class_path(GRPC, "grpc")}:{rocketmq.class_path(VERSIONS[-1])}')


def compiled_go():
    """Builds the Go sources; returns the program. The first time it fetches the client."""
    sources = sorted(p for p in (HERE / 'go').iterdir() if p.suffix in ('.go', '.mod', '.sum'))
    return _built(GO, sources, lambda into: subprocess.run(
        ['go', 'build', '-o', into / 'peer', '.'], cwd=HERE / 'go', check=True, timeout=600)) / 'peer'


def prepare(version):
    """What of a client has to be fetched is there afterwards, and its absence no test's failure."""
    if version == GO:
        compiled_go()
    else:
        rocketmq.setup(version)


class Clients:
    """One process that holds any number of producers and consumers of one client version."""

    def __init__(self, version, folder, namesrv, java_options=()):
        self.version, self.namesrv = version, namesrv
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.errors = open(self.folder / 'stderr', 'ab')
        if version == GO:
            command = [compiled_go()]
        elif version == GRPC:
            command = ['java', *rocketmq.JAVA_SMALL, f'-Duser.home={self.folder}', '-cp', compiled_grpc(), 'Grpc']
        else:
            command = ['java', *rocketmq.JAVA_SMALL, *java_options, f'-Duser.home={self.folder}',
                       f'-Drocketmq.client.localOffsetStoreDir={self.folder}/offsets', '-Drocketmq.client.logLevel=WARN',
                       '-cp', compiled(version), 'Peer']
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, bufsize=1,
                                        text=True, cwd=self.folder, env={**os.environ, 'HOME': str(self.folder)})
        self.calls, self.results = 0, {}
        self.lock = threading.Lock()
        self.acks, self.fails, self.oneways = {}, {}, set()  # id -> event
        self.found = {}  # what a query has found, by its command
        self.checks = []  # every question about a transaction
        self.messages = []  # every delivery, in the order in which the listeners were called
        self.deliveries = {}  # the same by consumer
        self.seen = {}  # id -> number of deliveries, over all consumers
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        self.wait(lambda: 'ready' in self.results, 60, 'the process to start')

    def _read(self):
        for line in self.process.stdout:
            event = json.loads(line)
            kind = event['e']
            with self.lock:
                if kind == 'msg':
                    self.messages.append(event)
                    self.deliveries.setdefault(event['c'], []).append(event)
                    self.seen[event['id']] = self.seen.get(event['id'], 0) + 1
                elif kind == 'ack':
                    self.acks[event['id']] = event
                elif kind == 'fail':
                    self.fails[event['id']] = event
                elif kind == 'oneway':
                    self.oneways.add(event['id'])
                elif kind == 'check':
                    self.checks.append(event)
                elif kind == 'found':
                    self.found.setdefault(event['call'], []).append(event)
                elif kind == 'ready':
                    self.results['ready'] = event
                else:
                    self.results[event['call']] = event

    def start(self, verb, **arguments):
        """Gives a command and returns its number at once."""
        self.calls += 1
        if verb in ('producer', 'txproducer', 'consumer', 'litepull', 'replier', 'simple'):
            arguments.setdefault('namesrv', self.namesrv)
        words = ' '.join(f'{k}={urllib.parse.quote_plus(str(v))}' for k, v in arguments.items())
        self.process.stdin.write(f'{verb} call={self.calls} {words}\n')
        self.process.stdin.flush()
        return self.calls

    def finish(self, call, timeout=60):
        """Waits for the end of a command; ClientError when it failed."""
        self.wait(lambda: call in self.results, timeout, f'command {call}')
        result = self.results[call]
        if result['e'] == 'error':
            raise ClientError(f'{self.version}: {result["error"]}')

    def do(self, verb, timeout=60, **arguments):
        self.finish(self.start(verb, **arguments), timeout)

    def wait(self, condition, timeout, what):
        """Blocks until `condition()` holds; ClientError after `timeout` seconds."""
        deadline = time.monotonic() + timeout
        while True:
            with self.lock:
                if condition():
                    return
            if self.process.poll() is not None:
                raise ClientError(f'{self.version}: the process ended with code {self.process.returncode}, see '
                                  f'{self.folder}/stderr')
            if time.monotonic() > deadline:
                raise ClientError(f'{self.version}: waited {timeout:.0f} s for {what}')
            time.sleep(0.01)

    def wait_for_ids(self, ids, timeout=60, consumers=None):
        """Blocks until every id was delivered (to one of `consumers`)."""
        missing = set(ids)

        def all_there():
            if consumers is None:
                missing.difference_update([i for i in missing if i in self.seen])
            else:
                missing.difference_update(*[[e['id'] for e in self.deliveries.get(c, ())] for c in consumers])
            return not missing
        try:
            self.wait(all_there, timeout, 'deliveries')
        except ClientError as error:
            some = sorted(missing)[:5]
            raise ClientError(f'{error}: {len(missing)} of {len(set(ids))} missing, such as {some}, sent as '
                              f'{[self.acks.get(i) for i in some[:2]]}') from None

    def send(self, producer, topic, run, count, mode='sync', timeout=60, expect_all=True, **more):
        """Sends and waits for the fate of all; returns the ids that were acknowledged. Anything but SEND_OK for each
        is an error unless `expect_all` is False."""
        worker = more.pop('worker', producer)
        first = more.get('from_', 0)
        if 'from_' in more:
            more['from'] = more.pop('from_')
        self.do('send', timeout, name=producer, topic=topic, run=run, worker=worker, mode=mode, count=count, **more)
        ids = [f'{run}.{worker}.{i}' for i in range(first, first + count)]
        if expect_all and mode != 'oneway':
            bad = [(i, self.acks.get(i) or self.fails.get(i)) for i in ids
                   if i not in self.oneways and (i not in self.acks or self.acks[i]['s'] != 'SEND_OK')]
            if bad:
                raise ClientError(f'{self.version}: {len(bad)} of {count} sends were not SEND_OK, such as {bad[:2]}')
        return [i for i in ids if i in self.acks]

    def transact(self, producer, topic, run, count, local, **more):
        """Begins transactions and returns their ids once `local` was said of each; all of them must have begun."""
        self.do('transact', name=producer, topic=topic, run=run, worker=producer, count=count, local=local, **more)
        ids = [f'{run}.{producer}.{i}' for i in range(count)]
        bad = [self.fails.get(i) for i in ids if i not in self.acks or self.acks[i]['s'] != 'SEND_OK']
        if bad:
            raise ClientError(f'{self.version}: {len(bad)} of {count} transactions did not begin, such as {bad[:2]}')
        return ids

    def query(self, producer, topic, key, **more):
        """The messages with this key, as a client finds them."""
        call = self.start('query', name=producer, topic=topic, key=key, **more)
        self.finish(call)
        return self.found.get(call, [])

    def view(self, producer, topic, message_id):
        """The one with this unique or offset id, or None."""
        call = self.start('view', name=producer, topic=topic, id=message_id)
        self.finish(call)
        return next(iter(self.found.get(call, [])), None)

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.reader.join(5)
        self.errors.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Admin:
    """The real mqadmin of one version, in one JVM."""
    END = '--end-of-command--'

    def __init__(self, version, folder, namesrv, user=()):
        """`user`: (name, password) that requests are signed with."""
        self.namesrv = namesrv
        self.lines = queue.Queue()
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.process = subprocess.Popen(
            ['java', *rocketmq.JAVA_SMALL, f'-Duser.home={self.folder}', '-cp', compiled_tools(version), 'Admin', self.END, *user],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=1, text=True,
            cwd=self.folder)  # where some commands leave files
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(line.rstrip('\n'))
        self.lines.put(None)

    def run(self, *words, timeout=30):
        """The text that one mqadmin command printed."""
        return self._line(' '.join([words[0], '-n', self.namesrv, *words[1:]]), timeout)

    def commands(self):
        """The names of all commands, as mqadmin lists them when it is given none."""
        return set(re.findall(r'^   (\w+) +\S', self._line('', 30), re.M))

    def _line(self, text, timeout):
        self.process.stdin.write(text + '\n')
        self.process.stdin.flush()
        output, deadline = [], time.monotonic() + timeout
        while True:
            try:
                line = self.lines.get(timeout=max(0.01, deadline - time.monotonic()))
            except queue.Empty:
                raise ClientError(f'mqadmin {text}: no end after {timeout} s: {output}') from None
            if line is None:
                raise ClientError(f'mqadmin {text} ended the JVM: {output}')
            if line == self.END:
                return '\n'.join(output).strip()
            output.append(line)

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
