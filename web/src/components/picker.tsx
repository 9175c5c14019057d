import { Check } from "lucide-react";
import { Dialog as Primitive } from "radix-ui";
import { type KeyboardEvent, type ReactNode, useId, useState } from "react";

import { cn } from "@/lib/cn";
import { plain } from "@/lib/text";

export interface Choice {
  id: string;
  text: string;
  mark?: ReactNode;
  hint?: string | undefined;
  isOn?: boolean;
  /** Why it can't be chosen, if so. */
  why?: string | null;
  /** Found whatever is typed. */
  isAlways?: boolean;
}

interface PickerProps {
  title: string;
  placeholder: string;
  none: string;
  choices: (text: string) => Choice[];
  /** Answers whether the picker stays open. */
  onChoose: (choice: Choice) => boolean;
  onClose: () => void;
  children?: ReactNode;
}

/** Chooses one of many by typing a part of its name. */
export function Picker({ title, placeholder, none, choices, onChoose, onClose, children }: PickerProps) {
  const list = useId();
  const [text, setText] = useState("");
  const [place, setPlace] = useState(0);
  const words = plain(text).split(" ").filter(Boolean);
  const found = choices(text.trim()).filter(
    (choice) => choice.isAlways || words.every((word) => plain(choice.text).includes(word)),
  );
  const at = Math.min(place, found.length - 1);
  const chosen = found[at];
  const choose = (choice: Choice | undefined) => {
    if (!choice || choice.why) return;
    if (!onChoose(choice)) onClose();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.nativeEvent.isComposing || found.length === 0) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) setPlace((at + step + found.length) % found.length);
    else if (event.key === "Enter") choose(chosen);
    else return;
    event.preventDefault();
  };
  return (
    <Primitive.Root open onOpenChange={(open) => !open && onClose()}>
      <Primitive.Portal>
        <div aria-hidden className="fixed inset-0 z-50 bg-canvas/75" />
        <Primitive.Content
          aria-describedby={undefined}
          className="fixed inset-x-3 top-[12vh] z-50 mx-auto flex max-h-[70vh] max-w-md flex-col overflow-hidden rounded-lg border border-line bg-surface shadow-2xl outline-none"
        >
          <Primitive.Title className="px-4 pt-3 text-sm font-semibold">{title}</Primitive.Title>
          <input
            role="combobox"
            aria-expanded
            aria-controls={list}
            aria-activedescendant={chosen ? `${list}-${chosen.id}` : undefined}
            aria-label={placeholder}
            placeholder={placeholder}
            autoComplete="off"
            value={text}
            onChange={(event) => {
              setText(event.target.value);
              setPlace(0);
            }}
            onKeyDown={onKeyDown}
            className="border-b border-line bg-transparent px-4 py-2.5 text-base outline-none placeholder:text-faint"
          />
          <ul
            id={list}
            role="listbox"
            aria-label={title}
            className="min-h-0 overflow-y-auto p-1.5 empty:hidden"
          >
            {found.map((choice, index) => (
              <li
                key={choice.id}
                id={`${list}-${choice.id}`}
                role="option"
                aria-selected={index === at}
                aria-disabled={Boolean(choice.why)}
                title={choice.why ?? undefined}
                onClick={() => choose(choice)}
                className={cn(
                  "flex cursor-pointer items-center gap-2.5 rounded-md px-2.5 py-2 text-sm aria-disabled:cursor-not-allowed aria-disabled:opacity-55",
                  index === at ? "bg-selected" : "hover:bg-hover",
                )}
              >
                {choice.mark}
                <span className="min-w-0 flex-1 truncate">{choice.text}</span>
                {choice.hint ? <span className="text-xs text-faint">{choice.hint}</span> : null}
                {choice.isOn ? <Check aria-hidden className="size-4 text-accent-ink" /> : null}
              </li>
            ))}
          </ul>
          {found.length === 0 ? <p className="px-4 py-3 text-sm text-muted">{none}</p> : null}
          {children}
        </Primitive.Content>
      </Primitive.Portal>
    </Primitive.Root>
  );
}
