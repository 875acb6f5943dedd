import "./dom.js";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { act, cleanup, renderHook, type RenderHookResult } from "@testing-library/react";
import { createElement, type ReactElement, type ReactNode } from "react";
import { afterEach, expect, onTestFinished, test, vi } from "vitest";
import type { CallboardClient } from "../src/client.js";
import { CallboardProvider, useJobEvents, useJobsByExecutionType, useJobStatus } from "../src/react.js";
import { startProxy } from "./proxy.js";
import { address, allEvents, client, counting, orders } from "./world.js";

const LIMIT = { timeout: 60_000, interval: 20 };
/** Longer than several polls of a hook that has just begun. */
const SEVERAL_POLLS_MS = 3_000;

afterEach(cleanup);

/** Renders a hook below its providers. */
function render<T>(client: CallboardClient, hook: () => T, cache = new QueryClient()): RenderHookResult<T, unknown> {
  const wrapper = ({ children }: { children: ReactNode }): ReactElement =>
    createElement(QueryClientProvider, { client: cache }, createElement(CallboardProvider, { client }, children));
  return renderHook(hook, { wrapper });
}

/** Lets time pass, with what React does meanwhile. */
async function pass(ms: number): Promise<void> {
  await act(() => new Promise((resolve) => setTimeout(resolve, ms)));
}

async function until(fact: () => void): Promise<void> {
  await act(() => vi.waitFor(fact, LIMIT));
}

async function blocked(): Promise<string> {
  const request = { service: "orders", operation: "place_when_open", input: {} };
  const { job_id } = await client().submitJob(request);
  return job_id;
}

test("a job's status is shown until its end, and then asked for no more", async () => {
  const { client: counted, requests } = counting();
  const job = await blocked();
  const { result } = render(counted, () => useJobStatus(job));
  await until(() => expect(result.current.data?.status).toBe("running"));
  await orders("/open");
  await until(() => expect(result.current.data?.status).toBe("successful"));
  const asked = requests.length;
  expect(asked).toBeGreaterThan(1);
  await pass(SEVERAL_POLLS_MS);
  expect(requests).toHaveLength(asked);
});

test("a job that is not there is a problem, which is not asked for again", async () => {
  const { client: counted, requests } = counting();
  const { result } = render(counted, () => useJobStatus("01a1faf8-50a0-70a1-801c-2d3e4f506172"));
  await until(() => expect(result.current.error).toMatchObject({ type: "urn:callboard:problem:no-such-job" }));
  await pass(SEVERAL_POLLS_MS);
  expect(requests).toHaveLength(1);
});

test("what is unmounted asks no more, and ends the request under way", async () => {
  const proxy = await startProxy(address, []);
  onTestFinished(() => proxy.stop());
  const { client: counted, requests } = counting(proxy.address);
  const job = await blocked();
  const status = render(counted, () => useJobStatus(job));
  await until(() => expect(requests.length).toBeGreaterThan(2));
  status.unmount();
  const polled = requests.length;
  await pass(SEVERAL_POLLS_MS);
  expect(requests).toHaveLength(polled);

  const cache = new QueryClient();
  const events = render(counted, () => useJobEvents(job), cache);
  await until(() => expect(events.result.current.data?.events.length).toBeGreaterThan(0));
  const last = requests.at(-1);
  expect(last?.url).toContain("wait=");
  events.unmount();
  // before the service would have answered
  await act(() => vi.waitFor(() => expect(requests.at(-1)?.signal.aborted).toBe(true), { timeout: 15_000 }));
  const followed = requests.length;
  await pass(SEVERAL_POLLS_MS);
  expect(requests).toHaveLength(followed);

  // mounted again, it goes on where it was
  const again = render(counted, () => useJobEvents(job), cache);
  await orders("/open");
  await until(() => expect(again.result.current.data?.complete).toBe(true));
  expect(again.result.current.data?.events).toEqual(await allEvents(job, 1));
  expect(requests[followed]?.url).toMatch(/after=[1-9]/);
});

test("events are shown whole and once through lost connections and over attempts, and the loss is told", async () => {
  const proxy = await startProxy(address, [0, 100, 300, 700]);
  onTestFinished(() => proxy.stop());
  const { job_id } = await client().submitJob({ service: "orders", operation: "place_at_last", input: {} });
  const interruptions = new Set<unknown>();
  const { result } = render(client({ baseUrl: proxy.address }), () => {
    const events = useJobEvents(job_id);
    interruptions.add(events.data?.interruption ?? null);
    return events;
  });
  await until(() => expect(result.current.data?.complete).toBe(true));
  expect(result.current.data).toMatchObject({ status: "successful", interruption: null });
  expect(result.current.data?.events).toEqual(await allEvents(job_id, 3));
  expect([...interruptions].some((each) => each instanceof TypeError)).toBe(true);
  expect(proxy.broken).toBeGreaterThan(2);
});

test("jobs are listed by kind, page by page, each once", async () => {
  const labels = { list: "by kind" };
  const submitted: string[] = [];
  for (const order of ["1", "2", "3", "4", "5"]) {
    const request = { service: "orders", operation: "place", input: { order }, options: { labels } };
    submitted.unshift((await client().submitJob(request)).job_id);
    await client().submitJob({ playbook: "hello.yml", options: { labels } });
  }
  const { result } = render(client(), () => useJobsByExecutionType("http", { limit: 2 }));
  await until(() => expect(result.current.data?.pages).toHaveLength(1));
  while (result.current.hasNextPage) {
    await act(() => result.current.fetchNextPage());
  }
  const jobs = result.current.data?.pages.flatMap((page) => page.jobs) ?? [];
  expect(jobs.filter((job) => job.labels["list"] === "by kind").map((job) => job.job_id)).toEqual(submitted);
  expect(jobs.every((job) => job.kind === "http")).toBe(true);
  expect(new Set(jobs.map((job) => job.job_id)).size).toBe(jobs.length);
});
