import { useSearch } from "@tanstack/react-router";

import { DeliveriesPage } from "./DeliveriesPage";
import { WebhooksPage } from "./WebhooksPage";

/** All webhooks, or the log of the one that stands in the address. */
export function WebhooksScreen() {
  const { webhook } = useSearch({ from: "/app/settings/webhooks" });
  return webhook ? <DeliveriesPage id={webhook} /> : <WebhooksPage />;
}
