import { useInfiniteQuery } from "@tanstack/react-query";
import { type LucideIcon, SearchX } from "lucide-react";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/ui/button";
import { Panel } from "@/components/ui/panel";
import { Empty, Failed, Loading } from "@/components/ui/states";
import { cn } from "@/lib/cn";

import { OPERATIONS } from "./session";

export interface Column<Row> {
  head: string;
  cell: (row: Row) => ReactNode;
  /** Numbers stand at the right, one under the other. */
  isNumber?: boolean;
  /** Left out on narrow screens. */
  isExtra?: boolean;
}

interface Pages<Row> {
  data?: { pages: { items: Row[] }[] } | undefined;
  error: unknown;
  isPending: boolean;
  hasNextPage: boolean;
  isFetchingNextPage: boolean;
  refetch: () => unknown;
  fetchNextPage: () => unknown;
}

interface RowsProps<Row> {
  title: string;
  aside?: ReactNode;
  pages: Pages<Row>;
  columns: Column<Row>[];
  keyOf: (row: Row) => string | number;
  empty: ReactNode;
  icon?: LucideIcon;
}

interface PageOf<Row> {
  items: Row[];
  next_cursor?: string | null;
}

/** Reads a list on by the cursor of its last page, and all of it again each five seconds while somebody looks. */
export function useRows<Row>(
  key: readonly unknown[],
  load: (query: { cursor?: string; limit: number }) => Promise<{ data?: PageOf<Row> | undefined }>,
): Pages<Row> {
  return useInfiniteQuery({
    queryKey: [OPERATIONS, ...key],
    queryFn: async ({ pageParam }) =>
      (await load({ limit: 50, ...(pageParam ? { cursor: pageParam } : {}) })).data ?? { items: [] },
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page: PageOf<Row>) => page.next_cursor ?? undefined,
    refetchInterval: 5000,
  });
}

/** A list of the queue's things, page by page. */
export function Rows<Row>({ title, aside, pages, columns, keyOf, empty, icon = SearchX }: RowsProps<Row>) {
  const { t } = useTranslation();
  const rows = pages.data?.pages.flatMap((page) => page.items) ?? [];
  const body = () => {
    if (pages.isPending) return <Loading />;
    if (pages.error && rows.length === 0) return <Failed error={pages.error} retry={() => pages.refetch()} />;
    if (rows.length === 0) return <Empty icon={icon} title={empty} />;
    return (
      <div className="overflow-x-auto" tabIndex={0} role="region" aria-label={title}>
        <table className="w-full text-left text-sm">
          <thead className="text-xs text-faint">
            <tr>
              {columns.map((column) => (
                <th key={column.head} scope="col" className={cellClass(column, "py-2 font-medium")}>
                  {column.head}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map((row) => (
              <tr key={keyOf(row)} className="border-t border-line hover:bg-hover">
                {columns.map((column) => (
                  <td key={column.head} className={cellClass(column, "py-2")}>
                    {column.cell(row)}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    );
  };
  return (
    <Panel title={title} aside={aside} isFlush>
      {body()}
      {pages.hasNextPage ? (
        <div className="border-t border-line p-3 text-center">
          <Button disabled={pages.isFetchingNextPage} onClick={() => pages.fetchNextPage()}>
            {t("operations.more")}
          </Button>
        </div>
      ) : null}
    </Panel>
  );
}

function cellClass<Row>({ isNumber, isExtra }: Column<Row>, rest: string): string {
  return cn(
    "px-3 align-top whitespace-nowrap first:pl-4 last:pr-4",
    isNumber && "text-right tabular-nums",
    isExtra && "hidden lg:table-cell",
    rest,
  );
}
