"""Starting, watching and ending one server process."""
import os
import random
import re
import signal
import socket
import subprocess
import time


class StartError(Exception):
    """The process did not become ready; `output` is all that it printed."""

    def __init__(self, message, output='', code=None):
        tail = '\n'.join(output.splitlines()[-25:])
        super().__init__(f'{message}\n{tail}')
        self.output, self.code = output, code


def is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(('0.0.0.0', port))
        except OSError:
            return False
    return True


_given = set()
lane, lanes = 0, 1  # processes that run tests beside each other take ports of their own, also while a server is down


def free_port(rng=random.SystemRandom()):
    """A port P with P-2 (RocketMQ's VIP channel) and P+1 (its replication) free too, and out of the range from which
    the kernel takes ports for outgoing connections, so that it stays free while its server is down."""
    for _ in range(1000):
        port = rng.randrange(14000 + 8 * lane, 31000, 8 * lanes)
        if port not in _given and all(is_free(p) for p in (port - 2, port, port + 1)):
            _given.add(port)
            return port
    raise StartError('no free port found')


class Daemon:
    """A child process whose output goes to a file. `ready` is a pattern that it prints once it serves."""

    def __init__(self, name, command, log, ready, env=None, cwd=None):
        self.name, self.command, self.log, self.ready = name, [str(c) for c in command], log, re.compile(ready)
        self.env = {**os.environ, **(env or {})}
        self.cwd, self.process, self.started_at, self.from_byte = cwd, None, 0.0, 0
        self.told_to_end = False

    @property
    def pid(self):
        return self.process.pid

    @property
    def running(self):
        return self.process is not None and self.process.poll() is None

    def output(self):
        """What the process printed since its last start."""
        try:
            with open(self.log, 'rb') as file:
                file.seek(self.from_byte)
                return file.read().decode(errors='replace')
        except FileNotFoundError:
            return ''

    def spawn(self):
        """Starts without waiting."""
        assert not self.running, f'{self.name} already runs'
        os.makedirs(os.path.dirname(self.log), exist_ok=True)
        with open(self.log, 'ab') as log:
            self.from_byte = log.tell()
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                                            env=self.env, cwd=self.cwd)
        self.started_at, self.told_to_end = time.monotonic(), False
        return self

    def start(self, timeout=90.0):
        """Starts and waits for the ready line; StartError when it ends or is silent. Returns the seconds it took."""
        self.spawn()
        while not self.ready.search(self.output()):
            if not self.running:
                raise StartError(f'{self.name} ended with code {self.process.returncode}', self.output(),
                                 self.process.returncode)
            if time.monotonic() - self.started_at > timeout:
                self.kill()
                raise StartError(f'{self.name} was not ready after {timeout:.0f} s', self.output())
            time.sleep(0.02)
        return time.monotonic() - self.started_at

    def wait(self, timeout):
        """Its exit code; StartError when it still runs after `timeout` seconds (it is killed then)."""
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise StartError(f'{self.name} still ran after {timeout:.0f} s', self.output()) from None

    def stop(self, timeout=40.0):
        """SIGTERM; returns the seconds until it was gone."""
        if not self.running:
            return 0.0
        begin, self.told_to_end = time.monotonic(), True
        self.process.send_signal(signal.SIGTERM)
        self.wait(timeout)
        return time.monotonic() - begin

    def kill(self):
        """SIGKILL."""
        if self.running:
            self.told_to_end = True
            self.process.kill()
        if self.process is not None:
            self.process.wait()

    def crash(self):
        """What there is to say when it ended by itself, else None."""
        if self.process is None or self.running or self.told_to_end:
            return None
        tail = '\n'.join(self.output().splitlines()[-30:])
        return f'{self.name} ended by itself with code {self.process.returncode}:\n{tail}'

    def resident_bytes(self):
        with open(f'/proc/{self.pid}/status', encoding='ascii') as file:
            for line in file:
                if line.startswith('VmRSS:'):
                    return int(line.split()[1]) * 1024
        raise StartError(f'{self.name} has no resident memory: did it end?', self.output())
