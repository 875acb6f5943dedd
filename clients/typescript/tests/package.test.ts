import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { beforeAll, expect, test } from "vitest";

beforeAll(() => {
  run("npm", "run", "build");
});

test("the package has what it is for, and nothing else", () => {
  const [packed] = JSON.parse(run("npm", "pack", "--dry-run", "--json", "--ignore-scripts")) as { files: { path: string }[] }[];
  const modules = ["api", "client", "events", "logs", "problem", "react", "retry", "stream"];
  const built = modules.flatMap((name) => [`dist/${name}.d.ts`, `dist/${name}.js`]);
  const expected = ["LICENSE", "README.md", "package.json", "dist/schema.d.ts", ...built];
  expect(packed?.files.map((file) => file.path).sort()).toEqual(expected.sort());
});

test("the examples of the README compile against the package as it is built", () => {
  const blocks = [...readFileSync("README.md", "utf8").matchAll(/^```(tsx?)\n(.*?)^```$/gms)];
  expect(blocks.length).toBeGreaterThan(2);
  rmSync("snippets", { recursive: true, force: true });
  mkdirSync("snippets");
  blocks.forEach(([, language, code], index) => writeFileSync(`snippets/example${index}.${language}`, code ?? ""));
  writeFileSync("snippets/tsconfig.json", JSON.stringify({ extends: "../tsconfig.json", include: ["."] }));
  run("npx", "tsc", "--project", "snippets");
});

test("the built package works, and its core needs neither React nor TanStack Query", () => {
  const core = "import { createCallboardClient } from '@callboard/client'; createCallboardClient({ baseUrl: 'http://localhost' })";
  run("node", "--input-type=module", "--eval", core);
  for (const module of ["api", "client", "events", "logs", "problem", "retry", "stream"]) {
    expect(readFileSync(`dist/${module}.js`, "utf8")).not.toMatch(/from "(react|@tanstack)/);
  }
});

/** Runs a program; what it prints is in the error if it fails. */
function run(program: string, ...args: string[]): string {
  try {
    return execFileSync(program, args, { encoding: "utf8", stdio: "pipe" });
  } catch (error) {
    const { stdout, stderr } = error as { stdout?: string; stderr?: string };
    throw new Error(`${program} ${args.join(" ")} failed:\n${stdout}${stderr}`);
  }
}
