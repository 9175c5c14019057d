import { useMutation } from "@tanstack/react-query";
import { ArrowLeft } from "lucide-react";
import { type FormEvent, useId, useRef, useState } from "react";
import { useTranslation } from "react-i18next";

import { Leaving } from "@/components/leaving";
import { Page } from "@/components/page";
import { Button } from "@/components/ui/button";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";
import { Notice } from "@/components/ui/notice";
import { Panel } from "@/components/ui/panel";
import { toast } from "@/components/ui/toasts";
import { client, onceKey, type Permission } from "@/lib/api/client";
import { ApiError, errorText } from "@/lib/api/error";
import { useMe } from "@/lib/session";

import { ALL, GROUPS } from "./permissions";
import { isBuiltIn, isWithin, readAgain, type Role, useNameOf } from "./wire";

interface RoleEditorProps {
  roles: readonly Role[];
  /** The id of a role, or `new`. */
  open: string;
  /** What a new one is made from. */
  from: string | undefined;
  onClose: () => void;
  onCopy: (id: string) => void;
}

/** One role: its name and what it lets somebody do. One that nobody may change is only looked at. */
export function RoleEditor({ roles, open, from, onClose, onCopy }: RoleEditorProps) {
  const { t } = useTranslation();
  const role = roles.find(({ id }) => id === open);
  const model = roles.find(({ id }) => id === from);
  const nameOf = useNameOf();
  if (!role && open !== "new") {
    return (
      <Page title={t("permissions.title")} back={<Back onClose={onClose} />}>
        <Notice tone="info">{t("permissions.gone")}</Notice>
      </Page>
    );
  }
  return role ? (
    <Editor role={role} name={nameOf(role)} start={role.permissions} onClose={onClose} onCopy={onCopy} />
  ) : (
    <Editor
      name={model ? t("permissions.copyOf", { name: nameOf(model) }) : ""}
      start={model?.permissions ?? []}
      onClose={onClose}
      onCopy={onCopy}
    />
  );
}

function Back({ onClose }: { onClose: () => void }) {
  const { t } = useTranslation();
  return (
    <Button look="ghost" size="iconSm" aria-label={t("permissions.back")} onClick={onClose}>
      <ArrowLeft aria-hidden />
    </Button>
  );
}

interface EditorProps {
  role?: Role;
  name: string;
  start: readonly Permission[];
  onClose: () => void;
  onCopy: (id: string) => void;
}

function useSave(role: Role | undefined, onSaved: () => void) {
  const { t } = useTranslation();
  const key = useRef(onceKey());
  return useMutation({
    mutationFn: async (body: { name: string; permissions: Permission[] }) => {
      if (role) {
        await client.PATCH("/api/v1/roles/{id}", { params: { path: { id: role.id } }, body });
      } else {
        await client.POST("/api/v1/roles", { body, headers: { "Idempotency-Key": key.current } });
      }
    },
    onSuccess: async () => {
      toast("ok", t("permissions.saved"));
      await readAgain();
      onSaved();
    },
    onError: () => {
      key.current = onceKey();
    },
  });
}

