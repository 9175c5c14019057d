/** The labels of contacts: a short list, which is known whole. */
import { useMutation, useQuery } from "@tanstack/react-query";
import { useMemo } from "react";

import { api, client, type Schemas } from "@/lib/api/client";
import { PAGES, whole } from "@/lib/api/pages";
import { queryClient } from "@/lib/api/query";
import { ApiError } from "@/lib/api/error";

export type Label = Schemas["ContactLabel"];

const LABELS = ["contacts", "labels"] as const;

export function useLabels() {
  const { data = [], isPending } = useQuery({
    queryKey: LABELS,
    queryFn: () => whole((query) => client.GET("/api/v1/contact-labels", { params: { query } })),
  });
  const byId = useMemo(() => new Map(data.map((label) => [label.id as string, label])), [data]);
  return { labels: data, byId, isPending };
}

export const refreshLabels = () => queryClient.invalidateQueries({ queryKey: LABELS });

/** Has the contacts on the screen read anew. */
export async function refreshContacts(): Promise<void> {
  await Promise.all([
    queryClient.invalidateQueries({ queryKey: [PAGES, "contacts"] }),
    queryClient.invalidateQueries({ queryKey: ["get", "/api/v1/contacts/{id}"] }),
  ]);
}

export async function makeLabel(name: string): Promise<Label> {
  const { data } = await client.POST("/api/v1/contact-labels", { body: { name } });
  if (!data) throw ApiError.unreachable();
  await refreshLabels();
  return data;
}

/** Puts a label on one contact, or takes it off. */
export function useLabelling(contactId: string) {
  return useMutation({
    mutationFn: async ({ labelId, isOn }: { labelId: string; isOn: boolean }) => {
      const init = { params: { path: { id: contactId, label_id: labelId } } };
      const path = "/api/v1/contacts/{id}/labels/{label_id}";
      const { data } = isOn ? await client.PUT(path, init) : await client.DELETE(path, init);
      return data;
    },
    onSuccess: (contact) => {
      const { queryKey } = api.queryOptions("get", "/api/v1/contacts/{id}", {
        params: { path: { id: contactId } },
      });
      if (contact) queryClient.setQueryData(queryKey, contact);
      return queryClient.invalidateQueries({ queryKey: [PAGES, "contacts"] });
    },
  });
}
