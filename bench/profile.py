#!/usr/bin/env python3
"""Where the broker's time goes under a load: shares by part and by function, and a flame graph.

  ./dev bench profile [--seconds 3] [--out FOLDER] [LOAD...]

LOAD is what `ringmq bench` is told, by default `produce -c 4 -i 64`. A fresh broker on an empty folder gets it; while it runs, the processor is
sampled with `perf` (the package linux-perf). FOLDER (build/profile) gets `flame.svg`, to be opened in a browser, and `folded.txt`, a line a stack.
"""
import argparse
import collections
import html
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / 'tests'))
sys.path.insert(0, str(ROOT / 'bench'))
import bench_load  # noqa: E402
from peers import ringmq  # noqa: E402

SAMPLES_A_SECOND = 2500
WARMUP_SECONDS = 1.5
FRAME = re.compile(r'^\s+[0-9a-f]+ (.+?)(?:\+0x[0-9a-f]+)? \((.*)\)$')
# The first that matches names the part; of a stack the innermost frame with one of ours counts.
PARTS = [(name, re.compile(rf'\b{name}::')) for name in ('broker', 'store', 'net', 'nameserver', 'core')]
WIDTH, ROW, TEXT = 1400, 17, 7


def sample(load, seconds, folder):
    """(result of the load, stacks of `perf script`)."""
    data = folder / 'perf.data'
    (folder / 'server').mkdir()
    server = ringmq.Standalone(folder / 'server')
    server.start()
    try:
        command = bench_load.command(server, 'Profile', *load)
        if load[0] != 'consume':
            command += ['--warmup', '1', '-d', str(seconds + 1)]
        bench = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        time.sleep(WARMUP_SECONDS if load[0] != 'consume' else 0)
        subprocess.run(['perf', 'record', '-q', '-o', data, '-F', str(SAMPLES_A_SECOND), '-g', '-p', str(server.daemon.pid), '--', 'sleep', str(seconds)],
                       check=True, stderr=subprocess.DEVNULL)
        result = json.loads(bench.communicate()[0])
    finally:
        server.stop()
    script = subprocess.run(['perf', 'script', '-i', data, '-F', 'comm,ip,sym,dso', '--no-inline'], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                            check=True, errors='replace')
    return result, script.stdout


def folded(script):
    """{stack from the outside in: samples}"""
    stacks = collections.Counter()
    for block in script.split('\n\n'):
        lines = block.strip('\n').split('\n')
        frames = []
        for line in lines[1:]:
            match = FRAME.match(line)
            if match:
                kernel = '[kernel' in match[2] or match[2].startswith('[')
                frames.append(shortened(match[1]) + ('_[k]' if kernel and match[1] != '[unknown]' else ''))
        if frames:
            stacks[tuple(reversed(frames))] += 1
    return stacks


def shortened(symbol):
    """Without arguments and template arguments, which say little and take much room."""
    out, depth = [], 0
    for char in symbol.replace('operator<', 'operator less').replace('(anonymous namespace)', 'anonymous'):
        if char in '<(':
            depth += 1
        elif char in '>)':
            depth = max(0, depth - 1)
        elif depth == 0:
            out.append(char)
    return ''.join(out).split(' [clone')[0].strip() or symbol


def part_of(stack):
    if stack[-1].endswith('_[k]'):
        return 'kernel'
    for frame in reversed(stack):
        for name, pattern in PARTS:
            if pattern.search(frame):
                return name
    return 'other'


def tree(stacks):
    root = [0, {}]
    for stack, count in stacks.items():
        node = root
        node[0] += count
        for frame in stack:
            node = node[1].setdefault(frame, [0, {}])
            node[0] += count
    return root


def flame(stacks, title):
    """An SVG of boxes, the outermost frames at the bottom; as wide as their share of the samples."""
    root, boxes, deepest = tree(stacks), [], 0

    def place(node, left, depth):
        nonlocal deepest
        deepest = max(deepest, depth)
        for frame, child in sorted(node[1].items()):
            width = child[0] / root[0] * WIDTH
            if width >= 1:
                boxes.append((left, depth, width, frame, child[0]))
                place(child, left, depth + 1)
            left += width
    place(root, 0.0, 0)
    height = (deepest + 2) * ROW
    colors = {'kernel': '#8fb7d9', 'broker': '#e8a15b', 'store': '#d9c35a', 'net': '#a3c878', 'core': '#c59ad0', 'nameserver': '#d98f8f', 'other': '#cccccc'}
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" font-family="monospace" font-size="11">',
             f'<text x="4" y="12">{html.escape(title)}</text>']
    for left, depth, width, frame, count in boxes:
        y = height - (depth + 1) * ROW
        share = 100 * count / root[0]
        label = html.escape(frame[:int(width / TEXT)]) if width > 3 * TEXT else ''
        lines.append(f'<g><title>{html.escape(frame)}: {share:.1f} %</title><rect x="{left:.1f}" y="{y}" width="{max(width - 0.5, 0.5):.1f}" '
                     f'height="{ROW - 1}" fill="{colors[part_of((frame,))]}"/><text x="{left + 2:.1f}" y="{y + 12}">{label}</text></g>')
    return '\n'.join([*lines, '</svg>'])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--seconds', type=int, default=3)
    parser.add_argument('--out', type=pathlib.Path, default=ROOT / 'build' / 'profile')
    parser.add_argument('load', nargs=argparse.REMAINDER)
    options = parser.parse_args()
    load = options.load or ['produce', '-c', '4', '-i', '64']
    folder = pathlib.Path(tempfile.mkdtemp(prefix='ringmq-profile-'))
    try:
        result, script = sample(load, options.seconds, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    stacks = folded(script)
    total = sum(stacks.values())
    if total == 0:
        sys.exit('perf has sampled nothing: may this user sample (kernel.perf_event_paranoid), and is the load long enough?')
    cost = result.get('brokerCpuUsPerMessage') or 0
    options.out.mkdir(parents=True, exist_ok=True)
    title = f'{" ".join(load)}: {result.get("messagesPerSecond", 0):,.0f} messages/s, {cost} us of the broker a message, {total} samples'
    (options.out / 'folded.txt').write_text(''.join(f'{";".join(s)} {n}\n' for s, n in sorted(stacks.items())), encoding='utf-8')
    (options.out / 'flame.svg').write_text(flame(stacks, title), encoding='utf-8')
    print(title)
    parts, functions = collections.Counter(), collections.Counter()
    for stack, count in stacks.items():
        parts[part_of(stack)] += count
        functions[stack[-1]] += count
    print('\n  part            %     ns a message')
    for name, count in parts.most_common():
        print(f'  {name:12} {100 * count / total:5.1f} {1000 * cost * count / total:10.0f}')
    print('\n  function itself                                                        %     ns a message')
    for name, count in functions.most_common(40):
        print(f'  {name[:66]:66} {100 * count / total:5.1f} {1000 * cost * count / total:10.0f}')
    print(f'\n{options.out}/flame.svg')


if __name__ == '__main__':
    main()
