/** Two languages, Spanish first: by what was chosen here, else by the browser. Only the one that is used is loaded. */
import i18next from "i18next";
import { initReactI18next } from "react-i18next";

import type english from "./en";
import type audit from "./en/audit.json";
import type campaigns from "./en/campaigns.json";
import type codes from "./en/codes.json";
import type consent from "./en/consent.json";
import type contacts from "./en/contacts.json";
import type files from "./en/files.json";
import type imports from "./en/imports.json";
import type jobs from "./en/jobs.json";
import type operations from "./en/operations.json";
import type organizations from "./en/organizations.json";
import type permissions from "./en/permissions.json";
import type privacy from "./en/privacy.json";
import type providers from "./en/providers.json";
import type platform from "./en/platform.json";
import type security from "./en/security.json";
import type settings from "./en/settings.json";
import type sms from "./en/sms.json";
import type teams from "./en/teams.json";
import type usage from "./en/usage.json";
import type users from "./en/users.json";
import type webhooks from "./en/webhooks.json";
import type why from "./en/why.json";

export const LANGUAGES = ["es", "en"] as const;
export type Language = (typeof LANGUAGES)[number];
const KEPT = "paloma.language";

declare module "i18next" {
  interface CustomTypeOptions {
    defaultNS: "translation";
    resources: { translation: typeof english & Later };
    returnNull: false;
  }
}

export type Texts = { [key: string]: string | Texts };

const isLanguage = (value: unknown): value is Language => LANGUAGES.includes(value as Language);

/** What to speak: kept, else the first of the browser's that we know, else Spanish. */
export function pickLanguage(kept: string | null, wanted: readonly string[]): Language {
  if (isLanguage(kept)) return kept;
  return wanted.map((tag) => tag.slice(0, 2).toLowerCase()).find(isLanguage) ?? "es";
}

/** Spanish has a plural of its own from a million on, which with figures reads like the other one. */
export function withMany<T extends Texts>(texts: T): T {
  const filled: Texts = {};
  for (const [key, value] of Object.entries(texts)) {
    filled[key] = typeof value === "string" ? value : withMany(value);
    const many = key.replace(/_other$/, "_many");
    if (many !== key && !(many in texts)) filled[many] = value;
  }
  return filled as T;
}

async function textsOf(language: Language): Promise<Texts> {
  return language === "es" ? withMany((await import("./es")).default) : (await import("./en")).default;
}

/** Texts that the first screen does not need: each is loaded with the screens that speak it. */
interface Later {
  audit: typeof audit;
  campaigns: typeof campaigns;
  codes: typeof codes;
  consent: typeof consent;
  contacts: typeof contacts;
  files: typeof files;
  imports: typeof imports;
  jobs: typeof jobs;
  operations: typeof operations;
  organizations: typeof organizations;
  permissions: typeof permissions;
  privacy: typeof privacy;
  providers: typeof providers;
  platform: typeof platform;
  security: typeof security;
  settings: typeof settings;
  sms: typeof sms;
  teams: typeof teams;
  usage: typeof usage;
  users: typeof users;
  webhooks: typeof webhooks;
  why: typeof why;
}
export type Topic = keyof Later;
const spoken = new Set<Topic>();

/** Which files there are is known to a module of its own, which the first screen does not wait for either. */
const laterTexts = async (language: Language, topic: Topic) =>
  (await import("./later")).textsOf(language, topic);

async function addTexts(language: Language, topics: Iterable<Topic>): Promise<void> {
  const loaded = [...topics].map(async (topic) => {
    const { default: texts } = await laterTexts(language, topic);
    const filled: Texts = language === "es" ? withMany(texts) : texts;
    // codes of errors that only this screen meets stand with its texts, and are looked for among all others
    const problems = filled["problems"] ?? {};
    i18next.addResourceBundle(language, "translation", { [topic]: filled, problems }, true);
  });
  await Promise.all(loaded);
}

/** A screen together with what it says. */
export async function withTexts<Module>(screen: Promise<Module>, ...topics: Topic[]): Promise<Module> {
  for (const topic of topics) spoken.add(topic);
  const [module] = await Promise.all([screen, addTexts(i18next.language as Language, topics)]);
  return module;
}

/** What is said of errors that nobody meets at once; soon after the first screen. */
export const addCodes = (): Promise<unknown> => withTexts(Promise.resolve(), "codes");

export async function startLanguages(): Promise<void> {
  const language = pickLanguage(localStorage.getItem(KEPT), navigator.languages);
  document.documentElement.lang = language;
  await i18next.use(initReactI18next).init({
    lng: language,
    supportedLngs: LANGUAGES,
    resources: { [language]: { translation: await textsOf(language) } },
    interpolation: { escapeValue: false },
    returnNull: false,
    // a text that is not there is seen as its key: nobody may find that out by reading the screen
    saveMissing: true,
    missingKeyHandler: (_languages, _namespace, key) => console.error(`no text for ${key}`),
  });
}

export async function speak(language: Language): Promise<void> {
  if (!i18next.hasResourceBundle(language, "translation")) {
    i18next.addResourceBundle(language, "translation", await textsOf(language));
  }
  await addTexts(language, spoken);
  localStorage.setItem(KEPT, language);
  document.documentElement.lang = language;
  await i18next.changeLanguage(language);
}
