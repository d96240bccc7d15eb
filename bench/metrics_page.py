"""What a broker's metrics page says, for the scripts here."""
import re
import urllib.request

SAMPLE = re.compile(r'^([a-z_]+)(?:\{(.*)\})? (\S+)$')
LABEL = re.compile(r'([a-z_]+)="([^"]*)"')


def read(port):
    """[(name, {label: text}, value)] of the broker, on the page at this port of the loopback address."""
    with urllib.request.urlopen(f'http://127.0.0.1:{port}/metrics', timeout=30) as page:
        lines = page.read().decode().splitlines()
    found = (SAMPLE.match(line) for line in lines if not line.startswith('#'))
    samples = [(match[1], dict(LABEL.findall(match[2] or '')), float(match[3])) for match in found if match]
    # A nameserver in the same process shows the shard that they share once more.
    return [sample for sample in samples if sample[1].get('server') == 'broker']


def total(samples, name, **labels):
    """The sum over all shards and servers of the samples with these labels."""
    return sum(value for sample, given, value in samples if sample == name and labels.items() <= given.items())


def quantile(before, after, name, share, **labels):
    """Seconds below which the share of what came between two readings lies: the upper end of its bucket; None when nothing came."""
    counts = {}
    for sign, samples in ((-1, before), (1, after)):
        for sample, given, value in samples:
            if sample == name + '_bucket' and labels.items() <= given.items():
                counts[float(given['le'])] = counts.get(float(given['le']), 0) + sign * value
    all_of_them = counts.get(float('inf'), 0)
    return next((limit for limit in sorted(counts) if counts[limit] >= share * all_of_them), None) if all_of_them else None
