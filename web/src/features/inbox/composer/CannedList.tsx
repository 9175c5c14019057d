import { useTranslation } from "react-i18next";

import { cn } from "@/lib/cn";

import type { CannedReply } from "./canned";

interface CannedListProps {
  id: string;
  found: CannedReply[];
  place: number;
  onChoose: (reply: CannedReply) => void;
}

export const optionId = (list: string, reply: CannedReply) => `${list}-${reply.id}`;

/** The canned replies that fit, above the field; chosen by keys from within it. */
export function CannedList({ id, found, place, onChoose }: CannedListProps) {
  const { t } = useTranslation();
  return (
    <ul
      id={id}
      role="listbox"
      aria-label={t("inbox.canned.label")}
      className="absolute inset-x-0 bottom-full z-20 mb-1 max-h-64 overflow-y-auto rounded-md border border-line bg-overlay p-1 shadow-xl"
    >
      {found.map((reply, index) => (
        <li
          key={reply.id}
          id={optionId(id, reply)}
          role="option"
          aria-selected={index === place}
          // the field keeps the focus
          onPointerDown={(event) => event.preventDefault()}
          onClick={() => onChoose(reply)}
          className={cn(
            "flex cursor-pointer items-baseline gap-2 rounded-sm px-2 py-1.5 text-sm",
            index === place ? "bg-selected" : "hover:bg-hover",
          )}
        >
          <span className="shrink-0 font-medium text-accent-ink">/{reply.shortcut}</span>
          <span className="truncate text-muted">{reply.body}</span>
        </li>
      ))}
    </ul>
  );
}
