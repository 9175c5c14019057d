import { useNavigate } from "@tanstack/react-router";
import { Languages, LogOut, Megaphone, Settings, Upload, UserPlus, Zap, type LucideIcon } from "lucide-react";
import { Dialog as Primitive } from "radix-ui";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { Kbd } from "@/components/ui/kbd";
import { LANGUAGES, speak } from "@/i18n";
import { cn } from "@/lib/cn";
import { useShortcutList } from "@/lib/keyboard/useShortcuts";
import { useMay } from "@/lib/session";
import { plain } from "@/lib/text";

import type { AREAS } from "./areas";
import { LANGUAGE_NAMES } from "./UserMenu";
import { useSignOut } from "./useSignOut";

interface Command {
  id: string;
  text: string;
  icon: LucideIcon;
  keys?: string;
  run: () => void;
}

interface PaletteProps {
  isOpen: boolean;
  onClose: () => void;
  areas: readonly (typeof AREAS)[number][];
}

/** Everything that can be done from anywhere, found by typing. */
export function Palette({ isOpen, onClose, areas }: PaletteProps) {
  return (
    <Primitive.Root open={isOpen} onOpenChange={(open) => !open && onClose()}>
      <Primitive.Portal>
        <div aria-hidden className="fixed inset-0 z-40 bg-canvas/75" />
        <Primitive.Content
          aria-describedby={undefined}
          className="fixed inset-x-3 top-[10vh] z-50 mx-auto flex max-h-[70vh] max-w-lg flex-col overflow-hidden rounded-lg border border-line bg-surface shadow-2xl outline-none"
        >
          <List onClose={onClose} areas={areas} />
        </Primitive.Content>
      </Primitive.Portal>
    </Primitive.Root>
  );
}

function useCommands(areas: PaletteProps["areas"]): Command[] {
  const { t, i18n } = useTranslation();
  const navigate = useNavigate();
  const may = useMay();
  const { signOut } = useSignOut();
  const acts = useShortcutList()
    .filter(({ inPalette }) => inPalette)
    .map(({ keys, label, run }) => ({
      id: `act-${keys}`,
      icon: Zap,
      keys,
      text: label,
      run: () => run(new KeyboardEvent("keydown")),
    }));
  const go = areas.map(({ id, to, icon, keys }) => ({
    id,
    icon,
    keys,
    text: t("keys.goTo", { place: t(`nav.${id}`) }),
    run: () => void navigate({ to }),
  }));
  const make: (Command | false)[] = [
    {
      id: "settings",
      icon: Settings,
      text: t("keys.goTo", { place: t("nav.settings") }),
      run: () => void navigate({ to: "/settings" }),
    },
    may("contacts.create") && {
      id: "contact",
      icon: UserPlus,
      text: t("nav.newContact"),
      run: () => void navigate({ to: "/contacts", search: { new: true } }),
    },
    may("campaigns.create") && {
      id: "campaign",
      icon: Megaphone,
      text: t("nav.newCampaign"),
      run: () => void navigate({ to: "/campaigns/new" }),
    },
    may("contacts.import") && {
      id: "import",
      icon: Upload,
      text: t("nav.newImport"),
      run: () => void navigate({ to: "/imports/new" }),
    },
  ];
  const languages = LANGUAGES.filter((language) => language !== i18n.language).map((language) => ({
    id: language,
    icon: Languages,
    text: LANGUAGE_NAMES[language],
    run: () => void speak(language),
  }));
  const out = { id: "out", icon: LogOut, text: t("session.logOut"), run: signOut };
  return [...acts, ...go, ...make.filter((command) => command !== false), ...languages, out];
}

function List({ onClose, areas }: Omit<PaletteProps, "isOpen">) {
  const { t } = useTranslation();
  const [text, setText] = useState("");
  const [place, setPlace] = useState(0);
  const wanted = plain(text).split(" ").filter(Boolean);
  const found = useCommands(areas).filter((command) =>
    wanted.every((word) => plain(command.text).includes(word)),
  );
  const chosen = found[Math.min(place, found.length - 1)];
  const run = (command: Command | undefined) => {
    if (!command) return;
    onClose();
    command.run();
  };
  const onKeyDown = (event: React.KeyboardEvent) => {
    if (event.nativeEvent.isComposing || found.length === 0) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) setPlace((Math.min(place, found.length - 1) + step + found.length) % found.length);
    else if (event.key === "Enter") run(chosen);
    else return;
    event.preventDefault();
  };
  return (
    <>
      <Primitive.Title className="sr-only">{t("keys.palette")}</Primitive.Title>
      <input
        role="combobox"
        aria-expanded
        aria-controls="palette"
        aria-activedescendant={chosen ? `command-${chosen.id}` : undefined}
        aria-label={t("keys.palette")}
        placeholder={t("keys.palettePlaceholder")}
        value={text}
        onChange={(event) => {
          setText(event.target.value);
          setPlace(0);
        }}
        onKeyDown={onKeyDown}
        className="border-b border-line bg-transparent px-4 py-3 text-base outline-none placeholder:text-faint"
      />
      <ul
        id="palette"
        role="listbox"
        aria-label={t("keys.palette")}
        className="min-h-0 overflow-y-auto p-1.5"
      >
        {found.map((command) => (
          <li
            key={command.id}
            id={`command-${command.id}`}
            role="option"
            aria-selected={command === chosen}
            onClick={() => run(command)}
            className={cn(
              "flex cursor-pointer items-center gap-2.5 rounded-md px-2.5 py-2 text-sm",
              command === chosen ? "bg-selected" : "hover:bg-hover",
            )}
          >
            <command.icon aria-hidden className="size-4 text-faint" />
            <span className="flex-1">{command.text}</span>
            {command.keys ? <Kbd keys={command.keys} /> : null}
          </li>
        ))}
      </ul>
      {found.length === 0 ? <p className="px-4 pb-4 text-sm text-muted">{t("keys.nothingFound")}</p> : null}
    </>
  );
}
