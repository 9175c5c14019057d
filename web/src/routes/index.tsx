/** Which address shows which screen: reads the address and names a feature, each loaded when it is first seen. */
import {
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
  Outlet,
  redirect,
} from "@tanstack/react-router";

import { AREAS } from "@/components/shell/areas";
import { Shell } from "@/components/shell/Shell";
import { withTexts } from "@/i18n";
import type { Permission } from "@/lib/api/client";
import { whenShutOut } from "@/lib/api/query";
import { useKeyboard } from "@/lib/keyboard/useShortcuts";
import type * as operationPages from "@/features/operations/pages";
import { forgetOperator, isOperationsPath } from "@/features/operations/session";
import type * as organizationPages from "@/features/organizations/pages";
import { findSession } from "@/lib/session";

import { Broken, Missing } from "./Fallbacks";
import {
  readAudit,
  readCampaign,
  readContacts,
  readInbox,
  readJobs,
  readLogIn,
  readNewCampaign,
  readNewImport,
  readOperatorJobs,
  readOrganization,
  readRoles,
  readSecurity,
  readTenants,
  readWebhooks,
  parseSearch,
  stringifySearch,
} from "./search";

declare module "@tanstack/react-router" {
  interface StaticDataRouteOption {
    /** Who may not do this is told so in place of the screen. */
    needs?: Permission;
  }
  interface Register {
    router: typeof router;
  }
}

const platformPage = (name: keyof typeof import("@/features/platform/pages")) =>
  lazyRouteComponent(() => withTexts(import("@/features/platform/pages"), "platform", "usage"), name);

const peoplePage = (name: keyof typeof import("@/features/users/pages")) =>
  lazyRouteComponent(
    () => withTexts(import("@/features/users/pages"), "users", "permissions", "teams"),
    name,
  );

function Root() {
  useKeyboard();
  return <Outlet />;
}

const root = createRootRoute({ component: Root, notFoundComponent: Missing, errorComponent: Broken });

const login = createRoute({
  getParentRoute: () => root,
  path: "/login",
  validateSearch: readLogIn,
  beforeLoad: async ({ search }) => {
    // a session that has ended elsewhere is still remembered here
    if (await findSession(true)) throw redirect({ href: ownAddress(search.to), replace: true });
  },
  component: lazyRouteComponent(() => withTexts(import("@/features/session/LogIn"), "providers"), "LogIn"),
});

/** Only an address of ours is gone back to after the log-in. */
export function ownAddress(to: string | undefined): string {
  return to && /^\/(?![/\\])/.test(to) && !to.startsWith("/login") ? to : "/";
}

const app = createRoute({
  getParentRoute: () => root,
  id: "app",
  beforeLoad: async ({ location }) => {
    const me = await findSession();
    if (!me) throw redirect({ to: "/login", search: location.href === "/" ? {} : { to: location.href } });
    if (me.lacks_second_factor) throw redirect({ to: "/second-factor", replace: true });
    return { me };
  },
  component: Shell,
});

const home = createRoute({
  getParentRoute: () => app,
  path: "/",
  beforeLoad: ({ context }) => {
    const first = AREAS.find((area) => context.me.permissions.includes(area.needs));
    throw redirect({ to: first?.to ?? "/nothing", replace: true });
  },
});

const nothing = createRoute({
  getParentRoute: () => app,
  path: "/nothing",
  component: lazyRouteComponent(() => import("./Nothing"), "Nothing"),
});

const inbox = createRoute({
  getParentRoute: () => app,
  path: "/inbox",
  staticData: { needs: "conversations.view" },
  validateSearch: readInbox,
  component: lazyRouteComponent(() => import("@/features/inbox/InboxPage"), "InboxPage"),
});

const contacts = createRoute({
  getParentRoute: () => app,
  path: "/contacts",
  staticData: { needs: "contacts.view" },
  validateSearch: readContacts,
  component: lazyRouteComponent(
    () => withTexts(import("@/features/contacts/ContactsPage"), "contacts", "consent", "privacy"),
    "ContactsPage",
  ),
});

const campaigns = createRoute({
  getParentRoute: () => app,
  path: "/campaigns",
  staticData: { needs: "campaigns.view" },
  component: lazyRouteComponent(
    () => withTexts(import("@/features/campaigns/CampaignsPage"), "campaigns"),
    "CampaignsPage",
  ),
});

const newCampaign = createRoute({
  getParentRoute: () => app,
  path: "/campaigns/new",
  staticData: { needs: "campaigns.create" },
  validateSearch: readNewCampaign,
  component: lazyRouteComponent(
    () => withTexts(import("@/features/campaigns/NewCampaignPage"), "campaigns", "contacts"),
    "NewCampaignPage",
  ),
});

