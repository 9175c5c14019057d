import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

import tailwind from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";
import { compression } from "vite-plugin-compression2";

/** The languages of the application, and what the emoji picker asks for of each. */
const EMOJI = ["es", "en"].flatMap((language) =>
  ["data", "messages"].map((name) => `${language}/${name}.json`),
);

/** The data of the emoji picker, served by us: no page of ours asks another host for anything. */
function emoji(): Plugin {
  const read = (name: string) =>
    readFileSync(createRequire(import.meta.url).resolve(`emojibase-data/${name}`));
  return {
    name: "emoji",
    generateBundle() {
      for (const name of EMOJI)
        this.emitFile({ type: "asset", fileName: `emoji/${name}`, source: read(name) });
    },
    configureServer({ middlewares }) {
      middlewares.use("/emoji", (request, response, next) => {
        const name = EMOJI.find((known) => request.url === `/${known}`);
        if (!name) return next();
        response.setHeader("content-type", "application/json").end(read(name));
      });
    },
  };
}

const server = process.env["PALOMA_DEV_SERVER"] ?? "http://127.0.0.1:8080";

export default defineConfig({
  plugins: [
    react(),
    tailwind(),
    emoji(),
    // the server sends the twin that the browser takes; it compresses nothing itself
    compression({ algorithms: ["gzip", "brotliCompress"], threshold: 512 }),
  ],
  resolve: { alias: { "@": fileURLToPath(new URL("./src", import.meta.url)) } },
  build: {
    target: "es2023",
    // nothing inline: the content security policy refuses it
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    manifest: true,
    reportCompressedSize: false,
  },
  server: {
    proxy: { "/api": { target: server, ws: true, changeOrigin: true, headers: { origin: server } } },
  },
});
