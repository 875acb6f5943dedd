// A proxy that breaks connections.

import { connect, createServer, type AddressInfo, type Socket } from "node:net";

/** A running proxy. */
export interface Proxy {
  address: string;
  /** How many connections it has broken. */
  readonly broken: number;
  /** How many connections of clients are open. */
  readonly open: number;
  stop(): void;
}

/** Starts a proxy whose first connections are broken each after so many bytes of answers; the later ones are left alone. */
export async function startProxy(target: string, budgets: readonly number[]): Promise<Proxy> {
  const { hostname, port } = new URL(target);
  const left = [...budgets];
  const open = new Set<Socket>();
  let broken = 0;

  const server = createServer((client) => {
    let budget = left.shift() ?? Infinity;
    const upstream = connect(Number(port), hostname);
    const end = (): void => {
      open.delete(client);
      client.destroy();
      upstream.destroy();
    };
    open.add(client);
    client.on("error", end).on("close", end).pipe(upstream);
    upstream.on("error", end).on("close", end).on("data", (data) => {
      if (data.length < budget) {
        budget -= data.length;
        client.write(data);
      } else if (open.delete(client)) {
        broken += 1;
        client.write(data.subarray(0, budget), end);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get broken() {
      return broken;
    },
    get open() {
      return open.size;
    },
    stop() {
      server.close();
      open.forEach((socket) => socket.destroy());
    },
  };
}