const campaign = createRoute({
  getParentRoute: () => app,
  path: "/campaigns/$campaignId",
  staticData: { needs: "campaigns.view" },
  validateSearch: readCampaign,
  component: lazyRouteComponent(
    () => withTexts(import("@/features/campaigns/CampaignPage"), "campaigns", "contacts"),
    "CampaignPage",
  ),
});

const imports = createRoute({
  getParentRoute: () => app,
  path: "/imports",
  staticData: { needs: "contacts.import" },
  component: lazyRouteComponent(
    () => withTexts(import("@/features/imports/ImportsPage"), "imports"),
    "ImportsPage",
  ),
});

const newImport = createRoute({
  getParentRoute: () => app,
  path: "/imports/new",
  staticData: { needs: "contacts.import" },
  validateSearch: readNewImport,
  component: lazyRouteComponent(
    () => withTexts(import("@/features/imports/NewImportPage"), "imports", "contacts"),
    "NewImportPage",
  ),
});

const importOne = createRoute({
  getParentRoute: () => app,
  path: "/imports/$importId",
  staticData: { needs: "contacts.import" },
  component: lazyRouteComponent(
    () => withTexts(import("@/features/imports/ImportPage"), "imports", "contacts"),
    "ImportPage",
  ),
});

const jobs = createRoute({
  getParentRoute: () => app,
  path: "/jobs",
  staticData: { needs: "admin.settings_view" },
  validateSearch: readJobs,
  component: lazyRouteComponent(
    () => withTexts(import("@/features/jobs/JobsPage"), "jobs", "why"),
    "JobsPage",
  ),
});

const settings = createRoute({
  getParentRoute: () => app,
  path: "/settings",
  component: lazyRouteComponent(
    () => withTexts(import("@/features/settings/SettingsShell"), "settings"),
    "SettingsShell",
  ),
});

const settingsHome = createRoute({
  getParentRoute: () => settings,
  path: "/",
  beforeLoad: () => {
    throw redirect({ to: "/settings/security", replace: true });
  },
});

const organizationsPage = (name: keyof typeof organizationPages) =>
  lazyRouteComponent(() => withTexts(import("@/features/organizations/pages"), "organizations"), name);

const general = createRoute({
  getParentRoute: () => settings,
  path: "/general",
  staticData: { needs: "admin.settings_view" },
  component: organizationsPage("GeneralPage"),
});

const organizations = createRoute({
  getParentRoute: () => settings,
  path: "/organizations",
  staticData: { needs: "admin.settings_view" },
  validateSearch: readOrganization,
  component: organizationsPage("OrganizationsPage"),
});

const lines = createRoute({
  getParentRoute: () => settings,
  path: "/lines",
  staticData: { needs: "admin.channels_manage" },
  validateSearch: readOrganization,
  component: organizationsPage("LinesPage"),
});

const roles = createRoute({
  getParentRoute: () => settings,
  path: "/roles",
  staticData: { needs: "admin.roles_manage" },
  validateSearch: readRoles,
  component: peoplePage("RolesPage"),
});

const users = createRoute({
  getParentRoute: () => settings,
  path: "/users",
  staticData: { needs: "admin.users_view" },
  component: peoplePage("UsersPage"),
});

const teams = createRoute({
  getParentRoute: () => settings,
  path: "/teams",
  staticData: { needs: "admin.users_view" },
  component: peoplePage("TeamsPage"),
});

const quietHours = createRoute({
  getParentRoute: () => settings,
  path: "/quiet-hours",
  staticData: { needs: "campaigns.view" },
  component: lazyRouteComponent(() => import("@/features/settings/QuietHoursPage"), "QuietHoursPage"),
});

const security = createRoute({
  getParentRoute: () => settings,
  path: "/security",
  validateSearch: readSecurity,
  component: lazyRouteComponent(
    () => withTexts(import("@/features/security/SecurityPage"), "security", "providers"),
    "SecurityPage",
  ),
});

const privacy = createRoute({
  getParentRoute: () => settings,
  path: "/privacy",
  staticData: { needs: "contacts.export" },
  component: lazyRouteComponent(
    () => withTexts(import("@/features/privacy/PrivacyPage"), "privacy"),
    "PrivacyPage",
  ),
});

const audit = createRoute({
  getParentRoute: () => settings,
  path: "/audit",
  staticData: { needs: "admin.audit_view" },
  validateSearch: readAudit,
  component: lazyRouteComponent(() => withTexts(import("@/features/audit/AuditPage"), "audit"), "AuditPage"),
});

const webhooks = createRoute({
  getParentRoute: () => settings,
  path: "/webhooks",
  staticData: { needs: "admin.webhooks_manage" },
  validateSearch: readWebhooks,
  component: lazyRouteComponent(
    () => withTexts(import("@/features/webhooks/WebhooksScreen"), "webhooks"),
    "WebhooksScreen",
  ),
});

