/** The screens of the platform's operators and of what an account uses: one file to load, since the first screen knows each by its name. */
export { OperatorInvitationPage } from "./OperatorInvitationPage";
export { OperatorsPage } from "./OperatorsPage";
export { OwnUsagePage } from "./OwnUsagePage";
export { PlansPage } from "./PlansPage";
export { StaysPage } from "./StaysPage";
export { TenantPage } from "./TenantPage";
export { TenantsPage } from "./TenantsPage";
export { UsagePage } from "./UsagePage";
