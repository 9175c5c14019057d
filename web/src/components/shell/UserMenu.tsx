import { Link } from "@tanstack/react-router";
import { LogOut, Settings } from "lucide-react";
import { useTranslation } from "react-i18next";

import { Avatar } from "@/components/avatar";
import { Menu, MenuChoice, MenuChoices, MenuItem, MenuLabel, MenuLine } from "@/components/ui/menu";
import { type Language, LANGUAGES, speak } from "@/i18n";
import { useMe, useRoleName } from "@/lib/session";

import { useSignOut } from "./useSignOut";

/** Each language by its own name, so that whoever is lost finds theirs. */
export const LANGUAGE_NAMES: Record<Language, string> = { es: "Español", en: "English" };

export function UserMenu({ side }: { side: "right" | "top" }) {
  const { t, i18n } = useTranslation();
  const { user, tenant } = useMe();
  const roleName = useRoleName();
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
        <p className="text-xs text-faint">{t("nav.roleAt", { role: roleName(user), tenant: tenant.name })}</p>
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
        <Link to="/settings">
          <Settings aria-hidden />
          {t("nav.settings")}
        </Link>
      </MenuItem>
      <MenuItem onSelect={signOut}>
        <LogOut aria-hidden />
        {t("session.logOut")}
      </MenuItem>
    </Menu>
  );
}