const ownUsage = createRoute({
  getParentRoute: () => settings,
  path: "/usage",
  staticData: { needs: "admin.settings_view" },
  component: platformPage("OwnUsagePage"),
});

/** The account asks for a second factor: nothing else is open until there is one. */
const secondFactor = createRoute({
  getParentRoute: () => root,
  path: "/second-factor",
  validateSearch: readSecurity,
  beforeLoad: async () => {
    const me = await findSession(true);
    if (!me) throw redirect({ to: "/login" });
    if (!me.lacks_second_factor) throw redirect({ to: "/", replace: true });
  },
  component: lazyRouteComponent(
    () => withTexts(import("@/features/security/SecondFactorPage"), "security", "providers"),
    "SecondFactorPage",
  ),
});

/** Whoever follows a link of theirs has no session yet, or another one. */
const invitation = createRoute({
  getParentRoute: () => root,
  path: "/invitations/$token",
  component: peoplePage("InvitationPage"),
});

/** The same for somebody who is to operate the platform. */
const operatorInvitation = createRoute({
  getParentRoute: () => root,
  path: "/operations/invitations/$token",
  component: platformPage("OperatorInvitationPage"),
});

/** The operator's screens stand apart: nobody of a tenant, and another cookie. */
const operations = createRoute({
  getParentRoute: () => root,
  path: "/operations",
  component: lazyRouteComponent(
    () => withTexts(import("@/features/operations/OperationsShell"), "operations", "jobs", "why", "codes"),
    "OperationsShell",
  ),
});

const operationsHome = createRoute({
  getParentRoute: () => operations,
  path: "/",
  beforeLoad: () => {
    throw redirect({ to: "/operations/queues", replace: true });
  },
});

const operationsPage = (name: keyof typeof operationPages) =>
  lazyRouteComponent(() => import("@/features/operations/pages"), name);

const operationsPages = [
  createRoute({
    getParentRoute: () => operations,
    path: "/tenants",
    validateSearch: readTenants,
    component: platformPage("TenantsPage"),
  }),
  createRoute({
    getParentRoute: () => operations,
    path: "/tenants/$tenantId",
    component: platformPage("TenantPage"),
  }),
  createRoute({
    getParentRoute: () => operations,
    path: "/plans",
    component: platformPage("PlansPage"),
  }),
  createRoute({
    getParentRoute: () => operations,
    path: "/usage",
    component: platformPage("UsagePage"),
  }),
  createRoute({
    getParentRoute: () => operations,
    path: "/operators",
    component: platformPage("OperatorsPage"),
  }),
  createRoute({
    getParentRoute: () => operations,
    path: "/stays",
    component: platformPage("StaysPage"),
  }),
  createRoute({
    getParentRoute: () => operations,
    path: "/queues",
    component: operationsPage("QueuesPage"),
  }),
  createRoute({
    getParentRoute: () => operations,
    path: "/jobs",
    validateSearch: readOperatorJobs,
    component: operationsPage("JobsPage"),
  }),
  createRoute({
    getParentRoute: () => operations,
    path: "/lanes",
    component: operationsPage("LanesPage"),
  }),
  createRoute({
    getParentRoute: () => operations,
    path: "/gates",
    component: operationsPage("GatesPage"),
  }),
  createRoute({
    getParentRoute: () => operations,
    path: "/batches",
    component: operationsPage("BatchesPage"),
  }),
  createRoute({
    getParentRoute: () => operations,
    path: "/schedules",
    component: operationsPage("SchedulesPage"),
  }),
  createRoute({
    getParentRoute: () => operations,
    path: "/audit",
    component: operationsPage("AuditPage"),
  }),
] as const;

export const router = createRouter({
  routeTree: root.addChildren([
    login,
    invitation,
    operatorInvitation,
    secondFactor,
    operations.addChildren([operationsHome, ...operationsPages]),
    app.addChildren([
      home,
      nothing,
      inbox,
      contacts,
      campaigns,
      newCampaign,
      campaign,
      imports,
      newImport,
      importOne,
      jobs,
      settings.addChildren([
        settingsHome,
        users,
        teams,
        roles,
        general,
        organizations,
        lines,
        quietHours,
        webhooks,
        ownUsage,
        privacy,
        security,
        audit,
      ]),
    ]),
  ]),
  parseSearch,
  stringifySearch,
  defaultPreload: "intent",
  defaultErrorComponent: Broken,
  defaultNotFoundComponent: Missing,
});

whenShutOut((why) => {
  const { href, pathname } = router.state.location;
  // on the way to a screen its own guard decides
  if (pathname === "/login" || router.state.status === "pending") return;
  if (why === "second_factor") {
    if (pathname !== "/second-factor") void router.navigate({ to: "/second-factor", replace: true });
    return;
  }
  if (isOperationsPath(pathname)) {
    forgetOperator();
    return;
  }
  void router.navigate({ to: "/login", search: { to: href }, replace: true });
});
