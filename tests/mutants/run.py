#!/usr/bin/env python3
"""Breaks the broker on purpose, one way at a time, and demands that the simulation and its checker notice.

    run.py [--only NAME]... [--seeds N] [--list]

A suite that cannot fail proves nothing: each mutant (store/mutant.h) is built in a folder of its own, build/mutant-NAME, and must make the tests named below
fail with an anomaly of the history checker. A mutant that survives is a failure, and so is one whose place in the code is gone; one that
dies for another reason (a crash, a build error) is not caught either. The unmutated build of the same type must pass first. They are debug
builds beside build/debug, so that the compiler cache has everything but store/.
The last line is 'N passed, N failed, N skipped'.
"""
import argparse
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]

# name -> constant in store/mutant.h, the tests that must fail, kinds of anomaly that count as having understood it
MUTANTS = {
    'ack-before-flush': ('kAckBeforeFlush', 'ClusterTest.What*:DamageTest.Nothing*', 'LOST|HOLE|DIVERGENT'),
    'ignore-flush-errors': ('kIgnoreFlushErrors', 'DamageTest.Nothing*', 'LOST|HOLE|DIVERGENT'),
    'skip-crc-on-read': ('kSkipCrcOnRead', 'DamageTest.AFlipped*', 'CORRUPT|PHANTOM'),
    'reuse-offsets': ('kReuseOffsets', 'ClusterTest.What*', 'DIVERGENT|LOST'),
    'drop-last-batch': ('kDropLastBatch', 'ClusterTest.What*', 'LOST|DIVERGENT'),
    'swap-messages': ('kSwapMessages', 'ClusterTest.What*', 'MOVED|REORDER-PROC|REORDER-REALTIME'),
    'truncate-at-bad-crc': ('kTruncateAtBadCrc', 'DamageTest.AFlipped*', 'LOST|DIVERGENT'),
}
NOT_YET = {'accept-any-slave-ack': 'there is no replication yet'}

ANOMALY = re.compile(r'^([A-Z-]+) fatal .*', re.MULTILINE)


def used(constant):
    """Whether the code has a place for this mutant."""
    sources = [p for p in (ROOT / 'store').glob('*.cc')]
    return any(f'Mutant::{constant}' in path.read_text() for path in sources)


def build(folder, mutant):
    """Returns the test binary; CalledProcessError when it cannot be built."""
    env = {**os.environ, 'CCACHE_BASEDIR': str(ROOT), 'CCACHE_NOHASHDIR': '1'}
    setup = ['meson', 'setup', '--native-file', 'meson/clang-19.ini', '--buildtype=debug', f'-Dmutant={mutant}', str(folder)]
    if (folder / 'build.ninja').exists():
        setup.insert(2, '--reconfigure')
    subprocess.run(setup, cwd=ROOT, check=True, stdout=subprocess.DEVNULL, env=env)
    subprocess.run(['ninja', '--quiet', '-C', str(folder), 'tests/sim_test'], cwd=ROOT, check=True, env=env)
    return folder / 'tests' / 'sim_test'


def run(binary, tests, seeds):
    env = {**os.environ, 'RINGMQ_SIM_SEEDS': str(seeds)}
    return subprocess.run([str(binary), f'--gtest_filter={tests}'], cwd=ROOT, capture_output=True, text=True, errors='replace', env=env,
                          check=False, timeout=900)


def judge(name, folder, seeds):
    """(word, why) of one mutant."""
    constant, tests, kinds = MUTANTS[name]
    if not used(constant):
        return 'FAIL', f'no place in store/ uses Mutant::{constant}'
    done = run(build(folder, name), tests, seeds)
    found = [m for m in ANOMALY.finditer(done.stdout) if re.fullmatch(kinds, m.group(1))]
    if done.returncode == 0:
        return 'FAIL', f'it survived {seeds} seeds of {tests}'
    if not found:
        return 'FAIL', f'the tests failed without the checker naming {kinds}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}'
    return 'PASS', f'caught: {found[0].group(0)[:200]}'


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--only', action='append', default=[], help='only mutants whose name contains this')
    parser.add_argument('--seeds', type=int, default=60)
    parser.add_argument('--list', action='store_true')
    options = parser.parse_args()
    chosen = [name for name in MUTANTS if not options.only or any(text in name for text in options.only)]
    if options.list:
        print('\n'.join(chosen))
        return 0
    if not chosen:
        parser.error('no such mutant')
    words = {'PASS': 0, 'FAIL': 0}
    healthy = run(build(ROOT / 'build' / 'mutant-none', ''), ':'.join(sorted({MUTANTS[name][1] for name in chosen})), options.seeds)
    if healthy.returncode != 0:
        print(f'FAIL the build that is no mutant:\n{healthy.stdout[-4000:]}')
        print('0 passed, 1 failed')
        return 1
    for name in chosen:
        try:
            word, why = judge(name, ROOT / 'build' / f'mutant-{name}', options.seeds)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            word, why = 'FAIL', str(error)
        words[word] += 1
        print(f'{word} {name}: {why}', flush=True)
    for name, why in NOT_YET.items():
        print(f'SKIP {name}: {why}')
    passed, failed = words['PASS'], words['FAIL']
    print(f'{passed} passed, {failed} failed, {len(NOT_YET)} skipped')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
