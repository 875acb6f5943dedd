import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["tests/**/*.test.ts"],
    globalSetup: "tests/service.ts",
    // they share a service, and one test's jobs are not another's
    fileParallelism: false,
    // a machine that does other work as well may stand still for a while: this ends only what hangs
    testTimeout: 120_000,
    hookTimeout: 240_000,
  },
});
