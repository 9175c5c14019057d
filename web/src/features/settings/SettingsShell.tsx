import { Link, Outlet, useLocation } from "@tanstack/react-router";
import {
  Building2,
  ChartColumn,
  EyeOff,
  KeyRound,
  type LucideIcon,
  Moon,
  Phone,
  ScrollText,
  ShieldCheck,
  SlidersHorizontal,
  Users,
  UsersRound,
  Webhook,
} from "lucide-react";
import { Suspense, useEffect, useRef } from "react";
import { useTranslation } from "react-i18next";

import { Loading } from "@/components/ui/states";
import type { Permission } from "@/lib/api/client";
import { useMay } from "@/lib/session";

interface Section {
  id:
    | "security"
    | "users"
    | "teams"
    | "roles"
    | "general"
    | "organizations"
    | "lines"
    | "quietHours"
    | "webhooks"
    | "usage"
    | "privacy"
    | "audit";
  to:
    | "/settings/security"
    | "/settings/users"
    | "/settings/teams"
    | "/settings/roles"
    | "/settings/general"
    | "/settings/organizations"
    | "/settings/lines"
    | "/settings/quiet-hours"
    | "/settings/webhooks"
    | "/settings/usage"
    | "/settings/privacy"
    | "/settings/audit";
  icon: LucideIcon;
  /** Who may not do this does not see the section. */
  needs?: Permission;
}

/** In the order of the list: what is one's own, who works here, how it works, what was done. */
const SECTIONS: readonly Section[] = [
  { id: "security", to: "/settings/security", icon: ShieldCheck },
  { id: "users", to: "/settings/users", icon: Users, needs: "admin.users_view" },
  { id: "teams", to: "/settings/teams", icon: UsersRound, needs: "admin.users_view" },
  { id: "roles", to: "/settings/roles", icon: KeyRound, needs: "admin.roles_manage" },
  { id: "general", to: "/settings/general", icon: SlidersHorizontal, needs: "admin.settings_view" },
  { id: "organizations", to: "/settings/organizations", icon: Building2, needs: "admin.settings_view" },
  { id: "lines", to: "/settings/lines", icon: Phone, needs: "admin.channels_manage" },
  { id: "quietHours", to: "/settings/quiet-hours", icon: Moon, needs: "campaigns.view" },
  { id: "webhooks", to: "/settings/webhooks", icon: Webhook, needs: "admin.webhooks_manage" },
  { id: "usage", to: "/settings/usage", icon: ChartColumn, needs: "admin.settings_view" },
  { id: "privacy", to: "/settings/privacy", icon: EyeOff, needs: "contacts.export" },
  { id: "audit", to: "/settings/audit", icon: ScrollText, needs: "admin.audit_view" },
];

/** The settings: their sections beside them, or above them where there is no room. */
export function SettingsShell() {
  const { t } = useTranslation();
  const may = useMay();
  const sections = SECTIONS.filter(({ needs }) => !needs || may(needs));
  const list = useRef<HTMLElement>(null);
  const { pathname } = useLocation();
  // on a phone the one that is open may lie beyond the edge
  useEffect(() => {
    list.current
      ?.querySelector("[data-status=active]")
      ?.scrollIntoView({ block: "nearest", inline: "center" });
  }, [pathname]);
  return (
    <div className="flex h-full min-h-0 flex-col md:flex-row">
      <nav
        ref={list}
        aria-label={t("settings.sectionsOf")}
        className="flex shrink-0 gap-1 overflow-x-auto border-b border-line px-3 py-1.5 md:w-48 md:flex-col md:overflow-y-auto md:border-r md:border-b-0 md:py-3"
      >
        {sections.map(({ id, to, icon: Icon }) => (
          <Link
            key={id}
            to={to}
            className="flex shrink-0 items-center gap-2 rounded-md px-2.5 py-1.5 text-sm text-muted -outline-offset-2 hover:bg-hover hover:text-ink data-[status=active]:bg-hover data-[status=active]:font-medium data-[status=active]:text-ink [&_svg]:size-4"
          >
            <Icon aria-hidden />
            {t(`settings.sections.${id}`)}
          </Link>
        ))}
      </nav>
      <div className="min-h-0 min-w-0 flex-1">
        <Suspense fallback={<Loading />}>
          <Outlet />
        </Suspense>
      </div>
    </div>
  );
}
