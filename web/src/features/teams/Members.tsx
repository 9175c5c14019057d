import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Field } from "@/components/ui/field";
import { Select } from "@/components/ui/input";
import { Notice } from "@/components/ui/notice";
import { Failed, Loading } from "@/components/ui/states";
import { client } from "@/lib/api/client";
import { errorText } from "@/lib/api/error";

import { readAgain, type Team, useColleagues, useMembers } from "./wire";

interface MembersProps {
  team: Team;
  manages: boolean;
  onClose: () => void;
}

/** Who is in a team; whoever manages people puts them in and takes them out. */
export function Members({ team, manages, onClose }: MembersProps) {
  const { t } = useTranslation();
  const members = useMembers(team.id);
  const path = (user_id: string) => ({ params: { path: { id: team.id, user_id } } });
  const change = useMutation({
    mutationFn: async ({ user_id, isIn }: { user_id: string; isIn: boolean }) => {
      if (isIn) await client.PUT("/api/v1/teams/{id}/members/{user_id}", path(user_id));
      else await client.DELETE("/api/v1/teams/{id}/members/{user_id}", path(user_id));
    },
    onSettled: readAgain,
  });
  return (
    <Dialog
      open
      onOpenChange={onClose}
      side
      title={team.name}
      description={t("teams.membersSays")}
      footer={<Button onClick={onClose}>{t("common.close")}</Button>}
    >
      {members.isPending ? (
        <Loading />
      ) : members.error ? (
        <Failed error={members.error} retry={() => void members.refetch()} />
      ) : (
        <div className="flex flex-col gap-4">
          {manages ? (
            <Add
              isTaken={(id) => members.data.some(({ user_id }) => user_id === id)}
              isBusy={change.isPending}
              onAdd={(user_id) => change.mutate({ user_id, isIn: true })}
            />
          ) : null}
          {change.error ? (
            <Notice tone="bad" isAlert>
              {errorText(change.error, t)}
            </Notice>
          ) : null}
          {members.data.length === 0 ? (
            <p className="text-sm text-muted">{t("teams.nobody")}</p>
          ) : (
            <ul aria-label={t("teams.members")} className="divide-y divide-line">
              {members.data.map(({ user_id, name, email }) => (
                <li key={user_id} className="flex items-center gap-3 py-2">
                  <div className="min-w-0 flex-1">
                    <p className="truncate text-base">{name}</p>
                    <p className="truncate text-sm text-muted">{email}</p>
                  </div>
                  {manages ? (
                    <Button
                      size="sm"
                      aria-label={t("teams.takeOutOf", { name })}
                      disabled={change.isPending}
                      onClick={() => change.mutate({ user_id, isIn: false })}
                    >
                      {t("teams.takeOut")}
                    </Button>
                  ) : null}
                </li>
              ))}
            </ul>
          )}
        </div>
      )}
    </Dialog>
  );
}

interface AddProps {
  isTaken: (id: string) => boolean;
  isBusy: boolean;
  onAdd: (id: string) => void;
}

function Add({ isTaken, isBusy, onAdd }: AddProps) {
  const { t } = useTranslation();
  const colleagues = useColleagues();
  const [id, setId] = useState("");
  const free = colleagues.data?.filter((user) => user.is_active && !isTaken(user.id)) ?? [];
  const chosen = free.find((user) => user.id === id);
  return (
    <div className="flex items-end gap-2">
      <Field
        label={t("teams.person")}
        error={colleagues.error ? errorText(colleagues.error, t) : undefined}
        className="flex-1"
      >
        <Select value={chosen?.id ?? ""} onChange={({ target }) => setId(target.value)}>
          <option value="">{t("teams.choose")}</option>
          {free.map((user) => (
            <option key={user.id} value={user.id}>
              {user.name} · {user.email}
            </option>
          ))}
        </Select>
      </Field>
      <Button
        look="solid"
        aria-disabled={!chosen}
        title={chosen ? undefined : t("teams.choose")}
        disabled={isBusy}
        onClick={() => chosen && onAdd(chosen.id)}
      >
        {t("teams.add")}
      </Button>
    </div>
  );
}
