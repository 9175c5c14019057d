import { Link } from "@tanstack/react-router";
import { CircleHelp, Command } from "lucide-react";
import { useTranslation } from "react-i18next";

import { Tooltip } from "@/components/ui/tooltip";
import { UnreadBadge } from "@/features/inbox/UnreadBadge";

import type { AREAS } from "./areas";
import { UserMenu } from "./UserMenu";

type Areas = readonly (typeof AREAS)[number][];

const railItem =
  "flex w-full flex-col items-center gap-1 rounded-md py-2 text-2xs text-muted hover:bg-hover hover:text-ink data-[status=active]:bg-selected data-[status=active]:text-ink [&_svg]:size-5";

interface RailProps {
  areas: Areas;
  onPalette: () => void;
  onHelp: () => void;
}

/** The rail at the left, from tablets on. */
export function Rail({ areas, onPalette, onHelp }: RailProps) {
  const { t } = useTranslation();
  return (
    <nav
      aria-label={t("nav.label")}
      className="hidden w-[4.75rem] shrink-0 flex-col items-center gap-1 border-r border-line bg-surface px-1.5 py-2 md:flex"
    >
      <img src="/favicon.svg" alt="Paloma" className="mt-1 mb-3 size-8" />
      {areas.map(({ id, to, icon: Icon, keys }) => (
        <Tooltip key={id} text={t(`nav.${id}`)} keys={keys} side="right">
          <Link to={to} className={railItem}>
            <span className="relative">
              <Icon aria-hidden strokeWidth={1.6} />
              {id === "inbox" ? <UnreadBadge /> : null}
            </span>
            {t(`nav.${id}`)}
          </Link>
        </Tooltip>
      ))}
      <div className="mt-auto flex w-full flex-col items-center gap-1">
        <Tooltip text={t("keys.palette")} keys="Mod+k" side="right">
          <button type="button" className={railItem} onClick={onPalette} aria-label={t("keys.palette")}>
            <Command aria-hidden strokeWidth={1.6} />
          </button>
        </Tooltip>
        <Tooltip text={t("keys.help")} keys="?" side="right">
          <button type="button" className={railItem} onClick={onHelp} aria-label={t("keys.help")}>
            <CircleHelp aria-hidden strokeWidth={1.6} />
          </button>
        </Tooltip>
        <UserMenu side="right" />
      </div>
    </nav>
  );
}

/** The same at the bottom of a phone, within reach of a thumb. */
export function BottomBar({ areas }: { areas: Areas }) {
  const { t } = useTranslation();
  return (
    <nav
      aria-label={t("nav.label")}
      className="flex shrink-0 items-stretch border-t border-line bg-surface pb-[env(safe-area-inset-bottom)] md:hidden"
    >
      {areas.map(({ id, to, icon: Icon }) => (
        <Link
          key={id}
          to={to}
          className="flex min-w-0 flex-1 flex-col items-center gap-0.5 py-1.5 text-2xs text-muted data-[status=active]:text-accent-ink"
        >
          <span className="relative">
            <Icon aria-hidden className="size-5" strokeWidth={1.6} />
            {id === "inbox" ? <UnreadBadge /> : null}
          </span>
          <span className="max-w-full truncate">{t(`nav.${id}`)}</span>
        </Link>
      ))}
      <div className="flex flex-1 items-center justify-center">
        <UserMenu side="top" />
      </div>
    </nav>
  );
}
