"""RingMQ under test, with the interface of peers.rocketmq."""
import collections
import pathlib
import re
import urllib.request

from peers.process import Daemon, free_port

ROOT = pathlib.Path(__file__).resolve().parents[2]
binary = ROOT / 'build' / 'release' / 'ringmq'  # a test run may choose another
# Of every broker and standalone: two, so that shards meet on the smallest machine too. None: as many as a user gets.
shards = 2
# Set by who wants to know which requests the servers were sent: names of RocketMQ's codes, as their metrics say before they end.
requests_seen = None
extra_arguments = []  # for every broker and standalone, e.g. ['--memory', '512M']

READY_BROKER = r'The broker\[.*\] boot success'
READY_NAMESRV = r'The Name Server boot success'


# Segments are allocated ahead: small ones spare the disk, and tests get to see how one follows the other.
DEFAULTS = {'brokerIP1': '127.0.0.1', 'mappedFileSizeCommitLog': 32 * 1024 * 1024, 'metricsListen': ''}


def _properties(properties):
    return [f'{key}={value}' for key, value in {**DEFAULTS, **properties}.items()]


def _with_metrics(properties):
    """The properties, with a place for the metrics where they are wanted and no other is given; and that place."""
    if requests_seen is None or 'metricsListen' in properties:
        return properties, properties.get('metricsListen')
    place = f'127.0.0.1:{free_port()}'
    return {**properties, 'metricsListen': place}, place


def _arguments(own_shards=None):
    count = own_shards or shards
    return [*(['--shards', count] if count else []), *extra_arguments]


class Server:
    kind = 'ringmq'
    daemon = None
    metrics_at = None
    noted = {}

    def start(self):
        self.noted = {}
        return self.daemon.start(timeout=30)

    def stop(self):
        self.note_requests()
        return self.daemon.stop()

    def kill(self):
        self.note_requests()
        self.daemon.kill()

    def note_requests(self):
        """Adds what was asked of it since the last time to `requests_seen`. One that has died on its own tells nothing."""
        if requests_seen is None or not self.metrics_at or not self.daemon.running:
            return
        try:
            with urllib.request.urlopen(f'http://{self.metrics_at}/metrics', timeout=5) as page:
                text = page.read().decode()
        except OSError:
            return
        counts = collections.Counter()
        for name, count in re.findall(r'^ringmq_requests_total\{.*request="(\w+)"\} (\S+)', text, re.M):
            counts[name] += float(count)
        requests_seen.update(name for name in counts if counts[name] > self.noted.get(name, 0))
        self.noted = counts


class NameServer(Server):
    def __init__(self, folder, port=None):
        self.port = port or free_port()
        self.address = f'127.0.0.1:{self.port}'
        properties, self.metrics_at = _with_metrics({})
        self.daemon = Daemon('ringmq namesrv', [binary, 'namesrv', '-p', self.port, f'metricsListen={properties.get("metricsListen", "")}'],
                             pathlib.Path(folder) / 'namesrv.out', READY_NAMESRV, cwd=str(folder))


class Broker(Server):
    def __init__(self, folder, namesrv, port=None, **properties):
        folder = pathlib.Path(folder)
        self.port = port or free_port()
        self.address = f'127.0.0.1:{self.port}'
        self.name = properties.setdefault('brokerName', 'broker-a')
        properties, self.metrics_at = _with_metrics(properties)
        self.daemon = Daemon('ringmq broker', [
            binary, 'broker', '-n', namesrv, '--data', folder / 'data', *_arguments(),
            *_properties({'listenPort': self.port, **properties})],
            folder / 'broker.out', READY_BROKER, cwd=str(folder))


class Standalone(Server):
    def __init__(self, folder, namesrv_port=None, listen_port=None, data=None, shards=None, **properties):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.namesrv_port, self.port = namesrv_port or free_port(), listen_port or free_port()
        self.namesrv, self.address = f'127.0.0.1:{self.namesrv_port}', f'127.0.0.1:{self.port}'
        self.name = properties.setdefault('brokerName', 'broker-a')
        properties, self.metrics_at = _with_metrics(properties)
        self.daemon = Daemon('ringmq standalone', [
            binary, 'standalone', '--data', data or self.folder / 'data', '--namesrv-port', self.namesrv_port,
            '--listen-port', self.port, *_arguments(shards), *_properties(properties)],
            self.folder / 'broker.out', READY_BROKER, cwd=str(folder))
