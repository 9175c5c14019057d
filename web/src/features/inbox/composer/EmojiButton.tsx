import { Smile } from "lucide-react";
import { Popover as Primitive } from "radix-ui";
import { lazy, Suspense, useState } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/ui/button";
import { Loading } from "@/components/ui/states";

/** Nothing of it is loaded before it is opened for the first time. */
const EmojiPicker = lazy(() => import("./EmojiPicker"));

export function EmojiButton({ onPick, onClosed }: { onPick: (emoji: string) => void; onClosed: () => void }) {
  const { t } = useTranslation();
  const [isOpen, setOpen] = useState(false);
  return (
    <Primitive.Root open={isOpen} onOpenChange={setOpen}>
      <Primitive.Trigger asChild>
        <Button
          look="ghost"
          size="icon"
          aria-label={t("inbox.composer.emoji")}
          title={t("inbox.composer.emoji")}
        >
          <Smile aria-hidden />
        </Button>
      </Primitive.Trigger>
      <Primitive.Portal>
        <Primitive.Content
          side="top"
          align="start"
          sideOffset={6}
          collisionPadding={8}
          aria-label={t("inbox.composer.emoji")}
          onCloseAutoFocus={(event) => {
            // back to where one writes, not to the button
            event.preventDefault();
            onClosed();
          }}
          className="z-50 h-80 w-80 max-w-[calc(100vw-1rem)] overflow-hidden rounded-md border border-line bg-overlay shadow-xl outline-none"
        >
          <Suspense fallback={<Loading />}>
            <EmojiPicker
              onPick={(emoji) => {
                onPick(emoji);
                setOpen(false);
              }}
            />
          </Suspense>
        </Primitive.Content>
      </Primitive.Portal>
    </Primitive.Root>
  );
}
