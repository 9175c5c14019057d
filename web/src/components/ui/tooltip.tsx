import { Tooltip as Primitive } from "radix-ui";
import type { ReactElement, ReactNode } from "react";

import { Kbd } from "./kbd";

interface TooltipProps {
  text: ReactNode;
  keys?: string;
  side?: "top" | "right" | "bottom" | "left";
  children: ReactElement;
}

export const TooltipProvider = Primitive.Provider;

/** Says what a control without a text does. Its name for screen readers is the control's own. */
export function Tooltip({ text, keys, side = "bottom", children }: TooltipProps) {
  return (
    <Primitive.Root>
      <Primitive.Trigger asChild>{children}</Primitive.Trigger>
      <Primitive.Portal>
        <Primitive.Content
          side={side}
          sideOffset={6}
          collisionPadding={8}
          className="z-60 flex max-w-72 items-center gap-2 rounded-md border border-line bg-overlay px-2 py-1 text-xs text-ink shadow-xl"
        >
          {text}
          {keys ? <Kbd keys={keys} /> : null}
        </Primitive.Content>
      </Primitive.Portal>
    </Primitive.Root>
  );
}
