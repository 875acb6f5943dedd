import createClient from "openapi-fetch";
import { hasEnded, type Api, type Job } from "./api.js";
import {
  followPages,
  longPoll,
  type FollowedEvent,
  type FollowedPage,
  type FollowEventsOptions,
} from "./events.js";
import { followOutput, type LogChunk, type Watch } from "./logs.js";
import { unwrap } from "./problem.js";
import { pause, retrying, within, type RetryOptions } from "./retry.js";
import type { components, operations } from "./schema.js";
import { followStream, type StreamMessage, type StreamOptions } from "./stream.js";

export { hasEnded, type Api, type Job, type JobKind, type JobStatus } from "./api.js";
export type { EventCursor, EventFilter, FollowedEvent, FollowedPage, FollowEventsOptions, JobEvent } from "./events.js";
export type { LogChunk } from "./logs.js";
export { CallboardProblem, unwrap, type Fault, type Problem, type ProblemType } from "./problem.js";
export { mayPass, type RetryOptions } from "./retry.js";
export type { components, operations, paths } from "./schema.js";
export type { StreamMessage, StreamOptions } from "./stream.js";

/** A request to run a job. */
export type JobRequest = components["schemas"]["JobRequest"];
/** The answer to a submission. */
export type Accepted = components["schemas"]["Accepted"];
/** A page of jobs, newest first. */
export type JobList = components["schemas"]["JobList"];
/** A job in a list. */
export type JobListItem = components["schemas"]["JobListItem"];
/** Which jobs to list, and which page. */
export type ListQuery = NonNullable<operations["listJobs"]["parameters"]["query"]>;

/** Where the service is, and how it is asked. */
export interface CallboardClientOptions {
  /** The address of the service, such as `http://localhost:8080`. In a browser, it may be relative to the page. */
  baseUrl: string;
  /** Makes the requests. Default: the platform's `fetch`. */
  fetch?: (request: Request) => Promise<Response>;
  /** Headers of every request. */
  headers?: Record<string, string>;
  /** How many failures in a row are tried again: lost connections, and answers such as 429 and 503. Default: 5. */
  retries?: number;
  /** After how many milliseconds a request without an answer counts as lost. Default: 30,000. */
  timeoutMs?: number;
}

/** How to submit a job. */
export interface SubmitOptions extends RetryOptions {
  /** The `Idempotency-Key`. Default: a new one, which all tries of this call send. */
  idempotencyKey?: string;
}

/** A client of one service. */
export interface CallboardClient {
  /** The address of the service. */
  readonly baseUrl: string;
  /** Everything else that the service can do. {@link unwrap} makes its errors {@link CallboardProblem}s. */
  readonly api: Api;
  /** Submits a job. However often the connection is lost, there is one job. */
  submitJob(request: JobRequest, options?: SubmitOptions): Promise<Accepted>;
  /** Returns the record of a job. */
  getJob(jobId: string, options?: RetryOptions): Promise<Job>;
  /** Returns a page of jobs. */
  listJobs(query?: ListQuery, options?: RetryOptions): Promise<JobList>;
  /** Waits until a job has ended, whatever its result, and returns its record. */
  waitForJob(jobId: string, options?: RetryOptions): Promise<Job>;
  /** Follows the events of a job over all its attempts, until it has ended. Each event comes once. */
  followEvents(jobId: string, options?: FollowEventsOptions): AsyncGenerator<FollowedEvent, void, undefined>;
  /** The same in pages, each with the cursor behind it. A page may have no events. */
  followEventPages(jobId: string, options?: FollowEventsOptions): AsyncGenerator<FollowedPage, void, undefined>;
  /** Follows the output of a job over all its attempts, until it has ended. */
  followLogs(jobId: string, options?: RetryOptions): AsyncGenerator<LogChunk, void, undefined>;
  /** Follows everything that a job tells, over all its attempts, until it has ended: state, progress, output and events. */
  streamJob(jobId: string, options?: StreamOptions): AsyncGenerator<StreamMessage, void, undefined>;
}

const RETRIES = 5;
const TIMEOUT_MS = 30_000;
const FIRST_LOOK_MS = 100;
const LONGEST_LOOK_MS = 5_000;

/** Makes a client. Throws a `TypeError` if `baseUrl` is no URL. */
export function createCallboardClient(options: CallboardClientOptions): CallboardClient {
  const baseUrl = new URL(options.baseUrl, globalThis.location?.href).href.replace(/\/$/, "");
  const { retries = RETRIES, timeoutMs = TIMEOUT_MS, headers = {} } = options;
  // looked up at each request, so that what replaces it later, as tracing does, is used
  const send = options.fetch ?? ((request: Request) => globalThis.fetch(request));
  const api: Api = createClient({ baseUrl, fetch: send, headers });

  const patient = <T extends RetryOptions>(given: T) => ({ ...given, retries: given.retries ?? retries });
  const bounded = (given: RetryOptions) => within(timeoutMs, given.signal);

  const getJob: CallboardClient["getJob"] = (jobId, given = {}) => {
    const params = { path: { job_id: jobId } };
    const once = () => unwrap(api.GET("/api/v1/jobs/{job_id}", { params, signal: bounded(given) }));
    return retrying(once, patient(given));
  };
  const watch = (jobId: string, given: RetryOptions): Watch => {
    return async (until) => {
      for (let wait = FIRST_LOOK_MS; ; wait = Math.min(wait * 1.5, LONGEST_LOOK_MS)) {
        const job = await getJob(jobId, given);
        if (until(job)) {
          return job;
        }
        await pause(wait, given.signal);
      }
    };
  };
  const followEventPages: CallboardClient["followEventPages"] = (jobId, given = {}) => {
    return followPages(longPoll(api, jobId, given, timeoutMs), patient(given));
  };

  return {
    baseUrl,
    api,
    getJob,
    followEventPages,
    submitJob(request, given = {}) {
      const header = { "Idempotency-Key": given.idempotencyKey ?? newKey() };
      const post = { params: { header }, body: request };
      return retrying(() => unwrap(api.POST("/api/v1/jobs", { ...post, signal: bounded(given) })), patient(given));
    },
    listJobs(query = {}, given = {}) {
      const once = () => unwrap(api.GET("/api/v1/jobs", { params: { query }, signal: bounded(given) }));
      return retrying(once, patient(given));
    },
    waitForJob(jobId, given = {}) {
      return watch(jobId, given)(hasEnded);
    },
    async *followEvents(jobId, given) {
      for await (const page of followEventPages(jobId, given)) {
        yield* page.events;
      }
    },
    followLogs(jobId, given = {}) {
      return followOutput(api, jobId, watch(jobId, given), patient(given));
    },
    streamJob(jobId, given = {}) {
      return followStream(api, jobId, patient(given));
    },
  };
}

/** Makes a key of 128 random bits. `crypto.randomUUID` is not there on pages that came over plain HTTP. */
function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
