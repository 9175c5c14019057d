import { useMutation, useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { MessageSquare } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { Picker } from "@/components/picker";
import { Button } from "@/components/ui/button";
import { toast } from "@/components/ui/toasts";
import { client } from "@/lib/api/client";
import { ApiError, errorText } from "@/lib/api/error";
import { whole } from "@/lib/api/pages";
import { phoneText } from "@/lib/format";

const STALE_MS = 5 * 60_000;

/** Leads to the conversation with a number, or begins it; by which line is only asked where there are several. */
export function Write({ address }: { address: string }) {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const [isAsked, setAsked] = useState(false);
  const { data: lines } = useQuery({
    queryKey: ["contacts", "lines"],
    queryFn: () => whole((query) => client.GET("/api/v1/lines", { params: { query } })),
    staleTime: STALE_MS,
  });
  const begin = useMutation({
    mutationFn: async (line: string) => {
      const { data } = await client.POST("/api/v1/conversations", { body: { address, line_id: line } });
      if (!data) throw ApiError.unreachable();
      return data.id;
    },
    onSuccess: (conversation) => navigate({ to: "/inbox", search: { conversation } }),
    onError: (error) => toast("bad", errorText(error, t)),
  });
  if (!lines) return null;
  const [first, second] = lines;
  return (
    <>
      <Button
        look="solid"
        // on a phone four do not fit in one row
        className="max-sm:order-first max-sm:w-full"
        aria-disabled={!first || begin.isPending}
        title={first ? undefined : t("contacts.noLine")}
        onClick={() => (second ? setAsked(true) : first && !begin.isPending && begin.mutate(first.id))}
      >
        <MessageSquare aria-hidden />
        {t("contacts.write")}
      </Button>
      {isAsked ? (
        <Picker
          title={t("contacts.writeBy")}
          placeholder={t("contacts.findLine")}
          none={t("contacts.noLineFound")}
          choices={() =>
            lines.map(({ id, name, address: own }) => ({
              id,
              text: name,
              hint: own ? phoneText(own) : undefined,
            }))
          }
          onChoose={({ id }) => {
            begin.mutate(id);
            return false;
          }}
          onClose={() => setAsked(false)}
        />
      ) : null}
    </>
  );
}
