import { useTranslation } from "react-i18next";

import { useTitleCount } from "@/lib/title";

import { useCounts, useLiveCounts } from "./data/counts";

/** How many conversations have something unread: at the inbox in the navigation, and in the browser's tab. */
export function UnreadBadge() {
  const { t } = useTranslation();
  useLiveCounts();
  const unread = useCounts()?.all_unread ?? 0;
  useTitleCount(unread);
  if (unread === 0) return null;
  return (
    <span
      data-unread={unread}
      className="figures absolute -top-1.5 left-3 rounded-full bg-imessage px-1 text-[0.625rem] leading-4 font-semibold text-on-accent"
    >
      <span aria-hidden>{unread > 99 ? "99+" : unread}</span>
      <span className="sr-only">{t("inbox.unreadConversations", { count: unread })}</span>
    </span>
  );
}
