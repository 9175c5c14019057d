/** The browser goes to an identity provider, and comes back to one of our pages. */
import { useMutation } from "@tanstack/react-query";

import { ApiError } from "@/lib/api/error";

/** Asks the server where to go, and goes there. */
export function useAway<Asked>(ask: (asked: Asked) => Promise<{ data?: { url: string } | undefined }>) {
  return useMutation({
    mutationFn: async (asked: Asked) => {
      const { data } = await ask(asked);
      if (!data) throw ApiError.unreachable();
      window.location.assign(data.url);
      // until the other page is there this one waits
      await new Promise(() => {});
    },
  });
}
