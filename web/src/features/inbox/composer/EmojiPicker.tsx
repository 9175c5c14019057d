import { EmojiPicker as Picker } from "frimousse";
import { type KeyboardEvent, useRef } from "react";
import { useTranslation } from "react-i18next";

import type { Language } from "@/i18n";

/** Emoji by group and by their names in the reader's language, from data that we serve ourselves. */
export default function EmojiPicker({ onPick }: { onPick: (emoji: string) => void }) {
  const { t, i18n } = useTranslation();
  const onKeyDownCapture = useLateEnter();
  return (
    <Picker.Root
      locale={i18n.language as Language}
      emojibaseUrl="/emoji"
      columns={9}
      onEmojiSelect={({ emoji }) => onPick(emoji)}
      className="flex h-full flex-col"
    >
      <Picker.Search
        autoFocus
        onKeyDownCapture={onKeyDownCapture}
        aria-label={t("inbox.composer.emojiSearch")}
        placeholder={t("inbox.composer.emojiSearch")}
        className="m-2 h-8 rounded-md border border-edge bg-canvas px-2.5 text-base text-ink placeholder:text-faint"
      />
      <Picker.Viewport className="min-h-0 flex-1 overflow-y-auto outline-none">
        <Picker.Loading className="p-4 text-center text-sm text-faint">{t("common.loading")}</Picker.Loading>
        <Picker.Empty className="p-4 text-center text-sm text-muted">
          {t("inbox.composer.emojiNone")}
        </Picker.Empty>
        <Picker.List
          className="px-1.5 pb-2 select-none"
          components={{
            CategoryHeader: ({ category, ...rest }) => (
              <div {...rest} className="bg-overlay px-1 py-1 text-xs font-medium text-muted">
                {category.label}
              </div>
            ),
            Row: ({ children, ...rest }) => <div {...rest}>{children}</div>,
            Emoji: ({ emoji, ...rest }) => (
              <button
                {...rest}
                type="button"
                title={emoji.label}
                className="flex size-8 items-center justify-center rounded-md text-xl data-active:bg-selected"
              >
                {emoji.emoji}
              </button>
            ),
          }}
        />
      </Picker.Viewport>
    </Picker.Root>
  );
}

/** What is idle comes in the order in which it was asked for, where there is such a thing. */
const whenIdle = (run: () => void) =>
  "requestIdleCallback" in window ? window.requestIdleCallback(run, { timeout: 200 }) : setTimeout(run, 30);

/**
 * The picker searches when the browser is idle, and Enter takes what it has found so far: right after a letter that is the first of what was
 * there before. So Enter waits until the search behind it is done.
 */
function useLateEnter() {
  const isDue = useRef(false);
  return (event: KeyboardEvent<HTMLInputElement>) => {
    if (event.key !== "Enter" || isDue.current) return;
    event.preventDefault();
    event.stopPropagation();
    const field = event.currentTarget;
    const enter = () => {
      isDue.current = true;
      field.dispatchEvent(
        new window.KeyboardEvent("keydown", { key: "Enter", bubbles: true, cancelable: true }),
      );
      isDue.current = false;
    };
    // the first may come before the search was asked for
    whenIdle(() => whenIdle(enter));
  };
}
