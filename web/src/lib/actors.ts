/** Who did something, as the server writes it (`user:…`, `key:…`), by the name that people know. */
import { useQuery } from "@tanstack/react-query";
import { useCallback, useMemo } from "react";
import { useTranslation } from "react-i18next";

import { client } from "./api/client";
import { whole } from "./api/pages";

const STALE_MS = 5 * 60_000;

export function useActorName(): (actor: string) => string {
  const { t } = useTranslation();
  const { data: users } = useQuery({
    queryKey: ["actors"],
    queryFn: () => whole((query) => client.GET("/api/v1/users", { params: { query } })),
    staleTime: STALE_MS,
  });
  const names = useMemo(() => new Map(users?.map(({ id, name }) => [`user:${id}`, name])), [users]);
  return useCallback(
    (actor: string) => {
      const name = names.get(actor);
      if (name) return name;
      if (actor.startsWith("user:")) return t("common.actors.user");
      return t(actor.startsWith("key:") ? "common.actors.key" : "common.actors.program");
    },
    [names, t],
  );
}
