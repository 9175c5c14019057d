import { useMutation } from "@tanstack/react-query";
import { Ellipsis } from "lucide-react";
import { type FormEvent, useId, useState } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";
import { Menu, MenuItem } from "@/components/ui/menu";
import { Notice } from "@/components/ui/notice";
import { toast } from "@/components/ui/toasts";
import { errorText } from "@/lib/api/error";
import { queryClient } from "@/lib/api/query";

export interface Act {
  /** What the menu and the button say: the act itself. */
  name: string;
  /** What comes of it. */
  about: string;
  isDangerous?: boolean;
  run: (body: { reason: string }) => Promise<unknown>;
}

/** What may be done to one thing. Each act asks why, since the audit keeps it. */
export function Acts({ of, acts }: { of: string; acts: Act[] }) {
  const { t } = useTranslation();
  const [chosen, setChosen] = useState<Act | null>(null);
  if (acts.length === 0) return null;
  return (
    <>
      <Menu
        align="end"
        trigger={
          <Button look="ghost" size="iconSm" aria-label={t("operations.actsOf", { of })}>
            <Ellipsis aria-hidden />
          </Button>
        }
      >
        {acts.map((act) => (
          <MenuItem key={act.name} onSelect={() => setChosen(act)}>
            {act.name}
          </MenuItem>
        ))}
      </Menu>
      {chosen ? <ActDialog of={of} act={chosen} onClose={() => setChosen(null)} /> : null}
    </>
  );
}

function ActDialog({ of, act, onClose }: { of: string; act: Act; onClose: () => void }) {
  const { t } = useTranslation();
  const form = useId();
  const done = useMutation({
    mutationFn: act.run,
    onSuccess: () => {
      toast("ok", t("operations.done", { act: act.name, of }));
      void queryClient.invalidateQueries();
      onClose();
    },
  });
  const onSubmit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    done.mutate({ reason: String(new FormData(event.currentTarget).get("reason") ?? "").trim() });
  };
  return (
    <Dialog
      open
      onOpenChange={(open) => {
        if (!open) onClose();
      }}
      title={`${act.name}: ${of}`}
      description={act.about}
      footer={
        <>
          <Button onClick={onClose}>{t("common.cancel")}</Button>
          <Button
            type="submit"
            form={form}
            look={act.isDangerous ? "danger" : "solid"}
            disabled={done.isPending}
          >
            {act.name}
          </Button>
        </>
      }
    >
      <form id={form} onSubmit={onSubmit} className="flex flex-col gap-3">
        <Field label={t("operations.reason")} hint={t("operations.reasonHint")}>
          <Input name="reason" required maxLength={500} autoFocus autoComplete="off" />
        </Field>
        {done.error ? (
          <Notice tone="bad" isAlert>
            {errorText(done.error, t)}
          </Notice>
        ) : null}
      </form>
    </Dialog>
  );
}
