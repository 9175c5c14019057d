import { useTranslation } from "react-i18next";

import { Dialog } from "@/components/ui/dialog";
import { Kbd } from "@/components/ui/kbd";
import { useShortcutList } from "@/lib/keyboard/useShortcuts";

/** Every shortcut that works where one is, by heading. */
export function Help({ isOpen, onClose }: { isOpen: boolean; onClose: () => void }) {
  const { t } = useTranslation();
  const shortcuts = useShortcutList();
  const groups = Map.groupBy(shortcuts, (shortcut) => shortcut.group);
  return (
    <Dialog
      open={isOpen}
      onOpenChange={(open) => !open && onClose()}
      title={t("keys.help")}
      description={t("keys.notInFields")}
    >
      <div className="gap-x-8 sm:columns-2">
        {[...groups].map(([group, members]) => (
          <section key={group} className="mb-5 break-inside-avoid">
            <h3 className="mb-1.5 text-xs font-semibold text-faint">{group}</h3>
            <dl className="flex flex-col gap-1">
              {members.map(({ keys, label }) => (
                <div key={keys} className="flex items-center justify-between gap-3 text-sm">
                  <dt>{label}</dt>
                  <dd>
                    <Kbd keys={keys} />
                  </dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
    </Dialog>
  );
}
