/** What went wrong with a request, with a text for people in their language that says what to do. */
import type { TFunction } from "i18next";

import type { components } from "./schema";

export type Problem = Partial<components["schemas"]["Problem"]> & { status: number; code: string };

export class ApiError extends Error {
  override name = "ApiError";
  readonly status: number;
  readonly code: string;
  readonly field: string | undefined;
  /** In seconds; where the server says when to try again. */
  readonly retryAfter: number | undefined;
  readonly requestId: string | undefined;
  /** The server's own English words, for codes that have no text here. */
  readonly detail: string | undefined;

  constructor(problem: Problem & { retryAfter?: number | undefined }) {
    super(problem.detail ?? problem.code);
    this.status = problem.status;
    this.code = problem.code;
    this.field = problem.field ?? undefined;
    this.retryAfter = problem.retryAfter;
    this.requestId = problem.request_id ?? undefined;
    this.detail = problem.detail ?? undefined;
  }

  /** No answer came: no network, or no server. */
  static unreachable(): ApiError {
    return new ApiError({ status: 0, code: "unreachable" });
  }

  /** Whether asking again can help. */
  get isTransient(): boolean {
    return this.status === 0 || this.status === 503 || this.status >= 502;
  }
}

/** Reads the problem of an answer; one of a proxy between us and the server has no code. */
export async function problemOf(response: Response): Promise<Problem & { retryAfter?: number | undefined }> {
  const wait = Number(response.headers.get("retry-after") ?? Number.NaN);
  const retryAfter = Number.isFinite(wait) ? wait : undefined;
  try {
    const body = (await response.clone().json()) as Problem;
    if (typeof body.code === "string") return { ...body, status: response.status, retryAfter };
  } catch {
    // not JSON: the status has to do
  }
  return {
    status: response.status,
    code: response.status === 503 ? "unavailable" : "unknown_answer",
    retryAfter,
  };
}

/** The text of an error for people. A code without a text of ours keeps the server's words. */
export function errorText(error: unknown, t: TFunction): string {
  if (!(error instanceof ApiError)) return t("problems.unexpected");
  const texts = t("problems", { returnObjects: true }) as Record<string, string>;
  if (error.code in texts) {
    return t(`problems.${error.code}` as "problems.unexpected", {
      seconds: error.retryAfter ?? 1,
      detail: error.detail ?? "",
      requestId: error.requestId ?? "–",
    });
  }
  return error.detail ?? t("problems.unexpected");
}

/** The words for a code of the server that came without an answer of its own. */
export function problemText(code: string, t: TFunction): string {
  const texts = t("problems", { returnObjects: true }) as Record<string, string>;
  return texts[code] ?? code;
}
