import { Check } from "lucide-react";
import { DropdownMenu as Primitive } from "radix-ui";
import type { ComponentProps, ReactNode } from "react";

import { cn } from "@/lib/cn";

const item =
  "flex cursor-pointer items-center gap-2 rounded-sm px-2 py-1.5 text-sm text-ink outline-none select-none data-disabled:opacity-55 data-highlighted:bg-hover [&_svg]:size-4 [&_svg]:text-faint";

/** A menu under a button. Not modal: the lock of the page that Radix would set is a style element, which our policy refuses. */
export function Menu({
  trigger,
  children,
  ...rest
}: { trigger: ReactNode } & ComponentProps<typeof Primitive.Content>) {
  return (
    <Primitive.Root modal={false}>
      <Primitive.Trigger asChild>{trigger}</Primitive.Trigger>
      <Primitive.Portal>
        <Primitive.Content
          sideOffset={6}
          collisionPadding={8}
          className="z-50 min-w-44 rounded-md border border-line bg-overlay p-1 shadow-xl"
          {...rest}
        >
          {children}
        </Primitive.Content>
      </Primitive.Portal>
    </Primitive.Root>
  );
}

export function MenuItem({ className, ...rest }: ComponentProps<typeof Primitive.Item>) {
  return <Primitive.Item className={cn(item, className)} {...rest} />;
}

export function MenuChoice({ children, className, ...rest }: ComponentProps<typeof Primitive.RadioItem>) {
  return (
    <Primitive.RadioItem className={cn(item, "pl-8", className)} {...rest}>
      <Primitive.ItemIndicator className="absolute left-3">
        <Check aria-hidden className="text-accent-ink!" />
      </Primitive.ItemIndicator>
      {children}
    </Primitive.RadioItem>
  );
}

export const MenuChoices = Primitive.RadioGroup;

export function MenuLabel({ children }: { children: ReactNode }) {
  return <Primitive.Label className="px-2 py-1.5 text-xs text-faint">{children}</Primitive.Label>;
}

export function MenuLine() {
  return <Primitive.Separator className="my-1 h-px bg-line" />;
}
