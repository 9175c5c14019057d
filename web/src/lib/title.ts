import { useEffect } from "react";

let title = "";
let count = 0;

function write(): void {
  const name = title ? `${title} · Paloma` : "Paloma";
  document.title = count > 0 ? `(${count > 99 ? "99+" : count}) ${name}` : name;
}

/** The name of the screen in the browser's tab. */
export function useTitle(name: string): void {
  useEffect(() => {
    title = name;
    write();
  }, [name]);
}

/** How much waits, before the name of whatever screen is seen. */
export function useTitleCount(waiting: number): void {
  useEffect(() => {
    count = waiting;
    write();
    return () => {
      count = 0;
      write();
    };
  }, [waiting]);
}
