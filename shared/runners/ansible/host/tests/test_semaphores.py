"""The replacements of semaphores and shared memory, through the library that Ansible uses them with."""

from __future__ import annotations

import _multiprocessing
import _posixshmem
import gc
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path

import pytest

from callboard_host import semaphores

fork = multiprocessing.get_context("fork")


@pytest.fixture(autouse=True)
def replaced(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Replaces for one test what the host replaces for good."""
    monkeypatch.setattr(_multiprocessing, "SemLock", _multiprocessing.SemLock)
    monkeypatch.setattr(_posixshmem, "shm_open", _posixshmem.shm_open)
    monkeypatch.setattr(_posixshmem, "shm_unlink", _posixshmem.shm_unlink)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    semaphores.install()
    yield
    gc.collect()


def in_child(check: Callable[[], bool]) -> bool:
    """Forks as the host does, without multiprocessing's hooks, and returns what the child found."""
    pid = os.fork()
    if pid == 0:
        status = 2
        try:
            status = 0 if check() else 1
        finally:
            os._exit(status)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert status in (0, 1)
    return status == 0


def count_under_lock(path: str, lock: multiprocessing.synchronize.Lock, times: int) -> None:
    """Adds to the number in a file, in two steps that another process must not come between."""
    for _ in range(times):
        with lock:
            number = int(Path(path).read_text())
            Path(path).write_text(str(number + 1))


def read(name: str, size: int) -> bytes:
    """Returns the start of a shared memory that another process has made."""
    memory = SharedMemory(name=name)
    assert memory.buf is not None
    return bytes(memory.buf[:size])


def test_a_lock_excludes_other_processes(tmp_path: Path) -> None:
    counter = tmp_path / "counter"
    counter.write_text("0")
    lock = fork.Lock()
    processes = [fork.Process(target=count_under_lock, args=(str(counter), lock, 200)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0, 0]
    assert counter.read_text() == "800"


def test_a_held_lock_is_not_the_forked_childs() -> None:
    lock = fork.RLock()
    with lock:
        assert not in_child(lambda: lock.acquire(block=False))
    assert in_child(lambda: lock.acquire() and lock.acquire())


def test_a_recursive_lock_opens_with_its_last_release() -> None:
    lock = fork.RLock()
    assert lock.acquire()
    assert lock.acquire()
    lock.release()
    assert not in_child(lambda: lock.acquire(block=False))
    lock.release()
    assert in_child(lambda: lock.acquire(block=False))
    with pytest.raises(AssertionError):
        lock.release()


def test_a_thread_cannot_release_the_recursive_lock_of_another() -> None:
    lock = fork.RLock()
    lock.acquire()
    refused = []

    def release() -> None:
        with pytest.raises(AssertionError):
            lock.release()
        refused.append(True)

    thread = threading.Thread(target=release)
    thread.start()
    thread.join()
    assert refused == [True]


def test_a_bounded_semaphore_counts_its_permits() -> None:
    semaphore = fork.BoundedSemaphore(3)
    assert [semaphore.acquire(block=False) for _ in range(4)] == [True, True, True, False]
    assert not semaphore.acquire(timeout=0.01)
    for _ in range(3):
        semaphore.release()
    assert semaphore.get_value() == 3
    for full in (semaphore, fork.Lock()):
        with pytest.raises(ValueError, match="released too many times"):
            full.release()


def test_a_condition_wakes_the_process_that_waits() -> None:
    condition = fork.Condition()
    ready = fork.Event()

    def wait() -> None:
        with condition:
            ready.set()
            condition.wait()

    process = fork.Process(target=wait)
    process.start()
    ready.wait()
    with condition:
        condition.notify_all()
    process.join()
    assert process.exitcode == 0


def test_queues_use_no_shared_memory_folder() -> None:
    queue = fork.Queue()
    process = fork.Process(target=queue.put, args=("from the child",))
    process.start()
    assert queue.get() == "from the child"
    process.join()
    assert "/dev/shm" not in Path("/proc/self/maps").read_text()


def test_shared_memory_is_a_file_of_the_job(tmp_path: Path) -> None:
    memory = SharedMemory(create=True, size=16)
    try:
        assert list(tmp_path.glob("shm-*"))
        assert memory.buf is not None
        memory.buf[:5] = b"hello"
        assert in_child(lambda: read(memory.name, 5) == b"hello")
    finally:
        memory.close()
        memory.unlink()
    assert list(tmp_path.glob("shm-*")) == []


def test_no_descriptor_is_left_open() -> None:
    before = os.listdir("/proc/self/fd")
    for _ in range(20):
        locks = [fork.Lock(), fork.RLock(), fork.Condition(), fork.Queue()]
        del locks
    gc.collect()
    assert os.listdir("/proc/self/fd") == before
