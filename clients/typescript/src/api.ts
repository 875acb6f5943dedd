import type { Client } from "openapi-fetch";
import type { components, paths } from "./schema.js";

/** The client of the OpenAPI document: every path, method and field. */
export type Api = Client<paths>;

/** The record of a job; `kind` tells which kind of job it is. */
export type Job = components["schemas"]["JobView"];

/** The kind of a job: `ansible`, or the execution type of a called service. */
export type JobKind = Job["kind"];

/** The state of a job. */
export type JobStatus = components["schemas"]["JobStatus"];

/** Returns whether a job has ended. The record of such a job never changes. */
export function hasEnded(job: { status: JobStatus }): boolean {
  return job.status !== "pending" && job.status !== "running";
}
