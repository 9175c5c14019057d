import { Inbox, type LucideIcon, Megaphone, SquareKanban, Upload, Users } from "lucide-react";

import type { Permission } from "@/lib/api/client";

interface Area {
  id: "inbox" | "contacts" | "campaigns" | "imports" | "jobs";
  to: "/inbox" | "/contacts" | "/campaigns" | "/imports" | "/jobs";
  icon: LucideIcon;
  /** Who may not do this does not see the area. */
  needs: Permission;
  keys: string;
}

/** The areas of the application, in the order of the rail. */
export const AREAS: readonly Area[] = [
  { id: "inbox", to: "/inbox", icon: Inbox, needs: "conversations.view", keys: "g i" },
  { id: "contacts", to: "/contacts", icon: Users, needs: "contacts.view", keys: "g c" },
  { id: "campaigns", to: "/campaigns", icon: Megaphone, needs: "campaigns.view", keys: "g a" },
  { id: "imports", to: "/imports", icon: Upload, needs: "contacts.import", keys: "g m" },
  { id: "jobs", to: "/jobs", icon: SquareKanban, needs: "admin.settings_view", keys: "g k" },
];
