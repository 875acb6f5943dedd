"""Compares ``callboard run`` with ``ansible-playbook``, and its events with ansible-runner's.

Runs targets of ansible-core's own integration tests, and the playbooks of ``events/``, twice each, at the same path.
Needs ``cargo build -p callboard`` before. Ends with ``N passed, N failed``.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import queue
import shutil
import sys
import tomllib
import traceback
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import programs
import report
import source
from compare import Difference, compare, compare_events, invocations
from known import Known, explain, read
from place import Place, Ran
from report import Found, Outcome
from targets import TARGETS, Target

sys.path.append(str(programs.ROOT / "tests"))
from processes import exit_on_signals

HERE = Path(__file__).resolve().parent
OURS = "events"
LIMIT_SECONDS = 1200


def main() -> int:
    """Compares what the command line names; returns 1 if something differs that is not meant to."""
    exit_on_signals()
    arguments = read_arguments()
    folder = programs.TARGET / "conformance"
    folder.mkdir(parents=True, exist_ok=True)
    lock = (folder / "lock").open("w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    shutil.rmtree(folder / "report", ignore_errors=True)
    session = Session.prepare(folder, arguments.jobs, arguments.rounds)
    names = arguments.names or session.chosen["quick" if arguments.quick else "run"]
    outcomes = session.all([*([] if arguments.names else [OURS]), *names])
    whole = not arguments.quick and not arguments.names
    stale = session.stale(outcomes) if whole else []
    report.summary(session.reports, outcomes, stale)
    print(f"\n{(session.reports / 'table.txt').read_text()}")
    for entry in stale:
        print(f"stale in known.toml: {report.vars_of(entry)}")
    failed = [outcome for outcome in outcomes if not outcome.passed]
    print(f"calls: {sum(outcome.invocations for outcome in outcomes)}; differences: {session.reports}")
    print(f"{len(outcomes) - len(failed)} passed, {len(failed)} failed")
    return 1 if failed or not outcomes else 0


def read_arguments() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="targets, and events [default: those of targets.toml]")
    parser.add_argument("--quick", action="store_true", help="only the choice that make test runs")
    parser.add_argument("--rounds", type=int, default=2, help="how often what differs is run, to tell luck apart")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="how many targets run at once")
    return parser.parse_args()


@dataclass(frozen=True)
class Round:
    """One run of a target by each side."""

    stock: Ran
    ours: Ran
    runner: Ran | None


@dataclass(frozen=True)
class Session:
    """What is compared, with what, and where."""

    source: Path
    reports: Path
    known: list[Known]
    chosen: dict[str, list[str]]
    places: list[Place]
    free: queue.Queue[Place]
    rounds: int

    @classmethod
    def prepare(cls, folder: Path, jobs: int, rounds: int) -> Session:
        """Finds the programs and fetches the targets."""
        entries = read()
        chosen = tomllib.loads((HERE / "targets.toml").read_text())
        found = programs.find(folder / "data")
        tests = source.fetch(found, folder / "source")
        places = [Place(folder / f"run{number}", found) for number in range(jobs)]
        free = queue.Queue[Place]()
        for place in places:
            free.put(place)
        return cls(tests, folder / "report", entries, chosen, places, free, rounds)

    def all(self, names: Sequence[str]) -> list[Outcome]:
        """Compares all, several at once, and tells of each as it ends."""
        pool = ThreadPoolExecutor(len(self.places))
        outcomes = list[Outcome]()
        try:
            for done in as_completed([pool.submit(self.one, name) for name in names]):
                outcomes.append(done.result())
                print(f"[{len(outcomes)}/{len(names)}] {outcomes[-1].line()} {outcomes[-1].seconds:.0f} s", flush=True)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            for place in self.places:
                place.stop()
        return sorted(outcomes, key=lambda outcome: names.index(outcome.target))

    def one(self, name: str) -> Outcome:
        """Compares one target; a fault of the comparison itself is its outcome."""
        place = self.free.get()
        try:
            outcome = self.examine(place, Target(HERE if name == OURS else self.source / TARGETS, name))
            report.write(self.reports, outcome)
        except Exception as fault:
            traceback.print_exc()
            outcome = Outcome(name, 0, [], 0, 0, fault=repr(fault))
        finally:
            self.free.put(place)
        return outcome

    def examine(self, place: Place, target: Target) -> Outcome:
        """Runs a target; where something differs unexplained, once more, since some of it may be luck."""
        rounds = [self.round(place, target, 1)]
        first = found = differences(target.name, rounds[0], rounds[0])
        while len(rounds) < self.rounds and not all(map(self.causes, found)):
            rounds.append(self.round(place, target, len(rounds) + 1))
            found = self.steady(target.name, first, rounds)
        luck = sum(difference not in found for difference in first)
        seconds = sum(each.stock.seconds + each.ours.seconds for each in rounds)
        explained = [Found(difference, self.causes(difference)) for difference in found]
        return Outcome(target.name, len(invocations(rounds[0].stock.records)), explained, luck, seconds)

    def round(self, place: Place, target: Target, number: int) -> Round:
        """Runs a target by each side."""
        if not target.folder.is_dir():
            raise FileNotFoundError(f"{target.folder}: this ansible-core has no such target")
        folder = self.reports / target.name
        sides = ["stock", "callboard", *(["runner"] if target.name in self.chosen["events"] else [])]
        ran = [place.run(target, side, folder / f"{side}{number}", LIMIT_SECONDS) for side in sides]
        if late := [side for side, each in zip(sides, ran, strict=True) if each.code is None]:
            raise TimeoutError(f"{target.name} by {late[0]} did not end within {LIMIT_SECONDS} s")
        return Round(ran[0], ran[1], ran[2] if len(ran) > 2 else None)

    def causes(self, difference: Difference) -> list[Known]:
        """Returns the entries of known.toml that explain a difference."""
        return explain(self.known, difference.target, difference.command, difference.kind, difference.changed)

    def steady(self, target: str, first: Iterable[Difference], rounds: Sequence[Round]) -> list[Difference]:
        """Returns what differs however the rounds are paired: where one pair explains a difference, as it is there."""
        pairs = list[dict[tuple[int | None, str], list[Difference]]]()
        for one, other in product(rounds, repeat=2):
            pairs.append({})
            for difference in differences(target, one, other):
                pairs[-1].setdefault(difference.key, []).append(difference)
        steady = list[Difference]()
        for difference in first:
            same = [pair[difference.key] for pair in pairs if difference.key in pair]
            if len(same) == len(pairs):
                explained = (each[0] for each in same if all(map(self.causes, each)))
                steady.append(difference if self.causes(difference) else next(explained, difference))
        return steady

    def stale(self, outcomes: Iterable[Outcome]) -> list[Known]:
        """Returns the entries of known.toml that explained nothing."""
        used = {id(entry) for outcome in outcomes for found in outcome.found for entry in found.known}
        return [entry for entry in self.known if id(entry) not in used]


def differences(target: str, one: Round, other: Round) -> list[Difference]:
    """Compares ``ansible-playbook`` and ansible-runner of one round with ``callboard run`` of another."""
    events = compare_events(target, one.runner, other.ours) if one.runner else []
    return [*compare(target, one.stock, other.ours), *events]


if __name__ == "__main__":
    sys.exit(main())
