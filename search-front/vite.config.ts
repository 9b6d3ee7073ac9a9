import vue from "@vitejs/plugin-vue";
import { defineConfig } from "vitest/config";

const api = process.env.BOXSEEK_DEV_API ?? "http://127.0.0.1:8000";

export default defineConfig({
  plugins: [vue()],
  build: {
    target: "es2022",
    assetsInlineLimit: 0, // the page's policy allows no data: addresses but pictures
    modulePreload: { polyfill: false },
    rolldownOptions: { checks: { pluginTimings: false } }, // no warning on a slow machine
  },
  server: {
    host: "127.0.0.1",
    proxy: Object.fromEntries(
      ["/v1", "/objects", "/thumbnails", "/crops"].map((path) => [path, api]),
    ),
  },
  test: { include: ["tests/**/*.test.ts"], environment: "node" },
});
