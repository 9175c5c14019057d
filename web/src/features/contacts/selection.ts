/** Contacts that something will be done to: these, or all that match the filter. */
import { useRef, useState } from "react";

import type { RowSelection } from "@/components/ui/data-table";

interface Named {
  id: string;
}

export interface Chosen {
  /** All that match, also those that are not loaded. */
  isAll: boolean;
  ids: ReadonlySet<string>;
}

const NONE: Chosen = { isAll: false, ids: new Set() };

/** `about` is the filter: what was chosen under another one is not chosen any more. */
export function useSelection<Row extends Named>(
  rows: Row[],
  hasMore: boolean,
  about: string,
  nameOf: (row: Row) => string,
) {
  const [kept, setKept] = useState<{ about: string; chosen: Chosen }>({ about, chosen: NONE });
  const anchor = useRef<string | null>(null);
  const chosen = kept.about === about ? kept.chosen : NONE;
  const set = (next: Chosen) => setKept({ about, chosen: next });
  const toggle = (row: Row, isRange: boolean) => {
    // of all that match, those that are seen are kept but for this one
    const ids = new Set(chosen.isAll ? rows.map(({ id }) => id) : chosen.ids);
    const isOn = !ids.has(row.id);
    const from = isRange ? rows.findIndex(({ id }) => id === anchor.current) : -1;
    const to = rows.findIndex(({ id }) => id === row.id);
    const touched = from < 0 ? [row] : rows.slice(Math.min(from, to), Math.max(from, to) + 1);
    for (const { id } of touched) {
      if (isOn) ids.add(id);
      else ids.delete(id);
    }
    anchor.current = row.id;
    set({ isAll: false, ids });
  };
  const count = chosen.isAll ? rows.length : chosen.ids.size;
  const isEach = chosen.isAll || (rows.length > 0 && rows.every(({ id }) => chosen.ids.has(id)));
  const selection: RowSelection<Row> = {
    isOn: ({ id }) => chosen.isAll || chosen.ids.has(id),
    onToggle: toggle,
    whole: isEach ? "all" : count > 0 ? "some" : "none",
    onToggleAll: () => set(isEach ? NONE : { isAll: false, ids: new Set(rows.map(({ id }) => id)) }),
    nameOf,
  };
  return {
    chosen,
    selection,
    /** How many; null where there are more than are loaded. */
    count: chosen.isAll && hasMore ? null : count,
    canTakeAll: isEach && hasMore && !chosen.isAll,
    takeAll: () => set({ isAll: true, ids: new Set() }),
    clear: () => set(NONE),
  };
}
