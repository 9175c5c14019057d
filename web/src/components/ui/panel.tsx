import type { ComponentProps, ReactNode } from "react";

import { cn } from "@/lib/cn";

interface PanelProps extends Omit<ComponentProps<"section">, "title"> {
  title?: ReactNode;
  aside?: ReactNode;
  /** Without room around the content, for tables. */
  isFlush?: boolean;
}

/** A titled area of a page. */
export function Panel({ title, aside, isFlush, className, children, ...rest }: PanelProps) {
  return (
    <section className={cn("min-w-0 rounded-lg border border-line bg-surface", className)} {...rest}>
      {title ? (
        <header className="flex min-h-11 flex-wrap items-center justify-between gap-2 border-b border-line px-4 py-2">
          <h2 className="text-base font-semibold">{title}</h2>
          {aside}
        </header>
      ) : null}
      <div className={isFlush ? "" : "p-4"}>{children}</div>
    </section>
  );
}
