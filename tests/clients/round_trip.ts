// Makes a full round through the API with the client that openapi-typescript and openapi-fetch make of its document.

import assert from "node:assert/strict";
import createClient from "openapi-fetch";
import type { components, paths } from "./schema.js";

type AnsibleJob = components["schemas"]["AnsibleJob"];

const client = createClient<paths>({ baseUrl: process.argv[2] ?? "" });

/** Submits an Ansible job and waits for its end; returns its record. */
async function run(request: components["schemas"]["AnsibleJobRequest"]): Promise<AnsibleJob> {
  const { data, response } = await client.POST("/api/v1/jobs", { params: { query: { sync: true } }, body: request });
  assert.equal(response.status, 200);
  assert.ok(data && "result" in data && data.kind === "ansible");
  return data;
}

async function jobs(): Promise<void> {
  const job = await run({
    playbook: "hello.yml",
    extra_vars: { greeting: "TypeScript", nested: { list: [1, null, true] } },
    inventory: ["a,", { type: "inline", data: { web: { hosts: { b: { ansible_connection: "local" } } } } }],
    options: { labels: { client: "typescript" }, check_mode: true },
  });
  assert.equal(job.status, "successful");
  assert.equal(job.result?.stats?.["b"]?.ok, 1);
  assert.equal(job.attempts[0]?.reason, null);
  const path = { job_id: job.job_id };

  const list = await client.GET("/api/v1/jobs", { params: { query: { status: "successful", limit: 1 } } });
  assert.equal(list.data?.jobs[0]?.job_id, job.job_id);
  assert.equal(list.data.jobs[0].kind, "ansible");
  assert.deepEqual(list.data?.jobs[0]?.labels, { client: "typescript" });

  const record = await client.GET("/api/v1/jobs/{job_id}", { params: { path } });
  assert.deepEqual(record.data, job);
  const etag = record.response.headers.get("etag") ?? "";
  const known = await client.GET("/api/v1/jobs/{job_id}", { params: { path, header: { "If-None-Match": etag } } });
  assert.equal(known.response.status, 304);

  const logs = await client.GET("/api/v1/jobs/{job_id}/logs", {
    params: { path, query: { format: "text" } },
    parseAs: "text",
  });
  assert.ok(logs.data?.includes("Hello, TypeScript!") && !logs.data.includes("\u001b"));

  const query = { event: ["runner_on_ok", "playbook_on_stats"], limit: 100 };
  const events = await client.GET("/api/v1/jobs/{job_id}/events", { params: { path, query } });
  assert.deepEqual(events.data?.events.map((event) => event.event), ["runner_on_ok", "runner_on_ok", "playbook_on_stats"]);
  assert.ok(events.data?.complete);
}

async function credentials(): Promise<void> {
  const body = { name: "typescript", kind: "bearer", token: "a-token-of-the-tests" } as const;
  const created = await client.POST("/api/v1/credentials", { body });
  assert.equal(created.data?.kind, "bearer");
  const list = await client.GET("/api/v1/credentials", { params: { query: { limit: 100 } } });
  assert.ok(list.data?.credentials.some((credential) => credential.name === "typescript"));
  assert.equal(list.data?.next_cursor, null);
  const path = { name: "typescript" };
  const removed = await client.DELETE("/api/v1/credentials/{name}", { params: { path } });
  assert.equal(removed.response.status, 204);
  const gone = await client.GET("/api/v1/credentials/{name}", { params: { path } });
  assert.equal(gone.error?.type, "urn:callboard:problem:no-such-credential");
}

async function cancel(): Promise<void> {
  const { data, response } = await client.POST("/api/v1/jobs", {
    body: { source: { type: "inline", content: "- hosts: all\n  tasks: [{pause: {seconds: 600}}]\n" } },
  });
  assert.equal(response.status, 202);
  assert.ok(data);
  const path = { job_id: data.job_id };
  const canceled = await client.POST("/api/v1/jobs/{job_id}/cancel", { params: { path } });
  assert.match(canceled.data?.cancel?.by ?? "", /^ip:127/);
}

async function problems(): Promise<void> {
  const wrong = await client.POST("/api/v1/jobs", { body: { playbook: "hello.yml", options: { forks: 0 } } });
  assert.equal(wrong.error?.type, "urn:callboard:problem:invalid-request");
  assert.equal(wrong.error.errors?.[0]?.pointer, "/options/forks");
}

await jobs();
await credentials();
await cancel();
await problems();
