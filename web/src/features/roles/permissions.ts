/** The permissions in the order and the groups in which they are read. The compiler sees that none is missing. */
import type { Permission, Schemas } from "@/lib/api/client";

export type Scope = Schemas["PermissionScope"];

type Group = Permission extends `${infer Name}.${string}` ? Name : never;
type ActionOf<Name extends Group> = Permission extends infer P
  ? P extends `${Name}.${infer Action}`
    ? Action
    : never
  : never;

/** An object rather than a list: one that is left out does not compile. */
const ACTIONS: { [Name in Group]: Record<ActionOf<Name>, true> } = {
  conversations: {
    view: true,
    reply: true,
    note: true,
    assign: true,
    change_state: true,
    pin_shared: true,
    delete_message: true,
    export: true,
    manage_filters: true,
  },
  contacts: {
    view: true,
    create: true,
    edit: true,
    delete: true,
    merge: true,
    import: true,
    export: true,
    bulk_move: true,
  },
  consent: { view: true, opt_out: true, opt_in_override: true },
  campaigns: {
    view: true,
    create: true,
    edit: true,
    launch: true,
    pause_resume: true,
    cancel: true,
    test_send: true,
    view_analytics: true,
  },
  templates: { view: true, manage: true },
  media: { upload: true, delete: true },
  ai: { use: true, configure: true, tools_manage: true, view_traces: true },
  calendar: { view: true, book: true, manage_any: true, configure: true, connect_google: true },
  billing: { view: true, manage_subscription: true, manage_payment_methods: true, refund: true },
  admin: {
    users_view: true,
    users_manage: true,
    roles_manage: true,
    settings_view: true,
    settings_manage: true,
    channels_manage: true,
    api_keys_manage: true,
    webhooks_manage: true,
    audit_view: true,
  },
};

/** Each group with its permissions. */
export const GROUPS = Object.entries(ACTIONS).map(([group, actions]) => ({
  group: group as Group,
  permissions: Object.keys(actions).map((action) => `${group}.${action}` as Permission),
}));

/** Those that can be granted for less than everything: they are about one conversation. */
export const SCOPED: readonly Permission[] = [
  "conversations.view",
  "conversations.reply",
  "conversations.note",
  "conversations.assign",
  "conversations.change_state",
  "conversations.pin_shared",
  "conversations.delete_message",
  "conversations.export",
];

/** How far a permission can reach, from the narrowest on. */
export const SCOPES: readonly Scope[] = ["own", "team", "all"];

/** All of them. */
export const ALL = GROUPS.flatMap(({ permissions }) => permissions);
