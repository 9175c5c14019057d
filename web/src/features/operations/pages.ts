/** The screens of the operator's queues: one file to load, since the first screen knows each by its name. */
export { AuditPage } from "./AuditPage";
export { BatchesPage } from "./BatchesPage";
export { GatesPage } from "./GatesPage";
export { JobsPage } from "./JobsPage";
export { LanesPage } from "./LanesPage";
export { QueuesPage } from "./QueuesPage";
export { SchedulesPage } from "./SchedulesPage";
