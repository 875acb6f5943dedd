import { CallboardProblem } from "./problem.js";

/** How a failure that may pass is dealt with: a lost connection, or an answer that asks to come again. */
export interface RetryOptions {
  /** How many failures in a row are tried again before the last one is thrown. Default: that of the client. */
  retries?: number | undefined;
  /** Stops everything: waiting, and the request under way. */
  signal?: AbortSignal | undefined;
  /** Gets each failure that is tried again. */
  onRetry?: ((error: unknown) => void) | undefined;
}

const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 8_000;
/** Where even an answer without `Retry-After` means that the service cannot be reached for now. */
const PASSING = [429, 502, 503, 504];

/** Returns whether the same request may succeed later. Whatever is no answer is a lost connection, unless JSON was broken. */
export function mayPass(error: unknown): boolean {
  if (error instanceof CallboardProblem) {
    return error.retryAfterMs !== undefined || PASSING.includes(error.status);
  }
  return !(error instanceof SyntaxError);
}

/** Counts failures in a row, and waits after each as long as the answer asks for, or longer each time. */
export class Patience {
  private failures = 0;

  constructor(private readonly options: RetryOptions & { retries: number }) {}

  /** Begins the count again. */
  reset(): void {
    this.failures = 0;
  }

  /** Waits after a failure; throws it if it is final, or one too many, and the signal's reason if that was aborted. */
  async wait(error: unknown): Promise<void> {
    const { retries, signal, onRetry } = this.options;
    signal?.throwIfAborted();
    this.failures += 1;
    if (this.failures > retries || !mayPass(error)) {
      throw error;
    }
    onRetry?.(error);
    await pause(this.length(error), signal);
  }

  private length(error: unknown): number {
    const asked = error instanceof CallboardProblem ? error.retryAfterMs : undefined;
    const grown = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (this.failures - 1));
    // at random, so that clients of a service that comes back do not all come at once
    return asked ?? grown * (0.5 + Math.random() / 2);
  }
}

/** Makes a request until it succeeds, or its failure is final. */
export async function retrying<T>(once: () => Promise<T>, options: RetryOptions & { retries: number }): Promise<T> {
  const patience = new Patience(options);
  for (;;) {
    try {
      return await once();
    } catch (error) {
      await patience.wait(error);
    }
  }
}

/** Waits; rejects with the signal's reason as soon as it is aborted. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const stop = (): void => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, ms);
    signal?.addEventListener("abort", stop, { once: true });
  });
}

/** Returns a signal that also ends a request that takes too long, as a connection does whose other end is gone. */
export function within(ms: number, signal?: AbortSignal): AbortSignal {
  const limit = AbortSignal.timeout(ms);
  return signal ? AbortSignal.any([signal, limit]) : limit;
}
