#!/usr/bin/env python3
"""The real Apache RocketMQ, from Maven Central, as a peer.

  rocketmq.py setup VERSION...             fetch the jars (known good: 5.5.0, 5.3.3, 4.9.7)
  rocketmq.py start VERSION DIR [key=value ...]
                                           nameserver and broker in the background, data and process ids in DIR;
                                           prints their addresses. --namesrv-port, --listen-port, --heap
  rocketmq.py stop DIR
  rocketmq.py mqadmin VERSION ARGS...      mqadmin of that version
  rocketmq.py classpath VERSION            a class path for Java clients

Needs a JDK 11 or newer and Maven. Jars are kept in PEERS_DIR (default: ringmq-peers in the user's cache folder).
"""
import argparse
import fcntl
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

if __name__ == '__main__':
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import rawmq  # noqa: E402
from peers.process import Daemon, free_port  # noqa: E402

# What RocketMQ 5.3.3's own scripts open for JDK 11 and newer.
JAVA_OPENS = [
    '--add-opens=java.base/java.nio=ALL-UNNAMED', '--add-opens=java.base/sun.nio.ch=ALL-UNNAMED',
    '--add-opens=java.base/java.lang=ALL-UNNAMED', '--add-opens=java.base/jdk.internal.misc=ALL-UNNAMED',
    '--add-exports=java.base/jdk.internal.ref=ALL-UNNAMED', '--add-exports=java.base/sun.nio.ch=ALL-UNNAMED']
# What is fetched together: the servers, tools and remoting client of one version; the proxy; the gRPC client.
ARTIFACTS = {'rocketmq': ('broker', 'namesrv', 'tools', 'client'), 'proxy': ('proxy',), 'grpc': ('client-java',)}
# A short-lived JVM: start fast, take little.
JAVA_SMALL = ['-Xshare:auto', '-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-Xmx384m']


def cache_dir():
    base = os.environ.get('XDG_CACHE_HOME') or os.path.expanduser('~/.cache')
    return pathlib.Path(os.environ.get('PEERS_DIR') or os.path.join(base, 'ringmq-peers'))


def setup(version, what='rocketmq'):
    """Fetches the jars of `version` of one of ARTIFACTS unless they are there; returns their folder."""
    folder = cache_dir() / f'{what}-{version}'
    folder.mkdir(parents=True, exist_ok=True)
    done = folder / '.done'
    if done.exists():
        return folder / 'lib'
    with open(folder / '.lock', 'w', encoding='ascii') as lock:  # two test runs may start on an empty cache
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            wanted = ''.join(f'<dependency><groupId>org.apache.rocketmq</groupId><artifactId>rocketmq-{a}</artifactId>'
                             f'<version>{version}</version></dependency>' for a in ARTIFACTS[what])
            (folder / 'pom.xml').write_text(
                '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
                '<groupId>peer</groupId><artifactId>peer</artifactId><version>1</version>'
                f'<dependencies>{wanted}</dependencies></project>', encoding='ascii')
            subprocess.run(['mvn', '-B', '-q', '-f', folder / 'pom.xml', 'dependency:copy-dependencies',
                            f'-DoutputDirectory={folder / "lib"}'], check=True, stdout=sys.stderr, timeout=900)
            done.touch()
    return folder / 'lib'


def class_path(version, what='rocketmq'):
    return f'{setup(version, what)}/*'


class NameServer:
    """A nameserver. Its address is fixed at construction, so it can come back at the same place."""
    kind = 'rocketmq'

    def __init__(self, folder, version='5.3.3', port=None):
        folder = pathlib.Path(folder)
        self.port = port or free_port()
        self.address = f'127.0.0.1:{self.port}'
        config = folder / 'namesrv.conf'
        (folder / 'home' / 'conf').mkdir(parents=True, exist_ok=True)
        config.write_text(f'listenPort={self.port}\n', encoding='ascii')
        self.daemon = Daemon('nameserver', [
            'java', '-Xms128m', '-Xmx256m', '-XX:+UseSerialGC', f'-Duser.home={folder}', '-cp', class_path(version),
            'org.apache.rocketmq.namesrv.NamesrvStartup', '-c', config], folder / 'namesrv.out', 'boot success',
            {'ROCKETMQ_HOME': str(folder / 'home')})

    def start(self):
        return self.daemon.start()

    def stop(self):
        return self.daemon.stop()

    def kill(self):
        self.daemon.kill()


