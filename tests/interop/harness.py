"""The list of tests, what they run on, and the words they judge with."""
import contextlib
import dataclasses
import functools
import pathlib
import sys
import time
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import rawmq  # noqa: E402
from peers import ringmq, rocketmq  # noqa: E402
from peers.process import StartError  # noqa: E402
from interop.clients import OTHER_CLIENTS, VERSIONS, Admin, ClientError, Clients, prepare  # noqa: E402,F401


class Failure(Exception):
    """What a test found wrong."""


class Skip(Exception):
    """Why a test cannot run here."""


def check(condition, *what):
    if not condition:
        raise Failure(' '.join(str(w) for w in what))


TESTS = []  # (name, function)


def beside(function):
    """Marks a test that mostly waits and has no limit that a busy machine breaks: it runs beside others."""
    function.beside = True
    return function


def heavy(function):
    """Marks one of those that has much to compute, too: one at a time."""
    function.uses = 'the processors'
    return beside(function)


def test(function):
    """Registers a test that runs once."""
    TESTS.append((function.__name__, function))
    return function


def slow_test_with_5_5_0(function):
    """Registers a test that runs when there is time (--all): one of the others, with that client."""
    function.slow = True
    function.__doc__ = 'The same by the Java client 5.5.0.'
    return test(function)


def test_with(*versions, slow=()):
    """Registers a test that runs once for each of these clients, with those of `slow` only when there is time (--all)."""
    def register(function):
        for version in versions:
            @functools.wraps(function)  # with its marks
            def run(context, version=version):
                return function(context, version)
            run.slow = version in slow
            TESTS.append((f'{function.__name__}[{version}]', run))
        return function
    return register


test_the_oldest_and_in_time_all = test_with(*VERSIONS, *OTHER_CLIENTS, slow=(*VERSIONS[1:], *OTHER_CLIENTS))
test_the_oldest_and_in_time_java = test_with(*VERSIONS, '5.5.0', slow=(*VERSIONS[1:], '5.5.0'))
test_each_client = test_with(*VERSIONS, '5.5.0', slow=('5.5.0',))  # of Java
test_all_clients = test_with(*VERSIONS, *OTHER_CLIENTS)
test_all_clients_in_time = test_with(*VERSIONS, *OTHER_CLIENTS, slow=OTHER_CLIENTS)  # which take half a minute for it by themselves


class Context:
    """The server kind under test, a folder, and what is shared between tests because it is dear to start."""

    def __init__(self, kind, folder):
        self.kind, self.folder = kind, pathlib.Path(folder)
        self.peer = {'ringmq': ringmq, 'rocketmq': rocketmq}[kind]
        self.own = contextlib.ExitStack()  # ends with the test
        self.shared_things = contextlib.ExitStack()  # ends with the run
        self.shared = {}
        self.number = 0
        self.servers, self.start_failures = [], 0

    def fresh_folder(self, name):
        self.number += 1
        folder = self.folder / f'{self.number:02}-{name}'
        folder.mkdir(parents=True)
        return folder

    def share(self, key, make):
        """What `make` gives, made once and kept for all tests."""
        if key not in self.shared:
            self.shared[key] = make()
        return self.shared[key]

    def run(self, server, shared=False):
        """Starts `server`, and ends it with the test or with the run."""
        if self.start_failures > 2:
            raise Failure('three servers did not start: this one is not even tried')
        self.servers.append(server)
        try:
            server.start()
        except StartError:
            self.start_failures += 1
            raise
        (self.shared_things if shared else self.own).callback(server.kill)
        return server

    @property
    def server(self):
        """The standalone server that tests share; replaced when a test brought it down."""
        key = 'server'
        if key in self.shared and not self.shared[key].daemon.running:
            del self.shared[key]
        return self.share(key, lambda: self.run(self.peer.Standalone(self.fresh_folder('server')), shared=True))

    def standalone(self, name, **properties):
        """A server of the test's own."""
        return self.run(self.peer.Standalone(self.fresh_folder(name), **properties))

    def clients(self, version):
        """The process with clients of `version`; give each client a name and, unless it is to use the shared server, the
        address of its nameserver."""
        key = ('clients', version)
        if key in self.shared and self.shared[key].process.poll() is not None:
            del self.shared[key]
        clients = self.share(key, lambda: self.shared_things.enter_context(
            Clients(version, self.fresh_folder(f'clients-{version}'), self.server.namesrv)))
        clients.namesrv = self.server.namesrv
        return clients

    def raw(self, address=None, **options):
        """A raw connection to the shared server's broker, or to `address`."""
        return self.own.enter_context(rawmq.Connection(address or self.server.address, **options))

    def topic(self, name, queues=4, server=None, user=None):
        """Creates a topic at the broker and waits until the nameserver routes it."""
        server = server or self.server
        with rawmq.Connection(server.address, user=user) as connection:
            connection.create_topic(name, queues)
        rawmq.wait_for_route(server.namesrv, name)
        return name

    def stopping(self, clients, *names):
        """Stops these clients with the test, whatever happens."""
        def stop():
            for name in names:
                with contextlib.suppress(Exception):
                    clients.finish(clients.start('stop', name=name), 10)
        self.own.callback(stop)

    def crashes(self):
        """What servers that ended by themselves said, each once."""
        daemons = [d for s in self.servers for d in {s.daemon, getattr(getattr(s, 'nameserver', s), 'daemon')}]
        found = [d.crash() for d in daemons if d.crash()]
        for daemon in daemons:
            daemon.told_to_end |= not daemon.running  # said once
        self.servers = [s for s in self.servers if s.daemon.running]
        return found

    def close(self):
        self.own.close()
        self.shared_things.close()


def wait_until(condition, seconds, what):
    """Polls `condition` until it gives something true, which is returned."""
    deadline = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > deadline:
            raise Failure(f'not within {seconds:.0f} s: {what}')
        time.sleep(0.05)


@dataclasses.dataclass
class Outcome:
    """What became of one test. `requests`: the codes that RingMQ's servers were sent in it, where that is noted."""
    name: str
    word: str
    seconds: float
    detail: str = ''
    requests: frozenset = frozenset()

    def __str__(self):
        return f'{self.word} {self.name} ({self.seconds:.1f} s){": " if self.detail else ""}{self.detail}'


def run_one(context, name, function, verbose):
    """Runs a test and ends what it started. A function's attribute `again` is the command that runs it again, which its failure names."""
    begin = time.monotonic()
    detail, word = '', 'PASS'
    try:
        detail = function(context) or ''
    except Skip as reason:
        word, detail = 'SKIP', str(reason)
    except (KeyboardInterrupt, SystemExit):
        context.close()  # who still runs, and what is mounted
        raise
    except Exception as error:  # noqa: BLE001  whatever it is, the next test shall run
        word, detail = 'FAIL', f'{type(error).__name__}: {error}'
        if verbose or not isinstance(error, (Failure, StartError, ClientError)):
            detail += '\n' + traceback.format_exc()
    crashes = context.crashes()
    context.own.close()
    requests = frozenset()
    if ringmq.requests_seen is not None:
        for server in context.servers:
            if isinstance(server, ringmq.Server):
                server.note_requests()
        requests = frozenset(ringmq.requests_seen)
        ringmq.requests_seen.clear()
    if crashes:
        word, detail = 'FAIL', '\n'.join([detail, *crashes])
    if word == 'FAIL' and hasattr(function, 'again'):
        detail += f'\nagain: {function.again}'
    return Outcome(name, word, time.monotonic() - begin, detail, requests)
