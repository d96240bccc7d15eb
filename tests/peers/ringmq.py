"""RingMQ under test, with the interface of peers.rocketmq."""
import pathlib

from peers.process import Daemon, free_port

ROOT = pathlib.Path(__file__).resolve().parents[2]
binary = ROOT / 'build' / 'release' / 'ringmq'  # a test run may choose another
# Of every broker and standalone: two, so that shards meet on the smallest machine too. None: as many as a user gets.
shards = 2
extra_arguments = []  # for every broker and standalone, e.g. ['--memory', '512M']

READY_BROKER = r'The broker\[.*\] boot success'
READY_NAMESRV = r'The Name Server boot success'


# Segments are allocated ahead: small ones spare the disk, and tests get to see how one follows the other.
DEFAULTS = {'brokerIP1': '127.0.0.1', 'mappedFileSizeCommitLog': 32 * 1024 * 1024, 'metricsListen': ''}


def _properties(properties):
    return [f'{key}={value}' for key, value in {**DEFAULTS, **properties}.items()]


def _arguments(own_shards=None):
    count = own_shards or shards
    return [*(['--shards', count] if count else []), *extra_arguments]


class _Server:
    kind = 'ringmq'
    daemon = None

    def start(self):
        return self.daemon.start(timeout=30)

    def stop(self):
        return self.daemon.stop()

    def kill(self):
        self.daemon.kill()


class NameServer(_Server):
    def __init__(self, folder, port=None):
        self.port = port or free_port()
        self.address = f'127.0.0.1:{self.port}'
        self.daemon = Daemon('ringmq namesrv', [binary, 'namesrv', '-p', self.port, 'metricsListen='],
                             pathlib.Path(folder) / 'namesrv.out', READY_NAMESRV, cwd=str(folder))


class Broker(_Server):
    def __init__(self, folder, namesrv, port=None, **properties):
        folder = pathlib.Path(folder)
        self.port = port or free_port()
        self.address = f'127.0.0.1:{self.port}'
        self.name = properties.setdefault('brokerName', 'broker-a')
        self.daemon = Daemon('ringmq broker', [
            binary, 'broker', '-n', namesrv, '--data', folder / 'data', *_arguments(),
            *_properties({'listenPort': self.port, **properties})],
            folder / 'broker.out', READY_BROKER, cwd=str(folder))


class Standalone(_Server):
    def __init__(self, folder, namesrv_port=None, listen_port=None, data=None, shards=None, **properties):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.namesrv_port, self.port = namesrv_port or free_port(), listen_port or free_port()
        self.namesrv, self.address = f'127.0.0.1:{self.namesrv_port}', f'127.0.0.1:{self.port}'
        self.name = properties.setdefault('brokerName', 'broker-a')
        self.daemon = Daemon('ringmq standalone', [
            binary, 'standalone', '--data', data or self.folder / 'data', '--namesrv-port', self.namesrv_port,
            '--listen-port', self.port, *_arguments(shards), *_properties(properties)],
            self.folder / 'broker.out', READY_BROKER, cwd=str(folder))
