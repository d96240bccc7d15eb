"""Which test proves that a request works with a real client or tool: main/compatibility_proofs.inc, which docs/COMPATIBILITY.md shows. Held against what the
servers were asked while that test ran."""
import pathlib
import re

FILE = pathlib.Path(__file__).resolve().parents[2] / 'main' / 'compatibility_proofs.inc'


def wrong(seen):
    """What is wrong with the file, of the tests that have run. `seen`: test -> names of the codes that servers were sent meanwhile."""
    proofs = re.findall(r'^PROOF\("(\w+)", "([^"]+)"\)', FILE.read_text(), re.M)
    if not proofs:
        return [f'{FILE.name} names no test']
    return [f'{FILE.name} says that {test} proves {code}, which no server was sent by it' for code, test in proofs
            if test in seen and code not in seen[test]]
