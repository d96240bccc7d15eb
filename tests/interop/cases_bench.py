"""The load generator and its yardstick, which the figures of docs and README rest on."""
import json
import subprocess

import rawmq
from interop.harness import check, test
from peers import ringmq
from peers.process import Daemon, free_port


@test
def bench_null(context):
    """The server that does nothing answers as many requests as the load generator sends, whole or byte by byte."""
    if context.kind != 'ringmq':
        return
    port = free_port()
    daemon = Daemon('ringmq bench null', [ringmq.binary, 'bench', 'null', '-p', port], context.fresh_folder('null') / 'null.out',
                    'The null server listens')
    daemon.start(timeout=10)
    context.own.callback(daemon.stop)
    address = f'127.0.0.1:{port}'
    for more in ((), ('--batch', '32'), ('-s', '1000000', '-i', '2')):
        run = subprocess.run([ringmq.binary, 'bench', 'produce', '-b', address, '--no-create', '-m', '640', '--json', '--quiet', *more],
                             capture_output=True, text=True, timeout=60)
        check(run.returncode == 0, run.stdout, run.stderr)
        result = json.loads(run.stdout)
        check(result['messages'] == 640 and not result['errors'], result)
    with rawmq.Connection(address) as connection:
        frame = rawmq.encode(rawmq.Command(rawmq.GET_MAX_OFFSET, {'topic': 'T', 'queueId': 0}, opaque=77))
        for i in range(len(frame)):
            connection.write(frame[i:i + 1])
        check(connection.wait(77).ext['offset'] == '0', 'no offset')
