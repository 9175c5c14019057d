import { AlertDialog as Primitive } from "radix-ui";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "./button";

interface ConfirmProps {
  open: boolean;
  onOpenChange: (open: boolean) => void;
  title: ReactNode;
  children: ReactNode;
  /** What the button says: the act itself, not "OK". */
  act: string;
  isDangerous?: boolean;
  onConfirm: () => void;
}

/** Asks before what cannot be taken back. */
export function Confirm({ open, onOpenChange, title, children, act, isDangerous, onConfirm }: ConfirmProps) {
  const { t } = useTranslation();
  return (
    <Primitive.Root open={open} onOpenChange={onOpenChange}>
      <Primitive.Portal>
        <div aria-hidden className="fixed inset-0 z-50 bg-canvas/75" />
        <Primitive.Content
          aria-modal
          className="fixed inset-x-4 top-[20vh] z-50 mx-auto flex max-w-md flex-col gap-3 rounded-lg border border-line bg-surface p-4 shadow-2xl outline-none"
        >
          <Primitive.Title className="text-lg font-semibold">{title}</Primitive.Title>
          <Primitive.Description asChild>
            <div className="text-base text-muted">{children}</div>
          </Primitive.Description>
          <div className="mt-1 flex justify-end gap-2">
            <Primitive.Cancel asChild>
              <Button>{t("common.cancel")}</Button>
            </Primitive.Cancel>
            <Primitive.Action asChild>
              <Button look={isDangerous ? "danger" : "solid"} onClick={onConfirm}>
                {act}
              </Button>
            </Primitive.Action>
          </div>
        </Primitive.Content>
      </Primitive.Portal>
    </Primitive.Root>
  );
}
