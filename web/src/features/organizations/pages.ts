/** The screens of settings with their provenance, of organizations and of lines: one file to load, since the first screen knows each by its name. */
export { GeneralPage } from "./GeneralPage";
export { LinesPage } from "./LinesPage";
export { OrganizationsPage } from "./OrganizationsPage";
