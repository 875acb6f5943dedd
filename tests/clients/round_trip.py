"""Makes a full round through the API with the client that openapi-python-client makes of its document."""

from __future__ import annotations

import importlib
import pkgutil
import sys
from http import HTTPStatus
from uuid import UUID

import callboard_client
from callboard_client import Client
from callboard_client.api.credentials import create_credential, delete_credential, list_credentials
from callboard_client.api.jobs import cancel_job, get_job, list_jobs, submit_job
from callboard_client.api.output import get_job_logs, list_job_events
from callboard_client.models import (
    AnsibleEvent,
    AnsibleJob,
    AnsibleOptions,
    Canceling,
    CredentialList,
    CredentialSummary,
    EventPage,
    GetJobLogsFormat,
    InlineSource,
    InlineSourceType,
    JobList,
    JobStatus,
    NewPasswordCredential,
    NewPasswordCredentialKind,
    PlaybookRequest,
    Problem,
    SourceRequest,
    Variables,
)


def main(address: str) -> None:
    """Makes the round; what is not as it should be is an ``AssertionError``."""
    for module in pkgutil.walk_packages(callboard_client.__path__, "callboard_client."):
        importlib.import_module(module.name)
    client = Client(base_url=address, timeout=60)
    jobs(client)
    credentials(client)
    cancel(client)
    problems(client)


def jobs(client: Client) -> None:
    """Submits a job, and reads all that there is of it."""
    request = PlaybookRequest(
        playbook="hello.yml",
        extra_vars=Variables.from_dict({"greeting": "Python", "nested": {"list": [1, None, True]}}),
        inventory="a,b,",
        options=AnsibleOptions.from_dict({"labels": {"client": "python"}, "check_mode": True}),
    )
    answer = submit_job.sync_detailed(client=client, body=request, sync=True)
    job = answer.parsed
    assert answer.status_code == HTTPStatus.OK and isinstance(job, AnsibleJob), answer
    assert job.status == JobStatus.SUCCESSFUL and job.attempts[0].reason is None, job
    assert job.result.stats["b"].ok == 1, job.result

    page = list_jobs.sync(client=client, status=JobStatus.SUCCESSFUL, limit=1)
    assert isinstance(page, JobList) and page.jobs[0].job_id == job.job_id and page.jobs[0].kind == "ansible", page
    assert page.jobs[0].labels["client"] == "python", page
    assert get_job.sync(client=client, job_id=job.job_id) == job

    logs = get_job_logs.sync(client=client, job_id=job.job_id, format_=GetJobLogsFormat.TEXT)
    assert isinstance(logs, str) and "Hello, Python!" in logs and "\x1b" not in logs, logs

    events = list_job_events.sync(client=client, job_id=job.job_id, event=["runner_on_ok", "playbook_on_stats"])
    assert isinstance(events, EventPage) and events.complete, events
    assert all(isinstance(event, AnsibleEvent) for event in events.events), events
    assert [event.event for event in events.events] == ["runner_on_ok", "runner_on_ok", "playbook_on_stats"], events


def credentials(client: Client) -> None:
    """Stores a credential, finds it, and forgets it."""
    body = NewPasswordCredential(
        name="python", kind=NewPasswordCredentialKind.PASSWORD, password="a-password-of-the-tests"
    )
    created = create_credential.sync(client=client, body=body)
    assert isinstance(created, CredentialSummary) and created.name == "python", created
    page = list_credentials.sync(client=client, limit=100)
    assert isinstance(page, CredentialList) and page.next_cursor is None, page
    assert "python" in [credential.name for credential in page.credentials], page
    removed = delete_credential.sync_detailed(client=client, name="python")
    assert removed.status_code == HTTPStatus.NO_CONTENT, removed


def cancel(client: Client) -> None:
    """Submits a job that would go on, and stops it."""
    content = "- hosts: all\n  tasks: [{pause: {seconds: 600}}]\n"
    request = SourceRequest(source=InlineSource(type_=InlineSourceType.INLINE, content=content))
    accepted = submit_job.sync(client=client, body=request)
    canceled = cancel_job.sync(client=client, job_id=accepted.job_id)
    assert isinstance(canceled, Canceling) and canceled.cancel.by.startswith("ip:127"), canceled


def problems(client: Client) -> None:
    """Asks for what is not there, and for what cannot be done."""
    absent = get_job.sync(client=client, job_id=UUID(int=0))
    assert isinstance(absent, Problem) and absent.type_ == "urn:callboard:problem:no-such-job", absent
    wrong = PlaybookRequest(playbook="hello.yml", options=AnsibleOptions(forks=0))
    refused = submit_job.sync(client=client, body=wrong)
    assert isinstance(refused, Problem) and refused.errors[0].pointer == "/options/forks", refused


if __name__ == "__main__":
    main(sys.argv[1])
