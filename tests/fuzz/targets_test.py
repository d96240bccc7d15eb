#!/usr/bin/env python3
"""What the fuzz targets must not forget: every header of net/requests is in all_headers.h, every target has a corpus, and the corpora stay small.

The last line is 'N passed, N failed'.
"""
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
CORPUS_BYTES_MAX = 1 << 20  # of all together


def declared():
    """The structs of net/requests that have a list of fields or a code."""
    found = set()
    for path in sorted((ROOT / 'net' / 'requests').glob('*.h')):
        for name, body in re.findall(r'^struct (\w+)(?: : \w+)? \{(.*?)^\};', path.read_text(), re.MULTILINE | re.DOTALL):
            if 'kFields' in body or 'kCode' in body:
                found.add(name)
    return found


def main():
    wrong = []
    listed = set(re.findall(r'net::(\w+)', (HERE / 'all_headers.h').read_text()))
    for name in sorted(declared() ^ listed):
        wrong.append(f'{name} is {"not" if name not in listed else "only"} in tests/fuzz/all_headers.h')
    targets = {path.stem.removesuffix('_fuzz') for path in HERE.glob('*_fuzz.cc')}
    corpora = {path.name: [p for p in path.iterdir() if p.is_file()] for path in (HERE / 'corpus').iterdir()}
    for name in sorted(targets ^ set(corpora)):
        wrong.append(f'{name}: a corpus without target or a target without corpus')
    for name, files in corpora.items():
        if not files:
            wrong.append(f'the corpus of {name} is empty')
    size = sum(p.stat().st_size for files in corpora.values() for p in files)
    if size > CORPUS_BYTES_MAX:
        wrong.append(f'the corpora have {size} bytes: ./dev fuzz --merge into an empty folder makes them small again')
    for line in wrong:
        print('FAIL', line)
    print(f'{3 - min(3, len(wrong))} passed, {min(3, len(wrong))} failed')
    return 1 if wrong else 0


if __name__ == '__main__':
    sys.exit(main())
