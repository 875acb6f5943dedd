// What the tests share: the client, and what it is compared with.

import { inject } from "vitest";
import { createCallboardClient, type CallboardClientOptions, type FollowedEvent, type JobEvent } from "../src/client.js";

export const address = inject("callboard");

/** A client of the service, or of a proxy before it. */
export function client(options: Partial<CallboardClientOptions> = {}): ReturnType<typeof createCallboardClient> {
  return createCallboardClient({ baseUrl: address, ...options });
}

/** A client that counts its requests, and tells them. */
export function counting(baseUrl = address): { client: ReturnType<typeof client>; requests: Request[] } {
  const requests: Request[] = [];
  const send = (request: Request): Promise<Response> => {
    requests.push(request);
    return fetch(request);
  };
  return { client: client({ baseUrl, fetch: send }), requests };
}

/** Asks the service that jobs call. */
export async function orders<T>(path: string): Promise<T> {
  const response = await fetch(`${inject("orders")}${path}`);
  return (await response.json()) as T;
}

/** All events of a job that has ended, attempt by attempt, as the service has them. */
export async function allEvents(jobId: string, attempts: number): Promise<FollowedEvent[]> {
  const found: FollowedEvent[] = [];
  for (let attempt = 1; attempt <= attempts; attempt += 1) {
    const response = await fetch(`${address}/api/v1/jobs/${jobId}/events?attempt=${attempt}&limit=1000`);
    const { events } = (await response.json()) as { events: JobEvent[] };
    found.push(...events.map((event) => ({ attempt, event })));
  }
  return found;
}

/** All output of an attempt. */
export async function allOutput(jobId: string, attempt: number): Promise<string> {
  const response = await fetch(`${address}/api/v1/jobs/${jobId}/logs?attempt=${attempt}`);
  return response.text();
}

/** Collects what an iterator gives. */
export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) {
    found.push(item);
  }
  return found;
}
