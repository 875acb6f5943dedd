"""Counts tests, and says what failed."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable


class Tests:
    """The tests that ran."""

    def __init__(self) -> None:
        self.passed = self.failed = 0

    def check(self, name: str, test: Callable[[], object]) -> None:
        """Runs a test and counts it."""
        start = time.monotonic()
        try:
            test()
        except Exception as error:
            self.failed += 1
            print(f"FAILED {name}", flush=True)
            print("".join(traceback.format_exception(error)), flush=True)
        else:
            self.passed += 1
            print(f"ok     {name} ({time.monotonic() - start:.1f} s)", flush=True)

    def end(self) -> int:
        """Prints the sum; returns the exit code."""
        print(f"{self.passed} passed, {self.failed} failed", flush=True)
        return 1 if self.failed or not self.passed else 0
