/** A file as the body of a request, with how much of it has gone: `fetch` does not tell. */
import { ApiError, type Problem } from "./error";

interface UploadOptions {
  path: string;
  query: Record<string, string | undefined>;
  file: Blob | FormData;
  /** None of a form: the browser names its parts. */
  type?: string;
  /** The same key again is the same upload. */
  key: string;
  signal: AbortSignal;
  onProgress: (share: number) => void;
}

export function upload<Answer>({
  path,
  query,
  file,
  type,
  key,
  signal,
  onProgress,
}: UploadOptions): Promise<Answer> {
  const set = Object.entries(query).filter((pair): pair is [string, string] => pair[1] !== undefined);
  return new Promise((done, fail) => {
    const request = new XMLHttpRequest();
    const search = new URLSearchParams(set).toString();
    request.open("POST", search ? `${path}?${search}` : path);
    if (type) request.setRequestHeader("content-type", type);
    request.setRequestHeader("idempotency-key", key);
    request.upload.addEventListener("progress", ({ loaded, total }) =>
      onProgress(total > 0 ? loaded / total : 0),
    );
    request.addEventListener("load", () => {
      const body = read(request.responseText);
      if (request.status >= 200 && request.status < 300) {
        done(body as Answer);
        return;
      }
      const wait = Number(request.getResponseHeader("retry-after") ?? Number.NaN);
      const problem = (body ?? { code: "unknown_answer" }) as Problem;
      fail(
        new ApiError({
          ...problem,
          status: request.status,
          retryAfter: Number.isFinite(wait) ? wait : undefined,
        }),
      );
    });
    request.addEventListener("error", () => fail(ApiError.unreachable()));
    request.addEventListener("abort", () => fail(new DOMException("called off", "AbortError")));
    signal.addEventListener("abort", () => request.abort());
    request.send(file);
  });
}

function read(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
