import { randomUUID } from "node:crypto";
import { expect, onTestFinished, test } from "vitest";
import { CallboardProblem, unwrap } from "../src/client.js";
import { startProxy, type Proxy } from "./proxy.js";
import { address, allEvents, allOutput, client, collect, counting, orders } from "./world.js";

/** Enough to break several answers in their midst, few enough that each gets through in the end. */
const BUDGETS = [0, 300, 3_000, 12_000];

async function proxy(budgets: readonly number[]): Promise<Proxy> {
  const proxy = await startProxy(address, budgets);
  onTestFinished(() => proxy.stop());
  return proxy;
}

test("a job is submitted, waited for, and read by its kind", async () => {
  const { submitJob, waitForJob } = client();
  const { job_id } = await submitJob({ playbook: "hello.yml", extra_vars: { greeting: "Vitest" } });
  const job = await waitForJob(job_id);
  expect(job).toMatchObject({ kind: "ansible", status: "successful" });
  // the types of both kinds: a mistake here does not compile
  const facts = job.kind === "ansible" ? job.result?.stats?.["localhost"]?.ok : job.result?.status_code;
  expect(facts).toBe(1);
  const call = await submitJob({ service: "orders", operation: "place", input: { order: randomUUID() } });
  expect(await waitForJob(call.job_id)).toMatchObject({ kind: "http", result: { output: { placed: true } } });
});

test("a submission whose answer is lost again and again makes one job", async () => {
  const broken = await proxy([0, 0, 0]);
  const order = randomUUID();
  const { job_id } = await client({ baseUrl: broken.address }).submitJob({
    service: "orders",
    operation: "place",
    input: { order },
    options: { labels: { order } },
  });
  expect(broken.broken).toBe(3);
  await client().waitForJob(job_id);
  const listed = await client().listJobs({ service: "orders", limit: 100 });
  expect(listed.jobs.filter((job) => job.labels["order"] === order).map((job) => job.job_id)).toEqual([job_id]);
  const placed = await orders<string[]>("/placed");
  expect(placed.filter((each) => each.includes(order))).toHaveLength(1);
});

test("an answer that asks to come again is obeyed with the same key, and one that is final is not", async () => {
  const keys: (string | null)[] = [];
  const asked: Request[] = [];
  const busy = client({
    fetch: (request) => {
      asked.push(request);
      keys.push(request.headers.get("idempotency-key"));
      const again = new Response("busy", { status: keys.length === 1 ? 429 : 503, headers: { "retry-after": "0" } });
      return keys.length < 3 ? Promise.resolve(again) : fetch(request);
    },
  });
  await busy.submitJob({ playbook: "hello.yml" });
  expect(keys).toHaveLength(3);
  expect(new Set(keys).size).toBe(1);
  expect(keys[0]).toMatch(/^[0-9a-f]{32}$/);
  await busy.submitJob({ playbook: "hello.yml" });
  expect(keys[3]).not.toBe(keys[0]);
  const before = asked.length;
  await expect(busy.getJob(randomUUID())).rejects.toMatchObject({ type: "urn:callboard:problem:no-such-job" });
  expect(asked).toHaveLength(before + 1);
});

test("a problem has its type, its status, and a pointer to each fault", async () => {
  const wrong = client().submitJob({ playbook: "hello.yml", options: { forks: 0, timeout: -1 } });
  const problem: unknown = await wrong.catch((error: unknown) => error);
  expect(problem).toBeInstanceOf(CallboardProblem);
  expect(problem).toMatchObject({ status: 422, type: "urn:callboard:problem:invalid-request", retryAfterMs: undefined });
  const pointers = (problem as CallboardProblem).errors.map((fault) => fault.pointer);
  expect(pointers.sort()).toEqual(["/options/forks", "/options/timeout"]);
  expect((problem as CallboardProblem).message).toContain("/options/forks");
  const input = client().submitJob({ service: "orders", operation: "place", input: { order: 7 } });
  await expect(input).rejects.toMatchObject({ errors: [{ pointer: "/input/order" }] });
  const path = { params: { path: { name: "absent" } } };
  const absent = unwrap(client().api.GET("/api/v1/credentials/{name}", path));
  await expect(absent).rejects.toMatchObject({ status: 404, type: "urn:callboard:problem:no-such-credential" });
});

test("an answer that is not the service's is a problem, too", async () => {
  const gateway = client({ retries: 0, fetch: () => Promise.resolve(new Response("<p>Bad gateway", { status: 502 })) });
  await expect(gateway.listJobs()).rejects.toMatchObject({ status: 502, type: "about:blank", detail: "<p>Bad gateway" });
});

