import { expect, test } from "vitest";

import type { Schemas } from "@/lib/api/client";

import { merged } from "./merged";

const contact = (fields: Partial<Schemas["Contact"]>) =>
  ({ id: "c", attributes: {}, label_ids: [], ...fields }) as Schemas["Contact"];
const stays = (text: string) => ({ text, stays: true });
const lost = (text: string) => ({ text, stays: false });

test("the kept one's values stay, and the other's fill what it does not say", () => {
  const kept = contact({ first_name: "Ana", city: "Reus" });
  const gone = contact({ first_name: "Anita", city: "Reus", email: "ana@example.com" });
  expect(merged(kept, gone)).toEqual([
    { name: "first_name", kept: [stays("Ana")], gone: [lost("Anita")] },
    { name: "email", kept: [], gone: [stays("ana@example.com")] },
    { name: "city", kept: [stays("Reus")], gone: [stays("Reus")] },
  ]);
});

test("two different numbers find room, a third one does not", () => {
  const kept = contact({ phone: "+1", second_phone: null });
  const gone = contact({ phone: "+1", second_phone: "+2" });
  expect(merged(kept, gone)).toEqual([
    { name: "phones", kept: [stays("+1")], gone: [stays("+1"), stays("+2")] },
  ]);
  const [phones] = merged(contact({ phone: "+1", second_phone: "+2" }), contact({ phone: "+3" }));
  expect(phones?.gone).toEqual([lost("+3")]);
});

test("attributes go the same way, one by one", () => {
  const kept = contact({ attributes: { mascota: "Toby" } });
  const gone = contact({ attributes: { mascota: "Luna", plan: "oro" } });
  expect(merged(kept, gone)).toEqual([
    { name: "mascota", isAttribute: true, kept: [stays("Toby")], gone: [lost("Luna")] },
    { name: "plan", isAttribute: true, kept: [], gone: [stays("oro")] },
  ]);
});
