"""`ringmq bench` against a server of tests/peers, for the scripts here."""
import json
import subprocess

from peers import ringmq


def command(server, topic, mode, *arguments):
    """The command line; its result is one JSON object."""
    words = [ringmq.binary, 'bench', mode, '--json', '--quiet', '-n', server.namesrv, '-t', topic, '--pid', server.daemon.pid, *arguments]
    return [str(word) for word in words]


def run(server, topic, mode, *arguments, failures=False):
    """What was measured. RuntimeError when there is no result, or, unless `failures` may be among it, when requests failed."""
    words = command(server, topic, mode, *arguments)
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    if not done.stdout.strip() or (done.returncode and not failures):
        raise RuntimeError(f'{" ".join(words)}: {done.stderr}{done.stdout}')
    return json.loads(done.stdout)
