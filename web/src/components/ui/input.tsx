import type { ComponentProps } from "react";

import { cn } from "@/lib/cn";

export const control =
  "w-full rounded-md border border-edge bg-canvas px-2.5 text-base text-ink placeholder:text-faint disabled:opacity-55 aria-invalid:border-bad focus-visible:outline-offset-0";

export function Input({ className, ...rest }: ComponentProps<"input">) {
  return <input className={cn(control, "h-8", className)} {...rest} />;
}

/** In place of a value: something stands in the field that is none yet, as half a date. */
export const UNREADABLE = "?";

interface TypedInputProps extends Omit<ComponentProps<"input">, "value" | "onChange" | "onBlur" | "type"> {
  type: "number" | "date" | "time" | "datetime-local";
  value: string;
  onValue: (value: string) => void;
}

/** A field of the browser's own for numbers and times, which hands on that it can't be read instead of taking it for empty. */
export function TypedInput({ value, onValue, ...rest }: TypedInputProps) {
  const read = ({ target }: { target: HTMLInputElement }) => {
    const now = target.validity.badInput ? UNREADABLE : target.value;
    if (now !== value) onValue(now);
  };
  // what it holds stays as it is: to set another value would empty it; half a date from nothing is told by no change
  return <Input value={value === UNREADABLE ? "" : value} onChange={read} onBlur={read} {...rest} />;
}

export function Textarea({ className, ...rest }: ComponentProps<"textarea">) {
  return <textarea className={cn(control, "min-h-24 resize-y py-2", className)} {...rest} />;
}

/** The browser's own: it is right on phones and with screen readers, and moves nothing. */
export function Select({ className, ...rest }: ComponentProps<"select">) {
  return <select className={cn(control, "h-8 pr-7", className)} {...rest} />;
}