test("events and output come whole and once over connections that break in the midst", async () => {
  const request = { playbook: "count.yml", extra_vars: { numbers: 60 } };
  const { job_id } = await client().submitJob(request);
  const [forEvents, forOutput] = [await proxy(BUDGETS), await proxy(BUDGETS)];
  const events = collect(client({ baseUrl: forEvents.address, retries: 20 }).followEvents(job_id));
  const output = collect(client({ baseUrl: forOutput.address, retries: 20 }).followLogs(job_id));
  expect(await events).toEqual(await allEvents(job_id, 1));
  expect((await output).map((chunk) => chunk.text).join("")).toBe(await allOutput(job_id, 1));
  expect((await events).length).toBeGreaterThan(60);
  // how often they break depends on how much each answer holds
  expect(Math.min(forEvents.broken, forOutput.broken)).toBeGreaterThan(1);
});

test("a stream comes whole and once over connections that break in the midst, and goes on behind a cursor", async () => {
  const { job_id } = await client().submitJob({ playbook: "count.yml", extra_vars: { numbers: 60 } });
  const broken = await proxy(BUDGETS);
  const messages = await collect(client({ baseUrl: broken.address }).streamJob(job_id));
  expect(broken.broken).toBe(BUDGETS.length);
  const events = (of: typeof messages) => of.flatMap((message) => (message.type === "event" ? [message.data] : []));
  const output = (of: typeof messages) => of.map((message) => (message.type === "log" ? message.data.text : "")).join("");
  expect(events(messages)).toEqual(await allEvents(job_id, 1));
  expect(output(messages)).toBe(await allOutput(job_id, 1));
  const states = messages.flatMap((message) => (message.type === "status" ? [message.data] : []));
  expect(states.at(-1)).toMatchObject({ status: "successful", attempt: 1, cancel_requested: false });
  expect(new Set(states.map((state) => JSON.stringify(state))).size).toBe(states.length);

  const middle = messages.findIndex((message) => message.type === "event") + 1;
  const rest = await collect(client().streamJob(job_id, { types: ["event"], from: messages[middle - 1]!.cursor }));
  expect(rest).toEqual(messages.slice(middle).filter((message) => message.type === "event"));
  const controller = new AbortController();
  const stopped = client().streamJob(job_id, { signal: controller.signal });
  await stopped.next();
  controller.abort(new Error("enough"));
  await expect(collect(stopped)).rejects.toThrow("enough");
  await expect(collect(client().streamJob(randomUUID()))).rejects.toMatchObject({ status: 404 });
});

test("a job that starts again is followed over all its attempts", async () => {
  const broken = await proxy([0, 100, 200, 300, 700, 1_500]);
  const { job_id } = await client().submitJob({ service: "orders", operation: "place_at_last", input: {} });
  const following = client({ baseUrl: broken.address, retries: 20 });
  const [events, output] = [collect(following.followEvents(job_id)), collect(following.followLogs(job_id))];
  expect(await events).toEqual(await allEvents(job_id, 3));
  expect(new Set((await events).map((each) => each.attempt))).toEqual(new Set([1, 2, 3]));
  for (const attempt of [1, 2, 3]) {
    const text = (await output).filter((chunk) => chunk.attempt === attempt).map((chunk) => chunk.text);
    expect(text.join("")).toBe(await allOutput(job_id, attempt));
  }
  expect(broken.broken).toBeGreaterThan(3);
  expect(await client().getJob(job_id)).toMatchObject({ status: "successful", attempt: 3 });
  // broken again in each attempt, it asks for nothing that it has
  const { client: again, requests } = counting((await proxy([1_200, 1_200, 1_200, 1_200])).address);
  expect(await collect(again.followEvents(job_id, { retries: 20 }))).toEqual(await events);
  const places = requests.map(({ url }) => new URL(url).searchParams).map((query) => [query.get("attempt"), query.get("after")]);
  expect(places.map(String)).toEqual(places.map(String).sort());
  expect(places.length).toBeGreaterThan(3);
  const rest = client().followEvents(job_id, { from: { attempt: 2, after: 1 } });
  const behind = (await events).filter(({ attempt, event }) => attempt > 2 || (attempt === 2 && event.counter > 1));
  expect(await collect(rest)).toEqual(behind);
});

test("a signal ends what waits, and the request with it", async () => {
  const { client: waiting, requests } = counting((await proxy([])).address);
  const { job_id } = await client().submitJob({ service: "orders", operation: "place_when_open", input: {} });
  const stop = new AbortController();
  const events = collect(waiting.followEvents(job_id, { signal: stop.signal }));
  const output = collect(waiting.followLogs(job_id, { signal: stop.signal }));
  const end = waiting.waitForJob(job_id, { signal: stop.signal });
  await expect.poll(() => requests.some((request) => request.url.includes("/logs")), { timeout: 60_000 }).toBe(true);
  stop.abort(new Error("enough"));
  await Promise.all([events, output, end].map((each) => expect(each).rejects.toThrow("enough")));
  const asked = requests.length;
  await orders("/open");
  await client().waitForJob(job_id);
  expect(requests).toHaveLength(asked);
});
