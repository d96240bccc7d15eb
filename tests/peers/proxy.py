"""The real Apache RocketMQ Proxy, from Maven Central: gRPC clients in front of a broker's remoting protocol."""
import json
import pathlib

from peers import rocketmq
from peers.process import Daemon, free_port


class Proxy:
    """A proxy in cluster mode: it knows its brokers by the nameserver. `address` is where gRPC clients go. `batch_ack`: it acknowledges to brokers in batches. `more`: further keys of its configuration."""

    def __init__(self, folder, namesrv, version='5.3.3', batch_ack=False, **more):
        folder = pathlib.Path(folder)
        self.port = free_port()
        self.address = f'127.0.0.1:{self.port}'
        (folder / 'home' / 'conf').mkdir(parents=True, exist_ok=True)
        config = folder / 'proxy.json'
        config.write_text(json.dumps({
            'rocketMQClusterName': 'DefaultCluster', 'proxyMode': 'CLUSTER', 'namesrvAddr': namesrv, 'grpcServerPort': self.port,
            'remotingListenPort': free_port(), 'enableBatchAck': batch_ack, **more}), encoding='ascii')
        self.daemon = Daemon('rocketmq proxy', [
            'java', *rocketmq.JAVA_OPENS, '-Xms256m', '-Xmx512m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', f'-Duser.home={folder}',
            '-cp', rocketmq.class_path(version, 'proxy'), 'org.apache.rocketmq.proxy.ProxyStartup', '-pc', config],
            folder / 'proxy.out', 'rocketmq-proxy startup successfully', {'ROCKETMQ_HOME': str(folder / 'home')})

    def start(self):
        return self.daemon.start()

    def kill(self):
        self.daemon.kill()
