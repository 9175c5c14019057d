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
import { client, onceKey, type Permission, type Schemas } from "@/lib/api/client";
import { ApiError, errorText } from "@/lib/api/error";
import { useMe } from "@/lib/session";

import { GrantsOf, type Wanted } from "./Grants";
import { ALL, GROUPS, type Scope } from "./permissions";
import { type Grants, isBuiltIn, isWithin, readAgain, reaches, type Role, scopeIn, useNameOf } from "./wire";

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
    <Editor role={role} name={nameOf(role)} start={role} onClose={onClose} onCopy={onCopy} />
  ) : (
    <Editor
      name={model ? t("permissions.copyOf", { name: nameOf(model) }) : ""}
      start={model ?? { permissions: [], scopes: {} }}
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
  start: Grants;
  onClose: () => void;
  onCopy: (id: string) => void;
}

function useSave(role: Role | undefined, onSaved: () => void) {
  const { t } = useTranslation();
  const key = useRef(onceKey());
  return useMutation({
    mutationFn: async (body: Schemas["RoleBody"]) => {
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

/** What a role grants; of what may be given on, as far as that. */
function wantedOf(start: Grants, within?: Grants): Wanted {
  const given = ALL.flatMap((permission): [Permission, Scope][] => {
    const scope = scopeIn(start, permission);
    const most = within ? scopeIn(within, permission) : scope;
    return scope && most ? [[permission, reaches(most, scope) ? scope : most]] : [];
  });
  return new Map(given);
}

function withScopes(
  now: Wanted,
  permissions: readonly Permission[],
  scopeOf: (permission: Permission) => Scope | undefined,
): Wanted {
  const next = new Map(now);
  for (const permission of permissions) {
    const scope = scopeOf(permission);
    if (scope) next.set(permission, scope);
    else next.delete(permission);
  }
  return next;
}

function Editor({ role, name: firstName, start, onClose, onCopy }: EditorProps) {
  const { t } = useTranslation();
  const form = useId();
  const mine = useMe();
  const [name, setName] = useState(firstName);
  // a copy holds what may be given on, and no more
  const [wanted, setWanted] = useState<Wanted>(() => wantedOf(start, role ? undefined : mine));
  const [isDone, setDone] = useState(false);
  const save = useSave(role, () => {
    setDone(true);
    onClose();
  });
  const isFixed = role !== undefined && (isBuiltIn(role) || !isWithin(role, mine));
  const isChanged =
    name !== (role ? firstName : "") ||
    wanted.size !== start.permissions.length ||
    [...wanted].some(([permission, scope]) => scopeIn(start, permission) !== scope);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const narrow = [...wanted].filter(([, scope]) => scope !== "all");
    save.mutate({
      name,
      permissions: ALL.filter((permission) => wanted.has(permission)),
      scopes: Object.fromEntries(narrow),
    });
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
              <GrantsOf
                permissions={permissions}
                wanted={wanted}
                mine={mine}
                isFixed={isFixed}
                set={(some, scope) => setWanted((now) => withScopes(now, some, scope))}
              />
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
