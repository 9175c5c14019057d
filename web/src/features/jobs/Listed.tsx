import type { LucideIcon } from "lucide-react";

import { type Column, DataTable } from "@/components/ui/data-table";
import { Empty, Failed, Loading } from "@/components/ui/states";
import type { usePages } from "@/lib/api/pages";

interface ListedProps<Row extends { id: number }> {
  label: string;
  icon: LucideIcon;
  empty: string;
  emptyNext: string;
  pages: ReturnType<typeof usePages<Row>>;
  columns: Column<Row>[];
  onOpen?: (row: Row) => void;
  openId?: number | undefined;
}

/** One of the tables of the queue, in whatever state its list is. */
export function Listed<Row extends { id: number }>(props: ListedProps<Row>) {
  const { label, icon, empty, emptyNext, pages, columns, onOpen, openId } = props;
  if (pages.isPending) return <Loading />;
  if (pages.error) return <Failed error={pages.error} retry={pages.refetch} />;
  if (pages.rows.length === 0) {
    return (
      <Empty icon={icon} title={empty}>
        {emptyNext}
      </Empty>
    );
  }
  return (
    <DataTable
      label={label}
      columns={columns}
      rows={pages.rows}
      rowId={({ id }) => String(id)}
      openId={openId === undefined ? undefined : String(openId)}
      {...(onOpen ? { onOpen } : {})}
      hasMore={pages.hasMore}
      isLoadingMore={pages.isLoadingMore}
      loadMore={pages.loadMore}
    />
  );
}
