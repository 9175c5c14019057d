/** The screens of who works here and what they may do: one file to load, since the first screen knows each by its name. */
export { RolesPage } from "@/features/roles/RolesPage";
export { TeamsPage } from "@/features/teams/TeamsPage";

export { InvitationPage } from "./InvitationPage";
export { UsersPage } from "./UsersPage";
