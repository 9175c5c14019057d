import { Link } from "@tanstack/react-router";
import { LogOut, Moon, ScrollText, ShieldCheck, UserCog } from "lucide-react";
import { useTranslation } from "react-i18next";

import { Avatar } from "@/components/avatar";
import { Menu, MenuChoice, MenuChoices, MenuItem, MenuLabel, MenuLine } from "@/components/ui/menu";
import { type Language, LANGUAGES, speak } from "@/i18n";
import { useMay, useMe } from "@/lib/session";

import { useSignOut } from "./useSignOut";

/** Each language by its own name, so that whoever is lost finds theirs. */
export const LANGUAGE_NAMES: Record<Language, string> = { es: "Español", en: "English" };

export function UserMenu({ side }: { side: "right" | "top" }) {
  const { t, i18n } = useTranslation();
  const { user, tenant } = useMe();
  const may = useMay();
  const { signOut } = useSignOut();
  return (
    <Menu
      side={side}
      align="end"
      trigger={
        <button
          type="button"
          aria-label={t("nav.user", { name: user.name })}
          className="flex size-10 items-center justify-center rounded-md hover:bg-hover"
        >
          <Avatar name={user.name} />
        </button>
      }
    >
      <div className="px-2 py-1.5">
        <p className="text-sm font-medium">{user.name}</p>
        <p className="text-xs text-muted">{user.email}</p>
        <p className="text-xs text-faint">
          {t("nav.roleAt", { role: t(`roles.${user.role}`), tenant: tenant.name })}
        </p>
      </div>
      <MenuLine />
      <MenuLabel>{t("nav.language")}</MenuLabel>
      <MenuChoices value={i18n.language} onValueChange={(language) => void speak(language as Language)}>
        {LANGUAGES.map((language) => (
          <MenuChoice key={language} value={language} lang={language}>
            {LANGUAGE_NAMES[language]}
          </MenuChoice>
        ))}
      </MenuChoices>
      <MenuLine />
      <MenuItem asChild>
        <Link to="/settings/security">
          <ShieldCheck aria-hidden />
          {t("nav.security")}
        </Link>
      </MenuItem>
      {may("admin.users_view") ? (
        <MenuItem asChild>
          <Link to="/settings/users">
            <UserCog aria-hidden />
            {t("nav.users")}
          </Link>
        </MenuItem>
      ) : null}
      {may("campaigns.view") ? (
        <MenuItem asChild>
          <Link to="/settings/quiet-hours">
            <Moon aria-hidden />
            {t("nav.quietHours")}
          </Link>
        </MenuItem>
      ) : null}
      {may("admin.audit_view") ? (
        <MenuItem asChild>
          <Link to="/settings/audit">
            <ScrollText aria-hidden />
            {t("nav.audit")}
          </Link>
        </MenuItem>
      ) : null}
      {may("admin.webhooks_manage") ? (
        <MenuItem asChild>
          <Link to="/settings/webhooks">
            <ScrollText aria-hidden />
            {t("nav.webhooks")}
          </Link>
        </MenuItem>
      ) : null}
      <MenuItem onSelect={signOut}>
        <LogOut aria-hidden />
        {t("session.logOut")}
      </MenuItem>
    </Menu>
  );
}
