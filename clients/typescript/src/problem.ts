import type { components } from "./schema.js";

/** Problem details (RFC 9457), as Callboard answers with them. */
export type Problem = components["schemas"]["Problem"];

/** One fault of a request: what is wrong, and in which field, parameter or header. */
export type Fault = components["schemas"]["Fault"];

/** The URN of a kind of problem; `about:blank` if the answer was not Callboard's, but that of a proxy before it. */
export type ProblemType = Problem["type"] | "about:blank";

const MAX_FOREIGN_TEXT = 300;

/** A request was answered with an error. */
export class CallboardProblem extends Error {
  override readonly name = "CallboardProblem";
  /** The HTTP status. */
  readonly status: number;
  /** The kind of problem. Use it to tell problems apart. */
  readonly type: ProblemType;
  /** The kind of problem in words. */
  readonly title: string;
  /** What is wrong, and what would be valid. */
  readonly detail: string;
  /** The faults of the request, each with its place. */
  readonly errors: readonly Fault[];
  /** The milliseconds after which the same request may succeed; undefined if the answer has no `Retry-After`. */
  readonly retryAfterMs: number | undefined;
  /** The id of the request in the service's log. */
  readonly requestId: string | undefined;

  /** Makes an error of an answer and its body, which was parsed if it is JSON. */
  constructor(response: Response, body: unknown) {
    const problem = isProblem(body) ? body : foreign(response, body);
    super(sentence(problem));
    this.status = response.status;
    this.type = problem.type;
    this.title = problem.title;
    this.detail = problem.detail;
    this.errors = problem.errors ?? [];
    this.retryAfterMs = retryAfter(response.headers.get("retry-after"));
    this.requestId = response.headers.get("x-request-id") ?? undefined;
  }
}

/** What a call of the generated client resolves to. */
interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** Returns the body of an answer, or throws its {@link CallboardProblem}. */
export async function unwrap<T>(call: Promise<Answer<T>>): Promise<T> {
  const { data, error, response } = await call;
  if (!response.ok) {
    throw new CallboardProblem(response, error);
  }
  return data as T;
}

type Told = Pick<Problem, "title" | "detail" | "errors"> & { type: ProblemType };

function isProblem(body: unknown): body is Problem {
  return typeof body === "object" && body !== null && "type" in body && "title" in body && "detail" in body;
}

function foreign(response: Response, body: unknown): Told {
  const text = typeof body === "string" ? body.trim().slice(0, MAX_FOREIGN_TEXT) : "";
  const title = `${response.status} ${response.statusText}`.trim();
  return { type: "about:blank", title, detail: text || "The answer does not say why." };
}

function sentence(problem: Told): string {
  const faults = (problem.errors ?? []).map(({ pointer, parameter, header, detail }) => {
    return `${pointer ?? parameter ?? header ?? "the request"} ${detail}`;
  });
  return [`${problem.title}: ${problem.detail}`, ...faults].join("\n");
}

/** Reads `Retry-After` (RFC 9110): seconds or a date. */
function retryAfter(value: string | null): number | undefined {
  if (value === null) {
    return undefined;
  }
  const ms = /^\d+$/.test(value.trim()) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Number.isNaN(ms) ? undefined : Math.max(ms, 0);
}
