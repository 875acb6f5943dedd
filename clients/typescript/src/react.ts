import {
  skipToken,
  useInfiniteQuery,
  useQuery,
  type InfiniteData,
  type QueryFunctionContext,
  type UseInfiniteQueryResult,
  type UseQueryResult,
} from "@tanstack/react-query";
import { createContext, createElement, useContext, type ReactElement, type ReactNode } from "react";
import { hasEnded, type Job, type JobKind, type JobStatus } from "./api.js";
import type { CallboardClient, JobList, ListQuery } from "./client.js";
import type { EventCursor, EventFilter, FollowedEvent } from "./events.js";
import { mayPass } from "./retry.js";

/** The jobs to list, but for their kind and page. */
export type JobFilters = Omit<ListQuery, "kind" | "cursor" | "offset">;

/** The events of a job, as far as they have been read. */
export interface JobEvents {
  /** The events of all attempts, in order. */
  events: readonly FollowedEvent[];
  /** The place behind the last one. */
  cursor: EventCursor | undefined;
  /** The state of the job; undefined until the first answer. */
  status: JobStatus | undefined;
  /** True if the job has ended and no event follows. */
  complete: boolean;
  /** Why following is interrupted and tried again; null while it goes on. */
  interruption: unknown;
}

const NOTHING: JobEvents = { events: [], cursor: undefined, status: undefined, complete: false, interruption: null };
const FIRST_POLL_MS = 500;
const LONGEST_POLL_MS = 5_000;

const Context = createContext<CallboardClient | undefined>(undefined);

/** Gives the hooks below it their client. TanStack Query's `QueryClientProvider` must be above the hooks, too. */
export function CallboardProvider(props: { client: CallboardClient; children?: ReactNode }): ReactElement {
  return createElement(Context.Provider, { value: props.client }, props.children);
}

/** Returns the client of the nearest {@link CallboardProvider}. */
export function useCallboard(): CallboardClient {
  const client = useContext(Context);
  if (!client) {
    throw new Error("There is no CallboardProvider above this component: put one around it.");
  }
  return client;
}

/** The keys of the hooks' queries, for TanStack Query's own functions, such as `invalidateQueries`. */
export const callboardKeys = {
  /** Of {@link useJobStatus}. */
  job: (client: CallboardClient, jobId: string | undefined) => ["callboard", client.baseUrl, "job", jobId] as const,
  /** Of {@link useJobsByExecutionType}. */
  jobs: (client: CallboardClient, kind: JobKind, filters: JobFilters) =>
    ["callboard", client.baseUrl, "jobs", kind, filters] as const,
  /** Of {@link useJobEvents}. */
  events: (client: CallboardClient, jobId: string | undefined, filter: EventFilter) =>
    ["callboard", client.baseUrl, "events", jobId, filter] as const,
};

/** Reads the record of a job, less and less often, until the job has ended. Without an id, it waits for one. */
export function useJobStatus(jobId: string | undefined): UseQueryResult<Job, Error> {
  const client = useCallboard();
  return useQuery<Job, Error>({
    queryKey: callboardKeys.job(client, jobId),
    queryFn: jobId === undefined ? skipToken : ({ signal }) => client.getJob(jobId, { signal }),
    // the client has tried again already
    retry: false,
    staleTime: ({ state }) => (state.data && hasEnded(state.data) ? Infinity : 0),
    refetchInterval({ state }) {
      const over = state.data && hasEnded(state.data);
      const failed = state.error !== null && !mayPass(state.error);
      const looks = state.dataUpdateCount + state.errorUpdateCount;
      return over || failed ? false : Math.min(FIRST_POLL_MS * 1.25 ** looks, LONGEST_POLL_MS);
    },
  });
}

/** Lists the jobs of a kind, newest first, page by page: `fetchNextPage` adds the next one. */
export function useJobsByExecutionType(
  kind: JobKind,
  filters: JobFilters = {},
): UseInfiniteQueryResult<InfiniteData<JobList, string | undefined>, Error> {
  const client = useCallboard();
  return useInfiniteQuery({
    queryKey: callboardKeys.jobs(client, kind, filters),
    queryFn: ({ pageParam, signal }) => {
      const query = { ...filters, kind, ...(pageParam !== undefined && { cursor: pageParam }) };
      return client.listJobs(query, { signal });
    },
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.next_cursor ?? undefined,
    retry: false,
  });
}

/**
 * Follows the events of a job until it has ended. A component that is mounted again, and a connection that was lost, go on
 * behind the last event. Without an id, it waits for one.
 */
export function useJobEvents(jobId: string | undefined, filter: EventFilter = {}): UseQueryResult<JobEvents, Error> {
  const client = useCallboard();
  return useQuery<JobEvents, Error>({
    queryKey: callboardKeys.events(client, jobId, filter),
    queryFn: jobId === undefined ? skipToken : (context) => follow(client, jobId, filter, context),
    retry: false,
    staleTime: ({ state }) => (state.data?.complete ? Infinity : 0),
    // events never change: to compare them all with those before would find nothing
    structuralSharing: false,
  });
}

/** Follows for as long as somebody looks. What was read is in the cache with its cursor, so nothing is lost and nothing comes twice. */
async function follow(
  client: CallboardClient,
  jobId: string,
  filter: EventFilter,
  { client: cache, queryKey, signal }: QueryFunctionContext,
): Promise<JobEvents> {
  const known = (): JobEvents => cache.getQueryData<JobEvents>(queryKey) ?? NOTHING;
  const add = (news: Partial<JobEvents>): void => {
    // one who was canceled must not write beside his successor
    signal.throwIfAborted();
    cache.setQueryData<JobEvents>(queryKey, { ...known(), ...news });
  };
  const pages = client.followEventPages(jobId, {
    ...filter,
    from: known().cursor,
    signal,
    retries: Infinity,
    onRetry: (interruption) => add({ interruption }),
  });
  for await (const { events, ...place } of pages) {
    add({ ...place, events: [...known().events, ...events], interruption: null });
  }
  return known();
}
