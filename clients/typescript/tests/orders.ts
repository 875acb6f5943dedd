// The service that the tests' jobs call.

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** A running service. */
export interface Orders {
  address: string;
  stop(): void;
}

/**
 * Starts it. `POST /place` takes an order, `GET /placed` lists those taken. `/place_when_open` answers once somebody has
 * asked for `/open`; `/place_at_last` fails twice for each job, then succeeds.
 */
export async function startOrders(): Promise<Orders> {
  const placed: string[] = [];
  const tries = new Map<string, number>();
  const waiting: ServerResponse[] = [];

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await text(request);
    const job = String(request.headers["idempotency-key"]);
    switch (request.url) {
      case "/place":
        placed.push(body);
        return answer(response, 200, { placed: true });
      case "/placed":
        return answer(response, 200, placed);
      case "/place_when_open":
        waiting.push(response);
        return;
      case "/open":
        waiting.splice(0).forEach((each) => answer(each, 200, { placed: true }));
        return answer(response, 200, {});
      case "/place_at_last":
        tries.set(job, (tries.get(job) ?? 0) + 1);
        return answer(response, (tries.get(job) ?? 0) > 2 ? 200 : 503, {});
      default:
        return answer(response, 404, {});
    }
  };
  const server = createServer((request, response) => void handle(request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const stop = (): void => {
    server.close();
    server.closeAllConnections();
  };
  return { address: `http://127.0.0.1:${port}`, stop };
}

function answer(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}

async function text(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of request) {
    parts.push(part as Buffer);
  }
  return Buffer.concat(parts).toString();
}
