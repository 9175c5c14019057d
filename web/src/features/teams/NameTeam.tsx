import { useMutation } from "@tanstack/react-query";
import { type FormEvent, useId, useRef } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";
import { toast } from "@/components/ui/toasts";
import { client, onceKey } from "@/lib/api/client";
import { ApiError, errorText } from "@/lib/api/error";

import { readAgain, type Team } from "./wire";

interface NameTeamProps {
  /** None: one is made. */
  team?: Team;
  onClose: () => void;
  onMade: (team: Team) => void;
}

/** The name of a team, of a new one or of one that is there. */
export function NameTeam({ team, onClose, onMade }: NameTeamProps) {
  const { t } = useTranslation();
  const form = useId();
  const once = useRef(onceKey());
  const save = useMutation({
    mutationFn: async (body: { name: string }) => {
      const made = team
        ? client.PATCH("/api/v1/teams/{id}", { params: { path: { id: team.id } }, body })
        : client.POST("/api/v1/teams", { body, headers: { "Idempotency-Key": once.current } });
      const { data } = await made;
      if (!data) throw ApiError.unreachable();
      return data;
    },
    onSuccess: (saved) => {
      toast("ok", t("teams.saved"));
      void readAgain();
      onMade(saved);
    },
    onError: () => {
      once.current = onceKey();
    },
  });
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    save.mutate({ name: String(new FormData(event.currentTarget).get("name") ?? "").trim() });
  };
  return (
    <Dialog
      open
      onOpenChange={onClose}
      title={t(team ? "teams.rename" : "teams.make")}
      footer={
        <>
          <Button onClick={onClose}>{t("common.cancel")}</Button>
          <Button look="solid" type="submit" form={form} disabled={save.isPending}>
            {t("teams.save")}
          </Button>
        </>
      }
    >
      <form id={form} onSubmit={submit}>
        <Field label={t("teams.name")} error={save.error ? errorText(save.error, t) : undefined}>
          <Input
            name="name"
            defaultValue={team?.name}
            data-first
            required
            maxLength={60}
            autoComplete="off"
          />
        </Field>
      </form>
    </Dialog>
  );
}
