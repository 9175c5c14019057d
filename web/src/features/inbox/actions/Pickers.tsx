import { useMutation } from "@tanstack/react-query";
import { AlarmClock, Plus, UserX } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { Avatar } from "@/components/avatar";
import { Button } from "@/components/ui/button";
import { Input } from "@/components/ui/input";
import { toast } from "@/components/ui/toasts";
import { client } from "@/lib/api/client";
import { errorText } from "@/lib/api/error";
import { useFormats } from "@/lib/format";
import { useMay, useMe } from "@/lib/session";

import { useConversation } from "../data/conversation";
import { forgetLabels, useLabels, useUsers } from "../data/reference";
import { type Conversation, said } from "../wire";
import { type Choice, Picker } from "@/components/picker";
import { snoozes } from "./snoozes";
import { type PickerKind, useChange } from "./useActions";

interface PickersProps {
  kind: PickerKind;
  conversation: Conversation;
  onLeave: (conversation: Conversation) => void;
  onClose: () => void;
}

export function Pickers({ kind, conversation, onLeave, onClose }: PickersProps) {
  switch (kind) {
    case "assign":
      return <Assign conversation={conversation} onClose={onClose} />;
    case "label":
      return <Labels conversation={conversation} onClose={onClose} />;
    case "snooze":
      return <Snooze conversation={conversation} onLeave={onLeave} onClose={onClose} />;
  }
}

type PickProps = Pick<PickersProps, "conversation" | "onClose">;

/** Who has it. Whoever may only reply can take what is nobody's, and give back what is theirs. */
function Assign({ conversation, onClose }: PickProps) {
  const { t } = useTranslation();
  const me = useMe().user.id;
  const may = useMay();
  const { users } = useUsers();
  const apply = useChange();
  const held = conversation.assignee_id ?? null;
  const allowed = (wanted: string | null) =>
    may("conversations.assign") ||
    (held === null && wanted === me) ||
    (held === me && (wanted === null || wanted === me));
  const why = (wanted: string | null) => (allowed(wanted) ? null : t("inbox.why.permission"));
  const people = users
    .filter((user) => user.is_active)
    .toSorted((a, b) => Number(b.id === me) - Number(a.id === me) || a.name.localeCompare(b.name));
  const choices: Choice[] = [
    ...people.map((user) => ({
      id: user.id as string,
      text: user.id === me ? t("inbox.assign.me", { name: user.name }) : user.name,
      mark: <Avatar name={user.name} className="size-5 text-[0.5625rem]" />,
      isOn: user.id === held,
      why: why(user.id),
    })),
    {
      id: "nobody",
      text: t("inbox.assign.nobody"),
      mark: <UserX aria-hidden className="size-4 text-faint" />,
      isOn: held === null,
      why: why(null),
    },
  ];
  return (
    <Picker
      title={t("inbox.act.assign")}
      placeholder={t("inbox.assign.placeholder")}
      none={t("inbox.assign.none")}
      choices={() => choices}
      onChoose={({ id, text }) => {
        const assignee_id = id === "nobody" ? null : id;
        const told = assignee_id ? t("inbox.told.assigned", { name: text }) : t("inbox.told.unassigned");
        if (assignee_id !== held) void apply(conversation, { assignee_id }, told);
        return false;
      }}
      onClose={onClose}
    />
  );
}

const COLORS = ["#70b8ff", "#57cf98", "#f5b83d", "#ff8589", "#b1b2ff", "#d19dff", "#5ed1d1", "#e2a57b"];

/** Its labels: each choice puts one on or takes it off, and the picker stays. */
function Labels({ conversation, onClose }: PickProps) {
  const { t } = useTranslation();
  const may = useMay();
  const { labels } = useLabels();
  const apply = useChange();
  const current = useConversation(conversation.id).data ?? conversation;
  const set = (label_ids: string[], told: string) => void apply(current, { label_ids }, told);
  const make = useMutation({
    mutationFn: (name: string) =>
      said(
        client.POST("/api/v1/labels", {
          body: { name, color: COLORS[labels.length % COLORS.length] ?? null },
        }),
      ),
    onSuccess: (label) => {
      void forgetLabels();
      set([...current.label_ids, label.id], t("inbox.told.labelled", { name: label.name }));
    },
    onError: (error) => toast("bad", errorText(error, t)),
  });
  const choices = (text: string): Choice[] => {
    const all: Choice[] = labels.map((label) => ({
      id: label.id as string,
      text: label.name,
      mark: <span aria-hidden className="size-2.5 rounded-full" style={{ backgroundColor: label.color }} />,
      isOn: current.label_ids.includes(label.id),
    }));
    const isKnown = labels.some((label) => label.name.toLocaleLowerCase() === text.toLocaleLowerCase());
    if (!text || isKnown || !may("conversations.manage_filters")) return all;
    const mark = <Plus aria-hidden className="size-4 text-faint" />;
    return [
      ...all,
      { id: "new", text: t("inbox.labels.make", { name: text }), hint: text, mark, isAlways: true },
    ];
  };
  return (
    <Picker
      title={t("inbox.act.label")}
      placeholder={t("inbox.labels.placeholder")}
      none={t("inbox.labels.none")}
      choices={choices}
      onChoose={({ id, text, hint, isOn }) => {
        if (id === "new") make.mutate(hint ?? "");
        else if (isOn)
          set(
            current.label_ids.filter((other) => other !== id),
            t("inbox.told.unlabelled", { name: text }),
          );
        else set([...current.label_ids, id], t("inbox.told.labelled", { name: text }));
        return id !== "new";
      }}
      onClose={onClose}
    />
  );
}

/** Out of sight until a time, or until something comes in. */
function Snooze({ conversation, onLeave, onClose }: PickProps & Pick<PickersProps, "onLeave">) {
  const { t } = useTranslation();
  const formats = useFormats();
  const apply = useChange();
  const [own, setOwn] = useState("");
  const [now] = useState(() => new Date());
  const snooze = (at: Date) => {
    onLeave(conversation);
    void apply(
      conversation,
      { snoozed_until: at.toISOString() },
      t("inbox.told.snoozed", { at: formats.dateTime(at) }),
    );
    onClose();
  };
  const times = snoozes(now);
  return (
    <Picker
      title={t("inbox.act.snooze")}
      placeholder={t("inbox.snooze.placeholder")}
      none={t("inbox.snooze.none")}
      choices={() =>
        times.map(({ id, at }) => ({
          id,
          text: t(`inbox.snooze.${id}`),
          hint: formats.dateTime(at),
          mark: <AlarmClock aria-hidden className="size-4 text-faint" />,
        }))
      }
      onChoose={({ id }) => {
        const chosen = times.find((time) => time.id === id);
        if (chosen) snooze(chosen.at);
        return false;
      }}
      onClose={onClose}
    >
      <form
        onSubmit={(event) => {
          event.preventDefault();
          const at = new Date(own);
          if (at > new Date()) snooze(at);
        }}
        className="flex items-end gap-2 border-t border-line p-3"
      >
        <label className="flex min-w-0 flex-1 flex-col gap-1 text-xs text-muted">
          {t("inbox.snooze.own")}
          <Input type="datetime-local" value={own} onChange={({ target }) => setOwn(target.value)} required />
        </label>
        <Button type="submit">{t("inbox.act.snooze")}</Button>
      </form>
    </Picker>
  );
}