class Broker:
    """A broker on a data folder of its own. `properties` go into its configuration file."""
    kind = 'rocketmq'

    def __init__(self, folder, namesrv, version='5.3.3', port=None, heap='1g', **properties):
        folder = pathlib.Path(folder)
        self.port = port or free_port()
        self.address = f'127.0.0.1:{self.port}'
        (folder / 'home' / 'conf').mkdir(parents=True, exist_ok=True)
        config = folder / 'broker.conf'
        settings = {
            'brokerClusterName': 'DefaultCluster', 'brokerName': 'broker-a', 'brokerId': 0, 'brokerIP1': '127.0.0.1',
            'namesrvAddr': namesrv, 'listenPort': self.port, 'storePathRootDir': folder / 'store',
            'storePathCommitLog': folder / 'store' / 'commitlog', 'autoCreateTopicEnable': 'true',
            'enablePropertyFilter': 'true', 'mappedFileSizeCommitLog': 256 * 1024 * 1024, **properties}
        self.name = settings['brokerName']
        config.write_text(''.join(f'{k}={v}\n' for k, v in settings.items()), encoding='ascii')
        self.daemon = Daemon('broker', [
            'java', *JAVA_OPENS, '-server', f'-Xms{heap}', f'-Xmx{heap}', '-XX:+UseG1GC',
            '-XX:MaxDirectMemorySize=2g', f'-Duser.home={folder}', '-cp', class_path(version),
            'org.apache.rocketmq.broker.BrokerStartup', '-c', config], folder / 'broker.out', 'boot success',
            {'ROCKETMQ_HOME': str(folder / 'home')})

    def start(self):
        return self.daemon.start()

    def stop(self):
        return self.daemon.stop()

    def kill(self):
        self.daemon.kill()


class Standalone:
    """A nameserver and a broker that start and end together."""
    kind = 'rocketmq'

    def __init__(self, folder, namesrv_port=None, listen_port=None, version='5.3.3', **properties):
        self.folder = pathlib.Path(folder)
        self.nameserver = NameServer(self.folder, version, namesrv_port)
        self.broker = Broker(self.folder, self.nameserver.address, version, listen_port, **properties)
        self.namesrv, self.address, self.name = self.nameserver.address, self.broker.address, self.broker.name

    @property
    def daemon(self):
        return self.broker.daemon

    def start(self):
        if not self.nameserver.daemon.running:
            self.nameserver.start()
        begin = time.monotonic()
        self.broker.start()
        rawmq.wait_for_route(self.namesrv, self.name, 60)  # it registers some 10 s after its 'boot success'
        return time.monotonic() - begin

    def stop(self):
        seconds = self.broker.stop()
        self.nameserver.stop()
        return seconds

    def kill(self):
        self.broker.kill()
        self.nameserver.kill()


def mqadmin(version, arguments, timeout=60):
    """Runs one mqadmin command in a JVM of its own; returns the finished process with its output as text."""
    return subprocess.run(['java', *JAVA_SMALL, '-cp', class_path(version),
                           'org.apache.rocketmq.tools.command.MQAdminStartup', *arguments],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout, check=False)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest='command', required=True)
    commands.add_parser('setup').add_argument('versions', nargs='+')
    commands.add_parser('classpath').add_argument('version')
    start = commands.add_parser('start')
    start.add_argument('version')
    start.add_argument('folder', type=pathlib.Path)
    start.add_argument('properties', nargs='*', metavar='key=value')
    start.add_argument('--namesrv-port', type=int, default=None)
    start.add_argument('--listen-port', type=int, default=None)
    start.add_argument('--heap', default='4g')
    commands.add_parser('stop').add_argument('folder', type=pathlib.Path)
    admin = commands.add_parser('mqadmin')
    admin.add_argument('version')
    admin.add_argument('arguments', nargs=argparse.REMAINDER)
    options = parser.parse_args()

    if options.command == 'setup':
        for version in options.versions:
            print(setup(version))
    elif options.command == 'classpath':
        print(class_path(options.version))
    elif options.command == 'mqadmin':
        done = mqadmin(options.version, options.arguments)
        print(done.stdout, end='')
        return done.returncode
    elif options.command == 'start':
        folder = options.folder.resolve()
        folder.mkdir(parents=True, exist_ok=True)
        server = Standalone(folder, options.namesrv_port, options.listen_port, options.version, heap=options.heap,
                            **dict(p.split('=', 1) for p in options.properties))
        server.start()
        (folder / 'peer.json').write_text(json.dumps({
            'namesrv': server.namesrv, 'broker': server.address, 'pids': [
                server.broker.daemon.pid, server.nameserver.daemon.pid]}), encoding='ascii')
        print(f'nameserver {server.namesrv} broker {server.address} pid {server.broker.daemon.pid}')
    elif options.command == 'stop':
        for pid in json.loads((options.folder / 'peer.json').read_text(encoding='ascii'))['pids']:
            end_process(pid)
    return 0


def end_process(pid, seconds=40):
    """SIGTERM, and SIGKILL for one that stays."""
    try:
        os.kill(pid, signal.SIGTERM)
        for _ in range(seconds * 10):
            time.sleep(0.1)
            os.kill(pid, 0)
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


if __name__ == '__main__':
    sys.exit(main())
