import { X } from "lucide-react";
import { Dialog as Primitive } from "radix-ui";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";

import { cn } from "@/lib/cn";

import { Button } from "./button";

interface DialogProps {
  open: boolean;
  onOpenChange: (open: boolean) => void;
  title: ReactNode;
  description?: ReactNode;
  /** A panel at the side of the screen, for what is edited beside a list. */
  side?: boolean;
  className?: string;
  children: ReactNode;
  footer?: ReactNode;
}

/**
 * A dialog, or a panel at the side. The ground behind it is no Radix overlay: that one locks the scrolling of the page by a style
 * element, which the content security policy refuses, and the page does not scroll.
 */
export function Dialog({
  open,
  onOpenChange,
  title,
  description,
  side,
  className,
  children,
  footer,
}: DialogProps) {
  const { t } = useTranslation();
  return (
    <Primitive.Root open={open} onOpenChange={onOpenChange}>
      <Primitive.Portal>
        <div aria-hidden className="fixed inset-0 z-50 bg-canvas/75" />
        <Primitive.Content
          {...(description ? {} : { "aria-describedby": undefined })}
          // where no field takes the focus by itself, the dialog has it, not the button that closes it
          onOpenAutoFocus={(event) => {
            event.preventDefault();
            const content = event.currentTarget as HTMLElement;
            // over another dialog, that one takes the focus back from a field that took it at once
            (content.querySelector<HTMLElement>("[data-first]") ?? content).focus();
          }}
          // the first Escape is for the list that is open under a field
          onEscapeKeyDown={(event) => {
            const isListed = "[role=combobox][aria-expanded=true]";
            if (event.target instanceof Element && event.target.matches(isListed)) event.preventDefault();
          }}
          className={cn(
            "fixed z-50 flex flex-col border-line bg-surface shadow-2xl outline-none",
            side
              ? "inset-y-0 right-0 w-full border-l sm:max-w-md"
              : "inset-x-0 bottom-0 max-h-[92dvh] rounded-t-lg border sm:inset-x-auto sm:top-[12vh] sm:bottom-auto sm:left-1/2 sm:max-h-[76vh] sm:w-full sm:max-w-lg sm:-translate-x-1/2 sm:rounded-lg",
            className,
          )}
        >
          <header className="flex items-start justify-between gap-4 border-b border-line px-4 py-3">
            <div className="min-w-0">
              <Primitive.Title className="truncate text-lg font-semibold">{title}</Primitive.Title>
              {description ? (
                <Primitive.Description className="mt-0.5 text-sm text-muted">
                  {description}
                </Primitive.Description>
              ) : null}
            </div>
            <Primitive.Close asChild>
              <Button look="ghost" size="iconSm" aria-label={t("common.close")}>
                <X aria-hidden />
              </Button>
            </Primitive.Close>
          </header>
          <div className="min-h-0 flex-1 overflow-y-auto px-4 py-4">{children}</div>
          {footer ? (
            <footer className="flex flex-wrap justify-end gap-2 border-t border-line px-4 py-3">
              {footer}
            </footer>
          ) : null}
        </Primitive.Content>
      </Primitive.Portal>
    </Primitive.Root>
  );
}
