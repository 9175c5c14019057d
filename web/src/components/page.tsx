import type { ReactNode } from "react";

import { cn } from "@/lib/cn";
import { useTitle } from "@/lib/title";

interface PageProps {
  title: string;
  /** Beside the title: a state, a count. */
  aside?: ReactNode;
  actions?: ReactNode;
  /** Above the title: the way back. */
  back?: ReactNode;
  /** The content scrolls by itself, a virtual table for one. */
  isFilled?: boolean;
  children: ReactNode;
}

/** A screen under the shell: a heading with its actions, and the content. */
export function Page({ title, aside, actions, back, isFilled, children }: PageProps) {
  useTitle(title);
  return (
    <div className="flex h-full min-h-0 flex-col">
      <header className="flex min-h-13 shrink-0 flex-wrap items-center justify-between gap-x-4 gap-y-2 border-b border-line px-4 py-2 md:px-6">
        <div className="flex min-w-0 items-center gap-2.5">
          {back}
          <h1 className="truncate text-lg font-semibold">{title}</h1>
          {aside}
        </div>
        {actions ? <div className="flex flex-wrap items-center gap-2">{actions}</div> : null}
      </header>
      <div className={cn("min-h-0 flex-1", isFilled ? "flex flex-col" : "overflow-y-auto")}>
        {isFilled ? children : <div className="mx-auto max-w-6xl p-4 md:p-6">{children}</div>}
      </div>
    </div>
  );
}
