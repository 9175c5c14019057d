import { Ellipsis } from "lucide-react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/ui/button";
import { Kbd } from "@/components/ui/kbd";
import { Menu, MenuItem } from "@/components/ui/menu";
import { Tooltip } from "@/components/ui/tooltip";
import { cn } from "@/lib/cn";

import type { Conversation } from "../wire";
import type { Action } from "./useActions";

interface BarProps {
  actions: Action[];
  conversation: Conversation;
}

/** Seen at once, from tablets on; all of them are in the menu too. */
const FIRST: readonly Action["id"][] = ["assign", "label", "snooze", "close"];

export function ActionBar({ actions, conversation }: BarProps) {
  const { t } = useTranslation();
  const first = actions.filter(({ id }) => FIRST.includes(id));
  return (
    <>
      <div className="flex items-center gap-0.5">
        {first.map(({ id, text, icon: Icon, keys, why, run }) => (
          <Tooltip key={id} text={why ?? text} {...(keys && !why ? { keys } : {})}>
            <Button
              look="ghost"
              size="icon"
              aria-label={text}
              aria-disabled={why !== null}
              className={cn(id !== "close" && "max-md:hidden")}
              onClick={() => !why && run(conversation)}
            >
              <Icon aria-hidden />
            </Button>
          </Tooltip>
        ))}
      </div>
      <Menu
        align="end"
        trigger={
          <Button look="ghost" size="icon" aria-label={t("inbox.act.more")}>
            <Ellipsis aria-hidden />
          </Button>
        }
      >
        {actions.map(({ id, text, icon: Icon, keys, why, run }) => (
          <MenuItem
            key={id}
            disabled={why !== null}
            title={why ?? undefined}
            // what it opens is to have the focus, not the button of the menu
            onSelect={() => setTimeout(() => run(conversation))}
          >
            <Icon aria-hidden />
            <span className="flex-1">{text}</span>
            {why ? (
              <span className="max-w-40 truncate text-xs text-faint">{why}</span>
            ) : keys ? (
              <Kbd keys={keys} className="max-md:hidden" />
            ) : null}
          </MenuItem>
        ))}
      </Menu>
    </>
  );
}
