"""Which test proves that a request works with a real client or tool: main/compatibility_proofs.inc, which docs/COMPATIBILITY.md shows. Held against what the
servers were asked while that test ran. Whether that was a real client or a frame of our own this can't tell: who adds a line looks."""
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
FILE = ROOT / 'main' / 'compatibility_proofs.inc'
CODES = ROOT / 'net' / 'request_codes.inc'


def wrong(seen, known):
    """What is wrong with the file. `seen`: test that has passed -> names of the codes that servers were sent meanwhile; `known`: the names of all tests."""
    proofs = re.findall(r'^PROOF\("(\w+)", "([^"]+)"\)', FILE.read_text(), re.M)
    codes = set(re.findall(r'^REQUEST\(\w+, \d+, "(\w+)"', CODES.read_text(), re.M))
    found = [] if proofs else [f'{FILE.name} names no test']
    for code, test in proofs:
        if code not in codes or test not in known:
            found.append(f'{FILE.name}: there is no request {code}, or no test {test}')
        elif test in seen and code not in seen[test]:
            found.append(f'{FILE.name} says that {test} proves {code}, which no server was sent by it')
    return found


def codes_of(server):
    """The code and the name of every request that a `server` ("kBroker", "kNameserver") of RocketMQ's answers."""
    return [(int(code), name) for code, name, servers in
            re.findall(r'^REQUEST\(\w+, (\d+), "(\w+)", ([^,]*),', CODES.read_text(encoding='utf-8'), re.M) if server in servers.split(' | ')]
