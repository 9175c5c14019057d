/** The one way to the server: typed by openapi.json, same origin, errors as {@link ApiError}. */
import createClient, { type Middleware } from "openapi-fetch";
import createQueryClient from "openapi-react-query";

import { askProof } from "@/lib/proof";

import { ApiError, problemOf } from "./error";
import type { components, paths } from "./schema";

export type Schemas = components["schemas"];
export type Permission = Schemas["Permission"];

/** A request as it was sent, to be sent again after a proof: its own body has been read by then. */
const copies = new Map<string, Request>();

const errors: Middleware = {
  onRequest({ request, id }) {
    if (request.method !== "GET") copies.set(id, request.clone());
  },
  async onResponse({ response, id, options }) {
    const copy = copies.get(id);
    copies.delete(id);
    if (response.ok) return response;
    const problem = await problemOf(response);
    if (copy && problem.code === "proof_needed" && (await askProof())) {
      // called by itself: as a method of the options the browser refuses it
      const { fetch: send } = options;
      const again = await send(copy);
      if (again.ok) return again;
      throw new ApiError(await problemOf(again));
    }
    throw new ApiError(problem);
  },
  onError({ error, id }) {
    copies.delete(id);
    // an answer that we refused above comes by here too
    return error instanceof ApiError ? error : ApiError.unreachable();
  },
};

/** Requests outside of components; throws ApiError for everything that is not a success. */
export const client = createClient<paths>({ baseUrl: "", credentials: "same-origin" });
client.use(errors);

/** Queries and mutations of components. */
export const api = createQueryClient(client);

/** A key for a create that may be sent twice and must be done once. */
export function onceKey(): string {
  return crypto.randomUUID();
}
