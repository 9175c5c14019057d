/** A file that the server holds and reads, before anything of it is imported. */
import { queryOptions, useQuery } from "@tanstack/react-query";
import { useState } from "react";

import { client, type Schemas } from "@/lib/api/client";
import { ApiError } from "@/lib/api/error";
import { queryClient } from "@/lib/api/query";

export type Preview = Schemas["ImportPreview"];
export type Options = Partial<Schemas["ImportOptions"]>;
export type Asked = Schemas["ImportOptions"];

export const ENCODINGS = ["utf-8", "utf-16le", "utf-16be", "windows-1252", "macintosh"] as const;
/** As a preview says it, and as the API takes it. */
export const DELIMITERS = { ",": ",", ";": ";", "\t": "tab", "|": "|" } as const;
export type Delimiter = keyof typeof DELIMITERS;
/** How people call them. */
export const DELIMITER_NAMES = { ",": "comma", ";": "semicolon", "\t": "tab", "|": "bar" } as const;

const NOTHING_ASKED = { options: {}, refused: null };

const previewOf = (id: string | undefined, options: Options) =>
  queryOptions({
    queryKey: ["imports", "held", id, JSON.stringify(options)],
    queryFn: async ({ signal }) => {
      const init = { params: { path: { id: id ?? "" } }, body: options as Asked, signal };
      const { data } = await client.POST("/api/v1/imports/{id}/preview", init);
      if (!data) throw ApiError.unreachable();
      return data;
    },
    staleTime: Number.POSITIVE_INFINITY,
  });

/** How the server reads the file by these options. While it is asked, or where it refuses them, what it said before stays. */
export function usePreview(id: string | undefined) {
  const [asked, setAsked] = useState<{ options: Options; refused: Error | null }>(NOTHING_ASKED);
  const { options, refused } = asked;
  const { data, error, isFetching } = useQuery({ ...previewOf(id, options), enabled: id !== undefined });
  const [last, setLast] = useState<Preview | undefined>();
  if (data && data !== last) setLast(data);
  return {
    preview: last?.id === id ? last : undefined,
    options,
    error: error ?? refused,
    /** What is on the screen is what other options said. */
    isStale: isFetching || error !== null,
    change: (next: Options) => setAsked({ options: next, refused: null }),
    /** Another reading is shown as asked for at once; refused, the one before is back, and why is said. */
    reread: (next: Options) => {
      setAsked({ options: next, refused: null });
      void queryClient
        .fetchQuery(previewOf(id, next))
        .catch((refused: Error) => setAsked((now) => (now.options === next ? { options, refused } : now)));
    },
    forget: () => setAsked(NOTHING_ASKED),
  };
}
