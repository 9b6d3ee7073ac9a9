"""Fail when a test that CI must run was skipped; reads pytest's JUnit report.

On a developer's machine tests without a server, a browser or pictures are skipped with
their reason. In CI all of them are there, so a skip means that something broke quietly.
"""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ET
from pathlib import Path

MUST_RUN = ("contract", "integration", "e2e", "unit")
# Nothing broke: these tests cannot ask their question where they run.
EXPECTED = ("root reads everything",)


def main(report: Path) -> int:
    """Print every skipped test and how many ran; 1 when any was skipped or none ran."""
    cases = list(ET.parse(report).getroot().iter("testcase"))  # noqa: S314 - our own report
    reasons = [(case, case.find("skipped")) for case in cases]
    texts = [(case, reason.get("message", "")) for case, reason in reasons if reason is not None]
    skipped = [(case, text) for case, text in texts if text not in EXPECTED]
    for case, text in skipped:
        print(f"skipped: {case.get('classname')}::{case.get('name')}: {text}")
    rooms = {
        room
        for room in MUST_RUN
        if any(f"tests.{room}." in (c.get("classname") or "") for c in cases)
    }
    missing = sorted(set(MUST_RUN) - rooms)
    if missing:
        print(f"no test ran in: {', '.join(missing)}")
    ran = len(cases) - len(texts)
    print(f"{ran} tests ran, {len(texts)} skipped, {len(skipped)} of them unexpectedly")
    return 1 if skipped or missing else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
