import { useMutation } from "@tanstack/react-query";
import { type FormEvent, useRef } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/ui/button";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";
import { Panel } from "@/components/ui/panel";
import { toast } from "@/components/ui/toasts";
import { client } from "@/lib/api/client";
import { errorText } from "@/lib/api/error";
import { PAGES } from "@/lib/api/pages";
import { queryClient } from "@/lib/api/query";

/** Another password; whoever asks proves first who they are. */
export function Password() {
  const { t } = useTranslation();
  const form = useRef<HTMLFormElement>(null);
  const save = useMutation({
    mutationFn: (password: string) => client.PUT("/api/v1/session/password", { body: { password } }),
    onSuccess: () => {
      form.current?.reset();
      toast("ok", t("security.changed"));
      return queryClient.invalidateQueries({ queryKey: [PAGES, "sessions"] });
    },
  });
  const onSubmit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    save.mutate(String(new FormData(event.currentTarget).get("password") ?? ""));
  };
  return (
    <Panel title={t("security.password")}>
      <p className="text-sm text-muted">{t("security.passwordSays")}</p>
      <form ref={form} onSubmit={onSubmit} className="mt-3 flex flex-wrap items-start gap-3">
        <Field
          label={t("security.newPassword")}
          hint={t("security.passwordHint")}
          error={save.error ? errorText(save.error, t) : undefined}
          className="min-w-56 flex-1"
        >
          <Input name="password" type="password" autoComplete="new-password" required minLength={10} />
        </Field>
        <Button type="submit" className="mt-6" disabled={save.isPending}>
          {t("security.change")}
        </Button>
      </form>
    </Panel>
  );
}
