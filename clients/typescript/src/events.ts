import type { Api } from "./api.js";
import { unwrap } from "./problem.js";
import { Patience, pause, within, type RetryOptions } from "./retry.js";
import type { components } from "./schema.js";

/** An event: Ansible's with ansible-runner's fields, or a step of a call. */
export type JobEvent = components["schemas"]["Event"];

/** A place among a job's events. Each attempt counts its events from 1. */
export interface EventCursor {
  /** The attempt; 0 stands for the time before the first one. */
  attempt: number;
  /** The counter of the last event that was read. */
  after: number;
}

/** An event and the attempt that it belongs to. */
export interface FollowedEvent {
  attempt: number;
  event: JobEvent;
}

/** Events that arrived together. */
export interface FollowedPage {
  events: FollowedEvent[];
  /** Where to go on: the place behind these events. */
  cursor: EventCursor;
  /** The state of the job. */
  status: components["schemas"]["JobStatus"];
  /** True if the job has ended and no event follows. */
  complete: boolean;
}

/** Which events to follow. */
export interface EventFilter {
  /** The kinds of events, such as `runner_on_failed`. */
  event?: string[] | undefined;
  /** The host. */
  host?: string | undefined;
  /** If true, only failures. */
  failed?: boolean | undefined;
}

/** Which events to follow, from where, and how. */
export interface FollowEventsOptions extends EventFilter, RetryOptions {
  /** Where to begin. Default: with the first event of the first attempt. */
  from?: EventCursor | undefined;
}

/**
 * Reads pages from a place on. It may end or fail at any time: it is then asked again, from the place behind the last page,
 * and may repeat events. Another way to read events, such as a stream, is another function of this type.
 */
export type PageSource = (from: EventCursor, signal?: AbortSignal) => AsyncIterable<EventPage>;

type EventPage = components["schemas"]["EventPage"];

const START: EventCursor = { attempt: 0, after: 0 };
const LIMIT = 1000;
const WAIT_SECONDS = 25;
const SHORT_PAUSE_MS = 100;

/** Follows a job over all its attempts to its end, through failures that pass: each event comes once. */
export async function* followPages(
  source: PageSource,
  options: { from?: EventCursor | undefined } & RetryOptions & { retries: number },
): AsyncGenerator<FollowedPage, void, undefined> {
  const patience = new Patience(options);
  let cursor = options.from ?? START;
  for (;;) {
    try {
      for await (const page of source(cursor, options.signal)) {
        patience.reset();
        const followed = take(page, cursor);
        cursor = followed.cursor;
        yield followed;
        if (followed.complete) {
          return;
        }
      }
    } catch (error) {
      await patience.wait(error);
    }
  }
}

/** Makes a source that has each request wait until there are events. */
export function longPoll(api: Api, jobId: string, filter: EventFilter, timeoutMs: number): PageSource {
  const { event, host, failed } = filter;
  const selected = { ...(event && { event }), ...(host !== undefined && { host }), ...(failed !== undefined && { failed }) };
  return async function* (from, signal) {
    for (let cursor = from; ; ) {
      const query = { ...selected, ...cursor, wait: WAIT_SECONDS, limit: LIMIT };
      const request = api.GET("/api/v1/jobs/{job_id}/events", {
        params: { path: { job_id: jobId }, query },
        signal: within(timeoutMs + WAIT_SECONDS * 1000, signal),
      });
      const page = await unwrap(request);
      yield page;
      const next = behind(page);
      if (next.attempt === cursor.attempt && next.after === cursor.after) {
        // a server that does not wait is not asked without pause
        await pause(SHORT_PAUSE_MS, signal);
      }
      cursor = next;
    }
  };
}

function take(page: EventPage, cursor: EventCursor): FollowedPage {
  const after = page.attempt > cursor.attempt ? 0 : page.attempt === cursor.attempt ? cursor.after : Infinity;
  const fresh = page.events.filter((event) => event.counter > after);
  const events = fresh.map((event) => ({ attempt: page.attempt, event }));
  return { events, cursor: behind(page), status: page.status, complete: page.complete };
}

function behind(page: EventPage): EventCursor {
  return page.next_attempt === null
    ? { attempt: page.attempt, after: page.next_after }
    : { attempt: page.next_attempt, after: 0 };
}
