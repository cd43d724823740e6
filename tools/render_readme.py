"""Write the generated part of README.md: the table of settings.

Usage: ``python tools/render_readme.py``; ``--check`` exits 1 if it is stale.
"""

import sys
from pathlib import Path

from ohlcache.cli.settings_table import settings_markdown

README = Path(__file__).parent.parent / "README.md"
START, END = "<!-- settings -->\n", "<!-- /settings -->"


def rendered(text: str) -> str:
    """Return ``text`` with the table of settings between its two marks."""
    head, rest = text.split(START)
    _, tail = rest.split(END)
    return f"{head}{START}{settings_markdown()}{END}{tail}"


def main() -> int:
    """Write the file, or with ``--check`` only compare; return the exit status."""
    text = README.read_text()
    if rendered(text) == text:
        return 0
    if "--check" in sys.argv:
        print("README.md is stale: run python tools/render_readme.py")
        return 1
    README.write_text(rendered(text))
    return 0


if __name__ == "__main__":
    sys.exit(main())
