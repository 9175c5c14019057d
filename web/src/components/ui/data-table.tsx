import { createColumnHelper, tableFeatures, useTable } from "@tanstack/react-table";
import { useVirtualizer } from "@tanstack/react-virtual";
import { type ReactNode, useEffect, useMemo, useRef } from "react";
import { useTranslation } from "react-i18next";

import { cn } from "@/lib/cn";
import { useListKeys } from "@/lib/keyboard/useListKeys";
import { useShortcuts } from "@/lib/keyboard/useShortcuts";

export interface Column<Row> {
  id: string;
  header: string;
  cell: (row: Row) => ReactNode;
  /** Where it is seen and how wide it is. */
  className?: string;
}

/** Rows that something will be done to, by a box before each. */
export interface RowSelection<Row> {
  isOn: (row: Row) => boolean;
  /** `isRange`: with those between it and the last one that was chosen. */
  onToggle: (row: Row, isRange: boolean) => void;
  /** Of those that are loaded: all, none, or some. */
  whole: "all" | "none" | "some";
  onToggleAll: () => void;
  nameOf: (row: Row) => string;
}

interface DataTableProps<Row extends object> {
  label: string;
  columns: readonly Column<Row>[];
  rows: Row[];
  rowId: (row: Row) => string;
  onOpen?: (row: Row) => void;
  /** The row that is shown beside the table. */
  openId?: string | undefined;
  hasMore?: boolean;
  isLoadingMore?: boolean;
  loadMore?: () => void;
  selection?: RowSelection<Row>;
  className?: string;
}

const ROW_PX = 41;
const features = tableFeatures({});

/**
 * A table of any length: only the rows in sight are there, and the next page is asked for when its end comes near. It scrolls
 * itself and takes the room that it is given.
 */
