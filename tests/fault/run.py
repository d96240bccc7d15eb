#!/usr/bin/env python3
"""Crashes the server under test and feeds it nonsense.

  run.py [--server ringmq|rocketmq] [--binary PATH] [--seed N] [--kills N] [--only TEXT]... [--list] [--keep] [-v]

--server rocketmq runs what is comparable against the real Apache RocketMQ 5.3.3, which checks the tests themselves.
"""
import argparse
import pathlib
import random
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from fault import bad_input, kill  # noqa: E402
from interop import harness  # noqa: E402
from peers import ringmq, rocketmq  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--server', choices=('ringmq', 'rocketmq'), default='ringmq')
    parser.add_argument('--binary', type=pathlib.Path, default=ringmq.binary, help='the ringmq to test')
    parser.add_argument('--seed', type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument('--kills', type=int, default=20)
    parser.add_argument('--only', action='append', default=[], help='only tests whose name contains this')
    parser.add_argument('--list', action='store_true')
    parser.add_argument('--keep', action='store_true', help='leave the data and logs in place')
    parser.add_argument('-v', '--verbose', action='store_true')
    options = parser.parse_args()
    tests = [
        ('kill_async_flush', lambda context: kill.kill_under_load(
            context, '5.3.3', 'ASYNC_FLUSH', options.kills, options.seed)),
        ('kill_sync_flush', lambda context: kill.kill_under_load(
            context, '4.9.7', 'SYNC_FLUSH', options.kills, options.seed + 1)),
        *bad_input.TESTS]
    tests = [t for t in tests if not options.only or any(o in t[0] for o in options.only)]
    if options.list:
        print('\n'.join(name for name, _ in tests))
        return 0
    if not tests:
        parser.error('no such test')
    ringmq.binary = options.binary.resolve()
    if options.server == 'ringmq' and not ringmq.binary.exists():
        parser.error(f'{ringmq.binary} is not there: ./dev build')
    if not kill.checker().exists():
        parser.error(f'{kill.checker()} is not there: ninja -C build/release history_check')
    for version in harness.VERSIONS:
        rocketmq.setup(version)
    print(f'seed {options.seed}', flush=True)
    folder = tempfile.mkdtemp(prefix='ringmq-fault-')
    return 1 if harness.run_all(harness.Context(options.server, folder), tests, options.verbose, options.keep) else 0


if __name__ == '__main__':
    sys.exit(main())
