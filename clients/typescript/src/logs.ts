import { hasEnded, type Api, type Job } from "./api.js";
import { CallboardProblem } from "./problem.js";
import { Patience, within, type RetryOptions } from "./retry.js";

/** A piece of a job's output. */
export interface LogChunk {
  /** The attempt that printed it. */
  attempt: number;
  /** The text, with its ANSI sequences. */
  text: string;
}

/** Waits until a record is as wanted, through failures that pass. */
export type Watch = (until: (job: Job) => boolean) => Promise<Job>;

/** After so long, a request is made anew: a connection whose other end is gone looks like one that is only silent. */
const LONGEST_ANSWER_MS = 5 * 60_000;
const NOTHING_FOLLOWS = 416;

/** Follows the output of a job over all its attempts to its end, through failures that pass: each byte comes once. */
export async function* followOutput(
  api: Api,
  jobId: string,
  watch: Watch,
  options: RetryOptions & { retries: number },
): AsyncGenerator<LogChunk, void, undefined> {
  for (let attempt = 1; ; attempt += 1) {
    const job = await watch((job) => job.attempt >= attempt || hasEnded(job));
    if (job.attempt < attempt) {
      return;
    }
    const decoder = new TextDecoder();
    for await (const bytes of attemptOutput(api, jobId, attempt, watch, options)) {
      const text = decoder.decode(bytes, { stream: true });
      if (text) {
        yield { attempt, text };
      }
    }
    const rest = decoder.decode();
    if (rest) {
      yield { attempt, text: rest };
    }
  }
}

/** Reads one attempt's output from byte to byte, until the service says that nothing follows. */
async function* attemptOutput(
  api: Api,
  jobId: string,
  attempt: number,
  watch: Watch,
  options: RetryOptions & { retries: number },
): AsyncGenerator<Uint8Array, void, undefined> {
  const patience = new Patience(options);
  for (let offset = 0; ; ) {
    const limit = within(LONGEST_ANSWER_MS, options.signal);
    try {
      const body = await ask(api, jobId, attempt, offset, limit);
      if (body === undefined) {
        return;
      }
      for await (const bytes of read(body)) {
        patience.reset();
        offset += bytes.length;
        yield bytes;
      }
    } catch (error) {
      if (limit.aborted && !options.signal?.aborted) {
        await watch(() => true);
      } else {
        await patience.wait(error);
      }
    }
  }
}

/** Asks for output from a byte on; returns undefined if the attempt is over and has no more. */
async function ask(
  api: Api,
  jobId: string,
  attempt: number,
  offset: number,
  signal: AbortSignal,
): Promise<ReadableStream<Uint8Array> | null | undefined> {
  const answer = await api.GET("/api/v1/jobs/{job_id}/logs", {
    params: { path: { job_id: jobId }, query: { attempt, follow: true }, header: { Range: `bytes=${offset}-` } },
    parseAs: "stream",
    signal,
  });
  return bodyOf(answer, NOTHING_FOLLOWS);
}

/** An answer whose body is read as it comes. */
interface Answer {
  data?: ReadableStream<Uint8Array> | null | undefined;
  error?: unknown;
  response: Response;
}

/** Returns the body of an answer, which may have none; undefined if its status says that nothing follows. */
export function bodyOf(
  { data, error, response }: Answer,
  nothingFollows: number,
): ReadableStream<Uint8Array> | null | undefined {
  if (response.status === nothingFollows) {
    return undefined;
  }
  if (!response.ok) {
    throw new CallboardProblem(response, error);
  }
  return data ?? null;
}

/** Reads a body, part by part. */
export async function* read(body: ReadableStream<Uint8Array> | null): AsyncGenerator<Uint8Array, void, undefined> {
  const reader = body?.getReader();
  try {
    for (let part = await reader?.read(); part && !part.done; part = await reader?.read()) {
      yield part.value;
    }
  } finally {
    await reader?.cancel().catch(() => undefined);
  }
}
