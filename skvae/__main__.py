"""``python -m skvae``: the digits comparison, or a report on a table."""

import sys

from skvae._cli.start import main

if __name__ == "__main__":
    sys.exit(main())
