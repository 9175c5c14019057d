/** The teams of the account and who is in them, as the server says it. */
import { useQuery } from "@tanstack/react-query";

import { client, type Schemas } from "@/lib/api/client";
import { whole } from "@/lib/api/pages";
import { queryClient } from "@/lib/api/query";

export type Team = Schemas["Team"];

const TEAMS = "teams";

/** All of them: an account has a hundred at most. */
export const useTeams = () =>
  useQuery({
    queryKey: [TEAMS],
    queryFn: () => whole((query) => client.GET("/api/v1/teams", { params: { query } })),
  });

/** Who is in a team: two hundred at most. */
export const useMembers = (id: string) =>
  useQuery({
    queryKey: [TEAMS, id, "members"],
    queryFn: () =>
      whole((query) => client.GET("/api/v1/teams/{id}/members", { params: { path: { id }, query } })),
  });

/** Whoever can be put into one. */
export const useColleagues = () =>
  useQuery({
    queryKey: [TEAMS, "colleagues"],
    queryFn: () => whole((query) => client.GET("/api/v1/users", { params: { query } })),
  });

export const readAgain = () => queryClient.invalidateQueries({ queryKey: [TEAMS] });
