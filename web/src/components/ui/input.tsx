import type { ComponentProps } from "react";

import { cn } from "@/lib/cn";

export const control =
  "w-full rounded-md border border-edge bg-canvas px-2.5 text-base text-ink placeholder:text-faint disabled:opacity-55 aria-invalid:border-bad focus-visible:outline-offset-0";

export function Input({ className, ...rest }: ComponentProps<"input">) {
  return <input className={cn(control, "h-8", className)} {...rest} />;
}

export function Textarea({ className, ...rest }: ComponentProps<"textarea">) {
  return <textarea className={cn(control, "min-h-24 resize-y py-2", className)} {...rest} />;
}

/** The browser's own: it is right on phones and with screen readers, and moves nothing. */
export function Select({ className, ...rest }: ComponentProps<"select">) {
  return <select className={cn(control, "h-8 pr-7", className)} {...rest} />;
}
