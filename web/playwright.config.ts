import { defineConfig } from "@playwright/test";

const executablePath = process.env["PALOMA_CHROMIUM"] ?? "/usr/bin/chromium";

export default defineConfig({
  testDir: "e2e",
  // the stories of campaigns add lines to the same simulated Mac, and from then on each message comes in by every line
  projects: [
    { name: "inbox", testMatch: /(inbox|inbox-files|live|voice)\.spec/ },
    { name: "rest", testIgnore: /(inbox|inbox-files|live|voice|measured)\.spec/, dependencies: ["inbox"] },
    ...(process.env["PALOMA_MEASURE"] ? [{ name: "measured", testMatch: /measured\.spec/ }] : []),
  ],
  outputDir: "../target/playwright",
  // one stack and one browser: the machine has two cores, and the tests share a tenant
  workers: 1,
  fullyParallel: false,
  forbidOnly: Boolean(process.env["CI"]),
  retries: 0,
  timeout: 120_000,
  expect: { timeout: 20_000 },
  globalSetup: "./e2e/stack.ts",
  reporter: [["list"]],
  use: {
    headless: true,
    viewport: { width: 1440, height: 900 },
    locale: "es-ES",
    timezoneId: "America/New_York",
    trace: "retain-on-failure",
    launchOptions: {
      executablePath,
      args: [
        "--disable-gpu",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--no-first-run",
        "--disable-quic",
      ],
    },
  },
});
