import { useMutation } from "@tanstack/react-query";
import { type FormEvent, useId, useRef, useState } from "react";
import { useTranslation } from "react-i18next";

import { ShownOnce } from "@/components/shown-once";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Field } from "@/components/ui/field";
import { Input, Select } from "@/components/ui/input";
import { Notice } from "@/components/ui/notice";
import { toast } from "@/components/ui/toasts";
import { client, onceKey, type Schemas } from "@/lib/api/client";
import { ApiError, errorText } from "@/lib/api/error";
import { useFormats } from "@/lib/format";
import { useMe } from "@/lib/session";

import { isBuiltIn, isWithin, type Role, useNameOf, useRoles } from "@/features/roles/wire";

import { type Invited, readAgain, type User } from "./UsersPage";

/** Texts of the built-in roles are found by their ids. */
type BuiltInId = "owner" | "admin" | "supervisor" | "agent" | "marketing" | "billing" | "read_only";

function RoleField({ value, error }: { value?: string; error?: string | undefined }) {
  const { t } = useTranslation();
  const roles = useRoles();
  const nameOf = useNameOf();
  const mine = useMe();
  const [id, setId] = useState(value ?? "agent");
  const known = roles.data ?? [];
  const chosen = known.find((role) => role.id === id);
  const isGivable = (role: Role) => isWithin(role, mine);
  const says = chosen && !isBuiltIn(chosen) ? t("users.ownRoleSays") : t(`users.roleSays.${id as BuiltInId}`);
  return (
    <Field
      label={t("users.role")}
      hint={chosen ? says : undefined}
      error={roles.error ? errorText(roles.error, t) : error}
    >
      <Select
        name="role"
        value={id}
        disabled={
          !chosen || (value !== undefined && !known.some((role) => role.id === value && isGivable(role)))
        }
        onChange={({ target }) => setId(target.value)}
      >
        {known.map((role) => (
          <option key={role.id} value={role.id} disabled={!isGivable(role)}>
            {nameOf(role)}
          </option>
        ))}
      </Select>
    </Field>
  );
}

const valueOf = (event: FormEvent<HTMLFormElement>, name: string) =>
  String(new FormData(event.currentTarget).get(name) ?? "").trim();

function useErrorOf(error: unknown) {
  const { t } = useTranslation();
  const told = error instanceof ApiError ? error : null;
  return {
    at: (field: string) => (told?.field === field ? errorText(told, t) : undefined),
    elsewhere: told && !["name", "email", "role"].includes(told.field ?? "") ? errorText(told, t) : null,
  };
}

interface InviteProps {
  onClose: () => void;
  onInvited: (invited: Invited) => void;
}

export function InviteUser({ onClose, onInvited }: InviteProps) {
  const { t } = useTranslation();
  const form = useId();
  const key = useRef(onceKey());
  const invite = useMutation({
    mutationFn: async (body: Schemas["UserBody"]) => {
      const { data } = await client.POST("/api/v1/users", {
        body,
        headers: { "Idempotency-Key": key.current },
      });
      if (!data) throw ApiError.unreachable();
      return data;
    },
    onSuccess: (invited) => {
      void readAgain();
      onInvited(invited);
    },
    onError: () => {
      key.current = onceKey();
    },
  });
  const error = useErrorOf(invite.error);
  return (
    <Dialog
      open
      onOpenChange={onClose}
      title={t("users.invite")}
      description={t("users.inviteSays")}
      footer={
        <>
          <Button onClick={onClose}>{t("common.cancel")}</Button>
          <Button look="solid" type="submit" form={form} disabled={invite.isPending}>
            {t("users.makeLink")}
          </Button>
        </>
      }
    >
      <form
        id={form}
        className="flex flex-col gap-4"
        onSubmit={(event) => {
          event.preventDefault();
          invite.mutate({
            name: valueOf(event, "name"),
            email: valueOf(event, "email"),
            role: valueOf(event, "role"),
          });
        }}
      >
        <Field label={t("users.name")} error={error.at("name")}>
          <Input name="name" required maxLength={200} autoComplete="off" />
        </Field>
        <Field label={t("users.email")} error={error.at("email")}>
          <Input name="email" type="email" required autoComplete="off" />
        </Field>
        <RoleField error={error.at("role")} />
        {error.elsewhere ? (
          <Notice tone="bad" isAlert>
            {error.elsewhere}
          </Notice>
        ) : null}
      </form>
    </Dialog>
  );
}

export function EditUser({ user, onClose }: { user: User; onClose: () => void }) {
  const { t } = useTranslation();
  const form = useId();
  const save = useMutation({
    mutationFn: (body: { name: string; role?: string }) =>
      client.PATCH("/api/v1/users/{id}", { params: { path: { id: user.id } }, body: body as never }),
    onSuccess: () => {
      toast("ok", t("users.saved"));
      void readAgain();
      onClose();
    },
  });
  const error = useErrorOf(save.error);
  return (
    <Dialog
      open
      onOpenChange={onClose}
      title={t("users.edit")}
      description={user.email}
      footer={
        <>
          <Button onClick={onClose}>{t("common.cancel")}</Button>
          <Button look="solid" type="submit" form={form} disabled={save.isPending}>
            {t("users.save")}
          </Button>
        </>
      }
    >
      <form
        id={form}
        className="flex flex-col gap-4"
        onSubmit={(event) => {
          event.preventDefault();
          const role = valueOf(event, "role");
          save.mutate({ name: valueOf(event, "name"), ...(role && role !== user.role ? { role } : {}) });
        }}
      >
        <Field label={t("users.name")} error={error.at("name")}>
          <Input name="name" defaultValue={user.name} required maxLength={200} autoComplete="off" />
        </Field>
        <RoleField value={user.role} error={error.at("role")} />
        {error.elsewhere ? (
          <Notice tone="bad" isAlert>
            {error.elsewhere}
          </Notice>
        ) : null}
      </form>
    </Dialog>
  );
}

/** The link, which is shown this once: the server keeps only its hash. */
export function LinkShown({ invited, onClose }: { invited: Invited; onClose: () => void }) {
  const { t } = useTranslation();
  const formats = useFormats();
  const { name, invitation_url: url, invitation_expires_at: until } = invited;
  return (
    <ShownOnce
      title={t("users.linkOf", { name })}
      says={t("users.linkSays", { until: formats.dateTime(until) })}
      label={t("users.link")}
      value={url}
      gone={t("users.linkGone")}
      copy={t("users.copy")}
      copied={t("users.copied")}
      onClose={onClose}
    />
  );
}
