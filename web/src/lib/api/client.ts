/** The one way to the server: typed by openapi.json, same origin, errors as {@link ApiError}. */
import createClient, { type Middleware } from "openapi-fetch";
import createQueryClient from "openapi-react-query";

import { ApiError, problemOf } from "./error";
import type { components, paths } from "./schema";

export type Schemas = components["schemas"];
export type Permission = Schemas["Permission"];

const errors: Middleware = {
  async onResponse({ response }) {
    if (!response.ok) throw new ApiError(await problemOf(response));
    return response;
  },
  onError({ error }) {
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
