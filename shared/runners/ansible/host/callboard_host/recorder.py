"""ansible-runner's events, recorded beside whatever stdout callback the job has.

ansible-runner makes its callback a subclass of the job's stdout callback: one that answers for methods itself then has
none of its events, and what names a plugin names ansible-runner's. Here the queue manager has the job's own callback,
behind a ``Recorded`` that lets ansible-runner's callback record each call before it is passed on.
"""

from __future__ import annotations

import functools
import types
from collections.abc import Callable
from typing import Any

from ansible._internal._templating._jinja_bits import is_possibly_template
from ansible.executor.play_iterator import PlayIterator
from ansible.executor.task_queue_manager import TaskQueueManager
from ansible.executor.task_result import CallbackTaskResult
from ansible.playbook.task import Task

from callboard_host import events, failures, messages, unfinished
from callboard_host.awx import CallbackModule, awx_display, context

_METHODS = frozenset(name for name in vars(CallbackModule) if name.startswith("v2_"))
_ENCODER = events.encoder_for(awx_display.AnsibleJSONEncoderLocal)
# a field of the context that becomes one of the event, beside what ansible-runner has there
_RESCUED = "callboard_rescued"
# one that stays among the event's data, as ``ignore_errors`` of a failure does
_IGNORED = "ignore_unreachable"


class Recorder(CallbackModule):  # type: ignore[misc]
    """ansible-runner's callback. It is shown copies: what it changes for its events, the job's own does not see."""

    def __init__(self, manager: Any) -> None:
        super().__init__()
        self.failures = failures.Failures(manager)
        self._unfinished = unfinished.Unfinished(manager)

    def v2_playbook_on_start(self, playbook: Any) -> None:
        """Notes the plays that are to come."""
        self._unfinished.begin(playbook)
        super().v2_playbook_on_start(playbook)

    def set_task(self, task: Any, local: bool = False) -> None:
        """Notes the task that what follows belongs to."""
        super().set_task(_Task(task), local)

    def v2_playbook_on_play_start(self, play: Any) -> None:
        """Shows a copy: ansible-runner gives a play that comes again another id."""
        self._unfinished.play(play)
        super().v2_playbook_on_play_start(
            types.SimpleNamespace(_uuid=play._uuid, hosts=play.hosts, get_name=play.get_name)
        )

    def v2_playbook_on_stats(self, stats: Any) -> None:
        """Names the hosts on which the playbook has not come to its end."""
        self._unfinished.tell()
        super().v2_playbook_on_stats(stats)

    def v2_runner_on_ok(self, result: Any) -> None:
        """Forgets what of the task had failed before."""
        self.failures.passed(result)
        super().v2_runner_on_ok(result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        """Tells of the failure, and notes whether a rescue block handles it."""
        rescued = self.failures.failed(result, ignore_errors, context.get().get("play"))
        with context.set_local(**{_RESCUED: rescued}):
            super().v2_runner_on_failed(result, ignore_errors)

    def v2_runner_item_on_failed(self, result: Any) -> None:
        """Notes which item of a loop failed."""
        self.failures.item_failed(result)
        super().v2_runner_item_on_failed(result)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        """Tells of the failure, and notes whether it is ignored, which ansible-runner does not."""
        ignored = self.failures.unreachable(result, context.get().get("play"))
        with context.set_local(**({_IGNORED: True} if ignored else {})):
            super().v2_runner_on_unreachable(result)


class _Task:
    """A task whose action may be looked at before its template is, of which Ansible warns: here it is None then."""

    def __init__(self, task: Any) -> None:
        self._own = task

    @property
    def resolved_action(self) -> Any:
        if (known := self._own._resolved_action) is not None or is_possibly_template(self._own.action):
            return known
        return self._own._resolve_action(self._own.action, mandatory=False)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._own, name)


class Recorded:
    """The job's stdout callback as the queue manager sees it: every call that is an event is recorded first."""

    disabled = False

    def __init__(self, callback: Any, manager: Any) -> None:
        vars(self).update(_callback=callback, _recorder=Recorder(manager))

    @property
    def _implemented_callback_methods(self) -> frozenset[str]:
        return self._called() | _METHODS

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._callback, name)
        return functools.partial(self._record, name, value) if name in _METHODS else value

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._callback, name, value)

    def _called(self) -> frozenset[str]:
        implemented: frozenset[str] = self._callback._implemented_callback_methods
        return frozenset() if self._callback.disabled else implemented

    def _record(self, name: str, method: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        passes_on = name in self._called()
        self._recorder.proceed = functools.partial(method, *args, **kwargs) if passes_on else lambda: None
        getattr(self._recorder, name)(*map(_copy, args), **kwargs)


def _copy(argument: Any) -> Any:
    if not isinstance(argument, CallbackTaskResult):
        return argument
    result = dict(argument._result)
    if isinstance(facts := result.get("ansible_facts"), dict):
        result["ansible_facts"] = dict(facts)
    return types.SimpleNamespace(
        _host=argument._host, _task=argument._task, _result=result, exception=argument.exception
    )


def install() -> None:
    """Has every run of playbooks in this process, or in its children, recorded."""
    awx_display.EventContext.dump_begin = _begin
    awx_display.EventContext.dump_end = _end
    messages.install()
    _record_callbacks()
    _tell_dead_workers()
    _tell_forgiven_hosts()
    _forget_hidden_stats()


def _record_callbacks() -> None:
    load = TaskQueueManager.load_callbacks

    @functools.wraps(load)
    def load_callbacks(self: Any) -> None:
        loaded = bool(self._callback_plugins)
        messages.activate()
        load(self)
        if not loaded:
            self._callback_plugins[0] = Recorded(self._callback_plugins[0], self)

    TaskQueueManager.load_callbacks = load_callbacks


def _tell_dead_workers() -> None:
    has_dead_workers = TaskQueueManager.has_dead_workers

    @functools.wraps(has_dead_workers)
    def telling(self: Any) -> Any:
        for worker in self._workers:
            if exit_code := getattr(worker, "exitcode", None):
                failures.tell_dead_worker(worker._host, worker._task, exit_code)
        return has_dead_workers(self)

    TaskQueueManager.has_dead_workers = telling


def _tell_forgiven_hosts() -> None:
    clear = PlayIterator.clear_host_errors

    @functools.wraps(clear)
    def telling(self: Any, host: Any) -> None:
        events.tell("errors_cleared", host=host.get_name())
        clear(self, host)

    PlayIterator.clear_host_errors = telling


def _forget_hidden_stats() -> None:
    """Has a task with ``no_log`` set no stats: Ansible would display and report them all the same."""
    update = Task.update_result_no_log

    @functools.wraps(update)
    def forgetting(self: Any, templar: Any, result: Any) -> None:
        update(self, templar, result)
        if isinstance(result, dict):  # as releases before ansible-core 2.21 have it
            if result.get("_ansible_no_log"):
                result.pop("ansible_stats", None)
        elif result.no_log:
            result.stats = None

    Task.update_result_no_log = forgetting


def _begin(self: Any, _file: Any) -> None:
    with self.display_lock:
        event = self.get_begin_dict()
        if event["event_data"].pop(_RESCUED, False):
            event["rescued"] = True
        events.begin(event, _ENCODER)


def _end(self: Any, _file: Any) -> None:
    with self.display_lock:
        events.end()
