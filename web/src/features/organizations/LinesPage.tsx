import { getRouteApi } from "@tanstack/react-router";
import { useMutation } from "@tanstack/react-query";
import { Phone } from "lucide-react";
import { useTranslation } from "react-i18next";

import { Page } from "@/components/page";
import { type Column, DataTable } from "@/components/ui/data-table";
import { Select } from "@/components/ui/input";
import { Empty, Failed, Loading } from "@/components/ui/states";
import { toast } from "@/components/ui/toasts";
import { client, type Schemas } from "@/lib/api/client";
import { errorText } from "@/lib/api/error";
import { PAGE_ROWS, usePages } from "@/lib/api/pages";
import { useMay } from "@/lib/session";

import { type Organization, readLinesAgain, useOrganizations } from "./wire";

type Line = Schemas["Line"];

const route = getRouteApi("/app/settings/lines");

/** Which organization each line is of. */
export function LinesPage() {
  const { t } = useTranslation();
  const { organization } = route.useSearch();
  const navigate = route.useNavigate();
  // whoever manages lines need not see settings: then lines stay where they are
  const sees = useMay()("admin.settings_view");
  const organizations = useOrganizations(sees).data;
  const pages = usePages(["lines", organization ?? ""], (cursor, signal) =>
    client.GET("/api/v1/lines", {
      params: {
        query: { cursor, limit: PAGE_ROWS, ...(organization ? { organization_id: organization } : {}) },
      },
      signal,
    }),
  );
  const columns = useColumns(organizations);
  return (
    <Page
      title={t("organizations.lines")}
      isFilled
      actions={
        organizations ? (
          <Select
            aria-label={t("organizations.linesOf")}
            className="w-auto max-w-60"
            value={organization ?? ""}
            onChange={({ target }) =>
              void navigate({ search: target.value ? { organization: target.value } : {} })
            }
          >
            <option value="">{t("organizations.allLines")}</option>
            {organizations.map(({ id, name }) => (
              <option key={id} value={id}>
                {name}
              </option>
            ))}
          </Select>
        ) : null
      }
    >
      <p className="max-w-3xl px-4 py-3 text-sm text-muted md:px-6">
        {t(sees ? "organizations.linesSay" : "organizations.linesStay")}
      </p>
      {pages.isPending ? (
        <Loading />
      ) : pages.error ? (
        <Failed error={pages.error} retry={pages.refetch} />
      ) : pages.rows.length === 0 ? (
        <Empty icon={Phone} title={t("organizations.noLines")}>
          {t("organizations.noLinesNext")}
        </Empty>
      ) : (
        <DataTable
          label={t("organizations.lines")}
          columns={columns}
          rows={pages.rows}
          rowId={({ id }) => id}
          hasMore={pages.hasMore}
          isLoadingMore={pages.isLoadingMore}
          loadMore={pages.loadMore}
        />
      )}
    </Page>
  );
}

function useColumns(organizations: Organization[] | undefined): Column<Line>[] {
  const { t } = useTranslation();
  return [
    {
      id: "name",
      header: t("organizations.line"),
      cell: ({ name, address }) => (
        <span className="flex min-w-0 flex-col">
          <span className="truncate font-medium">{name}</span>
          <span className="truncate text-xs text-muted">{address}</span>
        </span>
      ),
    },
    {
      id: "organization",
      header: t("organizations.organization"),
      className: "w-[50%] md:w-[40%]",
      cell: (line) => <OrganizationOf line={line} organizations={organizations} />,
    },
  ];
}

interface OrganizationOfProps {
  line: Line;
  organizations: Organization[] | undefined;
}

/** Chosen, it holds: nothing else stands in the row that would have to be saved with it. */
function OrganizationOf({ line, organizations }: OrganizationOfProps) {
  const { t } = useTranslation();
  const move = useMutation({
    mutationFn: (organization: string) =>
      client.PATCH("/api/v1/lines/{id}", {
        params: { path: { id: line.id } },
        body: { organization_id: organization || null },
      }),
    onSuccess: () => toast("ok", t("organizations.moved")),
    onError: (error) => toast("bad", errorText(error, t)),
    onSettled: () => readLinesAgain(),
  });
  return (
    <Select
      aria-label={t("organizations.organizationOf", { name: line.name })}
      value={move.isPending ? move.variables : (line.organization_id ?? "")}
      disabled={!organizations || move.isPending}
      title={organizations ? undefined : t("organizations.linesStay")}
      onChange={({ target }) => move.mutate(target.value)}
    >
      <option value="">{t("organizations.account")}</option>
      {organizations?.map(({ id, name }) => (
        <option key={id} value={id}>
          {name}
        </option>
      ))}
    </Select>
  );
}
