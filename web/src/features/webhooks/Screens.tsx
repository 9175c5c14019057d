/** Both screens in one piece: each piece of its own has its name in what everybody loads first. */
export { DeliveriesPage } from "./DeliveriesPage";
export { WebhooksPage } from "./WebhooksPage";
