"""A disk that fails on command, with an ext4 on it: rig/fbd.cc under a loop device.

It needs root, FUSE, loop devices and libfuse3 at build time; where one is missing, `Device` raises Skip with the reason.
All mounts are in a mount namespace of this process, or every `ip netns exec` elsewhere would copy them and keep the
device busy; they go with the process, however it ends.
"""
import ctypes
import fcntl
import os
import pathlib
import re
import shutil
import struct
import subprocess
import time

from interop.harness import Failure, Skip, check
from peers import ringmq

IOC_SHUTDOWN = (2 << 30) | (4 << 16) | (ord('X') << 8) | 125  # EXT4_IOC_SHUTDOWN of linux/fs/ext4/ext4.h
NO_LOG_FLUSH = 2  # as if the power went: the journal in memory is lost too
CLONE_NEWNS = 0x00020000

_namespace_of = None  # the process that has its own


def built(target, needs=''):
    """The path of a program of the rig, built when it is not there."""
    build, target = ringmq.ROOT / 'build' / 'release', f'tests/fault/rig/{target}'
    with open(build / '.rig.lock', 'w', encoding='ascii') as lock:  # of two at once one would give up
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = subprocess.run(['ninja', '-C', build, '--quiet', target], capture_output=True, text=True, check=False)
    if done.returncode:
        raise Skip(f'{target} is not built{needs}: {done.stdout.strip()[-300:]}')
    return build / target


def _own_namespace():
    global _namespace_of  # pylint: disable=global-statement
    if _namespace_of == os.getpid():
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS):
        raise Skip(f'no mount namespace of our own: {os.strerror(ctypes.get_errno())}')
    subprocess.run(['mount', '--make-rprivate', '/'], check=True)
    _namespace_of = os.getpid()


def require():
    """Skip with the reason unless a Device can be made here."""
    if os.geteuid() != 0:
        raise Skip('the faulty disk needs root')
    for path in ('/dev/fuse', '/dev/loop-control'):
        if not os.path.exists(path):
            raise Skip(f'the faulty disk needs {path}')
    for tool in ('mkfs.ext4', 'fusermount3', 'losetup'):
        if not shutil.which(tool):
            raise Skip(f'the faulty disk needs {tool}')


class Device:
    """`mebibytes` of disk, mounted at `folder`. What was written is in memory, twice."""

    def __init__(self, context, mebibytes=256):
        require()
        program = built('fbd', ', is libfuse3-dev installed?')
        _own_namespace()
        place = context.fresh_folder('disk')
        self.image, self.folder = place / 'device' / 'disk.img', place / 'mounted'
        self.image.parent.mkdir()
        self.folder.mkdir()
        self.mounted = False
        self.bytes = mebibytes << 20
        with open(place / 'fbd.err', 'wb') as errors:
            self.process = subprocess.Popen([program, str(mebibytes), self.image.parent], stdin=subprocess.PIPE,
                                            stdout=subprocess.PIPE, stderr=errors, text=True, bufsize=1)
        context.own.callback(self.close)
        deadline = time.monotonic() + 10
        while not self.image.exists():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise Skip(f'FUSE does not mount here (fbd: {self.process.poll()})')
            time.sleep(0.005)
        self.format()

    def format(self):
        """An empty file system, mounted."""
        self.unmount()
        done = subprocess.run(['mkfs.ext4', '-q', '-F', '-E', 'nodiscard,lazy_itable_init=1', '-b', '4096', self.image],
                              capture_output=True, text=True, check=False)
        check(done.returncode == 0, 'mkfs.ext4:', done.stderr)
        self.mount()

    def mount(self):
        done = subprocess.run(['mount', '-t', 'ext4', '-o', 'loop,nodiscard', self.image, self.folder],
                              capture_output=True, text=True, check=False)
        if done.returncode and 'loop' in done.stderr:
            raise Skip(f'no loop device: {done.stderr.strip()}')
        check(done.returncode == 0, 'mount:', done.stderr)
        self.mounted = True

    def unmount(self):
        """Waits for it: what a killed process had in its io_uring keeps files open for a moment."""
        deadline = time.monotonic() + 10
        while self.mounted:
            done = subprocess.run(['umount', self.folder], capture_output=True, text=True, check=False)
            self.mounted = done.returncode != 0
            check(time.monotonic() < deadline, 'umount:', done.stderr)
            if self.mounted:
                time.sleep(0.005)

    def tell(self, command):
        """Gives fbd a command; see rig/fbd.cc."""
        self.process.stdin.write(command + '\n')
        answer = self.process.stdout.readline().strip()
        if not answer or answer.startswith('error'):
            raise Failure(f'fbd says {answer!r} to {command!r}')
        return answer

    def state(self):
        """The numbers of fbd's `state`, by name."""
        words = self.tell('state').split()
        return {name: int(value) for name, value in zip(words[::2], words[1::2])}

    @property
    def event(self):
        """When the power was cut or the first operation failed, in seconds of time.monotonic(); None for not yet."""
        at = self.state()['event']
        return at / 1e9 if at else None

    def cut(self, how):
        """Power loss now. `how` is 'all' or 'rand SEED'. The moment, in seconds of time.monotonic()."""
        self.tell(f'cut {how}')
        return self.event

    def power_up(self):
        """After a cut, once no process has files open any more: the file system as the next boot finds it."""
        root = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.ioctl(root, IOC_SHUTDOWN, struct.pack('I', NO_LOG_FLUSH))
        finally:
            os.close(root)
        self.unmount()
        self.tell('revive')
        self.tell('clear')
        self.mount()

    @property
    def used(self):
        """The part of the disk that is not free, 0 to 1."""
        space = os.statvfs(self.folder)
        return 1 - space.f_bavail / space.f_blocks

    def place_of(self, path, offset=0):
        """(first byte on the device, bytes up to the end of the extent) of the byte `offset` of a file on it."""
        done = subprocess.run(['filefrag', '-v', '-b1', path], capture_output=True, text=True, check=True)
        for line in done.stdout.splitlines():
            found = re.match(r'\s*\d+:\s*(\d+)\.\.\s*(\d+):\s*(\d+)\.\.\s*(\d+):', line)
            if found:
                begin, end, physical, _ = map(int, found.groups())
                if begin <= offset <= end:
                    return physical + offset - begin, end - offset + 1
        raise Failure(f'{path} has no byte {offset} on the disk: {done.stdout}')

    def close(self):
        """Ends it, whatever state it is in."""
        if self.process.poll() is None:
            self.tell('clear')
        if self.mounted:
            subprocess.run(['umount', '-l', self.folder], check=False, capture_output=True)
        subprocess.run(['umount', '-l', self.image.parent], check=False, capture_output=True)
        self.process.stdin.close()
        self.process.wait(10)


def server_on(context, folder, shards=None, **properties):
    """A broker, not started, that keeps everything it stores in `folder`; its output goes elsewhere. Ends with the test.
    `shards` is for RingMQ."""
    place = context.fresh_folder('server')
    if context.kind == 'rocketmq':
        server = context.peer.Broker(
            place, '127.0.0.1:1', storePathRootDir=pathlib.Path(folder) / 'store',
            storePathCommitLog=pathlib.Path(folder) / 'store' / 'commitlog', **properties)
    else:
        server = context.peer.Standalone(place, data=pathlib.Path(folder) / 'data', shards=shards, **properties)
    context.servers.append(server)
    context.own.callback(server.kill)
    return server
