"""Site tooling: runs the examples, binds their numbers and figures to the pages, builds the site.

Readers of the course never import this package; only the examples' last two lines do, to save what
they made.
"""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
