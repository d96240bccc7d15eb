#!/usr/bin/env python3
"""Runs real RocketMQ clients and tools against the server under test.

  run.py [--server ringmq|rocketmq] [--binary PATH] [--only TEXT]... [--all] [--list] [--keep] [-v]

--server rocketmq runs the same tests against the real Apache RocketMQ 5.3.3, which checks the tests themselves.
--all runs the slow tests as well.
Needs Python 3.9, a JDK 11 or newer and Maven (for RocketMQ's jars, fetched once), and Go 1.19 or newer (for its client).
"""
import argparse
import pathlib
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from interop import (cases_access, cases_admin, cases_application, cases_bad_input, cases_basic, cases_bench, cases_delay, cases_filter, cases_lmq, cases_mixed,  # noqa: E402,F401
                     cases_mqadmin, cases_offsets, cases_pop, cases_protocol, cases_proxy, cases_query, cases_store,
                     cases_transaction, cases_volume, harness, proofs, runner)
from peers import ringmq  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--server', choices=('ringmq', 'rocketmq'), default='ringmq')
    parser.add_argument('--binary', type=pathlib.Path, default=ringmq.binary, help='the ringmq to test')
    parser.add_argument('--only', action='append', default=[], help='only tests whose name contains this')
    parser.add_argument('--all', action='store_true', help='the slow tests as well')
    parser.add_argument('--list', action='store_true')
    parser.add_argument('--keep', action='store_true', help='leave the data and logs in place')
    parser.add_argument('-v', '--verbose', action='store_true')
    options = parser.parse_args()
    tests = [t for t in harness.TESTS if not options.only or any(o in t[0] for o in options.only)]
    if not options.all:
        tests = [t for t in tests if not getattr(t[1], 'slow', False)]
    if options.list:
        print('\n'.join(name for name, _ in tests))
        return 0
    if not tests:
        parser.error('no such test')
    ringmq.binary = options.binary.resolve()
    if options.server == 'ringmq' and not ringmq.binary.exists():
        parser.error(f'{ringmq.binary} is not there: ./dev build')
    for version in (*harness.VERSIONS, *harness.OTHER_CLIENTS):
        harness.prepare(version)
    folder = tempfile.mkdtemp(prefix='ringmq-interop-')
    known = {name for name, _ in harness.TESTS}
    judge = (lambda seen: proofs.wrong(seen, known)) if options.server == 'ringmq' else None
    return 1 if runner.run_all(options.server, folder, tests, options.verbose, options.keep, judge)[0] else 0


if __name__ == '__main__':
    sys.exit(main())