function Editor({ role, name: firstName, start, onClose, onCopy }: EditorProps) {
  const { t } = useTranslation();
  const form = useId();
  const mine = useMe().permissions;
  const [name, setName] = useState(firstName);
  // a copy holds what may be given on, and no more
  const [wanted, setWanted] = useState<ReadonlySet<Permission>>(
    () => new Set(role ? start : start.filter((permission) => mine.includes(permission))),
  );
  const [isDone, setDone] = useState(false);
  const save = useSave(role, () => {
    setDone(true);
    onClose();
  });
  const isFixed = role !== undefined && (isBuiltIn(role) || !isWithin(role, mine));
  const isChanged =
    name !== (role ? firstName : "") || wanted.size !== start.length || start.some((one) => !wanted.has(one));
  const set = (permissions: readonly Permission[], isOn: boolean) =>
    setWanted((now) => {
      const next = new Set(now);
      for (const permission of permissions) {
        if (isOn) next.add(permission);
        else next.delete(permission);
      }
      return next;
    });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    save.mutate({ name, permissions: ALL.filter((permission) => wanted.has(permission)) });
  };
  const told = save.error instanceof ApiError ? save.error : null;
  const atName = told && ["role_name_taken", "role_name_length"].includes(told.code) ? told : null;
  return (
    <Page
      title={role ? firstName : t("permissions.make")}
      back={<Back onClose={onClose} />}
      actions={
        isFixed ? null : (
          <>
            <Button onClick={onClose}>{t("common.cancel")}</Button>
            <Button look="solid" type="submit" form={form} disabled={save.isPending}>
              {t("permissions.save")}
            </Button>
          </>
        )
      }
    >
      <form id={form} className="flex max-w-4xl flex-col gap-4" onSubmit={submit}>
        {isFixed ? (
          <>
            <Notice tone="info">{t(isBuiltIn(role) ? "permissions.fixed" : "permissions.beyond")}</Notice>
            {/* here rather than above: else nothing in what scrolls could be reached by keys */}
            <Button className="self-start" onClick={() => onCopy(role.id)}>
              {t("permissions.copy")}
            </Button>
          </>
        ) : (
          <Field
            label={t("permissions.name")}
            error={atName ? errorText(atName, t) : undefined}
            hint={
              role && role.user_count > 0 ? t("permissions.heldBy", { count: role.user_count }) : undefined
            }
            className="max-w-md"
          >
            <Input
              value={name}
              onChange={({ target }) => setName(target.value)}
              required
              maxLength={60}
              autoComplete="off"
            />
          </Field>
        )}
        {save.error && !atName ? (
          <Notice tone="bad" isAlert>
            {errorText(save.error, t)}
          </Notice>
        ) : null}
        <div className="grid items-start gap-4 lg:grid-cols-2">
          {GROUPS.map(({ group, permissions }) => (
            <Panel key={group} title={t(`permissions.groups.${group}`)}>
              <GroupOf permissions={permissions} wanted={wanted} mine={mine} isFixed={isFixed} set={set} />
            </Panel>
          ))}
        </div>
      </form>
      <Leaving
        isUnsaved={!isFixed && isChanged && !isDone}
        isSaving={save.isPending}
        discard={() => setDone(true)}
        text={t("permissions.unsaved")}
      />
    </Page>
  );
}

interface GroupProps {
  permissions: readonly Permission[];
  wanted: ReadonlySet<Permission>;
  mine: readonly Permission[];
  isFixed: boolean;
  set: (permissions: readonly Permission[], isOn: boolean) => void;
}

function GroupOf({ permissions, wanted, mine, isFixed, set }: GroupProps) {
  const { t } = useTranslation();
  const open = permissions.filter((permission) => mine.includes(permission));
  const count = open.filter((permission) => wanted.has(permission)).length;
  return (
    <ul className="flex flex-col gap-1.5">
      {isFixed || open.length < 2 ? null : (
        <li className="border-b border-line pb-1.5">
          <label className="flex items-center gap-2 text-sm text-muted">
            <input
              type="checkbox"
              checked={count === open.length}
              ref={(box) => {
                if (box) box.indeterminate = count > 0 && count < open.length;
              }}
              onChange={({ target }) => set(open, target.checked)}
            />
            {t("permissions.all")}
          </label>
        </li>
      )}
      {permissions.map((permission) => {
        const isMine = mine.includes(permission);
        return (
          <li key={permission}>
            <label
              className="flex items-center gap-2 text-sm has-disabled:text-faint"
              title={isMine || isFixed ? undefined : t("permissions.notYours")}
            >
              <input
                type="checkbox"
                checked={wanted.has(permission)}
                disabled={isFixed || !isMine}
                onChange={({ target }) => set([permission], target.checked)}
              />
              {t(`permissions.names.${permission}`)}
            </label>
          </li>
        );
      })}
    </ul>
  );
}
