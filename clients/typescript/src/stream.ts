import type { Api, Job } from "./api.js";
import type { JobEvent } from "./events.js";
import { bodyOf, read } from "./logs.js";
import { Patience, pause, type RetryOptions } from "./retry.js";
import type { operations } from "./schema.js";

type Told = "status" | "attempt" | "started_at" | "finished_at" | "reason" | "error" | "blocked_on" | "dead_letter";

/** What each message of a job's stream says, by its type. */
interface Messages {
  /** The state of the job, whenever it changes. */
  status: Pick<Job, Told> & { cancel_requested: boolean };
  /** How far it has got, whenever that changes. */
  progress: { attempt: number; progress: NonNullable<Job["progress"]> };
  /** Output, and how many bytes of the attempt's output come before it. */
  log: { attempt: number; offset: number; text: string };
  /** An event. */
  event: { attempt: number; event: JobEvent };
  /** What is missing here. */
  gap: { attempt: number; missing: string };
}

/** A message of a job's stream, and the place behind it. */
export type StreamMessage = {
  [Type in keyof Messages]: { type: Type; data: Messages[Type]; cursor: string };
}[keyof Messages];

/** Which messages to follow, and from where. */
export interface StreamOptions extends RetryOptions {
  /** The types of messages; `gap` comes always. Default: all. */
  types?: NonNullable<operations["streamJob"]["parameters"]["query"]>["types"];
  /** One attempt alone. Default: all attempts. */
  attempt?: number | undefined;
  /** Where to begin: behind the message with this cursor. Default: at the beginning. */
  from?: string | undefined;
}

/** A message as it was sent. */
interface Sent {
  id: string;
  event: string;
  data: string;
}

/** The service says something at least every 15 seconds; a connection that says nothing for so long is lost. */
const LONGEST_SILENCE_MS = 45_000;
const NOTHING_FOLLOWS = 204;
const LAST_REASONS = ["ended", "attempt_ended"];

/** Follows a job to its end, through failures that pass: each message comes once. */
export async function* followStream(
  api: Api,
  jobId: string,
  options: StreamOptions & { retries: number },
): AsyncGenerator<StreamMessage, void, undefined> {
  const patience = new Patience(options);
  const known = new Map<string, string>();
  let cursor = options.from;
  for (;;) {
    const connection = new Connection(options.signal);
    try {
      const body = await ask(api, jobId, options, cursor, connection.signal);
      if (body === undefined) {
        return;
      }
      for await (const { id, event, data } of connection.messages(body)) {
        patience.reset();
        cursor = id;
        if (event === "end") {
          if (LAST_REASONS.includes((JSON.parse(data) as { reason: string }).reason)) {
            return;
          }
        } else if (known.get(event) !== data) {
          // the state is told anew on each connection
          if (event === "status" || event === "progress") {
            known.set(event, data);
          }
          yield { type: event, data: JSON.parse(data) as unknown, cursor } as StreamMessage;
        }
      }
      await pause(connection.retryMs, options.signal);
    } catch (error) {
      await patience.wait(error);
    } finally {
      connection.end();
    }
  }
}

/** Asks for the messages behind a place; returns undefined if there are none and never will be. */
async function ask(
  api: Api,
  jobId: string,
  { types, attempt }: StreamOptions,
  cursor: string | undefined,
  signal: AbortSignal,
): Promise<ReadableStream<Uint8Array> | null | undefined> {
  const query = { ...(types && { types }), ...(attempt && { attempt }), ...(cursor !== undefined && { cursor }) };
  const answer = await api.GET("/api/v1/jobs/{job_id}/stream", {
    params: { path: { job_id: jobId }, query },
    parseAs: "stream",
    signal,
  });
  return bodyOf(answer, NOTHING_FOLLOWS);
}

/** One connection, which is given up when it is silent for too long. */
class Connection {
  /** How long to wait before the next one. */
  retryMs = 1_000;
  readonly signal: AbortSignal;
  private readonly silence = new AbortController();
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(signal: AbortSignal | undefined) {
    this.signal = signal ? AbortSignal.any([signal, this.silence.signal]) : this.silence.signal;
    this.heard();
  }

  /** Reads messages (https://html.spec.whatwg.org/multipage/server-sent-events.html), each of one line of data. */
  async *messages(body: ReadableStream<Uint8Array> | null): AsyncGenerator<Sent, void, undefined> {
    const decoder = new TextDecoder();
    let text = "";
    for await (const bytes of read(body)) {
      this.heard();
      text += decoder.decode(bytes, { stream: true });
      const blocks = text.split("\n\n");
      text = blocks.pop() ?? "";
      for (const block of blocks) {
        const fields = new Map(block.split("\n").map((line) => field(line)));
        this.retryMs = Number(fields.get("retry") ?? this.retryMs);
        const [id, event, data] = [fields.get("id"), fields.get("event"), fields.get("data")];
        if (id !== undefined && event !== undefined && data !== undefined) {
          yield { id, event, data };
        }
      }
    }
  }

  /** Ends the wait for the next word. */
  end(): void {
    clearTimeout(this.timer);
  }

  private heard(): void {
    clearTimeout(this.timer);
    const lost = new Error(`the service said nothing for ${LONGEST_SILENCE_MS / 1000} s`);
    this.timer = setTimeout(() => this.silence.abort(lost), LONGEST_SILENCE_MS);
  }
}

function field(line: string): [string, string] {
  const [name = "", ...rest] = line.split(": ");
  return [name, rest.join(": ")];
}
