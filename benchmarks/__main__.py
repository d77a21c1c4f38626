"""`make bench`: runs every benchmark and prints its ratios; exits non-zero where one falls short of what is promised."""

import sys

from benchmarks import lookups


def main() -> int:
    results = lookups.run()
    for result in results:
        print(f"{result.name:<70} {result.ratio:6.1f}x  (promised: at least {result.promised:.1f}x)")
    return 0 if all(result.ratio >= result.promised for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
