import { useCallback } from "react";
import { useTranslation } from "react-i18next";

/** The fields that a column can fill, as the API names them. */
export const FIELDS = [
  "phone",
  "second_phone",
  "first_name",
  "last_name",
  "full_name",
  "email",
  "company",
  "address",
  "city",
  "state",
  "postal_code",
  "time_zone",
  "labels",
  "household",
] as const;
const isField = (field: string): field is (typeof FIELDS)[number] => FIELDS.some((known) => known === field);

/** What a column fills, in words. */
export function useFieldName(): (field: string | undefined) => string {
  const { t } = useTranslation();
  return useCallback(
    (field) => {
      if (field?.startsWith("attribute:")) return t("imports.attribute", { name: field.slice(10) });
      return field && isField(field) ? t(`contacts.fields.${field}`) : t("imports.ignore");
    },
    [t],
  );
}
