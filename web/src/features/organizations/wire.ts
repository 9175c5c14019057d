/** Organizations and settings as the server says them, and how they are read anew. */
import { useQuery } from "@tanstack/react-query";

import { client, type Schemas } from "@/lib/api/client";
import { ApiError } from "@/lib/api/error";
import { PAGES, whole } from "@/lib/api/pages";
import { queryClient } from "@/lib/api/query";
import { sessionQuery } from "@/lib/session";

export type Organization = Schemas["Organization"];
export type Setting = Schemas["Setting"];
export type Settings = Schemas["Settings"];
export type Held = Schemas["SettingHeld"];
export type Kind = Schemas["SettingKind"];
export type Source = Schemas["SettingSource"];

/** Whose settings: an organization's id, or none for the account's own. */
export type Level = string | undefined;

const settingsKey = (level: Level) => ["settings", level ?? "account"];

const given = <Answer>({ data }: { data?: Answer | undefined }): Answer => {
  if (data === undefined) throw ApiError.unreachable();
  return data;
};

export const useSettings = (level: Level) =>
  useQuery({
    queryKey: settingsKey(level),
    queryFn: async () =>
      given(
        level === undefined
          ? await client.GET("/api/v1/settings")
          : await client.GET("/api/v1/organizations/{id}/settings", { params: { path: { id: level } } }),
      ),
  });

export async function saveSettings(
  level: Level,
  body: Partial<Schemas["SettingsChange"]>,
): Promise<Settings> {
  const answer =
    level === undefined
      ? await client.PATCH("/api/v1/settings", { body })
      : await client.PATCH("/api/v1/organizations/{id}/settings", { params: { path: { id: level } }, body });
  const settings = given(answer);
  queryClient.setQueryData(settingsKey(level), settings);
  // whoever is logged in knows their account's region and zone by their session
  if (level === undefined) void queryClient.invalidateQueries({ queryKey: sessionQuery.queryKey });
  return settings;
}

/** What the account sets holds for its organizations too. */
export const readSettingsAgain = () => queryClient.invalidateQueries({ queryKey: ["settings"] });

const ORGANIZATIONS = ["organizations"];

/** All of them, by name: few enough to choose from. */
export const useOrganizations = (isAsked = true) =>
  useQuery({
    queryKey: ORGANIZATIONS,
    queryFn: () => whole((query) => client.GET("/api/v1/organizations", { params: { query } })),
    enabled: isAsked,
  });

export const readOrganizationsAgain = () => queryClient.invalidateQueries({ queryKey: ORGANIZATIONS });

/** How many lines an organization has changes with them, and so does what other screens remember of lines. */
export const readLinesAgain = () =>
  Promise.all([
    queryClient.invalidateQueries({ queryKey: [PAGES, "lines"] }),
    queryClient.invalidateQueries({ queryKey: ["get", "/api/v1/lines"] }),
    readOrganizationsAgain(),
  ]);