export function DataTable<Row extends object>(props: DataTableProps<Row>) {
  const { label, columns, rows, rowId, onOpen, openId, hasMore, isLoadingMore, loadMore, className } = props;
  const { selection } = props;
  const { t } = useTranslation();
  const scroller = useRef<HTMLDivElement>(null);
  const definitions = useMemo(() => {
    const helper = createColumnHelper<typeof features, Row>();
    return helper.columns(
      columns.map(({ id, header, cell }) =>
        helper.display({ id, header, cell: ({ row }) => cell(row.original) }),
      ),
    );
  }, [columns]);
  const table = useTable({ features, columns: definitions, data: rows, getRowId: rowId });
  const model = table.getRowModel().rows;
  const virtual = useVirtualizer({
    count: model.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_PX,
    getItemKey: (index) => model[index]?.id ?? index,
    overscan: 12,
    // the head stands over the rows
    scrollPaddingStart: ROW_PX,
  });
  const [marked, setMarked] = useListKeys({
    count: onOpen ? rows.length : 0,
    onOpen: (place) => rows[place] && onOpen?.(rows[place]),
    onMove: (place) => virtual.scrollToIndex(place),
  });
  const markedRow = rows[marked];
  useShortcuts(
    selection && markedRow
      ? [
          {
            keys: "x",
            label: t("keys.choose"),
            group: t("keys.list"),
            run: () => selection.onToggle(markedRow, false),
          },
        ]
      : [],
  );
  const items = virtual.getVirtualItems();
  const lastSeen = items.at(-1)?.index ?? -1;
  const wantsMore = Boolean(hasMore && !isLoadingMore && lastSeen >= rows.length - 20);
  useEffect(() => {
    if (wantsMore) loadMore?.();
  }, [wantsMore, loadMore]);
  const above = items[0]?.start ?? 0;
  const below = virtual.getTotalSize() - (items.at(-1)?.end ?? 0);
  const classOf = new Map(columns.map((column) => [column.id, column.className]));
  // Called and not made an element of: columns are often made anew with each reading, and a cell that came with new ones would begin
  // afresh and close the menu that is open in it.
  const cellOf = new Map(columns.map((column) => [column.id, column.cell]));
  return (
    <div
      ref={scroller}
      tabIndex={0}
      role="region"
      aria-label={label}
      className={cn("min-h-0 flex-1 overflow-auto", className)}
    >
      <table
        aria-rowcount={hasMore ? -1 : rows.length + 1}
        className="w-full border-separate border-spacing-0 text-sm"
      >
        <thead className="sticky top-0 z-10 bg-surface">
          {table.getHeaderGroups().map((group) => (
            <tr key={group.id} aria-rowindex={1}>
              {selection ? (
                <th scope="col" className="h-9 w-11 border-b border-line pr-0 pl-4 text-left md:w-13 md:pl-6">
                  <Box
                    label={t("common.chooseAll")}
                    checked={selection.whole === "all"}
                    isSome={selection.whole === "some"}
                    onChange={() => selection.onToggleAll()}
                  />
                </th>
              ) : null}
              {group.headers.map((header) => (
                <th
                  key={header.id}
                  scope="col"
                  className={cn(
                    "h-9 border-b border-line px-3 text-left text-xs font-medium whitespace-nowrap text-faint first:pl-4 last:pr-4 md:first:pl-6 md:last:pr-6",
                    classOf.get(header.column.id),
                    "font-sans text-xs text-faint",
                  )}
                >
                  <table.FlexRender header={header} />
                </th>
              ))}
            </tr>
          ))}
        </thead>
        <tbody>
          {above > 0 ? <Gap height={above} /> : null}
          {items.map(({ index }) => {
            const row = model[index];
            if (!row) return null;
            return (
              <tr
                key={row.id}
                aria-rowindex={index + 2}
                {...(row.id === openId ? { "aria-current": "true" as const } : {})}
                data-marked={index === marked || undefined}
                onClick={onOpen ? () => (setMarked(index), onOpen(row.original)) : undefined}
                className={cn(
                  "h-[41px]",
                  onOpen && "cursor-pointer hover:bg-hover",
                  index === marked && "bg-hover",
                  row.id === openId && "bg-selected",
                )}
              >
                {selection ? (
                  <td
                    className={cn(
                      "border-b border-line/60 pr-0 pl-4 md:pl-6",
                      index === marked && "shadow-[inset_2px_0_0_var(--color-focus)]",
                    )}
                    onClick={(event) => event.stopPropagation()}
                  >
                    <Box
                      label={t("common.choose", { name: selection.nameOf(row.original) })}
                      checked={selection.isOn(row.original)}
                      onChange={(isRange) => selection.onToggle(row.original, isRange)}
                    />
                  </td>
                ) : null}
                {row.getAllCells().map((cell, place) => (
                  <td
                    key={cell.id}
                    className={cn(
                      "max-w-0 truncate border-b border-line/60 px-3 py-1.5 first:pl-4 last:pr-4 md:first:pl-6 md:last:pr-6",
                      place === 0 &&
                        !selection &&
                        index === marked &&
                        "shadow-[inset_2px_0_0_var(--color-focus)]",
                      classOf.get(cell.column.id),
                    )}
                  >
                    {cellOf.get(cell.column.id)?.(row.original)}
                  </td>
                ))}
              </tr>
            );
          })}
          {below > 0 ? <Gap height={below} /> : null}
        </tbody>
      </table>
      {isLoadingMore ? (
        <p role="status" className="px-6 py-3 text-center text-xs text-faint">
          {t("common.loading")}
        </p>
      ) : null}
    </div>
  );
}

interface BoxProps {
  label: string;
  checked: boolean;
  isSome?: boolean;
  onChange: (isRange: boolean) => void;
}

function Box({ label, checked, isSome = false, onChange }: BoxProps) {
  return (
    <input
      type="checkbox"
      aria-label={label}
      checked={checked}
      ref={(box) => {
        if (box) box.indeterminate = isSome;
      }}
      onChange={({ nativeEvent }) => onChange((nativeEvent as MouseEvent).shiftKey)}
      className="align-middle"
    />
  );
}

/** Stands for the rows that are out of sight. */
function Gap({ height }: { height: number }) {
  return (
    <tr aria-hidden>
      <td style={{ height }} />
    </tr>
  );
}
