// Starts a real `callboard serve` for all tests, with a service to call.

import { spawn, type ChildProcess } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import type { TestProject } from "vitest/node";
import { startOrders } from "./orders.js";

declare module "vitest" {
  interface ProvidedContext {
    /** The address of Callboard. */
    callboard: string;
    /** The address of the service that it calls. */
    orders: string;
  }
}

const ROOT = resolve(process.env["CALLBOARD_ROOT"] ?? "../..");
const PROGRAM = process.env["CALLBOARD_BIN"] ?? join(ROOT, "target/debug/callboard");
const START_LIMIT_MS = 180_000;

export default async function start(project: TestProject): Promise<() => Promise<void>> {
  const folder = mkdtempSync(join(tmpdir(), "callboard-client-"));
  const orders = await startOrders();
  const playbooks = join(folder, "playbooks");
  mkdirSync(playbooks);
  copyFileSync(join(ROOT, "examples/hello.yml"), join(playbooks, "hello.yml"));
  copyFileSync(join(ROOT, "tests/playbooks/count.yml"), join(playbooks, "count.yml"));
  const services = join(folder, "services.yml");
  writeFileSync(services, registry(orders.address));
  const serve = ["serve", "--listen", "127.0.0.1:0", "--playbooks", playbooks, "--services", services];
  const process = spawn(PROGRAM, serve, {
    env: { ...globalThis.process.env, CALLBOARD_DATA: join(folder, "data"), CALLBOARD_GRACE: "2" },
    stdio: ["ignore", "ignore", "pipe"],
  });
  try {
    project.provide("callboard", await address(process));
    project.provide("orders", orders.address);
  } catch (error) {
    process.kill("SIGKILL");
    throw error;
  }
  return async () => {
    const ended = new Promise((resolve) => process.once("exit", resolve));
    process.kill("SIGTERM");
    await ended;
    orders.stop();
    rmSync(folder, { recursive: true, force: true });
  };
}

/** Finds the address in the log. */
function address(process: ChildProcess): Promise<string> {
  const log: string[] = [];
  return new Promise((resolve, reject) => {
    const fail = (why: string): void => reject(new Error(`${PROGRAM} ${why}; its log:\n${log.join("\n")}`));
    const limit = setTimeout(() => fail("does not listen"), START_LIMIT_MS);
    process.once("error", (error) => fail(`does not start: ${error.message}`));
    process.once("exit", (code) => fail(`ended with ${code}`));
    createInterface({ input: process.stderr! }).on("line", (line) => {
      log.push(line);
      const [, found] = line.split("listening address=");
      if (found) {
        clearTimeout(limit);
        resolve(`http://${found.trim()}`);
      }
    });
  });
}

function registry(address: string): string {
  return `
services:
  - name: orders
    runner_config: {base_url: "${address}"}
    security_policy: {network: private}
    operations:
      - name: place
        input_schema: {type: object, required: [order], properties: {order: {type: string}}, additionalProperties: false}
        runner_config: {path: /place}
      - name: place_when_open
        input_schema: {type: object}
        timeout: 110
        runner_config: {path: /place_when_open}
      - name: place_at_last
        input_schema: {type: object}
        max_retries: 3
        retry: {initial_interval: 0}
        runner_config: {path: /place_at_last, idempotency_header: Idempotency-Key}
`;
}
